/* SPDX-License-Identifier: MIT */
/*
 * What disturbs a measurement, from /proc, and how to say it.
 *
 * Every sentence ends in what to do about it. The limits are low enough that a quiet machine says
 * nothing, and high enough that a busy one does not say everything.
 */
#include "bench/noise.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/clock.h"

#define STEAL_LIMIT 0.001	   /* share of all CPU time */
#define INVOLUNTARY_PER_S 20.0	   /* per process; the tick of a busy CPU alone gives a few */
#define MIGRATIONS_PER_S 5.0
#define LOAD_LIMIT 0.5		   /* runnable tasks besides us, mean */

/* ---- one process ---- */

/* A software counter of the own process; no privilege needed up to perf_event_paranoid 2. Opened
 * once, and left open: opening costs more than a repeat's barrier should. */
static int64_t migrations(void)
{
	static int fd = -1;
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_MIGRATIONS,
		.inherit = 1,
		.exclude_kernel = 1,
	};
	uint64_t v;

	if (fd == -1) {
		fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
		if (fd < 0)
			fd = -2; /* do not try again */
	}
	return fd >= 0 && read(fd, &v, sizeof(v)) == (ssize_t)sizeof(v) ? (int64_t)v : -1;
}

static void self_now(struct noise_self *s)
{
	struct rusage ru = { 0 };

	getrusage(RUSAGE_SELF, &ru);
	s->involuntary = ru.ru_nivcsw;
	s->migrations = migrations();
	s->wall_ns = bench_now();
}

void noise_self_begin(struct noise_self *s)
{
	self_now(s);
}

void noise_self_end(struct noise_self *s)
{
	struct noise_self now;

	self_now(&now);
	s->involuntary = now.involuntary - s->involuntary;
	s->wall_ns = now.wall_ns - s->wall_ns;
	s->migrations = s->migrations < 0 || now.migrations < 0 ? -1
								: now.migrations - s->migrations;
}

/* ---- the machine ---- */

static void read_stat(int64_t *ret_steal, int64_t *ret_total)
{
	FILE *f = fopen("/proc/stat", "re");
	long long v[8] = { 0 };
	int i;

	*ret_steal = *ret_total = 0;
	if (!f)
		return;
	if (fscanf(f, "cpu %lld %lld %lld %lld %lld %lld %lld %lld", &v[0], &v[1], &v[2], &v[3],
		   &v[4], &v[5], &v[6], &v[7]) == 8) {
		for (i = 0; i < 8; i++)
			*ret_total += v[i];
		*ret_steal = v[7];
	}
	fclose(f);
}

/* Tasks that run or want to, without the caller. */
static double runnable(void)
{
	FILE *f = fopen("/proc/loadavg", "re");
	int running = 1;

	if (f) {
		if (fscanf(f, "%*s %*s %*s %d/", &running) != 1)
			running = 1;
		fclose(f);
	}
	return running > 1 ? running - 1 : 0;
}

/* Periods in which the own control group had used up its quota. */
static int throttled(void)
{
	static const char *const path[] = {
		"/sys/fs/cgroup/cpu.stat",
		"/sys/fs/cgroup/cpu/cpu.stat",
		"/sys/fs/cgroup/cpu,cpuacct/cpu.stat",
	};
	char line[128];
	size_t i;
	int n = -1;

	for (i = 0; i < sizeof(path) / sizeof(path[0]) && n < 0; i++) {
		FILE *f = fopen(path[i], "re");

		while (f && fgets(line, sizeof(line), f))
			if (sscanf(line, "nr_throttled %d", &n) == 1)
				break;
		if (f)
			fclose(f);
	}
	return n;
}

void noise_begin(struct noise *n)
{
	memset(n, 0, sizeof(*n));
	n->load = runnable();
	n->samples = 1;
	n->throttled = throttled();
	read_stat(&n->steal_ticks, &n->total_ticks);
	n->wall_ns = bench_now();
}

void noise_end(struct noise *n)
{
	int64_t steal, total;
	int now = throttled();

	read_stat(&steal, &total);
	n->steal_ticks = steal - n->steal_ticks;
	n->total_ticks = total - n->total_ticks;
	n->throttled = n->throttled < 0 || now < 0 ? -1 : now - n->throttled;
	n->wall_ns = bench_now() - n->wall_ns;
}

static void add_known(int64_t *sum, int64_t v)
{
	*sum = *sum < 0 || v < 0 ? -1 : *sum + v;
}

void noise_add(struct noise *n, const struct noise_self *s)
{
	n->involuntary += s->involuntary;
	add_known(&n->migrations, s->migrations);
	n->worker_ns += s->wall_ns;
	n->workers++;
}

void noise_merge(struct noise *sum, const struct noise *n)
{
	sum->wall_ns += n->wall_ns;
	sum->steal_ticks += n->steal_ticks;
	sum->total_ticks += n->total_ticks;
	sum->load += n->load;
	sum->samples += n->samples;
	sum->involuntary += n->involuntary;
	add_known(&sum->migrations, n->migrations);
	sum->worker_ns += n->worker_ns;
	sum->workers += n->workers;
	sum->throttled = sum->throttled < 0 || n->throttled < 0 ? -1
								: sum->throttled + n->throttled;
}

double noise_steal(const struct noise *n)
{
	return n->total_ticks > 0 ? (double)n->steal_ticks / (double)n->total_ticks : 0;
}

/* ---- sentences ---- */

__attribute__((format(printf, 2, 3))) static int say(json_t *list, const char *format, ...)
{
	char text[320];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	json_array_append_new(list, json_string(text));
	return 1;
}

int noise_warn(const struct noise *n, json_t *warnings)
{
	double seconds = (double)n->worker_ns / 1e9;
	int said = 0;

	if (noise_steal(n) > STEAL_LIMIT && n->steal_ticks > 1)
		said += say(warnings,
			    "the hypervisor took %.1f %% of the CPU time (steal): use a "
			    "quieter host, or more repeats",
			    100 * noise_steal(n));
	if (n->samples && n->load / n->samples > LOAD_LIMIT)
		said += say(warnings,
			    "%.1f other tasks wanted a CPU: stop them, or pin to CPUs "
			    "that they do not use (--cpus)",
			    n->load / n->samples);
	if (seconds > 0 && n->involuntary > 2 &&
	    (double)n->involuntary / seconds > INVOLUNTARY_PER_S)
		said += say(warnings,
			    "processes lost their CPU %.0f times a second: other tasks "
			    "run on the same CPUs; choose others (--cpus)",
			    (double)n->involuntary / seconds);
	if (seconds > 0 && n->migrations > 2 && (double)n->migrations / seconds > MIGRATIONS_PER_S)
		said += say(warnings,
			    "processes changed CPU %.0f times a second: pin them (--cpus)",
			    (double)n->migrations / seconds);
	if (n->throttled > 0)
		said += say(warnings,
			    "the control group used up its CPU quota %d times: raise the "
			    "quota (cpu.max), or use shorter runs",
			    n->throttled);
	return said;
}

/* First word of a file; "" when it cannot be read. */
static void read_word(const char *path, char word[64])
{
	FILE *f = fopen(path, "re");

	word[0] = 0;
	if (f) {
		if (fscanf(f, "%63s", word) != 1)
			word[0] = 0;
		fclose(f);
	}
}

static int check_cpus(int processes, json_t *warnings)
{
	int cpu, pair[2], n = bench_cpus_allowed(&cpu, 1), said = 0;

	if (n > 0 && processes > n)
		said += say(warnings,
			    "too few CPUs: %d processes on %d: spinning ones wait for "
			    "whole time slices; allow more CPUs, or use --wait block",
			    processes, n);
	if (n > 1 && bench_default_pair(pair) == BENCH_PAIR_SIBLINGS)
		said += say(warnings, "all allowed CPUs are threads of one core: results are those "
				      "of hyperthreads; allow a CPU of another core");
	return said;
}

static int check_clock(json_t *warnings)
{
	char word[64];
	double ns = bench_timer_ns();
	int said = 0;

	read_word("/sys/devices/system/clocksource/clocksource0/current_clocksource", word);
#if defined(__x86_64__)
	if (*word && strcmp(word, "tsc") && strcmp(word, "kvm-clock"))
		said += say(warnings,
			    "clocksource is %s, not tsc: times below some microseconds "
			    "are not to be trusted; boot with tsc=reliable if the TSC is",
			    word);
#endif
	if (ns > 100)
		said += say(warnings,
			    "reading the clock takes %.0f ns: short times are mostly that; "
			    "check the clocksource (%s)",
			    ns, *word ? word : "not known");
	return said;
}

int noise_preflight(int processes, json_t *warnings)
{
	int said = check_cpus(processes, warnings) + check_clock(warnings);
	double load = runnable();
	char word[64];

	read_word("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", word);
	if (*word && strcmp(word, "performance"))
		said += say(warnings,
			    "frequency governor is %s: short runs are slowed down by the "
			    "ramp; set performance (cpupower frequency-set -g performance)",
			    word);
	if (load > LOAD_LIMIT)
		said += say(warnings, "%.0f other tasks are running: stop them first", load);
	return said;
}
