/* SPDX-License-Identifier: MIT */
/*
 * Medians, their intervals, groups and ratios. All by rank: nothing here assumes a shape of the
 * distribution, and a wild repeat moves nothing but the end of an interval.
 */
#include "bench/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* A sorted copy, to be freed; NULL when n is 0 or memory is short. */
static double *sorted(const double *v, size_t n)
{
	double *s = n ? malloc(n * sizeof(*s)) : NULL;

	if (s) {
		memcpy(s, v, n * sizeof(*s));
		qsort(s, n, sizeof(*s), compare);
	}
	return s;
}

static double middle(const double *s, size_t n)
{
	return n % 2 ? s[n / 2] : (s[n / 2 - 1] + s[n / 2]) / 2;
}

double stats_median(const double *v, size_t n)
{
	double *s = sorted(v, n);
	double m = s ? middle(s, n) : NAN;

	free(s);
	return m;
}

/*
 * The median lies below the k-th smallest value when fewer than k values are below it: the lower
 * tail of a binomial with p = 1/2. Both ends together must stay under 5 %, so the rank goes up
 * while P(X < rank) <= 2.5 %.
 */
bool stats_ci_ranks(size_t n, size_t *ret_low, size_t *ret_high)
{
	double term = exp2(-(double)n), below = term; /* P(X = 0), P(X < 1) */
	size_t rank = 1;

	if (n < STATS_CI_MIN)
		return false;
	if (n > 1000) {
		/* exp2(-n) underflows; the normal approximation is exact, or one rank wider. */
		rank = (size_t)floor(((double)n + 1 - 1.959964 * sqrt((double)n)) / 2);
	} else {
		for (;;) {
			term *= (double)(n - rank + 1) / (double)rank; /* P(X = rank) */
			if (below + term > 0.025)
				break;
			below += term;
			rank++;
		}
	}
	*ret_low = rank;
	*ret_high = n + 1 - rank;
	return true;
}

struct stats_median stats_median_ci(const double *v, size_t n)
{
	struct stats_median m = { .median = NAN, .low = NAN, .high = NAN, .n = n };
	double *s = sorted(v, n);
	size_t low, high;

	if (!s)
		return m;
	m.median = middle(s, n);
	if (stats_ci_ranks(n, &low, &high)) {
		m.low = s[low - 1];
		m.high = s[high - 1];
	}
	free(s);
	return m;
}

struct stats_modes stats_modes(const double *v, size_t n)
{
	struct stats_modes m = { .bimodal = false, .centre = { NAN, NAN } };
	double *s = sorted(v, n), widest = STATS_BIMODAL_RATIO;
	size_t i, cut = 0;

	for (i = 2; s && i + 2 <= n; i++) {
		if (s[i - 1] > 0 && s[i] / s[i - 1] > widest) {
			widest = s[i] / s[i - 1];
			cut = i;
		}
	}
	if (cut) {
		m.bimodal = true;
		m.centre[0] = middle(s, cut);
		m.centre[1] = middle(s + cut, n - cut);
		m.count[0] = cut;
		m.count[1] = n - cut;
	}
	free(s);
	return m;
}

size_t stats_outliers(const double *v, size_t n)
{
	double *s = n < STATS_CI_MIN ? NULL : sorted(v, n);
	double q1, q3, fence;
	size_t i, out = 0;

	if (!s)
		return 0;
	q1 = middle(s, n / 2);
	q3 = middle(s + n - n / 2, n / 2);
	fence = 1.5 * (q3 - q1);
	for (i = 0; i < n; i++)
		out += s[i] < q1 - fence || s[i] > q3 + fence;
	free(s);
	return out;
}

static bool usable(const struct stats_point *p)
{
	return p->placement >= 0 && isfinite(p->value);
}

/* The last usable point of a block that has the given placement, or NULL. */
static const struct stats_point *find(const struct stats_point *v, size_t n, int block,
				      int placement)
{
	size_t i;

	for (i = n; i-- > 0;)
		if (v[i].block == block && usable(&v[i]) && v[i].placement == placement)
			return &v[i];
	return NULL;
}

size_t stats_block_ratios(const struct stats_point *a, size_t na, const struct stats_point *b,
			  size_t nb, double *ratios, size_t max)
{
	size_t i, n = 0;

	for (i = 0; i < na && n < max; i++) {
		const struct stats_point *other;

		if (!usable(&a[i]) || find(a, na, a[i].block, a[i].placement) != &a[i])
			continue;
		other = find(b, nb, a[i].block, a[i].placement);
		if (other && other->value != 0)
			ratios[n++] = a[i].value / other->value;
	}
	return n;
}

struct stats_median stats_ratio(const struct stats_point *a, size_t na, const struct stats_point *b,
				size_t nb)
{
	struct stats_median none = { .median = NAN, .low = NAN, .high = NAN };
	double *ratios = na ? malloc(na * sizeof(*ratios)) : NULL;
	struct stats_median m;

	if (!ratios)
		return none;
	m = stats_median_ci(ratios, stats_block_ratios(a, na, b, nb, ratios, na));
	free(ratios);
	return m;
}

bool stats_tie(const struct stats_median *a, const struct stats_median *b)
{
	if (isnan(a->low) || isnan(b->low))
		return true;
	return a->low <= b->high && b->low <= a->high;
}
