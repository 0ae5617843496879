/* SPDX-License-Identifier: MIT */
/*
 * The descriptors of a queue in event loops, with those who put in other processes: each message
 * must wake once its getter has found nothing. A wake-up that is missed shows as a wait that does
 * not end.
 */
#include "queue-tools.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/cc.h"
#include "weir.h"

#define PATIENCE_MS	10000
#define PUTTERS	3
#define EACH	(800 / LESS)
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LESS 5
#else
#define LESS 1
#endif

static struct weir_queue *queue;

static void setup(void)
{
	ck_assert_int_eq(weir_queue(&queue, NULL), 0);
}

static void setup_limited(void)
{
	const struct weir_queue_options o = { .size = sizeof(o), .max_items = 8 };

	ck_assert_int_eq(weir_queue(&queue, &o), 0);
}

static void teardown(void)
{
	weir_queue_close(queue);
}

static int put(uint64_t number, int64_t deadline)
{
	return weir_queue_put(queue, &number, sizeof(number), 0, deadline);
}

static int64_t get(void)
{
	uint64_t number;
	int result = weir_queue_get(queue, &number, sizeof(number), 0, 0, NULL);

	return result < 0 ? result : (int64_t)number;
}

/*
 * Watchers, also in children: they do not assert
 */

struct watch {
	int fd;
	int epoll;	/* -1: none */
};

static struct watch watch_open(uint32_t side, int kind)
{
	struct epoll_event event = { .events = kind == 2 ? EPOLLIN | EPOLLET : EPOLLIN };
	struct watch w = { weir_queue_fd(queue, side), -1 };

	if (kind > 0) {
		w.epoll = epoll_create1(EPOLL_CLOEXEC);
		if (epoll_ctl(w.epoll, EPOLL_CTL_ADD, w.fd, &event) < 0)
			w.fd = -1;
	}
	return w;
}

static bool watch_wait(const struct watch *w, int ms)
{
	struct pollfd p = { .fd = w->fd, .events = POLLIN };
	struct epoll_event event;

	if (w->epoll >= 0)
		return epoll_wait(w->epoll, &event, 1, ms) == 1;
	return poll(&p, 1, ms) == 1;
}

static void watch_close(const struct watch *w)
{
	if (w->epoll >= 0)
		close(w->epoll);
}

/*
 * Messages
 */

/* One or some, then nothing for about as long as a wake-up takes, or at once the next. */
static int put_stream(void *arg)
{
	(void)arg;
	for (uint64_t n = 0; n < EACH;) {
		uint64_t burst = test_random_below(8) ? 1 : 1 + test_random_below(20);
		int64_t pause = test_random_below(3) ? 0 : (int64_t)test_random_below(60000);

		for (; burst > 0 && n < EACH; burst--)
			child_check(put(n++, soon()) == 0);
		for (int64_t until = test_now() + pause; test_now() < until;)
			sched_yield();
	}
	return 0;
}

START_TEST(messages_of_other_processes_wake)
{
	struct watch w = watch_open(WEIR_IN, _i);
	struct child children[PUTTERS];
	uint64_t got = 0;
	int64_t number;

	for (int i = 0; i < PUTTERS; i++)
		children[i] = child_start(put_stream, NULL);
	while (got < PUTTERS * EACH) {
		ck_assert_msg(watch_wait(&w, PATIENCE_MS), "after %d", (int)got);
		while ((number = get()) >= 0)
			got++;
		ck_assert_int_eq(number, -EAGAIN);
	}
	for (int i = 0; i < PUTTERS; i++)
		child_join_ok(&children[i]);
	ck_assert_int_eq(get(), -EAGAIN);
	ck_assert(!watch_wait(&w, 0) || (get() == -EAGAIN && !watch_wait(&w, 0)));
	watch_close(&w);
}
END_TEST

static uint32_t *left;	/* shared: messages that nobody has got */

static int get_by_polling(void *arg)
{
	struct watch w = watch_open(WEIR_IN, (int)(intptr_t)arg);

	child_check(w.fd >= 0);
	while (load_acquire(left) > 0) {
		int64_t number;

		child_check(watch_wait(&w, PATIENCE_MS));
		while ((number = get()) >= 0)
			if (add_seq(left, -1U) == 1)
				child_check(weir_queue_shutdown(queue, 0) == 0);
		child_check(number == -EAGAIN || number == -EPIPE);
	}
	return 0;
}

START_TEST(several_loops_share_the_messages)
{
	struct child getters[3], putters[PUTTERS];

	left = shared_alloc(sizeof(*left));
	*left = PUTTERS * EACH;
	for (int i = 0; i < 3; i++)
		getters[i] = child_start(get_by_polling, (void *)(intptr_t)i);
	for (int i = 0; i < PUTTERS; i++)
		putters[i] = child_start(put_stream, NULL);
	for (int i = 0; i < PUTTERS; i++)
		child_join_ok(&putters[i]);
	for (int i = 0; i < 3; i++)
		child_join_ok(&getters[i]);
}
END_TEST

static int get_slowly(void *arg)
{
	(void)arg;
	for (uint64_t n = 0; n < EACH; n++) {
		int64_t number;

		do {
			uint64_t got;

			number = weir_queue_get(queue, &got, sizeof(got), 0, soon(), NULL);
			child_check(number < 0 || got == n);
		} while (number == -EAGAIN);
		child_check(number == 0);
		if (test_random_below(20) == 0)
			sched_yield();
	}
	return 0;
}

START_TEST(room_made_by_another_process_wakes)
{
	struct watch w = watch_open(WEIR_OUT, _i);
	struct child child = child_start(get_slowly, NULL);
	int result;

	for (uint64_t n = 0; n < EACH;) {
		ck_assert_msg(watch_wait(&w, PATIENCE_MS), "after %d", (int)n);
		while (n < EACH && (result = put(n, 0)) == 0)
			n++;
		ck_assert(n == EACH || result == -EAGAIN);
	}
	child_join_ok(&child);
	watch_close(&w);
}
END_TEST

START_TEST(sleepers_and_loops_share_the_messages)
{
	struct watch w = watch_open(WEIR_IN, 2);
	struct child child = child_start(get_slowly, NULL);

	/* All of them are for the sleeper, but a loop that looks finds some. */
	ck_assert_int_eq(get(), -EAGAIN);
	for (uint64_t n = 0; n < EACH; n++)
		ck_assert_int_eq(put(n, 0), 0);
	child_join_ok(&child);
	ck_assert_int_eq(get(), -EAGAIN);
	ck_assert_int_eq(put(7, 0), 0);
	ck_assert(watch_wait(&w, 0));
	watch_close(&w);
}
END_TEST

/* A descriptor that came with the queue. */
static int poll_imported(void *arg)
{
	struct weir_queue *other;

	child_check(weir_recv_handle(*(int *)arg, WEIR_KIND_QUEUE, 0, soon(), &other) == 0);
	weir_queue_close(queue);
	queue = other;
	return get_by_polling((void *)2);
}

START_TEST(imported_descriptor_shows_what_comes)
{
	struct child child, putter;
	int sockets[2];

	left = shared_alloc(sizeof(*left));
	*left = EACH;
	ck_assert_int_eq(sys_socketpair(sockets), 0);
	child = child_start(poll_imported, &sockets[1]);
	ck_assert_int_eq(weir_send_handle(sockets[0], queue, 0, soon()), 0);
	putter = child_start(put_stream, NULL);
	child_join_ok(&putter);
	child_join_ok(&child);
	close(sockets[0]);
	close(sockets[1]);
}
END_TEST

/*
 * Deaths
 */

static int take_and_die(void *arg)
{
	struct weir_taken taken;

	(void)arg;
	child_check(weir_queue_take(queue, 0, 0, &taken) == 0);
	raise(SIGKILL);
	return 0;
}

START_TEST(what_a_dead_one_had_taken_is_found_by_a_loop_that_looks)
{
	struct watch w = watch_open(WEIR_IN, 0);
	int64_t deadline = soon(), number;
	struct child child;

	ck_assert_int_eq(put(3, 0), 0);
	child = child_start(take_and_die, NULL);
	child_join(&child);
	while ((number = get()) == -EAGAIN && test_now() < deadline)
		watch_wait(&w, 5);
	ck_assert_int_eq(number, 3);
}
END_TEST

static int put_for_ever(void *arg)
{
	(void)arg;
	for (uint64_t n = 0;; n++)
		if (put(n, 0) < 0)
			usleep(100);
	return 0;
}

/* Killed anywhere: what it has put is seen at once, and then the descriptor is not readable. */
START_TEST(killed_putter_leaves_no_message_unseen)
{
	struct watch w = watch_open(WEIR_IN, _i);

	for (int round = 0; round < 10 / LESS; round++) {
		struct child child = child_start(put_for_ever, NULL);
		int64_t until = test_now() + (int64_t)test_random_below(2000000);
		int64_t deadline;
		bool empty = true;

		while (test_now() < until)
			if (watch_wait(&w, 1))
				empty = queue_drain_until(queue, until);
		child_kill(&child);
		deadline = soon();
		/* There is an edge only for those who have found nothing. */
		if (!empty)
			ck_assert(queue_drain_until(queue, deadline));
		/* If there is one, it says so; and in the end there is none, and it says that. */
		for (;;) {
			struct weir_queue_stat st = { .size = sizeof(st) };

			ck_assert_int_eq(weir_queue_stat(queue, &st), 0);
			if (st.items > 0)
				ck_assert_msg(watch_wait(&w, 0), "round %d", round);
			else if (!watch_wait(&w, 0))
				break;
			ck_assert(queue_drain_until(queue, deadline));
			ck_assert(test_now() < deadline);
		}
	}
	watch_close(&w);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("queue-fd");
	TCase *tcase = tcase_create("messages"), *room = tcase_create("room");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, messages_of_other_processes_wake, 0, 3);
	tcase_add_test(tcase, several_loops_share_the_messages);
	tcase_add_test(tcase, sleepers_and_loops_share_the_messages);
	tcase_add_test(tcase, imported_descriptor_shows_what_comes);
	tcase_add_test(tcase, what_a_dead_one_had_taken_is_found_by_a_loop_that_looks);
	tcase_add_loop_test(tcase, killed_putter_leaves_no_message_unseen, 0, 3);
	suite_add_tcase(suite, tcase);

	tcase_add_checked_fixture(room, setup_limited, teardown);
	tcase_add_loop_test(room, room_made_by_another_process_wakes, 0, 3);
	suite_add_tcase(suite, room);
	return test_main(suite);
}
