/* SPDX-License-Identifier: MIT */
/* What the tests of processes share. */
#ifndef WEIR_TESTS_PROCESS_TOOLS_H
#define WEIR_TESTS_PROCESS_TOOLS_H

#include "support.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "weir.h"

static inline struct weir_process_options process_options(uint32_t flags)
{
	return (struct weir_process_options){
		.size = sizeof(struct weir_process_options),
		.flags = flags,
	};
}

static inline struct weir_process *process_start(int (*function)(void *arg), void *arg,
						 uint32_t flags)
{
	struct weir_process_options options = process_options(flags);
	struct weir_process *p;

	ck_assert_int_eq(weir_process_start(function, arg, &options, &p), 0);
	return p;
}

/* How it ends, which is not to take long. It is closed. */
static inline int process_result(struct weir_process *p)
{
	int code = 1000;

	ck_assert_int_eq(weir_process_join(p, 0, soon()), 0);
	ck_assert_int_eq(weir_process_exit_code(p, &code), 0);
	ck_assert_int_eq(weir_process_close(p), 0);
	return code;
}

/* It has ended, and nobody has reaped it yet. */
static inline bool process_ended(const struct weir_process *p)
{
	struct pollfd fd = { .fd = weir_process_fd(p), .events = POLLIN };

	return poll(&fd, 1, 30000) == 1;
}

/* No child is left, not even a dead one. */
static inline bool process_none_left(void)
{
	return waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD;
}

/* Wait until the other end of a pipe(2) is closed in all processes. */
static inline bool process_hung_up(int fd)
{
	struct pollfd p = { .fd = fd, .events = 0 };

	return poll(&p, 1, 30000) == 1 && (p.revents & POLLHUP);
}

/* Functions of processes. */

static inline int return_it(void *arg)
{
	return (int)(intptr_t)arg;
}

static inline int wait_for_ever(void *arg)
{
	(void)arg;
	while (true)
		pause();
	return 0;
}

#endif
