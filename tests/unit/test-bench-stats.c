/* SPDX-License-Identifier: MIT */
/*
 * Medians, intervals, groups, ratios and ties, against values worked out by hand.
 */
#include <math.h>
#include <string.h>

#include "bench/stats.h"
#include "support.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Ranks of 95 % intervals of a median, from published tables. */
static const struct {
	size_t n, low, high;
} table[] = {
	{ 6, 1, 6 },	{ 7, 1, 7 },	{ 8, 1, 8 },	{ 9, 2, 8 },	 { 10, 2, 9 },
	{ 11, 2, 10 },	{ 12, 3, 10 },	{ 15, 4, 12 },	{ 17, 5, 13 },	 { 20, 6, 15 },
	{ 25, 8, 18 },	{ 30, 10, 21 }, { 50, 18, 33 }, { 100, 40, 61 }, { 1000, 469, 532 },
};

START_TEST(median_of_odd_even_and_none)
{
	double odd[] = { 9, 1, 5 }, even[] = { 4, 1, 3, 2 };

	ck_assert_double_eq(stats_median(odd, 3), 5);
	ck_assert_double_eq(stats_median(even, 4), 2.5);
	ck_assert_double_eq(odd[0], 9); /* the order is kept */
	ck_assert_double_nan(stats_median(odd, 0));
}
END_TEST

START_TEST(ranks_are_those_of_the_table)
{
	size_t low = 0, high = 0;

	ck_assert(stats_ci_ranks(table[_i].n, &low, &high));
	ck_assert_uint_eq(low, table[_i].low);
	ck_assert_uint_eq(high, table[_i].high);
}
END_TEST

/* Probability that the median lies between the ranks, straight from the definition. */
static double coverage(size_t n, size_t low, size_t high)
{
	double p = exp2(-(double)n), sum = 0;
	size_t k;

	for (k = 0; k <= n; k++) {
		if (k >= low && k < high)
			sum += p;
		p *= (double)(n - k) / (double)(k + 1);
	}
	return sum;
}

START_TEST(ranks_are_the_narrowest_that_cover_95_percent)
{
	size_t n, low, high;

	for (n = 6; n <= 300; n++) {
		ck_assert(stats_ci_ranks(n, &low, &high));
		ck_assert_double_ge(coverage(n, low, high), 0.95);
		ck_assert_double_lt(coverage(n, low + 1, high - 1), 0.95);
	}
}
END_TEST

START_TEST(ranks_of_very_many_follow_the_normal_distribution)
{
	size_t low, high;

	ck_assert(stats_ci_ranks(5000, &low, &high));
	ck_assert_uint_eq(low, 2431);
	ck_assert_uint_eq(high, 2570);
}
END_TEST

START_TEST(no_interval_below_six)
{
	double v[] = { 5, 1, 4, 2, 3 };
	struct stats_median m = stats_median_ci(v, 5);
	size_t low, high;

	ck_assert(!stats_ci_ranks(5, &low, &high));
	ck_assert_double_eq(m.median, 3);
	ck_assert_double_nan(m.low);
	ck_assert_double_nan(m.high);
	ck_assert_uint_eq(m.n, 5);
}
END_TEST

START_TEST(interval_of_six_is_min_to_max)
{
	double v[] = { 30, 10, 60, 20, 50, 40 };
	struct stats_median m = stats_median_ci(v, 6);

	ck_assert_double_eq(m.median, 35);
	ck_assert_double_eq(m.low, 10);
	ck_assert_double_eq(m.high, 60);
}
END_TEST

START_TEST(interval_of_ten_drops_one_at_each_end)
{
	double v[] = { 100, 2, 3, 4, 5, 6, 7, 8, 9, 0.1 };
	struct stats_median m = stats_median_ci(v, 10);

	ck_assert_double_eq(m.median, 5.5);
	ck_assert_double_eq(m.low, 2);
	ck_assert_double_eq(m.high, 9);
}
END_TEST

START_TEST(two_groups_are_found_with_their_centres)
{
	double v[] = { 210, 100, 105, 200, 95, 190, 220, 102 };
	struct stats_modes m = stats_modes(v, COUNT(v));

	ck_assert(m.bimodal);
	ck_assert_double_eq(m.centre[0], 101); /* 95 100 102 105 */
	ck_assert_double_eq(m.centre[1], 205); /* 190 200 210 220 */
	ck_assert_uint_eq(m.count[0], 4);
	ck_assert_uint_eq(m.count[1], 4);
}
END_TEST

START_TEST(groups_at_the_limit_are_one)
{
	double at[] = { 100, 100, 150, 150 }, beyond[] = { 100, 100, 151, 151 };

	ck_assert(!stats_modes(at, 4).bimodal);
	ck_assert(stats_modes(beyond, 4).bimodal);
}
END_TEST

START_TEST(one_far_value_is_no_group)
{
	double v[] = { 100, 101, 102, 103, 104, 900 };

	ck_assert(!stats_modes(v, COUNT(v)).bimodal);
	ck_assert_uint_eq(stats_outliers(v, COUNT(v)), 1);
}
END_TEST

START_TEST(far_value_does_not_hide_groups)
{
	double v[] = { 100, 101, 102, 200, 201, 202, 5000 };
	struct stats_modes m = stats_modes(v, COUNT(v));

	ck_assert(m.bimodal);
	ck_assert_uint_eq(m.count[0], 3);
	ck_assert_double_eq(m.centre[0], 101);
	ck_assert_double_eq(m.centre[1], 201.5);
}
END_TEST

START_TEST(a_wide_but_even_spread_is_one_group)
{
	double v[] = { 100, 130, 170, 220, 280, 360, 470, 600 };

	ck_assert(!stats_modes(v, COUNT(v)).bimodal);
	ck_assert(!stats_modes(v, 3).bimodal);
	ck_assert(!stats_modes(v, 0).bimodal);
}
END_TEST

START_TEST(outliers_are_counted_beyond_the_fences)
{
	/* quartiles 3 and 8, fences -4.5 and 15.5 */
	double v[] = { 1, 2, 3, 4, 5, 6, 7, 8, 15.4, 15.6 };

	ck_assert_uint_eq(stats_outliers(v, COUNT(v)), 1);
	ck_assert_uint_eq(stats_outliers(v, 5), 0);
}
END_TEST

START_TEST(ratios_join_equal_blocks_and_placements)
{
	/* block 1 differs in class, 2 is missing on one side, 3 was run again, 4 is unstable */
	struct stats_point a[] = { { 100, 0, 0 },  { 100, 1, 0 }, { 100, 2, 0 },
				   { 100, 3, -1 }, { 300, 3, 1 }, { 100, 4, -1 } };
	struct stats_point b[] = {
		{ 50, 0, 0 }, { 50, 1, 1 }, { 100, 3, 0 }, { 100, 3, 1 }, { 50, 4, 0 }
	};
	double ratio[6];

	ck_assert_uint_eq(stats_block_ratios(a, COUNT(a), b, COUNT(b), ratio, 6), 2);
	ck_assert_double_eq(ratio[0], 2);
	ck_assert_double_eq(ratio[1], 3);
	ck_assert_uint_eq(stats_block_ratios(a, COUNT(a), b, COUNT(b), ratio, 1), 1);
}
END_TEST

START_TEST(the_last_run_of_a_block_counts)
{
	struct stats_point a[] = { { 100, 0, 0 }, { 400, 0, 0 } };
	struct stats_point b[] = { { 50, 0, 0 }, { 100, 0, 0 }, { NAN, 0, 0 } };
	double ratio[2];

	ck_assert_uint_eq(stats_block_ratios(a, 2, b, 3, ratio, 2), 1);
	ck_assert_double_eq(ratio[0], 4);
}
END_TEST

START_TEST(a_ratio_is_the_median_of_ratios_not_of_values)
{
	struct stats_point a[7], b[7];
	struct stats_median m;
	int i;

	/* The machine gets ten times slower in the middle; the ratio stays 2, but for one block. */
	for (i = 0; i < 7; i++) {
		double speed = i < 4 ? 10 : 1;

		a[i] = (struct stats_point){ 2 * speed, i, 0 };
		b[i] = (struct stats_point){ speed, i, 0 };
	}
	a[6].value = 3;
	m = stats_ratio(a, 7, b, 7);
	ck_assert_uint_eq(m.n, 7);
	ck_assert_double_eq(m.median, 2);
	ck_assert_double_eq(m.low, 2);
	ck_assert_double_eq(m.high, 3);
	ck_assert_double_nan(stats_ratio(a, 0, b, 7).median);
	ck_assert_uint_eq(stats_ratio(a, 7, b, 0).n, 0);
}
END_TEST

START_TEST(overlapping_or_unknown_intervals_tie)
{
	struct stats_median low = { 5, 1, 10, 9 }, touch = { 15, 10, 20, 9 };
	struct stats_median high = { 30, 21, 40, 9 }, none = { 99, NAN, NAN, 3 };

	ck_assert(stats_tie(&low, &touch));
	ck_assert(!stats_tie(&touch, &high));
	ck_assert(!stats_tie(&high, &touch));
	ck_assert(stats_tie(&high, &none));
	ck_assert(stats_tie(&none, &low));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bench-stats");
	TCase *median = tcase_create("median"), *modes = tcase_create("modes");
	TCase *ratio = tcase_create("ratio");

	tcase_add_test(median, median_of_odd_even_and_none);
	tcase_add_loop_test(median, ranks_are_those_of_the_table, 0, COUNT(table));
	tcase_add_test(median, ranks_are_the_narrowest_that_cover_95_percent);
	tcase_add_test(median, ranks_of_very_many_follow_the_normal_distribution);
	tcase_add_test(median, no_interval_below_six);
	tcase_add_test(median, interval_of_six_is_min_to_max);
	tcase_add_test(median, interval_of_ten_drops_one_at_each_end);
	suite_add_tcase(suite, median);
	tcase_add_test(modes, two_groups_are_found_with_their_centres);
	tcase_add_test(modes, groups_at_the_limit_are_one);
	tcase_add_test(modes, one_far_value_is_no_group);
	tcase_add_test(modes, far_value_does_not_hide_groups);
	tcase_add_test(modes, a_wide_but_even_spread_is_one_group);
	tcase_add_test(modes, outliers_are_counted_beyond_the_fences);
	suite_add_tcase(suite, modes);
	tcase_add_test(ratio, ratios_join_equal_blocks_and_placements);
	tcase_add_test(ratio, the_last_run_of_a_block_counts);
	tcase_add_test(ratio, a_ratio_is_the_median_of_ratios_not_of_values);
	tcase_add_test(ratio, overlapping_or_unknown_intervals_tie);
	suite_add_tcase(suite, ratio);
	return test_main(suite);
}
