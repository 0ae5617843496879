/* SPDX-License-Identifier: MIT */
/* What mechanisms make their loops of. */
#ifndef IPC_BENCH_VALUE_ACT_H
#define IPC_BENCH_VALUE_ACT_H

#include "acts.h"

/* One read into the buffer of the worker, and a look at it. */
ACTS_INLINE int value_read_act(struct worker *w, int (*get)(struct port *port, void *bytes))
{
	uint64_t header, sum;
	int r;

	r = get(&w->port, w->in);
	if (__builtin_expect(r < 0, 0))
		return r;
	sum = pattern_read(&w->shape, w->in, &header);
	if (__builtin_expect(sum != pattern_sum(&w->shape, header), 0))
		w->control->value.torn++;
	else if (__builtin_expect(header < w->seen, 0))
		w->control->value.back++;
	w->seen = header;
	return 0;
}

/* One new message. */
ACTS_INLINE int value_write_act(struct worker *w, int (*set)(struct port *port, const void *bytes))
{
	pattern_write(&w->shape, w->out, pattern_header(0, ++w->seen));
	return set(&w->port, w->out);
}

/* That until the reader is done. */
ACTS_INLINE int value_writes(struct worker *w, int (*set)(struct port *port, const void *bytes))
{
	int r = 0;

	while (r == 0 && !__atomic_load_n(&w->control->value.over, __ATOMIC_RELAXED))
		r = value_write_act(w, set);
	w->done = 0;
	w->end = bench_now();
	return r;
}

/* Increments, and then what the value is: the last process to say it knows the whole number. */
ACTS_INLINE int value_increments(struct worker *w, int (*increment)(struct worker *w),
				 int (*get)(struct port *port, void *bytes))
{
	uint64_t *counter = &w->control->lock.counter, count = 0, before = 0;
	int r = acts(w, increment);

	if (r == 0)
		r = get(&w->port, &count);
	if (r < 0)
		return r;
	while (before < count && !__atomic_compare_exchange_n(counter, &before, count, false,
							      __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	return 0;
}

#endif
