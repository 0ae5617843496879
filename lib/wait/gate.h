/* SPDX-License-Identifier: MIT */
/*
 * A gate: who of those that wait for a reader/writer lock is next. All others wait until that one
 * has got it, but for readers if it is one.
 *
 * While a writer has the lock, the first reader that waits becomes the next one; while readers have
 * it, the first writer. So neither kind waits for ever for the other.
 *
 * To be next is no right but a courtesy of the others, and ends with the one who has it: when his
 * party is cleaned up after, or when he has not renewed it for a quarter of a second, because he
 * stands still, or is dead and nobody can tell. Nothing but the order depends on that time.
 */
#ifndef WEIR_WAIT_GATE_H
#define WEIR_WAIT_GATE_H

#include <stdbool.h>

#include "mem/tally-layout.h"

/* Who is next renews it when he looks, every 100 ms at least. */
#define GATE_STALE_NS	(INT64_C(250) * 1000 * 1000)

/* Who was next when a process looked, and since when. Any thread. */
struct gate_watch {
	uint64_t seen;
	int64_t since;
};

/* One who wants to go through. */
struct gate_visit {
	uint64_t *gate;
	struct gate_watch *watch;
	uint64_t mine;		/* gate_name() */
};

static inline uint64_t gate_name(uint32_t party, uint32_t thread, bool writer)
{
	return (uint64_t)thread << GATE_THREAD_SHIFT | party | (writer ? GATE_WRITER : 0);
}

/* Whether there is nobody to wait for. */
bool gate_open(const struct gate_visit *v);

/*
 * Not having got in: be next, if @may; go on being it; or end the turn of one who does not go on.
 */
void gate_ask(const struct gate_visit *v, bool may, int64_t now);

/* Having gone through, or given up. Whether it was us that others waited for. */
bool gate_leave(const struct gate_visit *v);

/* @party is gone. Whether others waited for it. */
bool gate_settle(uint64_t *gate, uint32_t party);

#endif
