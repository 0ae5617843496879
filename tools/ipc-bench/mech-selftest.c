/* SPDX-License-Identifier: MIT */
/* Faults in messages that are copied. Not in the list of mechanisms. */
#include "crowd.h"
#include "fd.h"
#include "harm.h"
#include "pump.h"

static inline int port_send(struct port *port, const void *message)
{
	return harm_send(port, message);
}

static inline int port_recv(struct port *port, void *message)
{
	return harm_recv(port, message);
}

#include "loops.inc.h"

static const struct loops selftest_loops = LOOPS;

const struct mech mech_selftest = {
	.name = "selftest",
	.summary = "a pipe with a fault",
	.capabilities = MECH_MANY,
	.size_max = HARM_SIZE,
	.create = harm_create,
	.try_send = fd_bytes_try,
	.crowd = &crowd_epoll,
	.pump = &pump_copy,
	.loops = &selftest_loops,
};
