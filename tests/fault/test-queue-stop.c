/* SPDX-License-Identifier: MIT */
/*
 * A process stopped in the middle of a call on a queue, while others put and get thousands of
 * messages: nothing is in their way, it is not taken for dead, and when it is continued all that it
 * was about to do is done, once. tests/stress/test-queue-stop.c stops at more instructions.
 */
#include "fault/lib/queue-strike.h"

#define STATES		1
#define POINTS		3

START_TEST(stopped_at_an_instruction_nobody_is_held_up)
{
	const struct qstrike_plan plan = { .states = STATES, .most = POINTS, .stop = true };

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
	Suite *suite = suite_create("queue-stop");
	TCase *tcase = tcase_create("stop");
	const char *unavailable = stepper_unavailable();

	if (unavailable)
		test_skip_all(unavailable);
	qstrike_init();
	test_add_some(tcase, stopped_at_an_instruction_nobody_is_held_up, qact_count);
	tcase_add_test(tcase, totals_are_printed);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
