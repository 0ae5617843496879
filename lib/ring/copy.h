/* SPDX-License-Identifier: MIT */
/*
 * Copying messages into and out of a ring.
 *
 * A program that has just filled a struct field by field holds those bytes in the store buffer,
 * from where a load of the same width is served at once, but a wider one must wait until all
 * older stores have reached the cache, the slow ones into the ring among them. Measured: 34
 * against 230 million messages of 64 bytes a second. So a small message is read in words of 8
 * bytes; it is written in pairs of them, which leaves room in the store buffer, where a stream
 * has its bottleneck. The rest of a large message has left the store buffer by the time it is
 * read, and memcpy() is faster.
 *
 * Coming out of the ring, the bytes were stored by another processor: loads may be wide at once.
 */
#ifndef WEIR_RING_COPY_H
#define WEIR_RING_COPY_H

#include <string.h>
#if defined(__x86_64__)
#include <emmintrin.h>
#endif

#include "base/cc.h"

#define COPY_SMALL_MAX 512

/* 16 bytes, read as two words, written as one. */
static ALWAYS_INLINE void copy_in_pair(uint8_t *to, const uint8_t *from)
{
#if defined(__x86_64__)
	__m128i low = _mm_loadl_epi64((const __m128i *)(const void *)from);
	__m128i high = _mm_loadl_epi64((const __m128i *)(const void *)(from + 8));

	_mm_storeu_si128((__m128i *)(void *)to, _mm_unpacklo_epi64(low, high));
#else
	uint64_t pair[2];

	memcpy(&pair[0], from, 8);
	memcpy(&pair[1], from + 8, 8);
	/* Two words in two registers, not one vector. */
	__asm__("" : "+r"(pair[0]), "+r"(pair[1]));
	memcpy(to, pair, 16);
#endif
}

static ALWAYS_INLINE void copy_word(uint8_t *to, const uint8_t *from)
{
	memcpy(to, from, 8);
}

/* Less than 16 bytes. */
static ALWAYS_INLINE void copy_rest(uint8_t *to, const uint8_t *from, size_t size)
{
	if (size & 8) {
		copy_word(to, from);
		to += 8;
		from += 8;
	}
	if (size & 4) {
		memcpy(to, from, 4);
		to += 4;
		from += 4;
	}
	if (size & 2) {
		memcpy(to, from, 2);
		to += 2;
		from += 2;
	}
	if (size & 1)
		*to = *from;
}

static ALWAYS_INLINE void copy_in_small(uint8_t *to, const uint8_t *from, size_t size)
{
	for (; size >= 32; size -= 32, to += 32, from += 32) {
		copy_in_pair(to, from);
		copy_in_pair(to + 16, from + 16);
	}
	if (size & 16) {
		copy_in_pair(to, from);
		to += 16;
		from += 16;
	}
	if (size & 15)
		copy_rest(to, from, size);
}

static ALWAYS_INLINE void copy_out_small(uint8_t *to, const uint8_t *from, size_t size)
{
	for (; size >= 32; size -= 32, to += 32, from += 32)
		memcpy(to, from, 32);
	if (size & 16) {
		memcpy(to, from, 16);
		to += 16;
		from += 16;
	}
	if (size & 15)
		copy_rest(to, from, size);
}

/* From a program's buffer into the ring. Neither side is touched beyond @size bytes. */
static ALWAYS_INLINE void copy_in(void *to_bytes, const void *from_bytes, size_t size)
{
	uint8_t *to = to_bytes;
	const uint8_t *from = from_bytes;

	if (unlikely(size > COPY_SMALL_MAX)) {
		memcpy(to, from, size);
		return;
	}
	copy_in_small(to, from, size);
}

/* From the ring into a program's buffer. Neither side is touched beyond @size bytes. */
static ALWAYS_INLINE void copy_out(void *to_bytes, const void *from_bytes, size_t size)
{
	uint8_t *to = to_bytes;
	const uint8_t *from = from_bytes;

	if (unlikely(size > COPY_SMALL_MAX)) {
		memcpy(to, from, size);
		return;
	}
	copy_out_small(to, from, size);
}

#endif
