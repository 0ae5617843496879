/* SPDX-License-Identifier: MIT */
/* Faults in messages that are written and read in place. Not in the list of mechanisms. */
#include <stdint.h>

#include "fd.h"
#include "harm.h"

static uint64_t written[HARM_SIZE / 8];
static uint64_t received[HARM_SIZE / 8];

static inline int port_claim(struct port *port, void **ret_message)
{
	(void)port;
	*ret_message = written;
	return 0;
}

static inline int port_commit(struct port *port)
{
	return harm_send(port, written);
}

static inline void port_abort(struct port *port)
{
	(void)port;
}

static inline int port_take(struct port *port, const void **ret_message)
{
	*ret_message = received;
	return harm_recv(port, received);
}

static inline int port_release(struct port *port, const void *message)
{
	(void)port;
	(void)message;
	return 0;
}

#define LOOPS_IN_PLACE
#include "loops.inc.h"

static const struct loops selftest_loops = LOOPS;

const struct mech mech_selftest_zc = {
	.name = "selftest-zc",
	.summary = "a pipe with a fault, in place",
	.capabilities = MECH_MANY,
	.size_max = HARM_SIZE,
	.create = harm_create,
	.try_send = fd_bytes_try,
	.loops = &selftest_loops,
};
