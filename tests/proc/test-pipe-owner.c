/* SPDX-License-Identifier: MIT */
/* Who owns an end, and how another takes over, without a message lost or doubled. */
#include "pipe-tools.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define CAPACITY	(UINT64_C(64) << 10)

/* What a child says of itself, in memory that it shares with the parent. */
struct said {
	uint64_t sent;		/* messages that it has sent, */
	uint64_t received;	/* or received */
	uint32_t ready;
	uint32_t go;
};

static struct weir_end *ends[2];
static struct said *said;

static void setup(void)
{
	ck_assert_int_eq(pipe_make(ends, 0, CAPACITY), 0);
	said = shared_alloc(sizeof(*said));
}

static void teardown(void)
{
	pipe_close_both(ends);
}

static void wait_ready(void)
{
	int64_t deadline = soon();

	while (load_acquire(&said->ready) == 0)
		ck_assert(test_now() < deadline);
}

static int say_ready_and_wait(void)
{
	int64_t deadline = soon();

	store_release(&said->ready, 1);
	while (load_acquire(&said->go) == 0)
		child_check(test_now() < deadline);
	return 0;
}

/* Dead, and nobody has waited for it. */
static void make_zombie(const struct child *child)
{
	siginfo_t info;

	kill(child->pid, SIGKILL);
	ck_assert_int_eq(waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOWAIT), 0);
	ck_assert_int_eq(child_state(child->pid), 'Z');
}

/*
 * One at a time
 */

/* Become the owner of both sides of ends[0], and stay it. */
static int own_first_end(void *arg)
{
	(void)arg;
	child_check(send_number(ends[0], 1, 0) == 0);
	child_check(recv_number(ends[0], 0) == -EAGAIN);
	return say_ready_and_wait();
}

static void expect_busy(struct weir_end *end)
{
	struct weir_msg m = { .data = (char[8]){ 0 }, .size = 8, .room = 8 };
	uint32_t events = 77;

	ck_assert_int_eq(send_number(end, 0, 0), -EBUSY);
	ck_assert_int_eq(send_number(end, 0, WEIR_FOREVER), -EBUSY);
	ck_assert_int_eq(weir_pipe_send(end, "x", 1, WEIR_MORE, 0), -EBUSY);
	ck_assert_int_eq(weir_pipe_send_batch(end, &m, 1, 0, WEIR_FOREVER), -EBUSY);
	ck_assert_int_eq(weir_pipe_flush(end), -EBUSY);
	ck_assert_int_eq(recv_number(end, 0), -EBUSY);
	ck_assert_int_eq(recv_number(end, WEIR_FOREVER), -EBUSY);
	ck_assert_int_eq(weir_pipe_recv_batch(end, &m, 1, 0, WEIR_FOREVER), -EBUSY);
	ck_assert_int_eq(weir_pipe_poll(end, WEIR_IN, 0, WEIR_FOREVER, &events), -EBUSY);
	ck_assert_int_eq(weir_pipe_poll(end, WEIR_OUT, 0, 0, &events), -EBUSY);
	ck_assert_int_eq(weir_pipe_poll(end, WEIR_IN | WEIR_OUT, 0, 0, &events), -EBUSY);
	ck_assert_uint_eq(events, 77);
	/* These are for any process that has the end. */
	ck_assert_int_ge(weir_pipe_fd(end), 0);
	ck_assert_int_eq(weir_pipe_handover(end), 0);
}

START_TEST(second_process_gets_ebusy)
{
	struct child child = child_start(own_first_end, NULL);

	wait_ready();
	for (int i = 0; i < 3; i++)
		expect_busy(ends[0]);
	/* The other end is another matter. */
	ck_assert_int_eq(recv_number(ends[1], 0), 1);
	ck_assert_int_eq(send_number(ends[1], 2, 0), 0);
	store_release(&said->go, 1);
	child_join_ok(&child);
	ck_assert_int_eq(recv_number(ends[0], 0), 2);
	ck_assert_int_eq(send_number(ends[0], 3, 0), 0);
}
END_TEST

START_TEST(stopped_owner_is_an_owner)
{
	struct child child = child_start(own_first_end, NULL);

	wait_ready();
	child_stop(&child);
	expect_busy(ends[0]);
	child_continue(&child);
	store_release(&said->go, 1);
	child_join_ok(&child);
}
END_TEST

static int own_one_side(void *arg)
{
	(void)arg;
	child_check(send_number(ends[0], 1, 0) == 0);
	return say_ready_and_wait();
}

START_TEST(sides_of_an_end_have_owners_of_their_own)
{
	struct child child = child_start(own_one_side, NULL);

	wait_ready();
	ck_assert_int_eq(send_number(ends[1], 5, 0), 0);
	ck_assert_int_eq(recv_number(ends[0], 0), 5);
	ck_assert_int_eq(send_number(ends[0], 5, 0), -EBUSY);
	store_release(&said->go, 1);
	child_join_ok(&child);
	ck_assert_int_eq(send_number(ends[0], 5, 0), 0);
}
END_TEST

static int hand_over(void *arg)
{
	(void)arg;
	child_check(send_number(ends[0], 1, 0) == 0);
	child_check(weir_pipe_send(ends[0], "12345678", 8, WEIR_MORE, 0) == 0);
	child_check(recv_number(ends[0], 0) == -EAGAIN);
	child_check(weir_pipe_handover(ends[0]) == 0);
	child_check(weir_pipe_handover(ends[0]) == 0);
	say_ready_and_wait();
	child_check(send_number(ends[0], 1, 0) == -EBUSY);
	child_check(recv_number(ends[0], 0) == -EBUSY);
	return 0;
}

START_TEST(handover_lets_another_take_over)
{
	struct child child = child_start(hand_over, NULL);

	wait_ready();
	ck_assert_int_eq(send_number(ends[0], 2, 0), 0);
	ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
	ck_assert_int_eq(recv_number(ends[1], 0), 1);
	/* What was pending has been published before. */
	ck_assert_int_eq(recv_number(ends[1], 0), 0x3837363534333231);
	ck_assert_int_eq(recv_number(ends[1], 0), 2);
	store_release(&said->go, 1);
	child_join_ok(&child);
}
END_TEST

static int own_and_close(void *arg)
{
	(void)arg;
	child_check(send_number(ends[0], 1, 0) == 0);
	child_check(recv_number(ends[0], 0) == -EAGAIN);
	weir_pipe_close(ends[0]);
	return say_ready_and_wait();
}

START_TEST(close_lets_another_take_over)
{
	struct child child = child_start(own_and_close, NULL);

	wait_ready();
	ck_assert_int_eq(send_number(ends[0], 2, 0), 0);
	ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
	ck_assert_int_eq(recv_number(ends[1], 0), 1);
	ck_assert_int_eq(recv_number(ends[1], 0), 2);
	store_release(&said->go, 1);
	child_join_ok(&child);
}
END_TEST

START_TEST(dead_owner_is_none_also_as_a_zombie)
{
	for (int reaped = 0; reaped < 2; reaped++) {
		struct child child = child_start(own_first_end, NULL);

		wait_ready();
		make_zombie(&child);
		if (reaped)
			child_join(&child);
		ck_assert_int_eq(send_number(ends[0], 2, 0), 0);
		ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
		ck_assert_int_eq(recv_number(ends[1], 0), 1);
		ck_assert_int_eq(recv_number(ends[1], 0), 2);
		if (!reaped)
			child_join(&child);
		teardown();
		setup();
	}
}
END_TEST

/* As programs do that close all descriptors they do not know. */
static int own_and_lose_the_descriptor(void *arg)
{
	(void)arg;
	child_check(send_number(ends[0], 1, 0) == 0);
	child_check(recv_number(ends[0], 0) == -EAGAIN);
	close(ends[0]->core->segment.fd);
	say_ready_and_wait();
	/* It goes on with what it has. */
	child_check(send_number(ends[0], 2, 0) == 0);
	child_check(recv_number(ends[0], 0) == 7);
	store_release(&said->ready, 2);
	for (;;)
		pause();
	return 0;
}

START_TEST(owner_that_lost_its_descriptor_is_not_robbed)
{
	struct child child = child_start(own_and_lose_the_descriptor, NULL);
	int64_t deadline = soon();

	wait_ready();
	for (int i = 0; i < 3; i++)
		expect_busy(ends[0]);
	ck_assert_int_eq(send_number(ends[1], 7, 0), 0);
	store_release(&said->go, 1);
	while (load_acquire(&said->ready) != 2)
		ck_assert(test_now() < deadline);
	expect_busy(ends[0]);
	make_zombie(&child);
	ck_assert_int_eq(send_number(ends[0], 3, 0), 0);
	for (int n = 1; n <= 3; n++)
		ck_assert_int_eq(recv_number(ends[1], 0), n);
	child_join(&child);
}
END_TEST

/*
 * Those that only look
 */

static int poll_only(void *arg)
{
	uint32_t events = 0;

	(void)arg;
	child_check(weir_pipe_poll(ends[0], WEIR_IN, 0, soon(), &events) == 0);
	child_check(events == WEIR_IN);
	child_check(weir_pipe_poll(ends[0], WEIR_IN | WEIR_OUT, 0, soon(), &events) == 0);
	child_check(events == (WEIR_IN | WEIR_OUT));
	return say_ready_and_wait();
}

START_TEST(one_who_polls_does_not_become_the_owner)
{
	struct child child = child_start(poll_only, NULL);

	ck_assert_int_eq(send_number(ends[1], 5, 0), 0);
	wait_ready();
	/* What it has seen is for whoever receives it. */
	ck_assert_int_eq(recv_number(ends[0], 0), 5);
	ck_assert_int_eq(send_number(ends[0], 6, 0), 0);
	store_release(&said->go, 1);
	child_join_ok(&child);
}
END_TEST

static int poll_between(void *arg)
{
	uint32_t events = 0;

	(void)arg;
	child_check(recv_number(ends[0], soon()) == 0);
	child_check(weir_pipe_poll(ends[0], WEIR_IN, 0, soon(), &events) == 0);
	child_check(weir_pipe_poll(ends[0], WEIR_OUT, 0, soon(), &events) == 0);
	say_ready_and_wait();
	child_check(recv_number(ends[0], 0) == 1);
	return 0;
}

START_TEST(owner_who_polls_stays_the_owner)
{
	struct child child = child_start(poll_between, NULL);

	ck_assert_int_eq(send_number(ends[1], 0, 0), 0);
	ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
	wait_ready();
	ck_assert_int_eq(recv_number(ends[0], 0), -EBUSY);
	/* That it polled for room did not give it the sending side. */
	ck_assert_int_eq(send_number(ends[0], 1, 0), 0);
	store_release(&said->go, 1);
	child_join_ok(&child);
}
END_TEST

static int watch_descriptor(void *arg)
{
	struct pollfd p = { .fd = weir_pipe_fd(ends[0]), .events = POLLIN };

	(void)arg;
	child_check(p.fd >= 0);
	child_check(weir_pipe_fd(ends[0]) == p.fd);
	store_release(&said->ready, 1);
	child_check(poll(&p, 1, 10000) == 1);
	while (load_acquire(&said->go) == 0)
		child_check(poll(&p, 1, 10000) == 1);
	return 0;
}

START_TEST(descriptor_may_be_watched_by_one_who_is_not_the_owner)
{
	struct child child;

	ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
	child = child_start(watch_descriptor, NULL);
	wait_ready();
	ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
	ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
	store_release(&said->go, 1);
	child_join_ok(&child);
	ck_assert_int_eq(recv_number(ends[0], 0), 1);
}
END_TEST

/*
 * Killed at any time. Of the messages that a child has sent or received, it says all but perhaps
 * the last.
 */

/* The numbers from @arg's on, until killed. */
static int send_for_ever(void *arg)
{
	uint64_t first = *(uint64_t *)arg;

	for (uint64_t n = first;; n++) {
		child_check(send_number(ends[1], n, soon()) == 0);
		store_release(&said->sent, n + 1);
	}
}

static int recv_for_ever(void *arg)
{
	uint64_t first = *(uint64_t *)arg;

	for (uint64_t n = first;; n++) {
		child_check(recv_number(ends[0], soon()) == (int64_t)n);
		store_release(&said->received, n + 1);
	}
}

static void wait_until_sent(uint64_t count)
{
	int64_t deadline = soon();

	while (load_acquire(&said->sent) < count)
		ck_assert(test_now() < deadline);
}

/* Receive all that is left, which is the numbers from *@next on. */
static void drain_from(uint64_t *next)
{
	int64_t got;

	while ((got = recv_number(ends[0], 0)) >= 0)
		ck_assert_int_eq(got, (int64_t)(*next)++);
	ck_assert_int_eq(got, -EAGAIN);
}

START_TEST(killed_sender_is_followed_without_loss_or_double)
{
	uint64_t next = 0;

	for (int round = 0; round < 60; round++) {
		uint64_t first = next;
		struct child child = child_start(send_for_ever, &first);

		for (uint64_t n = test_random_below(3000); n > 0; n--)
			ck_assert_int_eq(recv_number(ends[0], soon()), (int64_t)next++);
		make_zombie(&child);
		drain_from(&next);
		ck_assert_uint_ge(next, said->sent);
		ck_assert_uint_le(next, said->sent > first ? said->sent + 1 : first + 1);
		/* Sometimes the parent is the next, and not another child. */
		if (round % 3 == 0) {
			ck_assert_int_eq(send_number(ends[1], next, 0), 0);
			ck_assert_int_eq(recv_number(ends[0], 0), (int64_t)next++);
			ck_assert_int_eq(weir_pipe_handover(ends[1]), 0);
		}
		child_join(&child);
	}
}
END_TEST

START_TEST(killed_receiver_is_followed_without_loss_or_double)
{
	uint64_t next = 0, sent = 0;

	for (int round = 0; round < 60; round++) {
		uint64_t target = sent + 1 + test_random_below(3000);
		struct child child;
		int64_t got;
		int result;

		said->received = next;
		child = child_start(recv_for_ever, &next);
		while (sent < target)
			ck_assert_int_eq(send_number(ends[1], sent++, soon()), 0);
		make_zombie(&child);
		next = said->received;
		/* One is left, which tells where it was: in a full ring there is already. */
		result = send_number(ends[1], sent, 0);
		ck_assert(result == 0 || result == -EAGAIN);
		sent += result == 0;
		got = recv_number(ends[0], 0);
		ck_assert(got == (int64_t)next || got == (int64_t)next + 1);
		next = (uint64_t)got + 1;
		/* What is left is for the next child, every second time. */
		if (round % 2)
			drain_from(&next);
		ck_assert_int_eq(weir_pipe_handover(ends[0]), 0);
		child_join(&child);
	}
	drain_from(&next);
	ck_assert_uint_eq(next, sent);
}
END_TEST

#define BATCH	8

static int send_batches_for_ever(void *arg)
{
	uint64_t next = *(uint64_t *)arg, numbers[BATCH];
	struct weir_msg m[BATCH];

	for (;;) {
		for (int i = 0; i < BATCH; i++) {
			numbers[i] = next++;
			m[i] = (struct weir_msg){ .data = &numbers[i], .size = sizeof(numbers[i]) };
		}
		/* One batch in a call, or in two. */
		if (next % (2 * BATCH)) {
			child_check(weir_pipe_send_batch(ends[1], m, BATCH, 0, soon()) == BATCH);
		} else {
			child_check(weir_pipe_send_batch(ends[1], m, 3, WEIR_MORE, soon()) == 3);
			child_check(weir_pipe_send_batch(ends[1], m + 3, BATCH - 3, 0, soon()) ==
				    BATCH - 3);
		}
		store_release(&said->sent, next);
	}
}

START_TEST(killed_sender_of_batches_has_sent_whole_ones)
{
	uint64_t next = 0;

	for (int round = 0; round < 40; round++) {
		uint64_t first = next;
		struct child child = child_start(send_batches_for_ever, &first);

		wait_until_sent(first + 1 + test_random_below(1000));
		make_zombie(&child);
		drain_from(&next);
		ck_assert_uint_ge(next, said->sent);
		/* In a ring that was full, a batch may have been parted. */
		if (next - first < CAPACITY / 16 - 2 * BATCH)
			ck_assert_uint_eq(next % BATCH, 0);
		next = (next + BATCH - 1) / BATCH * BATCH;
		child_join(&child);
	}
}
END_TEST

START_TEST(both_killed_their_followers_find_all_that_was_not_received)
{
	for (int round = 0; round < 30; round++) {
		uint64_t zero = 0, next;
		struct child sender, receiver;
		int64_t got;

		sender = child_start(send_for_ever, &zero);
		receiver = child_start(recv_for_ever, &zero);
		wait_until_sent(test_random_below(5000));
		kill(receiver.pid, SIGKILL);
		make_zombie(&sender);
		make_zombie(&receiver);
		next = said->received;
		got = recv_number(ends[0], 0);
		if (got >= 0) {
			ck_assert(got == (int64_t)next || got == (int64_t)next + 1);
			next = (uint64_t)got + 1;
			drain_from(&next);
		}
		ck_assert_uint_ge(next + 1, said->sent);
		ck_assert_uint_le(next, said->sent + 1);
		ck_assert_int_eq(send_number(ends[1], 4711, 0), 0);
		ck_assert_int_eq(recv_number(ends[0], 0), 4711);
		child_join(&sender);
		child_join(&receiver);
		teardown();
		setup();
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pipe-owner");
	TCase *one = tcase_create("one");
	TCase *look = tcase_create("look");
	TCase *killed = tcase_create("killed");

	tcase_add_checked_fixture(one, setup, teardown);
	tcase_add_test(one, second_process_gets_ebusy);
	tcase_add_test(one, stopped_owner_is_an_owner);
	tcase_add_test(one, sides_of_an_end_have_owners_of_their_own);
	tcase_add_test(one, handover_lets_another_take_over);
	tcase_add_test(one, close_lets_another_take_over);
	tcase_add_test(one, dead_owner_is_none_also_as_a_zombie);
	tcase_add_test(one, owner_that_lost_its_descriptor_is_not_robbed);
	suite_add_tcase(suite, one);

	tcase_add_checked_fixture(look, setup, teardown);
	tcase_add_test(look, one_who_polls_does_not_become_the_owner);
	tcase_add_test(look, owner_who_polls_stays_the_owner);
	tcase_add_test(look, descriptor_may_be_watched_by_one_who_is_not_the_owner);
	suite_add_tcase(suite, look);

	tcase_add_checked_fixture(killed, setup, teardown);
	tcase_add_test(killed, killed_sender_is_followed_without_loss_or_double);
	tcase_add_test(killed, killed_receiver_is_followed_without_loss_or_double);
	tcase_add_test(killed, killed_sender_of_batches_has_sent_whole_ones);
	tcase_add_test(killed, both_killed_their_followers_find_all_that_was_not_received);
	suite_add_tcase(suite, killed);
	return test_main(suite);
}
