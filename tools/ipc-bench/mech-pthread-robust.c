/* SPDX-License-Identifier: MIT */
/* A mutex of pthreads that processes share, and that tells the next of the death of its owner. */
#include "lock-act.h"
#include "mutex.h"

static int robust_act(struct worker *w)
{
	return lock_act(w, mutex_acquire, mutex_release);
}

static int robust_run(struct worker *w)
{
	return acts(w, robust_act);
}

static const struct loops robust_loops = { .lock = robust_run };

static int robust_create(struct link *link, char why[MECH_WHY])
{
	return mutex_create(link, PTHREAD_MUTEX_ROBUST, why);
}

const struct mech mech_pthread_robust = {
	.name = "pthread-robust",
	.summary = "pthread mutex, PTHREAD_PROCESS_SHARED and PTHREAD_MUTEX_ROBUST",
	.can = lock_can,
	.create = robust_create,
	.close = lock_leave,
	.remove = lock_remove,
	.loops = &robust_loops,
};
