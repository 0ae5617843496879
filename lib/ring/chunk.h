/* SPDX-License-Identifier: MIT */
/*
 * Chunks: where the bytes of a queue's messages are. doc/design/queue.md says what the words of a
 * chunk mean.
 *
 * A seat fills one chunk at a time. It is done with when no slot names it any more, which the slots
 * say, and anybody may find out.
 */
#ifndef WEIR_RING_CHUNK_H
#define WEIR_RING_CHUNK_H

#include "ring/tape.h"

#define CHUNKS_OWN	16U
#define CHUNKS_SEEN	8U
#define CHUNK_NONE	UINT32_MAX

/* What a seat knows of chunks. Private. */
struct purse {
	uint32_t chunk;		/* that is filled, or CHUNK_NONE */
	uint32_t place;		/* where the next message goes */
	uint8_t *bytes;		/* of the chunk */
	uint32_t own[CHUNKS_OWN];	/* that it has filled before: near, and perhaps free */
	uint32_t own_next;
	uint32_t search;	/* where to look for free ones */
	uint32_t sweep_at;	/* how many there are when it is time to look for what was left */
	uint32_t seen[CHUNKS_SEEN];	/* those that messages came from lately */
};

void purse_open(struct purse *p);

/* The words of a chunk, which may not belong together. */
static inline struct pair chunk_words(const struct weir_chunk *c)
{
	struct pair words;

	/* order: CHUNK acquire, from who had it before */
	words.low = load_acquire(&c->words.low);
	words.high = load_relaxed(&c->words.high);	/* relaxed: the exchange finds out */
	return words;
}

/* A message of @size bytes with more than a chunk has. */
static inline bool chunk_is_row(const struct store *s, uint64_t size)
{
	return size > s->chunk_size;
}

/*
 * Another chunk, or a row of chunks, for a message of @size bytes: 0; -ENOENT: all are in use;
 * -ENOBUFS: the machine has no memory for them; -ENOMEM; -EMSGSIZE: there are not as many.
 */
int chunk_next(struct tape *t, struct purse *p);
int chunk_row(struct tape *t, struct purse *p, uint64_t size, uint8_t **ret_bytes,
	      uint64_t *ret_body);

/* Seal the row that was filled, after its message was put; or, if it was not, give it up. */
void chunk_row_done(struct tape *t);
void chunk_row_undo(struct tape *t);

/* Seal the chunk that is filled. */
void chunk_seal(struct tape *t, struct purse *p);

/* Room for @size bytes, and the body of their message; errors as chunk_next(). */
static ALWAYS_INLINE int chunk_room(struct tape *t, struct purse *p, uint64_t size,
				    uint8_t **ret_bytes, uint64_t *ret_body)
{
	uint64_t room = (size + 7) & ~UINT64_C(7);

	/* Also without bytes, or with so many that the sum wraps. */
	if (unlikely(p->place + room > t->store->chunk_size || size - 1 >= t->store->chunk_size)) {
		int result;

		if (chunk_is_row(t->store, size))
			return chunk_row(t, p, size, ret_bytes, ret_body);
		if (size == 0) {
			*ret_bytes = t->store->bytes;
			*ret_body = BODY_NOWHERE;
			return 0;
		}
		result = chunk_next(t, p);
		if (result < 0)
			return result;
	}
	*ret_bytes = p->bytes + p->place;
	*ret_body = (uint64_t)p->chunk << BODY_CHUNK_SHIFT |
		    (uint64_t)(p->place / 8) << BODY_PLACE_SHIFT | size;
	return 0;
}

/* The message of chunk_room() was put. */
static ALWAYS_INLINE void chunk_used(struct tape *t, struct purse *p, uint64_t body)
{
	if (unlikely(body & BODY_LARGE))
		chunk_row_done(t);
	else
		p->place += (BODY_SIZE(body) + 7) & ~UINT32_C(7);
}

/* Where the message of @body is and how large; false: no honest seat writes that. */
static ALWAYS_INLINE bool chunk_find(struct store *s, uint64_t body, const uint8_t **ret_bytes,
				     uint64_t *ret_size)
{
	uint32_t size = BODY_SIZE(body), place = BODY_PLACE(body), chunk = BODY_CHUNK(body);

	if (unlikely(body & BODY_LARGE)) {
		*ret_size = BODY_LARGE_SIZE(body);
		*ret_bytes = store_bytes(s, chunk, 0, *ret_size);
		return *ret_bytes;
	}
	*ret_size = size;
	if (unlikely(size == 0)) {
		*ret_bytes = s->bytes;
		return true;
	}
	if (unlikely(place + size > s->chunk_size))
		return false;
	*ret_bytes = store_bytes(s, chunk, place, size);
	return *ret_bytes;
}

/* Give back @chunk, if it is sealed and all its messages are done with; whether it was. */
bool chunk_give_back(struct tape *t, uint32_t chunk);

void chunk_saw_slow(struct tape *t, struct purse *p, uint64_t body);

/* A message of @body was released. True: memory may have become free. */
static ALWAYS_INLINE bool chunk_saw(struct tape *t, struct purse *p, uint64_t body)
{
	uint32_t chunk = BODY_CHUNK(body);

	if (likely(p->seen[chunk % CHUNKS_SEEN] == chunk && !(body & BODY_LARGE)))
		return false;
	chunk_saw_slow(t, p, body);
	return true;
}

/* Give back what can be of the chunks that were seen. Whether any was. */
bool chunk_forget(struct tape *t, struct purse *p);
/* The same for all chunks. */
bool chunk_sweep(struct tape *t);

/* Empty what is free beyond a measure. */
void chunk_trim(struct tape *t);

/* Clean up the chunk, or row, that seat @name, which is gone, had in hand. */
void chunk_mend(struct store *s, uint32_t chunk, uint32_t count, uint32_t name,
		uint64_t seat_word);

#endif
