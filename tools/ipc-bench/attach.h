/* SPDX-License-Identifier: MIT */
/*
 * The workload attach: what it takes to make an object, connect another process, pass the object
 * to a process that knows nothing of it, and drop it; and the memory of one.
 *
 * Worker 0 makes an object, forks a child that sends the first message through its copy, and drops
 * it; makes a second one, passes its sending side to worker 1 over a Unix socket, receives the
 * message that worker 1 sends through it, and drops that. Every message is checked.
 */
#ifndef IPC_BENCH_ATTACH_H
#define IPC_BENCH_ATTACH_H

#include <stdint.h>

#define ATTACH_ROUNDS 1024	/* at most, in a repeat */

enum attach_phase {
	ATTACH_MAKE,	/* the calls that make both sides */
	ATTACH_CONNECT,	/* in a new child: from its first instruction to its first message sent */
	ATTACH_PASS,	/* from before it is passed to the receipt of the other's message */
	ATTACH_DROP,	/* the calls that close and remove it */
	ATTACH_PHASES,
};

/* What came of a repeat; in shared memory. */
struct attach {
	uint64_t sequence;		/* of the message that worker 1 is to send */
	uint32_t count[ATTACH_PHASES];
	uint32_t descriptors;		/* of one object */
	uint64_t empty_bytes;		/* that no message has been sent through */
	uint64_t full_bytes;		/* one direction full */
	int64_t ns[ATTACH_PHASES][ATTACH_ROUNDS];
};

struct worker;

/* The loops of workers 0 and 1. Return 0 or a negative errno. */
int attach_make(struct worker *worker);
int attach_serve(struct worker *worker);

/* "make" ... "drop". */
const char *attach_phase_name(enum attach_phase phase);

#endif
