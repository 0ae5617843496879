/* SPDX-License-Identifier: MIT */
/*
 * Two pinned processes over one piece of shared memory; for the floor's own measurements.
 */
#ifndef BENCH_FLOOR_PAIR_H
#define BENCH_FLOOR_PAIR_H

#include <stdbool.h>
#include <stddef.h>

/* One side of a measurement; false when the other side did not come in time. */
typedef bool (*floor_side_fn)(void *shared, int side);

/* Zeroed, present shared memory; NULL when there is none. */
void *floor_pair_alloc(size_t size);
void floor_pair_free(void *shared, size_t size);

/* Run side 0 here on @cpu_a and side 1 in a child on @cpu_b; the affinity comes back after it.
 * Returns 0, -ETIMEDOUT when a side failed, or another negative errno. */
int floor_pair_run(int cpu_a, int cpu_b, floor_side_fn fn, void *shared);

#endif
