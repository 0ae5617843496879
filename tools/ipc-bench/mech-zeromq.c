/* SPDX-License-Identifier: MIT */
/*
 * ZeroMQ over ipc:// as a user gets it: a pair of ZMQ_PAIR sockets, 1000 messages on each side,
 * zmq_send() and zmq_recv() with buffers of the caller.
 *
 * A context has threads and does not survive a fork, so each worker makes its own; the name is in
 * the abstract namespace, where nothing is left behind. The library is loaded when it is used: the
 * other mechanisms' processes shall not grow by it.
 */
#include "mech.h"

#include <stdio.h>

#ifdef HAVE_ZEROMQ

#include <dlfcn.h>
#include <errno.h>
#include <unistd.h>
#include <zmq.h>

#include "bench/clock.h"

#define LIBRARY "libzmq.so.5"
#define SETTLE_MS 20	/* how long the thread may take to make room */

static struct {
	typeof(zmq_ctx_new) *ctx_new;
	typeof(zmq_socket) *socket;
	typeof(zmq_setsockopt) *setsockopt;
	typeof(zmq_getsockopt) *getsockopt;
	typeof(zmq_bind) *bind;
	typeof(zmq_connect) *connect;
	typeof(zmq_send) *send;
	typeof(zmq_recv) *recv;
	typeof(zmq_poll) *poll;
	typeof(zmq_errno) *error;
} zeromq;

static bool find(void *library, const char *name, void *ret)
{
	return (*(void **)ret = dlsym(library, name));
}

static bool load(char why[MECH_WHY])
{
	void *library = dlopen(LIBRARY, RTLD_NOW);

	if (library && find(library, "zmq_ctx_new", &zeromq.ctx_new) &&
	    find(library, "zmq_socket", &zeromq.socket) &&
	    find(library, "zmq_setsockopt", &zeromq.setsockopt) &&
	    find(library, "zmq_getsockopt", &zeromq.getsockopt) &&
	    find(library, "zmq_bind", &zeromq.bind) &&
	    find(library, "zmq_connect", &zeromq.connect) &&
	    find(library, "zmq_send", &zeromq.send) && find(library, "zmq_recv", &zeromq.recv) &&
	    find(library, "zmq_poll", &zeromq.poll) && find(library, "zmq_errno", &zeromq.error))
		return true;
	snprintf(why, MECH_WHY, "%s", dlerror());
	return false;
}

/* After a call failed: 0 to try it again, or a negative errno. */
static inline int failed(const struct port *port, int64_t *until)
{
	int error = zeromq.error();

	if (error == EINTR)
		return 0;
	if (error != EAGAIN)
		return -error;
	bench_pause();
	if (port->wait == WAIT_ADAPTIVE && *until == 0)
		*until = bench_now() + port->wake_ns;
	return 0;
}

/* Whether the next try may sleep. */
static inline int flags_of(const struct port *port, int64_t until)
{
	if (port->wait == WAIT_ADAPTIVE && (until == 0 || bench_now() < until))
		return ZMQ_DONTWAIT;
	return 0;
}

static inline int port_send(struct port *port, const void *message)
{
	int64_t until = 0;
	int r;

	while (zeromq.send(port->sink, message, port->size, flags_of(port, until)) < 0) {
		r = failed(port, &until);
		if (r < 0)
			return r;
	}
	return 0;
}

static inline int port_recv(struct port *port, void *message)
{
	int64_t until = 0;
	int n, r;

	while ((n = zeromq.recv(port->source, message, port->size, flags_of(port, until))) < 0) {
		r = failed(port, &until);
		if (r < 0)
			return r;
	}
	return (size_t)n == port->size ? 0 : -EMSGSIZE;
}

#include "loops.inc.h"

static const struct loops zeromq_loops = LOOPS;

static bool zeromq_available(char why[MECH_WHY])
{
	return load(why);
}

static bool zeromq_can(const struct setup *setup, char why[MECH_WHY])
{
	if (setup->wait == WAIT_SPIN)
		snprintf(why, MECH_WHY, "its threads need the CPU that this would spin on");
	else if (setup->capacity)
		snprintf(why, MECH_WHY, "its limit is a number of messages");
	else
		return true;
	return false;
}

/* Both sockets are made later, so this is only the name, and what the manual says. */
static int zeromq_create(struct link *link, char why[MECH_WHY])
{
	if (!load(why))
		return -ENOENT;
	link->token = (uint64_t)getpid() << 32 | (uint32_t)bench_now();
	/* 1000 messages on each side. */
	link->capacity_bytes = 2000 * link->setup.size;
	link->memory_bytes = link->capacity_bytes;
	return 0;
}

static int zeromq_open(struct link *link, int side)
{
	void *context = zeromq.ctx_new();
	void *socket = context ? zeromq.socket(context, ZMQ_PAIR) : NULL;
	char name[64];
	int r;

	if (!socket)
		return -zeromq.error();
	snprintf(name, sizeof(name), "ipc://@ipc-bench-%llx", (unsigned long long)link->token);
	r = side == 0 ? zeromq.bind(socket, name) : zeromq.connect(socket, name);
	link->port[side].sink = link->port[side].source = socket;
	return r < 0 ? -zeromq.error() : 0;
}

/* The thread may still be at work on those before. */
static int zeromq_try(struct link *link, const void *message)
{
	struct port *port = &link->port[0];
	zmq_pollitem_t room = { .socket = port->sink, .events = ZMQ_POLLOUT };

	while (zeromq.send(port->sink, message, port->size, ZMQ_DONTWAIT) < 0) {
		if (zeromq.error() != EAGAIN)
			return -zeromq.error();
		if (zeromq.poll(&room, 1, SETTLE_MS) <= 0)
			return -EAGAIN;
	}
	return 0;
}

#else

static bool zeromq_available(char why[MECH_WHY])
{
	snprintf(why, MECH_WHY, "built without it");
	return false;
}

#endif

const struct mech mech_zeromq = {
	.name = "zeromq",
	.summary = "ZeroMQ, ZMQ_PAIR over ipc://, 1000 messages on each side",
	.package = "libzmq3-dev",
	.capabilities = MECH_BOUNDARIES | MECH_DUPLEX | MECH_POLL | MECH_ANY_SIZE | MECH_COPIES2 |
			MECH_NAMED,
	.available = zeromq_available,
#ifdef HAVE_ZEROMQ
	.can = zeromq_can,
	.create = zeromq_create,
	.open = zeromq_open,
	.try_send = zeromq_try,
	.loops = &zeromq_loops,
#endif
};
