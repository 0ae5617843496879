/* SPDX-License-Identifier: MIT */
/* What weir-lock and weir-lock-recursive have in common. */
#ifndef IPC_BENCH_WEIR_LOCKS_H
#define IPC_BENCH_WEIR_LOCKS_H

#include <errno.h>

#include "mech.h"
#include "weir/lock.h"

/* Nobody dies here: to be told so is an error. */
static inline int weir_locks_acquire(struct port *port)
{
	int r = weir_lock_acquire(port->sink, 0, WEIR_FOREVER);

	return __builtin_expect(r > 0, 0) ? -EOWNERDEAD : r;
}

static inline int weir_locks_release(struct port *port)
{
	return weir_lock_release(port->sink);
}

int weir_locks_create(struct link *link, uint32_t flags, char why[MECH_WHY]);

/* close(): whoever goes on uses the handle of the process that made it. */
void weir_locks_leave(struct link *link, int side);
void weir_locks_remove(struct link *link);

#endif
