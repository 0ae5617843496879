/* SPDX-License-Identifier: MIT */
/* What can be read from an object: values at the limits of their types, elements, keys. */
#include "support.h"

#include <errno.h>
#include <float.h>
#include <string.h>

#include "weir.h"

static struct weir_object *object;

static void teardown(void)
{
	weir_object_free(object);
	object = NULL;
}

/* The object of a format, instead of the last one. */
#define have(...) \
	do { \
		teardown(); \
		ck_assert_int_eq(weir_object_pack(&object, __VA_ARGS__), 0); \
	} while (0)

/* The object of the bytes of a literal. */
#define have_bytes(literal) \
	do { \
		teardown(); \
		ck_assert_int_eq(weir_object_decode(literal, sizeof(literal) - 1, &object), 0); \
	} while (0)

/*
 * Numbers
 */

static void expect_int(int result, int64_t value)
{
	int64_t got = 4711;

	ck_assert_int_eq(weir_object_get_int(object, &got), result);
	ck_assert_int_eq(got, result < 0 ? 4711 : value);
}

static void expect_uint(int result, uint64_t value)
{
	uint64_t got = 4711;

	ck_assert_int_eq(weir_object_get_uint(object, &got), result);
	ck_assert_uint_eq(got, result < 0 ? 4711 : value);
}

static void expect_double(int result, double value)
{
	double got = 47.11;

	ck_assert_int_eq(weir_object_get_double(object, &got), result);
	ck_assert(got == (result < 0 ? 47.11 : value));
}

START_TEST(integers_have_64_bits_with_or_without_a_sign)
{
	have("q", INT64_MIN);
	ck_assert_int_eq(weir_object_type(object), WEIR_OBJECT_INT);
	expect_int(0, INT64_MIN);
	expect_uint(-ERANGE, 0);
	have("q", INT64_C(-1));
	expect_int(0, -1);
	expect_uint(-ERANGE, 0);
	have("q", INT64_C(0));
	expect_int(0, 0);
	expect_uint(0, 0);
	have("q", INT64_MAX);
	expect_int(0, INT64_MAX);
	expect_uint(0, INT64_MAX);
	have("Q", (uint64_t)INT64_MAX + 1);
	ck_assert_int_eq(weir_object_type(object), WEIR_OBJECT_INT);
	expect_int(-ERANGE, 0);
	expect_uint(0, (uint64_t)INT64_MAX + 1);
	have("Q", UINT64_MAX);
	expect_int(-ERANGE, 0);
	expect_uint(0, UINT64_MAX);
	/* A sign that is not needed. */
	have_bytes("\xd3\x00\x00\x00\x00\x00\x00\x00\x05");
	expect_int(0, 5);
	expect_uint(0, 5);
}
END_TEST

START_TEST(doubles_keep_every_bit)
{
	static const double values[] = { 0.0, -1.5, DBL_MAX, -DBL_MAX, DBL_MIN, 4.9e-324, 0.1,
					 __builtin_inf() };
	double got;

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		have("d", values[i]);
		ck_assert_int_eq(weir_object_type(object), WEIR_OBJECT_DOUBLE);
		expect_double(0, values[i]);
		expect_int(-EPROTO, 0);
		expect_uint(-EPROTO, 0);
	}
	have("d", __builtin_nan(""));
	ck_assert_int_eq(weir_object_get_double(object, &got), 0);
	ck_assert(got != got);
	have("d", -0.0);
	ck_assert_int_eq(weir_object_get_double(object, &got), 0);
	ck_assert(got == 0 && __builtin_signbit(got));
}
END_TEST

START_TEST(integer_is_a_double_if_that_can_hold_it)
{
	have("q", INT64_C(-3));
	expect_double(0, -3.0);
	have("q", INT64_C(0));
	expect_double(0, 0.0);
	have("q", INT64_C(1) << 53);
	expect_double(0, 9007199254740992.0);
	have("q", (INT64_C(1) << 53) + 1);
	expect_double(-ERANGE, 0);
	have("q", -(INT64_C(1) << 53) - 1);
	expect_double(-ERANGE, 0);
	have("q", INT64_MIN);
	expect_double(0, -9223372036854775808.0);
	have("Q", UINT64_C(1) << 63);
	expect_double(0, 9223372036854775808.0);
	have("Q", UINT64_MAX);
	expect_double(-ERANGE, 0);
}
END_TEST

START_TEST(float_is_read_as_double)
{
	have_bytes("\xca\x3e\xaa\xaa\xab");
	expect_double(0, (double)(1.0f / 3));
}
END_TEST

/*
 * Bytes
 */

START_TEST(strings_are_counted_and_end_with_a_nul)
{
	const char *text;
	size_t size;

	have("[s s S s]", "one", "", "a\0b", (size_t)3, "\xc3\xa9");
	ck_assert_int_eq(weir_object_get_string(weir_object_at(object, 0), &text, &size), 0);
	ck_assert_uint_eq(size, 3);
	ck_assert_str_eq(text, "one");
	ck_assert_int_eq(weir_object_get_string(weir_object_at(object, 1), &text, &size), 0);
	ck_assert_uint_eq(size, 0);
	ck_assert_str_eq(text, "");
	ck_assert_int_eq(weir_object_get_string(weir_object_at(object, 2), &text, &size), 0);
	ck_assert_uint_eq(size, 3);
	ck_assert_mem_eq(text, "a\0b", 4);
	/* The size need not be asked for. */
	ck_assert_int_eq(weir_object_get_string(weir_object_at(object, 3), &text, NULL), 0);
	ck_assert_str_eq(text, "\xc3\xa9");
}
END_TEST

START_TEST(string_that_is_not_utf8_is_received_as_it_is)
{
	const char *text;
	size_t size;

	have_bytes("\xa3\xff\xfe" "a");
	ck_assert_int_eq(weir_object_get_string(object, &text, &size), 0);
	ck_assert_uint_eq(size, 3);
	ck_assert_mem_eq(text, "\xff\xfe" "a", 4);
}
END_TEST

START_TEST(binary_is_no_string)
{
	const void *data;
	const char *text;
	size_t size;

	have("y", "\0\xff\x01", (size_t)3);
	ck_assert_int_eq(weir_object_type(object), WEIR_OBJECT_BINARY);
	ck_assert_int_eq(weir_object_get_string(object, &text, NULL), -EPROTO);
	ck_assert_int_eq(weir_object_get_binary(object, &data, &size), 0);
	ck_assert_uint_eq(size, 3);
	ck_assert_mem_eq(data, "\0\xff\x01", 4);
	ck_assert_int_eq(weir_object_get_binary(object, &data, NULL), 0);
	have("s", "text");
	ck_assert_int_eq(weir_object_get_binary(object, &data, &size), -EPROTO);
}
END_TEST

START_TEST(extension_has_a_number_and_bytes)
{
	const void *data = NULL;
	size_t size = 4711;
	int number;

	have_bytes("\xc7\x03\x85" "abc");
	ck_assert_int_eq(weir_object_type(object), WEIR_OBJECT_EXT);
	ck_assert_int_eq(weir_object_get_ext(object, &number, &data, &size), 0);
	ck_assert_int_eq(number, -123);
	ck_assert_uint_eq(size, 3);
	ck_assert_mem_eq(data, "abc", 4);
	ck_assert_int_eq(weir_object_get_ext(object, &number, NULL, NULL), 0);
	have("n");
	ck_assert_int_eq(weir_object_get_ext(object, &number, NULL, NULL), -EPROTO);
}
END_TEST

START_TEST(timestamps_have_three_sizes)
{
	static const struct {
		int64_t seconds;
		int64_t nanoseconds;
		size_t size;
	} times[] = {
		{ 0, 0, 4 }, { UINT32_MAX, 0, 4 }, { 1, 999999999, 8 },
		{ (INT64_C(1) << 34) - 1, 5, 8 }, { INT64_C(1) << 34, 0, 12 },
		{ -1, 1, 12 }, { INT64_MIN, 0, 12 }, { INT64_MAX, 999999999, 12 },
	};

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct timespec time = { .tv_sec = times[i].seconds,
					 .tv_nsec = times[i].nanoseconds };
		struct timespec got = { 0 };
		int number;
		size_t size;

		have("t", &time);
		ck_assert_int_eq(weir_object_get_ext(object, &number, NULL, &size), 0);
		ck_assert_int_eq(number, -1);
		ck_assert_uint_eq(size, times[i].size);
		ck_assert_int_eq(weir_object_get_time(object, &got), 0);
		ck_assert_int_eq(got.tv_sec, time.tv_sec);
		ck_assert_int_eq(got.tv_nsec, time.tv_nsec);
	}
}
END_TEST

START_TEST(other_extensions_are_no_timestamps)
{
	struct timespec time;

	have_bytes("\xd6\x01" "abcd");
	ck_assert_int_eq(weir_object_get_time(object, &time), -EPROTO);
	have_bytes("\xd5\xff" "ab");
	ck_assert_int_eq(weir_object_get_time(object, &time), -EPROTO);
	/* 2^30 - 1 nanoseconds. */
	have_bytes("\xd7\xff\xff\xff\xff\xfc\x00\x00\x00\x00");
	ck_assert_int_eq(weir_object_get_time(object, &time), -ERANGE);
	have("n");
	ck_assert_int_eq(weir_object_get_time(object, &time), -EPROTO);
}
END_TEST

/*
 * Arrays and maps
 */

START_TEST(elements_have_an_index)
{
	int64_t value;

	have("[i i i]", 5, 6, 7);
	ck_assert_int_eq(weir_object_type(object), WEIR_OBJECT_ARRAY);
	ck_assert_uint_eq(weir_object_count(object), 3);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(weir_object_get_int(weir_object_at(object, (size_t)i), &value), 0);
		ck_assert_int_eq(value, 5 + i);
	}
	ck_assert_ptr_null(weir_object_at(object, 3));
	ck_assert_ptr_null(weir_object_at(object, SIZE_MAX));
	ck_assert_ptr_null(weir_object_key(object, 0));
	ck_assert_ptr_null(weir_object_get(object, "a"));
	have("[]");
	ck_assert_uint_eq(weir_object_count(object), 0);
	ck_assert_ptr_null(weir_object_at(object, 0));
}
END_TEST

START_TEST(values_have_a_key)
{
	const char *key;
	int64_t value;

	have("{a: i, 'b c': i, '': i}", 1, 2, 3);
	ck_assert_int_eq(weir_object_type(object), WEIR_OBJECT_MAP);
	ck_assert_uint_eq(weir_object_count(object), 3);
	ck_assert_int_eq(weir_object_get_int(weir_object_get(object, "b c"), &value), 0);
	ck_assert_int_eq(value, 2);
	ck_assert_int_eq(weir_object_get_int(weir_object_get(object, ""), &value), 0);
	ck_assert_int_eq(value, 3);
	ck_assert_int_eq(weir_object_get_string(weir_object_key(object, 0), &key, NULL), 0);
	ck_assert_str_eq(key, "a");
	ck_assert_int_eq(weir_object_get_int(weir_object_at(object, 0), &value), 0);
	ck_assert_int_eq(value, 1);
	ck_assert_ptr_null(weir_object_key(object, 3));
	ck_assert_ptr_null(weir_object_at(object, 3));
	ck_assert_ptr_null(weir_object_get(object, "b"));
	ck_assert_ptr_null(weir_object_get(object, "b c d"));
	ck_assert_ptr_null(weir_object_get(object, NULL));
}
END_TEST

START_TEST(of_equal_keys_the_last_counts)
{
	int64_t value;

	have_bytes("\x83\xa1" "a\x01\xa1" "a\x02\xc4\x01" "a\x03");
	ck_assert_int_eq(weir_object_get_int(weir_object_get(object, "a"), &value), 0);
	ck_assert_int_eq(value, 2);
}
END_TEST

START_TEST(keys_may_be_of_any_type)
{
	const struct weir_object *key;
	int64_t value;

	have_bytes("\x83\x07\x01\xc0\x02\x91\xc3\x03");
	key = weir_object_key(object, 0);
	ck_assert_int_eq(weir_object_get_int(key, &value), 0);
	ck_assert_int_eq(value, 7);
	ck_assert_int_eq(weir_object_type(weir_object_key(object, 1)), WEIR_OBJECT_NIL);
	ck_assert_int_eq(weir_object_type(weir_object_key(object, 2)), WEIR_OBJECT_ARRAY);
	ck_assert_int_eq(weir_object_get_int(weir_object_at(object, 2), &value), 0);
	ck_assert_int_eq(value, 3);
	ck_assert_ptr_null(weir_object_get(object, "7"));
}
END_TEST

START_TEST(a_chain_is_checked_at_its_end)
{
	const struct weir_object *users;
	const char *name;

	have("{users: [{name: s} {name: s}]}", "ann", "bob");
	users = weir_object_get(object, "users");
	ck_assert_int_eq(weir_object_get_string(weir_object_get(weir_object_at(users, 1), "name"),
						&name, NULL), 0);
	ck_assert_str_eq(name, "bob");
	users = weir_object_get(object, "others");
	ck_assert_int_eq(weir_object_get_string(weir_object_get(weir_object_at(users, 1), "name"),
						&name, NULL), -ENOENT);
}
END_TEST

START_TEST(what_is_not_there_is_enoent)
{
	struct timespec time;
	const void *data;
	const char *text;
	uint64_t number;
	double real;
	int64_t value;
	bool truth;
	int ext;

	ck_assert_int_eq(weir_object_type(NULL), -ENOENT);
	ck_assert_int_eq(weir_object_get_bool(NULL, &truth), -ENOENT);
	ck_assert_int_eq(weir_object_get_int(NULL, &value), -ENOENT);
	ck_assert_int_eq(weir_object_get_uint(NULL, &number), -ENOENT);
	ck_assert_int_eq(weir_object_get_double(NULL, &real), -ENOENT);
	ck_assert_int_eq(weir_object_get_string(NULL, &text, NULL), -ENOENT);
	ck_assert_int_eq(weir_object_get_binary(NULL, &data, NULL), -ENOENT);
	ck_assert_int_eq(weir_object_get_ext(NULL, &ext, NULL, NULL), -ENOENT);
	ck_assert_int_eq(weir_object_get_time(NULL, &time), -ENOENT);
	ck_assert_uint_eq(weir_object_count(NULL), 0);
	ck_assert_ptr_null(weir_object_at(NULL, 0));
	ck_assert_ptr_null(weir_object_key(NULL, 0));
	ck_assert_ptr_null(weir_object_get(NULL, "a"));
}
END_TEST

START_TEST(nowhere_to_store_is_einval)
{
	have("i", 1);
	ck_assert_int_eq(weir_object_get_bool(object, NULL), -EINVAL);
	ck_assert_int_eq(weir_object_get_int(object, NULL), -EINVAL);
	ck_assert_int_eq(weir_object_get_uint(object, NULL), -EINVAL);
	ck_assert_int_eq(weir_object_get_double(object, NULL), -EINVAL);
	ck_assert_int_eq(weir_object_get_string(object, NULL, NULL), -EINVAL);
	ck_assert_int_eq(weir_object_get_binary(object, NULL, NULL), -EINVAL);
	ck_assert_int_eq(weir_object_get_ext(object, NULL, NULL, NULL), -EINVAL);
	ck_assert_int_eq(weir_object_get_time(object, NULL), -EINVAL);
}
END_TEST

START_TEST(bools_are_no_numbers)
{
	bool truth = false;

	have("?", 7);
	ck_assert_int_eq(weir_object_type(object), WEIR_OBJECT_BOOL);
	ck_assert_int_eq(weir_object_get_bool(object, &truth), 0);
	ck_assert(truth);
	expect_int(-EPROTO, 0);
	expect_double(-EPROTO, 0);
	have("i", 1);
	ck_assert_int_eq(weir_object_get_bool(object, &truth), -EPROTO);
	have("n");
	ck_assert_int_eq(weir_object_type(object), WEIR_OBJECT_NIL);
	ck_assert_int_eq(weir_object_get_bool(object, &truth), -EPROTO);
}
END_TEST

static TCase *add(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, NULL, teardown);
	suite_add_tcase(suite, tcase);
	return tcase;
}

int main(void)
{
	Suite *suite = suite_create("object");
	TCase *numbers = add(suite, "numbers");
	TCase *bytes = add(suite, "bytes");
	TCase *containers = add(suite, "containers");
	TCase *errors = add(suite, "errors");

	tcase_add_test(numbers, integers_have_64_bits_with_or_without_a_sign);
	tcase_add_test(numbers, doubles_keep_every_bit);
	tcase_add_test(numbers, integer_is_a_double_if_that_can_hold_it);
	tcase_add_test(numbers, float_is_read_as_double);
	tcase_add_test(numbers, bools_are_no_numbers);

	tcase_add_test(bytes, strings_are_counted_and_end_with_a_nul);
	tcase_add_test(bytes, string_that_is_not_utf8_is_received_as_it_is);
	tcase_add_test(bytes, binary_is_no_string);
	tcase_add_test(bytes, extension_has_a_number_and_bytes);
	tcase_add_test(bytes, timestamps_have_three_sizes);
	tcase_add_test(bytes, other_extensions_are_no_timestamps);

	tcase_add_test(containers, elements_have_an_index);
	tcase_add_test(containers, values_have_a_key);
	tcase_add_test(containers, of_equal_keys_the_last_counts);
	tcase_add_test(containers, keys_may_be_of_any_type);
	tcase_add_test(containers, a_chain_is_checked_at_its_end);

	tcase_add_test(errors, what_is_not_there_is_enoent);
	tcase_add_test(errors, nowhere_to_store_is_einval);
	return test_main(suite);
}
