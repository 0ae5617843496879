/* SPDX-License-Identifier: MIT */
/*
 * mq_overview(7) with the 10 messages that a user gets. The name is unlinked before the first
 * message. On Linux a queue is a descriptor, so the waiting is that of the other descriptors.
 */
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "crowd.h"
#include "fd.h"

#define DEFAULT_MESSAGES 10

static inline int port_send(struct port *port, const void *message)
{
	int64_t until = 0;
	int r;

	while (mq_send(port->out, message, port->size, 0) < 0) {
		r = fd_failed(port, port->out, POLLOUT, &until);
		if (r < 0)
			return r;
	}
	return 0;
}

static inline int port_recv(struct port *port, void *message)
{
	int64_t until = 0;
	ssize_t n;
	int r;

	while ((n = mq_receive(port->in, message, port->size, NULL)) < 0) {
		r = fd_failed(port, port->in, POLLIN, &until);
		if (r < 0)
			return r;
	}
	return (size_t)n == port->size ? 0 : -EMSGSIZE;
}

#include "loops.inc.h"

static const struct loops mq_loops = LOOPS;

static long read_limit(const char *path, long otherwise)
{
	FILE *file = fopen(path, "re");
	long value = otherwise;

	if (!file)
		return otherwise;
	if (fscanf(file, "%ld", &value) != 1)
		value = otherwise;
	fclose(file);
	return value;
}

static bool mq_available(char why[MECH_WHY])
{
	if (read_limit("/proc/sys/fs/mqueue/msg_max", -1) > 0)
		return true;
	snprintf(why, MECH_WHY, "this kernel has no POSIX message queues");
	return false;
}

static bool mq_can(const struct setup *setup, char why[MECH_WHY])
{
	long size_max = read_limit("/proc/sys/fs/mqueue/msgsize_max", 8192);
	long messages = read_limit("/proc/sys/fs/mqueue/msg_max", DEFAULT_MESSAGES);

	if (setup->size > (size_t)size_max) {
		snprintf(why, MECH_WHY, "fs.mqueue.msgsize_max is %ld bytes", size_max);
		return false;
	}
	if (setup->capacity / setup->size > (uint64_t)messages) {
		snprintf(why, MECH_WHY, "fs.mqueue.msg_max is %ld messages", messages);
		return false;
	}
	return true;
}

/* Both descriptors of a queue whose name exists only in between. */
static int open_unnamed(struct mq_attr *attr, int way[2])
{
	static unsigned int number;
	char name[64];
	int r = 0;

	snprintf(name, sizeof(name), "/ipc-bench.%d.%u", (int)getpid(), number++);
	way[0] = mq_open(name, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600, attr);
	if (way[0] < 0)
		return -errno;
	way[1] = mq_open(name, O_WRONLY | O_CLOEXEC);
	if (way[1] < 0)
		r = -errno;
	mq_unlink(name);
	return r;
}

static int mq_make(struct link *link)
{
	struct mq_attr attr = { .mq_maxmsg = DEFAULT_MESSAGES };
	int way[2] = { -1, -1 };
	int r;

	attr.mq_msgsize = (long)link->setup.size;
	r = open_unnamed(&attr, way);
	fd_way(link, 0, way);
	return r;
}

/* What it counts for RLIMIT_MSGQUEUE, as getrlimit(2) tells; 64-bit sizes of its structs. */
static uint64_t mq_held(const struct link *link)
{
	struct mq_attr attr;

	if (link->port[1].in < 0 || mq_getattr(link->port[1].in, &attr) < 0)
		return 0;
	return (uint64_t)attr.mq_maxmsg * (48 + 48 + (uint64_t)attr.mq_msgsize);
}

static int make_way(struct link *link, int from, char why[MECH_WHY])
{
	const struct setup *setup = &link->setup;
	struct mq_attr attr = { .mq_msgsize = (long)setup->size };
	int way[2] = { -1, -1 };
	sigset_t all, before;
	int r;

	attr.mq_maxmsg = read_limit("/proc/sys/fs/mqueue/msg_default", DEFAULT_MESSAGES);
	if (setup->capacity)
		attr.mq_maxmsg =
			setup->capacity < setup->size ? 1 : (long)(setup->capacity / setup->size);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	r = open_unnamed(&attr, way);
	sigprocmask(SIG_SETMASK, &before, NULL);
	fd_way(link, from, way);
	link->capacity_bytes = (uint64_t)attr.mq_maxmsg * setup->size;
	link->memory_bytes = link->capacity_bytes;
	return r < 0 ? mech_fail(why, "mq_open", r) : 0;
}

static int mq_create(struct link *link, char why[MECH_WHY])
{
	int r;

	r = make_way(link, 0, why);
	if (r == 0 && link->setup.duplex)
		r = make_way(link, 1, why);
	if (r == 0)
		r = fd_mode(link, why);
	return r;
}

static int mq_try(struct link *link, const void *message)
{
	struct port *port = &link->port[0];
	struct mq_attr attr = { .mq_flags = O_NONBLOCK };

	mq_setattr(port->out, &attr, NULL);
	return mq_send(port->out, message, port->size, 0) < 0 ? -errno : 0;
}

const struct mech mech_posix_mq = {
	.name = "posix-mq",
	.summary = "POSIX message queue, 10 messages",
	.capabilities = MECH_BOUNDARIES | MECH_POLL | MECH_MANY | MECH_COPIES2 | MECH_SYSCALLS |
			MECH_NAMED,
	.available = mq_available,
	.can = mq_can,
	.make = mq_make,
	.pass = fd_pass,
	.accept = fd_accept,
	.held = mq_held,
	.create = mq_create,
	.try_send = mq_try,
	.crowd = &crowd_epoll,
	.loops = &mq_loops,
};
