/* SPDX-License-Identifier: MIT */
/*
 * What mechanisms with descriptors share: waiting, and the two kinds of calls.
 */
#ifndef IPC_BENCH_FD_H
#define IPC_BENCH_FD_H

#include <errno.h>
#include <poll.h>
#include <stdint.h>

#include "bench/clock.h"
#include "mech.h"

/* Loops over read(2) and write(2) of bytes, and over recv(2) and send(2) of whole messages. */
extern const struct loops fd_bytes_loops;
extern const struct loops fd_packet_loops;

/* try_send() for each kind. */
int fd_bytes_try(struct link *link, const void *message);
int fd_packet_try(struct link *link, const void *message);

/* Two pipes or one: put @way's ends into the ports, from side @from to the other. */
void fd_way(struct link *link, int from, const int way[2]);

/* Give all descriptors of both ports the mode that the wait strategy needs. */
int fd_mode(struct link *link, char why[MECH_WHY]);

/* Whether a wait strategy uses non-blocking calls. */
static inline bool fd_nonblocking(enum wait wait)
{
	return wait == WAIT_SPIN || wait == WAIT_ADAPTIVE;
}

/*
 * After a call failed with EAGAIN: one pause, or, when an adaptive wait has tried long enough,
 * poll(2). *@until is when it will have; 0 before the first failure. Returns 0 or a negative errno.
 */
static inline int fd_again(const struct port *port, int fd, short events, int64_t *until)
{
	struct pollfd ready = { .fd = fd, .events = events };
	int64_t now;

	bench_pause();
	if (port->wait == WAIT_SPIN)
		return 0;
	now = bench_now();
	if (*until == 0)
		*until = now + port->wake_ns;
	if (now < *until)
		return 0;
	*until = 0;
	if (poll(&ready, 1, -1) < 0 && errno != EINTR)
		return -errno;
	return 0;
}

/* pass() and accept() for one descriptor, the one to send to. */
int fd_pass(struct link *link, int side, int socket);
int fd_accept(struct link *link, int side, int socket);

/* held() of pipes: pages with something in them. */
uint64_t fd_pipe_held(const struct link *link);

/* can() of pipes: whether the kernel makes one of that size, and keeps messages whole. */
bool fd_pipe_can(const struct setup *setup, char why[MECH_WHY]);

/* What to do about a failed call: 0 to try it again, or a negative errno. */
static inline int fd_failed(const struct port *port, int fd, short events, int64_t *until)
{
	if (errno == EINTR)
		return 0;
	if (errno != EAGAIN)
		return -errno;
	return fd_again(port, fd, events, until);
}

#endif
