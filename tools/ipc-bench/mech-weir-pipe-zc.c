/* SPDX-License-Identifier: MIT */
/* weir_pipe() with messages that are written and read in the ring, without a copy. */
#include <errno.h>

#include "bench/clock.h"
#include "weir-ends.h"
#include "weir/pipe.h"

static struct weir_msg places[WEIR_ENDS_BATCH];
static struct weir_msg taken[WEIR_ENDS_BATCH];

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

static inline int port_claim_many(struct port *port, size_t count)
{
	int r;

	for (size_t i = 0; i < count; i++)
		places[i].size = port->size;
	while ((r = weir_pipe_claim_batch(port->sink, places, count, port->flags,
					  port->deadline)) == -EAGAIN)
		bench_pause();
	return r;
}

static inline void *port_place(size_t i)
{
	return places[i].data;
}

static inline int port_commit_many(struct port *port, size_t count)
{
	return weir_pipe_commit_batch(port->sink, places, count, 0);
}

static inline int port_take_many(struct port *port)
{
	int r;

	while ((r = weir_pipe_take_batch(port->source, taken, port->batch, port->flags,
					 port->deadline)) == -EAGAIN)
		bench_pause();
	for (int i = 0; i < r; i++)
		if (__builtin_expect(taken[i].size != port->size, 0))
			return -EMSGSIZE;
	return r;
}

static inline const void *port_taken(size_t i)
{
	return taken[i].data;
}

static inline int port_release_many(struct port *port)
{
	return weir_pipe_release(port->source, NULL);
}

#define LOOPS_IN_PLACE
#define LOOPS_BATCH
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
	.capabilities = MECH_BOUNDARIES | MECH_DUPLEX | MECH_BATCH | MECH_POLL | MECH_COPIES0,
	.can = weir_ends_can,
	.create = weir_ends_create,
	.try_send = place_try,
	.close = weir_ends_leave,
	.loops = &place_loops,
};
