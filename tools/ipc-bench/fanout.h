/* SPDX-License-Identifier: MIT */
/*
 * The workload fanout: from one process to many that sleep, each with an object of its own.
 *
 * Worker 0 waits until all others sleep in a call that receives, which is not timed; then it sends
 * a message to each and flushes. The sleep is seen from outside: a reader says that it is about to
 * receive, and /proc shows it asleep in two looks at all readers, one after the other.
 */
#ifndef IPC_BENCH_FANOUT_H
#define IPC_BENCH_FANOUT_H

#include <stdint.h>

#include "bench/hist.h"
#include "mech.h"

/* What a reader tells; over all passes. */
struct fanout_reader {
	_Alignas(128) uint32_t entered;	/* calls that it began, */
	uint32_t received;		/* that ended with a message, */
	int64_t ns;			/* and when the last one did */
	int32_t pid;
};

struct fanout {
	struct fanout_reader reader[SIDE_MAX];
	struct hist issue;
};

struct worker;
struct control;

/* The loops of worker 0 and of the others. Return 0 or a negative errno. */
int fanout_send(struct worker *w);
int fanout_recv(struct worker *w);

/* Each reader should have all that was sent. */
void fanout_judge(struct control *control);

#endif
