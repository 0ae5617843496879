/* SPDX-License-Identifier: MIT */
/* As tests/fault/test-lock-scribble.c, for three minutes. */
#include "fault/lib/lock-scribble.h"
#include "support.h"

#define LIVE_NS (INT64_C(180000) * 1000000)

START_TEST(word_with_any_value_is_an_error_at_worst)
{
	lock_scribble_words();
}
END_TEST

START_TEST(scribbler_at_full_speed_is_an_error_at_worst)
{
	lock_scribble_live(LIVE_NS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lock-scribble");
	TCase *tcase = tcase_create("scribble");

	tcase_set_timeout(tcase, 900);
	tcase_add_test(tcase, word_with_any_value_is_an_error_at_worst);
	tcase_add_test(tcase, scribbler_at_full_speed_is_an_error_at_worst);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
