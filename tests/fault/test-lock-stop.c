/* SPDX-License-Identifier: MIT */
/* At some of the instructions; tests/stress/test-lock-stop.c does so at each. */
#include "fault/lib/lock-strike.h"
#include "support.h"

#define POINTS 1

START_TEST(stopped_at_an_instruction_it_goes_on_as_if_nothing_had_been)
{
	/* Other points for each act, from the same seed. */
	for (int i = 0; i < _i; i++)
		test_random();
	lock_strike_act((size_t)_i, POINTS, true);
}
END_TEST

START_TEST(totals_are_printed)
{
	lock_strike_report();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lock-stop");
	TCase *tcase = tcase_create("stop");
	const char *unavailable = stepper_unavailable();

	if (unavailable)
		test_skip_all(unavailable);
	lock_strike_init();
	tcase_add_loop_test(tcase, stopped_at_an_instruction_it_goes_on_as_if_nothing_had_been, 0,
			    (int)lock_act_count);
	tcase_add_test(tcase, totals_are_printed);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
