/* SPDX-License-Identifier: MIT */
/*
 * Processes killed, stopped and continued at random amid sending, receiving and taking over:
 * nothing is lost, doubled or out of order. tests/stress/test-storm.c goes on for a minute.
 */
#include "fault/lib/storm.h"

#define STORM_NS	INT64_C(3000000000)

START_TEST(processes_killed_and_stopped_for_seconds_lose_nothing)
{
	storm(STORM_NS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("storm");
	TCase *tcase = tcase_create("storm");

	tcase_add_test(tcase, processes_killed_and_stopped_for_seconds_lose_nothing);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
