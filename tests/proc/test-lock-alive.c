/* SPDX-License-Identifier: MIT */
/*
 * Who is alive is never taken for dead: stopped ones, processes of many threads, those that are
 * about to exit. And who dies is seen to, whatever signals come.
 */
#include "lock-tools.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>

/* After so long a death must have been seen, on a machine that has other things to do. */
#define IN_TIME		(2000 * MS)

static struct weir_lock *lock;
static struct guarded *guarded;

/* What children and their parent tell each other. */
static struct said {
	uint32_t ready;
	uint32_t go;
	uint32_t got;
	uint32_t end;
} *said;

static void setup_with(uint32_t flags)
{
	said = shared_alloc(sizeof(*said));
	guarded = shared_alloc(sizeof(*guarded));
	lock = lock_new(flags);
	ck_assert_ptr_nonnull(lock);
}

static void setup(void)
{
	setup_with(0);
}

static void teardown(void)
{
	weir_lock_close(lock);
}

static void take_and_give(int expected)
{
	ck_assert_int_eq(weir_lock_acquire(lock, 0, soon()), expected);
	ck_assert_int_eq(weir_lock_release(lock), 0);
}

/* Told once: the next one is not. */
static void expect_told_once(void)
{
	take_and_give(WEIR_OWNER_DIED);
	take_and_give(0);
}

/* Has it, and does as it is told. */
static int have_and_end(void *arg)
{
	bool dies = *(const bool *)arg;

	child_check(weir_lock_acquire(lock, 0, soon()) == 0);
	store_release(&said->ready, 1);
	child_check(await(&said->go, 1));
	if (dies)
		raise(SIGKILL);
	weir_lock_close(lock);
	pause();
	return 0;
}

static struct child start_holder(bool *dies)
{
	struct child child = child_start(have_and_end, dies);

	ck_assert(await(&said->ready, 1));
	store_release(&said->ready, 0);
	return child;
}

START_TEST(stopped_holder_keeps_it)
{
	bool dies = false;
	struct child child = start_holder(&dies);
	int64_t until = test_now() + 250 * MS;

	child_stop(&child);
	ck_assert_int_eq(weir_lock_acquire(lock, 0, until), -ETIMEDOUT);
	ck_assert_int_ge(test_now(), until);
	ck_assert_int_eq(weir_lock_acquire(lock, 0, 0), -EAGAIN);
	ck_assert_int_eq(shared_mend_all(&lock->shared), 0);
	child_continue(&child);
	ck_assert_int_eq(weir_lock_acquire(lock, 0, 0), -EAGAIN);
	store_release(&said->go, 1);
	ck_assert_int_eq(weir_lock_acquire(lock, 0, soon()), WEIR_OWNER_DIED);
	child_kill(&child);
}
END_TEST

static void *have_it(void *arg)
{
	*(int *)arg = weir_lock_acquire(lock, 0, soon());
	return NULL;
}

static int have_in_a_thread_that_ends(void *arg)
{
	pthread_t thread;
	int result = -1;

	(void)arg;
	child_check(pthread_create(&thread, NULL, have_it, &result) == 0);
	child_check(pthread_join(thread, NULL) == 0 && result == 0);
	child_check(!weir_lock_is_mine(lock));
	store_release(&said->ready, 1);
	child_check(await(&said->go, 1));
	return 0;
}

START_TEST(thread_that_ends_does_not_release)
{
	struct child child;

	teardown();
	setup_with(_i ? WEIR_LOCK_RECURSIVE : 0);
	child = child_start(have_in_a_thread_that_ends, NULL);
	ck_assert(await(&said->ready, 1));
	ck_assert_int_eq(weir_lock_acquire(lock, 0, test_now() + 30 * MS), -ETIMEDOUT);
	store_release(&said->go, 1);
	child_join_ok(&child);
	expect_told_once();
}
END_TEST

static void *have_it_for_long(void *arg)
{
	child_check(weir_lock_acquire(lock, 0, soon()) == 0);
	store_release(&said->ready, 1);
	child_check(await(&said->go, 1));
	child_check(guarded_add(guarded, 1));
	child_check(weir_lock_release(lock) == 0);
	_exit(0);
	return arg;
}

/* Its first thread is a zombie, and it is alive. */
static int end_first_thread(void *arg)
{
	pthread_t thread;

	(void)arg;
	child_check(pthread_create(&thread, NULL, have_it_for_long, NULL) == 0);
	child_check(await(&said->ready, 1));
	pthread_exit(NULL);
}

START_TEST(process_without_its_first_thread_keeps_it)
{
	struct child child = child_start(end_first_thread, NULL);

	ck_assert(await(&said->ready, 1));
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(weir_lock_acquire(lock, 0, test_now() + 10 * MS), -ETIMEDOUT);
	ck_assert_int_eq(shared_mend_all(&lock->shared), 0);
	store_release(&said->go, 1);
	ck_assert_int_eq(weir_lock_acquire(lock, 0, soon()), 0);
	ck_assert_uint_eq(guarded->second, 1);
	child_join_ok(&child);
}
END_TEST

/*
 * A process that exits while a thread of it waits: the thread gets the lock and works under it
 * until the very end, which may be far off.
 */

static bool linger;

/* After the library's. */
__attribute__((destructor(101))) static void end_late(void)
{
	if (!linger)
		return;
	store_release(&said->end, 1);
	await(&said->go, 1);
}

static void *wait_and_work(void *arg)
{
	child_check(weir_lock_acquire(lock, WEIR_NOSPIN, soon()) == 0);
	store_release(&said->got, 1);
	for (;;)
		pause();
	return arg;
}

static int exit_under_a_thread(void *arg)
{
	pthread_t thread;

	(void)arg;
	child_check(pthread_create(&thread, NULL, wait_and_work, NULL) == 0);
	while (load_acquire(&lock->shared.private->sleepers) == 0)
		nap(50 * US);
	linger = true;
	fflush(stdout);
	exit(0);
}

START_TEST(thread_of_a_process_that_exits_is_not_taken_for_dead)
{
	struct child child;

	ck_assert_int_eq(weir_lock_acquire(lock, 0, 0), 0);
	child = child_start(exit_under_a_thread, NULL);
	ck_assert(await(&said->end, 1));
	ck_assert_int_eq(weir_lock_release(lock), 0);
	ck_assert(await(&said->got, 1));
	ck_assert_int_eq(weir_lock_acquire(lock, 0, test_now() + 50 * MS), -ETIMEDOUT);
	ck_assert_int_eq(shared_mend_all(&lock->shared), 0);
	store_release(&said->go, 1);
	child_join_ok(&child);
	expect_told_once();
	ck_assert_uint_eq(lock->shared.commons.control->lock.deaths, 1);
}
END_TEST

/* The same, and nobody has it at the end: it has left. */
static int exit_under_a_thread_that_waits(void *arg)
{
	return exit_under_a_thread(arg);
}

START_TEST(process_of_threads_that_exits_has_not_died)
{
	struct child child;

	ck_assert_int_eq(weir_lock_acquire(lock, 0, 0), 0);
	store_release(&said->go, 1);
	child = child_start(exit_under_a_thread_that_waits, NULL);
	child_join_ok(&child);
	ck_assert_int_eq(weir_lock_release(lock), 0);
	ck_assert_int_eq(shared_mend_all(&lock->shared), 1);
	ck_assert_uint_eq(lock->shared.commons.control->deaths, 0);
	ck_assert_uint_eq(lock_parties(lock), 1);
	take_and_give(0);
}
END_TEST

/*
 * Signals
 */

static uint32_t alarms;

static void count_alarm(int signal)
{
	(void)signal;
	alarms++;
}

#define STORM_US 200

static void alarms_every(long us)
{
	struct itimerval timer = { { 0, us }, { 0, us } };
	struct sigaction action = { .sa_handler = count_alarm, .sa_flags = SA_RESTART };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static int kill_holder_later(void *arg)
{
	(void)arg;
	child_check(child_wait_asleep_in(getppid(), SYS_futex));
	nap(10 * MS);
	store_release(&said->go, 1);
	return 0;
}

static int signal_in_each_sleep(enum sys_call call)
{
	if (call != SYS_CALL_FUTEX_WAIT)
		return 0;
	nap(200 * US);
	return -EINTR;
}

/* As long as no sleep ended by itself, the look after the holder was never due. */
START_TEST(death_is_seen_though_no_sleep_lasts)
{
	bool dies = true;
	struct child child = start_holder(&dies);
	int64_t until = test_now() + 20 * MS;
	int result;

	ck_assert_int_eq(weir_lock_acquire(lock, 0, 0), -EAGAIN);
	sys_fault = signal_in_each_sleep;
	ck_assert_int_eq(weir_lock_acquire(lock, WEIR_NOSPIN, until), -ETIMEDOUT);
	ck_assert_int_ge(test_now(), until);
	store_release(&said->go, 1);
	result = weir_lock_acquire(lock, WEIR_NOSPIN, test_now() + IN_TIME);
	sys_fault = NULL;
	child_join(&child);
	ck_assert_int_eq(result, WEIR_OWNER_DIED);
}
END_TEST

START_TEST(death_is_seen_amid_a_storm_of_signals)
{
	bool dies = true;
	struct child child = start_holder(&dies), killer = child_start(kill_holder_later, NULL);
	int result;

	alarms_every(STORM_US);
	result = weir_lock_acquire(lock, 0, test_now() + IN_TIME);
	alarms_every(0);
	child_join_ok(&killer);
	child_join(&child);
	ck_assert_int_eq(result, WEIR_OWNER_DIED);
}
END_TEST

START_TEST(deadline_amid_a_storm_of_signals_is_kept)
{
	bool dies = false;
	struct child child = start_holder(&dies);

	alarms_every(STORM_US);
	for (int i = 0; i < 20; i++) {
		int64_t until = test_now() + (i + 1) * MS;

		ck_assert_int_eq(weir_lock_acquire(lock, i & 1 ? WEIR_NOSPIN : 0, until),
				 -ETIMEDOUT);
		ck_assert_int_ge(test_now(), until);
		ck_assert_int_lt(test_now(), until + IN_TIME);
	}
	ck_assert_int_eq(weir_lock_acquire(lock, WEIR_INTR | WEIR_NOSPIN, soon()), -EINTR);
	alarms_every(0);
	ck_assert_uint_gt(alarms, 10);
	child_kill(&child);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lock-alive");
	TCase *tcase = tcase_create("alive");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, stopped_holder_keeps_it);
	tcase_add_loop_test(tcase, thread_that_ends_does_not_release, 0, 2);
	tcase_add_test(tcase, process_without_its_first_thread_keeps_it);
	tcase_add_test(tcase, thread_of_a_process_that_exits_is_not_taken_for_dead);
	tcase_add_test(tcase, process_of_threads_that_exits_has_not_died);
	tcase_add_test(tcase, death_is_seen_though_no_sleep_lasts);
	tcase_add_test(tcase, death_is_seen_amid_a_storm_of_signals);
	tcase_add_test(tcase, deadline_amid_a_storm_of_signals_is_kept);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
