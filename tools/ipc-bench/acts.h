/* SPDX-License-Identifier: MIT */
/*
 * The loop of the workloads lock and value: one act again and again, until the pass ends.
 *
 * A pass of its own takes the time of one act in ACTS_CLOCK_EVERY; the others read no clock. What
 * is inlined here is compiled anew for each act, so that a call costs what it costs a user.
 */
#ifndef IPC_BENCH_ACTS_H
#define IPC_BENCH_ACTS_H

#include "worker.h"

#define ACTS_CLOCK_EVERY 16	/* a power of two */

#define ACTS_INLINE __attribute__((always_inline)) static inline

/* Spin for @ns and not less, by the clock. */
static inline void acts_spin(int64_t ns)
{
	int64_t until = bench_now() + ns;

	while (bench_now() < until)
		bench_pause();
}

/* One act, with the time that it took. */
ACTS_INLINE int acts_clocked(struct worker *w, int (*act)(struct worker *w))
{
	int64_t begin = bench_now();
	int r = act(w);

	hist_record(w->hist, bench_now() - begin);
	return r;
}

/* @act until the pass ends. It returns 0 or a negative errno, as this does. */
ACTS_INLINE int acts(struct worker *w, int (*act)(struct worker *w))
{
	int64_t think = w->control->task.think_ns;
	bool clocked = w->clocked;
	uint64_t done;
	int r = 0;

	for (done = 0; worker_goes_on(w, done); done++) {
		if (__builtin_expect(clocked && done % ACTS_CLOCK_EVERY == 0, 0))
			r = acts_clocked(w, act);
		else
			r = act(w);
		if (__builtin_expect(r < 0, 0))
			break;
		if (think)
			acts_spin(think);
	}
	w->done = done;
	w->end = bench_now();
	w->sent.count += done;
	return r;
}

#endif
