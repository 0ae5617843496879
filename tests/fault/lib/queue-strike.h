/* SPDX-License-Identifier: MIT */
/*
 * Kill, or stop, the victim of each act on a queue at its instructions, in the states that a queue
 * can be in, and judge what is left each time.
 */
#ifndef WEIR_TESTS_FAULT_QUEUE_STRIKE_H
#define WEIR_TESTS_FAULT_QUEUE_STRIKE_H

#include "fault/lib/queue-world.h"

struct qstrike_plan {
	uint32_t states;	/* so many of them, at random, without what is slow; 0: all */
	uint32_t most;		/* points of each kind; 0: each instruction */
	uint32_t nth, of;	/* only each of-th state, beginning with the nth */
	bool stop;		/* instead of killing */
};

/* Before the cases: where all of them count. */
void qstrike_init(void);
/* All of one act. */
void qstrike_act(size_t act, const struct qstrike_plan *plan);
void qstrike_report(void);

#endif
