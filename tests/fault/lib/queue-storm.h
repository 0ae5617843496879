/* SPDX-License-Identifier: MIT */
/*
 * Writers, readers and takers of one queue, 1 to 16 processes, that are killed, stopped and
 * continued at random while they put, get, hold and give back. Each has a new number in each life,
 * and numbers its messages; what it has tried, done and been given is in a ledger of its own.
 */
#ifndef WEIR_TESTS_FAULT_QUEUE_STORM_H
#define WEIR_TESTS_FAULT_QUEUE_STORM_H

#include <stdint.h>

/* Queue after queue, for so long. Fails the case with what was found; prints what was done. */
void qstorm(int64_t duration_ns);

#endif
