/* SPDX-License-Identifier: MIT */
/*
 * Events, conditions and barriers between processes: who is told of what when processes die, leave
 * or stand still.
 */
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "weir.h"

#define MS	INT64_C(1000000)
#define PARTIES	3
#define ROUNDS	50

static struct weir_event_flag *event;
static struct weir_condition *condition;
static struct weir_lock *lock;
static struct weir_barrier *barrier;
static int *board;		/* shared */

static void setup(void)
{
	board = shared_alloc(4096);
	memset(board, 0, 4096);
	ck_assert_int_eq(weir_event(&event, NULL), 0);
	ck_assert_int_eq(weir_condition(&condition, NULL, NULL), 0);
	lock = weir_condition_lock(condition);
	ck_assert_int_eq(weir_barrier(&barrier, PARTIES, NULL), 0);
}

static void close_all(void)
{
	weir_event_close(event);
	weir_condition_close(condition);
	weir_barrier_close(barrier);
}

static void die(void)
{
	raise(SIGKILL);
}

static void join_killed(struct child *child)
{
	int status = child_join(child);

	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/*
 * Events
 */

static int await_event(void *arg)
{
	(void)arg;
	child_check(weir_event_wait(event, 0, soon()) == 0);
	return 0;
}

START_TEST(all_processes_are_woken_though_it_is_cleared_at_once)
{
	struct child children[4];

	for (int i = 0; i < 4; i++)
		children[i] = child_start(await_event, NULL);
	for (int i = 0; i < 4; i++)
		ck_assert(child_wait_asleep_in(children[i].pid, SYS_futex));
	weir_event_set(event);
	weir_event_clear(event);
	for (int i = 0; i < 4; i++)
		child_join_ok(&children[i]);
	close_all();
}
END_TEST

/*
 * Conditions
 */

/* Wait once, and leave, or not; what came of it to the board. */
static int wait_and_leave(void *arg)
{
	int *result = arg;

	child_check(weir_lock_acquire(lock, 0, soon()) >= 0);
	*result = weir_condition_wait(condition, 0, soon());
	child_check(weir_lock_is_mine(lock));
	child_check(weir_lock_release(lock) == 0);
	close_all();
	return 0;
}

static struct child start_waiter(int *result)
{
	struct child child;

	*result = -1;
	child = child_start(wait_and_leave, result);
	ck_assert(child_wait_asleep_in(child.pid, SYS_futex));
	return child;
}

static void notify(uint32_t count, int expected)
{
	ck_assert_int_ge(weir_lock_acquire(lock, 0, soon()), 0);
	ck_assert_int_eq(weir_condition_notify(condition, count), expected);
	ck_assert_int_eq(weir_lock_release(lock), 0);
}

START_TEST(killed_waiter_is_told_to_the_others)
{
	struct child a = start_waiter(&board[0]), b = start_waiter(&board[1]);

	child_kill(&a);
	child_join_ok(&b);
	ck_assert_int_eq(board[1], WEIR_OWNER_DIED);
	/* Once. */
	b = start_waiter(&board[1]);
	notify(1, 1);
	child_join_ok(&b);
	ck_assert_int_eq(board[1], 0);
	close_all();
}
END_TEST

/* What the dead one was woken for is not lost: somebody else is woken. */
START_TEST(notification_of_a_killed_one_wakes_another)
{
	struct child a = start_waiter(&board[0]), b = start_waiter(&board[1]);

	ck_assert_int_eq(weir_lock_acquire(lock, 0, soon()), 0);
	ck_assert_int_eq(weir_condition_notify(condition, 1), 1);
	child_kill(&a);
	ck_assert_int_eq(weir_lock_release(lock), 0);
	child_join_ok(&b);
	ck_assert(board[1] == 0 || board[1] == WEIR_OWNER_DIED);
	close_all();
}
END_TEST

static int notify_and(void *arg)
{
	void (*end)(void) = *(void (**)(void))arg;

	child_check(weir_lock_acquire(lock, 0, soon()) >= 0);
	child_check(weir_condition_notify(condition, 1) >= 0);
	child_check(weir_lock_release(lock) == 0);
	end();
	return 0;
}

static void nothing(void)
{
}

static void leave_by_exit(void)
{
	exit(0);
}

START_TEST(death_is_told_to_those_who_wait_later)
{
	void (*ends[])(void) = { die, nothing, close_all, leave_by_exit };
	struct child child;
	int result;

	for (int i = 0; i < 4; i++) {
		child = child_start(notify_and, &ends[i]);
		child_join(&child);
		ck_assert_int_eq(weir_lock_acquire(lock, 0, soon()), 0);
		result = weir_condition_wait(condition, 0, test_now() + (i < 2 ? 5000 : 20) * MS);
		/* _exit() after it has used it is a death, too; to close or to exit(3) is none. */
		ck_assert_int_eq(result, i < 2 ? WEIR_OWNER_DIED : -ETIMEDOUT);
		ck_assert_int_eq(weir_condition_wait(condition, 0, test_now() + MS), -ETIMEDOUT);
		ck_assert_int_eq(weir_lock_release(lock), 0);
	}
	close_all();
}
END_TEST

static int die_with_the_lock(void *arg)
{
	(void)arg;
	child_check(weir_lock_acquire(lock, 0, soon()) == 0);
	die();
	return 0;
}

START_TEST(wait_tells_that_the_holder_has_died)
{
	int64_t limit = soon();
	struct child child;
	int result;

	ck_assert_int_eq(weir_lock_acquire(lock, 0, soon()), 0);
	child = child_start(die_with_the_lock, NULL);
	ck_assert(child_wait_asleep_in(child.pid, SYS_futex));
	/* He gets it while we wait, on a busy machine later; and has not used the condition. */
	do
		result = weir_condition_wait(condition, 0, test_now() + 10 * MS);
	while (result == -ETIMEDOUT && test_now() < limit);
	ck_assert_int_eq(result, WEIR_OWNER_DIED);
	ck_assert(weir_lock_is_mine(lock));
	ck_assert_int_eq(weir_lock_release(lock), 0);
	join_killed(&child);
	close_all();
}
END_TEST

static int is_one(void *arg)
{
	return *(volatile int *)arg == 1;
}

static int set_to_one(void *arg)
{
	child_check(weir_lock_acquire(lock, 0, soon()) == 0);
	/* For nothing, first. */
	child_check(weir_condition_notify_all(condition) == 1);
	child_check(weir_lock_release(lock) == 0);
	for (bool done = false; !done;) {
		child_check(weir_lock_acquire(lock, 0, soon()) == 0);
		*(int *)arg = 1;
		done = weir_condition_notify_all(condition) == 1;
		child_check(weir_lock_release(lock) == 0);
	}
	close_all();
	return 0;
}

START_TEST(wait_for_looks_again_until_it_holds)
{
	struct child child;

	ck_assert_int_eq(weir_lock_acquire(lock, 0, soon()), 0);
	child = child_start(set_to_one, &board[0]);
	ck_assert_int_eq(weir_condition_wait_for(condition, is_one, &board[0], 0, soon()), 0);
	/* It may have been set before it was looked at again. */
	weir_condition_wait(condition, 0, test_now() + 20 * MS);
	ck_assert_int_eq(weir_lock_release(lock), 0);
	ck_assert_int_eq(board[0], 1);
	child_kill(&child);
	close_all();
}
END_TEST

START_TEST(handle_over_a_pipe_brings_the_lock)
{
	struct weir_end *ends[2];
	struct weir_condition *other;

	ck_assert_int_eq(weir_pipe(ends, NULL), 0);
	ck_assert_int_eq(weir_pipe_send_handle(ends[0], condition, 0, soon()), 0);
	ck_assert_int_eq(weir_pipe_send_handle(ends[0], barrier, 0, soon()), 0);
	ck_assert_int_eq(weir_pipe_recv_handle(ends[1], WEIR_KIND_CONDITION, 0, soon(), &other), 0);
	ck_assert_int_eq(weir_lock_acquire(lock, 0, soon()), 0);
	ck_assert_int_eq(weir_lock_acquire(weir_condition_lock(other), 0, 0), -EAGAIN);
	ck_assert_int_eq(weir_lock_release(lock), 0);
	weir_condition_close(other);
	weir_barrier_close(barrier);
	ck_assert_int_eq(weir_pipe_recv_handle(ends[1], WEIR_KIND_BARRIER, 0, soon(), &barrier), 0);
	ck_assert_int_eq(weir_barrier_parties(barrier), PARTIES);
	weir_pipe_close(ends[0]);
	weir_pipe_close(ends[1]);
	close_all();
}
END_TEST

/*
 * Barriers
 */

static int meet(void *arg)
{
	int *result = arg;

	*result = weir_barrier_wait(barrier, 0, soon(), NULL);
	close_all();
	return 0;
}

static void wait_until_waiting(int count)
{
	int64_t hang = soon();

	while (weir_barrier_waiting(barrier) != count && test_now() < hang)
		sched_yield();
	ck_assert_int_eq(weir_barrier_waiting(barrier), count);
}

static int meet_often(void *arg)
{
	int *indices = arg;

	for (int i = 0; i < ROUNDS; i++) {
		uint32_t index;

		child_check(weir_barrier_wait(barrier, 0, soon(), &index) == 0);
		__atomic_fetch_or(&indices[i], 1 << index, __ATOMIC_SEQ_CST);
	}
	close_all();
	return 0;
}

START_TEST(all_meet_again_and_again)
{
	struct child children[PARTIES];

	for (int i = 0; i < PARTIES; i++)
		children[i] = child_start(meet_often, board);
	for (int i = 0; i < PARTIES; i++)
		child_join_ok(&children[i]);
	for (int i = 0; i < ROUNDS; i++)
		ck_assert_int_eq(board[i], (1 << PARTIES) - 1);
	/* They have left, and not died. */
	ck_assert_int_eq(weir_barrier_wait(barrier, 0, test_now() + 30 * MS, NULL), -ETIMEDOUT);
	close_all();
}
END_TEST

START_TEST(killed_in_the_barrier_breaks_it)
{
	struct child a = child_start(meet, &board[0]), b = child_start(meet, &board[1]);

	wait_until_waiting(2);
	child_kill(&a);
	child_join_ok(&b);
	ck_assert_int_eq(board[1], -EOWNERDEAD);
	ck_assert_int_eq(weir_barrier_wait(barrier, 0, soon(), NULL), -EOWNERDEAD);
	ck_assert_int_eq(weir_barrier_broken(barrier), 1);
	/* One death breaks it once. */
	ck_assert_int_eq(weir_barrier_reset(barrier), 0);
	a = child_start(meet, &board[0]);
	b = child_start(meet, &board[1]);
	ck_assert_int_eq(weir_barrier_wait(barrier, 0, soon(), NULL), 0);
	child_join_ok(&a);
	child_join_ok(&b);
	ck_assert_int_eq(board[0], 0);
	ck_assert_int_eq(board[1], 0);
	close_all();
}
END_TEST

static int try_and(void *arg)
{
	void (*end)(void) = *(void (**)(void))arg;

	child_check(weir_barrier_wait(barrier, 0, 0, NULL) == -EAGAIN);
	end();
	return 0;
}

START_TEST(death_of_one_who_was_here_before_breaks_it)
{
	void (*ends[])(void) = { die, nothing, close_all, leave_by_exit };
	struct child child;
	int result;

	for (int i = 0; i < 4; i++) {
		child = child_start(try_and, &ends[i]);
		child_join(&child);
		result = weir_barrier_wait(barrier, 0, test_now() + (i < 2 ? 5000 : 20) * MS, NULL);
		ck_assert_int_eq(result, i < 2 ? -EOWNERDEAD : -ETIMEDOUT);
		ck_assert_int_eq(weir_barrier_reset(barrier), 0);
		ck_assert_int_eq(weir_barrier_wait(barrier, 0, test_now() + 10 * MS, NULL),
				 -ETIMEDOUT);
		ck_assert_int_eq(weir_barrier_reset(barrier), 0);
	}
	/* Found only now: a reset is done with it, too. */
	child = child_start(try_and, &ends[0]);
	join_killed(&child);
	ck_assert_int_eq(weir_barrier_abort(barrier), 0);
	ck_assert_int_eq(weir_barrier_reset(barrier), 0);
	ck_assert_int_eq(weir_barrier_wait(barrier, 0, test_now() + 10 * MS, NULL), -ETIMEDOUT);
	close_all();
}
END_TEST

static int look_and_die(void *arg)
{
	(void)arg;
	child_check(weir_barrier_broken(barrier) == 0);
	child_check(weir_barrier_waiting(barrier) == 0);
	die();
	return 0;
}

START_TEST(who_has_only_looked_is_no_party)
{
	struct child child = child_start(look_and_die, NULL);

	join_killed(&child);
	ck_assert_int_eq(weir_barrier_wait(barrier, 0, test_now() + 30 * MS, NULL), -ETIMEDOUT);
	close_all();
}
END_TEST

static int kill_ourselves(void *arg)
{
	(void)arg;
	die();
	return 0;
}

static int meet_and_act(void *arg)
{
	weir_barrier_set_action(barrier, kill_ourselves, NULL);
	return meet(arg);
}

START_TEST(killed_in_the_action_breaks_it)
{
	struct child a = child_start(meet, &board[0]), b = child_start(meet, &board[1]), c;

	wait_until_waiting(2);
	c = child_start(meet_and_act, &board[2]);
	join_killed(&c);
	child_join_ok(&a);
	child_join_ok(&b);
	ck_assert_int_eq(board[0], -EOWNERDEAD);
	ck_assert_int_eq(board[1], -EOWNERDEAD);
	close_all();
}
END_TEST

static void *wait_in_a_thread(void *arg)
{
	(void)arg;
	weir_barrier_wait(barrier, 0, soon(), NULL);
	return NULL;
}

static int leave_a_thread_inside(void *arg)
{
	pthread_t thread;

	(void)arg;
	child_check(pthread_create(&thread, NULL, wait_in_a_thread, NULL) == 0);
	/* The parent is there, too. */
	while (weir_barrier_waiting(barrier) < 2)
		sched_yield();
	exit(0);
}

START_TEST(who_leaves_while_he_waits_breaks_it)
{
	struct child child = child_start(leave_a_thread_inside, NULL);
	int result = weir_barrier_wait(barrier, 0, soon(), NULL);

	ck_assert_msg(result == -ECANCELED || result == -EOWNERDEAD, "%d", result);
	child_join(&child);
	close_all();
}
END_TEST

START_TEST(stopped_one_is_not_taken_for_dead)
{
	struct child a = child_start(meet, &board[0]), b = child_start(meet, &board[1]);

	wait_until_waiting(2);
	child_stop(&a);
	/* He has come, so the others go on; he does when he runs again. */
	ck_assert_int_eq(weir_barrier_wait(barrier, 0, soon(), NULL), 0);
	child_join_ok(&b);
	ck_assert_int_eq(weir_barrier_wait(barrier, 0, test_now() + 30 * MS, NULL), -ETIMEDOUT);
	ck_assert_int_eq(weir_barrier_reset(barrier), 0);
	ck_assert_int_eq(weir_barrier_abort(barrier), 0);
	ck_assert_int_eq(weir_barrier_reset(barrier), 0);
	/* It may end before one could see it run. */
	ck_assert_int_eq(kill(a.pid, SIGCONT), 0);
	child_join_ok(&a);
	ck_assert_int_eq(board[0], 0);
	close_all();
}
END_TEST

/*
 * Signals
 */

static void ignore(int signal)
{
	(void)signal;
}

static void storm(bool on)
{
	struct sigaction action = { .sa_handler = ignore };
	struct itimerval often = { .it_interval.tv_usec = on ? 100 : 0,
				   .it_value.tv_usec = on ? 100 : 0 };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
}

START_TEST(signals_end_a_wait_only_if_asked_to)
{
	int64_t until;

	storm(true);
	ck_assert_int_eq(weir_event_wait(event, WEIR_INTR, soon()), -EINTR);
	ck_assert_int_eq(weir_lock_acquire(lock, 0, soon()), 0);
	ck_assert_int_eq(weir_condition_wait(condition, WEIR_INTR, soon()), -EINTR);
	ck_assert_int_eq(weir_barrier_wait(barrier, WEIR_INTR, soon(), NULL), -EINTR);
	ck_assert_int_eq(weir_barrier_broken(barrier), 1);
	weir_barrier_reset(barrier);
	until = test_now() + 20 * MS;
	ck_assert_int_eq(weir_event_wait(event, 0, until), -ETIMEDOUT);
	ck_assert_int_eq(weir_condition_wait(condition, 0, until + 20 * MS), -ETIMEDOUT);
	ck_assert_int_eq(weir_barrier_wait(barrier, 0, until + 40 * MS, NULL), -ETIMEDOUT);
	ck_assert_int_ge(test_now(), until + 40 * MS);
	storm(false);
	ck_assert(weir_lock_is_mine(lock));
	close_all();
}
END_TEST

START_TEST(death_is_noticed_in_a_storm_of_signals)
{
	struct child a = child_start(meet, &board[0]);
	struct child b = start_waiter(&board[1]);

	wait_until_waiting(1);
	child_kill(&a);
	child_kill(&b);
	storm(true);
	ck_assert_int_eq(weir_barrier_wait(barrier, 0, soon(), NULL), -EOWNERDEAD);
	ck_assert_int_eq(weir_lock_acquire(lock, 0, soon()), 0);
	ck_assert_int_eq(weir_condition_wait(condition, 0, soon()), WEIR_OWNER_DIED);
	storm(false);
	close_all();
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("meet");
	TCase *tc = tcase_create("meet");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, all_processes_are_woken_though_it_is_cleared_at_once);
	tcase_add_test(tc, killed_waiter_is_told_to_the_others);
	tcase_add_test(tc, notification_of_a_killed_one_wakes_another);
	tcase_add_test(tc, death_is_told_to_those_who_wait_later);
	tcase_add_test(tc, wait_tells_that_the_holder_has_died);
	tcase_add_test(tc, wait_for_looks_again_until_it_holds);
	tcase_add_test(tc, handle_over_a_pipe_brings_the_lock);
	tcase_add_test(tc, all_meet_again_and_again);
	tcase_add_test(tc, killed_in_the_barrier_breaks_it);
	tcase_add_test(tc, death_of_one_who_was_here_before_breaks_it);
	tcase_add_test(tc, who_has_only_looked_is_no_party);
	tcase_add_test(tc, killed_in_the_action_breaks_it);
	tcase_add_test(tc, who_leaves_while_he_waits_breaks_it);
	tcase_add_test(tc, stopped_one_is_not_taken_for_dead);
	tcase_add_test(tc, signals_end_a_wait_only_if_asked_to);
	tcase_add_test(tc, death_is_noticed_in_a_storm_of_signals);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return test_main(suite());
}
