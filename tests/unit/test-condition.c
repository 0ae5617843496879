/* SPDX-License-Identifier: MIT */
/* A condition in one process, with threads where somebody has to wait. */
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "obj/condition.h"
#include "weir.h"

#define MS	INT64_C(1000000)
#define WAITERS	8

static struct resources before;
static struct weir_condition *condition;
static struct weir_lock *lock;

static void setup(void)
{
	ck_assert_int_eq(weir_condition(&condition, NULL, NULL), 0);
	weir_condition_close(condition);
	before = resources_begin();
	/* The stacks of threads stay mapped. */
	before.anonymous = false;
	ck_assert_int_eq(weir_condition(&condition, NULL, NULL), 0);
	lock = weir_condition_lock(condition);
}

static void teardown(void)
{
	weir_condition_close(condition);
	resources_check(&before);
}

static void take(void)
{
	ck_assert_int_eq(weir_lock_acquire(lock, 0, soon()), 0);
}

static void give(void)
{
	ck_assert_int_eq(weir_lock_release(lock), 0);
}

/*
 * Without anybody else
 */

START_TEST(own_lock_is_recursive)
{
	ck_assert_ptr_nonnull(lock);
	take();
	take();
	give();
	ck_assert(weir_lock_is_mine(lock));
	give();
	ck_assert(!weir_lock_is_mine(lock));
}
END_TEST

START_TEST(without_the_lock_all_is_eperm)
{
	ck_assert_int_eq(weir_condition_wait(condition, 0, 0), -EPERM);
	ck_assert_int_eq(weir_condition_notify(condition, 1), -EPERM);
	ck_assert_int_eq(weir_condition_notify_all(condition), -EPERM);
	ck_assert_int_eq(weir_condition_wait_for(condition, NULL, NULL, 0, 0), -EINVAL);
}
END_TEST

static int never(void *arg)
{
	int *calls = arg;

	if (calls)
		++*calls;
	return 0;
}

static int always(void *arg)
{
	(void)arg;
	return 7;
}

START_TEST(wait_ends_at_its_deadline_with_the_lock)
{
	int64_t until = test_now() + 20 * MS;
	int calls = 0;

	take();
	take();
	ck_assert_int_eq(weir_condition_wait(condition, 0, 0), -EAGAIN);
	ck_assert_int_eq(weir_condition_wait(condition, 0, -1), -EAGAIN);
	ck_assert_int_eq(weir_condition_wait(condition, WEIR_NOSPIN, 1), -ETIMEDOUT);
	ck_assert_int_eq(weir_condition_wait(condition, 0, until), -ETIMEDOUT);
	ck_assert_int_ge(test_now(), until);
	ck_assert(weir_lock_is_mine(lock));
	ck_assert_int_eq(weir_condition_wait_for(condition, never, &calls, 0, 0), -EAGAIN);
	ck_assert_int_eq(calls, 1);
	ck_assert_int_eq(weir_condition_wait_for(condition, never, &calls, 0, 1), -ETIMEDOUT);
	ck_assert_int_eq(calls, 3);
	ck_assert_int_eq(weir_condition_wait_for(condition, always, NULL, 0, 0), 0);
	/* As often as before. */
	give();
	give();
	ck_assert_int_eq(weir_lock_release(lock), -EINVAL);
}
END_TEST

START_TEST(notifying_nobody_is_forgotten)
{
	take();
	ck_assert_int_eq(weir_condition_notify(condition, 1), 0);
	ck_assert_int_eq(weir_condition_notify_all(condition), 0);
	ck_assert_int_eq(weir_condition_wait(condition, 0, 0), -EAGAIN);
	give();
}
END_TEST

START_TEST(wrong_use_is_refused)
{
	struct weir_condition_options o = { .size = 1 };
	struct weir_condition *none = NULL;
	struct weir_lock *other;

	ck_assert_int_eq(weir_condition(NULL, NULL, NULL), -EINVAL);
	ck_assert_int_eq(weir_condition(&none, NULL, &o), -EINVAL);
	o = (struct weir_condition_options){ .size = sizeof(o), .flags = 1 };
	ck_assert_int_eq(weir_condition(&none, NULL, &o), -EINVAL);
	o = (struct weir_condition_options){ .size = sizeof(o), .max_waiters = 65536 };
	ck_assert_int_eq(weir_condition(&none, NULL, &o), -EINVAL);
	ck_assert_ptr_null(none);
	ck_assert_int_eq(weir_condition_wait(NULL, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_condition_wait(condition, WEIR_MORE, 0), -EINVAL);
	ck_assert_int_eq(weir_condition_wait_for(NULL, never, NULL, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_condition_wait_for(condition, never, NULL, 8, 0), -EINVAL);
	ck_assert_int_eq(weir_condition_notify(NULL, 1), -EINVAL);
	ck_assert_int_eq(weir_condition_notify_all(NULL), -EINVAL);
	ck_assert_ptr_null(weir_condition_lock(NULL));
	ck_assert_int_eq(weir_lock(&other, NULL), 0);
	ck_assert_int_eq(weir_condition_use_lock(condition, other), -EINVAL);
	ck_assert_int_eq(weir_condition_use_lock(condition, NULL), -EINVAL);
	ck_assert_int_eq(weir_condition_use_lock(NULL, other), -EINVAL);
	ck_assert_int_eq(weir_condition_use_lock(condition, lock), 0);
	weir_lock_close(other);
	weir_condition_close(NULL);
}
END_TEST

START_TEST(given_lock_is_the_callers)
{
	struct weir_condition *full, *empty;
	struct weir_lock *plain;

	ck_assert_int_eq(weir_lock(&plain, NULL), 0);
	ck_assert_int_eq(weir_condition(&full, plain, NULL), 0);
	ck_assert_int_eq(weir_condition(&empty, plain, NULL), 0);
	ck_assert_ptr_eq(weir_condition_lock(full), plain);
	ck_assert_int_eq(weir_lock_acquire(plain, 0, soon()), 0);
	ck_assert_int_eq(weir_condition_notify(full, 1), 0);
	ck_assert_int_eq(weir_condition_wait(empty, 0, 1), -ETIMEDOUT);
	ck_assert(weir_lock_is_mine(plain));
	weir_condition_close(full);
	weir_condition_close(empty);
	ck_assert_int_eq(weir_lock_release(plain), 0);
	weir_lock_close(plain);
}
END_TEST

START_TEST(import_brings_the_lock)
{
	char text[WEIR_EXPORT_SIZE];
	struct weir_condition *other, *another;
	struct weir_lock *its;

	ck_assert_int_gt(weir_export(condition, text, sizeof(text)), 0);
	ck_assert_int_eq(weir_import(text, WEIR_KIND_CONDITION, &other), 0);
	ck_assert_int_gt(weir_export(condition, text, sizeof(text)), 0);
	ck_assert_int_eq(weir_import(text, WEIR_KIND_CONDITION, &another), 0);
	its = weir_condition_lock(other);
	ck_assert_ptr_ne(its, lock);
	ck_assert_int_eq(weir_lock_acquire(its, 0, soon()), 0);
	ck_assert(weir_lock_is_locked(lock));
	ck_assert_int_eq(weir_condition_notify(condition, 1), -EPERM);
	ck_assert_int_eq(weir_condition_notify(other, 1), 0);
	ck_assert_int_eq(weir_condition_notify(another, 1), -EPERM);
	ck_assert_int_eq(weir_condition_use_lock(another, its), 0);
	ck_assert_ptr_eq(weir_condition_lock(another), its);
	ck_assert_int_eq(weir_condition_notify(another, 1), 0);
	ck_assert_int_eq(weir_lock_release(its), 0);
	weir_condition_close(another);
	weir_condition_close(other);
}
END_TEST

/*
 * With others
 */

struct waiter {
	pthread_t thread;
	int times;		/* that it has the lock when it waits */
	uint32_t flags;
	int result;
	int turn;		/* which of those that returned */
	int depth;		/* that it had afterwards */
};

static struct waiter waiters[WAITERS];
static int turns, waiting;	/* under the lock */
static bool closes_lock;

static void *wait_once(void *arg)
{
	struct waiter *w = arg;

	for (int i = 0; i < w->times; i++)
		weir_lock_acquire(lock, 0, soon());
	waiting++;
	w->result = weir_condition_wait(condition, w->flags, soon());
	/* Then there is no lock any more. */
	if (closes_lock)
		return NULL;
	w->turn = ++turns;
	while (weir_lock_release(lock) == 0)
		w->depth++;
	return NULL;
}

/* Each waits before the next one comes, and those that have come wait. */
static void start_waiters(int count)
{
	turns = waiting = 0;
	for (int i = 0; i < count; i++) {
		bool here = false;

		waiters[i] = (struct waiter){ .times = 1 + i % 3 };
		ck_assert_int_eq(pthread_create(&waiters[i].thread, NULL, wait_once, &waiters[i]),
				 0);
		while (!here) {
			take();
			here = waiting == i + 1;
			give();
		}
	}
}

static void join(int i)
{
	ck_assert_int_eq(pthread_join(waiters[i].thread, NULL), 0);
	ck_assert_int_eq(waiters[i].depth, waiters[i].times);
}

START_TEST(oldest_are_woken_first)
{
	start_waiters(WAITERS);
	for (int i = 0; i < 3; i++) {
		take();
		ck_assert_int_eq(weir_condition_notify(condition, 1), 1);
		give();
		join(i);
		ck_assert_int_eq(waiters[i].result, 0);
		ck_assert_int_eq(waiters[i].turn, i + 1);
	}
	take();
	ck_assert_int_eq(weir_condition_notify(condition, 2), 2);
	ck_assert_int_eq(weir_condition_notify(condition, 0), 0);
	give();
	join(3);
	join(4);
	take();
	ck_assert_int_eq(turns, 5);
	ck_assert_int_eq(weir_condition_notify_all(condition), WAITERS - 5);
	ck_assert_int_eq(weir_condition_notify_all(condition), 0);
	give();
	for (int i = 5; i < WAITERS; i++) {
		join(i);
		ck_assert_int_eq(waiters[i].result, 0);
	}
}
END_TEST

/* The one who notifies waits himself, later: what he gave is not his. */
START_TEST(later_waiter_does_not_take_it)
{
	start_waiters(1);
	take();
	ck_assert_int_eq(weir_condition_notify(condition, 1), 1);
	ck_assert_int_eq(weir_condition_wait(condition, 0, test_now() + 5 * MS), -ETIMEDOUT);
	give();
	join(0);
	ck_assert_int_eq(waiters[0].result, 0);
}
END_TEST

START_TEST(more_than_may_wait_are_eusers)
{
	struct weir_condition_options o = { .size = sizeof(o), .max_waiters = 2 };

	weir_condition_close(condition);
	ck_assert_int_eq(weir_condition(&condition, NULL, &o), 0);
	lock = weir_condition_lock(condition);
	start_waiters(2);
	take();
	ck_assert_int_eq(weir_condition_wait(condition, 0, soon()), -EUSERS);
	ck_assert(weir_lock_is_mine(lock));
	ck_assert_int_eq(weir_condition_notify_all(condition), 2);
	give();
	join(0);
	join(1);
	take();
	ck_assert_int_eq(weir_condition_wait(condition, 0, 0), -EAGAIN);
	give();
}
END_TEST

START_TEST(close_turns_out_those_who_wait)
{
	struct weir_lock *plain;

	ck_assert_int_eq(weir_lock(&plain, NULL), 0);
	weir_condition_close(condition);
	ck_assert_int_eq(weir_condition(&condition, plain, NULL), 0);
	lock = plain;
	start_waiters(1);
	weir_condition_close(condition);
	join(0);
	ck_assert_int_eq(waiters[0].result, -ESHUTDOWN);
	ck_assert_int_eq(weir_condition(&condition, NULL, NULL), 0);
	weir_lock_close(plain);
}
END_TEST

/* Its lock is closed with it, whoever has that. */
START_TEST(close_with_its_lock_held_does_not_hang)
{
	closes_lock = true;
	start_waiters(2);
	take();
	ck_assert_int_eq(weir_condition_notify(condition, 1), 1);
	weir_condition_close(condition);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(pthread_join(waiters[i].thread, NULL), 0);
		ck_assert_int_eq(waiters[i].result, -ESHUTDOWN);
	}
	ck_assert_int_eq(weir_condition(&condition, NULL, NULL), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("condition");
	TCase *tc = tcase_create("condition");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, own_lock_is_recursive);
	tcase_add_test(tc, without_the_lock_all_is_eperm);
	tcase_add_test(tc, wait_ends_at_its_deadline_with_the_lock);
	tcase_add_test(tc, notifying_nobody_is_forgotten);
	tcase_add_test(tc, wrong_use_is_refused);
	tcase_add_test(tc, given_lock_is_the_callers);
	tcase_add_test(tc, import_brings_the_lock);
	tcase_add_test(tc, oldest_are_woken_first);
	tcase_add_test(tc, later_waiter_does_not_take_it);
	tcase_add_test(tc, more_than_may_wait_are_eusers);
	tcase_add_test(tc, close_turns_out_those_who_wait);
	tcase_add_test(tc, close_with_its_lock_held_does_not_hang);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return test_main(suite());
}
