/* SPDX-License-Identifier: MIT */
#include "pipe-tools.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "wait/turn.h"

#define THREADS	4
#define ROUNDS	20000

static struct turn turn;

static void setup(void)
{
	turn = (struct turn){ 0 };
}

/* A second thread, so that turns are needed at all. It does @fn. */
struct helper {
	pthread_t thread;
	int (*fn)(struct helper *h);
	uint32_t flags;
	int64_t deadline;
	int result;
	pid_t tid;
	int signals;
};

static void *help(void *arg)
{
	struct helper *h = arg;

	store_release(&h->tid, (pid_t)syscall(SYS_gettid));
	h->result = h->fn(h);
	return NULL;
}

static void start(struct helper *h, int (*fn)(struct helper *h))
{
	h->fn = fn;
	ck_assert_int_eq(pthread_create(&h->thread, NULL, help, h), 0);
}

static int join(struct helper *h)
{
	ck_assert_int_eq(pthread_join(h->thread, NULL), 0);
	return h->result;
}

static void wait_until_asleep(struct helper *h)
{
	int64_t deadline = soon();

	while (load_acquire(&h->tid) == 0)
		ck_assert(test_now() < deadline);
	ck_assert(child_wait_asleep_in(h->tid, SYS_futex));
}

static int do_nothing(struct helper *h)
{
	(void)h;
	return 0;
}

/* From then on the process counts as one with threads. */
static void become_threaded(void)
{
	struct helper h = { 0 };

	start(&h, do_nothing);
	join(&h);
}

/*
 * One at a time
 */

START_TEST(single_thread_takes_without_a_lock)
{
	bool locked = true;

	if (turn_needed())
		return;		/* always, in this build */
	ck_assert_int_eq(turn_take(&turn, 0, 0, &locked), 0);
	ck_assert(!locked);
	ck_assert_uint_eq(turn.state, TURN_FREE);
	turn_give(&turn, locked);
}
END_TEST

static int64_t counter;

static int count(struct helper *h)
{
	for (int i = 0; i < ROUNDS; i++) {
		bool locked;
		int result = turn_take(&turn, h->flags, WEIR_FOREVER, &locked);

		if (result < 0 || !locked)
			return -1;
		/* Torn apart on purpose. */
		int64_t now = counter;

		if (i % 64 == 0)
			sched_yield();
		counter = now + 1;
		turn_give(&turn, locked);
	}
	return 0;
}

START_TEST(threads_have_it_one_at_a_time)
{
	struct helper helpers[THREADS] = { 0 };

	counter = 0;
	for (int i = 0; i < THREADS; i++)
		start(&helpers[i], count);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(join(&helpers[i]), 0);
	ck_assert_int_eq(counter, THREADS * ROUNDS);
	ck_assert_uint_eq(turn.state, TURN_FREE);
	ck_assert_uint_eq(turn.queued, 0);
}
END_TEST

/*
 * Deadlines
 */

static int take_until(struct helper *h)
{
	bool locked;
	int result = turn_take(&turn, h->flags, h->deadline, &locked);

	if (result == 0)
		turn_give(&turn, locked);
	return result;
}

/* With the turn taken by this thread. */
static int take_in_thread(int64_t deadline)
{
	struct helper h = { .deadline = deadline };

	start(&h, take_until);
	return join(&h);
}

START_TEST(taken_turn_with_no_time_is_eagain)
{
	bool locked;

	become_threaded();
	ck_assert_int_eq(turn_take(&turn, 0, 0, &locked), 0);
	ck_assert(locked);
	ck_assert_int_eq(take_in_thread(0), -EAGAIN);
	ck_assert_int_eq(take_in_thread(-1), -EAGAIN);
	ck_assert_int_eq(take_in_thread(INT64_MIN), -EAGAIN);
	turn_give(&turn, locked);
	ck_assert_int_eq(take_in_thread(0), 0);
}
END_TEST

START_TEST(deadline_passes_not_early_and_not_much_late)
{
	int64_t late[5];
	int sets = 0;
	bool locked;

	become_threaded();
	ck_assert_int_eq(turn_take(&turn, 0, 0, &locked), 0);
	ck_assert_int_eq(take_in_thread(1), -ETIMEDOUT);
	ck_assert_int_eq(take_in_thread(test_now() - 1), -ETIMEDOUT);
	do {
		for (size_t i = 0; i < ARRAY_LENGTH(late); i++) {
			int64_t deadline = test_now() + 10 * MS;

			ck_assert_int_eq(take_in_thread(deadline), -ETIMEDOUT);
			late[i] = test_now() - deadline;
			ck_assert_int_ge(late[i], 0);
			ck_assert_int_lt(late[i], 2000 * MS);
		}
	} while (take_again(late, ARRAY_LENGTH(late), 50 * MS, &sets));
	ck_assert_int_lt(median(late, ARRAY_LENGTH(late)), 50 * MS);
	turn_give(&turn, locked);
	ck_assert_uint_eq(turn.queued, 0);
}
END_TEST

START_TEST(waiting_thread_gets_it_when_it_is_given)
{
	struct helper h = { .deadline = WEIR_FOREVER };
	bool locked;

	become_threaded();
	ck_assert_int_eq(turn_take(&turn, 0, 0, &locked), 0);
	start(&h, take_until);
	wait_until_asleep(&h);
	ck_assert_uint_eq(load_seq(&turn.queued), 1);
	turn_give(&turn, locked);
	ck_assert_int_eq(join(&h), 0);
	ck_assert_uint_eq(turn.state, TURN_FREE);
}
END_TEST

/*
 * Signals
 */

static void on_signal(int number)
{
	(void)number;
}

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGUSR1, &action, NULL);
}

START_TEST(signal_ends_the_wait_of_one_who_wants_it)
{
	struct helper h = { .deadline = WEIR_FOREVER, .flags = WEIR_INTR };
	bool locked;

	catch_signals();
	become_threaded();
	ck_assert_int_eq(turn_take(&turn, 0, 0, &locked), 0);
	start(&h, take_until);
	wait_until_asleep(&h);
	pthread_kill(h.thread, SIGUSR1);
	ck_assert_int_eq(join(&h), -EINTR);
	turn_give(&turn, locked);
}
END_TEST

START_TEST(signal_does_not_end_the_wait_of_others)
{
	struct helper h = { .deadline = WEIR_FOREVER };
	bool locked;

	catch_signals();
	become_threaded();
	ck_assert_int_eq(turn_take(&turn, 0, 0, &locked), 0);
	start(&h, take_until);
	for (int i = 0; i < 20; i++) {
		wait_until_asleep(&h);
		pthread_kill(h.thread, SIGUSR1);
	}
	wait_until_asleep(&h);
	turn_give(&turn, locked);
	ck_assert_int_eq(join(&h), 0);
}
END_TEST

/*
 * Closing
 */

static uint32_t nudges, may_leave;

static void nudge(void *arg)
{
	ck_assert_ptr_eq(arg, &nudges);
	nudges++;
}

START_TEST(closing_a_free_turn_keeps_it)
{
	bool locked;

	become_threaded();
	turn_close(&turn, nudge, &nudges);
	ck_assert_uint_eq(nudges, 0);
	ck_assert(turn_closing(&turn));
	ck_assert_int_eq(turn_take(&turn, 0, 0, &locked), -EAGAIN);
	ck_assert_int_eq(turn_take(&turn, 0, WEIR_FOREVER, &locked), -ESHUTDOWN);
	ck_assert_uint_eq(turn.queued, 0);
}
END_TEST

static int hold_until_closing(struct helper *h)
{
	bool locked;

	if (turn_take(&turn, 0, 0, &locked) != 0)
		return -1;
	store_release(&may_leave, 1);
	while (!turn_closing(&turn) || load_acquire(&may_leave) != 2)
		sched_yield();
	h->signals = (int)load_acquire(&nudges);
	turn_give(&turn, locked);
	return 0;
}

static void nudge_out(void *arg)
{
	(void)arg;
	add_release(&nudges, 1);
	store_release(&may_leave, 2);
}

START_TEST(closing_nudges_and_waits_for_who_is_inside)
{
	struct helper h = { 0 };
	int64_t deadline = soon();

	nudges = may_leave = 0;
	start(&h, hold_until_closing);
	while (load_acquire(&may_leave) == 0)
		ck_assert(test_now() < deadline);
	turn_close(&turn, nudge_out, NULL);
	ck_assert_uint_ge(nudges, 1);
	ck_assert_int_eq(join(&h), 0);
	ck_assert_int_ge(h.signals, 1);
}
END_TEST

START_TEST(closing_turns_away_who_is_queued)
{
	struct helper queued[THREADS], holder = { 0 };
	int64_t deadline = soon();

	nudges = may_leave = 0;
	start(&holder, hold_until_closing);
	while (load_acquire(&may_leave) == 0)
		ck_assert(test_now() < deadline);
	for (int i = 0; i < THREADS; i++) {
		queued[i] = (struct helper){ .deadline = WEIR_FOREVER };
		start(&queued[i], take_until);
		wait_until_asleep(&queued[i]);
	}
	turn_close(&turn, nudge_out, NULL);
	/* All have left: nobody touches the turn any more. */
	ck_assert_uint_eq(load_seq(&turn.queued), 0);
	/* One may have had it before this thread. */
	for (int i = 0; i < THREADS; i++) {
		join(&queued[i]);
		ck_assert(queued[i].result == -ESHUTDOWN || queued[i].result == 0);
	}
	ck_assert_int_eq(join(&holder), 0);
}
END_TEST

static int take_until_closed(struct helper *h)
{
	for (;;) {
		bool locked;
		int result = turn_take(&turn, 0, h->deadline, &locked);

		if (result < 0)
			return result;
		turn_give(&turn, locked);
	}
}

START_TEST(closing_amid_contention_gets_everybody_out)
{
	for (int round = 0; round < 50; round++) {
		struct helper helpers[THREADS];

		turn = (struct turn){ 0 };
		nudges = 0;
		for (int i = 0; i < THREADS; i++) {
			helpers[i] = (struct helper){ .deadline = WEIR_FOREVER };
			start(&helpers[i], take_until_closed);
		}
		if (round % 2)
			sched_yield();
		turn_close(&turn, nudge_out, NULL);
		for (int i = 0; i < THREADS; i++)
			ck_assert_int_eq(join(&helpers[i]), -ESHUTDOWN);
	}
}
END_TEST

START_TEST(closing_with_a_single_thread_is_nothing)
{
	if (turn_needed())
		return;
	turn_close(&turn, nudge, NULL);
	ck_assert(!turn_closing(&turn));
}
END_TEST

START_TEST(turns_leave_errno_alone)
{
	bool locked;

	become_threaded();
	ck_assert_int_eq(turn_take(&turn, 0, 0, &locked), 0);
	errno = 4711;
	ck_assert_int_eq(turn_take_slow(&turn, 0, 0), -EAGAIN);
	ck_assert_int_eq(turn_take_slow(&turn, 0, test_now() + MS), -ETIMEDOUT);
	turn_give(&turn, locked);
	ck_assert_int_eq(errno, 4711);
}
END_TEST

static TCase *add(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, setup, NULL);
	suite_add_tcase(suite, tcase);
	return tcase;
}

int main(void)
{
	Suite *suite = suite_create("turn");
	TCase *basic = add(suite, "basic");
	TCase *waiting = add(suite, "waiting");
	TCase *closing = add(suite, "closing");

	/* First: the others make threads. */
	tcase_add_test(basic, single_thread_takes_without_a_lock);
	tcase_add_test(basic, closing_with_a_single_thread_is_nothing);
	tcase_add_test(basic, threads_have_it_one_at_a_time);
	tcase_add_test(basic, turns_leave_errno_alone);

	tcase_add_test(waiting, taken_turn_with_no_time_is_eagain);
	tcase_add_test(waiting, deadline_passes_not_early_and_not_much_late);
	tcase_add_test(waiting, waiting_thread_gets_it_when_it_is_given);
	tcase_add_test(waiting, signal_ends_the_wait_of_one_who_wants_it);
	tcase_add_test(waiting, signal_does_not_end_the_wait_of_others);

	tcase_add_test(closing, closing_a_free_turn_keeps_it);
	tcase_add_test(closing, closing_nudges_and_waits_for_who_is_inside);
	tcase_add_test(closing, closing_turns_away_who_is_queued);
	tcase_add_test(closing, closing_amid_contention_gets_everybody_out);
	return test_main(suite);
}
