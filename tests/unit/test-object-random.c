/* SPDX-License-Identifier: MIT */
/* Random objects: built and read, written by another hand and read, copied, printed, damaged. */
#include "support.h"

#include <errno.h>
#include <stdlib.h>

#include "object-model.h"

#define ROUNDS		400
#define BYTES_MAX	((size_t)1 << 20)

static struct weir_builder *b;
static uint8_t *bytes;

static void setup(void)
{
	ck_assert_int_eq(weir_builder_new(&b), 0);
	bytes = malloc(BYTES_MAX);
}

static void teardown(void)
{
	weir_builder_free(b);
	free(bytes);
}

static bool is_model(uint64_t seed, const struct weir_object *object)
{
	return model_is(&(struct model){ seed }, object, 0);
}

static void build(uint64_t seed, const void **ret_data, size_t *ret_size)
{
	weir_builder_reset(b);
	model_build(&(struct model){ seed }, b, 0);
	ck_assert_int_eq(weir_builder_data(b, ret_data, ret_size), 0);
}

/* The bytes, in forms by chance; 0 if they are too many. */
static size_t encode(uint64_t seed)
{
	struct model_bytes out = { .data = bytes, .room = BYTES_MAX,
				   .choices = { test_random() } };

	model_encode(&(struct model){ seed }, &out, 0);
	return out.size <= BYTES_MAX ? out.size : 0;
}

START_TEST(what_is_built_is_read)
{
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t seed = test_random();
		struct weir_object *object;
		const void *data;
		size_t size;

		build(seed, &data, &size);
		ck_assert_int_eq(weir_object_decode(data, size, &object), 0);
		ck_assert(is_model(seed, object));
		ck_assert(!is_model(seed + 1, object) || size < 20);
		weir_object_free(object);
	}
}
END_TEST

START_TEST(any_form_of_another_writer_is_read)
{
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t seed = test_random();
		struct weir_object *object;
		size_t size = encode(seed);

		if (size == 0)
			continue;
		ck_assert_int_eq(weir_object_decode(bytes, size, &object), 0);
		ck_assert(is_model(seed, object));
		weir_object_free(object);
	}
}
END_TEST

/* No writer needs fewer bytes, so the shortest of many by chance is what the builder makes. */
START_TEST(what_is_built_is_the_shortest_there_is)
{
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t seed = test_random();
		const void *data;
		size_t size;

		build(seed, &data, &size);
		for (int i = 0; i < 4; i++) {
			size_t other = encode(seed);

			/* But for floats, which the builder has no way to ask for. */
			ck_assert(other == 0 || other >= size || memchr(bytes, 0xca, other));
		}
	}
}
END_TEST

START_TEST(copy_is_what_was_built)
{
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t seed = test_random();
		struct weir_object *object, *copy;
		struct weir_builder *other;
		const void *data, *again;
		size_t size, again_size;

		build(seed, &data, &size);
		ck_assert_int_eq(weir_builder_build(b, &object), 0);
		ck_assert_int_eq(weir_builder_new(&other), 0);
		ck_assert_int_eq(weir_builder_object(other, object), 0);
		ck_assert_int_eq(weir_builder_data(other, &again, &again_size), 0);
		ck_assert_uint_eq(again_size, size);
		ck_assert_mem_eq(again, data, size);
		/* As an item of a format, inside another. */
		ck_assert_int_eq(weir_object_pack(&copy, "[o o]", object, object), 0);
		ck_assert(is_model(seed, weir_object_at(copy, 1)));
		weir_object_free(copy);
		weir_object_free(object);
		weir_builder_free(other);
	}
}
END_TEST

START_TEST(text_fits_the_size_that_was_told)
{
	for (int round = 0; round < ROUNDS / 4; round++) {
		struct weir_object *object;
		char *text, *end;
		const void *data;
		size_t size;

		build(test_random(), &data, &size);
		ck_assert_int_eq(weir_builder_build(b, &object), 0);
		ck_assert_int_eq(weir_object_text(object, NULL, 0, 0, &size), -EMSGSIZE);
		text = malloc(size + 1);
		ck_assert_int_eq(weir_object_text(object, text, size + 1, 0, NULL), 0);
		end = memchr(text, '\0', size + 1);
		ck_assert_ptr_eq(end, text + size);
		free(text);
		weir_object_free(object);
	}
}
END_TEST

START_TEST(what_is_cut_short_is_eproto)
{
	for (int round = 0; round < ROUNDS / 4; round++) {
		struct weir_object *object;
		const void *data;
		size_t size;
		void *copy;

		build(test_random(), &data, &size);
		for (int i = 0; i < 20; i++) {
			size_t part = test_random_below(size);

			copy = malloc(part + 1);
			memcpy(copy, data, part);
			ck_assert_int_eq(weir_object_decode(copy, part, &object), -EPROTO);
			free(copy);
		}
	}
}
END_TEST

/* Some bytes changed: an object or not one, but nothing else, and what is one can be used. */
START_TEST(what_is_damaged_is_an_object_or_eproto)
{
	int whole = 0;

	for (int round = 0; round < ROUNDS * 4; round++) {
		struct weir_object *object, *copy;
		size_t size = encode(test_random());
		int result;

		if (size == 0 || size > 5000)
			continue;
		for (int i = 0; i < 3; i++)
			bytes[test_random_below(size)] = (uint8_t)test_random();
		result = weir_object_decode(bytes, size, &object);
		ck_assert(result == 0 || result == -EPROTO);
		if (result < 0)
			continue;
		whole++;
		ck_assert_int_eq(weir_object_pack(&copy, "o", object), 0);
		ck_assert_int_eq(weir_object_text(copy, NULL, 0, 0, NULL), -EMSGSIZE);
		weir_object_free(copy);
		weir_object_free(object);
	}
	ck_assert_int_gt(whole, 20);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("object-random");
	TCase *tcase = tcase_create("random");

	tcase_add_checked_fixture(tcase, setup, teardown);
	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, what_is_built_is_read);
	tcase_add_test(tcase, any_form_of_another_writer_is_read);
	tcase_add_test(tcase, what_is_built_is_the_shortest_there_is);
	tcase_add_test(tcase, copy_is_what_was_built);
	tcase_add_test(tcase, text_fits_the_size_that_was_told);
	tcase_add_test(tcase, what_is_cut_short_is_eproto);
	tcase_add_test(tcase, what_is_damaged_is_an_object_or_eproto);
	return test_main(suite);
}
