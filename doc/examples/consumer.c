/* SPDX-License-Identifier: MIT */
/*
 * Starts another program and receives what that sends, until it is done, or dead.
 *
 * The end goes along as a text in the environment. Between weir_export() and weir_unexport() its
 * descriptors are open for every program that is started: a program with threads that start others
 * calls fork(), and weir_export() in the child, instead of posix_spawn().
 */
#include <errno.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <weir.h>

extern char **environ;

static pid_t start(const char *program, const struct weir_end *end)
{
	char text[WEIR_EXPORT_SIZE], *name = strdup(program), *argv[] = { name, NULL };
	pid_t pid = -1;

	if (name && weir_export(end, text, sizeof(text)) > 0) {
		setenv("READINGS_TO", text, 1);
		if (posix_spawn(&pid, program, NULL, NULL, argv, environ) != 0)
			pid = -1;
		unsetenv("READINGS_TO");
		weir_unexport(text);
	}
	free(name);
	return pid;
}

/* Until nobody has the other end any more. */
static int receive_all(struct weir_end *end)
{
	int64_t reading, sum = 0, count = 0;
	int result;

	for (;;) {
		size_t size;

		result = weir_pipe_recv(end, &reading, sizeof(reading), 0, WEIR_FOREVER, &size);
		if (result < 0 || size != sizeof(reading))
			break;
		sum += reading;
		count++;
	}
	printf("%" PRId64 " readings, sum %" PRId64 "\n", count, sum);
	return result == -EPIPE ? 0 : 1;
}

/* The program beside this one, if no other is named: its name with another last word. */
static char *beside(const char *self)
{
	char *path = strdup(self), *last = NULL;

	for (char *at = path; at && (at = strstr(at, "consumer")); at++)
		last = at;
	if (last)
		memcpy(last, "producer", strlen("producer"));
	return path;
}

int main(int argc, char **argv)
{
	const struct weir_pipe_options oneway = {
		.size = sizeof(oneway),
		.flags = WEIR_PIPE_ONEWAY,
	};
	char *program = argc > 1 ? strdup(argv[1]) : beside(argv[0]);
	struct weir_end *ends[2];
	int result, status = 0;
	pid_t pid;

	result = weir_pipe(ends, &oneway);
	if (result < 0 || !program) {
		fprintf(stderr, "consumer: %s\n", weir_strerror(result));
		return 1;
	}
	pid = start(program, ends[1]);
	free(program);
	/* With our copy open, the end would never be closed. */
	weir_pipe_close(ends[1]);
	result = receive_all(ends[0]);
	weir_pipe_close(ends[0]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 1;
	printf("the producer ended with status %d\n", WEXITSTATUS(status));
	return result;
}
