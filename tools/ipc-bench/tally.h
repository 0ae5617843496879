/* SPDX-License-Identifier: MIT */
/*
 * A reader's check of one producer, held in registers while the messages come in order: a compare
 * of the header, one of the sum, and two additions. Anything else goes through pattern_check_add().
 */
#ifndef IPC_BENCH_TALLY_H
#define IPC_BENCH_TALLY_H

#include "bench/pattern.h"

struct tally {
	struct pattern_check *check;
	struct pattern_source *source;
	uint64_t first; /* header from which on nothing is written back yet */
	uint64_t next;	/* header expected next */
	uint64_t sum;	/* of the messages from first to next */
};

static inline void tally_begin(struct tally *t, struct pattern_check *check, unsigned int producer)
{
	struct pattern_source *source = &check->src[producer];

	*t = (struct tally){ check, source, source->next, source->next, 0 };
}

/* Write back. */
static inline void tally_end(struct tally *t)
{
	t->check->messages += t->next - t->first;
	t->check->sum += t->sum;
	t->source->next = t->next;
	t->first = t->next;
	t->sum = 0;
}

static inline void tally_odd(struct tally *t, const struct pattern_shape *shape, uint64_t header,
			     uint64_t sum)
{
	tally_end(t);
	pattern_check_add(t->check, shape, header, sum);
	t->first = t->next = t->source->next;
}

/* Whether a message is the one that should come now. */
static inline bool tally_next(const struct tally *t, const struct pattern_shape *shape,
			      uint64_t header, uint64_t sum)
{
	return __builtin_expect(header == t->next && sum == pattern_sum(shape, header), 1);
}

/* Account for a message for which tally_next() is true. */
static inline void tally_add(struct tally *t, uint64_t sum)
{
	t->next++;
	t->sum += sum;
}

#endif
