/* SPDX-License-Identifier: MIT */
/* Message contents: what is written is what is read, and nothing else is. */
#include <string.h>

#include "bench/pattern.h"
#include "support.h"

#define MAX_SIZE 5000
#define GUARD 64
#define TOUCHES 4

static unsigned char buffer[MAX_SIZE + 2 * GUARD];

static const size_t sizes[] = { 8,  9,	 15,  16,  17,	 24,   31,   32,   40,	 48,  56,   63,
				64, 65,	 68,  71,  72,	 96,   100,  127,  128,	 129, 136,  191,
				192, 200, 255, 256, 300, 1000, 1024, 4095, 4096, 5000 };

static uint64_t word(uint64_t header, size_t i)
{
	return i ? header * PATTERN_MULT + i : header;
}

/* The bytes that a message of the full pattern has. */
static unsigned char expected(uint64_t header, size_t at)
{
	return (unsigned char)(word(header, at / 8) >> (8 * (at % 8)));
}

static bool is_touched(const struct pattern_shape *s, size_t at)
{
	size_t w = at / 8;

	if (s->touch == PATTERN_NONE)
		return w == 0;
	return s->touch != PATTERN_LINES || w % 8 == 0;
}

static void check_bytes(const struct pattern_shape *s, const unsigned char *msg, uint64_t header)
{
	size_t i;

	for (i = 0; i < s->size; i++)
		ck_assert_uint_eq(msg[i], is_touched(s, i) ? expected(header, i) : 0xee);
	for (i = 0; i < GUARD; i++)
		ck_assert_uint_eq(msg[s->size + i], 0xee);
}

/* Write, look and read, at an offset from a cache line. */
static void round_trip(size_t size, enum pattern_touch touch, size_t offset)
{
	uint64_t header = pattern_header(3, 0x123456789abULL), got = 0, sum;
	struct pattern_shape s;

	ck_assert_int_eq(pattern_shape_init(&s, size, touch), 0);
	memset(buffer, 0xee, sizeof(buffer));
	sum = pattern_write(&s, buffer + offset, header);
	check_bytes(&s, buffer + offset, header);
	ck_assert_uint_eq(sum, pattern_sum(&s, header));
	ck_assert_uint_eq(pattern_read(&s, buffer + offset, &got), sum);
	ck_assert_uint_eq(got, header);
}

START_TEST(what_is_written_is_read)
{
	size_t i, offset;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (offset = 0; offset < 16; offset += 5)
			round_trip(sizes[i], (enum pattern_touch)_i, offset);
}
END_TEST

/* Change each byte in turn: the sum notices exactly those that are touched. */
START_TEST(a_changed_byte_changes_the_sum)
{
	static const size_t some[] = { 8, 12, 64, 68, 77, 200, 1031 };
	uint64_t header = pattern_header(1, 42), got;
	struct pattern_shape s;
	size_t i, at;

	for (i = 0; i < sizeof(some) / sizeof(some[0]); i++) {
		pattern_shape_init(&s, some[i], (enum pattern_touch)_i);
		memset(buffer, 0xee, sizeof(buffer));
		pattern_write(&s, buffer, header);
		for (at = 8; at < some[i]; at++) {
			buffer[at] ^= 0x10;
			ck_assert_int_eq(pattern_read(&s, buffer, &got) != pattern_sum(&s, header),
					 is_touched(&s, at));
			buffer[at] ^= 0x10;
		}
	}
}
END_TEST

START_TEST(half_of_another_message_changes_the_sum)
{
	struct pattern_shape s;
	uint64_t got;
	int cut;

	pattern_shape_init(&s, 256, PATTERN_FULL);
	for (cut = 8; cut < 256; cut += 8) {
		pattern_write(&s, buffer, pattern_header(0, 7));
		pattern_write(&s, buffer + 1024, pattern_header(0, 8));
		memcpy(buffer + cut, buffer + 1024 + cut, 256 - (size_t)cut);
		ck_assert_uint_ne(pattern_read(&s, buffer, &got), pattern_sum(&s, got));
	}
}
END_TEST

START_TEST(sizes_below_a_header_are_refused)
{
	struct pattern_shape s;
	size_t size;

	for (size = 0; size < 8; size++)
		ck_assert_int_lt(pattern_shape_init(&s, size, PATTERN_FULL), 0);
}
END_TEST

START_TEST(names_and_headers_go_both_ways)
{
	uint64_t h = pattern_header(65535, PATTERN_SEQ_MASK);
	int t;

	for (t = 0; t < TOUCHES; t++)
		ck_assert_int_eq(pattern_touch_parse(pattern_touch_name((enum pattern_touch)t)), t);
	ck_assert_int_lt(pattern_touch_parse("fully"), 0);
	ck_assert_uint_eq(pattern_producer(h), 65535);
	ck_assert_uint_eq(pattern_seq(h), PATTERN_SEQ_MASK);
	ck_assert_uint_eq(pattern_producer(pattern_header(2, UINT64_MAX)), 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bench-pattern");
	TCase *tc = tcase_create("contents");

	tcase_add_loop_test(tc, what_is_written_is_read, 0, TOUCHES);
	tcase_add_loop_test(tc, a_changed_byte_changes_the_sum, 0, TOUCHES);
	tcase_add_test(tc, half_of_another_message_changes_the_sum);
	tcase_add_test(tc, sizes_below_a_header_are_refused);
	tcase_add_test(tc, names_and_headers_go_both_ways);
	suite_add_tcase(suite, tc);
	return test_main(suite);
}
