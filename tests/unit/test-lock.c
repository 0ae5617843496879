/* SPDX-License-Identifier: MIT */
/* A lock within one process: each error that its header names, depth, deadlines, handles. */
#include "lock-tools.h"

#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#define IN_TIME (2000 * MS)

static struct weir_lock *lock;
static struct resources before;

static void setup_with(uint32_t flags)
{
	before = resources_begin();
	lock = lock_new(flags);
	ck_assert_ptr_nonnull(lock);
}

static void setup(void)
{
	setup_with(0);
}

static void setup_recursive(void)
{
	setup_with(WEIR_LOCK_RECURSIVE);
}

static void teardown(void)
{
	weir_lock_close(lock);
	resources_check(&before);
}

static int acquire(void)
{
	return weir_lock_acquire(lock, 0, 0);
}

/* What another thread gets of a call. */

struct call {
	int (*fn)(void);
	int result;
};

static void *call(void *arg)
{
	struct call *c = arg;

	c->result = c->fn();
	return NULL;
}

static int by_another_thread(int (*fn)(void))
{
	struct call c = { .fn = fn };
	pthread_t thread;

	/* Its stack is kept. */
	before.anonymous = false;
	ck_assert_int_eq(pthread_create(&thread, NULL, call, &c), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	return c.result;
}

static int release(void)
{
	return weir_lock_release(lock);
}

static int is_mine(void)
{
	return weir_lock_is_mine(lock);
}

static int acquire_for_a_moment(void)
{
	return weir_lock_acquire(lock, 0, test_now() + 5 * MS);
}

/*
 * Mistakes
 */

START_TEST(options_that_are_none_are_refused)
{
	struct weir_lock_options good = { .size = sizeof(good) }, o;
	struct weir_lock *const nothing = (void *)&good, *other = nothing;

	ck_assert_int_eq(weir_lock(NULL, NULL), -EINVAL);
	o = good;
	o.size--;
	ck_assert_int_eq(weir_lock(&other, &o), -EINVAL);
	o.size = 0;
	ck_assert_int_eq(weir_lock(&other, &o), -EINVAL);
	o = good;
	o.reserved = 1;
	ck_assert_int_eq(weir_lock(&other, &o), -EINVAL);
	for (int bit = 1; bit < 32; bit++) {
		o = good;
		o.flags = UINT32_C(1) << bit;
		ck_assert_int_eq(weir_lock(&other, &o), -EINVAL);
	}
	ck_assert_ptr_eq(other, nothing);
	ck_assert_int_eq(weir_lock(&other, &good), 0);
	weir_lock_close(other);
}
END_TEST

START_TEST(no_handle_is_refused)
{
	ck_assert_int_eq(weir_lock_acquire(NULL, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_lock_release(NULL), -EINVAL);
	ck_assert(!weir_lock_is_locked(NULL));
	ck_assert(!weir_lock_is_mine(NULL));
	weir_lock_close(NULL);
}
END_TEST

START_TEST(unknown_flags_are_refused)
{
	for (int bit = 0; bit < 32; bit++) {
		uint32_t flag = UINT32_C(1) << bit;
		bool known = flag == WEIR_INTR || flag == WEIR_NOSPIN;

		ck_assert_int_eq(weir_lock_acquire(lock, flag, 0), known ? 0 : -EINVAL);
		ck_assert_int_eq(weir_lock_release(lock), known ? 0 : -EINVAL);
	}
}
END_TEST

/*
 * One at a time
 */

START_TEST(lock_is_had_and_given_back)
{
	for (int i = 0; i < 100; i++) {
		ck_assert(!weir_lock_is_locked(lock) && !weir_lock_is_mine(lock));
		ck_assert_int_eq(acquire(), 0);
		ck_assert(weir_lock_is_locked(lock) && weir_lock_is_mine(lock));
		ck_assert(!by_another_thread(is_mine));
		ck_assert_int_eq(by_another_thread(acquire), -EAGAIN);
		ck_assert_int_eq(weir_lock_release(lock), 0);
	}
}
END_TEST

START_TEST(free_one_cannot_be_released)
{
	ck_assert_int_eq(weir_lock_release(lock), -EINVAL);
	ck_assert_int_eq(acquire(), 0);
	ck_assert_int_eq(weir_lock_release(lock), 0);
	ck_assert_int_eq(weir_lock_release(lock), -EINVAL);
	ck_assert(!weir_lock_is_locked(lock));
	ck_assert_int_eq(acquire(), 0);
}
END_TEST

START_TEST(plain_one_cannot_be_had_twice)
{
	ck_assert_int_eq(acquire(), 0);
	ck_assert_int_eq(acquire(), -EAGAIN);
	ck_assert_int_eq(acquire_for_a_moment(), -ETIMEDOUT);
	ck_assert(weir_lock_is_mine(lock));
}
END_TEST

START_TEST(plain_one_is_released_by_another_thread)
{
	ck_assert_int_eq(acquire(), 0);
	ck_assert_int_eq(by_another_thread(release), 0);
	ck_assert_int_eq(by_another_thread(release), -EINVAL);
	ck_assert(!weir_lock_is_mine(lock));
}
END_TEST

START_TEST(deadline_of_the_past_is_over_at_once_and_that_of_the_future_is_not_early)
{
	ck_assert_int_eq(by_another_thread(acquire), 0);
	ck_assert_int_eq(weir_lock_acquire(lock, 0, 0), -EAGAIN);
	ck_assert_int_eq(weir_lock_acquire(lock, 0, -1), -EAGAIN);
	ck_assert_int_eq(weir_lock_acquire(lock, 0, INT64_MIN), -EAGAIN);
	ck_assert_int_eq(weir_lock_acquire(lock, 0, 1), -ETIMEDOUT);
	ck_assert_int_eq(weir_lock_acquire(lock, 0, test_now() - 1), -ETIMEDOUT);
	for (int64_t ns = 1; ns < 40 * MS; ns *= 5) {
		int64_t until = test_now() + ns;

		ck_assert_int_eq(weir_lock_acquire(lock, ns & 1 ? 0 : WEIR_NOSPIN, until),
				 -ETIMEDOUT);
		ck_assert_int_ge(test_now(), until);
		ck_assert_int_lt(test_now(), until + IN_TIME);
	}
	/* And whatever the deadline, a free one is had. */
	ck_assert_int_eq(weir_lock_release(lock), 0);
	ck_assert_int_eq(weir_lock_acquire(lock, 0, 1), 0);
}
END_TEST

static void nothing(int signal)
{
	(void)signal;
}

START_TEST(signal_ends_the_wait_only_if_that_was_asked_for)
{
	struct itimerval timer = { { 0, 2000 }, { 0, 2000 } }, none = { { 0, 0 }, { 0, 0 } };
	struct sigaction action = { .sa_handler = nothing, .sa_flags = SA_RESTART };

	sigaction(SIGALRM, &action, NULL);
	ck_assert_int_eq(by_another_thread(acquire), 0);
	setitimer(ITIMER_REAL, &timer, NULL);
	ck_assert_int_eq(weir_lock_acquire(lock, WEIR_INTR, soon()), -EINTR);
	ck_assert_int_eq(weir_lock_acquire(lock, 0, test_now() + 10 * MS), -ETIMEDOUT);
	setitimer(ITIMER_REAL, &none, NULL);
}
END_TEST

/* Without this all goes on, but slowly: sleepers look for themselves now and then. */
START_TEST(giving_back_wakes_who_sleeps)
{
	struct weir_lock *other = lock_second(lock);
	uint32_t *bell = &lock->shared.commons.control->lock.bell;

	for (int way = 0; way < 3; way++) {
		ck_assert_int_ge(weir_lock_acquire(way == 1 ? other : lock, 0, 0), 0);
		/* As if somebody slept: who rings finds that nobody does. */
		store_release(bell, BELL_ASLEEP);
		switch (way) {
		case 0: ck_assert_int_eq(weir_lock_release(lock), 0); break;
		case 1: weir_lock_close(other); break;
		default: shared_unlock(&lock->shared); break;
		}
		ck_assert_uint_eq(load_acquire(bell) & BELL_STATE, BELL_QUIET);
	}
}
END_TEST

/*
 * Recursive
 */

START_TEST(recursive_one_is_released_as_often_as_it_was_had)
{
	const int depth = 1000;

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < depth; i++)
			ck_assert_int_eq(acquire(), 0);
		for (int i = 0; i < depth; i++) {
			ck_assert(weir_lock_is_mine(lock));
			ck_assert_int_eq(by_another_thread(acquire), -EAGAIN);
			ck_assert_int_eq(weir_lock_release(lock), 0);
			if (i < 950)
				i++, weir_lock_release(lock);
		}
		ck_assert(!weir_lock_is_locked(lock));
		ck_assert_int_eq(weir_lock_release(lock), -EINVAL);
	}
}
END_TEST

START_TEST(recursive_one_is_its_threads)
{
	ck_assert_int_eq(acquire(), 0);
	ck_assert_int_eq(by_another_thread(release), -EPERM);
	ck_assert_int_eq(by_another_thread(acquire_for_a_moment), -ETIMEDOUT);
	ck_assert_int_eq(weir_lock_release(lock), 0);
	ck_assert_int_eq(by_another_thread(acquire), 0);
	ck_assert_int_eq(weir_lock_release(lock), -EPERM);
	ck_assert_int_eq(acquire(), -EAGAIN);
}
END_TEST

START_TEST(depth_has_an_end)
{
	struct weir_lock_state *state = &lock->shared.commons.control->lock;

	ck_assert_int_eq(acquire(), 0);
	store_release(&state->depth, UINT32_MAX - 1);
	ck_assert_int_eq(acquire(), 0);
	ck_assert_int_eq(acquire(), -EOVERFLOW);
	ck_assert_int_eq(weir_lock_release(lock), 0);
	ck_assert_int_eq(acquire(), 0);
	ck_assert_int_eq(acquire(), -EOVERFLOW);
	store_release(&state->depth, 0);
	ck_assert_int_eq(weir_lock_release(lock), 0);
	ck_assert(!weir_lock_is_locked(lock));
}
END_TEST

/* The depth of one who has died is not the next one's. */
START_TEST(depth_begins_anew_after_a_death)
{
	struct weir_lock *other = lock_second(lock);

	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(weir_lock_acquire(other, 0, 0), 0);
	weir_lock_close(other);
	ck_assert_int_eq(acquire(), WEIR_OWNER_DIED);
	ck_assert_int_eq(weir_lock_release(lock), 0);
	ck_assert(!weir_lock_is_locked(lock));
}
END_TEST

/*
 * Handles
 */

START_TEST(handles_of_one_lock_are_told_apart)
{
	struct weir_lock *other = lock_second(lock);

	ck_assert_int_eq(acquire(), 0);
	ck_assert(weir_lock_is_locked(other) && !weir_lock_is_mine(other));
	ck_assert_int_eq(weir_lock_acquire(other, 0, 0), -EAGAIN);
	ck_assert_int_eq(weir_lock_acquire(other, 0, test_now() + 5 * MS), -ETIMEDOUT);
	ck_assert_int_eq(weir_lock_release(other), 0);
	ck_assert_int_eq(weir_lock_acquire(other, 0, 0), 0);
	ck_assert(!weir_lock_is_mine(lock));
	weir_lock_close(other);
	ck_assert_int_eq(acquire(), WEIR_OWNER_DIED);
	ck_assert_int_eq(weir_lock_release(lock), 0);
	ck_assert_int_eq(acquire(), 0);
}
END_TEST

START_TEST(closing_with_nothing_is_no_death)
{
	struct weir_lock *other = lock_second(lock);

	ck_assert_int_eq(weir_lock_acquire(other, 0, 0), 0);
	ck_assert_int_eq(weir_lock_release(other), 0);
	weir_lock_close(other);
	ck_assert_int_eq(acquire(), 0);
	ck_assert_uint_eq(lock_parties(lock), 1);
}
END_TEST

START_TEST(no_room_for_another_process_is_said)
{
	struct shared *s = &lock->shared;
	uint64_t word;

	for (uint32_t i = 1; i < COMMONS_PARTIES; i++)
		ck_assert(party_claim(&s->commons.parties[i].name, s->commons.control->spaces,
				      &word));
	ck_assert_int_eq(acquire(), -EUSERS);
	ck_assert(!weir_lock_is_mine(lock));
	ck_assert_int_eq(weir_lock_release(lock), -EINVAL);
	/* Of a recursive one it must be known whose. */
	store_release(&s->commons.control->lock.word, lock_name(1, 0));
	ck_assert_int_eq(weir_lock_release(lock), _i ? -EUSERS : 0);
	ck_assert(party_free(&s->commons.parties[77].name, s->commons.parties[77].name.low));
	store_release(&s->commons.control->lock.word, 0);
	ck_assert_int_eq(acquire(), 0);
	ck_assert_uint_eq(LOCK_PARTY(lock_word(lock)), 77);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lock");
	TCase *tcase = tcase_create("plain"), *recursive = tcase_create("recursive");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, options_that_are_none_are_refused);
	tcase_add_test(tcase, no_handle_is_refused);
	tcase_add_test(tcase, unknown_flags_are_refused);
	tcase_add_test(tcase, lock_is_had_and_given_back);
	tcase_add_test(tcase, free_one_cannot_be_released);
	tcase_add_test(tcase, plain_one_cannot_be_had_twice);
	tcase_add_test(tcase, plain_one_is_released_by_another_thread);
	tcase_add_test(tcase,
		       deadline_of_the_past_is_over_at_once_and_that_of_the_future_is_not_early);
	tcase_add_test(tcase, signal_ends_the_wait_only_if_that_was_asked_for);
	tcase_add_test(tcase, giving_back_wakes_who_sleeps);
	tcase_add_test(tcase, handles_of_one_lock_are_told_apart);
	tcase_add_test(tcase, closing_with_nothing_is_no_death);
	tcase_add_loop_test(tcase, no_room_for_another_process_is_said, 0, 1);
	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(recursive, setup_recursive, teardown);
	tcase_add_test(recursive, recursive_one_is_released_as_often_as_it_was_had);
	tcase_add_test(recursive, recursive_one_is_its_threads);
	tcase_add_test(recursive, depth_has_an_end);
	tcase_add_test(recursive, depth_begins_anew_after_a_death);
	tcase_add_test(recursive, lock_is_had_and_given_back);
	tcase_add_test(recursive, giving_back_wakes_who_sleeps);
	tcase_add_test(recursive, free_one_cannot_be_released);
	tcase_add_loop_test(recursive, no_room_for_another_process_is_said, 1, 2);
	suite_add_tcase(suite, recursive);
	return test_main(suite);
}
