/* SPDX-License-Identifier: MIT */
/*
 * Somebody who writes what he likes into the memory of a queue: word by word, and at full speed.
 * tests/stress/test-queue-scribble.c tries each word with each value, and takes longer.
 */
#include "fault/lib/queue-scribble.h"
#include "support.h"

#define ONE_OF	16
#define LIVE_NS	INT64_C(700000000)

START_TEST(word_of_any_value_does_no_harm)
{
	qscribble_words(ONE_OF);
}
END_TEST

START_TEST(words_that_change_all_the_time_do_no_harm)
{
	qscribble_live(LIVE_NS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("queue-scribble");
	TCase *tcase = tcase_create("scribble");

	tcase_set_timeout(tcase, 300);
	tcase_add_test(tcase, word_of_any_value_does_no_harm);
	tcase_add_test(tcase, words_that_change_all_the_time_do_no_harm);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
