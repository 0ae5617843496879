/* SPDX-License-Identifier: MIT */
/* Bytes become objects: the vectors of MessagePack's specification, and all that is not one. */
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/cc.h"
#include "obj/object.h"
#include "weir.h"

/* Bytes in a literal, without its NUL. */
#define BYTES(literal)	literal, sizeof(literal) - 1

/* A copy with nothing behind it, so that a look too far is seen by sanitizers and valgrind. */
static int decode(const void *bytes, size_t size, struct weir_object **ret_object)
{
	void *copy = malloc(size ? size : 1);
	int result;

	memcpy(copy, bytes, size);
	result = weir_object_decode(copy, size, ret_object);
	free(copy);
	return result;
}

/*
 * Each form of each type: what it is as text says value and type.
 */

static const struct vector {
	const char *bytes;
	size_t size;
	const char *text;
} vectors[] = {
	{ BYTES("\xc0"), "None" },
	{ BYTES("\xc2"), "False" },
	{ BYTES("\xc3"), "True" },
	{ BYTES("\x00"), "0" },
	{ BYTES("\x7f"), "127" },
	{ BYTES("\xff"), "-1" },
	{ BYTES("\xe0"), "-32" },
	{ BYTES("\xcc\x80"), "128" },
	{ BYTES("\xcc\x00"), "0" },
	{ BYTES("\xcd\x01\x00"), "256" },
	{ BYTES("\xce\xff\xff\xff\xff"), "4294967295" },
	{ BYTES("\xcf\x00\x00\x00\x01\x00\x00\x00\x00"), "4294967296" },
	{ BYTES("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), "18446744073709551615" },
	{ BYTES("\xd0\xdf"), "-33" },
	{ BYTES("\xd0\x05"), "5" },
	{ BYTES("\xd1\x80\x00"), "-32768" },
	{ BYTES("\xd2\x80\x00\x00\x00"), "-2147483648" },
	{ BYTES("\xd3\x80\x00\x00\x00\x00\x00\x00\x00"), "-9223372036854775808" },
	{ BYTES("\xd3\x7f\xff\xff\xff\xff\xff\xff\xff"), "9223372036854775807" },
	{ BYTES("\xca\x3f\x80\x00\x00"), "1.0" },
	{ BYTES("\xca\xc0\x20\x00\x00"), "-2.5" },
	{ BYTES("\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a"), "0.1" },
	{ BYTES("\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00"), "inf" },
	{ BYTES("\xca\xff\x80\x00\x00"), "-inf" },
	{ BYTES("\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"), "nan" },
	{ BYTES("\xa0"), "''" },
	{ BYTES("\xa5hello"), "'hello'" },
	{ BYTES("\xbf" "0123456789012345678901234567890"), "'0123456789012345678901234567890'" },
	{ BYTES("\xd9\x00"), "''" },
	{ BYTES("\xd9\x02hi"), "'hi'" },
	{ BYTES("\xda\x00\x02hi"), "'hi'" },
	{ BYTES("\xdb\x00\x00\x00\x02hi"), "'hi'" },
	{ BYTES("\xdb\x00\x00\x00\x00"), "''" },
	{ BYTES("\xc4\x00"), "b''" },
	{ BYTES("\xc4\x02\x00z"), "b'\\x00z'" },
	{ BYTES("\xc5\x00\x01z"), "b'z'" },
	{ BYTES("\xc6\x00\x00\x00\x01z"), "b'z'" },
	{ BYTES("\xd4\x05" "a"), "ext(5, b'a')" },
	{ BYTES("\xd5\x7f" "ab"), "ext(127, b'ab')" },
	{ BYTES("\xd6\xff" "abcd"), "ext(-1, b'abcd')" },
	{ BYTES("\xd7\x80" "abcdefgh"), "ext(-128, b'abcdefgh')" },
	{ BYTES("\xd8\x00" "abcdefghabcdefgh"), "ext(0, b'abcdefghabcdefgh')" },
	{ BYTES("\xc7\x00\x07"), "ext(7, b'')" },
	{ BYTES("\xc7\x03\x07" "abc"), "ext(7, b'abc')" },
	{ BYTES("\xc8\x00\x03\x07" "abc"), "ext(7, b'abc')" },
	{ BYTES("\xc9\x00\x00\x00\x03\x07" "abc"), "ext(7, b'abc')" },
	{ BYTES("\x90"), "[]" },
	{ BYTES("\x93\x2a\xc0\xa5hello"), "[42, None, 'hello']" },
	{ BYTES("\xdc\x00\x00"), "[]" },
	{ BYTES("\xdc\x00\x02\x01\x02"), "[1, 2]" },
	{ BYTES("\xdd\x00\x00\x00\x00"), "[]" },
	{ BYTES("\xdd\x00\x00\x00\x02\x01\x02"), "[1, 2]" },
	{ BYTES("\x80"), "{}" },
	{ BYTES("\x82\xa7" "compact\xc3\xa6schema\x00"), "{'compact': True, 'schema': 0}" },
	{ BYTES("\xde\x00\x01\x01\x02"), "{1: 2}" },
	{ BYTES("\xdf\x00\x00\x00\x01\xa0\x90"), "{'': []}" },
	{ BYTES("\x81\x81\xc0\x90\x81\x01\xc2"), "{{None: []}: {1: False}}" },
	{ BYTES("\x92\xa0\xa1x"), "['', 'x']" },
	{ BYTES("\x94\x90\x80\x90\x01"), "[[], {}, [], 1]" },
};

static void is_understood(const struct vector *v)
{
	struct weir_object *object;
	char text[200];

	ck_assert_msg(decode(v->bytes, v->size, &object) == 0, "%s", v->text);
	ck_assert_int_eq(weir_object_text(object, text, sizeof(text), WEIR_OBJECT_PYTHON, NULL), 0);
	ck_assert_str_eq(text, v->text);
	weir_object_free(object);
}

static void is_eproto_when_cut(const struct vector *v)
{
	struct weir_object *const nothing = (void *)&vectors, *object = nothing;

	for (size_t size = 0; size < v->size; size++) {
		ck_assert_msg(decode(v->bytes, size, &object) == -EPROTO, "%zu bytes of %s", size,
			      v->text);
		ck_assert_ptr_eq(object, nothing);
	}
}

static void is_eproto_with_more(const struct vector *v)
{
	struct weir_object *object;
	char longer[64];

	memcpy(longer, v->bytes, v->size);
	longer[v->size] = '\xc0';
	ck_assert_msg(decode(longer, v->size + 1, &object) == -EPROTO, "%s", v->text);
}

static void with_each(const struct vector *list, size_t count, void (*test)(const struct vector *))
{
	for (size_t i = 0; i < count; i++)
		test(&list[i]);
}

START_TEST(each_form_of_each_type_is_understood)
{
	with_each(vectors, ARRAY_LENGTH(vectors), is_understood);
}
END_TEST

START_TEST(each_form_cut_short_anywhere_is_eproto)
{
	with_each(vectors, ARRAY_LENGTH(vectors), is_eproto_when_cut);
}
END_TEST

START_TEST(each_form_with_a_byte_more_is_eproto)
{
	with_each(vectors, ARRAY_LENGTH(vectors), is_eproto_with_more);
}
END_TEST

/*
 * What is no object
 */

static const struct vector hostile[] = {
	{ BYTES(""), "nothing at all" },
	{ BYTES("\xc1"), "the byte that is never used" },
	{ BYTES("\x92\xc0\xc1"), "the same inside" },
	{ BYTES("\xdd\xff\xff\xff\xff"), "2^32 - 1 elements" },
	{ BYTES("\xdd\x10\x00\x00\x00"), "2^28 elements, six gigabytes of them" },
	{ BYTES("\xdd\x10\x00\x00\x00\xc0\xc0\xc0\xc0"), "the same, and some are there" },
	{ BYTES("\xdf\xff\xff\xff\xff"), "2^32 - 1 pairs" },
	{ BYTES("\xdf\x80\x00\x00\x00"), "2^31 pairs: 0 values in 32 bits" },
	{ BYTES("\xde\xff\xff\xc0\xc0"), "65535 pairs" },
	{ BYTES("\xdb\xff\xff\xff\xff" "a"), "a string of 2^32 - 1 bytes" },
	{ BYTES("\xc6\xff\xff\xff\xff" "a"), "binary of 2^32 - 1 bytes" },
	{ BYTES("\xc9\xff\xff\xff\xff\x01" "a"), "an extension of 2^32 bytes with its type" },
	{ BYTES("\x82\x01\x02\x03"), "a key without a value" },
	{ BYTES("\x9f\x9f\x9f\x9f\x9f\x9f\x9f\x9f"), "arrays in arrays, and nothing in them" },
};

static void is_eproto(const struct vector *v)
{
	struct weir_object *object;

	for (int i = 0; i < 100; i++)
		ck_assert_msg(decode(v->bytes, v->size, &object) == -EPROTO, "%s", v->text);
}

START_TEST(what_is_no_object_is_eproto)
{
	with_each(hostile, ARRAY_LENGTH(hostile), is_eproto);
}
END_TEST

/* An address space in which what msgpack-c would allocate for the head alone does not fit. */
START_TEST(promised_elements_are_not_allocated)
{
	struct rlimit old, limit;

#if WEIR_TSAN || defined(__SANITIZE_ADDRESS__)
	return;
#endif
	ck_assert_int_eq(getrlimit(RLIMIT_AS, &old), 0);
	limit = (struct rlimit){ .rlim_cur = (rlim_t)1 << 30, .rlim_max = old.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
	with_each(hostile, ARRAY_LENGTH(hostile), is_eproto);
	setrlimit(RLIMIT_AS, &old);
}
END_TEST

/*
 * Depth
 */

/* @depth heads, each of one value, around the value @last. */
static size_t nest(char *bytes, size_t depth, bool maps, char last)
{
	size_t size = 0;

	for (size_t i = 0; i < depth; i++) {
		bytes[size++] = maps ? '\x81' : '\x91';
		if (maps)
			bytes[size++] = '\x01';
	}
	bytes[size++] = last;
	return size;
}

START_TEST(nesting_has_a_limit)
{
	struct weir_object *object;
	char bytes[200];
	size_t size;

	for (int maps = 0; maps <= 1; maps++) {
		for (size_t depth = 0; depth <= WEIR_OBJECT_DEPTH; depth++) {
			size = nest(bytes, depth, maps, '\x05');
			ck_assert_int_eq(decode(bytes, size, &object), 0);
			weir_object_free(object);
		}
		size = nest(bytes, WEIR_OBJECT_DEPTH + 1, maps, '\x05');
		ck_assert_int_eq(decode(bytes, size, &object), -EPROTO);
		/* One that is empty counts as well. */
		size = nest(bytes, WEIR_OBJECT_DEPTH - 1, maps, '\x90');
		ck_assert_int_eq(decode(bytes, size, &object), 0);
		weir_object_free(object);
		size = nest(bytes, WEIR_OBJECT_DEPTH, maps, '\x90');
		ck_assert_int_eq(decode(bytes, size, &object), -EPROTO);
	}
}
END_TEST

START_TEST(a_million_heads_are_refused_at_once)
{
	size_t size = 1000000;
	char *bytes = malloc(size);
	struct weir_object *object;

	memset(bytes, '\x91', size);
	ck_assert_int_eq(decode(bytes, size, &object), -EPROTO);
	memset(bytes, '\x81', size);
	ck_assert_int_eq(decode(bytes, size, &object), -EPROTO);
	free(bytes);
}
END_TEST

/*
 * Any bytes
 */

START_TEST(random_bytes_are_an_object_or_eproto)
{
	/* Heads and small counts more often than chance has it. */
	static const uint8_t likely_bytes[] = {
		0x90, 0x91, 0x92, 0x93, 0x81, 0x82, 0xa1, 0xa2, 0xc4, 0xc7, 0xd4, 0xd9, 0xdc, 0xde,
		0x00, 0x01, 0x02, 0xc0, 0xcc, 0xcd, 0xca,
	};
	uint64_t whole = 0;

	for (int round = 0; round < 60000; round++) {
		size_t size = test_random_below(24), values = 0;
		struct weir_object *object;
		uint8_t bytes[24];
		int result;

		for (size_t i = 0; i < size; i++)
			bytes[i] = test_random_below(4)
					   ? likely_bytes[test_random_below(sizeof(likely_bytes))]
					   : (uint8_t)test_random();
		result = decode(bytes, size, &object);
		ck_assert_int_eq(result, object_measure(bytes, size, &values));
		if (result == 0) {
			ck_assert_uint_lt(values, size);
			weir_object_free(object);
			whole++;
		} else {
			ck_assert_int_eq(result, -EPROTO);
		}
	}
	ck_assert_uint_gt(whole, 600);
}
END_TEST

START_TEST(wrong_arguments_are_einval)
{
	struct weir_object *object;
	size_t values;

	ck_assert_int_eq(weir_object_decode("\xc0", 1, NULL), -EINVAL);
	ck_assert_int_eq(weir_object_decode(NULL, 1, &object), -EINVAL);
	ck_assert_int_eq(weir_object_decode(NULL, 0, &object), -EPROTO);
	ck_assert_int_eq(weir_object_decode("", SIZE_MAX - 8, &object), -ENOMEM);
	ck_assert_int_eq(object_measure("\xdc\x00\x03\x93\x01\x02\x03\x81\xc0\xc0\x05", 11,
					&values), 0);
	ck_assert_uint_eq(values, 3 + 3 + 2);
	weir_object_free(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("object-decode");
	TCase *forms = tcase_create("forms");
	TCase *limits = tcase_create("limits");

	suite_add_tcase(suite, forms);
	tcase_add_test(forms, each_form_of_each_type_is_understood);
	tcase_add_test(forms, each_form_cut_short_anywhere_is_eproto);
	tcase_add_test(forms, each_form_with_a_byte_more_is_eproto);

	suite_add_tcase(suite, limits);
	tcase_add_test(limits, what_is_no_object_is_eproto);
	tcase_add_test(limits, promised_elements_are_not_allocated);
	tcase_add_test(limits, nesting_has_a_limit);
	tcase_add_test(limits, a_million_heads_are_refused_at_once);
	tcase_add_test(limits, random_bytes_are_an_object_or_eproto);
	tcase_add_test(limits, wrong_arguments_are_einval);
	return test_main(suite);
}
