/* SPDX-License-Identifier: MIT */
/*
 * Each allocation of starting and executing a process made to fail: first the first, then the
 * second, and so on. Linked so that the allocations of the library come here.
 */
#include "process-tools.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
int __wrap_asprintf(char **ret_text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* -1: none fails. */
static int until_failure = -1;
static bool has_failed;

static bool fails(void)
{
	if (until_failure < 0 || until_failure-- > 0)
		return false;
	has_failed = true;
	return true;
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

int __wrap_asprintf(char **ret_text, const char *format, ...)
{
	va_list list;
	int result;

	if (fails())
		return -1;
	va_start(list, format);
	result = vasprintf(ret_text, format, list);
	va_end(list);
	return result;
}

static char peer[] = PROCESS_PEER, act[] = "code", code[] = "5";
static struct weir_end *ends[2];

static int start(struct weir_process **ret)
{
	struct weir_process_options o = process_options(WEIR_PROCESS_DAEMON);

	return weir_process_start(return_it, (void *)5, &o, ret);
}

static int spawn(struct weir_process **ret)
{
	char *argv[] = { peer, act, code, NULL };
	struct weir_process_handle handle = { "END", ends[0] };
	struct weir_process_options o = process_options(WEIR_PROCESS_DAEMON);

	o.name = "a name";
	o.handles = &handle;
	o.handle_count = 1;
	return weir_process_spawn(argv, &o, ret);
}

static void with_each_failure(int (*make)(struct weir_process **ret), int at_least)
{
	struct resources before = resources_begin();
	int n = 0, result;

	before.anonymous = false;
	do {
		struct weir_process *p = NULL;

		has_failed = false;
		until_failure = n;
		result = make(&p);
		until_failure = -1;
		ck_assert_msg(result == (has_failed ? -ENOMEM : 0), "%d: %d", n, result);
		if (result == 0)
			ck_assert_int_eq(process_result(p), 5);
		ck_assert(process_none_left());
	} while (has_failed && ++n < 100);
	ck_assert_int_ge(n, at_least);
	ck_assert_int_lt(n, 100);
	resources_check(&before);
}

static void setup(void)
{
	ck_assert_int_eq(weir_pipe(ends, NULL), 0);
	ck_assert_int_eq(process_result(process_start(return_it, NULL, 0)), 0);
}

static void teardown(void)
{
	weir_pipe_close(ends[0]);
	weir_pipe_close(ends[1]);
}

START_TEST(failing_allocations_of_start)
{
	with_each_failure(start, 3);
}
END_TEST

START_TEST(failing_allocations_of_spawn)
{
	with_each_failure(spawn, 8);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("process-memory");
	TCase *tcase = tcase_create("process-memory");

	if (kernel_unavailable())
		test_skip_all(kernel_unavailable());
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, failing_allocations_of_start);
	tcase_add_test(tcase, failing_allocations_of_spawn);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
