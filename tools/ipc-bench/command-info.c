/* SPDX-License-Identifier: MIT */
/* list, floor, env: what can be told without moving a message. */
#include <stdio.h>
#include <string.h>

#include "bench/env.h"
#include "commands.h"
#include "crowd.h"
#include "report.h"

static const struct capability {
	uint32_t bit;
	const char *key;
	const char *mark;	/* in the text; "" when the other keys imply it */
} capabilities[] = {
	{ MECH_BOUNDARIES, "boundaries", "boundaries" },
	{ MECH_DUPLEX, "duplex", "duplex" },
	{ MECH_POLL, "poll", "poll" },
	{ MECH_BATCH, "batch", "batch" },
	{ MECH_MANY, "many_to_many", "many" },
	{ MECH_NAMED, "named", "named" },
	{ MECH_ANY_SIZE, "any_size", "any size" },
	{ MECH_SYSCALLS, "syscall_per_message", "syscalls" },
};

#define CAPABILITIES (sizeof(capabilities) / sizeof(capabilities[0]))

/* Of a message. */
static int copies(const struct mech *mech)
{
	if (mech->capabilities & MECH_COPIES0)
		return 0;
	return mech->capabilities & MECH_COPIES1 ? 1 : 2;
}

/* Which wait strategies it has, for a message that everything carries. */
static json_t *waits_json(const struct mech *mech)
{
	json_t *array = json_array();
	char why[MECH_WHY];

	for (int wait = 0; wait < WAITS; wait++) {
		struct setup setup = { .size = 64, .batch = 1, .wait = (enum wait)wait };

		if (mech_can(mech, &setup, why))
			json_array_append_new(array, json_string(wait_names[wait]));
	}
	return array;
}

static bool waits_for_many(const struct mech *mech)
{
	return mech->crowd && mech->crowd->way[ENGINE_EPOLL]->in_open;
}

/* Of fanout and waitmany. */
static json_t *engines_json(const struct mech *mech)
{
	json_t *array = json_array();

	for (int i = 0; i < ENGINES; i++)
		if (crowd_way(mech, (enum engine)i))
			json_array_append_new(array, json_string(engine_names[i]));
	return array;
}

/* Of value. */
static json_t *ops_json(const struct mech *mech)
{
	json_t *array = json_array();

	for (int i = 0; i < VALUE_OPS; i++)
		if (mech->loops->value[i])
			json_array_append_new(array, json_string(op_names[i]));
	return array;
}

static json_t *mech_json(const struct mech *mech)
{
	char why[MECH_WHY] = "";
	bool available = mech_available(mech, why);
	json_t *json = json_pack("{s:s, s:s, s:b, s:o, s:o, s:o}", "name", mech->name, "summary",
				 mech->summary, "available", available, "reason",
				 available ? json_null() : json_string(why), "package",
				 mech->package ? json_string(mech->package) : json_null(), "copies",
				 mech_sends(mech) ? json_integer(copies(mech)) : json_null());

	for (size_t i = 0; i < CAPABILITIES; i++)
		json_object_set_new(json, capabilities[i].key,
				    json_boolean(mech->capabilities & capabilities[i].bit));
	json_object_set_new(json, "waits", waits_json(mech));
	json_object_set_new(json, "fanout", json_boolean(mech->crowd != NULL));
	json_object_set_new(json, "waitmany", json_boolean(waits_for_many(mech)));
	json_object_set_new(json, "pump", json_boolean(mech->pump != NULL));
	json_object_set_new(json, "lock", json_boolean(mech->loops->lock != NULL));
	json_object_set_new(json, "value", ops_json(mech));
	json_object_set_new(json, "engines", engines_json(mech));
	return json;
}

static int list_json(void)
{
	json_t *mechanisms = json_array();
	json_t *json;
	int r;

	for (size_t i = 0; i < mech_count; i++)
		json_array_append_new(mechanisms, mech_json(mechs[i]));
	json = json_pack("{s:s, s:o}", "schema", "ipc-bench-list/1", "mechanisms", mechanisms);
	r = report_write(json, "-");
	json_decref(json);
	return r < 0 ? EXIT_INVALID : EXIT_GOOD;
}

static void list_shared(const struct mech *mech)
{
	const char *before = "";

	if (mech->loops->lock)
		printf("lock%s", mech_has_value(mech) ? "; " : "");
	if (mech_has_value(mech))
		printf("value: ");
	for (int i = 0; i < VALUE_OPS; i++) {
		if (!mech->loops->value[i])
			continue;
		printf("%s%s", before, op_names[i]);
		before = ", ";
	}
}

static void list_one(const struct mech *mech)
{
	char why[MECH_WHY] = "";

	printf("%-16s %s\n", mech->name, mech->summary);
	printf("%-16s ", "");
	if (!mech_available(mech, why)) {
		printf("not available: %s%s%s\n", why, mech->package ? "; install " : "",
		       mech->package ? mech->package : "");
		return;
	}
	list_shared(mech);
	if (mech_sends(mech))
		printf("copies: %d", copies(mech));
	for (size_t i = 0; i < CAPABILITIES; i++)
		if (mech->capabilities & capabilities[i].bit)
			printf(", %s", capabilities[i].mark);
	if (mech->crowd)
		printf(", fanout");
	if (waits_for_many(mech))
		printf(", waitmany");
	if (crowd_way(mech, ENGINE_URING))
		printf(" (io_uring too)");
	if (mech->pump)
		printf(", pump");
	putchar('\n');
}

int command_list(const struct options *options)
{
	if (options->json_flag)
		return list_json();
	for (size_t i = 0; i < mech_count; i++)
		list_one(mechs[i]);
	return EXIT_GOOD;
}

/* To the file, or for a file of one's own also as text. */
static int deliver(json_t *json, const struct options *options)
{
	int r;

	if (!json)
		return EXIT_INVALID;
	r = options->json ? report_write(json, options->json) : 0;
	json_decref(json);
	return r < 0 ? EXIT_INVALID : EXIT_GOOD;
}

static bool wants_text(const struct options *options)
{
	return !options->json || strcmp(options->json, "-") != 0;
}

int command_floor(const struct options *options)
{
	struct plan plan = { 0 };
	struct floor_limits floor;
	int r;

	if (options->json && report_writable(options->json) < 0)
		return EXIT_USAGE;
	if (plan_place(&plan, options) < 0)
		return EXIT_USAGE;
	if (plan.cpu[0] < 0)
		bench_default_pair(plan.cpu);
	r = floor_measure(plan.cpu[0], plan.cpu[1], &floor);
	if (r < 0) {
		fprintf(stderr, "ipc-bench: floor: %s\n", strerror(-r));
		return EXIT_INVALID;
	}
	if (wants_text(options))
		floor_print(&floor, stdout);
	return deliver(floor_json(&floor), options);
}

int command_env(const struct options *options)
{
	json_t *env;

	if (options->json && report_writable(options->json) < 0)
		return EXIT_USAGE;
	env = report_environment();
	if (env && wants_text(options))
		env_print(env, stdout);
	return deliver(env, options);
}
