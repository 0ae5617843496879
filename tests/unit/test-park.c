/* SPDX-License-Identifier: MIT */
/* Sleeping, waking and looking. How a wait ends otherwise is in test-park-ends.c. */
#include "park-bed.h"

/*
 * Waiting and not waiting
 */

START_TEST(no_time_is_eagain)
{
	ck_assert_int_eq(wait_until(0), -EAGAIN);
	ck_assert_int_eq(wait_until(-1), -EAGAIN);
	ck_assert_int_eq(wait_until(INT64_MIN), -EAGAIN);
	/* And nobody was told of a wait. */
	ck_assert_uint_eq(control.reader.wait, 0);
}
END_TEST

START_TEST(deadline_passes_not_early_and_not_much_late)
{
	static const int64_t after[] = { 0, 50 * US, 1 * MS, 25 * MS };
	int64_t late[5];

	ck_assert_int_eq(wait_until(1), -ETIMEDOUT);
	for (size_t k = 0; k < ARRAY_LENGTH(after); k++) {
		int sets = 0;

		do {
			for (size_t i = 0; i < ARRAY_LENGTH(late); i++) {
				int64_t deadline = test_now() + after[k];

				ck_assert_int_eq(wait_until(deadline), -ETIMEDOUT);
				late[i] = test_now() - deadline;
				ck_assert_int_ge(late[i], 0);
				ck_assert_int_lt(late[i], 2000 * MS);
			}
		} while (take_again(late, ARRAY_LENGTH(late), 50 * MS, &sets));
		ck_assert_int_lt(median(late, ARRAY_LENGTH(late)), 50 * MS);
	}
}
END_TEST

START_TEST(what_is_there_is_not_waited_for)
{
	it = 1;
	sleeper.may_spin = true;
	ck_assert_int_eq(wait_until(WEIR_FOREVER), 0);
	sleeper.may_spin = false;
	ck_assert_int_eq(wait_until(WEIR_FOREVER), 0);
}
END_TEST

START_TEST(each_wait_has_a_number_of_its_own)
{
	uint32_t before = control.reader.wait;

	for (int i = 0; i < 10; i++) {
		sleeper.spin_ns = 0;
		ck_assert_int_eq(wait_until(test_now() + 100 * US), -ETIMEDOUT);
		ck_assert_uint_eq(control.reader.wait & WAIT_STAGE_MASK, WAIT_AWAKE);
		ck_assert_uint_gt(control.reader.wait, before);
		before = control.reader.wait;
	}
	/* The next owner of the side goes on counting. */
	park_init(&sleeper);
	ck_assert_uint_eq(sleeper.number, before >> WAIT_SHIFT);
}
END_TEST

/*
 * Waking
 */

static int64_t time_of_notify(uint32_t stage)
{
	struct waiter w = { 0 };
	int64_t start;

	put_to_sleep(&w, stage);
	start = test_now();
	store_seq(&it, 1);
	park_notify(&waker, true);
	ck_assert_int_eq(join(&w), 0);
	return test_now() - start;
}

START_TEST(notify_wakes_in_both_stages)
{
	for (size_t s = 0; s < ARRAY_LENGTH(stages); s++) {
		int64_t times[5];
		int sets = 0;

		do {
			for (size_t i = 0; i < ARRAY_LENGTH(times); i++)
				times[i] = time_of_notify(stages[s]);
		} while (take_again(times, ARRAY_LENGTH(times), 50 * MS, &sets));
		ck_assert_int_lt(median(times, ARRAY_LENGTH(times)), 50 * MS);
	}
}
END_TEST

START_TEST(needless_bell_does_not_end_a_wait)
{
	for (size_t s = 0; s < ARRAY_LENGTH(stages); s++) {
		struct waiter w = { 0 };

		put_to_sleep(&w, stages[s]);
		for (int i = 0; i < 20; i++)
			park_wake_peer(&waker);
		ck_assert(wait_for_sleeper(w.tid, &control.reader.wait) != WAIT_AWAKE);
		store_seq(&it, 1);
		park_wake_peer(&waker);
		ck_assert_int_eq(join(&w), 0);
	}
}
END_TEST

static uint32_t wakes, bells;

static int count_calls(enum sys_call call)
{
	wakes += call == SYS_CALL_FUTEX_WAKE;
	bells += call == SYS_CALL_EVENT_WRITE;
	return 0;
}

START_TEST(nobody_asleep_costs_no_call)
{
	wakes = bells = 0;
	sys_fault = count_calls;
	for (int i = 0; i < 1000; i++)
		park_notify(&waker, i % 2);
	ck_assert_uint_eq(wakes + bells, 0);
}
END_TEST

START_TEST(announcement_is_answered_once_by_the_call_for_its_stage)
{
	wakes = bells = 0;
	sys_fault = count_calls;
	control.reader.wait = 5 << WAIT_SHIFT | WAIT_SHALLOW;
	for (int i = 0; i < 100; i++)
		park_notify(&waker, false);
	ck_assert_uint_eq(wakes, 1);
	ck_assert_uint_eq(bells, 0);
	control.reader.wait = 6 << WAIT_SHIFT | WAIT_DEEP;
	for (int i = 0; i < 100; i++)
		park_notify(&waker, true);
	ck_assert_uint_eq(wakes, 1);
	ck_assert_uint_eq(bells, 1);
	/* That it is awake again is worth no call. */
	control.reader.wait = 6 << WAIT_SHIFT | WAIT_AWAKE;
	park_notify(&waker, false);
	ck_assert_uint_eq(wakes + bells, 2);
}
END_TEST

/*
 * The store that a waiter waits for may become visible after its announcement and look, while the
 * peer, which read the announcement before, does not wake it. Here it shows 30 us late.
 */
static int64_t visible_at;

static bool comes_unannounced(void *arg)
{
	(void)arg;
	if ((control.reader.wait & WAIT_STAGE_MASK) == WAIT_AWAKE)
		return false;
	if (visible_at == 0)
		visible_at = test_now() + 30 * US;
	return test_now() >= visible_at;
}

static bool may_be_missed(void *arg)
{
	(void)arg;
	return true;
}

static int64_t time_of_missed_wake(bool (*lie_down)(void *arg))
{
	struct park_for what = { .look = comes_unannounced, .lie_down = lie_down, .turn = &turn };
	int64_t starved = -child_starved(getpid()), start = test_now();

	visible_at = 0;
	ck_assert_int_eq(park_wait(&sleeper, &what, WEIR_NOSPIN, WEIR_FOREVER), 0);
	return test_now() - start - (starved + child_starved(getpid()));
}

START_TEST(missed_wake_is_made_up_for_after_a_short_slice)
{
	int64_t times[9];
	int sets = 0;

	do {
		for (size_t i = 0; i < ARRAY_LENGTH(times); i++)
			times[i] = time_of_missed_wake(may_be_missed);
	} while (take_again(times, ARRAY_LENGTH(times), 10 * MS, &sets));
	ck_assert_int_lt(median(times, ARRAY_LENGTH(times)), 10 * MS);
	/* One who relies on fences sleeps on; this shows that the first slice it was. */
	for (size_t i = 0; i < ARRAY_LENGTH(times); i++)
		times[i] = time_of_missed_wake(NULL);
	ck_assert_int_ge(median(times, ARRAY_LENGTH(times)), PARK_SHALLOW_NS / 2);
}
END_TEST

/*
 * A peer that takes over may answer what it finds announced before it has stored anything. The
 * sleeper must notice also where that came at the end of a slice.
 */
static void answer_for_nothing(uint32_t stage, int64_t *ret_took)
{
	struct waiter w = { .lie_down = may_be_missed };
	int64_t start;

	put_to_sleep(&w, stage);
	waker.answered = 0;
	park_notify(&waker, true);
	/* It has looked in vain, and says so. */
	for (int64_t deadline = soon(); load_acquire(&control.reader.wait) == waker.answered;)
		ck_assert(test_now() < deadline);
	start = test_now();
	store_seq(&it, 1);
	park_notify(&waker, true);
	ck_assert_int_eq(join(&w), 0);
	*ret_took = test_now() - start;
}

START_TEST(sleeper_that_was_answered_for_nothing_is_answered_again)
{
	for (size_t s = 0; s < ARRAY_LENGTH(stages); s++) {
		for (int i = 0; i < 50 / LESS; i++) {
			int64_t took;

			answer_for_nothing(stages[s], &took);
			ck_assert_int_lt(took, 1500 * MS);
		}
	}
}
END_TEST

/*
 * Looking without waiting
 */

START_TEST(check_finds_nothing_where_nothing_is)
{
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(park_check(&sleeper, PARK_LINE_CALLS), 0);
	ck_assert(!park_disturbed(&sleeper));
	ck_assert(!park_ended(&sleeper));
}
END_TEST

START_TEST(close_that_was_counted_is_found_at_once)
{
	ck_assert_int_eq(park_check(&sleeper, PARK_LINE_CALLS), 0);
	hang_up();
	add_release(&control.writer.events, 1);
	ck_assert(park_disturbed(&sleeper));
	ck_assert_int_eq(park_check(&sleeper, PARK_LINE_CALLS), -EPIPE);
	ck_assert_int_eq(park_check(&sleeper, PARK_LINE_CALLS), -EPIPE);
}
END_TEST

START_TEST(close_of_a_copy_is_no_hang_up)
{
	add_release(&control.writer.events, 1);
	ck_assert(park_disturbed(&sleeper));
	ck_assert_int_eq(park_check(&sleeper, PARK_LINE_CALLS), 0);
	ck_assert(!park_disturbed(&sleeper));
}
END_TEST

START_TEST(hang_up_without_notice_is_found_after_a_while)
{
	int64_t start, deadline = soon();

	ck_assert_int_eq(park_check(&sleeper, PARK_LINE_CALLS), 0);
	hang_up();
	start = test_now();
	while (park_check(&sleeper, PARK_LINE_CALLS) == 0)
		ck_assert(test_now() < deadline);
	ck_assert_int_lt(test_now() - start, 2000 * MS);
	/* One who calls rarely is always told. */
	sleeper.hung_up = false;
	sleeper.line_pace.due = 0;
	sleeper.line_pace.skip = 0;
	ck_assert_int_eq(park_check(&sleeper, PARK_LINE_CALLS), -EPIPE);
}
END_TEST

START_TEST(ends_of_both_sides_are_found)
{
	control.writer.events = EVENTS_SHUT;
	ck_assert_int_eq(park_check(&sleeper, 0), -ESHUTDOWN);
	ck_assert_int_eq(park_check(&waker, 0), -ESHUTDOWN);
	ck_assert(park_ended(&sleeper) && park_disturbed(&sleeper) && park_disturbed(&waker));
	ck_assert_int_eq(wait_until(0), -ESHUTDOWN);
	ck_assert_int_eq(wait_until(WEIR_FOREVER), -ESHUTDOWN);
	control.reader.events = EVENTS_POISONED;
	ck_assert_int_eq(park_check(&sleeper, 0), -EBADMSG);
	ck_assert_int_eq(park_check(&waker, 0), -EBADMSG);
	ck_assert_int_eq(wait_until(WEIR_FOREVER), -EBADMSG);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("park");
	TCase *waiting = add(suite, "waiting");
	TCase *waking = add(suite, "waking");
	TCase *looking;

	tcase_add_test(waiting, no_time_is_eagain);
	tcase_add_test(waiting, deadline_passes_not_early_and_not_much_late);
	tcase_add_test(waiting, what_is_there_is_not_waited_for);
	tcase_add_test(waiting, each_wait_has_a_number_of_its_own);

	tcase_add_test(waking, notify_wakes_in_both_stages);
	tcase_add_test(waking, needless_bell_does_not_end_a_wait);
	tcase_add_test(waking, sleeper_that_was_answered_for_nothing_is_answered_again);
	tcase_add_test(waking, nobody_asleep_costs_no_call);
	tcase_add_test(waking, announcement_is_answered_once_by_the_call_for_its_stage);
	tcase_add_test(waking, missed_wake_is_made_up_for_after_a_short_slice);

	looking = add(suite, "looking");
	tcase_add_test(looking, check_finds_nothing_where_nothing_is);
	tcase_add_test(looking, close_that_was_counted_is_found_at_once);
	tcase_add_test(looking, close_of_a_copy_is_no_hang_up);
	tcase_add_test(looking, hang_up_without_notice_is_found_after_a_while);
	tcase_add_test(looking, ends_of_both_sides_are_found);
	return test_main(suite);
}
