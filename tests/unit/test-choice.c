/* SPDX-License-Identifier: MIT */
#include "uring/choice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cc.h"
#include "support.h"
#include "sys/sys.h"
#include "uring-tools.h"
#include "weir/engine.h"

#define MARK	4711	/* an errno that nothing sets */

static const char *unavailable;
static int fault_result;
static int setups_refused = -1;	/* negative: all */

static int fault(enum sys_call call)
{
	if (call != SYS_CALL_URING_SETUP || setups_refused == 0)
		return 0;
	setups_refused--;
	return fault_result;
}

static void setup(void)
{
	ck_assert_int_eq(unsetenv("WEIR_ENGINE"), 0);
	errno = MARK;
}

static void teardown(void)
{
	sys_fault = NULL;
}

static void say(const char *value)
{
	ck_assert_int_eq(setenv("WEIR_ENGINE", value, 1), 0);
	errno = MARK;
}

static struct weir_engine_report asked(void)
{
	struct weir_engine_report report = { .size = sizeof(report) };

	ck_assert_int_eq(weir_engine(&report), 0);
	ck_assert_int_eq(errno, MARK);
	ck_assert_uint_eq(report.size, sizeof(report));
	ck_assert_ptr_nonnull(report.reason);
	/* The text begins with the name. */
	ck_assert_int_eq(strncmp(report.reason, weir_engine_name(report.engine), 5), 0);
	return report;
}

/*
 * What is wanted
 */

START_TEST(names_are_given_to_engines_alone)
{
	ck_assert_str_eq(weir_engine_name(WEIR_ENGINE_AUTO), "auto");
	ck_assert_str_eq(weir_engine_name(WEIR_ENGINE_EPOLL), "epoll");
	ck_assert_str_eq(weir_engine_name(WEIR_ENGINE_URING), "uring");
	ck_assert_ptr_null(weir_engine_name(3));
	ck_assert_ptr_null(weir_engine_name(UINT32_MAX));
}
END_TEST

START_TEST(options_are_valid_up_to_the_last_engine)
{
	ck_assert(choice_valid(WEIR_ENGINE_AUTO));
	ck_assert(choice_valid(WEIR_ENGINE_EPOLL));
	ck_assert(choice_valid(WEIR_ENGINE_URING));
	ck_assert(!choice_valid(3));
	ck_assert(!choice_valid(UINT32_MAX));
}
END_TEST

START_TEST(environment_decides_what_options_leave_open)
{
	ck_assert_uint_eq(choice_wanted(WEIR_ENGINE_AUTO), WEIR_ENGINE_AUTO);
	say("epoll");
	ck_assert_uint_eq(choice_wanted(WEIR_ENGINE_AUTO), WEIR_ENGINE_EPOLL);
	say("uring");
	ck_assert_uint_eq(choice_wanted(WEIR_ENGINE_AUTO), WEIR_ENGINE_URING);
	say("auto");
	ck_assert_uint_eq(choice_wanted(WEIR_ENGINE_AUTO), WEIR_ENGINE_AUTO);
}
END_TEST

START_TEST(options_overrule_the_environment)
{
	say("epoll");
	ck_assert_uint_eq(choice_wanted(WEIR_ENGINE_URING), WEIR_ENGINE_URING);
	say("uring");
	ck_assert_uint_eq(choice_wanted(WEIR_ENGINE_EPOLL), WEIR_ENGINE_EPOLL);
}
END_TEST

START_TEST(nonsense_in_the_environment_says_nothing)
{
	static const char *const nonsense[] = { "",	   "EPOLL", "epoll ", " epoll", "epol",
						"epolls", "io_uring", "1", "2", "none" };

	for (size_t i = 0; i < ARRAY_LENGTH(nonsense); i++) {
		say(nonsense[i]);
		ck_assert_uint_eq(choice_wanted(WEIR_ENGINE_AUTO), WEIR_ENGINE_AUTO);
		ck_assert_uint_eq(asked().wanted, WEIR_ENGINE_AUTO);
	}
}
END_TEST

/*
 * The report
 */

START_TEST(report_of_another_size_is_einval_and_untouched)
{
	struct weir_engine_report report, before;

	memset(&report, 0x5a, sizeof(report));
	for (size_t size = 0; size < 2 * sizeof(report); size++) {
		if (size == sizeof(report))
			continue;
		report.size = size;
		before = report;
		ck_assert_int_eq(weir_engine(&report), -EINVAL);
		ck_assert_mem_eq(&report, &before, sizeof(report));
	}
	ck_assert_int_eq(weir_engine(NULL), -EINVAL);
	ck_assert_int_eq(errno, MARK);
}
END_TEST

START_TEST(report_says_what_there_is)
{
	struct weir_engine_report report = asked();

	ck_assert_uint_eq(report.engine, WEIR_ENGINE_URING);
	ck_assert_uint_eq(report.wanted, WEIR_ENGINE_AUTO);
	ck_assert_int_eq(report.error, 0);
	ck_assert(report.features & WEIR_URING_POLL_MULTISHOT);
	ck_assert_str_eq(report.reason, "uring: it can be had");
}
END_TEST

START_TEST(report_says_what_the_environment_wants)
{
	struct weir_engine_report report;

	say("epoll");
	report = asked();
	ck_assert_uint_eq(report.engine, WEIR_ENGINE_EPOLL);
	ck_assert_uint_eq(report.wanted, WEIR_ENGINE_EPOLL);
	ck_assert_int_eq(report.error, 0);
	/* What there would be is told all the same. */
	ck_assert(report.features & WEIR_URING_POLL_MULTISHOT);
	ck_assert_ptr_nonnull(strstr(report.reason, "WEIR_ENGINE"));
	say("uring");
	report = asked();
	ck_assert_uint_eq(report.engine, WEIR_ENGINE_URING);
	ck_assert_uint_eq(report.wanted, WEIR_ENGINE_URING);
	ck_assert_ptr_nonnull(strstr(report.reason, "WEIR_ENGINE"));
}
END_TEST

START_TEST(report_says_why_there_is_no_ring)
{
	static const struct {
		int error;
		int reported;
		const char *word;
	} causes[] = {
		{ ENOSYS, ENOSYS, "no io_uring in this kernel" },
		{ EPERM, EPERM, "forbidden" },
		{ EACCES, EACCES, "forbidden" },
		{ EINVAL, EOPNOTSUPP, "too old" },
		{ EOPNOTSUPP, EOPNOTSUPP, "too old" },
		{ ENOMEM, ENOMEM, "memory" },
		{ EMFILE, EMFILE, "descriptor" },
		{ ENFILE, ENFILE, "descriptor" },
		{ EIO, EIO, "cannot be had" },
	};
	static const char *const wanted[] = { "auto", "uring", "epoll" };

	sys_fault = fault;
	for (size_t i = 0; i < ARRAY_LENGTH(causes); i++) {
		fault_result = -causes[i].error;
		/* Whatever is wanted: what cannot be had cannot be had. */
		for (size_t j = 0; j < ARRAY_LENGTH(wanted); j++) {
			struct weir_engine_report report;

			say(wanted[j]);
			report = asked();
			ck_assert_uint_eq(report.engine, WEIR_ENGINE_EPOLL);
			ck_assert_uint_eq(report.features, 0);
			ck_assert_int_eq(report.error, -causes[i].reported);
			ck_assert_msg(strstr(report.reason, causes[i].word), "%d: %s",
				      causes[i].error, report.reason);
		}
	}
}
END_TEST

/* Of a kernel that does not know how to put work off a wait set makes no use. */
START_TEST(report_tells_of_a_ring_that_is_not_used)
{
	struct weir_engine_report report;

	sys_fault = fault;
	fault_result = -EINVAL;
	setups_refused = 1;
	report = asked();
	ck_assert_uint_eq(report.engine, WEIR_ENGINE_EPOLL);
	ck_assert_int_eq(report.error, 0);
	ck_assert_uint_eq(report.features & WEIR_URING_DEFER_TASKRUN, 0);
	ck_assert(report.features & WEIR_URING_POLL_MULTISHOT);
	ck_assert_ptr_nonnull(strstr(report.reason, "6.1"));
}
END_TEST

START_TEST(asking_leaves_nothing_behind)
{
	struct resources before;

	asked();
	before = resources_begin();
	for (int i = 0; i < 10; i++)
		asked();
	resources_check(&before);
}
END_TEST

static TCase *add(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, setup, teardown);
	suite_add_tcase(suite, tcase);
	return tcase;
}

int main(void)
{
	Suite *suite = suite_create("choice");
	TCase *wanted = add(suite, "wanted"), *report = add(suite, "report");

	/* This program sets it as it likes. */
	unsetenv("WEIR_ENGINE");
	unavailable = uring_unavailable();
	tcase_add_test(wanted, names_are_given_to_engines_alone);
	tcase_add_test(wanted, options_are_valid_up_to_the_last_engine);
	tcase_add_test(wanted, environment_decides_what_options_leave_open);
	tcase_add_test(wanted, options_overrule_the_environment);
	tcase_add_test(wanted, nonsense_in_the_environment_says_nothing);
	tcase_add_test(report, report_of_another_size_is_einval_and_untouched);
	test_add_unless(report, unavailable, report_says_what_there_is);
	test_add_unless(report, unavailable, report_says_what_the_environment_wants);
	test_add_unless(report, unavailable, report_says_why_there_is_no_ring);
	test_add_unless(report, unavailable, report_tells_of_a_ring_that_is_not_used);
	tcase_add_test(report, asking_leaves_nothing_behind);
	return test_main(suite);
}
