/* SPDX-License-Identifier: MIT */
/* Wait sets over pipes and queues in one process: arguments, levels, changes, removals, ends. */
#include "waitset-tools.h"

#include <unistd.h>

static struct resources before;
static struct weir_waitset *set;
static struct weir_end *ends[2];
static struct weir_queue *queue;

static void setup_with(int engine)
{
	waitset_warm_up();
	before = resources_begin();
	set = waitset_new(engines[engine]);
	ck_assert_ptr_nonnull(set);
	ck_assert_int_eq(pipe_make(ends, 0, 4096), 0);
	queue = queue_new(3, 0, 0);
	ck_assert_ptr_nonnull(queue);
}

static void setup_epoll(void)
{
	setup_with(0);
}

static void setup_uring(void)
{
	setup_with(1);
}

static void teardown(void)
{
	weir_waitset_close(set);
	pipe_close_both(ends);
	weir_queue_close(queue);
	resources_check(&before);
}

/*
 * Arguments
 */

START_TEST(bad_arguments_are_einval)
{
	struct weir_waitset_options options = { .size = sizeof(options) - 1 };
	struct weir_waitset_stat st = { .size = 3 };
	struct weir_waitset *none = NULL;
	struct weir_event event;
	uint64_t source = 77;

	ck_assert_int_eq(weir_waitset(NULL, NULL), -EINVAL);
	ck_assert_int_eq(weir_waitset(&none, &options), -EINVAL);
	options = (struct weir_waitset_options){ .size = sizeof(options), .flags = 1 };
	ck_assert_int_eq(weir_waitset(&none, &options), -EINVAL);
	options = (struct weir_waitset_options){ .size = sizeof(options), .engine = 99 };
	ck_assert_int_eq(weir_waitset(&none, &options), -EINVAL);
	ck_assert_ptr_null(none);
	ck_assert_int_eq(weir_waitset_add_pipe(NULL, ends[0], WEIR_IN, NULL, NULL), -EINVAL);
	ck_assert_int_eq(weir_waitset_add_pipe(set, NULL, WEIR_IN, NULL, NULL), -EINVAL);
	ck_assert_int_eq(weir_waitset_add_pipe(set, ends[0], WEIR_HUP, NULL, &source), -EINVAL);
	ck_assert_int_eq(weir_waitset_add_queue(NULL, queue, WEIR_IN, NULL, NULL), -EINVAL);
	ck_assert_int_eq(weir_waitset_add_queue(set, NULL, WEIR_IN, NULL, NULL), -EINVAL);
	ck_assert_int_eq(weir_waitset_add_queue(set, queue, WEIR_HUP, NULL, NULL), -EINVAL);
	ck_assert_int_eq(weir_waitset_add_listener(NULL, NULL, NULL, NULL), -EINVAL);
	ck_assert_int_eq(weir_waitset_add_listener(set, NULL, NULL, NULL), -EINVAL);
	ck_assert_int_eq(weir_waitset_add_process(NULL, getpid(), NULL, NULL), -EINVAL);
	ck_assert_int_eq(weir_waitset_add_process(set, 0, NULL, NULL), -EINVAL);
	ck_assert_int_eq(weir_waitset_add_process(set, -1, NULL, NULL), -EINVAL);
	ck_assert_int_eq(weir_waitset_add_fd(NULL, 0, WEIR_IN, NULL, NULL), -EINVAL);
	ck_assert_int_eq(weir_waitset_add_fd(set, -1, WEIR_IN, NULL, NULL), -EINVAL);
	ck_assert_int_eq(weir_waitset_add_fd(set, 0, WEIR_HUP, NULL, NULL), -EINVAL);
	ck_assert_int_eq(weir_waitset_add_timer(NULL, 0, 0, NULL, NULL), -EINVAL);
	ck_assert_int_eq(weir_waitset_add_timer(set, -1, 0, NULL, NULL), -EINVAL);
	ck_assert_int_eq(weir_waitset_add_timer(set, 0, -1, NULL, NULL), -EINVAL);
	ck_assert_int_eq(weir_waitset_change(NULL, 1, WEIR_IN), -EINVAL);
	ck_assert_int_eq(weir_waitset_change(set, 1, WEIR_HUP), -EINVAL);
	ck_assert_int_eq(weir_waitset_change_timer(NULL, 1, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_waitset_change_timer(set, 1, -1, 0), -EINVAL);
	ck_assert_int_eq(weir_waitset_change_timer(set, 1, 0, -1), -EINVAL);
	ck_assert_int_eq(weir_waitset_remove(NULL, 1), -EINVAL);
	ck_assert_int_eq(weir_waitset_wait(NULL, &event, 1, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_waitset_wait(set, NULL, 1, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_waitset_wait(set, &event, 0, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_waitset_wait(set, &event, SIZE_MAX, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_waitset_wait(set, &event, 1, WEIR_MORE, 0), -EINVAL);
	ck_assert_int_eq(weir_waitset_fd(NULL), -EINVAL);
	ck_assert_int_eq(weir_waitset_stat(NULL, &st), -EINVAL);
	ck_assert_int_eq(weir_waitset_stat(set, NULL), -EINVAL);
	ck_assert_int_eq(weir_waitset_stat(set, &st), -EINVAL);
	weir_waitset_close(NULL);
	ck_assert_uint_eq(source, 77);
	ck_assert_uint_eq(waitset_stat(set).sources, 0);
}
END_TEST

START_TEST(wait_of_an_empty_set_is_until_the_deadline)
{
	struct weir_event event;
	int64_t start = test_now();

	ck_assert_int_eq(wait_one(set, 0, &event), -EAGAIN);
	ck_assert_int_eq(wait_one(set, -5, &event), -EAGAIN);
	ck_assert_int_eq(wait_one(set, 1, &event), -ETIMEDOUT);
	ck_assert_int_eq(wait_one(set, start + 5 * MS, &event), -ETIMEDOUT);
	ck_assert_int_ge(test_now(), start + 5 * MS);
}
END_TEST

START_TEST(engine_is_the_one_that_was_asked_for)
{
	struct weir_engine_report report = { .size = sizeof(report) };
	struct weir_waitset *other = waitset_new(WEIR_ENGINE_EPOLL);

	ck_assert_uint_eq(waitset_stat(other).engine, WEIR_ENGINE_EPOLL);
	weir_waitset_close(other);
	ck_assert_int_eq(weir_engine(&report), 0);
	other = waitset_new(WEIR_ENGINE_URING);
	ck_assert_uint_eq(waitset_stat(other).engine,
			  report.error == 0 ? WEIR_ENGINE_URING : WEIR_ENGINE_EPOLL);
	weir_waitset_close(other);
}
END_TEST

/*
 * Levels
 */

START_TEST(pipe_is_reported_as_long_as_there_is_a_message)
{
	uint64_t source = source_of_pipe(set, ends[0], WEIR_IN);
	struct weir_event event;

	ck_assert_uint_ne(source, 0);
	ck_assert_int_eq(events_now(set), -EAGAIN);
	for (uint64_t n = 0; n < 3; n++)
		ck_assert_int_eq(send_number(ends[1], n, 0), 0);
	for (int64_t n = 0; n < 3; n++) {
		ck_assert_int_eq(wait_one(set, n == 1 ? 0 : soon(), &event), WEIR_IN);
		ck_assert_uint_eq(event.source, source);
		ck_assert_ptr_eq(event.cookie, ends[0]);
		ck_assert_uint_eq(event.count, 0);
		ck_assert_uint_eq(event.reserved, 0);
		ck_assert_int_eq(events_now(set), WEIR_IN);
		ck_assert_int_eq(recv_number(ends[0], 0), n);
	}
	ck_assert_int_eq(events_now(set), -EAGAIN);
	ck_assert_int_eq(wait_one(set, test_now() + MS, &event), -ETIMEDOUT);
}
END_TEST

START_TEST(queue_is_reported_as_long_as_there_is_a_message)
{
	uint64_t source = source_of_queue(set, queue, WEIR_IN);
	struct weir_event event;

	ck_assert_uint_ne(source, 0);
	ck_assert_int_eq(events_now(set), -EAGAIN);
	for (uint64_t n = 0; n < 3; n++)
		ck_assert_int_eq(queue_put_number(queue, n, 0), 0);
	for (int64_t n = 0; n < 3; n++) {
		ck_assert_int_eq(wait_one(set, n == 1 ? 0 : soon(), &event), WEIR_IN);
		ck_assert_uint_eq(event.source, source);
		ck_assert_ptr_eq(event.cookie, queue);
		ck_assert_int_eq(events_now(set), WEIR_IN);
		ck_assert_int_eq(queue_get_number(queue, 0), n);
	}
	ck_assert_int_eq(events_now(set), -EAGAIN);
	ck_assert_int_eq(wait_one(set, test_now() + MS, &event), -ETIMEDOUT);
}
END_TEST

/* Armed, signalled, armed again, and each time by sleeping or by looking. */
START_TEST(each_of_many_messages_is_reported)
{
	struct weir_event event;

	ck_assert_uint_ne(source_of_pipe(set, ends[0], WEIR_IN), 0);
	ck_assert_uint_ne(source_of_queue(set, queue, WEIR_IN), 0);
	for (int64_t n = 0; n < 2000 / LESS; n++) {
		bool by_queue = test_random_below(2), sleeps = test_random_below(16) == 0;

		if (sleeps)
			ck_assert_int_eq(wait_one(set, test_now() + 50 * US, &event), -ETIMEDOUT);
		if (by_queue)
			ck_assert_int_eq(queue_put_number(queue, (uint64_t)n, 0), 0);
		else
			ck_assert_int_eq(send_number(ends[1], (uint64_t)n, 0), 0);
		ck_assert_int_eq(wait_one(set, n % 2 ? 0 : soon(), &event), WEIR_IN);
		ck_assert_ptr_eq(event.cookie, by_queue ? (void *)queue : (void *)ends[0]);
		if (by_queue)
			ck_assert_int_eq(queue_get_number(queue, 0), n);
		else
			ck_assert_int_eq(recv_number(ends[0], 0), n);
	}
}
END_TEST

START_TEST(message_to_be_published_later_is_reported_then)
{
	ck_assert_uint_ne(source_of_pipe(set, ends[0], WEIR_IN), 0);
	ck_assert_int_eq(weir_pipe_send(ends[1], "x", 1, WEIR_MORE, 0), 0);
	ck_assert_int_eq(events_now(set), -EAGAIN);
	ck_assert_int_eq(weir_pipe_flush(ends[1]), 0);
	ck_assert_int_eq(events_soon(set), WEIR_IN);
}
END_TEST

/* What the reader has taken out the writer is told in portions. */
static void empty_pipe(struct weir_end *end)
{
	while (recv_number(end, 0) >= 0)
		;
}

START_TEST(pipe_has_room_is_full_and_has_room_again)
{
	struct weir_event event;

	ck_assert_uint_ne(source_of_pipe(set, ends[1], WEIR_OUT), 0);
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(events_now(set), WEIR_OUT);
		ck_assert_int_eq(events_soon(set), WEIR_OUT);
		ck_assert_uint_gt(fill_with_numbers(ends[1], 0), 0);
		ck_assert_int_eq(events_now(set), -EAGAIN);
		if (i % 2)
			ck_assert_int_eq(wait_one(set, test_now() + MS, &event), -ETIMEDOUT);
		empty_pipe(ends[0]);
		ck_assert_int_eq(i < 3 ? events_soon(set) : events_now(set), WEIR_OUT);
	}
}
END_TEST

START_TEST(queue_has_room_is_full_and_has_room_again)
{
	struct weir_event event;

	ck_assert_uint_ne(source_of_queue(set, queue, WEIR_OUT), 0);
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(events_now(set), WEIR_OUT);
		while (queue_put_number(queue, 1, 0) == 0)
			;
		ck_assert_int_eq(events_now(set), -EAGAIN);
		if (i % 2)
			ck_assert_int_eq(wait_one(set, test_now() + MS, &event), -ETIMEDOUT);
		ck_assert_int_eq(queue_get_number(queue, 0), 1);
		ck_assert_int_eq(i < 3 ? events_soon(set) : events_now(set), WEIR_OUT);
		ck_assert_int_eq(queue_get_number(queue, 0), 1);
	}
}
END_TEST

START_TEST(both_events_are_told_together)
{
	ck_assert_uint_ne(source_of_pipe(set, ends[0], BOTH), 0);
	ck_assert_int_eq(events_now(set), WEIR_OUT);
	ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
	ck_assert_int_eq(events_now(set), BOTH);
	fill_with_numbers(ends[0], 0);
	ck_assert_int_eq(events_now(set), WEIR_IN);
	ck_assert_int_eq(recv_number(ends[0], 0), 1);
	ck_assert_int_eq(events_now(set), -EAGAIN);
	empty_pipe(ends[1]);
	ck_assert_int_eq(events_soon(set), WEIR_OUT);
}
END_TEST

/*
 * Changes
 */

START_TEST(what_is_waited_for_changes)
{
	uint64_t source = source_of_pipe(set, ends[0], WEIR_IN);

	ck_assert_int_eq(events_now(set), -EAGAIN);
	ck_assert_int_eq(weir_waitset_change(set, source, WEIR_OUT), 0);
	ck_assert_int_eq(events_now(set), WEIR_OUT);
	ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
	ck_assert_int_eq(events_now(set), WEIR_OUT);
	ck_assert_int_eq(weir_waitset_change(set, source, BOTH), 0);
	ck_assert_int_eq(events_now(set), BOTH);
	ck_assert_int_eq(weir_waitset_change(set, source, 0), 0);
	ck_assert_int_eq(events_now(set), -EAGAIN);
	ck_assert_int_eq(weir_waitset_change(set, source, WEIR_IN), 0);
	ck_assert_int_eq(events_soon(set), WEIR_IN);
	ck_assert_int_eq(recv_number(ends[0], 0), 1);
	ck_assert_int_eq(events_now(set), -EAGAIN);
	ck_assert_int_eq(weir_waitset_change(set, source, 0), 0);
	weir_pipe_close(ends[1]);
	ends[1] = NULL;
	ck_assert_int_eq(events_soon(set), WEIR_HUP);
	ck_assert_int_eq(events_now(set), WEIR_HUP);
}
END_TEST

START_TEST(what_is_waited_for_of_a_queue_changes)
{
	uint64_t source = source_of_queue(set, queue, WEIR_IN);

	ck_assert_int_eq(events_now(set), -EAGAIN);
	ck_assert_int_eq(weir_waitset_change(set, source, WEIR_OUT), 0);
	ck_assert_int_eq(events_soon(set), WEIR_OUT);
	ck_assert_int_eq(weir_waitset_change(set, source, BOTH), 0);
	ck_assert_int_eq(queue_put_number(queue, 1, 0), 0);
	ck_assert_int_eq(events_now(set), BOTH);
	ck_assert_int_eq(weir_waitset_change(set, source, WEIR_IN), 0);
	ck_assert_int_eq(queue_get_number(queue, 0), 1);
	ck_assert_int_eq(events_now(set), -EAGAIN);
}
END_TEST

START_TEST(queue_of_which_nothing_is_wanted_is_silent)
{
	uint64_t source = source_of_queue(set, queue, 0);
	struct weir_event event;

	ck_assert_uint_ne(source, 0);
	ck_assert_int_eq(queue_put_number(queue, 1, 0), 0);
	ck_assert_int_eq(events_now(set), -EAGAIN);
	ck_assert_int_eq(weir_waitset_change(set, source, BOTH), 0);
	ck_assert_int_eq(events_now(set), BOTH);
	/* Just reported, so it is to be looked at. */
	ck_assert_int_eq(weir_waitset_change(set, source, 0), 0);
	ck_assert_int_eq(wait_one(set, test_now() + 10 * MS, &event), -ETIMEDOUT);
	ck_assert_int_eq(queue_put_number(queue, 2, 0), 0);
	ck_assert_int_eq(wait_one(set, test_now() + MS, &event), -ETIMEDOUT);
	ck_assert_int_eq(weir_queue_shutdown(queue, 0), 0);
	ck_assert_int_eq(wait_one(set, test_now() + MS, &event), -ETIMEDOUT);
	ck_assert_int_eq(weir_waitset_change(set, source, WEIR_IN), 0);
	ck_assert_int_eq(events_soon(set), WEIR_IN);
}
END_TEST

START_TEST(change_of_a_source_just_reported_counts)
{
	uint64_t source = source_of_pipe(set, ends[0], BOTH);
	struct weir_event event;

	ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
	ck_assert_int_eq(events_now(set), BOTH);
	ck_assert_int_eq(weir_waitset_change(set, source, WEIR_OUT), 0);
	fill_with_numbers(ends[0], 0);
	ck_assert_int_eq(events_now(set), -EAGAIN);
	ck_assert_int_eq(wait_one(set, test_now() + MS, &event), -ETIMEDOUT);
}
END_TEST

START_TEST(removed_source_is_reported_no_more)
{
	uint64_t pipe = source_of_pipe(set, ends[0], WEIR_IN);
	uint64_t other = source_of_queue(set, queue, WEIR_IN);
	struct weir_event event;

	ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
	ck_assert_int_eq(queue_put_number(queue, 1, 0), 0);
	/* The one is reported, the other is ready and was not. */
	ck_assert_int_eq(weir_waitset_wait(set, &event, 1, 0, soon()), 1);
	ck_assert_int_eq(weir_waitset_remove(set, pipe), 0);
	ck_assert_int_eq(wait_one(set, 0, &event), WEIR_IN);
	ck_assert_uint_eq(event.source, other);
	ck_assert_int_eq(weir_waitset_remove(set, other), 0);
	ck_assert_int_eq(events_now(set), -EAGAIN);
	ck_assert_int_eq(weir_waitset_remove(set, pipe), -ENOENT);
	ck_assert_int_eq(weir_waitset_change(set, pipe, WEIR_IN), -ENOENT);
	ck_assert_int_eq(weir_waitset_change_timer(set, pipe, 0, 0), -ENOENT);
	ck_assert_uint_eq(waitset_stat(set).sources, 0);
	/* And can come back. */
	ck_assert_uint_ne(source_of_pipe(set, ends[0], WEIR_IN), 0);
	ck_assert_int_eq(events_now(set), WEIR_IN);
}
END_TEST

START_TEST(numbers_of_sources_are_not_used_again)
{
	uint64_t all[100];

	for (int i = 0; i < 100; i++) {
		all[i] = i % 2 ? source_of_pipe(set, ends[0], WEIR_IN)
			       : source_of_queue(set, queue, WEIR_IN);
		ck_assert_uint_ne(all[i], 0);
		for (int k = 0; k < i; k++)
			ck_assert_uint_ne(all[k], all[i]);
		ck_assert_int_eq(weir_waitset_remove(set, all[i]), 0);
	}
	ck_assert_uint_ne(source_of_pipe(set, ends[0], WEIR_IN), 0);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(weir_waitset_remove(set, all[i]), -ENOENT);
	ck_assert_int_eq(weir_waitset_remove(set, 0), -ENOENT);
	ck_assert_int_eq(weir_waitset_remove(set, UINT64_MAX), -ENOENT);
}
END_TEST

START_TEST(object_is_in_a_set_once_and_in_several)
{
	struct weir_waitset *other = waitset_new(engines[1]);

	ck_assert_uint_ne(source_of_pipe(set, ends[0], WEIR_IN), 0);
	ck_assert_uint_ne(source_of_queue(set, queue, WEIR_IN), 0);
	ck_assert_int_eq(weir_waitset_add_pipe(set, ends[0], WEIR_OUT, NULL, NULL), -EEXIST);
	ck_assert_int_eq(weir_waitset_add_queue(set, queue, WEIR_IN, NULL, NULL), -EEXIST);
	ck_assert_uint_eq(waitset_stat(set).sources, 2);
	ck_assert_uint_ne(source_of_pipe(other, ends[0], WEIR_IN), 0);
	ck_assert_uint_ne(source_of_queue(other, queue, WEIR_IN), 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(events_now(set), -EAGAIN);
		ck_assert_int_eq(events_now(other), -EAGAIN);
		ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
		ck_assert_int_eq(events_soon(set), WEIR_IN);
		ck_assert_int_eq(events_soon(other), WEIR_IN);
		ck_assert_int_eq(recv_number(ends[0], 0), 1);
		ck_assert_int_eq(queue_put_number(queue, 1, 0), 0);
		ck_assert_int_eq(events_soon(other), WEIR_IN);
		ck_assert_int_eq(events_soon(set), WEIR_IN);
		ck_assert_int_eq(queue_get_number(queue, 0), 1);
	}
	weir_waitset_close(other);
	ck_assert_int_eq(events_now(set), -EAGAIN);
	ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
	ck_assert_int_eq(events_soon(set), WEIR_IN);
}
END_TEST

START_TEST(end_that_cannot_is_eopnotsupp)
{
	struct weir_end *half[2];

	ck_assert_int_eq(pipe_make(half, WEIR_PIPE_ONEWAY, 4096), 0);
	ck_assert_int_eq(weir_waitset_add_pipe(set, half[0], WEIR_OUT, NULL, NULL), -EOPNOTSUPP);
	ck_assert_int_eq(weir_waitset_add_pipe(set, half[1], BOTH, NULL, NULL), -EOPNOTSUPP);
	ck_assert_uint_eq(waitset_stat(set).sources, 0);
	ck_assert_uint_ne(source_of_pipe(set, half[0], WEIR_IN), 0);
	ck_assert_int_eq(weir_waitset_change(set, source_of_pipe(set, half[1], 0), BOTH),
			 -EOPNOTSUPP);
	ck_assert_int_eq(send_number(half[1], 5, 0), 0);
	ck_assert_int_eq(events_soon(set), WEIR_IN);
	pipe_close_both(half);
	ck_assert_uint_eq(waitset_stat(set).sources, 0);
}
END_TEST

/*
 * Ends
 */

START_TEST(hang_up_is_told_with_what_was_sent_and_after_it)
{
	ck_assert_uint_ne(source_of_pipe(set, ends[0], WEIR_IN), 0);
	ck_assert_int_eq(events_now(set), -EAGAIN);
	ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
	weir_pipe_close(ends[1]);
	ends[1] = NULL;
	ck_assert_int_eq(events_soon(set) & WEIR_IN, WEIR_IN);
	ck_assert_int_eq(recv_number(ends[0], 0), 1);
	ck_assert_int_eq(events_soon(set), WEIR_IN | WEIR_HUP);
	ck_assert_int_eq(recv_number(ends[0], 0), -EPIPE);
	ck_assert_int_eq(events_now(set), WEIR_IN | WEIR_HUP);
}
END_TEST

START_TEST(hang_up_is_told_to_who_waits_for_room)
{
	ck_assert_uint_ne(source_of_pipe(set, ends[1], WEIR_OUT), 0);
	fill_with_numbers(ends[1], 0);
	ck_assert_int_eq(events_now(set), -EAGAIN);
	weir_pipe_close(ends[0]);
	ends[0] = NULL;
	ck_assert_int_eq(events_soon(set), WEIR_OUT | WEIR_HUP);
}
END_TEST

START_TEST(shutdown_of_a_pipe_is_ready)
{
	ck_assert_uint_ne(source_of_pipe(set, ends[0], WEIR_IN), 0);
	ck_assert_int_eq(events_now(set), -EAGAIN);
	ck_assert_int_eq(weir_pipe_shutdown(ends[1]), 0);
	ck_assert_int_eq(events_soon(set), WEIR_IN);
	ck_assert_int_eq(recv_number(ends[0], 0), -ESHUTDOWN);
}
END_TEST

START_TEST(shutdown_of_a_queue_is_ready)
{
	ck_assert_uint_ne(source_of_queue(set, queue, WEIR_IN), 0);
	ck_assert_int_eq(events_now(set), -EAGAIN);
	ck_assert_int_eq(weir_queue_shutdown(queue, 0), 0);
	ck_assert_int_eq(events_soon(set), WEIR_IN);
	ck_assert_int_eq(queue_get_number(queue, 0), -EPIPE);
}
END_TEST

START_TEST(damaged_objects_are_ready_and_refused)
{
	struct weir_waitset *other = waitset_new(engines[0]);
	struct parking writer = pipe_parking(ends[1], ROLE_WRITER);
	int result;

	ck_assert_uint_ne(source_of_pipe(set, ends[0], WEIR_IN), 0);
	ck_assert_int_eq(events_now(set), -EAGAIN);
	pipe_poison(ends[1], &writer);
	ck_assert_int_eq(events_soon(set), WEIR_IN);
	ck_assert_int_eq(recv_number(ends[0], 0), -EBADMSG);
	ck_assert_int_eq(events_soon(set), WEIR_IN);
	/* It is told at once or reported. */
	result = weir_waitset_add_pipe(other, ends[0], WEIR_IN, NULL, NULL);
	if (result == 0)
		ck_assert_int_eq(events_soon(other), WEIR_IN);
	else
		ck_assert_int_eq(result, -EBADMSG);
	weir_waitset_close(other);
}
END_TEST

START_TEST(damaged_queue_is_ready)
{
	ck_assert_uint_ne(source_of_queue(set, queue, WEIR_IN), 0);
	ck_assert_int_eq(events_now(set), -EAGAIN);
	queue_poison(queue);
	ck_assert_int_eq(events_soon(set), WEIR_IN);
	ck_assert_int_eq(queue_get_number(queue, 0), -EBADMSG);
	ck_assert_int_eq(events_soon(set), WEIR_IN);
}
END_TEST

START_TEST(closed_object_leaves_its_sets)
{
	struct weir_waitset *other = waitset_new(engines[0]);
	uint64_t pipe = source_of_pipe(set, ends[0], WEIR_IN);

	ck_assert_uint_ne(pipe, 0);
	ck_assert_uint_ne(source_of_queue(set, queue, BOTH), 0);
	ck_assert_uint_ne(source_of_pipe(other, ends[0], BOTH), 0);
	ck_assert_uint_ne(source_of_pipe(other, ends[1], WEIR_IN), 0);
	ck_assert_uint_ne(source_of_queue(other, queue, WEIR_IN), 0);
	ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
	ck_assert_int_eq(events_now(set), -E2BIG);
	weir_pipe_close(ends[0]);
	ends[0] = NULL;
	weir_queue_close(queue);
	queue = NULL;
	ck_assert_uint_eq(waitset_stat(set).sources, 0);
	ck_assert_uint_eq(waitset_stat(other).sources, 1);
	ck_assert_int_eq(events_now(set), -EAGAIN);
	ck_assert_int_eq(weir_waitset_remove(set, pipe), -ENOENT);
	/* The other end is in there, and hears of it. */
	ck_assert_int_eq(events_soon(other), WEIR_IN | WEIR_HUP);
	weir_waitset_close(other);
}
END_TEST

START_TEST(closed_set_leaves_the_objects)
{
	struct weir_waitset *other = waitset_new(engines[1]);

	ck_assert_uint_ne(source_of_pipe(other, ends[0], BOTH), 0);
	ck_assert_uint_ne(source_of_queue(other, queue, BOTH), 0);
	ck_assert_int_eq(events_now(other), -E2BIG);
	weir_waitset_close(other);
	ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
	ck_assert_int_eq(recv_number(ends[0], soon()), 1);
	ck_assert_int_eq(queue_put_number(queue, 1, 0), 0);
	ck_assert_int_eq(queue_get_number(queue, soon()), 1);
	ck_assert_uint_ne(source_of_pipe(set, ends[0], WEIR_IN), 0);
	ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
	ck_assert_int_eq(events_soon(set), WEIR_IN);
}
END_TEST

/*
 * Many
 */

#define MANY		1000
#define AT_ONCE		7

/* Each as often as the others, give or take one turn. */
START_TEST(sources_that_stay_ready_take_turns)
{
	static struct weir_queue *all[MANY];
	static uint32_t seen[MANY];
	struct weir_event events[AT_ONCE];
	/* Queues take their time to be made in an emulator. */
	int n = MANY / (kernel_unavailable() ? 32 : LESS), least, most, rounds = 3;

	memset(seen, 0, sizeof(seen));
	for (int i = 0; i < n; i++) {
		all[i] = queue_new(3, 0, 0);
		ck_assert_ptr_nonnull(all[i]);
		ck_assert_int_eq(weir_waitset_add_queue(set, all[i], WEIR_IN, &seen[i], NULL), 0);
		ck_assert_int_eq(queue_put_number(all[i], 1, 0), 0);
	}
	for (int left = rounds * n; left > 0;) {
		int got = weir_waitset_wait(set, events, AT_ONCE, 0, left % 2 ? 0 : soon());

		ck_assert_int_ge(got, 1);
		for (int i = 0; i < got; i++)
			++*(uint32_t *)events[i].cookie;
		left -= got;
	}
	least = most = (int)seen[0];
	for (int i = 0; i < n; i++) {
		least = (int)seen[i] < least ? (int)seen[i] : least;
		most = (int)seen[i] > most ? (int)seen[i] : most;
		weir_queue_close(all[i]);
	}
	ck_assert_int_ge(least, rounds - 1);
	ck_assert_int_le(most, rounds + 1);
}
END_TEST

START_TEST(counters_count)
{
	struct weir_waitset_stat st;
	struct weir_event event;

	ck_assert_uint_ne(source_of_queue(set, queue, WEIR_IN), 0);
	ck_assert_int_eq(wait_one(set, test_now() + MS, &event), -ETIMEDOUT);
	ck_assert_int_eq(queue_put_number(queue, 1, 0), 0);
	ck_assert_int_eq(events_soon(set), WEIR_IN);
	ck_assert_int_eq(events_now(set), WEIR_IN);
	st = waitset_stat(set);
	ck_assert_uint_eq(st.size, sizeof(st));
	ck_assert_uint_eq(st.sources, 1);
	ck_assert_uint_eq(st.waits, 3);
	ck_assert_uint_eq(st.events, 2);
	ck_assert_uint_ge(st.calls, st.sleeps);
	ck_assert_uint_ge(st.sleeps, 1);
	ck_assert_uint_ge(st.signals, st.in_vain);
	ck_assert_uint_eq(st.reserved, 0);
}
END_TEST

static TCase *cases(int engine)
{
	TCase *t = tcase_create(engine == 0 ? "epoll" : "uring");

	tcase_add_checked_fixture(t, engine == 0 ? setup_epoll : setup_uring, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, bad_arguments_are_einval);
	tcase_add_test(t, wait_of_an_empty_set_is_until_the_deadline);
	tcase_add_test(t, engine_is_the_one_that_was_asked_for);
	tcase_add_test(t, pipe_is_reported_as_long_as_there_is_a_message);
	tcase_add_test(t, queue_is_reported_as_long_as_there_is_a_message);
	tcase_add_test(t, each_of_many_messages_is_reported);
	tcase_add_test(t, message_to_be_published_later_is_reported_then);
	tcase_add_test(t, pipe_has_room_is_full_and_has_room_again);
	tcase_add_test(t, queue_has_room_is_full_and_has_room_again);
	tcase_add_test(t, both_events_are_told_together);
	tcase_add_test(t, what_is_waited_for_changes);
	tcase_add_test(t, what_is_waited_for_of_a_queue_changes);
	tcase_add_test(t, queue_of_which_nothing_is_wanted_is_silent);
	tcase_add_test(t, change_of_a_source_just_reported_counts);
	tcase_add_test(t, removed_source_is_reported_no_more);
	tcase_add_test(t, numbers_of_sources_are_not_used_again);
	tcase_add_test(t, object_is_in_a_set_once_and_in_several);
	tcase_add_test(t, end_that_cannot_is_eopnotsupp);
	tcase_add_test(t, hang_up_is_told_with_what_was_sent_and_after_it);
	tcase_add_test(t, hang_up_is_told_to_who_waits_for_room);
	tcase_add_test(t, shutdown_of_a_pipe_is_ready);
	tcase_add_test(t, shutdown_of_a_queue_is_ready);
	tcase_add_test(t, damaged_objects_are_ready_and_refused);
	tcase_add_test(t, damaged_queue_is_ready);
	tcase_add_test(t, closed_object_leaves_its_sets);
	tcase_add_test(t, closed_set_leaves_the_objects);
	tcase_add_test(t, sources_that_stay_ready_take_turns);
	tcase_add_test(t, counters_count);
	return t;
}

static Suite *suite(void)
{
	Suite *s = suite_create("waitset");

	WAITSET_CASES(s, cases);
	return s;
}

int main(void)
{
	return test_main(suite());
}
