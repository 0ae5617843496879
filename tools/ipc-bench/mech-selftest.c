/* SPDX-License-Identifier: MIT */
/*
 * A pipe that harms one message, for the self-test: what the tool says about it is known
 * beforehand. Not in the list of mechanisms.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/pattern.h"
#include "control.h"
#include "fd.h"
#include "worker.h"

#define HARMED	500	/* the message that the fault is planted in */
#define SIZE	64

static unsigned int sent_here;
static unsigned char held[SIZE];
static bool holding;

static int put(struct port *port, const void *message)
{
	return write(port->out, message, SIZE) == SIZE ? 0 : -errno;
}

static int put_corrupted(struct port *port, const void *message)
{
	unsigned char copy[SIZE];

	memcpy(copy, message, SIZE);
	copy[SIZE / 2] ^= 1;
	return put(port, copy);
}

static int hold(const void *message)
{
	memcpy(held, message, SIZE);
	holding = true;
	return 0;
}

static int put_harmed(struct port *port, const void *message)
{
	switch ((enum fault)port->flags) {
	case FAULT_LOSS:
		return 0;
	case FAULT_DUPLICATE:
		put(port, message);
		return put(port, message);
	case FAULT_REORDER:
		return hold(message);
	case FAULT_CORRUPT:
		return put_corrupted(port, message);
	case FAULT_STALL:
		for (;;)
			pause();
	case FAULT_CRASH:
		abort();
	default:
		return put(port, message);
	}
}

static inline int port_send(struct port *port, const void *message)
{
	int r;

	if (sent_here++ == HARMED)
		return put_harmed(port, message);
	r = put(port, message);
	if (holding && r == 0) {
		holding = false;
		r = put(port, held);
	}
	return r;
}

static inline int port_recv(struct port *port, void *message)
{
	ssize_t n = read(port->in, message, SIZE);

	return n == SIZE ? 0 : n == 0 ? -EPIPE : -EIO;
}

#include "loops.inc.h"

static const struct loops selftest_loops = LOOPS;

static int selftest_create(struct link *link, char why[MECH_WHY])
{
	int there[2], back[2];

	if (pipe2(there, O_CLOEXEC) < 0 || pipe2(back, O_CLOEXEC) < 0)
		return mech_fail(why, "pipe2", errno);
	fd_way(link, 0, there);
	fd_way(link, 1, back);
	link->port[0].flags = link->setup.fault;
	link->capacity_bytes = link->memory_bytes = 65536;
	return 0;
}

const struct mech mech_selftest = {
	.name = "selftest",
	.summary = "a pipe with a fault",
	.size_max = SIZE,
	.create = selftest_create,
	.try_send = fd_bytes_try,
	.loops = &selftest_loops,
};
