/* SPDX-License-Identifier: MIT */
/* What a builder makes, byte by byte, and what it refuses. */
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cc.h"
#include "obj/builder.h"
#include "weir.h"

static struct weir_builder *b;

static void setup(void)
{
	ck_assert_int_eq(weir_builder_new(&b), 0);
}

static void teardown(void)
{
	weir_builder_free(b);
}

static void expect_made(const void *bytes, size_t size)
{
	const void *data = NULL;
	size_t got = 0;

	ck_assert_int_eq(weir_builder_data(b, &data, &got), 0);
	ck_assert_uint_eq(got, size);
	ck_assert_mem_eq(data, bytes, size);
}

/* The call gives just these bytes, and the builder is empty again. */
#define expect(call, literal) \
	do { \
		ck_assert_int_eq(call, 0); \
		expect_made(literal, sizeof(literal) - 1); \
		ck_assert_int_eq(weir_builder_reset(b), 0); \
	} while (0)

/* The call fails with @error, which stays until the builder is emptied. */
#define expect_error(call, error) \
	do { \
		const void *data_; \
		size_t size_; \
		struct weir_object *object_; \
		ck_assert_int_eq(call, error); \
		ck_assert_int_eq(weir_builder_nil(b), error); \
		ck_assert_int_eq(weir_builder_end(b), error); \
		ck_assert_int_eq(weir_builder_pack(b, "i", 5), error); \
		ck_assert_int_eq(weir_builder_data(b, &data_, &size_), error); \
		ck_assert_int_eq(weir_builder_build(b, &object_), error); \
		ck_assert_int_eq(weir_builder_reset(b), 0); \
	} while (0)

/*
 * Values, in the shortest form that MessagePack's specification has
 */

START_TEST(values_have_their_shortest_form)
{
	expect(weir_builder_nil(b), "\xc0");
	expect(weir_builder_bool(b, false), "\xc2");
	expect(weir_builder_bool(b, true), "\xc3");
	expect(weir_builder_double(b, 1.1), "\xcb\x3f\xf1\x99\x99\x99\x99\x99\x9a");
	expect(weir_builder_string(b, "", 0), "\xa0");
	expect(weir_builder_string(b, NULL, 0), "\xa0");
	expect(weir_builder_string(b, "hello", 5), "\xa5hello");
	expect(weir_builder_string(b, "a\0b", 3), "\xa3" "a\0b");
	expect(weir_builder_binary(b, "", 0), "\xc4\x00");
	expect(weir_builder_binary(b, NULL, 0), "\xc4\x00");
	expect(weir_builder_binary(b, "\xff\x00", 2), "\xc4\x02\xff\x00");
}
END_TEST

START_TEST(integers_have_their_shortest_form)
{
	expect(weir_builder_int(b, 0), "\x00");
	expect(weir_builder_int(b, 127), "\x7f");
	expect(weir_builder_int(b, 128), "\xcc\x80");
	expect(weir_builder_int(b, 255), "\xcc\xff");
	expect(weir_builder_int(b, 256), "\xcd\x01\x00");
	expect(weir_builder_int(b, 65535), "\xcd\xff\xff");
	expect(weir_builder_int(b, 65536), "\xce\x00\x01\x00\x00");
	expect(weir_builder_int(b, UINT32_MAX), "\xce\xff\xff\xff\xff");
	expect(weir_builder_int(b, INT64_C(1) << 32), "\xcf\x00\x00\x00\x01\x00\x00\x00\x00");
	expect(weir_builder_int(b, INT64_MAX), "\xcf\x7f\xff\xff\xff\xff\xff\xff\xff");
	expect(weir_builder_int(b, -1), "\xff");
	expect(weir_builder_int(b, -32), "\xe0");
	expect(weir_builder_int(b, -33), "\xd0\xdf");
	expect(weir_builder_int(b, -128), "\xd0\x80");
	expect(weir_builder_int(b, -129), "\xd1\xff\x7f");
	expect(weir_builder_int(b, -32768), "\xd1\x80\x00");
	expect(weir_builder_int(b, -32769), "\xd2\xff\xff\x7f\xff");
	expect(weir_builder_int(b, INT32_MIN), "\xd2\x80\x00\x00\x00");
	expect(weir_builder_int(b, INT64_C(-1) - INT32_MAX - 1),
	       "\xd3\xff\xff\xff\xff\x7f\xff\xff\xff");
	expect(weir_builder_int(b, INT64_MIN), "\xd3\x80\x00\x00\x00\x00\x00\x00\x00");
	expect(weir_builder_uint(b, 0), "\x00");
	expect(weir_builder_uint(b, UINT64_MAX), "\xcf\xff\xff\xff\xff\xff\xff\xff\xff");
}
END_TEST

START_TEST(extensions_have_their_shortest_form)
{
	struct timespec time = { .tv_sec = 1, .tv_nsec = 0 };

	expect(weir_builder_ext(b, 5, "a", 1), "\xd4\x05" "a");
	expect(weir_builder_ext(b, -128, "ab", 2), "\xd5\x80" "ab");
	expect(weir_builder_ext(b, 127, "abc", 3), "\xc7\x03\x7f" "abc");
	expect(weir_builder_ext(b, 0, NULL, 0), "\xc7\x00\x00");
	expect(weir_builder_time(b, &time), "\xd6\xff\x00\x00\x00\x01");
	time.tv_nsec = 1;
	expect(weir_builder_time(b, &time), "\xd7\xff\x00\x00\x00\x04\x00\x00\x00\x01");
	time.tv_sec = -1;
	expect(weir_builder_time(b, &time),
	       "\xc7\x0c\xff\x00\x00\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff");
}
END_TEST

/* Around each length at which the head becomes longer. */
START_TEST(lengths_have_their_shortest_head)
{
	static const struct {
		size_t size, string_head, binary_head;
	} lengths[] = {
		{ 31, 1, 2 }, { 32, 2, 2 }, { 255, 2, 2 }, { 256, 3, 3 }, { 65535, 3, 3 },
		{ 65536, 5, 5 },
	};
	char *text = malloc(65536);
	const void *data;
	size_t size;

	memset(text, 'x', 65536);
	for (size_t i = 0; i < ARRAY_LENGTH(lengths); i++) {
		ck_assert_int_eq(weir_builder_string(b, text, lengths[i].size), 0);
		ck_assert_int_eq(weir_builder_data(b, &data, &size), 0);
		ck_assert_uint_eq(size, lengths[i].size + lengths[i].string_head);
		weir_builder_reset(b);
		ck_assert_int_eq(weir_builder_binary(b, text, lengths[i].size), 0);
		ck_assert_int_eq(weir_builder_data(b, &data, &size), 0);
		ck_assert_uint_eq(size, lengths[i].size + lengths[i].binary_head);
		weir_builder_reset(b);
	}
	free(text);
}
END_TEST

/*
 * Arrays and maps
 */

static int make_list(size_t said, size_t count, bool map)
{
	int result = map ? weir_builder_map(b, said) : weir_builder_array(b, said);

	for (size_t i = 0; i < count * (map ? 2 : 1); i++)
		weir_builder_uint(b, i & 0x7f);
	return result < 0 ? result : weir_builder_end(b);
}

/* Said or not, the bytes are the same. */
START_TEST(count_need_not_be_said)
{
	static const size_t counts[] = { 0, 1, 15, 16, 17, 65535, 65536, 70000 };
	size_t count = counts[_i % ARRAY_LENGTH(counts)], size;
	bool map = _i >= (int)ARRAY_LENGTH(counts);
	const uint8_t *bytes;
	const void *data;
	size_t wrong = 0;
	uint8_t *said;

	ck_assert_int_eq(make_list(count, count, map), 0);
	ck_assert_int_eq(weir_builder_data(b, &data, &size), 0);
	said = malloc(size);
	memcpy(said, data, size);
	weir_builder_reset(b);
	ck_assert_int_eq(make_list(WEIR_BUILDER_OPEN, count, map), 0);
	expect_made(said, size);
	bytes = said + (count > 65535 ? 5 : count > 15 ? 3 : 1);
	ck_assert_uint_eq(size, (size_t)(bytes - said) + count * (map ? 2 : 1));
	for (size_t i = 0; i < count * (map ? 2 : 1); i++)
		wrong |= bytes[i] ^ (i & 0x7f);
	ck_assert_uint_eq(wrong, 0);
	free(said);
}
END_TEST

START_TEST(open_ones_inside_each_other_are_moved_into_place)
{
	/* Sixteen elements at two levels, and strings around them to see that all is in place. */
	weir_builder_array(b, WEIR_BUILDER_OPEN);
	weir_builder_string(b, "in front", 8);
	weir_builder_map(b, WEIR_BUILDER_OPEN);
	for (int i = 0; i < 16; i++) {
		weir_builder_int(b, i);
		weir_builder_array(b, i % 2 ? 1 : WEIR_BUILDER_OPEN);
		weir_builder_int(b, -i);
		weir_builder_end(b);
	}
	weir_builder_end(b);
	for (int i = 0; i < 14; i++)
		weir_builder_nil(b);
	ck_assert_int_eq(weir_builder_end(b), 0);
	expect_made("\xdc\x00\x10\xa8in front\xde\x00\x10"
		    "\x00\x91\x00\x01\x91\xff\x02\x91\xfe\x03\x91\xfd\x04\x91\xfc\x05\x91\xfb"
		    "\x06\x91\xfa\x07\x91\xf9\x08\x91\xf8\x09\x91\xf7\x0a\x91\xf6\x0b\x91\xf5"
		    "\x0c\x91\xf4\x0d\x91\xf3\x0e\x91\xf2\x0f\x91\xf1"
		    "\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xc0",
		    12 + 3 + 48 + 14);
}
END_TEST

START_TEST(nesting_has_a_limit)
{
	struct weir_object *object;

	for (int i = 0; i < WEIR_OBJECT_DEPTH; i++)
		ck_assert_int_eq(weir_builder_array(b, WEIR_BUILDER_OPEN), 0);
	ck_assert_int_eq(weir_builder_nil(b), 0);
	for (int i = 0; i < WEIR_OBJECT_DEPTH; i++)
		ck_assert_int_eq(weir_builder_end(b), 0);
	/* What can be built can be read. */
	ck_assert_int_eq(weir_builder_build(b, &object), 0);
	weir_builder_reset(b);
	for (int i = 0; i < WEIR_OBJECT_DEPTH; i++)
		ck_assert_int_eq(weir_builder_map(b, 1), 0);
	expect_error(weir_builder_map(b, 0), -EINVAL);
	/* Objects inside of others, too. */
	ck_assert_int_eq(weir_builder_object(b, object), 0);
	weir_builder_reset(b);
	weir_builder_array(b, 1);
	expect_error(weir_builder_object(b, object), -EINVAL);
	weir_builder_array(b, 1);
	ck_assert_int_eq(weir_builder_object(b, weir_object_at(object, 0)), 0);
	ck_assert_int_eq(weir_builder_end(b), 0);
	weir_object_free(object);
}
END_TEST

START_TEST(object_is_copied_with_all_that_is_in_it)
{
	static const char bytes[] = "\x97\xc0\xc3\xca\x3f\x80\x00\x00\xa0\xc4\x01z\xd4\x05q"
				    "\x82\xa1k\xff\x01\xcf\xff\xff\xff\xff\xff\xff\xff\xff";
	struct weir_object *object;

	ck_assert_int_eq(weir_object_decode(bytes, sizeof(bytes) - 1, &object), 0);
	ck_assert_int_eq(weir_builder_object(b, object), 0);
	expect_made(bytes, sizeof(bytes) - 1);
	weir_object_free(object);
}
END_TEST

/*
 * Mistakes
 */

START_TEST(unbalanced_ones_are_einval)
{
	expect_error(weir_builder_end(b), -EINVAL);
	weir_builder_array(b, WEIR_BUILDER_OPEN);
	weir_builder_end(b);
	expect_error(weir_builder_end(b), -EINVAL);
	weir_builder_map(b, WEIR_BUILDER_OPEN);
	weir_builder_int(b, 1);
	expect_error(weir_builder_end(b), -EINVAL);
	/* One value is all that there is outside. */
	weir_builder_int(b, 1);
	expect_error(weir_builder_int(b, 2), -EINVAL);
	weir_builder_int(b, 1);
	expect_error(weir_builder_array(b, 0), -EINVAL);
}
END_TEST

START_TEST(count_that_is_not_kept_is_einval)
{
	weir_builder_array(b, 2);
	weir_builder_nil(b);
	expect_error(weir_builder_end(b), -EINVAL);
	weir_builder_array(b, 1);
	weir_builder_nil(b);
	expect_error(weir_builder_nil(b), -EINVAL);
	weir_builder_map(b, 1);
	weir_builder_nil(b);
	expect_error(weir_builder_end(b), -EINVAL);
	weir_builder_map(b, 1);
	weir_builder_nil(b);
	weir_builder_nil(b);
	expect_error(weir_builder_string(b, "a", 1), -EINVAL);
}
END_TEST

START_TEST(unfinished_object_cannot_be_had_yet)
{
	struct weir_object *object;
	const void *data;
	size_t size;

	ck_assert_int_eq(weir_builder_data(b, &data, &size), -EINVAL);
	ck_assert_int_eq(weir_builder_build(b, &object), -EINVAL);
	weir_builder_array(b, WEIR_BUILDER_OPEN);
	ck_assert_int_eq(weir_builder_data(b, &data, &size), -EINVAL);
	ck_assert_int_eq(weir_builder_send(b, NULL, 0, 0), -EINVAL);
	/* That has spoilt nothing. */
	ck_assert_int_eq(weir_builder_nil(b), 0);
	ck_assert_int_eq(weir_builder_end(b), 0);
	expect_made("\x91\xc0", 2);
}
END_TEST

START_TEST(what_no_one_could_read_is_refused)
{
	struct timespec time = { .tv_nsec = 1000000000 };

	expect_error(weir_builder_string(b, "\xff", 1), -EILSEQ);
	expect_error(weir_builder_string(b, "caf\xc3", 4), -EILSEQ);
	expect_error(weir_builder_string(b, "x", (size_t)1 << 32), -EMSGSIZE);
	expect_error(weir_builder_binary(b, "x", (size_t)1 << 32), -EMSGSIZE);
	expect_error(weir_builder_ext(b, 1, "x", (size_t)1 << 32), -EMSGSIZE);
	expect_error(weir_builder_array(b, (size_t)1 << 32), -EMSGSIZE);
	expect_error(weir_builder_map(b, (size_t)1 << 32), -EMSGSIZE);
	expect_error(weir_builder_ext(b, 128, "x", 1), -ERANGE);
	expect_error(weir_builder_ext(b, -129, "x", 1), -ERANGE);
	expect_error(weir_builder_time(b, &time), -ERANGE);
	time.tv_nsec = -1;
	expect_error(weir_builder_time(b, &time), -ERANGE);
	expect_error(weir_builder_string(b, NULL, 1), -EINVAL);
	expect_error(weir_builder_binary(b, NULL, 1), -EINVAL);
	expect_error(weir_builder_ext(b, 1, NULL, 1), -EINVAL);
	expect_error(weir_builder_time(b, NULL), -EINVAL);
	expect_error(weir_builder_object(b, NULL), -EINVAL);
}
END_TEST

START_TEST(no_builder_is_einval)
{
	const void *data;
	size_t size;

	ck_assert_int_eq(weir_builder_new(NULL), -EINVAL);
	ck_assert_int_eq(weir_builder_reset(NULL), -EINVAL);
	ck_assert_int_eq(weir_builder_nil(NULL), -EINVAL);
	ck_assert_int_eq(weir_builder_bool(NULL, true), -EINVAL);
	ck_assert_int_eq(weir_builder_int(NULL, 1), -EINVAL);
	ck_assert_int_eq(weir_builder_uint(NULL, 1), -EINVAL);
	ck_assert_int_eq(weir_builder_double(NULL, 1), -EINVAL);
	ck_assert_int_eq(weir_builder_string(NULL, "", 0), -EINVAL);
	ck_assert_int_eq(weir_builder_binary(NULL, "", 0), -EINVAL);
	ck_assert_int_eq(weir_builder_ext(NULL, 1, "", 0), -EINVAL);
	ck_assert_int_eq(weir_builder_time(NULL, &(struct timespec){ 0 }), -EINVAL);
	ck_assert_int_eq(weir_builder_object(NULL, NULL), -EINVAL);
	ck_assert_int_eq(weir_builder_array(NULL, 0), -EINVAL);
	ck_assert_int_eq(weir_builder_map(NULL, 0), -EINVAL);
	ck_assert_int_eq(weir_builder_end(NULL), -EINVAL);
	ck_assert_int_eq(weir_builder_pack(NULL, "i", 1), -EINVAL);
	ck_assert_int_eq(weir_builder_data(NULL, &data, &size), -EINVAL);
	ck_assert_int_eq(weir_builder_data(b, NULL, &size), -EINVAL);
	ck_assert_int_eq(weir_builder_data(b, &data, NULL), -EINVAL);
	ck_assert_int_eq(weir_builder_build(NULL, NULL), -EINVAL);
	weir_builder_nil(b);
	ck_assert_int_eq(weir_builder_build(b, NULL), -EINVAL);
	ck_assert_int_eq(weir_builder_send(NULL, NULL, 0, 0), -EINVAL);
	weir_builder_free(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("builder");
	TCase *values = tcase_create("values");
	TCase *containers = tcase_create("containers");
	TCase *errors = tcase_create("errors");

	tcase_add_checked_fixture(values, setup, teardown);
	suite_add_tcase(suite, values);
	tcase_add_test(values, values_have_their_shortest_form);
	tcase_add_test(values, integers_have_their_shortest_form);
	tcase_add_test(values, extensions_have_their_shortest_form);
	tcase_add_test(values, lengths_have_their_shortest_head);

	tcase_add_checked_fixture(containers, setup, teardown);
	suite_add_tcase(suite, containers);
	tcase_add_loop_test(containers, count_need_not_be_said, 0, 16);
	tcase_add_test(containers, open_ones_inside_each_other_are_moved_into_place);
	tcase_add_test(containers, nesting_has_a_limit);
	tcase_add_test(containers, object_is_copied_with_all_that_is_in_it);

	tcase_add_checked_fixture(errors, setup, teardown);
	suite_add_tcase(suite, errors);
	tcase_add_test(errors, unbalanced_ones_are_einval);
	tcase_add_test(errors, count_that_is_not_kept_is_einval);
	tcase_add_test(errors, unfinished_object_cannot_be_had_yet);
	tcase_add_test(errors, what_no_one_could_read_is_refused);
	tcase_add_test(errors, no_builder_is_einval);
	return test_main(suite);
}
