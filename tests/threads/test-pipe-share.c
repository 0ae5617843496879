/* SPDX-License-Identifier: MIT */
/* Several threads of the owner on one end: each message once, those of a thread in its order. */
#include "pipe-tools.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#define THREADS_MAX	4
#define BATCH		5
#define STOP		UINT64_MAX

static struct weir_end *ends[2];

struct message {
	uint64_t thread;
	uint64_t number;
};

struct worker;
typedef int work_fn(struct worker *w);

struct worker {
	pthread_t thread;
	work_fn *fn;
	uint64_t index;
	uint64_t count;			/* to send */
	uint64_t got[THREADS_MAX];	/* received of each sender */
	uint64_t next[THREADS_MAX];	/* at least, since the last */
	uint32_t flags;
	int64_t deadline;
	pid_t tid;
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

	store_release(&w->tid, (pid_t)syscall(SYS_gettid));
	w->result = w->fn(w);
	return NULL;
}

static void start(struct worker *w)
{
	ck_assert_int_eq(pthread_create(&w->thread, NULL, work, w), 0);
}

static int join(struct worker *w)
{
	ck_assert_int_eq(pthread_join(w->thread, NULL), 0);
	return w->result;
}

/*
 * Senders and receivers
 */

static int send_single(struct worker *w)
{
	for (uint64_t n = 0; n < w->count; n++) {
		struct message m = { w->index, n };

		CHECK(weir_pipe_send(ends[1], &m, sizeof(m), w->flags, soon()) == 0);
		/* What others have pending may be published by anybody. */
		if (w->flags && n % 16 == w->index)
			CHECK(weir_pipe_flush(ends[1]) == 0);
	}
	CHECK(weir_pipe_flush(ends[1]) == 0);
	return 0;
}

static int send_batches(struct worker *w)
{
	struct message bytes[BATCH];
	struct weir_msg m[BATCH];

	for (uint64_t n = 0; n < w->count;) {
		size_t count = 0;

		for (; count < BATCH && n < w->count; count++) {
			bytes[count] = (struct message){ w->index, n++ };
			m[count] = (struct weir_msg){ .data = &bytes[count],
						      .size = sizeof(bytes[0]) };
		}
		CHECK(weir_pipe_send_batch(ends[1], m, count, 0, soon()) == (int)count);
	}
	return 0;
}

/* False if it was out of order. */
static bool take(struct worker *w, const struct message *m)
{
	if (m->thread >= THREADS_MAX || m->number < w->next[m->thread])
		return false;
	w->got[m->thread]++;
	w->next[m->thread] = m->number + 1;
	return true;
}

static int recv_single(struct worker *w)
{
	for (;;) {
		struct message m;
		size_t size;

		CHECK(weir_pipe_recv(ends[0], &m, sizeof(m), w->flags, soon(), &size) == 0);
		CHECK(size == sizeof(m));
		if (m.thread == STOP)
			return 0;
		CHECK(take(w, &m));
	}
}

/* The others' stops, which are the last messages there are. */
static int put_back(const struct message *stops, int count)
{
	for (int i = 0; i < count; i++)
		CHECK(weir_pipe_send(ends[1], &stops[i], sizeof(stops[i]), 0, soon()) == 0);
	return 0;
}

static int recv_batches(struct worker *w)
{
	struct message bytes[BATCH];
	struct weir_msg m[BATCH];

	for (;;) {
		int result;

		for (int i = 0; i < BATCH; i++)
			m[i] = (struct weir_msg){ .data = &bytes[i], .room = sizeof(bytes[i]) };
		result = weir_pipe_recv_batch(ends[0], m, BATCH, w->flags, soon());
		CHECK(result > 0);
		for (int i = 0; i < result; i++) {
			if (bytes[i].thread == STOP)
				return put_back(&bytes[i + 1], result - i - 1);
			CHECK(take(w, &bytes[i]));
		}
	}
}

static void run(int senders, int receivers, uint64_t capacity, const struct worker like[2])
{
	struct message stop = { STOP, STOP };
	struct worker out[THREADS_MAX], in[THREADS_MAX];

	ck_assert_int_eq(pipe_make(ends, 0, capacity), 0);
	for (int i = 0; i < receivers; i++) {
		in[i] = like[1];
		start(&in[i]);
	}
	for (int i = 0; i < senders; i++) {
		out[i] = like[0];
		out[i].index = (uint64_t)i;
		start(&out[i]);
	}
	for (int i = 0; i < senders; i++)
		ck_assert_int_eq(join(&out[i]), 0);
	for (int i = 0; i < receivers; i++)
		ck_assert_int_eq(weir_pipe_send(ends[1], &stop, sizeof(stop), 0, soon()), 0);
	for (int i = 0; i < receivers; i++)
		ck_assert_int_eq(join(&in[i]), 0);
	for (int i = 0; i < senders; i++) {
		uint64_t got = 0;

		for (int k = 0; k < receivers; k++)
			got += in[k].got[i];
		ck_assert_uint_eq(got, like[0].count);
	}
	ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
	pipe_close_both(ends);
}

#define COUNT (10000 / LESS)

START_TEST(threads_share_an_end)
{
	struct worker like[2] = { { .fn = send_single, .count = COUNT }, { .fn = recv_single } };

	run(2, 2, 0, like);
	run(4, 4, 4096, like);
	run(1, 4, 4096, like);
	run(4, 1, 4096, like);
}
END_TEST

START_TEST(threads_share_an_end_by_batches)
{
	struct worker like[2] = { { .fn = send_batches, .count = COUNT }, { .fn = recv_batches } };

	run(3, 3, 4096, like);
	run(2, 4, 0, like);
}
END_TEST

START_TEST(threads_share_an_end_and_flush_what_others_have_pending)
{
	struct worker like[2] = {
		{ .fn = send_single, .count = COUNT, .flags = WEIR_MORE },
		{ .fn = recv_single },
	};

	run(4, 2, 4096, like);
}
END_TEST

START_TEST(threads_share_an_end_and_sleep)
{
	struct worker like[2] = {
		{ .fn = send_single, .count = COUNT / 2 },
		{ .fn = recv_single, .flags = WEIR_NOSPIN },
	};

	run(3, 3, 4096, like);
}
END_TEST

/* Each thread does both, on one end, against as many on the other that send back what they get. */
static int ask(struct worker *w)
{
	for (uint64_t n = 0; n < w->count; n++) {
		struct message m = { w->index, n };

		CHECK(weir_pipe_send(ends[0], &m, sizeof(m), 0, soon()) == 0);
		CHECK(weir_pipe_recv(ends[0], &m, sizeof(m), 0, soon(), NULL) == 0);
	}
	return 0;
}

static int answer(struct worker *w)
{
	for (uint64_t n = 0; n < w->count; n++) {
		struct message m;

		CHECK(weir_pipe_recv(ends[1], &m, sizeof(m), 0, soon(), NULL) == 0);
		CHECK(weir_pipe_send(ends[1], &m, sizeof(m), 0, soon()) == 0);
	}
	return 0;
}

START_TEST(threads_talk_over_shared_ends)
{
	struct worker workers[6];

	ck_assert_int_eq(pipe_make(ends, 0, 4096), 0);
	for (int i = 0; i < 6; i++) {
		workers[i] = (struct worker){
			.fn = i % 2 ? ask : answer,
			.index = (uint64_t)i / 2,
			.count = 2000 / LESS,
		};
		start(&workers[i]);
	}
	for (int i = 0; i < 6; i++)
		ck_assert_int_eq(join(&workers[i]), 0);
	pipe_close_both(ends);
}
END_TEST

/*
 * While another thread is inside
 */

static int recv_until(struct worker *w)
{
	char byte;

	return weir_pipe_recv(ends[0], &byte, 1, w->flags, w->deadline, NULL);
}

static int poll_until(struct worker *w)
{
	uint32_t events;

	return weir_pipe_poll(ends[0], WEIR_IN, w->flags, w->deadline, &events);
}

/* One that waits for its turn sleeps in a futex, whatever the other does. */
static void wait_queued(const struct worker *w)
{
	int64_t deadline = soon();

	while (load_acquire(&w->tid) == 0)
		ck_assert(test_now() < deadline);
	ck_assert(child_wait_asleep_in(w->tid, SYS_futex));
}

static void start_inside(struct worker *w)
{
	const struct weir_lane_control *lanes = pipe_watch(ends[0]);
	int64_t deadline = soon();

	w->fn = recv_until;
	w->deadline = WEIR_FOREVER;
	start(w);
	while (load_acquire(&w->tid) == 0)
		ck_assert(test_now() < deadline);
	ck_assert(wait_for_stage(w->tid, &lanes[0].reader.wait, WAIT_DEEP));
}

START_TEST(thread_without_time_does_not_wait_for_its_turn)
{
	work_fn *const fns[] = { recv_until, poll_until };
	struct worker inside = { 0 };

	ck_assert_int_eq(pipe_make(ends, 0, 4096), 0);
	start_inside(&inside);
	for (size_t i = 0; i < ARRAY_LENGTH(fns); i++) {
		int64_t deadline = test_now() + 5 * MS;
		struct worker w = { .deadline = deadline };

		ck_assert_int_eq(fns[i](&(struct worker){ .deadline = 0 }), -EAGAIN);
		ck_assert_int_eq(fns[i](&(struct worker){ .deadline = 1 }), -ETIMEDOUT);
		ck_assert_int_eq(fns[i](&w), -ETIMEDOUT);
		ck_assert_int_ge(test_now(), deadline);
	}
	/* The other side of the end is free. */
	ck_assert_int_eq(weir_pipe_send(ends[0], "y", 1, 0, 0), 0);
	ck_assert_int_eq(weir_pipe_send(ends[1], "x", 1, 0, 0), 0);
	ck_assert_int_eq(join(&inside), 0);
	pipe_close_both(ends);
}
END_TEST

static void on_signal(int number)
{
	(void)number;
}

START_TEST(signal_reaches_a_thread_that_waits_for_its_turn)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct worker inside = { 0 };
	struct worker queued = { .fn = recv_until, .flags = WEIR_INTR, .deadline = WEIR_FOREVER };
	struct worker deaf = { .fn = recv_until, .deadline = WEIR_FOREVER };

	sigaction(SIGUSR1, &action, NULL);
	ck_assert_int_eq(pipe_make(ends, 0, 4096), 0);
	start_inside(&inside);
	start(&queued);
	wait_queued(&queued);
	pthread_kill(queued.thread, SIGUSR1);
	ck_assert_int_eq(join(&queued), -EINTR);
	start(&deaf);
	for (int i = 0; i < 5; i++) {
		wait_queued(&deaf);
		pthread_kill(deaf.thread, SIGUSR1);
	}
	wait_queued(&deaf);
	ck_assert_int_eq(weir_pipe_send(ends[1], "x", 1, 0, 0), 0);
	ck_assert_int_eq(weir_pipe_send(ends[1], "x", 1, 0, 0), 0);
	ck_assert_int_eq(join(&inside), 0);
	ck_assert_int_eq(join(&deaf), 0);
	pipe_close_both(ends);
}
END_TEST

static uint32_t sending_done;

static int poll_again_and_again(struct worker *w)
{
	while (load_acquire(&sending_done) == 0) {
		uint32_t events;
		int result = weir_pipe_poll(ends[w->index], WEIR_IN | WEIR_OUT, 0, test_now() + MS,
					    &events);

		CHECK(result == 0 || result == -ETIMEDOUT);
		/* Let the others have it. */
		sched_yield();
	}
	return 0;
}

/* The threads of the other workers own the ends, now and for good, though this one only polls. */
START_TEST(poll_beside_other_threads_leaves_them_the_ownership)
{
	struct message stop = { STOP, STOP };

	for (int round = 0; round < 20 / LESS + 1; round++) {
		struct worker sender = { .fn = send_single, .count = 500 / LESS };
		struct worker receiver = { .fn = recv_single };
		struct worker pollers[2] = {
			{ .fn = poll_again_and_again },
			{ .fn = poll_again_and_again, .index = 1 },
		};

		store_release(&sending_done, 0);
		ck_assert_int_eq(pipe_make(ends, 0, 4096), 0);
		start(&pollers[0]);
		start(&pollers[1]);
		start(&sender);
		start(&receiver);
		ck_assert_int_eq(join(&sender), 0);
		ck_assert_int_eq(weir_pipe_send(ends[1], &stop, sizeof(stop), 0, soon()), 0);
		ck_assert_int_eq(join(&receiver), 0);
		store_release(&sending_done, 1);
		ck_assert_int_eq(join(&pollers[0]), 0);
		ck_assert_int_eq(join(&pollers[1]), 0);
		ck_assert(ends[1]->tx->side.bound && ends[0]->rx->side.bound);
		pipe_close_both(ends);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pipe-share");
	TCase *share = tcase_create("share");
	TCase *beside = tcase_create("beside");

	tcase_add_test(share, threads_share_an_end);
	tcase_add_test(share, threads_share_an_end_by_batches);
	tcase_add_test(share, threads_share_an_end_and_flush_what_others_have_pending);
	tcase_add_test(share, threads_share_an_end_and_sleep);
	tcase_add_test(share, threads_talk_over_shared_ends);
	suite_add_tcase(suite, share);

	tcase_add_test(beside, thread_without_time_does_not_wait_for_its_turn);
	tcase_add_test(beside, signal_reaches_a_thread_that_waits_for_its_turn);
	tcase_add_test(beside, poll_beside_other_threads_leaves_them_the_ownership);
	suite_add_tcase(suite, beside);
	return test_main(suite);
}
