/* SPDX-License-Identifier: MIT */
/* As tests/fault/test-queue-stop.c, at many instructions in all states. */
#include "fault/lib/queue-strike.h"

#define CASE_SECONDS	3600
/* Cases of an act, so that a failure does not end all of it. */
#define PARTS		4
#define POINTS		12

START_TEST(stopped_at_many_instructions_nobody_is_held_up)
{
	const struct qstrike_plan plan = { .nth = (uint32_t)_i % PARTS, .of = PARTS,
					   .most = POINTS, .stop = true };

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
	Suite *suite = suite_create("queue-stop");
	TCase *tcase = tcase_create("stop");
	const char *unavailable = stepper_unavailable();

	if (unavailable)
		test_skip_all(unavailable);
	qstrike_init();
	tcase_set_timeout(tcase, CASE_SECONDS);
	tcase_add_loop_test(tcase, stopped_at_many_instructions_nobody_is_held_up, 0,
			    (int)qact_count * PARTS);
	tcase_add_test(tcase, totals_are_printed);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
