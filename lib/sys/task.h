/* SPDX-License-Identifier: MIT */
/*
 * Making processes, waiting for them, signalling them. As sys.h: a non-negative value or a negative
 * errno, errno is not written, and sys_fault is asked before each call. No call here sleeps, but
 * for task_read_gate(), task_spawn(), task_await() and task_reap().
 */
#ifndef WEIR_SYS_TASK_H
#define WEIR_SYS_TASK_H

#include <stddef.h>
#include <stdint.h>

/* A set of signals as the kernel has it; also those that the C library keeps for itself. */
struct signal_mask {
	uint64_t bits;
};

/* All that can be are held back until task_set_signals(). */
void task_block_signals(struct signal_mask *ret_before);
void task_set_signals(const struct signal_mask *mask);
/* In a new program-to-be: none of our handlers may run any more, whatever comes. */
void task_drop_handlers(void);

/* fork(3): the child's number, or in the child 0. */
int task_fork(void);
/*
 * A process that runs @child(@arg) on the stack that ends at @stack and shares all memory with this
 * one, which sleeps until it has executed a program or ended. Its number.
 */
int task_spawn(int (*child)(void *arg), void *arg, void *stack, int *ret_pidfd);
/* Memory for that, also seen where the child has a copy of all other. */
int task_shared_memory(size_t size, void **ret_address);
/* Comes back only with an error. */
int task_execute(const char *path, char *const argv[], char *const environment[]);
/* At once, with all threads. */
_Noreturn void task_exit(int code);

/*
 * A child that has ended is reaped: 0, and how it ended: what it returned, or -signal. -EAGAIN: it
 * has not; -ECHILD: it is not our child, or no longer.
 */
int task_wait(int pidfd, int *ret_code);
/* The same of one that somebody else has reaped, where the kernel has kept it: Linux 6.15. */
int task_last_words(int pidfd, int *ret_code);
/* Wait for the end of child @pid, or for a signal handler. It is not reaped. */
int task_await(int32_t pid);
/* Wait for the end of child @pid, of which @pidfd is, or -1, and which ends on its own. */
void task_reap(int pidfd, int32_t pid);
int task_signal(int pidfd, int signal);

/* A pipe(2), close-on-exec: reading, writing. */
int task_pipe(int ret_fds[2]);
/* One byte through it, nobody but we having the other end: 0, or an error. */
int task_write_gate(int fd);
/* Wait for that byte: 0; -EPIPE: it does not come. */
int task_read_gate(int fd);
/* Have @signal sent to the owner of @line, the reading end of a pipe(2), when it hangs up. */
int task_arm_line(int line, int signal);
int task_own_line(int line, int32_t pid);
int task_keep_over_exec(int fd);
int task_close_on_exec(int fd);

#endif
