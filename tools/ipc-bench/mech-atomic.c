/* SPDX-License-Identifier: MIT */
/* An atomic addition of the processor to a number in shared memory. */
#include "lock.h"
#include "value-act.h"

static int add_act(struct worker *w)
{
	__atomic_add_fetch((uint64_t *)w->port.sink, 1, __ATOMIC_SEQ_CST);
	return 0;
}

static inline int port_get(struct port *port, void *bytes)
{
	uint64_t number = __atomic_load_n((uint64_t *)port->sink, __ATOMIC_SEQ_CST);

	__builtin_memcpy(bytes, &number, sizeof(number));
	return 0;
}

static int atomic_add(struct worker *w)
{
	return value_increments(w, add_act, port_get);
}

static const struct loops atomic_loops = {
	.value = { [VALUE_ATOMIC] = atomic_add },
};

static int atomic_create(struct link *link, char why[MECH_WHY])
{
	return lock_create(link, sizeof(uint64_t), why);
}

const struct mech mech_atomic = {
	.name = "atomic",
	.summary = "an atomic addition to a number in shared memory",
	.label = "floor",
	.capabilities = MECH_FLOOR,
	.can = lock_can,
	.create = atomic_create,
	.close = lock_leave,
	.remove = lock_remove,
	.loops = &atomic_loops,
};
