/* SPDX-License-Identifier: MIT */
/* What ends a wait beside that which is waited for. */
#include "park-bed.h"

#include <signal.h>

static void check_ends_with(int result, void (*act)(struct waiter *w))
{
	for (size_t s = 0; s < ARRAY_LENGTH(stages); s++) {
		struct waiter w = { .flags = WEIR_INTR };

		put_to_sleep(&w, stages[s]);
		act(&w);
		ck_assert_int_eq(join(&w), result);
		teardown();
		setup();
	}
}

static void shut_by_peer(struct waiter *w)
{
	(void)w;
	or_relaxed(&control.writer.events, EVENTS_SHUT);
	park_wake_peer(&waker);
}

static void shut_by_own_side(struct waiter *w)
{
	(void)w;
	or_relaxed(&control.reader.events, EVENTS_SHUT);
	park_wake_own(&another);
}

static void poison_what_is_shut(struct waiter *w)
{
	or_relaxed(&control.reader.events, EVENTS_POISONED);
	shut_by_peer(w);
}

static void close_line(struct waiter *w)
{
	(void)w;
	hang_up();
}

static void close_line_with_notice(struct waiter *w)
{
	(void)w;
	hang_up();
	add_release(&control.writer.events, 1);
	park_wake_peer(&waker);
}

static void close_turn(struct waiter *w)
{
	(void)w;
	store_seq(&turn.closing, 1);
	park_wake_own(&another);
}

/* One that comes between two sleeps ends none: again and again. */
static void interrupt(struct waiter *w)
{
	int64_t deadline = soon();

	do {
		ck_assert(test_now() < deadline);
		pthread_kill(w->thread, SIGUSR1);
		nanosleep(&(struct timespec){ .tv_nsec = 1 * MS }, NULL);
	} while ((load_acquire(&control.reader.wait) & WAIT_STAGE_MASK) != WAIT_AWAKE);
}

/* Without a bell, which the sleeper may just have missed. */
static int shut_while_falling_asleep(enum sys_call call)
{
	if (call == SYS_CALL_FUTEX_WAIT)
		or_relaxed(&control.writer.events, EVENTS_SHUT);
	return 0;
}

START_TEST(shutdown_missed_in_the_first_stage_is_found_before_the_second)
{
	sys_fault = shut_while_falling_asleep;
	/* The second would be two seconds long. */
	ck_assert_int_eq(wait_until(test_now() + 1500 * MS), -ESHUTDOWN);
}
END_TEST

static void on_signal(int number)
{
	(void)number;
}

START_TEST(shutdown_ends_a_wait)
{
	check_ends_with(-ESHUTDOWN, shut_by_peer);
	check_ends_with(-ESHUTDOWN, shut_by_own_side);
}
END_TEST

START_TEST(damage_ends_a_wait_and_goes_before_shutdown)
{
	check_ends_with(-EBADMSG, poison_what_is_shut);
}
END_TEST

START_TEST(hang_up_ends_a_wait)
{
	check_ends_with(-EPIPE, close_line);
	check_ends_with(-EPIPE, close_line_with_notice);
}
END_TEST

START_TEST(closing_the_turn_ends_a_wait)
{
	check_ends_with(-ESHUTDOWN, close_turn);
}
END_TEST

START_TEST(signal_ends_the_wait_of_one_who_wants_it)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGUSR1, &action, NULL);
	check_ends_with(-EINTR, interrupt);
}
END_TEST

START_TEST(signal_does_not_end_the_wait_of_others)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct waiter w = { 0 };

	sigaction(SIGUSR1, &action, NULL);
	for (size_t s = 0; s < ARRAY_LENGTH(stages); s++) {
		put_to_sleep(&w, stages[s]);
		for (int i = 0; i < 50; i++)
			pthread_kill(w.thread, SIGUSR1);
		ck_assert(wait_for_sleeper(w.tid, &control.reader.wait) != WAIT_AWAKE);
		store_seq(&it, 1);
		park_notify(&waker, true);
		ck_assert_int_eq(join(&w), 0);
	}
}
END_TEST

START_TEST(what_comes_with_the_end_has_come)
{
	for (size_t s = 0; s < ARRAY_LENGTH(stages); s++) {
		struct waiter w = { 0 };

		put_to_sleep(&w, stages[s]);
		store_seq(&it, 1);
		shut_by_peer(&w);
		ck_assert_int_eq(join(&w), 0);
		teardown();
		setup();
	}
}
END_TEST

static int be_owner(void *arg)
{
	store_release((uint64_t *)arg, live_self().process);
	for (;;)
		pause();
	return 0;
}

static struct child start_owner(uint64_t *owner)
{
	struct child child = child_start(be_owner, owner);
	int64_t deadline = soon();

	while (load_acquire(owner) == 0)
		ck_assert(test_now() < deadline);
	control.writer.owner = *owner;
	return child;
}

/* It stores, and dies before it wakes; others hold the line. */
START_TEST(death_of_the_peers_owner_wakes_a_deep_sleeper)
{
	uint64_t *owner = shared_alloc(sizeof(*owner));
	struct child child = start_owner(owner);
	struct waiter w = { 0 };
	int64_t start;

	put_to_sleep(&w, WAIT_DEEP);
	store_seq(&it, 1);
	start = test_now();
	child_kill(&child);
	ck_assert_int_eq(join(&w), 0);
	/* And it did not just sleep its time, which is two seconds. */
	ck_assert_int_lt(test_now() - start, 1500 * MS);
}
END_TEST

START_TEST(death_of_the_peers_owner_alone_ends_no_wait)
{
	uint64_t *owner = shared_alloc(sizeof(*owner));
	struct child child = start_owner(owner);
	struct waiter w = { 0 };

	put_to_sleep(&w, WAIT_DEEP);
	child_kill(&child);
	ck_assert(child_wait_asleep_in(w.tid, SYS_ppoll));
	store_seq(&it, 1);
	park_notify(&waker, true);
	ck_assert_int_eq(join(&w), 0);
}
END_TEST

START_TEST(owners_that_are_none_are_not_watched)
{
	static const uint64_t owners[] = { 0, 1, UINT64_MAX, UINT64_C(0x7fffffff) << 32 };

	for (size_t i = 0; i < ARRAY_LENGTH(owners); i++) {
		control.writer.owner = owners[i];
		ck_assert_int_eq(wait_until(test_now() + 25 * MS), -ETIMEDOUT);
		ck_assert_int_eq(sleeper.owner, -1);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("park-ends");
	TCase *ends = add(suite, "ends");

	tcase_add_test(ends, shutdown_ends_a_wait);
	tcase_add_test(ends, shutdown_missed_in_the_first_stage_is_found_before_the_second);
	tcase_add_test(ends, damage_ends_a_wait_and_goes_before_shutdown);
	tcase_add_test(ends, hang_up_ends_a_wait);
	tcase_add_test(ends, closing_the_turn_ends_a_wait);
	tcase_add_test(ends, signal_ends_the_wait_of_one_who_wants_it);
	tcase_add_test(ends, signal_does_not_end_the_wait_of_others);
	tcase_add_test(ends, what_comes_with_the_end_has_come);
	tcase_add_test(ends, death_of_the_peers_owner_wakes_a_deep_sleeper);
	tcase_add_test(ends, death_of_the_peers_owner_alone_ends_no_wait);
	tcase_add_test(ends, owners_that_are_none_are_not_watched);
	return test_main(suite);
}
