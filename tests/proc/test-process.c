/* SPDX-License-Identifier: MIT */
/* Functions in processes of their own: how they end, who may ask, and what is left of them. */
#include "process-tools.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "sys/sys.h"
#include "sys/task.h"

/* What several processes see. */
static struct shared {
	struct weir_process *process;
	int results[8];
	char name[64];
	int32_t pid;
	int32_t parent;
	int count;
} *shared;

static struct resources before;

static void setup(void)
{
	shared = shared_alloc(sizeof(*shared));
	/* The test framework's handler, which children inherit. */
	signal(SIGTERM, SIG_DFL);
	/* What is made once, with the first process. */
	ck_assert_int_eq(process_result(process_start(return_it, NULL, 0)), 0);
	before = resources_begin();
	/* Arenas of malloc(), and what wait sets make once. */
	before.anonymous = false;
}

static void teardown(void)
{
	resources_check(&before);
	ck_assert(process_none_left());
}

/*
 * How it ends
 */

START_TEST(what_the_function_returns_is_the_exit_code)
{
	const int codes[][2] = { { 0, 0 }, { 1, 1 }, { 77, 77 }, { 255, 255 }, { 256, 0 } };

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		void *arg = (void *)(intptr_t)codes[i][0];

		ck_assert_int_eq(process_result(process_start(return_it, arg, 0)), codes[i][1]);
	}
}
END_TEST

static int end_by_exit(void *arg)
{
	exit((int)(intptr_t)arg);
}

static int end_by_weir_exit(void *arg)
{
	weir_process_exit((int)(intptr_t)arg);
}

START_TEST(exit_gives_the_exit_code)
{
	ck_assert_int_eq(process_result(process_start(end_by_exit, (void *)3, 0)), 3);
	ck_assert_int_eq(process_result(process_start(end_by_weir_exit, (void *)4, 0)), 4);
}
END_TEST

static int crash(void *arg)
{
	int number = (int)(intptr_t)arg;

	/* A sanitizer's handler would exit. */
	signal(number, SIG_DFL);
	raise(number);
	return 1;
}

static int abort_it(void *arg)
{
	(void)arg;
	abort();
}

START_TEST(crash_is_minus_signal_and_leaves_nothing)
{
	const int signals[] = { SIGSEGV, SIGKILL, SIGTERM, SIGUSR1 };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		ck_assert_int_eq(process_result(process_start(crash, (void *)(intptr_t)signals[i],
							      0)), -signals[i]);
	ck_assert_int_eq(process_result(process_start(abort_it, NULL, 0)), -SIGABRT);
}
END_TEST

START_TEST(terminate_and_kill)
{
	struct weir_process *p = process_start(wait_for_ever, NULL, 0);

	ck_assert_int_eq(weir_process_terminate(p), 0);
	ck_assert_int_eq(process_result(p), -SIGTERM);
	p = process_start(wait_for_ever, NULL, 0);
	ck_assert_int_eq(weir_process_kill(p), 0);
	ck_assert_int_eq(process_result(p), -SIGKILL);
}
END_TEST

START_TEST(signal_to_one_that_has_ended_is_no_error)
{
	struct weir_process *p = process_start(return_it, NULL, 0);

	ck_assert_int_eq(weir_process_signal(p, 0), 0);
	ck_assert_int_eq(weir_process_signal(p, 1000), -EINVAL);
	ck_assert_int_eq(weir_process_join(p, 0, soon()), 0);
	ck_assert_int_eq(weir_process_terminate(p), 0);
	ck_assert_int_eq(weir_process_kill(p), 0);
	ck_assert_int_eq(process_result(p), 0);
}
END_TEST

/*
 * Waiting
 */

START_TEST(join_ends_at_its_deadline)
{
	struct weir_process *p = process_start(wait_for_ever, NULL, 0);
	int64_t deadline = weir_after(20000000);
	int code = 1000;

	ck_assert_int_eq(weir_process_alive(p), 1);
	ck_assert_int_eq(weir_process_join(p, 0, 0), -EAGAIN);
	ck_assert_int_eq(weir_process_join(p, 0, -1), -EAGAIN);
	ck_assert_int_eq(weir_process_join(p, 0, 1), -ETIMEDOUT);
	ck_assert_int_eq(weir_process_join(p, 0, deadline), -ETIMEDOUT);
	ck_assert_int_ge(test_now(), deadline);
	ck_assert_int_eq(weir_process_exit_code(p, &code), -EAGAIN);
	ck_assert_int_eq(code, 1000);
	ck_assert_int_eq(weir_process_close(p), -EBUSY);
	ck_assert_int_eq(weir_process_kill(p), 0);
	ck_assert_int_eq(process_result(p), -SIGKILL);
}
END_TEST

START_TEST(join_again_and_again)
{
	struct weir_process *p = process_start(return_it, (void *)5, 0);

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(weir_process_join(p, 0, soon()), 0);
	ck_assert_int_eq(weir_process_join(p, 0, 0), 0);
	ck_assert_int_eq(weir_process_join(p, WEIR_MORE, 0), -EINVAL);
	ck_assert_int_eq(weir_process_exit_code(p, NULL), -EINVAL);
	ck_assert_int_eq(weir_process_alive(p), 0);
	ck_assert_int_eq(process_result(p), 5);
}
END_TEST

START_TEST(descriptor_is_readable_at_the_end)
{
	struct weir_process *p = process_start(wait_for_ever, NULL, 0);
	struct pollfd fd = { .fd = weir_process_fd(p), .events = POLLIN };
	struct weir_waitset *set;
	struct weir_event event;

	ck_assert_int_eq(weir_waitset(&set, NULL), 0);
	ck_assert_int_eq(weir_waitset_add_fd(set, fd.fd, WEIR_IN, p, NULL), 0);
	ck_assert_int_eq(poll(&fd, 1, 0), 0);
	ck_assert_int_eq(weir_waitset_wait(set, &event, 1, 0, 0), -EAGAIN);
	weir_process_kill(p);
	ck_assert_int_eq(poll(&fd, 1, 30000), 1);
	ck_assert_int_eq(weir_waitset_wait(set, &event, 1, 0, soon()), 1);
	ck_assert_ptr_eq(event.cookie, p);
	weir_waitset_close(set);
	ck_assert_int_eq(process_result(p), -SIGKILL);
}
END_TEST

static void ignore(int signal)
{
	(void)signal;
}

static void *interrupt(void *thread)
{
	child_wait_asleep_in((pid_t)shared->pid, -1);
	pthread_kill(*(pthread_t *)thread, SIGUSR1);
	return NULL;
}

START_TEST(interrupted_join_goes_on_unless_asked)
{
	struct weir_process *p = process_start(wait_for_ever, NULL, 0);
	pthread_t self = pthread_self(), thread;
	struct sigaction action = { .sa_handler = ignore };

	shared->pid = (int32_t)sys_thread();
	sigaction(SIGUSR1, &action, NULL);
	ck_assert_int_eq(pthread_create(&thread, NULL, interrupt, &self), 0);
	ck_assert_int_eq(weir_process_join(p, WEIR_INTR, soon()), -EINTR);
	pthread_join(thread, NULL);
	ck_assert_int_eq(pthread_create(&thread, NULL, interrupt, &self), 0);
	ck_assert_int_eq(weir_process_join(p, 0, weir_after(100000000)), -ETIMEDOUT);
	pthread_join(thread, NULL);
	weir_process_kill(p);
	ck_assert_int_eq(process_result(p), -SIGKILL);
}
END_TEST

/*
 * Who
 */

static int tell_who(void *arg)
{
	(void)arg;
	snprintf(shared->name, sizeof(shared->name), "%s", weir_process_current_name());
	shared->pid = getpid();
	shared->parent = weir_process_parent();
	shared->results[0] = weir_process_parent_alive();
	shared->results[1] = weir_process_current_daemon();
	shared->results[2] = weir_process_children(NULL, 0);
	return 0;
}

START_TEST(process_knows_itself_and_its_parent)
{
	struct weir_process_options options = process_options(0);
	struct weir_process *p;

	options.name = "a name";
	ck_assert_int_eq(weir_process_start(tell_who, NULL, &options, &p), 0);
	ck_assert_str_eq(weir_process_name(p), "a name");
	ck_assert_int_eq(weir_process_join(p, 0, soon()), 0);
	ck_assert_str_eq(shared->name, "a name");
	ck_assert_int_eq(shared->pid, weir_process_pid(p));
	ck_assert_int_eq(shared->parent, getpid());
	ck_assert_int_eq(shared->results[0], 1);
	ck_assert_int_eq(shared->results[1], 0);
	ck_assert_int_eq(shared->results[2], 0);
	ck_assert_int_eq(process_result(p), 0);
	ck_assert_str_eq(weir_process_current_name(), "MainProcess");
}
END_TEST

static int start_two(void *arg)
{
	struct weir_process *p;

	(void)arg;
	for (int i = 0; i < 2; i++) {
		child_check(weir_process_start(tell_who, NULL, NULL, &p) == 0);
		child_check(weir_process_join(p, 0, soon()) == 0);
		child_check(strcmp(weir_process_name(p), shared->name) == 0);
		child_check(weir_process_close(p) == 0);
	}
	return 0;
}

START_TEST(names_count_and_show_the_ancestors)
{
	/* The first was made by the fixture. */
	struct weir_process *p = process_start(tell_who, NULL, 0);

	ck_assert_str_eq(weir_process_name(p), "Process-2");
	ck_assert_int_eq(process_result(p), 0);
	ck_assert_str_eq(shared->name, "Process-2");
	ck_assert_int_eq(process_result(process_start(start_two, NULL, 0)), 0);
	ck_assert_str_eq(shared->name, "Process-3:2");
}
END_TEST

static int fork_and_tell(void *arg)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(tell_who(arg));
	return waitpid(pid, NULL, 0) != pid;
}

START_TEST(plain_fork_of_a_process_is_none)
{
	ck_assert_int_eq(process_result(process_start(fork_and_tell, NULL, WEIR_PROCESS_DAEMON)),
			 0);
	ck_assert_str_eq(shared->name, "MainProcess");
	ck_assert_int_eq(shared->parent, 0);
	ck_assert_int_eq(shared->results[0], 0);
	ck_assert_int_eq(shared->results[1], 0);
}
END_TEST

/* In a child with the handle of its parent. */
static int ask_all(struct weir_process *p, int results[8])
{
	int code;

	results[0] = weir_process_join(p, 0, soon());
	results[1] = weir_process_exit_code(p, &code);
	results[2] = weir_process_alive(p);
	results[3] = weir_process_signal(p, 0);
	results[4] = weir_process_fd(p);
	results[5] = weir_process_pid(p);
	results[6] = strcmp(weir_process_name(p), "Process-2");
	results[7] = weir_process_close(p);
	return 0;
}

static int ask_parents(void *arg)
{
	return ask_all(arg, shared->results);
}

static void check_not_ours(const struct weir_process *p)
{
	for (int i = 0; i < 5; i++)
		ck_assert_msg(shared->results[i] == -ECHILD, "%d: %d", i, shared->results[i]);
	ck_assert_int_eq(shared->results[5], weir_process_pid(p));
	ck_assert_int_eq(shared->results[6], 0);
	ck_assert_int_eq(shared->results[7], 0);
}

START_TEST(handle_in_a_child_is_of_no_use)
{
	struct weir_process *p = process_start(wait_for_ever, NULL, 0);
	struct child child = child_start(ask_parents, p);

	child_join_ok(&child);
	check_not_ours(p);
	memset(shared, 0, sizeof(*shared));
	ck_assert_int_eq(process_result(process_start(ask_parents, p, 0)), 0);
	check_not_ours(p);
	ck_assert_int_eq(weir_process_alive(p), 1);
	weir_process_kill(p);
	ck_assert_int_eq(process_result(p), -SIGKILL);
}
END_TEST

static int join_oneself(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&shared->process, __ATOMIC_ACQUIRE))
		sched_yield();
	return weir_process_join(shared->process, 0, soon()) == -EINVAL ? 0 : 1;
}

START_TEST(process_cannot_join_itself)
{
	struct weir_process *p = process_start(join_oneself, NULL, 0);

	__atomic_store_n(&shared->process, p, __ATOMIC_RELEASE);
	ck_assert_int_eq(process_result(p), 0);
}
END_TEST

START_TEST(children_are_those_that_have_not_ended)
{
	struct weir_process *ps[3], *found[3] = { NULL };
	char state;

	ps[0] = process_start(wait_for_ever, NULL, 0);
	ps[1] = process_start(return_it, NULL, 0);
	ps[2] = process_start(wait_for_ever, NULL, WEIR_PROCESS_DAEMON);
	/* It becomes a zombie and is reaped by the call. */
	ck_assert(process_ended(ps[1]));
	ck_assert_int_eq(weir_process_children(found, 1), 2);
	ck_assert_ptr_eq(found[0], ps[2]);
	ck_assert_ptr_null(found[1]);
	state = child_state(weir_process_pid(ps[1]));
	ck_assert_msg(state == 0, "%c", state);
	ck_assert_int_eq(weir_process_children(found, 3), 2);
	ck_assert_ptr_eq(found[1], ps[0]);
	ck_assert_int_eq(process_result(ps[1]), 0);
	weir_process_kill(ps[0]);
	weir_process_kill(ps[2]);
	ck_assert_int_eq(process_result(ps[0]), -SIGKILL);
	ck_assert_int_eq(process_result(ps[2]), -SIGKILL);
	ck_assert_int_eq(weir_process_children(NULL, 0), 0);
}
END_TEST

START_TEST(next_start_reaps_what_has_ended)
{
	struct weir_process *first = process_start(return_it, NULL, 0), *second;

	ck_assert(process_ended(first));
	second = process_start(wait_for_ever, NULL, 0);
	ck_assert_int_eq(child_state(weir_process_pid(first)), 0);
	weir_process_kill(second);
	ck_assert_int_eq(process_result(second), -SIGKILL);
	ck_assert_int_eq(process_result(first), 0);
}
END_TEST

/*
 * A program that reaps by itself
 */

/* Whether the kernel tells how a process ended after somebody else has reaped it. */
static bool kernel_remembers(void)
{
	int pidfd, code = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(9);
	pidfd = sys_pidfd(pid);
	waitpid(pid, NULL, 0);
	if (task_last_words(pidfd, &code) < 0)
		code = 0;
	close(pidfd);
	return code == 9;
}

static void check_reaped_by_others(struct weir_process *p, int expected)
{
	int code = 1000, result;

	ck_assert_int_eq(weir_process_join(p, 0, soon()), 0);
	ck_assert_int_eq(weir_process_alive(p), 0);
	result = weir_process_exit_code(p, &code);
	if (kernel_remembers()) {
		ck_assert_int_eq(result, 0);
		ck_assert_int_eq(code, expected);
	} else {
		ck_assert_int_eq(result, -ENODATA);
		ck_assert_int_eq(code, 1000);
	}
	ck_assert_int_eq(weir_process_close(p), 0);
}

START_TEST(program_that_waits_for_any_child_is_quicker)
{
	struct weir_process *p = process_start(return_it, (void *)6, 0);
	int status;

	ck_assert_int_eq(waitpid(-1, &status, 0), weir_process_pid(p));
	check_reaped_by_others(p, 6);
	p = process_start(crash, (void *)SIGUSR2, 0);
	ck_assert_int_eq(waitpid(-1, &status, 0), weir_process_pid(p));
	check_reaped_by_others(p, -SIGUSR2);
}
END_TEST

START_TEST(ignored_sigchld_is_no_hang)
{
	struct weir_process *p;

	signal(SIGCHLD, SIG_IGN);
	p = process_start(wait_for_ever, NULL, 0);
	ck_assert_int_eq(weir_process_alive(p), 1);
	ck_assert_int_eq(weir_process_join(p, 0, 0), -EAGAIN);
	weir_process_kill(p);
	ck_assert_int_eq(weir_process_join(p, 0, soon()), 0);
	signal(SIGCHLD, SIG_DFL);
	check_reaped_by_others(p, -SIGKILL);
}
END_TEST

/* A number that is used again is another process's: it gets no signal. */
START_TEST(signal_goes_to_no_other_process)
{
	struct weir_process *p = process_start(return_it, NULL, 0);
	struct child child;

	ck_assert_int_eq(waitpid(-1, NULL, 0), weir_process_pid(p));
	child = child_start(wait_for_ever, NULL);
	ck_assert_int_eq(weir_process_kill(p), 0);
	ck_assert_int_ne(child_state(child.pid), 'Z');
	child_kill(&child);
	ck_assert_int_eq(weir_process_join(p, 0, 0), 0);
	ck_assert_int_eq(weir_process_close(p), 0);
}
END_TEST

/*
 * What the child has
 */

static int check_mask(void *arg)
{
	sigset_t mask;

	(void)arg;
	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int i = 1; i < SIGRTMIN; i++)
		if (sigismember(&mask, i) != (i == SIGUSR1))
			return i;
	return 0;
}

START_TEST(signal_mask_is_the_callers)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	ck_assert_int_eq(process_result(process_start(check_mask, NULL, 0)), 0);
	ck_assert_int_eq(check_mask(NULL), 0);
}
END_TEST

static int count_descriptors(void *arg)
{
	int count = 0;

	(void)arg;
	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* Neither the lines and descriptors of its siblings, nor anything of its own making. */
START_TEST(child_inherits_nothing_of_its_siblings)
{
	struct weir_process *siblings[4];
	int own = count_descriptors(NULL);

	for (int i = 0; i < 4; i++)
		siblings[i] = process_start(wait_for_ever, NULL, i % 2 ? WEIR_PROCESS_DAEMON : 0);
	ck_assert_int_eq(process_result(process_start(count_descriptors, NULL, 0)), own);
	/* Its line. */
	ck_assert_int_eq(process_result(process_start(count_descriptors, NULL,
						      WEIR_PROCESS_DAEMON)), own + 1);
	for (int i = 0; i < 4; i++) {
		weir_process_kill(siblings[i]);
		ck_assert_int_eq(process_result(siblings[i]), -SIGKILL);
	}
}
END_TEST

START_TEST(errno_is_left_alone)
{
	struct weir_process *p;

	errno = 4711;
	ck_assert_int_eq(weir_process_start(wait_for_ever, NULL, NULL, &p), 0);
	ck_assert_int_eq(errno, 4711);
	weir_process_join(p, 0, 0);
	weir_process_alive(p);
	weir_process_close(p);
	weir_process_kill(p);
	ck_assert_int_eq(weir_process_join(p, 0, soon()), 0);
	weir_process_kill(p);
	ck_assert_int_eq(errno, 4711);
	ck_assert_int_eq(process_result(p), -SIGKILL);
}
END_TEST

static void add_endings(TCase *tcase)
{
	tcase_add_test(tcase, what_the_function_returns_is_the_exit_code);
	tcase_add_test(tcase, exit_gives_the_exit_code);
	tcase_add_test(tcase, crash_is_minus_signal_and_leaves_nothing);
	tcase_add_test(tcase, terminate_and_kill);
	tcase_add_test(tcase, signal_to_one_that_has_ended_is_no_error);
	tcase_add_test(tcase, join_ends_at_its_deadline);
	tcase_add_test(tcase, join_again_and_again);
	tcase_add_test(tcase, descriptor_is_readable_at_the_end);
	tcase_add_test(tcase, interrupted_join_goes_on_unless_asked);
}

int main(void)
{
	Suite *suite = suite_create("process");
	TCase *tcase = tcase_create("process");

	tcase_add_checked_fixture(tcase, setup, teardown);
	add_endings(tcase);
	tcase_add_test(tcase, process_knows_itself_and_its_parent);
	tcase_add_test(tcase, names_count_and_show_the_ancestors);
	tcase_add_test(tcase, plain_fork_of_a_process_is_none);
	tcase_add_test(tcase, handle_in_a_child_is_of_no_use);
	tcase_add_test(tcase, process_cannot_join_itself);
	tcase_add_test(tcase, children_are_those_that_have_not_ended);
	tcase_add_test(tcase, next_start_reaps_what_has_ended);
	tcase_add_test(tcase, program_that_waits_for_any_child_is_quicker);
	tcase_add_test(tcase, ignored_sigchld_is_no_hang);
	tcase_add_test(tcase, signal_goes_to_no_other_process);
	tcase_add_test(tcase, signal_mask_is_the_callers);
	tcase_add_test(tcase, child_inherits_nothing_of_its_siblings);
	tcase_add_test(tcase, errno_is_left_alone);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
