/* SPDX-License-Identifier: MIT */
/* Threads that make processes and wait for them side by side, also for the same ones. */
#include "process-tools.h"

#include <pthread.h>

#define THREADS	3
#define ROUNDS	20

static struct weir_process *common;

static void setup(void)
{
	signal(SIGTERM, SIG_DFL);
}

static void run_threads(void *(*function)(void *arg))
{
	pthread_t threads[THREADS];
	void *result;

	for (intptr_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, function, (void *)i), 0);
	for (int i = 0; i < THREADS; i++) {
		ck_assert_int_eq(pthread_join(threads[i], &result), 0);
		ck_assert_ptr_null(result);
	}
}

/* All of them get to know the end, whoever has reaped it. */
static void *join_common(void *arg)
{
	int code;

	if (arg == NULL && weir_process_terminate(common) < 0)
		return (void *)1;
	if (weir_process_join(common, 0, soon()) < 0 || weir_process_alive(common) != 0 ||
	    weir_process_exit_code(common, &code) < 0 || code != -SIGTERM)
		return (void *)2;
	return NULL;
}

START_TEST(threads_join_the_same_process)
{
	for (int i = 0; i < ROUNDS; i++) {
		common = process_start(wait_for_ever, NULL, i % 2 ? WEIR_PROCESS_DAEMON : 0);
		run_threads(join_common);
		ck_assert_int_eq(weir_process_close(common), 0);
	}
	ck_assert(process_none_left());
}
END_TEST

static void *make_own(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		struct weir_process_options o = process_options(i % 2 ? WEIR_PROCESS_DAEMON : 0);
		struct weir_process *p;
		int code;

		if (weir_process_start(return_it, arg, &o, &p) < 0)
			return (void *)1;
		/* Of others, too, which reaps them. */
		if (weir_process_children(NULL, 0) < 0)
			return (void *)2;
		if (weir_process_join(p, 0, soon()) < 0 || weir_process_exit_code(p, &code) < 0 ||
		    code != (int)(intptr_t)arg || weir_process_close(p) < 0)
			return (void *)3;
	}
	return NULL;
}

START_TEST(threads_make_processes_and_reap_each_others)
{
	run_threads(make_own);
	ck_assert_int_eq(weir_process_children(NULL, 0), 0);
	ck_assert(process_none_left());
}
END_TEST

static void *ask_who(void *arg)
{
	(void)arg;
	return strcmp(weir_process_current_name(), "MainProcess") == 0 &&
	       weir_process_parent() == 0 ? NULL : (void *)1;
}

START_TEST(threads_ask_for_the_first_time_together)
{
	run_threads(ask_who);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("process");
	TCase *tcase = tcase_create("process");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, threads_join_the_same_process);
	tcase_add_test(tcase, threads_make_processes_and_reap_each_others);
	tcase_add_test(tcase, threads_ask_for_the_first_time_together);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
