/* SPDX-License-Identifier: MIT */
/* When an end counts as closed: as one of pipe(2), with the last copy in any process. */
#include "pipe-tools.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#define CAPACITY	4096
#define ROUNDS		5

static struct weir_end *ends[2];
static const struct weir_lane_control *lanes;

static void setup(void)
{
	ck_assert_int_eq(pipe_make(ends, 0, CAPACITY), 0);
	lanes = pipe_watch(ends[0]);
	ck_assert_ptr_nonnull(lanes);
}

static void teardown(void)
{
	pipe_close_both(ends);
}

static void close_end(int index)
{
	weir_pipe_close(ends[index]);
	ends[index] = NULL;
}

static int sleep_long(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return 0;
}

/*
 * Copies
 */

/* Still not closed after a sleeper would have looked at the line. */
static void expect_open(void)
{
	ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
	ck_assert_int_eq(recv_number(ends[0], test_now() + 25 * MS), -ETIMEDOUT);
	ck_assert_int_eq(send_number(ends[0], 0, 0), 0);
}

static void expect_closed(void)
{
	int result;

	ck_assert_int_eq(recv_number(ends[0], soon()), -EPIPE);
	ck_assert_int_eq(recv_number(ends[0], 0), -EPIPE);
	/* The sending side finds out by itself, and need not at once. */
	do {
		result = send_number(ends[0], 0, soon());
	} while (result == 0);
	ck_assert_int_eq(result, -EPIPE);
}

START_TEST(end_is_open_while_a_child_has_a_copy)
{
	struct child child = child_start(sleep_long, NULL);

	close_end(1);
	expect_open();
	child_kill(&child);
	expect_closed();
}
END_TEST

static int leave_it_to_a_grandchild(void *arg)
{
	pid_t *pid = arg;
	struct child child = child_start(sleep_long, NULL);

	*pid = child.pid;
	/* Not the grandchild's end: it asked to die with its parent. */
	return sleep_long(NULL);
}

START_TEST(end_is_open_until_the_last_of_several_dies)
{
	pid_t *grandchild = shared_alloc(sizeof(*grandchild));
	struct child first = child_start(leave_it_to_a_grandchild, grandchild);
	struct child second = child_start(sleep_long, NULL);
	int64_t deadline = soon();

	close_end(1);
	while (*(volatile pid_t *)grandchild == 0)
		ck_assert(test_now() < deadline);
	expect_open();
	child_kill(&second);
	expect_open();
	kill(*grandchild, SIGKILL);
	expect_open();
	child_kill(&first);
	expect_closed();
}
END_TEST

START_TEST(end_is_open_while_a_copy_is_though_its_owner_is_dead)
{
	struct child holder = child_start(sleep_long, NULL);

	ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
	close_end(1);
	ck_assert_int_eq(recv_number(ends[0], 0), 1);
	expect_open();
	child_stop(&holder);
	expect_open();
	child_kill(&holder);
	expect_closed();
}
END_TEST

START_TEST(copy_of_the_other_end_does_not_keep_this_one_open)
{
	struct child child;

	close_end(1);
	child = child_start(sleep_long, NULL);
	expect_closed();
	child_kill(&child);
}
END_TEST

/*
 * The same moves with a pipe of the kernel beside it.
 */

static int reference[2];	/* read, write */

static int close_or_keep(void *arg)
{
	if (*(int *)arg) {
		weir_pipe_close(ends[1]);
		close(reference[1]);
	}
	return sleep_long(NULL);
}

static bool reference_is_closed(void)
{
	struct pollfd p = { .fd = reference[0], .events = POLLIN };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLHUP);
}

START_TEST(end_is_closed_when_a_pipe_of_the_kernel_would_be)
{
	for (int round = 0; round < 12; round++) {
		struct child children[3];
		bool dead[3] = { false };

		ck_assert_int_eq(pipe(reference), 0);
		for (int i = 0; i < 3; i++) {
			int closes = (int)test_random_below(2);

			children[i] = child_start(close_or_keep, &closes);
		}
		for (int i = 0; i < 3; i++)
			ck_assert(child_wait_asleep(children[i].pid));
		for (int step = 0; step < 8; step++) {
			int which = (int)test_random_below(4);

			if (which == 3 && ends[1]) {
				close_end(1);
				close(reference[1]);
			} else if (which < 3 && !dead[which]) {
				child_kill(&children[which]);
				dead[which] = true;
			}
			ck_assert_int_eq(recv_number(ends[0], test_now() + 21 * MS),
					 reference_is_closed() ? -EPIPE : -ETIMEDOUT);
		}
		for (int i = 0; i < 3; i++)
			if (!dead[i])
				child_kill(&children[i]);
		close(reference[0]);
		if (ends[1])
			close(reference[1]);
		teardown();
		setup();
	}
}
END_TEST

/*
 * What was sent before
 */

static int send_and_sleep(void *arg)
{
	uint64_t *sent = arg;

	store_release(sent, fill_with_numbers(ends[1], 0));
	return sleep_long(NULL);
}

START_TEST(killed_sender_is_drained_before_epipe)
{
	uint64_t *sent = shared_alloc(sizeof(*sent));
	struct child child = child_start(send_and_sleep, sent);
	int64_t deadline = soon();

	close_end(1);
	while (load_acquire(sent) == 0)
		ck_assert(test_now() < deadline);
	child_kill(&child);
	for (uint64_t n = 0; n < *sent; n++)
		ck_assert_int_eq(recv_number(ends[0], n % 2 ? 0 : soon()), (int64_t)n);
	expect_closed();
}
END_TEST

static int send_and_exit(void *arg)
{
	(void)arg;
	child_check(send_number(ends[1], 1, 0) == 0);
	child_check(weir_pipe_send(ends[1], "12345678", 8, WEIR_MORE, 0) == 0);
	return 0;
}

START_TEST(sender_that_exits_is_drained_of_what_it_had_published)
{
	struct child child = child_start(send_and_exit, NULL);

	close_end(1);
	ck_assert_int_eq(recv_number(ends[0], soon()), 1);
	/* It neither flushed nor closed. */
	ck_assert_int_eq(recv_number(ends[0], soon()), -EPIPE);
	child_join_ok(&child);
}
END_TEST

/*
 * How soon it is noticed
 */

struct times {
	int64_t start;		/* when the peer ended */
	int64_t end;		/* when the other was told */
	int64_t starved;	/* for how long those who take part had no processor */
	uint64_t sent;		/* bytes that were sent between */
	uint32_t ready;
};

static struct times *times;

/* In the sleeper; its parent has begun with what it was before. */
static int told(void)
{
	times->end = test_now();
	times->starved += child_starved(getpid());
	return 0;
}

static int receive_until_closed(void *arg)
{
	(void)arg;
	weir_pipe_close(ends[1]);
	child_check(recv_number(ends[0], soon()) == -EPIPE);
	return told();
}

static int send_until_closed(void *arg)
{
	(void)arg;
	weir_pipe_close(ends[0]);
	fill_with_numbers(ends[1], 0);
	child_check(send_number(ends[1], 0, soon()) == -EPIPE);
	return told();
}

static int poll_until_closed(void *arg)
{
	uint32_t events = 0;

	(void)arg;
	weir_pipe_close(ends[1]);
	child_check(weir_pipe_poll(ends[0], 0, 0, soon(), &events) == 0);
	child_check(events == WEIR_HUP);
	return told();
}

static int keep_end(void *arg)
{
	/* The other one goes. */
	weir_pipe_close(ends[1 - *(int *)arg]);
	return sleep_long(NULL);
}

static void begin(const struct child *sleeper)
{
	times->starved = -child_starved(sleeper->pid) - child_starved(getpid());
	times->start = test_now();
}

/* The sleeper has been joined. */
static int64_t took_it(void)
{
	return times->end - times->start - times->starved - child_starved(getpid());
}

/* Kill the holder of @victim's end while the other sleeps in @stage. False: that was missed. */
static bool kill_beside_sleeper(int (*sleeper)(void *arg), int victim, const uint32_t *wait,
				uint32_t stage)
{
	struct child holder = child_start(keep_end, &victim), child;
	int64_t starved;
	bool seen;

	ck_assert(child_wait_asleep(holder.pid));
	child = child_start(sleeper, NULL);
	close_end(0);
	close_end(1);
	seen = wait_for_stage(child.pid, wait, stage);
	begin(&child);
	starved = child_kill_starved(&holder);
	child_join_ok(&child);
	times->starved += starved;
	setup();
	return seen;
}

static void check_notice(int (*sleeper)(void *arg), int victim, uint32_t stage)
{
	int64_t took[ROUNDS];
	int sets = 0;

	times = shared_alloc(sizeof(*times));
	do {
		for (int i = 0, tries = 0; i < ROUNDS; tries++) {
			const struct weir_side *side = victim ? &lanes[0].reader : &lanes[0].writer;

			ck_assert_int_lt(tries, 100);
			if (!kill_beside_sleeper(sleeper, victim, &side->wait, stage))
				continue;
			took[i] = took_it();
			ck_assert_int_lt(took[i], 2000 * MS);
			i++;
		}
	} while (take_again(took, ROUNDS, 50 * MS, &sets));
	ck_assert_int_lt(median(took, ROUNDS), 50 * MS);
}

START_TEST(sleeping_receiver_notices_a_killed_peer_within_50_ms)
{
	check_notice(receive_until_closed, 1, WAIT_SHALLOW);
	check_notice(receive_until_closed, 1, WAIT_DEEP);
}
END_TEST

START_TEST(sleeping_sender_notices_a_killed_peer_within_50_ms)
{
	check_notice(send_until_closed, 0, WAIT_SHALLOW);
	check_notice(send_until_closed, 0, WAIT_DEEP);
}
END_TEST

START_TEST(sleeping_poll_notices_a_killed_peer_within_50_ms)
{
	int64_t took[ROUNDS];
	int sets = 0;

	times = shared_alloc(sizeof(*times));
	do {
		for (int i = 0; i < ROUNDS; i++) {
			/* It asks for the hang-up alone, and sleeps as a sender. */
			ck_assert(kill_beside_sleeper(poll_until_closed, 1, &lanes[1].writer.wait,
						      WAIT_DEEP));
			took[i] = took_it();
			ck_assert_int_lt(took[i], 2000 * MS);
		}
	} while (take_again(took, ROUNDS, 50 * MS, &sets));
	ck_assert_int_lt(median(took, ROUNDS), 50 * MS);
}
END_TEST

/* Close @victim's end while the other sleeps in @stage. False: that was missed. */
static bool close_beside_sleeper(int (*sleeper)(void *arg), int victim, uint32_t stage)
{
	const struct weir_side *side = victim ? &lanes[0].reader : &lanes[0].writer;
	struct child child = child_start(sleeper, NULL);
	bool seen;

	close_end(1 - victim);
	seen = wait_for_stage(child.pid, &side->wait, stage);
	begin(&child);
	close_end(victim);
	child_join_ok(&child);
	setup();
	return seen;
}

static void check_close(int (*sleeper)(void *arg), int victim, uint32_t stage)
{
	int64_t took[ROUNDS];
	int sets = 0;

	times = shared_alloc(sizeof(*times));
	do {
		for (int i = 0, tries = 0; i < ROUNDS; tries++) {
			bool seen = close_beside_sleeper(sleeper, victim, stage);

			ck_assert_int_lt(tries, 100);
			took[i] = took_it();
			ck_assert_int_lt(took[i], 2000 * MS);
			i += seen;
		}
	} while (take_again(took, ROUNDS, 15 * MS, &sets));
	ck_assert_int_lt(median(took, ROUNDS), 15 * MS);
}

START_TEST(sleeping_receiver_notices_a_close_at_once)
{
	check_close(receive_until_closed, 1, WAIT_SHALLOW);
	check_close(receive_until_closed, 1, WAIT_DEEP);
}
END_TEST

START_TEST(sleeping_sender_notices_a_close_at_once)
{
	check_close(send_until_closed, 0, WAIT_SHALLOW);
	check_close(send_until_closed, 0, WAIT_DEEP);
}
END_TEST

/*
 * A sender that never sleeps
 */

static int receive_for_ever(void *arg)
{
	char buffer[64];

	(void)arg;
	weir_pipe_close(ends[1]);
	store_release(&times->ready, 1);
	for (;;)
		child_check(weir_pipe_recv(ends[0], buffer, sizeof(buffer), 0, soon(), NULL) == 0);
}

/*
 * Send messages of @size, one every @pause, until it is told that the receiver was killed: after
 * @count of them.
 */
static void send_past_a_kill(size_t size, int64_t pause, uint64_t count)
{
	struct child child = child_start(receive_for_ever, NULL);
	int64_t deadline = soon(), due = 0, killed = 0;
	uint64_t after = 0;
	char data[64] = { 0 };
	int result;

	close_end(0);
	for (uint64_t n = 0;; n++) {
		result = weir_pipe_send(ends[1], data, size, 0, deadline);
		if (result < 0)
			break;
		ck_assert(test_now() < deadline);
		/* 10 ms may pass, and then 4 KiB. */
		if (killed && test_now() - killed > 12 * MS)
			after += size + 8;
		if (n == count) {
			child_kill(&child);
			killed = test_now();
		}
		for (due += pause; due > test_now() && pause;)
			;
		due = test_now();
	}
	ck_assert_int_eq(result, -EPIPE);
	ck_assert_uint_le(after, 4096 + 72);
	close_end(1);
	setup();
}

START_TEST(sender_that_never_sleeps_notices_a_killed_receiver_in_time)
{
	times = shared_alloc(sizeof(*times));
	send_past_a_kill(64, 0, 500);
	send_past_a_kill(64, 100 * US, 500);
	send_past_a_kill(8, 100 * US, 500);
	send_past_a_kill(0, 300 * US, 500);
	send_past_a_kill(64, 2 * MS, 100);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pipe-hangup");
	TCase *copies = tcase_create("copies");
	TCase *before = tcase_create("before");
	TCase *notice = tcase_create("notice");

	tcase_add_checked_fixture(copies, setup, teardown);
	tcase_add_test(copies, end_is_open_while_a_child_has_a_copy);
	tcase_add_test(copies, end_is_open_until_the_last_of_several_dies);
	tcase_add_test(copies, end_is_open_while_a_copy_is_though_its_owner_is_dead);
	tcase_add_test(copies, copy_of_the_other_end_does_not_keep_this_one_open);
	tcase_add_test(copies, end_is_closed_when_a_pipe_of_the_kernel_would_be);
	suite_add_tcase(suite, copies);

	tcase_add_checked_fixture(before, setup, teardown);
	tcase_add_test(before, killed_sender_is_drained_before_epipe);
	tcase_add_test(before, sender_that_exits_is_drained_of_what_it_had_published);
	suite_add_tcase(suite, before);

	tcase_add_checked_fixture(notice, setup, teardown);
	tcase_add_test(notice, sleeping_receiver_notices_a_killed_peer_within_50_ms);
	tcase_add_test(notice, sleeping_sender_notices_a_killed_peer_within_50_ms);
	tcase_add_test(notice, sleeping_poll_notices_a_killed_peer_within_50_ms);
	tcase_add_test(notice, sleeping_receiver_notices_a_close_at_once);
	tcase_add_test(notice, sleeping_sender_notices_a_close_at_once);
	tcase_add_test(notice, sender_that_never_sleeps_notices_a_killed_receiver_in_time);
	suite_add_tcase(suite, notice);
	return test_main(suite);
}
