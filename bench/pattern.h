/* SPDX-License-Identifier: MIT */
/*
 * What messages contain, and how a reader knows that it got all of them unharmed.
 *
 * The first eight bytes are a header: 16 bits of producer, 48 bits of sequence, counting from 0.
 * Word i of the message is header * PATTERN_MULT + i; bytes behind the last whole word are the
 * low bytes of the next word. The sum of all words that are touched is then linear in the header,
 *
 *	sum = header * k + add		(plus the tail, when there is one)
 *
 * so the writer's sum costs one multiplication, and the reader can judge each message alone.
 * Messages are at least 8 bytes; the header is always written and read, whatever the touch.
 *
 *	struct pattern_shape s;
 *	pattern_shape_init(&s, size, PATTERN_FULL);
 *
 *	writer:	sum = pattern_write(&s, msg, pattern_header(producer, seq));
 *		when it is sent: sent.count++, sent.sum += sum, seq++
 *	reader:	sum = pattern_read(&s, msg, &header);
 *		pattern_check_add(check, &s, header, sum);
 *	end:	pattern_verdict(checks, readers, sent, producers, &result);
 *
 * The loops here are part of what is timed, so they are inline, and each kind of touch also has
 * a function of its own for callers that choose once, outside of their loop.
 */
#ifndef BENCH_PATTERN_H
#define BENCH_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATTERN_MULT 0x9e3779b97f4a7c15ULL /* odd, so that headers differ in every word */
#define PATTERN_LINE 64			   /* bytes in a cache line */
#define PATTERN_SEQ_BITS 48
#define PATTERN_SEQ_MASK ((1ULL << PATTERN_SEQ_BITS) - 1)
#define PATTERN_PRODUCERS 65536

enum pattern_touch {
	PATTERN_FULL, /* every word, 8-byte stores, 8-byte loads */
	PATTERN_WIDE, /* every word, with the widest vectors of this CPU */
	PATTERN_LINES, /* one word per cache line */
	PATTERN_NONE, /* the header only */
};

/* "full", "wide", "line", "none". */
const char *pattern_touch_name(enum pattern_touch t);
/* Returns the touch of that name or -EINVAL. */
int pattern_touch_parse(const char *name);
/* Bytes of one store of PATTERN_WIDE on this CPU: 16, 32 or 64. */
unsigned int pattern_wide_bytes(void);

/* Everything about a size and a touch that the loops need; constant during a run. */
struct pattern_shape {
	size_t size;
	size_t words;	    /* whole words */
	uint64_t k;	    /* sum = header * k + add */
	uint64_t add;
	uint64_t tail_mask; /* of the tail bytes in a word; 0: no tail or not touched */
	unsigned int tail;  /* bytes of it */
	enum pattern_touch touch;
};

/* Returns 0, or -EINVAL below 8 bytes. */
int pattern_shape_init(struct pattern_shape *s, size_t size, enum pattern_touch touch);

static inline uint64_t pattern_header(unsigned int producer, uint64_t seq)
{
	return (uint64_t)producer << PATTERN_SEQ_BITS | (seq & PATTERN_SEQ_MASK);
}

static inline unsigned int pattern_producer(uint64_t header)
{
	return (unsigned int)(header >> PATTERN_SEQ_BITS);
}

static inline uint64_t pattern_seq(uint64_t header)
{
	return header & PATTERN_SEQ_MASK;
}

/* The header of a message without reading anything else. */
static inline uint64_t pattern_peek(const void *msg)
{
	uint64_t h;

	__builtin_memcpy(&h, msg, 8);
	return h;
}

/* What the sum over the touched words must be. */
static inline uint64_t pattern_sum(const struct pattern_shape *s, uint64_t header)
{
	uint64_t sum = header * s->k + s->add;

	if (s->tail_mask)
		sum += (header * PATTERN_MULT + s->words) & s->tail_mask;
	return sum;
}

/* Fill a message; returns its sum, for the writer to add up once it is sent. */
static inline uint64_t pattern_write(const struct pattern_shape *s, void *msg, uint64_t header);
/* Read a message as the touch says; returns the sum over what was read. */
static inline uint64_t pattern_read(const struct pattern_shape *s, const void *msg,
				    uint64_t *ret_header);

/* ---- the reader's record ---- */

#define PATTERN_RANGES 32

struct pattern_range {
	uint64_t first; /* sequences first..last have not been seen */
	uint64_t last;
};

/* What one reader knows of one producer. */
struct pattern_source {
	uint64_t next;	     /* header expected next */
	uint64_t recent;     /* several readers: bit d = seq (next - 1 - d) was seen here */
	uint64_t unique;     /* messages that are not known to be duplicates */
	uint64_t seq_sum;    /* of those, to tell one lost and one doubled from none */
	uint64_t duplicated;
	uint64_t reordered;
	uint64_t given_up;   /* missing sequences that fell out of the list below, */
	uint64_t given_last; /* and the last of them */
	uint32_t ranges;     /* entries used, in ascending order */
	struct pattern_range missing[PATTERN_RANGES];
};

/* One reader; no pointers, may live in shared memory. */
struct pattern_check {
	uint32_t producers;
	uint32_t shared; /* other readers take messages of the same producers */
	uint64_t messages;
	uint64_t sum;
	uint64_t corrupted; /* wrong sum or unknown producer */
	struct pattern_source src[];
};

/* Bytes of a check for so many producers. */
size_t pattern_check_size(unsigned int producers);

/*
 * @shared: several readers share the messages of a producer (mpmc with several consumers). Then a
 * gap is normal at one reader, and loss shows only when all readers are put together.
 */
void pattern_check_init(struct pattern_check *c, unsigned int producers, bool shared);

/* What a message that is not simply the next one means; see pattern_check_add(). */
void pattern_check_odd(struct pattern_check *c, uint64_t header, bool sum_ok);

/* Account for one message, as it arrives. In order: two compares and one increment. */
static inline void pattern_check_add(struct pattern_check *c, const struct pattern_shape *s,
				     uint64_t header, uint64_t sum)
{
	unsigned int p = pattern_producer(header);
	bool ok = sum == pattern_sum(s, header);

	c->sum += sum;
	c->messages++;
	if (__builtin_expect(ok && p < c->producers && header == c->src[p].next && !c->shared, 1))
		c->src[p].next++;
	else
		pattern_check_odd(c, header, ok);
}

/* The same where other readers take messages, too: those that come are rarely the next ones, but
 * later ones. One compare and six additions when less than 63 have gone to others. */
static inline void pattern_check_later(struct pattern_check *c, const struct pattern_shape *s,
				       uint64_t header, uint64_t sum)
{
	unsigned int p = pattern_producer(header);
	bool ok = c->shared && p < c->producers && sum == pattern_sum(s, header);
	uint64_t skipped = ok ? header - c->src[p].next : UINT64_MAX;

	if (__builtin_expect(skipped >= 63, 0)) {
		pattern_check_add(c, s, header, sum);
		return;
	}
	c->sum += sum;
	c->messages++;
	c->src[p].recent = c->src[p].recent << (skipped + 1) | 1;
	c->src[p].next = header + 1;
	c->src[p].unique++;
	c->src[p].seq_sum += pattern_seq(header);
}

/* What one producer sent. */
struct pattern_sent {
	uint64_t count;
	uint64_t sum;
};

struct pattern_result {
	uint64_t lost;	     /* sent, never received */
	uint64_t duplicated; /* received once more than sent */
	uint64_t reordered;  /* received by the same reader after a later one of its producer */
	uint64_t corrupted;  /* wrong contents; not lost as well unless the header was hit */
};

/*
 * The verdict over all readers that together should have got each message of @producers once;
 * more than one reader: all of them made with shared = true. When each reader should get every
 * message (fanout), call it once per reader and add.
 *
 * One reader alone is exact. Several are put together by counts and sums: what is lost by one
 * and doubled by another is then counted once each, whatever its number, but never as zero.
 */
void pattern_verdict(const struct pattern_check *const *readers, unsigned int n,
		     const struct pattern_sent *sent, unsigned int producers,
		     struct pattern_result *ret);
void pattern_result_add(struct pattern_result *sum, const struct pattern_result *r);
bool pattern_result_ok(const struct pattern_result *r);

#include "bench/pattern-loops.h"

#endif
