/* SPDX-License-Identifier: MIT */
/* The tape by hand: several seats, lost cursors, the end, what is given back, frames. */
#include "tape-bed.h"

static struct bed bed;
static struct resources before;

static void setup(void)
{
	before = resources_begin();
	bed_open(&bed, 8, 16);
}

static void teardown(void)
{
	bed_close(&bed);
	resources_check(&before);
}

static void put_many(int seat, uint64_t first, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		ck_assert_int_eq(bed_put(&bed, seat, bed_body(first + i)), 0);
}

static void get_many(int seat, uint64_t first, uint64_t count)
{
	uint64_t body;

	for (uint64_t i = 0; i < count; i++) {
		ck_assert_int_eq(bed_get(&bed, seat, &body), 1);
		ck_assert_uint_eq(body, bed_body(first + i));
	}
}

static uint32_t count_live(void)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < bed.store.geometry.frames; i++)
		count += (store_frame(&bed.store, i)->word & FRAME_STATE) == FRAME_LIVE;
	return count;
}

START_TEST(seats_put_and_get_in_one_order)
{
	uint64_t next = 0, body;

	for (uint64_t i = 0; i < 3000; i++)
		put_many((int)(i % BED_SEATS), i, 1);
	for (uint64_t i = 0; i < 3000; i++) {
		ck_assert_int_eq(bed_get(&bed, (int)(i * 7 % BED_SEATS), &body), 1);
		ck_assert_uint_eq(body, bed_body(next++));
	}
	for (int i = 0; i < BED_SEATS; i++)
		ck_assert_int_eq(bed_get(&bed, i, &body), 0);
}
END_TEST

START_TEST(cursors_that_were_left_far_behind_find_their_place)
{
	uint64_t body;

	/* Seat 3 stands at the beginning, in a frame that is used again and again. */
	for (uint64_t i = 0; i < 40; i++) {
		put_many(0, i * QUEUE_SLOTS, QUEUE_SLOTS);
		get_many(1, i * QUEUE_SLOTS, QUEUE_SLOTS);
	}
	put_many(3, 1, 1);
	ck_assert_int_eq(bed_get(&bed, 2, &body), 1);
	ck_assert_uint_eq(body, bed_body(1));
	put_many(0, 2, 1);
	ck_assert_int_eq(bed_get(&bed, 3, &body), 1);
	ck_assert_uint_eq(body, bed_body(2));
	ck_assert_int_eq(bed_get(&bed, 1, &body), 0);
	ck_assert_uint_le(count_live(), 3);
}
END_TEST

/* The number of the segment that the cursors are left behind in; 0 comes when it has wrapped. */
static const uint64_t first_numbers[] = { 0, 1, UINT64_C(1) << 35, (UINT64_C(1) << 36) - 1 };

START_TEST(cursor_in_a_frame_that_was_emptied_is_lost_and_not_at_the_end)
{
	uint64_t body;

	bed_close(&bed);
	bed_open_at(&bed, 8, 16, first_numbers[_i]);
	put_many(0, 0, QUEUE_SLOTS + 1);
	get_many(1, 0, QUEUE_SLOTS + 1);
	frame_sweep(&bed.tapes[1]);
	ck_assert_uint_eq(store_frame(&bed.store, 0)->word & FRAME_STATE, FRAME_FREE);
	store_empty_frame(&bed.store, 0);
	memset(store_slots(&bed.store, 0), 0, QUEUE_SLOTS * sizeof(struct weir_slot));
	store_frame(&bed.store, 0)->word &= ~FRAME_WARM;
	/* Seats 2 and 3 still stand there. */
	ck_assert_int_eq(bed_get(&bed, 2, &body), 0);
	put_many(3, 7, 1);
	get_many(2, 7, 1);
}
END_TEST

START_TEST(taken_slot_is_stepped_over_and_keeps_its_segment_alone)
{
	struct weir_slot *slot;
	uint64_t state, body;

	put_many(0, 0, 2);
	ck_assert_int_eq(bed_take(&bed, 1, &slot, &state, &body), 1);
	ck_assert_uint_eq(body, bed_body(0));
	get_many(2, 1, 1);
	for (uint64_t i = 0; i < 20; i++) {
		put_many(0, 0, QUEUE_SLOTS);
		get_many(2, 0, QUEUE_SLOTS);
	}
	ck_assert_uint_le(count_live(), 4);
	ck_assert_uint_eq(slot->state & SLOT_WHAT, SLOT_TAKEN);
	ck_assert_uint_eq(SLOT_SEAT(slot->state), 2);
	tape_release(slot, state & NUMBER_MASK);
	frame_sweep(&bed.tapes[0]);
	ck_assert_uint_le(count_live(), 2);
}
END_TEST

START_TEST(second_taker_of_a_slot_fails)
{
	uint64_t state, body, other;

	put_many(0, 7, 1);
	ck_assert_int_eq(tape_look(&bed.tapes[1], &state, &body), 1);
	ck_assert_int_eq(tape_look(&bed.tapes[2], &other, &body), 1);
	ck_assert_uint_eq(state, other);
	ck_assert(tape_take(&bed.tapes[2], bed.tapes[2].get.slot, other, 0));
	ck_assert(!tape_take(&bed.tapes[1], bed.tapes[1].get.slot, state, 0));
	ck_assert_int_eq(tape_look(&bed.tapes[1], &state, &body), 0);
}
END_TEST

START_TEST(put_only_here_does_not_go_on)
{
	put_many(0, 0, 1);
	/* Seat 1 still stands at the first slot. */
	ck_assert_int_eq(tape_put(&bed.tapes[1], SLOT_FULL, bed_body(1), true), -EAGAIN);
	ck_assert_int_eq(tape_put(&bed.tapes[1], SLOT_FULL, bed_body(1), true), 0);
	get_many(2, 0, 2);
}
END_TEST

START_TEST(nothing_is_put_behind_the_end)
{
	uint64_t state, body;

	put_many(0, 0, QUEUE_SLOTS - 1);
	ck_assert_int_eq(tape_put(&bed.tapes[1], SLOT_END, 0, false), 0);
	ck_assert_int_eq(bed_put(&bed, 0, bed_body(9)), -EPIPE);
	ck_assert_int_eq(bed_put(&bed, 2, bed_body(9)), -EPIPE);
	ck_assert_int_eq(tape_put(&bed.tapes[2], SLOT_END, 0, false), -EPIPE);
	get_many(3, 0, QUEUE_SLOTS - 1);
	ck_assert_int_eq(tape_look(&bed.tapes[3], &state, &body), -EPIPE);
	ck_assert_int_eq(tape_look(&bed.tapes[0], &state, &body), -EPIPE);
}
END_TEST

START_TEST(what_is_given_back_is_found_in_front_of_everybody)
{
	uint64_t states[3], state, body;
	struct weir_slot *slots[3], *slot;

	put_many(0, 0, 2 * QUEUE_SLOTS);
	for (uint64_t i = 0; i < 3; i++) {
		uint64_t skipped = QUEUE_SLOTS / 2;

		ck_assert_int_eq(bed_take(&bed, 1, &slots[i], &states[i], &body), 1);
		for (uint64_t k = 0; k < skipped; k++)
			ck_assert_int_eq(bed_get(&bed, 1, &body), 1);
	}
	ck_assert_int_eq(tape_find_again(&bed.tapes[1], &slot, &state, &body), 0);
	for (int i = 2; i >= 0; i--)
		ck_assert(tape_requeue(slots[i], slots[i]->state));
	ck_assert(!tape_requeue(slots[0], states[0]));
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(tape_find_again(&bed.tapes[1], &slot, &state, &body), 1);
		ck_assert_ptr_eq(slot, slots[i]);
		ck_assert_uint_eq(body, bed_body((uint64_t)i * (QUEUE_SLOTS / 2 + 1)));
		/* It is another one than before. */
		ck_assert(!tape_take(&bed.tapes[2], slot, states[i], 0));
		ck_assert(tape_take(&bed.tapes[1], slot, state, 0));
		tape_release(slot, state & NUMBER_MASK);
	}
	ck_assert_int_eq(tape_find_again(&bed.tapes[1], &slot, &state, &body), 0);
}
END_TEST

START_TEST(requeueing_a_frame_takes_only_what_is_the_dead_ones)
{
	struct weir_slot *slots[4];
	uint64_t state, body, dead;

	put_many(0, 0, 4);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(bed_take(&bed, i % 2, &slots[i], &state, &body), 1);
	dead = bed.tapes[1].seat->name.low;
	/* Of a generation that has gone: nothing. */
	ck_assert_int_eq(tape_requeue_frame(&bed.store, 0, 2, dead - PARTY_GENERATION_ONE), 0);
	ck_assert_int_eq(tape_requeue_frame(&bed.store, 0, 2, dead), 2);
	ck_assert_int_eq(tape_requeue_frame(&bed.store, 0, 2, dead), 0);
	for (int i = 0; i < 4; i++)
		ck_assert_uint_eq(slots[i]->state & SLOT_WHAT, i % 2 ? SLOT_FULL : SLOT_TAKEN);
}
END_TEST

START_TEST(tape_without_a_free_frame_says_so_but_for_the_end)
{
	uint64_t count = 0;
	int result;

	while ((result = bed_put(&bed, 0, bed_body(count))) == 0)
		count++;
	ck_assert_int_eq(result, -ENOENT);
	ck_assert_uint_eq(count, 7 * QUEUE_SLOTS);
	bed.tapes[1].closing = true;
	ck_assert_int_eq(tape_put(&bed.tapes[1], SLOT_END, 0, false), 0);
	get_many(2, 0, count);
}
END_TEST

START_TEST(frame_that_a_dead_seat_held_is_free_again)
{
	struct weir_frame *frame;
	struct weir_seat *seat = bed.tapes[0].seat;
	uint64_t held;

	put_many(0, 0, QUEUE_SLOTS + 1);
	get_many(1, 0, QUEUE_SLOTS);
	get_many(1, QUEUE_SLOTS, 1);
	/* As if seat 1 had died while it held the frame that was retired. */
	frame = store_frame(&bed.store, 0);
	ck_assert_uint_eq(frame->word & FRAME_STATE, FRAME_FREE);
	held = frame->word | FRAME_HELD | UINT64_C(1) << FRAME_SEAT_SHIFT;
	frame->word = held;
	frame_mend(&bed.store, 0, 2, bed.tapes[1].seat->name.low);
	ck_assert_uint_eq(frame->word, held);
	frame_mend(&bed.store, 0, 1, seat->name.low - PARTY_GENERATION_ONE);
	ck_assert_uint_eq(frame->word, held);
	frame_mend(&bed.store, 0, 1, seat->name.low);
	ck_assert_uint_eq(frame->word & FRAME_STATE, FRAME_FREE);
}
END_TEST

START_TEST(frame_that_hangs_is_not_given_back_after_a_death)
{
	struct weir_frame *frame;
	uint64_t word;

	put_many(0, 0, QUEUE_SLOTS + 1);
	frame = store_frame(&bed.store, 1);
	word = frame->word;
	ck_assert_uint_eq(word & FRAME_STATE, FRAME_LIVE);
	ck_assert_uint_eq(FRAME_SEAT(word), 1);
	frame_mend(&bed.store, 1, 1, bed.tapes[0].seat->name.low);
	ck_assert_uint_eq(frame->word, word);
	get_many(1, 0, QUEUE_SLOTS + 1);
}
END_TEST

START_TEST(segment_is_retired_when_all_is_done_and_not_before)
{
	struct weir_slot *slot;
	uint64_t state, body, number = bed.tapes[0].put.number;

	put_many(0, 0, QUEUE_SLOTS);
	ck_assert_int_eq(bed_take(&bed, 1, &slot, &state, &body), 1);
	get_many(1, 1, QUEUE_SLOTS - 1);
	/* Nothing comes behind it yet. */
	ck_assert(!frame_retire(&bed.tapes[0], 0, number));
	put_many(0, 0, 1);
	ck_assert(!frame_retire(&bed.tapes[0], 0, number));
	tape_release(slot, state & NUMBER_MASK);
	ck_assert(!frame_retire(&bed.tapes[0], 0, number + NUMBER_ONE));
	ck_assert(frame_retire(&bed.tapes[0], 0, number));
	ck_assert(!frame_retire(&bed.tapes[0], 0, number));
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("tape");
	TCase *t = tcase_create("tape");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, seats_put_and_get_in_one_order);
	tcase_add_test(t, cursors_that_were_left_far_behind_find_their_place);
	tcase_add_loop_test(t, cursor_in_a_frame_that_was_emptied_is_lost_and_not_at_the_end, 0,
			    ARRAY_LENGTH(first_numbers));
	tcase_add_test(t, taken_slot_is_stepped_over_and_keeps_its_segment_alone);
	tcase_add_test(t, second_taker_of_a_slot_fails);
	tcase_add_test(t, put_only_here_does_not_go_on);
	tcase_add_test(t, nothing_is_put_behind_the_end);
	tcase_add_test(t, what_is_given_back_is_found_in_front_of_everybody);
	tcase_add_test(t, requeueing_a_frame_takes_only_what_is_the_dead_ones);
	tcase_add_test(t, tape_without_a_free_frame_says_so_but_for_the_end);
	tcase_add_test(t, frame_that_a_dead_seat_held_is_free_again);
	tcase_add_test(t, frame_that_hangs_is_not_given_back_after_a_death);
	tcase_add_test(t, segment_is_retired_when_all_is_done_and_not_before);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return test_main(suite());
}
