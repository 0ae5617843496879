/* SPDX-License-Identifier: MIT */
/*
 * Events, conditions and barriers in shared memory: the states, and the bodies, of
 * mem/commons-layout.h. All zeroes is an event that is not set, a condition for which nobody waits,
 * a barrier to which nobody has come. All words are written by everybody, with exchanges.
 */
#ifndef WEIR_MEM_MEET_LAYOUT_H
#define WEIR_MEM_MEET_LAYOUT_H

#include "mem/commons-layout.h"

struct weir_event_state {
	uint64_t changes;	/* counts; it is set while it is odd */
	uint32_t bell;		/* wait/bell.h */
	uint32_t unused;
};

/*
 * One who waits, in a condition or a barrier: use:48 | party:13 | state:3, from the highest bit on.
 * Each use has another number, so an exchange is of the use that it was meant for.
 */
#define WAITER_STATE_MASK	UINT64_C(7)
#define WAITER_STATE(word)	((word) & WAITER_STATE_MASK)
#define WAITER_PARTY_SHIFT	3
#define WAITER_PARTY(word)	((uint32_t)((word) >> WAITER_PARTY_SHIFT) & 0x1fff)
#define WAITER_USE_ONE		(UINT64_C(1) << 16)

#define WAITER_FREE		UINT64_C(0)
#define WAITER_COMING		UINT64_C(1)	/* what is behind the word is being written */
#define WAITER_WAITING		UINT64_C(2)
/* What became of it; free when its thread has seen it. */
#define WAITER_NOTIFIED		UINT64_C(3)	/* condition */
#define WAITER_CANCELED		UINT64_C(4)	/* barrier: the phase broke */
#define WAITER_DIED		UINT64_C(5)	/* a party died */

struct weir_condition_state {
	uint64_t tickets;	/* the last one that was given out */
	uint32_t top;		/* waiters from here on were never used */
	uint32_t watch;		/* party that looks often for deaths */
	uint32_t untold;	/* 1: somebody has died, and nobody waited */
};

struct weir_condition_waiter {
	uint64_t word;
	uint64_t ticket;	/* in which order they came */
	uint32_t bell;
	uint32_t unused0;
	uint64_t unused1;
};

/*
 * A barrier's word: phase:40 | unused:5 | died:1 | stage:2 | count:16, from the highest bit on. The
 * phase is over when its number has changed: complete, unless a waiter says otherwise.
 */
#define BARRIER_COUNT_MASK	UINT64_C(0xffff)
#define BARRIER_COUNT(word)	((uint32_t)((word) & BARRIER_COUNT_MASK))
#define BARRIER_STAGE_SHIFT	16
#define BARRIER_STAGE_MASK	(UINT64_C(3) << BARRIER_STAGE_SHIFT)
#define BARRIER_FILLING		(UINT64_C(0) << BARRIER_STAGE_SHIFT)
#define BARRIER_ACTING		(UINT64_C(1) << BARRIER_STAGE_SHIFT)	/* all are there */
#define BARRIER_BROKEN		(UINT64_C(2) << BARRIER_STAGE_SHIFT)
#define BARRIER_DIED		(UINT64_C(1) << 18)	/* broken because a party died */
#define BARRIER_PHASE_SHIFT	24
#define BARRIER_PHASE_ONE	(UINT64_C(1) << BARRIER_PHASE_SHIFT)
#define BARRIER_PHASE(word)	((word) >> BARRIER_PHASE_SHIFT)

struct weir_barrier_state {
	uint64_t word;
	uint32_t bell;
	uint32_t watch;		/* party that looks often for deaths */
};

struct weir_barrier_waiter {
	uint64_t word;
	uint64_t phase;		/* to which it has come */
};

_Static_assert(sizeof(struct weir_condition_waiter) == 32, "layout");
_Static_assert(sizeof(struct weir_barrier_waiter) == 16, "layout");
_Static_assert(COMMONS_PARTIES <= 0x1fff, "a party fits");

#endif
