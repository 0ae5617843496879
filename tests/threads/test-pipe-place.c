/* SPDX-License-Identifier: MIT */
/* Threads of the owner that claim, and that take and release, while others wait inside. */
#include "pipe-tools.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#define CAPACITY	4096
#define LARGEST		(CAPACITY - 16)
#define THREADS		3
#define STOP		UINT64_MAX

static struct weir_end *ends[2];

typedef int work_fn(uint64_t index);

struct worker {
	pthread_t thread;
	work_fn *fn;
	uint64_t index;
	pid_t tid;
	int result;
};

#define CHECK(condition) \
	do { \
		if (!(condition)) \
			return __LINE__; \
	} while (0)

static void setup(void)
{
	ck_assert_int_eq(pipe_make(ends, 0, CAPACITY), 0);
}

static void teardown(void)
{
	pipe_close_both(ends);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	store_release(&w->tid, (pid_t)syscall(SYS_gettid));
	w->result = w->fn(w->index);
	return NULL;
}

static void start(struct worker *w, work_fn *fn, uint64_t index)
{
	*w = (struct worker){ .fn = fn, .index = index };
	ck_assert_int_eq(pthread_create(&w->thread, NULL, work, w), 0);
}

static void join(struct worker *w)
{
	ck_assert_int_eq(pthread_join(w->thread, NULL), 0);
	ck_assert_msg(w->result == 0, "thread %lu: line %d", (unsigned long)w->index, w->result);
}

static void wait_asleep(struct worker *w)
{
	while (!load_acquire(&w->tid))
		sched_yield();
	ck_assert(child_wait_asleep(w->tid));
}

/*
 * Claims
 */

#define CLAIMS	(20000 / LESS)

struct message {
	uint64_t thread;
	uint64_t number;
	uint64_t filler[12];
};

static int claim_many(uint64_t index)
{
	for (uint64_t n = 0; n < CLAIMS; n++) {
		struct message *m;
		void *data;

		CHECK(weir_pipe_claim(ends[1], sizeof(*m), 0, soon(), &data) == 0);
		m = data;
		m->thread = index;
		m->number = n;
		for (int i = 0; i < 12; i++)
			m->filler[i] = n * index;
		if (n % 5 == 0) {
			CHECK(weir_pipe_send(ends[1], m, 8, 0, 0) == -EBUSY);
			CHECK(weir_pipe_abort(ends[1]) == 0);
			CHECK(weir_pipe_abort(ends[1]) == -EINVAL);
		} else {
			CHECK(weir_pipe_commit(ends[1], sizeof(*m), n % 3 ? 0 : WEIR_MORE) == 0);
		}
	}
	CHECK(weir_pipe_flush(ends[1]) == 0);
	return 0;
}

START_TEST(claims_of_several_threads_are_whole_and_each_in_order)
{
	uint64_t next[THREADS] = { 0 };
	struct worker workers[THREADS];

	for (uint64_t i = 0; i < THREADS; i++)
		start(&workers[i], claim_many, i);
	for (uint64_t n = 0; n < THREADS * (CLAIMS - CLAIMS / 5); n++) {
		struct message m;
		size_t size;

		ck_assert_int_eq(weir_pipe_recv(ends[0], &m, sizeof(m), 0, soon(), &size), 0);
		ck_assert(size == sizeof(m) && m.thread < THREADS);
		ck_assert_uint_ge(m.number, next[m.thread]);
		next[m.thread] = m.number + 1;
		for (int i = 0; i < 12; i++)
			ck_assert_uint_eq(m.filler[i], m.number * m.thread);
	}
	for (int i = 0; i < THREADS; i++)
		join(&workers[i]);
	ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
}
END_TEST

static int end_the_claim_of_another(uint64_t index)
{
	void *data;

	(void)index;
	CHECK(weir_pipe_commit(ends[1], 0, 0) == -EINVAL);
	CHECK(weir_pipe_abort(ends[1]) == -EINVAL);
	CHECK(weir_pipe_claim(ends[1], 8, 0, 0, &data) == -EAGAIN);
	CHECK(weir_pipe_claim(ends[1], 8, 0, weir_after(MS), &data) == -ETIMEDOUT);
	return 0;
}

static int claim_and_let_others_try(uint64_t index)
{
	struct worker other;
	void *data;

	CHECK(weir_pipe_claim(ends[1], 8, 0, 0, &data) == 0);
	*(uint64_t *)data = index;
	start(&other, end_the_claim_of_another, 0);
	pthread_join(other.thread, NULL);
	if (other.result != 0)
		return other.result;
	return weir_pipe_commit(ends[1], 8, 0);
}

START_TEST(claim_is_ended_by_the_thread_that_made_it_alone)
{
	struct worker claimant;

	start(&claimant, claim_and_let_others_try, 77);
	join(&claimant);
	ck_assert_int_eq(recv_number(ends[0], soon()), 77);
}
END_TEST

static int send_until_it_works(uint64_t index)
{
	uint32_t events;
	int result;

	do {
		/* Where the claim is looked at without its turn. */
		result = weir_pipe_poll(ends[1], WEIR_OUT, 0, weir_after(MS), &events);
		CHECK(result == 0 || result == -EBUSY || result == -ETIMEDOUT);
		result = send_number(ends[1], index, weir_after(MS));
		CHECK(result == 0 || result == -EBUSY || result == -ETIMEDOUT);
	} while (result != 0);
	return 0;
}

START_TEST(claim_made_before_there_were_threads_is_committed_among_them)
{
	for (uint64_t round = 0; round < 50; round++) {
		struct worker workers[THREADS];
		void *data;

		ck_assert_int_eq(weir_pipe_claim(ends[1], 8, 0, 0, &data), 0);
		for (uint64_t i = 0; i < THREADS; i++)
			start(&workers[i], send_until_it_works, 100 + i);
		*(uint64_t *)data = 7;
		sched_yield();
		ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
		if (round % 2)
			ck_assert_int_eq(weir_pipe_commit(ends[1], 8, 0), 0);
		else
			ck_assert_int_eq(weir_pipe_abort(ends[1]), 0);
		if (round % 2)
			ck_assert_int_eq(recv_number(ends[0], soon()), 7);
		for (int i = 0; i < THREADS; i++)
			ck_assert_int_ge(recv_number(ends[0], soon()), 100);
		for (int i = 0; i < THREADS; i++)
			join(&workers[i]);
		ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
	}
}
END_TEST

/*
 * Takes and releases
 */

#define TAKES	(60000 / LESS)

/* Larger than what the others do with it needs time. */
static size_t size_of(uint64_t number)
{
	return 8 + number * 7 % 300;
}

static int send_many(uint64_t index)
{
	uint8_t message[320];

	(void)index;
	for (uint64_t n = 0; n < TAKES; n++) {
		message_fill(message, size_of(n), n);
		memcpy(message, &n, sizeof(n));
		CHECK(weir_pipe_send(ends[1], message, size_of(n), 0, soon()) == 0);
	}
	for (int i = 0; i < THREADS; i++)
		CHECK(send_number(ends[1], STOP, soon()) == 0);
	return 0;
}

static bool is_right(const void *data, size_t size, uint64_t *ret_number)
{
	uint8_t expected[320];

	memcpy(ret_number, data, sizeof(*ret_number));
	if (*ret_number == STOP)
		return size == 8;
	message_fill(expected, size, *ret_number);
	memcpy(expected, ret_number, sizeof(*ret_number));
	return size == size_of(*ret_number) && memcmp(expected, data, size) == 0;
}

static uint64_t taken_of[THREADS], sum_of[THREADS];

struct held {
	const void *data;
	size_t size;
};

/* Look at each again, and let go of the newest first, or of the oldest. */
static int let_go(struct held *held, uint64_t count, bool oldest_first)
{
	for (uint64_t i = 0; i < count; i++) {
		struct held *h = &held[oldest_first ? i : count - 1 - i];
		uint64_t number;

		CHECK(is_right(h->data, h->size, &number));
		CHECK(weir_pipe_release(ends[0], h->data) == 0);
	}
	return 0;
}

/* Holds up to three, and waits only while it holds none, for they may keep the ring full. */
static int take_many(uint64_t index)
{
	struct held held[3];
	uint64_t count = 0, number = 0, turns = 0;
	uint8_t copy[320];

	while (number != STOP) {
		int64_t deadline = count > 0 ? 0 : soon();
		struct held h = { .data = copy };
		bool copied = index == 0 && turns++ % 3 == 0;
		int result;

		if (copied)
			result = weir_pipe_recv(ends[0], copy, sizeof(copy), 0, deadline, &h.size);
		else
			result = weir_pipe_take(ends[0], 0, deadline, &h.data, &h.size);
		if (result == 0) {
			CHECK(is_right(h.data, h.size, &number));
			if (!copied)
				held[count++] = h;
			taken_of[index] += number != STOP;
			sum_of[index] += number != STOP ? number : 0;
		} else {
			CHECK(result == -EAGAIN && count > 0);
		}
		if (count == 3 || result != 0 || number == STOP) {
			result = let_go(held, count, turns % 2);
			if (result != 0)
				return result;
			count = 0;
		}
	}
	return 0;
}

START_TEST(what_several_threads_take_and_release_stays_as_it_is_meanwhile)
{
	struct worker sender, takers[THREADS];
	uint64_t taken = 0, sum = 0;

	start(&sender, send_many, 0);
	for (uint64_t i = 0; i < THREADS; i++)
		start(&takers[i], take_many, i);
	join(&sender);
	for (int i = 0; i < THREADS; i++) {
		join(&takers[i]);
		taken += taken_of[i];
		sum += sum_of[i];
	}
	ck_assert_uint_eq(taken, TAKES);
	ck_assert_uint_eq(sum, (uint64_t)TAKES * (TAKES - 1) / 2);
	ck_assert_int_eq(weir_pipe_handover(ends[0]), 0);
}
END_TEST

static int send_the_largest(uint64_t index)
{
	static uint8_t message[LARGEST];

	message[0] = (uint8_t)index;
	return weir_pipe_send(ends[1], message, LARGEST, 0, soon());
}

static int take_the_largest(uint64_t index)
{
	const void *data;
	size_t size;

	CHECK(weir_pipe_take(ends[0], 0, soon(), &data, &size) == 0);
	CHECK(size == LARGEST && *(const uint8_t *)data == index);
	return weir_pipe_release(ends[0], data);
}

/*
 * The taker sleeps for the next message, its sender for room that another thread's release is to
 * make. Which of the two sleeps first, and whether little or much is released, must not matter.
 */
START_TEST(release_wakes_the_sender_while_the_taker_sleeps)
{
	for (uint64_t round = 0; round < 12; round++) {
		const void *data[CAPACITY / 16];
		struct worker sender, taker;
		uint64_t count = 0;
		size_t size;

		if (round % 3 == 2)
			count = fill_with_numbers(ends[1], 0);
		for (; count <= round % 3; count++)
			ck_assert_int_eq(send_number(ends[1], count, 0), 0);
		for (uint64_t n = 0; n < count; n++)
			ck_assert_int_eq(weir_pipe_take(ends[0], 0, 0, &data[n], &size), 0);
		if (round % 2) {
			start(&taker, take_the_largest, round);
			wait_asleep(&taker);
		}
		start(&sender, send_the_largest, round);
		wait_asleep(&sender);
		if (round % 2 == 0) {
			start(&taker, take_the_largest, round);
			wait_asleep(&taker);
		}
		if (round % 4 < 2)
			ck_assert_int_eq(weir_pipe_release(ends[0], NULL), 0);
		for (uint64_t n = count; round % 4 >= 2 && n-- > 0;)
			ck_assert_int_eq(weir_pipe_release(ends[0], data[n]), 0);
		join(&sender);
		join(&taker);
	}
}
END_TEST

/* Released while the taker sleeps, and before the sender comes for the room. */
START_TEST(sender_finds_what_was_released_while_the_taker_slept)
{
	for (uint64_t round = 0; round < 5; round++) {
		struct worker sender, taker;
		const void *data;
		size_t size;

		ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
		ck_assert_int_eq(weir_pipe_take(ends[0], 0, 0, &data, &size), 0);
		start(&taker, take_the_largest, round);
		wait_asleep(&taker);
		ck_assert_int_eq(weir_pipe_release(ends[0], data), 0);
		start(&sender, send_the_largest, round);
		join(&sender);
		join(&taker);
	}
}
END_TEST

static uint32_t stopping;

static int release_nothing(uint64_t index)
{
	while (!load_acquire(&stopping)) {
		CHECK(weir_pipe_release(ends[0], &stopping) == -EINVAL);
		CHECK(weir_pipe_release(ends[0], NULL) == 0);
	}
	(void)index;
	return 0;
}

START_TEST(release_does_not_disturb_handovers_and_receives)
{
	struct worker releasers[2];

	for (uint64_t i = 0; i < 2; i++)
		start(&releasers[i], release_nothing, i);
	for (uint64_t n = 0; n < 2000 / LESS; n++) {
		ck_assert_int_eq(send_number(ends[1], n, soon()), 0);
		ck_assert_int_eq(recv_number(ends[0], soon()), (int64_t)n);
		if (n % 7 == 0)
			ck_assert_int_eq(weir_pipe_handover(ends[0]), 0);
		ck_assert_int_eq(weir_pipe_limit(ends[0], n % 2 ? 8 : UINT64_MAX), 0);
	}
	store_release(&stopping, 1);
	for (int i = 0; i < 2; i++)
		join(&releasers[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pipe-place");
	TCase *tcase = tcase_create("pipe-place");

	tcase_add_checked_fixture(tcase, setup, teardown);
	/* First: while there are no threads. */
	tcase_add_test(tcase, claim_made_before_there_were_threads_is_committed_among_them);
	tcase_add_test(tcase, claims_of_several_threads_are_whole_and_each_in_order);
	tcase_add_test(tcase, claim_is_ended_by_the_thread_that_made_it_alone);
	tcase_add_test(tcase, what_several_threads_take_and_release_stays_as_it_is_meanwhile);
	tcase_add_test(tcase, release_wakes_the_sender_while_the_taker_sleeps);
	tcase_add_test(tcase, sender_finds_what_was_released_while_the_taker_slept);
	tcase_add_test(tcase, release_does_not_disturb_handovers_and_receives);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
