/* SPDX-License-Identifier: MIT */
/*
 * The tape: the endless row of slots that is a queue, as one seat sees it. doc/design/queue.md says
 * how it works and why it holds; here are the steps.
 *
 * A cursor is where a seat writes or reads. It is a guess that the slots confirm: whoever finds a
 * newer number, or none, in the slot at its cursor has been left behind and finds its place again.
 */
#ifndef WEIR_RING_TAPE_H
#define WEIR_RING_TAPE_H

#include <errno.h>
#include <stdbool.h>

#include "base/cc.h"
#include "mem/store.h"

struct cursor {
	struct weir_slot *slot;		/* the next to look at */
	struct weir_slot *end;		/* of its segment; NULL: nowhere yet */
	uint64_t number;		/* of the segment, as in a slot */
	uint32_t frame;
};

struct tape {
	struct store *store;
	struct weir_seat *seat;		/* mine */
	uint32_t name;			/* of it */
	uint32_t row;			/* as in the seat, where others could change it */
	uint32_t row_count;
	uint32_t given;			/* chunks and frames that were given back */
	/* How often something was given back: at the last notice; and what we have looked for. */
	uint32_t again_now;
	uint32_t again_seen;
	struct pair guess;		/* what the slot to put into held a moment ago, or 0 */
	bool closing;			/* puts the end */
	struct cursor put;
	struct cursor get;
};

/* How far ahead of itself a seat asks for the lines of its slots. */
#define TAPE_AHEAD 16

/* 0: the cursor stands at a slot to look at; -EBADMSG, -ENOMEM, -ENOBUFS; -ENOENT: and no frame. */
int tape_put_next(struct tape *t);
/* 1: the cursor stands at a slot to look at; 0: nothing comes yet; -EBADMSG, -ENOMEM. */
int tape_get_next(struct tape *t);

/* The same, for a cursor that was left behind or is nowhere. */
int tape_put_find(struct tape *t);
int tape_get_find(struct tape *t);

/* Step over the slots that are used, up to the end of the segment. */
void tape_put_skip(struct cursor *c);

/* How far the number of @word is from the cursor's: 0 the same, negative older. */
static ALWAYS_INLINE int64_t tape_distance(const struct cursor *c, uint64_t word)
{
	return (int64_t)((word & NUMBER_MASK) - c->number);
}

/*
 * To the next slot. What is in it is read now, while the line is ours, from having put something
 * beside it: read when it is needed it would be fetched twice, to be read and to be written.
 */
static ALWAYS_INLINE void tape_put_step(struct tape *t)
{
	struct cursor *c = &t->put;
	struct weir_slot *slot = ++c->slot;

	t->guess.low = 0;
	if (unlikely(slot == c->end))
		return;
	prefetch_to_write(slot + TAPE_AHEAD);
	/* relaxed: the exchange finds out, and what is free stays so until somebody puts */
	t->guess.low = load_relaxed(&slot->state);
	t->guess.high = load_relaxed(&slot->body);	/* relaxed: as above */
	if (unlikely(tape_distance(c, t->guess.low) >= 0 ||
		     (t->guess.low & SLOT_WHAT) != SLOT_FREE))
		t->guess.low = 0;
}

/*
 * Put a message: 0; -EPIPE: the tape has ended; or as tape_put_next().
 *
 * @what	SLOT_FULL, or SLOT_END to end the tape
 * @here	only where the cursor stands: -EAGAIN if that is used, and it stands elsewhere now
 */
static ALWAYS_INLINE int tape_put(struct tape *t, uint64_t what, uint64_t body, bool here)
{
	struct cursor *c = &t->put;

	for (;;) {
		struct weir_slot *slot = c->slot;
		struct pair was;
		int64_t distance;
		int result = 0;

		if (unlikely(slot == c->end)) {
			result = tape_put_next(t);
			if (result < 0 || here)
				return result < 0 ? result : -EAGAIN;
			continue;
		}
		/* order: PUT, as below */
		if (likely(t->guess.low != 0 && cas_pair((struct pair *)(void *)slot, &t->guess,
					    (struct pair){ c->number | what, body }))) {
			tape_put_step(t);
			return 0;
		}
		t->guess.low = 0;
		/* order: DONE acquire, from tape_release(): what was read of the last message. */
		was.low = load_acquire(&slot->state);
		distance = tape_distance(c, was.low);
		if (likely(distance < 0 && (was.low & SLOT_WHAT) == SLOT_FREE)) {
			/* relaxed: the exchange finds out */
			was.high = load_relaxed(&slot->body);
			/* order: PUT, to tape_look(): the message. order: SLEEP: before the bell */
			if (likely(cas_pair((struct pair *)(void *)slot, &was,
					    (struct pair){ c->number | what, body }))) {
				tape_put_step(t);
				return 0;
			}
			continue;
		}
		/* Zero is not of segment 0, but of an emptied frame. */
		if (distance != 0 || was.low == 0)
			result = tape_put_find(t);
		else if ((was.low & SLOT_WHAT) == SLOT_CLOSED)
			return -EPIPE;
		else
			tape_put_skip(c);
		if (result < 0 || here)
			return result < 0 ? result : -EAGAIN;
	}
}

/*
 * The oldest message that is not known to be taken: 1, and the cursor stands at it; 0: there is
 * none; -EPIPE: none, and none will come; -EBADMSG, -ENOMEM.
 */
static ALWAYS_INLINE int tape_look(struct tape *t, uint64_t *ret_state, uint64_t *ret_body)
{
	struct cursor *c = &t->get;

	for (;;) {
		struct weir_slot *slot = c->slot;
		uint64_t state, what;
		int64_t distance;
		int result;

		if (unlikely(slot == c->end)) {
			result = tape_get_next(t);
			if (result <= 0)
				return result;
			continue;
		}
		/*
		 * order: PUT acquire, from tape_put(): the message.
		 * order: SLEEP: after having said that we sleep.
		 */
		state = load_seq(&slot->state);
		distance = tape_distance(c, state);
		what = state & SLOT_WHAT;
		if (likely(distance == 0 && what == SLOT_FULL)) {
			*ret_state = state;
			/* relaxed: stays as it is as long as the state does */
			*ret_body = load_relaxed(&slot->body);
			return 1;
		}
		if (likely(distance < 0 && what == SLOT_FREE))
			return 0;
		/* Zero is not of segment 0, but of an emptied frame. */
		if (distance == 0 && state != 0) {
			if (what == SLOT_CLOSED)
				return -EPIPE;
			c->slot = slot + 1;
			continue;
		}
		result = tape_get_find(t);
		if (result <= 0)
			return result;
	}
}

/* Take the message in @slot, which had @state: whether nobody was faster. */
static ALWAYS_INLINE bool tape_take(const struct tape *t, struct weir_slot *slot, uint64_t state,
				    uint64_t leased)
{
	uint64_t keep = state & (NUMBER_MASK | SLOT_TIMES_MASK | SLOT_TURN_MASK);

	/* order: ROOM, before the look at the writers' bell. */
	return likely(cas_seq(&slot->state, &state,
			      keep | (uint64_t)t->name << SLOT_SEAT_SHIFT | leased | SLOT_TAKEN));
}

/* Be done with the message in @slot, of segment @number, which is ours. */
static ALWAYS_INLINE void tape_release(struct weir_slot *slot, uint64_t number)
{
	/* order: DONE release, to tape_put(), all_done() and holds(): we have read it. */
	store_release(&slot->state, number | SLOT_FREE);
}

/* Which message of all the cursor stands at; of 46 bits that wrap. */
static inline uint64_t tape_position(const struct cursor *c)
{
	uint64_t index = QUEUE_SLOTS - (uint64_t)(c->end - c->slot);

	return (c->number >> NUMBER_SHIFT) * QUEUE_SLOTS + index;
}

#define TAPE_POSITION_MASK ((UINT64_C(1) << (NUMBER_BITS + 10)) - 1)

/* The beginning of the segment at @place: 0; -EBADMSG, -ENOMEM. */
int tape_enter(struct store *s, uint64_t place, struct cursor *ret);
/* Move a hint from the segment of @c to the one behind it, unless somebody was faster. */
void tape_help(uint64_t *hint, const struct cursor *c, const struct cursor *next);

/* The first segment, in frame 0 of an empty store. */
int tape_create(struct store *s, uint64_t first_number);

/* The last segment that hangs on the tape, and its number. -EBADMSG, -ENOMEM. */
int tape_find_last(struct store *s, struct cursor *ret);
/*
 * The first message that is not taken; what was given back aside. @c is where it was once, or
 * nowhere.
 */
int tape_find_first(struct store *s, struct cursor *c);
/* The segment after that of @c: 1; 0: there is none yet; -EBADMSG, -ENOMEM, -ESTALE. */
int tape_follow(struct store *s, const struct cursor *c, struct cursor *ret);

/*
 * A message in front of the cursor that somebody has given back: 1, 0, or an error. Written down in
 * the seat as what we are about to take.
 */
int tape_find_again(struct tape *t, struct weir_slot **ret_slot, uint64_t *ret_state,
		    uint64_t *ret_body);

/* Give back what is taken in @slot, which has @state; whether it did. */
bool tape_requeue(struct weir_slot *slot, uint64_t state);
/* Give back all that seat @name, which is gone, has taken in @frame; how much. */
int tape_requeue_frame(struct store *s, uint32_t frame, uint32_t name, uint64_t seat_word);

#endif
