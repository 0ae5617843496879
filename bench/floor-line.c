/* SPDX-License-Identifier: MIT */
/*
 * The cache line that two CPUs bounce, and what its round trip says about their placement.
 *
 * Side 0 stores 2k + 1 and spins until it reads 2k + 2; side 1 answers. The spins are acquire
 * loads and nothing else; only after some thousands of them is the clock looked at, so that a
 * missing peer is noticed. The number of the call is in the upper half of the word: what a late
 * side left behind from an earlier call never matches.
 */
#include "bench/floor.h"
#include "bench/floor-pair.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/clock.h"
#include "bench/stats.h"

enum {
	PARTS = FLOOR_LINES,
	SPINS = 1 << 14,		/* between two looks at the clock */
	MEET_NS = 2000000000,		/* for the other side to arrive */
	RUN_NS = 300000000,		/* for all round trips; 7 ms are usual */
};

static const char *const class_names[FLOOR_CLASSES] = { "near", "far", "same-cpu", "unpinned" };

/* A1, A2: acquire, pairs with the release stores R1, R2 in line_rounds(). */
static bool await(const uint64_t *word, uint64_t want, int64_t deadline)
{
	int n;

	do {
		for (n = 0; n < SPINS; n++)
			if (__atomic_load_n(word, __ATOMIC_ACQUIRE) == want)
				return true;
	} while (bench_now() < deadline);
	return false;
}

/* The other side may come much later, and may need this CPU to come at all: yield. */
static bool meet(const uint64_t *word, uint64_t want)
{
	int64_t deadline = bench_now() + MEET_NS;

	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) < want) {
		int n;

		for (n = 0; n < 100; n++)
			bench_pause();
		if (bench_now() > deadline)
			return false;
		sched_yield();
	}
	return true;
}

/* Round trips first..last-1 of one side. */
static bool line_rounds(uint64_t *word, int side, uint64_t base, int first, int last,
			int64_t deadline)
{
	int k;

	for (k = first; k < last; k++) {
		uint64_t ping = base + 2 * (uint64_t)k + 1;

		if (side == 0) {
			__atomic_store_n(word, ping, __ATOMIC_RELEASE); /* R1 → A1 */
			if (!await(word, ping + 1, deadline)) /* A2 */
				return false;
		} else {
			if (!await(word, ping, deadline)) /* A1 */
				return false;
			__atomic_store_n(word, ping + 1, __ATOMIC_RELEASE); /* R2 → A2 */
		}
	}
	return true;
}

/* All parts of one side; their means in mean[]. */
static bool line_parts(struct floor_line *l, int side, int lines, uint64_t base, double mean[PARTS])
{
	int64_t deadline, t = bench_now();
	int i, rounds = FLOOR_ROUNDS / PARTS;

	deadline = t + RUN_NS;
	for (i = 0; i < PARTS; i++) {
		int64_t before = t;

		if (!line_rounds(&l->line[i % lines].word, side, base, i * rounds, (i + 1) * rounds,
				 deadline))
			return false;
		t = bench_now();
		mean[i] = (double)(t - before) / rounds;
	}
	return true;
}

/* One measurement over so many lines; both sides find the result in *l. */
static bool line_measure(struct floor_line *l, int side, int lines)
{
	uint64_t call = l->arrived[side] + 1; /* only this side writes it */
	double mean[PARTS], sum = 0;
	int i;

	__atomic_store_n(&l->arrived[side], call, __ATOMIC_RELEASE);
	if (!meet(&l->arrived[!side], call))
		return false;
	if (!line_parts(l, side, lines, call << 32, mean))
		return false;
	if (side == 1)
		return await(&l->finished, call, bench_now() + RUN_NS);
	for (i = 0; i < PARTS; i++)
		sum += mean[i];
	l->mean_ns = sum / PARTS;
	l->median_ns = stats_median(mean, PARTS);
	__atomic_store_n(&l->finished, call, __ATOMIC_RELEASE);
	return true;
}

double floor_line_side(struct floor_line *line, int side)
{
	return line_measure(line, side, FLOOR_LINES) ? line->median_ns : NAN;
}

/* ---- two processes ---- */

void *floor_pair_alloc(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void floor_pair_free(void *shared, size_t size)
{
	if (shared)
		munmap(shared, size);
}

static void child(int cpu, floor_side_fn fn, void *shared, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || bench_pin(cpu))
		_exit(1);
	_exit(fn(shared, 1) ? 0 : 1);
}

int floor_pair_run(int cpu_a, int cpu_b, floor_side_fn fn, void *shared)
{
	pid_t parent = getpid(), pid;
	cpu_set_t old;
	int status = 0, rc;
	bool ok;

	if (sched_getaffinity(0, sizeof(old), &old))
		return -errno;
	rc = bench_pin(cpu_a);
	if (rc)
		return rc;
	pid = fork();
	if (pid == 0)
		child(cpu_b, fn, shared, parent);
	rc = pid < 0 ? -errno : 0;
	if (pid > 0) {
		ok = fn(shared, 0);
		if (!ok)
			kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		if (!ok || status)
			rc = -ETIMEDOUT;
	}
	sched_setaffinity(0, sizeof(old), &old);
	return rc;
}

static bool once(void *shared, int side)
{
	return line_measure(shared, side, FLOOR_LINES);
}

double floor_bracket(int cpu_a, int cpu_b)
{
	struct floor_line *l;
	double ns = NAN;

	if (cpu_a == cpu_b && cpu_a >= 0)
		return NAN;
	l = floor_pair_alloc(sizeof(*l));
	if (l && !floor_pair_run(cpu_a, cpu_b, once, l))
		ns = l->median_ns;
	floor_pair_free(l, sizeof(*l));
	return ns;
}

/* Fastest of three on one line, after one to warm up; the best is left in the second struct. */
static bool three_times(void *shared, int side)
{
	struct floor_line *l = shared;
	int i;

	for (i = 0; i < 4; i++) {
		if (!line_measure(l, side, 1))
			return false;
		if (side == 0 && i && (i == 1 || l->mean_ns < l[1].mean_ns))
			l[1].mean_ns = l->mean_ns;
	}
	return true;
}

double floor_cacheline_rtt_ns(int cpu_a, int cpu_b)
{
	struct floor_line *l;
	double ns = NAN;

	if (cpu_a == cpu_b && cpu_a >= 0)
		return NAN;
	l = floor_pair_alloc(2 * sizeof(*l));
	if (l && !floor_pair_run(cpu_a, cpu_b, three_times, l))
		ns = l[1].mean_ns;
	floor_pair_free(l, 2 * sizeof(*l));
	return ns;
}

/* ---- placement ---- */

const char *floor_class_name(enum floor_class c)
{
	return class_names[c];
}

double floor_rtt(double before, double after)
{
	return (before + after) / 2;
}

enum floor_class floor_class(double before, double after, int cpu_a, int cpu_b)
{
	if (cpu_a < 0 || cpu_b < 0)
		return FLOOR_UNPINNED;
	if (cpu_a == cpu_b)
		return FLOOR_SAME_CPU;
	return floor_rtt(before, after) < FLOOR_NEAR_NS ? FLOOR_NEAR : FLOOR_FAR;
}

bool floor_unstable(double before, double after, int cpu_a, int cpu_b)
{
	if (cpu_a < 0 || cpu_b < 0 || cpu_a == cpu_b)
		return false;
	if (!(before > 0 && after > 0)) /* also when one is NAN */
		return true;
	return before > after * FLOOR_UNSTABLE || after > before * FLOOR_UNSTABLE;
}
