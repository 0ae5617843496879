/* SPDX-License-Identifier: MIT */
/*
 * Processes with a lock that are killed, stopped and continued at random, for two seconds.
 * tests/stress/test-lock-storm.c has more time.
 */
#include "fault/lib/lock-storm.h"
#include "support.h"

#define STORM_NS (INT64_C(2) * 1000000000)

START_TEST(storm_steals_and_loses_nothing)
{
	lock_storm(STORM_NS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lock-storm");
	TCase *tcase = tcase_create("storm");

	if (kernel_unavailable())
		test_skip_all(kernel_unavailable());
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, storm_steals_and_loses_nothing);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
