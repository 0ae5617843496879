/* SPDX-License-Identifier: MIT */
/*
 * msgget(2). Such a queue has no descriptor: it cannot be polled, so there is no adaptive wait,
 * and it outlives every process, so its number is noted where the controller finds it.
 *
 * msgsnd() wants a long before the text: it lies in the room before the message.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/socket.h>

#include "bench/clock.h"
#include "mech.h"

#define TYPE 1

static inline void *envelope(const void *message)
{
	return (char *)(uintptr_t)message - sizeof(long);
}

static inline int port_send(struct port *port, const void *message)
{
	long *letter = envelope(message);

	*letter = TYPE;
	while (msgsnd(port->out, letter, port->size, (int)port->flags) < 0) {
		if (errno == EAGAIN)
			bench_pause();
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

static inline int port_recv(struct port *port, void *message)
{
	ssize_t n;

	while ((n = msgrcv(port->in, envelope(message), port->size, 0, (int)port->flags)) < 0) {
		if (errno == ENOMSG)
			bench_pause();
		else if (errno != EINTR)
			return -errno;
	}
	return (size_t)n == port->size ? 0 : -EMSGSIZE;
}

#include "loops.inc.h"

static const struct loops sysv_loops = LOOPS;

static long read_limit(const char *path)
{
	FILE *file = fopen(path, "re");
	long value = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%ld", &value) != 1)
		value = -1;
	fclose(file);
	return value;
}

static bool sysv_available(char why[MECH_WHY])
{
	if (read_limit("/proc/sys/kernel/msgmax") > 0)
		return true;
	snprintf(why, MECH_WHY, "this kernel has no System V message queues");
	return false;
}

static bool sysv_can(const struct setup *setup, char why[MECH_WHY])
{
	long size_max = read_limit("/proc/sys/kernel/msgmax");

	if (setup->wait == WAIT_ADAPTIVE) {
		snprintf(why, MECH_WHY, "a System V queue has no descriptor to poll");
		return false;
	}
	if (setup->capacity > INT_MAX) {	/* the kernel would cut it */
		snprintf(why, MECH_WHY, "a System V queue holds less than 2 GiB");
		return false;
	}
	if (size_max >= 0 && setup->size > (size_t)size_max) {
		snprintf(why, MECH_WHY, "kernel.msgmax is %ld bytes", size_max);
		return false;
	}
	return true;
}

static int set_capacity(int id, struct msqid_ds *state, const struct setup *setup)
{
	if (msgctl(id, IPC_STAT, state) < 0)
		return -errno;
	if (!setup->capacity)
		return 0;
	state->msg_qbytes = setup->capacity;
	return msgctl(id, IPC_SET, state) < 0 ? -errno : 0;
}

/* Queue @slot, noted before a signal can come between. */
static int make_queue(struct link *link, int slot)
{
	sigset_t all, before;
	int id;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
	link->leftovers->msgid[slot] = id;
	sigprocmask(SIG_SETMASK, &before, NULL);
	return id < 0 ? -errno : id;
}

static int sysv_make(struct link *link)
{
	int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);

	if (id < 0)
		return -errno;
	link->leftovers->msgid[0] = id;
	link->port[0].out = link->port[1].in = id;
	return 0;
}

static int sysv_pass(struct link *link, int side, int socket)
{
	return send(socket, &link->port[side].out, sizeof(int), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int sysv_accept(struct link *link, int side, int socket)
{
	ssize_t n = recv(socket, &link->port[side].out, sizeof(int), MSG_WAITALL);

	return n == (ssize_t)sizeof(int) ? 0 : n < 0 ? -errno : -EPIPE;
}

/* The messages, each with the header that the kernel puts before it. */
static uint64_t sysv_held(const struct link *link)
{
	struct msqid_ds state;

	if (link->port[1].in < 0 || msgctl(link->port[1].in, IPC_STAT, &state) < 0)
		return 0;
	return state.__msg_cbytes + state.msg_qnum * 48;
}

static int make_way(struct link *link, int from, char why[MECH_WHY])
{
	struct msqid_ds state;
	int id, r;

	id = make_queue(link, from);
	if (id < 0)
		return mech_fail(why, "msgget", id);
	link->port[from].out = id;
	link->port[!from].in = id;
	r = set_capacity(id, &state, &link->setup);
	if (r < 0)
		return mech_fail(why, "capacity of a System V queue", r);
	link->capacity_bytes = state.msg_qbytes;
	link->memory_bytes = state.msg_qbytes;
	if (link->setup.size <= state.msg_qbytes)
		return 0;
	snprintf(why, MECH_WHY, "the queue holds %lu bytes", (unsigned long)state.msg_qbytes);
	return -EMSGSIZE;
}

static void sysv_remove(struct link *link)
{
	for (int i = 0; i < LEFTOVERS; i++) {
		if (link->leftovers->msgid[i] >= 0)
			msgctl(link->leftovers->msgid[i], IPC_RMID, NULL);
		link->leftovers->msgid[i] = -1;
	}
}

static int sysv_create(struct link *link, char why[MECH_WHY])
{
	int r;

	r = make_way(link, 0, why);
	if (r == 0 && link->setup.duplex)
		r = make_way(link, 1, why);
	if (r < 0)
		sysv_remove(link);
	for (int side = 0; side < 2; side++)
		link->port[side].flags = link->setup.wait == WAIT_SPIN ? IPC_NOWAIT : 0;
	return r;
}

static int sysv_try(struct link *link, const void *message)
{
	struct port *port = &link->port[0];
	long *letter = envelope(message);

	*letter = TYPE;
	return msgsnd(port->out, letter, port->size, IPC_NOWAIT) < 0 ? -errno : 0;
}

static void sysv_close(struct link *link, int side)
{
	(void)link;
	(void)side;
}

const struct mech mech_sysv_mq = {
	.name = "sysv-mq",
	.summary = "System V message queue",
	.capabilities = MECH_BOUNDARIES | MECH_MANY | MECH_COPIES2 | MECH_SYSCALLS | MECH_NAMED,
	.available = sysv_available,
	.can = sysv_can,
	.make = sysv_make,
	.pass = sysv_pass,
	.accept = sysv_accept,
	.held = sysv_held,
	.create = sysv_create,
	.try_send = sysv_try,
	.close = sysv_close,
	.remove = sysv_remove,
	.loops = &sysv_loops,
};
