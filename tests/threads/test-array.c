/* SPDX-License-Identifier: MIT */
/* Threads that share a handle: updates, copies, atomic operations and changes, side by side. */
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/cc.h"
#include "weir.h"

#define WRITERS	2
#define READERS	2
#define ROUNDS	4000
#define COUNT	20

static struct weir_array *array;
static uint32_t stop;

#define CHECK(condition) \
	do { \
		if (!(condition)) \
			return (void *)(intptr_t)__LINE__; \
	} while (0)

static void setup(void)
{
	struct weir_array_options o = {
		.size = sizeof(o), .type = WEIR_TYPE_INT32, .count = COUNT,
	};

	ck_assert_int_eq(weir_array(&array, &o), 0);
	stop = 0;
}

static void teardown(void)
{
	weir_array_close(array);
}

/* All elements but the last are equal; the last is for atomic operations alone. */
static int change_equal(void *elements, uint64_t count, void *arg)
{
	int32_t *numbers = elements;

	(void)arg;
	for (uint64_t i = 0; i < count; i++)
		numbers[i]++;
	return 0;
}

static void *change(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		int32_t numbers[COUNT - 1];
		int32_t one = 1;

		CHECK(weir_array_edit(array, WEIR_TYPE_INT32, 0, COUNT - 1, change_equal, NULL, 0,
				      soon()) == 0);
		CHECK(weir_array_acquire(array, 0, soon()) == 0);
		CHECK(WEIR_ARRAY_READ(array, 0, COUNT - 1, numbers, 0, soon()) == 0);
		change_equal(numbers, COUNT - 1, NULL);
		CHECK(WEIR_ARRAY_WRITE(array, 0, COUNT - 1, numbers, 0, soon()) == 0);
		CHECK(weir_array_release(array) == 0);
		CHECK(weir_array_add(array, 0, -1, &one, NULL) == 0);
	}
	return arg;
}

static void *look(void *arg)
{
	int32_t last = 0;

	while (!load_acquire(&stop)) {
		int32_t numbers[COUNT], one;

		CHECK(WEIR_ARRAY_READ(array, 0, COUNT, numbers, 0, soon()) == 0);
		for (int i = 1; i < COUNT - 1; i++)
			CHECK(numbers[i] == numbers[0]);
		CHECK(numbers[0] >= last);
		last = numbers[0];
		CHECK(WEIR_ARRAY_LOAD(array, 3, &one) == 0);
		CHECK(one >= last);
		last = one;
	}
	return arg;
}

static void *wait_for_all(void *arg)
{
	int32_t number = 0;
	uint64_t seen;

	CHECK(weir_array_changes(array, &seen) == 0);
	for (;;) {
		CHECK(WEIR_ARRAY_LOAD(array, -1, &number) == 0);
		if (number == WRITERS * ROUNDS)
			return arg;
		CHECK(weir_array_wait(array, seen, 0, soon(), &seen) == 0);
	}
}

START_TEST(what_threads_do_adds_up_and_is_never_torn)
{
	pthread_t writers[WRITERS], readers[READERS], waiter;
	int32_t number;
	void *result;

	ck_assert_int_eq(pthread_create(&waiter, NULL, wait_for_all, NULL), 0);
	for (int i = 0; i < READERS; i++)
		ck_assert_int_eq(pthread_create(&readers[i], NULL, look, NULL), 0);
	for (int i = 0; i < WRITERS; i++)
		ck_assert_int_eq(pthread_create(&writers[i], NULL, change, NULL), 0);
	for (int i = 0; i < WRITERS; i++) {
		pthread_join(writers[i], &result);
		ck_assert_ptr_null(result);
	}
	pthread_join(waiter, &result);
	ck_assert_ptr_null(result);
	store_release(&stop, 1);
	for (int i = 0; i < READERS; i++) {
		pthread_join(readers[i], &result);
		ck_assert_ptr_null(result);
	}
	ck_assert_int_eq(WEIR_ARRAY_LOAD(array, 0, &number), 0);
	ck_assert_int_eq(number, 2 * WRITERS * ROUNDS);
}
END_TEST

/* Of a plain lock that was given a thread is not to think that another's is its own. */
static void *set_meanwhile(void *arg)
{
	int32_t number = 9;
	void *elements;

	CHECK(WEIR_ARRAY_SET(array, 0, &number, 0, 0) == -EAGAIN);
	CHECK(weir_array_begin(array, 0, 0, 1, 0, 0, &elements) == -EAGAIN);
	CHECK(weir_array_commit(array) == -EINVAL);
	CHECK(weir_array_cancel(array) == -EINVAL);
	CHECK(weir_array_release(array) == -EPERM);
	return arg;
}

START_TEST(what_one_has_begun_another_does_not_end)
{
	pthread_t other;
	void *result, *elements;

	ck_assert_int_eq(weir_array_begin(array, 0, 0, 1, 0, 0, &elements), 0);
	ck_assert_int_eq(pthread_create(&other, NULL, set_meanwhile, NULL), 0);
	pthread_join(other, &result);
	ck_assert_ptr_null(result);
	ck_assert_int_eq(weir_array_commit(array), 0);
}
END_TEST

static uint32_t step;

static void go_to(uint32_t number)
{
	store_release(&step, number);
}

static bool wait_for(uint32_t number)
{
	int64_t deadline = soon();

	while (load_acquire(&step) != number)
		if (test_now() > deadline)
			return false;
	return true;
}

static void *be_robbed(void *arg)
{
	struct weir_array *plain = arg;
	int32_t *numbers;

	CHECK(weir_array_begin(plain, 0, 0, 1, 0, 0, (void **)&numbers) == 0);
	go_to(1);
	CHECK(wait_for(2));
	*numbers = 1;
	CHECK(weir_array_commit(plain) == -EPERM);
	CHECK(weir_array_commit(plain) == -EINVAL);
	go_to(3);
	return NULL;
}

/* A plain lock that was given can be released by others: the copies stay those of the two. */
START_TEST(copy_of_who_was_robbed_is_not_shared)
{
	struct weir_array_options o = {
		.size = sizeof(o), .type = WEIR_TYPE_INT32, .count = 1,
	};
	struct weir_array *plain;
	int32_t *numbers, number;
	pthread_t other;
	void *result;

	step = 0;
	ck_assert_int_eq(weir_lock(&o.lock, NULL), 0);
	ck_assert_int_eq(weir_array(&plain, &o), 0);
	ck_assert_int_eq(pthread_create(&other, NULL, be_robbed, plain), 0);
	ck_assert(wait_for(1));
	ck_assert_int_eq(weir_array_release(plain), 0);
	ck_assert_int_eq(weir_array_begin(plain, 0, 0, 1, 0, 0, (void **)&numbers), 0);
	*numbers = 2;
	go_to(2);
	ck_assert(wait_for(3));
	ck_assert_int_eq(*numbers, 2);
	ck_assert_int_eq(weir_array_commit(plain), 0);
	pthread_join(other, &result);
	ck_assert_ptr_null(result);
	ck_assert_int_eq(WEIR_ARRAY_GET(plain, 0, &number, 0, 0), 0);
	ck_assert_int_eq(number, 2);
	weir_array_close(plain);
	weir_lock_close(o.lock);
}
END_TEST

static pid_t sleeper;

static void *wait_until_closed(void *arg)
{
	uint64_t seen;

	CHECK(weir_array_changes(array, &seen) == 0);
	store_release(&sleeper, (pid_t)syscall(SYS_gettid));
	CHECK(weir_array_wait(array, seen, 0, soon(), NULL) == -ESHUTDOWN);
	return arg;
}

START_TEST(close_turns_out_who_waits)
{
	pthread_t other;
	void *result;

	store_release(&sleeper, 0);
	ck_assert_int_eq(pthread_create(&other, NULL, wait_until_closed, NULL), 0);
	while (load_acquire(&sleeper) == 0)
		;
	ck_assert(child_wait_asleep_in(sleeper, SYS_futex));
	weir_array_close(array);
	array = NULL;
	pthread_join(other, &result);
	ck_assert_ptr_null(result);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("array");
	TCase *tcase = tcase_create("array");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, what_threads_do_adds_up_and_is_never_torn);
	tcase_add_test(tcase, what_one_has_begun_another_does_not_end);
	tcase_add_test(tcase, copy_of_who_was_robbed_is_not_shared);
	tcase_add_test(tcase, close_turns_out_who_waits);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
