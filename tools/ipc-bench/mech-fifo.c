/* SPDX-License-Identifier: MIT */
/*
 * mkfifo(3): a pipe with a name. The name is gone before the first message: both ends are opened
 * here, with signals held back in between.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd.h"

/* The reader first and without waiting for a writer; then it is made to block as usual. */
static int open_both(const char *path, int way[2])
{
	way[0] = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (way[0] < 0)
		return -errno;
	way[1] = open(path, O_WRONLY | O_CLOEXEC);
	if (way[1] < 0 || fcntl(way[0], F_SETFL, 0) < 0)
		return -errno;
	return 0;
}

static int make_fifo(const char *folder, int way[2])
{
	char path[128];
	int r = 0;

	snprintf(path, sizeof(path), "%s/fifo", folder);
	if (mkfifo(path, 0600) < 0)
		return -errno;
	r = open_both(path, way);
	unlink(path);
	return r;
}

static int make_unnamed(int way[2])
{
	const char *place = getenv("TMPDIR");
	char folder[96];
	int r;

	if (!place ||
	    snprintf(folder, sizeof(folder), "%s/ipc-bench-XXXXXX", place) >= (int)sizeof(folder))
		snprintf(folder, sizeof(folder), "/tmp/ipc-bench-XXXXXX");
	if (!mkdtemp(folder))
		return -errno;
	r = make_fifo(folder, way);
	rmdir(folder);
	return r;
}

static int fifo_make(struct link *link)
{
	const char *place = getenv("TMPDIR");
	char *path = link->leftovers->file;
	static unsigned int number;
	int way[2] = { -1, -1 };
	int r;

	snprintf(path, sizeof(link->leftovers->file), "%.64s/ipc-bench-%d-%u",
		 place ? place : "/tmp", (int)getpid(), number++);
	if (mkfifo(path, 0600) < 0)
		return -errno;
	r = open_both(path, way);
	unlink(path);
	path[0] = '\0';
	fd_way(link, 0, way);
	return r;
}

static int make_way(struct link *link, int from, char why[MECH_WHY])
{
	const struct setup *setup = &link->setup;
	int way[2] = { -1, -1 };
	sigset_t all, before;
	int r;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	r = make_unnamed(way);
	sigprocmask(SIG_SETMASK, &before, NULL);
	fd_way(link, from, way);
	if (r < 0)
		return mech_fail(why, "mkfifo", r);
	if (setup->capacity && fcntl(way[1], F_SETPIPE_SZ, (int)setup->capacity) < 0)
		return mech_fail(why, "F_SETPIPE_SZ", errno);
	link->capacity_bytes = (uint64_t)fcntl(way[1], F_GETPIPE_SZ);
	link->memory_bytes = link->capacity_bytes;
	return 0;
}

static int fifo_create(struct link *link, char why[MECH_WHY])
{
	int r;

	r = make_way(link, 0, why);
	if (r == 0 && link->setup.duplex)
		r = make_way(link, 1, why);
	if (r == 0)
		r = fd_mode(link, why);
	return r;
}

const struct mech mech_fifo = {
	.name = "fifo",
	.summary = "mkfifo(3), a pipe with a name, 64 KiB",
	.capabilities = MECH_POLL | MECH_ANY_SIZE | MECH_MANY | MECH_COPIES2 | MECH_SYSCALLS |
			MECH_NAMED,
	.can = fd_pipe_can,
	.make = fifo_make,
	.pass = fd_pass,
	.accept = fd_accept,
	.held = fd_pipe_held,
	.create = fifo_create,
	.try_send = fd_bytes_try,
	.loops = &fd_bytes_loops,
};
