/* SPDX-License-Identifier: MIT */
/* As tests/fault/test-handle-kill.c, at many of the instructions. */
#include "fault/lib/travel.h"
#include "support.h"

#define CASE_SECONDS 600
/* All of an import, which are 13000, would take an hour. */
#define POINTS 60

START_TEST(killed_at_many_instructions_nothing_is_lost)
{
	travel_kill((size_t)_i, POINTS);
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
	tcase_add_loop_test(tcase, killed_at_many_instructions_nothing_is_lost, 0,
			    (int)travel_count());
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
