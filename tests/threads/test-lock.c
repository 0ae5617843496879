/* SPDX-License-Identifier: MIT */
/*
 * Threads over one mapping of a lock: one at a time, however they ask; what is done under it is
 * seen by the next; handles that are closed under those who wait.
 */
#include "lock-tools.h"

#include <pthread.h>
#include <signal.h>

#define THREADS	4
#define ROUNDS	(20000 / LESS)

static struct weir_lock *lock;
static struct guarded guarded;
static struct resources before;
static uint32_t waiting;

struct worker {
	pthread_t thread;
	struct weir_lock *lock;
	uint32_t flags;
	int64_t patience;	/* 0: without end */
	int depth;
	uint64_t had;
	int result;
};

static struct worker workers[THREADS];

static void setup(void)
{
	before = resources_begin();
	/* The stacks of threads are kept. */
	before.anonymous = false;
	guarded = (struct guarded){ 0 };
	waiting = 0;
}

static void teardown(void)
{
	weir_lock_close(lock);
	lock = NULL;
	resources_check(&before);
}

static void start(void *(*fn)(void *arg), int i)
{
	ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, fn, &workers[i]), 0);
}

static void join_all(void)
{
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(workers[i].thread, NULL), 0);
}

/* 0, or the line of what was not as it should be. */
static int go_round(struct worker *w)
{
	int64_t deadline = w->patience ? test_now() + w->patience : WEIR_FOREVER;
	int result = weir_lock_acquire(w->lock, w->flags, deadline);

	if (result == -ETIMEDOUT || result == -EINTR)
		return w->patience || (w->flags & WEIR_INTR) ? 0 : __LINE__;
	if (result != 0)
		return __LINE__;
	for (int i = 1; i < w->depth; i++)
		if (weir_lock_acquire(w->lock, w->flags, 0) != 0)
			return __LINE__;
	if (!weir_lock_is_mine(w->lock) || !weir_lock_is_locked(w->lock))
		return __LINE__;
	if (!guarded_add(&guarded, (uint64_t)(w - workers) + 1))
		return __LINE__;
	w->had++;
	for (int i = 0; i < w->depth; i++)
		if (weir_lock_release(w->lock) != 0)
			return __LINE__;
	return 0;
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < ROUNDS && w->result == 0; i++)
		w->result = go_round(w);
	return NULL;
}

static void run_all(void)
{
	uint64_t had = 0;

	for (int i = 0; i < THREADS; i++)
		start(work, i);
	join_all();
	for (int i = 0; i < THREADS; i++) {
		ck_assert_int_eq(workers[i].result, 0);
		had += workers[i].had;
	}
	ck_assert_uint_gt(had, 0);
	ck_assert_uint_eq(guarded.first, had);
	ck_assert_uint_eq(guarded.second, had);
	ck_assert(!weir_lock_is_locked(lock));
}

/* Plain, recursive; awake, asleep. */
START_TEST(one_thread_at_a_time_has_it)
{
	lock = lock_new(_i & 1 ? WEIR_LOCK_RECURSIVE : 0);
	for (int i = 0; i < THREADS; i++)
		workers[i] = (struct worker){ .lock = lock, .flags = _i & 2 ? WEIR_NOSPIN : 0,
					      .depth = _i & 1 ? 1 + i : 1 };
	run_all();
}
END_TEST

START_TEST(one_handle_at_a_time_has_it)
{
	lock = lock_new(0);
	for (int i = 0; i < THREADS; i++)
		workers[i] = (struct worker){ .lock = i ? lock_second(lock) : lock, .depth = 1 };
	run_all();
	for (int i = 1; i < THREADS; i++)
		weir_lock_close(workers[i].lock);
	ck_assert_uint_eq(lock_parties(lock), 1);
}
END_TEST

static void nothing(int signal)
{
	(void)signal;
}

/* Deadlines so short that many pass, and signals. */
START_TEST(who_gives_up_leaves_nothing_behind)
{
	struct sigaction action = { .sa_handler = nothing };

	sigaction(SIGUSR1, &action, NULL);
	lock = lock_new(0);
	for (int i = 0; i < THREADS; i++)
		workers[i] = (struct worker){ .lock = lock, .depth = 1,
					      .flags = WEIR_INTR | (i & 1 ? WEIR_NOSPIN : 0),
					      .patience = i < 2 ? 20 * US : 0 };
	for (int i = 0; i < THREADS; i++)
		start(work, i);
	for (int i = 0; i < 500; i++) {
		nap(20 * US);
		pthread_kill(workers[i % THREADS].thread, SIGUSR1);
	}
	join_all();
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(workers[i].result, 0);
	ck_assert_uint_eq(guarded.first, guarded.second);
	ck_assert_int_eq(weir_lock_acquire(lock, 0, 0), 0);
	ck_assert_uint_eq(lock->shared.commons.control->lock.watch, 0);
	ck_assert_uint_eq(lock->shared.private->sleepers, 0);
}
END_TEST

/* The first call of several threads at once: one party. */
static void *sit(void *arg)
{
	struct worker *w = arg;

	add_seq(&waiting, 1);
	while (load_acquire(&waiting) != THREADS)
		cpu_relax();
	w->result = weir_lock_is_mine(w->lock);
	return NULL;
}

START_TEST(threads_of_a_process_are_one_party)
{
	for (int round = 0; round < 50; round++) {
		waiting = 0;
		lock = lock_new(0);
		for (int i = 0; i < THREADS; i++) {
			workers[i] = (struct worker){ .lock = lock };
			start(sit, i);
		}
		join_all();
		ck_assert_uint_eq(lock_parties(lock), 1);
		weir_lock_close(lock);
	}
	lock = NULL;
}
END_TEST

/*
 * Closing
 */

static void *wait_for_it(void *arg)
{
	struct worker *w = arg;

	add_seq(&waiting, 1);
	w->result = weir_lock_acquire(w->lock, w->flags, WEIR_FOREVER);
	return NULL;
}

START_TEST(closing_turns_out_those_who_wait)
{
	struct weir_lock *other;

	lock = lock_new(0);
	other = lock_second(lock);
	ck_assert_int_eq(weir_lock_acquire(lock, 0, 0), 0);
	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ .lock = other, .flags = i & 1 ? WEIR_NOSPIN : 0 };
		start(wait_for_it, i);
	}
	while (load_acquire(&other->shared.private->sleepers) != THREADS)
		nap(50 * US);
	weir_lock_close(other);
	join_all();
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(workers[i].result, -ESHUTDOWN);
	ck_assert_int_eq(weir_lock_release(lock), 0);
	ck_assert_int_eq(weir_lock_acquire(lock, 0, 0), 0);
	ck_assert_uint_eq(lock_parties(lock), 1);
}
END_TEST

/* They are awake when it is closed, or just about to sleep. */
START_TEST(closing_turns_out_those_who_are_still_awake)
{
	lock = lock_new(0);
	ck_assert_int_eq(weir_lock_acquire(lock, 0, 0), 0);
	for (int round = 0; round < 300 / LESS; round++) {
		struct weir_lock *other = lock_second(lock);

		workers[0] = (struct worker){ .lock = other };
		start(wait_for_it, 0);
		while (load_acquire(&other->shared.private->sleepers) == 0)
			cpu_relax();
		weir_lock_close(other);
		ck_assert_int_eq(pthread_join(workers[0].thread, NULL), 0);
		ck_assert_int_eq(workers[0].result, -ESHUTDOWN);
	}
}
END_TEST

static void *open_and_close(void *arg)
{
	struct worker *w = arg;

	for (int i = 0; i < 300 / LESS && w->result == 0; i++) {
		struct weir_lock *l = lock_second(w->lock);

		if (!l || weir_lock_acquire(l, 0, WEIR_FOREVER) < 0 || weir_lock_release(l) != 0)
			w->result = __LINE__;
		weir_lock_close(l);
	}
	return NULL;
}

START_TEST(handles_are_opened_and_closed_at_once)
{
	lock = lock_new(0);
	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ .lock = lock };
		start(open_and_close, i);
	}
	/* As at the end of the process. */
	for (int i = 0; i < 100; i++)
		shared_leave_all();
	join_all();
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(workers[i].result, 0);
	ck_assert_int_eq(weir_lock_acquire(lock, 0, 0), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lock");
	TCase *tcase = tcase_create("threads");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, one_thread_at_a_time_has_it, 0, 4);
	/* One word at several addresses is several words to it. */
	test_add_unless(tcase, WEIR_TSAN ? "ThreadSanitizer sees one mapping only" : NULL,
			one_handle_at_a_time_has_it);
	tcase_add_test(tcase, who_gives_up_leaves_nothing_behind);
	tcase_add_test(tcase, threads_of_a_process_are_one_party);
	tcase_add_test(tcase, closing_turns_out_those_who_wait);
	tcase_add_test(tcase, closing_turns_out_those_who_are_still_awake);
	tcase_add_test(tcase, handles_are_opened_and_closed_at_once);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
