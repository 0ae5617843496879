/* SPDX-License-Identifier: MIT */
/* As tests/fault/test-meet-kill.c, at each instruction. */
#include "fault/lib/meet-strike.h"
#include "support.h"

#define CASE_SECONDS 3600

START_TEST(killed_at_each_instruction_nobody_hangs)
{
	mstrike_scene((size_t)_i, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("meet-kill");
	TCase *tcase = tcase_create("kill");
	const char *unavailable = stepper_unavailable();

	if (unavailable)
		test_skip_all(unavailable);
	tcase_set_timeout(tcase, CASE_SECONDS);
	tcase_add_loop_test(tcase, killed_at_each_instruction_nobody_hangs, 0,
			    (int)mstrike_count());
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
