/* SPDX-License-Identifier: MIT */
/*
 * Semaphores among processes: never more inside than there are units, those who sleep are woken, a
 * plain one does not care who dies, and what a dead one had of a bounded one comes back.
 */
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "obj/semaphore.h"
#include "weir.h"

#define MS		INT64_C(1000000)
/* After so long a death must have been seen, on a machine that has other things to do. */
#define IN_TIME		(2000 * MS)

static const struct weir_semaphore_options bounded = {
	.size = sizeof(bounded),
	.flags = WEIR_SEMAPHORE_BOUNDED,
};

static struct weir_semaphore *semaphore;

static struct said {
	uint32_t inside;
	uint32_t most;
	uint32_t told;
	uint32_t ready;
	uint64_t count;
} *said;

static void setup_with(uint32_t value, const struct weir_semaphore_options *options)
{
	said = shared_alloc(sizeof(*said));
	ck_assert_int_eq(weir_semaphore(&semaphore, value, options), 0);
}

static void teardown(void)
{
	weir_semaphore_close(semaphore);
}

#define WORKERS	4
#define ROUNDS	3000

static int work(void *arg)
{
	uint32_t flags = *(const uint32_t *)arg;

	for (int i = 0; i < ROUNDS; i++) {
		uint32_t inside;

		child_check(weir_semaphore_acquire(semaphore, flags, soon()) == 0);
		inside = __atomic_add_fetch(&said->inside, 1, __ATOMIC_SEQ_CST);
		if (inside > __atomic_load_n(&said->most, __ATOMIC_SEQ_CST))
			__atomic_store_n(&said->most, inside, __ATOMIC_SEQ_CST);
		__atomic_sub_fetch(&said->inside, 1, __ATOMIC_SEQ_CST);
		child_check(weir_semaphore_release(semaphore, 1) == 0);
	}
	return 0;
}

/* Plain and bounded, awake and asleep. */
START_TEST(no_more_are_inside_than_there_are_units)
{
	uint32_t flags = _i & 1 ? WEIR_NOSPIN : 0;
	struct child children[WORKERS];

	setup_with(2, _i & 2 ? &bounded : NULL);
	for (int i = 0; i < WORKERS; i++)
		children[i] = child_start(work, &flags);
	for (int i = 0; i < WORKERS; i++)
		child_join_ok(&children[i]);
	ck_assert_uint_le(said->most, 2);
	ck_assert_int_eq(weir_semaphore_value(semaphore), 2);
	teardown();
}
END_TEST

/* One acquires what the other releases. */
static int consume(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++)
		child_check(weir_semaphore_acquire(semaphore, 0, soon()) == 0);
	return 0;
}

START_TEST(a_plain_one_is_a_signal)
{
	struct child a, b;

	setup_with(0, NULL);
	a = child_start(consume, NULL);
	b = child_start(consume, NULL);
	for (int i = 0; i < ROUNDS * 2; i += 3)
		ck_assert_int_eq(weir_semaphore_release(semaphore, 3), 0);
	child_join_ok(&a);
	child_join_ok(&b);
	ck_assert_int_eq(weir_semaphore_value(semaphore), 0);
	teardown();
}
END_TEST

static int wait_for_one(void *arg)
{
	int result;

	(void)arg;
	result = weir_semaphore_acquire(semaphore, WEIR_NOSPIN, soon());
	child_check(result >= 0);
	if (result == WEIR_OWNER_DIED)
		__atomic_add_fetch(&said->told, 1, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&said->count, 1, __ATOMIC_SEQ_CST);
	return 0;
}

START_TEST(many_released_at_once_wake_as_many)
{
	struct child children[WORKERS];

	setup_with(0, NULL);
	for (int i = 0; i < WORKERS; i++) {
		children[i] = child_start(wait_for_one, NULL);
		ck_assert(child_wait_asleep_in(children[i].pid, SYS_futex));
	}
	ck_assert_int_eq(weir_semaphore_release(semaphore, WORKERS - 1), 0);
	for (int64_t until = test_now() + IN_TIME;
	     __atomic_load_n(&said->count, __ATOMIC_SEQ_CST) < WORKERS - 1;)
		ck_assert_int_lt(test_now(), until);
	ck_assert_int_eq(weir_semaphore_value(semaphore), 0);
	ck_assert_int_eq(weir_semaphore_release(semaphore, 1), 0);
	for (int i = 0; i < WORKERS; i++)
		child_join_ok(&children[i]);
	teardown();
}
END_TEST

/* Has two units, and ends without releasing them. */
static int take_two(void *arg)
{
	child_check(weir_semaphore_acquire(semaphore, 0, soon()) == 0);
	child_check(weir_semaphore_acquire(semaphore, 0, soon()) == 0);
	switch (*(const int *)arg) {
	case 0:
		raise(SIGKILL);
		break;
	case 1:
		exit(0);
	case 2:
		weir_semaphore_close(semaphore);
	}
	return 0;
}

START_TEST(units_of_one_who_ends_come_back_and_the_next_is_told_once)
{
	struct child child;

	setup_with(2, &bounded);
	child = child_start(take_two, &_i);
	child_join(&child);
	ck_assert_int_eq(weir_semaphore_acquire(semaphore, 0, test_now() + IN_TIME),
			 WEIR_OWNER_DIED);
	ck_assert_int_eq(weir_semaphore_acquire(semaphore, 0, 0), 0);
	ck_assert_int_eq(weir_semaphore_release(semaphore, 2), 0);
	ck_assert_int_eq(weir_semaphore_acquire(semaphore, 0, 0), 0);
	teardown();
}
END_TEST

START_TEST(one_who_never_sleeps_sees_a_death)
{
	int how = 0;
	struct child child;

	setup_with(2, &bounded);
	child = child_start(take_two, &how);
	child_join(&child);
	for (int64_t until = test_now() + IN_TIME;;) {
		int result = weir_semaphore_acquire(semaphore, 0, 0);

		if (result == WEIR_OWNER_DIED)
			break;
		ck_assert_int_eq(result, -EAGAIN);
		ck_assert_int_lt(test_now(), until);
	}
	teardown();
}
END_TEST

START_TEST(those_who_sleep_see_a_death_and_one_is_told)
{
	struct child holder, a, b;

	setup_with(2, &bounded);
	holder = child_start(take_two, &(int){ 3 });
	child_join_ok(&holder);
	/* It has returned by _exit(): it has died. */
	ck_assert_int_eq(weir_semaphore_value(semaphore), 0);
	a = child_start(wait_for_one, NULL);
	b = child_start(wait_for_one, NULL);
	child_join_ok(&a);
	child_join_ok(&b);
	/* Perhaps the second has what the first one died with, as it returned. */
	ck_assert_uint_ge(said->told, 1);
	ck_assert_int_ge(weir_semaphore_acquire(semaphore, 0, test_now() + IN_TIME), 0);
	teardown();
}
END_TEST

static int hold_and_wait(void *arg)
{
	(void)arg;
	child_check(weir_semaphore_acquire(semaphore, 0, soon()) == 0);
	__atomic_store_n(&said->ready, 1, __ATOMIC_SEQ_CST);
	for (;;)
		pause();
}

START_TEST(a_stopped_one_keeps_its_unit)
{
	struct child child;

	setup_with(1, &bounded);
	child = child_start(hold_and_wait, NULL);
	for (int64_t until = soon(); !__atomic_load_n(&said->ready, __ATOMIC_SEQ_CST);)
		ck_assert_int_lt(test_now(), until);
	child_stop(&child);
	ck_assert_int_eq(weir_semaphore_acquire(semaphore, 0, test_now() + 30 * MS), -ETIMEDOUT);
	child_kill(&child);
	ck_assert_int_eq(weir_semaphore_acquire(semaphore, 0, test_now() + IN_TIME),
			 WEIR_OWNER_DIED);
	teardown();
}
END_TEST

static int release_one(void *arg)
{
	child_check(weir_semaphore_release(semaphore, 1) == *(const int *)arg);
	return 0;
}

/* The parent's is released by its child: then the parent has none that could be given back. */
START_TEST(a_child_releases_what_its_parent_has)
{
	int nothing = 0, overflow = -EOVERFLOW;
	struct child child;

	setup_with(1, &bounded);
	ck_assert_int_eq(weir_semaphore_acquire(semaphore, 0, 0), 0);
	child = child_start(release_one, &nothing);
	child_join_ok(&child);
	child = child_start(release_one, &overflow);
	child_join_ok(&child);
	ck_assert_int_eq(weir_semaphore_value(semaphore), 1);
	ck_assert_int_eq(weir_semaphore_release(semaphore, 1), -EOVERFLOW);
	teardown();
}
END_TEST

/* What a dead one had is not released by others for it. */
START_TEST(nobody_releases_for_the_dead)
{
	int how = 0;
	struct child child;

	setup_with(2, &bounded);
	child = child_start(take_two, &how);
	child_join(&child);
	ck_assert_int_eq(weir_semaphore_release(semaphore, 1), -EOVERFLOW);
	ck_assert_int_eq(weir_semaphore_value(semaphore), 2);
	ck_assert_int_eq(weir_semaphore_acquire(semaphore, 0, 0), WEIR_OWNER_DIED);
	teardown();
}
END_TEST

static int release_later(void *arg)
{
	child_check(child_wait_asleep(*(const pid_t *)arg));
	for (int i = 0; i < 3; i++)
		child_check(weir_semaphore_release(semaphore, 1) == 0);
	return 0;
}

/* Who waits in a set is woken by a release, and by the death of one who had a unit. */
START_TEST(a_wait_set_is_woken)
{
	struct weir_event event;
	struct weir_waitset *set;
	struct child child;
	pid_t me = getpid();
	uint64_t source;
	int how = 0;

	setup_with(_i ? 2 : 0, _i ? &bounded : NULL);
	ck_assert_int_eq(weir_waitset(&set, NULL), 0);
	ck_assert_int_eq(weir_waitset_add_semaphore(set, semaphore, set, &source), 0);
	child = child_start(_i ? take_two : release_later, _i ? (void *)&how : (void *)&me);
	if (_i)
		child_join(&child);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(weir_waitset_wait(set, &event, 1, 0, soon()), 1);
		if (_i == 0)
			ck_assert_int_eq(weir_semaphore_acquire(semaphore, 0, 0), 0);
	}
	if (_i)
		ck_assert_int_eq(weir_semaphore_acquire(semaphore, 0, 0), WEIR_OWNER_DIED);
	else
		child_join_ok(&child);
	weir_waitset_close(set);
	teardown();
}
END_TEST

static void *wait_in_vain(void *arg)
{
	*(int *)arg = weir_semaphore_acquire(semaphore, WEIR_NOSPIN, soon());
	return NULL;
}

START_TEST(who_waits_leaves_when_the_handle_is_closed)
{
	pthread_t thread;
	int result = 1;

	setup_with(0, _i ? &bounded : NULL);
	ck_assert_int_eq(pthread_create(&thread, NULL, wait_in_vain, &result), 0);
	/* Asleep or not yet in the call, which none may begin: so it must sleep. */
	while (__atomic_load_n(&semaphore->tally.shared.private->sleepers, __ATOMIC_SEQ_CST) == 0)
		sched_yield();
	teardown();
	pthread_join(thread, NULL);
	ck_assert_int_eq(result, -ESHUTDOWN);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("semaphore");
	TCase *tcase = tcase_create("semaphore");

	tcase_add_loop_test(tcase, no_more_are_inside_than_there_are_units, 0, 4);
	tcase_add_test(tcase, a_plain_one_is_a_signal);
	tcase_add_test(tcase, many_released_at_once_wake_as_many);
	tcase_add_loop_test(tcase, units_of_one_who_ends_come_back_and_the_next_is_told_once, 0, 4);
	tcase_add_test(tcase, one_who_never_sleeps_sees_a_death);
	tcase_add_test(tcase, those_who_sleep_see_a_death_and_one_is_told);
	tcase_add_test(tcase, a_stopped_one_keeps_its_unit);
	tcase_add_test(tcase, a_child_releases_what_its_parent_has);
	tcase_add_test(tcase, nobody_releases_for_the_dead);
	tcase_add_loop_test(tcase, a_wait_set_is_woken, 0, 2);
	tcase_add_loop_test(tcase, who_waits_leaves_when_the_handle_is_closed, 0, 2);
	tcase_set_timeout(tcase, 120);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
