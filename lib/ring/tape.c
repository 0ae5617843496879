/* SPDX-License-Identifier: MIT */
#include "ring/tape.h"

/* Frames that are free and keep their memory. */
#define FRAMES_KEPT 16
/* Slots looked at one by one before the rest is halved. */
#define SKIP_STEPS 4

static uint64_t place_of(const struct cursor *c)
{
	return c->number | c->frame;
}

/* The beginning of the segment at @place. */
static int enter(struct store *s, uint64_t place, struct cursor *ret)
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
	next = load_acquire(&frame->next);	/* order: HANG acquire, from hang_in() */
	distance = tape_distance(c, next);
	if (distance != 0)
		return distance < 0 ? 0 : -ESTALE;
	result = enter(s, (c->number + NUMBER_ONE) | PLACE_FRAME(next), ret);
	return result < 0 ? result : 1;
}

/* Move a hint from the segment of @c to the one behind it, unless somebody was faster. */
static void help(uint64_t *hint, const struct cursor *c, const struct cursor *next)
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
	int result = enter(s, load_acquire(&s->control->tail), ret);

	for (uint32_t i = 0; result == 0 && i <= s->geometry.frames; i++) {
		result = tape_follow(s, ret, &next);
		if (result == 0)
			return 0;
		/* It was retired, so the hint is beyond it. */
		if (result == -ESTALE) {
			/* order: HINT acquire: as above */
			result = enter(s, load_acquire(&s->control->tail), ret);
			continue;
		}
		if (result == 1) {
			help(&s->control->tail, ret, &next);
			*ret = next;
			result = 0;
		}
	}
	return result < 0 ? result : -EBADMSG;
}

/*
 * Frames
 */

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
		tape_sweep(t);
		index = hold_used(t, ret_word);
	}
	if (index == -ENOENT)
		index = hold_new(t, ret_word);
	if (index == -ENOENT) {
		tape_sweep(t);
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
static int hang_in(struct tape *t)
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
	store_release(&frame->word, live);	/* order: FRAME release, to tape_mend_frame() */
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

void tape_mend_frame(struct store *s, uint32_t index, uint32_t name, uint64_t seat_word)
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
	/* order: SEAT acquire: so it was the dead one's */
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
	uint32_t top = load_relaxed(&s->control->frame_top);	/* relaxed: those above are newer */

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
	if (add_relaxed(&control->frames_free, 1) < FRAMES_KEPT) {
		store_relaxed(&control->frame_spare, index + 1);	/* relaxed: a hint */
		return;
	}
	if (load_relaxed(&t->seat->frame) != 0 || !hold(t, index, &word))	/* relaxed: ours */
		return;
	store_empty_frame(t->store, index);
	put_back(t, store_frame(t->store, index), word & (NUMBER_MASK | FRAME_TURN_MASK));
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

bool tape_retire(struct tape *t, uint32_t index, uint64_t number)
{
	struct weir_frame *frame = store_frame(t->store, index);
	struct weir_queue_control *control = t->store->control;
	struct cursor c, next;
	uint64_t word;

	if (!frame || enter(t->store, number | index, &c) < 0)
		return false;
	word = load_acquire(&frame->word);	/* order: FRAME acquire */
	if ((word & FRAME_STATE) != FRAME_LIVE || PLACE_NUMBER(word) != number ||
	    tape_follow(t->store, &c, &next) != 1 || !all_done(c.slot, number))
		return false;
	help(&control->tail, &c, &next);
	help(&control->head, &c, &next);
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

void tape_sweep(struct tape *t)
{
	struct store *s = t->store;
	uint32_t top = load_relaxed(&s->control->frame_top);	/* relaxed: those above are new */
	struct cursor c;

	/* The first moves the head as far as it goes. */
	if (tape_find_first(s, &c) < 0)
		return;
	for (uint32_t i = 0; i < top; i++) {
		struct weir_frame *frame = store_frame(s, i);
		/* relaxed: looked at again */
		uint64_t word = frame ? load_relaxed(&frame->word) : 0;

		if ((word & FRAME_STATE) == FRAME_LIVE)
			tape_retire(t, i, PLACE_NUMBER(word));
	}
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
		return hang_in(t);
	if (result < 0)
		return result;
	help(&t->store->control->tail, &t->put, &next);
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
	int result = enter(t->store, load_acquire(&t->store->control->head), &first);

	if (result < 0)
		return result;
	if (t->get.end && place_of(&t->get) == place_of(&first))
		return -EBADMSG;
	read_at(t, &first);
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
	help(&control->tail, &here, &next);
	help(&control->head, &here, &next);
	read_at(t, &next);
	tape_retire(t, here.frame, here.number);
	return 1;
}

int tape_find_first(struct store *s, struct cursor *ret)
{
	/* order: HINT acquire: what it points at hangs on the tape */
	uint64_t place = load_acquire(&s->control->head);
	uint32_t patience = s->geometry.frames;
	struct cursor c, next;
	int result = enter(s, place, &c);

	while (result == 0) {
		uint64_t state = load_acquire(&c.slot->state);	/* order: PUT acquire */
		int64_t distance = tape_distance(&c, state);

		if (distance > 0 || state == 0) {
			/* order: HINT acquire: as above */
			uint64_t now = load_acquire(&s->control->head);

			if (now == place || patience-- == 0)
				return -EBADMSG;
			place = now;
			result = enter(s, place, &c);
			continue;
		}
		if (distance < 0 || (state & SLOT_WHAT) == SLOT_FULL ||
		    (state & SLOT_WHAT) == SLOT_CLOSED)
			break;
		if (++c.slot < c.end)
			continue;
		result = tape_follow(s, &c, &next);
		if (result == 0 || result == -ESTALE)
			break;
		if (result == 1) {
			help(&s->control->tail, &c, &next);
			help(&s->control->head, &c, &next);
			c = next;
			place = place_of(&c);
			result = 0;
		}
	}
	if (result < 0 && result != -ESTALE)
		return result;
	*ret = c;
	return 0;
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
		uint64_t state = load_acquire(&slots[i].state);	/* order: SEAT, before the seat */

		if ((state & SLOT_WHAT) != SLOT_TAKEN || SLOT_SEAT(state) != name)
			continue;
		/* order: SEAT acquire: so it was the dead one's */
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
	uint32_t top = load_relaxed(&s->control->frame_top);	/* relaxed: those above are newer */
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
