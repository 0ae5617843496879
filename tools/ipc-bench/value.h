/* SPDX-License-Identifier: MIT */
/*
 * The workload value: all processes do one thing with one value, as fast as they can.
 *
 * increment, atomic	add 1; in the end the value must be the number of times.
 * read			one process reads all bytes as they were at one moment. The contents are
 *			those of a message, so that a reader knows when they are of two.
 * read-write		the same while another process writes a new message as fast as it can.
 *			It does so until the reader is done, and is not counted.
 */
#ifndef IPC_BENCH_VALUE_H
#define IPC_BENCH_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "mech.h"

/* In shared memory. */
struct value {
	_Alignas(128) uint32_t over;	/* the reader is done with this pass */
	_Alignas(128) uint64_t torn;	/* reads that were of no moment, */
	uint64_t back;			/* or of an earlier one than the read before */
};

struct control;
struct worker;

/* Whether the op is about a number; others are about bytes. */
static inline bool value_counts(enum value_op op)
{
	return op == VALUE_INCREMENT || op == VALUE_ATOMIC;
}

/* What is said of a mechanism that has no such op. */
const char *value_lack(enum value_op op);

/* The loop of a worker. */
int value_run(struct worker *w);

/* Before the first pass, in worker 0. */
int value_prepare(struct worker *w);

/* Add what became of the value to the verdict. */
void value_judge(struct control *control);

#endif
