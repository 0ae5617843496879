/* SPDX-License-Identifier: MIT */
/*
 * A function in a forked process.
 *
 * The child waits at a gate until the parent has a descriptor of it and knows that nothing is
 * missing. So the descriptor is of the right process, whoever else reaps children, and a start that
 * fails has not run anything. If the parent dies meanwhile the gate hangs up, and the child ends.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "obj/process.h"
#include "obj/shared.h"
#include "sys/sys.h"
#include "weir/base.h"

/* Of a child that has not begun. */
#define NOT_BEGUN 255

static void flush(void)
{
	int saved = errno;

	/* Not all streams: another thread may wait in one of them for input, and has it locked. */
	fflush(stdout);
	fflush(stderr);
	errno = saved;
}

_Noreturn static void leave(int code)
{
	process_end_children();
	flush();
	/* It ends as it should: nobody is to take it for one who has died. */
	shared_leave_all();
	/* Handlers of atexit(3) are the parent's, and are not to run twice. */
	task_exit(code);
}

/* Set in the child: who may not run the parent's handlers. */
static int32_t started;

void weir_process_exit(int code)
{
	if (started == getpid())
		leave(code);
	exit(code);
}

_Noreturn static void run(struct weir_process *p, int (*function)(void *arg), void *arg,
			  const struct signal_mask *mask)
{
	int result;

	do
		result = task_read_gate(p->gate[0]);
	while (result == -EINTR);
	if (result < 0)
		task_exit(NOT_BEGUN);
	sys_close(p->gate[0]);
	p->gate[0] = -1;
	p->starting = false;
	started = p->pid = getpid();
	process_become(p);
	task_set_signals(mask);
	leave(function(arg));
}

/* The parent: all that can fail, and then the gate. */
static int let_run(struct weir_process *p, int32_t pid)
{
	struct list_lock lock;
	int result, fd;

	process_list_lock(&lock);
	fd = sys_pidfd(pid);
	result = sys_have_high(fd, &p->fd);
	p->pid = pid;
	process_list_unlock(&lock);
	if (result == 0 && p->line_end >= 0)
		result = task_own_line(p->line_end, pid);
	if (result == 0)
		result = task_write_gate(p->gate[1]);
	return result;
}

int weir_process_start(int (*function)(void *arg), void *arg,
		       const struct weir_process_options *options,
		       struct weir_process **ret_process)
{
	struct signal_mask mask;
	struct weir_process *p;
	int result, pid;

	if (!function || !ret_process || !process_options_valid(options, false))
		return -EINVAL;
	result = process_prepare(options, true, &p);
	if (result < 0)
		return result;
	flush();
	/* No handler runs in the child before it knows who it is. */
	task_block_signals(&mask);
	pid = task_fork();
	if (pid == 0)
		run(p, function, arg, &mask);
	result = pid < 0 ? pid : let_run(p, pid);
	if (result < 0)
		process_unmade(p, pid);
	else
		process_made(p);
	task_set_signals(&mask);
	if (result < 0)
		return result;
	*ret_process = p;
	return 0;
}
