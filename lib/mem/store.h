/* SPDX-License-Identifier: MIT */
/*
 * The memory of a queue: a sealed, sparse memfd of tables and chunks, and this process's mapping
 * of what it has come to use.
 *
 * The file is as large as all the queue may ever hold, which takes no memory. Addresses for all of
 * it are reserved, but mapped are the parts that were used: in a process that locks all its memory,
 * what is mapped is allocated.
 *
 * Before more memory is used, it is asked for: a control group that has none left does not refuse,
 * it kills.
 */
#ifndef WEIR_MEM_STORE_H
#define WEIR_MEM_STORE_H

#include <stdbool.h>

#include "base/cc.h"
#include "mem/queue-layout.h"

enum store_span {
	STORE_FRONT,		/* header, geometry, control */
	STORE_SEATS,
	STORE_FRAMES,
	STORE_CHUNKS,		/* their words */
	STORE_SLOTS,
	STORE_BYTES,		/* the chunks themselves */
	STORE_SPANS
};

struct store {
	int fd;
	bool copy;		/* what is written here changes nothing in the file */
	struct weir_queue_geometry geometry;
	void *reserved;		/* addresses */
	uint8_t *base;		/* in there */
	uint64_t size;
	uint64_t offsets[STORE_SPANS + 1];
	uint64_t reach[STORE_SPANS];	/* how many bytes of each span are mapped; only rises */
	int64_t granted;		/* bytes that may be used without looking at the machine */
	uint64_t device;	/* which file it is */
	uint64_t inode;
	/* For the path of each message. */
	struct weir_queue_control *control;
	struct weir_slot *slots;
	uint8_t *bytes;
	uint32_t chunk_size;
};

/* The geometry's numbers must be in range. */
int store_create(struct store *s, const struct weir_queue_geometry *geometry);

/*
 * What @fd holds, without mapping it: 0; -EINVAL: it is no memfd sealed as ours are; -EPROTO: of
 * another layout or no queue; -EBADMSG: damaged.
 */
int store_examine(int fd, struct store *ret_store);

/* The queue that @fd holds; on success @fd belongs to it. */
int store_attach(struct store *s, int fd);

/* The same to look at only; @fd may be one that can only be read, and stays the caller's. */
int store_look_at(struct store *s, int fd);

void store_destroy(struct store *s);

/* Have the first @size bytes of a span mapped: 0, -ENOMEM; -EBADMSG: it has not as many. */
int store_reach_slow(struct store *s, enum store_span span, uint64_t size);

static inline int store_reach(struct store *s, enum store_span span, uint64_t size)
{
	/* order: REACH acquire, from store_reach_slow(): what is said to be mapped is. */
	return likely(size <= load_acquire(&s->reach[span])) ? 0
							     : store_reach_slow(s, span, size);
}

/* How many frames, and seats, were ever used. Who damages the numbers gets no endless loops. */
static inline uint32_t store_frame_top(const struct store *s)
{
	uint32_t top = load_relaxed(&s->control->frame_top);	/* relaxed: those above are newer */

	return top < s->geometry.frames ? top : s->geometry.frames;
}

static inline uint32_t store_seat_top(const struct store *s)
{
	/* order: PARTY acquire: those below it are to be looked at */
	uint32_t top = load_acquire(&s->control->seat_top);

	return top < s->geometry.seats ? top : s->geometry.seats - 1;
}

static inline struct weir_seat *store_seat(struct store *s, uint32_t seat)
{
	if (seat == 0 || seat >= s->geometry.seats ||
	    store_reach(s, STORE_SEATS, (seat + 1) * sizeof(struct weir_seat)) < 0)
		return NULL;
	return (struct weir_seat *)(void *)(s->base + s->offsets[STORE_SEATS]) + seat;
}

static inline struct weir_frame *store_frame(struct store *s, uint32_t frame)
{
	if (frame >= s->geometry.frames ||
	    store_reach(s, STORE_FRAMES, (frame + 1) * sizeof(struct weir_frame)) < 0)
		return NULL;
	return (struct weir_frame *)(void *)(s->base + s->offsets[STORE_FRAMES]) + frame;
}

static inline struct weir_slot *store_slots(struct store *s, uint32_t frame)
{
	uint64_t size = QUEUE_SLOTS * sizeof(struct weir_slot);

	if (frame >= s->geometry.frames || store_reach(s, STORE_SLOTS, (frame + 1) * size) < 0)
		return NULL;
	return s->slots + (uint64_t)frame * QUEUE_SLOTS;
}

static inline struct weir_chunk *store_chunk(struct store *s, uint32_t chunk)
{
	if (chunk >= s->geometry.chunks ||
	    store_reach(s, STORE_CHUNKS, (chunk + 1) * sizeof(struct weir_chunk)) < 0)
		return NULL;
	return (struct weir_chunk *)(void *)(s->base + s->offsets[STORE_CHUNKS]) + chunk;
}

/* @size bytes from @place in @chunk on, which may go on in the chunks behind; NULL: not there. */
static ALWAYS_INLINE uint8_t *store_bytes(struct store *s, uint32_t chunk, uint32_t place,
					  uint64_t size)
{
	uint64_t from = (uint64_t)chunk * s->chunk_size + place;

	/* order: REACH acquire, from store_reach_slow() */
	if (unlikely(from + size > load_acquire(&s->reach[STORE_BYTES])) &&
	    store_reach_slow(s, STORE_BYTES, from + size) < 0)
		return NULL;
	return s->bytes + from;
}

/* Have memory for @count chunks from @chunk on: 0; -ENOBUFS: the machine has none to spare. */
int store_populate_chunks(struct store *s, uint32_t chunk, uint32_t count);
int store_populate_frame(struct store *s, uint32_t frame);

/* Give it back; the bytes are zero then. */
void store_empty_chunks(struct store *s, uint32_t chunk, uint32_t count);
void store_empty_frame(struct store *s, uint32_t frame);

#endif
