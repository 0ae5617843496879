/* SPDX-License-Identifier: MIT */
/*
 * Descriptors for those who poll: one is readable while a get would find something, one while a
 * put would. They are eventfds that hold tokens, and are dark, or lit, as a bit of the bell says:
 *
 *	lit	at least one token is in it
 *	dark	whoever brings something finds the bit, as he would find sleepers, and lights it
 *
 * To light it: a token goes in, then the bit goes. To make it dark: the bit comes, then one looks
 * again, then exactly one token goes. So whoever dies on the way leaves a token too many, and
 * never one too few; two who light it at a time leave none, for the second takes its own back.
 *
 * One who dies behind the exchange that makes a message has not lit anything. So it is lit in
 * front of the exchange, and nobody leaves it dark while somebody is in there: seats say so in
 * `levels`.
 *
 * Those who wait for an edge alone, and take no token, set another bit: armed. Whoever finds it, at
 * the same places, makes an edge by adding nothing, then clears it: queue-source.c.
 *
 * A token too many makes readable what is empty. Who finds nothing, again and again, cleans up
 * after the dead, for who polls has nobody who keeps watch; and when nobody else is in here, takes
 * it.
 */
#include "obj/queue.h"

#include <errno.h>

#include "base/clock.h"
#include "sys/sys.h"

#define CHECK_NS	(4 * NS_PER_MS)
#define SETTLE_NS	(100 * NS_PER_US)
#define SETTLE_TIMES	10
/* In a seat's `levels`: */
#define BRINGS(side)	(1U << (side))
#define DARKENS(side)	(1U << (QUEUE_SIDES + (side)))
/* Others change the bell, but not as often. */
#define LIGHT_TIMES	1000

/*
 * @seated: our seat says that we are in here. Otherwise our token may be taken for one too many,
 * and is not there any more if the bell has changed.
 */
static void light(struct weir_queue *q, enum queue_side side, bool seated)
{
	uint32_t *bell = queue_bell(q->store.control, side);
	/* order: SLEEP, ROOM: after what was brought; LEVEL: after our seat has said so */
	uint32_t was = load_seq(bell);
	bool added = false;

	for (int i = 0; (was & BELL_DARK) && i < LIGHT_TIMES; i++) {
		if (sys_token_add(q->levels[side]) < 0)
			break;
		/* The second is for those who wait for an edge, and have seen the first. */
		if (added)
			sys_event_clear(q->levels[side]);
		added = true;
		if (bell_mark(bell, &was, BELL_DARK, false))
			return;
		added = seated;
	}
	if (added)
		sys_event_clear(q->levels[side]);
}

/*
 * Who has armed it and goes to sleep now has changed the bell: he may have seen our edge before,
 * and needs another.
 */
static void signal_armed(struct weir_queue *q, enum queue_side side)
{
	uint32_t *bell = queue_bell(q->store.control, side);
	/* order: SLEEP, ROOM: after what was brought; LEVEL: after our seat has said so */
	uint32_t was = load_seq(bell);

	for (int i = 0; (was & BELL_ARMED) && i < LIGHT_TIMES; i++)
		if (sys_event_edge(q->levels[side]) < 0 ||
		    bell_mark(bell, &was, BELL_ARMED, false))
			break;
}

void queue_tell_all(struct weir_queue *q)
{
	for (int side = 0; side < QUEUE_SIDES; side++) {
		light(q, side, false);
		signal_armed(q, side);
	}
}

void queue_bring(struct queue_seat *s, enum queue_side side)
{
	/* order: LEVEL, against darken(): who makes it dark now sees us, or we see that it is */
	store_seq(&s->shared->levels, BRINGS(side));
	light(s->queue, side, true);
	signal_armed(s->queue, side);
}

void queue_bring_all(struct queue_seat *s)
{
	/* order: LEVEL, as in queue_bring() */
	store_seq(&s->shared->levels, BRINGS(QUEUE_READER) | BRINGS(QUEUE_WRITER));
	for (int side = 0; side < QUEUE_SIDES; side++) {
		light(s->queue, side, true);
		signal_armed(s->queue, side);
	}
}

/* Whether somebody else is inside who does one of @what. */
static bool others_do(const struct queue_seat *s, uint32_t what)
{
	struct store *store = s->tape.store;
	uint32_t top = store_seat_top(store);

	for (uint32_t name = 1; name <= top; name++) {
		struct weir_seat *seat = name == s->name ? NULL : store_seat(store, name);

		/* order: PARTY acquire, LEVEL; INSIDE: what it brought is there if it has left */
		if (seat && (load_acquire(&seat->name.low) & PARTY_STATE) == PARTY_USED &&
		    (load_seq(&seat->levels) & what) &&	/* order: LEVEL */
		    load_seq(&seat->inside) == SEAT_INSIDE)	/* order: INSIDE */
			return true;
	}
	return false;
}

static bool is_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return sys_poll(&p, 1, 0) > 0;
}

/*
 * It is dark: if there is a token all the same, is it anybody's who is just lighting it? Whoever
 * came and went between the two looks has changed the bell. Whose token we take, being without a
 * seat, finds the bell changed.
 */
static void take_what_is_too_many(struct queue_seat *s, enum queue_side side)
{
	uint32_t *bell = queue_bell(queue_control(s), side);
	uint32_t was = load_seq(bell);	/* order: LEVEL */
	uint32_t all = BRINGS(side) | DARKENS(side);

	if ((was & BELL_DARK) && !others_do(s, all) && is_readable(s->queue->levels[side]) &&
	    !others_do(s, all) && bell_mark(bell, &was, BELL_DARK, true))
		sys_event_clear(s->queue->levels[side]);
}

/* Now and then. */
static void check(struct queue_seat *s, enum queue_side side)
{
	int64_t now = clock_now();

	if (now - s->level_checked < CHECK_NS)
		return;
	s->level_checked = now;
	queue_mend_all(s->queue);
	take_what_is_too_many(s, side);
}

static bool look_again(struct queue_seat *s, const struct queue_want *want)
{
	bool found = queue_look(s, want);

	if (want->side == QUEUE_READER)
		store_relaxed(&s->shared->taking_again, 0);	/* relaxed: LEDGER, as it was */
	return found;
}

/*
 * It is dark. Who is just lighting it may have woken us already, and would not wake us again: he
 * is to find the bell changed.
 */
static bool stays_dark(struct queue_seat *s, enum queue_side side, uint32_t *was)
{
	return (*was & BELL_DARK) && (!is_readable(s->queue->levels[side]) ||
				      bell_mark(queue_bell(queue_control(s), side), was, BELL_DARK,
						true));
}

static void darken(struct queue_seat *s, const struct queue_want *want)
{
	enum queue_side side = want->side;
	uint32_t *bell = queue_bell(queue_control(s), side), was;

	/* order: LEVEL: before all looks at the others and at the bell */
	store_seq(&s->shared->levels, DARKENS(side));
	check(s, side);
	was = load_seq(bell);	/* order: SLEEP, ROOM, LEVEL */
	for (int i = 0; i < LIGHT_TIMES && !stays_dark(s, side, &was); i++) {
		if ((was & BELL_DARK) || !bell_mark(bell, &was, BELL_DARK, true))
			continue;
		/* Last, it goes dark: what came before the bit is found here, by us. */
		if (others_do(s, BRINGS(side)) || look_again(s, want))
			light(s->queue, side, true);
		sys_event_clear(s->queue->levels[side]);
		break;
	}
	store_release(&s->shared->levels, 0);	/* order: LEVEL release */
}

void queue_found_nothing(struct queue_seat *s, const struct queue_want *want)
{
	if (likely(!(s->polled & (1U << want->side))))
		return;
	if (want->side == QUEUE_WRITER)
		/* relaxed: a hint, for a wait set of this handle */
		store_relaxed(&s->queue->room, want->items ? 0 : want->size);
	if (s->polled & QUEUE_LEVEL(want->side))
		darken(s, want);
}

/* Those who are inside since before they could know, and do not say what they bring. */
static void settle(struct queue_seat *s)
{
	struct store *store = s->tape.store;
	uint32_t top = store_seat_top(store), nothing = 0;
	bool busy = true;

	for (int i = 0; busy && i < SETTLE_TIMES; i++) {
		busy = false;
		sys_futex_wait(&nothing, 0, clock_now() + SETTLE_NS);
		for (uint32_t name = 1; name <= top; name++) {
			struct weir_seat *seat = name == s->name ? NULL : store_seat(store, name);

			/* order: INSIDE acquire: what it brought is there */
			busy |= seat && load_acquire(&seat->inside) == SEAT_INSIDE;
		}
	}
}

static void say_polled(struct queue_seat *s, enum queue_side side)
{
	uint64_t bits = 1U << side | QUEUE_LEVEL(side);

	s->polled |= (uint8_t)bits;
	/* order: LEVEL: whoever comes from now on says what he brings */
	or_seq(&queue_control(s)->notice, bits << NOTICE_POLLED_SHIFT);
	settle(s);
	/* order: LEVEL: or our token would be taken for one too many */
	store_seq(&s->shared->levels, BRINGS(side));
	/* Who asks anew looks first, and is told when there is something only after that. */
	light(s->queue, side, true);
}

int weir_queue_fd(struct weir_queue *queue, uint32_t events)
{
	enum queue_side side = events == WEIR_IN ? QUEUE_READER : QUEUE_WRITER;
	struct queue_seat *s;
	int result;

	if (!queue || (events != WEIR_IN && events != WEIR_OUT))
		return -EINVAL;
	result = queue_sit(queue, &s);
	if (result < 0)
		return result;
	/* Where a put never waits it is lit for ever. */
	if (side == QUEUE_READER || queue->store.geometry.max_items > 0)
		say_polled(s, side);
	queue_rise(s);
	return queue->levels[side];
}
