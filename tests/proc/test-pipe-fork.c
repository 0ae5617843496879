/* SPDX-License-Identifier: MIT */
/* Pipes across fork: a child uses what it has inherited, and calls nothing first. */
#include "pipe-tools.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#define COUNT 1000

static struct weir_end *ends[2];

static void setup(void)
{
	ck_assert_int_eq(weir_pipe(ends, NULL), 0);
}

static void teardown(void)
{
	pipe_close_both(ends);
}

/*
 * Children. The argument is the end that they use.
 */

static int send_all(void *arg)
{
	for (uint64_t n = 0; n < COUNT; n++)
		child_check(send_number(arg, n, soon()) == 0);
	return 0;
}

static int recv_all(void *arg)
{
	for (int64_t n = 0; n < COUNT; n++)
		child_check(recv_number(arg, soon()) == n);
	return 0;
}

static int echo_all(void *arg)
{
	for (int64_t n = 0; n < COUNT; n++) {
		int64_t got = recv_number(arg, soon());

		child_check(got == n);
		child_check(send_number(arg, (uint64_t)got * 3, soon()) == 0);
	}
	return 0;
}

static void ping_all(struct weir_end *end)
{
	for (int64_t n = 0; n < COUNT; n++) {
		ck_assert_int_eq(send_number(end, (uint64_t)n, soon()), 0);
		ck_assert_int_eq(recv_number(end, soon()), n * 3);
	}
}

static void expect_all(struct weir_end *end)
{
	for (int64_t n = 0; n < COUNT; n++)
		ck_assert_int_eq(recv_number(end, soon()), n);
}

START_TEST(child_sends_and_parent_receives)
{
	for (int end = 0; end < 2; end++) {
		struct child child = child_start(send_all, ends[end]);

		expect_all(ends[1 - end]);
		child_join_ok(&child);
	}
}
END_TEST

START_TEST(parent_sends_and_child_receives)
{
	for (int end = 0; end < 2; end++) {
		struct child child = child_start(recv_all, ends[end]);

		for (uint64_t n = 0; n < COUNT; n++)
			ck_assert_int_eq(send_number(ends[1 - end], n, soon()), 0);
		child_join_ok(&child);
	}
}
END_TEST

START_TEST(parent_sends_first_and_forks_then)
{
	struct child child;

	for (uint64_t n = 0; n < COUNT; n++)
		ck_assert_int_eq(send_number(ends[1], n, 0), 0);
	child = child_start(recv_all, ends[0]);
	child_join_ok(&child);
	ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
}
END_TEST

START_TEST(parent_and_child_talk_over_one_pipe)
{
	for (int end = 0; end < 2; end++) {
		struct child child = child_start(echo_all, ends[end]);

		ping_all(ends[1 - end]);
		child_join_ok(&child);
		/* The next child is to use this one. */
		ck_assert_int_eq(weir_pipe_handover(ends[1 - end]), 0);
	}
}
END_TEST

static int echo_in_grandchild(void *arg)
{
	struct child child = child_start(echo_all, arg);

	child_join_ok(&child);
	return 0;
}

START_TEST(child_of_a_child_talks)
{
	struct child child = child_start(echo_in_grandchild, ends[0]);

	ping_all(ends[1]);
	child_join_ok(&child);
}
END_TEST

START_TEST(two_children_talk_and_the_parent_does_not)
{
	struct child sender = child_start(send_all, ends[1]);
	struct child receiver = child_start(recv_all, ends[0]);

	child_join_ok(&sender);
	child_join_ok(&receiver);
	/* And then they do it the other way round. */
	sender = child_start(send_all, ends[0]);
	receiver = child_start(recv_all, ends[1]);
	child_join_ok(&sender);
	child_join_ok(&receiver);
}
END_TEST

/* As the header of the library shows it. */
static int close_and_send_hello(void *arg)
{
	(void)arg;
	weir_pipe_close(ends[0]);
	child_check(weir_pipe_send(ends[1], "hello", 5, 0, WEIR_FOREVER) == 0);
	return 0;
}

START_TEST(each_closes_the_end_that_it_does_not_use)
{
	struct child child = child_start(close_and_send_hello, NULL);
	char buffer[16] = { 0 };
	size_t size;

	weir_pipe_close(ends[1]);
	ends[1] = NULL;
	ck_assert_int_eq(weir_pipe_recv(ends[0], buffer, sizeof(buffer), 0, WEIR_FOREVER, &size),
			 0);
	ck_assert_uint_eq(size, 5);
	ck_assert_str_eq(buffer, "hello");
	ck_assert_int_eq(weir_pipe_recv(ends[0], buffer, sizeof(buffer), 0, soon(), &size), -EPIPE);
	child_join_ok(&child);
}
END_TEST

START_TEST(what_a_child_has_sent_is_there_when_it_is_not)
{
	struct child child = child_start(send_all, ends[1]);

	child_join_ok(&child);
	expect_all(ends[0]);
	ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
}
END_TEST

/* One who sends is in a conversation, and so is its child; a fresh pipe must not mind. */
static int send_on_another(void *arg)
{
	struct weir_end **others = arg;

	child_check(send_number(others[1], 7, 0) == 0);
	child_check(recv_number(others[0], 0) == 7);
	child_check(send_number(others[0], 8, 0) == 0);
	return 0;
}

START_TEST(child_of_one_who_talks_uses_another_pipe)
{
	struct weir_end *others[2];
	struct child child;

	ck_assert_int_eq(weir_pipe(others, NULL), 0);
	ck_assert_int_eq(send_number(ends[0], 1, 0), 0);
	child = child_start(send_on_another, others);
	child_join_ok(&child);
	ck_assert_int_eq(recv_number(others[1], 0), 8);
	ck_assert_int_eq(send_number(others[1], 9, 0), 0);
	ck_assert_int_eq(recv_number(ends[1], 0), 1);
	pipe_close_both(others);
}
END_TEST

/*
 * A parent in the middle of something
 */

static int leaves_the_parents_end_alone(void *arg)
{
	(void)arg;
	child_check(send_number(ends[1], 5, 0) == -EBUSY);
	child_check(weir_pipe_flush(ends[1]) == -EBUSY);
	child_check(weir_pipe_handover(ends[1]) == 0);
	weir_pipe_close(ends[1]);
	child_check(recv_number(ends[0], 0) == -EAGAIN);
	return 0;
}

START_TEST(child_does_not_publish_what_the_parent_has_not)
{
	struct child child;
	char text[4];

	ck_assert_int_eq(weir_pipe_send(ends[1], "more", 4, WEIR_MORE, 0), 0);
	child = child_start(leaves_the_parents_end_alone, NULL);
	child_join_ok(&child);
	ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
	ck_assert_int_eq(weir_pipe_flush(ends[1]), 0);
	ck_assert_int_eq(weir_pipe_recv(ends[0], text, sizeof(text), 0, 0, NULL), 0);
}
END_TEST

static void *recv_in_thread(void *arg)
{
	return (void *)(intptr_t)recv_number(arg, soon());
}

static int uses_what_the_thread_does_not(void *arg)
{
	(void)arg;
	/* The thread that has the turn of this side is not in this process. */
	child_check(recv_number(ends[0], soon()) == -EBUSY);
	child_check(send_number(ends[0], 6, soon()) == 0);
	child_check(recv_number(ends[1], soon()) == 6);
	child_check(send_number(ends[1], 5, soon()) == 0);
	weir_pipe_close(ends[0]);
	weir_pipe_close(ends[1]);
	return 0;
}

START_TEST(fork_while_a_thread_is_inside_leaves_the_child_free)
{
	const struct weir_lane_control *lanes = pipe_watch(ends[0]);
	int64_t deadline = soon();
	struct child child;
	pthread_t thread;
	void *result;

	ck_assert_int_eq(pthread_create(&thread, NULL, recv_in_thread, ends[0]), 0);
	while ((load_acquire(&lanes[0].reader.wait) & WAIT_STAGE_MASK) == WAIT_AWAKE)
		ck_assert(test_now() < deadline);
	child = child_start(uses_what_the_thread_does_not, NULL);
	child_join_ok(&child);
	ck_assert_int_eq(pthread_join(thread, &result), 0);
	ck_assert_int_eq((intptr_t)result, 5);
}
END_TEST

/*
 * Many of each
 */

#define CHILDREN 8

static int send_from_end(void *arg)
{
	struct weir_end **pair = arg;

	weir_pipe_close(pair[0]);
	return send_all(pair[1]);
}

START_TEST(many_children_send_on_a_pipe_each)
{
	struct weir_end *pairs[CHILDREN][2];
	struct child children[CHILDREN];

	for (int i = 0; i < CHILDREN; i++) {
		ck_assert_int_eq(pipe_make(pairs[i], WEIR_PIPE_ONEWAY, 4096), 0);
		children[i] = child_start(send_from_end, pairs[i]);
		weir_pipe_close(pairs[i][1]);
	}
	for (int64_t n = 0; n < COUNT; n++)
		for (int i = 0; i < CHILDREN; i++)
			ck_assert_int_eq(recv_number(pairs[i][0], soon()), n);
	for (int i = 0; i < CHILDREN; i++) {
		/* The ends of those that came later were inherited by none but themselves. */
		child_join_ok(&children[i]);
		ck_assert_int_eq(recv_number(pairs[i][0], soon()), -EPIPE);
		weir_pipe_close(pairs[i][0]);
	}
}
END_TEST

START_TEST(children_one_after_the_other_use_the_same_end)
{
	for (int i = 0; i < 20; i++) {
		struct child child = child_start(i % 2 ? send_all : recv_all, ends[i % 2]);

		if (i % 2) {
			expect_all(ends[0]);
			ck_assert_int_eq(weir_pipe_handover(ends[0]), 0);
		} else {
			for (uint64_t n = 0; n < COUNT; n++)
				ck_assert_int_eq(send_number(ends[1], n, soon()), 0);
			ck_assert_int_eq(weir_pipe_handover(ends[1]), 0);
		}
		child_join_ok(&child);
	}
}
END_TEST

START_TEST(fork_leaves_nothing_behind)
{
	struct resources before = resources_begin();

	for (int i = 0; i < 5; i++) {
		struct child child = child_start(send_all, ends[1]);

		expect_all(ends[0]);
		child_join_ok(&child);
	}
	resources_check(&before);
}
END_TEST

static int exec_something(void *arg)
{
	(void)arg;
	child_check(send_number(ends[1], 1, 0) == 0);
	execl("/bin/sh", "sh", "-c", "exec sleep 60", NULL);
	return 1;
}

START_TEST(exec_closes_the_ends)
{
	struct child child = child_start(exec_something, NULL);

	weir_pipe_close(ends[1]);
	ends[1] = NULL;
	ck_assert_int_eq(recv_number(ends[0], soon()), 1);
	ck_assert_int_eq(recv_number(ends[0], soon()), -EPIPE);
	ck_assert(child_wait_asleep(child.pid));
	child_kill(&child);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pipe-fork");
	TCase *talk = tcase_create("talk");
	TCase *amid = tcase_create("amid");
	TCase *many = tcase_create("many");
	const char *threads = WEIR_TSAN ? "ThreadSanitizer knows no fork beside threads" : NULL;

	tcase_add_checked_fixture(talk, setup, teardown);
	tcase_add_test(talk, child_sends_and_parent_receives);
	tcase_add_test(talk, parent_sends_and_child_receives);
	tcase_add_test(talk, parent_sends_first_and_forks_then);
	tcase_add_test(talk, parent_and_child_talk_over_one_pipe);
	tcase_add_test(talk, child_of_a_child_talks);
	tcase_add_test(talk, two_children_talk_and_the_parent_does_not);
	tcase_add_test(talk, each_closes_the_end_that_it_does_not_use);
	tcase_add_test(talk, what_a_child_has_sent_is_there_when_it_is_not);
	tcase_add_test(talk, child_of_one_who_talks_uses_another_pipe);
	suite_add_tcase(suite, talk);

	tcase_add_checked_fixture(amid, setup, teardown);
	tcase_add_test(amid, child_does_not_publish_what_the_parent_has_not);
	test_add_unless(amid, threads, fork_while_a_thread_is_inside_leaves_the_child_free);
	suite_add_tcase(suite, amid);

	tcase_add_checked_fixture(many, setup, teardown);
	tcase_add_test(many, many_children_send_on_a_pipe_each);
	tcase_add_test(many, children_one_after_the_other_use_the_same_end);
	tcase_add_test(many, fork_leaves_nothing_behind);
	tcase_add_test(many, exec_closes_the_ends);
	suite_add_tcase(suite, many);
	return test_main(suite);
}
