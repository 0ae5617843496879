/* SPDX-License-Identifier: MIT */
/*
 * Each allocation of each operation on a wait set made to fail: the first, the second, and so on.
 * Linked so that calloc() and realloc() of the library come here.
 */
#include "waitset-tools.h"

#define MANY	100

void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

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

void *__wrap_realloc(void *old, size_t size)
{
	return fails() ? NULL : __real_realloc(old, size);
}

static uint32_t engine;
static struct weir_queue *queues[MANY];
static struct weir_end *ends[2];

static void setup(void)
{
	waitset_warm_up();
	ck_assert_int_eq(pipe_make(ends, 0, 4096), 0);
	for (int i = 0; i < MANY; i++)
		queues[i] = queue_new(0, 0, 0);
}

static void teardown(void)
{
	pipe_close_both(ends);
	for (int i = 0; i < MANY; i++)
		weir_queue_close(queues[i]);
}

static void make_once(int at)
{
	struct weir_waitset_options options = { .size = sizeof(options), .engine = engine };
	struct weir_waitset *set = NULL;
	int result;

	until_failure = at;
	result = weir_waitset(&set, &options);
	until_failure = -1;
	/* A ring that has no memory is an epoll. */
	ck_assert(result == 0 || (result == -ENOMEM && has_failed));
	ck_assert(result == 0 || !set);
	weir_waitset_close(set);
}

/* All the same, each is in it in the end, once, and is reported. */
static void add_once(int at)
{
	struct weir_waitset *set = waitset_new(engine);
	struct weir_event events[MANY + 1];
	int failures = 0, left = MANY + 1;

	until_failure = at;
	while (weir_waitset_add_pipe(set, ends[0], WEIR_IN, ends[0], NULL) == -ENOMEM)
		failures++;
	for (int i = 0; i < MANY; i++) {
		int result = weir_waitset_add_queue(set, queues[i], WEIR_IN, queues[i], NULL);

		failures += result == -ENOMEM;
		i -= result == -ENOMEM;
		ck_assert(result == 0 || result == -ENOMEM);
	}
	until_failure = -1;
	ck_assert_int_le(failures, 1);
	ck_assert_uint_eq(waitset_stat(set).sources, MANY + 1);
	ck_assert_int_eq(weir_waitset_wait(set, events, 1, 0, test_now() + 100 * US), -ETIMEDOUT);
	ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(queue_put_number(queues[i], 1, 0), 0);
	while (left > 0) {
		int n = weir_waitset_wait(set, events, MANY + 1, 0, soon());

		ck_assert_int_gt(n, 0);
		left -= n;
		for (int i = 0; i < n; i++) {
			bool is_pipe = events[i].cookie == ends[0];
			int64_t number = is_pipe ? recv_number(ends[0], 0)
						 : queue_get_number(events[i].cookie, 0);

			ck_assert_int_eq(number, 1);
		}
	}
	weir_waitset_close(set);
}

static void with_each_failure(void (*once)(int at))
{
	int n = 0;

	do {
		has_failed = false;
		once(n);
	} while (has_failed && ++n < 1000);
	ck_assert_int_gt(n, 0);
	ck_assert_int_lt(n, 1000);
}

START_TEST(set_without_memory_is_enomem_or_an_epoll)
{
	struct resources before = resources_begin();

	engine = engines[_i];
	with_each_failure(make_once);
	resources_check(&before);
}
END_TEST

START_TEST(source_without_memory_is_enomem_and_can_be_added_again)
{
	engine = engines[_i];
	with_each_failure(add_once);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("waitset-memory");
	TCase *t = tcase_create("memory");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, set_without_memory_is_enomem_or_an_epoll, 0, ENGINES);
	tcase_add_loop_test(t, source_without_memory_is_enomem_and_can_be_added_again, 0, ENGINES);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return test_main(suite());
}
