/* SPDX-License-Identifier: MIT */
/* At some of the instructions; tests/stress/test-lock-kill.c does so at each. */
#include "fault/lib/lock-strike.h"
#include "support.h"

#define POINTS 2

START_TEST(killed_at_an_instruction_the_lock_lives_on)
{
	/* Other points for each act, from the same seed. */
	for (int i = 0; i < _i; i++)
		test_random();
	lock_strike_act((size_t)_i, POINTS, false);
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
	tcase_add_loop_test(tcase, killed_at_an_instruction_the_lock_lives_on, 0,
			    (int)lock_act_count);
	tcase_add_test(tcase, totals_are_printed);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
