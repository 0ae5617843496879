/* SPDX-License-Identifier: MIT */
/* Waiting for events, and the descriptor for event loops, in one process. */
#include "pipe-tools.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "obj/pipe.h"
#include "sys/sys.h"

#define CAPACITY	4096
#define NOTHING		0

static struct weir_end *ends[2];

static void setup(void)
{
	ck_assert_int_eq(pipe_make(ends, 0, CAPACITY), 0);
}

static void setup_oneway(void)
{
	ck_assert_int_eq(pipe_make(ends, WEIR_PIPE_ONEWAY, CAPACITY), 0);
}

static void teardown(void)
{
	pipe_close_both(ends);
}

static void close_end(int index)
{
	weir_pipe_close(ends[index]);
	ends[index] = NULL;
}

static uint32_t poll_until(struct weir_end *end, uint32_t wanted, int64_t deadline)
{
	uint32_t events = 0xdead;
	int result = weir_pipe_poll(end, wanted, 0, deadline, &events);

	if (result < 0) {
		ck_assert_int_eq(result, deadline > 0 ? -ETIMEDOUT : -EAGAIN);
		ck_assert_msg(events == 0xdead || events == 0, "an event with an error: %x",
			      events);
		return NOTHING;
	}
	ck_assert_int_eq(result, 0);
	ck_assert_msg(events != 0 && (events & ~(wanted | WEIR_HUP)) == 0, "events %x", events);
	return events;
}

static uint32_t poll_now(struct weir_end *end, uint32_t wanted)
{
	return poll_until(end, wanted, 0);
}

/*
 * poll
 */

START_TEST(in_is_there_with_a_message_and_not_without)
{
	for (uint64_t n = 0; n < 1000; n++) {
		ck_assert_uint_eq(poll_now(ends[0], WEIR_IN), NOTHING);
		ck_assert_int_eq(send_number(ends[1], n, 0), 0);
		ck_assert_uint_eq(poll_now(ends[0], WEIR_IN), WEIR_IN);
		/* Nothing was consumed. */
		ck_assert_uint_eq(poll_until(ends[0], WEIR_IN, WEIR_FOREVER), WEIR_IN);
		ck_assert_int_eq(recv_number(ends[0], 0), (int64_t)n);
	}
}
END_TEST

START_TEST(in_is_there_with_a_message_of_no_bytes)
{
	ck_assert_int_eq(weir_pipe_send(ends[1], "", 0, 0, 0), 0);
	ck_assert_uint_eq(poll_now(ends[0], WEIR_IN), WEIR_IN);
}
END_TEST

START_TEST(in_is_not_there_with_a_message_to_be_published_later)
{
	ck_assert_int_eq(weir_pipe_send(ends[1], "x", 1, WEIR_MORE, 0), 0);
	ck_assert_uint_eq(poll_now(ends[0], WEIR_IN), NOTHING);
	ck_assert_int_eq(weir_pipe_flush(ends[1]), 0);
	ck_assert_uint_eq(poll_now(ends[0], WEIR_IN), WEIR_IN);
}
END_TEST

START_TEST(out_is_there_with_room_for_64_bytes_and_not_without)
{
	uint8_t data[64] = { 0 }, got[64];
	uint64_t sent = 0;

	while (poll_now(ends[1], WEIR_OUT) == WEIR_OUT) {
		ck_assert_int_eq(weir_pipe_send(ends[1], data, 64, 0, 0), 0);
		sent++;
	}
	ck_assert_int_eq(weir_pipe_send(ends[1], data, 64, 0, 0), -EAGAIN);
	ck_assert_uint_eq(sent, (CAPACITY - 8) / 72);
	ck_assert_uint_eq(poll_until(ends[1], WEIR_OUT, test_now() + MS), NOTHING);
	/* The reader says so late when it has much to do, and at once when it runs dry. */
	while (sent-- > 0)
		ck_assert_int_eq(weir_pipe_recv(ends[0], got, 64, 0, 0, NULL), 0);
	ck_assert_int_eq(weir_pipe_recv(ends[0], got, 64, 0, 0, NULL), -EAGAIN);
	ck_assert_uint_eq(poll_now(ends[1], WEIR_OUT), WEIR_OUT);
}
END_TEST

START_TEST(both_events_are_told_at_once)
{
	ck_assert_uint_eq(poll_now(ends[0], WEIR_IN | WEIR_OUT), WEIR_OUT);
	ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
	ck_assert_uint_eq(poll_now(ends[0], WEIR_IN | WEIR_OUT), WEIR_IN | WEIR_OUT);
	fill_with_numbers(ends[0], 0);
	ck_assert_uint_eq(poll_now(ends[0], WEIR_IN | WEIR_OUT), WEIR_IN);
	ck_assert_int_eq(recv_number(ends[0], 0), 1);
	ck_assert_uint_eq(poll_now(ends[0], WEIR_IN | WEIR_OUT), NOTHING);
	ck_assert_uint_eq(poll_until(ends[0], WEIR_IN | WEIR_OUT, test_now() + 25 * MS), NOTHING);
}
END_TEST

START_TEST(hang_up_is_told_unasked)
{
	static const uint32_t wanted[] = { 0, WEIR_HUP, WEIR_IN, WEIR_OUT, WEIR_IN | WEIR_OUT };

	for (size_t i = 0; i < ARRAY_LENGTH(wanted); i++) {
		uint32_t asked = wanted[i] & (WEIR_IN | WEIR_OUT);

		if (!(wanted[i] & WEIR_OUT))
			ck_assert_uint_eq(poll_until(ends[0], wanted[i], test_now() + MS), NOTHING);
		close_end(1);
		ck_assert_uint_eq(poll_now(ends[0], wanted[i]), WEIR_HUP | asked);
		ck_assert_uint_eq(poll_until(ends[0], wanted[i], WEIR_FOREVER), WEIR_HUP | asked);
		teardown();
		setup();
	}
}
END_TEST

START_TEST(hang_up_is_told_while_there_are_messages)
{
	uint32_t events;

	ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
	ck_assert_uint_eq(poll_until(ends[0], 0, test_now() + MS), NOTHING);
	close_end(1);
	/* As poll(2) does, and as the other polls here do it in the end. */
	ck_assert_uint_eq(poll_until(ends[0], 0, test_now() + 500 * MS), WEIR_HUP);
	events = poll_now(ends[0], WEIR_IN);
	ck_assert(events & WEIR_IN);
	ck_assert_int_eq(recv_number(ends[0], 0), 1);
	ck_assert_uint_eq(poll_now(ends[0], WEIR_IN), WEIR_IN | WEIR_HUP);
	ck_assert_int_eq(recv_number(ends[0], 0), -EPIPE);
	ck_assert_uint_eq(poll_now(ends[0], WEIR_IN), WEIR_IN | WEIR_HUP);
}
END_TEST

START_TEST(hang_up_alone_can_be_waited_for_on_an_end_that_only_sends)
{
	fill_with_numbers(ends[1], 0);
	ck_assert_uint_eq(poll_until(ends[1], 0, test_now() + MS), NOTHING);
	close_end(0);
	ck_assert_uint_eq(poll_now(ends[1], 0), WEIR_HUP);
	ck_assert_uint_eq(poll_now(ends[1], WEIR_OUT), WEIR_OUT | WEIR_HUP);
}
END_TEST

START_TEST(shutdown_is_told_as_what_was_asked_for)
{
	fill_with_numbers(ends[1], 0);
	ck_assert_uint_eq(poll_now(ends[1], WEIR_IN | WEIR_OUT), NOTHING);
	ck_assert_int_eq(weir_pipe_shutdown(ends[0]), 0);
	ck_assert_uint_eq(poll_until(ends[1], WEIR_IN, WEIR_FOREVER), WEIR_IN);
	ck_assert_uint_eq(poll_until(ends[1], WEIR_OUT, WEIR_FOREVER), WEIR_OUT);
	ck_assert_uint_eq(poll_until(ends[1], WEIR_IN | WEIR_OUT, WEIR_FOREVER),
			  WEIR_IN | WEIR_OUT);
}
END_TEST

START_TEST(shutdown_ends_a_wait_for_the_hang_up_alone)
{
	uint32_t events = 0xdead;

	ck_assert_int_eq(weir_pipe_shutdown(ends[0]), 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(weir_pipe_poll(ends[i], 0, 0, 0, &events), -ESHUTDOWN);
		ck_assert_int_eq(weir_pipe_poll(ends[i], WEIR_HUP, 0, WEIR_FOREVER, &events),
				 -ESHUTDOWN);
	}
}
END_TEST

/*
 * The descriptor
 */

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int result = poll(&p, 1, 0);

	ck_assert_int_ge(result, 0);
	ck_assert(!(p.revents & ~POLLIN));
	return result > 0;
}

/* Receive until there is nothing; how many, and then the descriptor says so. */
static uint64_t drain(struct weir_end *end, int fd)
{
	uint64_t count = 0;

	while (recv_number(end, 0) >= 0)
		count++;
	ck_assert_int_eq(recv_number(end, 0), -EAGAIN);
	ck_assert(!readable(fd));
	return count;
}

START_TEST(descriptor_is_the_same_each_time)
{
	int fd = weir_pipe_fd(ends[0]);

	ck_assert_int_ge(fd, 512);
	ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(weir_pipe_fd(ends[0]), fd);
	ck_assert_int_ne(weir_pipe_fd(ends[1]), fd);
	close_end(0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
}
END_TEST

START_TEST(descriptor_is_readable_while_there_are_messages)
{
	int fd = weir_pipe_fd(ends[0]);

	drain(ends[0], fd);
	for (uint64_t round = 0; round < 200; round++) {
		for (uint64_t n = 0; n <= round % 5; n++)
			ck_assert_int_eq(send_number(ends[1], n, 0), 0);
		for (uint64_t n = 0; n <= round % 5; n++) {
			ck_assert(readable(fd));
			ck_assert(readable(fd));
			ck_assert_int_eq(recv_number(ends[0], 0), (int64_t)n);
		}
		ck_assert_uint_eq(drain(ends[0], fd), 0);
	}
}
END_TEST

START_TEST(descriptor_asked_for_late_shows_what_was_there_before)
{
	int fd;

	ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
	fd = weir_pipe_fd(ends[0]);
	ck_assert(readable(fd));
	ck_assert_uint_eq(drain(ends[0], fd), 1);
	ck_assert_int_eq(send_number(ends[1], 2, 0), 0);
	ck_assert(readable(fd));
}
END_TEST

START_TEST(descriptor_is_not_readable_for_what_is_published_later)
{
	int fd = weir_pipe_fd(ends[0]);

	drain(ends[0], fd);
	for (int i = 0; i < 3; i++) {
		/* Not for a new owner either, who has sent nothing yet. */
		ck_assert_int_eq(weir_pipe_handover(ends[1]), 0);
		ck_assert_int_eq(weir_pipe_flush(ends[1]), 0);
		ck_assert(!readable(fd));
	}
	ck_assert_int_eq(weir_pipe_send(ends[1], "12345678", 8, WEIR_MORE, 0), 0);
	ck_assert(!readable(fd));
	ck_assert_int_eq(weir_pipe_flush(ends[1]), 0);
	ck_assert(readable(fd));
	ck_assert_uint_eq(drain(ends[0], fd), 1);
}
END_TEST

START_TEST(descriptor_shows_messages_sent_in_a_batch)
{
	struct weir_msg m[3] = { { .data = (char[8]){ 0 }, .size = 8 } };
	int fd = weir_pipe_fd(ends[0]);

	m[1] = m[2] = m[0];
	for (int i = 0; i < 100; i++) {
		drain(ends[0], fd);
		ck_assert_int_eq(weir_pipe_send_batch(ends[1], m, 3, 0, 0), 3);
		ck_assert(readable(fd));
		ck_assert_int_eq(recv_number(ends[0], 0), 0);
		ck_assert(readable(fd));
		m[0].room = m[1].room = 8;
		ck_assert_int_eq(weir_pipe_recv_batch(ends[0], m, 2, 0, 0), 2);
	}
}
END_TEST

START_TEST(descriptor_wakes_for_nothing_at_most_once_in_a_row)
{
	uint64_t sent = 0, received = 0;
	int fd = weir_pipe_fd(ends[0]), for_nothing = 0;

	for (int i = 0; i < 20000 / LESS; i++) {
		int64_t got = -EAGAIN;

		if (test_random_below(3) == 0 && send_number(ends[1], sent, 0) == 0)
			sent++;
		if (test_random_below(50) == 0)
			ck_assert_int_eq(weir_pipe_handover(ends[test_random_below(2)]), 0);
		if (!readable(fd)) {
			ck_assert_uint_eq(sent, received);
			for_nothing = 0;
			continue;
		}
		if (test_random_below(2))
			got = recv_number(ends[0], 0);
		else
			continue;
		if (got == (int64_t)received) {
			received++;
			for_nothing = 0;
		} else {
			ck_assert_int_eq(got, -EAGAIN);
			ck_assert_int_le(++for_nothing, 1);
		}
	}
	ck_assert_uint_gt(received, 100);
}
END_TEST

static bool sent_in_between;

/* Messages that come while a receive that found nothing takes the signal back. */
static int send_in_between(enum sys_call call)
{
	if (call == SYS_CALL_EVENT_READ && !sent_in_between) {
		sent_in_between = true;
		send_number(ends[1], 1, 0);
		send_number(ends[1], 2, 0);
	}
	return 0;
}

START_TEST(descriptor_shows_what_came_while_its_signal_was_taken_back)
{
	int fd = weir_pipe_fd(ends[0]);

	drain(ends[0], fd);
	ck_assert_int_eq(send_number(ends[1], 0, 0), 0);
	ck_assert_int_eq(recv_number(ends[0], 0), 0);
	sys_fault = send_in_between;
	ck_assert_int_eq(recv_number(ends[0], 0), 1);
	sys_fault = NULL;
	ck_assert(sent_in_between);
	ck_assert(readable(fd));
	ck_assert_uint_eq(drain(ends[0], fd), 1);
}
END_TEST

START_TEST(descriptor_works_in_an_epoll_of_the_program)
{
	int fd = weir_pipe_fd(ends[0]), epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN };

	ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
	drain(ends[0], fd);
	ck_assert_int_eq(epoll_wait(epoll, &event, 1, 0), 0);
	for (uint64_t n = 0; n < 20; n++) {
		ck_assert_int_eq(send_number(ends[1], n, 0), 0);
		ck_assert_int_eq(epoll_wait(epoll, &event, 1, 0), 1);
		ck_assert_int_eq(epoll_wait(epoll, &event, 1, 0), 1);
		ck_assert_uint_eq(drain(ends[0], fd), 1);
		ck_assert_int_eq(epoll_wait(epoll, &event, 1, 0), 0);
	}
	close_end(1);
	ck_assert_int_eq(epoll_wait(epoll, &event, 1, 0), 1);
	close(epoll);
}
END_TEST

START_TEST(descriptor_stays_readable_at_the_end)
{
	int fd = weir_pipe_fd(ends[0]);

	drain(ends[0], fd);
	ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
	close_end(1);
	for (int i = 0; i < 5; i++) {
		ck_assert(readable(fd));
		ck_assert_int_eq(recv_number(ends[0], 0), i == 0 ? 1 : -EPIPE);
	}
}
END_TEST

START_TEST(descriptor_stays_readable_after_shutdown)
{
	for (int by = 0; by < 2; by++) {
		int fd = weir_pipe_fd(ends[0]);

		drain(ends[0], fd);
		ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
		ck_assert_int_eq(weir_pipe_shutdown(ends[by]), 0);
		for (int i = 0; i < 5; i++) {
			ck_assert(readable(fd));
			ck_assert_int_eq(recv_number(ends[0], 0), i == 0 ? 1 : -ESHUTDOWN);
		}
		teardown();
		setup();
	}
}
END_TEST

START_TEST(descriptor_stays_readable_after_damage)
{
	struct weir_lane_control *control = segment_lane(&ends[0]->core->segment, ends[0]->rx_lane);
	int fd = weir_pipe_fd(ends[0]);

	drain(ends[0], fd);
	/* The sender finds it. */
	control->reader.published = 1;
	ck_assert_int_eq(weir_pipe_handover(ends[1]), 0);
	ck_assert_int_eq(send_number(ends[1], 1, 0), -EBADMSG);
	for (int i = 0; i < 5; i++) {
		ck_assert(readable(fd));
		ck_assert_int_eq(recv_number(ends[0], 0), -EBADMSG);
	}
}
END_TEST

START_TEST(descriptor_of_each_direction_is_its_own)
{
	int fds[2] = { weir_pipe_fd(ends[0]), weir_pipe_fd(ends[1]) };

	drain(ends[0], fds[0]);
	drain(ends[1], fds[1]);
	ck_assert_int_eq(send_number(ends[0], 1, 0), 0);
	ck_assert(readable(fds[1]) && !readable(fds[0]));
	ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
	ck_assert(readable(fds[1]) && readable(fds[0]));
	drain(ends[1], fds[1]);
	ck_assert(readable(fds[0]));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pipe-poll");
	TCase *events = tcase_create("events");
	TCase *oneway = tcase_create("oneway");
	TCase *descriptor = tcase_create("descriptor");

	tcase_add_checked_fixture(events, setup, teardown);
	tcase_add_test(events, in_is_there_with_a_message_and_not_without);
	tcase_add_test(events, in_is_there_with_a_message_of_no_bytes);
	tcase_add_test(events, in_is_not_there_with_a_message_to_be_published_later);
	tcase_add_test(events, out_is_there_with_room_for_64_bytes_and_not_without);
	tcase_add_test(events, both_events_are_told_at_once);
	tcase_add_test(events, hang_up_is_told_unasked);
	tcase_add_test(events, hang_up_is_told_while_there_are_messages);
	tcase_add_test(events, shutdown_is_told_as_what_was_asked_for);
	tcase_add_test(events, shutdown_ends_a_wait_for_the_hang_up_alone);
	suite_add_tcase(suite, events);

	tcase_add_checked_fixture(oneway, setup_oneway, teardown);
	tcase_add_test(oneway, in_is_there_with_a_message_and_not_without);
	tcase_add_test(oneway, out_is_there_with_room_for_64_bytes_and_not_without);
	tcase_add_test(oneway, shutdown_ends_a_wait_for_the_hang_up_alone);
	tcase_add_test(oneway, hang_up_is_told_while_there_are_messages);
	tcase_add_test(oneway, hang_up_alone_can_be_waited_for_on_an_end_that_only_sends);
	suite_add_tcase(suite, oneway);

	tcase_add_checked_fixture(descriptor, setup, teardown);
	tcase_add_test(descriptor, descriptor_is_the_same_each_time);
	tcase_add_test(descriptor, descriptor_is_readable_while_there_are_messages);
	tcase_add_test(descriptor, descriptor_asked_for_late_shows_what_was_there_before);
	tcase_add_test(descriptor, descriptor_is_not_readable_for_what_is_published_later);
	tcase_add_test(descriptor, descriptor_shows_messages_sent_in_a_batch);
	tcase_add_test(descriptor, descriptor_wakes_for_nothing_at_most_once_in_a_row);
	tcase_add_test(descriptor, descriptor_shows_what_came_while_its_signal_was_taken_back);
	tcase_add_test(descriptor, descriptor_works_in_an_epoll_of_the_program);
	tcase_add_test(descriptor, descriptor_stays_readable_at_the_end);
	tcase_add_test(descriptor, descriptor_stays_readable_after_shutdown);
	tcase_add_test(descriptor, descriptor_stays_readable_after_damage);
	tcase_add_test(descriptor, descriptor_of_each_direction_is_its_own);
	suite_add_tcase(suite, descriptor);
	return test_main(suite);
}
