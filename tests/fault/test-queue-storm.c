/* SPDX-License-Identifier: MIT */
/*
 * Processes on a queue that are killed, stopped and continued at random, for three seconds.
 * tests/stress/test-queue-storm.c has more time.
 */
#include "fault/lib/queue-storm.h"
#include "support.h"

#define STORM_NS INT64_C(3000000000)

START_TEST(storm_loses_and_doubles_nothing)
{
	qstorm(STORM_NS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("queue-storm");
	TCase *tcase = tcase_create("storm");

	if (kernel_unavailable())
		test_skip_all(kernel_unavailable());
	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, storm_loses_and_doubles_nothing);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
