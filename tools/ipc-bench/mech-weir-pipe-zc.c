/* SPDX-License-Identifier: MIT */
/* weir_pipe() with messages that are written and read in the ring, without a copy. */
#include <errno.h>

#include "bench/clock.h"
#include "weir-ends.h"
#include "weir/pipe.h"

static inline int port_claim(struct port *port, void **ret_message)
{
	int r;

	while ((r = weir_pipe_claim(port->sink, port->size, port->flags, port->deadline,
				    ret_message)) == -EAGAIN)
		bench_pause();
	return r;
}

static inline int port_commit(struct port *port)
{
	return weir_pipe_commit(port->sink, port->size, 0);
}

static inline void port_abort(struct port *port)
{
	weir_pipe_abort(port->sink);
}

static inline int port_take(struct port *port, const void **ret_message)
{
	size_t size;
	int r;

	while ((r = weir_pipe_take(port->source, port->flags, port->deadline, ret_message,
				   &size)) == -EAGAIN)
		bench_pause();
	if (__builtin_expect(r == 0 && size != port->size, 0))
		return -EMSGSIZE;
	return r;
}

static inline int port_release(struct port *port, const void *message)
{
	return weir_pipe_release(port->source, message);
}

#define LOOPS_IN_PLACE
#include "loops.inc.h"

static const struct loops place_loops = LOOPS;

/* What cannot be claimed cannot be sent in place. */
static int place_try(struct link *link, const void *message)
{
	struct port *port = &link->port[0];
	void *place;
	int r;

	(void)message;
	r = weir_pipe_claim(port->sink, port->size, 0, 0, &place);
	return r < 0 ? r : weir_pipe_commit(port->sink, port->size, 0);
}

const struct mech mech_weir_pipe_zc = {
	.name = "weir-pipe-zc",
	.summary = "the same, written and read in place",
	.capabilities = MECH_BOUNDARIES | MECH_DUPLEX | MECH_POLL | MECH_COPIES0,
	.create = weir_ends_create,
	.try_send = place_try,
	.close = weir_ends_leave,
	.loops = &place_loops,
};
