/* SPDX-License-Identifier: MIT */
/*
 * A run: blocks, each of which executes every configuration once, in random order, so that what
 * the machine does meanwhile hits all of them alike and ratios can be taken inside a block.
 */
#ifndef IPC_BENCH_RUN_H
#define IPC_BENCH_RUN_H

#include <jansson.h>

#include "plan.h"
#include "result.h"

struct run {
	const struct options *options;
	struct plan plan;
	struct results results;
	struct floor_limits floor;
	struct control *control;
	int control_fd;
	json_t *warnings;		/* of the whole run */
	uint64_t seed;
	uint64_t random;
	int64_t begin;
	int64_t deadline;		/* no repeat starts that would end later */
	int64_t again_until;		/* no unstable repeat is run again that would end later */
	int64_t hard_stop;		/* what still runs then is killed, without blame */
	size_t wanted;			/* repeats */
	size_t made;			/* repeats that ended well, unstable ones included */
	size_t unstable;		/* repeats that stayed unstable */
	bool stopped;			/* by the deadline */
	bool failed;			/* something hung, crashed or broke integrity */
};

/* Place the processes, measure the floor, look at the machine. Returns 0, or an exit code after a
 * message. */
int run_begin(struct run *run, const struct options *options);

/* Seconds that the plan takes if nothing goes wrong. */
double run_nominal(const struct run *run);

/* All blocks of the plan. Returns 0, or an exit code after a message. */
int run_blocks(struct run *run);

/* The exit code that the results deserve. */
int run_verdict(const struct run *run);

void run_end(struct run *run);

#endif
