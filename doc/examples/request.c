/* SPDX-License-Identifier: MIT */
/*
 * Requests and replies over one pipe, with a deadline for each and an answer to every failure.
 *
 * A reply that comes after its deadline is still in the pipe, so each carries the number of its
 * request: the caller steps over those that it no longer waits for.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <weir.h>

#define MS INT64_C(1000000)

struct request {
	uint64_t number;
	int64_t value;
};

struct reply {
	uint64_t number;
	int64_t square;
};

/* Squares what it gets, until the other side is closed. Is slow with 3 and dies of 5. */
static int serve(struct weir_end *end)
{
	struct request ask;
	size_t size;
	int result;

	for (;;) {
		struct reply answer;

		result = weir_pipe_recv(end, &ask, sizeof(ask), 0, WEIR_FOREVER, &size);
		if (result < 0)
			return result == -EPIPE ? 0 : result;
		if (size != sizeof(ask))
			return -EPROTO;
		if (ask.value == 3)
			nanosleep(&(struct timespec){ .tv_nsec = 300 * MS }, NULL);
		if (ask.value == 5)
			raise(SIGKILL);
		answer = (struct reply){ ask.number, ask.value * ask.value };
		result = weir_pipe_send(end, &answer, sizeof(answer), 0, WEIR_FOREVER);
		if (result < 0)
			return result == -EPIPE ? 0 : result;
	}
}

/* Ask for the square of @value: 0 and @ret_square, or what went wrong until @deadline. */
static int call(struct weir_end *end, int64_t value, int64_t deadline, int64_t *ret_square)
{
	static uint64_t number;
	struct request ask = { ++number, value };
	struct reply answer;
	size_t size;
	int result = weir_pipe_send(end, &ask, sizeof(ask), 0, deadline);

	while (result == 0) {
		/* Each wait has the same end: a deadline is a point in time, not a duration. */
		result = weir_pipe_recv(end, &answer, sizeof(answer), 0, deadline, &size);
		if (result < 0)
			break;
		if (size != sizeof(answer))
			return -EPROTO;
		if (answer.number == ask.number) {
			*ret_square = answer.square;
			return 0;
		}
		printf("  (a late reply, dropped)\n");
	}
	return result;
}

int main(void)
{
	static const struct {
		int64_t value, patience;
	} tries[] = { { 2, 10000 * MS }, { 3, 20 * MS }, { 4, 10000 * MS }, { 5, 10000 * MS } };
	struct weir_end *ends[2];
	int result = weir_pipe(ends, NULL);
	pid_t server;

	if (result < 0) {
		fprintf(stderr, "pipe: %s\n", weir_strerror(result));
		return 1;
	}
	server = fork();
	if (server == 0) {
		weir_pipe_close(ends[0]);
		_exit(serve(ends[1]) < 0);
	}
	weir_pipe_close(ends[1]);
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		int64_t square;

		printf("%" PRId64 " squared:\n", tries[i].value);
		result = call(ends[0], tries[i].value, weir_after(tries[i].patience), &square);
		if (result == 0)
			printf("  %" PRId64 "\n", square);
		else
			printf("  %s\n", weir_strerror(result));
	}
	weir_pipe_close(ends[0]);
	waitpid(server, NULL, 0);
	return 0;
}
