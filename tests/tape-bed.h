/* SPDX-License-Identifier: MIT */
/* A store with a tape, and several seats in this process that put and get by hand. */
#ifndef WEIR_TESTS_TAPE_BED_H
#define WEIR_TESTS_TAPE_BED_H

#include "support.h"

#include <string.h>

#include "ring/chunk.h"
#include "ring/frame.h"
#include "ring/tape.h"

#define BED_SEATS 4
#define BED_GEOMETRY(frames_, chunks_) \
	{ \
		.seats = 16, .frames = (frames_), .chunks = (chunks_), \
		.chunk_shift = QUEUE_CHUNK_SHIFT_MIN, .max_taken = 1, .first_number = 2, \
		.max_bytes = (uint64_t)(chunks_) << QUEUE_CHUNK_SHIFT_MIN, \
	}

struct bed {
	struct store store;
	struct tape tapes[BED_SEATS];	/* of the seats 1, 2, ... */
	struct purse purses[BED_SEATS];
};

static inline void bed_open_at(struct bed *bed, uint32_t frames, uint32_t chunks, uint64_t first)
{
	struct weir_queue_geometry geometry = BED_GEOMETRY(frames, chunks);

	geometry.first_number = first;
	ck_assert_int_eq(store_create(&bed->store, &geometry), 0);
	ck_assert_int_eq(tape_create(&bed->store, geometry.first_number), 0);
	for (uint32_t i = 0; i < BED_SEATS; i++) {
		bed->tapes[i] = (struct tape){
			.store = &bed->store,
			.seat = store_seat(&bed->store, i + 1),
			.name = i + 1,
		};
		bed->tapes[i].seat->name.low = PARTY_USED | (i + 1) * PARTY_GENERATION_ONE;
		purse_open(&bed->purses[i]);
		ck_assert_int_eq(tape_put_find(&bed->tapes[i]), 0);
		ck_assert_int_ge(tape_get_find(&bed->tapes[i]), 0);
	}
}

static inline void bed_open(struct bed *bed, uint32_t frames, uint32_t chunks)
{
	bed_open_at(bed, frames, chunks, 2);
}

static inline void bed_close(struct bed *bed)
{
	store_destroy(&bed->store);
}

/* The body of a message that is nowhere, with a number in it. */
static inline uint64_t bed_body(uint64_t number)
{
	return BODY_NOWHERE | (number & 0xffff) << BODY_PLACE_SHIFT;
}

static inline int bed_put(struct bed *bed, int seat, uint64_t body)
{
	return tape_put(&bed->tapes[seat], SLOT_FULL, body, false);
}

/* Take, and tell where it is; 1, 0 or an error. */
static inline int bed_take(struct bed *bed, int seat, struct weir_slot **ret_slot,
			   uint64_t *ret_state, uint64_t *ret_body)
{
	struct tape *t = &bed->tapes[seat];
	int result = tape_look(t, ret_state, ret_body);

	if (result != 1)
		return result;
	*ret_slot = t->get.slot;
	if (!tape_take(t, *ret_slot, *ret_state, 0))
		return -EBUSY;
	t->get.slot++;
	return 1;
}

static inline int bed_get(struct bed *bed, int seat, uint64_t *ret_body)
{
	struct weir_slot *slot;
	uint64_t state;
	int result = bed_take(bed, seat, &slot, &state, ret_body);

	if (result == 1)
		tape_release(slot, state & NUMBER_MASK);
	return result;
}

#endif
