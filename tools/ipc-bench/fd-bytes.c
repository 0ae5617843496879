/* SPDX-License-Identifier: MIT */
/*
 * Messages over a stream of bytes. The kernel may take or give only a part, so both directions
 * go on until a message is complete; only then does the other side or the caller see it.
 */
#include <fcntl.h>
#include <unistd.h>

#include "fd.h"

static inline int port_send(struct port *port, const void *message)
{
	const char *bytes = message;
	int64_t until = 0;
	size_t done = 0;
	ssize_t n;
	int r;

	while (done < port->size) {
		n = write(port->out, bytes + done, port->size - done);
		if (n >= 0) {
			done += (size_t)n;
			continue;
		}
		r = fd_failed(port, port->out, POLLOUT, &until);
		if (r < 0)
			return r;
	}
	return 0;
}

static inline int port_recv(struct port *port, void *message)
{
	char *bytes = message;
	int64_t until = 0;
	size_t done = 0;
	ssize_t n;
	int r;

	while (done < port->size) {
		n = read(port->in, bytes + done, port->size - done);
		if (n > 0) {
			done += (size_t)n;
			continue;
		}
		if (n == 0)
			return -EPIPE;
		r = fd_failed(port, port->in, POLLIN, &until);
		if (r < 0)
			return r;
	}
	return 0;
}

#include "loops.inc.h"

const struct loops fd_bytes_loops = LOOPS;

int fd_bytes_try(struct link *link, const void *message)
{
	struct port *port = &link->port[0];
	int flags = fcntl(port->out, F_GETFL);
	ssize_t n;

	if (flags < 0 || fcntl(port->out, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	n = write(port->out, message, port->size);
	if (n < 0)
		return -errno;
	return (size_t)n == port->size ? 0 : -EAGAIN;
}
