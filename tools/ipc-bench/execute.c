/* SPDX-License-Identifier: MIT */
/*
 * The controller's side of a repeat: it starts one process and sleeps until that is done.
 *
 * Nothing may stay behind, whatever happens. The repeat process gets SIGTERM when the controller
 * dies, and its workers SIGKILL when it dies; orphans become children of the controller
 * (PR_SET_CHILD_SUBREAPER), which waits for them. Only own children are ever signalled.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "repeat.h"

#define GRACE_NS (BENCH_NS / 2)	/* from SIGTERM to SIGKILL */

static volatile sig_atomic_t caught;
static sigset_t open_mask;	/* while the controller sleeps, and in its children */

static void on_signal(int signal)
{
	caught = signal;
}

void repeat_catch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t held;

	sigemptyset(&held);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		sigaction(signals[i], &action, NULL);
		sigaddset(&held, signals[i]);
	}
	sigprocmask(SIG_BLOCK, &held, &open_mask);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
}

int repeat_signal(void)
{
	return caught;
}

/* In the child: become the repeat process. */
__attribute__((noreturn)) static void become(int control_fd, pid_t controller)
{
	static char name[] = "ipc-bench", command[] = REPEAT_COMMAND;
	char fd[16];
	char *const arguments[] = { name, command, fd, NULL };

	snprintf(fd, sizeof(fd), "%d", dup(control_fd));	/* without CLOEXEC */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() == controller)
		execv("/proc/self/exe", arguments);
	_exit(127);
}

static void until(int64_t deadline, struct timespec *ret)
{
	int64_t left = deadline - bench_now();

	if (left < 0)
		left = 0;
	ret->tv_sec = left / BENCH_NS;
	ret->tv_nsec = left % BENCH_NS;
}

/* Sleep until the process ends, the deadline passes or, unless @stubborn, a signal comes. */
static void sleep_on(int pidfd, int64_t deadline, bool stubborn)
{
	struct pollfd end = { .fd = pidfd, .events = POLLIN };
	struct timespec left;
	int r;

	do {
		until(deadline, &left);
		r = ppoll(&end, 1, &left, stubborn ? NULL : &open_mask);
	} while (r < 0 && errno == EINTR && (stubborn || !caught));
}

static bool ended(pid_t pid)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == pid;
}

static void put_down(pid_t pid, int pidfd)
{
	kill(pid, SIGTERM);
	sleep_on(pidfd, bench_now() + GRACE_NS, true);
	if (!ended(pid))
		kill(pid, SIGKILL);
}

/* The process itself, and the workers that became ours with its death. */
static void bury(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

enum repeat_outcome repeat_execute(struct control *control, int control_fd, int64_t deadline)
{
	enum repeat_outcome outcome = OUTCOME_DONE;
	pid_t controller = getpid();
	pid_t pid = fork();
	int pidfd;

	if (pid == 0) {
		sigprocmask(SIG_SETMASK, &open_mask, NULL);
		become(control_fd, controller);
	}
	if (pid < 0)
		return OUTCOME_ERROR;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	sleep_on(pidfd, deadline, false);
	if (!ended(pid)) {
		outcome = caught ? OUTCOME_INTERRUPTED : OUTCOME_HUNG;
		put_down(pid, pidfd);
	}
	bury(pid);
	close(pidfd);
	control_sweep(control);
	return outcome;
}
