/* SPDX-License-Identifier: MIT */
/*
 * The descriptors of a queue for those who poll, in one process: when they are readable and when
 * not, under everything that watches descriptors.
 */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#include "base/cc.h"
#include "obj/queue.h"
#include "weir.h"

#define MS	INT64_C(1000000)

static struct weir_queue *queue;
static struct resources before;

static void make(uint64_t max_items)
{
	const struct weir_queue_options o = {
		.size = sizeof(o),
		.max_items = max_items,
		.max_bytes = UINT64_C(1) << 20,
	};

	ck_assert_int_eq(weir_queue(&queue, &o), 0);
}

static void setup(void)
{
	before = resources_begin();
	make(0);
}

static void teardown(void)
{
	weir_queue_close(queue);
	resources_check(&before);
}

static void make_unlimited(void)
{
	make(0);
}

static void close_queue(void)
{
	weir_queue_close(queue);
}

static int put(uint64_t number)
{
	return weir_queue_put(queue, &number, sizeof(number), 0, 0);
}

static int64_t get(void)
{
	uint64_t number;
	int result = weir_queue_get(queue, &number, sizeof(number), 0, 0, NULL);

	return result < 0 ? result : (int64_t)number;
}

static int fd_of(uint32_t events)
{
	int fd = weir_queue_fd(queue, events);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int result = poll(&p, 1, 0);

	ck_assert(result == 0 || p.revents == POLLIN);
	return result == 1;
}

/*
 * Messages
 */

START_TEST(readable_while_a_get_would_find_something)
{
	int fd = fd_of(WEIR_IN);

	/* Who has not looked yet is to look. */
	ck_assert(readable(fd));
	for (uint64_t n = 0; n < 50; n++) {
		ck_assert_int_eq(get(), -EAGAIN);
		ck_assert(!readable(fd));
		for (uint64_t i = 0; i < n % 3 + 1; i++)
			ck_assert_int_eq(put(n), 0);
		for (uint64_t i = 0; i < n % 3 + 1; i++) {
			ck_assert(readable(fd));
			ck_assert_int_eq(get(), (int64_t)n);
		}
	}
}
END_TEST

START_TEST(each_way_to_get_makes_it_dark)
{
	struct weir_msg m = { .data = NULL };
	struct weir_taken taken;
	int fd = fd_of(WEIR_IN);

	for (int way = 0; way < 4; way++) {
		ck_assert_int_eq(put(1), 0);
		ck_assert(readable(fd));
		ck_assert_int_eq(get(), 1);
		switch (way) {
		case 0: ck_assert_int_eq(get(), -EAGAIN); break;
		case 1: ck_assert_int_eq(weir_queue_get_batch(queue, &m, 1, 0, 0), -EAGAIN); break;
		case 2: ck_assert_int_eq(weir_queue_take(queue, 0, 0, &taken), -EAGAIN); break;
		case 3: ck_assert_int_eq(weir_queue_get(queue, NULL, 0, 0, test_now() + MS, NULL),
					 -ETIMEDOUT);
		}
		ck_assert_msg(!readable(fd), "%d", way);
	}
}
END_TEST

START_TEST(each_way_to_put_lights_it)
{
	char bytes[] = "abc";
	struct weir_msg messages[3] = {
		{ &bytes[0], 1, 0 }, { &bytes[1], 1, 0 }, { &bytes[2], 1, 0 },
	};
	struct weir_taken taken;
	int fd = fd_of(WEIR_IN);
	void *data;

	for (int way = 0; way < 4; way++) {
		while (weir_queue_get(queue, &data, sizeof(data), 0, 0, NULL) == 0)
			;
		ck_assert(!readable(fd));
		switch (way) {
		case 0: ck_assert_int_eq(weir_queue_put(queue, "", 0, 0, 0), 0); break;
		case 1: ck_assert_int_eq(weir_queue_put_batch(queue, messages, 3, 0, 0), 3); break;
		case 2:
			ck_assert_int_eq(weir_queue_claim(queue, 8, 0, 0, &data), 0);
			ck_assert_int_eq(weir_queue_commit(queue, 8, 0, 0), 0);
			break;
		case 3:
			ck_assert_int_eq(put(1), 0);
			ck_assert_int_eq(weir_queue_take(queue, 0, 0, &taken), 0);
			ck_assert_int_eq(get(), -EAGAIN);
			ck_assert(!readable(fd));
			ck_assert_int_eq(weir_queue_return(queue, &taken), 0);
		}
		ck_assert_msg(readable(fd), "%d", way);
	}
}
END_TEST

START_TEST(descriptor_is_the_same_each_time_and_counts_once)
{
	int fd = fd_of(WEIR_IN);

	ck_assert_int_eq(get(), -EAGAIN);
	ck_assert_int_eq(fd_of(WEIR_IN), fd);
	/* Who asks is to look. */
	ck_assert(readable(fd));
	ck_assert_int_eq(get(), -EAGAIN);
	ck_assert(!readable(fd));
	ck_assert_int_ne(fd_of(WEIR_OUT), fd);
	ck_assert(!readable(fd));
}
END_TEST

START_TEST(wrong_events_are_einval)
{
	ck_assert_int_eq(weir_queue_fd(NULL, WEIR_IN), -EINVAL);
	ck_assert_int_eq(weir_queue_fd(queue, 0), -EINVAL);
	ck_assert_int_eq(weir_queue_fd(queue, WEIR_HUP), -EINVAL);
	ck_assert_int_eq(weir_queue_fd(queue, WEIR_IN | WEIR_OUT), -EINVAL);
}
END_TEST

/*
 * Room
 */

START_TEST(readable_while_a_put_would_find_room)
{
	int fd;

	weir_queue_close(queue);
	make(3);
	fd = fd_of(WEIR_OUT);
	for (int round = 0; round < 20; round++) {
		struct weir_taken taken;

		while (put(1) == 0)
			ck_assert(readable(fd));
		ck_assert(!readable(fd));
		ck_assert_int_eq(put(1), -EAGAIN);
		ck_assert(!readable(fd));
		if (round % 2) {
			ck_assert_int_eq(get(), 1);
		} else {
			ck_assert_int_eq(weir_queue_take(queue, 0, 0, &taken), 0);
			ck_assert(readable(fd));
			ck_assert_int_eq(weir_queue_release(queue, &taken), 0);
		}
		ck_assert(readable(fd));
	}
}
END_TEST

START_TEST(without_a_limit_there_is_always_room)
{
	int fd = fd_of(WEIR_OUT);

	for (int i = 0; i < 10; i++) {
		ck_assert(readable(fd));
		ck_assert_int_eq(put(1), 0);
	}
}
END_TEST

/*
 * The end
 */

START_TEST(end_is_readable_for_ever)
{
	int in, out;

	weir_queue_close(queue);
	make(1);
	in = fd_of(WEIR_IN);
	out = fd_of(WEIR_OUT);
	ck_assert_int_eq(get(), -EAGAIN);
	ck_assert(!readable(in));
	ck_assert_int_eq(put(1), 0);
	ck_assert_int_eq(put(1), -EAGAIN);
	ck_assert(!readable(out));
	ck_assert_int_eq(weir_queue_shutdown(queue, 0), 0);
	ck_assert(readable(out));
	for (int i = 0; i < 3; i++) {
		ck_assert(readable(in));
		ck_assert_int_eq(get(), i == 0 ? 1 : -EPIPE);
		ck_assert_int_eq(put(1), -EPIPE);
		ck_assert(readable(out));
	}
}
END_TEST

START_TEST(poison_is_readable)
{
	int fd = fd_of(WEIR_IN);

	ck_assert_int_eq(get(), -EAGAIN);
	queue_poison(queue);
	for (int i = 0; i < 3; i++) {
		ck_assert(readable(fd));
		ck_assert_int_eq(get(), -EBADMSG);
	}
}
END_TEST

START_TEST(what_a_closed_handle_had_taken_is_readable)
{
	char text[WEIR_EXPORT_SIZE];
	struct weir_taken taken;
	struct weir_queue *other;
	int fd = fd_of(WEIR_IN);

	ck_assert_int_gt(weir_export(queue, text, sizeof(text)), 0);
	ck_assert_int_eq(weir_import(text, WEIR_KIND_QUEUE, &other), 0);
	ck_assert_int_eq(put(4), 0);
	ck_assert_int_eq(weir_queue_take(other, 0, 0, &taken), 0);
	ck_assert_int_eq(get(), -EAGAIN);
	ck_assert(!readable(fd));
	weir_queue_close(other);
	ck_assert(readable(fd));
	ck_assert_int_eq(get(), 4);
}
END_TEST

/*
 * Watchers
 */

struct kind {
	const char *name;
	uint32_t events;	/* in the epoll */
	uint32_t outer_events;	/* in the one over that, 0: none */
};

static const struct kind kinds[] = {
	{ "epoll, level", EPOLLIN, 0 },
	{ "epoll, edge", EPOLLIN | EPOLLET, 0 },
	{ "epoll in epoll, level", EPOLLIN, EPOLLIN },
	{ "epoll in epoll, edge", EPOLLIN | EPOLLET, EPOLLIN | EPOLLET },
};

static int new_epoll(int fd, uint32_t events)
{
	struct epoll_event event = { .events = events };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
	return epoll;
}

static bool woken(int epoll, int outer)
{
	struct epoll_event event;

	if (outer >= 0 && epoll_wait(outer, &event, 1, 0) != 1)
		return false;
	return epoll_wait(epoll, &event, 1, 0) == 1;
}

START_TEST(after_eagain_each_message_wakes_once)
{
	const struct kind *kind = &kinds[_i];
	int epoll = new_epoll(fd_of(WEIR_IN), kind->events);
	int outer = kind->outer_events ? new_epoll(epoll, kind->outer_events) : -1;

	ck_assert(woken(epoll, outer));
	ck_assert_int_eq(get(), -EAGAIN);
	for (int n = 0; n < 200; n++) {
		ck_assert_msg(!woken(epoll, outer), "%s: %d", kind->name, n);
		for (int i = 0; i <= n % 3; i++)
			ck_assert_int_eq(put((uint64_t)n), 0);
		ck_assert_msg(woken(epoll, outer), "%s: %d", kind->name, n);
		for (int i = 0; i <= n % 3; i++)
			ck_assert_int_eq(get(), n);
		ck_assert_int_eq(get(), -EAGAIN);
	}
	close(epoll);
	if (outer >= 0)
		close(outer);
}
END_TEST

START_TEST(select_sees_it)
{
	struct timeval now = { 0, 0 };
	int fd = fd_of(WEIR_IN);
	fd_set set;

	for (int n = 0; n < 2; n++) {
		FD_ZERO(&set);
		FD_SET(fd, &set);
		ck_assert_int_eq(select(fd + 1, &set, NULL, NULL, &now), 1 - n);
		ck_assert_int_eq(get(), -EAGAIN);
	}
}
END_TEST

/*
 * Tokens
 */

/* As one leaves it who is killed between the token and the bit. */
START_TEST(token_too_many_is_taken_when_nothing_is_found)
{
	int fd = fd_of(WEIR_IN);
	uint64_t one = 1;
	int64_t deadline = soon();

	ck_assert_int_eq(get(), -EAGAIN);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(write(fd, &one, sizeof(one)), sizeof(one));
	ck_assert(readable(fd));
	while (readable(fd) && test_now() < deadline)
		ck_assert_int_eq(get(), -EAGAIN);
	ck_assert(!readable(fd));
	ck_assert_int_eq(put(1), 0);
	ck_assert(readable(fd));
	ck_assert_int_eq(get(), 1);
}
END_TEST

#define THREADS	4
#define EACH	2000

static void *put_many(void *arg)
{
	for (uint64_t n = 0; n < EACH; n++)
		if (put(n) < 0)
			return arg;
	return NULL;
}

START_TEST(threads_that_put_at_a_time_leave_no_token)
{
	struct pollfd p = { .fd = fd_of(WEIR_IN), .events = POLLIN };
	pthread_t threads[THREADS];
	uint64_t got = 0;
	void *failed;

	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, put_many, &p), 0);
	while (got < THREADS * EACH) {
		ck_assert_int_eq(poll(&p, 1, 10000), 1);
		while (get() >= 0)
			got++;
	}
	for (int i = 0; i < THREADS; i++) {
		ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
		ck_assert_ptr_null(failed);
	}
	ck_assert_int_eq(get(), -EAGAIN);
	ck_assert(!readable(p.fd));
	ck_assert_int_eq(put(1), 0);
	ck_assert(readable(p.fd));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("queue-level");
	TCase *tcase = tcase_create("level"), *threads = tcase_create("threads");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, readable_while_a_get_would_find_something);
	tcase_add_test(tcase, each_way_to_get_makes_it_dark);
	tcase_add_test(tcase, each_way_to_put_lights_it);
	tcase_add_test(tcase, descriptor_is_the_same_each_time_and_counts_once);
	tcase_add_test(tcase, wrong_events_are_einval);
	tcase_add_test(tcase, readable_while_a_put_would_find_room);
	tcase_add_test(tcase, without_a_limit_there_is_always_room);
	tcase_add_test(tcase, end_is_readable_for_ever);
	tcase_add_test(tcase, poison_is_readable);
	tcase_add_test(tcase, what_a_closed_handle_had_taken_is_readable);
	tcase_add_loop_test(tcase, after_eagain_each_message_wakes_once, 0,
			    (int)ARRAY_LENGTH(kinds));
	tcase_add_test(tcase, select_sees_it);
	tcase_add_test(tcase, token_too_many_is_taken_when_nothing_is_found);
	suite_add_tcase(suite, tcase);

	/* Whose stacks the C library keeps. */
	tcase_add_checked_fixture(threads, make_unlimited, close_queue);
	tcase_add_test(threads, threads_that_put_at_a_time_leave_no_token);
	suite_add_tcase(suite, threads);
	return test_main(suite);
}
