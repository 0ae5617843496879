/* SPDX-License-Identifier: MIT */
/*
 * Clock and CPU placement for measurements.
 *
 * Every time in the bench code is CLOCK_MONOTONIC in nanoseconds: it is served by the vDSO, and
 * one clock for all processes of a host makes one-way times comparable.
 */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define BENCH_NS 1000000000LL

static inline int64_t bench_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * BENCH_NS + ts.tv_nsec;
}

/* One hint to the core that this is a spin loop; never a system call. */
static inline void bench_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__) || (defined(__arm__) && __ARM_ARCH >= 7)
	__asm__ volatile("yield" ::: "memory");
#else
	__asm__ volatile("" ::: "memory");
#endif
}

/* Sleep for @ns nanoseconds (the controller's way to wait; never used in a timed process). */
void bench_sleep(int64_t ns);

/* Cost of one bench_now() in nanoseconds, fastest of several loops. */
double bench_timer_ns(void);

/*
 * The CPUs that this process may use, ascending, into cpus[0..max-1].
 * Returns how many there are (may exceed @max), or a negative errno.
 */
int bench_cpus_allowed(int *cpus, int max);

/* Pin the calling thread to @cpu; -1 allows all CPUs again that were allowed at the first call.
 * Returns 0 or a negative errno (-EINVAL: not an allowed CPU). */
int bench_pin(int cpu);

/* The CPU that the caller runs on now, or a negative errno. */
int bench_cpu(void);

/* Whether two CPUs are hardware threads of one core (true also for a == b). */
bool bench_same_core(int a, int b);

enum bench_pair {
	BENCH_PAIR_CORES = 0,	 /* two CPUs on different cores */
	BENCH_PAIR_SIBLINGS = 1, /* only two threads of one core are allowed */
	BENCH_PAIR_ONE = 2,	 /* only one CPU is allowed: both entries are that CPU */
};

/*
 * The default placement: the first allowed CPU, and the first one on another core, of the same
 * package when there is one. Returns enum bench_pair or a negative errno.
 */
int bench_default_pair(int cpus[2]);

/*
 * As above for @n processes: cpus[] gets at most @n different CPUs, one per core before any
 * sibling is used. Returns how many were found (the caller goes round robin over them).
 */
int bench_default_cpus(int *cpus, int n);

#endif
