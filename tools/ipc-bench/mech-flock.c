/* SPDX-License-Identifier: MIT */
/* flock(2): each process has opened the file for itself, or they would have the lock together. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lock-act.h"
#include "lock.h"

static inline int port_acquire(struct port *port)
{
	while (flock(port->in, LOCK_EX) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static inline int port_release(struct port *port)
{
	return flock(port->in, LOCK_UN) < 0 ? -errno : 0;
}

static int flock_act(struct worker *w)
{
	return lock_act(w, port_acquire, port_release);
}

static int flock_run(struct worker *w)
{
	return acts(w, flock_act);
}

static const struct loops flock_loops = { .lock = flock_run };

static int flock_create(struct link *link, char why[MECH_WHY])
{
	int fd = memfd_create("ipc-bench-flock", MFD_CLOEXEC);

	if (fd < 0)
		return mech_fail(why, "memfd_create", errno);
	link->port[0].in = fd;
	return 0;
}

static int flock_open(struct link *link, int side)
{
	struct port *port = &link->port[side];
	char path[40];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", port->in);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(port->in);
	port->in = fd;
	return 0;
}

const struct mech mech_flock = {
	.name = "flock",
	.summary = "flock(2) of a file in memory",
	.capabilities = MECH_SYSCALLS,
	.can = lock_can,
	.create = flock_create,
	.open = flock_open,
	.loops = &flock_loops,
};
