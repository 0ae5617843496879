/* SPDX-License-Identifier: MIT */
/* Streams between two processes: by all calls, of all sizes, in all modes, and for event loops. */
#include "pipe-tools.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BATCH	16

enum way {
	ONE,
	MORE,
	MANY,
	MIXED
};

/* How one stream goes. */
struct stream {
	uint32_t flags;			/* of the pipe */
	uint64_t capacity;
	size_t size_max;
	uint64_t count;
	enum way send_by, recv_by;
};

static struct weir_end *ends[2];
static const struct stream *stream;

static size_t size_of(uint64_t number)
{
	uint64_t mixed = number * UINT64_C(0x9e3779b97f4a7c15);

	/* Mostly small ones, of any size that is less. */
	if ((mixed >> 60) == 0)
		return (mixed >> 20) % (stream->size_max + 1);
	return (mixed >> 20) % (stream->size_max < 100 ? stream->size_max + 1 : 100);
}

static enum way way_of(enum way way, uint64_t number)
{
	return way == MIXED ? (enum way)((number >> 5) % 3) : way;
}

static uint8_t *buffers[BATCH];

static void make_buffers(void)
{
	for (int i = 0; i < BATCH; i++)
		buffers[i] = malloc(stream->size_max + 1);
}

static void free_buffers(void)
{
	for (int i = 0; i < BATCH; i++)
		free(buffers[i]);
}

static uint64_t send_batch(uint64_t first)
{
	struct weir_msg m[BATCH];
	uint64_t left = stream->count - first;
	size_t count = left < BATCH ? left : BATCH;
	int result;

	for (size_t i = 0; i < count; i++) {
		m[i] = (struct weir_msg){ .data = buffers[i], .size = size_of(first + i) };
		message_fill(buffers[i], m[i].size, first + i);
	}
	result = weir_pipe_send_batch(ends[1], m, count, first % 64 ? 0 : WEIR_MORE, soon());
	child_check(result > 0 && (size_t)result <= count);
	return (uint64_t)result;
}

static uint64_t send_one(uint64_t number, uint32_t flags)
{
	message_fill(buffers[0], size_of(number), number);
	child_check(weir_pipe_send(ends[1], buffers[0], size_of(number), flags, soon()) == 0);
	return 1;
}

static int send_all(void *arg)
{
	uint64_t n = 0;

	(void)arg;
	make_buffers();
	while (n < stream->count) {
		enum way way = way_of(stream->send_by, n);

		if (way == MANY)
			n += send_batch(n);
		else
			n += send_one(n, way == MORE && n % 50 ? WEIR_MORE : 0);
	}
	/* The last may be pending. */
	weir_pipe_close(ends[1]);
	return 0;
}

static uint64_t recv_batch(uint64_t first)
{
	struct weir_msg m[BATCH];
	int result;

	for (int i = 0; i < BATCH; i++)
		m[i] = (struct weir_msg){ .data = buffers[i], .room = stream->size_max };
	result = weir_pipe_recv_batch(ends[0], m, BATCH, 0, soon());
	ck_assert_int_gt(result, 0);
	for (int i = 0; i < result; i++) {
		ck_assert_uint_eq(m[i].size, size_of(first + (uint64_t)i));
		ck_assert(message_is(buffers[i], m[i].size, first + (uint64_t)i));
	}
	return (uint64_t)result;
}

static uint64_t recv_one(uint64_t number)
{
	size_t size;

	ck_assert_int_eq(weir_pipe_recv(ends[0], buffers[0], stream->size_max, 0, soon(), &size),
			 0);
	ck_assert_uint_eq(size, size_of(number));
	ck_assert(message_is(buffers[0], size, number));
	return 1;
}

static void run(const struct stream *s)
{
	struct child child;
	uint64_t n = 0;

	stream = s;
	ck_assert_int_eq(pipe_make(ends, s->flags, s->capacity), 0);
	child = child_start(send_all, NULL);
	weir_pipe_close(ends[1]);
	make_buffers();
	while (n < s->count)
		n += way_of(s->recv_by, n) == MANY ? recv_batch(n) : recv_one(n);
	ck_assert_uint_eq(n, s->count);
	ck_assert_int_eq(weir_pipe_recv(ends[0], buffers[0], 1, 0, soon(), NULL), -EPIPE);
	child_join_ok(&child);
	weir_pipe_close(ends[0]);
	free_buffers();
}

START_TEST(stream_of_small_messages_arrives_in_each_mode)
{
	static const uint32_t flags[] = { 0, WEIR_PIPE_LATENCY, WEIR_PIPE_THROUGHPUT,
					  WEIR_PIPE_ONEWAY };

	for (size_t f = 0; f < ARRAY_LENGTH(flags); f++) {
		struct stream s = {
			.flags = flags[f],
			.size_max = 64,
			.count = 200000 / LESS,
		};

		run(&s);
	}
}
END_TEST

START_TEST(stream_arrives_by_each_pair_of_calls)
{
	for (enum way send_by = ONE; send_by <= MIXED; send_by++) {
		for (enum way recv_by = ONE; recv_by <= MIXED; recv_by++) {
			struct stream s = {
				.capacity = 65536,
				.size_max = 2000,
				.count = 10000 / LESS,
				.send_by = send_by,
				.recv_by = recv_by,
			};

			if (recv_by != MORE)
				run(&s);
		}
	}
}
END_TEST

START_TEST(stream_through_the_smallest_ring_arrives)
{
	for (enum way way = ONE; way <= MIXED; way++) {
		struct stream s = {
			.capacity = 4096,
			.size_max = 4080,
			.count = 10000 / LESS,
			.send_by = way,
			.recv_by = way == MORE ? MANY : way,
		};

		run(&s);
	}
}
END_TEST

START_TEST(stream_of_large_messages_arrives)
{
	struct stream s = {
		.capacity = UINT64_C(1) << 20,
		.size_max = 500000,
		.count = 1000 / LESS,
		.send_by = MIXED,
	};

	run(&s);
}
END_TEST

/*
 * Both ways at once
 */

#define EACH_WAY (UINT64_C(200000) / LESS)

/* Send and receive as either goes, without waiting for one alone. 0, or a line number. */
static int exchange(struct weir_end *end)
{
	uint64_t sent = 0, received = 0;

	while (sent < EACH_WAY || received < EACH_WAY) {
		uint32_t events = sent < EACH_WAY ? WEIR_IN | WEIR_OUT : WEIR_IN;

		if (weir_pipe_poll(end, events, 0, soon(), &events) != 0)
			return __LINE__;
		while (sent < EACH_WAY && send_number(end, sent, 0) == 0)
			sent++;
		for (;;) {
			int64_t got = recv_number(end, 0);

			if (got == -EAGAIN || got == -EPIPE)
				break;
			if (got != (int64_t)received++)
				return __LINE__;
		}
	}
	return 0;
}

static int exchange_in_child(void *arg)
{
	return exchange(arg);
}

START_TEST(streams_in_both_directions_do_not_lock_each_other)
{
	struct child child;

	ck_assert_int_eq(pipe_make(ends, 0, 4096), 0);
	child = child_start(exchange_in_child, ends[0]);
	ck_assert_int_eq(exchange(ends[1]), 0);
	child_join_ok(&child);
	pipe_close_both(ends);
}
END_TEST

/*
 * The descriptor in an event loop
 */

#define EVENTS (UINT64_C(3000) / LESS)

static int send_in_bursts(void *arg)
{
	uint64_t n = 0;

	(void)arg;
	while (n < EVENTS) {
		uint64_t burst = 1 + test_random_below(8);
		uint64_t longest = test_random_below(20) ? 100 * US : 1 * MS;
		int64_t pause = (int64_t)test_random_below(longest);

		while (burst-- > 0 && n < EVENTS)
			child_check(send_number(ends[1], n++, soon()) == 0);
		for (int64_t until = test_now() + pause; test_now() < until;)
			;
	}
	return 0;
}

/* Wait until the descriptor is readable; an epoll of the program's own every second time. */
static void wait_readable(int fd, int epoll, uint64_t turn)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct epoll_event event;

	ck_assert_int_eq(turn % 2 ? poll(&p, 1, 10000) : epoll_wait(epoll, &event, 1, 10000), 1);
}

START_TEST(event_loop_gets_each_message_and_the_end)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC), fd, for_nothing = 0;
	uint64_t received = 0, turn;
	int64_t got = 0;
	struct child child;

	ck_assert_int_eq(pipe_make(ends, 0, 4096), 0);
	fd = weir_pipe_fd(ends[0]);
	ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
	child = child_start(send_in_bursts, NULL);
	weir_pipe_close(ends[1]);
	for (turn = 0; got != -EPIPE; turn++) {
		uint64_t before = received;

		wait_readable(fd, epoll, turn);
		while ((got = recv_number(ends[0], 0)) >= 0)
			ck_assert_int_eq(got, (int64_t)received++);
		ck_assert(got == -EAGAIN || got == -EPIPE);
		for_nothing = received == before && got == -EAGAIN ? for_nothing + 1 : 0;
		ck_assert_int_le(for_nothing, 1);
	}
	ck_assert_uint_eq(received, EVENTS);
	child_join_ok(&child);
	weir_pipe_close(ends[0]);
	close(epoll);
}
END_TEST

/* One message at a time: the descriptor is readable until it has been received, and then not. */
static int send_when_told(void *arg)
{
	(void)arg;
	for (uint64_t n = 0; n < EVENTS / 3; n++) {
		child_check(recv_number(ends[1], soon()) == (int64_t)n);
		child_check(send_number(ends[1], n, soon()) == 0);
	}
	return 0;
}

START_TEST(descriptor_is_readable_exactly_while_a_message_is_there)
{
	struct pollfd p = { .events = POLLIN };
	struct child child;

	ck_assert_int_eq(pipe_make(ends, 0, 4096), 0);
	p.fd = weir_pipe_fd(ends[0]);
	/* From here on it is readable for a message, and not because it was asked for. */
	ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
	child = child_start(send_when_told, NULL);
	for (uint64_t n = 0; n < EVENTS / 3; n++) {
		int64_t got;

		ck_assert_int_eq(send_number(ends[0], n, soon()), 0);
		do {
			ck_assert_int_eq(poll(&p, 1, 10000), 1);
			got = recv_number(ends[0], 0);
		} while (got == -EAGAIN);
		ck_assert_int_eq(got, (int64_t)n);
		ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
		ck_assert_int_eq(poll(&p, 1, 0), 0);
	}
	child_join_ok(&child);
	pipe_close_both(ends);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pipe-stream");
	TCase *streams = tcase_create("streams");
	TCase *events = tcase_create("events");

	tcase_add_test(streams, stream_of_small_messages_arrives_in_each_mode);
	tcase_add_test(streams, stream_arrives_by_each_pair_of_calls);
	tcase_add_test(streams, stream_through_the_smallest_ring_arrives);
	tcase_add_test(streams, stream_of_large_messages_arrives);
	tcase_add_test(streams, streams_in_both_directions_do_not_lock_each_other);
	suite_add_tcase(suite, streams);

	tcase_add_test(events, event_loop_gets_each_message_and_the_end);
	tcase_add_test(events, descriptor_is_readable_exactly_while_a_message_is_there);
	suite_add_tcase(suite, events);
	return test_main(suite);
}
