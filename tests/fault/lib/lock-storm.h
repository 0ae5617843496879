/* SPDX-License-Identifier: MIT */
/*
 * Up to 8 processes that take a lock, count under it and give it back, and are killed, stopped and
 * continued at random, or end of their own accord while they have it. Each has a new number in each
 * life, and says in memory of its own what it has done; what it was amid of is in a journal that
 * the lock protects, and that whoever is told brings to an end.
 */
#ifndef WEIR_TESTS_FAULT_LOCK_STORM_H
#define WEIR_TESTS_FAULT_LOCK_STORM_H

#include <stdint.h>

/* Lock after lock, for so long. Fails the case with what was found; prints what was done. */
void lock_storm(int64_t duration_ns);

#endif
