/* SPDX-License-Identifier: MIT */
/* Sleeping calls, and what wakes them: messages, room, signals, a shutdown by another process. */
#include "pipe-tools.h"

#include <errno.h>
#include <signal.h>
#include <sys/time.h>
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

static void renew(void)
{
	teardown();
	setup();
}

/*
 * Sleepers: children in a call that waits. They say what it returned, and when.
 */

struct report {
	int64_t result;		/* of the first call */
	int64_t at;
	int64_t starved;	/* as child_starved() of the process */
	int64_t next;		/* of the same call, once more without time */
	uint32_t flags;		/* of the call */
	uint32_t events;
};

static struct report *report;

enum kind {
	CALL_RECV,
	CALL_RECV_BATCH,
	CALL_SEND,
	CALL_SEND_BATCH,
	CALL_POLL_IN,
	CALL_POLL_OUT,
	CALL_POLL_BOTH,
	CALL_KINDS
};

static bool waits_for_room(enum kind kind)
{
	return kind == CALL_SEND || kind == CALL_SEND_BATCH || kind == CALL_POLL_OUT;
}

static bool is_poll(enum kind kind)
{
	return kind >= CALL_POLL_IN;
}

static int64_t call(enum kind kind, int64_t deadline)
{
	static const uint32_t asked[CALL_KINDS] = {
		[CALL_POLL_IN] = WEIR_IN,
		[CALL_POLL_OUT] = WEIR_OUT,
		[CALL_POLL_BOTH] = WEIR_IN | WEIR_OUT,
	};
	uint64_t number = 4711;
	struct weir_msg m = { .data = &number, .size = sizeof(number), .room = sizeof(number) };
	uint32_t flags = report->flags, events;
	int result;

	switch (kind) {
	case CALL_RECV:
		result = weir_pipe_recv(ends[0], &number, sizeof(number), flags, deadline, NULL);
		return result < 0 ? result : (int64_t)number;
	case CALL_RECV_BATCH:
		result = weir_pipe_recv_batch(ends[0], &m, 1, flags, deadline);
		return result < 0 ? result : (int64_t)number;
	case CALL_SEND:
		return weir_pipe_send(ends[1], &number, sizeof(number), flags, deadline);
	case CALL_SEND_BATCH:
		result = weir_pipe_send_batch(ends[1], &m, 1, flags, deadline);
		return result < 0 ? result : result - 1;
	default:
		/* Of ends[0] for a message, of ends[1] for room; for both where ends[0] is full. */
		result = weir_pipe_poll(ends[kind == CALL_POLL_OUT], asked[kind], flags, deadline,
					&events);
		return result < 0 ? result : (int64_t)events;
	}
}

static void on_signal(int number)
{
	(void)number;
}

static int sleep_in_call(void *arg)
{
	enum kind kind = *(enum kind *)arg;
	struct sigaction action = { .sa_handler = on_signal };
	int64_t result;

	sigaction(SIGUSR1, &action, NULL);
	errno = 4711;
	result = call(kind, soon());
	report->at = test_now();
	report->starved = child_starved(getpid());
	child_check(errno == 4711);
	store_release(&report->result, result);
	report->next = call(kind, 0);
	return 0;
}

static const uint32_t *announced_by(enum kind kind)
{
	return waits_for_room(kind) ? &lanes[0].writer.wait : &lanes[0].reader.wait;
}

/* A poll knows one stage, the deep one. */
static bool knows_stage(enum kind kind, uint32_t stage)
{
	return stage == WAIT_DEEP || !is_poll(kind);
}

/* The state in which the call of that kind waits. */
static uint64_t prepare(enum kind kind)
{
	uint64_t sent = 0;

	if (waits_for_room(kind)) {
		sent = fill_with_numbers(ends[1], 0);
		ck_assert_int_eq(weir_pipe_handover(ends[1]), 0);
	}
	if (kind == CALL_POLL_BOTH) {
		fill_with_numbers(ends[0], 0);
		ck_assert_int_eq(weir_pipe_handover(ends[0]), 0);
	}
	return sent;
}

static void free_child(struct child *child)
{
	child_kill(child);
	renew();
}

/* A child that sleeps in a call, in that stage; how many messages are in the ring. */
static struct child start_sleeper(enum kind kind, uint32_t stage, uint32_t flags,
				  uint64_t *ret_sent)
{
	for (int tries = 0; tries < 100; tries++) {
		struct child child;

		report = shared_alloc(sizeof(*report));
		report->flags = flags;
		report->result = INT64_MIN;
		*ret_sent = prepare(kind);
		child = child_start(sleep_in_call, &kind);
		if (wait_for_stage(child.pid, announced_by(kind), stage))
			return child;
		free_child(&child);
	}
	ck_abort_msg("never seen asleep in stage %u", stage);
}

static const uint32_t stages[] = { WAIT_SHALLOW, WAIT_DEEP };

static void for_each_sleeper(void (*check)(enum kind kind, uint32_t stage))
{
	for (enum kind kind = CALL_RECV; kind < CALL_KINDS; kind++)
		for (size_t s = 0; s < ARRAY_LENGTH(stages); s++)
			if (knows_stage(kind, stages[s]))
				check(kind, stages[s]);
}

/*
 * Woken by what they wait for
 */

static void give(enum kind kind, uint64_t sent)
{
	if (!waits_for_room(kind)) {
		ck_assert_int_eq(send_number(ends[1], 5, 0), 0);
		return;
	}
	for (uint64_t n = 0; n < sent; n++)
		ck_assert_int_eq(recv_number(ends[0], 0), (int64_t)n);
	/* The sleeper may have sent meanwhile. */
	recv_number(ends[0], 0);
}

static int64_t expected_result(enum kind kind)
{
	switch (kind) {
	case CALL_RECV:
	case CALL_RECV_BATCH:
		return 5;
	case CALL_POLL_IN:
	case CALL_POLL_BOTH:
		return WEIR_IN;
	case CALL_POLL_OUT:
		return WEIR_OUT;
	default:
		return 0;
	}
}

/* How long it took the sleeper to know. */
static int64_t wake_up(enum kind kind, uint32_t stage)
{
	uint64_t sent;
	struct child child = start_sleeper(kind, stage, 0, &sent);
	int64_t starved = -child_starved(child.pid) - child_starved(getpid());
	int64_t start = test_now();

	give(kind, sent);
	child_join_ok(&child);
	ck_assert_int_eq(report->result, expected_result(kind));
	renew();
	starved += report->starved + child_starved(getpid());
	return report->at - start - starved;
}

static void check_woken(enum kind kind, uint32_t stage)
{
	int64_t took[ROUNDS];
	int sets = 0;

	do {
		for (int i = 0; i < ROUNDS; i++) {
			took[i] = wake_up(kind, stage);
			ck_assert_msg(took[i] < 2000 * MS, "call %d, stage %u: %ld ns", (int)kind,
				      stage, (long)took[i]);
		}
	} while (take_again(took, ROUNDS, 15 * MS, &sets));
	ck_assert_msg(median(took, ROUNDS) < 15 * MS, "call %d, stage %u: %ld ns", (int)kind, stage,
		      (long)median(took, ROUNDS));
}

START_TEST(sleeper_is_woken_by_what_it_waits_for)
{
	for_each_sleeper(check_woken);
}
END_TEST

START_TEST(poll_leaves_what_woke_it)
{
	uint64_t sent;
	struct child child = start_sleeper(CALL_POLL_IN, WAIT_DEEP, 0, &sent);

	ck_assert_int_eq(send_number(ends[1], 5, 0), 0);
	child_join_ok(&child);
	ck_assert_int_eq(report->next, WEIR_IN);
	ck_assert_int_eq(recv_number(ends[0], 0), 5);
}
END_TEST

START_TEST(poll_for_both_is_woken_by_room)
{
	uint64_t sent;
	struct child child = start_sleeper(CALL_POLL_BOTH, WAIT_DEEP, 0, &sent);

	while (recv_number(ends[1], 0) >= 0)
		;
	child_join_ok(&child);
	ck_assert_int_eq(report->result, WEIR_OUT);
}
END_TEST

/*
 * Signals
 */

static void check_eintr(enum kind kind, uint32_t stage)
{
	uint64_t sent;
	struct child child = start_sleeper(kind, stage, WEIR_INTR, &sent);

	/* One that comes between two sleeps of the call has run, but interrupts none. */
	for (int64_t until = soon(); load_acquire(&report->result) == INT64_MIN;) {
		ck_assert(test_now() < until);
		kill(child.pid, SIGUSR1);
		nanosleep(&(struct timespec){ .tv_nsec = 1 * MS }, NULL);
	}
	child_join_ok(&child);
	ck_assert_msg(report->result == -EINTR, "call %d, stage %u: %ld", (int)kind, stage,
		      (long)report->result);
	ck_assert_int_eq(report->next, -EAGAIN);
	/* Neither a message more nor one less than before. */
	for (uint64_t n = 0; n < sent; n++)
		ck_assert_int_eq(recv_number(ends[0], 0), (int64_t)n);
	ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
	ck_assert_int_eq(send_number(ends[1], 6, 0), 0);
	ck_assert_int_eq(recv_number(ends[0], 0), 6);
	renew();
}

START_TEST(signal_is_eintr_for_one_who_wants_it_and_nothing_is_lost)
{
	for_each_sleeper(check_eintr);
}
END_TEST

static void check_restart(enum kind kind, uint32_t stage)
{
	uint64_t sent;
	struct child child = start_sleeper(kind, stage, 0, &sent);

	for (int i = 0; i < 10; i++)
		kill(child.pid, SIGUSR1);
	ck_assert(wait_for_sleeper(child.pid, announced_by(kind)) != WAIT_AWAKE);
	ck_assert_int_eq(load_acquire(&report->result), INT64_MIN);
	give(kind, sent);
	child_join_ok(&child);
	ck_assert_int_eq(report->result, expected_result(kind));
	renew();
}

START_TEST(signal_is_nothing_to_others)
{
	for_each_sleeper(check_restart);
}
END_TEST

#define STORM_COUNT (UINT64_C(20000) / LESS)

static int send_in_storm(void *arg)
{
	(void)arg;
	for (uint64_t n = 0; n < STORM_COUNT; n++) {
		child_check(send_number(ends[1], n, soon()) == 0);
		/* Let the other lie down now and then. */
		if (n % 500 == 0)
			nanosleep(&(struct timespec){ .tv_nsec = 300000 }, NULL);
	}
	return 0;
}

static void start_storm(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct itimerval often = { { 0, 200 }, { 0, 200 } };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
}

static int receive_in_storm(void *arg)
{
	uint32_t flags = *(uint32_t *)arg;
	uint64_t expected = 0, interrupted = 0;

	start_storm();
	while (expected < STORM_COUNT) {
		uint64_t number;
		int result = weir_pipe_recv(ends[0], &number, sizeof(number), flags, soon(), NULL);

		if (result == -EINTR && flags) {
			interrupted++;
			continue;
		}
		child_check(result == 0);
		child_check(number == expected++);
		if (expected % 700 == 0)
			for (int64_t until = test_now() + 300 * US; test_now() < until;)
				;
	}
	return 0;
}

START_TEST(storm_of_signals_loses_nothing)
{
	uint32_t flags[] = { 0, WEIR_INTR };

	for (size_t i = 0; i < 2; i++) {
		struct child sender = child_start(send_in_storm, NULL);
		struct child receiver = child_start(receive_in_storm, &flags[i]);

		child_join_ok(&sender);
		child_join_ok(&receiver);
		ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
		ck_assert_int_eq(weir_pipe_handover(ends[0]), 0);
	}
}
END_TEST

static int send_through_storm(void *arg)
{
	start_storm();
	return send_in_storm(arg);
}

START_TEST(sender_in_a_storm_of_signals_sends_all)
{
	struct child sender = child_start(send_through_storm, NULL);

	for (uint64_t n = 0; n < STORM_COUNT; n++) {
		ck_assert_int_eq(recv_number(ends[0], soon()), (int64_t)n);
		if (n % 300 == 0)
			nanosleep(&(struct timespec){ .tv_nsec = 300000 }, NULL);
	}
	child_join_ok(&sender);
}
END_TEST

/*
 * Shutdown
 */

static int64_t *shut_at;

static int shut_down(void *arg)
{
	*shut_at = test_now();
	child_check(weir_pipe_shutdown(*(struct weir_end **)arg) == 0);
	return 0;
}

static int64_t shutdown_result(enum kind kind)
{
	switch (kind) {
	case CALL_POLL_IN:
		return WEIR_IN;
	case CALL_POLL_OUT:
		return WEIR_OUT;
	default:
		return -ESHUTDOWN;
	}
}

static void check_shut(enum kind kind, int64_t result)
{
	/* One direction after the other is shut down: one who waits for both may be told of one. */
	if (kind == CALL_POLL_BOTH)
		ck_assert(result == WEIR_IN || result == WEIR_OUT ||
			  result == (WEIR_IN | WEIR_OUT));
	else
		ck_assert_int_eq(result, shutdown_result(kind));
}

/* By a process that owns nothing, on either end. */
static int shut_by;

/* How long it took a sleeper to be told. */
static int64_t shut_down_beside(enum kind kind, uint32_t stage)
{
	uint64_t sent;
	struct child child = start_sleeper(kind, stage, 0, &sent), other;
	int64_t starved = -child_starved(child.pid), start;

	shut_at = shared_alloc(sizeof(*shut_at));
	other = child_start(shut_down, &ends[shut_by]);
	child_join_ok(&other);
	child_join_ok(&child);
	start = *shut_at;
	check_shut(kind, report->result);
	check_shut(kind, report->next);
	/* What was there is still received. */
	for (uint64_t n = 0; n < sent; n++)
		ck_assert_int_eq(recv_number(ends[0], 0), (int64_t)n);
	ck_assert_int_eq(recv_number(ends[0], 0), -ESHUTDOWN);
	renew();
	starved += report->starved;
	return report->at - start - starved;
}

static void check_shutdown(enum kind kind, uint32_t stage)
{
	int64_t took[3];
	int sets = 0;

	do {
		for (size_t i = 0; i < ARRAY_LENGTH(took); i++) {
			took[i] = shut_down_beside(kind, stage);
			ck_assert_int_lt(took[i], 2000 * MS);
		}
	} while (take_again(took, ARRAY_LENGTH(took), 50 * MS, &sets));
	ck_assert_int_lt(median(took, ARRAY_LENGTH(took)), 50 * MS);
}

START_TEST(shutdown_of_the_first_end_by_another_process_wakes_all)
{
	shut_by = 0;
	for_each_sleeper(check_shutdown);
}
END_TEST

START_TEST(shutdown_of_the_second_end_by_another_process_wakes_all)
{
	shut_by = 1;
	for_each_sleeper(check_shutdown);
}
END_TEST

static int poll_for_hang_up(void *arg)
{
	uint32_t events;

	(void)arg;
	child_check(weir_pipe_poll(ends[0], 0, 0, soon(), &events) == -ESHUTDOWN);
	return 0;
}

START_TEST(shutdown_wakes_one_who_waits_for_the_hang_up_alone)
{
	for (int by = 0; by < 2; by++) {
		struct child child = child_start(poll_for_hang_up, NULL);

		ck_assert(child_wait_asleep_in(child.pid, SYS_ppoll));
		ck_assert_int_eq(weir_pipe_shutdown(ends[by]), 0);
		child_join_ok(&child);
		renew();
	}
}
END_TEST

/*
 * Sleeping again and again
 */

#define TURNS (INT64_C(3000) / LESS)

static int echo_asleep(void *arg)
{
	(void)arg;
	for (int64_t n = 0; n < TURNS; n++) {
		int64_t number;

		child_check(weir_pipe_recv(ends[0], &number, 8, WEIR_NOSPIN, soon(), NULL) == 0);
		child_check(number == n);
		child_check(weir_pipe_send(ends[0], &number, 8, WEIR_NOSPIN, soon()) == 0);
	}
	return 0;
}

START_TEST(ping_pong_between_sleepers_never_stalls)
{
	struct child child = child_start(echo_asleep, NULL);
	int64_t worst = 0;

	for (int64_t n = 0; n < TURNS; n++) {
		int64_t start = test_now(), number = n;

		ck_assert_int_eq(weir_pipe_send(ends[1], &number, 8, WEIR_NOSPIN, soon()), 0);
		ck_assert_int_eq(weir_pipe_recv(ends[1], &number, 8, WEIR_NOSPIN, soon(), NULL), 0);
		ck_assert_int_eq(number, n);
		if (test_now() - start > worst)
			worst = test_now() - start;
	}
	/* A wake that was lost would take as long as the deep sleep, two seconds. */
	ck_assert_int_lt(worst, 1500 * MS);
	child_join_ok(&child);
}
END_TEST

struct sent_at {
	int64_t at;
	int64_t starved;	/* of the receiver, before */
	uint64_t number;
};

static int send_now_and_then(void *arg)
{
	(void)arg;
	for (uint64_t n = 0; n < 3000 / LESS; n++) {
		struct sent_at m = { .number = n };
		/* When the receiver is just lying down, and sometimes when it sleeps deep. */
		int64_t pause = n % 100 == 0 ? 22 * MS : (int64_t)test_random_below(40 * US);

		for (int64_t until = test_now() + pause; test_now() < until;)
			;
		m.starved = child_starved(getppid());
		m.at = test_now();
		child_check(weir_pipe_send(ends[1], &m, sizeof(m), 0, soon()) == 0);
	}
	return 0;
}

START_TEST(messages_sent_while_the_receiver_lies_down_wake_it)
{
	static int64_t took[3000 / LESS];
	int sets = 0;

	do {
		struct child child = child_start(send_now_and_then, NULL);

		for (uint64_t n = 0; n < ARRAY_LENGTH(took); n++) {
			struct sent_at m = { 0 };

			ck_assert_int_eq(weir_pipe_recv(ends[0], &m, sizeof(m),
							n % 2 ? WEIR_NOSPIN : 0, soon(), NULL),
					 0);
			took[n] = test_now() - m.at - (child_starved(getpid()) - m.starved);
			ck_assert_uint_eq(m.number, n);
			ck_assert_int_lt(took[n], 1500 * MS);
		}
		child_join_ok(&child);
	} while (take_again(took, ARRAY_LENGTH(took), 5 * MS, &sets));
	ck_assert_int_lt(median(took, ARRAY_LENGTH(took)), 5 * MS);
}
END_TEST

static void add_signals_and_shutdown(Suite *suite)
{
	TCase *signals = tcase_create("signals");
	TCase *shut = tcase_create("shut");

	tcase_add_checked_fixture(signals, setup, teardown);
	tcase_add_test(signals, signal_is_eintr_for_one_who_wants_it_and_nothing_is_lost);
	tcase_add_test(signals, signal_is_nothing_to_others);
	tcase_add_test(signals, storm_of_signals_loses_nothing);
	tcase_add_test(signals, sender_in_a_storm_of_signals_sends_all);
	suite_add_tcase(suite, signals);

	tcase_add_checked_fixture(shut, setup, teardown);
	tcase_add_test(shut, shutdown_of_the_first_end_by_another_process_wakes_all);
	tcase_add_test(shut, shutdown_of_the_second_end_by_another_process_wakes_all);
	tcase_add_test(shut, shutdown_wakes_one_who_waits_for_the_hang_up_alone);
	suite_add_tcase(suite, shut);
}

int main(void)
{
	Suite *suite = suite_create("pipe-sleep");
	TCase *woken = tcase_create("woken");
	TCase *often = tcase_create("often");

	tcase_add_checked_fixture(woken, setup, teardown);
	tcase_add_test(woken, sleeper_is_woken_by_what_it_waits_for);
	tcase_add_test(woken, poll_leaves_what_woke_it);
	tcase_add_test(woken, poll_for_both_is_woken_by_room);
	suite_add_tcase(suite, woken);

	add_signals_and_shutdown(suite);

	tcase_add_checked_fixture(often, setup, teardown);
	tcase_add_test(often, ping_pong_between_sleepers_never_stalls);
	tcase_add_test(often, messages_sent_while_the_receiver_lies_down_wake_it);
	suite_add_tcase(suite, often);
	return test_main(suite);
}
