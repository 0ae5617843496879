/* SPDX-License-Identifier: MIT */
#include "harm.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control.h"
#include "fd.h"

#define HARMED	500	/* the message that the fault is planted in */

static unsigned int sent_here;
static unsigned char held[HARM_SIZE];
static bool holding;

static int put(struct port *port, const void *message)
{
	return write(port->out, message, HARM_SIZE) == HARM_SIZE ? 0 : -errno;
}

static int put_corrupted(struct port *port, const void *message)
{
	unsigned char copy[HARM_SIZE];

	memcpy(copy, message, HARM_SIZE);
	copy[HARM_SIZE / 2] ^= 1;
	return put(port, copy);
}

static int hold(const void *message)
{
	memcpy(held, message, HARM_SIZE);
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

int harm_send(struct port *port, const void *message)
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

int harm_recv(struct port *port, void *message)
{
	ssize_t n = read(port->in, message, HARM_SIZE);

	return n == HARM_SIZE ? 0 : n == 0 ? -EPIPE : -EIO;
}

int harm_create(struct link *link, char why[MECH_WHY])
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
