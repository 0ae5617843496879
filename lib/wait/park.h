/* SPDX-License-Identifier: MIT */
/*
 * Parking: waiting for the other side of a lane, so that sleeping costs the sleeper and not the
 * sender. doc/design/parking.md has the whole story.
 *
 * A wait first polls for about as long as a wake-up takes, then sleeps in two stages, announced in
 * our quiet line so that the peer knows how to wake us:
 *
 *	shallow	on the peer's bell (a futex), for up to 20 ms
 *	deep	in ppoll() on an eventfd, on the line, whose hang-up says that all copies of the
 *		other end are gone, and on the peer's owner, who may die between a message and the
 *		wake-up for it while others still have the end
 *
 * The peer stores what we wait for and then reads our announcement. A reader stores its position
 * with a fence; it does so rarely. A writer would have to pay for a fence with every message: it
 * does so only for a reader that asked for it, because it sleeps often, and without, it can miss
 * an announcement while we miss its store. Then the first slice of a stage is short, 100 us: when
 * it ends the store has long been visible. (A timer that short is dear, too: it is programmed
 * into the processor, which in a virtual machine took 5 us.)
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
#define PARK_DEEP_MAX_NS (8 * NS_PER_S)
/* How often a caller who never sleeps looks at the line, and after how many calls at the latest. */
#define PARK_LINE_NS	(10 * NS_PER_MS)
#define PARK_LINE_CALLS	63

/* One side of one lane as its process sees it. Private; zeroed by fork. */
struct parking {
	struct weir_side *mine;
	struct weir_side *peer;
	int my_bell;		/* eventfd that wakes us when deep */
	int peer_bell;		/* eventfd that wakes the peer when deep */
	int line;		/* our end of the line */
	int owner;		/* pidfd of the peer's owner while we sleep deep, or -1 */
	uint32_t number;	/* of our announcements */
	uint32_t bell_seen;	/* the peer's bell at our last announcement */
	uint32_t answered;	/* the peer's announcement that we have answered */
	uint32_t events_seen;	/* peer's events at our last look at the line */
	bool hung_up;		/* the line has said so; it does not take it back */
	bool may_spin;		/* more than one processor, and no real-time policy */
	bool standing;		/* a wait set has announced itself, and is to be told of changes */
	int64_t spin_ns;	/* how long polling is worth it, from the success it had */
	struct pacer line_pace;
	uint32_t watch;		/* number of the wait set that watches the line, plus 1; 0: none */
};

/*
 * When each wait set has last asked the kernel, by its number: the lines that it watches need not
 * be looked at by others for a while. Sets beyond these have no number.
 */
#define PARK_WATCHES	64
extern int64_t park_watches[PARK_WATCHES];


/* What a wait is for. */
struct park_for {
	bool (*look)(void *arg);	/* whether it has come; called often, must be cheap */
	void *arg;
	const struct turn *turn;	/* whose closing ends the wait */
	/*
	 * Called before the first sleep; whether the peer may miss an announcement just made.
	 * NULL: it may not.
	 */
	bool (*lie_down)(void *arg);
	/* Only the peer's owner of now can bring it: its death ends the wait, with -EOWNERDEAD. */
	bool of_owner;
};

/* Whether polling can help at all: more than one processor, and no real-time policy. */
bool park_may_spin(void);

void park_init(struct parking *p);

/*
 * Wait until it has come: 0; -EAGAIN, -ETIMEDOUT, -EINTR; -EPIPE the peer is gone; -ESHUTDOWN;
 * -EBADMSG. The caller has looked already, and looks again whatever this returns: it may have
 * come in the last moment.
 */
int park_wait(struct parking *p, const struct park_for *what, uint32_t flags, int64_t deadline);

/* For those who sleep otherwise than by park_wait(): the steps of it. */
void park_announce(struct parking *p, uint32_t stage);
/*
 * After a sleep, which has made announcements of its own: whoever had a standing one looks again,
 * and announces itself anew.
 */
void park_stand_down(struct parking *p);
/* Whether the last announcement may have been answered: then whoever sleeps on announces anew. */
bool park_rung(const struct parking *p);
void park_watch_owner(struct parking *p);
void park_forget_owner(struct parking *p);

/* Whether the owner of the peer's side has certainly ended, or there is none. */
bool park_owner_gone(const struct parking *p);

/* Tell the peer on which processor this side runs; returns it, plus 1. The owner only. */
uint32_t park_here(struct parking *p);

/* Wake the peer, whose announcement @wait is not answered yet; perhaps later, see wakes.h. */
void park_answer(struct parking *p, uint32_t wait);

/*
 * -ESHUTDOWN, -EBADMSG, -EPIPE or 0, from the events of both sides and, when they changed or it is
 * time, the line. Of up to @calls calls in a quick row only the last looks at the time.
 */
int park_check(struct parking *p, uint32_t calls);

/* -ESHUTDOWN or -EBADMSG if the object was shut down or poisoned, on either side; otherwise 0. */
int park_ended(const struct parking *p);

/* Make the peer's sleepers look at their events and at the line. Works without park_init(). */
void park_wake_peer(struct parking *p);

/* The same for sleepers of our own side, in whatever process. Works without park_init(). */
void park_wake_own(struct parking *p);

/* After having stored what the peer may wait for: wake it if it sleeps. */
static ALWAYS_INLINE void park_notify(struct parking *p, bool fenced)
{
	/*
	 * order: SLEEP, after the store, if that was fenced too.
	 * relaxed: otherwise not ordered after it on purpose, see above
	 */
	uint32_t wait = fenced ? load_seq(&p->peer->wait) : load_relaxed(&p->peer->wait);

	if (unlikely(wait != p->answered))
		park_answer(p, wait);
}

/* Whether anything beside the lane has happened that park_check() must look into. */
static ALWAYS_INLINE bool park_disturbed(const struct parking *p)
{
	/* relaxed: events guard nothing; park_check() looks for itself */
	return load_relaxed(&p->peer->events) != p->events_seen ||
	       load_relaxed(&p->mine->events) >= EVENTS_POISONED;	/* relaxed: as above */
}

#endif
