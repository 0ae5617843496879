/* SPDX-License-Identifier: MIT */
/* As tests/fault/test-kill.c, at each instruction. */
#include "fault/lib/strike.h"

#define CASE_SECONDS 1800

START_TEST(killed_at_each_instruction_nothing_is_lost)
{
	const struct strike_plan plan = { 0 };

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
	tcase_set_timeout(tcase, CASE_SECONDS);
	tcase_add_loop_test(tcase, killed_at_each_instruction_nothing_is_lost, 0,
			    (int)scene_count());
	tcase_add_test(tcase, totals_are_printed);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
