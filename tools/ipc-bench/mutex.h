/* SPDX-License-Identifier: MIT */
/* What pthread-mutex and pthread-robust have in common: a mutex that processes share. */
#ifndef IPC_BENCH_MUTEX_H
#define IPC_BENCH_MUTEX_H

#include <pthread.h>

#include "lock.h"

/* Both begin on a line of their own. */
struct mutex {
	pthread_mutex_t lock;
	_Alignas(128) uint64_t number;
	_Alignas(128) unsigned char bytes[];
};

/* Nobody dies here: EOWNERDEAD is an error like others. */
static inline int mutex_acquire(struct port *port)
{
	struct mutex *m = port->sink;

	return -pthread_mutex_lock(&m->lock);
}

static inline int mutex_release(struct port *port)
{
	struct mutex *m = port->sink;

	return -pthread_mutex_unlock(&m->lock);
}

int mutex_create(struct link *link, int robust, char why[MECH_WHY]);

#endif
