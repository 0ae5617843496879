/* SPDX-License-Identifier: MIT */
/*
 * Reading a histogram: everything that is not on the hot path.
 *
 * Bin numbers: below 2048 the value itself; above, (shift << 10) + (v >> shift) where shift puts
 * v >> shift into 1024..2047. The two meet without a gap or an overlap.
 */
#include "bench/hist.h"

#include <errno.h>
#include <math.h>
#include <string.h>

_Static_assert((2ULL * HIST_HALF << (HIST_BUCKETS - 1)) > HIST_MAX, "the bins reach 100 s");

void hist_reset(struct hist *h)
{
	memset(h, 0, sizeof(*h));
}

void hist_touch(struct hist *h)
{
	volatile unsigned char *p = (volatile unsigned char *)h;
	size_t i;

	for (i = 0; i < sizeof(*h); i += 1024)
		p[i] = p[i];
	p[sizeof(*h) - 1] = p[sizeof(*h) - 1];
}

void hist_merge(struct hist *dst, const struct hist *src)
{
	unsigned int i;

	if (src->count == 0)
		return;
	if (dst->count == 0 || src->min < dst->min)
		dst->min = src->min;
	if (src->max > dst->max)
		dst->max = src->max;
	dst->count += src->count;
	dst->sum += src->sum;
	dst->over += src->over;
	dst->under += src->under;
	for (i = 0; i < HIST_BINS; i++)
		dst->bin[i] += src->bin[i];
}

static unsigned int bin_shift(unsigned int bin)
{
	return bin < 2 * HIST_HALF ? 0 : (bin >> HIST_HALF_BITS) - 1;
}

uint64_t hist_bin_low(unsigned int bin)
{
	unsigned int shift = bin_shift(bin);

	return ((uint64_t)bin - ((uint64_t)shift << HIST_HALF_BITS)) << shift;
}

uint64_t hist_bin_high(unsigned int bin)
{
	return hist_bin_low(bin) + (1ULL << bin_shift(bin)) - 1;
}

static double bin_middle(unsigned int bin)
{
	return ((double)hist_bin_low(bin) + (double)hist_bin_high(bin)) / 2;
}

/* How many of @count values make up the share @q, at least one. */
static uint64_t rank_of(double q, uint64_t count)
{
	double exact = q * (double)count;
	/* 0.9 * 10 is 9.000000000000002 in some orders of rounding: not a tenth value. */
	double up = ceil(exact - exact * 1e-12);

	if (up < 1)
		return 1;
	return up >= (double)count ? count : (uint64_t)up;
}

static uint64_t value_at_rank(const struct hist *h, uint64_t rank)
{
	uint64_t seen = 0, v;
	unsigned int i;

	for (i = 0; i < HIST_BINS; i++) {
		seen += h->bin[i];
		if (seen >= rank) {
			v = hist_bin_high(i);
			return v > h->max ? h->max : v < h->min ? h->min : v;
		}
	}
	return h->max;
}

uint64_t hist_quantile(const struct hist *h, double q)
{
	if (h->count == 0)
		return 0;
	if (q <= 0)
		return h->min;
	if (q >= 1)
		return h->max;
	return value_at_rank(h, rank_of(q, h->count));
}

double hist_mean(const struct hist *h)
{
	return h->count ? (double)h->sum / (double)h->count : 0;
}

double hist_stddev(const struct hist *h)
{
	double mean = hist_mean(h), sum = 0;
	unsigned int i;

	for (i = 0; i < HIST_BINS; i++) {
		if (h->bin[i]) {
			double d = bin_middle(i) - mean;

			sum += d * d * (double)h->bin[i];
		}
	}
	return h->count ? sqrt(sum / (double)h->count) : 0;
}

bool hist_supports(const struct hist *h, double q)
{
	return h->count && (1 - q) * (double)h->count >= 10 * (1 - 1e-9);
}

static void hgrm_line(const struct hist *h, FILE *out, uint64_t rank)
{
	double share = (double)rank / (double)h->count;

	fprintf(out, "%12.3f %2.12f %10llu", (double)value_at_rank(h, rank), share,
		(unsigned long long)rank);
	if (rank < h->count)
		fprintf(out, " %14.2f", 1 / (1 - share));
	fputc('\n', out);
}

/* Five lines per halving of the distance to 100 %, as HdrHistogram prints by default. */
static void hgrm_table(const struct hist *h, FILE *out)
{
	enum {
		TICKS = 5
	};
	uint64_t last = 0;
	int half, tick;

	for (half = 0; half < 52; half++) {
		for (tick = 0; tick < TICKS; tick++) {
			double beyond = ldexp(1 - (double)tick / (2 * TICKS), -half);
			uint64_t rank = rank_of(1 - beyond, h->count);

			if (rank == h->count)
				break;
			if (rank != last)
				hgrm_line(h, out, rank);
			last = rank;
		}
		if (tick < TICKS)
			break;
	}
	hgrm_line(h, out, h->count);
}

int hist_write_hgrm(const struct hist *h, FILE *out)
{
	fprintf(out, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
		"1/(1-Percentile)");
	if (h->count)
		hgrm_table(h, out);
	fprintf(out, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", hist_mean(h),
		hist_stddev(h));
	fprintf(out, "#[Max     = %12.3f, Total count    = %12llu]\n", (double)h->max,
		(unsigned long long)h->count);
	fprintf(out, "#[Buckets = %12u, SubBuckets     = %12u]\n", HIST_BUCKETS, 2 * HIST_HALF);
	return ferror(out) ? -EIO : 0;
}
