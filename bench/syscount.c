/* SPDX-License-Identifier: MIT */
/*
 * Counting system calls: which way, and the meeting with the workers.
 *
 * The tracepoint costs some ten nanoseconds per call and changes nothing else. ptrace stops the
 * process twice per call, so the two ends of a mechanism run in another rhythm than usual: a
 * mechanism that batches or sleeps depending on timing shows other numbers. Hence its name is in
 * every result.
 */
#include "bench/syscount.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

int syscount_each_thread(pid_t pid, int (*fn)(void *arg, pid_t tid), void *arg)
{
	struct dirent *e;
	char path[64];
	int rc = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = opendir(path);
	if (!d)
		return -errno;
	while (!rc && (e = readdir(d)))
		if (e->d_name[0] != '.')
			rc = fn(arg, (pid_t)atoi(e->d_name));
	closedir(d);
	return rc;
}

static int open_ptrace(struct syscount *sc)
{
	int rc = syscount_trace_open(sc);

	if (rc)
		snprintf(sc->reason + strlen(sc->reason), sizeof(sc->reason) - strlen(sc->reason),
			 "%sptrace: %s", *sc->reason ? "; " : "", strerror(-rc));
	else
		sc->source = "ptrace";
	return rc;
}

static int open_how(struct syscount *sc, enum syscount_how how)
{
	int rc;

	if (how == SYSCOUNT_PTRACE)
		return open_ptrace(sc);
	rc = syscount_perf_open(sc);
	if (!rc)
		sc->source = "tracepoint";
	else if (how == SYSCOUNT_ANY)
		rc = open_ptrace(sc);
	return rc;
}

int syscount_open(struct syscount **ret, const pid_t *pids, unsigned int n, enum syscount_how how)
{
	struct syscount *sc = calloc(1, sizeof(*sc));

	*ret = NULL;
	if (!sc)
		return -ENOMEM;
	sc->pid = calloc(n + 1, sizeof(*sc->pid));
	sc->count = calloc(n + 1, sizeof(*sc->count));
	if (!sc->pid || !sc->count) {
		syscount_close(sc);
		return -ENOMEM;
	}
	memcpy(sc->pid, pids, n * sizeof(*pids));
	sc->n = n;
	*ret = sc;
	return open_how(sc, how);
}

int syscount_start(struct syscount *sc)
{
	if (!sc->source)
		return -ENOSYS;
	memset(sc->count, 0, sc->n * sizeof(*sc->count));
	return sc->perf ? syscount_perf_start(sc) : syscount_trace_start(sc);
}

int syscount_stop(struct syscount *sc)
{
	if (!sc->source)
		return -ENOSYS;
	return sc->perf ? syscount_perf_stop(sc) : syscount_trace_stop(sc);
}

/* Whether a process has ended; its exit state is left for its parent to take. The stops of a
 * tracee show up here as well, asked for or not. */
static bool gone(pid_t pid)
{
	siginfo_t info = { 0 };

	if (!waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT))
		return info.si_pid == pid && info.si_code != CLD_TRAPPED &&
		       info.si_code != CLD_STOPPED;
	return kill(pid, 0) && errno == ESRCH; /* not a child of ours */
}

static int wait_for(struct syscount *sc, const uint32_t *word, unsigned int workers,
		    int64_t deadline)
{
	unsigned int i;

	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) < workers) {
		if (bench_now() > deadline)
			return -ETIMEDOUT;
		for (i = 0; i < sc->n; i++)
			if (gone(sc->pid[i]))
				return -ESRCH;
		bench_sleep(200000);
	}
	return 0;
}

int syscount_run(struct syscount *sc, struct syscount_gate *gate, unsigned int workers,
		 int64_t timeout_ns)
{
	int64_t deadline = bench_now() + timeout_ns;
	int rc = wait_for(sc, &gate->ready, workers, deadline), stopped;

	if (!rc)
		rc = syscount_start(sc);
	__atomic_store_n(&gate->go, 1, __ATOMIC_RELEASE);
	if (!rc) {
		rc = wait_for(sc, &gate->done, workers, deadline);
		stopped = syscount_stop(sc);
		rc = rc ? rc : stopped;
	}
	__atomic_store_n(&gate->release, 1, __ATOMIC_RELEASE);
	return rc;
}

uint64_t syscount_total(const struct syscount *sc)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < sc->n; i++)
		sum += sc->count[i];
	return sum;
}

uint64_t syscount_of(const struct syscount *sc, unsigned int i)
{
	return i < sc->n ? sc->count[i] : 0;
}

const char *syscount_source(const struct syscount *sc)
{
	return sc ? sc->source : NULL;
}

const char *syscount_reason(const struct syscount *sc)
{
	if (!sc)
		return "no memory";
	return *sc->reason ? sc->reason : NULL;
}

void syscount_close(struct syscount *sc)
{
	if (!sc)
		return;
	syscount_perf_close(sc);
	syscount_trace_close(sc);
	free(sc->pid);
	free(sc->count);
	free(sc);
}
