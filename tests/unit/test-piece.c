/* SPDX-License-Identifier: MIT */
/* What a look through the records of a ring says that the next receive would find. */
#include "lane-bed.h"

#include "base/cc.h"
#include "ring/piece.h"

static struct bed bed;

static void setup(void)
{
	/* The end of the ring is in the middle of it. */
	bed_open(&bed, BED_CAPACITY, BED_CAPACITY / 2);
}

static void teardown(void)
{
	bed_close(&bed);
}

static const uint64_t kinds[] = {
	RECORD_MARK, RECORD_FIRST, RECORD_MIDDLE, RECORD_LAST, RECORD_ABORT, RECORD_CUT,
	RECORD_HANDLE,
};

_Static_assert(ARRAY_LENGTH(kinds) == RECORD_KINDS, "each kind is looked at");

static bool put(uint64_t kind, size_t size)
{
	if (!lane_tx_fits(&bed.tx, size))
		return false;
	memset(lane_tx_open(&bed.tx), 0x11, size);
	lane_tx_put_open(&bed.tx, kind, size);
	return true;
}

/*
 * The receive, by its rules one after the other: what it returns first for these records, true for
 * anything but -EAGAIN; then in @ret_half whether it has the beginning of a message that it waits
 * for, or drops.
 */
static bool receive_finds(const uint64_t *records, size_t count, bool half, bool drop,
			  bool *ret_half, bool *ret_drop)
{
	for (size_t i = 0; i < count; i++) {
		bool waits = half && !drop;

		switch (records[i]) {
		case RECORD_MARK:
		case RECORD_HANDLE:
			return true;		/* what it is; or -EOWNERDEAD for the one before */
		case RECORD_FIRST:
			if (waits)
				return true;	/* -EOWNERDEAD: another one begins */
			half = true;
			drop = false;
			break;
		case RECORD_MIDDLE:
			if (!half)
				return true;	/* -EOWNERDEAD: of one whose beginning is gone */
			break;
		case RECORD_LAST:
			if (!half || waits)
				return true;	/* the same, or whole */
			half = drop = false;
			break;
		case RECORD_ABORT:
			half = drop = false;
			break;
		case RECORD_CUT:
			if (waits)
				return true;	/* -EOWNERDEAD */
			half = drop = false;
			break;
		}
	}
	*ret_half = half;
	*ret_drop = drop;
	return false;
}

START_TEST(look_finds_what_a_receive_would_return)
{
	unsigned int seen[PIECE_SOMETHING + 1] = { 0 };

	for (int round = 0; round < 50000 / LESS; round++) {
		bool half = test_random_below(2), drop = half && test_random_below(2);
		bool half_after = false, drop_after = false, stuffed, something;
		size_t count = test_random_below(9), n = 0;
		bool plain = test_random_below(3) == 0;
		uint64_t records[8], room;
		enum piece_view expected, found;

		bed_restart(&bed, BED_CAPACITY / 2 + 8 * test_random_below(BED_CAPACITY / 8));
		/* Some that are read, but of which the writer does not know. */
		bed.tx.tail += 8 * test_random_below(BED_CAPACITY / 16);
		bed.rx.head = bed.tx.tail;
		*lane_header(&bed.rx.lane, bed.rx.head) = 0;
		while (n < count) {
			size_t size = test_random_below(3) ? test_random_below(900) : 504;

			/* Dull ones more often, so that something comes behind. */
			records[n] = kinds[test_random_below(3) ? 1 + test_random_below(5) :
								  test_random_below(7)];
			/* A message as it should be, as far as it goes. */
			if (plain)
				records[n] = n == 0 && !half ? RECORD_FIRST : RECORD_MIDDLE;
			if (records[n] == RECORD_ABORT || records[n] == RECORD_CUT)
				size = 0;
			if (!put(records[n], size))
				break;
			n++;
		}
		something = receive_finds(records, n, half, drop, &half_after, &drop_after);
		room = bed.rx.published + BED_CAPACITY - RECORD_HEADER - bed.tx.tail;
		stuffed = room < lane_record_size(piece_need(&bed.rx.lane));
		expected = something ? PIECE_SOMETHING :
			   half_after && stuffed ? PIECE_STUFFED :
			   half_after && !drop_after ? PIECE_HALF : PIECE_NOTHING;
		found = piece_look(&bed.rx, half, drop);
		ck_assert_msg(found == expected, "%zu records, half %d, drop %d: %d, not %d", n,
			      half, drop, found, expected);
		seen[found]++;
	}
	for (size_t i = 0; i < ARRAY_LENGTH(seen); i++)
		ck_assert_uint_gt(seen[i], 100 / LESS);
}
END_TEST

START_TEST(look_changes_nothing)
{
	struct lane_rx before;

	ck_assert(put(RECORD_FIRST, 504));
	ck_assert(put(RECORD_MIDDLE, 504));
	before = bed.rx;
	ck_assert_int_eq(piece_look(&bed.rx, false, false), PIECE_HALF);
	ck_assert_mem_eq(&before, &bed.rx, sizeof(before));
	ck_assert(put(RECORD_LAST, 1));
	ck_assert_int_eq(piece_look(&bed.rx, false, false), PIECE_SOMETHING);
	ck_assert_mem_eq(&before, &bed.rx, sizeof(before));
}
END_TEST

START_TEST(pieces_of_an_eighth_leave_room_to_give_up)
{
	uint64_t room = piece_room(&bed.tx.lane), pieces = 0;

	ck_assert_uint_eq(lane_record_size(room), BED_CAPACITY / 8);
	while (lane_tx_fits(&bed.tx, piece_need(&bed.tx.lane))) {
		ck_assert_int_ne(piece_look(&bed.rx, false, false), PIECE_STUFFED);
		ck_assert(put(pieces++ ? RECORD_MIDDLE : RECORD_FIRST, room));
	}
	ck_assert_uint_eq(pieces, 7);
	ck_assert_int_eq(piece_look(&bed.rx, false, false), PIECE_STUFFED);
	ck_assert(put(RECORD_ABORT, 0));
	ck_assert_int_eq(piece_look(&bed.rx, false, false), PIECE_NOTHING);
}
END_TEST

/* Whatever stands there, a look ends, and within the ring, which a sanitizer or a fault shows. */
START_TEST(look_through_random_memory_ends)
{
	uint64_t *words = (uint64_t *)(void *)bed.segment.rings[0];

	for (int round = 0; round < 5000 / LESS; round++) {
		for (size_t i = 0; i < BED_CAPACITY / 8; i++) {
			uint64_t kind = kinds[test_random_below(ARRAY_LENGTH(kinds))];

			if (round % 4 == 0)
				words[i] = test_random();
			else if (round % 4 == 1)
				words[i] = kind | test_random_below(UINT64_C(1) << 32);
			else if (round % 4 == 2)
				words[i] = kind | test_random_below(200);
			else
				words[i] = RECORD_ABORT;
		}
		bed.rx.head = 8 * test_random_below(BED_CAPACITY / 4);
		bed.rx.published = test_random_below(2) ? bed.rx.head : test_random();
		for (int i = 0; i < 3; i++)
			ck_assert_int_le(piece_look(&bed.rx, i > 0, i > 1), PIECE_SOMETHING);
		/* Round and round: that is damage, and so something. */
		if (round % 4 == 3)
			ck_assert_int_eq(piece_look(&bed.rx, false, false), PIECE_SOMETHING);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("piece");
	TCase *tcase = tcase_create("piece");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, look_finds_what_a_receive_would_return);
	tcase_add_test(tcase, look_changes_nothing);
	tcase_add_test(tcase, pieces_of_an_eighth_leave_room_to_give_up);
	tcase_add_test(tcase, look_through_random_memory_ends);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
