/* SPDX-License-Identifier: MIT */
/* Handles over a pipe: their place among the messages, and what is left when one of two is lost. */
#include "parcel-tools.h"

#include <errno.h>
#include <poll.h>

#include "sys/sys.h"

static struct weir_end *freight[2];	/* what travels */

static void setup_both(void)
{
	setup();
	ck_assert_int_eq(pipe_make(freight, 0, CAPACITY), 0);
}

static void teardown_both(void)
{
	pipe_close_both(freight);
	teardown();
}

static int send_end(struct weir_end *over, const struct weir_end *end)
{
	return weir_pipe_send_handle(over, end, 0, 0);
}

static int recv_end(struct weir_end *over, struct weir_end **ret_end)
{
	return weir_pipe_recv_handle(over, WEIR_KIND_PIPE_END, 0, 0, ret_end);
}

/* @end is a copy of freight[1]. */
static void expect_freight(struct weir_end *end, uint64_t number)
{
	ck_assert_int_eq(send_number(end, number, 0), 0);
	ck_assert_int_eq(recv_number(freight[0], 0), (int64_t)number);
	weir_pipe_close(end);
}

START_TEST(handle_goes_both_ways)
{
	struct weir_end *end;

	for (int i = 0; i < 20; i++) {
		int from = i % 2;

		ck_assert_int_eq(send_end(ends[from], freight[1]), 0);
		ck_assert_int_eq(recv_end(ends[1 - from], &end), 0);
		expect_freight(end, (uint64_t)i);
		ck_assert_int_eq(recv_end(ends[1 - from], &end), -EAGAIN);
	}
}
END_TEST

START_TEST(handles_keep_their_places_among_the_messages)
{
	struct weir_end *end;

	for (uint64_t i = 0; i < 5; i++) {
		ck_assert_int_eq(send_number(ends[1], 2 * i, 0), 0);
		ck_assert_int_eq(send_end(ends[1], freight[i % 2]), 0);
		ck_assert_int_eq(send_number(ends[1], 2 * i + 1, 0), 0);
	}
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(recv_number(ends[0], 0), 2 * i);
		ck_assert_int_eq(recv_end(ends[0], &end), 0);
		ck_assert_uint_eq(end->rx_lane, (uint32_t)i % 2);
		weir_pipe_close(end);
		ck_assert_int_eq(recv_number(ends[0], 0), 2 * i + 1);
	}
}
END_TEST

START_TEST(other_receive_is_eproto_and_loses_nothing)
{
	struct weir_msg messages[3] = { { 0 } };
	char buffer[64];
	const void *data;
	struct weir_end *end;
	uint32_t events;
	size_t size;

	ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
	ck_assert_int_eq(send_end(ends[1], freight[1]), 0);
	ck_assert_int_eq(send_number(ends[1], 2, 0), 0);
	for (int i = 0; i < 3; i++) {
		messages[i].data = buffer + 16 * i;
		messages[i].room = 16;
	}
	ck_assert_int_eq(recv_end(ends[0], &end), -EPROTO);
	/* A batch ends before it. */
	ck_assert_int_eq(weir_pipe_recv_batch(ends[0], messages, 3, 0, 0), 1);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(weir_pipe_recv(ends[0], buffer, 64, 0, 0, NULL), -EPROTO);
		ck_assert_int_eq(weir_pipe_recv_batch(ends[0], messages, 3, 0, 0), -EPROTO);
		ck_assert_int_eq(weir_pipe_take(ends[0], 0, 0, &data, &size), -EPROTO);
		ck_assert_int_eq(weir_pipe_take_batch(ends[0], messages, 3, 0, 0), -EPROTO);
		ck_assert_int_eq(weir_pipe_poll(ends[0], WEIR_IN, 0, 0, &events), 0);
		ck_assert_uint_eq(events, WEIR_IN);
	}
	ck_assert_int_eq(recv_end(ends[0], &end), 0);
	expect_freight(end, 7);
	ck_assert_int_eq(recv_end(ends[0], &end), -EPROTO);
	ck_assert_int_eq(recv_number(ends[0], 0), 2);
	ck_assert_int_eq(recv_end(ends[0], &end), -EAGAIN);
}
END_TEST

START_TEST(handle_follows_what_was_sent_with_more)
{
	struct weir_end *end;

	ck_assert_int_eq(weir_pipe_send(ends[1], "12345678", 8, WEIR_MORE, 0), 0);
	ck_assert_int_eq(send_end(ends[1], freight[1]), 0);
	ck_assert_int_ge(recv_number(ends[0], 0), 0);
	ck_assert_int_eq(recv_end(ends[0], &end), 0);
	expect_freight(end, 1);
}
END_TEST

START_TEST(end_can_be_sent_over_itself)
{
	struct weir_end *end;

	ck_assert_int_eq(send_end(ends[1], ends[1]), 0);
	ck_assert_int_eq(send_end(ends[1], ends[0]), 0);
	ck_assert_int_eq(recv_end(ends[0], &end), 0);
	ck_assert_ptr_eq(end->core, ends[1]->core);
	ck_assert_uint_eq(end->rx_lane, ends[1]->rx_lane);
	weir_pipe_close(end);
	ck_assert_int_eq(recv_end(ends[0], &end), 0);
	ck_assert_int_eq(recv_number(end, 0), -EBUSY);
	weir_pipe_close(end);
}
END_TEST

START_TEST(wrong_arguments_are_refused)
{
	struct weir_end *oneway[2], *end;
	uint64_t other[8] = { 7777 };

	ck_assert_int_eq(weir_pipe_send_handle(NULL, freight[1], 0, 0), -EINVAL);
	ck_assert_int_eq(weir_pipe_send_handle(ends[1], NULL, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_pipe_send_handle(ends[1], other, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_pipe_send_handle(ends[1], freight[1], WEIR_MORE, 0), -EINVAL);
	ck_assert_int_eq(weir_pipe_recv_handle(NULL, WEIR_KIND_PIPE_END, 0, 0, &end), -EINVAL);
	ck_assert_int_eq(weir_pipe_recv_handle(ends[0], 0, 0, 0, &end), -EINVAL);
	ck_assert_int_eq(weir_pipe_recv_handle(ends[0], WEIR_KIND_PIPE_END, WEIR_MORE, 0, &end),
			 -EINVAL);
	ck_assert_int_eq(weir_pipe_recv_handle(ends[0], WEIR_KIND_PIPE_END, 0, 0, NULL), -EINVAL);
	ck_assert_int_eq(pipe_make(oneway, WEIR_PIPE_ONEWAY, CAPACITY), 0);
	ck_assert_int_eq(send_end(oneway[0], freight[1]), -EOPNOTSUPP);
	ck_assert_int_eq(recv_end(oneway[1], &end), -EOPNOTSUPP);
	ck_assert_int_eq(send_end(oneway[1], freight[1]), 0);
	ck_assert_int_eq(recv_end(oneway[0], &end), 0);
	expect_freight(end, 1);
	pipe_close_both(oneway);
}
END_TEST

START_TEST(full_pipe_is_eagain_and_later_etimedout)
{
	int64_t start = test_now();
	uint64_t sent = fill_with_numbers(ends[1], 0);
	struct weir_end *end;

	ck_assert_int_eq(send_end(ends[1], freight[1]), -EAGAIN);
	ck_assert_int_eq(weir_pipe_send_handle(ends[1], freight[1], 0, start + 30 * MS),
			 -ETIMEDOUT);
	/* Nothing of it has been sent. */
	for (uint64_t i = 0; i < sent; i++)
		ck_assert_int_eq(recv_number(ends[0], 0), (int64_t)i);
	ck_assert_int_eq(recv_end(ends[0], &end), -EAGAIN);
	ck_assert_int_eq(send_end(ends[1], freight[1]), 0);
	ck_assert_int_eq(recv_end(ends[0], &end), 0);
	expect_freight(end, 1);
}
END_TEST

START_TEST(full_line_is_eagain_and_later_etimedout)
{
	struct weir_end *roomy[2], *end;
	int64_t start = test_now();
	int sent = 0, result;

	ck_assert_int_eq(pipe_make(roomy, 0, UINT64_C(1) << 20), 0);
	while ((result = send_end(roomy[1], freight[1])) == 0)
		sent++;
	/* Or the limit of descriptors on their way, which is the user's. */
	ck_assert(result == -EAGAIN || result == -ETOOMANYREFS);
	ck_assert_int_gt(sent, 10);
	if (result == -EAGAIN)
		ck_assert_int_eq(weir_pipe_send_handle(roomy[1], freight[1], 0, start + 50 * MS),
				 -ETIMEDOUT);
	ck_assert_int_eq(send_number(roomy[1], 5, 0), 0);
	for (int i = 0; i < sent; i++) {
		ck_assert_int_eq(recv_end(roomy[0], &end), 0);
		weir_pipe_close(end);
	}
	ck_assert_int_eq(recv_number(roomy[0], 0), 5);
	pipe_close_both(roomy);
}
END_TEST

START_TEST(shutdown_and_close_come_after_what_was_sent)
{
	struct weir_end *pair[2], *end;

	ck_assert_int_eq(pipe_make(pair, 0, CAPACITY), 0);
	ck_assert_int_eq(send_end(pair[1], freight[1]), 0);
	ck_assert_int_eq(send_end(pair[1], freight[1]), 0);
	/* Something unread in what is closed, which the kernel tells as an error once. */
	ck_assert_int_eq(send_end(pair[0], freight[1]), 0);
	weir_pipe_close(pair[1]);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(recv_end(pair[0], &end), 0);
		expect_freight(end, 3);
	}
	ck_assert_int_eq(recv_end(pair[0], &end), -EPIPE);
	ck_assert_int_eq(send_end(pair[0], freight[1]), -EPIPE);
	weir_pipe_close(pair[0]);
	ck_assert_int_eq(pipe_make(pair, 0, CAPACITY), 0);
	ck_assert_int_eq(send_end(pair[1], freight[1]), 0);
	weir_pipe_shutdown(pair[1]);
	ck_assert_int_eq(send_end(pair[1], freight[1]), -ESHUTDOWN);
	ck_assert_int_eq(recv_end(pair[0], &end), 0);
	expect_freight(end, 4);
	ck_assert_int_eq(recv_end(pair[0], &end), -ESHUTDOWN);
	pipe_close_both(pair);
}
END_TEST

START_TEST(exported_descriptor_shows_a_handle_and_not_the_line)
{
	struct pollfd p = { .fd = weir_pipe_fd(ends[0]), .events = POLLIN };
	struct weir_end *end;
	struct parcel parcel;

	ck_assert_int_eq(recv_end(ends[0], &end), -EAGAIN);
	poll(&p, 1, 0);
	ck_assert_int_eq(recv_end(ends[0], &end), -EAGAIN);
	/* Without its record it is nothing. */
	parcel_of_end(freight[1], &parcel);
	parcel.note.ticket = 1;
	ck_assert_int_eq(parcel_send(ends[1]->line, &parcel, 0, 0), 0);
	ck_assert_int_eq(poll(&p, 1, 10), 0);
	ck_assert_int_eq(send_end(ends[1], freight[1]), 0);
	ck_assert_int_eq(poll(&p, 1, 1000), 1);
	ck_assert_int_eq(recv_end(ends[0], &end), 0);
	expect_freight(end, 1);
}
END_TEST

/*
 * One without the other
 */

static void send_orphan(uint64_t ticket)
{
	struct parcel parcel;

	parcel_of_end(freight[0], &parcel);
	parcel.note.ticket = ticket;
	ck_assert_int_eq(parcel_send(ends[1]->line, &parcel, 0, 0), 0);
}

START_TEST(descriptors_without_a_record_are_closed_and_skipped)
{
	struct weir_end *end;

	for (uint64_t i = 0; i < 6; i++) {
		uint64_t position = ends[1]->tx->lane.tail / 8;

		ck_assert_int_eq(send_number(ends[1], i, 0), 0);
		/* Of one who died before the message, or instead of it, or just now. */
		send_orphan(position << 32 | 12345);
		send_orphan((position + 2) << 32 | 12345);
		ck_assert_int_eq(sys_send_fds(ends[1]->line, "garbage", 7, NULL, 0), 7);
		ck_assert_int_eq(send_end(ends[1], freight[1]), 0);
		ck_assert_int_eq(recv_number(ends[0], 0), (int64_t)i);
		ck_assert_int_eq(recv_end(ends[0], &end), 0);
		expect_freight(end, i);
	}
}
END_TEST

static void lose_next(void)
{
	struct parcel parcel;

	ck_assert_int_eq(parcel_recv(ends[0]->line, &parcel, 0, 0), 0);
	parcel_close(&parcel);
}

START_TEST(record_without_descriptors_is_eownerdead_and_gone)
{
	struct weir_end *end;

	ck_assert_int_eq(send_end(ends[1], freight[1]), 0);
	ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
	lose_next();
	ck_assert_int_eq(recv_end(ends[0], &end), -EOWNERDEAD);
	ck_assert_int_eq(recv_number(ends[0], 0), 1);
	/* The next one's are not taken for it. */
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(send_end(ends[1], freight[1]), 0);
	lose_next();
	ck_assert_int_eq(recv_end(ends[0], &end), -EOWNERDEAD);
	for (uint64_t i = 0; i < 2; i++) {
		ck_assert_int_eq(recv_end(ends[0], &end), 0);
		expect_freight(end, i);
	}
	ck_assert_int_eq(recv_end(ends[0], &end), -EAGAIN);
}
END_TEST

START_TEST(record_of_a_wrong_size_is_damage)
{
	struct weir_end *end;
	struct lane_tx *lane = &ends[1]->tx->lane;

	ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
	ck_assert_int_eq(recv_number(ends[0], 0), 1);
	lane_tx_put_open(lane, RECORD_HANDLE, _i);
	ck_assert_int_eq(recv_end(ends[0], &end), -EBADMSG);
	ck_assert_int_eq(recv_end(ends[0], &end), -EBADMSG);
	ck_assert_int_eq(send_number(ends[1], 1, 0), -EBADMSG);
}
END_TEST

START_TEST(parcel_that_cannot_be_opened_is_an_error_and_gone)
{
	struct weir_segment_header *h = freight[1]->core->segment.front, good = *h;
	struct weir_end *end;

	ck_assert_int_eq(send_end(ends[1], freight[1]), 0);
	ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
	h->magic++;
	ck_assert_int_eq(recv_end(ends[0], &end), -EBADMSG);
	*h = good;
	ck_assert_int_eq(recv_number(ends[0], 0), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pipe-handle");
	TCase *both = tcase_create("both"), *one = tcase_create("one");

	tcase_add_checked_fixture(both, setup_both, teardown_both);
	tcase_add_test(both, handle_goes_both_ways);
	tcase_add_test(both, handles_keep_their_places_among_the_messages);
	tcase_add_test(both, other_receive_is_eproto_and_loses_nothing);
	tcase_add_test(both, handle_follows_what_was_sent_with_more);
	tcase_add_test(both, end_can_be_sent_over_itself);
	tcase_add_test(both, wrong_arguments_are_refused);
	tcase_add_test(both, full_pipe_is_eagain_and_later_etimedout);
	tcase_add_test(both, full_line_is_eagain_and_later_etimedout);
	tcase_add_test(both, shutdown_and_close_come_after_what_was_sent);
	tcase_add_test(both, exported_descriptor_shows_a_handle_and_not_the_line);
	suite_add_tcase(suite, both);

	tcase_add_checked_fixture(one, setup_both, teardown_both);
	tcase_add_test(one, descriptors_without_a_record_are_closed_and_skipped);
	tcase_add_test(one, record_without_descriptors_is_eownerdead_and_gone);
	tcase_add_loop_test(one, record_of_a_wrong_size_is_damage, 0, 8);
	tcase_add_test(one, parcel_that_cannot_be_opened_is_an_error_and_gone);
	suite_add_tcase(suite, one);
	return test_main(suite);
}
