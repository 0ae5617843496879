/* SPDX-License-Identifier: MIT */
/*
 * Between the parts of the system call counter; users include cost.h.
 */
#ifndef BENCH_SYSCOUNT_H
#define BENCH_SYSCOUNT_H

#include <pthread.h>

#include "bench/cost.h"

struct syscount_perf;
struct syscount_trace;

struct syscount {
	pid_t *pid;
	uint64_t *count; /* per process, between start and stop */
	unsigned int n;
	const char *source;
	char reason[160];
	struct syscount_perf *perf;   /* exactly one of the two once open */
	struct syscount_trace *trace;
};

/* For each thread that a process has now; stops at the first error and returns it. */
int syscount_each_thread(pid_t pid, int (*fn)(void *arg, pid_t tid), void *arg);

int syscount_perf_open(struct syscount *sc);
int syscount_perf_start(struct syscount *sc);
int syscount_perf_stop(struct syscount *sc);
void syscount_perf_close(struct syscount *sc);

int syscount_trace_open(struct syscount *sc);
int syscount_trace_start(struct syscount *sc);
int syscount_trace_stop(struct syscount *sc);
void syscount_trace_close(struct syscount *sc);

#endif
