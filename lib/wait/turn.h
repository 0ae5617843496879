/* SPDX-License-Identifier: MIT */
/*
 * Whose turn it is: the threads of a process use one side of an end one after the other.
 *
 * Lies in memory that a forked child sees zeroed, so the child finds it free whatever the parent's
 * threads were doing. While the process has a single thread, nothing is locked: the C library
 * says so, and a thread can only be started by that very thread, which is then not inside.
 */
#ifndef WEIR_WAIT_TURN_H
#define WEIR_WAIT_TURN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/single_threaded.h>

#include "base/atomic.h"
#include "base/cc.h"

#define TURN_FREE	0U
#define TURN_TAKEN	1U
#define TURN_WANTED	2U	/* taken, and somebody sleeps for it */

struct turn {
	uint32_t state;
	uint32_t queued;	/* threads between asking and having it, and visitors */
	uint32_t closing;	/* nobody may begin to wait any more */
};

/* As turn_take(), when it was not free. */
int turn_take_slow(struct turn *t, uint32_t flags, int64_t deadline);
void turn_give_slow(struct turn *t);

/* Whether there are threads that might be inside. */
static ALWAYS_INLINE bool turn_needed(void)
{
	return WEIR_TSAN || unlikely(!__libc_single_threaded);
}

/*
 * Wait until it is our turn: 0; -EAGAIN, -ETIMEDOUT, -EINTR; -ESHUTDOWN when closing.
 * @ret_locked goes to turn_give().
 */
static ALWAYS_INLINE int turn_take(struct turn *t, uint32_t flags, int64_t deadline,
				   bool *ret_locked)
{
	uint32_t free_state = TURN_FREE;

	*ret_locked = false;
	if (likely(!turn_needed()))
		return 0;
	*ret_locked = true;
	/* order: TURN acquire, from turn_give(): all that the thread before us did. */
	if (likely(cas_acquire(&t->state, &free_state, TURN_TAKEN)))
		return 0;
	return turn_take_slow(t, flags, deadline);
}

static ALWAYS_INLINE void turn_give(struct turn *t, bool locked)
{
	if (likely(!locked))
		return;
	/* order: TURN release, to turn_take(). */
	if (unlikely(xchg_release(&t->state, TURN_FREE) == TURN_WANTED))
		turn_give_slow(t);
}

/* Be inside without the turn, in a call that needs none, or several: turn_close() waits for it. */
static inline void turn_visit(struct turn *t)
{
	if (turn_needed())
		add_seq(&t->queued, 1);	/* order: QUEUED, counted before the end is used */
}

static inline void turn_leave(struct turn *t)
{
	if (turn_needed())
		add_seq(&t->queued, -1U);	/* order: QUEUED, to turn_close(): our last touch */
}

/*
 * For the thread that closes: forbid further waiting, call @nudge(@arg) again and again until all
 * others have left, and have the turn. Never gives it back.
 */
void turn_close(struct turn *t, void (*nudge)(void *arg), void *arg);

/* Whether the end is being closed under a thread that waits inside. */
static inline bool turn_closing(const struct turn *t)
{
	/* relaxed: only tells a sleeper to leave; what it does then is ordered by TURN */
	return load_relaxed(&t->closing) != 0;
}

#endif
