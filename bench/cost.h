/* SPDX-License-Identifier: MIT */
/*
 * What messages cost: CPU time, context switches and page faults from inside each process, and
 * system calls counted from outside in a pass of its own.
 *
 * CPU time and switches, in each process at the two barriers of the timed window:
 *
 *	cost_now(&start);  ... messages ...  cost_since(&start, &mine);
 *	the controller adds them up: cost_add(&all, &mine)
 *
 * System calls, controller's side (the workers wait in syscount_enter(), without system calls):
 *
 *	syscount_open(&sc, pids, n, SYSCOUNT_ANY);
 *	syscount_run(sc, gate, n, 10 * BENCH_NS);
 *	total = syscount_total(sc);  source = syscount_source(sc);
 *	syscount_close(sc);
 */
#ifndef BENCH_COST_H
#define BENCH_COST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bench/clock.h"

struct cost {
	int64_t cpu_ns; /* user and system, all threads of the process */
	int64_t ctx_voluntary;
	int64_t ctx_involuntary;
	int64_t faults_minor;
	int64_t faults_major;
};

/* The calling process up to now. */
void cost_now(struct cost *ret);
/* The calling process since cost_now(@start). */
void cost_since(const struct cost *start, struct cost *ret);
/* Another process up to now (a daemon of a mechanism), all its threads.
 * Returns 0 or a negative errno. */
int cost_of_pid(pid_t pid, struct cost *ret);
/* sum += c; also a - b for two readings of one process. */
void cost_add(struct cost *sum, const struct cost *c);
void cost_sub(const struct cost *a, const struct cost *b, struct cost *ret);

/*
 * Where workers and controller meet; in shared memory, zeroed. Workers spin, because a barrier
 * that sleeps would be counted.
 */
struct syscount_gate {
	uint32_t ready;	  /* workers that reached syscount_enter() */
	uint32_t go;	  /* controller: counting */
	uint32_t done;	  /* workers that reached syscount_leave() */
	uint32_t release; /* controller: counting is over */
};

/* Worker: everything before this call is not counted. */
static inline void syscount_enter(struct syscount_gate *g)
{
	__atomic_add_fetch(&g->ready, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&g->go, __ATOMIC_ACQUIRE))
		bench_pause();
}

/* Worker: everything after this call is not counted. */
static inline void syscount_leave(struct syscount_gate *g)
{
	__atomic_add_fetch(&g->done, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&g->release, __ATOMIC_ACQUIRE))
		bench_pause();
}

enum syscount_how {
	SYSCOUNT_ANY,	     /* the tracepoint when it can be had, else ptrace */
	SYSCOUNT_TRACEPOINT, /* perf event raw_syscalls:sys_enter */
	SYSCOUNT_PTRACE,     /* slow: two stops per system call */
};

struct syscount;

/*
 * Prepare to count the system calls of n processes and of all their threads and children, now
 * and later. Returns 0 or a negative errno; *ret is set even on failure (NULL only without
 * memory) so that syscount_reason() can tell why.
 */
int syscount_open(struct syscount **ret, const pid_t *pids, unsigned int n, enum syscount_how how);

/*
 * Wait until @workers are ready at the gate, count while they run, let them go. Returns 0;
 * -ETIMEDOUT after @timeout_ns and -ESRCH when a process died (in both cases the gate is left
 * open, and counts are not valid). Exit states stay for the caller's own waitpid().
 */
int syscount_run(struct syscount *sc, struct syscount_gate *gate, unsigned int workers,
		 int64_t timeout_ns);

/* For a barrier of your own instead of syscount_run(). Between the two no thread may wait for
 * these processes: with ptrace it would take the stops that are counted. */
int syscount_start(struct syscount *sc);
int syscount_stop(struct syscount *sc);

/* Counted between start and stop: all, or those of pids[i] with its threads and children. */
uint64_t syscount_total(const struct syscount *sc);
uint64_t syscount_of(const struct syscount *sc, unsigned int i);

/* "tracepoint" or "ptrace"; NULL when nothing works. */
const char *syscount_source(const struct syscount *sc);
/* Why the better way (or any way) could not be used; NULL when the tracepoint works. */
const char *syscount_reason(const struct syscount *sc);

/* Detach from the processes and free; NULL is allowed. */
void syscount_close(struct syscount *sc);

#endif
