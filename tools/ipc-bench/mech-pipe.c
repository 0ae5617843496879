/* SPDX-License-Identifier: MIT */
/* pipe(2) as it comes: 64 KiB, read and written with one call per message. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "crowd.h"
#include "fd.h"
#include "pump.h"

static int pipe_make(struct link *link)
{
	int way[2];

	if (pipe2(way, O_CLOEXEC) < 0)
		return -errno;
	fd_way(link, 0, way);
	return 0;
}

static int make_way(struct link *link, int from, char why[MECH_WHY])
{
	const struct setup *setup = &link->setup;
	int way[2];

	if (pipe2(way, O_CLOEXEC) < 0)
		return mech_fail(why, "pipe2", errno);
	fd_way(link, from, way);
	if (setup->capacity && fcntl(way[1], F_SETPIPE_SZ, (int)setup->capacity) < 0)
		return mech_fail(why, "F_SETPIPE_SZ", errno);
	link->capacity_bytes = (uint64_t)fcntl(way[1], F_GETPIPE_SZ);
	link->memory_bytes = link->capacity_bytes;
	return 0;
}

static int pipe_create(struct link *link, char why[MECH_WHY])
{
	int r;

	r = make_way(link, 0, why);
	if (r == 0 && link->setup.duplex)
		r = make_way(link, 1, why);
	if (r == 0)
		r = fd_mode(link, why);
	return r;
}

const struct mech mech_pipe = {
	.name = "pipe",
	.summary = "pipe(2), 64 KiB",
	.capabilities = MECH_POLL | MECH_ANY_SIZE | MECH_BYTES | MECH_MANY | MECH_COPIES2 |
			MECH_SYSCALLS,
	.can = fd_pipe_can,
	.make = pipe_make,
	.pass = fd_pass,
	.accept = fd_accept,
	.held = fd_pipe_held,
	.create = pipe_create,
	.try_send = fd_bytes_try,
	.crowd = &crowd_fds,
	.pump = &pump_copy,
	.loops = &fd_bytes_loops,
};
