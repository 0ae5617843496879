/* SPDX-License-Identifier: MIT */
#include "weir-ends.h"

#include <stdio.h>

#include "weir-files.h"
#include "weir/handle.h"
#include "weir/pipe.h"

#define RECORD 16	/* bytes of a ring beside a message, at the least */

/* A larger message needs the receiver while it is sent, so a call that does not wait refuses it. */
bool weir_ends_can(const struct setup *setup, char why[MECH_WHY])
{
	uint64_t capacity = setup->capacity ? setup->capacity : WEIR_PIPE_CAPACITY;

	if (setup->batch > WEIR_ENDS_BATCH) {
		snprintf(why, MECH_WHY, "this tool makes batches of at most %d", WEIR_ENDS_BATCH);
		return false;
	}
	if (setup->wait != WAIT_SPIN || setup->size + RECORD <= capacity)
		return true;
	snprintf(why, MECH_WHY, "what is larger than the ring cannot be sent without waiting");
	return false;
}

static void set_waiting(struct port *port)
{
	port->deadline = port->wait == WAIT_SPIN ? 0 : WEIR_FOREVER;
	port->flags = port->wait == WAIT_BLOCK ? WEIR_NOSPIN : 0;
}

int weir_ends_create(struct link *link, char why[MECH_WHY])
{
	struct weir_pipe_options options = {
		.size = sizeof(options),
		.capacity = link->setup.capacity,
	};
	uint64_t before = link->setup.further ? 0 : weir_files(true);
	struct weir_end *ends[2];
	int r;

	r = weir_pipe(ends, link->setup.capacity ? &options : NULL);
	if (r < 0) {
		snprintf(why, MECH_WHY, "weir_pipe: %s", weir_strerror(r));
		return r;
	}
	for (int side = 0; side < 2; side++) {
		link->port[side].sink = link->port[side].source = ends[side];
		set_waiting(&link->port[side]);
	}
	link->capacity_bytes = link->setup.capacity ? link->setup.capacity : WEIR_PIPE_CAPACITY;
	if (!link->setup.further)
		link->memory_bytes = weir_files(true) - before;
	return 0;
}

int weir_ends_try(struct link *link, const void *message)
{
	struct port *port = &link->port[0];

	return weir_pipe_send(port->sink, message, port->size, 0, 0);
}

void weir_ends_leave(struct link *link, int side)
{
	weir_pipe_close(link->port[side].sink);
	link->port[side].sink = link->port[side].source = NULL;
}

int weir_ends_make(struct link *link)
{
	struct weir_end *ends[2];
	int r;

	r = weir_pipe(ends, NULL);
	if (r < 0)
		return r;
	for (int side = 0; side < 2; side++) {
		link->port[side].sink = link->port[side].source = ends[side];
		set_waiting(&link->port[side]);
	}
	return 0;
}

int weir_ends_pass(struct link *link, int side, int socket)
{
	return weir_send_handle(socket, link->port[side].sink, 0, WEIR_FOREVER);
}

int weir_ends_accept(struct link *link, int side, int socket)
{
	struct weir_end *end;
	int r;

	r = weir_recv_handle(socket, WEIR_KIND_PIPE_END, 0, WEIR_FOREVER, &end);
	if (r < 0)
		return r;
	link->port[side].sink = link->port[side].source = end;
	set_waiting(&link->port[side]);
	return 0;
}

uint64_t weir_ends_held(const struct link *link)
{
	(void)link;
	return weir_files(false);
}
