/* SPDX-License-Identifier: MIT */
/*
 * Two pipes, or a pipe and a socket, or a hundred of both: one poll(2) for all of them.
 *
 * The descriptor of an end says when to receive. Then receive until -EAGAIN: that is what makes it
 * wait for the next message.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir.h>

#define CHILDREN 2
#define MESSAGES 1000

static int check(const char *what, int result)
{
	if (result < 0) {
		fprintf(stderr, "%s: %s\n", what, weir_strerror(result));
		exit(1);
	}
	return result;
}

/* A child that sends the numbers up to MESSAGES; the parent's end of its pipe. */
static struct weir_end *start_child(void)
{
	struct weir_pipe_options options = { .size = sizeof(options), .flags = WEIR_PIPE_ONEWAY };
	struct weir_end *ends[2];

	check("pipe", weir_pipe(ends, &options));
	if (fork() == 0) {
		weir_pipe_close(ends[0]);
		for (int i = 1; i <= MESSAGES; i++)
			check("send", weir_pipe_send(ends[1], &i, sizeof(i), 0, WEIR_FOREVER));
		_exit(0);
	}
	weir_pipe_close(ends[1]);
	return ends[0];
}

/* Receive all that is there. Whether more can come. */
static int drain(struct weir_end *end, long *sum)
{
	int number, result;

	while ((result = weir_pipe_recv(end, &number, sizeof(number), 0, 0, NULL)) == 0)
		*sum += number;
	if (result != -EAGAIN && result != -EPIPE)
		check("recv", result);
	return result == -EAGAIN;
}

int main(void)
{
	struct weir_end *ends[CHILDREN];
	struct pollfd fds[CHILDREN];
	long sums[CHILDREN] = { 0 };
	int open = CHILDREN;

	for (int i = 0; i < CHILDREN; i++) {
		ends[i] = start_child();
		fds[i] = (struct pollfd){ .fd = check("fd", weir_pipe_fd(ends[i])),
					  .events = POLLIN };
	}
	while (open > 0) {
		if (poll(fds, CHILDREN, -1) < 0 && errno != EINTR)
			return 1;
		for (int i = 0; i < CHILDREN; i++) {
			if (!fds[i].revents || drain(ends[i], &sums[i]))
				continue;
			weir_pipe_close(ends[i]);
			fds[i].fd = -1;
			open--;
		}
	}
	for (int i = 0; i < CHILDREN; i++) {
		wait(NULL);
		printf("child %d: %ld\n", i, sums[i]);
	}
	return 0;
}
