/* SPDX-License-Identifier: MIT */
/* Chunks by hand: filled, sealed, given back when their messages are done; rows; the dead's. */
#include "tape-bed.h"

#define CHUNK_BYTES 4096

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

static uint64_t state_of(uint32_t chunk)
{
	return store_chunk(&bed.store, chunk)->words.low & CHUNK_STATE;
}

static uint32_t count_in(uint64_t state)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < bed.store.geometry.chunks; i++)
		count += state_of(i) == state;
	return count;
}

/* Room for @size bytes, filled with @byte and put. */
static int put(int seat, uint64_t size, uint8_t byte, uint64_t *ret_body)
{
	uint8_t *bytes;
	int result = chunk_room(&bed.tapes[seat], &bed.purses[seat], size, &bytes, ret_body);

	if (result < 0)
		return result;
	memset(bytes, byte, size);
	ck_assert_int_eq(bed_put(&bed, seat, *ret_body), 0);
	chunk_used(&bed.tapes[seat], &bed.purses[seat], *ret_body);
	return 0;
}

static void get(int seat, uint64_t size, uint8_t byte)
{
	const uint8_t *bytes;
	uint64_t body, found;

	ck_assert_int_eq(bed_get(&bed, seat, &body), 1);
	ck_assert(chunk_find(&bed.store, body, &bytes, &found));
	ck_assert_uint_eq(found, size);
	for (uint64_t i = 0; i < size; i++)
		ck_assert_uint_eq(bytes[i], byte);
}

START_TEST(messages_lie_behind_each_other)
{
	uint64_t a, b, c;

	ck_assert_int_eq(put(0, 5, 1, &a), 0);
	ck_assert_int_eq(put(0, 16, 2, &b), 0);
	ck_assert_int_eq(put(0, 0, 3, &c), 0);
	ck_assert_uint_eq(BODY_CHUNK(a), BODY_CHUNK(b));
	ck_assert_uint_eq(BODY_PLACE(b) - BODY_PLACE(a), 8);
	ck_assert_uint_eq(c, BODY_NOWHERE);
	get(1, 5, 1);
	get(1, 16, 2);
	get(1, 0, 3);
	ck_assert_uint_eq(count_in(CHUNK_FILLING), 1);
}
END_TEST

START_TEST(chunk_is_given_back_when_all_its_messages_are_done)
{
	struct weir_slot *slot;
	uint64_t bodies[4], state, body;

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(put(0, 1000, (uint8_t)i, &bodies[i]), 0);
	ck_assert(!chunk_give_back(&bed.tapes[1], BODY_CHUNK(bodies[0])));
	chunk_seal(&bed.tapes[0], &bed.purses[0]);
	ck_assert_uint_eq(state_of(BODY_CHUNK(bodies[0])), CHUNK_SEALED);
	for (int i = 0; i < 3; i++) {
		ck_assert(!chunk_give_back(&bed.tapes[1], BODY_CHUNK(bodies[0])));
		get(1, 1000, (uint8_t)i);
	}
	ck_assert_int_eq(bed_take(&bed, 1, &slot, &state, &body), 1);
	ck_assert(!chunk_give_back(&bed.tapes[1], BODY_CHUNK(bodies[0])));
	tape_release(slot, state & NUMBER_MASK);
	ck_assert(chunk_give_back(&bed.tapes[1], BODY_CHUNK(bodies[0])));
	ck_assert(!chunk_give_back(&bed.tapes[1], BODY_CHUNK(bodies[0])));
	ck_assert_uint_eq(state_of(BODY_CHUNK(bodies[0])), CHUNK_FREE);
}
END_TEST

START_TEST(all_chunks_are_used_and_used_again)
{
	uint64_t body;

	for (int round = 0; round < 5; round++) {
		for (uint8_t i = 0; i < 16; i++)
			ck_assert_int_eq(put(0, CHUNK_BYTES, i, &body), 0);
		ck_assert_int_eq(put(0, CHUNK_BYTES, 16, &body), -ENOENT);
		ck_assert_int_eq(put(1, 1, 16, &body), -ENOENT);
		for (uint8_t i = 0; i < 16; i++)
			get(1, CHUNK_BYTES, i);
	}
}
END_TEST

START_TEST(seats_fill_chunks_of_their_own)
{
	uint64_t a, b;

	ck_assert_int_eq(put(0, 8, 1, &a), 0);
	ck_assert_int_eq(put(1, 8, 2, &b), 0);
	ck_assert_uint_ne(BODY_CHUNK(a), BODY_CHUNK(b));
	ck_assert_uint_eq(CHUNK_SEAT(store_chunk(&bed.store, BODY_CHUNK(a))->words.low), 1);
	ck_assert_uint_eq(CHUNK_SEAT(store_chunk(&bed.store, BODY_CHUNK(b))->words.low), 2);
	get(2, 8, 1);
	get(2, 8, 2);
}
END_TEST

START_TEST(rows_of_all_lengths_come_and_go)
{
	uint64_t body;

	for (uint64_t count = 2; count <= 16; count++) {
		ck_assert_int_eq(put(0, count * CHUNK_BYTES - 7, (uint8_t)count, &body), 0);
		ck_assert_uint_ne(body & BODY_LARGE, 0);
		ck_assert_uint_eq(state_of(BODY_CHUNK(body)), CHUNK_SEALED);
		ck_assert_uint_eq(count_in(CHUNK_PART), count - 1);
		ck_assert(!chunk_give_back(&bed.tapes[1], BODY_CHUNK(body)));
		get(1, count * CHUNK_BYTES - 7, (uint8_t)count);
		ck_assert(chunk_give_back(&bed.tapes[1], BODY_CHUNK(body)));
		ck_assert_uint_eq(count_in(CHUNK_FREE), 16);
	}
	ck_assert_int_eq(put(0, 17 * CHUNK_BYTES, 0, &body), -EMSGSIZE);
}
END_TEST

START_TEST(row_that_was_not_put_is_given_up)
{
	uint64_t body;
	uint8_t *bytes;

	ck_assert_int_eq(chunk_room(&bed.tapes[0], &bed.purses[0], 50000, &bytes, &body), 0);
	ck_assert_uint_eq(count_in(CHUNK_FREE), 3);
	chunk_row_undo(&bed.tapes[0]);
	ck_assert_uint_eq(count_in(CHUNK_FREE), 16);
	chunk_row_undo(&bed.tapes[0]);
}
END_TEST

START_TEST(bodies_that_no_seat_writes_are_not_found)
{
	const uint8_t *bytes;
	uint64_t size;

	/* Beyond its chunk; a chunk that is not there; more than there is. */
	ck_assert(!chunk_find(&bed.store, (UINT64_C(4088) / 8) << BODY_PLACE_SHIFT | 9, &bytes,
			      &size));
	ck_assert(!chunk_find(&bed.store, UINT64_C(16) << BODY_CHUNK_SHIFT | 8, &bytes, &size));
	ck_assert(!chunk_find(&bed.store, BODY_LARGE | (16 * CHUNK_BYTES + 1), &bytes, &size));
	ck_assert(!chunk_find(&bed.store, UINT64_MAX, &bytes, &size));
	ck_assert(chunk_find(&bed.store, UINT64_C(15) << BODY_CHUNK_SHIFT | CHUNK_BYTES, &bytes,
			     &size));
}
END_TEST

/*
 * The dead's
 */

START_TEST(chunk_of_a_dead_seat_is_sealed)
{
	struct weir_seat *seat = bed.tapes[0].seat;
	uint64_t body;

	ck_assert_int_eq(put(0, 100, 1, &body), 0);
	ck_assert_uint_eq(seat->filling, BODY_CHUNK(body) + 1);
	chunk_mend(&bed.store, BODY_CHUNK(body), 1, 2, bed.tapes[1].seat->name.low);
	ck_assert_uint_eq(state_of(BODY_CHUNK(body)), CHUNK_FILLING);
	chunk_mend(&bed.store, BODY_CHUNK(body), 1, 1, seat->name.low + PARTY_GENERATION_ONE);
	ck_assert_uint_eq(state_of(BODY_CHUNK(body)), CHUNK_FILLING);
	chunk_mend(&bed.store, BODY_CHUNK(body), 1, 1, seat->name.low);
	ck_assert_uint_eq(state_of(BODY_CHUNK(body)), CHUNK_SEALED);
	ck_assert(!chunk_give_back(&bed.tapes[1], BODY_CHUNK(body)));
	get(1, 100, 1);
	ck_assert(chunk_give_back(&bed.tapes[1], BODY_CHUNK(body)));
}
END_TEST

START_TEST(row_of_a_dead_seat_is_sealed_whether_it_was_put_or_not)
{
	struct weir_seat *seat = bed.tapes[0].seat;

	for (int is_put = 0; is_put < 2; is_put++) {
		uint64_t body;
		uint8_t *bytes;

		ck_assert_int_eq(chunk_room(&bed.tapes[0], &bed.purses[0], 20000, &bytes, &body),
				 0);
		memset(bytes, 7, 20000);
		if (is_put)
			ck_assert_int_eq(bed_put(&bed, 0, body), 0);
		chunk_mend(&bed.store, seat->row - 1, seat->row_count, 1, seat->name.low);
		ck_assert_uint_eq(state_of(BODY_CHUNK(body)), CHUNK_SEALED);
		ck_assert_int_eq(chunk_give_back(&bed.tapes[1], BODY_CHUNK(body)), !is_put);
		if (is_put) {
			get(1, 20000, 7);
			ck_assert(chunk_give_back(&bed.tapes[1], BODY_CHUNK(body)));
		}
		ck_assert_uint_eq(count_in(CHUNK_FREE), 16);
		seat->row = 0;
	}
}
END_TEST

START_TEST(half_a_row_of_a_dead_seat_is_free_again)
{
	struct weir_seat *seat = bed.tapes[0].seat;
	uint64_t body;
	uint8_t *bytes;

	for (uint32_t had = 1; had < 5; had++) {
		ck_assert_int_eq(chunk_room(&bed.tapes[0], &bed.purses[0], 20000, &bytes, &body),
				 0);
		/* As if it had died before it had the last ones. */
		for (uint32_t i = had; i < 5; i++) {
			struct weir_chunk *c = store_chunk(&bed.store, BODY_CHUNK(body) + i);

			c->words.low = ((c->words.low & ~(CHUNK_STATE | CHUNK_SEAT_MASK)) +
					CHUNK_GENERATION_ONE) | CHUNK_FREE;
		}
		chunk_mend(&bed.store, seat->row - 1, 5, 1, seat->name.low);
		ck_assert_uint_eq(count_in(CHUNK_FREE), 16);
		seat->row = 0;
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("chunk");
	TCase *t = tcase_create("chunk");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, messages_lie_behind_each_other);
	tcase_add_test(t, chunk_is_given_back_when_all_its_messages_are_done);
	tcase_add_test(t, all_chunks_are_used_and_used_again);
	tcase_add_test(t, seats_fill_chunks_of_their_own);
	tcase_add_test(t, rows_of_all_lengths_come_and_go);
	tcase_add_test(t, row_that_was_not_put_is_given_up);
	tcase_add_test(t, bodies_that_no_seat_writes_are_not_found);
	tcase_add_test(t, chunk_of_a_dead_seat_is_sealed);
	tcase_add_test(t, row_of_a_dead_seat_is_sealed_whether_it_was_put_or_not);
	tcase_add_test(t, half_a_row_of_a_dead_seat_is_free_again);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return test_main(suite());
}
