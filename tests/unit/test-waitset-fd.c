/* SPDX-License-Identifier: MIT */
/* Wait sets: descriptors, processes, listeners, timers, and a set as a descriptor. */
#include "listener-tools.h"
#include "waitset-tools.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

static struct resources before;
static struct weir_waitset *set;

static void setup_with(int engine)
{
	waitset_warm_up();
	before = resources_begin();
	set = waitset_new(engines[engine]);
	ck_assert_ptr_nonnull(set);
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
	resources_check(&before);
}

static void close_two(const int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

/*
 * Descriptors
 */

START_TEST(socket_is_reported_as_long_as_it_is_ready)
{
	struct weir_event event;
	uint64_t source;
	char byte;
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	ck_assert_int_eq(weir_waitset_add_fd(set, fds[0], WEIR_IN, &byte, &source), 0);
	ck_assert_int_eq(events_now(set), -EAGAIN);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(write(fds[1], "ab", 2), 2);
		for (int k = 0; k < 2; k++) {
			ck_assert_int_eq(wait_one(set, k ? 0 : soon(), &event), WEIR_IN);
			ck_assert_uint_eq(event.source, source);
			ck_assert_ptr_eq(event.cookie, &byte);
			ck_assert_int_eq(events_now(set), WEIR_IN);
			ck_assert_int_eq(read(fds[0], &byte, 1), 1);
		}
		ck_assert_int_eq(events_now(set), -EAGAIN);
		ck_assert_int_eq(wait_one(set, test_now() + MS, &event), -ETIMEDOUT);
	}
	close(fds[1]);
	ck_assert_int_eq(events_soon(set), WEIR_IN | WEIR_HUP);
	ck_assert_int_eq(events_now(set), WEIR_IN | WEIR_HUP);
	ck_assert_int_eq(weir_waitset_change(set, source, 0), 0);
	ck_assert_int_eq(events_now(set), WEIR_HUP);
	ck_assert_int_eq(weir_waitset_remove(set, source), 0);
	ck_assert_int_eq(events_now(set), -EAGAIN);
	close(fds[0]);
}
END_TEST

START_TEST(what_is_waited_for_of_a_descriptor_changes)
{
	uint64_t source;
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	source = source_of_fd(set, fds[0], BOTH);
	ck_assert_int_eq(events_now(set), WEIR_OUT);
	ck_assert_int_eq(weir_waitset_change(set, source, WEIR_IN), 0);
	ck_assert_int_eq(events_now(set), -EAGAIN);
	ck_assert_int_eq(write(fds[1], "a", 1), 1);
	ck_assert_int_eq(events_soon(set), WEIR_IN);
	ck_assert_int_eq(weir_waitset_change(set, source, 0), 0);
	ck_assert_int_eq(events_now(set), -EAGAIN);
	ck_assert_int_eq(weir_waitset_change(set, source, BOTH), 0);
	ck_assert_int_eq(events_soon(set), BOTH);
	close_two(fds);
	weir_waitset_remove(set, source);
}
END_TEST

START_TEST(pipe_without_reader_is_hung_up)
{
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	ck_assert_uint_ne(source_of_fd(set, fds[1], WEIR_OUT), 0);
	ck_assert_int_eq(events_now(set), WEIR_OUT);
	close(fds[0]);
	ck_assert_int_eq(events_soon(set), WEIR_OUT | WEIR_HUP);
	weir_waitset_close(set);
	set = NULL;
	close(fds[1]);
}
END_TEST

START_TEST(eventfd_is_by_level)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uint64_t value, source = source_of_fd(set, fd, WEIR_IN);

	ck_assert_int_eq(events_now(set), -EAGAIN);
	ck_assert_int_eq(eventfd_write(fd, 1), 0);
	ck_assert_int_eq(events_soon(set), WEIR_IN);
	ck_assert_int_eq(events_soon(set), WEIR_IN);
	ck_assert_int_eq(eventfd_read(fd, &value), 0);
	ck_assert_int_eq(events_now(set), -EAGAIN);
	ck_assert_int_eq(weir_waitset_remove(set, source), 0);
	close(fd);
}
END_TEST

START_TEST(descriptors_that_cannot_be_are_refused)
{
	char path[] = "/tmp/weir-test-XX" "XXXX";
	int file = mkstemp(path), fd = dup(file);

	unlink(path);
	close(fd);
	ck_assert_int_eq(weir_waitset_add_fd(set, file, WEIR_IN, NULL, NULL), -EPERM);
	ck_assert_int_eq(weir_waitset_add_fd(set, fd, WEIR_IN, NULL, NULL), -EBADF);
	ck_assert_int_eq(weir_waitset_add_fd(set, weir_waitset_fd(set), WEIR_IN, NULL, NULL),
			 -ELOOP);
	ck_assert_uint_eq(waitset_stat(set).sources, 0);
	close(file);
}
END_TEST

/* A flaw that was: the one that was there was watched no more. */
START_TEST(descriptor_added_twice_is_refused_and_stays)
{
	struct weir_event event;
	uint64_t source;
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	source = source_of_fd(set, fds[0], WEIR_IN);
	ck_assert_int_eq(weir_waitset_add_fd(set, fds[0], WEIR_IN, NULL, NULL), -EEXIST);
	ck_assert_uint_eq(waitset_stat(set).sources, 1);
	ck_assert_int_eq(write(fds[1], "a", 1), 1);
	ck_assert_int_eq(wait_one(set, soon(), &event), WEIR_IN);
	ck_assert_uint_eq(event.source, source);
	ck_assert_int_eq(weir_waitset_remove(set, source), 0);
	close_two(fds);
}
END_TEST

#define MANY	1000
#define AT_ONCE	7

/* Also those that a wait has found and not reported. */
START_TEST(descriptors_that_stay_ready_take_turns)
{
	static int fds[MANY];
	static uint32_t seen[MANY];
	struct weir_event events[AT_ONCE];

	memset(seen, 0, sizeof(seen));
	for (int i = 0; i < MANY; i++) {
		fds[i] = eventfd(1, EFD_CLOEXEC);
		ck_assert_int_ge(fds[i], 0);
		ck_assert_int_eq(weir_waitset_add_fd(set, fds[i], WEIR_IN, &seen[i], NULL), 0);
	}
	for (int left = 4 * MANY; left > 0;) {
		int got = weir_waitset_wait(set, events, AT_ONCE, 0, left % 2 ? 0 : soon());

		ck_assert_int_ge(got, 1);
		for (int i = 0; i < got; i++)
			++*(uint32_t *)events[i].cookie;
		left -= got;
	}
	for (int i = 0; i < MANY; i++)
		ck_assert_uint_ge(seen[i], 2);
	weir_waitset_close(set);
	set = NULL;
	for (int i = 0; i < MANY; i++)
		close(fds[i]);
}
END_TEST

/* Of each kind there is one, all stay ready, and each wait asks for one. */
START_TEST(kinds_of_sources_take_turns)
{
	struct weir_queue *q = queue_new(0, 0, 0);
	int fds[2] = { eventfd(1, EFD_CLOEXEC), eventfd(1, EFD_CLOEXEC) };
	uint32_t seen[5] = { 0 };
	struct weir_end *ends[2];
	struct weir_event event;

	ck_assert_int_eq(pipe_make(ends, 0, 4096), 0);
	ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
	ck_assert_int_eq(queue_put_number(q, 1, 0), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(weir_waitset_add_fd(set, fds[i], WEIR_IN, &seen[i], NULL), 0);
	ck_assert_int_eq(weir_waitset_add_pipe(set, ends[0], WEIR_IN, &seen[2], NULL), 0);
	ck_assert_int_eq(weir_waitset_add_queue(set, q, WEIR_IN, &seen[3], NULL), 0);
	ck_assert_int_eq(weir_waitset_add_timer(set, 0, 1, &seen[4], NULL), 0);
	for (int i = 0; i < 500; i++) {
		ck_assert_int_eq(weir_waitset_wait(set, &event, 1, 0, i % 2 ? 0 : soon()), 1);
		++*(uint32_t *)event.cookie;
	}
	for (int i = 0; i < 5; i++)
		ck_assert_uint_ge(seen[i], 50);
	weir_waitset_close(set);
	set = NULL;
	pipe_close_both(ends);
	weir_queue_close(q);
	close_two(fds);
}
END_TEST

/* What a wait has found and not reported is looked at again before it is. */
START_TEST(what_is_not_ready_any_more_is_not_reported)
{
	int fds[10];
	struct weir_event events[10];
	uint64_t value;

	for (int i = 0; i < 10; i++) {
		fds[i] = eventfd(1, EFD_CLOEXEC);
		ck_assert_int_eq(weir_waitset_add_fd(set, fds[i], WEIR_IN, &fds[i], NULL), 0);
	}
	ck_assert_int_eq(weir_waitset_wait(set, events, 3, 0, 0), 3);
	for (int i = 0; i < 10; i++)
		if (&fds[i] != events[1].cookie)
			ck_assert_int_eq(eventfd_read(fds[i], &value), 0);
	ck_assert_int_eq(weir_waitset_wait(set, events + 3, 7, 0, 0), 1);
	ck_assert_ptr_eq(events[3].cookie, events[1].cookie);
	weir_waitset_close(set);
	set = NULL;
	for (int i = 0; i < 10; i++)
		close(fds[i]);
}
END_TEST

/*
 * Processes
 */

static int wait_for_end(void *arg)
{
	const int *fd = arg;
	char byte;

	return read(*fd, &byte, 1) == 1 ? 0 : 1;
}

START_TEST(end_of_a_process_is_reported)
{
	struct weir_event event;
	struct child child;
	uint64_t source;
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	child = child_start(wait_for_end, &fds[0]);
	ck_assert_int_eq(weir_waitset_add_process(set, child.pid, &child, &source), 0);
	ck_assert_int_eq(weir_waitset_change(set, source, WEIR_OUT), -EINVAL);
	ck_assert_int_eq(weir_waitset_change_timer(set, source, 0, 0), -EINVAL);
	ck_assert_int_eq(events_now(set), -EAGAIN);
	ck_assert_int_eq(write(fds[1], "a", 1), 1);
	ck_assert_int_eq(wait_one(set, soon(), &event), WEIR_IN);
	ck_assert_uint_eq(event.source, source);
	ck_assert_ptr_eq(event.cookie, &child);
	child_join_ok(&child);
	ck_assert_int_eq(events_now(set) & WEIR_IN, WEIR_IN);
	ck_assert_int_eq(weir_waitset_remove(set, source), 0);
	ck_assert_int_eq(events_now(set), -EAGAIN);
	ck_assert_int_eq(weir_waitset_add_process(set, INT32_MAX, NULL, NULL), -ESRCH);
	close_two(fds);
}
END_TEST

/*
 * Listeners
 */

static int connect_to(void *arg)
{
	struct weir_end *end;

	child_check(weir_connect(arg, NULL, 0, soon(), &end) == 0);
	child_check(recv_number(end, soon()) == 7);
	weir_pipe_close(end);
	return 0;
}

START_TEST(listener_is_reported_while_there_is_a_client)
{
	struct folder folder = folder_make();
	struct weir_listener *listener = NULL;
	struct weir_end *server;
	struct child client;
	uint64_t source;

	ck_assert_int_eq(weir_listen(&listener, path_in(&folder, "s"), NULL), 0);
	ck_assert_int_eq(weir_waitset_add_listener(set, listener, NULL, &source), 0);
	ck_assert_int_eq(weir_waitset_add_listener(set, listener, NULL, NULL), -EEXIST);
	ck_assert_int_eq(weir_waitset_change(set, source, WEIR_OUT), -EINVAL);
	ck_assert_int_eq(events_now(set), -EAGAIN);
	client = child_start(connect_to, (void *)path_in(&folder, "s"));
	ck_assert_int_eq(events_soon(set), WEIR_IN);
	/* A server that has no place for another one. */
	ck_assert_int_eq(weir_waitset_change(set, source, 0), 0);
	ck_assert_int_eq(events_now(set), -EAGAIN);
	ck_assert_int_eq(weir_waitset_change(set, source, WEIR_IN), 0);
	do {
		ck_assert_int_eq(events_soon(set), WEIR_IN);
	} while (weir_accept(listener, 0, 0, &server, NULL) == -EAGAIN);
	ck_assert_int_eq(send_number(server, 7, soon()), 0);
	child_join_ok(&client);
	while (events_now(set) == WEIR_IN)
		ck_assert_int_eq(weir_accept(listener, 0, 0, &server, NULL), -EAGAIN);
	weir_listener_close(listener);
	ck_assert_uint_eq(waitset_stat(set).sources, 0);
	ck_assert_int_eq(weir_waitset_remove(set, source), -ENOENT);
	weir_pipe_close(server);
	folder_remove(&folder);
}
END_TEST

/*
 * Timers
 */

START_TEST(timer_comes_due_once)
{
	int64_t start = test_now();
	struct weir_event event;
	uint64_t source;

	ck_assert_int_eq(weir_waitset_add_timer(set, start + 5 * MS, 0, &event, &source), 0);
	ck_assert_int_eq(weir_waitset_change(set, source, WEIR_IN), -EINVAL);
	ck_assert_int_eq(wait_one(set, soon(), &event), WEIR_IN);
	ck_assert_int_ge(test_now(), start + 5 * MS);
	ck_assert_uint_eq(event.source, source);
	ck_assert_ptr_eq(event.cookie, &event);
	ck_assert_uint_eq(event.count, 1);
	ck_assert_int_eq(events_now(set), -EAGAIN);
	ck_assert_int_eq(weir_waitset_remove(set, source), 0);
	ck_assert_int_eq(weir_waitset_change_timer(set, source, 0, 0), -ENOENT);
}
END_TEST

START_TEST(timer_of_the_past_is_due_at_once)
{
	struct weir_event event;

	ck_assert_int_eq(weir_waitset_add_timer(set, 0, 0, NULL, NULL), 0);
	ck_assert_int_eq(wait_one(set, 0, &event), WEIR_IN);
	ck_assert_uint_eq(event.count, 1);
	ck_assert_int_eq(weir_waitset_add_timer(set, 1, WEIR_FOREVER, NULL, NULL), 0);
	ck_assert_int_eq(wait_one(set, 0, &event), WEIR_IN);
	ck_assert_uint_eq(event.count, 1);
	ck_assert_int_eq(events_now(set), -EAGAIN);
}
END_TEST

START_TEST(periods_that_were_missed_are_counted)
{
	int64_t first = test_now() - 95 * MS, period = 10 * MS, now;
	struct weir_event event;
	uint64_t count = 0;

	ck_assert_int_eq(weir_waitset_add_timer(set, first, period, NULL, NULL), 0);
	ck_assert_int_eq(wait_one(set, 0, &event), WEIR_IN);
	ck_assert_uint_ge(event.count, 10);
	for (count = event.count; count < 15; count += event.count) {
		ck_assert_int_eq(wait_one(set, soon(), &event), WEIR_IN);
		ck_assert_uint_ge(event.count, 1);
	}
	/* It never comes early, and does not drift. */
	now = test_now();
	ck_assert_uint_le(count, (uint64_t)((now - first) / period + 1));
}
END_TEST

START_TEST(timer_is_set_anew)
{
	struct weir_event event;
	uint64_t source;

	ck_assert_int_eq(weir_waitset_add_timer(set, WEIR_FOREVER, 0, NULL, &source), 0);
	ck_assert_int_eq(wait_one(set, test_now() + MS, &event), -ETIMEDOUT);
	ck_assert_int_eq(weir_waitset_change_timer(set, source, 0, 0), 0);
	ck_assert_int_eq(events_now(set), WEIR_IN);
	ck_assert_int_eq(events_now(set), -EAGAIN);
	/* One that is due and was not reported yet. */
	ck_assert_int_eq(weir_waitset_change_timer(set, source, 0, 0), 0);
	ck_assert_int_eq(weir_waitset_change_timer(set, source, WEIR_FOREVER - 1, 0), 0);
	ck_assert_int_eq(wait_one(set, test_now() + MS, &event), -ETIMEDOUT);
	ck_assert_int_eq(weir_waitset_change_timer(set, source, 0, WEIR_FOREVER - 1), 0);
	ck_assert_int_eq(events_now(set), WEIR_IN);
	ck_assert_int_eq(events_now(set), -EAGAIN);
}
END_TEST

/* A flaw that was: it was an -ETIMEDOUT. */
START_TEST(timer_that_comes_due_with_the_deadline_is_reported)
{
	for (int i = 0; i < 20; i++) {
		int64_t due = test_now() + 200 * US;
		struct weir_event event;

		ck_assert_int_eq(weir_waitset_add_timer(set, due, 0, NULL, NULL), 0);
		ck_assert_int_eq(wait_one(set, due, &event), WEIR_IN);
	}
}
END_TEST

#define TIMERS 300

START_TEST(timers_come_due_in_order)
{
	int64_t base = test_now() + MS, last = 0, due[TIMERS];
	uint64_t sources[TIMERS];
	struct weir_event events[16];
	int left = TIMERS;

	for (int i = 0; i < TIMERS; i++) {
		due[i] = base + (int64_t)test_random_below(10 * MS);
		ck_assert_int_eq(weir_waitset_add_timer(set, due[i], 0, &due[i], &sources[i]), 0);
	}
	for (int i = 0; i < TIMERS; i += 3) {
		ck_assert_int_eq(weir_waitset_remove(set, sources[i]), 0);
		left--;
	}
	while (left > 0) {
		int got = weir_waitset_wait(set, events, 16, 0, soon());

		ck_assert_int_ge(got, 1);
		for (int i = 0; i < got; i++) {
			const int64_t *at = events[i].cookie;

			ck_assert_int_ge(*at, last);
			ck_assert_int_ne((at - due) % 3, 0);
			last = *at;
		}
		ck_assert_int_ge(test_now(), last);
		left -= got;
	}
	ck_assert_int_eq(events_now(set), -EAGAIN);
}
END_TEST

/*
 * The set as a descriptor
 */

static bool readable(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, timeout_ms) == 1;
}

/* As a loop does it: as long as it is readable it is asked. */
static int events_when_readable(int fd)
{
	int64_t deadline = soon();
	int result = -ETIMEDOUT;

	while (test_now() < deadline) {
		if (!readable(fd, 100))
			continue;
		result = events_now(set);
		if (result != -EAGAIN)
			return result;
	}
	return result;
}

/* Until it is not readable any more, which comes soon if there is nothing. */
static bool becomes_quiet(int fd)
{
	for (int i = 0; i < 100; i++) {
		if (!readable(fd, 0))
			return true;
		if (events_now(set) != -EAGAIN)
			return false;
	}
	return false;
}

START_TEST(descriptor_is_readable_while_there_is_something)
{
	struct weir_queue *q = queue_new(0, 0, 0);
	struct weir_end *ends[2];
	int fd = weir_waitset_fd(set), event = eventfd(0, EFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(weir_waitset_fd(set), fd);
	ck_assert(becomes_quiet(fd));
	ck_assert_int_eq(pipe_make(ends, 0, 4096), 0);
	ck_assert_uint_ne(source_of_pipe(set, ends[0], WEIR_IN), 0);
	ck_assert_uint_ne(source_of_queue(set, q, WEIR_IN), 0);
	ck_assert_uint_ne(source_of_fd(set, event, WEIR_IN), 0);
	ck_assert(becomes_quiet(fd));
	for (int i = 0; i < 20; i++) {
		uint64_t value;

		ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
		ck_assert_int_eq(events_when_readable(fd), WEIR_IN);
		ck_assert_int_eq(events_when_readable(fd), WEIR_IN);
		ck_assert_int_eq(recv_number(ends[0], 0), 1);
		ck_assert(becomes_quiet(fd));
		ck_assert_int_eq(queue_put_number(q, 2, 0), 0);
		ck_assert_int_eq(events_when_readable(fd), WEIR_IN);
		ck_assert_int_eq(events_when_readable(fd), WEIR_IN);
		ck_assert_int_eq(queue_get_number(q, 0), 2);
		ck_assert(becomes_quiet(fd));
		ck_assert_int_eq(eventfd_write(event, 1), 0);
		ck_assert_int_eq(events_when_readable(fd), WEIR_IN);
		ck_assert_int_eq(eventfd_read(event, &value), 0);
		ck_assert(becomes_quiet(fd));
	}
	ck_assert_int_eq(weir_waitset_add_timer(set, test_now() + MS, 0, NULL, NULL), 0);
	ck_assert_int_eq(events_when_readable(fd), WEIR_IN);
	ck_assert(becomes_quiet(fd));
	pipe_close_both(ends);
	weir_queue_close(q);
	weir_waitset_close(set);
	set = NULL;
	close(event);
}
END_TEST

START_TEST(source_that_is_ready_when_added_makes_it_readable)
{
	int fd = weir_waitset_fd(set);
	struct weir_queue *q = queue_new(0, 0, 0);

	ck_assert_int_eq(queue_put_number(q, 2, 0), 0);
	ck_assert(becomes_quiet(fd));
	ck_assert_uint_ne(source_of_queue(set, q, WEIR_IN), 0);
	ck_assert_int_eq(events_when_readable(fd), WEIR_IN);
	weir_queue_close(q);
	ck_assert(becomes_quiet(fd));
}
END_TEST

START_TEST(set_in_a_set_in_an_epoll)
{
	struct weir_waitset *inner = waitset_new(engines[1]);
	struct weir_queue *q = queue_new(0, 0, 0);
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	uint64_t source;

	ck_assert_uint_ne(source_of_queue(inner, q, WEIR_IN), 0);
	source = source_of_fd(set, weir_waitset_fd(inner), WEIR_IN);
	ck_assert_uint_ne(source, 0);
	ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, weir_waitset_fd(set), &event), 0);
	for (int i = 0; i < 5; i++) {
		/* Quiet. */
		for (int k = 0; epoll_wait(epoll, &event, 1, 0) == 1; k++) {
			ck_assert_int_lt(k, 100);
			if (events_now(set) == WEIR_IN)
				ck_assert_int_eq(events_now(inner), -EAGAIN);
		}
		ck_assert_int_eq(queue_put_number(q, 1, 0), 0);
		do {
			ck_assert_int_eq(epoll_wait(epoll, &event, 1, 30000), 1);
		} while (events_now(set) != WEIR_IN || events_now(inner) != WEIR_IN);
		ck_assert_int_eq(queue_get_number(q, 0), 1);
	}
	close(epoll);
	ck_assert_int_eq(weir_waitset_remove(set, source), 0);
	weir_waitset_close(inner);
	weir_queue_close(q);
}
END_TEST

static TCase *cases(int engine)
{
	TCase *t = tcase_create(engine == 0 ? "epoll" : "uring");

	tcase_add_checked_fixture(t, engine == 0 ? setup_epoll : setup_uring, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, socket_is_reported_as_long_as_it_is_ready);
	tcase_add_test(t, what_is_waited_for_of_a_descriptor_changes);
	tcase_add_test(t, pipe_without_reader_is_hung_up);
	tcase_add_test(t, eventfd_is_by_level);
	tcase_add_test(t, descriptors_that_cannot_be_are_refused);
	tcase_add_test(t, descriptor_added_twice_is_refused_and_stays);
	tcase_add_test(t, descriptors_that_stay_ready_take_turns);
	tcase_add_test(t, kinds_of_sources_take_turns);
	tcase_add_test(t, what_is_not_ready_any_more_is_not_reported);
	tcase_add_test(t, end_of_a_process_is_reported);
	tcase_add_test(t, listener_is_reported_while_there_is_a_client);
	tcase_add_test(t, timer_comes_due_once);
	tcase_add_test(t, timer_of_the_past_is_due_at_once);
	tcase_add_test(t, periods_that_were_missed_are_counted);
	tcase_add_test(t, timer_is_set_anew);
	tcase_add_test(t, timer_that_comes_due_with_the_deadline_is_reported);
	tcase_add_test(t, timers_come_due_in_order);
	tcase_add_test(t, descriptor_is_readable_while_there_is_something);
	tcase_add_test(t, source_that_is_ready_when_added_makes_it_readable);
	tcase_add_test(t, set_in_a_set_in_an_epoll);
	return t;
}

static Suite *suite(void)
{
	Suite *s = suite_create("waitset-fd");

	WAITSET_CASES(s, cases);
	return s;
}

int main(void)
{
	return test_main(suite());
}
