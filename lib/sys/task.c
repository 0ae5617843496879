/* SPDX-License-Identifier: MIT */
#include "sys/task.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cc.h"
#include "sys/raw.h"
#include "sys/sys.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif

/* Of the kernel's header for descriptors of processes, which is newer than most. */
struct pidfd_info {
	uint64_t mask;
	uint64_t group;
	uint32_t numbers[3];
	uint32_t users[8];
	int32_t status;
};
#define INFO_EXIT (UINT64_C(1) << 3)
#define PIDFD_GET_INFO _IOWR(0xff, 11, struct pidfd_info)
_Static_assert(sizeof(struct pidfd_info) == 64, "the number of the call has the size in it");

#define SIGNALS 64

static void set_mask(const struct signal_mask *mask, struct signal_mask *ret_before)
{
	int saved = errno;

	/* It cannot fail; and not by the C library, which would leave out its own signals. */
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, mask, ret_before, sizeof(*mask));
	errno = saved;
}

void task_block_signals(struct signal_mask *ret_before)
{
	struct signal_mask all = { UINT64_MAX };

	set_mask(&all, ret_before);
}

void task_set_signals(const struct signal_mask *mask)
{
	set_mask(mask, NULL);
}

void task_drop_handlers(void)
{
	/* The kernel's struct sigaction, of which the handler is the first word, and more room. */
	uint64_t action[8], nothing[8] = { 0 };
	int saved = errno;

	for (int signal = 1; signal <= SIGNALS; signal++)
		if (syscall(SYS_rt_sigaction, signal, NULL, action, sizeof(uint64_t)) == 0 &&
		    action[0] != (uint64_t)(uintptr_t)SIG_DFL &&
		    action[0] != (uint64_t)(uintptr_t)SIG_IGN)
			syscall(SYS_rt_sigaction, signal, nothing, NULL, sizeof(uint64_t));
	errno = saved;
}

int task_fork(void)
{
	int saved = errno, result = sys_ask(SYS_CALL_FORK);

	if (result < 0)
		return result;
	/* The C library's, which leaves the child an allocator that works. */
	result = fork();
	if (result < 0)
		result = -errno;
	errno = saved;
	return result;
}

/* Sanitizers take a stack that is not theirs, and memory that two write, for mistakes. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#if WEIR_TSAN || defined(__SANITIZE_ADDRESS__)
#define SPAWN_FLAGS (CLONE_VFORK | CLONE_PIDFD | SIGCHLD)
#else
#define SPAWN_FLAGS (CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD)
#endif

int task_spawn(int (*child)(void *arg), void *arg, void *stack, int *ret_pidfd)
{
	int saved = errno, pidfd = -1, result = sys_ask(SYS_CALL_FORK);

	if (result < 0)
		return result;
	result = clone(child, stack, SPAWN_FLAGS, arg, &pidfd, NULL, NULL);
	if (result < 0) {
		result = -errno;
	} else if (pidfd < 0) {
		/* Before Linux 5.2 the flag meant something else. */
		kill(result, SIGKILL);
		task_reap(-1, result);
		result = -ENOSYS;
	} else {
		*ret_pidfd = pidfd;
	}
	errno = saved;
	return result;
}

int task_shared_memory(size_t size, void **ret_address)
{
	long result = raw(SYS_CALL_MMAP, SYS_mmap, 0, (long)size, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (result < 0 && result > -4096)
		return (int)result;
	*ret_address = (void *)result;
	return 0;
}

int task_execute(const char *path, char *const argv[], char *const environment[])
{
	return raw(SYS_CALL_EXECUTE, SYS_execve, (long)path, (long)argv, (long)environment, 0, 0,
		   0);
}

void task_exit(int code)
{
	for (;;)
		syscall(SYS_exit_group, code);
}

int task_wait(int pidfd, int *ret_code)
{
	siginfo_t info = { .si_pid = 0 };
	int result = raw(SYS_CALL_WAIT, SYS_waitid, P_PIDFD, pidfd, (long)&info, WEXITED | WNOHANG,
			 0, 0);

	if (result < 0)
		return result;
	if (info.si_pid == 0)
		return -EAGAIN;
	*ret_code = info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
	return 0;
}

int task_last_words(int pidfd, int *ret_code)
{
	struct pidfd_info info = { .mask = INFO_EXIT };
	int result = raw(SYS_CALL_NAMESPACE, SYS_ioctl, pidfd, PIDFD_GET_INFO, (long)&info, 0, 0,
			 0);

	if (result < 0)
		return result;
	if (!(info.mask & INFO_EXIT))
		return -ECHILD;
	*ret_code = WIFEXITED(info.status) ? WEXITSTATUS(info.status) : -WTERMSIG(info.status);
	return 0;
}

int task_await(int32_t pid)
{
	siginfo_t info;

	return raw(SYS_CALL_WAIT, SYS_waitid, P_PID, pid, (long)&info, WEXITED | WNOWAIT, 0, 0);
}

void task_reap(int pidfd, int32_t pid)
{
	int saved = errno, type = pidfd >= 0 ? P_PIDFD : P_PID, id = pidfd >= 0 ? pidfd : pid;
	siginfo_t info;

	while (syscall(SYS_waitid, type, id, &info, WEXITED, NULL) < 0 && errno == EINTR)
		;
	errno = saved;
}

int task_signal(int pidfd, int signal)
{
	return raw(SYS_CALL_SIGNAL, SYS_pidfd_send_signal, pidfd, signal, 0, 0, 0, 0);
}

int task_pipe(int ret_fds[2])
{
	return raw(SYS_CALL_PIPE, SYS_pipe2, (long)ret_fds, O_CLOEXEC, 0, 0, 0, 0);
}

int task_write_gate(int fd)
{
	int result = raw(SYS_CALL_EVENT_WRITE, SYS_write, fd, (long)"", 1, 0, 0, 0);

	return result < 0 ? result : 0;
}

int task_read_gate(int fd)
{
	char byte;
	int result = raw(SYS_CALL_EVENT_READ, SYS_read, fd, (long)&byte, 1, 0, 0, 0);

	return result < 0 ? result : result == 1 ? 0 : -EPIPE;
}

int task_arm_line(int line, int signal)
{
	int result = raw(SYS_CALL_LINE, SYS_fcntl, line, F_SETSIG, signal, 0, 0, 0);

	if (result == 0)
		result = raw(SYS_CALL_LINE, SYS_fcntl, line, F_SETFL, O_ASYNC, 0, 0, 0);
	return result;
}

int task_own_line(int line, int32_t pid)
{
	return raw(SYS_CALL_LINE, SYS_fcntl, line, F_SETOWN, pid, 0, 0, 0);
}

int task_keep_over_exec(int fd)
{
	return raw(SYS_CALL_LINE, SYS_fcntl, fd, F_SETFD, 0, 0, 0, 0);
}

int task_close_on_exec(int fd)
{
	return raw(SYS_CALL_LINE, SYS_fcntl, fd, F_SETFD, FD_CLOEXEC, 0, 0, 0);
}
