/* SPDX-License-Identifier: MIT */
/* weir_pipe() through its copying calls. */
#include <errno.h>

#include "bench/clock.h"
#include "crowd-weir.h"
#include "pump.h"
#include "weir-batches.h"
#include "weir-ends.h"
#include "weir/pipe.h"

static inline int port_send(struct port *port, const void *message)
{
	int r;

	while ((r = weir_pipe_send(port->sink, message, port->size, port->flags, port->deadline)) ==
	       -EAGAIN)
		bench_pause();
	return r;
}

static inline int port_recv(struct port *port, void *message)
{
	size_t size;
	int r;

	while ((r = weir_pipe_recv(port->source, message, port->size, port->flags, port->deadline,
				   &size)) == -EAGAIN)
		bench_pause();
	if (__builtin_expect(r == 0 && size != port->size, 0))
		return -EMSGSIZE;
	return r;
}

static inline int port_send_many(struct port *port, size_t count)
{
	size_t done = 0;
	int r;

	while (done < count) {
		r = weir_pipe_send_batch(port->sink, out_batch + done, count - done, port->flags,
					 port->deadline);
		if (r >= 0)
			done += (size_t)r;
		else if (r != -EAGAIN)
			return r;
		else
			bench_pause();
	}
	return 0;
}

static inline int port_recv_many(struct port *port)
{
	int r;

	while ((r = weir_pipe_recv_batch(port->source, in_batch, port->batch, port->flags,
					 port->deadline)) == -EAGAIN)
		bench_pause();
	for (int i = 0; i < r; i++)
		if (__builtin_expect(in_batch[i].size != port->size, 0))
			return -EMSGSIZE;
	return r;
}

#define LOOPS_BATCH
#include "loops.inc.h"

static const struct loops weir_loops = LOOPS;

const struct mech mech_weir_pipe = {
	.name = "weir-pipe",
	.summary = "weir_pipe(3) with NULL options, 256 KiB a direction",
	.capabilities = MECH_BOUNDARIES | MECH_DUPLEX | MECH_POLL | MECH_ANY_SIZE | MECH_BATCH |
			MECH_COPIES2,
	.can = weir_ends_can,
	.make = weir_ends_make,
	.pass = weir_ends_pass,
	.accept = weir_ends_accept,
	.held = weir_ends_held,
	.create = weir_ends_create,
	.try_send = weir_ends_try,
	.close = weir_ends_leave,
	.crowd = &crowd_weir_pipes,
	.pump = &pump_weir_pipe,
	.loops = &weir_loops,
};
