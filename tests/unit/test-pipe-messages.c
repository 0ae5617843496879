/* SPDX-License-Identifier: MIT */
/* What is sent is received: sizes, full and empty rings, batches, and what is published when. */
#include "pipe-tools.h"

#include <errno.h>

#include "base/cc.h"

#define CAPACITY	(UINT64_C(16) << 10)
#define LARGEST		((size_t)CAPACITY - 16)
#define MARK		4711

static struct weir_end *ends[2];

static void setup(void)
{
	ck_assert_int_eq(pipe_make(ends, 0, CAPACITY), 0);
}

static void teardown(void)
{
	pipe_close_both(ends);
}

static uint8_t buffer[CAPACITY + 64];

static int send_message(struct weir_end *end, size_t size, uint64_t number, uint32_t flags)
{
	uint8_t *data = buffer + (number & 15);

	message_fill(data, size, number);
	return weir_pipe_send(end, data, size, flags, 0);
}

/* Receive into a buffer with no room to spare, or some, and nothing written beyond the message. */
static void expect_message(struct weir_end *end, size_t size, uint64_t number)
{
	uint8_t *to = buffer + 16 + (number & 7);
	size_t got = MARK;

	memset(buffer, 0xa5, size + 64);
	ck_assert_int_eq(weir_pipe_recv(end, to, size + number % 3, 0, 0, &got), 0);
	ck_assert_uint_eq(got, size);
	ck_assert_msg(message_is(to, size, number), "message %lu of %zu bytes",
		      (unsigned long)number, size);
	ck_assert(to[-1] == 0xa5 && to[size] == 0xa5);
}

static void expect_nothing(struct weir_end *end)
{
	size_t got = MARK;
	char byte = 7;

	ck_assert_int_eq(weir_pipe_recv(end, &byte, 1, 0, 0, &got), -EAGAIN);
	ck_assert_uint_eq(got, MARK);
	ck_assert_int_eq(byte, 7);
}

/*
 * Sizes
 */

START_TEST(each_small_size_arrives_whole)
{
	for (int end = 0; end < 2; end++) {
		for (size_t size = 0; size <= 600; size++) {
			/* Several, so that the fast ways through the calls are gone too. */
			for (uint64_t n = 0; n < 4; n++)
				ck_assert_int_eq(send_message(ends[end], size, size + n, 0), 0);
			for (uint64_t n = 0; n < 4; n++)
				expect_message(ends[1 - end], size, size + n);
		}
		expect_nothing(ends[1 - end]);
	}
}
END_TEST

START_TEST(sizes_up_to_the_largest_arrive_whole)
{
	for (size_t size = 600; size <= LARGEST; size += size < LARGEST - 20 ? 97 : 1) {
		ck_assert_int_eq(send_message(ends[0], size, size, 0), 0);
		expect_message(ends[1], size, size);
	}
	ck_assert_int_eq(send_message(ends[0], LARGEST, 1, 0), 0);
	expect_message(ends[1], LARGEST, 1);
}
END_TEST

START_TEST(random_sizes_keep_their_order)
{
	static size_t sizes[4096];
	uint64_t sent = 0, received = 0;

	for (int i = 0; i < 200000 / LESS; i++) {
		size_t size = test_random_below(test_random_below(20) ? 120 : 5000);

		sizes[sent % 4096] = size;
		if (sent - received < 4096 && send_message(ends[1], size, sent, 0) == 0)
			sent++;
		while (received < sent && test_random_below(3)) {
			expect_message(ends[0], sizes[received % 4096], received);
			received++;
		}
	}
	for (; received < sent; received++)
		expect_message(ends[0], sizes[received % 4096], received);
	expect_nothing(ends[0]);
	ck_assert_uint_gt(sent, 10000 / LESS);
}
END_TEST

START_TEST(message_of_no_bytes_needs_no_pointers)
{
	size_t got = MARK;

	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(weir_pipe_send(ends[0], NULL, 0, 0, 0), 0);
		ck_assert_int_eq(weir_pipe_send(ends[0], "", 0, 0, 0), 0);
		ck_assert_int_eq(weir_pipe_recv(ends[1], NULL, 0, 0, 0, &got), 0);
		ck_assert_uint_eq(got, 0);
		ck_assert_int_eq(weir_pipe_recv(ends[1], NULL, 0, 0, 0, NULL), 0);
		got = MARK;
	}
	expect_nothing(ends[1]);
}
END_TEST

START_TEST(size_need_not_be_asked_for)
{
	char byte = 0;

	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(weir_pipe_send(ends[0], "x", 1, 0, 0), 0);
		ck_assert_int_eq(weir_pipe_recv(ends[1], &byte, 1, 0, 0, NULL), 0);
		ck_assert_int_eq(byte, 'x');
	}
}
END_TEST

START_TEST(message_larger_than_the_buffer_stays_and_its_size_is_told)
{
	static const size_t sizes[] = { 1, 8, 100, 512, 513, 5000 };

	for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
		size_t got = MARK;
		char byte = 7;

		ck_assert_int_eq(send_message(ends[0], sizes[i], i, 0), 0);
		ck_assert_int_eq(send_message(ends[0], 3, i, 0), 0);
		ck_assert_int_eq(weir_pipe_recv(ends[1], &byte, 0, 0, 0, &got), -EMSGSIZE);
		ck_assert_uint_eq(got, sizes[i]);
		ck_assert_int_eq(byte, 7);
		ck_assert_int_eq(weir_pipe_recv(ends[1], buffer, sizes[i] - 1, 0, 0, &got),
				 -EMSGSIZE);
		ck_assert_uint_eq(got, sizes[i]);
		ck_assert_int_eq(weir_pipe_recv(ends[1], NULL, 0, 0, 0, NULL), -EMSGSIZE);
		expect_message(ends[1], sizes[i], i);
		expect_message(ends[1], 3, i);
		expect_nothing(ends[1]);
	}
}
END_TEST

START_TEST(message_beyond_four_gib_is_emsgsize_and_nothing_is_sent)
{
	static const size_t sizes[] = {
		(size_t)1 << 32, ((size_t)1 << 32) + 1, SIZE_MAX / 2, SIZE_MAX - 4096,
		SIZE_MAX - 17,	 SIZE_MAX - 8,		SIZE_MAX - 7, SIZE_MAX,
	};

	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
			struct weir_msg m = { .data = buffer, .size = sizes[i] };

			ck_assert_int_eq(weir_pipe_send(ends[0], buffer, sizes[i], 0, 0),
					 -EMSGSIZE);
			ck_assert_int_eq(weir_pipe_send(ends[0], buffer, sizes[i], 0, WEIR_FOREVER),
					 -EMSGSIZE);
			ck_assert_int_eq(weir_pipe_send(ends[0], buffer, sizes[i], WEIR_MORE, 0),
					 -EMSGSIZE);
			ck_assert_int_eq(weir_pipe_send_batch(ends[0], &m, 1, 0, 0), -EMSGSIZE);
			expect_nothing(ends[1]);
			/* In the middle of a stream. */
			for (uint64_t n = 0; n < 20; n++)
				ck_assert_int_eq(send_message(ends[0], 64, n, 0), 0);
			ck_assert_int_eq(weir_pipe_send(ends[0], buffer, sizes[i], 0, 0),
					 -EMSGSIZE);
			for (uint64_t n = 0; n < 20; n++)
				expect_message(ends[1], 64, n);
		}
		expect_nothing(ends[1]);
	}
}
END_TEST

/*
 * Full and empty
 */

START_TEST(full_ring_is_eagain_and_loses_nothing)
{
	uint64_t next = 0, expected = 0;

	for (int round = 0; round < 50; round++) {
		uint64_t sent = fill_with_numbers(ends[1], next);

		next += sent;
		ck_assert_uint_gt(sent, 0);
		ck_assert_int_eq(send_number(ends[1], MARK, 0), -EAGAIN);
		ck_assert_int_eq(send_number(ends[1], MARK, -1), -EAGAIN);
		/* One that is much smaller might fit still, but these are all of a size. */
		while (expected < next - (uint64_t)round % 7)
			ck_assert_int_eq(recv_number(ends[0], 0), (int64_t)expected++);
	}
	while (expected < next)
		ck_assert_int_eq(recv_number(ends[0], 0), (int64_t)expected++);
	expect_nothing(ends[0]);
}
END_TEST

START_TEST(ring_takes_as_many_bytes_as_it_says)
{
	/* A message of 8 bytes takes 16, and one header is always free. */
	ck_assert_uint_eq(fill_with_numbers(ends[1], 0), (CAPACITY - 8) / 16);
	/* And there is room for one more of no bytes. */
	ck_assert_int_eq(weir_pipe_send(ends[1], "", 0, 0, 0), 0);
	ck_assert_int_eq(weir_pipe_send(ends[1], "", 0, 0, 0), -EAGAIN);
}
END_TEST

START_TEST(deadline_in_the_past_tries_and_does_not_sleep)
{
	static const int64_t past[] = { 1, 1000, 1000000 };
	uint64_t sent;
	char byte;

	for (size_t i = 0; i < ARRAY_LENGTH(past); i++) {
		ck_assert_int_eq(weir_pipe_recv(ends[0], &byte, 1, 0, past[i], NULL), -ETIMEDOUT);
		ck_assert_int_eq(weir_pipe_recv(ends[0], &byte, 1, WEIR_NOSPIN, past[i], NULL),
				 -ETIMEDOUT);
		sent = fill_with_numbers(ends[1], 0);
		ck_assert_int_eq(send_number(ends[1], 0, past[i]), -ETIMEDOUT);
		ck_assert_int_eq(send_number(ends[1], 0, test_now() - 1), -ETIMEDOUT);
		for (uint64_t n = 0; n < sent; n++)
			ck_assert_int_eq(recv_number(ends[0], past[i]), (int64_t)n);
		ck_assert_int_eq(send_number(ends[1], 5, past[i]), 0);
		ck_assert_int_eq(recv_number(ends[0], 0), 5);
	}
}
END_TEST

static int wait_to_receive(uint32_t flags, int64_t deadline)
{
	struct weir_msg m = { .data = buffer, .room = 8 };

	if (flags & WEIR_INTR)
		return weir_pipe_recv_batch(ends[0], &m, 1, flags, deadline);
	return weir_pipe_recv(ends[0], buffer, 8, flags, deadline, NULL);
}

static int wait_to_send(uint32_t flags, int64_t deadline)
{
	struct weir_msg m = { .data = buffer, .size = 8 };

	if (flags & WEIR_INTR)
		return weir_pipe_send_batch(ends[1], &m, 1, flags, deadline);
	return weir_pipe_send(ends[1], buffer, 8, flags, deadline);
}

static int wait_for_event(uint32_t flags, int64_t deadline)
{
	uint32_t events;

	return weir_pipe_poll(ends[0], WEIR_IN, flags, deadline, &events);
}

/* Before the first sleep, in the first slice, in the shallow and in the deep stage. */
static void check_lateness(int (*call)(uint32_t flags, int64_t deadline), uint32_t flags)
{
	static const int64_t after[] = { 5 * US, 60 * US, 1 * MS, 30 * MS };

	for (size_t k = 0; k < ARRAY_LENGTH(after); k++) {
		int64_t late[5];
		int sets = 0;

		do {
			for (size_t i = 0; i < ARRAY_LENGTH(late); i++) {
				int64_t deadline = test_now() + after[k];

				ck_assert_int_eq(call(flags, deadline), -ETIMEDOUT);
				late[i] = test_now() - deadline;
				ck_assert_int_ge(late[i], 0);
				ck_assert_int_lt(late[i], 2000 * MS);
			}
		} while (take_again(late, ARRAY_LENGTH(late), 50 * MS, &sets));
		ck_assert_int_lt(median(late, ARRAY_LENGTH(late)), 50 * MS);
	}
}

START_TEST(deadline_passes_not_early_and_not_much_late)
{
	fill_with_numbers(ends[1], 0);
	while (recv_number(ends[0], 0) >= 0)
		;
	check_lateness(wait_to_receive, 0);
	check_lateness(wait_to_receive, WEIR_NOSPIN | WEIR_INTR);
	check_lateness(wait_for_event, 0);
	check_lateness(wait_for_event, WEIR_NOSPIN);
	fill_with_numbers(ends[1], 0);
	check_lateness(wait_to_send, WEIR_INTR);
	check_lateness(wait_to_send, WEIR_NOSPIN);
}
END_TEST

/*
 * MORE
 */

START_TEST(more_is_seen_with_the_next_message_without_it)
{
	for (uint64_t n = 0; n < 20; n++) {
		ck_assert_int_eq(send_message(ends[0], n, n, WEIR_MORE), 0);
		expect_nothing(ends[1]);
	}
	ck_assert_int_eq(send_message(ends[0], 20, 20, 0), 0);
	for (uint64_t n = 0; n <= 20; n++)
		expect_message(ends[1], n, n);
	expect_nothing(ends[1]);
}
END_TEST

START_TEST(more_is_seen_after_a_flush)
{
	ck_assert_int_eq(weir_pipe_flush(ends[0]), 0);
	for (uint64_t n = 0; n < 20; n++) {
		ck_assert_int_eq(send_message(ends[0], 9, n, WEIR_MORE), 0);
		expect_nothing(ends[1]);
		ck_assert_int_eq(weir_pipe_flush(ends[0]), 0);
		ck_assert_int_eq(weir_pipe_flush(ends[0]), 0);
		expect_message(ends[1], 9, n);
		expect_nothing(ends[1]);
	}
}
END_TEST

START_TEST(more_is_seen_after_close)
{
	for (uint64_t n = 0; n < 5; n++)
		ck_assert_int_eq(send_message(ends[0], 9, n, WEIR_MORE), 0);
	expect_nothing(ends[1]);
	weir_pipe_close(ends[0]);
	ends[0] = NULL;
	for (uint64_t n = 0; n < 5; n++)
		expect_message(ends[1], 9, n);
	ck_assert_int_eq(recv_number(ends[1], 0), -EPIPE);
}
END_TEST

START_TEST(more_is_seen_after_handover)
{
	ck_assert_int_eq(send_message(ends[0], 9, 1, WEIR_MORE), 0);
	ck_assert_int_eq(weir_pipe_handover(ends[0]), 0);
	expect_message(ends[1], 9, 1);
	expect_nothing(ends[1]);
}
END_TEST

START_TEST(more_is_seen_when_an_eighth_of_the_ring_is_filled)
{
	/* A message of 56 bytes takes 64. */
	uint64_t eighth = CAPACITY / 8 / 64;

	for (int round = 0; round < 20; round++) {
		for (uint64_t n = 0; n < eighth - 1; n++)
			ck_assert_int_eq(send_message(ends[0], 56, n, WEIR_MORE), 0);
		expect_nothing(ends[1]);
		ck_assert_int_eq(send_message(ends[0], 56, eighth - 1, WEIR_MORE), 0);
		for (uint64_t n = 0; n < eighth; n++)
			expect_message(ends[1], 56, n);
		expect_nothing(ends[1]);
	}
	/* Or by one large message. */
	ck_assert_int_eq(send_message(ends[0], 5000, 1, WEIR_MORE), 0);
	expect_message(ends[1], 5000, 1);
}
END_TEST

START_TEST(more_fills_the_ring_and_all_of_it_is_seen)
{
	uint64_t sent = 0;

	while (send_message(ends[0], 40, sent, WEIR_MORE) == 0)
		sent++;
	ck_assert_uint_eq(sent, (CAPACITY - 8) / 48);
	/* The one that did not fit has published the rest: the reader must be able to make room. */
	for (uint64_t n = 0; n < sent; n++)
		expect_message(ends[1], 40, n);
	expect_nothing(ends[1]);
}
END_TEST

/*
 * Batches
 */

#define BATCH 32

struct batch {
	struct weir_msg messages[BATCH];
	uint8_t bytes[BATCH][1024];
};

static struct batch out, in;

static size_t batch_size(uint64_t number)
{
	return number * 37 % 700;
}

static void prepare_out(size_t count, uint64_t first)
{
	for (size_t i = 0; i < count; i++) {
		out.messages[i] =
			(struct weir_msg){ .data = out.bytes[i], .size = batch_size(first + i) };
		message_fill(out.bytes[i], out.messages[i].size, first + i);
	}
}

static void prepare_in(size_t room)
{
	memset(in.bytes, 0xa5, sizeof(in.bytes));
	for (size_t i = 0; i < BATCH; i++)
		in.messages[i] =
			(struct weir_msg){ .data = in.bytes[i], .room = room, .size = MARK };
}

static void check_in(size_t count, uint64_t first)
{
	for (size_t i = 0; i < count; i++) {
		ck_assert_uint_eq(in.messages[i].size, batch_size(first + i));
		ck_assert(message_is(in.bytes[i], in.messages[i].size, first + i));
		ck_assert_int_eq(in.bytes[i][in.messages[i].size], 0xa5);
	}
	/* What was not received is as it was. */
	for (size_t i = count; i < BATCH; i++)
		ck_assert(in.messages[i].size == MARK && in.bytes[i][0] == 0xa5);
}

START_TEST(batches_arrive_in_batches_of_any_size)
{
	uint64_t sent = 0, received = 0;

	for (int round = 0; round < 2000 / LESS; round++) {
		size_t count = 1 + test_random_below(BATCH);
		int result;

		prepare_out(count, sent);
		result = weir_pipe_send_batch(ends[0], out.messages, count, 0, 0);
		ck_assert(result == -EAGAIN || (result > 0 && (size_t)result <= count));
		sent += result > 0 ? (uint64_t)result : 0;
		prepare_in(1000);
		count = 1 + test_random_below(BATCH);
		result = weir_pipe_recv_batch(ends[1], in.messages, count, 0, 0);
		ck_assert(result > 0 ? (size_t)result <= count
				     : result == -EAGAIN && sent == received);
		if (result < 0)
			continue;
		check_in((size_t)result, received);
		received += (uint64_t)result;
		ck_assert(received == sent || (size_t)result == count);
	}
	ck_assert_uint_gt(received, 1000 / LESS);
}
END_TEST

START_TEST(batch_that_does_not_fit_is_sent_as_far_as_it_does)
{
	uint64_t sent = 0, expected = 0;
	int result;

	do {
		prepare_out(BATCH, sent);
		result = weir_pipe_send_batch(ends[0], out.messages, BATCH, 0, 0);
		sent += result > 0 ? (uint64_t)result : 0;
	} while (result == BATCH);
	/* The last was a part, or nothing; what was sent is seen. */
	prepare_out(1, sent);
	ck_assert_int_eq(weir_pipe_send_batch(ends[0], out.messages, 1, 0, 0), -EAGAIN);
	ck_assert_int_eq(weir_pipe_send_batch(ends[0], out.messages, 1, 0, test_now() + MS),
			 -ETIMEDOUT);
	while (expected < sent) {
		expect_message(ends[1], batch_size(expected), expected);
		expected++;
	}
	expect_nothing(ends[1]);
}
END_TEST

START_TEST(batch_ends_before_a_message_that_is_wrong)
{
	prepare_out(3, 10);
	out.messages[2].size = SIZE_MAX;
	ck_assert_int_eq(weir_pipe_send_batch(ends[0], out.messages, 3, WEIR_MORE, WEIR_FOREVER),
			 2);
	expect_message(ends[1], batch_size(10), 10);
	expect_message(ends[1], batch_size(11), 11);
	prepare_out(2, 10);
	out.messages[1] = (struct weir_msg){ .data = NULL, .size = 1 };
	ck_assert_int_eq(weir_pipe_send_batch(ends[0], out.messages, 2, 0, 0), 1);
	expect_message(ends[1], batch_size(10), 10);
	ck_assert_int_eq(weir_pipe_send_batch(ends[0], out.messages + 1, 1, 0, 0), -EINVAL);
	/* Nothing of it needs to be there for a message of no bytes. */
	out.messages[0] = (struct weir_msg){ 0 };
	ck_assert_int_eq(weir_pipe_send_batch(ends[0], out.messages, 1, 0, 0), 1);
	expect_message(ends[1], 0, 0);
	expect_nothing(ends[1]);
}
END_TEST

START_TEST(batch_with_more_is_seen_later)
{
	prepare_out(5, 0);
	ck_assert_int_eq(weir_pipe_send_batch(ends[0], out.messages, 5, WEIR_MORE, 0), 5);
	expect_nothing(ends[1]);
	prepare_out(5, 5);
	ck_assert_int_eq(weir_pipe_send_batch(ends[0], out.messages, 5, WEIR_MORE, 0), 5);
	expect_nothing(ends[1]);
	prepare_out(1, 10);
	ck_assert_int_eq(weir_pipe_send_batch(ends[0], out.messages, 1, 0, 0), 1);
	prepare_in(1000);
	ck_assert_int_eq(weir_pipe_recv_batch(ends[1], in.messages, BATCH, 0, 0), 11);
	check_in(11, 0);
}
END_TEST

START_TEST(received_batch_ends_before_a_message_without_room)
{
	prepare_out(6, 0);
	ck_assert_int_eq(weir_pipe_send_batch(ends[0], out.messages, 6, 0, 0), 6);
	prepare_in(1000);
	in.messages[2].room = batch_size(2) - 1;
	ck_assert_int_eq(weir_pipe_recv_batch(ends[1], in.messages, BATCH, 0, 0), 2);
	check_in(2, 0);
	prepare_in(batch_size(2) - 1);
	ck_assert_int_eq(weir_pipe_recv_batch(ends[1], in.messages, BATCH, 0, 0), -EMSGSIZE);
	ck_assert_uint_eq(in.messages[0].size, batch_size(2));
	ck_assert_int_eq(in.bytes[0][0], 0xa5);
	prepare_in(1000);
	ck_assert_int_eq(weir_pipe_recv_batch(ends[1], in.messages, BATCH, 0, 0), 4);
	check_in(4, 2);
}
END_TEST

START_TEST(received_batch_needs_no_memory_for_messages_of_no_bytes)
{
	struct weir_msg none[3] = { { .room = 100 }, { .room = 100 }, { .room = 100 } };

	ck_assert_int_eq(weir_pipe_send(ends[0], "", 0, 0, 0), 0);
	ck_assert_int_eq(weir_pipe_send(ends[0], "", 0, 0, 0), 0);
	ck_assert_int_eq(weir_pipe_send(ends[0], "x", 1, 0, 0), 0);
	ck_assert_int_eq(weir_pipe_recv_batch(ends[1], none, 3, 0, 0), 2);
	ck_assert_int_eq(weir_pipe_recv_batch(ends[1], none, 3, 0, 0), -EMSGSIZE);
	ck_assert_uint_eq(none[0].size, 1);
	ck_assert_int_eq(weir_pipe_recv(ends[1], buffer, 1, 0, 0, NULL), 0);
}
END_TEST

START_TEST(received_batch_of_nothing_is_eagain)
{
	prepare_in(1000);
	ck_assert_int_eq(weir_pipe_recv_batch(ends[1], in.messages, BATCH, 0, 0), -EAGAIN);
	check_in(0, 0);
}
END_TEST

static TCase *add(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, setup, teardown);
	suite_add_tcase(suite, tcase);
	return tcase;
}

static void add_more_and_batches(Suite *suite)
{
	TCase *more = add(suite, "more");
	TCase *batches = add(suite, "batches");

	tcase_add_test(more, more_is_seen_with_the_next_message_without_it);
	tcase_add_test(more, more_is_seen_after_a_flush);
	tcase_add_test(more, more_is_seen_after_close);
	tcase_add_test(more, more_is_seen_after_handover);
	tcase_add_test(more, more_is_seen_when_an_eighth_of_the_ring_is_filled);
	tcase_add_test(more, more_fills_the_ring_and_all_of_it_is_seen);

	tcase_add_test(batches, batches_arrive_in_batches_of_any_size);
	tcase_add_test(batches, batch_that_does_not_fit_is_sent_as_far_as_it_does);
	tcase_add_test(batches, batch_ends_before_a_message_that_is_wrong);
	tcase_add_test(batches, batch_with_more_is_seen_later);
	tcase_add_test(batches, received_batch_ends_before_a_message_without_room);
	tcase_add_test(batches, received_batch_needs_no_memory_for_messages_of_no_bytes);
	tcase_add_test(batches, received_batch_of_nothing_is_eagain);
}

int main(void)
{
	Suite *suite = suite_create("pipe-messages");
	TCase *sizes = add(suite, "sizes");
	TCase *full = add(suite, "full");

	tcase_add_test(sizes, each_small_size_arrives_whole);
	tcase_add_test(sizes, sizes_up_to_the_largest_arrive_whole);
	tcase_add_test(sizes, random_sizes_keep_their_order);
	tcase_add_test(sizes, message_of_no_bytes_needs_no_pointers);
	tcase_add_test(sizes, size_need_not_be_asked_for);
	tcase_add_test(sizes, message_larger_than_the_buffer_stays_and_its_size_is_told);
	tcase_add_test(sizes, message_beyond_four_gib_is_emsgsize_and_nothing_is_sent);

	tcase_add_test(full, full_ring_is_eagain_and_loses_nothing);
	tcase_add_test(full, ring_takes_as_many_bytes_as_it_says);
	tcase_add_test(full, deadline_in_the_past_tries_and_does_not_sleep);
	tcase_add_test(full, deadline_passes_not_early_and_not_much_late);

	add_more_and_batches(suite);
	return test_main(suite);
}
