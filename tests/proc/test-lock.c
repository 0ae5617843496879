/* SPDX-License-Identifier: MIT */
/*
 * A lock among processes: one at a time; what a forked child and an exec'ed program have of it; all
 * ways in which a holder can end, each told once; more processes than there is room for.
 */
#include "lock-tools.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

/* After so long a death must have been seen, on a machine that has other things to do. */
#define IN_TIME		(2000 * MS)

static struct weir_lock *lock;
static struct guarded *guarded;

/* What children and their parent tell each other. */
static struct said {
	uint32_t ready;
	uint32_t go;
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

/*
 * Exclusion
 */

#define ADDERS	4
#define ADDS	(20000 / LESS)

static int add(void *arg)
{
	uint32_t flags = *(const uint32_t *)arg;

	for (int i = 0; i < ADDS; i++) {
		child_check(weir_lock_acquire(lock, flags, soon()) == 0);
		child_check(guarded_add(guarded, (uint64_t)getpid()));
		child_check(weir_lock_release(lock) == 0);
	}
	return 0;
}

/* Plain and recursive, awake and asleep. */
START_TEST(counter_of_processes_adds_up)
{
	uint32_t flags = _i & 1 ? WEIR_NOSPIN : 0;
	struct child children[ADDERS];

	teardown();
	setup_with(_i & 2 ? WEIR_LOCK_RECURSIVE : 0);
	for (int i = 0; i < ADDERS; i++)
		children[i] = child_start(add, &flags);
	for (int i = 0; i < ADDERS; i++)
		child_join_ok(&children[i]);
	ck_assert_uint_eq(guarded->first, (uint64_t)ADDERS * ADDS);
	ck_assert_uint_eq(guarded->second, (uint64_t)ADDERS * ADDS);
	ck_assert(!weir_lock_is_locked(lock));
	/* They have returned by _exit(), which is no leaving; nothing was held. */
	ck_assert_int_eq(shared_mend_all(&lock->shared), ADDERS);
	ck_assert_uint_eq(lock_parties(lock), 0);
	take_and_give(0);
}
END_TEST

static int find_it_taken(void *arg)
{
	(void)arg;
	child_check(weir_lock_is_locked(lock) && !weir_lock_is_mine(lock));
	child_check(weir_lock_acquire(lock, 0, 0) == -EAGAIN);
	child_check(weir_lock_acquire(lock, 0, test_now() + 10 * MS) == -ETIMEDOUT);
	return 0;
}

START_TEST(forked_child_does_not_have_what_its_parent_has)
{
	struct child child;

	ck_assert_int_eq(weir_lock_acquire(lock, 0, 0), 0);
	child = child_start(find_it_taken, NULL);
	child_join_ok(&child);
	ck_assert(weir_lock_is_mine(lock));
	ck_assert_int_eq(weir_lock_release(lock), 0);
}
END_TEST

static int release_it(void *arg)
{
	return weir_lock_release(lock) == *(const int *)arg ? 0 : 1;
}

START_TEST(plain_one_is_released_by_anybody_and_a_recursive_one_is_not)
{
	int result = _i ? -EPERM : 0;
	struct child child;

	teardown();
	setup_with(_i ? WEIR_LOCK_RECURSIVE : 0);
	ck_assert_int_eq(weir_lock_acquire(lock, 0, 0), 0);
	child = child_start(release_it, &result);
	child_join_ok(&child);
	ck_assert_int_eq(weir_lock_is_locked(lock), _i);
}
END_TEST

static int wait_for_it(void *arg)
{
	child_check(weir_lock_acquire(lock, WEIR_NOSPIN, soon()) == *(const int *)arg);
	child_check(weir_lock_release(lock) == 0);
	return 0;
}

START_TEST(release_wakes_one_after_the_other)
{
	struct child children[3];
	int expected = 0;

	ck_assert_int_eq(weir_lock_acquire(lock, 0, 0), 0);
	for (int i = 0; i < 3; i++)
		children[i] = child_start(wait_for_it, &expected);
	for (int i = 0; i < 3; i++)
		ck_assert(child_wait_asleep_in(children[i].pid, SYS_futex));
	ck_assert_int_eq(weir_lock_release(lock), 0);
	for (int i = 0; i < 3; i++)
		child_join_ok(&children[i]);
}
END_TEST

/*
 * Ends
 */

enum end {
	END_KILLED,
	END_EXIT,
	END_EXIT_AT_ONCE,
	END_CLOSE,
	END_CLOSE_DEEP,		/* one that has it twice */
	END_ABORT,
	ENDS
};

static int have_and_end(void *arg)
{
	enum end end = *(const enum end *)arg;

	child_check(weir_lock_acquire(lock, 0, soon()) >= 0);
	if (end == END_CLOSE_DEEP)
		child_check(weir_lock_acquire(lock, 0, 0) == 0);
	store_release(&said->ready, 1);
	child_check(await(&said->go, 1));
	switch (end) {
	case END_KILLED: raise(SIGKILL); break;
	case END_EXIT: fflush(stdout); exit(0); break;
	case END_EXIT_AT_ONCE: _exit(0); break;
	case END_ABORT: signal(SIGABRT, SIG_DFL); abort(); break;
	case END_CLOSE:
	case END_CLOSE_DEEP: weir_lock_close(lock); pause(); break;
	default: break;
	}
	return 1;
}

static struct child start_holder(enum end *end)
{
	struct child child = child_start(have_and_end, end);

	ck_assert(await(&said->ready, 1));
	store_release(&said->ready, 0);
	return child;
}

START_TEST(holder_that_ends_is_told_of_once)
{
	enum end end = _i % ENDS;
	bool asleep = _i >= ENDS;
	struct child child;
	int64_t begun;

	if (end == END_CLOSE_DEEP) {
		teardown();
		setup_with(WEIR_LOCK_RECURSIVE);
	}
	child = start_holder(&end);
	ck_assert_int_eq(weir_lock_acquire(lock, 0, 0), -EAGAIN);
	store_release(&said->go, 1);
	if (!asleep && end != END_CLOSE && end != END_CLOSE_DEEP)
		child_join(&child);
	begun = test_now();
	ck_assert_int_eq(weir_lock_acquire(lock, 0, begun + IN_TIME), WEIR_OWNER_DIED);
	ck_assert_int_eq(weir_lock_release(lock), 0);
	take_and_give(0);
	if (child.pid)
		child_kill(&child);
	/* Of one that has died nobody has cleaned up yet. */
	shared_mend_all(&lock->shared);
	ck_assert_uint_eq(lock_parties(lock), 1);
}
END_TEST

START_TEST(one_of_those_who_wait_is_told)
{
	enum end end = END_KILLED;
	struct child holder, told, others[2];
	int died = WEIR_OWNER_DIED, expected = 0;

	holder = start_holder(&end);
	told = child_start(wait_for_it, &died);
	ck_assert(child_wait_asleep_in(told.pid, SYS_futex));
	child_stop(&told);
	for (int i = 0; i < 2; i++) {
		others[i] = child_start(wait_for_it, &expected);
		ck_assert(child_wait_asleep_in(others[i].pid, SYS_futex));
		child_stop(&others[i]);
	}
	child_kill(&holder);
	/* They may have ended before anybody could see that they run again. */
	kill(told.pid, SIGCONT);
	child_join_ok(&told);
	for (int i = 0; i < 2; i++) {
		kill(others[i].pid, SIGCONT);
		child_join_ok(&others[i]);
	}
}
END_TEST

START_TEST(who_was_told_and_dies_is_told_of)
{
	enum end end = END_KILLED;
	struct child child;

	for (int i = 0; i < 3; i++) {
		child = start_holder(&end);
		child_kill(&child);
	}
	expect_told_once();
}
END_TEST

/* The lock is what is looked at, not the party: also once the party is somebody else's. */
START_TEST(death_is_told_though_the_party_is_cleaned_up_first)
{
	enum end end = END_KILLED;
	struct child child = start_holder(&end);

	child_kill(&child);
	ck_assert_int_eq(shared_mend_all(&lock->shared), 1);
	ck_assert(!weir_lock_is_locked(lock));
	expect_told_once();
}
END_TEST

START_TEST(try_sees_a_death)
{
	enum end end = END_KILLED;
	struct child child = start_holder(&end);
	int64_t until = test_now() + IN_TIME;
	int result;

	child_kill(&child);
	do
		result = weir_lock_acquire(lock, 0, 0);
	while (result == -EAGAIN && test_now() < until);
	ck_assert_int_eq(result, WEIR_OWNER_DIED);
}
END_TEST

static int use_and_exit(void *arg)
{
	(void)arg;
	child_check(weir_lock_acquire(lock, 0, soon()) == 0);
	child_check(weir_lock_release(lock) == 0);
	fflush(stdout);
	exit(0);
}

START_TEST(process_that_exits_with_nothing_leaves)
{
	struct child child = child_start(use_and_exit, NULL);

	child_join_ok(&child);
	ck_assert_uint_eq(lock_parties(lock), 0);
	take_and_give(0);
	ck_assert_uint_eq(lock->shared.commons.control->deaths, 0);
}
END_TEST

static int use_and_close(void *arg)
{
	(void)arg;
	child_check(weir_lock_acquire(lock, 0, soon()) == 0);
	child_check(weir_lock_release(lock) == 0);
	weir_lock_close(lock);
	store_release(&said->ready, 1);
	pause();
	return 0;
}

START_TEST(process_that_closes_with_nothing_leaves)
{
	struct child child = child_start(use_and_close, NULL);

	ck_assert(await(&said->ready, 1));
	ck_assert_uint_eq(lock_parties(lock), 0);
	take_and_give(0);
	child_kill(&child);
}
END_TEST

/*
 * Many
 */

static int use_and_die(void *arg)
{
	(void)arg;
	child_check(weir_lock_acquire(lock, 0, soon()) >= 0);
	child_check(weir_lock_release(lock) == 0);
	raise(SIGKILL);
	return 0;
}

START_TEST(parties_of_the_dead_are_used_again)
{
	const int dead = 200;

	for (int i = 0; i < dead; i++) {
		struct child child = child_start(use_and_die, NULL);

		child_join(&child);
	}
	ck_assert_uint_le(lock->shared.commons.control->party_top, 64);
	shared_mend_all(&lock->shared);
	ck_assert_uint_eq(lock_parties(lock), 0);
}
END_TEST

/* All but @left names, as of this process. */
static void use_up_parties(uint32_t left)
{
	struct shared *s = &lock->shared;
	uint64_t word;

	for (uint32_t i = 1; i < COMMONS_PARTIES - left; i++) {
		struct weir_party *p = commons_party(&s->commons, i);

		ck_assert(party_claim(&p->name, s->commons.control->spaces, &word));
		store_relaxed(&p->image, party_image(word));
	}
	store_release(&s->commons.control->party_top, COMMONS_PARTIES - 1 - left);
}

static int find_no_room(void *arg)
{
	(void)arg;
	child_check(weir_lock_acquire(lock, 0, soon()) == -EUSERS);
	child_check(!weir_lock_is_mine(lock) && !weir_lock_is_locked(lock));
	return 0;
}

START_TEST(process_4096_is_refused_until_another_has_died)
{
	struct child child;

	use_up_parties(1);
	child = child_start(use_and_die, NULL);
	child_join(&child);
	/* Its name is free to be had. */
	child = child_start(use_and_exit, NULL);
	child_join_ok(&child);
	ck_assert_int_eq(weir_lock_acquire(lock, 0, 0), 0);
	ck_assert_int_eq(weir_lock_release(lock), 0);
	child = child_start(find_no_room, NULL);
	child_join_ok(&child);
	ck_assert_uint_eq(lock_parties(lock), COMMONS_PARTIES - 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lock");
	TCase *tcase = tcase_create("lock");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, counter_of_processes_adds_up, 0, 4);
	tcase_add_test(tcase, forked_child_does_not_have_what_its_parent_has);
	tcase_add_loop_test(tcase, plain_one_is_released_by_anybody_and_a_recursive_one_is_not, 0,
			    2);
	tcase_add_test(tcase, release_wakes_one_after_the_other);
	tcase_add_loop_test(tcase, holder_that_ends_is_told_of_once, 0, 2 * ENDS);
	tcase_add_test(tcase, one_of_those_who_wait_is_told);
	tcase_add_test(tcase, who_was_told_and_dies_is_told_of);
	tcase_add_test(tcase, death_is_told_though_the_party_is_cleaned_up_first);
	tcase_add_test(tcase, try_sees_a_death);
	tcase_add_test(tcase, process_that_exits_with_nothing_leaves);
	tcase_add_test(tcase, process_that_closes_with_nothing_leaves);
	tcase_add_test(tcase, parties_of_the_dead_are_used_again);
	tcase_add_test(tcase, process_4096_is_refused_until_another_has_died);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
