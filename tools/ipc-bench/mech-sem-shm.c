/* SPDX-License-Identifier: MIT */
/*
 * The bounded buffer of the textbooks: slots in shared memory, one semaphore that counts the free
 * ones and one that counts the full ones. Where several write or read, those of a side keep each
 * other out with one semaphore more; one writer and one reader need none.
 */
#include <errno.h>
#include <limits.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "bench/clock.h"
#include "crowd.h"
#include "mech.h"

#define DEFAULT_CAPACITY (UINT64_C(64) << 10)
#define FLAG_MANY 1	/* of a port: others are on its side */

struct buffer {
	sem_t empty;	/* free slots */
	sem_t full;	/* messages */
	uint64_t slots;
	_Alignas(64) sem_t writing;	/* 1: no writer is at a slot */
	uint64_t write;			/* next slot to fill; the writer's */
	_Alignas(64) sem_t reading;
	uint64_t read;			/* next slot to empty; the reader's */
	_Alignas(64) unsigned char slot[];
};

static inline int take_waiting(struct port *port, sem_t *sem)
{
	int64_t until = 0;

	while (sem_trywait(sem) < 0) {
		bench_pause();
		if (port->wait == WAIT_SPIN)
			continue;
		if (until == 0)
			until = bench_now() + port->wake_ns;
		if (bench_now() >= until)
			return sem_wait(sem);
	}
	return 0;
}

static inline int take(struct port *port, sem_t *sem)
{
	bool sleeps = port->wait == WAIT_OWN || port->wait == WAIT_BLOCK;

	while ((sleeps ? sem_wait(sem) : take_waiting(port, sem)) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* Keep others of this side out, and let them in again. */
static inline int lock(struct port *port, sem_t *sem)
{
	return port->flags & FLAG_MANY ? take(port, sem) : 0;
}

static inline void unlock(struct port *port, sem_t *sem)
{
	if (port->flags & FLAG_MANY)
		sem_post(sem);
}

static inline int port_send(struct port *port, const void *message)
{
	struct buffer *b = port->sink;
	int r = take(port, &b->empty);

	if (r == 0)
		r = lock(port, &b->writing);
	if (r < 0)
		return r;
	memcpy(b->slot + b->write * port->size, message, port->size);
	b->write = b->write + 1 == b->slots ? 0 : b->write + 1;
	unlock(port, &b->writing);
	return sem_post(&b->full) < 0 ? -errno : 0;
}

static inline int port_recv(struct port *port, void *message)
{
	struct buffer *b = port->source;
	int r = take(port, &b->full);

	if (r == 0)
		r = lock(port, &b->reading);
	if (r < 0)
		return r;
	memcpy(message, b->slot + b->read * port->size, port->size);
	b->read = b->read + 1 == b->slots ? 0 : b->read + 1;
	unlock(port, &b->reading);
	return sem_post(&b->empty) < 0 ? -errno : 0;
}

#include "loops.inc.h"

static const struct loops sem_loops = LOOPS;

static uint64_t slots_of(const struct setup *setup)
{
	return (setup->capacity ? setup->capacity : DEFAULT_CAPACITY) / setup->size;
}

static bool sem_can(const struct setup *setup, char why[MECH_WHY])
{
	uint64_t slots = slots_of(setup);

	if (slots >= 1 && slots <= SEM_VALUE_MAX)
		return true;
	snprintf(why, MECH_WHY,
		 slots ? "more slots than a semaphore counts" : "larger than the buffer");
	return false;
}

static int init_buffer(struct buffer *b, uint64_t slots)
{
	b->slots = slots;
	if (sem_init(&b->empty, 1, (unsigned int)slots) < 0 || sem_init(&b->full, 1, 0) < 0 ||
	    sem_init(&b->writing, 1, 1) < 0 || sem_init(&b->reading, 1, 1) < 0)
		return -errno;
	return 0;
}

static int sem_create(struct link *link, char why[MECH_WHY])
{
	uint64_t slots = slots_of(&link->setup);
	size_t one = (sizeof(struct buffer) + slots * link->setup.size + 4095) / 4096 * 4096;
	int objects = link->setup.duplex ? 2 : 1;
	int r = 0;

	link->memory_size = one * (size_t)objects;
	link->memory = mmap(NULL, link->memory_size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (link->memory == MAP_FAILED)
		return mech_fail(why, "mmap", errno);
	for (int i = 0; i < objects && r == 0; i++) {
		void *b = (char *)link->memory + one * (size_t)i;

		r = init_buffer(b, slots);
		link->port[i].sink = b;
		link->port[!i].source = b;
		link->port[i].flags = link->setup.many ? FLAG_MANY : 0;
	}
	link->port[1].flags = link->port[0].flags;
	link->capacity_bytes = slots * link->setup.size;
	link->memory_bytes = one;
	return r < 0 ? mech_fail(why, "sem_init", r) : 0;
}

static int sem_make(struct link *link)
{
	char why[MECH_WHY];

	return sem_create(link, why);
}

static uint64_t sem_held(const struct link *link)
{
	return link->memory_size;
}

static int sem_try(struct link *link, const void *message)
{
	struct buffer *b = link->port[0].sink;

	if (sem_trywait(&b->empty) < 0)
		return -errno;
	memcpy(b->slot + b->write * link->setup.size, message, link->setup.size);
	b->write = b->write + 1 == b->slots ? 0 : b->write + 1;
	return sem_post(&b->full) < 0 ? -errno : 0;
}

static void sem_leave(struct link *link, int side)
{
	(void)link;
	(void)side;
}

static void sem_remove(struct link *link)
{
	munmap(link->memory, link->memory_size);
}

const struct mech mech_sem_shm = {
	.name = "sem-shm",
	.summary = "bounded buffer in shared memory, two semaphores",
	.capabilities = MECH_BOUNDARIES | MECH_MANY | MECH_COPIES2,
	.can = sem_can,
	.make = sem_make,
	.held = sem_held,
	.create = sem_create,
	.try_send = sem_try,
	.close = sem_leave,
	.remove = sem_remove,
	.crowd = &crowd_plain,
	.loops = &sem_loops,
};
