/* SPDX-License-Identifier: MIT */
/*
 * Running a child one instruction at a time.
 *
 * The marks are signals whose default is to be ignored. A tracer is told of them all the same, and
 * swallows them; without a tracer they do nothing, so the same function can be stepped and run.
 * They cost the window a dozen instructions of raise() at its start, always the same ones.
 *
 * The child and its tracer run on one processor. A step is two context switches there, and two
 * wake-ups of a processor otherwise, which takes two to five times as long.
 */
#include "support.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARK_BEGIN	SIGURG
#define MARK_END	SIGWINCH
#define ASLEEP_NS	INT64_C(20000000)
#define CANNOT_TRACE	102

struct start {
	int (*fn)(void *arg);
	void *arg;
};

static int run_traced(void *arg)
{
	struct start *start = arg;

	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		_exit(CANNOT_TRACE);
	raise(SIGSTOP);
	return start->fn(start->arg);
}

static void share_processor(void)
{
	int cpu = sched_getcpu();
	cpu_set_t set;

	CPU_ZERO(&set);
	if (cpu < 0 || cpu >= CPU_SETSIZE)
		return;
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* False where ptrace(2) is refused. */
static bool start(struct stepper *stepper, int (*fn)(void *arg), void *arg)
{
	struct start how = { fn, arg };

	*stepper = (struct stepper){ 0 };
	share_processor();
	stepper->child = child_start(run_traced, &how);
	while (waitpid(stepper->child.pid, &stepper->status, __WALL) < 0 && errno == EINTR)
		;
	return WIFSTOPPED(stepper->status) &&
	       ptrace(PTRACE_SETOPTIONS, stepper->child.pid, NULL, PTRACE_O_EXITKILL) == 0;
}

struct stepper stepper_start(int (*fn)(void *arg), void *arg)
{
	struct stepper stepper;

	if (!start(&stepper, fn, arg))
		ck_abort_msg("ptrace: not permitted, see stepper_unavailable()");
	return stepper;
}

void stepper_mark_begin(void)
{
	raise(MARK_BEGIN);
}

void stepper_mark_end(void)
{
	raise(MARK_END);
}

/* Wait for a stop or the end. False if the child sleeps instead. */
static bool wait_stop(struct stepper *stepper, int64_t patience)
{
	int64_t since = test_now(), hang = soon();
	pid_t pid;

	for (;;) {
		pid = waitpid(stepper->child.pid, &stepper->status, WNOHANG | __WALL);
		if (pid == stepper->child.pid)
			return true;
		if (pid < 0 && errno != EINTR)
			ck_abort_msg("waitpid: %s", strerror(errno));
		if (test_now() - since > patience && child_state(stepper->child.pid) == 'S')
			return false;
		if (test_now() > hang)
			ck_abort_msg("the stepped child neither stops nor sleeps");
		sched_yield();
	}
}

static void resume(struct stepper *stepper, int request)
{
	int signal = stepper->signal;

	stepper->signal = 0;
	if (ptrace(request, stepper->child.pid, NULL, (void *)(intptr_t)signal) < 0)
		ck_abort_msg("ptrace: %s", strerror(errno));
}

static bool has_ended(const struct stepper *stepper)
{
	return !WIFSTOPPED(stepper->status);
}

bool stepper_run_to_begin(struct stepper *stepper)
{
	for (;;) {
		int stop;

		resume(stepper, PTRACE_CONT);
		if (!wait_stop(stepper, INT64_MAX) || has_ended(stepper))
			return false;
		stop = WSTOPSIG(stepper->status);
		if (stop == MARK_BEGIN)
			return true;
		if (stop != SIGTRAP && stop != SIGSTOP && stop != MARK_END)
			stepper->signal = stop;
	}
}

enum step stepper_step(struct stepper *stepper)
{
	for (;;) {
		int stop;

		if (has_ended(stepper))
			return STEP_EXITED;
		if (!stepper->pending)
			resume(stepper, PTRACE_SINGLESTEP);
		stepper->pending = !wait_stop(stepper, ASLEEP_NS);
		if (stepper->pending)
			return STEP_BLOCKED;
		if (has_ended(stepper))
			return STEP_EXITED;
		stop = WSTOPSIG(stepper->status);
		if (stop == MARK_END)
			return STEP_END;
		if (stop == SIGTRAP) {
			stepper->steps++;
			return STEP_DONE;
		}
		/* A signal on its way: the next step enters its handler. */
		if (stop != SIGSTOP && stop != MARK_BEGIN)
			stepper->signal = stop;
	}
}

enum step stepper_steps(struct stepper *stepper, uint64_t count)
{
	enum step step = STEP_DONE;

	while (step == STEP_DONE && count-- > 0)
		step = stepper_step(stepper);
	return step;
}

/* A child that sleeps in a call is stopped with a signal; the call goes on afterwards. */
static void interrupt(struct stepper *stepper)
{
	kill(stepper->child.pid, SIGSTOP);
	for (;;) {
		int stop;

		if (!wait_stop(stepper, INT64_MAX) || has_ended(stepper))
			ck_abort_msg("the stepped child has ended");
		stop = WSTOPSIG(stepper->status);
		if (stop == SIGSTOP)
			break;
		/* The step that has been pending ends, or the call was about to return. */
		if (stop != SIGTRAP && stop != MARK_BEGIN && stop != MARK_END)
			stepper->signal = stop;
		resume(stepper, PTRACE_CONT);
	}
	stepper->pending = false;
}

struct child stepper_release(struct stepper *stepper)
{
	struct child child = stepper->child;

	if (stepper->pending)
		interrupt(stepper);
	resume(stepper, PTRACE_DETACH);
	*stepper = (struct stepper){ 0 };
	return child;
}

void stepper_kill(struct stepper *stepper)
{
	if (stepper->child.pid == 0)
		return;
	if (has_ended(stepper))
		child_forget(&stepper->child);
	else
		child_kill(&stepper->child);
	stepper->pending = false;
}

static int probe(void *arg)
{
	(void)arg;
	stepper_mark_begin();
	stepper_mark_end();
	return 0;
}

const char *stepper_unavailable(void)
{
	static const char *reason;
	static bool known;
	cpu_set_t affinity;
	struct stepper stepper;

	if (known)
		return reason;
	known = true;
	sched_getaffinity(0, sizeof(affinity), &affinity);
	if (!start(&stepper, probe, NULL)) {
		reason = "ptrace(2) is not permitted here";
	} else if (!stepper_run_to_begin(&stepper) || stepper_steps(&stepper, 3) != STEP_DONE) {
		reason = "ptrace(2) does not step here";
	}
	stepper_kill(&stepper);
	sched_setaffinity(0, sizeof(affinity), &affinity);
	return reason;
}
