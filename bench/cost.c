/* SPDX-License-Identifier: MIT */
/*
 * CPU time, context switches and page faults of a process.
 *
 * CPU time comes from the process clocks and not from getrusage(): those count nanoseconds, and
 * there is one for every process that may be looked at.
 */
#include "bench/cost.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static int64_t to_ns(const struct timespec *ts)
{
	return (int64_t)ts->tv_sec * BENCH_NS + ts->tv_nsec;
}

void cost_now(struct cost *ret)
{
	struct timespec ts = { 0 };
	struct rusage ru = { 0 };

	getrusage(RUSAGE_SELF, &ru);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	ret->cpu_ns = to_ns(&ts);
	ret->ctx_voluntary = ru.ru_nvcsw;
	ret->ctx_involuntary = ru.ru_nivcsw;
	ret->faults_minor = ru.ru_minflt;
	ret->faults_major = ru.ru_majflt;
}

void cost_since(const struct cost *start, struct cost *ret)
{
	struct cost now;

	cost_now(&now);
	cost_sub(&now, start, ret);
}

void cost_add(struct cost *sum, const struct cost *c)
{
	sum->cpu_ns += c->cpu_ns;
	sum->ctx_voluntary += c->ctx_voluntary;
	sum->ctx_involuntary += c->ctx_involuntary;
	sum->faults_minor += c->faults_minor;
	sum->faults_major += c->faults_major;
}

void cost_sub(const struct cost *a, const struct cost *b, struct cost *ret)
{
	ret->cpu_ns = a->cpu_ns - b->cpu_ns;
	ret->ctx_voluntary = a->ctx_voluntary - b->ctx_voluntary;
	ret->ctx_involuntary = a->ctx_involuntary - b->ctx_involuntary;
	ret->faults_minor = a->faults_minor - b->faults_minor;
	ret->faults_major = a->faults_major - b->faults_major;
}

/* Switches of one thread; /proc/PID/status has those of the first thread only. */
static void add_switches(const char *status_path, struct cost *ret)
{
	FILE *f = fopen(status_path, "re");
	char line[128];
	long long n;

	if (!f) /* the thread ended meanwhile */
		return;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "voluntary_ctxt_switches: %lld", &n) == 1)
			ret->ctx_voluntary += n;
		else if (sscanf(line, "nonvoluntary_ctxt_switches: %lld", &n) == 1)
			ret->ctx_involuntary += n;
	}
	fclose(f);
}

static int add_threads(pid_t pid, struct cost *ret)
{
	char path[320];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = opendir(path);
	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%s/status", (int)pid, e->d_name);
		add_switches(path, ret);
	}
	closedir(d);
	return 0;
}

/* Fields 10 and 12 of /proc/PID/stat; the name in field 2 may hold blanks and brackets. */
static int read_faults(pid_t pid, struct cost *ret)
{
	long long minor, major;
	char path[64], buf[1024], *p;
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	n = fread(buf, 1, sizeof(buf) - 1, f);
	fclose(f);
	buf[n] = 0;
	p = strrchr(buf, ')');
	if (!p || sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %lld %*u %lld", &minor, &major) != 2)
		return -EIO;
	ret->faults_minor = minor;
	ret->faults_major = major;
	return 0;
}

int cost_of_pid(pid_t pid, struct cost *ret)
{
	struct timespec ts;
	struct cost c = { 0 };
	clockid_t clock;
	int rc;

	rc = -clock_getcpuclockid(pid, &clock);
	if (rc)
		return rc;
	if (clock_gettime(clock, &ts))
		return -errno;
	c.cpu_ns = to_ns(&ts);
	rc = read_faults(pid, &c);
	if (!rc)
		rc = add_threads(pid, &c);
	if (!rc)
		*ret = c;
	return rc;
}
