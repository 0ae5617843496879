/* SPDX-License-Identifier: MIT */
/*
 * What the kernel does that the engine relies on, or works around: where one of these fails, a
 * kernel behaves as none did that weir was written for, and the comment says what would break.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cc.h"
#include "base/clock.h"
#include "support.h"
#include "sys/sys.h"
#include "uring-tools.h"
#include "uring/ring.h"
#include "weir/base.h"

#if WEIR_URING

#define POLLS	8
#define BRIM	(UINT64_MAX - 1)
#define FIRST_ID	50000	/* of users that are not there */

static void add(int fd, uint64_t number)
{
	ck_assert_int_eq(write(fd, &number, sizeof(number)), sizeof(number));
}

static struct io_uring_sqe *request_write(struct ring *r, int fd, const uint64_t *value,
					  uint64_t number)
{
	struct io_uring_sqe *sqe = request(r, number);

	io_uring_prep_write(sqe, fd, value, sizeof(*value), 0);
	sqe->user_data = number;
	return sqe;
}

static int epoll_of(int fd)
{
	int epoll = sys_epoll();

	ck_assert_int_eq(sys_epoll_add(epoll, fd, EPOLLIN | EPOLLOUT | EPOLLET), 0);
	return epoll;
}

static bool has_event(int epoll)
{
	struct epoll_event event;

	return epoll_wait(epoll, &event, 1, 0) == 1;
}

/*
 * Edges: sources signal an eventfd that nobody reads, and each signal must be heard
 */

/* Otherwise a wait set would have to read each eventfd that it was woken by. */
START_TEST(each_write_is_an_edge_though_nobody_reads)
{
	struct ring r = opened(RING_ONE_THREAD);
	int fd = sys_eventfd(), epoll = epoll_of(fd);
	struct completion c;

	request_poll(&r, fd, 1);
	ck_assert(await_completion(&r, &c));
	ck_assert(has_event(epoll));
	for (uint64_t i = 0; i < 10; i++) {
		ck_assert(is_quiet(&r));
		ck_assert(!has_event(epoll));
		/* 0 too, which a queue's sources write, so that poll(2) sees nothing. */
		add(fd, i % 2);
		ck_assert(has_event(epoll));
		ck_assert(await_completion(&r, &c));
		ck_assert(c.more);
	}
	sys_close(epoll);
	sys_close(fd);
	ring_close(&r);
}
END_TEST

/* A peer that fills an eventfd up must not make its watchers deaf. */
START_TEST(full_eventfd_gives_an_edge_when_it_is_set)
{
	struct ring r = opened(RING_ONE_THREAD);
	int fd = sys_eventfd(), epoll = epoll_of(fd);
	struct completion c;
	uint64_t one = 1;

	add(fd, BRIM);
	request_poll(&r, fd, 1);
	ck_assert(await_completion(&r, &c));
	ck_assert(has_event(epoll));
	/* The plain write would fail, and tell nobody. */
	ck_assert_int_eq(write(fd, &one, sizeof(one)), -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert(is_quiet(&r));
	ck_assert(!has_event(epoll));
	sys_event_set(fd);
	ck_assert(has_event(epoll));
	ck_assert(await_completion(&r, &c));
	ck_assert(c.more);
	/* One that adds nothing is heard all the same. */
	add(fd, BRIM - 1);
	ck_assert(has_event(epoll));
	ck_assert(await_completion(&r, &c));
	ck_assert_int_eq(sys_event_edge(fd), 0);
	ck_assert(has_event(epoll));
	ck_assert(await_completion(&r, &c));
	sys_close(epoll);
	sys_close(fd);
	ring_close(&r);
}
END_TEST

/* So whoever reads one does it without sleeping, and sys_check_event() looks at what comes. */
START_TEST(mode_of_an_eventfd_is_that_of_all_who_have_it)
{
	int fd = sys_eventfd(), copy = sys_dup(fd);

	ck_assert_int_eq(sys_check_event(copy), 0);
	ck_assert_int_eq(fcntl(copy, F_SETFL, 0), 0);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_eq(sys_check_event(fd), -EINVAL);
	sys_close(copy);
	sys_close(fd);
}
END_TEST

/*
 * Multishot polls
 */

/* A wait set must submit such a poll again, or it is deaf to that source. */
START_TEST(poll_that_finds_no_room_says_that_it_has_ended)
{
	bool live[POLLS], heard[POLLS] = { false };
	struct completion c;
	int fds[POLLS], ended = 0;
	struct ring r;

	/* Room for fewer completions than there will be. */
	ck_assert_int_eq(ring_open(&r, 2, 2, RING_ONE_THREAD), 0);
	for (uint64_t i = 0; i < POLLS; i++) {
		fds[i] = sys_eventfd();
		live[i] = true;
		request_poll(&r, fds[i], i);
		ck_assert_int_eq(ring_enter(&r, 0, 0), 1);
		while (is_quiet(&r))
			;
		ck_assert(next_completion(&r, &c));
	}
	for (int i = 0; i < POLLS; i++)
		sys_event_set(fds[i]);
	ring_enter(&r, 0, 0);
	while (!is_quiet(&r))
		while (next_completion(&r, &c)) {
			heard[c.number] = true;
			if (!c.more) {
				live[c.number] = false;
				ended++;
			}
		}
	ck_assert_msg(ended > 0, "there was room for all");
	/* All have been heard, and who has not said that it has ended goes on. */
	for (uint64_t i = 0; i < POLLS; i++) {
		ck_assert_msg(heard[i], "poll %u was not heard", (unsigned int)i);
		sys_event_set(fds[i]);
		if (live[i]) {
			ck_assert(await_completion(&r, &c));
			ck_assert_uint_eq(c.number, i);
		} else {
			ck_assert(is_quiet(&r));
		}
		sys_close(fds[i]);
	}
	ring_close(&r);
}
END_TEST

static void *poll_and_end(void *arg)
{
	struct ring *r = arg;

	return (void *)(intptr_t)ring_enter(r, 0, 0);
}

/* The same for a set that several threads wait with: the kernel ends what each has submitted. */
START_TEST(poll_of_a_thread_that_has_ended_says_so)
{
	struct ring r = opened(0);
	int fd = sys_eventfd();
	struct completion c;
	pthread_t thread;
	void *result;

	request_poll(&r, fd, 1);
	ck_assert_int_eq(pthread_create(&thread, NULL, poll_and_end, &r), 0);
	ck_assert_int_eq(pthread_join(thread, &result), 0);
	ck_assert_int_eq((int)(intptr_t)result, 1);
	/* Not when the thread ends, but then with the next signal, which is heard by that. */
	sys_event_set(fd);
	do {
		ck_assert(await_completion(&r, &c));
		ck_assert_uint_eq(c.number, 1);
	} while (c.more);
	ck_assert_int_eq(c.result, -ECANCELED);
	sys_event_set(fd);
	ck_assert(is_quiet(&r));
	/* Again, by a thread that lives on. */
	request_poll(&r, fd, 2);
	ck_assert(await_completion(&r, &c));
	ck_assert(is_quiet(&r));
	sys_event_set(fd);
	ck_assert(await_completion(&r, &c));
	ck_assert_uint_eq(c.number, 2);
	ck_assert(c.more);
	sys_close(fd);
	ring_close(&r);
}
END_TEST

/*
 * Why sockets, pidfds and what a user adds are in an epoll and not in the ring: closing one there
 * would not be a hang-up for the other side.
 */
START_TEST(poll_keeps_a_file_open_and_epoll_does_not)
{
	struct ring r = opened(RING_ONE_THREAD);
	struct pollfd peer = { .events = POLLIN };
	int fds[2], epoll = sys_epoll();

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	request_nothing(&r, fds[0], 1);
	ck_assert_int_eq(ring_enter(&r, 0, 0), 1);
	close(fds[0]);
	peer.fd = fds[1];
	ck_assert_int_eq(sys_poll(&peer, 1, 0), 0);
	close(fds[1]);

	/* Also if the ring polls the epoll. */
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	ck_assert_int_eq(sys_epoll_add(epoll, fds[0], EPOLLIN), 0);
	request_nothing(&r, epoll, 2);
	ck_assert_int_eq(ring_enter(&r, 0, 0), 1);
	close(fds[0]);
	peer.fd = fds[1];
	ck_assert_int_eq(sys_poll(&peer, 1, 0), 1);
	ck_assert(peer.revents & POLLHUP);
	close(fds[1]);
	sys_close(epoll);
	ring_close(&r);
}
END_TEST

/* The epoll in the ring is polled by edge, and what is in it by level: each event is an edge. */
START_TEST(epoll_in_a_ring_is_heard_for_each_event)
{
	struct ring r = opened(RING_ONE_THREAD);
	int fd = sys_eventfd(), epoll = sys_epoll();
	struct completion c;

	ck_assert_int_eq(sys_epoll_add(epoll, fd, EPOLLIN), 0);
	request_poll(&r, epoll, 1);
	ck_assert_int_eq(ring_enter(&r, 0, 0), 1);
	for (int i = 0; i < 5; i++) {
		while (!is_quiet(&r))
			ck_assert(next_completion(&r, &c));
		sys_event_set(fd);
		ck_assert(await_completion(&r, &c));
		ck_assert(c.more);
		ck_assert(has_event(epoll));
		ck_assert(sys_event_clear(fd));
		ck_assert(!has_event(epoll));
	}
	sys_close(epoll);
	sys_close(fd);
	ring_close(&r);
}
END_TEST

/*
 * Writes
 */

/* A batch has wakened all when its submission returns, without waiting for anything. */
START_TEST(write_to_an_eventfd_that_does_not_block_is_done_at_once)
{
	static const uint32_t flags[] = { 0, RING_ONE_THREAD };
	static const uint64_t one = 1;

	for (size_t i = 0; i < ARRAY_LENGTH(flags); i++) {
		struct ring r = opened(flags[i]);
		int fd = sys_eventfd();
		struct completion c;

		request_write(&r, fd, &one, 1);
		request_write(&r, fd, &one, 2)->flags |= IOSQE_CQE_SKIP_SUCCESS;
		/* The submission alone, which does none of the work that was put off. */
		ck_assert_int_eq(io_uring_submit(&r.raw), 2);
		ck_assert(next_completion(&r, &c));
		ck_assert_uint_eq(c.number, 1);
		ck_assert_int_eq(c.result, sizeof(one));
		ck_assert(!next_completion(&r, &c));
		ck_assert(sys_event_clear(fd));
		sys_close(fd);
		ring_close(&r);
	}
}
END_TEST

/*
 * To a full one, whatever the mode of the eventfd, it would wait in the kernel until somebody
 * reads: it must be told not to.
 */
START_TEST(write_to_a_full_eventfd_fails_at_once_if_told_to)
{
	static const uint64_t one = 1;
	struct ring r = opened(0);
	int fd = sys_eventfd();
	struct io_uring_sqe *sqe;
	struct completion c;

	add(fd, BRIM);
	sqe = request_write(&r, fd, &one, 1);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	sqe->rw_flags = RWF_NOWAIT;
	ck_assert_int_eq(ring_enter(&r, 0, 0), 1);
	ck_assert(next_completion(&r, &c));
	ck_assert_int_eq(c.result, -EAGAIN);
	sys_close(fd);
	ring_close(&r);
}
END_TEST

/* Kernels have lost the one behind a link whose completion was left out. */
START_TEST(linked_request_behind_one_without_a_completion_is_done)
{
	static const uint64_t one = 1;
	struct ring r = opened(RING_ONE_THREAD);
	int first = sys_eventfd(), second = sys_eventfd();
	struct completion c;

	request_write(&r, first, &one, 1)->flags |= IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK;
	request_write(&r, second, &one, 2);
	ck_assert(await_completion(&r, &c));
	ck_assert_uint_eq(c.number, 2);
	ck_assert_int_eq(c.result, sizeof(one));
	ck_assert(sys_event_clear(first));
	ck_assert(sys_event_clear(second));
	sys_close(first);
	sys_close(second);
	ring_close(&r);
}
END_TEST

/*
 * Children, limits, time
 */

static int enter_parents_ring(void *arg)
{
	const struct ring *r = arg;

	/* By hand, since the queues are not mapped here. */
	child_check(sys_uring_enter(r->fd, 0, 0, IORING_ENTER_GETEVENTS, NULL, 0) ==
		    (r->thread ? -EEXIST : 0));
	return 0;
}

START_TEST(child_cannot_do_the_work_of_a_ring_of_one_thread)
{
	struct ring r = opened(RING_ONE_THREAD);
	int fd = sys_eventfd();
	struct completion c;
	struct child child;

	request_poll(&r, fd, 1);
	ck_assert(await_completion(&r, &c));
	sys_event_set(fd);
	child = child_start(enter_parents_ring, &r);
	child_join_ok(&child);
	ck_assert(await_completion(&r, &c));
	ck_assert(c.more);
	sys_close(fd);
	ring_close(&r);
}
END_TEST

static int hold_ring(void *arg)
{
	struct barrier *barrier = arg;

	child_check(barrier_wait(barrier));
	child_check(barrier_wait(barrier));
	return 0;
}

/* What a forked child still has open must not be what others wait for. */
START_TEST(ring_that_a_child_holds_lets_go_of_epoll_sources)
{
	struct barrier *barrier = barrier_create(2);
	struct ring r = opened(RING_ONE_THREAD);
	struct pollfd peer = { .events = POLLIN };
	int fds[2], epoll = sys_epoll();
	struct child child;

	request_nothing(&r, epoll, 1);
	ck_assert_int_eq(ring_enter(&r, 0, 0), 1);
	child = child_start(hold_ring, barrier);
	ck_assert(barrier_wait(barrier));
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	ck_assert_int_eq(sys_epoll_add(epoll, fds[0], EPOLLIN), 0);
	ring_close(&r);
	close(fds[0]);
	peer.fd = fds[1];
	ck_assert_int_eq(sys_poll(&peer, 1, soon()), 1);
	ck_assert(peer.revents & POLLHUP);
	ck_assert(barrier_wait(barrier));
	child_join_ok(&child);
	close(fds[1]);
	sys_close(epoll);
}
END_TEST

/* Root may lock as much as it likes; and who is nobody else, has locked nothing yet. */
static bool become_somebody(void)
{
	uid_t id = FIRST_ID + (uid_t)getpid() % 10000;

	if (geteuid() != 0)
		return true;
	return setgroups(0, NULL) == 0 && setresgid(id, id, id) == 0 && setresuid(id, id, id) == 0;
}

/* The pump does without registered buffers then; and a ring itself takes of what may be locked. */
static int register_without_memory(void *arg)
{
	static char buffer[65536];
	struct iovec all = { buffer, sizeof(buffer) };
	struct rlimit limit = { 65536, 65536 };
	struct ring r;

	(void)arg;
	child_check(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
	if (!become_somebody())
		return 0;
	child_check(ring_open(&r, 64, 0, RING_ONE_THREAD) == 0);
	child_check(io_uring_register_buffers(&r.raw, &all, 1) == -ENOMEM);
	child_check(request(&r, 1) != NULL);
	child_check(ring_enter(&r, 1, soon()) == 1);
	ring_close(&r);
	return 0;
}

START_TEST(buffers_cannot_be_registered_where_no_memory_may_be_locked)
{
	struct child child = child_start(register_without_memory, NULL);

	child_join_ok(&child);
}
END_TEST

/* Timers of io_uring were as coarse as the kernel's tick, 4 ms, and ended early or late. */
START_TEST(wait_ends_when_it_should)
{
	struct ring r = opened(RING_ONE_THREAD);
	int64_t late = INT64_MAX;

	/* The best of many, since others use this machine too; but none may be early. */
	for (int i = 0; i < 200 && late > 500 * NS_PER_US; i++) {
		int64_t deadline = clock_now() + 300 * NS_PER_US, end;

		ck_assert_int_eq(ring_enter(&r, 1, deadline), -ETIMEDOUT);
		end = clock_now();
		ck_assert_int_ge(end, deadline);
		late = end - deadline < late ? end - deadline : late;
	}
	ck_assert_msg(late < NS_PER_MS, "the best is %lld ns late", (long long)late);
	ring_close(&r);
}
END_TEST

static void add_cases(Suite *suite)
{
	TCase *edges = tcase_create("edges"), *polls = tcase_create("polls");
	TCase *writes = tcase_create("writes"), *rest = tcase_create("rest");

	tcase_add_test(edges, each_write_is_an_edge_though_nobody_reads);
	tcase_add_test(edges, full_eventfd_gives_an_edge_when_it_is_set);
	tcase_add_test(edges, mode_of_an_eventfd_is_that_of_all_who_have_it);
	suite_add_tcase(suite, edges);
	tcase_add_test(polls, poll_that_finds_no_room_says_that_it_has_ended);
	tcase_add_test(polls, poll_of_a_thread_that_has_ended_says_so);
	tcase_add_test(polls, poll_keeps_a_file_open_and_epoll_does_not);
	tcase_add_test(polls, epoll_in_a_ring_is_heard_for_each_event);
	suite_add_tcase(suite, polls);
	tcase_add_test(writes, write_to_an_eventfd_that_does_not_block_is_done_at_once);
	tcase_add_test(writes, write_to_a_full_eventfd_fails_at_once_if_told_to);
	tcase_add_test(writes, linked_request_behind_one_without_a_completion_is_done);
	suite_add_tcase(suite, writes);
	tcase_add_test(rest, child_cannot_do_the_work_of_a_ring_of_one_thread);
	tcase_add_test(rest, ring_that_a_child_holds_lets_go_of_epoll_sources);
	tcase_add_test(rest, buffers_cannot_be_registered_where_no_memory_may_be_locked);
	tcase_add_test(rest, wait_ends_when_it_should);
	suite_add_tcase(suite, rest);
}

int main(void)
{
	Suite *suite = suite_create("uring-hazards");
	const char *unavailable = uring_unavailable();

	if (unavailable)
		test_skip_all(unavailable);
	add_cases(suite);
	return test_main(suite);
}

#else

int main(void)
{
	test_skip_all("built without liburing");
}

#endif
