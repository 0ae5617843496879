/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a message, and any text as a format for it.
 *
 * The input is a format up to the first NUL, which may be empty, and then the message. What is an
 * object is read, printed, matched, sent on as bytes, and those are the same object again. What is
 * not one must be found out without harm.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "obj/object.h"
#include "weir.h"

static char *text_of(const struct weir_object *object, size_t *ret_size)
{
	char *text;

	fuzz_check(weir_object_text(object, NULL, 0, 0, ret_size) == -EMSGSIZE);
	text = malloc(*ret_size + 1);
	fuzz_check(weir_object_text(object, text, *ret_size + 1, 0, NULL) == 0);
	return text;
}

static void check_same(const struct weir_object *a, const struct weir_object *b)
{
	size_t a_size, b_size;
	char *a_text = text_of(a, &a_size), *b_text = text_of(b, &b_size);

	fuzz_check(a_size == b_size && memcmp(a_text, b_text, a_size) == 0);
	free(a_text);
	free(b_text);
}

/* Every string is followed by a NUL that is ours to read. */
static void check_strings(const struct weir_object *object)
{
	const char *text;
	size_t size;

	if (weir_object_get_string(object, &text, &size) == 0)
		fuzz_check(text[size] == '\0');
	for (size_t i = 0; i < weir_object_count(object); i++) {
		check_strings(weir_object_key(object, i));
		check_strings(weir_object_at(object, i));
	}
}

static void send_on(const struct weir_object *object)
{
	struct weir_builder *builder;
	struct weir_object *copy;
	const void *data;
	size_t size;

	fuzz_check(weir_builder_new(&builder) == 0);
	fuzz_check(weir_builder_object(builder, object) == 0);
	fuzz_check(weir_builder_data(builder, &data, &size) == 0);
	fuzz_check(weir_object_decode(data, size, &copy) == 0);
	check_same(object, copy);
	weir_object_free(copy);
	weir_builder_free(builder);
}

/* A format is one whatever it is matched with, and says of a mismatch where it is. */
static void match(const struct weir_object *object, const char *format)
{
	size_t length = strlen(format), position = SIZE_MAX;
	int of_itself = weir_object_match(NULL, format, &position);
	int result;

	fuzz_check(of_itself == 0 || (of_itself == -EINVAL && position <= length));
	position = SIZE_MAX;
	result = weir_object_match(object, format, &position);
	fuzz_check((result == -EINVAL) == (of_itself == -EINVAL));
	fuzz_check(result == 0 || position <= length);
	fuzz_check(result == 0 || result == -EINVAL || result == -EPROTO || result == -ERANGE ||
		   result == -ENOENT);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\0', size);
	const uint8_t *message = end ? end + 1 : data;
	size_t message_size = end ? size - (size_t)(message - data) : size, values;
	struct weir_object *object;
	int result = weir_object_decode(message, message_size, &object);

	fuzz_check(result == 0 || result == -EPROTO);
	fuzz_check(result == object_measure(message, message_size, &values));
	if (result < 0)
		return;
	check_strings(object);
	send_on(object);
	if (end)
		match(object, (const char *)data);
	weir_object_free(object);
}
