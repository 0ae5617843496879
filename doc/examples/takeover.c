/* SPDX-License-Identifier: MIT */
/*
 * A worker is killed with SIGKILL in the middle of its work; the next one goes on with the message
 * after the last that the first one received. Nothing is lost, nothing comes twice.
 *
 * Both have the receiving end from the beginning, inherited by fork. Whoever receives first owns
 * it; the other is refused with -EBUSY until the owner is dead.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir.h>

static void check(const char *what, int result)
{
	if (result < 0) {
		fprintf(stderr, "%s: %s\n", what, weir_strerror(result));
		exit(1);
	}
}

/* Print what comes, to the last message; or up to the one that kills. */
static void work(const char *name, struct weir_end *end, int deadly)
{
	int task, result;

	while ((result = weir_pipe_recv(end, &task, sizeof(task), 0, WEIR_FOREVER, NULL)) == 0) {
		printf("%s: %d\n", name, task);
		fflush(stdout);
		if (task == deadly)
			raise(SIGKILL);
	}
	if (result != -EPIPE)
		check("recv", result);
}

int main(void)
{
	struct weir_pipe_options options = { .size = sizeof(options), .flags = WEIR_PIPE_ONEWAY };
	struct weir_end *ends[2];
	pid_t first;
	int status;

	check("pipe", weir_pipe(ends, &options));
	for (int task = 1; task <= 6; task++)
		check("send", weir_pipe_send(ends[1], &task, sizeof(task), 0, WEIR_FOREVER));
	first = fork();
	if (first == 0) {
		weir_pipe_close(ends[1]);
		work("first", ends[0], 3);
		_exit(0);
	}
	weir_pipe_close(ends[1]);
	waitpid(first, &status, 0);
	printf("first was killed: %s\n", WIFSIGNALED(status) ? "yes" : "no");
	work("second", ends[0], 0);
	weir_pipe_close(ends[0]);
	return 0;
}
