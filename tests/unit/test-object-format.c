/* SPDX-License-Identifier: MIT */
/* Arguments to objects and back, as formats say; all that does not match, and where. */
#include "support.h"

#include <errno.h>
#include <float.h>
#include <limits.h>
#include <string.h>

#include "base/cc.h"
#include "weir.h"

static struct weir_object *object;

static void teardown(void)
{
	weir_object_free(object);
	object = NULL;
}

#define have(...) \
	do { \
		teardown(); \
		ck_assert_int_eq(weir_object_pack(&object, __VA_ARGS__), 0); \
	} while (0)

#define have_bytes(literal) \
	do { \
		teardown(); \
		ck_assert_int_eq(weir_object_decode(literal, sizeof(literal) - 1, &object), 0); \
	} while (0)

#define is_text(text) \
	do { \
		char text_[300]; \
		ck_assert_int_eq(weir_object_text(object, text_, sizeof(text_), 0, NULL), 0); \
		ck_assert_str_eq(text_, text); \
	} while (0)

/*
 * To pack
 */

START_TEST(each_item_takes_its_arguments)
{
	struct timespec time = { .tv_sec = 1 };
	struct weir_object *inner;

	ck_assert_int_eq(weir_object_pack(&inner, "{x: i}", 1), 0);
	have("[n ? b B h H i I q Q f d s z z S c c y t o]", 1, SCHAR_MIN, UCHAR_MAX, SHRT_MIN,
	     USHRT_MAX, INT_MIN, UINT_MAX, INT64_MIN, UINT64_MAX, 0.5f, 0.25, "text", "or nil",
	     (char *)NULL, "counted", (size_t)5, "array\0xxxxx", (size_t)10, "arr", (size_t)2,
	     "\0\1", (size_t)2, &time, inner);
	is_text("[null, true, -128, 255, -32768, 65535, -2147483648, 4294967295, "
		"-9223372036854775808, 18446744073709551615, 0.5, 0.25, \"text\", \"or nil\", "
		"null, \"count\", \"array\", \"ar\", b\"\\x00\\x01\", "
		"ext(-1, b\"\\x00\\x00\\x00\\x01\"), {\"x\": 1}]");
	weir_object_free(inner);
}
END_TEST

START_TEST(blanks_and_commas_count_for_nothing)
{
	have("[ini[]{}]", 1, 2);
	is_text("[1, null, 2, [], {}]");
	have(" ,[i,n\n\ti ,[ ] {, }] ,", 1, 2);
	is_text("[1, null, 2, [], {}]");
	have("{a:i,b : [i,i]c:{}}", 1, 2, 3);
	is_text("{\"a\": 1, \"b\": [2, 3], \"c\": {}}");
	have("{'':n 'a b, c: }':i _x9.y/z-:i}", 1, 2);
	is_text("{\"\": null, \"a b, c: }\": 1, \"_x9.y/z-\": 2}");
}
END_TEST

START_TEST(more_than_fifteen_items_are_counted)
{
	have("[i i i i i i i i i i i i i i i i i]", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
	     15, 16, 17);
	ck_assert_uint_eq(weir_object_count(object), 17);
	is_text("[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]");
}
END_TEST

START_TEST(what_is_no_format_makes_nothing)
{
	static const char *const formats[] = {
		"", " ", "[", "]", "{", "}", "[i", "[i}", "{a:i", "{a:i]", "{a:}", "{a i}", "{i}",
		"{'a: i}", "{'a' i}", "{:i}", "x", "[*]", "*", "[i ...]", "[i | i]", "{a:i | b:i}",
		"i i", "[] []", "{a:i} i", "...", "|", ":", "[i]]", "p", "'a'",
	};
	struct weir_object *const nothing = (void *)formats, *got = nothing;

	for (size_t i = 0; i < ARRAY_LENGTH(formats); i++) {
		ck_assert_msg(weir_object_pack(&got, formats[i], 1, 2, 3) == -EINVAL, "%s",
			      formats[i]);
		ck_assert_ptr_eq(got, nothing);
	}
	ck_assert_int_eq(weir_object_pack(&got, NULL), -EINVAL);
	ck_assert_int_eq(weir_object_pack(NULL, "n"), -EINVAL);
}
END_TEST

START_TEST(argument_that_cannot_be_packed_is_an_error)
{
	struct timespec time = { .tv_nsec = -1 };

	ck_assert_int_eq(weir_object_pack(&object, "b", 128), -ERANGE);
	ck_assert_int_eq(weir_object_pack(&object, "b", -129), -ERANGE);
	ck_assert_int_eq(weir_object_pack(&object, "B", 256), -ERANGE);
	ck_assert_int_eq(weir_object_pack(&object, "B", -1), -ERANGE);
	ck_assert_int_eq(weir_object_pack(&object, "h", 32768), -ERANGE);
	ck_assert_int_eq(weir_object_pack(&object, "h", -32769), -ERANGE);
	ck_assert_int_eq(weir_object_pack(&object, "H", 65536), -ERANGE);
	ck_assert_int_eq(weir_object_pack(&object, "H", -1), -ERANGE);
	ck_assert_int_eq(weir_object_pack(&object, "s", (char *)NULL), -EINVAL);
	ck_assert_int_eq(weir_object_pack(&object, "S", (char *)NULL, (size_t)1), -EINVAL);
	ck_assert_int_eq(weir_object_pack(&object, "c", (char *)NULL, (size_t)1), -EINVAL);
	ck_assert_int_eq(weir_object_pack(&object, "y", (char *)NULL, (size_t)1), -EINVAL);
	ck_assert_int_eq(weir_object_pack(&object, "y", "", (size_t)1 << 32), -EMSGSIZE);
	ck_assert_int_eq(weir_object_pack(&object, "t", (struct timespec *)NULL), -EINVAL);
	ck_assert_int_eq(weir_object_pack(&object, "t", &time), -ERANGE);
	ck_assert_int_eq(weir_object_pack(&object, "o", (struct weir_object *)NULL), -EINVAL);
	ck_assert_int_eq(weir_object_pack(&object, "s", "\xc0\x80"), -EILSEQ);
	ck_assert_int_eq(weir_object_pack(&object, "{'\xff': i}", 1), -EILSEQ);
	ck_assert_ptr_null(object);
}
END_TEST

static size_t nested_format(char *format, int depth)
{
	size_t size = 0;

	for (int i = 0; i < depth; i++)
		format[size++] = '[';
	for (int i = 0; i < depth; i++)
		format[size++] = ']';
	format[size] = '\0';
	return size;
}

START_TEST(nesting_has_a_limit)
{
	char format[100];

	nested_format(format, WEIR_OBJECT_DEPTH);
	have(format);
	ck_assert_int_eq(weir_object_unpack(object, format), 0);
	nested_format(format, WEIR_OBJECT_DEPTH + 1);
	ck_assert_int_eq(weir_object_unpack(object, format), -EINVAL);
	ck_assert_int_eq(weir_object_match(NULL, format, NULL), -EINVAL);
	teardown();
	ck_assert_int_eq(weir_object_pack(&object, format), -EINVAL);
}
END_TEST

START_TEST(builder_takes_many_values_at_a_time)
{
	struct weir_builder *b;

	ck_assert_int_eq(weir_builder_new(&b), 0);
	weir_builder_map(b, WEIR_BUILDER_OPEN);
	ck_assert_int_eq(weir_builder_pack(b, "s i s [n n]", "a", 1, "b"), 0);
	ck_assert_int_eq(weir_builder_pack(b, ""), 0);
	ck_assert_int_eq(weir_builder_pack(b, "s ?", "c", 0), 0);
	weir_builder_end(b);
	ck_assert_int_eq(weir_builder_build(b, &object), 0);
	is_text("{\"a\": 1, \"b\": [null, null], \"c\": false}");
	/* What a format has not begun it does not end, and the other way round. */
	weir_builder_reset(b);
	weir_builder_array(b, WEIR_BUILDER_OPEN);
	ck_assert_int_eq(weir_builder_pack(b, "]"), -EINVAL);
	ck_assert_int_eq(weir_builder_end(b), -EINVAL);
	weir_builder_reset(b);
	ck_assert_int_eq(weir_builder_pack(b, "[i", 1), -EINVAL);
	ck_assert_int_eq(weir_builder_end(b), -EINVAL);
	weir_builder_free(b);
}
END_TEST

/*
 * To unpack
 */

/* What the items of numbers are stored in, with more behind it that must stay as it is. */
struct numbers {
	int8_t b, after_b;
	uint8_t B, after_B;
	int16_t h, after_h;
	uint16_t H, after_H;
	int i, after_i;
	unsigned int I, after_I;
	int64_t q;
	uint64_t Q;
	float f, after_f;
	double d;
};

START_TEST(each_item_of_a_number_stores_as_many_bytes_as_it_has)
{
	struct numbers v;

	memset(&v, 0x55, sizeof(v));
	have("[b B h H i I q Q f d]", SCHAR_MIN, UCHAR_MAX, SHRT_MIN, USHRT_MAX, INT_MIN, UINT_MAX,
	     INT64_MIN, UINT64_MAX, 0.5, 0.1);
	ck_assert_int_eq(weir_object_unpack(object, "[b B h H i I q Q f d]", &v.b, &v.B, &v.h, &v.H,
					    &v.i, &v.I, &v.q, &v.Q, &v.f, &v.d), 0);
	ck_assert(v.b == SCHAR_MIN && v.B == UCHAR_MAX && v.h == SHRT_MIN && v.H == USHRT_MAX);
	ck_assert(v.i == INT_MIN && v.I == UINT_MAX && v.q == INT64_MIN && v.Q == UINT64_MAX);
	ck_assert(v.f == 0.5f && v.d == 0.1);
	ck_assert(v.after_b == 0x55 && v.after_B == 0x55 && v.after_h == 0x5555);
	ck_assert(v.after_H == 0x5555 && v.after_i == 0x55555555 && v.after_I == 0x55555555);
}
END_TEST

START_TEST(each_other_item_stores_what_it_should)
{
	const char *s, *z1, *z2 = "old", *S;
	struct timespec time = { .tv_sec = 77, .tv_nsec = 5 }, t;
	const struct weir_object *o;
	size_t S_size, y_size;
	char c[6] = "oldol";
	const void *y;
	bool truth;

	have("[n ? s z z S s y t [i] i i]", 1, "text", "or nil", (char *)NULL, "a\0b", (size_t)3,
	     "12345", "\0\1", (size_t)2, &time, 7, 8, 9);
	ck_assert_int_eq(weir_object_unpack(object, "[n ? s z z S c y t o * *]", &truth, &s, &z1,
					    &z2, &S, &S_size, c, sizeof(c), &y, &y_size, &t, &o),
			 0);
	ck_assert(truth);
	ck_assert_str_eq(s, "text");
	ck_assert_str_eq(z1, "or nil");
	ck_assert_ptr_null(z2);
	ck_assert_uint_eq(S_size, 3);
	ck_assert_mem_eq(S, "a\0b", 4);
	ck_assert_str_eq(c, "12345");
	ck_assert_uint_eq(y_size, 2);
	ck_assert_mem_eq(y, "\0\1", 2);
	ck_assert(t.tv_sec == 77 && t.tv_nsec == 5);
	ck_assert_ptr_eq(o, weir_object_at(object, 9));
}
END_TEST

START_TEST(argument_of_null_is_checked_and_not_stored)
{
	int last = 0;

	have("[i ? d s S y t [] s i]", 1, 0, 0.5, "a", "b", (size_t)1, "c", (size_t)1,
	     &(struct timespec){ 0 }, "long", 5);
	ck_assert_int_eq(weir_object_unpack(object, "[i ? d s S y t o c i]", (int *)NULL,
					    (bool *)NULL, (double *)NULL, (char **)NULL,
					    (char **)NULL, (size_t *)NULL, (void **)NULL,
					    (size_t *)NULL, (struct timespec *)NULL, (void *)NULL,
					    (char *)NULL, (size_t)0, &last), 0);
	ck_assert_int_eq(last, 5);
	ck_assert_int_eq(weir_object_unpack(object, "[s ...]", (char **)NULL), -EPROTO);
}
END_TEST

START_TEST(maps_are_unpacked_by_key_in_any_order)
{
	int a = 0, c = 0, d = 0;
	const char *b;

	have("{a: i, b: s, 'the c': {d: i}, e: n}", 1, "two", 3);
	ck_assert_int_eq(weir_object_unpack(object, "{'the c': {d: i}, b: s, a: i}", &d, &b, &a),
			 0);
	ck_assert_int_eq(a, 1);
	ck_assert_str_eq(b, "two");
	ck_assert_int_eq(d, 3);
	ck_assert_int_eq(weir_object_unpack(object, "{}"), 0);
	/* A key may be asked for twice. */
	ck_assert_int_eq(weir_object_unpack(object, "{a: i, a: i}", &a, &c), 0);
	ck_assert_int_eq(c, 1);
}
END_TEST

START_TEST(what_follows_a_bar_need_not_be_there)
{
	const char *text = "default";
	int a = 0, b = 5, c = 6, last = 0;
	size_t size = 77;

	have("[[i] i]", 1, 9);
	/* The arguments of what is missing are stepped over, also of what has several. */
	ck_assert_int_eq(weir_object_unpack(object, "[[i | i S {x: i} [i i]] i]", &a, &b, &text,
					    &size, &c, &c, &c, &last), 0);
	ck_assert(a == 1 && b == 5 && c == 6 && size == 77 && last == 9);
	ck_assert_str_eq(text, "default");
	have("{x: {a: i, b: i}, y: i}", 1, 2, 3);
	ck_assert_int_eq(weir_object_unpack(object, "{x: {a: i | b: i, c: S, d: [i i]}, y: i}", &a,
					    &b, &text, &size, &c, &c, &last), 0);
	ck_assert(a == 1 && b == 2 && c == 6 && size == 77 && last == 3);
	/* But what is there must match. */
	ck_assert_int_eq(weir_object_unpack(object, "{| x: i}", &a), -EPROTO);
	have("[i s]", 1, "x");
	ck_assert_int_eq(weir_object_unpack(object, "[i | i]", &a, &b), -EPROTO);
	ck_assert_int_eq(weir_object_unpack(object, "[| i s i]", &a, &text, &b), 0);
}
END_TEST

START_TEST(dots_allow_for_more_elements)
{
	int a = 0;

	have("[i i i]", 1, 2, 3);
	ck_assert_int_eq(weir_object_unpack(object, "[i]", &a), -EPROTO);
	ck_assert_int_eq(weir_object_unpack(object, "[i ...]", &a), 0);
	ck_assert_int_eq(a, 1);
	ck_assert_int_eq(weir_object_unpack(object, "[...]"), 0);
	ck_assert_int_eq(weir_object_unpack(object, "[* * * ...]"), 0);
	ck_assert_int_eq(weir_object_unpack(object, "[* * * * ...]"), -ENOENT);
	ck_assert_int_eq(weir_object_unpack(object, "[* * * | * ...]"), 0);
}
END_TEST

/*
 * What does not match
 */

static const struct mismatch {
	const char *bytes;
	size_t size;
	const char *format;
	int result;
	size_t position;
} mismatches[] = {
#define M(literal, ...)	{ literal, sizeof(literal) - 1, __VA_ARGS__ }
	/* Another type. */
	M("\x05", "n", -EPROTO, 0),
	M("\xc0", "?", -EPROTO, 0),
	M("\x01", "?", -EPROTO, 0),
	M("\xc3", "i", -EPROTO, 0),
	M("\xa1" "5", "i", -EPROTO, 0),
	M("\xcb\x40\x00\x00\x00\x00\x00\x00\x00", "q", -EPROTO, 0),
	M("\xc0", "Q", -EPROTO, 0),
	M("\xc0", "d", -EPROTO, 0),
	M("\xa1" "5", "f", -EPROTO, 0),
	M("\xc4\x01" "5", "s", -EPROTO, 0),
	M("\xc0", "s", -EPROTO, 0),
	M("\x05", "z", -EPROTO, 0),
	M("\xc0", "S", -EPROTO, 0),
	M("\xc0", "c", -EPROTO, 0),
	M("\xa1" "5", "y", -EPROTO, 0),
	M("\xd4\x05" "5", "t", -EPROTO, 0),
	M("\xc0", "t", -EPROTO, 0),
	M("\xc0", "[]", -EPROTO, 0),
	M("\x80", "[]", -EPROTO, 0),
	M("\x90", "{}", -EPROTO, 0),
	M("\x90", "{a: i}", -EPROTO, 0),
	/* Numbers that do not fit. */
	M("\xcc\x80", "b", -ERANGE, 0),
	M("\xd1\xff\x7f", "b", -ERANGE, 0),
	M("\xcd\x01\x00", "B", -ERANGE, 0),
	M("\xff", "B", -ERANGE, 0),
	M("\xcd\x80\x00", "h", -ERANGE, 0),
	M("\xd2\xff\xff\x7f\xff", "h", -ERANGE, 0),
	M("\xce\x00\x01\x00\x00", "H", -ERANGE, 0),
	M("\xff", "H", -ERANGE, 0),
	M("\xce\x80\x00\x00\x00", "i", -ERANGE, 0),
	M("\xd3\xff\xff\xff\xff\x7f\xff\xff\xff", "i", -ERANGE, 0),
	M("\xcf\x00\x00\x00\x01\x00\x00\x00\x00", "I", -ERANGE, 0),
	M("\xff", "I", -ERANGE, 0),
	M("\xcf\x80\x00\x00\x00\x00\x00\x00\x00", "q", -ERANGE, 0),
	M("\xff", "Q", -ERANGE, 0),
	M("\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "d", -ERANGE, 0),
	M("\xcb\x7f\xe0\x00\x00\x00\x00\x00\x00", "f", -ERANGE, 0),
	/* Strings that would be cut. */
	M("\xa2" "a\0", "s", -EPROTO, 0),
	M("\xa2\0a", "z", -EPROTO, 0),
	M("\xa2\0a", "c", -EPROTO, 0),
	/* Where it is. */
	M("\x92\x01\x02", "[i s]", -EPROTO, 3),
	M("\x92\x01\xc0", " [ i,  s ]", -EPROTO, 7),
	M("\x92\x01\x92\x02\xc3", "[i[ii]]", -EPROTO, 4),
	M("\x92\x01\xc3", "[i [i]]", -EPROTO, 3),
	M("\x91\x01", "[i i]", -ENOENT, 3),
	M("\x90", "[i]", -ENOENT, 1),
	M("\x90", "[[i]]", -ENOENT, 1),
	M("\x90", "[*]", -ENOENT, 1),
	M("\x90", "[o]", -ENOENT, 1),
	M("\x90", "[n]", -ENOENT, 1),
	M("\x93\x01\x02\x03", "[i i]", -EPROTO, 4),
	M("\x93\x01\x02\x03", "[i | i]", -EPROTO, 6),
	M("\x91\x01", "[]", -EPROTO, 1),
	M("\x82\xa1" "a\x01\xa1" "b\xc0", "{a: i, b: i}", -EPROTO, 10),
	M("\x81\xa1" "a\x01", "{a: i, b: i}", -ENOENT, 7),
	M("\x81\xa1" "a\x01", "{a: i, 'b': i}", -ENOENT, 7),
	M("\x81\x01\x01", "{1: i}", -ENOENT, 1),
	M("\x81\xa1" "a\x81\xa1" "b\xc0", "{a: {b: i}}", -EPROTO, 8),
	M("\x81\xa1" "a\xc0", "{| a: i}", -EPROTO, 6),
};

START_TEST(mismatch_says_what_and_where)
{
	const struct mismatch *m = &mismatches[_i];
	uint64_t store[8], unchanged[8];
	size_t position = 4711;

	ck_assert_int_eq(weir_object_decode(m->bytes, m->size, &object), 0);
	memset(store, 0x77, sizeof(store));
	memcpy(unchanged, store, sizeof(store));
	ck_assert_msg(weir_object_unpack(object, m->format, &store[0], &store[1], &store[2],
					 &store[3]) == m->result, "%s", m->format);
	ck_assert_mem_eq(store, unchanged, sizeof(store));
	ck_assert_int_eq(weir_object_match(object, m->format, &position), m->result);
	ck_assert_msg(position == m->position, "%s: %zu", m->format, position);
	ck_assert_int_eq(weir_object_match(object, m->format, NULL), m->result);
}
END_TEST

START_TEST(nothing_is_stored_unless_all_matches)
{
	const char *text = "old";
	char copy[4] = "old";
	int a = 5;

	have("[i s s i]", 1, "text", "abc", 2);
	ck_assert_int_eq(weir_object_unpack(object, "[i s c s]", &a, &text, copy, sizeof(copy),
					    &text), -EPROTO);
	ck_assert_int_eq(weir_object_unpack(object, "[i s c i i]", &a, &text, copy, sizeof(copy),
					    &a, &a), -ENOENT);
	ck_assert_int_eq(weir_object_unpack(object, "[i s c i] i", &a, &text, copy, sizeof(copy),
					    &a, &a), -EINVAL);
	ck_assert_int_eq(a, 5);
	ck_assert_str_eq(text, "old");
	ck_assert_str_eq(copy, "old");
}
END_TEST

START_TEST(text_that_does_not_fit_is_emsgsize)
{
	char copy[6] = "old";

	have("s", "12345");
	ck_assert_int_eq(weir_object_unpack(object, "c", copy, (size_t)5), -EMSGSIZE);
	ck_assert_int_eq(weir_object_unpack(object, "c", copy, (size_t)0), -EMSGSIZE);
	ck_assert_str_eq(copy, "old");
	ck_assert_int_eq(weir_object_match(object, "c", NULL), 0);
	ck_assert_int_eq(weir_object_unpack(object, "c", copy, (size_t)6), 0);
	ck_assert_str_eq(copy, "12345");
}
END_TEST

START_TEST(what_is_no_format_is_einval_whatever_the_object)
{
	static const struct {
		const char *format;
		size_t position;
	} formats[] = {
		{ "", 0 }, { "x", 0 }, { "[", 1 }, { "[i", 2 }, { "[i}", 2 }, { "]", 0 },
		{ "{a}", 2 }, { "{a:", 3 }, { "{a:}", 3 }, { "{'a:i}", 1 }, { "[i ... i]", 7 },
		{ "[| i |]", 5 }, { "{| a:i |}", 7 }, { "{a:i ...}", 8 }, { "i i", 2 },
		{ "...", 0 }, { "|", 0 }, { "[i] ]", 4 }, { "[... ...]", 5 },
	};
	size_t position;
	uint64_t store;

	have("[i]", 1);
	for (size_t i = 0; i < ARRAY_LENGTH(formats); i++) {
		const char *format = formats[i].format;

		ck_assert_msg(weir_object_unpack(object, format, &store, &store, &store) == -EINVAL,
			      "%s", format);
		position = 4711;
		ck_assert_int_eq(weir_object_match(object, format, &position), -EINVAL);
		ck_assert_msg(position == formats[i].position, "%s: %zu", format, position);
		ck_assert_int_eq(weir_object_match(NULL, format, NULL), -EINVAL);
	}
	ck_assert_int_eq(weir_object_unpack(object, NULL), -EINVAL);
	ck_assert_int_eq(weir_object_match(object, NULL, &position), -EINVAL);
	ck_assert_int_eq(weir_object_unpack(NULL, "i", &store), -ENOENT);
	ck_assert_int_eq(weir_object_match(NULL, "[i | s ...]", &position), 0);
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
	Suite *suite = suite_create("object-format");
	TCase *pack = add(suite, "pack");
	TCase *unpack = add(suite, "unpack");
	TCase *mismatch = add(suite, "mismatch");

	tcase_add_test(pack, each_item_takes_its_arguments);
	tcase_add_test(pack, blanks_and_commas_count_for_nothing);
	tcase_add_test(pack, more_than_fifteen_items_are_counted);
	tcase_add_test(pack, what_is_no_format_makes_nothing);
	tcase_add_test(pack, argument_that_cannot_be_packed_is_an_error);
	tcase_add_test(pack, nesting_has_a_limit);
	tcase_add_test(pack, builder_takes_many_values_at_a_time);

	tcase_add_test(unpack, each_item_of_a_number_stores_as_many_bytes_as_it_has);
	tcase_add_test(unpack, each_other_item_stores_what_it_should);
	tcase_add_test(unpack, argument_of_null_is_checked_and_not_stored);
	tcase_add_test(unpack, maps_are_unpacked_by_key_in_any_order);
	tcase_add_test(unpack, what_follows_a_bar_need_not_be_there);
	tcase_add_test(unpack, dots_allow_for_more_elements);

	tcase_add_loop_test(mismatch, mismatch_says_what_and_where, 0, ARRAY_LENGTH(mismatches));
	tcase_add_test(mismatch, nothing_is_stored_unless_all_matches);
	tcase_add_test(mismatch, text_that_does_not_fit_is_emsgsize);
	tcase_add_test(mismatch, what_is_no_format_is_einval_whatever_the_object);
	return test_main(suite);
}
