/* SPDX-License-Identifier: MIT */
/*
 * The histogram against exact quantiles of the sorted values, for several distributions.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/hist.h"
#include "support.h"

#define VALUES 50000

static struct hist h, part[3];
static int64_t value[VALUES];

static double unit(void)
{
	return ((double)(test_random() >> 11) + 1) / 9007199254740994.0;
}

static int64_t uniform(void)
{
	return (int64_t)test_random_below(3000);
}

static int64_t constant(void)
{
	return 123456789;
}

static int64_t exponential(void)
{
	return (int64_t)(-log(unit()) * 5000);
}

static int64_t lognormal(void)
{
	return (int64_t)exp(7 + 2.5 * sqrt(-2 * log(unit())) * cos(2 * M_PI * unit()));
}

static int64_t two_modes(void)
{
	return (int64_t)(test_random_below(10) ? 150 + test_random_below(20)
					       : 2000000 + test_random_below(500000));
}

/* Pareto: half the values are below 2, the largest reach seconds. */
static int64_t long_tail(void)
{
	double v = pow(unit(), -1.8);

	return v < 9e10 ? (int64_t)v : 90000000000;
}

static int64_t (*const distribution[])(void) = { uniform,   constant,  exponential,
						 lognormal, two_modes, long_tail };
static const double quantile[] = { 0.0001, 0.001, 0.01, 0.1,  0.25,  0.5,
				   0.75,   0.9,	  0.99, 0.999, 0.9999, 0.99999 };

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void fill(int which)
{
	int i;

	hist_reset(&h);
	for (i = 0; i < VALUES; i++) {
		value[i] = distribution[which]();
		hist_record(&h, value[i]);
	}
	qsort(value, VALUES, sizeof(value[0]), compare);
}

START_TEST(quantiles_are_within_one_in_a_thousand)
{
	size_t i;

	fill(_i);
	for (i = 0; i < sizeof(quantile) / sizeof(quantile[0]); i++) {
		int64_t rank = (int64_t)ceil(quantile[i] * VALUES - 1e-6);
		int64_t exact = value[rank - 1];
		int64_t got = (int64_t)hist_quantile(&h, quantile[i]);

		ck_assert_int_ge(got, exact);
		ck_assert_int_le(got, exact + exact / 1000);
	}
}
END_TEST

START_TEST(moments_are_exact)
{
	double sum = 0, squares = 0, mean, sd;
	int i;

	fill(_i);
	for (i = 0; i < VALUES; i++)
		sum += (double)value[i];
	mean = sum / VALUES;
	for (i = 0; i < VALUES; i++)
		squares += ((double)value[i] - mean) * ((double)value[i] - mean);
	ck_assert_uint_eq(h.count, VALUES);
	ck_assert_int_eq((int64_t)h.min, value[0]);
	ck_assert_int_eq((int64_t)h.max, value[VALUES - 1]);
	ck_assert_int_eq((int64_t)hist_quantile(&h, 0), value[0]);
	ck_assert_int_eq((int64_t)hist_quantile(&h, 1), value[VALUES - 1]);
	ck_assert_double_eq_tol(hist_mean(&h), mean, mean * 1e-9);
	sd = sqrt(squares / VALUES);
	ck_assert_double_eq_tol(hist_stddev(&h), sd, (sd + mean) * 1e-3 + 1e-3);
}
END_TEST

START_TEST(merged_parts_equal_the_whole)
{
	int i;

	for (i = 0; i < 3; i++)
		hist_reset(&part[i]);
	fill(_i);
	for (i = 0; i < VALUES; i++)
		hist_record(&part[i < 10 ? 0 : 1], value[i]);
	hist_merge(&part[2], &part[1]);
	hist_merge(&part[2], &part[0]);
	hist_merge(&part[2], &(struct hist){ .count = 0 });
	ck_assert_mem_eq(&part[2], &h, sizeof(h));
}
END_TEST

START_TEST(bins_cover_every_value_once)
{
	unsigned int i;

	ck_assert_uint_eq(hist_bin_low(0), 0);
	for (i = 0; i < HIST_BINS; i++) {
		uint64_t low = hist_bin_low(i), high = hist_bin_high(i);

		ck_assert_uint_eq(hist_bin(low), i);
		ck_assert_uint_eq(hist_bin(high), i);
		ck_assert_uint_le(high - low, low / 1024);
		if (i + 1 < HIST_BINS)
			ck_assert_uint_eq(hist_bin_low(i + 1), high + 1);
	}
	ck_assert_uint_lt(hist_bin(HIST_MAX), HIST_BINS);
}
END_TEST

START_TEST(zeroed_memory_is_empty)
{
	memset(&h, 0, sizeof(h));
	ck_assert_uint_eq(hist_quantile(&h, 0.5), 0);
	ck_assert_double_eq(hist_mean(&h), 0);
	ck_assert(!hist_supports(&h, 0.5));
	hist_record(&h, 77);
	ck_assert_uint_eq(h.min, 77);
	ck_assert_uint_eq(hist_quantile(&h, 0.5), 77);
}
END_TEST

START_TEST(values_out_of_range_are_counted_and_clamped)
{
	hist_reset(&h);
	hist_record(&h, -5);
	hist_record(&h, INT64_MAX);
	hist_record(&h, (int64_t)HIST_MAX);
	ck_assert_uint_eq(h.under, 1);
	ck_assert_uint_eq(h.over, 1);
	ck_assert_uint_eq(h.count, 3);
	ck_assert_uint_eq(h.min, 0);
	ck_assert_uint_eq(h.max, HIST_MAX);
}
END_TEST

START_TEST(touching_changes_nothing)
{
	fill(3);
	part[0] = h;
	hist_touch(&h);
	ck_assert_mem_eq(&h, &part[0], sizeof(h));
}
END_TEST

START_TEST(a_quantile_needs_ten_values_beyond)
{
	int i;

	hist_reset(&h);
	for (i = 0; i < 1000; i++)
		hist_record(&h, i);
	ck_assert(hist_supports(&h, 0.5));
	ck_assert(hist_supports(&h, 0.99));
	ck_assert(!hist_supports(&h, 0.991));
	ck_assert(!hist_supports(&h, 0.999));
}
END_TEST

/* Every line must have a value, a share and a count, all of them rising. */
static int check_table(FILE *f)
{
	double v, share, last_v = 0, last_share = 0;
	unsigned long long n, last_n = 0;
	char line[256];
	int lines = 0;

	ck_assert_ptr_nonnull(fgets(line, sizeof(line), f));
	ck_assert_ptr_nonnull(strstr(line, "Percentile"));
	while (fgets(line, sizeof(line), f) && line[0] != '#') {
		if (sscanf(line, "%lf %lf %llu", &v, &share, &n) != 3)
			continue;
		ck_assert(v >= last_v && share >= last_share && n > last_n);
		last_v = v;
		last_share = share;
		last_n = n;
		lines++;
	}
	ck_assert_double_eq(last_share, 1);
	ck_assert_uint_eq(last_n, VALUES);
	ck_assert_double_eq(last_v, (double)h.max);
	return lines;
}

START_TEST(hgrm_is_a_rising_table_up_to_the_maximum)
{
	FILE *f = tmpfile();

	ck_assert_ptr_nonnull(f);
	fill(_i);
	ck_assert_int_eq(hist_write_hgrm(&h, f), 0);
	rewind(f);
	ck_assert_int_gt(check_table(f), 20);
	fclose(f);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bench-hist");
	TCase *exact = tcase_create("exact"), *limits = tcase_create("limits");
	int n = sizeof(distribution) / sizeof(distribution[0]);

	tcase_add_loop_test(exact, quantiles_are_within_one_in_a_thousand, 0, n);
	tcase_add_loop_test(exact, moments_are_exact, 0, n);
	tcase_add_loop_test(exact, merged_parts_equal_the_whole, 0, n);
	tcase_add_loop_test(exact, hgrm_is_a_rising_table_up_to_the_maximum, 0, n);
	suite_add_tcase(suite, exact);
	tcase_add_test(limits, bins_cover_every_value_once);
	tcase_add_test(limits, zeroed_memory_is_empty);
	tcase_add_test(limits, values_out_of_range_are_counted_and_clamped);
	tcase_add_test(limits, touching_changes_nothing);
	tcase_add_test(limits, a_quantile_needs_ten_values_beyond);
	suite_add_tcase(suite, limits);
	return test_main(suite);
}
