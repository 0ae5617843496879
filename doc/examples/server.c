/* SPDX-License-Identifier: MIT */
/*
 * A server for many clients: one poll(2) for the listener and for all pipes to those who have come.
 * Each client sends numbers, and the server answers with their sum so far.
 *
 * Here the clients are started by the server, only so that this is one program. They know nothing
 * of it but its address.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir.h>

#define CLIENTS 3
#define NUMBERS 5

static int check(const char *what, int result)
{
	if (result < 0) {
		fprintf(stderr, "%s: %s\n", what, weir_strerror(result));
		exit(1);
	}
	return result;
}

/*
 * The client
 */

static void client(const char *address, int first)
{
	int64_t deadline = weir_after(INT64_C(10000000000));
	struct weir_end *end;
	int sum = 0;

	check("connect", weir_connect(address, NULL, 0, deadline, &end));
	for (int i = 0; i < NUMBERS; i++) {
		int number = first + i;

		check("send", weir_pipe_send(end, &number, sizeof(number), 0, deadline));
		check("recv", weir_pipe_recv(end, &sum, sizeof(sum), 0, deadline, NULL));
	}
	printf("the sum of %d numbers from %d on is %d\n", NUMBERS, first, sum);
	weir_pipe_close(end);
}

/*
 * The server
 */

struct server {
	struct pollfd fds[1 + CLIENTS];		/* of the listener, and of each pipe */
	struct weir_end *ends[1 + CLIENTS];
	int sums[1 + CLIENTS];
	int count;
};

/* Take all that have come. One who is refused, or gives up, is not our concern. */
static void welcome(struct server *s, struct weir_listener *listener)
{
	struct weir_end *end;

	while (s->count <= CLIENTS && weir_accept(listener, 0, 0, &end, NULL) == 0) {
		s->ends[s->count] = end;
		s->sums[s->count] = 0;
		s->fds[s->count] = (struct pollfd){ .fd = check("fd", weir_pipe_fd(end)),
						    .events = POLLIN };
		s->count++;
	}
}

/* Receive until -EAGAIN, and never wait: a client that does not read only harms itself. */
static int answer(struct server *s, int i)
{
	int number, result;

	while ((result = weir_pipe_recv(s->ends[i], &number, sizeof(number), 0, 0, NULL)) == 0) {
		s->sums[i] += number;
		if (weir_pipe_send(s->ends[i], &s->sums[i], sizeof(int), 0, 0) < 0)
			return 0;
	}
	return result == -EAGAIN;
}

static void serve(struct weir_listener *listener)
{
	struct server s = { .count = 1 };
	int gone = 0;

	s.fds[0] = (struct pollfd){ .fd = check("fd", weir_listener_fd(listener)),
				    .events = POLLIN };
	while (gone < CLIENTS) {
		if (poll(s.fds, (nfds_t)s.count, -1) < 0 && errno != EINTR)
			exit(1);
		for (int i = 1; i < s.count; i++) {
			if (!s.fds[i].revents || answer(&s, i))
				continue;
			weir_pipe_close(s.ends[i]);
			s.fds[i].fd = -1;
			s.fds[i].revents = 0;
			gone++;
		}
		if (s.fds[0].revents)
			welcome(&s, listener);
	}
}

int main(void)
{
	struct weir_listener *listener;
	char address[64];

	/* A service would have a path, in a folder that is its own. */
	snprintf(address, sizeof(address), "@weir-example-%d", getpid());
	check("listen", weir_listen(&listener, address, NULL));
	for (int i = 0; i < CLIENTS; i++) {
		if (fork() == 0) {
			weir_listener_close(listener);
			client(address, 1);
			exit(0);
		}
	}
	serve(listener);
	weir_listener_close(listener);
	for (int i = 0; i < CLIENTS; i++)
		wait(NULL);
	return 0;
}
