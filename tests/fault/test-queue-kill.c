/* SPDX-License-Identifier: MIT */
/*
 * A process killed in the middle of a call on a queue: no message is lost, doubled without saying
 * so, torn or out of order, nobody is held up, and no slot, frame, chunk or seat is gone. At some
 * of the instructions in some states; tests/stress/test-queue-kill.c kills at each in all.
 */
#include "fault/lib/queue-strike.h"

#define STATES		1
#define POINTS		3

START_TEST(killed_at_an_instruction_nothing_is_lost)
{
	const struct qstrike_plan plan = { .states = STATES, .most = POINTS };

	/* Other states for each act, from the same seed. */
	for (int i = 0; i < _i; i++)
		test_random();
	qstrike_act((size_t)_i, &plan);
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
	test_add_some(tcase, killed_at_an_instruction_nothing_is_lost, qact_count);
	tcase_add_test(tcase, totals_are_printed);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
