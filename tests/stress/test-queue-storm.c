/* SPDX-License-Identifier: MIT */
/* As tests/fault/test-queue-storm.c, until there are about ten thousand kills. */
#include "fault/lib/queue-storm.h"
#include "support.h"

#define STORM_NS INT64_C(240000000000)

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
	tcase_set_timeout(tcase, 1200);
	tcase_add_test(tcase, storm_loses_and_doubles_nothing);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
