/* SPDX-License-Identifier: MIT */
/* weir_queue() through its copying calls. */
#include "crowd-weir.h"
#include "pump.h"
#include "weir-batches.h"
#include "weir-queues.h"
#include "weir/queue.h"

static inline int port_send(struct port *port, const void *message)
{
	int r;

	do
		r = weir_queue_put(port->sink, message, port->size, port->flags, port->deadline);
	while (weir_queues_again(r));
	return r;
}

static inline int port_recv(struct port *port, void *message)
{
	size_t size;
	int r;

	do
		r = weir_queue_get(port->source, message, port->size, port->flags, port->deadline,
				   &size);
	while (weir_queues_again(r));
	if (__builtin_expect(r == 0 && size != port->size, 0))
		return -EMSGSIZE;
	return r;
}

static inline int port_send_many(struct port *port, size_t count)
{
	size_t done = 0;
	int r;

	while (done < count) {
		r = weir_queue_put_batch(port->sink, out_batch + done, count - done, port->flags,
					 port->deadline);
		if (r >= 0)
			done += (size_t)r;
		else if (!weir_queues_again(r))
			return r;
	}
	return 0;
}

static inline int port_recv_many(struct port *port)
{
	int r;

	do
		r = weir_queue_get_batch(port->source, in_batch, port->batch, port->flags,
					 port->deadline);
	while (weir_queues_again(r));
	for (int i = 0; i < r; i++)
		if (__builtin_expect(in_batch[i].size != port->size, 0))
			return -EMSGSIZE;
	return r;
}

#define LOOPS_BATCH
#include "loops.inc.h"

static const struct loops queue_loops = LOOPS;

const struct mech mech_weir_queue = {
	.name = "weir-queue",
	.summary = "weir_queue(3) with NULL options, no limit of messages",
	.capabilities = MECH_BOUNDARIES | MECH_BATCH | MECH_MANY | MECH_COPIES2,
	.can = weir_queues_can,
	.make = weir_queues_make,
	.pass = weir_queues_pass,
	.accept = weir_queues_accept,
	.held = weir_queues_held,
	.create = weir_queues_create,
	.hold = weir_queues_hold,
	.close = weir_queues_leave,
	.crowd = &crowd_weir_queues,
	.pump = &pump_weir_queue,
	.loops = &queue_loops,
};
