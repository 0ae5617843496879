/* SPDX-License-Identifier: MIT */
#include "fault/lib/way.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <elf.h>
#include <time.h>
#include <unistd.h>

#include "fault/lib/scene.h"

#define MARK_END	SIGWINCH	/* as in stepper.c */
#define NS_PER_MS	INT64_C(1000000)
/* So long it may be on its way before it is asked whether it sleeps. */
#define PATIENCE_NS	(1 * NS_PER_MS)
#define HANG_NS		(20000 * NS_PER_MS)
#define POINTS_MAX	((size_t)100000)

/*
 * The processor
 */

#if defined(__x86_64__)

static uint64_t next_instruction(pid_t pid)
{
	return (uint64_t)ptrace(PTRACE_PEEKUSER, pid, offsetof(struct user, regs.rip), NULL);
}

static void set_next_instruction(pid_t pid, uint64_t at)
{
	ptrace(PTRACE_POKEUSER, pid, offsetof(struct user, regs.rip), at);
}

static bool is_call(long text)
{
	return (text & 0xffff) == 0x050f;	/* syscall */
}

static long with_breakpoint(long text)
{
	return (text & ~0xffL) | 0xcc;		/* int3 */
}

/* It has been run when it stops. */
static uint64_t breakpoint_address(uint64_t stopped_at)
{
	return stopped_at - 1;
}

#else

static uint64_t next_instruction(pid_t pid)
{
	struct user_regs_struct regs = { 0 };
	struct iovec iov = { &regs, sizeof(regs) };

	ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &iov);
	return regs.pc;
}

static void set_next_instruction(pid_t pid, uint64_t at)
{
	struct user_regs_struct regs = { 0 };
	struct iovec iov = { &regs, sizeof(regs) };

	ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &iov);
	regs.pc = at;
	ptrace(PTRACE_SETREGSET, pid, (void *)NT_PRSTATUS, &iov);
}

static bool is_call(long text)
{
	return (text & 0xffe0001fL) == 0xd4000001L;	/* svc */
}

static long with_breakpoint(long text)
{
	return (text & ~0xffffffffL) | 0xd4200000L;	/* brk #0 */
}

static uint64_t breakpoint_address(uint64_t stopped_at)
{
	return stopped_at;
}

#endif

static long text_at(pid_t pid, uint64_t at)
{
	return ptrace(PTRACE_PEEKTEXT, pid, at, NULL);
}

static void resume(struct stepper *stepper, int request)
{
	if (ptrace(request, stepper->child.pid, NULL, NULL) < 0)
		scene_fail("ptrace: %s", strerror(errno));
}

static void pause_ns(long ns)
{
	nanosleep(&(struct timespec){ .tv_nsec = ns }, NULL);
}

static bool stopped(struct stepper *stepper)
{
	pid_t pid = waitpid(stepper->child.pid, &stepper->status, WNOHANG | __WALL);

	if (pid < 0 && errno != EINTR)
		scene_fail("waitpid: %s", strerror(errno));
	return pid == stepper->child.pid;
}

/*
 * Wait until it stops or ends; meanwhile call @asleep while it sleeps. False, if @into_sleep, as
 * soon as it sleeps for longer than a moment.
 */
static bool wait_stop(struct stepper *stepper, way_asleep *asleep, void *arg, bool into_sleep,
		      bool *ret_slept)
{
	int64_t since = test_now(), waited;

	while (!stopped(stepper)) {
		waited = test_now() - since;
		if (waited < PATIENCE_NS) {
			sched_yield();
			continue;
		}
		if (waited > HANG_NS)
			scene_fail("the stepped child neither stops nor ends");
		if (child_state(stepper->child.pid) == 'S') {
			*ret_slept = true;
			if (into_sleep)
				return false;
			if (asleep)
				asleep(arg);
		}
		pause_ns(50000);
	}
	return true;
}

/*
 * Writing down
 */

/* Whether the memory is not what it was; it is from now on. */
static bool has_changed(const struct way_record *record, void *copy)
{
	if (memcmp(copy, record->memory, record->size) == 0)
		return false;
	memcpy(copy, record->memory, record->size);
	return true;
}

static int by_address(const void *a, const void *b)
{
	const struct way_point *p = *(struct way_point *const *)a,
			       *q = *(struct way_point *const *)b;

	if (p->at != q->at)
		return p->at < q->at ? -1 : 1;
	return p < q ? -1 : p > q;
}

static void count_passes(struct way *way)
{
	struct way_point **sorted = calloc(way->count, sizeof(struct way_point *));

	for (size_t i = 0; i < way->count; i++)
		sorted[i] = &way->points[i];
	qsort(sorted, way->count, sizeof(struct way_point *), by_address);
	for (size_t i = 1; i < way->count; i++)
		if (sorted[i]->at == sorted[i - 1]->at)
			sorted[i]->nth = sorted[i - 1]->nth + 1;
	free(sorted);
}

/* One instruction. False at the end. */
static bool walk_on(struct stepper *stepper, const struct way_record *record, bool *ret_slept)
{
	*ret_slept = false;
	resume(stepper, PTRACE_SINGLESTEP);
	wait_stop(stepper, record->asleep, record->arg, false, ret_slept);
	if (!WIFSTOPPED(stepper->status))
		scene_fail("the child has ended on its way: %s", stepper->child.note);
	return WSTOPSIG(stepper->status) != MARK_END;
}

struct way way_walk(struct stepper *stepper, const struct way_record *record)
{
	struct way way = { .points = calloc(POINTS_MAX, sizeof(*way.points)) };
	void *copy = malloc(record->size);
	pid_t pid = stepper->child.pid;
	bool called;

	memcpy(copy, record->memory, record->size);
	way.points[0].image = record->image(record->arg);
	do {
		struct way_point *p = &way.points[way.count];

		if (way.count + 2 > POINTS_MAX)
			scene_fail("the way does not end");
		p->at = next_instruction(pid);
		called = is_call(text_at(pid, p->at));
		way.count++;
		p[1].called = called;
		if (!walk_on(stepper, record, &p->slept))
			break;
		p[1].changed = has_changed(record, copy);
		p[1].image = record->image(record->arg);
	} while (record->most == 0 || way.count < record->most);
	free(copy);
	count_passes(&way);
	return way;
}

void way_free(struct way *way)
{
	free(way->points);
	way->points = NULL;
	way->count = 0;
}

/*
 * Going there
 */

static pid_t pid_of(const struct trip *trip)
{
	return trip->stepper->child.pid;
}

static void run_on(struct trip *trip)
{
	trip->text = text_at(pid_of(trip), trip->point.at);
	if (ptrace(PTRACE_POKETEXT, pid_of(trip), trip->point.at, with_breakpoint(trip->text)) < 0)
		scene_fail("breakpoint: %s", strerror(errno));
	trip->mode = TRIP_RUNS;
	resume(trip->stepper, PTRACE_CONT);
}

/* A breakpoint does not show that it stands there already. */
static void run_on_or_stand(struct trip *trip)
{
	if (next_instruction(pid_of(trip)) == trip->point.at)
		trip->mode = TRIP_STANDS;
	else
		run_on(trip);
}

void trip_begin(struct trip *trip)
{
	trip->passes = 0;
	run_on_or_stand(trip);
}

static void clear_breakpoint(struct trip *trip)
{
	ptrace(PTRACE_POKETEXT, pid_of(trip), trip->point.at, trip->text);
}

/* It has stopped on its way, for a reason that is none of ours, or because it is there. */
static void look_around(struct trip *trip)
{
	if (WSTOPSIG(trip->stepper->status) != SIGTRAP) {
		resume(trip->stepper, trip->mode == TRIP_RUNS ? PTRACE_CONT : PTRACE_SINGLESTEP);
	} else if (trip->mode == TRIP_RUNS) {
		clear_breakpoint(trip);
		set_next_instruction(pid_of(trip),
				     breakpoint_address(next_instruction(pid_of(trip))));
		trip->mode = TRIP_STANDS;
	} else {
		run_on_or_stand(trip);
	}
}

static enum arrival arrive(struct trip *trip)
{
	bool slept;

	if (!trip->into_sleep)
		return ARRIVED;
	resume(trip->stepper, PTRACE_CONT);
	if (!wait_stop(trip->stepper, NULL, NULL, true, &slept))
		return ARRIVED;
	return WIFSTOPPED(trip->stepper->status) ? PASSED : ENDED;
}

enum arrival trip_end(struct trip *trip)
{
	struct stepper *stepper = trip->stepper;
	bool slept;

	for (;;) {
		if (trip->mode == TRIP_STANDS) {
			if (trip->passes++ == trip->point.nth)
				return arrive(trip);
			trip->mode = TRIP_STEPS;
			resume(stepper, PTRACE_SINGLESTEP);
		}
		wait_stop(stepper, trip->asleep, trip->arg, false, &slept);
		if (!WIFSTOPPED(stepper->status))
			return ENDED;
		if (WSTOPSIG(stepper->status) == MARK_END) {
			if (trip->mode == TRIP_RUNS)
				clear_breakpoint(trip);
			return PASSED;
		}
		look_around(trip);
	}
}

struct child trip_stop(struct trip *trip)
{
	struct stepper *stepper = trip->stepper;
	struct child child = stepper->child;
	int64_t hang = test_now() + HANG_NS;
	bool slept;

	if (child_state(child.pid) != 't') {
		/* Asleep in a call, which the signal interrupts and which goes on afterwards. */
		kill(child.pid, SIGSTOP);
		wait_stop(stepper, NULL, NULL, false, &slept);
	}
	if (ptrace(PTRACE_DETACH, child.pid, NULL, (void *)(intptr_t)SIGSTOP) < 0)
		scene_fail("ptrace: %s", strerror(errno));
	while (child_state(child.pid) != 'T' && test_now() < hang)
		sched_yield();
	*stepper = (struct stepper){ 0 };
	return child;
}
