/* SPDX-License-Identifier: MIT */
/* One acquisition and release; the counter in between. */
#ifndef IPC_BENCH_LOCK_ACT_H
#define IPC_BENCH_LOCK_ACT_H

#include "acts.h"

ACTS_INLINE int lock_act(struct worker *w, int (*acquire)(struct port *port),
			 int (*release)(struct port *port))
{
	volatile uint64_t *counter = &w->control->lock.counter;
	int64_t hold = w->control->task.hold_ns;
	uint64_t count;
	int r;

	r = acquire(&w->port);
	if (__builtin_expect(r < 0, 0))
		return r;
	count = *counter;
	if (hold)
		acts_spin(hold);
	*counter = count + 1;
	return release(&w->port);
}

#endif
