/* SPDX-License-Identifier: MIT */
/* As tests/fault/test-scribble.c, at full speed for longer. */
#include "fault/lib/scribble.h"

#define LIVE_NS		INT64_C(15000000000)
#define CASE_SECONDS	120

START_TEST(scribbler_at_full_speed_is_an_error_at_worst)
{
	honest_live((enum scribble)_i, LIVE_NS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("scribble");
	TCase *tcase = tcase_create("scribble");

	tcase_set_timeout(tcase, CASE_SECONDS);
	tcase_add_loop_test(tcase, scribbler_at_full_speed_is_an_error_at_worst, 0, SCRIBBLE_COUNT);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
