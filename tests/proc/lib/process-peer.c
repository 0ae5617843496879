/* SPDX-License-Identifier: MIT */
/*
 * A program on its own, linked with the shared library, that weir_process_spawn() executes.
 *
 *	process-peer code N	ends with N
 *	process-peer echo	imports $END and sends each number that comes back, 1 added
 *	process-peer who	sends over $END who it is, as text
 *	process-peer wait	says over $END that it runs, and waits for ever
 *	process-peer fds	ends with the number of its open descriptors
 *	process-peer mask	ends with the number of the first signal that is blocked
 *	process-peer child	tries to start a process; ends with the error
 *	process-peer again	executes itself, with fds
 *	process-peer env NAME	ends with 0 if there is no such environment variable
 *
 * The status is the number of the line where something was not as expected.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir.h>

#define expect(condition) \
	do { \
		if (!(condition)) \
			_exit(__LINE__ % 200 + 1); \
	} while (0)

static int64_t soon(void)
{
	return weir_after(INT64_C(10000000000));
}

static struct weir_end *import(void)
{
	struct weir_end *end;

	expect(weir_import(getenv("END"), WEIR_KIND_PIPE_END, &end) == 0);
	return end;
}

static int echo(void)
{
	struct weir_end *end = import();
	uint64_t number;
	size_t size;

	while (weir_pipe_recv(end, &number, sizeof(number), 0, soon(), &size) == 0) {
		expect(size == sizeof(number));
		number++;
		expect(weir_pipe_send(end, &number, sizeof(number), 0, soon()) == 0);
	}
	weir_pipe_close(end);
	return 0;
}

static int who(void)
{
	struct weir_end *end = import();
	char text[128];
	int size = snprintf(text, sizeof(text), "%s %d %d %d", weir_process_current_name(),
			    weir_process_current_daemon(),
			    weir_process_parent() == (int32_t)getppid(),
			    weir_process_parent_alive());

	expect(weir_pipe_send(end, text, (size_t)size + 1, 0, soon()) == 0);
	weir_pipe_close(end);
	return 0;
}

static int wait_for_ever(void)
{
	struct weir_end *end = import();

	expect(weir_pipe_send(end, "", 1, 0, soon()) == 0);
	weir_pipe_close(end);
	for (;;)
		pause();
}

static int count_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static int first_blocked(void)
{
	sigset_t mask;

	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int i = 1; i <= SIGRTMAX; i++)
		if (sigismember(&mask, i) == 1)
			return i;
	return 0;
}

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

static int try_child(void)
{
	struct weir_process *p;

	return -weir_process_start(nothing, NULL, NULL, &p);
}

static const struct {
	const char *name;
	int (*run)(void);
} acts[] = {
	{ "echo", echo }, { "who", who }, { "wait", wait_for_ever }, { "fds", count_descriptors },
	{ "mask", first_blocked }, { "child", try_child },
};

int main(int argc, char *argv[])
{
	expect(argc >= 2);
	if (strcmp(argv[1], "code") == 0)
		return atoi(argv[2]);
	if (strcmp(argv[1], "env") == 0)
		return getenv(argv[2]) != NULL;
	if (strcmp(argv[1], "again") == 0) {
		execl(argv[0], argv[0], "fds", NULL);
		return 99;
	}
	for (size_t i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
		if (strcmp(argv[1], acts[i].name) == 0)
			return acts[i].run();
	return 98;
}
