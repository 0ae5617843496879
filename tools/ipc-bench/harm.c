/* SPDX-License-Identifier: MIT */
#include "harm.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fd.h"
#include "worker.h"

#define HARMED	500	/* the message that the fault is planted in */

static unsigned int sent_here, received_here;
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

static int get(struct port *port, void *message)
{
	ssize_t n = read(port->in, message, HARM_SIZE);

	return n == HARM_SIZE ? 0 : n == 0 ? -EPIPE : -EIO;
}

/* Give the next message of the same producer first, if it is the next one here. */
static int get_late(struct port *port, void *message)
{
	unsigned char early[HARM_SIZE];
	int r;

	memcpy(early, message, HARM_SIZE);
	r = get(port, held);
	if (r < 0)
		return r;
	holding = true;
	if (pattern_producer(pattern_peek(held)) != pattern_producer(pattern_peek(early))) {
		received_here--;	/* another try with the one after it */
		return 0;
	}
	memcpy(message, held, HARM_SIZE);
	memcpy(held, early, HARM_SIZE);
	return 0;
}

/* What a reader does with a message that it has. */
static int get_harmed(struct port *port, void *message)
{
	switch ((enum fault)port->flags) {
	case FAULT_LOSS:
		return get(port, message);
	case FAULT_DUPLICATE:
		memcpy(held, message, HARM_SIZE);
		holding = true;
		return 0;
	case FAULT_REORDER:
		return get_late(port, message);
	case FAULT_CRASH:
		abort();
	default:
		return 0;
	}
}

int harm_recv(struct port *port, void *message)
{
	int r = 0;

	if (holding)
		memcpy(message, held, HARM_SIZE);
	else
		r = get(port, message);
	holding = false;
	if (r < 0 || pattern_peek(message) == WORKER_END)
		return r;
	return received_here++ == HARMED ? get_harmed(port, message) : 0;
}

int harm_create(struct link *link, char why[MECH_WHY])
{
	int there[2], back[2];

	if (pipe2(there, O_CLOEXEC) < 0 || pipe2(back, O_CLOEXEC) < 0)
		return mech_fail(why, "pipe2", errno);
	fd_way(link, 0, there);
	fd_way(link, 1, back);
	/* Where several read, a reader does the harm: there it is harder to see. */
	link->port[link->setup.many].flags = link->setup.fault;
	link->capacity_bytes = link->memory_bytes = 65536;
	return 0;
}
