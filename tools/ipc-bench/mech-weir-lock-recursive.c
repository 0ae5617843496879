/* SPDX-License-Identifier: MIT */
/* weir_lock() of a thread, which may acquire it again. */
#include "lock-act.h"
#include "lock.h"
#include "weir-locks.h"

static int weir_act(struct worker *w)
{
	return lock_act(w, weir_locks_acquire, weir_locks_release);
}

static int weir_run(struct worker *w)
{
	return acts(w, weir_act);
}

static const struct loops weir_loops = { .lock = weir_run };

static int weir_create(struct link *link, char why[MECH_WHY])
{
	return weir_locks_create(link, WEIR_LOCK_RECURSIVE, why);
}

const struct mech mech_weir_lock_recursive = {
	.name = "weir-lock-recursive",
	.summary = "weir_lock(3), WEIR_LOCK_RECURSIVE",
	.can = lock_can,
	.create = weir_create,
	.close = weir_locks_leave,
	.remove = weir_locks_remove,
	.loops = &weir_loops,
};
