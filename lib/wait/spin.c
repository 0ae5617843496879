/* SPDX-License-Identifier: MIT */
#include "wait/spin.h"

#include "base/cc.h"
#include "base/clock.h"
#include "wait/park.h"

/* Looks between two at the clock, which costs about as much as two pauses. */
#define TURNS		32
#define LEAST_NS	(1 * NS_PER_US)
/* A gap in our own time as long as this: somebody else ran on our processor. */
#define PREEMPTED_NS	(50 * NS_PER_US)

void spin_init(struct spin *s)
{
	s->ns = PARK_SPIN_NS;
}

bool spin_for(struct spin *s, bool (*look)(void *arg), void *arg, int64_t deadline)
{
	int64_t start = clock_now(), now = start, then;

	do {
		for (int i = 0; i < TURNS; i++) {
			if (look(arg)) {
				s->ns = PARK_SPIN_NS;
				return true;
			}
			cpu_relax();
		}
		then = now;
		now = clock_now();
		if (now - then > PREEMPTED_NS) {
			s->ns = LEAST_NS;
			return false;
		}
	} while (now - start < s->ns && now < deadline);
	s->ns -= s->ns / 4;
	if (s->ns < LEAST_NS)
		s->ns = LEAST_NS;
	return false;
}
