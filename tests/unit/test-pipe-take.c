/* SPDX-License-Identifier: MIT */
/* Messages read in place: take and release, and the limit. */
#include "place-bed.h"

START_TEST(taken_sizes_from_none_to_the_largest_are_whole)
{
	for (size_t size = 0; size <= LARGEST; size += size < 600 ? 1 : 331) {
		const void *data;

		send_message(ends[0], size, size, 0);
		data = take(ends[1], size, size);
		ck_assert_int_eq(weir_pipe_release(ends[1], data), 0);
	}
	expect_nothing(ends[1]);
}
END_TEST

/* All orders of @count, by Heap's way. */
static int orders[120][5];

static int make_orders(int *order, int count, int n)
{
	if (count == 1) {
		memcpy(orders[n], order, sizeof(orders[n]));
		return n + 1;
	}
	for (int i = 0; i < count; i++) {
		int other = count % 2 ? 0 : i, kept;

		n = make_orders(order, count - 1, n);
		kept = order[other];
		order[other] = order[count - 1];
		order[count - 1] = kept;
	}
	return n;
}

START_TEST(taken_messages_are_released_in_every_order)
{
	static const size_t sizes[5] = { 100, 0, 3000, 8, 500 };
	int first[5] = { 0, 1, 2, 3, 4 };
	size_t room = room_of(ends[0]);

	ck_assert_int_eq(make_orders(first, 5, 0), 120);
	for (int n = 0; n < 120; n++) {
		const void *data[5];
		bool gone[5] = { false };

		for (uint64_t i = 0; i < 5; i++)
			send_message(ends[0], sizes[i], i, 0);
		for (uint64_t i = 0; i < 5; i++)
			data[i] = take(ends[1], sizes[i], i);
		/* The sender is told. */
		expect_nothing(ends[1]);
		for (int i = 0; i < 5; i++) {
			int which = orders[n][i], oldest = 0;
			size_t kept = 0;

			for (uint64_t k = 0; k < 5; k++)
				ck_assert(gone[k] || message_is(data[k], sizes[k], k));
			ck_assert_int_eq(weir_pipe_release(ends[1], data[which]), 0);
			ck_assert_int_eq(weir_pipe_release(ends[1], data[which]), -EINVAL);
			gone[which] = true;
			/* Free is all before the oldest that is not released. */
			while (oldest < 5 && gone[oldest])
				oldest++;
			for (int k = oldest; k < 5; k++)
				kept += lane_record_size(sizes[k]);
			ck_assert_uint_eq(room_of(ends[0]), room - kept);
		}
	}
}
END_TEST

START_TEST(release_of_what_is_not_taken_is_einval)
{
	const void *first, *second = NULL;
	static const uint8_t other[16];

	ck_assert_int_eq(weir_pipe_release(ends[1], other), -EINVAL);
	ck_assert_int_eq(weir_pipe_release(ends[1], NULL), 0);
	send_message(ends[0], 40, 1, 0);
	send_message(ends[0], 40, 2, 0);
	ck_assert_int_eq(weir_pipe_release(ends[1], other), -EINVAL);
	ck_assert_int_eq(weir_pipe_release(ends[1], NULL), 0);
	first = take(ends[1], 40, 1);
	for (int both = 0; both < 2; both++) {
		ck_assert_int_eq(weir_pipe_release(ends[1], other), -EINVAL);
		ck_assert_int_eq(weir_pipe_release(ends[1], (const uint8_t *)first + 1), -EINVAL);
		ck_assert_int_eq(weir_pipe_release(ends[1], (const uint8_t *)first - 8), -EINVAL);
		ck_assert_int_eq(weir_pipe_release(ends[1], (const uint8_t *)first + 8), -EINVAL);
		/* The same byte, mapped again. */
		ck_assert_int_eq(weir_pipe_release(ends[1], (const uint8_t *)first + CAPACITY),
				 -EINVAL);
		ck_assert_int_eq(weir_pipe_release(ends[1], (const uint8_t *)first + 48),
				 both ? 0 : -EINVAL);
		if (!both)
			second = take(ends[1], 40, 2);
	}
	ck_assert_int_eq(weir_pipe_release(ends[1], second), -EINVAL);
	ck_assert_int_eq(weir_pipe_release(ends[1], first), 0);
	ck_assert_int_eq(weir_pipe_release(ends[1], first), -EINVAL);
}
END_TEST

START_TEST(taken_and_received_messages_mix)
{
	const void *data[3];
	size_t room = room_of(ends[0]);

	for (int round = 0; round < 100; round++) {
		for (uint64_t n = 0; n < 6; n++)
			send_message(ends[0], 200 + n, n, 0);
		expect_message(ends[1], 200, 0);
		data[0] = take(ends[1], 201, 1);
		expect_message(ends[1], 202, 2);
		data[1] = take(ends[1], 203, 3);
		data[2] = take(ends[1], 204, 4);
		expect_message(ends[1], 205, 5);
		expect_nothing(ends[1]);
		ck_assert(message_is(data[0], 201, 1));
		ck_assert_int_eq(weir_pipe_release(ends[1], data[1]), 0);
		ck_assert_int_eq(weir_pipe_release(ends[1], data[0]), 0);
		ck_assert_uint_eq(room_of(ends[0]), room - 2 * 216);
		ck_assert_int_eq(weir_pipe_release(ends[1], data[2]), 0);
		ck_assert_uint_eq(room_of(ends[0]), room);
	}
}
END_TEST

START_TEST(what_is_taken_keeps_the_ring_full_until_it_is_released)
{
	const void *data[CAPACITY / 16];
	uint64_t sent = fill_with_numbers(ends[0], 0), again;

	ck_assert_uint_eq(sent, CAPACITY / 16 - 1);
	for (uint64_t n = 0; n < sent; n++) {
		size_t size;

		ck_assert_int_eq(weir_pipe_take(ends[1], 0, 0, &data[n], &size), 0);
		ck_assert_uint_eq(size, 8);
	}
	expect_nothing(ends[1]);
	ck_assert_int_eq(send_number(ends[0], 0, 0), -EAGAIN);
	/* All but the oldest: of no use. */
	for (uint64_t n = sent; n-- > 1;)
		ck_assert_int_eq(weir_pipe_release(ends[1], data[n]), 0);
	ck_assert_int_eq(send_number(ends[0], 0, 0), -EAGAIN);
	ck_assert_uint_eq(*(const uint64_t *)data[0], 0);
	ck_assert_int_eq(weir_pipe_release(ends[1], data[0]), 0);
	again = fill_with_numbers(ends[0], 1000);
	ck_assert_uint_eq(again, sent);
	for (uint64_t n = 0; n < again; n++)
		ck_assert_int_eq(recv_number(ends[1], 0), (int64_t)(1000 + n));
}
END_TEST

START_TEST(null_releases_all)
{
	size_t room = room_of(ends[0]);
	const void *data[200];

	for (uint64_t n = 0; n < 200; n++)
		send_message(ends[0], 20, n, 0);
	/* More than the ledger has room for at first, and round it. */
	for (uint64_t n = 0; n < 10; n++)
		ck_assert_int_eq(weir_pipe_release(ends[1], take(ends[1], 20, n)), 0);
	for (uint64_t n = 10; n < 200; n++)
		data[n] = take(ends[1], 20, n);
	for (uint64_t n = 10; n < 200; n++)
		ck_assert(message_is(data[n], 20, n));
	ck_assert_int_eq(weir_pipe_release(ends[1], data[77]), 0);
	ck_assert_int_eq(weir_pipe_release(ends[1], NULL), 0);
	ck_assert_int_eq(weir_pipe_release(ends[1], data[78]), -EINVAL);
	ck_assert_uint_eq(room_of(ends[0]), room);
	expect_nothing(ends[1]);
}
END_TEST

/* Taken, released and received at random, against a list. */
START_TEST(random_takes_and_releases_keep_order_and_contents)
{
	static struct { const void *data; size_t size; uint64_t number; } held[64];
	static size_t sizes[1024];
	uint64_t sent = 0, received = 0;
	unsigned int count = 0;

	for (int i = 0; i < 100000 / LESS; i++) {
		size_t size = test_random_below(test_random_below(10) ? 60 : 1500);

		if (sent - received < 1024 && test_random_below(2)) {
			message_fill(buffer, size, sent);
			if (weir_pipe_send(ends[0], buffer, size, 0, 0) == 0)
				sizes[sent++ % 1024] = size;
		}
		if (received < sent && count < 64 && test_random_below(2)) {
			held[count].size = sizes[received % 1024];
			held[count].number = received;
			held[count].data = take(ends[1], held[count].size, received);
			count++;
			received++;
		} else if (received < sent && !test_random_below(3)) {
			expect_message(ends[1], sizes[received % 1024], received);
			received++;
		}
		if (count > 0 && test_random_below(count < 50 ? 2 : 4)) {
			unsigned int which = (unsigned int)test_random_below(count);

			if (test_random_below(2))
				which = 0;
			ck_assert(message_is(held[which].data, held[which].size,
					     held[which].number));
			ck_assert_int_eq(weir_pipe_release(ends[1], held[which].data), 0);
			held[which] = held[--count];
		}
		if (test_random_below(500) == 0) {
			ck_assert_int_eq(weir_pipe_release(ends[1], NULL), 0);
			count = 0;
		}
	}
	ck_assert_uint_gt(sent, 5000 / LESS);
}
END_TEST

START_TEST(batch_is_taken_up_to_what_is_there)
{
	struct weir_msg m[8];

	ck_assert_int_eq(weir_pipe_take_batch(ends[1], m, 8, 0, 0), -EAGAIN);
	for (uint64_t n = 0; n < 5; n++)
		send_message(ends[0], 30 + n, n, 0);
	ck_assert_int_eq(weir_pipe_take_batch(ends[1], m, 3, 0, 0), 3);
	ck_assert_int_eq(weir_pipe_take_batch(ends[1], m + 3, 5, 0, soon()), 2);
	for (uint64_t n = 0; n < 5; n++) {
		ck_assert_uint_eq(m[n].size, 30 + n);
		ck_assert(message_is(m[n].data, 30 + n, n));
	}
	for (int n = 4; n >= 0; n--)
		ck_assert_int_eq(weir_pipe_release(ends[1], m[n].data), 0);
	ck_assert_int_eq(weir_pipe_take_batch(ends[1], m, 8, 0, weir_after(MS)), -ETIMEDOUT);
}
END_TEST

START_TEST(taken_batch_does_not_lose_a_message_beyond_the_limit_untold)
{
	struct weir_msg m[4];

	ck_assert_int_eq(weir_pipe_limit(ends[1], 100), 0);
	send_message(ends[0], 10, 1, 0);
	send_message(ends[0], 101, 2, 0);
	send_message(ends[0], 11, 3, 0);
	ck_assert_int_eq(weir_pipe_take_batch(ends[1], m, 4, 0, 0), 1);
	m[0].size = MARK;
	ck_assert_int_eq(weir_pipe_take_batch(ends[1], m, 4, 0, 0), -EMSGSIZE);
	ck_assert_uint_eq(m[0].size, 101);
	ck_assert_int_eq(weir_pipe_take_batch(ends[1], m, 4, 0, 0), 1);
	ck_assert_uint_eq(m[0].size, 11);
}
END_TEST

START_TEST(limit_drops_what_is_larger_and_nothing_else)
{
	struct weir_msg m = { .data = buffer, .room = sizeof(buffer) };
	const void *data;
	size_t got;

	for (uint64_t limit = 0; limit < 700; limit += 99) {
		ck_assert_int_eq(weir_pipe_limit(ends[1], limit), 0);
		for (int way = 0; way < 3; way++) {
			send_message(ends[0], limit, 1, 0);
			send_message(ends[0], limit + 1, 2, 0);
			send_message(ends[0], 0, 3, 0);
			expect_message(ends[1], limit, 1);
			got = m.size = MARK;
			if (way == 0)
				ck_assert_int_eq(weir_pipe_recv(ends[1], buffer, CAPACITY, 0, 0,
								&got), -EMSGSIZE);
			else if (way == 1)
				ck_assert_int_eq(weir_pipe_take(ends[1], 0, 0, &data, &got),
						 -EMSGSIZE);
			else
				ck_assert_int_eq(weir_pipe_recv_batch(ends[1], &m, 1, 0, 0),
						 -EMSGSIZE);
			ck_assert_uint_eq(way < 2 ? got : m.size, limit + 1);
			ck_assert_int_eq(weir_pipe_release(ends[1], take(ends[1], 0, 3)), 0);
			expect_nothing(ends[1]);
		}
	}
	/* Also while something is taken. */
	ck_assert_int_eq(weir_pipe_limit(ends[1], 50), 0);
	send_message(ends[0], 50, 1, 0);
	send_message(ends[0], 51, 2, 0);
	send_message(ends[0], 20, 3, 0);
	data = take(ends[1], 50, 1);
	ck_assert_int_eq(weir_pipe_recv(ends[1], buffer, CAPACITY, 0, 0, &got), -EMSGSIZE);
	expect_message(ends[1], 20, 3);
	ck_assert(message_is(data, 50, 1));
	ck_assert_int_eq(weir_pipe_release(ends[1], data), 0);
	ck_assert_int_eq(weir_pipe_limit(ends[1], UINT64_MAX), 0);
	expect_nothing(ends[1]);
	send_message(ends[0], LARGEST, 4, 0);
	expect_message(ends[1], LARGEST, 4);
}
END_TEST

START_TEST(received_batch_behind_a_taken_message_is_whole)
{
	struct weir_msg m[4];
	const void *data;
	int got = 0;

	for (uint64_t n = 0; n < 5; n++)
		send_message(ends[0], 8, n, 0);
	data = take(ends[1], 8, 0);
	while (got < 4) {
		int result;

		for (int i = got; i < 4; i++)
			m[i] = (struct weir_msg){ .data = buffer + 64 * i, .room = 64 };
		result = weir_pipe_recv_batch(ends[1], m + got, (size_t)(4 - got), 0, 0);
		ck_assert_int_gt(result, 0);
		got += result;
	}
	for (uint64_t n = 0; n < 4; n++)
		ck_assert(m[n].size == 8 && message_is(buffer + 64 * n, 8, n + 1));
	ck_assert(message_is(data, 8, 0));
	expect_nothing(ends[1]);
}
END_TEST

START_TEST(handover_with_taken_messages_is_ebusy)
{
	const void *data;

	send_message(ends[0], 8, 1, 0);
	data = take(ends[1], 8, 1);
	ck_assert_int_eq(weir_pipe_handover(ends[1]), -EBUSY);
	ck_assert(message_is(data, 8, 1));
	ck_assert_int_eq(weir_pipe_release(ends[1], data), 0);
	ck_assert_int_eq(weir_pipe_handover(ends[1]), 0);
}
END_TEST

static int take_and_close(void *arg)
{
	const void *data;
	size_t size;

	(void)arg;
	for (uint64_t n = 0; n < 4; n++) {
		child_check(weir_pipe_take(ends[1], 0, 0, &data, &size) == 0);
		child_check(size == 100 && message_is(data, size, n));
		/* The first is received, the third is not: the second is before it. */
		if (n == 0 || n == 2)
			child_check(weir_pipe_release(ends[1], data) == 0);
	}
	child_check(weir_pipe_recv(ends[1], buffer, 100, 0, 0, NULL) == 0);
	weir_pipe_close(ends[1]);
	return 0;
}

START_TEST(next_owner_gets_what_was_taken_at_a_close_again)
{
	struct child child;

	for (uint64_t n = 0; n < 6; n++)
		send_message(ends[0], 100, n, 0);
	child = child_start(take_and_close, NULL);
	child_join_ok(&child);
	for (uint64_t n = 1; n < 6; n++)
		expect_message(ends[1], 100, n);
	expect_nothing(ends[1]);
}
END_TEST

/* Room that is freed when all has been received already: nobody comes by again to tell of it. */
START_TEST(release_after_the_last_receive_tells_the_sender)
{
	const void *data;

	for (int round = 0; round < 3; round++) {
		send_message(ends[0], 200, 1, 0);
		data = take(ends[1], 200, 1);
		if (round == 1)
			ck_assert_int_eq(weir_pipe_release(ends[1], data), 0);
		expect_nothing(ends[1]);
		if (round != 1)
			ck_assert_int_eq(weir_pipe_release(ends[1], round ? data : NULL), 0);
		send_in_place(ends[0], LARGEST, 2, 0);
		expect_message(ends[1], LARGEST, 2);
		expect_nothing(ends[1]);
	}
}
END_TEST

START_TEST(taking_tells_a_sender_that_waits_of_room)
{
	uint64_t sent = fill_with_numbers(ends[0], 0);
	const void *data;
	size_t size;

	/* Received, but less than the sender is told of unasked. */
	for (uint64_t n = 0; n < 4; n++) {
		ck_assert_int_eq(weir_pipe_take(ends[1], 0, 0, &data, &size), 0);
		ck_assert_int_eq(weir_pipe_release(ends[1], data), 0);
	}
	ck_assert_int_eq(weir_pipe_send(ends[0], buffer, 40, WEIR_NOSPIN, weir_after(MS)),
			 -ETIMEDOUT);
	ck_assert_int_eq(weir_pipe_take(ends[1], 0, 0, &data, &size), 0);
	ck_assert_int_eq(weir_pipe_send(ends[0], buffer, 40, 0, 0), 0);
	ck_assert_uint_gt(sent, 4);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pipe-take");
	TCase *taking = add(suite, "take");

	tcase_add_test(taking, taken_sizes_from_none_to_the_largest_are_whole);
	tcase_add_test(taking, taken_messages_are_released_in_every_order);
	tcase_add_test(taking, release_of_what_is_not_taken_is_einval);
	tcase_add_test(taking, taken_and_received_messages_mix);
	tcase_add_test(taking, what_is_taken_keeps_the_ring_full_until_it_is_released);
	tcase_add_test(taking, null_releases_all);
	tcase_add_test(taking, random_takes_and_releases_keep_order_and_contents);
	tcase_add_test(taking, batch_is_taken_up_to_what_is_there);
	tcase_add_test(taking, taken_batch_does_not_lose_a_message_beyond_the_limit_untold);
	tcase_add_test(taking, limit_drops_what_is_larger_and_nothing_else);
	tcase_add_test(taking, received_batch_behind_a_taken_message_is_whole);
	tcase_add_test(taking, handover_with_taken_messages_is_ebusy);
	tcase_add_test(taking, next_owner_gets_what_was_taken_at_a_close_again);
	tcase_add_test(taking, release_after_the_last_receive_tells_the_sender);
	tcase_add_test(taking, taking_tells_a_sender_that_waits_of_room);
	return test_main(suite);
}
