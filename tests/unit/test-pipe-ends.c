/* SPDX-License-Identifier: MIT */
/* How a pipe ends: closed, shut down, damaged; and what of it is still received. */
#include "pipe-tools.h"

#include <errno.h>
#include <fcntl.h>

#include "obj/pipe.h"

#define CAPACITY 4096

static struct weir_end *ends[2];

static void setup(void)
{
	ck_assert_int_eq(pipe_make(ends, 0, CAPACITY), 0);
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

static struct weir_lane_control *lane_to(int index)
{
	return segment_lane(&ends[index]->core->segment, ends[index]->rx_lane);
}

static int recv_batch(struct weir_end *end, int64_t deadline)
{
	uint64_t number;
	struct weir_msg m = { .data = &number, .room = sizeof(number) };

	return weir_pipe_recv_batch(end, &m, 1, 0, deadline);
}

static int send_batch(struct weir_end *end, int64_t deadline)
{
	struct weir_msg m = { .data = (char[8]){ 0 }, .size = 8 };

	return weir_pipe_send_batch(end, &m, 1, 0, deadline);
}

static int send_more(struct weir_end *end)
{
	return weir_pipe_send(end, "more", 4, WEIR_MORE, 0);
}

static uint32_t events_of(struct weir_end *end, uint32_t wanted)
{
	uint32_t events = 0;
	int result = weir_pipe_poll(end, wanted, 0, 0, &events);

	ck_assert(result == 0 || result == -EAGAIN);
	ck_assert((result == 0) == (events != 0));
	return events;
}

/* All ways to receive, with and without time, again and again. */
static void expect_receives(struct weir_end *end, int result)
{
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(recv_number(end, 0), result);
		ck_assert_int_eq(recv_number(end, WEIR_FOREVER), result);
		ck_assert_int_eq(recv_batch(end, 0), result);
		ck_assert_int_eq(recv_batch(end, WEIR_FOREVER), result);
		ck_assert_int_eq(recv_batch(end, 1), result);
		ck_assert(events_of(end, WEIR_IN) & WEIR_IN);
	}
}

static void expect_sends(struct weir_end *end, int result)
{
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(send_number(end, 0, 0), result);
		ck_assert_int_eq(send_number(end, 0, WEIR_FOREVER), result);
		ck_assert_int_eq(send_batch(end, 0), result);
		ck_assert_int_eq(send_batch(end, WEIR_FOREVER), result);
		ck_assert_int_eq(send_more(end), result);
		ck_assert(events_of(end, WEIR_OUT) & WEIR_OUT);
	}
}

/*
 * Closed
 */

START_TEST(receiver_drains_what_a_closed_end_has_sent)
{
	uint64_t sent = fill_with_numbers(ends[1], 0);

	close_end(1);
	for (uint64_t n = 0; n < sent; n++)
		ck_assert_int_eq(recv_number(ends[0], n % 2 ? 0 : WEIR_FOREVER), (int64_t)n);
	expect_receives(ends[0], -EPIPE);
}
END_TEST

START_TEST(receiver_of_an_end_that_sent_nothing_gets_epipe)
{
	close_end(1);
	expect_receives(ends[0], -EPIPE);
}
END_TEST

START_TEST(sender_to_a_closed_end_gets_epipe_at_once)
{
	close_end(0);
	expect_sends(ends[1], -EPIPE);
}
END_TEST

START_TEST(sender_amid_a_stream_gets_epipe_at_once)
{
	for (uint64_t n = 0; n < 1000; n++) {
		ck_assert_int_eq(send_number(ends[1], n, 0), 0);
		ck_assert_int_eq(recv_number(ends[0], 0), (int64_t)n);
	}
	close_end(0);
	expect_sends(ends[1], -EPIPE);
}
END_TEST

START_TEST(sender_to_a_closed_end_gets_epipe_though_the_ring_is_full)
{
	fill_with_numbers(ends[1], 0);
	close_end(0);
	expect_sends(ends[1], -EPIPE);
}
END_TEST

START_TEST(what_was_pending_for_a_closed_end_is_gone_without_harm)
{
	ck_assert_int_eq(send_more(ends[1]), 0);
	close_end(0);
	ck_assert_int_eq(weir_pipe_flush(ends[1]), 0);
	expect_sends(ends[1], -EPIPE);
}
END_TEST

START_TEST(end_that_was_handed_over_is_not_closed)
{
	ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
	ck_assert_int_eq(weir_pipe_handover(ends[1]), 0);
	ck_assert_int_eq(recv_number(ends[0], 0), 1);
	ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
	ck_assert_int_eq(send_number(ends[0], 2, 0), 0);
}
END_TEST

/*
 * Shut down
 */

START_TEST(shutdown_lets_what_was_sent_be_received)
{
	for (int by = 0; by < 2; by++) {
		uint64_t sent = fill_with_numbers(ends[1], 0);

		ck_assert_int_eq(send_number(ends[0], 7, 0), 0);
		ck_assert_int_eq(weir_pipe_shutdown(ends[by]), 0);
		expect_sends(ends[0], -ESHUTDOWN);
		expect_sends(ends[1], -ESHUTDOWN);
		for (uint64_t n = 0; n < sent; n++)
			ck_assert_int_eq(recv_number(ends[0], n % 2 ? 0 : WEIR_FOREVER),
					 (int64_t)n);
		ck_assert_int_eq(recv_number(ends[1], 0), 7);
		expect_receives(ends[0], -ESHUTDOWN);
		expect_receives(ends[1], -ESHUTDOWN);
		ck_assert_int_eq(weir_pipe_shutdown(ends[1 - by]), 0);
		expect_receives(ends[0], -ESHUTDOWN);
		teardown();
		setup();
	}
}
END_TEST

START_TEST(shutdown_of_a_pipe_that_goes_one_way_is_seen_on_both_ends)
{
	for (int by = 0; by < 2; by++) {
		struct weir_end *oneway[2];

		ck_assert_int_eq(pipe_make(oneway, WEIR_PIPE_ONEWAY, 0), 0);
		ck_assert_int_eq(send_number(oneway[1], 5, 0), 0);
		ck_assert_int_eq(weir_pipe_shutdown(oneway[by]), 0);
		ck_assert_int_eq(recv_number(oneway[0], 0), 5);
		expect_receives(oneway[0], -ESHUTDOWN);
		expect_sends(oneway[1], -ESHUTDOWN);
		pipe_close_both(oneway);
	}
}
END_TEST

START_TEST(shutdown_leaves_what_was_pending_to_a_flush)
{
	ck_assert_int_eq(send_more(ends[1]), 0);
	ck_assert_int_eq(weir_pipe_shutdown(ends[0]), 0);
	ck_assert_int_eq(recv_number(ends[0], 0), -ESHUTDOWN);
	ck_assert_int_eq(weir_pipe_flush(ends[1]), 0);
	ck_assert_int_eq(weir_pipe_recv(ends[0], (char[4]){ 0 }, 4, 0, 0, NULL), 0);
	ck_assert_int_eq(recv_number(ends[0], 0), -ESHUTDOWN);
}
END_TEST

START_TEST(shutdown_does_not_ask_whether_anybody_listens)
{
	close_end(1);
	ck_assert_int_eq(weir_pipe_shutdown(ends[0]), 0);
	ck_assert_int_eq(weir_pipe_shutdown(ends[0]), 0);
	expect_receives(ends[0], -ESHUTDOWN);
	expect_sends(ends[0], -ESHUTDOWN);
	ck_assert_int_eq(weir_pipe_handover(ends[0]), 0);
	expect_sends(ends[0], -ESHUTDOWN);
}
END_TEST

/*
 * Damaged
 */

static uint64_t *header_to(int index)
{
	struct weir_lane_control *control = lane_to(index);
	uint8_t *ring = ends[index]->core->segment.rings[ends[index]->rx_lane];

	return (uint64_t *)(void *)(ring + control->reader.position % CAPACITY);
}

static void expect_damage(int reader)
{
	expect_receives(ends[reader], -EBADMSG);
	expect_sends(ends[1 - reader], -EBADMSG);
	/* Once damaged, always so, whatever stands there now and whoever comes next. */
	*header_to(reader) = 0;
	ck_assert_int_eq(weir_pipe_handover(ends[0]), 0);
	ck_assert_int_eq(weir_pipe_handover(ends[1]), 0);
	ck_assert_int_eq(recv_number(ends[reader], 0), -EBADMSG);
	ck_assert_int_eq(send_number(ends[1 - reader], 0, 0), -EBADMSG);
}

START_TEST(header_that_cannot_be_is_ebadmsg)
{
	static const uint64_t bad[] = {
		1,
		UINT64_MAX,
		RECORD_MARK - 1,
		RECORD_MARK | (CAPACITY - 15),
		RECORD_MARK | UINT32_MAX,
	};

	for (size_t i = 0; i < 2 * ARRAY_LENGTH(bad); i++) {
		int reader = (int)(i % 2);

		ck_assert_int_eq(send_number(ends[1 - reader], 1, 0), 0);
		ck_assert_int_eq(recv_number(ends[reader], 0), 1);
		ck_assert_int_eq(send_number(ends[1 - reader], 1, 0), 0);
		*header_to(reader) = bad[i / 2];
		expect_damage(reader);
		teardown();
		setup();
	}
}
END_TEST

START_TEST(header_that_cannot_be_ends_a_batch_before_it)
{
	struct weir_msg m[3];
	char bytes[3][8];

	for (int i = 0; i < 3; i++)
		m[i] = (struct weir_msg){ .data = bytes[i], .room = 8 };
	ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
	ck_assert_int_eq(send_number(ends[1], 2, 0), 0);
	header_to(0)[2] = RECORD_MARK | UINT32_MAX;
	ck_assert_int_eq(weir_pipe_recv_batch(ends[0], m, 3, 0, 0), 1);
	ck_assert_int_eq(weir_pipe_recv_batch(ends[0], m, 3, 0, 0), -EBADMSG);
	expect_sends(ends[1], -EBADMSG);
}
END_TEST

START_TEST(reader_that_cannot_be_where_it_says_is_ebadmsg)
{
	static const uint64_t bad[] = { 1, 8 * CAPACITY, UINT64_MAX - 7, UINT64_C(1) << 40 };

	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
		fill_with_numbers(ends[1], 0);
		ck_assert_int_eq(recv_number(ends[0], 0), 0);
		lane_to(0)->reader.published = bad[i];
		expect_sends(ends[1], -EBADMSG);
		teardown();
		setup();
	}
}
END_TEST

START_TEST(positions_that_cannot_be_are_ebadmsg_for_a_new_owner)
{
	/* Unaligned, and ahead of all that was sent. */
	lane_to(0)->writer.position = 4;
	ck_assert_int_eq(send_number(ends[1], 0, 0), -EBADMSG);
	ck_assert_int_eq(weir_pipe_flush(ends[1]), -EBADMSG);
	ck_assert_int_eq(recv_number(ends[0], 0), -EBADMSG);
	teardown();
	setup();
	lane_to(0)->reader.position = 12;
	ck_assert_int_eq(recv_number(ends[0], 0), -EBADMSG);
	ck_assert_int_eq(recv_batch(ends[0], WEIR_FOREVER), -EBADMSG);
	ck_assert_int_eq(weir_pipe_poll(ends[0], WEIR_IN, 0, 0, &(uint32_t){ 0 }), -EBADMSG);
	ck_assert_int_eq(send_number(ends[1], 0, 0), -EBADMSG);
	ck_assert_int_eq(weir_pipe_handover(ends[1]), 0);
}
END_TEST

START_TEST(damage_is_told_rather_than_shutdown_or_close)
{
	ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
	*header_to(0) = 1;
	ck_assert_int_eq(recv_number(ends[0], 0), -EBADMSG);
	ck_assert_int_eq(weir_pipe_shutdown(ends[1]), 0);
	close_end(1);
	expect_receives(ends[0], -EBADMSG);
}
END_TEST

/* The holder of any copy may do that; the seals do not forbid it. */
START_TEST(punched_pipe_is_an_empty_pipe)
{
	const struct segment *s = &ends[0]->core->segment;
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	uint64_t sent = fill_with_numbers(ends[1], 0);

	ck_assert_int_eq(recv_number(ends[0], 0), 0);
	ck_assert_int_eq(fallocate(s->fd, mode, (off_t)s->front_size, 2 * CAPACITY), 0);
	ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
	ck_assert_int_eq(recv_number(ends[0], test_now() + 25 * MS), -ETIMEDOUT);
	/* The sender still counts what is gone; it neither crashes nor hangs. */
	for (uint64_t n = 0; n < sent; n++) {
		int result = send_number(ends[1], n, n % 16 ? 0 : test_now() + 100 * US);

		ck_assert(result == 0 || result == -EAGAIN || result == -ETIMEDOUT);
	}
	ck_assert_int_eq(send_number(ends[0], 1, 0), 0);
	ck_assert_int_eq(recv_number(ends[1], 0), 1);
}
END_TEST

START_TEST(punched_controls_neither_crash_nor_hang)
{
	const struct segment *s = &ends[0]->core->segment;
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	for (uint64_t n = 0; n < 1000; n++) {
		ck_assert_int_eq(send_number(ends[1], n, 0), 0);
		ck_assert_int_eq(recv_number(ends[0], 0), (int64_t)n);
	}
	ck_assert_int_eq(fallocate(s->fd, mode, 0, (off_t)s->front_size), 0);
	for (uint64_t n = 0; n < 3000; n++) {
		send_number(ends[1], n, n % 64 ? 0 : test_now() + 10 * US);
		recv_number(ends[0], n % 64 ? 0 : test_now() + 10 * US);
	}
	weir_pipe_handover(ends[0]);
	weir_pipe_handover(ends[1]);
	send_number(ends[1], 0, 0);
	recv_number(ends[0], 0);
}
END_TEST

static TCase *add(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, setup, teardown);
	suite_add_tcase(suite, tcase);
	return tcase;
}

int main(void)
{
	Suite *suite = suite_create("pipe-ends");
	TCase *closed = add(suite, "closed");
	TCase *shut = add(suite, "shut");
	TCase *damaged = add(suite, "damaged");

	tcase_add_test(closed, receiver_drains_what_a_closed_end_has_sent);
	tcase_add_test(closed, receiver_of_an_end_that_sent_nothing_gets_epipe);
	tcase_add_test(closed, sender_to_a_closed_end_gets_epipe_at_once);
	tcase_add_test(closed, sender_amid_a_stream_gets_epipe_at_once);
	tcase_add_test(closed, sender_to_a_closed_end_gets_epipe_though_the_ring_is_full);
	tcase_add_test(closed, what_was_pending_for_a_closed_end_is_gone_without_harm);
	tcase_add_test(closed, end_that_was_handed_over_is_not_closed);

	tcase_add_test(shut, shutdown_lets_what_was_sent_be_received);
	tcase_add_test(shut, shutdown_of_a_pipe_that_goes_one_way_is_seen_on_both_ends);
	tcase_add_test(shut, shutdown_leaves_what_was_pending_to_a_flush);
	tcase_add_test(shut, shutdown_does_not_ask_whether_anybody_listens);

	tcase_add_test(damaged, header_that_cannot_be_is_ebadmsg);
	tcase_add_test(damaged, header_that_cannot_be_ends_a_batch_before_it);
	tcase_add_test(damaged, reader_that_cannot_be_where_it_says_is_ebadmsg);
	tcase_add_test(damaged, positions_that_cannot_be_are_ebadmsg_for_a_new_owner);
	tcase_add_test(damaged, damage_is_told_rather_than_shutdown_or_close);
	tcase_add_test(damaged, punched_pipe_is_an_empty_pipe);
	tcase_add_test(damaged, punched_controls_neither_crash_nor_hang);
	return test_main(suite);
}
