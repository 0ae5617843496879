/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <string.h>

#include "ring/words.h"

#define ROOM 64

static _Alignas(8) uint8_t shared[ROOM], other[ROOM];
static uint8_t ours[ROOM];

static void fill(uint8_t *bytes, uint8_t from)
{
	for (size_t i = 0; i < ROOM; i++)
		bytes[i] = (uint8_t)(from + i);
}

/* Bytes [from, from + size) of @to are those of @bytes, all others what they were. */
static void check_range(const uint8_t *to, uint8_t was, size_t from, size_t size,
			const uint8_t *bytes)
{
	for (size_t i = 0; i < ROOM; i++) {
		uint8_t expected = (uint8_t)(was + i);

		if (i >= from && i - from < size)
			expected = bytes[i - from];
		ck_assert_uint_eq(to[i], expected);
	}
}

START_TEST(stores_exactly_the_range)
{
	for (size_t from = 0; from < 24; from++)
		for (size_t size = 0; from + size <= ROOM; size++) {
			fill(shared, 1);
			fill(ours, 100);
			words_store(shared + from, ours, size);
			check_range(shared, 1, from, size, ours);
		}
}
END_TEST

START_TEST(loads_exactly_the_range)
{
	for (size_t from = 0; from < 24; from++)
		for (size_t size = 0; from + size <= ROOM; size++) {
			fill(shared, 1);
			fill(ours, 100);
			words_load(ours + 3, shared + from, size <= ROOM - 3 ? size : 0);
			if (size <= ROOM - 3)
				check_range(ours, 100, 3, size, shared + from);
		}
}
END_TEST

START_TEST(moves_exactly_the_range)
{
	for (size_t from = 0; from < 24; from++)
		for (size_t size = 0; from + size <= ROOM; size++) {
			fill(shared, 1);
			fill(other, 100);
			words_move(shared + from, other + from, size);
			check_range(shared, 1, from, size, other + from);
		}
}
END_TEST

/* No number that lies at a multiple of its size, wholly in the range, is in two pieces. */
START_TEST(pieces_never_cut_a_number)
{
	for (size_t from = 0; from < 16; from++)
		for (size_t end = from + 1; end <= 40; end++) {
			bool cut[ROOM] = { false };

			for (size_t at = from; at < end;) {
				at += words_piece(shared + at, end - at);
				cut[at] = true;
			}
			ck_assert(cut[end]);
			for (size_t number = 2; number <= 8; number *= 2)
				for (size_t at = (from + number - 1) & ~(number - 1);
				     at + number <= end; at += number)
					for (size_t i = 1; i < number; i++)
						ck_assert(!cut[at + i]);
		}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("words");
	TCase *tcase = tcase_create("words");

	tcase_add_test(tcase, stores_exactly_the_range);
	tcase_add_test(tcase, loads_exactly_the_range);
	tcase_add_test(tcase, moves_exactly_the_range);
	tcase_add_test(tcase, pieces_never_cut_a_number);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
