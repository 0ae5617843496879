/* SPDX-License-Identifier: MIT */
/*
 * A peer that writes what it likes into what it shares with us: each word of the controls and the
 * headers in the rings set to each value that might matter, then all of it at full speed, holes in
 * the memory, and its descriptors drained and filled. tests/stress/test-scribble.c takes longer.
 */
#include "fault/lib/scribble.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pipe-tools.h"

#define LIVE_NS	INT64_C(250000000)
#define NAP_NS	INT64_C(200000)

static void call_all(struct honest *h, int64_t nap_ns, const char *what, uint64_t value)
{
	if (!honest_call_all(h, nap_ns))
		ck_abort_msg("%s = %#llx: %s", what, (unsigned long long)value, h->wrong);
}

/* A pipe amid its life: something in both rings, both sides of both ends owned. */
static void open_used(struct honest *h)
{
	honest_open(h);
	for (uint64_t i = 0; i < 5; i++)
		for (int e = 0; e < 2; e++)
			ck_assert_int_eq(send_number(h->ends[e], i, 0), 0);
	for (int e = 0; e < 2; e++)
		ck_assert_int_eq(recv_number(h->ends[e], 0), 0);
}

static uint64_t word_at(const uint8_t *at, size_t size)
{
	uint64_t word = 0;

	memcpy(&word, at, size);
	return word;
}

/* Set the word to @value, and let an owner, and one that becomes it, find it. */
static void try_word(size_t offset, size_t size, uint64_t value, const char *what)
{
	for (int first_use = 0; first_use < 2; first_use++) {
		struct honest h = { 0 };

		open_used(&h);
		if (first_use) {
			weir_pipe_handover(h.ends[0]);
			weir_pipe_handover(h.ends[1]);
		}
		memcpy((uint8_t *)h.ends[0]->core->segment.front + offset, &value, size);
		call_all(&h, NAP_NS, what, value);
		honest_close(&h);
	}
}

static void try_word_with_each_value(size_t offset, size_t size, const char *what)
{
	uint64_t old, values[14];
	struct honest h = { 0 };
	const uint8_t *at;

	open_used(&h);
	at = (uint8_t *)h.ends[0]->core->segment.front + offset;
	old = word_at(at, size);
	values[0] = 0;
	values[1] = UINT64_MAX;
	values[2] = old + 1;
	values[3] = old - 1;
	values[4] = old + 8;
	values[5] = old - 8;
	values[6] = old + 4096;
	values[7] = old - 4096;
	values[8] = old + (UINT64_C(1) << 31);
	values[9] = old ^ (UINT64_C(1) << 63);
	values[10] = word_at(at + 128, size);
	values[11] = word_at(at - 128, size);
	values[12] = test_random();
	values[13] = test_random();
	honest_close(&h);
	for (size_t i = 0; i < ARRAY_LENGTH(values); i++)
		try_word(offset, size, values[i], what);
}

START_TEST(field_with_any_value_is_an_error_at_worst)
{
	const struct scribble_field *f = &scribble_fields[_i];
	char what[64];

	for (size_t side = 0; side < 4; side++) {
		size_t offset = WEIR_CONTROL_OFFSET + side * sizeof(struct weir_side) + f->offset;

		snprintf(what, sizeof(what), "lane %zu, %s, offset %u", side / 2,
			 side % 2 ? "reader" : "writer", f->offset);
		try_word_with_each_value(offset, f->size, what);
	}
}
END_TEST

/* The header page is not read any more once the segment is mapped. */
START_TEST(header_page_with_any_value_changes_nothing)
{
	struct honest h = { 0 };

	open_used(&h);
	memset(h.ends[0]->core->segment.front, 0xff, WEIR_CONTROL_OFFSET);
	for (int e = 0; e < 2; e++)
		for (int i = 1; i < 5; i++)
			ck_assert_int_eq(recv_number(h.ends[e], 0), i);
	call_all(&h, NAP_NS, "header page", 0);
	honest_close(&h);
}
END_TEST

static void try_header(size_t offset, uint64_t header)
{
	struct honest h = { 0 };

	for (int first_use = 0; first_use < 2; first_use++) {
		open_used(&h);
		if (first_use) {
			weir_pipe_handover(h.ends[0]);
			weir_pipe_handover(h.ends[1]);
		}
		for (int lane = 0; lane < 2; lane++)
			memcpy(h.ends[0]->core->segment.rings[lane] + offset, &header, 8);
		call_all(&h, NAP_NS, "header", header);
		honest_close(&h);
	}
}

START_TEST(header_with_any_size_is_an_error_at_worst)
{
	static const uint64_t sizes[] = {
		0,
		1,
		7,
		8,
		9,
		512,
		513,
		4079,
		4080,
		4081,
		4088,
		4095,
		4096,
		4097,
		8192,
		INT32_MAX,
		UINT32_MAX,
		UINT32_MAX - 7,
		UINT32_MAX - 8,
	};

	/* One received, four there, then the zero word and what lies behind it. */
	for (size_t word = 0; word < 14; word++)
		for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
			try_header(word * 8, RECORD_MARK | sizes[i]);
			try_header(word * 8, sizes[i]);
			try_header(word * 8, (RECORD_MARK ^ UINT64_C(1) << 32) | sizes[i]);
		}
}
END_TEST

/* Pieces that nobody sent, and ends of messages that have not begun. */
START_TEST(piece_of_any_kind_is_an_error_at_worst)
{
	static const uint64_t sizes[] = { 0, 1, 8, 9, 504, 505, 512, 4080, UINT32_MAX };

	for (size_t word = 0; word < 12; word += 2)
		for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++)
			try_header(word * 8, RECORD_KIND((uint64_t)_i) | sizes[i]);
}
END_TEST

/*
 * At full speed
 */

START_TEST(scribbler_at_full_speed_is_an_error_at_worst)
{
	honest_live((enum scribble)_i, LIVE_NS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("scribble");
	TCase *tcase = tcase_create("scribble");

	tcase_add_loop_test(tcase, field_with_any_value_is_an_error_at_worst, 0,
			    (int)scribble_field_count);
	tcase_add_test(tcase, header_page_with_any_value_changes_nothing);
	tcase_add_test(tcase, header_with_any_size_is_an_error_at_worst);
	tcase_add_loop_test(tcase, piece_of_any_kind_is_an_error_at_worst, 2, RECORD_KINDS + 2);
	tcase_add_loop_test(tcase, scribbler_at_full_speed_is_an_error_at_worst, 0, SCRIBBLE_COUNT);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
