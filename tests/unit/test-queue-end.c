/* SPDX-License-Identifier: MIT */
/* The ends of a queue: work that is done, shutting down, closing. */
#include "queue-tools.h"

static struct weir_queue *queue;
static struct resources before;

static void setup(void)
{
	before = resources_begin();
	ck_assert_int_eq(weir_queue(&queue, NULL), 0);
}

static void teardown(void)
{
	weir_queue_close(queue);
	queue = NULL;
	resources_check(&before);
}

static void put(uint64_t first, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		ck_assert_int_eq(queue_put_number(queue, first + i, 0), 0);
}

/*
 * Tasks
 */

START_TEST(task_done_once_too_often_returns_erange)
{
	ck_assert_int_eq(weir_queue_task_done(queue), -ERANGE);
	ck_assert_int_eq(weir_queue_task_done(NULL), -EINVAL);
	put(0, 3);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(weir_queue_task_done(queue), 0);
	ck_assert_int_eq(weir_queue_task_done(queue), -ERANGE);
	put(0, 1);
	ck_assert_int_eq(weir_queue_task_done(queue), 0);
	ck_assert_int_eq(weir_queue_task_done(queue), -ERANGE);
}
END_TEST

START_TEST(join_waits_for_all_tasks)
{
	ck_assert_int_eq(weir_queue_join(queue, 0, 0), 0);
	put(0, 2);
	ck_assert_int_eq(weir_queue_join(queue, 0, 0), -EAGAIN);
	ck_assert_int_eq(weir_queue_join(queue, 0, 1), -ETIMEDOUT);
	/* Getting is not being done. */
	ck_assert_int_eq(queue_get_number(queue, 0), 0);
	ck_assert_int_eq(queue_get_number(queue, 0), 1);
	ck_assert_int_eq(weir_queue_join(queue, 0, test_now() + 3000000), -ETIMEDOUT);
	ck_assert_int_eq(weir_queue_task_done(queue), 0);
	ck_assert_int_eq(weir_queue_join(queue, 0, 0), -EAGAIN);
	ck_assert_uint_eq(queue_stat(queue).unfinished, 1);
	ck_assert_int_eq(weir_queue_task_done(queue), 0);
	ck_assert_int_eq(weir_queue_join(queue, 0, 0), 0);
	ck_assert_int_eq(weir_queue_join(queue, 0, WEIR_FOREVER), 0);
	ck_assert_uint_eq(queue_stat(queue).unfinished, 0);
	ck_assert_int_eq(weir_queue_join(NULL, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_queue_join(queue, WEIR_MORE, 0), -EINVAL);
}
END_TEST

START_TEST(dropped_messages_are_no_tasks)
{
	struct weir_queue *q = queue_new(2, 0, WEIR_QUEUE_DROP);

	ck_assert_ptr_nonnull(q);
	for (uint64_t i = 0; i < 10; i++)
		ck_assert_int_eq(queue_put_number(q, i, 0), 0);
	ck_assert_int_eq(weir_queue_task_done(q), 0);
	ck_assert_int_eq(weir_queue_join(q, 0, 0), -EAGAIN);
	ck_assert_int_eq(weir_queue_task_done(q), 0);
	ck_assert_int_eq(weir_queue_join(q, 0, 0), 0);
	ck_assert_int_eq(weir_queue_task_done(q), -ERANGE);
	weir_queue_close(q);
}
END_TEST

/*
 * Shutting down
 */

START_TEST(graceful_shutdown_hands_out_all_first)
{
	struct weir_taken taken;
	size_t size;
	void *data;

	put(0, 1500);
	ck_assert_int_eq(weir_queue_claim(queue, 8, 0, 0, &data), 0);
	ck_assert_int_eq(weir_queue_shutdown(queue, 0), 0);
	ck_assert_int_eq(weir_queue_shutdown(queue, 0), 0);
	ck_assert_int_eq(weir_queue_commit(queue, 8, 0, soon()), -EPIPE);
	ck_assert_int_eq(weir_queue_abort(queue), 0);
	ck_assert_int_eq(queue_put_number(queue, 1, soon()), -EPIPE);
	for (int64_t i = 0; i < 1499; i++)
		ck_assert_int_eq(queue_get_number(queue, soon()), i);
	ck_assert_int_eq(weir_queue_peek(queue, &size), 0);
	ck_assert_int_eq(weir_queue_take(queue, 0, 0, &taken), 0);
	ck_assert_int_eq(queue_get_number(queue, soon()), -EPIPE);
	ck_assert_int_eq(weir_queue_peek(queue, &size), -EPIPE);
	/* What was taken is still somebody's. */
	ck_assert_int_eq(weir_queue_return(queue, &taken), 0);
	ck_assert_int_eq(queue_get_number(queue, soon()), 1499);
	ck_assert_int_eq(queue_get_number(queue, soon()), -EPIPE);
	ck_assert_int_eq(weir_queue_take(queue, 0, soon(), &taken), -EPIPE);
	ck_assert_uint_eq(queue_stat(queue).puts, 1500);
	ck_assert_uint_eq(queue_stat(queue).gets, 1500);
	ck_assert_uint_eq(queue_stat(queue).drops, 0);
}
END_TEST

START_TEST(shutdown_now_drops_what_is_there)
{
	struct weir_taken taken;

	put(0, 3000);
	ck_assert_int_eq(weir_queue_take(queue, 0, 0, &taken), 0);
	ck_assert_int_eq(weir_queue_shutdown(queue, WEIR_QUEUE_NOW), 0);
	ck_assert_int_eq(queue_get_number(queue, soon()), -EPIPE);
	ck_assert_int_eq(queue_put_number(queue, 1, soon()), -EPIPE);
	ck_assert_uint_eq(queue_stat(queue).items, 0);
	ck_assert_uint_eq(queue_stat(queue).drops, 2999);
	ck_assert_uint_eq(queue_stat(queue).unfinished, 1);
	ck_assert_int_eq(weir_queue_release(queue, &taken), 0);
	ck_assert_int_eq(weir_queue_task_done(queue), 0);
	ck_assert_int_eq(weir_queue_join(queue, 0, 0), 0);
	ck_assert_uint_eq(queue_stat(queue).gets, 1);
	ck_assert_int_eq(weir_queue_shutdown(queue, WEIR_QUEUE_NOW), 0);
	ck_assert_int_eq(weir_queue_shutdown(NULL, 0), -EINVAL);
	ck_assert_int_eq(weir_queue_shutdown(queue, 1), -EINVAL);
}
END_TEST

START_TEST(shutdown_now_drops_what_is_returned_later)
{
	struct weir_taken taken;

	put(0, 2);
	ck_assert_int_eq(weir_queue_take(queue, 0, 0, &taken), 0);
	ck_assert_int_eq(weir_queue_shutdown(queue, WEIR_QUEUE_NOW), 0);
	ck_assert_int_eq(weir_queue_return(queue, &taken), 0);
	ck_assert_int_eq(queue_get_number(queue, soon()), -EPIPE);
	ck_assert_uint_eq(queue_stat(queue).items, 0);
	ck_assert_uint_eq(queue_stat(queue).drops, 2);
}
END_TEST

START_TEST(shutdown_at_the_end_of_a_segment)
{
	for (uint64_t count = QUEUE_SLOTS - 1; count <= QUEUE_SLOTS + 1; count++) {
		struct weir_queue *q = queue_new(0, 0, 0);

		ck_assert_ptr_nonnull(q);
		for (uint64_t i = 0; i < count; i++)
			ck_assert_int_eq(queue_put_number(q, i, 0), 0);
		ck_assert_int_eq(weir_queue_shutdown(q, 0), 0);
		ck_assert_uint_eq(queue_stat(q).puts, count);
		for (uint64_t i = 0; i < count; i++)
			ck_assert_int_eq(queue_get_number(q, 0), (int64_t)i);
		ck_assert_int_eq(queue_get_number(q, 0), -EPIPE);
		weir_queue_close(q);
	}
}
END_TEST

START_TEST(shutdown_of_a_full_queue)
{
	struct weir_queue *q = queue_new(5, 0, 0);

	ck_assert_ptr_nonnull(q);
	for (uint64_t i = 0; i < 5; i++)
		ck_assert_int_eq(queue_put_number(q, i, 0), 0);
	ck_assert_int_eq(weir_queue_shutdown(q, 0), 0);
	ck_assert_int_eq(queue_put_number(q, 5, soon()), -EPIPE);
	for (int64_t i = 0; i < 5; i++)
		ck_assert_int_eq(queue_get_number(q, 0), i);
	ck_assert_int_eq(queue_get_number(q, soon()), -EPIPE);
	weir_queue_close(q);
}
END_TEST

/*
 * Closing
 */

START_TEST(closing_gives_back_what_was_taken_and_claimed)
{
	struct weir_queue *other = queue_second(queue);
	struct weir_taken taken[3];
	void *data;

	ck_assert_ptr_nonnull(other);
	put(0, 5);
	for (uint64_t i = 0; i < 3; i++)
		ck_assert_int_eq(weir_queue_take(other, 0, 0, &taken[i]), 0);
	ck_assert_int_eq(weir_queue_release(other, &taken[1]), 0);
	ck_assert_int_eq(weir_queue_claim(other, 100000, 0, 0, &data), 0);
	memset(data, 1, 100000);
	ck_assert_int_eq(weir_queue_release(queue, &taken[0]), -EINVAL);
	ck_assert_uint_eq(queue_stat(queue).users, 2);
	weir_queue_close(other);
	ck_assert_uint_eq(queue_stat(queue).users, 1);
	ck_assert_uint_eq(queue_stat(queue).items, 4);
	ck_assert_uint_eq(queue_stat(queue).returned, 2);
	ck_assert_int_eq(weir_queue_take(queue, 0, 0, &taken[0]), 0);
	ck_assert_uint_eq(taken[0].times, 1);
	ck_assert_int_eq(weir_queue_release(queue, &taken[0]), 0);
	ck_assert_int_eq(queue_get_number(queue, 0), 2);
	ck_assert_int_eq(queue_get_number(queue, 0), 3);
	ck_assert_int_eq(queue_get_number(queue, 0), 4);
	ck_assert_int_eq(queue_get_number(queue, 0), -EAGAIN);
}
END_TEST

START_TEST(closing_again_and_again_leaks_nothing)
{
	/* More often than is counted; an emulator is too slow for that. */
	uint64_t times = kernel_unavailable() ? 20 : 300;
	struct weir_taken taken;

	put(4711, 1);
	for (uint64_t i = 0; i < times; i++) {
		struct weir_queue *other = queue_second(queue);

		ck_assert_ptr_nonnull(other);
		ck_assert_int_eq(weir_queue_take(other, 0, 0, &taken), 0);
		ck_assert_uint_eq(taken.times, i < 127 ? i : 127);
		ck_assert_int_eq(queue_put_number(other, i, 0), 0);
		ck_assert_int_eq(queue_get_number(other, 0), (int64_t)i);
		weir_queue_close(other);
	}
	/* Some are kept until it is looked whether they could be given back. */
	ck_assert_uint_le(queue_stat(queue).bytes, 5 << 20);
	ck_assert_uint_eq(queue_stat(queue).items, 1);
	ck_assert_uint_eq(queue_stat(queue).users, 1);
	ck_assert_uint_eq(queue_stat(queue).returned, times);
	ck_assert_int_eq(queue_get_number(queue, 0), 4711);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("queue-end");
	TCase *t = tcase_create("ends");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, task_done_once_too_often_returns_erange);
	tcase_add_test(t, join_waits_for_all_tasks);
	tcase_add_test(t, dropped_messages_are_no_tasks);
	tcase_add_test(t, graceful_shutdown_hands_out_all_first);
	tcase_add_test(t, shutdown_now_drops_what_is_there);
	tcase_add_test(t, shutdown_now_drops_what_is_returned_later);
	tcase_add_test(t, shutdown_at_the_end_of_a_segment);
	tcase_add_test(t, shutdown_of_a_full_queue);
	tcase_add_test(t, closing_gives_back_what_was_taken_and_claimed);
	tcase_add_test(t, closing_again_and_again_leaks_nothing);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return test_main(suite());
}
