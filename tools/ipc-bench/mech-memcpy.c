/* SPDX-License-Identifier: MIT */
/* memcpy() from shared memory that nobody writes. */
#include <string.h>

#include "lock.h"
#include "value-act.h"

static inline int port_get(struct port *port, void *bytes)
{
	memcpy(bytes, port->sink, port->size);
	return 0;
}

static int read_act(struct worker *w)
{
	return value_read_act(w, port_get);
}

static int memcpy_read(struct worker *w)
{
	return acts(w, read_act);
}

static int memcpy_set(struct port *port, const void *bytes)
{
	memcpy(port->sink, bytes, port->size);
	return 0;
}

static const struct loops memcpy_loops = {
	.value = { [VALUE_READ] = memcpy_read },
	.value_set = memcpy_set,
};

static int memcpy_create(struct link *link, char why[MECH_WHY])
{
	return lock_create(link, link->setup.size, why);
}

const struct mech mech_memcpy = {
	.name = "memcpy",
	.summary = "memcpy() from shared memory that nobody writes",
	.label = "floor",
	.capabilities = MECH_FLOOR,
	.can = lock_can,
	.create = memcpy_create,
	.close = lock_leave,
	.remove = lock_remove,
	.loops = &memcpy_loops,
};
