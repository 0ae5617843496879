/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "weir/base.h"

#define PERIOD	(10 * NS_PER_MS)
#define LIMIT	63

/*
 * Time and deadlines
 */

START_TEST(now_goes_with_the_monotonic_clock)
{
	int64_t before = test_now(), now = clock_now(), after = test_now();

	ck_assert_int_le(before, now);
	ck_assert_int_le(now, after);
}
END_TEST

START_TEST(after_no_time_is_0)
{
	ck_assert_int_eq(weir_after(0), 0);
	ck_assert_int_eq(weir_after(-1), 0);
	ck_assert_int_eq(weir_after(-NS_PER_S), 0);
	ck_assert_int_eq(weir_after(INT64_MIN), 0);
}
END_TEST

START_TEST(after_a_duration_lies_that_far_ahead)
{
	static const int64_t durations[] = { 1, 999, NS_PER_US, NS_PER_S, 86400 * NS_PER_S };

	for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
		int64_t before = test_now(), deadline = weir_after(durations[i]),
			after = test_now();

		ck_assert_int_le(before + durations[i], deadline);
		ck_assert_int_le(deadline, after + durations[i]);
	}
}
END_TEST

START_TEST(after_too_long_a_duration_is_forever)
{
	ck_assert(weir_after(INT64_MAX) == WEIR_FOREVER);
	ck_assert(weir_after(INT64_MAX - 1) == WEIR_FOREVER);
	ck_assert(weir_after(INT64_MAX - test_now() + NS_PER_S * 100) == WEIR_FOREVER);
	/* Just short of it is a time like any other. */
	ck_assert(weir_after(INT64_MAX - test_now() - NS_PER_S * 100) < WEIR_FOREVER);
	ck_assert(weir_after(INT64_MAX - test_now() - NS_PER_S * 100) >
		  WEIR_FOREVER - NS_PER_S * 101);
}
END_TEST

START_TEST(after_leaves_errno_alone)
{
	errno = 4711;
	weir_after(1);
	clock_now();
	ck_assert_int_eq(errno, 4711);
}
END_TEST

START_TEST(cap_is_the_earlier_time_without_overflow)
{
	int64_t now = clock_now();

	ck_assert(clock_cap(now + 5, now, 10) == now + 5);
	ck_assert(clock_cap(now + 50, now, 10) == now + 10);
	ck_assert(clock_cap(now - 50, now, 10) == now - 50);
	ck_assert(clock_cap(1, now, 10) == 1);
	ck_assert(clock_cap(WEIR_FOREVER, now, 10) == now + 10);
	ck_assert(clock_cap(WEIR_FOREVER, now, 60 * NS_PER_S) == now + 60 * NS_PER_S);
}
END_TEST

/*
 * Pacer
 */

/* Make it look as if the last read had been @ns ago. */
static void age(struct pacer *p, int64_t ns)
{
	p->last_read = clock_now() - ns;
}

START_TEST(pacer_asked_for_the_first_time_is_due)
{
	struct pacer p = { 0 };

	ck_assert(pacer_due(&p, PERIOD, LIMIT));
	ck_assert(!p.quick);
}
END_TEST

START_TEST(pacer_asked_again_at_once_is_not_due)
{
	struct pacer p = { 0 };

	ck_assert(pacer_due(&p, 3600 * NS_PER_S, LIMIT));
	for (int i = 0; i < 10000; i++)
		ck_assert(!pacer_due(&p, 3600 * NS_PER_S, LIMIT));
}
END_TEST

START_TEST(pacer_asked_often_reads_the_clock_rarely_up_to_the_limit)
{
	struct pacer p = { 0 };
	uint32_t strides[] = { 0, 1, 3, 7, 15, 31, 63, 63, 63 };

	/* The period is so long that all questions are quick ones, even on a busy machine. */
	for (size_t i = 0; i < sizeof(strides) / sizeof(strides[0]); i++) {
		ck_assert_uint_eq(p.skip, 0);
		pacer_due(&p, 3600 * NS_PER_S, LIMIT);
		ck_assert_uint_eq(p.skip, strides[i]);
		ck_assert(p.quick == (i > 0));
		while (p.skip > 0)
			pacer_due(&p, 3600 * NS_PER_S, LIMIT);
	}
}
END_TEST

START_TEST(pacer_with_limit_0_always_reads_the_clock)
{
	struct pacer p = { 0 };

	for (int i = 0; i < 100; i++) {
		pacer_due(&p, 3600 * NS_PER_S, 0);
		ck_assert_uint_eq(p.skip, 0);
		ck_assert(p.quick == (i > 0));
	}
}
END_TEST

START_TEST(pacer_asked_rarely_always_reads_the_clock)
{
	struct pacer p = { .stride = 63 };

	for (int i = 0; i < 100; i++) {
		age(&p, PERIOD);
		p.due = 0;
		ck_assert(pacer_due(&p, PERIOD, LIMIT));
		ck_assert(!p.quick);
		ck_assert_uint_eq(p.skip, 0);
	}
}
END_TEST

START_TEST(pacer_is_due_once_in_a_period)
{
	struct pacer p = { 0 };
	int64_t start = clock_now(), deadline = soon();
	int due = 0, periods;

	/* Not for a time: another program may have the processor for all of it. */
	while (due < 20 && clock_now() < deadline)
		due += pacer_due(&p, NS_PER_MS, LIMIT);
	periods = (int)((clock_now() - start) / NS_PER_MS) + 1;
	ck_assert_int_eq(due, 20);
	ck_assert_int_le(due, periods);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("clock");
	TCase *deadlines = tcase_create("deadlines");
	TCase *pacer = tcase_create("pacer");

	tcase_add_test(deadlines, now_goes_with_the_monotonic_clock);
	tcase_add_test(deadlines, after_no_time_is_0);
	tcase_add_test(deadlines, after_a_duration_lies_that_far_ahead);
	tcase_add_test(deadlines, after_too_long_a_duration_is_forever);
	tcase_add_test(deadlines, after_leaves_errno_alone);
	tcase_add_test(deadlines, cap_is_the_earlier_time_without_overflow);
	suite_add_tcase(suite, deadlines);

	tcase_add_test(pacer, pacer_asked_for_the_first_time_is_due);
	tcase_add_test(pacer, pacer_asked_again_at_once_is_not_due);
	tcase_add_test(pacer, pacer_asked_often_reads_the_clock_rarely_up_to_the_limit);
	tcase_add_test(pacer, pacer_with_limit_0_always_reads_the_clock);
	tcase_add_test(pacer, pacer_asked_rarely_always_reads_the_clock);
	tcase_add_test(pacer, pacer_is_due_once_in_a_period);
	suite_add_tcase(suite, pacer);
	return test_main(suite);
}
