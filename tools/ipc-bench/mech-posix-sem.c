/* SPDX-License-Identifier: MIT */
/* An unnamed POSIX semaphore in shared memory that counts to 1. */
#include <errno.h>
#include <semaphore.h>

#include "lock-act.h"
#include "lock.h"

static inline int port_acquire(struct port *port)
{
	while (sem_wait(port->sink) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static inline int port_release(struct port *port)
{
	return sem_post(port->sink) < 0 ? -errno : 0;
}

static int posix_act(struct worker *w)
{
	return lock_act(w, port_acquire, port_release);
}

static int posix_run(struct worker *w)
{
	return acts(w, posix_act);
}

static const struct loops posix_loops = { .lock = posix_run };

static int posix_create(struct link *link, char why[MECH_WHY])
{
	int r = lock_create(link, sizeof(sem_t), why);

	if (r < 0 || sem_init(link->memory, 1, 1) == 0)
		return r;
	r = mech_fail(why, "sem_init", errno);
	lock_remove(link);
	return r;
}

const struct mech mech_posix_sem = {
	.name = "posix-sem",
	.summary = "POSIX semaphore in shared memory, sem_wait() and sem_post()",
	.can = lock_can,
	.create = posix_create,
	.close = lock_leave,
	.remove = lock_remove,
	.loops = &posix_loops,
};
