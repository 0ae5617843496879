/* SPDX-License-Identifier: MIT */
/*
 * As tests/fault/test-stop.c, for a second each: longer than anything that the library waits for in
 * small steps.
 */
#include "fault/lib/strike.h"

#define POINTS 12
#define HOLD_NS INT64_C(1000000000)
#define CASE_SECONDS 1800

START_TEST(stopped_for_a_second_nothing_false_happens)
{
	const struct strike_plan plan = { .most = POINTS, .hold_ns = HOLD_NS };

	strike_scene((size_t)_i, &plan);
}
END_TEST

START_TEST(totals_are_printed)
{
	strike_report();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stop");
	TCase *tcase = tcase_create("stop");
	const char *unavailable = stepper_unavailable();

	if (unavailable)
		test_skip_all(unavailable);
	strike_init();
	tcase_set_timeout(tcase, CASE_SECONDS);
	tcase_add_loop_test(tcase, stopped_for_a_second_nothing_false_happens, 0,
			    (int)scene_count());
	tcase_add_test(tcase, totals_are_printed);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
