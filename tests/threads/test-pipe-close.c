/* SPDX-License-Identifier: MIT */
/* Closing an end, or shutting the pipe down, under threads that are inside a call. */
#include "pipe-tools.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#define CAPACITY 4096

static struct weir_end *ends[2];
static const struct weir_lane_control *lanes;

static void setup(void)
{
	ck_assert_int_eq(pipe_make(ends, 0, CAPACITY), 0);
	lanes = pipe_watch(ends[0]);
	ck_assert_ptr_nonnull(lanes);
}

static void teardown(void)
{
	pipe_close_both(ends);
}

static void close_end(int index)
{
	struct weir_end *end = ends[index];

	ends[index] = NULL;
	weir_pipe_close(end);
}

/*
 * Threads that wait in a call without end
 */

typedef int wait_fn(struct weir_end *end);

struct waiter {
	pthread_t thread;
	wait_fn *fn;
	struct weir_end *end;
	const uint32_t *wait;		/* where it announces its sleep */
	pid_t tid;
	int result;
	int64_t at;
};

static int receive(struct weir_end *end)
{
	return (int)recv_number(end, WEIR_FOREVER);
}

static int receive_batch(struct weir_end *end)
{
	uint64_t number;
	struct weir_msg m = { .data = &number, .room = sizeof(number) };

	return weir_pipe_recv_batch(end, &m, 1, 0, WEIR_FOREVER);
}

static int send(struct weir_end *end)
{
	return send_number(end, 4711, WEIR_FOREVER);
}

static int send_batch(struct weir_end *end)
{
	uint64_t number = 4711;
	struct weir_msg m = { .data = &number, .size = sizeof(number) };

	return weir_pipe_send_batch(end, &m, 1, 0, WEIR_FOREVER);
}

/* What was told of, or an error. */
static int poll_in(struct weir_end *end)
{
	uint32_t events;
	int result = weir_pipe_poll(end, WEIR_IN, 0, WEIR_FOREVER, &events);

	return result < 0 ? result : (int)events;
}

static int poll_both(struct weir_end *end)
{
	uint32_t events;
	int result = weir_pipe_poll(end, WEIR_IN | WEIR_OUT, 0, WEIR_FOREVER, &events);

	return result < 0 ? result : (int)events;
}

static void *wait_inside(void *arg)
{
	struct waiter *w = arg;

	store_release(&w->tid, (pid_t)syscall(SYS_gettid));
	w->result = w->fn(w->end);
	w->at = test_now();
	return NULL;
}

static void start(struct waiter *w)
{
	int64_t deadline = soon();

	w->tid = 0;
	ck_assert_int_eq(pthread_create(&w->thread, NULL, wait_inside, w), 0);
	while (load_acquire(&w->tid) == 0)
		ck_assert(test_now() < deadline);
}

static int join(struct waiter *w)
{
	ck_assert_int_eq(pthread_join(w->thread, NULL), 0);
	return w->result;
}

/* All kinds of waiting, each with the state in which it waits. */
enum kind {
	RECEIVE,
	RECEIVE_BATCH,
	SEND,
	SEND_BATCH,
	WAIT_IN,
	WAIT_BOTH,
	KINDS
};

static struct waiter waiter_of(enum kind kind)
{
	static wait_fn *const fns[KINDS] = {
		receive, receive_batch, send, send_batch, poll_in, poll_both,
	};
	bool sends = kind == SEND || kind == SEND_BATCH;

	return (struct waiter){
		.fn = fns[kind],
		.end = ends[sends],
		.wait = sends ? &lanes[0].writer.wait : &lanes[0].reader.wait,
	};
}

static void prepare(enum kind kind)
{
	if (kind == SEND || kind == SEND_BATCH)
		fill_with_numbers(ends[1], 0);
	if (kind == WAIT_BOTH)
		fill_with_numbers(ends[0], 0);
}

static const uint32_t stages[] = { WAIT_SHALLOW, WAIT_DEEP };

/* A thread asleep in @stage; false where that was missed, or polls have no such stage. */
static bool start_asleep(struct waiter *w, enum kind kind, uint32_t stage)
{
	if (stage == WAIT_SHALLOW && kind >= WAIT_IN)
		stage = WAIT_DEEP;
	*w = waiter_of(kind);
	prepare(kind);
	start(w);
	return wait_for_stage(w->tid, w->wait, stage);
}

/*
 * Closing
 */

START_TEST(close_wakes_who_is_inside_and_waits_for_it)
{
	for (enum kind kind = RECEIVE; kind < KINDS; kind++) {
		for (size_t s = 0; s < 3 * ARRAY_LENGTH(stages); s++) {
			struct waiter w;
			int64_t closed;

			start_asleep(&w, kind, stages[s / 3]);
			close_end(w.end == ends[1]);
			closed = test_now();
			ck_assert_int_eq(join(&w), -ESHUTDOWN);
			/* It was out of the call by then, give or take its last steps. */
			ck_assert_int_lt(w.at - closed, 1000 * MS);
			teardown();
			setup();
		}
	}
}
END_TEST

START_TEST(close_of_the_other_end_is_a_hang_up_to_who_is_inside)
{
	for (enum kind kind = RECEIVE; kind < KINDS; kind++) {
		for (size_t s = 0; s < ARRAY_LENGTH(stages); s++) {
			struct waiter w;
			int result;

			start_asleep(&w, kind, stages[s]);
			close_end(w.end != ends[1]);
			result = join(&w);
			if (kind >= WAIT_IN)
				ck_assert(result > 0 && (result & WEIR_HUP));
			else
				ck_assert_int_eq(result, -EPIPE);
			teardown();
			setup();
		}
	}
}
END_TEST

START_TEST(close_turns_away_who_waits_for_its_turn)
{
	for (enum kind kind = RECEIVE; kind < KINDS; kind++) {
		struct waiter inside, queued[3];
		int count = 3;

		start_asleep(&inside, kind, WAIT_DEEP);
		for (int i = 0; i < count; i++) {
			queued[i] = waiter_of(kind);
			start(&queued[i]);
			ck_assert(child_wait_asleep_in(queued[i].tid, SYS_futex));
		}
		close_end(inside.end == ends[1]);
		ck_assert_int_eq(join(&inside), -ESHUTDOWN);
		for (int i = 0; i < count; i++)
			ck_assert_int_eq(join(&queued[i]), -ESHUTDOWN);
		teardown();
		setup();
	}
}
END_TEST

static int flush(struct weir_end *end)
{
	return weir_pipe_flush(end);
}

static int hand_over(struct weir_end *end)
{
	return weir_pipe_handover(end);
}

/* A handover takes one turn after the other, and needs the end between them. */
START_TEST(close_waits_for_a_flush_and_a_handover_that_wait_for_their_turn)
{
	for (int round = 0; round < 100 / LESS; round++) {
		struct waiter inside, flushes, hands_over;
		int flushed;

		start_asleep(&inside, SEND, WAIT_SHALLOW);
		flushes = (struct waiter){ .fn = flush, .end = ends[1] };
		hands_over = (struct waiter){ .fn = hand_over, .end = ends[1] };
		start(&flushes);
		start(&hands_over);
		ck_assert(child_wait_asleep_in(flushes.tid, SYS_futex));
		ck_assert(child_wait_asleep_in(hands_over.tid, SYS_futex));
		close_end(1);
		ck_assert_int_eq(join(&inside), -ESHUTDOWN);
		/* It may have had its turn before the one who closes. */
		flushed = join(&flushes);
		ck_assert(flushed == -ESHUTDOWN || flushed == 0);
		ck_assert_int_eq(join(&hands_over), 0);
		teardown();
		setup();
	}
}
END_TEST

static int ask_for_descriptor(struct weir_end *end)
{
	return weir_pipe_fd(end) >= 0 ? 0 : -1;
}

/* The first time it sleeps a tenth of a millisecond inside. */
START_TEST(close_waits_for_one_who_asks_for_the_descriptor)
{
	for (int round = 0; round < 20; round++) {
		struct waiter w = { .fn = ask_for_descriptor, .end = ends[0] };
		int64_t deadline = soon();

		start(&w);
		while (REQUEST_ARMED(load_acquire(&lanes[0].reader.requests)) == 0)
			ck_assert(test_now() < deadline);
		close_end(0);
		ck_assert_int_eq(join(&w), 0);
		teardown();
		setup();
	}
}
END_TEST

START_TEST(close_gets_threads_of_both_sides_out)
{
	for (int round = 0; round < 5; round++) {
		struct waiter receiver, sender;

		fill_with_numbers(ends[0], 0);
		receiver = waiter_of(RECEIVE);
		sender = waiter_of(SEND);
		sender.end = ends[0];
		start(&receiver);
		start(&sender);
		ck_assert(wait_for_sleeper(receiver.tid, &lanes[0].reader.wait) != WAIT_AWAKE);
		ck_assert(wait_for_sleeper(sender.tid, &lanes[1].writer.wait) != WAIT_AWAKE);
		close_end(0);
		ck_assert_int_eq(join(&receiver), -ESHUTDOWN);
		ck_assert_int_eq(join(&sender), -ESHUTDOWN);
		teardown();
		setup();
	}
}
END_TEST

/* Until it is told, a message after the other. */
static int send_for_ever(struct weir_end *end)
{
	for (uint64_t n = 0;; n++) {
		int result = send_number(end, n, WEIR_FOREVER);

		if (result < 0)
			return result;
	}
}

static int receive_for_ever(struct weir_end *end)
{
	for (uint64_t n = 0;; n++) {
		int64_t got = recv_number(end, WEIR_FOREVER);

		if (got < 0)
			return (int)got;
		if (got != (int64_t)n)
			return -EILSEQ;
	}
}

static void let_run(void)
{
	/* Any time will do, and each is another. */
	int64_t until = test_now() + (int64_t)test_random_below(1 * MS);

	while (test_now() < until)
		sched_yield();
}

START_TEST(close_of_one_end_amid_a_stream_is_epipe_on_the_other)
{
	for (int round = 0; round < 40 / LESS + 1; round++) {
		int closes = round % 2;
		struct waiter w = {
			.fn = closes ? receive_for_ever : send_for_ever,
			.end = ends[1 - closes],
		};
		uint64_t n = 0;

		start(&w);
		/* This thread is the other side, and stops some time. */
		for (uint64_t most = test_random_below(3000); n < most; n++) {
			if (closes)
				ck_assert_int_eq(send_number(ends[1], n, soon()), 0);
			else
				ck_assert_int_eq(recv_number(ends[0], soon()), (int64_t)n);
		}
		close_end(closes);
		ck_assert_int_eq(join(&w), -EPIPE);
		teardown();
		setup();
	}
}
END_TEST

/*
 * Shutting down
 */

static bool tells_shutdown(enum kind kind, int result)
{
	return kind < WAIT_IN ? result == -ESHUTDOWN : result > 0 && !(result & WEIR_HUP);
}

START_TEST(shutdown_wakes_who_is_inside)
{
	for (int by = 0; by < 2; by++) {
		for (enum kind kind = RECEIVE; kind < KINDS; kind++) {
			for (size_t s = 0; s < ARRAY_LENGTH(stages); s++) {
				struct waiter inside, queued;
				int64_t begin;

				start_asleep(&inside, kind, stages[s]);
				queued = waiter_of(kind);
				start(&queued);
				begin = test_now();
				ck_assert_int_eq(weir_pipe_shutdown(ends[by]), 0);
				ck_assert(tells_shutdown(kind, join(&inside)));
				ck_assert(tells_shutdown(kind, join(&queued)));
				ck_assert_int_lt(inside.at - begin, 1500 * MS);
				teardown();
				setup();
			}
		}
	}
}
END_TEST

START_TEST(shutdown_amid_a_stream_lets_all_of_it_be_received)
{
	for (int round = 0; round < 40 / LESS + 1; round++) {
		struct waiter sender = { .fn = send_for_ever, .end = ends[1] };
		struct waiter receiver = { .fn = receive_for_ever, .end = ends[0] };

		start(&sender);
		start(&receiver);
		let_run();
		ck_assert_int_eq(weir_pipe_shutdown(ends[round % 2]), 0);
		ck_assert_int_eq(join(&sender), -ESHUTDOWN);
		ck_assert_int_eq(join(&receiver), -ESHUTDOWN);
		/* The receiver may have been told before the last of them came. */
		while (recv_number(ends[0], 0) >= 0)
			;
		ck_assert_int_eq(recv_number(ends[0], 0), -ESHUTDOWN);
		teardown();
		setup();
	}
}
END_TEST

static int shut_down(struct weir_end *end)
{
	return weir_pipe_shutdown(end);
}

START_TEST(shutdown_by_many_at_once_is_one)
{
	struct waiter receiver = waiter_of(RECEIVE), many[4];

	start(&receiver);
	for (int i = 0; i < 4; i++) {
		many[i] = (struct waiter){ .fn = shut_down, .end = ends[i % 2] };
		start(&many[i]);
	}
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(join(&many[i]), 0);
	ck_assert_int_eq(join(&receiver), -ESHUTDOWN);
}
END_TEST

START_TEST(threads_leave_nothing_behind)
{
	struct resources before = resources_begin();

	before.anonymous = false;	/* stacks of threads that have ended */
	for (int i = 0; i < 5; i++) {
		struct weir_end *pair[2];
		struct waiter w = { .fn = receive };

		ck_assert_int_eq(pipe_make(pair, 0, CAPACITY), 0);
		w.end = pair[0];
		start(&w);
		/* Inside, for a call must not begin after the close. */
		ck_assert(child_wait_asleep(w.tid));
		weir_pipe_close(pair[0]);
		join(&w);
		weir_pipe_close(pair[1]);
	}
	resources_check(&before);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pipe-close");
	TCase *closing = tcase_create("closing");
	TCase *shut = tcase_create("shut");

	tcase_add_checked_fixture(closing, setup, teardown);
	tcase_add_test(closing, close_wakes_who_is_inside_and_waits_for_it);
	tcase_add_test(closing, close_of_the_other_end_is_a_hang_up_to_who_is_inside);
	tcase_add_test(closing, close_turns_away_who_waits_for_its_turn);
	tcase_add_test(closing, close_waits_for_a_flush_and_a_handover_that_wait_for_their_turn);
	tcase_add_test(closing, close_waits_for_one_who_asks_for_the_descriptor);
	tcase_add_test(closing, close_gets_threads_of_both_sides_out);
	tcase_add_test(closing, close_of_one_end_amid_a_stream_is_epipe_on_the_other);
	tcase_add_test(closing, threads_leave_nothing_behind);
	suite_add_tcase(suite, closing);

	tcase_add_checked_fixture(shut, setup, teardown);
	tcase_add_test(shut, shutdown_wakes_who_is_inside);
	tcase_add_test(shut, shutdown_amid_a_stream_lets_all_of_it_be_received);
	tcase_add_test(shut, shutdown_by_many_at_once_is_one);
	suite_add_tcase(suite, shut);
	return test_main(suite);
}
