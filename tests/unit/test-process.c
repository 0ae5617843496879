/* SPDX-License-Identifier: MIT */
/* What can be said of processes without making any: wrong arguments, and this process itself. */
#include "support.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "weir.h"

static struct weir_process *const UNTOUCHED = (struct weir_process *)8;
static struct weir_process *p;
static char *const program[] = { (char *)"true", NULL };

static void setup(void)
{
	p = UNTOUCHED;
}

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

static struct weir_process_options options(void)
{
	return (struct weir_process_options){ .size = sizeof(struct weir_process_options) };
}

static void check_refused(const struct weir_process_options *o)
{
	ck_assert_int_eq(weir_process_start(nothing, NULL, o, &p), -EINVAL);
	ck_assert_int_eq(weir_process_spawn(program, o, &p), -EINVAL);
	ck_assert_ptr_eq(p, UNTOUCHED);
}

START_TEST(options_of_another_size_return_einval)
{
	struct weir_process_options o = options();

	o.size--;
	check_refused(&o);
	o.size += 2;
	check_refused(&o);
}
END_TEST

START_TEST(unknown_flag_returns_einval)
{
	struct weir_process_options o = options();

	o.flags = WEIR_PROCESS_DAEMON << 1;
	check_refused(&o);
}
END_TEST

START_TEST(signal_out_of_range_or_for_no_daemon_returns_einval)
{
	struct weir_process_options o = options();

	o.flags = WEIR_PROCESS_DAEMON;
	o.signal = -1;
	check_refused(&o);
	o.signal = 32;
	check_refused(&o);
	o.flags = 0;
	o.signal = SIGTERM;
	check_refused(&o);
}
END_TEST

START_TEST(start_with_what_is_for_programs_returns_einval)
{
	struct weir_process_handle handle = { "X", &handle };
	char *environment[] = { NULL };
	struct weir_process_options o = options();

	o.file = "true";
	ck_assert_int_eq(weir_process_start(nothing, NULL, &o, &p), -EINVAL);
	o = options();
	o.environment = environment;
	ck_assert_int_eq(weir_process_start(nothing, NULL, &o, &p), -EINVAL);
	o = options();
	o.handles = &handle;
	ck_assert_int_eq(weir_process_start(nothing, NULL, &o, &p), -EINVAL);
	o = options();
	o.handle_count = 1;
	ck_assert_int_eq(weir_process_start(nothing, NULL, &o, &p), -EINVAL);
	ck_assert_ptr_eq(p, UNTOUCHED);
}
END_TEST

START_TEST(nothing_to_run_returns_einval)
{
	char *const empty[] = { NULL };

	ck_assert_int_eq(weir_process_start(NULL, NULL, NULL, &p), -EINVAL);
	ck_assert_int_eq(weir_process_start(nothing, NULL, NULL, NULL), -EINVAL);
	ck_assert_int_eq(weir_process_spawn(NULL, NULL, &p), -EINVAL);
	ck_assert_int_eq(weir_process_spawn(empty, NULL, &p), -EINVAL);
	ck_assert_int_eq(weir_process_spawn(program, NULL, NULL), -EINVAL);
	ck_assert_ptr_eq(p, UNTOUCHED);
}
END_TEST

START_TEST(handles_that_cannot_be_named_return_einval)
{
	const char *const names[] = { NULL, "", "=", "A=B" };
	struct weir_process_handle handle = { 0 };
	struct weir_process_options o = options();
	struct resources before = resources_begin();

	o.handle_count = 1;
	ck_assert_int_eq(weir_process_spawn(program, &o, &p), -EINVAL);
	o.handles = &handle;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		handle.variable = names[i];
		ck_assert_int_eq(weir_process_spawn(program, &o, &p), -EINVAL);
	}
	ck_assert_ptr_eq(p, UNTOUCHED);
	resources_check(&before);
}
END_TEST

START_TEST(no_process_is_einval)
{
	int code;

	ck_assert_int_eq(weir_process_join(NULL, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_process_exit_code(NULL, &code), -EINVAL);
	ck_assert_int_eq(weir_process_alive(NULL), -EINVAL);
	ck_assert_int_eq(weir_process_signal(NULL, 0), -EINVAL);
	ck_assert_int_eq(weir_process_terminate(NULL), -EINVAL);
	ck_assert_int_eq(weir_process_kill(NULL), -EINVAL);
	ck_assert_int_eq(weir_process_pid(NULL), -EINVAL);
	ck_assert_int_eq(weir_process_fd(NULL), -EINVAL);
	ck_assert_ptr_null(weir_process_name(NULL));
	ck_assert_int_eq(weir_process_close(NULL), 0);
}
END_TEST

START_TEST(there_are_no_children)
{
	struct weir_process *some[2];

	ck_assert_int_eq(weir_process_children(some, 2), 0);
	ck_assert_int_eq(weir_process_children(NULL, 0), 0);
	ck_assert_int_eq(weir_process_children(NULL, 1), -EINVAL);
}
END_TEST

START_TEST(first_process_is_nobodys_child)
{
	ck_assert_str_eq(weir_process_current_name(), "MainProcess");
	ck_assert_int_eq(weir_process_current_daemon(), 0);
	ck_assert_int_eq(weir_process_parent(), 0);
	ck_assert_int_eq(weir_process_parent_alive(), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("process");
	TCase *tcase = tcase_create("process");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, options_of_another_size_return_einval);
	tcase_add_test(tcase, unknown_flag_returns_einval);
	tcase_add_test(tcase, signal_out_of_range_or_for_no_daemon_returns_einval);
	tcase_add_test(tcase, start_with_what_is_for_programs_returns_einval);
	tcase_add_test(tcase, nothing_to_run_returns_einval);
	tcase_add_test(tcase, handles_that_cannot_be_named_return_einval);
	tcase_add_test(tcase, no_process_is_einval);
	tcase_add_test(tcase, there_are_no_children);
	tcase_add_test(tcase, first_process_is_nobodys_child);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
