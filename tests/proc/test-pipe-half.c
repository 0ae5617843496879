/* SPDX-License-Identifier: MIT */
/* Messages larger than the ring of which not all comes, and what comes behind them. */
#include "pipe-tools.h"

#include <errno.h>
#include <poll.h>

#define CAPACITY	4096
#define LARGE		10000

static struct weir_end *ends[2];
static uint8_t large[LARGE];

static void setup(void)
{
	ck_assert_int_eq(pipe_make(ends, 0, CAPACITY), 0);
	message_fill(large, LARGE, 1);
}

static void teardown(void)
{
	pipe_close_both(ends);
}

static bool readable(int fd)
{
	return poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 0) == 1;
}

/* Fills the ring with the beginning of a message that is not to be, and a small one behind. */
static void send_half_and_give_up(uint64_t number)
{
	ck_assert_int_eq(weir_pipe_send(ends[1], large, LARGE, 0, test_now() + MS), -ETIMEDOUT);
	ck_assert_int_eq(send_number(ends[1], number, 0), 0);
}

START_TEST(message_behind_one_that_was_given_up_goes_to_the_beginning_of_the_buffer)
{
	uint64_t room[2] = { 0 };
	/* That has room for the large one, of which the pieces go there first. */
	uint8_t *buffer = calloc(1, LARGE);
	struct iovec parts[3] = { { buffer, 3 }, { buffer + 3, LARGE - 5 }, { &room[0], 2 } };
	size_t size;

	for (uint64_t i = 0; i < 3; i++) {
		send_half_and_give_up(i);
		/* The second time in two calls. */
		if (i == 1)
			ck_assert_int_eq(weir_pipe_recv(ends[0], buffer, 0, 0, 0, &size),
					 -EMSGSIZE);
		memset(buffer, 0xff, LARGE);
		if (i < 2)
			ck_assert_int_eq(weir_pipe_recv(ends[0], buffer, LARGE, 0, 0, &size), 0);
		else
			ck_assert_int_eq(weir_pipe_recvv(ends[0], parts, 3, 0, 0, &size), 0);
		ck_assert_uint_eq(size, sizeof(uint64_t));
		ck_assert_mem_eq(buffer, &i, sizeof(i));
	}
	free(buffer);
}
END_TEST

/* Ends when the parent has come to @arg, too: it may be late, and stops a child that is there. */
static int send_half_and_another(void *arg)
{
	child_check(weir_pipe_send(ends[1], large, LARGE, 0, test_now() + 30 * MS) == -ETIMEDOUT);
	child_check(send_number(ends[1], 7, 0) == 0);
	child_check(weir_pipe_handover(ends[1]) == 0);
	child_check(barrier_wait(arg));
	return 0;
}

/* Whether we have had the beginning when its sender gave up. */
static bool have_some_then_another(uint8_t *room)
{
	struct barrier *barrier = barrier_create(2);
	struct child child = child_start(send_half_and_another, barrier);
	size_t size = 0;
	bool in_time;

	ck_assert(child_wait_asleep(child.pid));
	/* It is not to send as fast as this receives: that could be all of it. */
	child_stop(&child);
	in_time = weir_pipe_recv(ends[0], room, LARGE, 0, 0, &size) == -EAGAIN;
	child_continue(&child);
	ck_assert(barrier_wait(barrier));
	child_join_ok(&child);
	if (in_time)
		ck_assert_int_eq(weir_pipe_recv(ends[0], room, LARGE, 0, 0, &size), 0);
	ck_assert_uint_eq(size, sizeof(uint64_t));
	return in_time;
}

START_TEST(message_behind_one_that_was_given_up_half_received_comes_whole)
{
	uint8_t *buffer = malloc(LARGE);
	uint64_t number = 7;
	int tries = 0;

	do {
		ck_assert_int_lt(tries++, 100);
	} while (!have_some_then_another(buffer));
	ck_assert_mem_eq(buffer, &number, sizeof(number));
	free(buffer);
}
END_TEST

static int send_until_killed(void *arg)
{
	(void)arg;
	weir_pipe_send(ends[1], large, LARGE, 0, WEIR_FOREVER);
	return 0;
}

/* A sender dies half-way while others have its end; the receiver has taken what there was. */
static void have_half(void)
{
	struct child child = child_start(send_until_killed, NULL);
	uint8_t *buffer = malloc(LARGE);

	ck_assert(child_wait_asleep(child.pid));
	child_stop(&child);
	ck_assert_int_eq(weir_pipe_recv(ends[0], buffer, LARGE, 0, 0, NULL), -EAGAIN);
	child_kill(&child);
	free(buffer);
}

START_TEST(next_owner_of_the_sending_side_wakes_who_has_half_a_message)
{
	uint8_t *buffer = malloc(LARGE);
	int fd = weir_pipe_fd(ends[0]);

	ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
	have_half();
	ck_assert(!readable(fd));
	/* It sends nothing, but is to say that the rest will not come. */
	ck_assert_int_eq(weir_pipe_flush(ends[1]), 0);
	ck_assert(readable(fd));
	ck_assert_int_eq(weir_pipe_recv(ends[0], buffer, LARGE, 0, 0, NULL), -EOWNERDEAD);
	ck_assert_int_eq(weir_pipe_recv(ends[0], buffer, LARGE, 0, 0, NULL), -EAGAIN);
	ck_assert_int_eq(send_number(ends[1], 5, 0), 0);
	ck_assert(readable(fd));
	ck_assert_int_eq(recv_number(ends[0], 0), 5);
	free(buffer);
}
END_TEST

START_TEST(death_half_way_is_told_to_a_receiver_that_waits_though_others_have_the_end)
{
	struct child child = child_start(send_until_killed, NULL);
	uint8_t *buffer = malloc(LARGE);

	ck_assert(child_wait_asleep(child.pid));
	child_stop(&child);
	ck_assert_int_eq(weir_pipe_recv(ends[0], buffer, LARGE, 0, test_now() + 30 * MS, NULL),
			 -ETIMEDOUT);
	child_kill(&child);
	ck_assert_int_eq(weir_pipe_recv(ends[0], buffer, LARGE, 0, soon(), NULL), -EOWNERDEAD);
	ck_assert_int_eq(weir_pipe_recv(ends[0], buffer, LARGE, 0, 0, NULL), -EAGAIN);
	ck_assert_int_eq(send_number(ends[1], 5, 0), 0);
	ck_assert_int_eq(recv_number(ends[0], 0), 5);
	free(buffer);
}
END_TEST

static int send_large_and_small(void *arg)
{
	(void)arg;
	child_check(weir_pipe_send(ends[1], large, LARGE, 0, soon()) == 0);
	for (uint64_t i = 0; i < 3; i++)
		child_check(send_number(ends[1], i, 0) == 0);
	return 0;
}

/* One that was put together has no place of its own in the ring. */
START_TEST(messages_taken_behind_a_large_one_are_released_in_any_order)
{
	static const int orders[][4] = {
		{ 0, 1, 2, 3 }, { 1, 0, 2, 3 }, { 3, 2, 1, 0 }, { 2, 0, 3, 1 }
	};
	const void *taken[4];
	size_t size;

	for (size_t n = 0; n < ARRAY_LENGTH(orders); n++) {
		struct child child = child_start(send_large_and_small, NULL);

		for (int i = 0; i < 4; i++)
			ck_assert_int_eq(weir_pipe_take(ends[0], 0, soon(), &taken[i], &size), 0);
		for (int i = 0; i < 4; i++) {
			ck_assert_int_eq(weir_pipe_release(ends[0], taken[orders[n][i]]), 0);
			ck_assert_int_eq(weir_pipe_release(ends[0], taken[orders[n][i]]), -EINVAL);
		}
		child_join_ok(&child);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pipe-half");
	TCase *tcase = tcase_create("pipe-half");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase,
		       message_behind_one_that_was_given_up_goes_to_the_beginning_of_the_buffer);
	tcase_add_test(tcase, message_behind_one_that_was_given_up_half_received_comes_whole);
	tcase_add_test(tcase, next_owner_of_the_sending_side_wakes_who_has_half_a_message);
	tcase_add_test(tcase,
		       death_half_way_is_told_to_a_receiver_that_waits_though_others_have_the_end);
	tcase_add_test(tcase, messages_taken_behind_a_large_one_are_released_in_any_order);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
