/* SPDX-License-Identifier: MIT */
/* A server or a client killed behind each system call of a connection being made, and elsewhere. */
#include "fault/lib/deal.h"
#include "support.h"

#define OTHERS 40

START_TEST(killed_at_an_instruction_the_other_side_goes_on)
{
	deal_strike((enum deal)_i, OTHERS, 0, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("listener-kill");
	TCase *tcase = tcase_create("listener-kill");
	const char *unavailable = stepper_unavailable();

	if (unavailable)
		test_skip_all(unavailable);
	tcase_add_loop_test(tcase, killed_at_an_instruction_the_other_side_goes_on, 0, DEAL_COUNT);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
