/* SPDX-License-Identifier: MIT */
/* As tests/fault/test-storm.c, for a minute. */
#include "fault/lib/storm.h"

#define STORM_NS	INT64_C(60000000000)
#define CASE_SECONDS	300

START_TEST(processes_killed_and_stopped_for_a_minute_lose_nothing)
{
	storm(STORM_NS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("storm");
	TCase *tcase = tcase_create("storm");

	tcase_set_timeout(tcase, CASE_SECONDS);
	tcase_add_test(tcase, processes_killed_and_stopped_for_a_minute_lose_nothing);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
