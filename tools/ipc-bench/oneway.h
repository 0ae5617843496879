/* SPDX-License-Identifier: MIT */
/*
 * The schedule of an open loop: when each message is due, whatever happened to those before it.
 *
 * Message k is due at t0 + k / rate; with Poisson arrivals the gaps are exponential with that mean.
 * Writer and reader walk the same schedule, so the time need not travel in the message, and the
 * latency counts from when a message should have been sent.
 */
#ifndef IPC_BENCH_ONEWAY_H
#define IPC_BENCH_ONEWAY_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "worker.h"

struct schedule {
	int64_t t0;
	double interval_ns;
	double offset_ns;	/* Poisson: of the next message */
	uint64_t k;
	uint64_t random;
	uint64_t late;
	bool poisson;
};

static inline void schedule_begin(struct schedule *s, const struct worker *w)
{
	*s = (struct schedule){
		.t0 = w->start,
		.interval_ns = w->interval_ns,
		.random = w->seed * 2 + 1,
		.poisson = w->poisson,
	};
}

/* xorshift64*, as a fraction in (0, 1]. */
static inline double schedule_random(struct schedule *s)
{
	s->random ^= s->random >> 12;
	s->random ^= s->random << 25;
	s->random ^= s->random >> 27;
	return ((s->random * UINT64_C(0x2545f4914f6cdd1d) >> 11) + 1) * 0x1p-53;
}

static inline int64_t schedule_next(struct schedule *s)
{
	if (!s->poisson)
		return s->t0 + (int64_t)((double)s->k++ * s->interval_ns);
	s->offset_ns -= log(schedule_random(s)) * s->interval_ns;
	return s->t0 + (int64_t)s->offset_ns;
}

/* Spin until @due. A slot that begins more than one mean gap too late counts as late; it is used
 * all the same. Returns false when the pass ends before. */
static inline bool schedule_spin(struct schedule *s, const struct worker *w, int64_t due)
{
	int64_t now = bench_now();

	if ((double)(now - due) > s->interval_ns)
		s->late++;
	while (now < due) {
		if (__atomic_load_n(&w->stop, __ATOMIC_RELAXED))
			return false;
		bench_pause();
		now = bench_now();
	}
	return true;
}

#endif
