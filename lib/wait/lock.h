/* SPDX-License-Identifier: MIT */
/*
 * A lock between processes that survives its holder.
 *
 * One word says who has it, so that taking it is one compare-and-swap, and giving it back another:
 * there is no moment in which it is somebody's who is not named. Sleepers wait on a bell, and look
 * for themselves now and then: has the holder died, or the one who was to wake us? One of them
 * keeps the watch, and looks every 4 ms at first, the others every 100 ms, also after the watch.
 *
 * A lock whose holder has died becomes free and says so to the next who takes it: once. The holder
 * is a process, also of a lock that remembers a thread.
 */
#ifndef WEIR_WAIT_LOCK_H
#define WEIR_WAIT_LOCK_H

#include <stdbool.h>

#include "base/cc.h"
#include "mem/commons-layout.h"
#include "wait/bell.h"
#include "weir/base.h"

/* How a process sees it; all but the first four are about how to wait. */
struct lock {
	struct weir_lock_state *state;
	struct weir_commons_control *control;
	struct weir_party *parties;
	const uint32_t *closing;	/* the handle is: sleepers leave */
	uint32_t *sleepers;		/* how many threads of this process wait for it */
	int64_t looked_at;		/* when one who never sleeps has looked after the holder */
	uint32_t spin_ns;		/* how long staying awake is worth it; any thread */
	bool may_spin;
};

/* WEIR_OWNER_DIED, 0; -EAGAIN, -ETIMEDOUT, -EINTR, -ESHUTDOWN; -EBADMSG. */
int lock_take_slow(struct lock *l, uint64_t me, uint32_t flags, int64_t deadline);

/* The same for a recursive one: it is taken once more if we have it; -EOVERFLOW. */
int lock_take_again(struct lock *l, uint64_t me, uint32_t flags, int64_t deadline);

/*
 * Give it back, whoever has it, and wake one who waits for it: 0; -EINVAL: nobody has.
 */
int lock_give_any(struct lock *l);

/* The same for a recursive one, once: 0; -EPERM: it is not ours. */
int lock_give_again(struct lock *l, uint64_t me);

/*
 * Make it free if it is party @party's of generation @word, the low word of its name, and tell the
 * next one. Any number may do this at a time, and die while they do.
 */
void lock_abandon(struct lock *l, uint32_t party, uint64_t word);

/* How a lock names a party, whose name is @word, and which thread of it. */
static inline uint64_t lock_name(uint32_t party, uint64_t word)
{
	return party |
	       ((word >> PARTY_GENERATION_SHIFT << LOCK_GENERATION_SHIFT) & LOCK_GENERATION_MASK);
}

static inline bool lock_is_free(const struct lock *l)
{
	/* relaxed: a look; who depends on it exchanges the word */
	return LOCK_PARTY(load_relaxed(&l->state->word)) == 0;
}

static inline bool lock_is_mine(const struct lock *l, uint64_t me)
{
	/* relaxed: only this thread stores this */
	return load_relaxed(&l->state->word) == me;
}

/* Take it, whatever we have already. */
static ALWAYS_INLINE int lock_take(struct lock *l, uint64_t me, uint32_t flags, int64_t deadline)
{
	uint64_t nobody = 0;

	/* order: LOCK acquire, from lock_give(): all that was done under it */
	if (likely(cas_acquire(&l->state->word, &nobody, me)))
		return 0;
	return lock_take_slow(l, me, flags, deadline);
}

/* Give back what is ours. */
static ALWAYS_INLINE void lock_give(struct lock *l)
{
	/* order: LOCK, SLEEP: what was done under it, and before the look at the bell */
	store_seq(&l->state->word, 0);
	bell_ring(&l->state->bell);
}

/* Give back what is ours, however often we have it: how often besides once. */
static inline uint32_t lock_give_all(struct lock *l)
{
	uint32_t depth = load_relaxed(&l->state->depth);	/* relaxed: ours */

	store_relaxed(&l->state->depth, 0);	/* relaxed: ours */
	lock_give(l);
	return depth;
}

/* Have it again as often; otherwise as lock_take(). */
static inline int lock_take_all(struct lock *l, uint64_t me, uint32_t depth)
{
	int result = lock_take(l, me, 0, WEIR_FOREVER);

	if (result >= 0)
		store_relaxed(&l->state->depth, depth);	/* relaxed: ours */
	return result;
}

#endif
