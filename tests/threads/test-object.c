/* SPDX-License-Identifier: MIT */
/*
 * Threads that share the ends of a pipe send and receive objects of many sizes: each object arrives
 * whole, once; and one object is read by many threads at a time.
 */
#include "pipe-tools.h"

#include <errno.h>
#include <pthread.h>

#define SENDERS		2
#define RECEIVERS	3
#define EACH		(2000 / LESS)

static struct weir_end *ends[2];
static uint32_t seen[SENDERS][EACH];

/* Around the room of the first try, so that another thread may take what one has seen. */
static size_t size_of(size_t number)
{
	return number % 3 == 0 ? 3 : 300 + number * 13 % 700;
}

static void *send_many(void *arg)
{
	size_t sender = (size_t)(uintptr_t)arg;
	char data[1024];

	for (size_t i = 0; i < EACH; i++) {
		message_fill(data, size_of(i), sender + i);
		if (weir_pipe_sendf(ends[1], 0, soon(), "{i: Q, sender: Q, data: y}", i, sender,
				    data, size_of(i)) < 0)
			return (void *)1;
	}
	return NULL;
}

static void *receive_many(void *arg)
{
	size_t number, sender, size;
	struct weir_object *object;
	const void *data;
	int result;

	for (;;) {
		result = weir_pipe_recvf(ends[0], 0, soon(), &object, "{data: y, i: Q, sender: Q}",
					 &data, &size, &number, &sender);
		if (result == -EPIPE || result == -ESHUTDOWN)
			return NULL;
		if (result < 0 || sender >= SENDERS || number >= EACH || size != size_of(number) ||
		    !message_is(data, size, sender + number))
			return (void *)1;
		add_relaxed(&seen[sender][number], 1);
		weir_object_free(object);
	}
	return arg;
}

START_TEST(each_object_arrives_whole_and_once)
{
	pthread_t senders[SENDERS], receivers[RECEIVERS];
	void *result;

	ck_assert_int_eq(pipe_make(ends, 0, UINT64_C(16) << 10), 0);
	for (uintptr_t i = 0; i < RECEIVERS; i++)
		ck_assert_int_eq(pthread_create(&receivers[i], NULL, receive_many, NULL), 0);
	for (uintptr_t i = 0; i < SENDERS; i++)
		ck_assert_int_eq(pthread_create(&senders[i], NULL, send_many, (void *)i), 0);
	for (size_t i = 0; i < SENDERS; i++) {
		ck_assert_int_eq(pthread_join(senders[i], &result), 0);
		ck_assert_ptr_null(result);
	}
	/* What was sent is received before the end shows. */
	ck_assert_int_eq(weir_pipe_shutdown(ends[1]), 0);
	for (size_t i = 0; i < RECEIVERS; i++) {
		ck_assert_int_eq(pthread_join(receivers[i], &result), 0);
		ck_assert_ptr_null(result);
	}
	for (size_t sender = 0; sender < SENDERS; sender++)
		for (size_t i = 0; i < EACH; i++)
			ck_assert_msg(seen[sender][i] == 1, "%zu of %zu: %u times", i, sender,
				      seen[sender][i]);
	pipe_close_both(ends);
}
END_TEST

static struct weir_object *shared;
static char expected[200];

static void *read_many(void *arg)
{
	char text[200];
	int a, b;

	for (int i = 0; i < 300 / LESS; i++) {
		if (weir_object_text(shared, text, sizeof(text), 0, NULL) < 0 ||
		    strcmp(text, expected) != 0 ||
		    weir_object_unpack(shared, "{list: [i i ...] | none: i}", &a, &b, &a) < 0 ||
		    a != 1 || b != 2)
			return (void *)1;
	}
	return arg;
}

START_TEST(one_object_is_read_by_many_threads)
{
	pthread_t readers[3];
	void *result;

	ck_assert_int_eq(weir_object_pack(&shared, "{list: [i i s y], n: n}", 1, 2, "text", "data",
					  (size_t)4), 0);
	ck_assert_int_eq(weir_object_text(shared, expected, sizeof(expected), 0, NULL), 0);
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&readers[i], NULL, read_many, NULL), 0);
	for (size_t i = 0; i < 3; i++) {
		ck_assert_int_eq(pthread_join(readers[i], &result), 0);
		ck_assert_ptr_null(result);
	}
	weir_object_free(shared);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("object");
	TCase *tcase = tcase_create("threads");

	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, each_object_arrives_whole_and_once);
	tcase_add_test(tcase, one_object_is_read_by_many_threads);
	return test_main(suite);
}
