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

/* The low @tail bytes of a word, always in little-endian order. */
static inline void pattern__store_tail(const struct pattern_shape *s, unsigned char *p, uint64_t v)
{
	unsigned int i;

	for (i = 0; i < s->tail; i++)
		p[s->words * 8 + i] = (unsigned char)(v >> (8 * i));
}

static inline uint64_t pattern__load_tail(const struct pattern_shape *s, const unsigned char *p)
{
	uint64_t v = 0;
	unsigned int i;

	for (i = 0; i < s->tail; i++)
		v |= (uint64_t)p[s->words * 8 + i] << (8 * i);
	return v;
}

static inline uint64_t pattern_write_full(const struct pattern_shape *s, void *msg, uint64_t header)
{
	unsigned char *p = msg;
	uint64_t f = header * PATTERN_MULT;
	size_t n = s->words, i = 1;

	pattern__store(p, 0, header);
	for (; i + 4 <= n; i += 4) {
		pattern__store(p, i, f + i);
		pattern__store(p, i + 1, f + i + 1);
		pattern__store(p, i + 2, f + i + 2);
		pattern__store(p, i + 3, f + i + 3);
	}
	for (; i < n; i++)
		pattern__store(p, i, f + i);
	if (__builtin_expect(s->tail_mask != 0, 0))
		pattern__store_tail(s, p, f + n);
	return pattern_sum(s, header);
}

static inline uint64_t pattern_read_full(const struct pattern_shape *s, const void *msg,
					 uint64_t *ret_header)
{
	const unsigned char *p = msg;
	uint64_t a = pattern__load(p, 0), b = 0;
	size_t n = s->words, i = 1;

	*ret_header = a;
	for (; i + 4 <= n; i += 4) {
		a += pattern__load(p, i);
		b += pattern__load(p, i + 1);
		a += pattern__load(p, i + 2);
		b += pattern__load(p, i + 3);
	}
	for (; i < n; i++)
		a += pattern__load(p, i);
	if (__builtin_expect(s->tail_mask != 0, 0))
		b += pattern__load_tail(s, p);
	return a + b;
}

/* The header travels in the first vector: a store of its own over a wide one, or under a wide
 * load, would break store forwarding. */
static inline uint64_t pattern_write_wide(const struct pattern_shape *s, void *msg, uint64_t header)
{
	unsigned char *p = msg;
	uint64_t f = header * PATTERN_MULT;

	pattern_fill_words(p, s->words, header);
	if (__builtin_expect(s->tail_mask != 0, 0))
		pattern__store_tail(s, p, f + s->words);
	return pattern_sum(s, header);
}

static inline uint64_t pattern_read_wide(const struct pattern_shape *s, const void *msg,
					 uint64_t *ret_header)
{
	const unsigned char *p = msg;
	uint64_t sum = pattern_sum_words(p, s->words);

	*ret_header = pattern_peek(msg);
	if (__builtin_expect(s->tail_mask != 0, 0))
		sum += pattern__load_tail(s, p);
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
	if (__builtin_expect(s->tail_mask != 0, 0))
		pattern__store_tail(s, p, f + s->words);
	return pattern_sum(s, header);
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
		sum += pattern__load_tail(s, p);
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
