/* SPDX-License-Identifier: MIT */
/*
 * Each allocation of each operation made to fail, as test-syscalls.c does with system calls: first
 * the first, then the second, and so on. Linked so that calloc() and realloc() of the library come
 * here.
 */
#include "pipe-tools.h"

#include <errno.h>
#include <signal.h>

#define LARGE	60000

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

/* Play @once with the first allocation failing, then the second, until there is none to fail. */
static void with_each_failure(void (*once)(int fails_at))
{
	int n = 0;

	do {
		has_failed = false;
		once(n);
		until_failure = -1;
	} while (has_failed && ++n < 1000);
	/* At least one did. */
	ck_assert_int_gt(n, 0);
	ck_assert_int_lt(n, 1000);
}

static struct weir_end *ends[2];
static uint8_t large[LARGE], room[LARGE];

static void make_once(int fails_at)
{
	struct weir_end *made[2] = { NULL, NULL };
	int result;

	until_failure = fails_at;
	result = pipe_make(made, 0, 4096);
	ck_assert_int_eq(result, has_failed ? -ENOMEM : 0);
	pipe_close_both(made);
}

START_TEST(pipe_without_memory_is_enomem_and_leaves_nothing)
{
	struct resources before = resources_begin();

	with_each_failure(make_once);
	resources_check(&before);
}
END_TEST

#define MANY 100

/* The ledger grows several times. */
static void take_once(int fails_at)
{
	const void *taken[MANY];
	uint64_t count = 0;
	size_t size;

	ck_assert_int_eq(pipe_make(ends, 0, 4096), 0);
	for (uint64_t i = 0; i < MANY; i++)
		ck_assert_int_eq(send_number(ends[1], i, 0), 0);
	until_failure = fails_at;
	while (count < MANY) {
		bool failed = has_failed;
		int result = weir_pipe_take(ends[0], 0, 0, &taken[count], &size);

		ck_assert_int_eq(result, has_failed != failed ? -ENOMEM : 0);
		if (result == 0)
			ck_assert_uint_eq(*(const uint64_t *)taken[count], count);
		count += result == 0;
	}
	for (uint64_t i = 0; i < MANY; i++)
		ck_assert_int_eq(weir_pipe_release(ends[0], taken[i]), 0);
	ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
	pipe_close_both(ends);
}

START_TEST(take_without_memory_is_enomem_and_loses_nothing)
{
	struct resources before = resources_begin();

	with_each_failure(take_once);
	resources_check(&before);
}
END_TEST

static int send_large_and_number(void *arg)
{
	(void)arg;
	child_check(weir_pipe_send(ends[1], large, LARGE, 0, soon()) == 0);
	child_check(send_number(ends[1], 1, soon()) == 0);
	return 0;
}

/* What a take that failed had of it stays for the next. */
static void take_large_once(int fails_at)
{
	struct child child;
	const void *data;
	size_t size;
	int result;

	ck_assert_int_eq(pipe_make(ends, 0, 4096), 0);
	child = child_start(send_large_and_number, NULL);
	until_failure = fails_at;
	result = weir_pipe_take(ends[0], 0, soon(), &data, &size);
	ck_assert_int_eq(result, has_failed ? -ENOMEM : 0);
	if (result < 0)
		ck_assert_int_eq(weir_pipe_take(ends[0], 0, soon(), &data, &size), 0);
	ck_assert_uint_eq(size, LARGE);
	ck_assert(memcmp(data, large, LARGE) == 0);
	ck_assert_int_eq(weir_pipe_release(ends[0], data), 0);
	ck_assert_int_eq(recv_number(ends[0], soon()), 1);
	child_join_ok(&child);
	pipe_close_both(ends);
}

START_TEST(large_take_without_memory_is_enomem_and_loses_nothing)
{
	struct resources before = resources_begin();

	message_fill(large, LARGE, 5);
	with_each_failure(take_large_once);
	resources_check(&before);
}
END_TEST

/*
 * Received in calls that return half-way, it is put by; where there is no memory for that it is
 * lost, as the error says, and what comes behind it is not.
 */
static void recv_large_once(int fails_at)
{
	struct child child;
	size_t size = 0;
	int result;

	ck_assert_int_eq(pipe_make(ends, 0, 4096), 0);
	child = child_start(send_large_and_number, NULL);
	until_failure = fails_at;
	do {
		/* As much as fits into the ring each time, lest it come in one call. */
		if (child_wait_asleep(child.pid))
			child_stop(&child);
		result = weir_pipe_recv(ends[0], room, LARGE, 0, 0, &size);
		/* It may end at once. */
		kill(child.pid, SIGCONT);
	} while (result == -EAGAIN);
	until_failure = -1;
	ck_assert_int_eq(result, has_failed ? -ENOMEM : 0);
	if (result == 0) {
		ck_assert_uint_eq(size, LARGE);
		ck_assert(memcmp(room, large, LARGE) == 0);
	} else {
		/* The rest of it is skipped, with its size told. */
		do {
			result = weir_pipe_recv(ends[0], room, LARGE, 0, soon(), &size);
		} while (result == -EMSGSIZE);
		ck_assert_int_eq(result, 0);
		ck_assert_uint_eq(size, sizeof(uint64_t));
	}
	if (size == LARGE)
		ck_assert_int_eq(recv_number(ends[0], soon()), 1);
	else
		ck_assert_uint_eq(room[0], 1);
	child_join_ok(&child);
	pipe_close_both(ends);
}

START_TEST(half_a_message_without_memory_is_enomem_and_the_next_comes)
{
	struct resources before = resources_begin();

	message_fill(large, LARGE, 6);
	with_each_failure(recv_large_once);
	resources_check(&before);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("memory");
	TCase *tcase = tcase_create("memory");

	tcase_add_test(tcase, pipe_without_memory_is_enomem_and_leaves_nothing);
	tcase_add_test(tcase, take_without_memory_is_enomem_and_loses_nothing);
	tcase_add_test(tcase, large_take_without_memory_is_enomem_and_loses_nothing);
	tcase_add_test(tcase, half_a_message_without_memory_is_enomem_and_the_next_comes);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
