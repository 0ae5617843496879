/* SPDX-License-Identifier: MIT */
/* Sleeping in calls on a queue, and what wakes: messages, room, signals, ends, deaths. */
#include "queue-tools.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>

#define MS INT64_C(1000000)

static struct weir_queue *queue;

struct report {
	int64_t result;
	int64_t at;
};

static struct report *reports;

struct sleep {
	int (*call)(uint32_t flags, int64_t deadline);
	uint32_t flags;
	int index;
};

static void setup(void)
{
	reports = shared_alloc(16 * sizeof(*reports));
	queue = queue_new(1, 0, 0);
	ck_assert_ptr_nonnull(queue);
}

static void teardown(void)
{
	weir_queue_close(queue);
}

static int call_get(uint32_t flags, int64_t deadline)
{
	uint64_t number;

	return weir_queue_get(queue, &number, 8, flags, deadline, NULL);
}

static int call_get_batch(uint32_t flags, int64_t deadline)
{
	uint64_t number;
	struct weir_msg m = { .data = &number, .room = 8 };
	int result = weir_queue_get_batch(queue, &m, 1, flags, deadline);

	return result == 1 ? 0 : result;
}

static int call_take(uint32_t flags, int64_t deadline)
{
	struct weir_taken taken;
	int result = weir_queue_take(queue, flags, deadline, &taken);

	return result < 0 ? result : weir_queue_release(queue, &taken);
}

static int call_put(uint32_t flags, int64_t deadline)
{
	return weir_queue_put(queue, "12345678", 8, flags, deadline);
}

static int call_put_batch(uint32_t flags, int64_t deadline)
{
	uint64_t number = 1;
	struct weir_msg m = { .data = &number, .size = 8 };
	int result = weir_queue_put_batch(queue, &m, 1, flags, deadline);

	return result == 1 ? 0 : result;
}

static int call_commit(uint32_t flags, int64_t deadline)
{
	void *data;
	int result = weir_queue_claim(queue, 8, flags, deadline, &data);

	if (result < 0)
		return result;
	memset(data, 0, 8);
	result = weir_queue_commit(queue, 8, flags, deadline);
	if (result < 0)
		(void)weir_queue_abort(queue);
	return result;
}

static int call_join(uint32_t flags, int64_t deadline)
{
	return weir_queue_join(queue, flags, deadline);
}

static void on_signal(int number)
{
	(void)number;
}

static int sleep_in_call(void *arg)
{
	const struct sleep *s = arg;
	struct sigaction action = { .sa_handler = on_signal };
	int result;

	sigaction(SIGUSR1, &action, NULL);
	errno = 4711;
	result = s->call(s->flags, soon());
	child_check(errno == 4711);
	reports[s->index].at = test_now();
	__atomic_store_n(&reports[s->index].result, result < 0 ? result : 1, __ATOMIC_RELEASE);
	return 0;
}

typedef int call_fn(uint32_t flags, int64_t deadline);

static struct child start(struct sleep *s, call_fn *call, uint32_t flags, int index)
{
	*s = (struct sleep){ call, flags, index };
	return child_start(sleep_in_call, s);
}

static void wait_for_sleepers(uint64_t count)
{
	int64_t until = soon();

	while (queue_stat(queue).sleepers != count) {
		ck_assert_int_lt(test_now(), until);
		sched_yield();
	}
}

static int (*const readers[])(uint32_t, int64_t) = { call_get, call_get_batch, call_take };
static int (*const writers[])(uint32_t, int64_t) = { call_put, call_put_batch, call_commit };

/*
 * Messages and room
 */

START_TEST(message_wakes_a_sleeping_reader)
{
	for (uint32_t flags = 0; flags <= WEIR_NOSPIN; flags += WEIR_NOSPIN) {
		struct sleep s;
		struct child child = start(&s, readers[_i], flags, 0);

		wait_for_sleepers(1);
		ck_assert(child_wait_asleep(child.pid));
		ck_assert_int_eq(queue_put_number(queue, 1, 0), 0);
		child_join_ok(&child);
		ck_assert_int_eq(reports[0].result, 1);
	}
}
END_TEST

START_TEST(room_wakes_a_sleeping_writer)
{
	for (uint32_t flags = 0; flags <= WEIR_NOSPIN; flags += WEIR_NOSPIN) {
		struct sleep s;
		struct child child;

		ck_assert_int_eq(queue_put_number(queue, 1, 0), 0);
		child = start(&s, writers[_i], flags, 0);
		wait_for_sleepers(1);
		ck_assert(child_wait_asleep(child.pid));
		ck_assert_int_eq(queue_get_number(queue, 0), 1);
		child_join_ok(&child);
		ck_assert_int_eq(reports[0].result, 1);
		ck_assert_int_ge(queue_get_number(queue, 0), 0);
	}
}
END_TEST

START_TEST(memory_wakes_a_sleeping_writer)
{
	uint8_t *data = calloc(1, 600000);
	struct sleep s;
	struct child child;

	weir_queue_close(queue);
	queue = queue_new(1000, 1 << 20, 0);
	while (weir_queue_put(queue, data, 5000, 0, 0) == 0)
		;
	while (weir_queue_put(queue, data, 8, 0, 0) == 0)
		;
	child = start(&s, call_put, 0, 0);
	wait_for_sleepers(1);
	while (weir_queue_get(queue, data, 600000, 0, 0, NULL) == 0)
		;
	child_join_ok(&child);
	ck_assert_int_eq(reports[0].result, 1);
	free(data);
}
END_TEST

START_TEST(batch_wakes_as_many_as_there_are_messages)
{
	struct sleep s[6];
	struct child children[6];
	struct weir_msg messages[6];
	uint64_t numbers[6];

	weir_queue_close(queue);
	queue = queue_new(0, 0, 0);
	for (int i = 0; i < 6; i++) {
		numbers[i] = (uint64_t)i;
		messages[i] = (struct weir_msg){ .data = &numbers[i], .size = 8 };
		children[i] = start(&s[i], readers[i % 3], i % 2 ? WEIR_NOSPIN : 0, i);
	}
	wait_for_sleepers(6);
	ck_assert_int_eq(weir_queue_put_batch(queue, messages, 6, 0, 0), 6);
	for (int i = 0; i < 6; i++) {
		child_join_ok(&children[i]);
		ck_assert_int_eq(reports[i].result, 1);
	}
}
END_TEST

/*
 * Deadlines and signals
 */

START_TEST(deadlines_are_kept)
{
	int (*const calls[])(uint32_t, int64_t) = {
		call_get, call_get_batch, call_take, call_put, call_put_batch, call_commit,
		call_join,
	};
	bool full = _i >= 3;

	if (full)
		ck_assert_int_eq(queue_put_number(queue, 1, 0), 0);
	for (int64_t ms = 1; ms <= 150; ms *= 5) {
		int64_t deadline = test_now() + ms * MS;

		ck_assert_int_eq(calls[_i](ms % 2 ? 0 : WEIR_NOSPIN, deadline), -ETIMEDOUT);
		ck_assert_int_ge(test_now(), deadline);
	}
	ck_assert_int_eq(calls[_i](0, 0), -EAGAIN);
	ck_assert_int_eq(calls[_i](0, 1), -ETIMEDOUT);
}
END_TEST

START_TEST(signal_ends_the_sleep_if_asked_for)
{
	int (*const calls[])(uint32_t, int64_t) = { call_get, call_take, call_put, call_join };
	struct sleep s;
	struct child child;

	if (_i >= 2)
		ck_assert_int_eq(queue_put_number(queue, 1, 0), 0);
	child = start(&s, calls[_i], WEIR_INTR | WEIR_NOSPIN, 0);
	wait_for_sleepers(1);
	/* One that comes just before the sleep is not seen. */
	while (__atomic_load_n(&reports[0].result, __ATOMIC_ACQUIRE) == 0) {
		kill(child.pid, SIGUSR1);
		usleep(1000);
	}
	child_join_ok(&child);
	ck_assert_int_eq(reports[0].result, -EINTR);
}
END_TEST

START_TEST(signal_does_not_end_the_sleep_otherwise)
{
	struct sleep s;
	struct child child = start(&s, call_get, WEIR_NOSPIN, 0);

	wait_for_sleepers(1);
	for (int i = 0; i < 20; i++) {
		kill(child.pid, SIGUSR1);
		usleep(1000);
	}
	ck_assert_int_eq(__atomic_load_n(&reports[0].result, __ATOMIC_ACQUIRE), 0);
	ck_assert_int_eq(queue_put_number(queue, 1, 0), 0);
	child_join_ok(&child);
	ck_assert_int_eq(reports[0].result, 1);
}
END_TEST

/*
 * Ends
 */

START_TEST(shutdown_wakes_all_sleepers)
{
	struct sleep s[4];
	struct child children[4];
	bool full = _i & 1;

	if (full)
		ck_assert_int_eq(queue_put_number(queue, 1, 0), 0);
	for (int i = 0; i < 4; i++)
		children[i] = start(&s[i], full ? writers[i % 3] : readers[i % 3], 0, i);
	wait_for_sleepers(4);
	ck_assert_int_eq(weir_queue_shutdown(queue, _i & 2 ? WEIR_QUEUE_NOW : 0), 0);
	for (int i = 0; i < 4; i++) {
		child_join_ok(&children[i]);
		ck_assert_int_eq(reports[i].result, -EPIPE);
	}
}
END_TEST

START_TEST(last_task_done_ends_a_join)
{
	struct sleep s[2];
	struct child children[2];

	ck_assert_int_eq(queue_put_number(queue, 1, 0), 0);
	for (int i = 0; i < 2; i++)
		children[i] = start(&s[i], call_join, 0, i);
	wait_for_sleepers(2);
	ck_assert_int_eq(queue_get_number(queue, 0), 1);
	ck_assert_int_eq(weir_queue_task_done(queue), 0);
	for (int i = 0; i < 2; i++) {
		child_join_ok(&children[i]);
		ck_assert_int_eq(reports[i].result, 1);
	}
}
END_TEST

START_TEST(shutdown_now_ends_a_join)
{
	struct sleep s;
	struct child child;

	ck_assert_int_eq(queue_put_number(queue, 1, 0), 0);
	child = start(&s, call_join, 0, 0);
	wait_for_sleepers(1);
	ck_assert_int_eq(weir_queue_shutdown(queue, WEIR_QUEUE_NOW), 0);
	child_join_ok(&child);
	ck_assert_int_eq(reports[0].result, 1);
}
END_TEST

/*
 * Deaths of sleepers, and long sleeps
 */

START_TEST(other_sleepers_get_what_a_killed_one_was_woken_for)
{
	weir_queue_close(queue);
	queue = queue_new(0, 0, 0);
	for (int round = 0; round < 30; round++) {
		struct sleep s[3];
		struct child children[3];

		memset(reports, 0, 16 * sizeof(*reports));
		for (int i = 0; i < 3; i++)
			children[i] = start(&s[i], call_get, WEIR_NOSPIN, i);
		for (int i = 0; i < 3; i++)
			ck_assert(child_wait_asleep_in(children[i].pid, SYS_futex));
		/* Stopped, they are woken and do not look. */
		child_stop(&children[round % 3]);
		ck_assert_int_eq(queue_put_number(queue, 1, 0), 0);
		ck_assert_int_eq(queue_put_number(queue, 2, 0), 0);
		child_kill(&children[round % 3]);
		for (int i = 0; i < 3; i++)
			if (i != round % 3) {
				child_join_ok(&children[i]);
				ck_assert_int_eq(reports[i].result, 1);
			}
		ck_assert_int_eq(queue_get_number(queue, 0), -EAGAIN);
	}
}
END_TEST

START_TEST(stopped_sleeper_does_not_hold_up_the_others)
{
	struct sleep s[3];
	struct child children[3];

	weir_queue_close(queue);
	queue = queue_new(0, 0, 0);
	for (int i = 0; i < 3; i++)
		children[i] = start(&s[i], call_get, WEIR_NOSPIN, i);
	wait_for_sleepers(3);
	child_stop(&children[0]);
	ck_assert_int_eq(queue_put_number(queue, 1, 0), 0);
	ck_assert_int_eq(queue_put_number(queue, 2, 0), 0);
	child_join_ok(&children[1]);
	child_join_ok(&children[2]);
	child_continue(&children[0]);
	ck_assert_int_eq(queue_put_number(queue, 3, 0), 0);
	child_join_ok(&children[0]);
}
END_TEST

static uint64_t switches(pid_t pid)
{
	char path[64], line[128];
	uint64_t count = 0, n;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "voluntary_ctxt_switches: %lu", &n) == 1)
			count = n;
	fclose(file);
	return count;
}

/* Until the process has not been woken for a while. False if it always is. */
static bool becomes_quiet(pid_t pid)
{
	int64_t until = soon();

	while (test_now() < until) {
		uint64_t before = switches(pid);

		usleep(300000);
		if (switches(pid) == before)
			return true;
	}
	return false;
}

START_TEST(idle_sleepers_are_not_woken_and_still_hear)
{
	struct sleep s[4];
	struct child children[4];

	ck_assert_int_eq(queue_put_number(queue, 1, 0), 0);
	ck_assert_int_eq(queue_get_number(queue, 0), 1);
	for (int i = 0; i < 4; i++)
		children[i] = start(&s[i], readers[i % 3], 0, i);
	wait_for_sleepers(4);
	for (int i = 0; i < 4; i++)
		ck_assert(becomes_quiet(children[i].pid));
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(queue_put_number(queue, 1, soon()), 0);
	for (int i = 0; i < 4; i++) {
		child_join_ok(&children[i]);
		ck_assert_int_eq(reports[i].result, 1);
	}
}
END_TEST

static int die_with_a_message(void *arg)
{
	struct weir_taken taken;

	(void)arg;
	child_check(weir_queue_take(queue, 0, soon(), &taken) == 0);
	kill(getpid(), SIGKILL);
	return 1;
}

START_TEST(deep_sleepers_notice_a_death_that_comes_later)
{
	struct sleep s[2];
	struct child children[2], victim;
	int64_t start_of;

	for (int i = 0; i < 2; i++)
		children[i] = start(&s[i], call_get, 0, i);
	wait_for_sleepers(2);
	for (int i = 0; i < 2; i++)
		ck_assert(becomes_quiet(children[i].pid));
	/* One of the sleepers may be faster; then it is the next. */
	for (int i = 0; i < 2; i++) {
		victim = child_start(die_with_a_message, NULL);
		ck_assert_int_eq(queue_put_number(queue, 1, soon()), 0);
		start_of = test_now();
		while (__atomic_load_n(&reports[0].result, __ATOMIC_ACQUIRE) +
		       __atomic_load_n(&reports[1].result, __ATOMIC_ACQUIRE) <= i)
			ck_assert_int_lt(test_now(), start_of + 20000 * MS);
		if (child_state(victim.pid) != 'Z')
			child_kill(&victim);
		else
			(void)child_join(&victim);
	}
	for (int i = 0; i < 2; i++)
		child_join_ok(&children[i]);
	ck_assert_int_eq(queue_get_number(queue, 0), -EAGAIN);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("queue-sleep");
	TCase *t = tcase_create("sleep");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, message_wakes_a_sleeping_reader, 0, 3);
	tcase_add_loop_test(t, room_wakes_a_sleeping_writer, 0, 3);
	tcase_add_test(t, memory_wakes_a_sleeping_writer);
	tcase_add_test(t, batch_wakes_as_many_as_there_are_messages);
	tcase_add_loop_test(t, deadlines_are_kept, 0, 7);
	tcase_add_loop_test(t, signal_ends_the_sleep_if_asked_for, 0, 4);
	tcase_add_test(t, signal_does_not_end_the_sleep_otherwise);
	tcase_add_loop_test(t, shutdown_wakes_all_sleepers, 0, 4);
	tcase_add_test(t, last_task_done_ends_a_join);
	tcase_add_test(t, shutdown_now_ends_a_join);
	suite_add_tcase(s, t);
	t = tcase_create("deaths, long sleeps");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, other_sleepers_get_what_a_killed_one_was_woken_for);
	tcase_add_test(t, stopped_sleeper_does_not_hold_up_the_others);
	tcase_add_test(t, idle_sleepers_are_not_woken_and_still_hear);
	tcase_add_test(t, deep_sleepers_notice_a_death_that_comes_later);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return test_main(suite());
}
