/* SPDX-License-Identifier: MIT */
/*
 * nng over ipc:// as a user gets it: a pair of pair0 sockets, nng_send() and nng_recv() with
 * buffers of the caller.
 *
 * The library has threads and does not survive a fork, so each worker opens its own socket; the
 * name is in the abstract namespace, where nothing is left behind. It is loaded when it is used:
 * the other mechanisms' processes shall not grow by it.
 */
#include "mech.h"

#include <stdio.h>

#ifdef HAVE_NNG

#include <dlfcn.h>
#include <errno.h>
#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/clock.h"

#define LIBRARY "libnng.so.1"
#define SETTLE_MS 20	/* how long the threads may take to make room */

static struct {
	typeof(nng_pair0_open) *open;
	typeof(nng_listen) *listen;
	typeof(nng_dial) *dial;
	typeof(nng_send) *send;
	typeof(nng_recv) *recv;
	typeof(nng_socket_set_size) *set_size;
	typeof(nng_socket_set_ms) *set_ms;
} nng;

static nng_socket sockets[2];

static bool find(void *library, const char *name, void *ret)
{
	return (*(void **)ret = dlsym(library, name));
}

static bool load(char why[MECH_WHY])
{
	void *library = dlopen(LIBRARY, RTLD_NOW);

	if (library && find(library, "nng_pair0_open", &nng.open) &&
	    find(library, "nng_listen", &nng.listen) && find(library, "nng_dial", &nng.dial) &&
	    find(library, "nng_send", &nng.send) && find(library, "nng_recv", &nng.recv) &&
	    find(library, "nng_socket_set_size", &nng.set_size) &&
	    find(library, "nng_socket_set_ms", &nng.set_ms))
		return true;
	snprintf(why, MECH_WHY, "%s", dlerror());
	return false;
}

/* Its errors as those of the system. */
static int error_of(int error)
{
	if (error & NNG_ESYSERR)
		return -(error & ~NNG_ESYSERR);
	switch (error) {
	case NNG_EAGAIN:
	case NNG_ETIMEDOUT:
		return -EAGAIN;
	case NNG_ENOMEM:
		return -ENOMEM;
	case NNG_ECLOSED:
		return -EPIPE;
	case NNG_EMSGSIZE:
		return -EMSGSIZE;
	case NNG_ECONNREFUSED:
		return -ECONNREFUSED;
	case NNG_EADDRINUSE:
		return -EADDRINUSE;
	default:
		return -EIO;
	}
}

/* After a call failed: 0 to try it again, or a negative errno. */
static inline int failed(const struct port *port, int error, int64_t *until)
{
	if (error == NNG_EINTR)
		return 0;
	if (error != NNG_EAGAIN)
		return error_of(error);
	bench_pause();
	if (port->wait == WAIT_ADAPTIVE && *until == 0)
		*until = bench_now() + port->wake_ns;
	return 0;
}

/* Whether the next try may sleep. */
static inline int flags_of(const struct port *port, int64_t until)
{
	if (port->wait == WAIT_ADAPTIVE && (until == 0 || bench_now() < until))
		return NNG_FLAG_NONBLOCK;
	return 0;
}

static inline int port_send(struct port *port, const void *message)
{
	void *buffer = (void *)(uintptr_t)message;
	int64_t until = 0;
	int error, r;

	while ((error = nng.send(*(nng_socket *)port->sink, buffer, port->size,
				 flags_of(port, until)))) {
		r = failed(port, error, &until);
		if (r < 0)
			return r;
	}
	return 0;
}

static inline int port_recv(struct port *port, void *message)
{
	size_t size = port->size;
	int64_t until = 0;
	int error, r;

	while ((error = nng.recv(*(nng_socket *)port->source, message, &size,
				 flags_of(port, until)))) {
		r = failed(port, error, &until);
		if (r < 0)
			return r;
		size = port->size;
	}
	return size == port->size ? 0 : -EMSGSIZE;
}

#include "loops.inc.h"

static const struct loops nng_loops = LOOPS;

static bool nng_available(char why[MECH_WHY])
{
	return load(why);
}

static bool nng_can(const struct setup *setup, char why[MECH_WHY])
{
	if (setup->wait == WAIT_SPIN)
		snprintf(why, MECH_WHY, "its threads need the CPU that this would spin on");
	else if (setup->capacity)
		snprintf(why, MECH_WHY, "its limit is a number of messages");
	else
		return true;
	return false;
}

/* What a Unix socket holds; the sockets of the library hold a message or two. */
static uint64_t socket_bytes(void)
{
	socklen_t length = sizeof(int);
	int bytes = 0, pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return 0;
	getsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &bytes, &length);
	close(pair[0]);
	close(pair[1]);
	return (uint64_t)bytes;
}

static int nng_create(struct link *link, char why[MECH_WHY])
{
	if (!load(why))
		return -ENOENT;
	link->token = (uint64_t)getpid() << 32 | (uint32_t)bench_now();
	link->capacity_bytes = socket_bytes();
	link->memory_bytes = 2 * link->capacity_bytes;
	return 0;
}

static int nng_side(struct link *link, int side)
{
	nng_socket *s = &sockets[side];
	char name[64];
	int error;

	snprintf(name, sizeof(name), "abstract://ipc-bench-%llx",
		 (unsigned long long)link->token);
	error = nng.open(s);
	/* As usual, larger messages than 1 MiB are taken for an attack. */
	if (!error)
		error = nng.set_size(*s, NNG_OPT_RECVMAXSZ, 0);
	if (!error)
		error = side == 0 ? nng.listen(*s, name, NULL, 0) : nng.dial(*s, name, NULL, 0);
	link->port[side].sink = link->port[side].source = s;
	return error ? error_of(error) : 0;
}

/* The threads may still be at work on those before. */
static int nng_try(struct link *link, const void *message)
{
	struct port *port = &link->port[0];
	void *buffer = (void *)(uintptr_t)message;
	int r;

	nng.set_ms(sockets[0], NNG_OPT_SENDTIMEO, SETTLE_MS);
	r = nng.send(*(nng_socket *)port->sink, buffer, port->size, 0);
	return r ? error_of(r) : 0;
}

#else

static bool nng_available(char why[MECH_WHY])
{
	snprintf(why, MECH_WHY, "built without it");
	return false;
}

#endif

const struct mech mech_nng = {
	.name = "nng",
	.summary = "nng, pair0 over ipc://",
	.package = "libnng-dev",
	.capabilities = MECH_BOUNDARIES | MECH_DUPLEX | MECH_POLL | MECH_ANY_SIZE | MECH_COPIES2 |
			MECH_SYSCALLS | MECH_NAMED,
	.available = nng_available,
#ifdef HAVE_NNG
	.can = nng_can,
	.create = nng_create,
	.open = nng_side,
	.try_send = nng_try,
	.loops = &nng_loops,
#endif
};
