/* SPDX-License-Identifier: MIT */
/*
 * The workload lock: all processes acquire and release one lock, as fast as they can.
 *
 * With the lock they add 1 to a number in shared memory, by a plain load and a plain store; in the
 * end it must be the number of acquisitions.
 */
#ifndef IPC_BENCH_LOCK_H
#define IPC_BENCH_LOCK_H

#include <stdint.h>

#include "mech.h"

/* In shared memory, a line of its own. */
struct lock {
	_Alignas(128) uint64_t counter;
	_Alignas(128) uint64_t unused;
};

struct control;

/* can(): locks wait in their own way. */
bool lock_can(const struct setup *setup, char why[MECH_WHY]);

/* create() with @size bytes that all processes share, zeroed, for what both ports have as sink;
 * remove() for it. */
int lock_create(struct link *link, size_t size, char why[MECH_WHY]);
void lock_remove(struct link *link);

/* close(), where there is nothing to close. */
void lock_leave(struct link *link, int side);

/* Smallest by largest number of acts of a process in a pass; NAN for one process, or when the
 * numbers were given. */
double lock_fairness(const struct control *control);

/* Add what became of the counter to the verdict. */
void lock_judge(struct control *control);

#endif
