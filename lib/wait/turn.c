/* SPDX-License-Identifier: MIT */
/*
 * The lock is the usual three-state futex mutex (Drepper, "Futexes Are Tricky", mutex 2) with a
 * deadline and an end.
 */
#include "wait/turn.h"

#include <errno.h>

#include "base/clock.h"
#include "sys/sys.h"
#include "weir/base.h"

#define SLICE_NS (60 * NS_PER_S)

static int wait_for_turn(struct turn *t, uint32_t flags, int64_t deadline)
{
	int64_t now;
	int result;

	/* order: TURN acquire, from turn_give(). */
	while (xchg_acquire(&t->state, TURN_WANTED) != TURN_FREE) {
		if (turn_closing(t))
			return -ESHUTDOWN;
		/* Looked at only now: a wake that came with the deadline is not to be lost. */
		now = clock_now();
		if (now >= deadline)
			return -ETIMEDOUT;
		/* Without a time-out the kernel would restart the wait behind WEIR_INTR's back. */
		result = sys_futex_wait(&t->state, TURN_WANTED, clock_cap(deadline, now, SLICE_NS));
		if (result == -ETIMEDOUT || (result == -EINTR && !(flags & WEIR_INTR)))
			continue;
		if (result < 0)
			return result;
	}
	return 0;
}

int turn_take_slow(struct turn *t, uint32_t flags, int64_t deadline)
{
	int result;

	if (deadline <= 0)
		return -EAGAIN;
	add_seq(&t->queued, 1);		/* order: QUEUED, counted before the end is looked for */
	result = turn_closing(t) ? -ESHUTDOWN : wait_for_turn(t, flags, deadline);
	/* order: QUEUED, to turn_close(): our last touch but for the turn */
	add_seq(&t->queued, -1U);
	return result;
}

void turn_give_slow(struct turn *t)
{
	sys_futex_wake(&t->state, 1);
}

void turn_close(struct turn *t, void (*nudge)(void *arg), void *arg)
{
	if (!turn_needed())
		return;
	store_seq(&t->closing, 1);	/* order: QUEUED, before the queue is read */
	/* order: TURN acquire, from turn_give(): the last of them is out. */
	while (xchg_acquire(&t->state, TURN_WANTED) != TURN_FREE) {
		nudge(arg);
		sys_futex_wake(&t->state, INT32_MAX);
		sys_futex_wait(&t->state, TURN_WANTED, clock_now() + NS_PER_MS);
	}
	/* order: QUEUED, from turn_take_slow(). */
	while (load_seq(&t->queued) != 0) {
		sys_futex_wake(&t->state, INT32_MAX);
		cpu_relax();
	}
}
