/* SPDX-License-Identifier: MIT */
/*
 * CPU placement from the affinity mask and /sys/devices/system/cpu.
 *
 * The mask is read once, at the first call in a process, because pinning changes it and the
 * question "which CPUs may this process use" must keep its answer. A process that is started by
 * one that has pinned itself sees the narrow mask: controllers do not pin themselves.
 */
#include "bench/clock.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

static cpu_set_t allowed;
static int allowed_count;

static int load_allowed(void)
{
	if (allowed_count)
		return 0;
	/* EINVAL: more CPUs than cpu_set_t has bits (1024); such machines need a later version. */
	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return -errno;
	allowed_count = CPU_COUNT(&allowed);
	return 0;
}

void bench_sleep(int64_t ns)
{
	struct timespec ts = { .tv_sec = ns / BENCH_NS, .tv_nsec = ns % BENCH_NS };

	if (ns > 0)
		while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) == EINTR)
			;
}

double bench_timer_ns(void)
{
	enum {
		LOOPS = 5,
		READS = 4000
	};
	int64_t best = INT64_MAX;
	int i, k;

	for (i = 0; i < LOOPS; i++) {
		int64_t start = bench_now(), end = start;

		for (k = 0; k < READS; k++)
			end = bench_now();
		if (end - start < best)
			best = end - start;
	}
	return (double)best / READS;
}

int bench_cpus_allowed(int *cpus, int max)
{
	int rc = load_allowed(), cpu, n = 0;

	if (rc)
		return rc;
	for (cpu = 0; cpu < CPU_SETSIZE && n < max; cpu++)
		if (CPU_ISSET(cpu, &allowed))
			cpus[n++] = cpu;
	return allowed_count;
}

int bench_pin(int cpu)
{
	cpu_set_t one;
	int rc = load_allowed();

	if (rc)
		return rc;
	if (cpu >= CPU_SETSIZE || cpu < -1 || (cpu >= 0 && !CPU_ISSET(cpu, &allowed)))
		return -EINVAL;
	CPU_ZERO(&one);
	if (cpu >= 0)
		CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), cpu < 0 ? &allowed : &one))
		return -errno;
	return 0;
}

int bench_cpu(void)
{
	int cpu = sched_getcpu();

	return cpu < 0 ? -errno : cpu;
}

/* One number from a CPU's topology folder; -1 when the kernel does not tell. */
static int topology(int cpu, const char *name)
{
	char path[96];
	FILE *f;
	int v = -1;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/topology/%s", cpu, name);
	f = fopen(path, "re");
	if (!f)
		return -1;
	if (fscanf(f, "%d", &v) != 1)
		v = -1;
	fclose(f);
	return v;
}

/* The first hardware thread of a CPU's core stands for the core: core_id is only unique within a
 * package, and on some arm64 machines it is -1 everywhere. */
static int core_of(int cpu)
{
	int first = topology(cpu, "thread_siblings_list");

	return first < 0 ? cpu : first;
}

bool bench_same_core(int a, int b)
{
	return a == b || core_of(a) == core_of(b);
}

/* How well @cpu suits as the next one after chosen[0..n-1]; lower is better. */
static int rank_of(int cpu, const int *chosen, int n)
{
	int i, rank = 0;

	if (n && topology(cpu, "physical_package_id") != topology(chosen[0], "physical_package_id"))
		rank = 1;
	for (i = 0; i < n; i++) {
		if (chosen[i] == cpu)
			return INT_MAX;
		if (bench_same_core(chosen[i], cpu))
			rank = 2;
	}
	return rank;
}

int bench_default_cpus(int *cpus, int n)
{
	int found, cpu, rc = load_allowed();

	if (rc)
		return rc;
	for (found = 0; found < n && found < allowed_count; found++) {
		int best = INT_MAX, pick = -1;

		for (cpu = 0; cpu < CPU_SETSIZE && best > 0; cpu++) {
			int rank = CPU_ISSET(cpu, &allowed) ? rank_of(cpu, cpus, found) : INT_MAX;

			if (rank < best) {
				best = rank;
				pick = cpu;
			}
		}
		cpus[found] = pick;
	}
	return found;
}

int bench_default_pair(int cpus[2])
{
	int n = bench_default_cpus(cpus, 2);

	if (n < 0)
		return n;
	if (n == 1) {
		cpus[1] = cpus[0];
		return BENCH_PAIR_ONE;
	}
	return bench_same_core(cpus[0], cpus[1]) ? BENCH_PAIR_SIBLINGS : BENCH_PAIR_CORES;
}
