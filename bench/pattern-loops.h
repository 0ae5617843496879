/* SPDX-License-Identifier: MIT */
/*
 * The loops that fill and read messages; included by pattern.h only.
 *
 * An empty asm per word keeps the compiler from turning the 8-byte stores of PATTERN_FULL into
 * vector stores or a call of memset: a program that sets fields stores them one by one, and wide
 * loads of fresh 8-byte stores (a memcpy into a ring) do not forward, which is a real cost.
 * memcpy() of 8 bytes is one move, and legal for any alignment and type of the message.
 */
#ifndef BENCH_PATTERN_LOOPS_H
#define BENCH_PATTERN_LOOPS_H

#define PATTERN_OPAQUE(x) __asm__ volatile("" : "+r"(x))

/* Vector forms live in pattern-wide.c, chosen once for this CPU. Both treat whole words. */
extern void (*pattern_fill_words)(unsigned char *p, size_t words, uint64_t header);
extern uint64_t (*pattern_sum_words)(const unsigned char *p, size_t words);

static inline void pattern__store(unsigned char *p, size_t word, uint64_t v)
{
	PATTERN_OPAQUE(v);
	__builtin_memcpy(p + word * 8, &v, 8);
}

static inline uint64_t pattern__load(const unsigned char *p, size_t word)
{
	uint64_t v;

	__builtin_memcpy(&v, p + word * 8, 8);
	PATTERN_OPAQUE(v);
	return v;
}

/* The bytes behind the last whole word: the low ones of @v, in little-endian order. Out of line,
 * most sizes have none. Both return what the bytes add to the sum. */
uint64_t pattern_store_tail(const struct pattern_shape *s, unsigned char *p, uint64_t v);
uint64_t pattern_load_tail(const struct pattern_shape *s, const unsigned char *p);

/* The sum of a message that is written, and its tail, when there is one. */
static inline uint64_t pattern__finish(const struct pattern_shape *s, unsigned char *p,
				       uint64_t header)
{
	uint64_t sum = header * s->k + s->add;

	if (__builtin_expect(s->tail_mask != 0, 0))
		sum += pattern_store_tail(s, p, header * PATTERN_MULT + s->words);
	return sum;
}

/* Eight words, a cache line, starting at word i; @first is the value of the first one. */
static inline void pattern__store_line(unsigned char *p, size_t i, uint64_t first, uint64_t f)
{
	pattern__store(p, i, first);
	pattern__store(p, i + 1, f + i + 1);
	pattern__store(p, i + 2, f + i + 2);
	pattern__store(p, i + 3, f + i + 3);
	pattern__store(p, i + 4, f + i + 4);
	pattern__store(p, i + 5, f + i + 5);
	pattern__store(p, i + 6, f + i + 6);
	pattern__store(p, i + 7, f + i + 7);
}

static inline uint64_t pattern_write_full(const struct pattern_shape *s, void *msg, uint64_t header)
{
	unsigned char *p = msg;
	uint64_t f = header * PATTERN_MULT;
	size_t n = s->words, i = 1;

	if (n >= 8) {
		pattern__store_line(p, 0, header, f);
		for (i = 8; i + 8 <= n; i += 8)
			pattern__store_line(p, i, f + i, f);
	} else {
		pattern__store(p, 0, header);
	}
	for (; i < n; i++)
		pattern__store(p, i, f + i);
	return pattern__finish(s, p, header);
}

static inline uint64_t pattern__load_line(const unsigned char *p, size_t i)
{
	uint64_t a = pattern__load(p, i) + pattern__load(p, i + 1);
	uint64_t b = pattern__load(p, i + 2) + pattern__load(p, i + 3);
	uint64_t c = pattern__load(p, i + 4) + pattern__load(p, i + 5);
	uint64_t d = pattern__load(p, i + 6) + pattern__load(p, i + 7);

	return (a + b) + (c + d);
}

static inline uint64_t pattern_read_full(const struct pattern_shape *s, const void *msg,
					 uint64_t *ret_header)
{
	const unsigned char *p = msg;
	uint64_t sum = 0;
	size_t n = s->words, i = 0;

	*ret_header = pattern_peek(p);
	for (; i + 8 <= n; i += 8)
		sum += pattern__load_line(p, i);
	for (; i < n; i++)
		sum += pattern__load(p, i);
	if (__builtin_expect(s->tail_mask != 0, 0))
		sum += pattern_load_tail(s, p);
	return sum;
}

/* The header travels in the first vector: a store of its own over a wide one, or under a wide
 * load, would break store forwarding. */
static inline uint64_t pattern_write_wide(const struct pattern_shape *s, void *msg, uint64_t header)
{
	unsigned char *p = msg;

	pattern_fill_words(p, s->words, header);
	return pattern__finish(s, p, header);
}

static inline uint64_t pattern_read_wide(const struct pattern_shape *s, const void *msg,
					 uint64_t *ret_header)
{
	const unsigned char *p = msg;
	uint64_t sum = pattern_sum_words(p, s->words);

	*ret_header = pattern_peek(msg);
	if (__builtin_expect(s->tail_mask != 0, 0))
		sum += pattern_load_tail(s, p);
	return sum;
}

static inline uint64_t pattern_write_line(const struct pattern_shape *s, void *msg, uint64_t header)
{
	unsigned char *p = msg;
	uint64_t f = header * PATTERN_MULT;
	size_t i;

	pattern__store(p, 0, header);
	for (i = PATTERN_LINE / 8; i < s->words; i += PATTERN_LINE / 8)
		pattern__store(p, i, f + i);
	return pattern__finish(s, p, header);
}

static inline uint64_t pattern_read_line(const struct pattern_shape *s, const void *msg,
					 uint64_t *ret_header)
{
	const unsigned char *p = msg;
	uint64_t sum = pattern__load(p, 0);
	size_t i;

	*ret_header = sum;
	for (i = PATTERN_LINE / 8; i < s->words; i += PATTERN_LINE / 8)
		sum += pattern__load(p, i);
	if (__builtin_expect(s->tail_mask != 0, 0))
		sum += pattern_load_tail(s, p);
	return sum;
}

static inline uint64_t pattern_write_none(const struct pattern_shape *s, void *msg, uint64_t header)
{
	(void)s;
	pattern__store(msg, 0, header);
	return header;
}

static inline uint64_t pattern_read_none(const struct pattern_shape *s, const void *msg,
					 uint64_t *ret_header)
{
	(void)s;
	return *ret_header = pattern__load(msg, 0);
}

static inline uint64_t pattern_write(const struct pattern_shape *s, void *msg, uint64_t header)
{
	switch (s->touch) {
	case PATTERN_FULL:
		return pattern_write_full(s, msg, header);
	case PATTERN_WIDE:
		return pattern_write_wide(s, msg, header);
	case PATTERN_LINES:
		return pattern_write_line(s, msg, header);
	case PATTERN_NONE:
		break;
	}
	return pattern_write_none(s, msg, header);
}

static inline uint64_t pattern_read(const struct pattern_shape *s, const void *msg,
				    uint64_t *ret_header)
{
	switch (s->touch) {
	case PATTERN_FULL:
		return pattern_read_full(s, msg, ret_header);
	case PATTERN_WIDE:
		return pattern_read_wide(s, msg, ret_header);
	case PATTERN_LINES:
		return pattern_read_line(s, msg, ret_header);
	case PATTERN_NONE:
		break;
	}
	return pattern_read_none(s, msg, ret_header);
}

#endif
