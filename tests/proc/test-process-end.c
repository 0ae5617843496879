/* SPDX-License-Identifier: MIT */
/*
 * What becomes of children when their parent ends, in whatever way. The parent is a child of the
 * test, which is told of orphans.
 */
#include "process-tools.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "obj/shared.h"

#define ROUNDS 30

static struct seen {
	int32_t daemon;
	int32_t other;
	int32_t sibling;
	int ran;
} *seen;

/* Open in all descendants, so that they have ended when it hangs up; and what they wait for. */
static int alive[2], go[2];

static void setup(void)
{
	seen = shared_alloc(sizeof(*seen));
	/* The test framework's handlers, which children inherit. */
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	ck_assert_int_eq(pipe2(alive, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(go, O_CLOEXEC), 0);
}

/* All others have ended, and are reaped. */
static void teardown(void)
{
	close(alive[1]);
	ck_assert(process_hung_up(alive[0]));
	while (waitpid(-1, NULL, 0) > 0)
		;
	close(alive[0]);
	close(go[0]);
	close(go[1]);
}

static int wait_to_go(void *arg)
{
	char byte;

	(void)arg;
	close(go[1]);
	if (read(go[0], &byte, 1) != 1)
		return 1;
	seen->ran++;
	return 0;
}

static struct weir_process *start(int (*function)(void *arg), void *arg, uint32_t flags)
{
	struct weir_process_options options = process_options(flags);
	struct weir_process *p;

	child_check(weir_process_start(function, arg, &options, &p) == 0);
	return p;
}

static int status_of(int32_t pid)
{
	int status = -1;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

/*
 * The normal end
 */

static int end_with_others(void *arg)
{
	(void)arg;
	start(wait_to_go, NULL, 0);
	start(wait_to_go, NULL, 0);
	exit(0);
}

START_TEST(exit_waits_for_the_others)
{
	struct child child = child_start(end_with_others, NULL);

	ck_assert(child_wait_asleep(child.pid));
	ck_assert_int_eq(write(go[1], "xx", 2), 2);
	child_join_ok(&child);
	ck_assert_int_eq(seen->ran, 2);
	/* They have been reaped. */
	ck_assert(process_none_left());
}
END_TEST

static int end_with_daemons(void *arg)
{
	(void)arg;
	start(wait_for_ever, NULL, WEIR_PROCESS_DAEMON);
	seen->daemon = weir_process_pid(start(wait_for_ever, NULL, WEIR_PROCESS_DAEMON));
	exit(0);
}

START_TEST(exit_ends_the_daemons)
{
	struct child child = child_start(end_with_daemons, NULL);

	child_join_ok(&child);
	ck_assert_int_eq(child_state(seen->daemon), 0);
	ck_assert(process_none_left());
}
END_TEST

static int stop_oneself(void *arg)
{
	raise(SIGSTOP);
	return wait_for_ever(arg);
}

static int end_with_stopped(void *arg)
{
	struct weir_process *p = start(stop_oneself, NULL, WEIR_PROCESS_DAEMON);

	(void)arg;
	while (child_state(weir_process_pid(p)) != 'T')
		sched_yield();
	exit(0);
}

START_TEST(exit_ends_a_stopped_daemon)
{
	struct child child = child_start(end_with_stopped, NULL);

	child_join_ok(&child);
	ck_assert(process_none_left());
}
END_TEST

static void count_run(void)
{
	seen->ran++;
}

static int end_with_handler(void *arg)
{
	(void)arg;
	atexit(count_run);
	start(return_it, NULL, 0);
	start(return_it, NULL, 0);
	exit(0);
}

START_TEST(handlers_of_atexit_run_in_the_parent_alone)
{
	struct child child = child_start(end_with_handler, NULL);

	child_join_ok(&child);
	ck_assert_int_eq(seen->ran, 1);
}
END_TEST

static int fork_plainly_and_exit(void *arg)
{
	struct weir_process *p = start(wait_to_go, NULL, 0);
	pid_t pid = fork();

	(void)arg;
	if (pid == 0)
		exit(0);
	/* It has not waited, nor told anybody to end. */
	child_check(waitpid(pid, NULL, 0) == pid);
	child_check(weir_process_alive(p) == 1);
	child_check(write(go[1], "x", 1) == 1);
	exit(0);
}

START_TEST(exit_of_a_plain_fork_is_not_ours)
{
	struct child child = child_start(fork_plainly_and_exit, NULL);

	child_join_ok(&child);
	ck_assert_int_eq(seen->ran, 1);
}
END_TEST

static int start_and_return(void *arg)
{
	(void)arg;
	return weir_process_close(start(wait_to_go, NULL, 0)) == -EBUSY ? 0 : 1;
}

START_TEST(process_waits_for_its_own_children)
{
	struct weir_process *p = process_start(start_and_return, NULL, 0);

	ck_assert(child_wait_asleep(weir_process_pid(p)));
	ck_assert_int_eq(weir_process_alive(p), 1);
	ck_assert_int_eq(write(go[1], "x", 1), 1);
	ck_assert_int_eq(process_result(p), 0);
	ck_assert_int_eq(seen->ran, 1);
	ck_assert(process_none_left());
}
END_TEST

static int start_none(void *arg)
{
	char *const program[] = { (char *)"true", NULL };
	struct weir_process *p;

	(void)arg;
	return weir_process_start(return_it, NULL, NULL, &p) == -EPERM &&
	       weir_process_spawn(program, NULL, &p) == -EPERM ? 0 : 1;
}

START_TEST(daemon_may_not_have_children)
{
	ck_assert_int_eq(process_result(process_start(start_none, NULL, WEIR_PROCESS_DAEMON)), 0);
}
END_TEST

static int print(void *arg)
{
	(void)arg;
	printf("b");
	return 0;
}

static int print_into(void *arg)
{
	struct weir_process *p;

	if (!freopen(arg, "w", stdout))
		return 1;
	printf("a");
	p = start(print, NULL, 0);
	child_check(weir_process_join(p, 0, soon()) == 0);
	printf("c");
	exit(0);
}

START_TEST(what_is_printed_is_printed_once_and_in_order)
{
	char name[] = "/tmp/weir-process-XXXXXX", text[8] = { 0 };
	int fd = mkstemp(name);
	struct child child = child_start(print_into, name);

	child_join_ok(&child);
	ck_assert_int_eq(read(fd, text, sizeof(text)), 3);
	ck_assert_str_eq(text, "abc");
	close(fd);
	unlink(name);
}
END_TEST

/*
 * Any other end
 */

static void *start_daemon(void *arg)
{
	struct weir_process_options options = process_options(WEIR_PROCESS_DAEMON);
	char *const program[] = { (char *)"sleep", (char *)"1000", NULL };
	struct weir_process *p;

	options.signal = (int32_t)(intptr_t)arg;
	child_check(weir_process_start(wait_for_ever, NULL, &options, &p) == 0);
	seen->daemon = weir_process_pid(p);
	child_check(weir_process_spawn(program, &options, &p) == 0);
	seen->other = weir_process_pid(p);
	return NULL;
}

/* The daemons, by a thread that has ended since, and all kinds of siblings, before and after. */
static void make_family(int signal)
{
	pthread_t thread;
	pid_t pid;

	start(wait_to_go, NULL, 0);
	child_check(pthread_create(&thread, NULL, start_daemon, (void *)(intptr_t)signal) == 0);
	child_check(pthread_join(thread, NULL) == 0);
	start(wait_to_go, NULL, 0);
	pid = fork();
	if (pid == 0)
		_exit(wait_to_go(NULL));
	seen->sibling = pid;
}

static int be_killed(void *arg)
{
	make_family((int)(intptr_t)arg);
	kill(getpid(), SIGKILL);
	return 1;
}

static int be_killed_blocked(void *arg)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	return be_killed(arg);
}

static int crash(void *arg)
{
	make_family((int)(intptr_t)arg);
	signal(SIGSEGV, SIG_DFL);
	raise(SIGSEGV);
	return 1;
}

static int end_at_once(void *arg)
{
	make_family((int)(intptr_t)arg);
	_exit(0);
}

static int become_another(void *arg)
{
	make_family((int)(intptr_t)arg);
	execlp("true", "true", NULL);
	return 1;
}

static const struct ending {
	int (*parent)(void *arg);
	int signal;
	int expected;
} endings[] = {
	{ be_killed, 0, SIGTERM },
	{ be_killed, SIGINT, SIGINT },
	{ be_killed_blocked, SIGKILL, SIGKILL },
	{ crash, 0, SIGTERM },
	{ end_at_once, 0, SIGTERM },
	{ become_another, 0, SIGTERM },
};

START_TEST(daemons_end_with_their_parent)
{
	const struct ending *e = &endings[_i];
	struct child child = child_start(e->parent, (void *)(intptr_t)e->signal);

	child_join(&child);
	ck_assert_int_eq(status_of(seen->daemon), e->expected);
	ck_assert_int_eq(status_of(seen->other), e->expected);
	/* The siblings do not, and it was not their end that was waited for. */
	ck_assert(child_wait_asleep(seen->sibling));
	ck_assert_int_eq(write(go[1], "xxx", 3), 3);
	ck_assert_int_eq(status_of(seen->sibling), 0);
}
END_TEST

/* Nor do those that outlive the thread that made them. */
static int outlive_the_thread(void *arg)
{
	struct pollfd p;
	pthread_t thread;

	(void)arg;
	child_check(pthread_create(&thread, NULL, start_daemon, NULL) == 0);
	child_check(pthread_join(thread, NULL) == 0);
	p = (struct pollfd){ .fd = alive[0], .events = 0 };
	/* For something to happen that is not to, and then the normal end. */
	poll(&p, 1, 50);
	child_check(weir_process_children(NULL, 0) == 2);
	exit(0);
}

START_TEST(end_of_a_thread_ends_no_daemon)
{
	struct child child = child_start(outlive_the_thread, NULL);

	child_join_ok(&child);
	ck_assert(process_none_left());
}
END_TEST

static int start_for_ever(void *arg)
{
	char *const program[] = { (char *)"sleep", (char *)"1000", NULL };
	struct weir_process_options options = process_options(WEIR_PROCESS_DAEMON);
	struct weir_process *p;

	(void)arg;
	for (;;) {
		seen->ran++;
		child_check(weir_process_start(wait_for_ever, NULL, &options, &p) == 0);
		child_check(weir_process_spawn(program, &options, &p) == 0);
	}
}

/* Killed at any moment while it starts some: none is left, which the teardown waits for. */
START_TEST(parent_killed_while_it_starts_leaves_none)
{
	struct child child = child_start(start_for_ever, NULL);
	int64_t until = test_now() + (int64_t)test_random_below(5000000);

	while (seen->ran < 1 + _i % 3 || test_now() < until)
		sched_yield();
	child_kill(&child);
}
END_TEST

/*
 * What it has used
 */

/* A party that is left over is one that has died. */
static int deaths_of(struct weir_lock *lock)
{
	return shared_mend_all((struct shared *)lock);
}

static int use(void *lock)
{
	return weir_lock_acquire(lock, 0, soon()) != 0 || weir_lock_release(lock) != 0;
}

static int keep(void *lock)
{
	return weir_lock_acquire(lock, 0, soon());
}

START_TEST(who_ends_as_it_should_has_not_died)
{
	struct weir_lock *lock;

	ck_assert_int_eq(weir_lock(&lock, NULL), 0);
	ck_assert_int_eq(process_result(process_start(use, lock, 0)), 0);
	ck_assert_int_eq(deaths_of(lock), 0);
	/* With it in its hands it has. */
	ck_assert_int_eq(process_result(process_start(keep, lock, 0)), 0);
	ck_assert_int_eq(weir_lock_acquire(lock, 0, soon()), WEIR_OWNER_DIED);
	ck_assert_int_eq(deaths_of(lock), 1);
	ck_assert_int_eq(deaths_of(lock), 0);
	weir_lock_close(lock);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("process-end");
	TCase *tcase = tcase_create("process-end");

	if (kernel_unavailable())
		test_skip_all(kernel_unavailable());
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, exit_waits_for_the_others);
	tcase_add_test(tcase, exit_ends_the_daemons);
	tcase_add_test(tcase, exit_ends_a_stopped_daemon);
	tcase_add_test(tcase, handlers_of_atexit_run_in_the_parent_alone);
	tcase_add_test(tcase, exit_of_a_plain_fork_is_not_ours);
	tcase_add_test(tcase, process_waits_for_its_own_children);
	tcase_add_test(tcase, daemon_may_not_have_children);
	tcase_add_test(tcase, what_is_printed_is_printed_once_and_in_order);
	tcase_add_test(tcase, who_ends_as_it_should_has_not_died);
	tcase_add_loop_test(tcase, daemons_end_with_their_parent, 0,
			    sizeof(endings) / sizeof(endings[0]));
	tcase_add_test(tcase, end_of_a_thread_ends_no_daemon);
	tcase_add_loop_test(tcase, parent_killed_while_it_starts_leaves_none, 0, ROUNDS);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
