/* SPDX-License-Identifier: MIT */
/*
 * Each system call of starting, joining and ending processes made to fail: the first, the second
 * and so on, until there are no more; only that one, or all from there on, or all of a kind. It is
 * an error then, or goes without; no descriptor, process or zombie is left, and without failures
 * it works.
 */
#include "process-tools.h"

#include <sys/resource.h>

#include "failures.h"
#include "obj/process.h"

/* Of a function that has not run, as its own calls failed. */
#define NOT_BEGUN 255
#define WORKED 5

static const int errors[] = { EMFILE, EPERM, EINTR, ENOMEM };

static char peer[] = PROCESS_PEER, act[] = "code", code[] = "5";
static struct weir_end *ends[2];

static void setup(void)
{
	signal(SIGTERM, SIG_DFL);
	ck_assert_int_eq(weir_pipe(ends, NULL), 0);
	ck_assert_int_eq(process_result(process_start(return_it, NULL, 0)), 0);
}

static void teardown(void)
{
	weir_pipe_close(ends[0]);
	weir_pipe_close(ends[1]);
}

static void with_each_call_whole(int error, void (*once)(void))
{
	struct resources before = resources_begin();

	before.anonymous = false;
	with_each_call(error, once);
	resources_check(&before);
}

/* After the failures: it ends, or has never been. */
static void check_end(struct weir_process *p, int result)
{
	int how;

	check(result == 0 || result == plan.error);
	if (result == 0) {
		how = process_result(p);
		check(how == WORKED || (how == NOT_BEGUN && plan.last != plan.first));
	}
	check(process_none_left());
	check(weir_process_children(NULL, 0) == 0);
}

static void start_once(uint32_t flags)
{
	struct weir_process_options o = process_options(flags);
	struct weir_process *p = NULL;
	int result;

	failures_begin();
	result = weir_process_start(return_it, (void *)WORKED, &o, &p);
	failures_end("start");
	check((result == 0) == (p != NULL));
	check_end(p, result);
}

static void start_plain_once(void)
{
	start_once(0);
}

static void start_daemon_once(void)
{
	start_once(WEIR_PROCESS_DAEMON);
}

static void spawn_once(void)
{
	char *argv[] = { peer, act, code, NULL };
	struct weir_process_handle handle = { "END", ends[0] };
	struct weir_process_options o = process_options(WEIR_PROCESS_DAEMON);
	struct weir_process *p = NULL;
	int result;

	o.handles = &handle;
	o.handle_count = 1;
	failures_begin();
	result = weir_process_spawn(argv, &o, &p);
	failures_end("spawn");
	check((result == 0) == (p != NULL));
	check_end(p, result);
}

static void join_once(void)
{
	struct weir_process *p = process_start(return_it, (void *)WORKED, 0);
	int result;

	failures_begin();
	result = weir_process_join(p, 0, soon());
	failures_end("join");
	check(result == 0 || result == plan.error);
	check_end(p, 0);
}

static void close_once(void)
{
	struct weir_process *p = process_start(return_it, (void *)WORKED, 0);
	int result;

	check(process_ended(p));
	failures_begin();
	result = weir_process_close(p);
	failures_end("close");
	/* Once more, if it is still there. */
	check(result == 0 || result == plan.error);
	if (result < 0)
		check(weir_process_close(p) == 0);
	check(process_none_left());
}

static void signal_once(void)
{
	struct weir_process *p = process_start(wait_for_ever, NULL, 0);
	int result;

	failures_begin();
	result = weir_process_kill(p);
	failures_end("kill");
	check(result == 0 || result == plan.error);
	if (result < 0)
		check(weir_process_kill(p) == 0);
	check(process_result(p) == -SIGKILL);
}

/* What runs at the end of a process; none is told here, as that may fail. */
static void end_once(void)
{
	struct weir_process *p = process_start(return_it, (void *)WORKED, 0);

	failures_begin();
	process_end_children();
	failures_end("the end");
	check_end(p, 0);
}

START_TEST(failing_calls_of_start)
{
	with_each_call_whole(errors[_i], start_plain_once);
	with_each_call_whole(errors[_i], start_daemon_once);
}
END_TEST

START_TEST(failing_calls_of_spawn)
{
	with_each_call_whole(errors[_i], spawn_once);
}
END_TEST

START_TEST(failing_calls_of_join_and_close)
{
	with_each_call_whole(errors[_i], join_once);
	with_each_call_whole(errors[_i], close_once);
}
END_TEST

START_TEST(failing_calls_of_signals_and_the_end)
{
	with_each_call_whole(errors[_i], signal_once);
	with_each_call_whole(errors[_i], end_once);
}
END_TEST

/* Really: no descriptor is free, or a few are. */
START_TEST(no_descriptor_is_an_error)
{
	struct weir_process_options o = process_options(WEIR_PROCESS_DAEMON);
	char *argv[] = { peer, act, code, NULL };
	struct resources before = resources_begin();
	int lowest = dup(0), failed = 0;
	struct rlimit old;

	close(lowest);
	getrlimit(RLIMIT_NOFILE, &old);
	for (int left = 0; left < 8; left++) {
		struct rlimit limit = { (rlim_t)(lowest + left), old.rlim_max };
		struct weir_process *p;
		int started, spawned;

		setrlimit(RLIMIT_NOFILE, &limit);
		started = weir_process_start(return_it, (void *)WORKED, &o, &p);
		if (started == 0)
			ck_assert_int_eq(process_result(p), WORKED);
		spawned = weir_process_spawn(argv, &o, &p);
		if (spawned == 0)
			ck_assert_int_eq(process_result(p), WORKED);
		setrlimit(RLIMIT_NOFILE, &old);
		ck_assert(started == 0 || started == -EMFILE);
		ck_assert(spawned == 0 || spawned == -EMFILE);
		failed += (started < 0) + (spawned < 0);
		ck_assert(process_none_left());
		ck_assert(left < 7 || (started == 0 && spawned == 0));
	}
	ck_assert_int_gt(failed, 2);
	resources_check(&before);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("process");
	TCase *tcase = tcase_create("process");
	int count = sizeof(errors) / sizeof(errors[0]);

	if (kernel_unavailable())
		test_skip_all(kernel_unavailable());
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, failing_calls_of_start, 0, count);
	tcase_add_loop_test(tcase, failing_calls_of_spawn, 0, count);
	tcase_add_loop_test(tcase, failing_calls_of_join_and_close, 0, count);
	tcase_add_loop_test(tcase, failing_calls_of_signals_and_the_end, 0, count);
	tcase_add_test(tcase, no_descriptor_is_an_error);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
