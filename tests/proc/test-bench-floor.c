/* SPDX-License-Identifier: MIT */
/*
 * The limits are measured, plausible and repeatable; placement classes are what they are called.
 * Numbers are only held against limits that no machine crosses: the machine may be busy.
 */
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/clock.h"
#include "bench/floor.h"
#include "support.h"

static int cpu[2];

static const char *one_cpu(void)
{
	int kind = bench_default_pair(cpu);

	return kind < 0 || kind == BENCH_PAIR_ONE ? "needs two CPUs" : NULL;
}

START_TEST(classes_follow_brackets_and_cpus)
{
	ck_assert_int_eq(floor_class(100, 120, 0, 1), FLOOR_NEAR);
	ck_assert_int_eq(floor_class(199, 200.9, 0, 1), FLOOR_NEAR);
	ck_assert_int_eq(floor_class(200, 200, 0, 1), FLOOR_FAR);
	ck_assert_int_eq(floor_class(190, 215, 0, 1), FLOOR_FAR);
	ck_assert_int_eq(floor_class(NAN, NAN, 1, 1), FLOOR_SAME_CPU);
	ck_assert_int_eq(floor_class(100, 100, -1, 0), FLOOR_UNPINNED);
	ck_assert_int_eq(floor_class(100, 100, -1, -1), FLOOR_UNPINNED);
	ck_assert_str_eq(floor_class_name(FLOOR_NEAR), "near");
	ck_assert_str_eq(floor_class_name(FLOOR_FAR), "far");
	ck_assert_str_eq(floor_class_name(FLOOR_SAME_CPU), "same-cpu");
	ck_assert_str_eq(floor_class_name(FLOOR_UNPINNED), "unpinned");
	ck_assert_double_eq(floor_rtt(100, 150), 125);
}
END_TEST

START_TEST(brackets_more_than_30_percent_apart_are_unstable)
{
	ck_assert(!floor_unstable(100, 130, 0, 1));
	ck_assert(floor_unstable(100, 131, 0, 1));
	ck_assert(floor_unstable(131, 100, 0, 1));
	ck_assert(!floor_unstable(130, 100, 0, 1));
	ck_assert(floor_unstable(NAN, 100, 0, 1));
	ck_assert(floor_unstable(100, NAN, 0, 1));
	ck_assert(!floor_unstable(NAN, NAN, 1, 1));
	ck_assert(!floor_unstable(100, 500, -1, -1));
}
END_TEST

/* Whether processes that do nothing but run on the two CPUs do not get to. */
static int is_kept_waiting(void *arg)
{
	int64_t until = bench_now() + BENCH_NS / 20, before = child_starved(getpid());

	if (bench_pin(*(int *)arg))
		return 0;
	while (bench_now() < until)
		;
	return child_starved(getpid()) - before > BENCH_NS / 100;
}

static bool machine_is_busy(void)
{
	struct child a = child_start(is_kept_waiting, &cpu[0]);
	struct child b = child_start(is_kept_waiting, &cpu[1]);
	int waited = child_join(&a);

	return child_join(&b) || waited;
}

/* Two sides, as the processes of a repeat are. */
struct sides {
	struct floor_line line;
	double ns[2][3];
};

static struct sides *sides;

static int one_side(void *arg)
{
	int side = arg != NULL, i;

	child_check(bench_pin(cpu[side]) == 0);
	for (i = 0; i < 3; i++)
		sides->ns[side][i] = floor_line_side(&sides->line, side);
	return 0;
}

START_TEST(both_sides_get_the_same_number_each_time)
{
	struct child a, b;
	int i, known = 0, tries;

	/* A part of a measurement may be lost to another program on this CPU, or all of it. */
	for (tries = 0; tries < 10 && known < 3; tries++) {
		if (tries > 0 && machine_is_busy())
			break;
		sides = shared_alloc(sizeof(*sides));
		a = child_start(one_side, NULL);
		b = child_start(one_side, sides);
		child_join_ok(&a);
		child_join_ok(&b);
		for (i = 0, known = 0; i < 3; i++)
			known += isfinite(sides->ns[0][i]) && isfinite(sides->ns[1][i]);
	}
	ck_assert(known == 3 || tries < 10);
	for (i = 0; i < 3; i++) {
		if (known < 3 && !(isfinite(sides->ns[0][i]) && isfinite(sides->ns[1][i])))
			continue;
		ck_assert_double_eq(sides->ns[0][i], sides->ns[1][i]);
		ck_assert_double_gt(sides->ns[0][i], 5);
		ck_assert_double_lt(sides->ns[0][i], 60000);
	}
}
END_TEST

START_TEST(a_missing_side_is_not_waited_for_for_ever)
{
	int64_t start = bench_now();

	sides = shared_alloc(sizeof(*sides));
	ck_assert_double_nan(floor_line_side(&sides->line, 0));
	ck_assert_int_lt(bench_now() - start, 10 * BENCH_NS);
}
END_TEST

static void check_rates(const struct floor_limits *f)
{
	int i;

	for (i = 0; i < FLOOR_SIZES; i++) {
		ck_assert_double_gt(f->fill_bytes_per_s[i], 1e6);
		ck_assert_double_gt(f->fill_copy_bytes_per_s[i], 1e6);
		ck_assert_double_lt(f->fill_bytes_per_s[i], 1e13);
	}
	ck_assert_double_gt(f->memcpy_bytes_per_s, 1e7);
	ck_assert_double_gt(f->null_syscall_ns, 5);
	ck_assert_double_gt(f->timer_ns, 1);
}

START_TEST(all_limits_are_known_between_two_cpus)
{
	struct resources before = resources_begin();
	struct floor_limits f;
	int tries = 0;
	bool known;

	do {
		ck_assert_int_lt(tries++, 5);
		memset(&f, 0, sizeof(f));
		ck_assert_int_eq(floor_measure(cpu[0], cpu[1], &f), 0);
		known = isfinite(f.cacheline_rtt_ns) && isfinite(f.crosscore_bytes_per_s) &&
			isfinite(f.wake_ns);
	} while (!known && !machine_is_busy());
	check_rates(&f);
	/* What was not lost to another program. */
	ck_assert(!(f.cacheline_rtt_ns <= 5));
	ck_assert(!(f.crosscore_bytes_per_s <= 1e6));
	ck_assert(!(f.wake_ns <= 100));
	resources_check(&before);
}
END_TEST

START_TEST(one_cpu_leaves_out_what_needs_two)
{
	struct floor_limits f;
	json_t *j;

	ck_assert_int_eq(floor_measure(cpu[0], cpu[0], &f), 0);
	check_rates(&f);
	ck_assert_double_nan(f.cacheline_rtt_ns);
	ck_assert_double_nan(f.crosscore_bytes_per_s);
	j = floor_json(&f);
	ck_assert(json_is_null(json_object_get(j, "cacheline_rtt_ns")));
	ck_assert(json_is_real(json_object_get(j, "null_syscall_ns")));
	ck_assert(json_is_real(json_object_get(json_object_get(j, "fill_bytes_per_s"), "64")));
	ck_assert_uint_eq(json_object_size(json_object_get(j, "fill_copy_bytes_per_s")),
			  FLOOR_SIZES);
	json_decref(j);
}
END_TEST

START_TEST(measuring_gives_the_affinity_back)
{
	cpu_set_t before, after;

	sched_getaffinity(0, sizeof(before), &before);
	floor_bracket(cpu[0], cpu[1]);
	floor_wake_ns(cpu[0], cpu[1]);
	sched_getaffinity(0, sizeof(after), &after);
	ck_assert(CPU_EQUAL(&before, &after));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bench-floor");
	TCase *classes = tcase_create("classes"), *measured = tcase_create("measured");
	const char *why = one_cpu();

	tcase_add_test(classes, classes_follow_brackets_and_cpus);
	tcase_add_test(classes, brackets_more_than_30_percent_apart_are_unstable);
	suite_add_tcase(suite, classes);
	test_add_unless(measured, why, both_sides_get_the_same_number_each_time);
	tcase_add_test(measured, a_missing_side_is_not_waited_for_for_ever);
	test_add_unless(measured, why, all_limits_are_known_between_two_cpus);
	tcase_add_test(measured, one_cpu_leaves_out_what_needs_two);
	tcase_add_test(measured, measuring_gives_the_affinity_back);
	suite_add_tcase(suite, measured);
	return test_main(suite);
}
