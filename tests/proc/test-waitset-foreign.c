/* SPDX-License-Identifier: MIT */
/*
 * A program that waits for a set, and also sleeps in system calls of its own: these must not notice
 * what the set's engine does. Rings of io_uring interrupt whoever has submitted to them.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/cc.h"
#include "support.h"
#include "sys/sys.h"
#include "weir.h"

#define MESSAGES	20

#ifdef SYS_epoll_wait
#define EPOLL_WAIT	SYS_epoll_wait
#else
#define EPOLL_WAIT	SYS_epoll_pwait
#endif

static struct weir_waitset *set;
static struct weir_end *ends[2];
static int epoll, stop;

static void setup(void)
{
	ck_assert_int_eq(weir_waitset(&set, NULL), 0);
	ck_assert_int_eq(weir_pipe(ends, NULL), 0);
	ck_assert_int_eq(weir_waitset_add_pipe(set, ends[0], WEIR_IN, NULL, NULL), 0);
	epoll = sys_epoll();
	stop = sys_eventfd();
	ck_assert_int_eq(sys_epoll_add(epoll, stop, EPOLLIN), 0);
}

static void teardown(void)
{
	weir_waitset_close(set);
	weir_pipe_close(ends[0]);
	weir_pipe_close(ends[1]);
	sys_close(epoll);
	sys_close(stop);
}

/* Nothing is there, so that the source is armed, and its signal comes. */
static void wait_in_vain(void)
{
	struct weir_event event;

	ck_assert_int_eq(weir_waitset_wait(set, &event, 1, WEIR_NOSPIN, weir_after(1000)),
			 -ETIMEDOUT);
}

static void take_message(void)
{
	struct weir_event event;
	char byte;

	ck_assert_int_eq(weir_waitset_wait(set, &event, 1, 0, 0), 1);
	ck_assert_int_eq(weir_pipe_recv(ends[0], &byte, 1, 0, 0, NULL), 0);
}

static int own_epoll_wait(void)
{
	struct epoll_event event;

	return epoll_wait(epoll, &event, 1, 30000) == 1 ? 0 : -errno;
}

static int send_to_who_sleeps(void *arg)
{
	const pid_t *sleeper = arg;

	child_check(child_wait_asleep_in(*sleeper, EPOLL_WAIT));
	child_check(weir_pipe_send(ends[1], "x", 1, 0, soon()) == 0);
	return 0;
}

static int send_and_stop(void *arg)
{
	send_to_who_sleeps(arg);
	/* What interrupts has done so by now, or sleeps on. */
	for (int i = 0; i < 5; i++)
		child_check(child_wait_asleep(*(const pid_t *)arg));
	sys_event_set(stop);
	return 0;
}

START_TEST(descriptor_in_a_foreign_epoll_does_not_interrupt_it)
{
	pid_t self = gettid();

	ck_assert_int_eq(sys_epoll_add(epoll, weir_waitset_fd(set), EPOLLIN), 0);
	for (int i = 0; i < MESSAGES; i++) {
		struct child child = child_start(send_to_who_sleeps, &self);
		struct weir_event event;
		char byte;
		int n;

		/* It may be readable for nothing. */
		do {
			ck_assert_int_eq(own_epoll_wait(), 0);
			n = weir_waitset_wait(set, &event, 1, 0, 0);
		} while (n == -EAGAIN);
		ck_assert_int_eq(n, 1);
		ck_assert_int_eq(weir_pipe_recv(ends[0], &byte, 1, 0, 0, NULL), 0);
		child_join_ok(&child);
	}
}
END_TEST

START_TEST(wait_that_is_over_does_not_interrupt_other_calls)
{
	pid_t self = gettid();

	for (int i = 0; i < MESSAGES; i++) {
		struct child child;

		wait_in_vain();
		child = child_start(send_and_stop, &self);
		ck_assert_int_eq(own_epoll_wait(), 0);
		ck_assert(sys_event_clear(stop));
		child_join_ok(&child);
		take_message();
	}
}
END_TEST

static void *wait_for_message(void *arg)
{
	struct weir_event event;

	*(int *)arg = weir_waitset_wait(set, &event, 1, WEIR_NOSPIN, soon());
	return NULL;
}

/* The thread that has waited first, and now does something else, is left alone. */
START_TEST(wait_of_another_thread_does_not_interrupt_this_one)
{
	pid_t self = gettid();

	for (int i = 0; i < MESSAGES; i++) {
		struct child child;
		pthread_t thread;
		int result;

		wait_in_vain();
		ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_message, &result), 0);
		child = child_start(send_and_stop, &self);
		ck_assert_int_eq(own_epoll_wait(), 0);
		ck_assert(sys_event_clear(stop));
		child_join_ok(&child);
		ck_assert_int_eq(pthread_join(thread, NULL), 0);
		ck_assert_int_eq(result, 1);
		take_message();
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("waitset-foreign");
	TCase *tcase = tcase_create("foreign");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, descriptor_in_a_foreign_epoll_does_not_interrupt_it);
	tcase_add_test(tcase, wait_that_is_over_does_not_interrupt_other_calls);
	tcase_add_test(tcase, wait_of_another_thread_does_not_interrupt_this_one);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
