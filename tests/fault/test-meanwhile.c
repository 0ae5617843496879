/* SPDX-License-Identifier: MIT */
/*
 * A process stopped in the middle of a call, while its peer does all of its part: sends, receives,
 * goes to sleep, asks for the descriptor. Whatever the first had seen by then, both go on at once:
 * no wake-up is lost between any two instructions.
 */
#include "fault/lib/strike.h"

#define POINTS 2

START_TEST(peer_does_its_part_meanwhile_no_wake_up_is_lost)
{
	const struct strike_plan plan = { .most = POINTS, .hold_ns = 1, .meanwhile = true };

	strike_scene((size_t)_i, &plan);
}
END_TEST

START_TEST(totals_are_printed)
{
	strike_report();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("meanwhile");
	TCase *tcase = tcase_create("meanwhile");
	const char *unavailable = stepper_unavailable();

	if (unavailable)
		test_skip_all(unavailable);
	strike_init();
	test_add_some(tcase, peer_does_its_part_meanwhile_no_wake_up_is_lost, scene_count());
	tcase_add_test(tcase, totals_are_printed);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
