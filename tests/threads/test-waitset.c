/* SPDX-License-Identifier: MIT */
/* Wait sets and threads: who waits is woken by what the others do with the set and its objects. */
#include "waitset-tools.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct resources before;
static struct weir_waitset *set;
static struct weir_end *ends[2];
static struct weir_queue *queue;

static void setup_with(int engine)
{
	waitset_warm_up();
	before = resources_begin();
	/* Stacks of threads that have ended stay. */
	before.anonymous = false;
	set = waitset_new(engines[engine]);
	ck_assert_ptr_nonnull(set);
	ck_assert_int_eq(pipe_make(ends, 0, 4096), 0);
	queue = queue_new(0, 0, 0);
	ck_assert_ptr_nonnull(queue);
}

static void setup_epoll(void)
{
	setup_with(0);
}

static void setup_uring(void)
{
	setup_with(1);
}

static void teardown(void)
{
	weir_waitset_close(set);
	pipe_close_both(ends);
	weir_queue_close(queue);
	resources_check(&before);
}

static pthread_t start(void *(*fn)(void *), void *arg)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, fn, arg), 0);
	return thread;
}

static void join(pthread_t thread)
{
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

/* A thread that waits once, for ever. */
struct waiter {
	pthread_t thread;
	uint32_t tid;
	struct weir_event event;
	int result;
};

static void *wait_once(void *arg)
{
	struct waiter *w = arg;

	store_release(&w->tid, (uint32_t)gettid());	/* order: TEST release */
	w->result = weir_waitset_wait(set, &w->event, 1, 0, WEIR_FOREVER);
	return NULL;
}

static void begin(struct waiter *w)
{
	int64_t deadline = soon();

	*w = (struct waiter){ 0 };
	w->thread = start(wait_once, w);
	while (load_acquire(&w->tid) == 0)	/* order: TEST acquire */
		ck_assert_int_lt(test_now(), deadline);
}

static void begin_asleep(struct waiter *w)
{
	begin(w);
	ck_assert(child_wait_asleep((pid_t)w->tid));
}

static void end(struct waiter *w, int result, uint32_t events)
{
	join(w->thread);
	ck_assert_int_eq(w->result, result);
	if (result == 1)
		ck_assert_uint_eq(w->event.events, events);
}

/*
 * What others do with the set while one waits
 */

START_TEST(source_added_wakes_who_waits)
{
	int fd = eventfd(1, EFD_CLOEXEC);
	struct waiter w;
	uint64_t source;

	ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
	ck_assert_int_eq(queue_put_number(queue, 1, 0), 0);
	begin_asleep(&w);
	source = source_of_pipe(set, ends[0], WEIR_IN);
	end(&w, 1, WEIR_IN);
	ck_assert_uint_eq(w.event.source, source);
	ck_assert_int_eq(weir_waitset_remove(set, source), 0);
	begin_asleep(&w);
	source = source_of_queue(set, queue, WEIR_IN);
	end(&w, 1, WEIR_IN);
	ck_assert_int_eq(weir_waitset_remove(set, source), 0);
	begin_asleep(&w);
	source = source_of_fd(set, fd, WEIR_IN);
	end(&w, 1, WEIR_IN);
	ck_assert_int_eq(weir_waitset_remove(set, source), 0);
	begin_asleep(&w);
	ck_assert_int_eq(weir_waitset_add_timer(set, test_now(), 0, NULL, &source), 0);
	end(&w, 1, WEIR_IN);
	begin_asleep(&w);
	ck_assert_int_eq(weir_waitset_change_timer(set, source, test_now() + MS, 0), 0);
	end(&w, 1, WEIR_IN);
	close(fd);
}
END_TEST

START_TEST(message_for_a_source_added_meanwhile_wakes)
{
	struct waiter w;

	for (int i = 0; i < 20; i++) {
		uint64_t pipe, q;

		begin_asleep(&w);
		pipe = source_of_pipe(set, ends[0], WEIR_IN);
		q = source_of_queue(set, queue, WEIR_IN);
		if (i % 2)
			ck_assert(child_wait_asleep((pid_t)w.tid));
		if (i % 4 < 2) {
			ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
			end(&w, 1, WEIR_IN);
			ck_assert_int_eq(recv_number(ends[0], 0), 1);
		} else {
			ck_assert_int_eq(queue_put_number(queue, 1, 0), 0);
			end(&w, 1, WEIR_IN);
			ck_assert_int_eq(queue_get_number(queue, 0), 1);
		}
		ck_assert_int_eq(weir_waitset_remove(set, pipe), 0);
		ck_assert_int_eq(weir_waitset_remove(set, q), 0);
	}
}
END_TEST

START_TEST(change_wakes_who_waits)
{
	uint64_t source = source_of_pipe(set, ends[0], WEIR_IN);
	struct waiter w;

	begin_asleep(&w);
	ck_assert_int_eq(weir_waitset_change(set, source, BOTH), 0);
	end(&w, 1, WEIR_OUT);
}
END_TEST

START_TEST(removed_source_does_not_wake)
{
	uint64_t source = source_of_pipe(set, ends[0], WEIR_IN);
	struct waiter w;

	begin_asleep(&w);
	ck_assert_int_eq(weir_waitset_remove(set, source), 0);
	ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
	ck_assert(child_wait_asleep((pid_t)w.tid));
	ck_assert_int_eq(weir_waitset_add_timer(set, 0, 0, NULL, &source), 0);
	end(&w, 1, WEIR_IN);
	ck_assert_uint_eq(w.event.source, source);
}
END_TEST

START_TEST(closed_object_leaves_under_the_wait)
{
	struct waiter w;
	uint64_t source;

	ck_assert_uint_ne(source_of_pipe(set, ends[0], BOTH), 0);
	fill_with_numbers(ends[0], 0);
	ck_assert_uint_ne(source_of_queue(set, queue, WEIR_IN), 0);
	begin_asleep(&w);
	weir_pipe_close(ends[0]);
	ends[0] = NULL;
	weir_queue_close(queue);
	queue = NULL;
	ck_assert_uint_eq(waitset_stat(set).sources, 0);
	ck_assert_int_eq(weir_waitset_add_timer(set, 0, 0, NULL, &source), 0);
	end(&w, 1, WEIR_IN);
	ck_assert_uint_eq(w.event.source, source);
}
END_TEST

START_TEST(closed_set_ends_all_waits)
{
	struct waiter w[3];

	ck_assert_uint_ne(source_of_pipe(set, ends[0], WEIR_IN), 0);
	ck_assert_uint_ne(source_of_queue(set, queue, WEIR_IN), 0);
	for (int i = 0; i < 3; i++)
		begin_asleep(&w[i]);
	weir_waitset_close(set);
	set = NULL;
	for (int i = 0; i < 3; i++)
		end(&w[i], -ESHUTDOWN, 0);
	ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
	ck_assert_int_eq(recv_number(ends[0], 0), 1);
}
END_TEST

START_TEST(calls_that_do_not_wait_for_one_who_does)
{
	struct waiter w;
	struct weir_event event;

	begin_asleep(&w);
	ck_assert_int_eq(weir_waitset_fd(set), -EBUSY);
	ck_assert_int_eq(weir_waitset_wait(set, &event, 1, 0, 0), -EAGAIN);
	ck_assert_int_eq(weir_waitset_wait(set, &event, 1, 0, test_now() + MS), -ETIMEDOUT);
	ck_assert_uint_le(waitset_stat(set).sleeps, waitset_stat(set).calls);
	ck_assert_int_eq(weir_waitset_add_timer(set, 0, 0, NULL, NULL), 0);
	end(&w, 1, WEIR_IN);
	ck_assert_int_ge(weir_waitset_fd(set), 0);
}
END_TEST

/*
 * Who waits
 */

/* The ring is of the thread that waits first: then it ends, and others go on. */
START_TEST(threads_wait_one_after_the_other)
{
	struct waiter w;

	ck_assert_uint_ne(source_of_pipe(set, ends[0], WEIR_IN), 0);
	ck_assert_uint_ne(source_of_queue(set, queue, WEIR_IN), 0);
	for (int i = 0; i < 20; i++) {
		if (i % 3)
			begin_asleep(&w);
		else
			begin(&w);
		if (i % 2)
			ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
		else
			ck_assert_int_eq(queue_put_number(queue, 1, 0), 0);
		end(&w, 1, WEIR_IN);
		/* And the first thread of all in between. */
		if (i % 5 == 0)
			ck_assert_int_eq(events_now(set), WEIR_IN);
		ck_assert_int_eq(i % 2 ? recv_number(ends[0], 0) : queue_get_number(queue, 0), 1);
		ck_assert_int_eq(events_now(set), -EAGAIN);
	}
}
END_TEST

#define WAITERS		3
#define QUEUES		8
#define MESSAGES	(4000 / LESS)
#define STOP		UINT64_MAX

static struct weir_queue *queues[QUEUES];
static uint32_t got[MESSAGES];

static void *serve(void *arg)
{
	struct weir_event events[3];

	(void)arg;
	for (;;) {
		int n = weir_waitset_wait(set, events, 1 + test_now() % 3, 0, soon());

		if (n < 0)
			return (void *)(intptr_t)n;
		for (int i = 0; i < n; i++) {
			int64_t number = queue_get_number(events[i].cookie, 0);

			if (number == INT64_MAX)
				return NULL;
			if (number >= 0)
				/* relaxed: read when the threads have ended */
				add_relaxed(&got[number], 1);
		}
	}
}

START_TEST(several_threads_serve_all_messages_once)
{
	pthread_t threads[WAITERS];

	memset(got, 0, sizeof(got));
	for (int i = 0; i < QUEUES; i++) {
		queues[i] = queue_new(0, 0, 0);
		ck_assert_uint_ne(source_of_queue(set, queues[i], WEIR_IN), 0);
	}
	for (int i = 0; i < WAITERS; i++)
		threads[i] = start(serve, NULL);
	for (uint64_t i = 0; i < MESSAGES; i++) {
		ck_assert_int_eq(queue_put_number(queues[test_random_below(QUEUES)], i, 0), 0);
		if (test_random_below(64) == 0)
			usleep((useconds_t)test_random_below(300));
	}
	/* One is enough for each thread, behind all that was put. */
	for (int i = 0; i < WAITERS; i++)
		for (int k = 0; k < QUEUES; k++)
			ck_assert_int_eq(queue_put_number(queues[k], INT64_MAX, 0), 0);
	for (int i = 0; i < WAITERS; i++) {
		void *result;

		ck_assert_int_eq(pthread_join(threads[i], &result), 0);
		ck_assert_ptr_null(result);
	}
	for (int i = 0; i < QUEUES; i++) {
		int64_t number;

		while ((number = queue_get_number(queues[i], 0)) >= 0)
			if (number != INT64_MAX)
				got[number]++;
		weir_queue_close(queues[i]);
	}
	for (int i = 0; i < MESSAGES; i++)
		ck_assert_uint_eq(got[i], 1);
}
END_TEST

/* Objects come and go while another thread waits and serves one that stays. */
static uint32_t done;

static void *serve_until_done(void *arg)
{
	struct weir_event events[4];
	uint64_t served = 0;

	(void)arg;
	for (;;) {
		int n = weir_waitset_wait(set, events, 4, 0, soon());

		if (n < 0)
			return (void *)(intptr_t)n;
		/* Only the one with a cookie is still there for sure. */
		for (int i = 0; i < n; i++) {
			int64_t number = -EAGAIN;

			if (events[i].cookie == queue)
				number = queue_get_number(queue, 0);
			if (number == INT64_MAX)
				return served == load_relaxed(&done) ? NULL : (void *)1;
			served += number >= 0;
		}
	}
}

START_TEST(objects_come_and_go_under_the_wait)
{
	pthread_t thread;
	void *result;

	done = 0;
	ck_assert_uint_ne(source_of_queue(set, queue, WEIR_IN), 0);
	thread = start(serve_until_done, NULL);
	for (int i = 0; i < 300 / LESS; i++) {
		struct weir_end *other[2];
		struct weir_queue *q = queue_new(0, 0, 0);
		uint64_t source, timer;

		ck_assert_int_eq(pipe_make(other, 0, 4096), 0);
		ck_assert_int_eq(weir_waitset_add_pipe(set, other[0], BOTH, NULL, &source), 0);
		ck_assert_int_eq(weir_waitset_add_queue(set, q, WEIR_IN, NULL, NULL), 0);
		ck_assert_int_eq(weir_waitset_add_timer(set, test_now(), 0, NULL, &timer), 0);
		ck_assert_int_eq(send_number(other[1], 1, 0), 0);
		ck_assert_int_eq(queue_put_number(q, 1, 0), 0);
		ck_assert_int_eq(queue_put_number(queue, 1, 0), 0);
		add_relaxed(&done, 1);	/* relaxed: read behind the message that says so */
		ck_assert_int_eq(weir_waitset_change(set, source, i % 2 ? WEIR_IN : 0), 0);
		if (i % 3 == 0)
			ck_assert_int_eq(weir_waitset_remove(set, source), 0);
		ck_assert_int_eq(weir_waitset_remove(set, timer), 0);
		pipe_close_both(other);
		weir_queue_close(q);
	}
	ck_assert_int_eq(queue_put_number(queue, INT64_MAX, 0), 0);
	ck_assert_int_eq(pthread_join(thread, &result), 0);
	ck_assert_ptr_null(result);
	ck_assert_uint_eq(waitset_stat(set).sources, 1);
}
END_TEST

/*
 * Who is inside the object
 */

static void *receive_one(void *arg)
{
	store_release((uint32_t *)arg, (uint32_t)gettid());	/* order: TEST release */
	return (void *)(intptr_t)recv_number(ends[0], soon());
}

START_TEST(thread_that_receives_has_the_message_and_the_set_the_next)
{
	ck_assert_uint_ne(source_of_pipe(set, ends[0], WEIR_IN), 0);
	for (int i = 0; i < 5; i++) {
		uint32_t tid = 0;
		pthread_t thread = start(receive_one, &tid);
		struct weir_event event;
		struct waiter w;
		void *result;

		while (load_acquire(&tid) == 0)		/* order: TEST acquire */
			;
		ck_assert(child_wait_asleep((pid_t)tid));
		ck_assert_int_eq(wait_one(set, test_now() + 2 * MS, &event), -ETIMEDOUT);
		begin(&w);
		ck_assert_int_eq(send_number(ends[1], 5, 0), 0);
		ck_assert_int_eq(pthread_join(thread, &result), 0);
		ck_assert_int_eq((intptr_t)result, 5);
		ck_assert_int_eq(send_number(ends[1], 6, 0), 0);
		end(&w, 1, WEIR_IN);
		ck_assert_int_eq(recv_number(ends[0], 0), 6);
	}
}
END_TEST

static TCase *cases(int engine)
{
	TCase *t = tcase_create(engine == 0 ? "epoll" : "uring");

	tcase_add_checked_fixture(t, engine == 0 ? setup_epoll : setup_uring, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, source_added_wakes_who_waits);
	tcase_add_test(t, message_for_a_source_added_meanwhile_wakes);
	tcase_add_test(t, change_wakes_who_waits);
	tcase_add_test(t, removed_source_does_not_wake);
	tcase_add_test(t, closed_object_leaves_under_the_wait);
	tcase_add_test(t, closed_set_ends_all_waits);
	tcase_add_test(t, calls_that_do_not_wait_for_one_who_does);
	tcase_add_test(t, threads_wait_one_after_the_other);
	tcase_add_test(t, several_threads_serve_all_messages_once);
	tcase_add_test(t, objects_come_and_go_under_the_wait);
	tcase_add_test(t, thread_that_receives_has_the_message_and_the_set_the_next);
	return t;
}

static Suite *suite(void)
{
	Suite *s = suite_create("waitset");

	WAITSET_CASES(s, cases);
	return s;
}

int main(void)
{
	return test_main(suite());
}
