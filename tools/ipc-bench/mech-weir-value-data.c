/* SPDX-License-Identifier: MIT */
/*
 * weir_value() whose number is changed by its pointer, with its lock: what a program does that has
 * a mutex and a number, and what Python's Value does. A death leaves such a number as it may be.
 */
#include <errno.h>

#include "lock.h"
#include "value-act.h"
#include "weir-files.h"
#include "weir/value.h"

static inline int port_acquire(struct port *port)
{
	int r = weir_value_acquire(port->sink, 0, WEIR_FOREVER);

	/* Nobody dies here: to be told so is an error. */
	return __builtin_expect(r > 0, 0) ? -EOWNERDEAD : r;
}

static int increment_act(struct worker *w)
{
	int r = port_acquire(&w->port);

	if (__builtin_expect(r < 0, 0))
		return r;
	++*(volatile uint64_t *)w->port.source;
	return weir_value_release(w->port.sink);
}

static inline int port_number(struct port *port, void *number)
{
	int r = port_acquire(port);

	if (r < 0)
		return r;
	*(uint64_t *)number = *(volatile uint64_t *)port->source;
	return weir_value_release(port->sink);
}

static int weir_increment(struct worker *w)
{
	return value_increments(w, increment_act, port_number);
}

static const struct loops weir_loops = {
	.value = { [VALUE_INCREMENT] = weir_increment },
};

static int weir_create(struct link *link, char why[MECH_WHY])
{
	struct weir_value_options options = { .size = sizeof(options), .type = WEIR_TYPE_UINT64 };
	uint64_t before = weir_files(false);
	struct weir_value *value;
	int r = weir_value(&value, &options);

	if (r < 0)
		return mech_fail(why, "weir_value", r);
	link->port[0].sink = link->port[1].sink = value;
	link->port[0].source = link->port[1].source = weir_value_data(value);
	link->memory_bytes = weir_files(false) - before;
	return 0;
}

static void weir_remove(struct link *link)
{
	weir_value_close(link->port[0].sink);
}

const struct mech mech_weir_value_data = {
	.name = "weir-value-data",
	.summary = "weir_value(3) of 8 bytes, changed by its pointer with its lock",
	.can = lock_can,
	.create = weir_create,
	.close = lock_leave,	/* others use the handle of the process that made it */
	.remove = weir_remove,
	.loops = &weir_loops,
};
