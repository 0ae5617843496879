/* SPDX-License-Identifier: MIT */
/*
 * A process killed in the middle of a call: no message is lost, doubled, torn or out of order, and
 * nobody hangs. At some of the instructions; tests/stress/test-kill.c kills at each of them.
 */
#include "fault/lib/strike.h"

#define POINTS 3

START_TEST(killed_at_an_instruction_nothing_is_lost)
{
	const struct strike_plan plan = { .most = POINTS };

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
	Suite *suite = suite_create("kill");
	TCase *tcase = tcase_create("kill");
	const char *unavailable = stepper_unavailable();

	if (unavailable)
		test_skip_all(unavailable);
	strike_init();
	test_add_some(tcase, killed_at_an_instruction_nothing_is_lost, scene_count());
	tcase_add_test(tcase, totals_are_printed);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
