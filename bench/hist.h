/* SPDX-License-Identifier: MIT */
/*
 * Log-linear histogram of nanoseconds, 1 ns to 100 s with three significant digits.
 *
 * The bins are those of HdrHistogram with 3 digits: exact below 2048, then 1024 bins for each
 * power of two. Fixed size and no pointers, so one can live in shared memory, and memory full of
 * zeros is a valid empty histogram. One writer at a time; the reader waits until it is done.
 *
 *	struct hist *h = mmap(...);
 *	hist_touch(h);			before timing: no page fault in the timed pass
 *	hist_record(h, t1 - t0);
 *	hist_quantile(h, 0.999);
 */
#ifndef BENCH_HIST_H
#define BENCH_HIST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define HIST_HALF_BITS 10			     /* 1024 bins per power of two */
#define HIST_HALF (1u << HIST_HALF_BITS)
#define HIST_BUCKETS 27				     /* 2048 << 26 = 137 s */
#define HIST_BINS ((HIST_BUCKETS + 1) * HIST_HALF)
#define HIST_MAX 100000000000ULL		     /* 100 s; larger values are clamped to it */

struct hist {
	uint64_t count;
	uint64_t sum;	/* of the exact values, so the mean is exact */
	uint64_t min;	/* exact; valid when count > 0 */
	uint64_t max;	/* exact */
	uint64_t over;	/* values above HIST_MAX, clamped */
	uint64_t under; /* negative values, counted as 0: clock trouble */
	uint64_t bin[HIST_BINS];
};

/* Bin of a value in 0..HIST_MAX. */
static inline unsigned int hist_bin(uint64_t v)
{
	unsigned int shift =
		63 - HIST_HALF_BITS - (unsigned int)__builtin_clzll(v | (2 * HIST_HALF - 1));

	return (shift << HIST_HALF_BITS) + (unsigned int)(v >> shift);
}

static inline void hist_record(struct hist *h, int64_t ns)
{
	uint64_t v = (uint64_t)ns;

	if (__builtin_expect(v > HIST_MAX, 0)) { /* also every negative value */
		if (ns < 0)
			h->under++;
		else
			h->over++;
		v = ns < 0 ? 0 : HIST_MAX;
	}
	if (v < h->min || h->count == 0)
		h->min = v;
	if (v > h->max)
		h->max = v;
	h->count++;
	h->sum += v;
	h->bin[hist_bin(v)]++;
}

/* Make @h empty. */
void hist_reset(struct hist *h);
/* Write every page of an empty or used histogram without changing it. */
void hist_touch(struct hist *h);
/* Add all of @src to @dst. */
void hist_merge(struct hist *dst, const struct hist *src);

/*
 * The value that a share @q (0..1) of all values does not exceed, within 0.1 % (the upper end of
 * its bin, and never more than the exact maximum). q = 0 gives the exact minimum, q = 1 the exact
 * maximum, an empty histogram 0.
 */
uint64_t hist_quantile(const struct hist *h, double q);
double hist_mean(const struct hist *h);
double hist_stddev(const struct hist *h);
/* Whether enough values (10) lie beyond the quantile @q to state it. */
bool hist_supports(const struct hist *h, double q);

/* Smallest and largest value that fall into a bin. */
uint64_t hist_bin_low(unsigned int bin);
uint64_t hist_bin_high(unsigned int bin);

/* Percentile table as HdrHistogram's plotters read it (.hgrm), values in ns.
 * Returns 0 or a negative errno. */
int hist_write_hgrm(const struct hist *h, FILE *out);

#endif
