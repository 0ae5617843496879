/* SPDX-License-Identifier: MIT */
/*
 * A process stopped in the middle of a call for some milliseconds, and continued: its end is not
 * taken from it, no hang-up is seen, and all that it was about to do is done, once.
 * tests/stress/test-stop.c stops at more instructions, and for a second.
 */
#include "fault/lib/strike.h"

#define POINTS 1
#define HOLD_NS INT64_C(10000000)

START_TEST(stopped_at_an_instruction_nothing_false_happens)
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
	test_add_some(tcase, stopped_at_an_instruction_nothing_false_happens, scene_count());
	tcase_add_test(tcase, totals_are_printed);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
