/* SPDX-License-Identifier: MIT */
/* As tests/fault/test-handle-kill.c, at each instruction. */
#include "fault/lib/travel.h"
#include "support.h"

#define CASE_SECONDS 600

START_TEST(killed_at_each_instruction_nothing_is_lost)
{
	travel_kill((size_t)_i, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("handle-kill");
	TCase *tcase = tcase_create("kill");
	const char *unavailable = stepper_unavailable();

	if (unavailable)
		test_skip_all(unavailable);
	tcase_set_timeout(tcase, CASE_SECONDS);
	tcase_add_loop_test(tcase, killed_at_each_instruction_nothing_is_lost, 0,
			    (int)travel_count());
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
