/* SPDX-License-Identifier: MIT */
/*
 * A process killed while it pumps: another one pumps on, no message is lost, and those that are
 * written twice are known by their origin. Beside each system call, and at some of the other
 * instructions; tests/stress/test-pump-kill.c kills at each.
 */
#include "fault/lib/pump-strike.h"
#include "pipe-tools.h"

#include <malloc.h>

#define POINTS 20

START_TEST(killed_at_an_instruction_another_pumps_on)
{
	pump_strike((size_t)_i, POINTS / LESS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pump-kill");
	TCase *tcase = tcase_create("kill");
	const char *unavailable = stepper_unavailable();

	/* What test runners ask for: filling what is freed is many instructions. */
	mallopt(M_PERTURB, 0);
	if (unavailable)
		test_skip_all(unavailable);
	tcase_add_loop_test(tcase, killed_at_an_instruction_another_pumps_on, 0,
			    (int)(LESS > 1 ? pump_acts_short : pump_act_count));
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
