/* SPDX-License-Identifier: MIT */
/*
 * A mutex of pthreads that processes share. As a value: what it is held for is copied in and out,
 * as a C program does that has nothing else.
 */
#include <string.h>

#include "lock-act.h"
#include "mutex.h"
#include "value-act.h"

static int mutex_act(struct worker *w)
{
	return lock_act(w, mutex_acquire, mutex_release);
}

static int mutex_run(struct worker *w)
{
	return acts(w, mutex_act);
}

static inline int port_set(struct port *port, const void *bytes)
{
	struct mutex *m = port->sink;
	int r = mutex_acquire(port);

	if (r < 0)
		return r;
	memcpy(m->bytes, bytes, port->size);
	return mutex_release(port);
}

static inline int port_get(struct port *port, void *bytes)
{
	struct mutex *m = port->sink;
	int r = mutex_acquire(port);

	if (r < 0)
		return r;
	memcpy(bytes, m->bytes, port->size);
	return mutex_release(port);
}

static inline int port_number(struct port *port, void *number)
{
	struct mutex *m = port->sink;
	int r = mutex_acquire(port);

	if (r < 0)
		return r;
	memcpy(number, &m->number, sizeof(m->number));
	return mutex_release(port);
}

static int increment_act(struct worker *w)
{
	struct mutex *m = w->port.sink;
	int r = mutex_acquire(&w->port);

	if (r < 0)
		return r;
	m->number++;
	return mutex_release(&w->port);
}

static int mutex_increment(struct worker *w)
{
	return value_increments(w, increment_act, port_number);
}

static int read_act(struct worker *w)
{
	return value_read_act(w, port_get);
}

static int mutex_read(struct worker *w)
{
	return acts(w, read_act);
}

static int mutex_write(struct worker *w)
{
	return value_writes(w, port_set);
}

static int mutex_set(struct port *port, const void *bytes)
{
	return port_set(port, bytes);
}

static const struct loops mutex_loops = {
	.lock = mutex_run,
	.value = {
		[VALUE_INCREMENT] = mutex_increment,
		[VALUE_READ] = mutex_read,
		[VALUE_READ_WRITE] = mutex_read,
	},
	.value_write = mutex_write,
	.value_set = mutex_set,
};

static int plain_create(struct link *link, char why[MECH_WHY])
{
	return mutex_create(link, PTHREAD_MUTEX_STALLED, why);
}

const struct mech mech_pthread_mutex = {
	.name = "pthread-mutex",
	.summary = "pthread mutex, PTHREAD_PROCESS_SHARED; hangs for ever when its owner dies",
	.can = lock_can,
	.create = plain_create,
	.close = lock_leave,
	.remove = lock_remove,
	.loops = &mutex_loops,
};
