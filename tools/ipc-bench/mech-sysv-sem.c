/* SPDX-License-Identifier: MIT */
/*
 * A System V semaphore that counts to 1, with SEM_UNDO: the kernel gives it back when its process
 * ends. Without that a death would keep it, and it would be a little cheaper.
 */
#include <errno.h>
#include <sys/ipc.h>
#include <sys/sem.h>

#include "lock-act.h"
#include "lock.h"

/* The number of the semaphore is in the flags: the other fields are descriptors. */
static inline int change(struct port *port, short by)
{
	struct sembuf op = { .sem_num = 0, .sem_op = by, .sem_flg = SEM_UNDO };

	while (semop((int)port->flags, &op, 1) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static inline int port_acquire(struct port *port)
{
	return change(port, -1);
}

static inline int port_release(struct port *port)
{
	return change(port, 1);
}

static int sysv_act(struct worker *w)
{
	return lock_act(w, port_acquire, port_release);
}

static int sysv_run(struct worker *w)
{
	return acts(w, sysv_act);
}

static const struct loops sysv_loops = { .lock = sysv_run };

static void sysv_remove(struct link *link)
{
	if (link->leftovers->semid >= 0)
		semctl(link->leftovers->semid, 0, IPC_RMID);
	link->leftovers->semid = -1;
}

static int sysv_create(struct link *link, char why[MECH_WHY])
{
	int id = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600), r = 0;

	if (id < 0)
		return mech_fail(why, "semget", errno);
	link->leftovers->semid = id;
	/* union semctl() wants an int there, and is not declared. */
	if (semctl(id, 0, SETVAL, 1) < 0)
		r = mech_fail(why, "semctl", errno);
	if (r < 0)
		sysv_remove(link);
	link->port[0].flags = link->port[1].flags = (uint32_t)id;
	return r;
}

const struct mech mech_sysv_sem = {
	.name = "sysv-sem",
	.summary = "System V semaphore, semop() with SEM_UNDO",
	.capabilities = MECH_SYSCALLS,
	.can = lock_can,
	.create = sysv_create,
	.close = lock_leave,
	.remove = sysv_remove,
	.loops = &sysv_loops,
};
