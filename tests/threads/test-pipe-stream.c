/* SPDX-License-Identifier: MIT */
/*
 * Both ends of a pipe in one process, each used by a thread of its own. Over one mapping, which is
 * what ThreadSanitizer needs to see that each byte is handed over in order.
 */
#include "pipe-tools.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>

#define BATCH	8

static struct weir_end *ends[2];

/* A thread that does @fn on @end and says what came of it: 0, or the line where it went wrong. */
struct worker {
	pthread_t thread;
	int (*fn)(struct worker *w);
	struct weir_end *end;
	uint64_t count;
	size_t size_max;
	uint32_t flags;
	bool batches;
	int result;
};

#define CHECK(condition) \
	do { \
		if (!(condition)) \
			return __LINE__; \
	} while (0)

static void *work(void *arg)
{
	struct worker *w = arg;

	w->result = w->fn(w);
	return NULL;
}

static void start(struct worker *w)
{
	ck_assert_int_eq(pthread_create(&w->thread, NULL, work, w), 0);
}

static void join(struct worker *w)
{
	ck_assert_int_eq(pthread_join(w->thread, NULL), 0);
	ck_assert_msg(w->result == 0, "line %d", w->result);
}

static size_t size_of(const struct worker *w, uint64_t number)
{
	return (number * UINT64_C(0x9e3779b97f4a7c15) >> 33) % (w->size_max + 1);
}

static int send_one(struct worker *w, uint8_t *buffer, uint64_t n)
{
	uint32_t flags = w->flags;

	if ((flags & WEIR_MORE) && (n % 20 == 0 || n + 1 == w->count))
		flags &= ~WEIR_MORE;
	message_fill(buffer, size_of(w, n), n);
	CHECK(weir_pipe_send(w->end, buffer, size_of(w, n), flags, soon()) == 0);
	return 0;
}

static int send_some(struct worker *w, uint8_t *buffer, uint64_t *n)
{
	struct weir_msg m[BATCH];
	int result, count = 0;

	for (uint64_t i = *n; i < w->count && count < BATCH; i++, count++) {
		uint8_t *data = buffer + (size_t)count * (w->size_max + 1);

		message_fill(data, size_of(w, i), i);
		m[count] = (struct weir_msg){ .data = data, .size = size_of(w, i) };
	}
	result = weir_pipe_send_batch(w->end, m, (size_t)count, 0, soon());
	CHECK(result > 0);
	*n += (uint64_t)result;
	return 0;
}

static int send_all(struct worker *w)
{
	uint8_t *buffer = malloc(BATCH * (w->size_max + 1));
	int result = 0;

	for (uint64_t n = 0; result == 0 && n < w->count;) {
		if (w->batches)
			result = send_some(w, buffer, &n);
		else
			result = send_one(w, buffer, n++);
	}
	free(buffer);
	return result;
}

static int recv_some(struct worker *w, uint8_t *buffer, uint64_t *n)
{
	struct weir_msg m[BATCH];
	int result;

	for (size_t i = 0; i < BATCH; i++)
		m[i] = (struct weir_msg){ .data = buffer + i * (w->size_max + 1),
					  .room = w->size_max };
	result = weir_pipe_recv_batch(w->end, m, w->batches ? BATCH : 1, w->flags & WEIR_NOSPIN,
				      soon());
	CHECK(result > 0);
	for (int i = 0; i < result; i++) {
		CHECK(m[i].size == size_of(w, *n));
		CHECK(message_is(m[i].data, m[i].size, (*n)++));
	}
	return 0;
}

static int recv_one(struct worker *w, uint8_t *buffer, uint64_t n)
{
	size_t size;

	CHECK(weir_pipe_recv(w->end, buffer, w->size_max, w->flags & WEIR_NOSPIN, soon(), &size) ==
	      0);
	CHECK(size == size_of(w, n) && message_is(buffer, size, n));
	return 0;
}

static int recv_all(struct worker *w)
{
	uint8_t *buffer = malloc(BATCH * (w->size_max + 1));
	int result = 0;

	for (uint64_t n = 0; result == 0 && n < w->count;)
		result = w->batches ? recv_some(w, buffer, &n) : recv_one(w, buffer, n++);
	free(buffer);
	return result;
}

static void run(uint64_t capacity, struct worker like)
{
	struct worker sender = like, receiver = like;

	ck_assert_int_eq(pipe_make(ends, 0, capacity), 0);
	sender.fn = send_all;
	sender.end = ends[1];
	receiver.fn = recv_all;
	receiver.end = ends[0];
	start(&sender);
	start(&receiver);
	join(&sender);
	join(&receiver);
	ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
	pipe_close_both(ends);
}

START_TEST(stream_of_small_messages_arrives)
{
	run(0, (struct worker){ .count = 100000 / LESS, .size_max = 100 });
	run(4096, (struct worker){ .count = 50000 / LESS, .size_max = 100 });
}
END_TEST

START_TEST(stream_of_messages_up_to_the_largest_arrives)
{
	run(4096, (struct worker){ .count = 10000 / LESS, .size_max = 4080 });
}
END_TEST

START_TEST(stream_in_batches_arrives)
{
	run(8192, (struct worker){ .count = 50000 / LESS, .size_max = 700, .batches = true });
}
END_TEST

START_TEST(stream_with_more_arrives)
{
	run(8192, (struct worker){ .count = 50000 / LESS, .size_max = 200, .flags = WEIR_MORE });
}
END_TEST

START_TEST(stream_between_sleepers_arrives)
{
	run(4096, (struct worker){ .count = 20000 / LESS, .size_max = 100, .flags = WEIR_NOSPIN });
}
END_TEST

START_TEST(stream_in_each_mode_arrives)
{
	static const uint32_t flags[] = { WEIR_PIPE_LATENCY, WEIR_PIPE_THROUGHPUT,
					  WEIR_PIPE_ONEWAY };

	for (size_t i = 0; i < ARRAY_LENGTH(flags); i++) {
		struct worker sender = { .fn = send_all, .count = 40000 / LESS, .size_max = 64 };
		struct worker receiver = sender;

		ck_assert_int_eq(pipe_make(ends, flags[i], 65536), 0);
		sender.end = ends[1];
		receiver.fn = recv_all;
		receiver.end = ends[0];
		start(&sender);
		start(&receiver);
		join(&sender);
		join(&receiver);
		pipe_close_both(ends);
	}
}
END_TEST

/*
 * Both ways
 */

START_TEST(streams_in_both_directions_arrive)
{
	struct worker workers[4];

	ck_assert_int_eq(pipe_make(ends, 0, 4096), 0);
	for (int i = 0; i < 4; i++) {
		workers[i] = (struct worker){
			.fn = i % 2 ? send_all : recv_all,
			.end = ends[i / 2],
			.count = 30000 / LESS,
			.size_max = 64,
		};
		start(&workers[i]);
	}
	for (int i = 0; i < 4; i++)
		join(&workers[i]);
	pipe_close_both(ends);
}
END_TEST

static int echo(struct worker *w)
{
	for (uint64_t n = 0; n < w->count; n++) {
		uint64_t number;

		CHECK(weir_pipe_recv(w->end, &number, 8, w->flags, soon(), NULL) == 0);
		CHECK(number == n);
		CHECK(weir_pipe_send(w->end, &number, 8, w->flags, soon()) == 0);
	}
	return 0;
}

static int ping(struct worker *w)
{
	for (uint64_t n = 0; n < w->count; n++) {
		uint64_t number = n;

		CHECK(weir_pipe_send(w->end, &number, 8, w->flags, soon()) == 0);
		CHECK(weir_pipe_recv(w->end, &number, 8, w->flags, soon(), NULL) == 0);
		CHECK(number == n);
		/* Now and then the other has time for its deep sleep. */
		if (n % 1000 == 999)
			nanosleep(&(struct timespec){ .tv_nsec = 22 * MS }, NULL);
	}
	return 0;
}

static void run_ping_pong(uint32_t flags)
{
	struct worker a = { .fn = ping, .count = 5000 / LESS, .flags = flags }, b = a;

	ck_assert_int_eq(pipe_make(ends, 0, 4096), 0);
	a.end = ends[0];
	b.end = ends[1];
	b.fn = echo;
	start(&a);
	start(&b);
	join(&a);
	join(&b);
	pipe_close_both(ends);
}

START_TEST(ping_pong_goes_on_and_on)
{
	run_ping_pong(0);
}
END_TEST

START_TEST(ping_pong_between_sleepers_goes_on_and_on)
{
	run_ping_pong(WEIR_NOSPIN);
}
END_TEST

/*
 * Events
 */

static int recv_by_poll(struct worker *w)
{
	uint64_t expected = 0;

	while (expected < w->count) {
		uint32_t events = 0;
		int64_t got;

		CHECK(weir_pipe_poll(w->end, WEIR_IN, w->flags, soon(), &events) == 0);
		CHECK(events == WEIR_IN);
		while ((got = recv_number(w->end, 0)) >= 0)
			CHECK(got == (int64_t)expected++);
		CHECK(got == -EAGAIN);
	}
	return 0;
}

static int recv_by_descriptor(struct worker *w)
{
	struct pollfd p = { .fd = weir_pipe_fd(w->end), .events = POLLIN };
	uint64_t expected = 0;

	while (expected < w->count) {
		int64_t got;

		CHECK(poll(&p, 1, 10000) == 1);
		while ((got = recv_number(w->end, 0)) >= 0)
			CHECK(got == (int64_t)expected++);
		CHECK(got == -EAGAIN);
	}
	return 0;
}

static int send_by_poll(struct worker *w)
{
	for (uint64_t n = 0; n < w->count;) {
		uint32_t events = 0;

		CHECK(weir_pipe_poll(w->end, WEIR_OUT, w->flags, soon(), &events) == 0);
		CHECK(events == WEIR_OUT);
		while (n < w->count && send_number(w->end, n, 0) == 0)
			n++;
	}
	return 0;
}

static void run_events(int (*receive)(struct worker *w), uint32_t flags)
{
	struct worker sender = { .fn = send_by_poll, .count = 20000 / LESS, .flags = flags };
	struct worker receiver = sender;

	ck_assert_int_eq(pipe_make(ends, 0, 4096), 0);
	sender.end = ends[1];
	receiver.fn = receive;
	receiver.end = ends[0];
	start(&sender);
	start(&receiver);
	join(&sender);
	join(&receiver);
	pipe_close_both(ends);
}

START_TEST(stream_of_those_who_poll_arrives)
{
	run_events(recv_by_poll, 0);
	run_events(recv_by_poll, WEIR_NOSPIN);
}
END_TEST

START_TEST(stream_for_an_event_loop_arrives)
{
	run_events(recv_by_descriptor, 0);
}
END_TEST

/*
 * Changing hands
 */

static int send_and_hand_over(struct worker *w)
{
	for (uint64_t n = 0; n < w->count; n++) {
		CHECK(send_number(w->end, n, soon()) == 0);
		if (n % 7 == 0)
			CHECK(weir_pipe_handover(w->end) == 0);
	}
	return 0;
}

static int recv_and_hand_over(struct worker *w)
{
	for (uint64_t n = 0; n < w->count; n++) {
		CHECK(recv_number(w->end, soon()) == (int64_t)n);
		if (n % 5 == 0)
			CHECK(weir_pipe_handover(w->end) == 0);
	}
	return 0;
}

START_TEST(stream_through_changing_hands_arrives)
{
	struct worker sender = { .fn = send_and_hand_over, .count = 10000 / LESS },
		      receiver = sender;

	ck_assert_int_eq(pipe_make(ends, 0, 4096), 0);
	sender.end = ends[1];
	receiver.fn = recv_and_hand_over;
	receiver.end = ends[0];
	start(&sender);
	start(&receiver);
	join(&sender);
	join(&receiver);
	pipe_close_both(ends);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pipe-stream");
	TCase *streams = tcase_create("streams");
	TCase *both = tcase_create("both");
	TCase *events = tcase_create("events");

	tcase_add_test(streams, stream_of_small_messages_arrives);
	tcase_add_test(streams, stream_of_messages_up_to_the_largest_arrives);
	tcase_add_test(streams, stream_in_batches_arrives);
	tcase_add_test(streams, stream_with_more_arrives);
	tcase_add_test(streams, stream_between_sleepers_arrives);
	tcase_add_test(streams, stream_in_each_mode_arrives);
	tcase_add_test(streams, stream_through_changing_hands_arrives);
	suite_add_tcase(suite, streams);

	tcase_add_test(both, streams_in_both_directions_arrive);
	tcase_add_test(both, ping_pong_goes_on_and_on);
	tcase_add_test(both, ping_pong_between_sleepers_goes_on_and_on);
	suite_add_tcase(suite, both);

	tcase_add_test(events, stream_of_those_who_poll_arrives);
	tcase_add_test(events, stream_for_an_event_loop_arrives);
	suite_add_tcase(suite, events);
	return test_main(suite);
}
