/* SPDX-License-Identifier: MIT */
#include "ring/frame.h"

/* Frames that are free and keep their memory. */
#define FRAMES_KEPT 16
/* Of those beyond, so many lose it when they are given back: see ring/chunk.c. */
#define EMPTY_ONE_OF 8

static bool hold(struct tape *t, uint32_t index, uint64_t *ret_word)
{
	struct weir_frame *frame = store_frame(t->store, index);
	uint64_t word, held;

	if (!frame)
		return false;
	word = load_acquire(&frame->word);	/* order: FRAME acquire, from who had it before */
	if ((word & FRAME_STATE) != FRAME_FREE)
		return false;
	held = (word & (NUMBER_MASK | FRAME_WARM)) | FRAME_HELD |
	       ((word + FRAME_TURN_ONE) & FRAME_TURN_MASK) | (uint64_t)t->name << FRAME_SEAT_SHIFT;
	/* relaxed: read after our death, which the kernel orders; LEDGER: before the exchange */
	store_relaxed(&t->seat->frame, index + 1);
	*ret_word = held;
	if (!cas_seq(&frame->word, &word, held))	/* order: LEDGER, FRAME */
		return false;
	if (word & FRAME_WARM)
		add_relaxed(&t->store->control->frames_free, -1U);	/* relaxed: a hint */
	return true;
}

/* A free frame below the top. */
static int hold_used(struct tape *t, uint64_t *ret_word)
{
	struct weir_queue_control *control = t->store->control;
	/* relaxed: hints, both */
	uint32_t spare = load_relaxed(&control->frame_spare);
	uint32_t top = load_relaxed(&control->frame_top);	/* relaxed: as above */

	if (spare > 0) {
		store_relaxed(&control->frame_spare, 0);	/* relaxed: as above */
		if (hold(t, spare - 1, ret_word))
			return (int)spare - 1;
	}
	for (uint32_t i = 0; i < top && i < t->store->geometry.frames; i++)
		if (hold(t, i, ret_word))
			return (int)i;
	return -ENOENT;
}

static int hold_new(struct tape *t, uint64_t *ret_word)
{
	struct weir_queue_control *control = t->store->control;
	/* relaxed: the exchange finds out */
	uint32_t top = load_relaxed(&control->frame_top);
	/* The end of the tape is to have a slot, too. */
	uint32_t limit = t->store->geometry.frames - !t->closing;

	while (top < limit) {
		/* order: FRAME: below the top there are zeroes, or what came since */
		if (!cas_seq(&control->frame_top, &top, top + 1))
			continue;
		if (hold(t, top, ret_word))
			return (int)top;
		top++;
	}
	return -ENOENT;
}

/* Many more frames than the tape is long: some could be retired, and nobody did. */
static bool some_left_behind(const struct store *s)
{
	/* relaxed: hints */
	uint64_t head = load_relaxed(&s->control->head), tail = load_relaxed(&s->control->tail);

	return load_relaxed(&s->control->frame_top) >	/* relaxed: as above */
	       2 * ((tail - head) >> NUMBER_SHIFT) + FRAMES_KEPT;
}

static int hold_any(struct tape *t, uint64_t *ret_word)
{
	int index = hold_used(t, ret_word);

	if (index == -ENOENT && some_left_behind(t->store)) {
		frame_sweep(t);
		index = hold_used(t, ret_word);
	}
	if (index == -ENOENT)
		index = hold_new(t, ret_word);
	if (index == -ENOENT) {
		frame_sweep(t);
		index = hold_used(t, ret_word);
	}
	if (index < 0)
		store_relaxed(&t->seat->frame, 0);	/* relaxed: LEDGER, nothing came of it */
	return index;
}

/* Be rid of a frame that is ours: @word is what it is to be. */
static void put_back(struct tape *t, struct weir_frame *frame, uint64_t word)
{
	store_release(&frame->word, word);	/* order: FRAME release, to hold() */
	store_relaxed(&t->seat->frame, 0);	/* relaxed: LEDGER, ours alone as long as we live */
	if (word & FRAME_WARM)
		add_relaxed(&t->store->control->frames_free, 1);	/* relaxed: a hint */
}

/* Give all slots the number of the segment before the one that this is going to be. */
static int make_ready(struct tape *t, uint32_t index, struct weir_frame *frame, uint64_t older)
{
	struct weir_slot *slots = store_slots(t->store, index);
	int result = slots ? store_populate_frame(t->store, index) : -ENOMEM;

	if (result < 0 || !slots)
		return result;
	for (uint32_t i = 0; i < QUEUE_SLOTS; i++)
		/* relaxed: known by HANG; who looks before is lost with any number but his own */
		store_relaxed(&slots[i].state, older | SLOT_FREE);
	if (load_relaxed(&frame->next) == 0)	/* relaxed: ours; never used before */
		store_relaxed(&frame->next, older);	/* relaxed: as above */
	return 0;
}

/* Hang a frame in behind the segment of the cursor. 0: there is one now, ours or another. */
int frame_hang_in(struct tape *t)
{
	const struct cursor *c = &t->put;
	struct weir_frame *here = store_frame(t->store, c->frame), *frame;
	uint64_t word, live, next;
	int index = hold_any(t, &word), result = 0;

	if (index < 0)
		return index;
	frame = store_frame(t->store, (uint32_t)index);
	if (!(word & FRAME_WARM))
		result = make_ready(t, (uint32_t)index, frame, c->number);
	if (result < 0) {
		put_back(t, frame, word & (NUMBER_MASK | FRAME_TURN_MASK));
		return result;
	}
	store_relaxed(&frame->prev, c->frame);	/* relaxed: known by HANG */
	live = (c->number + NUMBER_ONE) | (word & (FRAME_SEAT_MASK | FRAME_TURN_MASK)) |
	       FRAME_WARM | FRAME_LIVE;
	store_release(&frame->word, live);	/* order: FRAME release, to frame_mend() */
	next = load_relaxed(&here->next);	/* relaxed: the exchange finds out */
	/* order: HANG, to tape_follow(): all of the above. */
	if (tape_distance(c, next) < 0 &&
	    cas_seq(&here->next, &next, c->number | (uint32_t)index)) {
		store_relaxed(&t->seat->frame, 0);	/* relaxed: LEDGER */
		return 0;
	}
	put_back(t, frame, (live & ~(FRAME_STATE | FRAME_SEAT_MASK)) | FRAME_FREE);
	return 0;
}

void frame_mend(struct store *s, uint32_t index, uint32_t name, uint64_t seat_word)
{
	struct weir_frame *frame = store_frame(s, index), *prev;
	struct weir_slot *slots = store_slots(s, index);
	struct weir_seat *seat = store_seat(s, name);
	uint64_t word, number, before, head;

	if (!frame || !slots || !seat)
		return;
	word = load_acquire(&frame->word);	/* order: FRAME acquire */
	if (FRAME_SEAT(word) != name || (word & FRAME_STATE) == FRAME_FREE)
		return;
	number = PLACE_NUMBER(word);
	if ((word & FRAME_STATE) == FRAME_LIVE) {
		before = number - NUMBER_ONE;
		prev = store_frame(s, (uint32_t)load_relaxed(&frame->prev));	/* relaxed: FRAME */
		/* order: HANG, HINT: in this order, see the design */
		if (prev && load_seq(&prev->next) == (before | index))
			return;
		head = load_seq(&s->control->head);	/* order: HINT */
		/* order: HINT: used before the head went on */
		if (head == (number | index) ||
		    PLACE_NUMBER(load_seq(&slots[0].state)) == number)
			return;
	}
	/* order: PARTY acquire: so it was the dead one's */
	if (load_acquire(&seat->name.low) != seat_word)
		return;
	/* Emptied or made ready half-way, it has slots of all sorts. order: FRAME */
	cas_seq(&frame->word, &word, number | (word & FRAME_TURN_MASK) | FRAME_FREE);
}

/*
 * Retiring
 */

/* The number that no live segment is older than. */
static uint64_t find_low(struct store *s)
{
	/* order: HINT acquire: what hangs in later is newer than this. */
	uint64_t low = PLACE_NUMBER(load_acquire(&s->control->tail));
	uint32_t top = store_frame_top(s);

	for (uint32_t i = 0; i < top; i++) {
		struct weir_frame *frame = store_frame(s, i);
		uint64_t word;

		if (!frame)
			return load_relaxed(&s->control->low);	/* relaxed: as it is */
		word = load_acquire(&frame->word);	/* order: FRAME acquire */
		if ((word & FRAME_STATE) == FRAME_LIVE && (int64_t)(PLACE_NUMBER(word) - low) < 0)
			low = PLACE_NUMBER(word);
	}
	return low;
}

static void raise_low(struct store *s, uint64_t number, const struct cursor *next)
{
	struct weir_frame *frame = store_frame(s, next->frame);
	uint64_t was = load_relaxed(&s->control->low), low;	/* relaxed: a hint */

	if ((int64_t)(number - was) < 0 || !frame)
		return;
	low = load_acquire(&frame->word);	/* order: FRAME acquire */
	if (was == number && (low & FRAME_STATE) == FRAME_LIVE &&
	    PLACE_NUMBER(low) == next->number)
		low = next->number;
	else
		low = find_low(s);
	if ((int64_t)(low - was) > 0)
		cas_seq(&s->control->low, &was, low);	/* order: LOW, to is_done() */
}

static void keep_or_empty(struct tape *t, uint32_t index)
{
	struct weir_queue_control *control = t->store->control;
	uint64_t word;

	/* relaxed: hints */
	if ((int32_t)add_relaxed(&control->frames_free, 1) < FRAMES_KEPT ||
	    ++t->given % EMPTY_ONE_OF != 0) {
		store_relaxed(&control->frame_spare, index + 1);	/* relaxed: a hint */
		return;
	}
	if (load_relaxed(&t->seat->frame) != 0 || !hold(t, index, &word))	/* relaxed: ours */
		return;
	store_empty_frame(t->store, index);
	put_back(t, store_frame(t->store, index), word & (NUMBER_MASK | FRAME_TURN_MASK));
}

void frame_trim(struct tape *t)
{
	struct weir_queue_control *control = t->store->control;
	uint32_t top = store_frame_top(t->store);
	uint64_t word;

	/* relaxed: a hint */
	for (uint32_t i = 0; i < top && (int32_t)load_relaxed(&control->frames_free) > FRAMES_KEPT;
	     i++) {
		struct weir_frame *frame = store_frame(t->store, i);

		/* relaxed: looked at again */
		word = frame ? load_relaxed(&frame->word) : 0;
		if ((word & (FRAME_STATE | FRAME_WARM)) != FRAME_WARM || !hold(t, i, &word))
			continue;
		store_empty_frame(t->store, i);
		put_back(t, frame, word & (NUMBER_MASK | FRAME_TURN_MASK));
	}
	store_relaxed(&t->seat->frame, 0);	/* relaxed: LEDGER */
}

static bool all_done(const struct weir_slot *slots, uint64_t number)
{
	for (uint32_t i = 0; i < QUEUE_SLOTS; i++)
		/* order: DONE acquire, from tape_release() */
		if ((load_acquire(&slots[i].state) & (NUMBER_MASK | SLOT_WHAT)) !=
		    (number | SLOT_FREE))
			return false;
	return true;
}

bool frame_retire(struct tape *t, uint32_t index, uint64_t number)
{
	struct weir_frame *frame = store_frame(t->store, index);
	struct weir_queue_control *control = t->store->control;
	struct cursor c, next;
	uint64_t word;

	if (!frame || tape_enter(t->store, number | index, &c) < 0)
		return false;
	word = load_acquire(&frame->word);	/* order: FRAME acquire */
	if ((word & FRAME_STATE) != FRAME_LIVE || PLACE_NUMBER(word) != number ||
	    tape_follow(t->store, &c, &next) != 1 || !all_done(c.slot, number))
		return false;
	tape_help(&control->tail, &c, &next);
	tape_help(&control->head, &c, &next);
	/* order: HINT: both are beyond it, or it stays. */
	if ((int64_t)(PLACE_NUMBER(load_seq(&control->tail)) - number) <= 0 ||
	    (int64_t)(PLACE_NUMBER(load_seq(&control->head)) - number) <= 0)	/* order: HINT */
		return false;
	/* order: FRAME, HINT: not before the hints */
	if (!cas_seq(&frame->word, &word, word & (NUMBER_MASK | FRAME_TURN_MASK | FRAME_WARM)))
		return false;
	raise_low(t->store, number, &next);
	keep_or_empty(t, index);
	return true;
}

void frame_sweep(struct tape *t)
{
	struct store *s = t->store;
	uint32_t top = store_frame_top(s);
	struct cursor c = { 0 };

	/* The first moves the head as far as it goes. */
	if (tape_find_first(s, &c) < 0)
		return;
	for (uint32_t i = 0; i < top; i++) {
		struct weir_frame *frame = store_frame(s, i);
		/* relaxed: looked at again */
		uint64_t word = frame ? load_relaxed(&frame->word) : 0;

		if ((word & FRAME_STATE) == FRAME_LIVE)
			frame_retire(t, i, PLACE_NUMBER(word));
	}
}
