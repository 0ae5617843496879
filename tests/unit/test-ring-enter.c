/* SPDX-License-Identifier: MIT */
/* Entering the kernel with a ring: what is submitted, how a wait ends. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/cc.h"
#include "base/clock.h"
#include "support.h"
#include "sys/sys.h"
#include "uring-tools.h"
#include "uring/ring.h"
#include "weir/base.h"

#if WEIR_URING

#define MARK	4711	/* an errno that nothing sets */

static void setup(void)
{
	errno = MARK;
}

static void teardown(void)
{
	sys_fault = NULL;
}

START_TEST(enter_with_nothing_to_do_returns_0)
{
	struct ring r = opened(RING_ONE_THREAD);

	ck_assert_int_eq(ring_enter(&r, 0, 0), 0);
	ck_assert_int_eq(ring_enter(&r, 0, WEIR_FOREVER), 0);
	ck_assert_uint_eq(r.calls, 2);
	ring_close(&r);
}
END_TEST

START_TEST(enter_submits_all_and_says_how_many)
{
	struct ring r = opened(RING_ONE_THREAD);

	for (uint64_t round = 0; round < 20; round++) {
		struct completion c;

		for (uint64_t i = 0; i < 5; i++)
			ck_assert_ptr_nonnull(request(&r, round + i));
		ck_assert_int_eq(ring_enter(&r, 5, WEIR_FOREVER), 5);
		for (uint64_t i = 0; i < 5; i++) {
			ck_assert(next_completion(&r, &c));
			ck_assert_uint_eq(c.number, round + i);
		}
	}
	ck_assert_int_eq(errno, MARK);
	ring_close(&r);
}
END_TEST

/* The kernel stops behind a request that it does not know. */
START_TEST(enter_says_if_it_has_submitted_fewer)
{
	struct ring r = opened(RING_ONE_THREAD);
	struct completion c;

	request(&r, 1)->opcode = 255;
	request(&r, 2);
	ck_assert_int_eq(ring_enter(&r, 3, WEIR_FOREVER), 1);
	ck_assert(next_completion(&r, &c));
	ck_assert_int_eq(c.result, -EINVAL);
	ck_assert_uint_eq(io_uring_sq_ready(&r.raw), 1);
	ck_assert_int_eq(ring_enter(&r, 1, soon()), 1);
	ck_assert(next_completion(&r, &c));
	ck_assert_uint_eq(c.number, 2);
	ring_close(&r);
}
END_TEST

static void *write_when_asleep(void *arg)
{
	const int *fd_and_thread = arg;

	if (child_wait_asleep_in(fd_and_thread[1], SYS_io_uring_enter))
		sys_event_set(fd_and_thread[0]);
	return NULL;
}

START_TEST(enter_sleeps_until_there_is_a_completion)
{
	struct ring r = opened(RING_ONE_THREAD);
	struct completion c;
	int fd = sys_eventfd(), arg[] = { fd, gettid() };

	request_poll(&r, fd, 1);
	ck_assert(await_completion(&r, &c));	/* it is writable */
	for (int i = 0; i < 2; i++) {
		pthread_t thread;
		int64_t deadline = i ? soon() : WEIR_FOREVER;

		ck_assert_int_eq(pthread_create(&thread, NULL, write_when_asleep, arg), 0);
		ck_assert_int_eq(ring_enter(&r, 1, deadline), 0);
		ck_assert(next_completion(&r, &c));
		ck_assert_int_eq(pthread_join(thread, NULL), 0);
	}
	sys_close(fd);
	ring_close(&r);
}
END_TEST

static void check_timeout(struct ring *r, uint32_t wait, int64_t duration)
{
	int64_t deadline = clock_now() + duration;

	ck_assert_int_eq(ring_enter(r, wait, deadline), -ETIMEDOUT);
	ck_assert_int_ge(clock_now(), deadline);
}

START_TEST(enter_ends_at_its_deadline)
{
	struct ring r = opened(RING_ONE_THREAD);
	struct completion c;
	int fd = sys_eventfd();

	check_timeout(&r, 1, 2 * NS_PER_MS);
	/* Also if some are there, but not as many as were to be waited for, */
	request(&r, 1);
	check_timeout(&r, 2, 2 * NS_PER_MS);
	ck_assert(next_completion(&r, &c));
	/* and if something was submitted in the same call: once, in one system call. */
	request_nothing(&r, fd, 2);
	r.calls = 0;
	check_timeout(&r, 1, 2 * NS_PER_MS);
	ck_assert_uint_eq(r.calls, 1);
	ck_assert_uint_eq(io_uring_sq_ready(&r.raw), 0);
	ck_assert_int_eq(errno, MARK);
	sys_close(fd);
	ring_close(&r);
}
END_TEST

START_TEST(enter_past_its_deadline_submits_and_does_not_sleep)
{
	static const int64_t past[] = { 0, 1, -1, INT64_MIN };
	struct ring r = opened(RING_ONE_THREAD);
	struct completion c;

	for (size_t i = 0; i < ARRAY_LENGTH(past); i++) {
		ck_assert_int_eq(ring_enter(&r, 1, past[i]), -ETIMEDOUT);
		request(&r, i);
		ck_assert_int_eq(ring_enter(&r, 1, past[i]), 1);
		ck_assert(next_completion(&r, &c));
		ck_assert_uint_eq(c.number, i);
	}
	ring_close(&r);
}
END_TEST

static void on_signal(int number)
{
	(void)number;
}

/* Again and again, since the first may come before the sleep. */
static void interrupt_often(bool on)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct itimerval timer = {
		.it_value.tv_usec = on ? 5000 : 0,
		.it_interval.tv_usec = on ? 5000 : 0,
	};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

START_TEST(enter_that_is_interrupted_returns_eintr)
{
	struct ring r = opened(RING_ONE_THREAD);

	interrupt_often(true);
	ck_assert_int_eq(ring_enter(&r, 1, WEIR_FOREVER), -EINTR);
	ck_assert_int_eq(ring_enter(&r, 1, soon()), -EINTR);
	interrupt_often(false);
	ck_assert_int_eq(errno, MARK);
	ring_close(&r);
}
END_TEST

/* liburing would sleep on, without end. */
START_TEST(enter_that_submits_and_is_interrupted_returns_eintr)
{
	struct ring r = opened(RING_ONE_THREAD);
	int fd = sys_eventfd();

	interrupt_often(true);
	for (uint64_t i = 0; i < 4; i++) {
		request_nothing(&r, fd, i);
		ck_assert_int_eq(ring_enter(&r, 1, i % 2 ? WEIR_FOREVER : soon()), -EINTR);
		ck_assert_uint_eq(io_uring_sq_ready(&r.raw), 0);
	}
	interrupt_often(false);
	sys_close(fd);
	ring_close(&r);
}
END_TEST

START_TEST(enter_that_fails_leaves_the_requests_for_the_next)
{
	static const int errors[] = { EAGAIN, EBUSY, ENOMEM, EINTR, EPERM, ENOSYS };
	struct ring r = opened(RING_ONE_THREAD);
	struct completion c;

	for (size_t i = 0; i < ARRAY_LENGTH(errors); i++) {
		request(&r, i);
		fail_calls(SYS_CALL_URING_ENTER, -errors[i], 1);
		ck_assert_int_eq(ring_enter(&r, 1, soon()), -errors[i]);
		ck_assert_uint_eq(io_uring_sq_ready(&r.raw), 1);
		ck_assert(!next_completion(&r, &c));
		request(&r, i + 100);
		ck_assert_int_eq(ring_enter(&r, 2, soon()), 2);
		ck_assert(next_completion(&r, &c));
		ck_assert_uint_eq(c.number, i);
		ck_assert(next_completion(&r, &c));
		ck_assert_uint_eq(c.number, i + 100);
	}
	ck_assert_int_eq(errno, MARK);
	ring_close(&r);
}
END_TEST

START_TEST(enter_of_a_ring_that_somebody_closed_returns_ebadf)
{
	struct ring r = opened(RING_ONE_THREAD);

	close(r.fd);
	ck_assert_int_eq(ring_enter(&r, 1, soon()), -EBADF);
	ck_assert_int_eq(errno, MARK);
	r.raw.ring_fd = -1;
	ring_close(&r);
}
END_TEST

START_TEST(work_that_was_put_off_is_seen_until_it_is_done)
{
	struct ring r = opened(RING_ONE_THREAD);
	struct completion c;
	int fd = sys_eventfd();

	request_poll(&r, fd, 1);
	ck_assert(await_completion(&r, &c));
	ck_assert(!ring_has_work(&r));
	sys_event_set(fd);
	if (r.thread != 0) {
		ck_assert(!next_completion(&r, &c));
		ck_assert(ring_has_work(&r));
	}
	ck_assert_int_eq(ring_enter(&r, 0, 0), 0);
	ck_assert(!ring_has_work(&r));
	ck_assert(next_completion(&r, &c));
	sys_close(fd);
	ring_close(&r);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ring-enter");
	TCase *entering = tcase_create("entering");
	const char *unavailable = uring_unavailable();

	if (unavailable)
		test_skip_all(unavailable);
	tcase_add_checked_fixture(entering, setup, teardown);
	tcase_add_test(entering, enter_with_nothing_to_do_returns_0);
	tcase_add_test(entering, enter_submits_all_and_says_how_many);
	tcase_add_test(entering, enter_says_if_it_has_submitted_fewer);
	tcase_add_test(entering, enter_sleeps_until_there_is_a_completion);
	tcase_add_test(entering, enter_ends_at_its_deadline);
	tcase_add_test(entering, enter_past_its_deadline_submits_and_does_not_sleep);
	tcase_add_test(entering, enter_that_is_interrupted_returns_eintr);
	tcase_add_test(entering, enter_that_submits_and_is_interrupted_returns_eintr);
	tcase_add_test(entering, enter_that_fails_leaves_the_requests_for_the_next);
	tcase_add_test(entering, enter_of_a_ring_that_somebody_closed_returns_ebadf);
	tcase_add_test(entering, work_that_was_put_off_is_seen_until_it_is_done);
	suite_add_tcase(suite, entering);
	return test_main(suite);
}

#else

int main(void)
{
	test_skip_all("built without liburing");
}

#endif
