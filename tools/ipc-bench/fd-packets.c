/* SPDX-License-Identifier: MIT */
/* Whole messages over a socket that keeps their boundaries. */
#include <sys/socket.h>

#include "fd.h"

static inline int port_send(struct port *port, const void *message)
{
	int64_t until = 0;
	int r;

	while (send(port->out, message, port->size, MSG_NOSIGNAL) < 0) {
		r = fd_failed(port, port->out, POLLOUT, &until);
		if (r < 0)
			return r;
	}
	return 0;
}

static inline int port_recv(struct port *port, void *message)
{
	int64_t until = 0;
	ssize_t n;
	int r;

	while ((n = recv(port->in, message, port->size, 0)) < 0) {
		r = fd_failed(port, port->in, POLLIN, &until);
		if (r < 0)
			return r;
	}
	if (n == 0)
		return -EPIPE;
	return (size_t)n == port->size ? 0 : -EMSGSIZE;
}

#include "loops.inc.h"

const struct loops fd_packet_loops = LOOPS;

int fd_packet_try(struct link *link, const void *message)
{
	struct port *port = &link->port[0];

	if (send(port->out, message, port->size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return -errno;
	return 0;
}
