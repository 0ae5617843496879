/* SPDX-License-Identifier: MIT */
/* Messages larger than the ring between processes: streams, event loops, deaths half-way. */
#include "pipe-tools.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB	((size_t)1 << 20)
#define MOST	(16 * MIB)
#define LARGE	100000
#define PARTS	1024

static struct weir_end *ends[2];
static uint8_t *out, *in;

static void setup(void)
{
	out = malloc(MOST + 1);
	in = malloc(MOST + 1);
	ck_assert(out && in);
}

static void teardown(void)
{
	pipe_close_both(ends);
	free(out);
	free(in);
}

/*
 * Streams
 */

enum way {
	ONE,
	PARTED,
	BATCHED,
	IN_PLACE,
	MIXED
};

struct stream {
	uint64_t capacity;
	uint32_t flags;		/* of the calls */
	enum way send_by, recv_by;
	bool huge;		/* with one of 16 MiB */
};

static const struct stream *stream;

/* Sizes about the largest that fits, about multiples of a piece, and any. */
static size_t size_of(uint64_t number)
{
	uint64_t mixed = (number + 1) * UINT64_C(0x9e3779b97f4a7c15) >> 20;
	size_t capacity = stream->capacity;

	switch (number % 6) {
	case 0:
		return capacity - 24 + mixed % 17;
	case 1:
		return capacity / 8 * (8 + mixed % 17) - 8 - mixed % 19;
	case 2:
		return mixed % 300;
	case 3:
		return mixed % (4 * capacity);
	case 4:
		return stream->huge && number == 10 ? MOST : mixed % capacity;
	default:
		return mixed % (16 * capacity) / 8;
	}
}

#define COUNT	60

/* @size bytes in 1024 parts of odd sizes, some of them empty. */
static void cut_up(struct iovec *parts, uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < PARTS; i++) {
		size_t part = i % 3 == 1 ? 0 : i % 7 * (size / 3000 + 1) + i % 2;

		if (part > size || i == PARTS - 1)
			part = size;
		parts[i] = (struct iovec){ part ? bytes : NULL, part };
		bytes += part;
		size -= part;
	}
}

static enum way way_of(enum way way, uint64_t number)
{
	return way == MIXED ? (enum way)(number / 7 % 4) : way;
}

/* Sends one message or more, how many. */
static uint64_t send_some(struct weir_end *end, uint64_t number)
{
	static struct iovec parts[PARTS];
	struct weir_msg m[3];
	size_t size = size_of(number), at = 0;
	uint64_t n;
	void *data;

	message_fill(out, size, number);
	switch (way_of(stream->send_by, number)) {
	case ONE:
		/* What is held back comes before what is larger. */
		child_check(weir_pipe_send(end, out, size, stream->flags |
					   (number % 2 && number < COUNT - 1 ? WEIR_MORE : 0),
					   soon()) == 0);
		return 1;
	case PARTED:
		cut_up(parts, out, size);
		child_check(weir_pipe_sendv(end, parts, PARTS, stream->flags, soon()) == 0);
		return 1;
	case BATCHED:
		for (n = 0; n < 3 && number + n < COUNT; n++) {
			size = size_of(number + n);
			if (at + size > MOST)
				break;
			message_fill(out + at, size, number + n);
			m[n] = (struct weir_msg){ .data = out + at, .size = size };
			at += size;
		}
		child_check(weir_pipe_send_batch(end, m, n, stream->flags, soon()) == (int)n);
		return n;
	default:
		if (size > stream->capacity - 16) {
			child_check(weir_pipe_send(end, out, size, stream->flags, soon()) == 0);
		} else {
			child_check(weir_pipe_claim(end, size, stream->flags, soon(), &data) == 0);
			memcpy(data, out, size);
			child_check(weir_pipe_commit(end, size, 0) == 0);
		}
		return 1;
	}
}

static int send_stream(void *arg)
{
	struct weir_end *end = arg;

	for (uint64_t n = 0; n < COUNT;)
		n += send_some(end, n);
	/* Until the other side has all of it. */
	child_check(recv_number(end, soon()) == 1);
	return 0;
}

static bool is_right(const void *data, size_t size, uint64_t number)
{
	return size == size_of(number) && message_is(data, size, number);
}

/* Receives one message or more; how many, 0 if one is wrong. */
static uint64_t receive_some(struct weir_end *end, uint64_t number)
{
	static struct iovec parts[PARTS];
	struct weir_msg m[2] = { { .data = in, .room = MOST / 2 },
				 { .data = in + MOST / 2, .room = MOST / 2 } };
	const void *data;
	size_t size = 0;
	int result;

	switch (way_of(stream->recv_by, number)) {
	case ONE:
		result = weir_pipe_recv(end, in, MOST, stream->flags, soon(), &size);
		return result == 0 && is_right(in, size, number);
	case PARTED:
		cut_up(parts, in, MOST);
		result = weir_pipe_recvv(end, parts, PARTS, stream->flags, soon(), &size);
		return result == 0 && is_right(in, size, number);
	case BATCHED:
		if (size_of(number) > MOST / 2)
			m[0].room = MOST;
		result = weir_pipe_recv_batch(end, m, m[0].room > MOST / 2 ? 1 : 2, stream->flags,
					      soon());
		for (int i = 0; i < result; i++)
			if (!is_right(m[i].data, m[i].size, number + (uint64_t)i))
				return 0;
		return result > 0 ? (uint64_t)result : 0;
	default:
		result = weir_pipe_take(end, stream->flags, soon(), &data, &size);
		if (result < 0 || !is_right(data, size, number))
			return 0;
		return weir_pipe_release(end, data) == 0;
	}
}

static int receive_stream(struct weir_end *end)
{
	for (uint64_t n = 0, got; n < COUNT; n += got) {
		got = receive_some(end, n);
		if (got == 0)
			return (int)n + 1;
	}
	return send_number(end, 1, soon()) == 0 ? 0 : -1;
}

static const struct stream streams[] = {
	{ 4096, 0, ONE, ONE, true },
	{ 65536, 0, ONE, ONE, true },
	{ 65536, WEIR_NOSPIN, ONE, IN_PLACE, true },
	{ 4096, WEIR_NOSPIN, PARTED, PARTED, false },
	{ 65536, 0, PARTED, ONE, true },
	{ 4096, 0, BATCHED, BATCHED, false },
	{ 65536, WEIR_NOSPIN, BATCHED, ONE, true },
	{ 65536, 0, MIXED, MIXED, true },
	{ 4096, WEIR_NOSPIN, MIXED, MIXED, false },
	{ 8192, 0, IN_PLACE, BATCHED, false },
};

START_TEST(stream_arrives_whole)
{
	struct child child;

	stream = &streams[_i];
	ck_assert_int_eq(pipe_make(ends, 0, stream->capacity), 0);
	child = child_start(send_stream, ends[_i % 2]);
	ck_assert_int_eq(receive_stream(ends[1 - _i % 2]), 0);
	child_join_ok(&child);
}
END_TEST

/* Each process sends and receives; the numbers at the end go with the other direction's stream. */
static int send_and_be_sent(void *arg)
{
	child_check(send_stream(ends[0]) == 0);
	child_check(receive_stream(ends[0]) == 0);
	(void)arg;
	return 0;
}

START_TEST(one_direction_after_the_other)
{
	struct child child;

	stream = &streams[7];
	ck_assert_int_eq(pipe_make(ends, 0, stream->capacity), 0);
	child = child_start(send_and_be_sent, NULL);
	ck_assert_int_eq(receive_stream(ends[1]), 0);
	ck_assert_int_eq(send_stream(ends[1]), 0);
	child_join_ok(&child);
}
END_TEST

/*
 * Event loops
 */

/* What the sender waits for: to be waited for. */
static struct barrier *begun;

static int send_huge(void *arg)
{
	uint64_t count = *(const uint64_t *)arg;

	child_check(barrier_wait(begun));
	for (uint64_t n = 0; n < count; n++) {
		message_fill(out, MOST, n);
		child_check(weir_pipe_send(ends[0], out, MOST, 0, soon()) == 0);
		child_check(send_number(ends[0], n, soon()) == 0);
	}
	return 0;
}

START_TEST(event_loop_receives_messages_of_any_size_without_waiting)
{
	struct pollfd p = { .events = POLLIN };
	uint64_t count = LESS > 1 ? 1 : 3, n = 0, wakes = 0;
	bool number_next = false;
	struct child child;
	size_t size;

	ck_assert_int_eq(pipe_make(ends, 0, 65536), 0);
	p.fd = weir_pipe_fd(ends[1]);
	begun = barrier_create(2);
	child = child_start(send_huge, &count);
	while (n < count) {
		int result = weir_pipe_recv(ends[1], in, MOST, 0, 0, &size);

		if (result == -EAGAIN) {
			if (wakes++ == 0)
				ck_assert(barrier_wait(begun));
			ck_assert_int_eq(poll(&p, 1, 10000), 1);
			continue;
		}
		ck_assert_int_eq(result, 0);
		if (number_next) {
			ck_assert(size == 8 && memcmp(in, &n, 8) == 0);
			n++;
		} else {
			ck_assert_uint_eq(size, MOST);
			ck_assert(message_is(in, MOST, n));
		}
		number_next = !number_next;
	}
	child_join_ok(&child);
	/* It did wait, but not for each piece of half an eighth. */
	ck_assert_uint_gt(wakes, 0);
}
END_TEST

/*
 * Deaths
 */

static int send_for_ever(void *arg)
{
	(void)arg;
	message_fill(out, MOST, 1);
	for (;;)
		weir_pipe_send(ends[0], out, MOST, 0, WEIR_FOREVER);
	return 0;
}

/* A sender that is half-way, and asleep: the ring is full. Of it nothing is received yet. */
static struct child half_way(void)
{
	struct child child = child_start(send_for_ever, NULL);

	ck_assert(child_wait_asleep(child.pid));
	return child;
}

enum wait {
	LONG,
	SHORT,
	NONE,
	POLL
};

/* What a receiver gets for half a message whose sender dies, by one way to wait. */
static int wait_for_the_rest(enum wait wait)
{
	int64_t deadline = soon();
	uint32_t events;
	int result = -EAGAIN;

	if (wait == POLL) {
		while (result == -EAGAIN) {
			result = weir_pipe_recv(ends[1], in, MOST, 0, 0, NULL);
			if (result == -EAGAIN &&
			    weir_pipe_poll(ends[1], WEIR_IN, WEIR_NOSPIN, deadline, &events) < 0)
				return -ETIMEDOUT;
		}
		return result;
	}
	while ((result == -EAGAIN || result == -ETIMEDOUT) && test_now() < deadline)
		result = weir_pipe_recv(ends[1], in, MOST, wait == SHORT ? 0 : WEIR_NOSPIN,
					wait == LONG ? deadline : wait == NONE ? 0 :
					weir_after(MS), NULL);
	return result;
}

struct told {
	int result;
	int64_t starved;	/* as child_starved() of who was told */
	int64_t at;
};

static struct told *told;
static enum wait how;

static int be_told(void *arg)
{
	int64_t at;

	(void)arg;
	told->result = wait_for_the_rest(how);
	at = test_now();
	told->starved = child_starved(getpid());
	store_release(&told->at, at);
	/* Then the next owner's. */
	child_check(recv_number(ends[1], soon()) == 5);
	child_check(recv_number(ends[1], soon()) == 6);
	return 0;
}

START_TEST(sender_killed_half_way_is_told_though_others_have_its_end)
{
	int64_t best = INT64_MAX;

	how = (enum wait)_i;
	told = shared_alloc(sizeof(*told));
	for (int round = 0; round < 3 || (round < 10 && best >= 50 * MS); round++) {
		struct child sender, receiver;
		int64_t killed, starved, took;

		ck_assert_int_eq(pipe_make(ends, 0, 65536), 0);
		sender = half_way();
		child_stop(&sender);
		receiver = child_start(be_told, NULL);
		/* It has what there is, and waits for the rest. */
		ck_assert(how == NONE || child_wait_asleep(receiver.pid));
		starved = -child_starved(receiver.pid) - child_starved(getpid());
		killed = test_now();
		starved += child_kill_starved(&sender);
		while (!load_acquire(&told->at))
			nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
		ck_assert_int_eq(told->result, -EOWNERDEAD);
		starved += told->starved + child_starved(getpid());
		took = told->at - killed - starved;
		best = took < best ? took : best;
		told->at = 0;
		/* This process has the end, too, and goes on with it. */
		ck_assert_int_eq(send_number(ends[0], 5, soon()), 0);
		ck_assert_int_eq(send_number(ends[0], 6, soon()), 0);
		child_join_ok(&receiver);
		pipe_close_both(ends);
	}
	ck_assert_int_lt(best, 50 * MS);
}
END_TEST

START_TEST(sender_killed_half_way_and_nobody_left_is_eownerdead_then_epipe)
{
	struct child child;

	ck_assert_int_eq(pipe_make(ends, 0, 65536), 0);
	child = half_way();
	/* Were it to go on meanwhile, all of it might come. */
	child_stop(&child);
	weir_pipe_close(ends[0]);
	ends[0] = NULL;
	/* Part of it has come when it dies. */
	ck_assert_int_eq(weir_pipe_recv(ends[1], in, MOST, 0, 0, NULL), -EAGAIN);
	child_kill(&child);
	ck_assert_int_eq(weir_pipe_recv(ends[1], in, MOST, 0, soon(), NULL), -EOWNERDEAD);
	ck_assert_int_eq(weir_pipe_recv(ends[1], in, MOST, 0, soon(), NULL), -EPIPE);
}
END_TEST

static int receive_half(void *arg)
{
	(void)arg;
	child_check(weir_pipe_recv(ends[1], in, MOST, 0, 0, NULL) == -EAGAIN);
	raise(SIGKILL);
	return 0;
}

static int send_two_and_numbers(void *arg)
{
	(void)arg;
	message_fill(out, LARGE, 1);
	for (int i = 0; i < 2; i++)
		child_check(weir_pipe_send(ends[0], out, LARGE, 0, soon()) == 0);
	child_check(send_number(ends[0], 5, soon()) == 0);
	return 0;
}

START_TEST(receiver_killed_half_way_costs_that_message_alone)
{
	struct child sender, receiver;
	size_t size;
	int status;

	ck_assert_int_eq(pipe_make(ends, 0, 65536), 0);
	sender = child_start(send_two_and_numbers, NULL);
	ck_assert(child_wait_asleep(sender.pid));
	/* Were it to go on meanwhile, all of it might come. */
	child_stop(&sender);
	receiver = child_start(receive_half, NULL);
	status = child_join(&receiver);
	ck_assert(WIFSIGNALED(status));
	child_continue(&sender);
	ck_assert_int_eq(weir_pipe_recv(ends[1], in, MOST, 0, soon(), &size), -EOWNERDEAD);
	ck_assert_int_eq(weir_pipe_recv(ends[1], in, MOST, 0, soon(), &size), 0);
	ck_assert_uint_eq(size, LARGE);
	ck_assert(message_is(in, LARGE, 1));
	ck_assert_int_eq(recv_number(ends[1], soon()), 5);
	child_join_ok(&sender);
}
END_TEST

static int receive_two(void *arg)
{
	(void)arg;
	child_check(barrier_wait(arg));
	child_check(weir_pipe_recv(ends[1], in, MOST, 0, soon(), NULL) == 0);
	child_check(message_is(in, LARGE, 2));
	return 0;
}

START_TEST(sender_that_gave_up_half_way_is_not_noticed_by_who_waits)
{
	struct barrier *barrier = barrier_create(2);
	struct child child;

	ck_assert_int_eq(pipe_make(ends, 0, 65536), 0);
	message_fill(out, LARGE, 2);
	ck_assert_int_eq(weir_pipe_send(ends[0], out, LARGE, 0, test_now() + MS), -ETIMEDOUT);
	child = child_start(receive_two, barrier);
	ck_assert(barrier_wait(barrier));
	ck_assert_int_eq(weir_pipe_send(ends[0], out, LARGE, 0, soon()), 0);
	child_join_ok(&child);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pipe-large");
	TCase *streams_case = tcase_create("streams");
	TCase *deaths = tcase_create("deaths");

	tcase_add_checked_fixture(streams_case, setup, teardown);
	tcase_add_loop_test(streams_case, stream_arrives_whole, 0,
			    sizeof(streams) / sizeof(streams[0]));
	tcase_add_test(streams_case, one_direction_after_the_other);
	tcase_add_test(streams_case, event_loop_receives_messages_of_any_size_without_waiting);
	suite_add_tcase(suite, streams_case);

	tcase_add_checked_fixture(deaths, setup, teardown);
	tcase_add_loop_test(deaths, sender_killed_half_way_is_told_though_others_have_its_end, LONG,
			    POLL + 1);
	tcase_add_test(deaths, sender_killed_half_way_and_nobody_left_is_eownerdead_then_epipe);
	tcase_add_test(deaths, receiver_killed_half_way_costs_that_message_alone);
	tcase_add_test(deaths, sender_that_gave_up_half_way_is_not_noticed_by_who_waits);
	suite_add_tcase(suite, deaths);
	return test_main(suite);
}
