/* SPDX-License-Identifier: MIT */
#include "weir-queues.h"

#include <stdio.h>

#include "weir-files.h"
#include "weir/handle.h"
#include "weir/queue.h"

bool weir_queues_can(const struct setup *setup, char why[MECH_WHY])
{
	if (setup->batch <= WEIR_QUEUES_BATCH)
		return true;
	snprintf(why, MECH_WHY, "this tool makes batches of at most %d", WEIR_QUEUES_BATCH);
	return false;
}

static void set_waiting(struct port *port)
{
	port->deadline = port->wait == WAIT_SPIN ? 0 : WEIR_FOREVER;
	port->flags = port->wait == WAIT_BLOCK ? WEIR_NOSPIN : 0;
}

static uint64_t items_of(const struct setup *setup)
{
	if (!setup->capacity)
		return 0;
	return setup->capacity < setup->size ? 1 : setup->capacity / setup->size;
}

/* From side @from to the other. */
static int make_way(struct link *link, int from)
{
	struct weir_queue_options options = {
		.size = sizeof(options),
		.max_items = items_of(&link->setup),
	};
	struct weir_queue *queue;
	int r;

	r = weir_queue(&queue, options.max_items ? &options : NULL);
	if (r < 0)
		return r;
	link->port[from].sink = queue;
	link->port[!from].source = queue;
	return 0;
}

int weir_queues_make(struct link *link)
{
	for (int side = 0; side < 2; side++)
		set_waiting(&link->port[side]);
	return make_way(link, 0);
}

int weir_queues_create(struct link *link, char why[MECH_WHY])
{
	uint64_t before = link->setup.further ? 0 : weir_files(false);
	int r;

	r = weir_queues_make(link);
	if (!link->setup.further)
		link->memory_bytes = weir_files(false) - before;
	if (r == 0 && link->setup.duplex)
		r = make_way(link, 1);
	link->capacity_msgs = items_of(&link->setup);
	link->capacity_bytes = link->capacity_msgs * link->setup.size;
	if (r < 0)
		snprintf(why, MECH_WHY, "weir_queue: %s", weir_strerror(r));
	return r;
}

int weir_queues_pass(struct link *link, int side, int socket)
{
	return weir_send_handle(socket, link->port[side].sink, 0, WEIR_FOREVER);
}

int weir_queues_accept(struct link *link, int side, int socket)
{
	struct weir_queue *queue;
	int r;

	r = weir_recv_handle(socket, WEIR_KIND_QUEUE, 0, WEIR_FOREVER, &queue);
	if (r < 0)
		return r;
	link->port[side].sink = queue;
	set_waiting(&link->port[side]);
	return 0;
}

uint64_t weir_queues_held(const struct link *link)
{
	(void)link;
	return weir_files(false);
}

int weir_queues_hold(struct link *link)
{
	struct weir_taken taken;

	return weir_queue_take(link->port[0].sink, 0, WEIR_FOREVER, &taken);
}

/* One handle is for both sides: it is closed with the second of them. */
static void leave_one(void **mine, const void *theirs)
{
	if (*mine != theirs)
		weir_queue_close(*mine);
	*mine = NULL;
}

void weir_queues_leave(struct link *link, int side)
{
	leave_one(&link->port[side].sink, link->port[!side].source);
	leave_one(&link->port[side].source, link->port[!side].sink);
}
