/* SPDX-License-Identifier: MIT */
/*
 * One that tells many: a publisher and its subscribers, each with a pipe of its own. All of them
 * sleep until there is news. The news goes into all pipes first, and then all are woken together.
 *
 * One subscriber has gone, and one does not listen: each send has its own result, and the others
 * do not notice.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir.h>

#define SUBSCRIBERS	50
#define GONE		7
#define DEAF		11
#define NEWS		100

static int check(const char *what, int result)
{
	if (result < 0) {
		fprintf(stderr, "%s: %s\n", what, weir_strerror(result));
		exit(1);
	}
	return result;
}

/* Receive until the publisher closes. Ends with 0 if all came, in order. */
static void subscribe(struct weir_end *end)
{
	int number, expected = 0, result;

	while ((result = weir_pipe_recv(end, &number, sizeof(number), 0, WEIR_FOREVER, NULL)) == 0)
		if (number != expected++)
			_exit(1);
	_exit(result == -EPIPE && expected == NEWS ? 0 : 2);
}

static struct weir_end *ends[SUBSCRIBERS];

static struct weir_end *start_subscriber(int i)
{
	struct weir_pipe_options options = {
		.size = sizeof(options),
		.flags = WEIR_PIPE_ONEWAY,
		.capacity = 4096,
	};
	struct weir_end *pair[2];

	check("pipe", weir_pipe(pair, &options));
	/* Who is deaf has a pipe, and never receives. */
	if (i == DEAF)
		return pair[1];
	if (i != GONE && fork() == 0) {
		weir_pipe_close(pair[1]);
		for (int other = 0; other < i; other++)
			weir_pipe_close(ends[other]);
		subscribe(pair[0]);
	}
	weir_pipe_close(pair[0]);
	return pair[1];
}

int main(void)
{
	struct weir_batch_stat stat = { .size = sizeof(stat) };
	int gone = 0, whole = 0, status;
	struct weir_batch *batch;

	for (int i = 0; i < SUBSCRIBERS; i++)
		ends[i] = start_subscriber(i);
	check("batch", weir_batch(&batch, NULL));
	for (int number = 0; number < NEWS; number++) {
		for (int i = 0; i < SUBSCRIBERS; i++) {
			int result = ends[i] ? weir_batch_send(batch, ends[i], &number,
							       sizeof(number), 0, 0) : 0;

			if (result == -EPIPE) {
				weir_pipe_close(ends[i]);
				ends[i] = NULL;
				gone++;
			} else {
				check("send", result);
			}
		}
		check("flush", weir_batch_flush(batch));
	}
	check("stat", weir_batch_stat(batch, &stat));
	weir_batch_close(batch);
	for (int i = 0; i < SUBSCRIBERS; i++)
		weir_pipe_close(ends[i]);
	while (wait(&status) > 0)
		whole += WIFEXITED(status) && WEXITSTATUS(status) == 0;
	printf("%d of %d subscribers have all the news, %d had gone\n", whole, SUBSCRIBERS, gone);
	printf("woken with %s\n", stat.calls <= stat.wakes ? "no more system calls than sleepers" :
							      "too many system calls");
	return 0;
}
