/* SPDX-License-Identifier: MIT */
/*
 * What an executed program is told by its environment, which anybody may set. Each case runs in a
 * process of its own, which has not asked yet.
 */
#include "support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "weir.h"

static struct weir_process *const UNTOUCHED = (struct weir_process *)8;

static int nothing(void *arg)
{
	(void)arg;
	return 0;
}

static void introduce(const char *format, int pid)
{
	char text[128];

	snprintf(text, sizeof(text), format, pid, (int)getppid());
	setenv("WEIR_PROCESS", text, 1);
}

START_TEST(environment_tells_who_this_process_is)
{
	char *const program[] = { (char *)"true", NULL };
	struct weir_process *p = UNTOUCHED;

	introduce("weir1:%010d:%d:1:2:3:a name: with colons", getpid());
	ck_assert_str_eq(weir_process_current_name(), "3:a name: with colons");
	ck_assert_int_eq(weir_process_current_daemon(), 1);
	ck_assert_int_eq(weir_process_parent(), getppid());
	ck_assert_int_eq(weir_process_parent_alive(), 1);
	ck_assert_int_eq(weir_process_start(nothing, NULL, NULL, &p), -EPERM);
	ck_assert_int_eq(weir_process_spawn(program, NULL, &p), -EPERM);
	ck_assert_ptr_eq(p, UNTOUCHED);
}
END_TEST

START_TEST(environment_about_another_process_is_not_believed)
{
	introduce("weir1:%010d:%d:1:2:name", getpid() + 1);
	ck_assert_str_eq(weir_process_current_name(), "MainProcess");
	ck_assert_int_eq(weir_process_current_daemon(), 0);
	ck_assert_int_eq(weir_process_parent(), 0);
}
END_TEST

static const char *const nonsense[] = {
	"", "weir1:", "weir1:%d", "weir1:%d:", "weir1:%d:%d:1:2", "weir1:%d:%d:2:2:name",
	"weir1:%d:%d:-1:2:name", "weir1:%d:0:0:2:name", "weir2:%d:%d:0:2:name",
	"weir1:%d:99999999999:0:2:name", "weir1:%dx:%d:0:2:name", "weir1::%d:%d:2:name",
};

START_TEST(environment_that_makes_no_sense_is_not_believed)
{
	introduce(nonsense[_i], getpid());
	ck_assert_str_eq(weir_process_current_name(), "MainProcess");
	ck_assert_int_eq(weir_process_parent(), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("process-self");
	TCase *tcase = tcase_create("process-self");

	tcase_add_test(tcase, environment_tells_who_this_process_is);
	tcase_add_test(tcase, environment_about_another_process_is_not_believed);
	tcase_add_loop_test(tcase, environment_that_makes_no_sense_is_not_believed, 0,
			    sizeof(nonsense) / sizeof(nonsense[0]));
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
