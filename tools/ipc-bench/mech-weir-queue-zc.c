/* SPDX-License-Identifier: MIT */
/* weir_queue() with messages that are written and read where they lie, without a copy. */
#include "weir-queues.h"
#include "weir/queue.h"

static struct weir_taken taken;

static inline int port_claim(struct port *port, void **ret_message)
{
	int r;

	do
		r = weir_queue_claim(port->sink, port->size, port->flags, port->deadline,
				     ret_message);
	while (weir_queues_again(r));
	return r;
}

static inline int port_commit(struct port *port)
{
	int r;

	do
		r = weir_queue_commit(port->sink, port->size, port->flags, port->deadline);
	while (weir_queues_again(r));
	return r;
}

static inline void port_abort(struct port *port)
{
	weir_queue_abort(port->sink);
}

static inline int port_take(struct port *port, const void **ret_message)
{
	int r;

	do
		r = weir_queue_take(port->source, port->flags, port->deadline, &taken);
	while (weir_queues_again(r));
	*ret_message = taken.data;
	if (__builtin_expect(r == 0 && taken.size != port->size, 0))
		return -EMSGSIZE;
	return r;
}

static inline int port_release(struct port *port, const void *message)
{
	(void)message;
	return weir_queue_release(port->source, &taken);
}

#define LOOPS_IN_PLACE
#include "loops.inc.h"

static const struct loops place_loops = LOOPS;

const struct mech mech_weir_queue_zc = {
	.name = "weir-queue-zc",
	.summary = "the same, written and read in place",
	.capabilities = MECH_BOUNDARIES | MECH_MANY | MECH_COPIES0,
	.create = weir_queues_create,
	.hold = weir_queues_hold,
	.close = weir_queues_leave,
	.loops = &place_loops,
};
