/* SPDX-License-Identifier: MIT */
/*
 * Copying to and from memory that others read and write meanwhile: in words of 8 bytes, and at the
 * ends in pieces of 4, 2 and 1, each at a multiple of its size. So whatever number lies at a
 * multiple of its own size is never torn, and nothing beyond the range is touched.
 *
 * Each word is stored with release and loaded with acquire: who finds a word also finds what was
 * stored before it, and looks at what he looks at next after it.
 */
#ifndef WEIR_RING_WORDS_H
#define WEIR_RING_WORDS_H

#include <string.h>

#include "base/atomic.h"
#include "base/cc.h"

#define WORD sizeof(uint64_t)

/* What lies there may be of any type. */
typedef uint64_t __attribute__((may_alias)) word_8;
typedef uint32_t __attribute__((may_alias)) word_4;
typedef uint16_t __attribute__((may_alias)) word_2;

/* The largest piece that may be copied at once. */
static ALWAYS_INLINE size_t words_piece(const void *shared, size_t size)
{
	size_t piece = WORD;

	while (piece > size || ((uintptr_t)shared & (piece - 1)))
		piece /= 2;
	return piece;
}

static ALWAYS_INLINE void words_store_8(void *to, const void *from)
{
	uint64_t word;

	memcpy(&word, from, sizeof(word));
	/* order: REDO release */
	store_release((word_8 *)to, word);
}

static ALWAYS_INLINE void words_load_8(void *to, const void *from)
{
	/* order: REDO acquire */
	uint64_t word = load_acquire((const word_8 *)from);

	memcpy(to, &word, sizeof(word));
}

/* One piece: its size. */
static inline size_t words_store_piece(void *to, const void *from, size_t size)
{
	size_t piece = words_piece(to, size);
	uint32_t word_of_4;
	uint16_t word_of_2;

	switch (piece) {
	case 8:
		words_store_8(to, from);
		break;
	case 4:
		memcpy(&word_of_4, from, sizeof(word_of_4));
		store_release((word_4 *)to, word_of_4);		/* order: REDO release */
		break;
	case 2:
		memcpy(&word_of_2, from, sizeof(word_of_2));
		store_release((word_2 *)to, word_of_2);		/* order: REDO release */
		break;
	default:
		store_release((uint8_t *)to, *(const uint8_t *)from);	/* order: REDO release */
	}
	return piece;
}

static inline size_t words_load_piece(void *to, const void *from, size_t size)
{
	size_t piece = words_piece(from, size);
	uint32_t word_of_4;
	uint16_t word_of_2;

	switch (piece) {
	case 8:
		words_load_8(to, from);
		break;
	case 4:
		word_of_4 = load_acquire((const word_4 *)from);	/* order: REDO acquire */
		memcpy(to, &word_of_4, sizeof(word_of_4));
		break;
	case 2:
		word_of_2 = load_acquire((const word_2 *)from);	/* order: REDO acquire */
		memcpy(to, &word_of_2, sizeof(word_of_2));
		break;
	default:
		*(uint8_t *)to = load_acquire((const uint8_t *)from);	/* order: REDO acquire */
	}
	return piece;
}

/* From our memory, @from, to shared memory. */
static inline void words_store(void *to, const void *from, size_t size)
{
	uint8_t *t = to;
	const uint8_t *f = from;
	size_t piece;

	for (; size > 0 && ((uintptr_t)t & (WORD - 1)); t += piece, f += piece, size -= piece)
		piece = words_store_piece(t, f, size);
	for (; size >= 4 * WORD; t += 4 * WORD, f += 4 * WORD, size -= 4 * WORD) {
		words_store_8(t, f);
		words_store_8(t + WORD, f + WORD);
		words_store_8(t + 2 * WORD, f + 2 * WORD);
		words_store_8(t + 3 * WORD, f + 3 * WORD);
	}
	for (; size >= WORD; t += WORD, f += WORD, size -= WORD)
		words_store_8(t, f);
	for (; size > 0; t += piece, f += piece, size -= piece)
		piece = words_store_piece(t, f, size);
}

/* From shared memory, @from, to ours. */
static inline void words_load(void *to, const void *from, size_t size)
{
	uint8_t *t = to;
	const uint8_t *f = from;
	size_t piece;

	for (; size > 0 && ((uintptr_t)f & (WORD - 1)); t += piece, f += piece, size -= piece)
		piece = words_load_piece(t, f, size);
	for (; size >= 4 * WORD; t += 4 * WORD, f += 4 * WORD, size -= 4 * WORD) {
		words_load_8(t, f);
		words_load_8(t + WORD, f + WORD);
		words_load_8(t + 2 * WORD, f + 2 * WORD);
		words_load_8(t + 3 * WORD, f + 3 * WORD);
	}
	for (; size >= WORD; t += WORD, f += WORD, size -= WORD)
		words_load_8(t, f);
	for (; size > 0; t += piece, f += piece, size -= piece)
		piece = words_load_piece(t, f, size);
}

/* From shared memory to shared memory; both are as far from a multiple of 8. */
static inline void words_move(void *to, const void *from, size_t size)
{
	uint8_t *t = to;
	const uint8_t *f = from;
	uint64_t word;
	size_t piece;

	for (; size > 0; t += piece, f += piece, size -= piece) {
		piece = words_load_piece(&word, f, size);
		words_store_piece(t, &word, piece);
	}
}

#endif
