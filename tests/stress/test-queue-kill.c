/* SPDX-License-Identifier: MIT */
/* As tests/fault/test-queue-kill.c, at each instruction in all states. */
#include "fault/lib/queue-strike.h"

#define CASE_SECONDS	3600
/* Cases of an act, so that a failure does not end all of it. */
#define PARTS		4

START_TEST(killed_at_each_instruction_nothing_is_lost)
{
	const struct qstrike_plan plan = { .nth = (uint32_t)_i % PARTS, .of = PARTS };

	qstrike_act((size_t)_i / PARTS, &plan);
}
END_TEST

START_TEST(totals_are_printed)
{
	qstrike_report();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("queue-kill");
	TCase *tcase = tcase_create("kill");
	const char *unavailable = stepper_unavailable();

	if (unavailable)
		test_skip_all(unavailable);
	qstrike_init();
	tcase_set_timeout(tcase, CASE_SECONDS);
	tcase_add_loop_test(tcase, killed_at_each_instruction_nothing_is_lost, 0,
			    (int)qact_count * PARTS);
	tcase_add_test(tcase, totals_are_printed);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
