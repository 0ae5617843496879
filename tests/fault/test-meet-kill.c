/* SPDX-License-Identifier: MIT */
/*
 * A process killed in the middle of a call on an event, a condition or a barrier: those who wait
 * there return, and know why. At some of the instructions; tests/stress/test-meet-kill.c kills at
 * each.
 */
#include "fault/lib/meet-strike.h"
#include "support.h"

#define POINTS	5

START_TEST(killed_at_an_instruction_nobody_hangs)
{
	mstrike_scene((size_t)_i, POINTS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("meet-kill");
	TCase *tcase = tcase_create("kill");
	const char *unavailable = stepper_unavailable();

	if (unavailable)
		test_skip_all(unavailable);
	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, killed_at_an_instruction_nobody_hangs, 0, (int)mstrike_count());
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
