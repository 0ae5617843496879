/* SPDX-License-Identifier: MIT */
/* The bell: what it says in each state, and who is woken. */
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "wait/bell.h"

static uint32_t bell;

static void setup(void)
{
	bell = 0;
}

START_TEST(nobody_sleeps_and_nobody_is_rung)
{
	ck_assert_uint_eq(bell_state(&bell), BELL_QUIET);
	ck_assert(!bell_ring(&bell));
	ck_assert_uint_eq(bell, 0);
}
END_TEST

START_TEST(listening_says_so_and_counts)
{
	uint32_t listened = bell_listen(&bell);

	ck_assert_uint_eq(bell_state(&bell), BELL_ASLEEP);
	ck_assert_uint_eq(listened, bell);
	ck_assert_uint_eq(bell & ~BELL_STATE, BELL_ONE);
	/* A second one need not say it again. */
	ck_assert_uint_eq(bell_listen(&bell), listened);
	ck_assert_uint_eq(bell, listened);
}
END_TEST

START_TEST(ring_of_one_who_only_listened_makes_it_quiet)
{
	uint32_t listened = bell_listen(&bell);

	ck_assert(!bell_ring(&bell));
	ck_assert_uint_eq(bell_state(&bell), BELL_QUIET);
	ck_assert_uint_ne(bell, listened);
	/* So its sleep ends at once. */
	ck_assert_int_eq(bell_sleep(&bell, listened, soon()), 0);
}
END_TEST

START_TEST(sleep_ends_at_its_deadline)
{
	int64_t until = test_now() + 3000000;

	ck_assert_int_eq(bell_sleep(&bell, bell_listen(&bell), until), -ETIMEDOUT);
	ck_assert_int_ge(test_now(), until);
	ck_assert_uint_eq(bell_state(&bell), BELL_ASLEEP);
}
END_TEST

struct sleeper {
	pthread_t thread;
	pid_t tid;
	int result;
	uint32_t awake;
};

static struct sleeper sleepers[3];

static void *sleep_once(void *arg)
{
	struct sleeper *s = arg;
	uint32_t listened = bell_listen(&bell);

	__atomic_store_n(&s->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	s->result = bell_sleep(&bell, listened, soon());
	__atomic_store_n(&s->awake, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void start_all(void)
{
	for (int i = 0; i < 3; i++) {
		sleepers[i] = (struct sleeper){ 0 };
		ck_assert_int_eq(pthread_create(&sleepers[i].thread, NULL, sleep_once,
						&sleepers[i]), 0);
	}
	for (int i = 0; i < 3; i++) {
		while (!__atomic_load_n(&sleepers[i].tid, __ATOMIC_ACQUIRE))
			sched_yield();
		ck_assert(child_wait_asleep_in(sleepers[i].tid, SYS_futex));
	}
}

static int count_awake(void)
{
	int count = 0;

	for (int i = 0; i < 3; i++)
		count += (int)__atomic_load_n(&sleepers[i].awake, __ATOMIC_ACQUIRE);
	return count;
}

static void wait_for_awake(int count)
{
	int64_t until = soon();

	while (count_awake() < count)
		ck_assert_int_lt(test_now(), until);
}

static void join_all(void)
{
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(pthread_join(sleepers[i].thread, NULL), 0);
		ck_assert_int_eq(sleepers[i].result, 0);
	}
}

START_TEST(one_is_woken_at_a_time)
{
	start_all();
	for (int i = 1; i <= 3; i++) {
		ck_assert(bell_ring(&bell));
		ck_assert_uint_eq(bell_state(&bell), BELL_RUNG);
		/* One is on its way. */
		ck_assert(!bell_ring(&bell));
		ck_assert(!bell_ring(&bell));
		wait_for_awake(i);
		ck_assert_int_eq(count_awake(), i);
		bell_heard(&bell);
		ck_assert_uint_eq(bell_state(&bell), BELL_ASLEEP);
	}
	ck_assert(!bell_ring(&bell));
	ck_assert_uint_eq(bell_state(&bell), BELL_QUIET);
	join_all();
}
END_TEST

START_TEST(ring_all_wakes_all)
{
	start_all();
	bell_ring_all(&bell);
	ck_assert_uint_eq(bell_state(&bell), BELL_QUIET);
	join_all();
}
END_TEST

START_TEST(listening_while_one_is_on_its_way_changes_nothing)
{
	uint32_t rung;

	start_all();
	ck_assert(bell_ring(&bell));
	rung = bell;
	ck_assert_uint_eq(bell_listen(&bell), rung);
	ck_assert_uint_eq(bell, rung);
	bell_heard(&bell);
	ck_assert_uint_ne(bell, rung);
	bell_ring_all(&bell);
	join_all();
}
END_TEST

/*
 * A mark changes the bell without ringing it. Whenever that happens, whoever rings meanwhile wakes;
 * and if nobody slept, it does not say for ever that one is on his way.
 */

/* Sanitizers have many more instructions. */
#ifdef __SANITIZE_ADDRESS__
#define STRIDE	16
#else
#define STRIDE	1
#endif

static int ring_shared(void *arg)
{
	stepper_mark_begin();
	bell_ring(arg);
	stepper_mark_end();
	return 0;
}

START_TEST(marks_that_change_do_not_keep_from_ringing)
{
	uint32_t *shared = shared_alloc(sizeof(*shared)), was;
	bool on = true;

	for (uint64_t n = test_random_below(STRIDE); on; n += STRIDE) {
		struct stepper stepper;

		*shared = 0;
		bell_listen(shared);
		stepper = stepper_start(ring_shared, shared);
		ck_assert(stepper_run_to_begin(&stepper));
		on = stepper_steps(&stepper, n) == STEP_DONE;
		was = load_seq(shared);
		ck_assert(bell_mark(shared, &was, BELL_DARK, true));
		while (stepper_step(&stepper) == STEP_DONE)
			;
		/* Before it was rung, behind, or in between: then it may say that one sleeps. */
		if ((was & BELL_STATE) == BELL_RUNG)
			ck_assert_uint_eq(bell_state(shared), BELL_ASLEEP);
		else
			ck_assert_uint_eq(bell_state(shared), BELL_QUIET);
		stepper_kill(&stepper);
	}
}
END_TEST

START_TEST(count_wraps)
{
	uint32_t listened;

	bell = UINT32_MAX & ~(BELL_ONE - 1);
	listened = bell_listen(&bell);
	ck_assert_uint_eq(listened, BELL_ASLEEP);
	bell_heard(&bell);
	ck_assert_uint_eq(bell, BELL_ASLEEP);
}
END_TEST

START_TEST(marks_are_apart_from_sleepers_and_from_each_other)
{
	const uint32_t marks[] = { BELL_DARK, BELL_ARMED };

	for (int i = 0; i < 2; i++) {
		uint32_t mark = marks[i], other = marks[!i], was = bell, first;

		ck_assert(!bell_stirs(&bell));
		ck_assert(bell_mark(&bell, &was, mark, true));
		ck_assert_uint_eq(bell, was);
		ck_assert_uint_eq(bell & BELL_MARKS, mark);
		ck_assert(bell_stirs(&bell));
		ck_assert_uint_eq(bell_state(&bell), BELL_QUIET);
		/* To set it once more is a change, too. */
		first = was;
		ck_assert(bell_mark(&bell, &was, mark, true));
		ck_assert_uint_ne(bell, first);
		ck_assert(!bell_mark(&bell, &first, mark, false));
		ck_assert_uint_eq(first, bell);
		ck_assert(bell_mark(&bell, &was, other, true));
		bell_listen(&bell);
		bell_ring_all(&bell);
		was = bell;
		ck_assert_uint_eq(was & BELL_MARKS, BELL_MARKS);
		ck_assert(bell_mark(&bell, &was, mark, false));
		ck_assert_uint_eq(bell & BELL_MARKS, other);
		ck_assert(bell_mark(&bell, &was, other, false));
		ck_assert_uint_eq(bell & BELL_MARKS, 0);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("bell");
	TCase *t = tcase_create("bell");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, nobody_sleeps_and_nobody_is_rung);
	tcase_add_test(t, listening_says_so_and_counts);
	tcase_add_test(t, ring_of_one_who_only_listened_makes_it_quiet);
	tcase_add_test(t, sleep_ends_at_its_deadline);
	tcase_add_test(t, one_is_woken_at_a_time);
	tcase_add_test(t, ring_all_wakes_all);
	tcase_add_test(t, listening_while_one_is_on_its_way_changes_nothing);
	test_add_unless(t, WEIR_TSAN ? "too many instructions under ThreadSanitizer"
				     : stepper_unavailable(),
			marks_that_change_do_not_keep_from_ringing);
	tcase_add_test(t, count_wraps);
	tcase_add_test(t, marks_are_apart_from_sleepers_and_from_each_other);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return test_main(suite());
}
