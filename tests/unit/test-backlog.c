/* SPDX-License-Identifier: MIT */
/*
 * When a reader that has run dry waits for a backlog. The rate that it measures is made up here:
 * the head is moved on by a window, and the window's beginning into the past.
 */
#include "lane-bed.h"

#include "base/clock.h"
#include "ring/backlog.h"

#define CAPACITY	(UINT64_C(64) << 10)

static struct bed bed;
static struct backlog backlog;

static void setup(void)
{
	bed_open(&bed, CAPACITY, 0);
	backlog = (struct backlog){ 0 };
}

static void teardown(void)
{
	bed_close(&bed);
}

/* A reader that has received @bytes more runs dry. True if it has waited. */
static bool run_dry(uint64_t bytes, bool conversing)
{
	bed.rx.head += bytes;
	return backlog_dry(&backlog, &bed.rx, conversing);
}

/* A window that took @ns ends with the reader dry. */
static bool window(int64_t ns)
{
	backlog.window_time = clock_now() - ns;
	return run_dry(BACKLOG_WINDOW, false);
}

/* Nanoseconds for a window, at that many bytes a microsecond. */
static int64_t at_rate(uint64_t rate)
{
	return (int64_t)(BACKLOG_WINDOW * 1000 / rate);
}

/* The clock goes on while a window is made up, so rates differ by a factor of four and more. */
#define SLOW	8	/* not worth a trial */
#define BASE	100
#define BETTER	400
#define WORSE	25

/* Windows at @rate until it is in another mode than it is; that mode. */
static enum backlog_mode leave_mode(uint64_t rate)
{
	enum backlog_mode before = backlog.mode;

	for (int i = 0; i < 100 && backlog.mode == before; i++)
		window(at_rate(rate));
	ck_assert_int_ne(backlog.mode, before);
	return backlog.mode;
}

static void begin_trial(void)
{
	ck_assert_int_eq(backlog.mode, BACKLOG_OFF);
	ck_assert_int_eq(leave_mode(BASE), BACKLOG_TRIAL);
}

static void pass_trial(void)
{
	begin_trial();
	ck_assert_int_eq(leave_mode(BETTER), BACKLOG_ON);
}

static void fail_trial(void)
{
	begin_trial();
	ck_assert_int_eq(leave_mode(WORSE), BACKLOG_OFF);
}

/*
 * Whether
 */

START_TEST(reader_that_got_little_does_not_wait)
{
	for (int i = 0; i < 100; i++)
		ck_assert(!run_dry(64, false));
	ck_assert_int_eq(backlog.mode, BACKLOG_OFF);
}
END_TEST

START_TEST(slow_stream_is_never_tried)
{
	for (int i = 0; i < 100; i++)
		ck_assert(!window(at_rate(SLOW)));
	ck_assert_int_eq(backlog.mode, BACKLOG_OFF);
}
END_TEST

START_TEST(quick_stream_is_tried)
{
	begin_trial();
	ck_assert(run_dry(64, false));
	/* Where the rate is not better for it, that is all. */
	ck_assert_int_eq(leave_mode(BASE), BACKLOG_OFF);
	ck_assert(!run_dry(64, false));
}
END_TEST

START_TEST(wait_is_never_twice_at_the_same_position)
{
	backlog.mode = BACKLOG_ALWAYS;
	for (int i = 0; i < 20; i++) {
		ck_assert(run_dry(64, false));
		for (int again = 0; again < 10; again++)
			ck_assert(!run_dry(0, false));
	}
	backlog.mode = BACKLOG_ON;
	ck_assert(run_dry(64, false));
	ck_assert(!run_dry(0, false));
	backlog.mode = BACKLOG_TRIAL;
	ck_assert(!run_dry(0, false));
	ck_assert(run_dry(64, false));
	ck_assert(!run_dry(0, false));
}
END_TEST

START_TEST(conversation_never_waits)
{
	static const enum backlog_mode modes[] = {
		BACKLOG_OFF, BACKLOG_TRIAL, BACKLOG_ON, BACKLOG_NEVER, BACKLOG_ALWAYS,
	};

	for (size_t i = 0; i < ARRAY_LENGTH(modes); i++) {
		for (int k = 0; k < 10; k++) {
			backlog.mode = modes[i];
			backlog.window_time = clock_now() - at_rate(BASE);
			ck_assert(!run_dry(k % 2 ? BACKLOG_WINDOW : 64, true));
		}
	}
}
END_TEST

START_TEST(latency_never_waits)
{
	backlog.mode = BACKLOG_NEVER;
	for (int i = 0; i < 100; i++) {
		ck_assert(!window(at_rate(BASE)));
		ck_assert(!run_dry(64, false));
		ck_assert_int_eq(backlog.mode, BACKLOG_NEVER);
	}
}
END_TEST

START_TEST(throughput_always_waits)
{
	backlog.mode = BACKLOG_ALWAYS;
	for (int i = 0; i < 100; i++) {
		ck_assert(window(at_rate(i % 2 ? SLOW : BETTER)));
		ck_assert(run_dry(64, false));
		ck_assert_int_eq(backlog.mode, BACKLOG_ALWAYS);
	}
}
END_TEST

/*
 * The trial
 */

START_TEST(trial_that_helps_is_kept_up)
{
	pass_trial();
	for (int i = 0; i < 100; i++) {
		ck_assert(window(at_rate(BETTER)));
		ck_assert_int_eq(backlog.mode, BACKLOG_ON);
	}
}
END_TEST

START_TEST(trial_that_does_not_help_is_given_up)
{
	fail_trial();
	ck_assert(!run_dry(64, false));
}
END_TEST

START_TEST(success_that_ends_is_given_up)
{
	pass_trial();
	ck_assert_int_eq(leave_mode(WORSE), BACKLOG_OFF);
	ck_assert(!run_dry(64, false));
}
END_TEST

START_TEST(failed_trial_is_repeated_later_and_later)
{
	int64_t pause = 0;

	for (int i = 0; i < 16; i++) {
		int64_t before = clock_now();

		fail_trial();
		/* The first wait is short, and each is at least as long as the one before it. */
		if (i == 0)
			ck_assert_int_lt(backlog.trial_time - clock_now(), 20 * NS_PER_MS);
		ck_assert_int_ge(backlog.trial_time, before + pause);
		pause = backlog.trial_time - clock_now();
		if (pause > 50 * NS_PER_MS) {
			for (int k = 0; k < 20 && backlog.mode == BACKLOG_OFF; k++)
				window(at_rate(BASE));
			/* Should this have taken so long, it may. */
			ck_assert(backlog.mode == BACKLOG_OFF || clock_now() >= backlog.trial_time);
		}
		backlog.mode = BACKLOG_OFF;
		backlog.trial_time = 0;
	}
	ck_assert_int_ge(pause, 50 * NS_PER_MS);
	ck_assert_int_le(pause, 2 * NS_PER_S);
}
END_TEST

START_TEST(success_is_measured_anew_after_a_long_time)
{
	int windows = 0;

	pass_trial();
	while (backlog.mode == BACKLOG_ON && windows < 1000000) {
		backlog.window_time = clock_now() - at_rate(BETTER);
		/* In a conversation the windows count and nothing waits, which is quicker here. */
		run_dry(BACKLOG_WINDOW, true);
		windows++;
	}
	ck_assert_int_eq(backlog.mode, BACKLOG_OFF);
	ck_assert_int_gt(windows, 100);
	/* And is tried again at once. */
	pass_trial();
}
END_TEST

START_TEST(sleep_is_no_part_of_the_rate)
{
	for (int i = 0; i < 100; i++) {
		backlog.window_time = clock_now() - at_rate(BASE);
		bed.rx.head += BACKLOG_WINDOW / 2;
		backlog_restart(&backlog, &bed.rx);
		ck_assert(!run_dry(BACKLOG_WINDOW, false));
	}
	ck_assert_int_eq(backlog.mode, BACKLOG_OFF);
}
END_TEST

START_TEST(clock_that_stands_still_is_no_rate)
{
	/* No division by zero, and no endless rate. */
	for (int i = 0; i < 100; i++) {
		backlog.window_time = clock_now() + NS_PER_S;
		ck_assert(!run_dry(BACKLOG_WINDOW, false));
	}
	ck_assert_int_eq(backlog.mode, BACKLOG_OFF);
}
END_TEST

START_TEST(positions_may_run_over)
{
	bed_restart(&bed, 0 - 4 * BACKLOG_WINDOW);
	backlog.window_start = backlog.waited_at = bed.rx.head;
	pass_trial();
	for (int i = 0; i < 10; i++)
		ck_assert(window(at_rate(BETTER)));
}
END_TEST

/*
 * How long
 */

START_TEST(wait_is_a_few_microseconds)
{
	int64_t times[101];

	backlog.mode = BACKLOG_ALWAYS;
	for (size_t i = 0; i < ARRAY_LENGTH(times); i++) {
		int64_t start = clock_now();

		ck_assert(run_dry(64, false));
		times[i] = clock_now() - start;
	}
	ck_assert_int_ge(median(times, ARRAY_LENGTH(times)), 3 * NS_PER_US);
	ck_assert_int_le(median(times, ARRAY_LENGTH(times)), 100 * NS_PER_US);
}
END_TEST

START_TEST(wait_ends_when_enough_is_there)
{
	int64_t full[101], empty[101];

	backlog.mode = BACKLOG_ALWAYS;
	for (size_t i = 0; i < ARRAY_LENGTH(full); i++) {
		int64_t start;

		bed.rx.head += 64;
		bed.control->writer.position = bed.rx.head + CAPACITY / 2;
		start = clock_now();
		ck_assert(run_dry(0, false));
		full[i] = clock_now() - start;
		bed.rx.head += 64;
		bed.control->writer.position = bed.rx.head;
		start = clock_now();
		ck_assert(run_dry(0, false));
		empty[i] = clock_now() - start;
	}
	ck_assert_int_lt(median(full, ARRAY_LENGTH(full)), median(empty, ARRAY_LENGTH(empty)));
}
END_TEST

START_TEST(writer_that_lies_does_not_make_it_longer)
{
	static const uint64_t ahead[] = { 0, 8, CAPACITY + 8, UINT64_C(1) << 63, UINT64_MAX };
	int64_t times[101];

	backlog.mode = BACKLOG_ALWAYS;
	for (size_t i = 0; i < ARRAY_LENGTH(times); i++) {
		int64_t start;

		bed.rx.head += 64;
		bed.control->writer.position = bed.rx.head + ahead[i % ARRAY_LENGTH(ahead)];
		start = clock_now();
		run_dry(0, false);
		times[i] = clock_now() - start;
	}
	ck_assert_int_le(median(times, ARRAY_LENGTH(times)), 100 * NS_PER_US);
}
END_TEST

static TCase *add(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, setup, teardown);
	suite_add_tcase(suite, tcase);
	return tcase;
}

int main(void)
{
	Suite *suite = suite_create("backlog");
	TCase *whether = add(suite, "whether");
	TCase *trial = add(suite, "trial");
	TCase *length = add(suite, "length");

	tcase_add_test(whether, reader_that_got_little_does_not_wait);
	tcase_add_test(whether, slow_stream_is_never_tried);
	tcase_add_test(whether, quick_stream_is_tried);
	tcase_add_test(whether, wait_is_never_twice_at_the_same_position);
	tcase_add_test(whether, conversation_never_waits);
	tcase_add_test(whether, latency_never_waits);
	tcase_add_test(whether, throughput_always_waits);

	tcase_add_test(trial, trial_that_helps_is_kept_up);
	tcase_add_test(trial, trial_that_does_not_help_is_given_up);
	tcase_add_test(trial, success_that_ends_is_given_up);
	tcase_add_test(trial, failed_trial_is_repeated_later_and_later);
	tcase_add_test(trial, success_is_measured_anew_after_a_long_time);
	tcase_add_test(trial, sleep_is_no_part_of_the_rate);
	tcase_add_test(trial, clock_that_stands_still_is_no_rate);
	tcase_add_test(trial, positions_may_run_over);

	tcase_add_test(length, wait_is_a_few_microseconds);
	tcase_add_test(length, wait_ends_when_enough_is_there);
	tcase_add_test(length, writer_that_lies_does_not_make_it_longer);
	return test_main(suite);
}
