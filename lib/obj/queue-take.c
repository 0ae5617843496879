/* SPDX-License-Identifier: MIT */
/*
 * Taking in place. The slot stays TAKEN by the seat until the message is released; the frame that
 * it is in is written down in the seat before, so that the message is found when the taker dies.
 */
#include "obj/queue.h"

static uint32_t frame_of(const struct queue_seat *s, const struct weir_slot *slot)
{
	return (uint32_t)((uint64_t)(slot - s->tape.store->slots) / QUEUE_SLOTS);
}

/* Which of the seat's places has @frame, or -1. */
static int place_of(const struct queue_seat *s, uint32_t frame)
{
	for (int i = 0; i < SEAT_FRAMES; i++)
		/* relaxed: written by the seat's thread, while it is in use */
		if (load_relaxed(&s->shared->lease_frames[i]) == frame + 1)
			return i;
	return -1;
}

/* A place for @frame that no lease needs any more, or -1. */
static int new_place(struct queue_seat *s, uint32_t frame)
{
	for (int i = 0; i < SEAT_FRAMES; i++) {
		/* relaxed: if it is 0 it stays so, for only we raise it */
		if (load_relaxed(&s->lease_counts[i]) > 0)
			continue;
		store_relaxed(&s->shared->lease_frames[i], frame + 1);	/* relaxed: LEDGER */
		return i;
	}
	return -1;
}

int queue_lease_begin(struct queue_seat *s, const struct weir_slot *slot)
{
	uint32_t frame = frame_of(s, slot);
	int place = place_of(s, frame);

	if (place < 0)
		place = new_place(s, frame);
	if (place >= 0)
		add_relaxed(&s->lease_counts[place], 1);	/* relaxed: counts only */
	else
		add_relaxed(&s->leases_many, 1);		/* relaxed: as above */
	if (place < 0)
		/* relaxed: LEDGER, stays until all are released */
		store_relaxed(&s->shared->many, 1);
	add_relaxed(&s->shared->leases, 1);		/* relaxed: LEDGER */
	return place;
}

static void lease_end(struct queue_seat *s, uint32_t frame)
{
	int place = place_of(s, frame);

	/* relaxed: counts only */
	if (place >= 0 && load_relaxed(&s->lease_counts[place]) > 0)
		add_relaxed(&s->lease_counts[place], -1U);	/* relaxed: as above */
	else if (add_relaxed(&s->leases_many, -1U) == 1)	/* relaxed: as above */
		store_relaxed(&s->shared->many, 0);		/* relaxed: LEDGER */
	add_relaxed(&s->shared->leases, -1U);			/* relaxed: LEDGER */
}

/* Take what there is: 1, 0, or an error. */
static int take(struct queue_seat *s, struct queue_found *f, uint32_t flags, int64_t deadline)
{
	struct queue_want want = { .side = QUEUE_READER };
	int result, waited = 0;

	for (;;) {
		result = queue_find(s, f);
		if (result < 0)
			return result;
		if (result == 1) {
			queue_lease_begin(s, f->slot);
			if (queue_take_found(s, f, SLOT_LEASED))
				return 1;
			lease_end(s, frame_of(s, f->slot));
			continue;
		}
		if (waited < 0)
			return waited;
		waited = queue_wait(s, &want, flags, deadline);
		if (waited < 0 && waited != -ETIMEDOUT && waited != -EINTR)
			return waited;
	}
}

int weir_queue_take(struct weir_queue *queue, uint32_t flags, int64_t deadline,
		    struct weir_taken *ret_taken)
{
	struct queue_found f;
	struct queue_seat *s;
	int result;

	if (!queue || !ret_taken || (flags & ~QUEUE_CALL_FLAGS))
		return -EINVAL;
	result = queue_sit(queue, &s);
	if (result < 0)
		return result;
	/* relaxed: raised by us alone */
	if (load_relaxed(&s->shared->leases) >= queue->store.geometry.max_taken)
		result = -EDQUOT;
	else
		result = take(s, &f, flags, deadline);
	if (result == 1) {
		uint64_t keep = NUMBER_MASK | SLOT_TIMES_MASK | SLOT_TURN_MASK;

		*ret_taken = (struct weir_taken){
			.data = f.bytes,
			.size = f.size,
			.times = (uint32_t)((f.state & SLOT_TIMES_MASK) >> SLOT_TIMES_SHIFT),
			.place = (uint32_t)(f.slot - queue->store.slots),
			.token = (f.state & keep) | (uint64_t)s->name << SLOT_SEAT_SHIFT |
				 SLOT_LEASED | SLOT_TAKEN,
		};
		if (f.again)
			store_relaxed(&s->shared->taking_again, 0);	/* relaxed: LEDGER */
		conversing_clear();
		/* What was full is not. */
		if (queue->store.geometry.max_items > 0)
			queue_ring(s, QUEUE_WRITER);
		result = 0;
	}
	queue_rise(s);
	return result;
}

/* The slot of @taken and the seat that took it: 0, or -EINVAL. */
static int find_taken(struct weir_queue *q, const struct weir_taken *taken,
		      struct weir_slot **ret_slot, struct queue_seat **ret_taker)
{
	struct weir_slot *slots = store_slots(&q->store, taken->place / QUEUE_SLOTS);

	if (!slots || (taken->token & SLOT_WHAT) != SLOT_TAKEN || !(taken->token & SLOT_LEASED))
		return -EINVAL;
	*ret_slot = slots + taken->place % QUEUE_SLOTS;
	*ret_taker = queue_find_seat(q, SLOT_SEAT(taken->token));
	return *ret_taker ? 0 : -EINVAL;
}

static int release(struct queue_seat *s, const struct weir_taken *taken, bool back)
{
	uint64_t state = taken->token, number = state & NUMBER_MASK, body;
	struct queue_seat *taker;
	struct weir_slot *slot;
	int result = find_taken(s->queue, taken, &slot, &taker);

	if (result < 0)
		return result;
	body = load_relaxed(&slot->body);	/* relaxed: stays as long as the state does */
	if (back) {
		if (s->polled & (1U << QUEUE_READER))
			queue_bring(s, QUEUE_READER);
		if (!tape_requeue(slot, state))
			return -EINVAL;
		/* order: AGAIN release: it is there */
		add_seq(&queue_control(s)->notice, NOTICE_REQUEUED);
		add_relaxed(&queue_control(s)->returned, 1);	/* relaxed: a counter */
	} else if (!cas_seq(&slot->state, &state, number | SLOT_FREE)) {	/* order: DONE */
		return -EINVAL;
	}
	lease_end(taker, frame_of(s, slot));
	if (back) {
		queue_ring(s, QUEUE_READER);
		return 0;
	}
	if (tape_distance(&s->tape.get, number) != 0)
		frame_retire(&s->tape, frame_of(s, slot), number);
	queue_done_with(s, body);
	return 0;
}

static int release_call(struct weir_queue *queue, const struct weir_taken *taken, bool back)
{
	struct queue_seat *s;
	int result;

	if (!queue || !taken)
		return -EINVAL;
	result = queue_sit(queue, &s);
	if (result < 0)
		return result;
	result = release(s, taken, back);
	queue_rise(s);
	return result;
}

int weir_queue_release(struct weir_queue *queue, const struct weir_taken *taken)
{
	return release_call(queue, taken, false);
}

int weir_queue_return(struct weir_queue *queue, const struct weir_taken *taken)
{
	return release_call(queue, taken, true);
}
