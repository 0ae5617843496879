/* SPDX-License-Identifier: MIT */
/*
 * A queue as the source of a wait set. The set watches the descriptors of queue-level.c for edges,
 * takes no tokens, and says in the bell when it is to be signalled: it arms.
 *
 * Who brings something signals, if it is armed, in front of the exchange that brings it, and again
 * behind it if it was armed meanwhile. So what can be missed is only what was under way when it was
 * armed, in the hands of one who dies then. Whether somebody has anything in hand is looked at
 * last, and told to the set, which looks again after a while: then the dead are cleaned up after.
 */
#include "obj/queue.h"

#include "sys/sys.h"

/* How often it is armed again since something was given back meanwhile. */
#define ARM_TIMES	4
/* And how often others may change the bell first. */
#define MARK_TIMES	1000
/* Of the notice: what makes a look at the queue worthless that was before it. */
#define NEWS	(~(NOTICE_DEEP | NOTICE_HUNGRY | NOTICE_POLLED))

static const struct queue_want reader = { .side = QUEUE_READER };

/* The sides of @events that can ever have to wait: 1 << side. */
static uint32_t sides_of(const struct weir_queue *q, uint32_t events)
{
	uint32_t sides = events & WEIR_IN ? 1U << QUEUE_READER : 0;

	if ((events & WEIR_OUT) && q->store.geometry.max_items > 0)
		sides |= 1U << QUEUE_WRITER;
	return sides;
}

/*
 * Looking
 */

static bool has_message(struct queue_seat *s)
{
	bool found = queue_look(s, &reader);

	store_relaxed(&s->shared->taking_again, 0);	/* relaxed: LEDGER: only looked at */
	return found;
}

static bool has_memory(struct queue_seat *s)
{
	/* relaxed: a hint. If a put finds less than it was told it says so again. */
	uint64_t size = load_relaxed(&s->queue->room);
	struct queue_want want = { .side = QUEUE_WRITER, .size = size };

	if (size == 0)
		return true;
	if (!queue_has_room(s, &want))
		return false;
	store_relaxed(&s->queue->room, 0);	/* relaxed: as above */
	return true;
}

static uint32_t look(struct queue_seat *s, uint32_t events)
{
	uint32_t ready = 0;

	if ((events & WEIR_IN) && has_message(s))
		ready |= WEIR_IN;
	if ((events & WEIR_OUT) && (s->ended || (queue_has_place(s) && has_memory(s))))
		ready |= WEIR_OUT;
	return ready;
}

/*
 * Whether anybody has something in hand, whose death would be the only thing to tell of it. Not our
 * own process: it would not be told.
 */
static bool is_busy(const struct queue_seat *s, uint32_t name)
{
	const struct weir_seat *seat = store_seat(s->tape.store, name);
	uint64_t low, self = s->word;

	if (!seat)
		return false;
	/* order: PARTY acquire: if it was cleaned up after, what it had was given back */
	low = load_acquire(&seat->name.low);
	if ((low & PARTY_STATE) != PARTY_USED)
		return false;
	/* relaxed: of our own process it cannot become another's unseen */
	if (PARTY_SPACE(low) != 0 && PARTY_SPACE(low) == PARTY_SPACE(self) &&
	    load_relaxed(&seat->name.high) == load_relaxed(&s->shared->name.high))
		return false;
	/* order: LEVEL: who has not seen that it is armed says so, and in this order */
	(void)load_seq(&seat->levels);
	return load_seq(&seat->inside) == SEAT_INSIDE ||	/* order: INSIDE, LEVEL */
	       load_relaxed(&seat->leases) ||	/* relaxed: LEDGER; taken before our look */
	       load_relaxed(&seat->row);	/* relaxed: as above */
}

static bool others_are_busy(const struct queue_seat *s)
{
	uint32_t top = store_seat_top(s->tape.store);

	for (uint32_t name = 1; name <= top; name++)
		if (name != s->name && is_busy(s, name))
			return true;
	return false;
}

/*
 * Arming
 */

/* The bell changes, also if it is armed already: whoever has just signalled does not clear it. */
static bool mark(struct queue_seat *s, uint32_t sides)
{
	struct weir_queue_control *control = queue_control(s);
	bool done = true;

	for (int side = 0; side < QUEUE_SIDES; side++) {
		uint32_t *bell = queue_bell(control, side);
		uint32_t was = load_relaxed(bell);	/* relaxed: the exchange finds out */
		int i = 0;

		if (!(sides & (1U << side)))
			continue;
		while (!bell_mark(bell, &was, BELL_ARMED, true) && i < MARK_TIMES)
			i++;
		done &= i < MARK_TIMES;
	}
	return done;
}

/* 0: there is something, or it is armed, and nobody has anything in hand; 1: somebody may have. */
static int arm(struct queue_seat *s, uint32_t events, uint32_t *ret_ready)
{
	const uint64_t *notice = &queue_control(s)->notice;

	for (int i = 0; i < ARM_TIMES; i++) {
		bool done = mark(s, sides_of(s->queue, events));
		/* order: AGAIN acquire: what was given back before is there; DEEP: seq */
		uint64_t before = load_seq(notice);
		int result = before == s->notice_seen ? 0 : queue_notice(s, true);

		if (result < 0)
			return result;
		*ret_ready = look(s, events);
		if (*ret_ready != 0)
			return 0;
		/* After the look: who has taken what was not there any more is in there. */
		if (!done || others_are_busy(s))
			return 1;
		/* Or has died after the look, and was cleaned up after before that. */
		if (!((load_seq(notice) ^ before) & NEWS))	/* order: AGAIN acquire */
			return 0;
	}
	return 1;
}

/*
 * For wait sets
 */

int queue_source_begin(struct weir_queue *q, uint32_t events)
{
	uint64_t bits = (uint64_t)sides_of(q, events) << NOTICE_POLLED_SHIFT;
	struct queue_seat *s;
	int result = queue_sit(q, &s);

	if (result < 0)
		return result;
	s->polled |= (uint8_t)(bits >> NOTICE_POLLED_SHIFT);
	/* order: LEVEL: whoever comes from now on says what he brings */
	or_seq(&queue_control(s)->notice, bits);
	queue_rise(s);
	return 0;
}

static int look_or_arm(struct weir_queue *q, uint32_t events, bool to_arm, uint32_t *ret_ready)
{
	struct queue_seat *s;
	uint32_t ready;
	/* As one who is asleep: we bring nothing, and wake nobody who sleeps deep. */
	int result = queue_sit_as(q, SEAT_ASLEEP, &s);

	if (unlikely(result < 0))
		goto out;
	ready = look(s, events);
	if (ready == 0 && to_arm) {
		/* Who waits in a set has nobody who keeps watch. */
		queue_look_around(s);
		result = arm(s, events, &ready);
	}
	queue_rise(s);
	if (result >= 0)
		*ret_ready = ready;
out:
	/* It would be told so by any call. */
	if (unlikely(result == -EBADMSG)) {
		*ret_ready = events;
		result = 0;
	}
	return result;
}

int queue_source_arm(struct weir_queue *q, uint32_t events, uint32_t *ret_ready)
{
	return look_or_arm(q, events, true, ret_ready);
}

int queue_source_look(struct weir_queue *q, uint32_t events, uint32_t *ret_ready)
{
	return look_or_arm(q, events, false, ret_ready);
}

int queue_source_fd(const struct weir_queue *q, enum queue_side side)
{
	return q->levels[side];
}
