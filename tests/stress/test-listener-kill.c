/* SPDX-License-Identifier: MIT */
/* A server or a client killed at each instruction of a connection being made. */
#include "fault/lib/deal.h"
#include "support.h"

/* All of them. */
#define OTHERS SIZE_MAX
/* So that a case takes seconds, or a minute where the machine is busy. */
#define SLICES 10

START_TEST(killed_at_an_instruction_the_other_side_goes_on)
{
	deal_strike((enum deal)(_i / SLICES), OTHERS, (size_t)_i % SLICES, SLICES);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("listener-kill");
	TCase *tcase = tcase_create("listener-kill");
	const char *unavailable = stepper_unavailable();

	if (unavailable)
		test_skip_all(unavailable);
	tcase_add_loop_test(tcase, killed_at_an_instruction_the_other_side_goes_on, 0,
			    DEAL_COUNT * SLICES);
	tcase_set_timeout(tcase, 1000);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
