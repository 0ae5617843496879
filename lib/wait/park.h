/* SPDX-License-Identifier: MIT */
/*
 * Parking: waiting for the other side of a lane, so that sleeping costs the sleeper and not the
 * sender. doc/design/parking.md has the whole story.
 *
 * A wait first polls for about as long as a wake-up takes, then sleeps in two stages, announced in
 * our quiet line so that the peer knows how to wake us:
 *
 *	shallow	on the peer's bell (a futex), a first slice of 100 us and then up to 20 ms
 *	deep	in ppoll() on an eventfd and the line, whose hang-up says that the peer is gone
 *
 * The peer stores what we wait for and then reads our announcement, without a fence between them.
 * So it can miss an announcement while we miss its store; the first slice of each stage is short
 * because of that: when it ends the store has long been visible.
 */
#ifndef WEIR_WAIT_PARK_H
#define WEIR_WAIT_PARK_H

#include "base/atomic.h"
#include "base/clock.h"
#include "mem/layout.h"
#include "wait/turn.h"

/* About what a wake-up across processors costs where this was measured: 20-30 us. */
#define PARK_SPIN_NS	(25 * NS_PER_US)
#define PARK_FIRST_NS	(100 * NS_PER_US)
#define PARK_SHALLOW_NS	(20 * NS_PER_MS)
#define PARK_DEEP_NS	(2 * NS_PER_S)
/* How often a caller who never sleeps looks at the line, and after how many calls at the latest. */
#define PARK_LINE_NS	(10 * NS_PER_MS)
#define PARK_LINE_CALLS	63

/* One side of one lane as its process sees it. Private; zeroed by fork. */
struct parking {
	struct weir_side *mine;
	struct weir_side *peer;
	int my_bell;		/* eventfd that wakes us when deep */
	int peer_bell;		/* eventfd that wakes the peer when deep */
	int line;		/* read side of the peer's line */
	uint32_t number;	/* of our waits */
	uint32_t answered;	/* the peer's announcement that we have answered */
	uint32_t events_seen;	/* peer's events at our last look at the line */
	bool hung_up;		/* the line has said so; it does not take it back */
	bool may_spin;		/* more than one processor, and no real-time policy */
	int64_t spin_ns;	/* how long polling is worth it, from the success it had */
	struct pacer line_pace;
};

/* What a wait is for. */
struct park_for {
	bool (*look)(void *arg);	/* whether it has come; called often, must be cheap */
	void *arg;
	const struct turn *turn;	/* whose closing ends the wait */
};

void park_init(struct parking *p);

/*
 * Wait until it has come: 0; -EAGAIN, -ETIMEDOUT, -EINTR; -EPIPE the peer is gone; -ESHUTDOWN;
 * -EBADMSG. The caller has looked already, and looks again whatever this returns: it may have come in
 * the last moment.
 */
int park_wait(struct parking *p, const struct park_for *what, uint32_t flags, int64_t deadline);

/* Wake the peer, whose announcement @wait is not answered yet. */
void park_answer(struct parking *p, uint32_t wait);

/* -ESHUTDOWN, -EBADMSG, -EPIPE or 0, from the events of both sides and, when they changed or it is time, the line. */
int park_check(struct parking *p);

/* Make the peer's sleepers look at their events and at the line. Works without park_init(). */
void park_wake_peer(struct parking *p);

/* The same for sleepers of our own side, in whatever process. Works without park_init(). */
void park_wake_own(struct parking *p);

/* After having stored what the peer may wait for: wake it if it sleeps. */
static ALWAYS_INLINE void park_notify(struct parking *p)
{
	/* relaxed: not ordered after our store on purpose, see above */
	uint32_t wait = load_relaxed(&p->peer->wait);

	if (unlikely(wait != p->answered))
		park_answer(p, wait);
}

/* Whether anything beside the lane has happened that park_check() must look into. */
static ALWAYS_INLINE bool park_disturbed(const struct parking *p)
{
	/* relaxed: events guard nothing; park_check() looks for itself */
	return (load_relaxed(&p->peer->events) != p->events_seen) |
	       (load_relaxed(&p->mine->events) >= EVENTS_POISONED);	/* relaxed: as above */
}

#endif
