/* SPDX-License-Identifier: MIT */
/* Time: nanoseconds of CLOCK_MONOTONIC, deadlines, and a clock that is not read at every call. */
#ifndef WEIR_BASE_CLOCK_H
#define WEIR_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_US	INT64_C(1000)
#define NS_PER_MS	INT64_C(1000000)
#define NS_PER_S	INT64_C(1000000000)

/* Now. About 25 ns through the vDSO. */
int64_t clock_now(void);

/* The earlier of @deadline and @ns from @now, without overflow. */
static inline int64_t clock_cap(int64_t deadline, int64_t now, int64_t ns)
{
	return deadline - now < ns ? deadline : now + ns;
}

/*
 * A pacer says about every period "it is time", and reads the clock rarely while it is asked
 * often: each time that less than a sixteenth of the period has passed between two reads it
 * doubles the number of questions that go unanswered, up to a limit; a caller who comes seldom is
 * always answered from the clock.
 */
struct pacer {
	uint32_t skip;		/* questions until the next read */
	uint32_t stride;	/* questions between two reads */
	bool quick;		/* the last two reads were close together */
	int64_t last_read;
	int64_t due;
};

bool pacer_read(struct pacer *p, int64_t period, uint32_t limit);

static inline bool pacer_due(struct pacer *p, int64_t period, uint32_t limit)
{
	if (p->skip > 0) {
		p->skip--;
		return false;
	}
	return pacer_read(p, period, limit);
}

#endif
