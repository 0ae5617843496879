/* SPDX-License-Identifier: MIT */
/* Cleaning up the chunks that a dead seat had in hand; doc/design/queue.md has the order. */
#include "ring/chunk.h"

/* How often a pair of words is read again that somebody changes meanwhile. */
#define TRIES 8

struct gone {
	struct store *store;
	struct weir_seat *seat;
	uint32_t name;
	uint64_t word;		/* of the seat, when it was found dead */
};

/* Change what the dead one had, if it still is the dead one. */
static bool change(const struct gone *g, struct weir_chunk *c, struct pair was, struct pair to)
{
	/* order: PARTY acquire: so what we have read was the dead one's */
	if (load_acquire(&g->seat->name.low) != g->word)
		return false;
	return cas_pair(&c->words, &was, to);	/* order: CHUNK */
}

static bool is_its(const struct gone *g, uint64_t word)
{
	return (word & CHUNK_STATE) == CHUNK_FILLING && CHUNK_SEAT(word) == g->name;
}

static void mend_free(const struct gone *g, uint32_t chunk, uint64_t part)
{
	struct weir_chunk *c = store_chunk(g->store, chunk);

	for (int i = 0; c && i < TRIES; i++) {
		struct pair was = chunk_words(c), free = { 0, 0 };

		if (!is_its(g, was.low) &&
		    ((was.low & CHUNK_STATE) != CHUNK_PART || was.high != part))
			return;
		/* It may have been about to be emptied. */
		free.low = (was.low & ~(CHUNK_STATE | CHUNK_SEAT_MASK | CHUNK_WARM)) +
			   CHUNK_GENERATION_ONE;
		if (change(g, c, was, free))
			return;
	}
}

/* Its messages may have been put: it is done with when they are. */
static void mend_seal(const struct gone *g, uint32_t chunk, uint32_t count)
{
	struct weir_chunk *c = store_chunk(g->store, chunk);
	struct cursor last;

	if (!c || tape_find_last(g->store, &last) < 0)
		return;
	for (int i = 0; i < TRIES; i++) {
		struct pair was = chunk_words(c), sealed;

		if (!is_its(g, was.low))
			return;
		sealed.low = (was.low & ~(CHUNK_STATE | CHUNK_SEAT_MASK)) | CHUNK_SEALED;
		sealed.high = last.number | count;
		if (change(g, c, was, sealed))
			return;
	}
}

static bool all_parts(const struct gone *g, uint32_t chunk, uint32_t count, uint64_t part)
{
	for (uint32_t i = 1; i < count; i++) {
		struct weir_chunk *c = store_chunk(g->store, chunk + i);
		struct pair words = c ? chunk_words(c) : (struct pair){ 0, 0 };

		if ((words.low & CHUNK_STATE) != CHUNK_PART || words.high != part)
			return false;
	}
	return true;
}

void chunk_mend(struct store *s, uint32_t chunk, uint32_t count, uint32_t name,
		uint64_t seat_word)
{
	struct gone g = { s, store_seat(s, name), name, seat_word };
	struct weir_chunk *c = store_chunk(s, chunk);
	uint64_t word, part;

	if (!c || !g.seat || count == 0 || count > s->geometry.chunks - chunk)
		return;
	word = chunk_words(c).low;
	part = CHUNK_PART_OF(chunk, word);
	/* A row that was not had from its first on has none of the others either. */
	if (!is_its(&g, word))
		return;
	if (count == 1 || all_parts(&g, chunk, count, part)) {
		mend_seal(&g, chunk, count);
		return;
	}
	for (uint32_t i = 1; i < count; i++)
		mend_free(&g, chunk + i, part);
	mend_free(&g, chunk, part);
}
