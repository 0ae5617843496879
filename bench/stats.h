/* SPDX-License-Identifier: MIT */
/*
 * Statistics over repeats: one value per process-level repeat, never over raw samples (those are
 * autocorrelated). Everything is by rank; nothing is ever dropped.
 *
 * NAN in a double means "not known" and is written as null.
 */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include <stdbool.h>
#include <stddef.h>

#define STATS_CI_MIN 6		/* below this many repeats there is no interval */
#define STATS_BIMODAL_RATIO 1.5 /* two groups further apart than this are reported */

/* A median with its interval of at least 95 % (NAN, NAN below STATS_CI_MIN values). */
struct stats_median {
	double median;
	double low;
	double high;
	size_t n;
};

/* Median of v[0..n-1] (order kept); NAN when n is 0 or memory is short. */
double stats_median(const double *v, size_t n);

/* The interval's ranks (1-based, low + high = n + 1), as stats_median_ci() uses them.
 * Returns false below STATS_CI_MIN. */
bool stats_ci_ranks(size_t n, size_t *ret_low, size_t *ret_high);

/* Median and interval by order statistics: min-max for 6 to 8 values; from 9 on the narrowest
 * pair of equal ranks from both ends that covers the median with 95 % by the binomial. */
struct stats_median stats_median_ci(const double *v, size_t n);

struct stats_modes {
	bool bimodal;
	double centre[2]; /* medians of the lower and of the upper group */
	size_t count[2];
};

/*
 * Whether the values fall into two groups, of at least two values each, that are more than 1.5
 * times apart (smallest of the upper group over largest of the lower). A single value far out is
 * an outlier, not a mode. Of several gaps the widest is taken. Only positive values count.
 */
struct stats_modes stats_modes(const double *v, size_t n);

/* Smallest and largest of v; a value more than 1.5 interquartile ranges outside the quartiles is
 * an outlier: returns how many there are (they are flagged, never dropped). 0 below 6 values. */
size_t stats_outliers(const double *v, size_t n);

/* One repeat of one configuration, as ratios need it. */
struct stats_point {
	double value;
	int block;
	int placement; /* negative: never compared (unstable, failed) */
};

/*
 * Ratios a/b of all blocks in which both sides have the same placement. When a block holds a
 * configuration more than once with one placement (run again), the last usable point counts.
 * Writes at most @max ratios in the order of @a's points; returns their number.
 */
size_t stats_block_ratios(const struct stats_point *a, size_t na, const struct stats_point *b,
			  size_t nb, double *ratios, size_t max);

/* Median (and interval) of those ratios. */
struct stats_median stats_ratio(const struct stats_point *a, size_t na, const struct stats_point *b,
				size_t nb);

/* Whether two medians cannot be told apart: the intervals overlap, or one is not known. */
bool stats_tie(const struct stats_median *a, const struct stats_median *b);

#endif
