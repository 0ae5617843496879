/* SPDX-License-Identifier: MIT */
/*
 * Counting system calls with ptrace, from a thread of its own.
 *
 * A thread, because a tracer must wait for its tracees all the time, and because with __WNOTHREAD
 * that thread waits for tracees only and never takes a child of the caller. It asks for stops and
 * not for exits: a tracee that is also a child of this process would be reaped here otherwise.
 *
 * States of a tracee: seized and running freely; armed, stopping at each entry and exit of a
 * system call. start() and stop() make the thread interrupt every tracee once, and change each
 * over at that stop. The workers spin in user space then, so nothing of theirs is disturbed; a
 * helper thread that sleeps in epoll_wait() sees EINTR.
 *
 * When the tracing thread ends, the kernel lets go of all tracees.
 */
#include "bench/syscount.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#define ANSWER_NS (5 * BENCH_NS)

enum phase {
	OPENING,
	FREE,
	ARMING,
	ARMED,
	DISARMING,
	QUIT
};

struct tracee {
	pid_t tid;
	unsigned int owner;
	bool armed;
	bool ended;
};

struct syscount_trace {
	struct syscount *sc;
	pthread_t thread;
	int phase; /* enum phase; moved by both sides, each from its own states */
	int error; /* of opening; valid once the phase is not OPENING */
	unsigned int n, max;
	struct tracee *tracee;
};

static enum phase phase_of(struct syscount_trace *t)
{
	return (enum phase)__atomic_load_n(&t->phase, __ATOMIC_ACQUIRE);
}

static void set_phase(struct syscount_trace *t, enum phase p)
{
	__atomic_store_n(&t->phase, p, __ATOMIC_RELEASE);
}

/* ---- the tracing thread ---- */

static struct tracee *find(struct syscount_trace *t, pid_t tid)
{
	unsigned int i;

	for (i = 0; i < t->n; i++)
		if (t->tracee[i].tid == tid && !t->tracee[i].ended)
			return &t->tracee[i];
	return NULL;
}

static struct tracee *add(struct syscount_trace *t, pid_t tid, unsigned int owner)
{
	if (t->n == t->max) {
		unsigned int max = t->max ? 2 * t->max : 16;
		struct tracee *more = realloc(t->tracee, max * sizeof(*more));

		if (!more)
			return NULL;
		t->tracee = more;
		t->max = max;
	}
	t->tracee[t->n] = (struct tracee){ .tid = tid, .owner = owner };
	return &t->tracee[t->n++];
}

struct seizing {
	struct syscount_trace *t;
	unsigned int owner;
};

static int seize(void *arg, pid_t tid)
{
	struct seizing *s = arg;
	long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
		       PTRACE_O_TRACEVFORK;

	if (find(s->t, tid))
		return 0;
	if (ptrace(PTRACE_SEIZE, tid, NULL, (void *)options))
		return errno == ESRCH ? 0 : -errno;
	return add(s->t, tid, s->owner) ? 0 : -ENOMEM;
}

static int seize_all(struct syscount_trace *t)
{
	struct seizing s = { .t = t };
	int rc = 0;

	for (s.owner = 0; s.owner < t->sc->n && !rc; s.owner++)
		rc = syscount_each_thread(t->sc->pid[s.owner], seize, &s);
	return rc;
}

/* Whose system calls those of a new thread or child are: those of its process or its parent. */
static unsigned int owner_of(struct syscount_trace *t, pid_t tid)
{
	char path[64], line[128];
	struct tracee *relative = NULL;
	FILE *f;
	int id;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	f = fopen(path, "re");
	while (f && !relative && fgets(line, sizeof(line), f))
		if (sscanf(line, "Tgid: %d", &id) == 1 || sscanf(line, "PPid: %d", &id) == 1)
			relative = find(t, id);
	if (f)
		fclose(f);
	return relative ? relative->owner : 0;
}

/* Let a stopped tracee run on, to the next system call when the phase wants it armed. */
static void resume(struct syscount_trace *t, struct tracee *e, int sig)
{
	enum phase p = phase_of(t);

	e->armed = p == ARMING || p == ARMED;
	ptrace(e->armed ? PTRACE_SYSCALL : PTRACE_CONT, e->tid, NULL, (void *)(long)sig);
}

/* Not by taking turns: a tracee that is armed inside of a system call begins with its exit. */
static bool is_entry(pid_t tid)
{
	struct __ptrace_syscall_info info;

	return ptrace(PTRACE_GET_SYSCALL_INFO, tid, (void *)sizeof(info), &info) > 0 &&
	       info.op == PTRACE_SYSCALL_INFO_ENTRY;
}

static void on_syscall(struct syscount_trace *t, struct tracee *e)
{
	if (phase_of(t) == ARMED && is_entry(e->tid))
		t->sc->count[e->owner]++;
	ptrace(PTRACE_SYSCALL, e->tid, NULL, NULL);
}

/* @stop: signal in the low byte, ptrace event above, as waitid() reports it. */
static void on_stop(struct syscount_trace *t, struct tracee *e, int stop)
{
	int event = stop >> 8, sig = stop & 0xff;

	if (stop == (SIGTRAP | 0x80))
		on_syscall(t, e);
	else if (event == PTRACE_EVENT_STOP && sig != SIGTRAP)
		ptrace(PTRACE_LISTEN, e->tid, NULL, NULL); /* stopped by job control */
	else if (event == PTRACE_EVENT_STOP)
		resume(t, e, 0); /* interrupted by us, or new */
	else /* news of a clone: go on as before; or a signal: deliver it */
		ptrace(e->armed ? PTRACE_SYSCALL : PTRACE_CONT, e->tid, NULL,
		       (void *)(long)(event ? 0 : sig));
}

/* Handle one stop; false when there is none. */
static bool take_stop(struct syscount_trace *t)
{
	siginfo_t info = { 0 };
	struct tracee *e;

	if (waitid(P_ALL, 0, &info, WSTOPPED | WNOHANG | __WALL | __WNOTHREAD) || !info.si_pid)
		return false;
	e = find(t, info.si_pid);
	if (!e)
		e = add(t, info.si_pid, owner_of(t, info.si_pid));
	if (e)
		on_stop(t, e, info.si_status);
	return true;
}

/* Whether a tracee has ended. Stops of a tracee are reported too, asked for or not: look only. */
static bool has_ended(pid_t tid)
{
	siginfo_t info = { 0 };

	if (waitid(P_PID, (id_t)tid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL | __WNOTHREAD))
		return errno == ECHILD;
	return info.si_pid && info.si_code != CLD_TRAPPED && info.si_code != CLD_STOPPED;
}

/*
 * A thread or a grandchild that ended stays a zombie until its tracer has seen it, and its own
 * parent would wait for ever. The processes of the caller are left to the caller.
 */
static void take_ends(struct syscount_trace *t)
{
	siginfo_t info;
	unsigned int i;

	for (i = 0; i < t->n; i++) {
		struct tracee *e = &t->tracee[i];

		if (e->ended || !has_ended(e->tid))
			continue;
		e->ended = true;
		if (e->tid != t->sc->pid[e->owner])
			waitid(P_PID, (id_t)e->tid, &info,
			       WEXITED | WNOHANG | __WALL | __WNOTHREAD);
	}
}

static bool all_are(struct syscount_trace *t, bool armed)
{
	unsigned int i;

	for (i = 0; i < t->n; i++)
		if (!t->tracee[i].ended && t->tracee[i].armed != armed)
			return false;
	return true;
}

static void interrupt_all(struct syscount_trace *t)
{
	unsigned int i;

	for (i = 0; i < t->n; i++)
		if (!t->tracee[i].ended)
			ptrace(PTRACE_INTERRUPT, t->tracee[i].tid, NULL, NULL);
}

/* Nothing to do: give way while counting, else sleep. */
static void rest(struct syscount_trace *t, unsigned int idle)
{
	if (phase_of(t) == ARMED && idle < 2000)
		sched_yield();
	else
		bench_sleep(100000);
}

static void serve(struct syscount_trace *t)
{
	enum phase before = FREE, now;
	unsigned int idle = 0;

	while ((now = phase_of(t)) != QUIT) {
		if (now != before && (now == ARMING || now == DISARMING))
			interrupt_all(t);
		before = now;
		if (take_stop(t)) {
			idle = 0;
			continue;
		}
		take_ends(t);
		if (now == ARMING && all_are(t, true))
			set_phase(t, before = ARMED);
		else if (now == DISARMING && all_are(t, false))
			set_phase(t, before = FREE);
		else
			rest(t, idle++);
	}
}

static void *tracer(void *arg)
{
	struct syscount_trace *t = arg;

	t->error = seize_all(t);
	set_phase(t, t->error ? QUIT : FREE);
	if (!t->error)
		serve(t);
	return NULL;
}

/* ---- the caller ---- */

/* Wait until the thread has left phase @p. */
static int wait_phase(struct syscount_trace *t, enum phase p)
{
	int64_t deadline = bench_now() + ANSWER_NS;

	while (phase_of(t) == p) {
		if (bench_now() > deadline)
			return -ETIMEDOUT;
		bench_sleep(100000);
	}
	return 0;
}

int syscount_trace_open(struct syscount *sc)
{
	struct syscount_trace *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return -ENOMEM;
	t->sc = sc;
	t->phase = OPENING;
	rc = -pthread_create(&t->thread, NULL, tracer, t);
	if (rc) {
		free(t);
		return rc;
	}
	sc->trace = t;
	rc = wait_phase(t, OPENING);
	if (!rc)
		rc = t->error;
	if (rc)
		syscount_trace_close(sc);
	return rc;
}

int syscount_trace_start(struct syscount *sc)
{
	set_phase(sc->trace, ARMING);
	return wait_phase(sc->trace, ARMING);
}

/* Not counting from here on, since only ARMED counts; then change the tracees over. */
int syscount_trace_stop(struct syscount *sc)
{
	set_phase(sc->trace, DISARMING);
	return wait_phase(sc->trace, DISARMING);
}

void syscount_trace_close(struct syscount *sc)
{
	struct syscount_trace *t = sc->trace;

	if (!t)
		return;
	set_phase(t, QUIT);
	pthread_join(t->thread, NULL);
	free(t->tracee);
	free(t);
	sc->trace = NULL;
}
