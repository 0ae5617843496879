/* SPDX-License-Identifier: MIT */
/*
 * ck_ring of ConcurrencyKit, a ring of records in shared memory, with the calls for one writer and
 * one reader, and in mpmc those for any number: both copy typed records, whose size is known to the
 * compiler. There are no calls that wait; how a user waits between tries is the user's business.
 *
 * In the calls for many a writer that is stopped half-way holds up all others, and nothing tells
 * them: they spin inside of the call.
 */
#include "mech.h"

#include <stdio.h>

#ifdef HAVE_CK

#include <ck_ring.h>
#include <errno.h>
#include <sched.h>
#include <sys/mman.h>

#include "bench/clock.h"

#define DEFAULT_CAPACITY (UINT64_C(256) << 10)	/* there is none; that of a weir_pipe() */
#define PAUSES 64	/* of an adaptive wait, before it lets others run */

/*
 * Sizes with a type. The calls for the first are a part of the loops; the others are called, since
 * all of them in each loop take the compiler ten seconds.
 */
#define SIZES_INLINE(each) each(64) each(8) each(1024)
#define SIZES_CALLED(each) \
	each(16) each(32) each(128) each(256) each(512) each(2048) each(4096) each(8192) \
		each(16384) each(32768) each(65536)
#define SIZES(each) SIZES_INLINE(each) SIZES_CALLED(each)

#define DEFINE_RECORD(n) \
	struct record##n { \
		unsigned char bytes[n]; \
	}; \
	CK_RING_PROTOTYPE(record##n, record##n)

SIZES(DEFINE_RECORD)

#define FLAG_MANY 1	/* of a port: others are on its side */

struct ring {
	struct ck_ring ring;
	_Alignas(128) unsigned char records[];
};

#define TRY_ENQUEUE(n) \
	if (size == n) \
		return many ? ck_ring_enqueue_mpmc_record##n(&r->ring, (void *)r->records, \
							     (void *)(uintptr_t)message) \
			    : ck_ring_enqueue_spsc_record##n(&r->ring, (void *)r->records, \
							     (void *)(uintptr_t)message);
#define TRY_DEQUEUE(n) \
	if (size == n) \
		return many ? ck_ring_dequeue_mpmc_record##n(&r->ring, (void *)r->records, \
							     message) \
			    : ck_ring_dequeue_spsc_record##n(&r->ring, (void *)r->records, \
							     message);
#define IS_SIZE(n) (size == n) ||

static __attribute__((noinline)) bool enqueue_other(struct ring *r, const void *message,
						    size_t size, bool many)
{
	SIZES_CALLED(TRY_ENQUEUE)
	return false;
}

static inline bool enqueue(struct ring *r, const void *message, size_t size, bool many)
{
	SIZES_INLINE(TRY_ENQUEUE)
	return enqueue_other(r, message, size, many);
}

static __attribute__((noinline)) bool dequeue_other(struct ring *r, void *message, size_t size,
						    bool many)
{
	SIZES_CALLED(TRY_DEQUEUE)
	return false;
}

static inline bool dequeue(struct ring *r, void *message, size_t size, bool many)
{
	SIZES_INLINE(TRY_DEQUEUE)
	return dequeue_other(r, message, size, many);
}

/* After a call found no room, or nothing. */
static inline void again(const struct port *port, unsigned int *tries)
{
	if (port->wait == WAIT_ADAPTIVE && ++*tries > PAUSES)
		sched_yield();
	else
		bench_pause();
}

static inline int port_send(struct port *port, const void *message)
{
	unsigned int tries = 0;

	while (!enqueue(port->sink, message, port->size, port->flags & FLAG_MANY))
		again(port, &tries);
	return 0;
}

static inline int port_recv(struct port *port, void *message)
{
	unsigned int tries = 0;

	while (!dequeue(port->source, message, port->size, port->flags & FLAG_MANY))
		again(port, &tries);
	return 0;
}

#include "loops.inc.h"

static const struct loops ring_loops = LOOPS;

static bool ring_available(char why[MECH_WHY])
{
	(void)why;
	return true;
}

/* A power of two; one of them stays empty. */
static uint64_t records_of(const struct setup *setup)
{
	uint64_t wanted = (setup->capacity ? setup->capacity : DEFAULT_CAPACITY) / setup->size;
	uint64_t records = 1;

	while (records * 2 <= wanted)
		records *= 2;
	return records;
}

static bool ring_can(const struct setup *setup, char why[MECH_WHY])
{
	size_t size = setup->size;

	if (setup->wait != WAIT_SPIN && setup->wait != WAIT_ADAPTIVE)
		snprintf(why, MECH_WHY, "it has no call that waits");
	else if (!(SIZES(IS_SIZE) false))
		snprintf(why, MECH_WHY, "this tool has types of powers of two up to 64 KiB");
	else if (records_of(setup) < 2)
		snprintf(why, MECH_WHY, "a ring has at least two records");
	else if (records_of(setup) * size > UINT32_MAX)
		snprintf(why, MECH_WHY, "it counts less than 4 GiB");
	else
		return true;
	return false;
}

static int ring_create(struct link *link, char why[MECH_WHY])
{
	uint64_t records = records_of(&link->setup);
	size_t one = (sizeof(struct ring) + records * link->setup.size + 4095) / 4096 * 4096;
	int objects = link->setup.duplex ? 2 : 1;

	link->memory_size = one * (size_t)objects;
	link->memory = mmap(NULL, link->memory_size, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (link->memory == MAP_FAILED)
		return mech_fail(why, "mmap", errno);
	for (int i = 0; i < objects; i++) {
		struct ring *ring = (void *)((char *)link->memory + one * (size_t)i);

		ck_ring_init(&ring->ring, (unsigned int)records);
		link->port[i].sink = ring;
		link->port[!i].source = ring;
	}
	for (int side = 0; side < 2; side++)
		link->port[side].flags = link->setup.many ? FLAG_MANY : 0;
	link->capacity_bytes = records * link->setup.size;
	link->memory_bytes = one;
	return 0;
}

static int ring_try(struct link *link, const void *message)
{
	struct port *port = &link->port[0];

	return enqueue(port->sink, message, port->size, port->flags & FLAG_MANY) ? 0 : -EAGAIN;
}

static void ring_leave(struct link *link, int side)
{
	(void)link;
	(void)side;
}

static void ring_remove(struct link *link)
{
	munmap(link->memory, link->memory_size);
}

#else

static bool ring_available(char why[MECH_WHY])
{
	snprintf(why, MECH_WHY, "built without it");
	return false;
}

#endif

const struct mech mech_ck_ring = {
	.name = "ck-ring",
	.summary = "ck_ring of ConcurrencyKit, typed records, 256 KiB",
	.package = "libck-dev",
	.capabilities = MECH_BOUNDARIES | MECH_MANY | MECH_COPIES2,
	.available = ring_available,
#ifdef HAVE_CK
	.can = ring_can,
	.create = ring_create,
	.try_send = ring_try,
	.close = ring_leave,
	.remove = ring_remove,
	.loops = &ring_loops,
#endif
};
