/* SPDX-License-Identifier: MIT */
/* Values with a fault. Not in the list of mechanisms. */
#include <string.h>

#include "gate.h"
#include "lock.h"
#include "value-act.h"

#define BYTES 4096	/* at most */

struct gated {
	uint32_t gate;
	_Alignas(64) uint64_t number;
	_Alignas(64) unsigned char bytes[BYTES];
};

static unsigned int acts_here;
static unsigned char first_read[BYTES];

static inline int port_set(struct port *port, const void *bytes)
{
	struct gated *g = port->sink;

	gate_close(&g->gate);
	memcpy(g->bytes, bytes, port->size);
	gate_open(&g->gate);
	return 0;
}

/* Half of it, and, after others have run, the other half. */
static void get_torn(const struct gated *g, void *bytes, size_t size)
{
	size_t half = size / 2;

	memcpy(bytes, g->bytes, half);
	sched_yield();
	memcpy((unsigned char *)bytes + half, g->bytes + half, size - half);
}

static inline int port_get(struct port *port, void *bytes)
{
	enum fault fault = (enum fault)port->flags;
	bool harmed = ++acts_here > GATE_HARMED;
	struct gated *g = port->sink;

	if (harmed && fault == FAULT_CORRUPT) {
		get_torn(g, bytes, port->size);
		return 0;
	}
	gate_close(&g->gate);
	memcpy(bytes, g->bytes, port->size);
	gate_open(&g->gate);
	if (harmed && fault == FAULT_REORDER && acts_here % 2)
		memcpy(bytes, first_read, port->size);
	if (acts_here == 1)
		memcpy(first_read, bytes, port->size);
	return 0;
}

static inline int port_number(struct port *port, void *bytes)
{
	struct gated *g = port->sink;

	gate_close(&g->gate);
	memcpy(bytes, &g->number, sizeof(g->number));
	gate_open(&g->gate);
	return 0;
}

static int increment_act(struct worker *w)
{
	enum fault fault = (enum fault)w->port.flags;
	struct gated *g = w->port.sink;
	bool harmed = ++acts_here == GATE_HARMED;

	gate_close(&g->gate);
	g->number += harmed && fault == FAULT_LOSS ? 0 : harmed && fault == FAULT_DUPLICATE ? 2 : 1;
	gate_open(&g->gate);
	return 0;
}

static int gated_increment(struct worker *w)
{
	return value_increments(w, increment_act, port_number);
}

static int read_act(struct worker *w)
{
	return value_read_act(w, port_get);
}

static int gated_read(struct worker *w)
{
	return acts(w, read_act);
}

static int gated_write(struct worker *w)
{
	return value_writes(w, port_set);
}

static int gated_set(struct port *port, const void *bytes)
{
	return port_set(port, bytes);
}

static const struct loops gated_loops = {
	.value = {
		[VALUE_INCREMENT] = gated_increment,
		[VALUE_READ_WRITE] = gated_read,
	},
	.value_write = gated_write,
	.value_set = gated_set,
};

static int gated_create(struct link *link, char why[MECH_WHY])
{
	link->port[0].flags = link->port[1].flags = link->setup.fault;
	return lock_create(link, sizeof(struct gated), why);
}

const struct mech mech_selftest_value = {
	.name = "selftest-value",
	.summary = "a value with a fault",
	.size_max = BYTES,
	.create = gated_create,
	.close = lock_leave,
	.remove = lock_remove,
	.loops = &gated_loops,
};
