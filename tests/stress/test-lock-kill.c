/* SPDX-License-Identifier: MIT */
/* As tests/fault/test-lock-kill.c, at each instruction. */
#include "fault/lib/lock-strike.h"
#include "support.h"

#define CASE_SECONDS 3600

START_TEST(killed_at_an_instruction_the_lock_lives_on)
{
	lock_strike_act((size_t)_i, 0, false);
}
END_TEST

START_TEST(totals_are_printed)
{
	lock_strike_report();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lock-kill");
	TCase *tcase = tcase_create("kill");
	const char *unavailable = stepper_unavailable();

	if (unavailable)
		test_skip_all(unavailable);
	lock_strike_init();
	tcase_set_timeout(tcase, CASE_SECONDS);
	tcase_add_loop_test(tcase, killed_at_an_instruction_the_lock_lives_on, 0,
			    (int)lock_act_count);
	tcase_add_test(tcase, totals_are_printed);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
