/* SPDX-License-Identifier: MIT */
/*
 * A program that has an event loop already, here of poll(2), and wants to wait for objects of weir
 * in it: a wait set has a descriptor that stands for all of them, also for the timers.
 *
 * When it is readable, wait in the set with a deadline of 0, once. Whatever is left makes it
 * readable again. It is the same with libuv (uv_poll_init), GLib (g_unix_fd_add), asyncio
 * (loop.add_reader), and with another wait set.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir.h>

#define CHILDREN	20
#define MESSAGES	500
#define TICK		2000000		/* nanoseconds */
#define TICKS		5

static int check(const char *what, int result)
{
	if (result < 0) {
		fprintf(stderr, "%s: %s\n", what, weir_strerror(result));
		exit(1);
	}
	return result;
}

struct totals {
	struct weir_waitset *set;
	int open;			/* pipes */
	long sum;
	uint64_t ticks;
};

/* A child that sends the numbers up to MESSAGES; its pipe is added to the set. */
static void start_child(struct weir_waitset *set)
{
	struct weir_pipe_options options = { .size = sizeof(options), .flags = WEIR_PIPE_ONEWAY };
	struct weir_end *ends[2];

	check("pipe", weir_pipe(ends, &options));
	if (check("fork", fork()) == 0) {
		weir_pipe_close(ends[0]);
		for (int i = 1; i <= MESSAGES; i++)
			check("send", weir_pipe_send(ends[1], &i, sizeof(i), 0, WEIR_FOREVER));
		_exit(0);
	}
	weir_pipe_close(ends[1]);
	check("add", weir_waitset_add_pipe(set, ends[0], WEIR_IN, ends[0], NULL));
}

/*
 * One message each time, so that the loop comes back to whatever else it has to do. A source that
 * has more is reported again.
 */
static void receive(struct totals *t, struct weir_end *end)
{
	int number, result = weir_pipe_recv(end, &number, sizeof(number), 0, 0, NULL);

	if (result == 0) {
		t->sum += number;
	} else if (result != -EAGAIN) {
		/* -EPIPE, when all has been received. Closed, it leaves the set. */
		weir_pipe_close(end);
		t->open--;
	}
}

/* What the foreign loop calls when the set's descriptor is readable. */
static void on_readable(struct totals *t)
{
	struct weir_event events[8];
	int n = weir_waitset_wait(t->set, events, 8, 0, 0);

	/* It may have been readable for nothing. */
	if (n != -EAGAIN)
		check("wait", n);
	for (int i = 0; i < n; i++) {
		if (events[i].cookie)
			receive(t, events[i].cookie);
		else
			t->ticks += events[i].count;
	}
}

int main(void)
{
	struct totals t = { .open = CHILDREN };
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };
	char line[64];
	int other[2];

	/* What the loop has besides: here a pipe(2), in which a line lies. */
	if (pipe(other) < 0 || write(other[1], "hello", 5) != 5)
		return 1;
	check("waitset", weir_waitset(&t.set, NULL));
	for (int i = 0; i < CHILDREN; i++)
		start_child(t.set);
	check("timer", weir_waitset_add_timer(t.set, weir_after(TICK), TICK, NULL, NULL));
	fds[0].fd = other[0];
	fds[1].fd = check("fd", weir_waitset_fd(t.set));
	while (t.open > 0 || t.ticks < TICKS) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return 1;
		if (fds[0].revents) {
			ssize_t size = read(other[0], line, sizeof(line));

			printf("the other one: %.*s\n", (int)size, line);
			fds[0].fd = -1;
			fds[0].revents = 0;
		}
		if (fds[1].revents)
			on_readable(&t);
	}
	while (wait(NULL) > 0)
		continue;
	printf("the sum of all is %ld\n", t.sum);
	printf("the timer came due\n");
	weir_waitset_close(t.set);
	return 0;
}
