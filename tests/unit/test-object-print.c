/* SPDX-License-Identifier: MIT */
/* Objects as text, in JSON's words and in Python's, to buffers of any size and to files. */
#include "support.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "base/cc.h"
#include "weir.h"

static const struct sample {
	const char *bytes;
	size_t size;
	const char *json;
	const char *python;
} samples[] = {
#define S(literal, ...)	{ literal, sizeof(literal) - 1, __VA_ARGS__ }
	S("\x93\x2a\xc0\xa5hello", "[42, null, \"hello\"]", "[42, None, 'hello']"),
	S("\x92\xc3\xc2", "[true, false]", "[True, False]"),
	S("\x82\xa1" "a\x80\xa1" "b\x90", "{\"a\": {}, \"b\": []}", "{'a': {}, 'b': []}"),
	S("\x82\x01\x02\xc0\x91\x03", "{1: 2, null: [3]}", "{1: 2, None: [3]}"),
	/* Quotes, and what cannot stand in them. */
	S("\xa0", "\"\"", "''"),
	S("\xa2it", "\"it\"", "'it'"),
	S("\xa4it's", "\"it's\"", "\"it's\""),
	S("\xa4" "a\"'b", "\"a\\\"'b\"", "'a\"\\'b'"),
	S("\xa3" "a\"b", "\"a\\\"b\"", "'a\"b'"),
	S("\xa7\n\r\t\\\0\x1f\x7f", "\"\\n\\r\\t\\\\\\u0000\\u001f\\u007f\"",
	  "'\\n\\r\\t\\\\\\x00\\x1f\\x7f'"),
	/* UTF-8 of two, three and four bytes, and bytes that only look like it. */
	S("\xa9\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
	  "'\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80'"),
	S("\xa4" "a\xff\xc3z", "\"a\\xff\\xc3z\"", "'a\\xff\\xc3z'"),
	S("\xa3\xed\xa0\x80", "\"\\xed\\xa0\\x80\"", "'\\xed\\xa0\\x80'"),
	/* No text at all. */
	S("\xc4\x04\0a\xc3\xa9", "b\"\\x00a\\xc3\\xa9\"", "b'\\x00a\\xc3\\xa9'"),
	S("\xd4\xfe'", "ext(-2, b\"'\")", "ext(-2, b\"'\")"),
	/* Doubles are seen to be some. */
	S("\xca\x40\x00\x00\x00", "2.0", "2.0"),
	S("\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a", "0.1", "0.1"),
	S("\xcb\x3f\xd5\x55\x55\x55\x55\x55\x55", "0.3333333333333333", "0.3333333333333333"),
	S("\xcb\x54\xb2\x49\xad\x25\x94\xc3\x7d", "1e+100", "1e+100"),
	S("\xcb\xc3\x40\x00\x00\x00\x00\x00\x01", "-9007199254740994.0", "-9007199254740994.0"),
	S("\xcb\x80\x00\x00\x00\x00\x00\x00\x00", "-0.0", "-0.0"),
	S("\xcb\x00\x00\x00\x00\x00\x00\x00\x01", "4.94065645841247e-324", "4.94065645841247e-324"),
	S("\xca\x7f\x80\x00\x00", "Infinity", "inf"),
	S("\xca\xff\x80\x00\x00", "-Infinity", "-inf"),
	S("\xcb\xff\xf8\x00\x00\x00\x00\x00\x01", "NaN", "nan"),
};

static struct weir_object *object;

static void setup_sample(const struct sample *s)
{
	ck_assert_int_eq(weir_object_decode(s->bytes, s->size, &object), 0);
}

static void teardown(void)
{
	weir_object_free(object);
	object = NULL;
}

static void expect(uint32_t flags, const char *wanted)
{
	char text[100];
	size_t size = 4711;

	ck_assert_int_eq(weir_object_text(object, text, sizeof(text), flags, &size), 0);
	ck_assert_str_eq(text, wanted);
	ck_assert_uint_eq(size, strlen(wanted));
}

START_TEST(each_type_has_its_words)
{
	setup_sample(&samples[_i]);
	expect(0, samples[_i].json);
	expect(WEIR_OBJECT_PYTHON, samples[_i].python);
}
END_TEST

START_TEST(buffer_of_any_size_is_filled_as_far_as_it_goes)
{
	const char *wanted = samples[_i].json;
	size_t whole = strlen(wanted), size;
	char text[100];

	setup_sample(&samples[_i]);
	for (size_t room = 0; room < whole + 3; room++) {
		memset(text, 0x55, sizeof(text));
		ck_assert_int_eq(weir_object_text(object, text, room, 0, &size),
				 room > whole ? 0 : -EMSGSIZE);
		ck_assert_uint_eq(size, whole);
		if (room > 0) {
			size_t fits = room - 1 < whole ? room - 1 : whole;

			ck_assert_mem_eq(text, wanted, fits);
			ck_assert_int_eq(text[fits], '\0');
		}
		for (size_t i = room; i < sizeof(text); i++)
			ck_assert_int_eq(text[i], 0x55);
	}
	ck_assert_int_eq(weir_object_text(object, NULL, 0, 0, &size), -EMSGSIZE);
	ck_assert_uint_eq(size, whole);
}
END_TEST

START_TEST(file_gets_the_same)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	setup_sample(&samples[_i]);
	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(weir_object_print(object, file, 0), 0);
	fclose(file);
	ck_assert_str_eq(text, samples[_i].json);
	free(text);
}
END_TEST

START_TEST(file_that_takes_no_more_is_eio)
{
	FILE *file = fopen("/dev/full", "w");

	setup_sample(&samples[0]);
	if (!file)
		return;
	setvbuf(file, NULL, _IONBF, 0);
	ck_assert_int_eq(weir_object_print(object, file, 0), -EIO);
	fclose(file);
}
END_TEST

/* Where this machine has one in which numbers have a comma. */
START_TEST(locale_makes_no_difference)
{
	static const char *const locales[] = { "de_DE.UTF-8", "fr_FR.UTF-8", "de_DE" };

	for (size_t i = 0; i < ARRAY_LENGTH(locales); i++)
		if (setlocale(LC_ALL, locales[i]))
			break;
	ck_assert_int_eq(weir_object_pack(&object, "[d d d d]", 0.5, 1.5e300, 2.0, 1e300), 0);
	expect(0, "[0.5, 1.5e+300, 2.0, 1e+300]");
	setlocale(LC_ALL, "C");
}
END_TEST

START_TEST(deep_ones_are_printed)
{
	char bytes[WEIR_OBJECT_DEPTH + 1], text[2 * WEIR_OBJECT_DEPTH + 2];

	memset(bytes, '\x91', sizeof(bytes));
	bytes[WEIR_OBJECT_DEPTH] = '\x07';
	ck_assert_int_eq(weir_object_decode(bytes, sizeof(bytes), &object), 0);
	ck_assert_int_eq(weir_object_text(object, text, sizeof(text), 0, NULL), 0);
	ck_assert_int_eq(text[WEIR_OBJECT_DEPTH - 1], '[');
	ck_assert_int_eq(text[WEIR_OBJECT_DEPTH], '7');
	ck_assert_int_eq(text[WEIR_OBJECT_DEPTH + 1], ']');
}
END_TEST

START_TEST(wrong_arguments_are_errors)
{
	size_t size = 4711;
	char text[20];

	setup_sample(&samples[0]);
	ck_assert_int_eq(weir_object_text(object, NULL, 1, 0, &size), -EINVAL);
	ck_assert_int_eq(weir_object_text(object, text, 20, 2, &size), -EINVAL);
	ck_assert_int_eq(weir_object_text(NULL, text, 20, 0, &size), -ENOENT);
	ck_assert_uint_eq(size, 4711);
	ck_assert_int_eq(weir_object_text(object, text, 20, 0, NULL), 0);
	ck_assert_int_eq(weir_object_print(object, NULL, 0), -EINVAL);
	ck_assert_int_eq(weir_object_print(object, stderr, 2), -EINVAL);
	ck_assert_int_eq(weir_object_print(NULL, stderr, 0), -ENOENT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("object-print");
	TCase *tcase = tcase_create("text");

	tcase_add_checked_fixture(tcase, NULL, teardown);
	suite_add_tcase(suite, tcase);
	tcase_add_loop_test(tcase, each_type_has_its_words, 0, ARRAY_LENGTH(samples));
	tcase_add_loop_test(tcase, buffer_of_any_size_is_filled_as_far_as_it_goes, 0,
			    ARRAY_LENGTH(samples));
	tcase_add_loop_test(tcase, file_gets_the_same, 0, ARRAY_LENGTH(samples));
	tcase_add_test(tcase, file_that_takes_no_more_is_eio);
	tcase_add_test(tcase, locale_makes_no_difference);
	tcase_add_test(tcase, deep_ones_are_printed);
	tcase_add_test(tcase, wrong_arguments_are_errors);
	return test_main(suite);
}
