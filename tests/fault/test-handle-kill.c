/* SPDX-License-Identifier: MIT */
/*
 * A process killed in the middle of exporting, importing, sending or receiving an end: the end is
 * there or not, nothing of the pipe is lost, and the last copy is known to be the last. Before each
 * system call, and at a few of the instructions; tests/stress/test-handle-kill.c kills at many.
 */
#include "fault/lib/travel.h"
#include "pipe-tools.h"

#define POINTS 2

START_TEST(killed_before_each_call_nothing_is_lost)
{
	travel_kill_at_calls((size_t)_i);
}
END_TEST

START_TEST(killed_at_an_instruction_nothing_is_lost)
{
	travel_kill((size_t)_i, POINTS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("handle-kill");
	TCase *tcase = tcase_create("kill");

	tcase_add_loop_test(tcase, killed_before_each_call_nothing_is_lost, 0,
			    (int)travel_count());
	if (stepper_unavailable())
		test_left_out("killed_at_an_instruction_nothing_is_lost", stepper_unavailable());
	else if (LESS > 1)
		test_left_out("killed_at_an_instruction_nothing_is_lost",
			      "a sanitizer makes ten times as many instructions");
	else
		tcase_add_loop_test(tcase, killed_at_an_instruction_nothing_is_lost, 0,
				    (int)travel_count());
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
