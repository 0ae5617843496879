/* SPDX-License-Identifier: MIT */
/*
 * What a reader makes of the messages that are not simply the next one.
 *
 * A reader that alone takes all messages of a producer knows the next sequence and a short list
 * of ranges below it that it has not seen. A message beyond the next one opens a range; a message
 * below it either closes a part of a range (it came late: reordered) or was there before
 * (duplicated). What is still in the list at the end is lost. In order, the list is not touched,
 * and the work stays constant for any gap, since the list has an end: the oldest range is then
 * given up, that is, counted as lost, and a straggler from it as reordered.
 *
 * With several readers each sees gaps all the time, so a reader keeps only the newest sequence
 * and one bit for each of the 64 up to it, and the verdict compares counts and sums.
 *
 * A message with a wrong sum is corrupted. Its header may be the part that is wrong, so the
 * sequence is believed only where it is the expected one.
 */
#include "bench/pattern.h"

#include <errno.h>
#include <string.h>

/* Jumps from here on are a damaged header, not a gap. */
#define FAR_AHEAD (1ULL << 32)

static const char *const touch_names[] = { "full", "wide", "line", "none" };

const char *pattern_touch_name(enum pattern_touch t)
{
	return touch_names[t];
}

int pattern_touch_parse(const char *name)
{
	unsigned int i;

	for (i = 0; i < sizeof(touch_names) / sizeof(touch_names[0]); i++)
		if (!strcmp(name, touch_names[i]))
			return (int)i;
	return -EINVAL;
}

/* The touched words behind the header: how many, and the sum of their numbers. */
static void touched(const struct pattern_shape *s, uint64_t *ret_count, uint64_t *ret_sum)
{
	size_t step = s->touch == PATTERN_LINES ? PATTERN_LINE / 8 : 1;
	uint64_t n = (s->words - 1) / step;

	if (s->touch == PATTERN_NONE)
		n = 0;
	*ret_count = n;
	*ret_sum = step * (n * (n + 1) / 2);
}

int pattern_shape_init(struct pattern_shape *s, size_t size, enum pattern_touch touch)
{
	uint64_t count, sum;
	bool tail;

	if (size < 8)
		return -EINVAL;
	memset(s, 0, sizeof(*s));
	s->size = size;
	s->words = size / 8;
	s->touch = touch;
	touched(s, &count, &sum);
	s->k = 1 + count * PATTERN_MULT;
	s->add = sum;

	/* One word per line: the tail counts where it is all that its line has. */
	tail = touch == PATTERN_FULL || touch == PATTERN_WIDE ||
	       (touch == PATTERN_LINES && s->words % (PATTERN_LINE / 8) == 0);
	if (tail && size % 8) {
		s->tail = size % 8;
		s->tail_mask = (1ULL << (8 * s->tail)) - 1;
	}
	pattern_wide_bytes(); /* chooses the vector functions */
	return 0;
}

uint64_t pattern_store_tail(const struct pattern_shape *s, unsigned char *p, uint64_t v)
{
	unsigned int i;

	for (i = 0; i < s->tail; i++)
		p[s->words * 8 + i] = (unsigned char)(v >> (8 * i));
	return v & s->tail_mask;
}

uint64_t pattern_load_tail(const struct pattern_shape *s, const unsigned char *p)
{
	uint64_t v = 0;
	unsigned int i;

	for (i = 0; i < s->tail; i++)
		v |= (uint64_t)p[s->words * 8 + i] << (8 * i);
	return v;
}

size_t pattern_check_size(unsigned int producers)
{
	return sizeof(struct pattern_check) + producers * sizeof(struct pattern_source);
}

void pattern_check_init(struct pattern_check *c, unsigned int producers, bool shared)
{
	unsigned int p;

	memset(c, 0, pattern_check_size(producers));
	c->producers = producers;
	c->shared = shared;
	for (p = 0; p < producers; p++)
		c->src[p].next = pattern_header(p, 0);
}

static void drop_range(struct pattern_source *s, unsigned int i)
{
	s->ranges--;
	memmove(&s->missing[i], &s->missing[i + 1], (s->ranges - i) * sizeof(s->missing[0]));
}

/* Make room for one more range; the oldest one is given up when there is none. */
static void make_room(struct pattern_source *s)
{
	if (s->ranges < PATTERN_RANGES)
		return;
	s->given_up += s->missing[0].last - s->missing[0].first + 1;
	s->given_last = s->missing[0].last;
	drop_range(s, 0);
}

static void miss(struct pattern_source *s, uint64_t first, uint64_t last)
{
	make_room(s);
	s->missing[s->ranges].first = first;
	s->missing[s->ranges].last = last;
	s->ranges++;
}

/* Take @seq out of range @i, which contains it; the range may fall into two. */
static void cut(struct pattern_source *s, unsigned int i, uint64_t seq)
{
	struct pattern_range *r = &s->missing[i];
	uint64_t last = r->last;

	if (r->first == r->last) {
		drop_range(s, i);
	} else if (seq == r->first) {
		r->first++;
	} else if (seq == r->last) {
		r->last--;
	} else if (s->ranges < PATTERN_RANGES) {
		memmove(r + 1, r, (s->ranges - i) * sizeof(*r));
		s->ranges++;
		r[0].last = seq - 1;
		r[1].first = seq + 1;
	} else { /* no room to split: the older part is given up */
		s->given_up += seq - r->first;
		s->given_last = seq - 1;
		r->first = seq + 1;
		r->last = last;
	}
}

/* Whether @seq was missing; it no longer is. */
static bool was_missing(struct pattern_source *s, uint64_t seq)
{
	unsigned int i;

	for (i = s->ranges; i-- > 0;) {
		if (seq > s->missing[i].last)
			break;
		if (seq >= s->missing[i].first) {
			cut(s, i, seq);
			return true;
		}
	}
	if (s->given_up && seq <= s->given_last) {
		s->given_up--;
		return true;
	}
	return false;
}

static void seen_alone(struct pattern_source *s, uint64_t header)
{
	if (header > s->next) {
		miss(s, pattern_seq(s->next), pattern_seq(header) - 1);
		s->next = header + 1;
	} else if (was_missing(s, pattern_seq(header))) {
		s->reordered++;
	} else {
		s->duplicated++;
	}
}

static void seen_shared(struct pattern_source *s, uint64_t header)
{
	if (header >= s->next) {
		uint64_t ahead = header - s->next + 1;

		s->recent = ahead < 64 ? s->recent << ahead | 1 : 1;
		s->next = header + 1;
	} else {
		uint64_t back = s->next - 1 - header;

		if (back < 64 && (s->recent >> back & 1)) {
			s->duplicated++;
			return;
		}
		if (back < 64)
			s->recent |= 1ULL << back;
		s->reordered++;
	}
	s->unique++;
	s->seq_sum += pattern_seq(header);
}

void pattern_check_odd(struct pattern_check *c, uint64_t header, bool sum_ok)
{
	unsigned int p = pattern_producer(header);
	struct pattern_source *s;

	if (p >= c->producers) {
		c->corrupted++;
		return;
	}
	s = &c->src[p];
	if (!sum_ok || (header > s->next && header - s->next >= FAR_AHEAD)) {
		c->corrupted++;
		s->unique++; /* it did arrive, whichever it was; only used with several readers */
		if (header == s->next)
			s->next++;
	} else if (c->shared) {
		seen_shared(s, header);
	} else {
		seen_alone(s, header);
	}
}

/* Messages of one producer that its only reader did not get. */
static uint64_t lost_alone(const struct pattern_source *s, uint64_t sent)
{
	uint64_t lost = s->given_up, next = pattern_seq(s->next);
	unsigned int i;

	for (i = 0; i < s->ranges; i++) {
		const struct pattern_range *r = &s->missing[i];

		if (r->first < sent)
			lost += (r->last < sent ? r->last + 1 : sent) - r->first;
	}
	return lost + (next < sent ? sent - next : 0);
}

static void verdict_alone(const struct pattern_source *s, uint64_t sent, struct pattern_result *ret)
{
	ret->lost += lost_alone(s, sent);
	ret->duplicated += s->duplicated;
	ret->reordered += s->reordered;
	if (pattern_seq(s->next) > sent)
		ret->corrupted++; /* a sequence that nobody sent */
}

static void verdict_shared(const struct pattern_check *const *readers, unsigned int n,
			   unsigned int p, uint64_t sent, struct pattern_result *ret)
{
	uint64_t unique = 0, sum = 0;
	unsigned int r;

	for (r = 0; r < n; r++) {
		const struct pattern_source *s = &readers[r]->src[p];

		unique += s->unique;
		sum += s->seq_sum;
		ret->duplicated += s->duplicated;
		ret->reordered += s->reordered;
	}
	if (unique < sent) {
		ret->lost += sent - unique;
	} else if (unique > sent) {
		ret->duplicated += unique - sent;
	} else if (ret->corrupted == 0 && sent &&
		   sum != (sent % 2 ? (sent - 1) / 2 * sent : sent / 2 * (sent - 1))) {
		/* As many as were sent, but not those: one is missing and another came twice. */
		ret->lost++;
		ret->duplicated++;
	}
}

void pattern_verdict(const struct pattern_check *const *readers, unsigned int n,
		     const struct pattern_sent *sent, unsigned int producers,
		     struct pattern_result *ret)
{
	uint64_t difference = 0;
	unsigned int i;

	memset(ret, 0, sizeof(*ret));
	for (i = 0; i < n; i++) {
		ret->corrupted += readers[i]->corrupted;
		difference += readers[i]->sum;
	}
	for (i = 0; i < producers; i++) {
		difference -= sent[i].sum;
		if (n == 1 && !readers[0]->shared)
			verdict_alone(&readers[0]->src[i], sent[i].count, ret);
		else
			verdict_shared(readers, n, i, sent[i].count, ret);
	}
	/* All there, each one right by itself, and yet the totals differ: the writer and the
	 * reader do not mean the same messages. */
	if (difference && pattern_result_ok(ret))
		ret->corrupted = 1;
}

void pattern_result_add(struct pattern_result *sum, const struct pattern_result *r)
{
	sum->lost += r->lost;
	sum->duplicated += r->duplicated;
	sum->reordered += r->reordered;
	sum->corrupted += r->corrupted;
}

bool pattern_result_ok(const struct pattern_result *r)
{
	return !(r->lost | r->duplicated | r->reordered | r->corrupted);
}
