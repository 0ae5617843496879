/* SPDX-License-Identifier: MIT */
/* Locks with a fault. Not in the list of mechanisms. */
#include <stdlib.h>
#include <unistd.h>

#include "gate.h"
#include "lock-act.h"
#include "lock.h"

static unsigned int taken_here;

static void harm(enum fault fault)
{
	if (fault == FAULT_CRASH && taken_here == GATE_HARMED)
		abort();
	while (fault == FAULT_STALL && taken_here == GATE_HARMED)
		pause();
}

static inline int port_acquire(struct port *port)
{
	enum fault fault = (enum fault)port->flags;

	if (++taken_here < GATE_HARMED || fault != FAULT_LOSS)
		gate_close(port->sink);
	harm(fault);
	return 0;
}

static inline int port_release(struct port *port)
{
	gate_open(port->sink);
	return 0;
}

static int selftest_act(struct worker *w)
{
	return lock_act(w, port_acquire, port_release);
}

static int selftest_run(struct worker *w)
{
	return acts(w, selftest_act);
}

static const struct loops selftest_loops = { .lock = selftest_run };

static int selftest_create(struct link *link, char why[MECH_WHY])
{
	link->port[0].flags = link->setup.fault;
	return lock_create(link, sizeof(uint32_t), why);
}

const struct mech mech_selftest_lock = {
	.name = "selftest-lock",
	.summary = "a lock with a fault",
	.create = selftest_create,
	.close = lock_leave,
	.remove = lock_remove,
	.loops = &selftest_loops,
};
