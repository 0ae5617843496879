/* SPDX-License-Identifier: MIT */
/* The test support itself: what it must notice, it does. */
#include "support.h"

#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomic.h"

/*
 * Children
 */

static int return_arg(void *arg)
{
	return *(int *)arg;
}

static int fail_check(void *arg)
{
	child_check(arg != NULL);
	return 0;
}

static int sleep_long(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return 0;
}

static int abort_quietly(void *arg)
{
	(void)arg;
	signal(SIGABRT, SIG_DFL);
	raise(SIGKILL);
	return 0;
}

START_TEST(child_that_returns_0_joins_ok)
{
	int zero = 0;
	struct child child = child_start(return_arg, &zero);

	child_join_ok(&child);
	ck_assert_int_eq(child.pid, 0);
}
END_TEST

/* A child stands between: child_join_ok() is to fail, and in a child it fails that child. */
static int join_ok_of_1(void *arg)
{
	int one = 1;
	struct child child = child_start(return_arg, &one);

	(void)arg;
	child_join_ok(&child);
	return 0;
}

static int join_ok_of_failed_check(void *arg)
{
	struct child child = child_start(fail_check, NULL);

	(void)arg;
	child_join_ok(&child);
	return 0;
}

static int join_ok_of_killed(void *arg)
{
	struct child child = child_start(abort_quietly, NULL);

	(void)arg;
	child_join_ok(&child);
	return 0;
}

static void must_fail_saying(int (*fn)(void *arg), const char *text)
{
	struct child child = child_start(fn, NULL);
	siginfo_t info;

	ck_assert_int_eq(waitid(P_PID, (id_t)child.pid, &info, WEXITED | WNOWAIT), 0);
	ck_assert_msg(strstr(child.note, text) != NULL, "expected \"%s\" in \"%s\"", text,
		      child.note);
	ck_assert(child_join(&child) != 0);
}

START_TEST(join_ok_fails_with_the_exit_code)
{
	must_fail_saying(join_ok_of_1, "the child returned 1");
}
END_TEST

START_TEST(join_ok_fails_with_the_text_of_the_check)
{
	must_fail_saying(join_ok_of_failed_check, "arg != NULL");
}
END_TEST

START_TEST(join_ok_fails_with_the_signal)
{
	must_fail_saying(join_ok_of_killed, "signal 9");
}
END_TEST

START_TEST(killed_child_is_gone)
{
	struct child child = child_start(sleep_long, NULL);
	pid_t pid = child.pid;

	child_kill(&child);
	ck_assert_int_eq(kill(pid, 0), -1);
}
END_TEST

static int start_grandchild(void *arg)
{
	pid_t *ret_pid = arg;
	struct child child = child_start(sleep_long, NULL);

	*ret_pid = child.pid;
	return 0;
}

START_TEST(child_dies_with_its_parent)
{
	pid_t *pid = shared_alloc(sizeof(*pid));
	struct child child = child_start(start_grandchild, pid);
	int64_t deadline = soon();
	char state;

	child_join_ok(&child);
	do {
		state = child_state(*pid);
		ck_assert(test_now() < deadline);
	} while (state != 0 && state != 'Z');
}
END_TEST

static int count_up(void *arg)
{
	uint32_t *counter = arg;

	for (;;)
		add_relaxed(counter, 1);
	return 0;
}

START_TEST(stopped_child_stands_still_until_continued)
{
	uint32_t *counter = shared_alloc(sizeof(*counter)), before;
	struct child child = child_start(count_up, counter);
	int64_t deadline = soon();

	while (load_relaxed(counter) == 0)
		ck_assert(test_now() < deadline);
	child_stop(&child);
	before = load_relaxed(counter);
	usleep(2000);
	ck_assert_uint_eq(load_relaxed(counter), before);
	child_continue(&child);
	while (load_relaxed(counter) == before)
		ck_assert(test_now() < deadline);
	child_kill(&child);
}
END_TEST

static int wait_for_change(void *arg)
{
	uint32_t *word = arg;

	while (load_acquire(word) == 0)
		syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL, NULL, 0);
	return 0;
}

static void change(uint32_t *word)
{
	store_release(word, 1);
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

START_TEST(asleep_is_seen)
{
	uint32_t *word = shared_alloc(sizeof(*word));
	struct child child = child_start(wait_for_change, word);

	ck_assert(child_wait_asleep_in(child.pid, SYS_futex));
	ck_assert(child_wait_asleep(child.pid));
	change(word);
	child_join_ok(&child);
}
END_TEST

START_TEST(asleep_is_false_for_one_that_has_ended)
{
	int zero = 0;
	struct child child = child_start(return_arg, &zero);

	ck_assert(!child_wait_asleep(child.pid) || child_state(child.pid) != 'S');
	child_join_ok(&child);
}
END_TEST

/*
 * Barrier
 */

struct meeting {
	struct barrier *barrier;
	uint32_t *counter;
};

static int meet(void *arg)
{
	struct meeting *m = arg;

	for (uint32_t round = 1; round <= 200; round++) {
		add_seq(m->counter, 1);
		child_check(barrier_wait(m->barrier));
		child_check(load_seq(m->counter) == 2 * round);
		child_check(barrier_wait(m->barrier));
	}
	return 0;
}

START_TEST(barrier_keeps_two_in_step)
{
	struct meeting m = {
		.barrier = barrier_create(2),
		.counter = shared_alloc(sizeof(uint32_t)),
	};
	struct child a = child_start(meet, &m), b = child_start(meet, &m);

	child_join_ok(&a);
	child_join_ok(&b);
}
END_TEST

START_TEST(barrier_times_out)
{
	struct barrier *barrier = barrier_create(2);

	ck_assert(!barrier_wait_until(barrier, test_now() + 1000000));
}
END_TEST

/*
 * Leaks
 */

START_TEST(nothing_leaked_is_no_difference)
{
	struct resources before = resources_begin();
	int fd = eventfd(0, 0);
	void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int zero = 0;
	struct child child = child_start(return_arg, &zero);

	shared_alloc(10000);
	free(malloc(100));
	close(fd);
	munmap(page, 4096);
	child_join_ok(&child);
	resources_check(&before);
}
END_TEST

START_TEST(leaked_descriptor_is_listed)
{
	struct resources before = resources_begin();
	int fd = eventfd(0, 0);

	ck_assert_ptr_nonnull(resources_difference(&before));
	ck_assert_ptr_nonnull(strstr(resources_difference(&before), "eventfd"));
	close(fd);
	ck_assert_ptr_null(resources_difference(&before));
}
END_TEST

START_TEST(lost_descriptor_is_listed)
{
	int fd = eventfd(0, 0);
	struct resources before = resources_begin();

	close(fd);
	ck_assert_ptr_nonnull(strstr(resources_difference(&before), "gone"));
}
END_TEST

START_TEST(leaked_shared_mapping_is_listed)
{
	struct resources before = resources_begin();
	void *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_nonnull(resources_difference(&before));
	munmap(page, 4096);
	ck_assert_ptr_null(resources_difference(&before));
}
END_TEST

START_TEST(leaked_anonymous_mapping_is_listed_if_asked)
{
	struct resources before = resources_begin();
	bool asked = before.anonymous;
	void *page;

	before.anonymous = false;
	page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_null(resources_difference(&before));
	before.anonymous = true;
	ck_assert(!asked || resources_difference(&before));
	munmap(page, 4096);
}
END_TEST

/*
 * Random numbers
 */

START_TEST(random_numbers_follow_from_the_seed)
{
	uint64_t first = test_random();

	ck_assert(first != test_random());
	ck_assert(test_random_below(10) < 10);
	ck_assert(test_seed() != 0 || getenv("WEIR_TEST_SEED"));
}
END_TEST

START_TEST(one_of_so_many_is_chosen)
{
	const char *given = getenv("WEIR_TEST_ONE_OF");
	int chosen = 0;

	ck_assert_int_eq(setenv("WEIR_TEST_ONE_OF", "7", 1), 0);
	for (uint64_t i = 0; i < 70; i++) {
		chosen += test_chosen(i);
		ck_assert(test_chosen(i) == test_chosen(i + 7));
	}
	ck_assert_int_eq(chosen, 10);
	ck_assert_int_eq(setenv("WEIR_TEST_ONE_OF", "1", 1), 0);
	ck_assert(test_chosen(0) && test_chosen(1));
	ck_assert_int_eq(unsetenv("WEIR_TEST_ONE_OF"), 0);
	ck_assert(test_chosen(0) && test_chosen(1));
	if (given)
		setenv("WEIR_TEST_ONE_OF", given, 1);
}
END_TEST

/*
 * Stepping
 */

static int two_stores(void *arg)
{
	uint32_t *words = arg;

	stepper_mark_begin();
	store_release(&words[0], 1);
	store_release(&words[1], 1);
	stepper_mark_end();
	return 7;
}

START_TEST(unmarked_and_untraced_it_just_runs)
{
	uint32_t *words = shared_alloc(8);
	struct child child = child_start(two_stores, words);

	ck_assert_int_eq(WEXITSTATUS(child_join(&child)), 7);
	ck_assert_uint_eq(words[0] + words[1], 2);
}
END_TEST

START_TEST(steps_show_each_state_in_between)
{
	uint32_t *words = shared_alloc(8);
	struct stepper stepper = stepper_start(two_stores, words);
	unsigned int seen = 0, state = 0, last = 0;
	enum step step;

	ck_assert(stepper_run_to_begin(&stepper));
	ck_assert_uint_eq(words[0] + words[1], 0);
	while ((step = stepper_step(&stepper)) == STEP_DONE) {
		state = load_acquire(&words[0]) + load_acquire(&words[1]);
		ck_assert_uint_ge(state, last);
		seen |= 1U << state;
		last = state;
	}
	ck_assert_int_eq(step, STEP_END);
	ck_assert_uint_eq(seen, 7);
	ck_assert_uint_gt(stepper.steps, 2);
	while ((step = stepper_step(&stepper)) == STEP_DONE)
		;
	ck_assert_int_eq(step, STEP_EXITED);
	ck_assert_int_eq(WEXITSTATUS(stepper.status), 7);
	stepper_kill(&stepper);
}
END_TEST

START_TEST(same_code_takes_the_same_steps)
{
	uint32_t *words = shared_alloc(8);
	uint64_t steps[2];

	for (int i = 0; i < 2; i++) {
		struct stepper stepper = stepper_start(two_stores, words);

		ck_assert(stepper_run_to_begin(&stepper));
		ck_assert_int_eq(stepper_steps(&stepper, 1000000), STEP_END);
		steps[i] = stepper.steps;
		stepper_kill(&stepper);
	}
	ck_assert_uint_eq(steps[0], steps[1]);
}
END_TEST

START_TEST(killed_midway_it_has_done_half)
{
	uint32_t *words = shared_alloc(8);
	struct stepper stepper = stepper_start(two_stores, words);
	pid_t pid = stepper.child.pid;

	ck_assert(stepper_run_to_begin(&stepper));
	while (load_acquire(&words[0]) == 0)
		ck_assert_int_eq(stepper_step(&stepper), STEP_DONE);
	stepper_kill(&stepper);
	ck_assert_int_eq(kill(pid, 0), -1);
	ck_assert_uint_eq(words[1], 0);
}
END_TEST

static int sleep_between_marks(void *arg)
{
	stepper_mark_begin();
	wait_for_change(arg);
	stepper_mark_end();
	return 0;
}

START_TEST(blocked_in_a_call_is_seen_and_goes_on_when_woken)
{
	uint32_t *word = shared_alloc(sizeof(*word));
	struct stepper stepper = stepper_start(sleep_between_marks, word);

	ck_assert(stepper_run_to_begin(&stepper));
	ck_assert_int_eq(stepper_steps(&stepper, 1000000), STEP_BLOCKED);
	ck_assert(child_wait_asleep_in(stepper.child.pid, SYS_futex));
	ck_assert_int_eq(stepper_step(&stepper), STEP_BLOCKED);
	change(word);
	ck_assert_int_eq(stepper_steps(&stepper, 1000000), STEP_END);
	stepper_kill(&stepper);
}
END_TEST

START_TEST(blocked_in_a_call_can_be_killed)
{
	uint32_t *word = shared_alloc(sizeof(*word));
	struct stepper stepper = stepper_start(sleep_between_marks, word);

	ck_assert(stepper_run_to_begin(&stepper));
	ck_assert_int_eq(stepper_steps(&stepper, 1000000), STEP_BLOCKED);
	stepper_kill(&stepper);
	ck_assert_int_eq(stepper.child.pid, 0);
}
END_TEST

START_TEST(released_it_runs_to_its_end)
{
	uint32_t *words = shared_alloc(8);
	struct stepper stepper = stepper_start(two_stores, words);
	struct child child;

	ck_assert(stepper_run_to_begin(&stepper));
	ck_assert_int_eq(stepper_steps(&stepper, 2), STEP_DONE);
	child = stepper_release(&stepper);
	ck_assert_int_eq(WEXITSTATUS(child_join(&child)), 7);
}
END_TEST

START_TEST(released_while_blocked_it_sleeps_on)
{
	uint32_t *word = shared_alloc(sizeof(*word));
	struct stepper stepper = stepper_start(sleep_between_marks, word);
	struct child child;

	ck_assert(stepper_run_to_begin(&stepper));
	ck_assert_int_eq(stepper_steps(&stepper, 1000000), STEP_BLOCKED);
	child = stepper_release(&stepper);
	ck_assert(child_wait_asleep_in(child.pid, SYS_futex));
	change(word);
	child_join_ok(&child);
}
END_TEST

static void on_signal(int signal)
{
	(void)signal;
}

static int wait_for_signal(void *arg)
{
	sigset_t usr1, none;

	(void)arg;
	sigemptyset(&none);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	signal(SIGUSR1, on_signal);
	stepper_mark_begin();
	sigsuspend(&none);
	stepper_mark_end();
	return 0;
}

START_TEST(signals_reach_a_stepped_child)
{
	struct stepper stepper = stepper_start(wait_for_signal, NULL);

	ck_assert(stepper_run_to_begin(&stepper));
	ck_assert_int_eq(stepper_steps(&stepper, 1000000), STEP_BLOCKED);
	kill(stepper.child.pid, SIGUSR1);
	ck_assert_int_eq(stepper_steps(&stepper, 1000000), STEP_END);
	stepper_kill(&stepper);
}
END_TEST

static void add_stepping(Suite *suite)
{
	TCase *tcase = tcase_create("stepping");
	const char *unavailable = stepper_unavailable();

	tcase_add_test(tcase, unmarked_and_untraced_it_just_runs);
	test_add_unless(tcase, unavailable, steps_show_each_state_in_between);
	test_add_unless(tcase, unavailable, same_code_takes_the_same_steps);
	test_add_unless(tcase, unavailable, killed_midway_it_has_done_half);
	test_add_unless(tcase, unavailable, blocked_in_a_call_is_seen_and_goes_on_when_woken);
	test_add_unless(tcase, unavailable, blocked_in_a_call_can_be_killed);
	test_add_unless(tcase, unavailable, released_it_runs_to_its_end);
	test_add_unless(tcase, unavailable, released_while_blocked_it_sleeps_on);
	test_add_unless(tcase, unavailable, signals_reach_a_stepped_child);
	suite_add_tcase(suite, tcase);
}

START_TEST(starved_grows_and_is_0_for_nobody)
{
	int64_t before = child_starved(getpid());

	ck_assert_int_ge(before, 0);
	ck_assert_int_ge(child_starved(getpid()), before);
	ck_assert_int_eq(child_starved(INT32_MAX), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("support");
	TCase *children = tcase_create("children");
	TCase *barriers = tcase_create("barrier");
	TCase *leaks = tcase_create("leaks");
	TCase *numbers = tcase_create("random");

	tcase_add_test(children, child_that_returns_0_joins_ok);
	tcase_add_test(children, join_ok_fails_with_the_exit_code);
	tcase_add_test(children, join_ok_fails_with_the_text_of_the_check);
	tcase_add_test(children, join_ok_fails_with_the_signal);
	tcase_add_test(children, killed_child_is_gone);
	tcase_add_test(children, child_dies_with_its_parent);
	tcase_add_test(children, stopped_child_stands_still_until_continued);
	tcase_add_test(children, asleep_is_seen);
	tcase_add_test(children, asleep_is_false_for_one_that_has_ended);
	tcase_add_test(children, starved_grows_and_is_0_for_nobody);
	suite_add_tcase(suite, children);

	tcase_add_test(barriers, barrier_keeps_two_in_step);
	tcase_add_test(barriers, barrier_times_out);
	suite_add_tcase(suite, barriers);

	tcase_add_test(leaks, nothing_leaked_is_no_difference);
	tcase_add_test(leaks, leaked_descriptor_is_listed);
	tcase_add_test(leaks, lost_descriptor_is_listed);
	tcase_add_test(leaks, leaked_shared_mapping_is_listed);
	tcase_add_test(leaks, leaked_anonymous_mapping_is_listed_if_asked);
	suite_add_tcase(suite, leaks);

	tcase_add_test(numbers, random_numbers_follow_from_the_seed);
	tcase_add_test(numbers, one_of_so_many_is_chosen);
	suite_add_tcase(suite, numbers);

	add_stepping(suite);
	return test_main(suite);
}
