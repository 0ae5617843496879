/* SPDX-License-Identifier: MIT */
/*
 * A sequence lock made by hand, for one writer: odd while bytes are written; who reads meanwhile
 * begins again. A writer that dies half-way keeps its readers for ever.
 */
#include <string.h>

#include "lock.h"
#include "value-act.h"

struct sequence {
	uint64_t count;
	_Alignas(64) unsigned char bytes[];
};

static inline int port_set(struct port *port, const void *bytes)
{
	struct sequence *s = port->sink;
	uint64_t count = s->count;

	__atomic_store_n(&s->count, count + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	memcpy(s->bytes, bytes, port->size);
	__atomic_store_n(&s->count, count + 2, __ATOMIC_RELEASE);
	return 0;
}

static inline int port_get(struct port *port, void *bytes)
{
	struct sequence *s = port->sink;
	uint64_t before, after;

	do {
		while ((before = __atomic_load_n(&s->count, __ATOMIC_ACQUIRE)) & 1)
			bench_pause();
		memcpy(bytes, s->bytes, port->size);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		after = __atomic_load_n(&s->count, __ATOMIC_RELAXED);
	} while (before != after);
	return 0;
}

static int read_act(struct worker *w)
{
	return value_read_act(w, port_get);
}

static int sequence_read(struct worker *w)
{
	return acts(w, read_act);
}

static int sequence_write(struct worker *w)
{
	return value_writes(w, port_set);
}

static int sequence_set(struct port *port, const void *bytes)
{
	return port_set(port, bytes);
}

static const struct loops sequence_loops = {
	.value = {
		[VALUE_READ] = sequence_read,
		[VALUE_READ_WRITE] = sequence_read,
	},
	.value_write = sequence_write,
	.value_set = sequence_set,
};

static int sequence_create(struct link *link, char why[MECH_WHY])
{
	return lock_create(link, sizeof(struct sequence) + link->setup.size, why);
}

const struct mech mech_seqlock = {
	.name = "seqlock",
	.summary = "a sequence lock made by hand: readers wait for a writer, dead ones included",
	.can = lock_can,
	.create = sequence_create,
	.close = lock_leave,
	.remove = lock_remove,
	.loops = &sequence_loops,
};
