/* SPDX-License-Identifier: MIT */
/*
 * A bell: a futex word on which any number of threads of any process sleep, for the next thing that
 * comes. One who brings something wakes one sleeper, and does not wake a second before the first
 * has looked: that one wakes the next, if there is more.
 *
 * A sleeper listens, looks once more, then sleeps. Who brings something stores it, then rings. Both
 * are sequentially consistent, so either the sleeper sees it or the ringer sees the sleeper.
 */
#ifndef WEIR_WAIT_BELL_H
#define WEIR_WAIT_BELL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/cc.h"

/* The two low bits; two are about a descriptor; the rest counts the changes. */
#define BELL_QUIET	0U
#define BELL_ASLEEP	1U	/* somebody may be asleep */
#define BELL_RUNG	2U	/* one was woken and has not looked yet */
#define BELL_STATE	3U
#define BELL_DARK	4U	/* somebody may poll a descriptor that is not readable */
#define BELL_ARMED	8U	/* a wait set is to be signalled */
#define BELL_MARKS	(BELL_DARK | BELL_ARMED)
#define BELL_ONE	16U

/* Say that we sleep: what bell_sleep() is to be given. Look once more after this. */
uint32_t bell_listen(uint32_t *bell);
/* Sleep until the bell has changed, or @until. 0; -ETIMEDOUT, -EINTR. */
int bell_sleep(uint32_t *bell, uint32_t listened, int64_t until);
/* After having slept: another one may be woken now. */
void bell_heard(uint32_t *bell);

bool bell_ring_slow(uint32_t *bell);
/*
 * The same in steps, for those who wake several at once: if somebody may be asleep and none is on
 * his way, lift it, what it says then in @ret_rung, and wake one. If nobody was woken, lower it.
 */
bool bell_lift(uint32_t *bell, uint32_t *ret_rung);
void bell_lower(uint32_t *bell, uint32_t rung);
/* Wake all, and have nobody sleep who has listened before this. */
void bell_ring_all(uint32_t *bell);

/* What a look at the bell says: whether to ring, and whether one is on its way already. */
static ALWAYS_INLINE uint32_t bell_state(const uint32_t *bell)
{
	/* order: SLEEP, ROOM: after what was brought was stored. */
	return load_seq(bell) & BELL_STATE;
}

/* The same, also for those who poll: whether there is anything to do. */
static ALWAYS_INLINE bool bell_stirs(const uint32_t *bell)
{
	/* order: SLEEP, ROOM: after what was brought was stored. */
	return load_seq(bell) & (BELL_STATE | BELL_MARKS);
}

/*
 * Set one of the marks, or clear it, if the bell is as @was says, which is how it is then. It has
 * changed also if the mark was like that before.
 */
bool bell_mark(uint32_t *bell, uint32_t *was, uint32_t mark, bool set);

/* Wake one sleeper, unless nobody sleeps or one is waking up. Whether one was woken. */
static ALWAYS_INLINE bool bell_ring(uint32_t *bell)
{
	return unlikely(bell_state(bell) == BELL_ASLEEP) && bell_ring_slow(bell);
}

#endif
