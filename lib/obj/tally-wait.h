/* SPDX-License-Identifier: MIT */
/*
 * Waiting for units of a tally: what semaphores and reader/writer locks have in common.
 *
 * Who waits sleeps on the tally's bell, and looks for himself now and then: has somebody died who
 * holds units, or who was to wake us? One of those who wait keeps the watch, and looks every 4 ms,
 * less often if he has waited long; the others every 100 ms, and whether there is a watch.
 */
#ifndef WEIR_OBJ_TALLY_WAIT_H
#define WEIR_OBJ_TALLY_WAIT_H

#include "obj/shared.h"
#include "wait/gate.h"
#include "wait/tally.h"

/* The handle of one. */
struct tally_object {
	struct shared shared;
	struct tally tally;
	struct gate_watch gate_watch;
	int64_t looked_at;	/* for those who died, by one who does not sleep */
	uint32_t spin_ns;	/* how long staying awake is worth it; any thread */
};

struct tally_waiter {
	struct tally_object *object;
	uint64_t me;		/* shared_sit() */
	/* What we wait for: 0, WEIR_OWNER_DIED; -EAGAIN, or what ends the wait. */
	int (*try)(struct tally_waiter *w);
	/* We have listened to the bell, and are about to look and sleep; or NULL. */
	void (*ask)(struct tally_waiter *w);
	/* We have asked, and have it, or gave up: others may look. */
	void (*leave)(struct tally_waiter *w, int result);
	uint32_t flags;
	int64_t deadline;
	int64_t since;		/* when it began to sleep */
	int64_t look_at;	/* when to look around next */
	bool rung;		/* we were woken */
};

/* How the handle sees the state of its memory. @limit: of units. */
void tally_open(struct tally_object *o, uint32_t limit);

/*
 * @w->try has said -EAGAIN: try until the deadline. 0, WEIR_OWNER_DIED; -EAGAIN, -ETIMEDOUT,
 * -EINTR, -ESHUTDOWN; what it says.
 */
int tally_wait(struct tally_waiter *w);

/* Clean up after those who have died and hold units, or are next at the gate. */
void tally_look_after(struct tally_object *o);
/* The same for those who do not sleep: not too often. */
void tally_look_after_now_and_then(struct tally_object *o);

/* The party has died, or leaves: what it has beside its units, and may have slept through. */
void tally_release_watch(struct tally_object *o, uint32_t party);

static inline uint32_t *tally_bell(const struct tally_object *o)
{
	return &o->tally.shared->bell;
}

#endif
