/* SPDX-License-Identifier: MIT */
/*
 * The workload pump: from an object to a file or a socket.
 *
 * Worker 0 sends as fast as it can, worker 1 moves what comes to the descriptor. What is in the
 * file is checked when the pass is over; from the socket a third process receives, and checks at
 * once. Worker 0 sends in pieces of PUMP_PIECE bytes or a little less, each of which it promises
 * before, so that the others know without a message when they are done.
 */
#ifndef IPC_BENCH_PUMP_H
#define IPC_BENCH_PUMP_H

#include <stdint.h>

#include "mech.h"

#define PUMP_PIECE	(UINT64_C(1) << 20)
/* Bytes of a pass at most, since the file is memory. */
#define PUMP_MOST	(UINT64_C(256) << 20)

struct worker;
struct control;

struct pump {
	_Alignas(128) uint64_t promised;	/* messages of this pass so far, */
	uint32_t finished;			/* and there will be no more */
	_Alignas(128) int socket[2];
};

/* Each returns 0 or more, or a negative errno. */
struct pump_way {
	/* With a reason in @why; such a failure is no fault of the mechanism: it is left out. */
	int (*open)(struct worker *w, int fd, char why[MECH_WHY]);
	/* Move at least one and at most @bytes bytes to @fd; how many. */
	int64_t (*move)(struct worker *w, int fd, uint64_t bytes);
};

/* read(2) and write(2) by way of a buffer; splice(2). */
extern const struct pump_way pump_copy;
extern const struct pump_way pump_splice;
/* weir_pump(3). */
extern const struct pump_way pump_weir_pipe;
extern const struct pump_way pump_weir_queue;

/* The loops of the workers. Return 0 or a negative errno. */
int pump_feed(struct worker *w);
int pump_move(struct worker *w);
int pump_drain(struct worker *w);

/* Make what the messages are moved to, in the process that forks the workers. */
int pump_create(struct control *control, char why[MECH_WHY]);
/* Open it in a worker, and close what others have. */
int pump_open(struct worker *w, char why[MECH_WHY]);
/* After a pass: look into the file, and empty it. */
int pump_check(struct worker *w);

#endif
