/* SPDX-License-Identifier: MIT */
/*
 * The environment as text: one fact per line, "group.key  value", nothing left out.
 */
#include "bench/env.h"

#include <stdlib.h>

static void print_value(const char *name, const json_t *v, FILE *out)
{
	char *text;

	fprintf(out, "%-36s ", name);
	if (json_is_string(v)) {
		fprintf(out, "%s\n", *json_string_value(v) ? json_string_value(v) : "(none)");
	} else if (json_is_null(v)) {
		fputs("not known\n", out);
	} else if (json_is_array(v) && json_array_size(v) == 0) {
		fputs("(none)\n", out);
	} else {
		text = json_dumps(v, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
		fprintf(out, "%s\n", text ? text : "");
		free(text);
	}
}

static void print_item(const char *name, const json_t *v, FILE *out);

static void print_objects(const char *name, const json_t *list, FILE *out)
{
	char sub[128];
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		snprintf(sub, sizeof(sub), "%s.%zu", name, i);
		print_value(sub, json_array_get(list, i), out);
	}
}

static void print_members(const char *name, const json_t *o, FILE *out)
{
	char sub[128];
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)o, key, v)
	{
		snprintf(sub, sizeof(sub), "%s%s%s", name, *name ? "." : "", key);
		print_item(sub, v, out);
	}
}

static void print_item(const char *name, const json_t *v, FILE *out)
{
	if (json_is_object(v))
		print_members(name, v, out);
	else if (json_is_array(v) && json_is_object(json_array_get(v, 0)))
		print_objects(name, v, out);
	else
		print_value(name, v, out);
}

void env_print(const json_t *env, FILE *out)
{
	print_item("", env, out);
}
