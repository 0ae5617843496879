/* SPDX-License-Identifier: MIT */
/* Messages larger than the ring, whole and half. */
#include "pipe-tools.h"

#include <errno.h>
#include <poll.h>

#include "base/cc.h"

#define CAPACITY	(UINT64_C(4) << 10)
#define LARGEST		((size_t)CAPACITY - 16)
#define LARGE		10000
#define MIB		((size_t)1 << 20)
#define MARK		4711
/* A deadline that has passed: tries, and sends what there is room for. */
#define PAST		INT64_C(1)

static struct weir_end *ends[2];
static uint8_t *out, *in;	/* 16 MiB and a little */

static void setup(void)
{
	ck_assert_int_eq(pipe_make(ends, 0, CAPACITY), 0);
	out = malloc(16 * MIB + 16);
	in = malloc(16 * MIB + 16);
	ck_assert(out && in);
}

static void teardown(void)
{
	pipe_close_both(ends);
	free(out);
	free(in);
}

/*
 * A sender that is as far as the test wants: its pieces, one by one
 */

struct half {
	uint64_t total;
	uint64_t sent;
};

static void put_record(uint64_t mark, const void *data, size_t size, const uint64_t *prefix)
{
	struct lane_tx *lane = &ends[0]->tx->lane;
	uint8_t *to;

	ck_assert_int_eq(lane_tx_refresh(lane), 0);
	ck_assert(lane_tx_fits(lane, size + 8));
	to = lane_tx_open(lane);
	if (prefix)
		memcpy(to, prefix, 8);
	if (size > 0)
		memcpy(to + (prefix ? 8 : 0), data, size);
	lane_tx_put_open(lane, mark, size + (prefix ? 8 : 0));
	lane_tx_leave(lane);
	lane_tx_mark(lane);
}

/* Whether that was the last. */
static bool put_piece(struct half *h, uint64_t number)
{
	size_t size = piece_room(&ends[0]->tx->lane.lane) - (h->sent ? 0 : 8);
	uint64_t mark = h->sent ? RECORD_MIDDLE : RECORD_FIRST;

	if (size >= h->total - h->sent) {
		size = h->total - h->sent;
		mark = RECORD_LAST;
	}
	message_fill(out, h->total, number);
	put_record(mark, out + h->sent, size, h->sent ? NULL : &h->total);
	h->sent += size;
	return h->sent == h->total;
}

static struct half begin(uint64_t total, int pieces, uint64_t number)
{
	struct half h = { .total = total };

	/* Become the owner. */
	ck_assert_int_eq(weir_pipe_flush(ends[0]), 0);
	for (int i = 0; i < pieces; i++)
		put_piece(&h, number);
	return h;
}

static void expect_nothing(void)
{
	size_t got = MARK;

	ck_assert_int_eq(weir_pipe_recv(ends[1], in, LARGE, 0, 0, &got), -EAGAIN);
	ck_assert_uint_eq(got, MARK);
}

static void expect_number(uint64_t number)
{
	ck_assert_int_eq(recv_number(ends[1], 0), (int64_t)number);
}

/* Receives what comes from a sender that is one piece ahead, by one way after the other. */
enum way {
	RECV,
	RECV_WITH_ROOM,
	RECVV,
	TAKE,
	BATCH,
	WAYS
};

static int receive(enum way way, size_t room, size_t *ret_size)
{
	struct iovec parts[4] = { { in, 0 }, { in, 1 }, { in + 1, 700 }, { in + 701, room - 701 } };
	struct weir_msg m = { .data = in, .room = room };
	const void *data;
	int result;

	memset(in, 0xa5, room + 8);
	switch (way) {
	case RECVV:
		return weir_pipe_recvv(ends[1], parts, 4, 0, 0, ret_size);
	case TAKE:
		result = weir_pipe_take(ends[1], 0, 0, &data, ret_size);
		if (result == 0) {
			memcpy(in, data, *ret_size);
			ck_assert_int_eq(weir_pipe_release(ends[1], data), 0);
		}
		return result;
	case BATCH:
		result = weir_pipe_recv_batch(ends[1], &m, 1, 0, 0);
		if (result > 0 || result == -EMSGSIZE)
			*ret_size = m.size;
		return result > 0 ? 0 : result;
	default:
		return weir_pipe_recv(ends[1], in, room + (way == RECV ? 0 : 5), 0, 0, ret_size);
	}
}

START_TEST(message_half_received_is_resumed_in_every_way)
{
	for (int first = 0; first < WAYS; first++) {
		for (int next = 0; next < WAYS; next++) {
			uint64_t number = (uint64_t)(first * WAYS + next);
			struct half h = begin(LARGE, 3, number);
			size_t size = MARK;

			/* The first way, then the other, and at the end the first again. */
			ck_assert_int_eq(receive(first, LARGE, &size), -EAGAIN);
			for (int i = 0; i < 8; i++) {
				ck_assert(!put_piece(&h, number));
				ck_assert_int_eq(receive(next, LARGE + 3, &size), -EAGAIN);
			}
			while (!put_piece(&h, number))
				ck_assert_int_eq(receive((enum way)(h.sent % WAYS), LARGE, &size),
						 -EAGAIN);
			ck_assert_uint_eq(size, MARK);
			ck_assert_int_eq(receive(first, LARGE, &size), 0);
			ck_assert_uint_eq(size, LARGE);
			ck_assert(message_is(in, LARGE, number));
			ck_assert(first == TAKE || in[LARGE] == 0xa5);
			expect_nothing();
			ck_assert_int_eq(send_number(ends[0], number, 0), 0);
			expect_number(number);
		}
	}
}
END_TEST

START_TEST(buffer_that_is_too_small_keeps_the_message_and_its_size_is_told)
{
	for (int way = 0; way < WAYS; way++) {
		struct half h;
		size_t size = MARK;

		/* It brings its own. */
		if (way == TAKE)
			continue;
		h = begin(LARGE, 2, 5);
		/* Before any of it is received, half-way, and when the rest is there. */
		for (int i = 0; i < 3; i++) {
			ck_assert_int_eq(weir_pipe_recv(ends[1], in, LARGE - 1, 0, 0, &size),
					 -EMSGSIZE);
			ck_assert_uint_eq(size, LARGE);
			size = MARK;
			ck_assert_int_eq(receive(way, 9000, &size), -EMSGSIZE);
			ck_assert_uint_eq(size, LARGE);
			while (i == 0 && h.total - h.sent > 1000) {
				ck_assert_int_eq(receive(way, LARGE, &size), -EAGAIN);
				put_piece(&h, 5);
			}
			if (i == 1)
				put_piece(&h, 5);
		}
		ck_assert(put_piece(&h, 5));
		ck_assert_int_eq(receive(way, LARGE, &size), 0);
		ck_assert_uint_eq(size, LARGE);
		ck_assert(message_is(in, LARGE, 5));
		expect_nothing();
	}
}
END_TEST

START_TEST(first_piece_that_does_not_fit_the_buffer_is_emsgsize_without_a_place_for_the_size)
{
	struct half h = begin(LARGE, 2, 5);

	ck_assert_int_eq(weir_pipe_recv(ends[1], NULL, 0, 0, 0, NULL), -EMSGSIZE);
	ck_assert_int_eq(weir_pipe_recv(ends[1], in, 100, 0, soon(), NULL), -EMSGSIZE);
	ck_assert_int_eq(weir_pipe_recvv(ends[1], NULL, 0, 0, soon(), NULL), -EMSGSIZE);
	ck_assert_uint_lt(h.sent, h.total);
}
END_TEST

/*
 * Given up, cut off, refused
 */

START_TEST(deadline_of_zero_is_eagain_and_nothing_is_sent)
{
	struct weir_msg m = { .data = out, .size = LARGE };
	struct iovec part = { out, LARGE };

	ck_assert_int_eq(weir_pipe_send(ends[0], out, LARGE, 0, 0), -EAGAIN);
	ck_assert_int_eq(weir_pipe_send(ends[0], out, LARGEST + 1, WEIR_MORE, 0), -EAGAIN);
	ck_assert_int_eq(weir_pipe_sendv(ends[0], &part, 1, 0, 0), -EAGAIN);
	ck_assert_int_eq(weir_pipe_send_batch(ends[0], &m, 1, 0, 0), -EAGAIN);
	expect_nothing();
	ck_assert_int_eq(weir_pipe_send(ends[0], out, LARGEST, 0, 0), 0);
	ck_assert_int_eq(weir_pipe_send(ends[0], out, LARGE, 0, -5), -EAGAIN);
}
END_TEST

START_TEST(message_whose_deadline_comes_half_way_is_never_seen)
{
	struct weir_msg m[2] = { { .data = in, .room = LARGE }, { .data = in, .room = LARGE } };
	const void *data;
	size_t size;

	for (uint64_t n = 0; n < 40; n++) {
		size_t room = n % 2 ? LARGE : 8;

		ck_assert_int_eq(weir_pipe_send(ends[0], out, LARGE, 0, PAST), -ETIMEDOUT);
		if (n % 4 == 0) {
			expect_nothing();
			continue;
		}
		ck_assert_int_eq(send_number(ends[0], n, 0), 0);
		memset(in, 0xa5, LARGE);
		if (n % 4 == 1) {
			ck_assert_int_eq(weir_pipe_recv(ends[1], in, room, 0, 0, &size), 0);
		} else if (n % 4 == 2) {
			ck_assert_int_eq(weir_pipe_take(ends[1], 0, 0, &data, &size), 0);
			memcpy(in, data, 8);
			ck_assert_int_eq(weir_pipe_release(ends[1], data), 0);
		} else {
			ck_assert_int_eq(weir_pipe_recv_batch(ends[1], m, 2, 0, 0), 1);
			size = m[0].size;
		}
		ck_assert_uint_eq(size, 8);
		ck_assert_mem_eq(in, &n, 8);
		expect_nothing();
	}
}
END_TEST

START_TEST(cut_half_way_is_eownerdead_once)
{
	for (int way = 0; way < WAYS; way++) {
		for (int before = 0; before < 2; before++) {
			size_t size = MARK;

			begin(LARGE, 3, 1);
			if (before)
				ck_assert_int_eq(receive(way, LARGE, &size), -EAGAIN);
			put_record(RECORD_CUT, NULL, 0, NULL);
			ck_assert_int_eq(send_number(ends[0], 7, 0), 0);
			ck_assert_int_eq(receive(way, LARGE, &size), -EOWNERDEAD);
			ck_assert_uint_eq(size, MARK);
			expect_number(7);
			expect_nothing();
			/* Without one that has begun it means nothing, as an ABORT. */
			put_record(before ? RECORD_CUT : RECORD_ABORT, NULL, 0, NULL);
			expect_nothing();
		}
	}
}
END_TEST

START_TEST(pieces_without_a_beginning_are_eownerdead_once)
{
	for (int last = 0; last < 3; last++) {
		struct half h = begin(LARGE, 0, 1);

		h.sent = LARGE - 1200;
		put_piece(&h, 1);
		put_piece(&h, 1);
		ck_assert_int_eq(weir_pipe_recv(ends[1], in, LARGE, 0, 0, NULL), -EOWNERDEAD);
		expect_nothing();
		if (last == 0)
			put_piece(&h, 1);
		else if (last == 1)
			put_record(RECORD_ABORT, NULL, 0, NULL);
		else
			put_record(RECORD_CUT, NULL, 0, NULL);
		expect_nothing();
		ck_assert_int_eq(send_number(ends[0], 7, 0), 0);
		expect_number(7);
	}
}
END_TEST

START_TEST(message_beyond_the_limit_is_dropped_with_its_size_told_and_nothing_else_lost)
{
	for (int way = 0; way < WAYS; way++) {
		for (int given_up = 0; given_up < 2; given_up++) {
			struct half h;
			size_t size = MARK;

			ck_assert_int_eq(weir_pipe_limit(ends[1], LARGE - 1), 0);
			ck_assert_int_eq(send_number(ends[0], 6, 0), 0);
			h = begin(LARGE, 4, 5);
			expect_number(6);
			ck_assert_int_eq(receive(way, 2 * LARGE, &size), -EMSGSIZE);
			ck_assert_uint_eq(size, LARGE);
			/* The rest of it is nothing to wait for. */
			expect_nothing();
			while (h.total - h.sent > 500) {
				put_piece(&h, 5);
				expect_nothing();
			}
			if (given_up)
				put_record(RECORD_ABORT, NULL, 0, NULL);
			else
				put_piece(&h, 5);
			ck_assert_int_eq(send_number(ends[0], 7, 0), 0);
			expect_number(7);
			expect_nothing();
			ck_assert_int_eq(weir_pipe_limit(ends[1], LARGE), 0);
			h = begin(LARGE, 1, 8);
			do
				ck_assert_int_eq(receive(way, LARGE, &size), -EAGAIN);
			while (!put_piece(&h, 8));
			ck_assert_int_eq(receive(way, LARGE, &size), 0);
			ck_assert(message_is(in, LARGE, 8));
		}
	}
}
END_TEST

START_TEST(large_message_while_others_are_taken_is_ebusy_and_stays)
{
	const void *small, *large, *behind;
	struct half h;
	size_t size;

	ck_assert_int_eq(send_number(ends[0], 7, 0), 0);
	ck_assert_int_eq(weir_pipe_take(ends[1], 0, 0, &small, &size), 0);
	h = begin(LARGE, 2, 5);
	for (int way = 0; way < WAYS; way++)
		ck_assert_int_eq(receive(way, LARGE, &size), -EBUSY);
	ck_assert_uint_eq(*(const uint64_t *)small, 7);
	ck_assert_int_eq(weir_pipe_release(ends[1], small), 0);
	do
		ck_assert_int_eq(receive(TAKE, LARGE, &size), -EAGAIN);
	while (!put_piece(&h, 5));
	ck_assert_int_eq(weir_pipe_handover(ends[1]), -EBUSY);
	ck_assert_int_eq(weir_pipe_take(ends[1], 0, 0, &large, &size), 0);
	ck_assert(size == LARGE && message_is(large, LARGE, 5));
	/* A large one counts as taken, too; small ones do come. */
	ck_assert_int_eq(send_number(ends[0], 8, 0), 0);
	ck_assert_int_eq(send_number(ends[0], 9, 0), 0);
	begin(LARGE, 2, 6);
	ck_assert_int_eq(weir_pipe_take(ends[1], 0, 0, &small, &size), 0);
	ck_assert_int_eq(weir_pipe_take(ends[1], 0, 0, &behind, &size), 0);
	ck_assert_int_eq(receive(RECV, LARGE, &size), -EBUSY);
	ck_assert_int_eq(weir_pipe_release(ends[1], (const uint8_t *)large + 8), -EINVAL);
	/* The first behind it begins where it ended. */
	ck_assert_int_eq(weir_pipe_release(ends[1], small), 0);
	ck_assert_int_eq(weir_pipe_release(ends[1], large), 0);
	ck_assert_int_eq(weir_pipe_release(ends[1], large), -EINVAL);
	ck_assert_int_eq(weir_pipe_release(ends[1], behind), 0);
	ck_assert_int_eq(receive(RECV, LARGE, &size), -EAGAIN);
	ck_assert_int_eq(weir_pipe_handover(ends[1]), -EBUSY);
}
END_TEST

START_TEST(message_behind_a_large_one_that_was_released_can_be_released)
{
	const void *small, *large;
	struct half h = begin(LARGE, 0, 5);
	size_t size;

	while (!put_piece(&h, 5))
		ck_assert_int_eq(receive(TAKE, LARGE, &size), -EAGAIN);
	ck_assert_int_eq(weir_pipe_take(ends[1], 0, 0, &large, &size), 0);
	ck_assert_int_eq(send_number(ends[0], 8, 0), 0);
	ck_assert_int_eq(weir_pipe_take(ends[1], 0, 0, &small, &size), 0);
	ck_assert_int_eq(weir_pipe_release(ends[1], large), 0);
	ck_assert_int_eq(weir_pipe_release(ends[1], small), 0);
	ck_assert_int_eq(weir_pipe_handover(ends[1]), 0);
}
END_TEST

/*
 * Damage
 */

START_TEST(pieces_that_cannot_be_poison_the_pipe)
{
	static const struct { uint64_t mark; size_t size; } wrong[] = {
		/* behind the first of three pieces of 1200 bytes */
		{ RECORD_LAST, 500 }, { RECORD_LAST, 0 }, { RECORD_MIDDLE, 1200 - 496 },
		{ RECORD_MIDDLE, 0 }, { RECORD_MIDDLE, 1000 },
		{ RECORD_KIND(RECORD_KINDS + 1), 500 },
	};

	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
		struct weir_end *kept[2] = { ends[0], ends[1] };
		uint64_t total = 1200;

		ck_assert_int_eq(pipe_make(ends, 0, CAPACITY), 0);
		ck_assert_int_eq(weir_pipe_flush(ends[0]), 0);
		put_record(RECORD_FIRST, out, 496, &total);
		expect_nothing();
		put_record(wrong[i].mark, out, wrong[i].size, NULL);
		ck_assert_int_eq(weir_pipe_recv(ends[1], in, LARGE, 0, 0, NULL), -EBADMSG);
		ck_assert_int_eq(weir_pipe_send(ends[0], out, 1, 0, 0), -EBADMSG);
		pipe_close_both(ends);
		memcpy(ends, kept, sizeof(kept));
	}
}
END_TEST

START_TEST(beginnings_that_cannot_be_poison_the_pipe)
{
	/* Without a size, with nothing behind it, all there at once, beyond 4 GiB. */
	static const struct { uint64_t total; size_t size; } wrong[] = {
		{ 0, 496 }, { 1200, 0 }, { 496, 496 }, { 100, 496 },
		{ (uint64_t)UINT32_MAX + 1, 496 }, { UINT64_MAX, 496 },
	};

	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
		struct weir_end *kept[2] = { ends[0], ends[1] };
		const void *data;
		size_t size;

		ck_assert_int_eq(pipe_make(ends, 0, CAPACITY), 0);
		ck_assert_int_eq(weir_pipe_flush(ends[0]), 0);
		put_record(RECORD_FIRST, out, wrong[i].size, &wrong[i].total);
		ck_assert_int_eq(weir_pipe_take(ends[1], 0, 0, &data, &size), -EBADMSG);
		pipe_close_both(ends);
		memcpy(ends, kept, sizeof(kept));
	}
}
END_TEST

START_TEST(size_that_is_a_lie_costs_no_memory_that_has_not_come)
{
	uint64_t total = UINT32_MAX;
	const void *data;
	size_t size;

	ck_assert_int_eq(weir_pipe_flush(ends[0]), 0);
	put_record(RECORD_FIRST, out, 496, &total);
	ck_assert_int_eq(weir_pipe_take(ends[1], 0, 0, &data, &size), -EAGAIN);
	ck_assert_uint_le(ends[1]->rx->store_room, 4096);
}
END_TEST

/*
 * Events
 */

static bool is_readable(int fd)
{
	return poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 0) == 1;
}

START_TEST(half_a_message_is_not_readable_but_a_full_ring_and_a_whole_one_are)
{
	int fd = weir_pipe_fd(ends[1]);
	uint32_t events;
	int stuffed = 0;

	ck_assert_int_ge(fd, 0);
	expect_nothing();
	for (int round = 0; round < 3; round++) {
		ck_assert_int_eq(weir_pipe_send(ends[0], out, LARGE, 0, PAST), -ETIMEDOUT);
		/* It filled the ring, and was given up then. */
		ck_assert(is_readable(fd));
		expect_nothing();
		ck_assert(!is_readable(fd));
	}
	for (struct half h = begin(LARGE, 0, 1); !put_piece(&h, 1);) {
		int result = weir_pipe_poll(ends[1], WEIR_IN, 0, 0, &events);

		if (h.sent == 7 * 504 - 8) {
			ck_assert_int_eq(result, 0);
			ck_assert_uint_eq(events, WEIR_IN);
			expect_nothing();
			stuffed++;
			result = weir_pipe_poll(ends[1], WEIR_IN, 0, 0, &events);
		}
		ck_assert_int_eq(result, -EAGAIN);
		if (stuffed)
			expect_nothing();
	}
	ck_assert_int_eq(stuffed, 1);
	ck_assert_int_eq(weir_pipe_poll(ends[1], WEIR_IN, 0, 0, &events), 0);
	ck_assert_int_eq(weir_pipe_recv(ends[1], in, LARGE, 0, 0, NULL), 0);
	ck_assert(message_is(in, LARGE, 1));
	ck_assert_int_eq(weir_pipe_poll(ends[1], WEIR_IN, 0, 0, &events), -EAGAIN);
}
END_TEST

START_TEST(rest_of_a_refused_message_is_not_readable)
{
	uint32_t events;
	struct half h;

	ck_assert_int_eq(weir_pipe_limit(ends[1], 100), 0);
	h = begin(3000, 2, 1);
	ck_assert_int_eq(weir_pipe_recv(ends[1], in, LARGE, 0, 0, NULL), -EMSGSIZE);
	do
		ck_assert_int_eq(weir_pipe_poll(ends[1], WEIR_IN, 0, 0, &events), -EAGAIN);
	while (!put_piece(&h, 1));
	ck_assert_int_eq(weir_pipe_poll(ends[1], WEIR_IN, 0, 0, &events), -EAGAIN);
	expect_nothing();
}
END_TEST

/*
 * The end
 */

START_TEST(shutdown_half_way_keeps_the_half_and_says_so)
{
	struct half h = begin(LARGE, 3, 5);
	size_t size = MARK;

	expect_nothing();
	ck_assert_int_eq(weir_pipe_shutdown(ends[1]), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(weir_pipe_recv(ends[1], in, LARGE, 0, soon(), &size), -ESHUTDOWN);
	ck_assert_uint_eq(size, MARK);
	/* What had been sent is received. */
	while (!put_piece(&h, 5))
		ck_assert_int_eq(weir_pipe_recv(ends[1], in, LARGE, 0, soon(), NULL), -ESHUTDOWN);
	ck_assert_int_eq(weir_pipe_recv(ends[1], in, LARGE, 0, soon(), &size), 0);
	ck_assert(size == LARGE && message_is(in, LARGE, 5));
	ck_assert_int_eq(weir_pipe_recv(ends[1], in, LARGE, 0, soon(), &size), -ESHUTDOWN);
}
END_TEST

START_TEST(close_of_the_sender_half_way_is_eownerdead_then_epipe)
{
	begin(LARGE, 3, 5);
	expect_nothing();
	weir_pipe_close(ends[0]);
	ends[0] = NULL;
	ck_assert_int_eq(weir_pipe_recv(ends[1], in, LARGE, 0, soon(), NULL), -EOWNERDEAD);
	ck_assert_int_eq(weir_pipe_recv(ends[1], in, LARGE, 0, soon(), NULL), -EPIPE);
}
END_TEST

static int receive_a_number(void *arg)
{
	(void)arg;
	child_check(weir_pipe_recv(ends[1], in, LARGE, 0, 0, NULL) == -EOWNERDEAD);
	child_check(recv_number(ends[1], 0) == 7);
	child_check(recv_number(ends[1], 0) == -EAGAIN);
	return 0;
}

static int receive_half_and_close(void *arg)
{
	(void)arg;
	child_check(weir_pipe_recv(ends[1], in, LARGE, 0, 0, NULL) == -EAGAIN);
	weir_pipe_close(ends[1]);
	return 0;
}

START_TEST(next_receiver_after_a_close_half_way_gets_eownerdead_once)
{
	struct half h = begin(LARGE, 3, 5);
	struct child child = child_start(receive_half_and_close, NULL);

	child_join_ok(&child);
	ck_assert(!put_piece(&h, 5));
	put_record(RECORD_ABORT, NULL, 0, NULL);
	ck_assert_int_eq(send_number(ends[0], 7, 0), 0);
	child = child_start(receive_a_number, NULL);
	child_join_ok(&child);
}
END_TEST

static TCase *add(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, setup, teardown);
	suite_add_tcase(suite, tcase);
	return tcase;
}

static void add_ends(Suite *suite)
{
	TCase *damage = add(suite, "damage");
	TCase *events = add(suite, "events");
	TCase *end = add(suite, "end");

	tcase_add_test(damage, pieces_that_cannot_be_poison_the_pipe);
	tcase_add_test(damage, beginnings_that_cannot_be_poison_the_pipe);
	tcase_add_test(damage, size_that_is_a_lie_costs_no_memory_that_has_not_come);
	tcase_add_test(events, half_a_message_is_not_readable_but_a_full_ring_and_a_whole_one_are);
	tcase_add_test(events, rest_of_a_refused_message_is_not_readable);
	tcase_add_test(end, shutdown_half_way_keeps_the_half_and_says_so);
	tcase_add_test(end, close_of_the_sender_half_way_is_eownerdead_then_epipe);
	tcase_add_test(end, next_receiver_after_a_close_half_way_gets_eownerdead_once);
}

int main(void)
{
	Suite *suite = suite_create("pipe-large");
	TCase *half = add(suite, "half");
	TCase *lost = add(suite, "lost");

	tcase_add_test(half, message_half_received_is_resumed_in_every_way);
	tcase_add_test(half, buffer_that_is_too_small_keeps_the_message_and_its_size_is_told);
	tcase_add_test(half,
		first_piece_that_does_not_fit_the_buffer_is_emsgsize_without_a_place_for_the_size);
	tcase_add_test(lost, deadline_of_zero_is_eagain_and_nothing_is_sent);
	tcase_add_test(lost, message_whose_deadline_comes_half_way_is_never_seen);
	tcase_add_test(lost, cut_half_way_is_eownerdead_once);
	tcase_add_test(lost, pieces_without_a_beginning_are_eownerdead_once);
	tcase_add_test(lost,
		message_beyond_the_limit_is_dropped_with_its_size_told_and_nothing_else_lost);
	tcase_add_test(lost, large_message_while_others_are_taken_is_ebusy_and_stays);
	tcase_add_test(lost, message_behind_a_large_one_that_was_released_can_be_released);
	add_ends(suite);
	return test_main(suite);
}
