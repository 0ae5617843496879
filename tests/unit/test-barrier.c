/* SPDX-License-Identifier: MIT */
/* A barrier in one process, with threads where somebody has to wait. */
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "weir.h"

#define MS	INT64_C(1000000)
#define PARTIES	4
#define ROUNDS	200

static struct resources before;
static struct weir_barrier *barrier;

static void make(uint32_t parties, const struct weir_barrier_options *options)
{
	weir_barrier_close(barrier);
	ck_assert_int_eq(weir_barrier(&barrier, parties, options), 0);
}

static void setup(void)
{
	barrier = NULL;
	make(PARTIES, NULL);
	weir_barrier_close(barrier);
	barrier = NULL;
	before = resources_begin();
	/* The stacks of threads stay mapped. */
	before.anonymous = false;
	make(PARTIES, NULL);
}

static void teardown(void)
{
	weir_barrier_close(barrier);
	resources_check(&before);
}

START_TEST(one_party_never_waits)
{
	uint32_t index = 9;

	make(1, NULL);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(weir_barrier_wait(barrier, 0, 0, &index), 0);
	ck_assert_uint_eq(index, 0);
	ck_assert_int_eq(weir_barrier_parties(barrier), 1);
}
END_TEST

START_TEST(without_the_others_it_is_as_if_nobody_had_come)
{
	ck_assert_int_eq(weir_barrier_wait(barrier, 0, 0, NULL), -EAGAIN);
	ck_assert_int_eq(weir_barrier_wait(barrier, 0, -1, NULL), -EAGAIN);
	ck_assert_int_eq(weir_barrier_broken(barrier), 0);
	ck_assert_int_eq(weir_barrier_waiting(barrier), 0);
	ck_assert_int_eq(weir_barrier_parties(barrier), PARTIES);
}
END_TEST

START_TEST(deadline_breaks_it_until_reset)
{
	int64_t until = test_now() + 10 * MS;

	ck_assert_int_eq(weir_barrier_wait(barrier, 0, until, NULL), -ETIMEDOUT);
	ck_assert_int_ge(test_now(), until);
	ck_assert_int_eq(weir_barrier_broken(barrier), 1);
	ck_assert_int_eq(weir_barrier_waiting(barrier), 0);
	ck_assert_int_eq(weir_barrier_wait(barrier, 0, soon(), NULL), -ECANCELED);
	ck_assert_int_eq(weir_barrier_wait(barrier, 0, 0, NULL), -ECANCELED);
	ck_assert_int_eq(weir_barrier_reset(barrier), 0);
	ck_assert_int_eq(weir_barrier_broken(barrier), 0);
	ck_assert_int_eq(weir_barrier_wait(barrier, WEIR_NOSPIN, 1, NULL), -ETIMEDOUT);
	ck_assert_int_eq(weir_barrier_reset(barrier), 0);
	ck_assert_int_eq(weir_barrier_reset(barrier), 0);
	ck_assert_int_eq(weir_barrier_wait(barrier, 0, 0, NULL), -EAGAIN);
}
END_TEST

START_TEST(its_own_timeout_is_for_those_without_deadline)
{
	struct weir_barrier_options o = { .size = sizeof(o), .timeout = 10 * MS };
	int64_t start = test_now();

	make(2, &o);
	ck_assert_int_eq(weir_barrier_wait(barrier, 0, WEIR_FOREVER, NULL), -ETIMEDOUT);
	ck_assert_int_ge(test_now(), start + 10 * MS);
}
END_TEST

START_TEST(abort_breaks_it)
{
	ck_assert_int_eq(weir_barrier_abort(barrier), 0);
	ck_assert_int_eq(weir_barrier_abort(barrier), 0);
	ck_assert_int_eq(weir_barrier_broken(barrier), 1);
	ck_assert_int_eq(weir_barrier_wait(barrier, 0, soon(), NULL), -ECANCELED);
	ck_assert_int_eq(weir_barrier_reset(barrier), 0);
	ck_assert_int_eq(weir_barrier_broken(barrier), 0);
}
END_TEST

static int calls, says;

static int act(void *arg)
{
	calls += arg == &calls;
	return says;
}

START_TEST(failing_action_breaks_it)
{
	struct weir_barrier_options o = { .size = sizeof(o), .action = act, .arg = &calls };

	make(1, &o);
	calls = says = 0;
	ck_assert_int_eq(weir_barrier_wait(barrier, 0, 0, NULL), 0);
	ck_assert_int_eq(calls, 1);
	says = -EAGAIN;
	ck_assert_int_eq(weir_barrier_wait(barrier, 0, 0, NULL), -EAGAIN);
	ck_assert_int_eq(weir_barrier_wait(barrier, 0, 0, NULL), -ECANCELED);
	ck_assert_int_eq(calls, 2);
	ck_assert_int_eq(weir_barrier_reset(barrier), 0);
	says = 5;
	ck_assert_int_eq(weir_barrier_wait(barrier, 0, 0, NULL), -ECANCELED);
	ck_assert_int_eq(weir_barrier_broken(barrier), 1);
	ck_assert_int_eq(weir_barrier_reset(barrier), 0);
	ck_assert_int_eq(weir_barrier_set_action(barrier, NULL, NULL), 0);
	ck_assert_int_eq(weir_barrier_wait(barrier, 0, 0, NULL), 0);
}
END_TEST

static int abort_inside(void *arg)
{
	(void)arg;
	return weir_barrier_abort(barrier);
}

static int reset_inside(void *arg)
{
	(void)arg;
	return weir_barrier_reset(barrier);
}

START_TEST(action_may_abort_and_reset_it)
{
	make(1, NULL);
	weir_barrier_set_action(barrier, abort_inside, NULL);
	ck_assert_int_eq(weir_barrier_wait(barrier, 0, 0, NULL), -ECANCELED);
	ck_assert_int_eq(weir_barrier_broken(barrier), 1);
	weir_barrier_reset(barrier);
	weir_barrier_set_action(barrier, reset_inside, NULL);
	ck_assert_int_eq(weir_barrier_wait(barrier, 0, 0, NULL), -ECANCELED);
	ck_assert_int_eq(weir_barrier_broken(barrier), 0);
}
END_TEST

START_TEST(wrong_use_is_refused)
{
	struct weir_barrier_options o = { .size = 3 };
	struct weir_barrier *none = NULL;

	ck_assert_int_eq(weir_barrier(NULL, 1, NULL), -EINVAL);
	ck_assert_int_eq(weir_barrier(&none, 0, NULL), -EINVAL);
	ck_assert_int_eq(weir_barrier(&none, 16385, NULL), -EINVAL);
	ck_assert_int_eq(weir_barrier(&none, 1, &o), -EINVAL);
	o = (struct weir_barrier_options){ .size = sizeof(o), .flags = 1 };
	ck_assert_int_eq(weir_barrier(&none, 1, &o), -EINVAL);
	o = (struct weir_barrier_options){ .size = sizeof(o), .reserved = 1 };
	ck_assert_int_eq(weir_barrier(&none, 1, &o), -EINVAL);
	o = (struct weir_barrier_options){ .size = sizeof(o), .timeout = -1 };
	ck_assert_int_eq(weir_barrier(&none, 1, &o), -EINVAL);
	ck_assert_ptr_null(none);
	ck_assert_int_eq(weir_barrier_wait(NULL, 0, 0, NULL), -EINVAL);
	ck_assert_int_eq(weir_barrier_wait(barrier, WEIR_MORE, 0, NULL), -EINVAL);
	ck_assert_int_eq(weir_barrier_abort(NULL), -EINVAL);
	ck_assert_int_eq(weir_barrier_reset(NULL), -EINVAL);
	ck_assert_int_eq(weir_barrier_broken(NULL), -EINVAL);
	ck_assert_int_eq(weir_barrier_waiting(NULL), -EINVAL);
	ck_assert_int_eq(weir_barrier_parties(NULL), -EINVAL);
	ck_assert_int_eq(weir_barrier_set_action(NULL, NULL, NULL), -EINVAL);
	weir_barrier_close(NULL);
}
END_TEST

START_TEST(largest_can_be_made)
{
	make(16384, NULL);
	ck_assert_int_eq(weir_barrier_parties(barrier), 16384);
	ck_assert_int_eq(weir_barrier_wait(barrier, 0, 1, NULL), -ETIMEDOUT);
}
END_TEST

START_TEST(imported_barrier_is_the_same)
{
	char text[WEIR_EXPORT_SIZE];
	struct weir_barrier *other;

	ck_assert_int_gt(weir_export(barrier, text, sizeof(text)), 0);
	ck_assert_int_eq(weir_import(text, WEIR_KIND_BARRIER, &other), 0);
	ck_assert_int_eq(weir_barrier_parties(other), PARTIES);
	ck_assert_int_eq(weir_barrier_abort(other), 0);
	ck_assert_int_eq(weir_barrier_broken(barrier), 1);
	weir_barrier_close(other);
}
END_TEST

/*
 * With others
 */

struct visitor {
	pthread_t thread;
	int rounds;
	int result;
	uint32_t indices[ROUNDS];
};

static struct visitor visitors[PARTIES + 1];

static void *visit(void *arg)
{
	struct visitor *v = arg;

	for (int i = 0; i < v->rounds && v->result == 0; i++)
		v->result = weir_barrier_wait(barrier, i % 2 ? WEIR_NOSPIN : 0, soon(),
					      &v->indices[i]);
	return NULL;
}

static void start(int first, int count, int rounds)
{
	for (int i = first; i < first + count; i++) {
		visitors[i] = (struct visitor){ .rounds = rounds };
		ck_assert_int_eq(pthread_create(&visitors[i].thread, NULL, visit, &visitors[i]), 0);
	}
}

static void wait_until_waiting(int count)
{
	int64_t until = soon();

	while (weir_barrier_waiting(barrier) != count && test_now() < until)
		sched_yield();
	ck_assert_int_eq(weir_barrier_waiting(barrier), count);
}

static void join_all(int count, int result)
{
	for (int i = 0; i < count; i++) {
		ck_assert_int_eq(pthread_join(visitors[i].thread, NULL), 0);
		ck_assert_int_eq(visitors[i].result, result);
	}
}

START_TEST(each_index_is_given_once)
{
	start(0, PARTIES, ROUNDS);
	join_all(PARTIES, 0);
	for (int round = 0; round < ROUNDS; round++) {
		uint32_t seen = 0;

		for (int i = 0; i < PARTIES; i++)
			seen |= 1U << visitors[i].indices[round];
		ck_assert_uint_eq(seen, (1U << PARTIES) - 1);
	}
}
END_TEST

START_TEST(action_runs_once_before_any_goes_on)
{
	calls = says = 0;
	weir_barrier_set_action(barrier, act, &calls);
	start(0, PARTIES - 1, 1);
	wait_until_waiting(PARTIES - 1);
	ck_assert_int_eq(calls, 0);
	ck_assert_int_eq(weir_barrier_wait(barrier, 0, 0, NULL), 0);
	ck_assert_int_eq(calls, 1);
	join_all(PARTIES - 1, 0);
}
END_TEST

START_TEST(those_who_wait_are_told_of_a_break)
{
	start(0, PARTIES - 1, 1);
	wait_until_waiting(PARTIES - 1);
	ck_assert_int_eq(weir_barrier_abort(barrier), 0);
	join_all(PARTIES - 1, -ECANCELED);
	ck_assert_int_eq(weir_barrier_reset(barrier), 0);
	/* Reset while some wait. */
	start(0, PARTIES - 1, 1);
	wait_until_waiting(PARTIES - 1);
	ck_assert_int_eq(weir_barrier_reset(barrier), 0);
	ck_assert_int_eq(weir_barrier_broken(barrier), 0);
	join_all(PARTIES - 1, -ECANCELED);
	/* One gives up. */
	start(0, PARTIES - 2, 1);
	wait_until_waiting(PARTIES - 2);
	ck_assert_int_eq(weir_barrier_wait(barrier, 0, 1, NULL), -ETIMEDOUT);
	join_all(PARTIES - 2, -ECANCELED);
}
END_TEST

START_TEST(close_turns_out_those_who_wait)
{
	struct weir_barrier *other;
	char text[WEIR_EXPORT_SIZE];

	ck_assert_int_gt(weir_export(barrier, text, sizeof(text)), 0);
	ck_assert_int_eq(weir_import(text, WEIR_KIND_BARRIER, &other), 0);
	start(0, PARTIES - 1, 1);
	wait_until_waiting(PARTIES - 1);
	weir_barrier_close(barrier);
	join_all(PARTIES - 1, -ESHUTDOWN);
	ck_assert_int_eq(weir_barrier_wait(other, 0, 0, NULL), -ECANCELED);
	barrier = other;
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("barrier");
	TCase *tc = tcase_create("barrier");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, one_party_never_waits);
	tcase_add_test(tc, without_the_others_it_is_as_if_nobody_had_come);
	tcase_add_test(tc, deadline_breaks_it_until_reset);
	tcase_add_test(tc, its_own_timeout_is_for_those_without_deadline);
	tcase_add_test(tc, abort_breaks_it);
	tcase_add_test(tc, failing_action_breaks_it);
	tcase_add_test(tc, action_may_abort_and_reset_it);
	tcase_add_test(tc, wrong_use_is_refused);
	tcase_add_test(tc, largest_can_be_made);
	tcase_add_test(tc, imported_barrier_is_the_same);
	tcase_add_test(tc, each_index_is_given_once);
	tcase_add_test(tc, action_runs_once_before_any_goes_on);
	tcase_add_test(tc, those_who_wait_are_told_of_a_break);
	tcase_add_test(tc, close_turns_out_those_who_wait);
	suite_add_tcase(s, tc);
	return s;
}

int main(void)
{
	return test_main(suite());
}
