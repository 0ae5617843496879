/* SPDX-License-Identifier: MIT */
#include "ring/tape.h"

#include "ring/frame.h"

/* Frames that are free and keep their memory. */
#define FRAMES_KEPT 16
/* Of those beyond, so many lose it when they are given back: see ring/chunk.c. */
#define EMPTY_ONE_OF 8
/* Slots looked at one by one before the rest is halved. */
#define SKIP_STEPS 4

static uint64_t place_of(const struct cursor *c)
{
	return c->number | c->frame;
}

/* The beginning of the segment at @place. */
int tape_enter(struct store *s, uint64_t place, struct cursor *ret)
{
	uint32_t frame = PLACE_FRAME(place);
	struct weir_slot *slots = store_slots(s, frame);

	if (!slots)
		return frame >= s->geometry.frames ? -EBADMSG : -ENOMEM;
	*ret = (struct cursor){
		.slot = slots,
		.end = slots + QUEUE_SLOTS,
		.number = PLACE_NUMBER(place),
		.frame = frame,
	};
	return 0;
}

int tape_follow(struct store *s, const struct cursor *c, struct cursor *ret)
{
	struct weir_frame *frame = store_frame(s, c->frame);
	int64_t distance;
	uint64_t next;
	int result;

	if (!frame)
		return -ENOMEM;
	next = load_acquire(&frame->next);	/* order: HANG acquire, from frame_hang_in() */
	distance = tape_distance(c, next);
	if (distance != 0)
		return distance < 0 ? 0 : -ESTALE;
	result = tape_enter(s, (c->number + NUMBER_ONE) | PLACE_FRAME(next), ret);
	return result < 0 ? result : 1;
}

/* Move a hint from the segment of @c to the one behind it, unless somebody was faster. */
void tape_help(uint64_t *hint, const struct cursor *c, const struct cursor *next)
{
	uint64_t was = place_of(c);

	/* order: HINT, tail before head before retired */
	cas_seq(hint, &was, place_of(next));
}

int tape_create(struct store *s, uint64_t first_number)
{
	struct weir_frame *frame = store_frame(s, 0);
	struct weir_slot *slots = store_slots(s, 0);
	uint64_t number = first_number << NUMBER_SHIFT, older = number - NUMBER_ONE;
	int result;

	if (!frame || !slots)
		return -ENOMEM;
	result = store_populate_frame(s, 0);
	if (result < 0)
		return result;
	/* relaxed: nobody else has it yet */
	for (uint32_t i = 0; i < QUEUE_SLOTS; i++)
		store_relaxed(&slots[i].state, older | SLOT_FREE);	/* relaxed: as above */
	store_relaxed(&frame->next, older);	/* relaxed: as above */
	store_relaxed(&frame->word, number | FRAME_WARM | FRAME_LIVE);	/* relaxed: as above */
	store_relaxed(&s->control->frame_top, 1);	/* relaxed: as above */
	store_relaxed(&s->control->head, number);	/* relaxed: as above */
	store_relaxed(&s->control->tail, number);	/* relaxed: as above */
	store_relaxed(&s->control->low, number);	/* relaxed: as above */
	return 0;
}

int tape_find_last(struct store *s, struct cursor *ret)
{
	struct cursor next;
	/* order: HINT acquire: what it points at hangs on the tape */
	int result = tape_enter(s, load_acquire(&s->control->tail), ret);

	for (uint32_t i = 0; result == 0 && i <= s->geometry.frames; i++) {
		result = tape_follow(s, ret, &next);
		if (result == 0)
			return 0;
		/* It was retired, so the hint is beyond it. */
		if (result == -ESTALE) {
			/* order: HINT acquire: as above */
			result = tape_enter(s, load_acquire(&s->control->tail), ret);
			continue;
		}
		if (result == 1) {
			tape_help(&s->control->tail, ret, &next);
			*ret = next;
			result = 0;
		}
	}
	return result < 0 ? result : -EBADMSG;
}

/*
 * Cursors
 */

/* Whether the slot is used for the cursor's segment, by a message. */
static bool used(const struct cursor *c, const struct weir_slot *slot)
{
	uint64_t state = load_relaxed(&slot->state);	/* relaxed: tape_put() looks again */

	return tape_distance(c, state) >= 0 && (state & SLOT_WHAT) != SLOT_CLOSED;
}

void tape_put_skip(struct cursor *c)
{
	struct weir_slot *low = c->slot, *high = c->end, *middle;

	for (int i = 0; i < SKIP_STEPS && low < high; i++, low++)
		if (!used(c, low)) {
			c->slot = low;
			return;
		}
	while (low < high) {
		middle = low + (high - low) / 2;
		if (used(c, middle))
			low = middle + 1;
		else
			high = middle;
	}
	c->slot = low;
}

int tape_put_find(struct tape *t)
{
	struct cursor last;
	int result = tape_find_last(t->store, &last);

	if (result < 0)
		return result;
	/* A segment is not retired before the hints are beyond it. */
	if (t->put.end && place_of(&t->put) == place_of(&last))
		return -EBADMSG;
	t->put = last;
	tape_put_skip(&t->put);
	return 0;
}

int tape_put_next(struct tape *t)
{
	struct cursor next;
	int result;

	if (!t->put.end)
		return tape_put_find(t);
	result = tape_follow(t->store, &t->put, &next);
	if (result == -ESTALE)
		return tape_put_find(t);
	if (result == 0)
		return frame_hang_in(t);
	if (result < 0)
		return result;
	tape_help(&t->store->control->tail, &t->put, &next);
	t->put = next;
	tape_put_skip(&t->put);
	return 0;
}

static void read_at(struct tape *t, const struct cursor *c)
{
	/* relaxed: LEDGER, before the exchange that takes something there */
	store_relaxed(&t->seat->taking, c->frame + 1);
	t->get = *c;
}

int tape_get_find(struct tape *t)
{
	struct cursor first;
	/* order: HINT acquire: what it points at hangs on the tape */
	int result = tape_enter(t->store, load_acquire(&t->store->control->head), &first);

	if (result < 0)
		return result;
	if (t->get.end && place_of(&t->get) == place_of(&first))
		return -EBADMSG;
	read_at(t, &first);
	/* What was given back in what we have left out is to be looked for. */
	t->again_seen = t->again_now - 1;
	return 1;
}

int tape_get_next(struct tape *t)
{
	struct weir_queue_control *control = t->store->control;
	struct cursor here = t->get, next;
	int result;

	if (!here.end)
		return tape_get_find(t);
	result = tape_follow(t->store, &here, &next);
	if (result == -ESTALE)
		return tape_get_find(t);
	if (result <= 0)
		return result;
	tape_help(&control->tail, &here, &next);
	tape_help(&control->head, &here, &next);
	read_at(t, &next);
	frame_retire(t, here.frame, here.number);
	return 1;
}

/* Whether the message of a slot of the segment was taken, by whomever. */
static bool is_taken(const struct cursor *c, const struct weir_slot *slot)
{
	uint64_t state = load_acquire(&slot->state);	/* order: DONE acquire */
	uint64_t what = state & SLOT_WHAT;

	return tape_distance(c, state) == 0 && (what == SLOT_TAKEN || what == SLOT_FREE);
}

/*
 * Step over what was taken. They are a prefix of the segment but for what was given back, which
 * this may step over too.
 */
static void skip_taken(struct cursor *c)
{
	struct weir_slot *low = c->slot, *high = c->end, *middle;

	for (int i = 0; i < SKIP_STEPS && low < high; i++, low++)
		if (!is_taken(c, low)) {
			c->slot = low;
			return;
		}
	while (low < high) {
		middle = low + (high - low) / 2;
		if (is_taken(c, middle))
			low = middle + 1;
		else
			high = middle;
	}
	c->slot = low;
}

int tape_find_first(struct store *s, struct cursor *c)
{
	uint32_t patience = s->geometry.frames;
	struct cursor next;
	/* order: HINT acquire: what it points at hangs on the tape */
	uint64_t place = load_acquire(&s->control->head);
	int result = place_of(c) == place && c->end ? 0 : tape_enter(s, place, c);

	while (result == 0) {
		skip_taken(c);
		if (c->slot < c->end) {
			uint64_t state = load_relaxed(&c->slot->state);	/* relaxed: a look */

			/* order: HINT acquire: as above */
			place = load_acquire(&s->control->head);
			if (place == place_of(c))
				return 0;
			/* It is behind the head, or has been left behind. */
			if (state == 0 && patience-- == 0)
				return -EBADMSG;
			result = tape_enter(s, place, c);
			continue;
		}
		result = tape_follow(s, c, &next);
		if (result == 0)
			return 0;
		if (result == 1) {
			tape_help(&s->control->tail, c, &next);
			tape_help(&s->control->head, c, &next);
			*c = next;
			result = 0;
		} else if (result == -ESTALE) {
			/* order: HINT acquire: as above */
			result = tape_enter(s, load_acquire(&s->control->head), c);
		}
		if (patience-- == 0)
			return -EBADMSG;
	}
	return result;
}

/*
 * What is given back
 */

bool tape_requeue(struct weir_slot *slot, uint64_t state)
{
	uint64_t full = (state & (NUMBER_MASK | SLOT_TIMES_MASK)) | SLOT_FULL |
			((state + SLOT_TURN_ONE) & SLOT_TURN_MASK);

	if ((state & SLOT_LEASED) && (state & SLOT_TIMES_MASK) != SLOT_TIMES_MASK)
		full += SLOT_TIMES_ONE;
	return cas_seq(&slot->state, &state, full);	/* order: AGAIN, before it is counted */
}

int tape_requeue_frame(struct store *s, uint32_t frame, uint32_t name, uint64_t seat_word)
{
	struct weir_slot *slots = store_slots(s, frame);
	struct weir_seat *seat = store_seat(s, name);
	int count = 0;

	if (!slots || !seat)
		return 0;
	for (uint32_t i = 0; i < QUEUE_SLOTS; i++) {
		uint64_t state = load_acquire(&slots[i].state);	/* order: PARTY, before the seat */

		if ((state & SLOT_WHAT) != SLOT_TAKEN || SLOT_SEAT(state) != name)
			continue;
		/* order: PARTY acquire: so it was the dead one's */
		if (load_acquire(&seat->name.low) != seat_word)
			return count;
		count += tape_requeue(&slots[i], state);
	}
	return count;
}

/* The first FULL slot of a live segment, before @end; NULL. */
static struct weir_slot *find_full(struct weir_slot *slots, const struct weir_slot *end,
				   uint64_t number, uint64_t *ret_state)
{
	for (; slots < end; slots++) {
		*ret_state = load_acquire(&slots->state);	/* order: PUT acquire */
		if ((*ret_state & (NUMBER_MASK | SLOT_WHAT)) == (number | SLOT_FULL))
			return slots;
	}
	return NULL;
}

/*
 * A cursor in front of the head may be left behind any time, and begin at the head again: what is
 * given back between the two would not be seen.
 */
static int come_to_head(struct tape *t)
{
	/* order: HINT acquire: what it points at hangs on the tape */
	uint64_t head = load_acquire(&t->store->control->head);

	if (t->get.end && tape_distance(&t->get, head) <= 0)
		return 0;
	return tape_get_find(t);
}

int tape_find_again(struct tape *t, struct weir_slot **ret_slot, uint64_t *ret_state,
		    uint64_t *ret_body)
{
	struct store *s = t->store;
	int result = come_to_head(t);
	uint32_t top = store_frame_top(s);
	struct weir_slot *best = NULL;
	uint32_t best_frame = 0;

	if (result < 0)
		return result;
	for (uint32_t i = 0; i < top; i++) {
		struct weir_frame *frame = store_frame(s, i);
		struct weir_slot *slots = store_slots(s, i), *found;
		uint64_t word, state;
		bool here = i == t->get.frame;

		if (!frame || !slots)
			return -ENOMEM;
		word = load_acquire(&frame->word);	/* order: FRAME acquire */
		if ((word & FRAME_STATE) != FRAME_LIVE || tape_distance(&t->get, word) > 0)
			continue;
		found = find_full(slots, here ? t->get.slot : slots + QUEUE_SLOTS,
				  PLACE_NUMBER(word), &state);
		if (!found || (best && (int64_t)(state - *ret_state) > 0))
			continue;
		best = found;
		best_frame = i;
		*ret_state = state;
	}
	if (!best)
		return 0;
	store_relaxed(&t->seat->taking_again, best_frame + 1);	/* relaxed: LEDGER */
	*ret_slot = best;
	*ret_body = load_relaxed(&best->body);	/* relaxed: stays as long as the state does */
	return 1;
}
