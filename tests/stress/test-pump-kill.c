/* SPDX-License-Identifier: MIT */
/* As tests/fault/test-pump-kill.c, killed at each instruction. */
#include "fault/lib/pump-strike.h"
#include "support.h"

#include <malloc.h>

#define CASE_SECONDS 1500

START_TEST(killed_at_each_instruction_another_pumps_on)
{
	pump_strike((size_t)_i, 0);
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
	tcase_set_timeout(tcase, CASE_SECONDS);
	tcase_add_loop_test(tcase, killed_at_each_instruction_another_pumps_on, 0,
			    (int)pump_act_count);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
