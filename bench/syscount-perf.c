/* SPDX-License-Identifier: MIT */
/*
 * Counting system calls with the tracepoint raw_syscalls:sys_enter, one perf event per thread.
 *
 * The number of the tracepoint is in tracefs, which is often readable by root only and sometimes
 * mounted nowhere. A privileged caller can then look into a tracefs of its own that is mounted at
 * no path (fsmount), which leaves no trace in the file system. Counting own processes needs no
 * privilege once the number is known.
 */
#include "bench/syscount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ID_PATH "events/raw_syscalls/sys_enter/id"

struct syscount_perf {
	unsigned int n, max;
	struct perf_counter {
		int fd;
		unsigned int owner; /* index of its process */
	} * counter;
};

/* Reading the list of threads of one process. */
struct thread_adder {
	struct syscount_perf *perf;
	unsigned int owner;
	int id;
};

static int read_number(int dir, const char *path)
{
	char buf[32];
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	if (n <= 0)
		return -EIO;
	buf[n] = 0;
	return atoi(buf);
}

/* A tracefs that is mounted nowhere; needs CAP_SYS_ADMIN and Linux 5.2. */
static int unmounted_tracefs(void)
{
#if defined(SYS_fsopen) && defined(SYS_fsconfig) && defined(SYS_fsmount)
	enum {
		CMD_CREATE = 6
	};
	int fs = (int)syscall(SYS_fsopen, "tracefs", 1 /* close on exec */), dir;

	if (fs < 0)
		return -errno;
	dir = -1;
	if (!syscall(SYS_fsconfig, fs, CMD_CREATE, NULL, NULL, 0))
		dir = (int)syscall(SYS_fsmount, fs, 1 /* close on exec */, 0);
	close(fs);
	return dir < 0 ? -EPERM : dir;
#else
	return -ENOSYS;
#endif
}

static int tracepoint_id(void)
{
	int dir, id;

	id = read_number(AT_FDCWD, "/sys/kernel/tracing/" ID_PATH);
	if (id < 0)
		id = read_number(AT_FDCWD, "/sys/kernel/debug/tracing/" ID_PATH);
	if (id >= 0)
		return id;
	dir = unmounted_tracefs();
	if (dir >= 0) {
		id = read_number(dir, ID_PATH);
		close(dir);
	}
	return id;
}

static int perf_open(int id, pid_t tid)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.config = (uint64_t)id,
		.disabled = 1,
		.inherit = 1,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int add_thread(void *arg, pid_t tid)
{
	struct thread_adder *a = arg;
	struct syscount_perf *p = a->perf;
	int fd = perf_open(a->id, tid);

	if (fd == -ESRCH) /* ended meanwhile */
		return 0;
	if (fd < 0)
		return fd;
	if (p->n == p->max) {
		unsigned int max = p->max ? 2 * p->max : 16;
		struct perf_counter *more = realloc(p->counter, max * sizeof(*more));

		if (!more) {
			close(fd);
			return -ENOMEM;
		}
		p->counter = more;
		p->max = max;
	}
	p->counter[p->n].fd = fd;
	p->counter[p->n].owner = a->owner;
	p->n++;
	return 0;
}

static int fail(struct syscount *sc, int rc, const char *what)
{
	snprintf(sc->reason, sizeof(sc->reason), "tracepoint: %s: %s", what, strerror(-rc));
	syscount_perf_close(sc);
	return rc;
}

int syscount_perf_open(struct syscount *sc)
{
	struct thread_adder a = { .id = tracepoint_id() };
	unsigned int i;
	int rc;

	if (a.id < 0)
		return fail(sc, a.id, "tracefs is not readable");
	a.perf = sc->perf = calloc(1, sizeof(*sc->perf));
	if (!a.perf)
		return fail(sc, -ENOMEM, "counters");
	for (i = 0; i < sc->n; i++) {
		a.owner = i;
		rc = syscount_each_thread(sc->pid[i], add_thread, &a);
		if (rc)
			return fail(sc, rc, "perf_event_open");
	}
	return 0;
}

static int all(struct syscount_perf *p, unsigned long request)
{
	unsigned int i;

	for (i = 0; i < p->n; i++)
		if (ioctl(p->counter[i].fd, request, 0))
			return -errno;
	return 0;
}

static int add_counts(struct syscount *sc, bool negative)
{
	struct syscount_perf *p = sc->perf;
	unsigned int i;

	for (i = 0; i < p->n; i++) {
		uint64_t v;

		if (read(p->counter[i].fd, &v, sizeof(v)) != (ssize_t)sizeof(v))
			return -EIO;
		sc->count[p->counter[i].owner] += negative ? 0 - v : v;
	}
	return 0;
}

/* Not PERF_EVENT_IOC_RESET: it leaves out what inherited copies have counted. */
int syscount_perf_start(struct syscount *sc)
{
	int rc = add_counts(sc, true);

	return rc ? rc : all(sc->perf, PERF_EVENT_IOC_ENABLE);
}

int syscount_perf_stop(struct syscount *sc)
{
	int rc = all(sc->perf, PERF_EVENT_IOC_DISABLE);

	return rc ? rc : add_counts(sc, false);
}

void syscount_perf_close(struct syscount *sc)
{
	struct syscount_perf *p = sc->perf;

	if (!p)
		return;
	while (p->n)
		close(p->counter[--p->n].fd);
	free(p->counter);
	free(p);
	sc->perf = NULL;
}
