/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <time.h>

#include "weir/base.h"

int64_t clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

bool pacer_read(struct pacer *p, int64_t period, uint32_t limit)
{
	int64_t now = clock_now();
	bool due = now >= p->due;

	p->quick = now - p->last_read <= period / 16;
	if (!p->quick)
		p->stride = 0;
	else if (p->stride < limit)
		p->stride = p->stride * 2 + 1;
	p->skip = p->stride;
	p->last_read = now;
	if (due)
		p->due = now + period;
	return due;
}

int64_t weir_after(int64_t nanoseconds)
{
	int64_t now;

	if (nanoseconds <= 0)
		return 0;
	now = clock_now();
	return nanoseconds > WEIR_FOREVER - now ? WEIR_FOREVER : now + nanoseconds;
}
