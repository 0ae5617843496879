/* SPDX-License-Identifier: MIT */
/* As tests/fault/test-meanwhile.c, at more instructions. */
#include "fault/lib/strike.h"

#define POINTS 100
#define CASE_SECONDS 1800

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
	tcase_set_timeout(tcase, CASE_SECONDS);
	tcase_add_loop_test(tcase, peer_does_its_part_meanwhile_no_wake_up_is_lost, 0,
			    (int)scene_count());
	tcase_add_test(tcase, totals_are_printed);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
