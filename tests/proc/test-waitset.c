/* SPDX-License-Identifier: MIT */
/* Wait sets between processes: nothing is missed, ends are noticed, forks do no harm. */
#include "waitset-tools.h"

#include <sys/socket.h>
#include <unistd.h>

/* What a look at all would find that was missed comes after a second. */
#define MISSED_NS	(900 * MS)

static struct resources before;
static struct weir_waitset *set;
static uint32_t engine;

static void setup_with(int number)
{
	waitset_warm_up();
	before = resources_begin();
	engine = engines[number];
	set = waitset_new(engine);
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

/*
 * Nothing is missed
 */

#define SENDERS		4
#define MESSAGES	(100000 / LESS / SENDERS)
#define BURST_MAX	64
/* Of a message: the sender goes on when this one was received. */
#define LAST		(UINT64_C(1) << 62)

static struct sender {
	struct weir_end *ends[2];	/* [1] is the sender's */
	struct weir_queue *queue;
	uint64_t random;
	uint64_t received[2];		/* by kind: 0 pipe, 1 queue */
	struct child child;
} senders[SENDERS];

static uint64_t random_of(struct sender *s, uint64_t limit)
{
	s->random = s->random * 6364136223846793005 + 1442695040888963407;
	return (s->random >> 33) % limit;
}

static int send_bursts(void *arg)
{
	struct sender *s = arg;
	uint64_t sent[2] = { 0, 0 };

	while (sent[0] + sent[1] < MESSAGES) {
		uint64_t burst = 1 + random_of(s, BURST_MAX), kind = random_of(s, 2);

		if (random_of(s, 64) == 0)
			usleep((useconds_t)random_of(s, 2000));
		for (uint64_t i = 1; i <= burst; i++) {
			uint64_t number = sent[kind]++ | (i == burst ? LAST : 0);

			if (kind == 0)
				child_check(send_number(s->ends[1], number, soon()) == 0);
			else
				child_check(queue_put_number(s->queue, number, soon()) == 0);
		}
		child_check(recv_number(s->ends[1], soon()) == 1);
	}
	return 0;
}

/* Up to a few messages of a source that was reported; whether the sender waits for us now. */
static void receive_some(struct sender *s, int kind)
{
	for (uint64_t i = 1 + test_random_below(BURST_MAX); i > 0; i--) {
		int64_t number = kind == 0 ? recv_number(s->ends[0], 0)
					   : queue_get_number(s->queue, 0);

		if (number == -EAGAIN)
			return;
		ck_assert_int_ge(number, 0);
		ck_assert_uint_eq((uint64_t)number & ~LAST, s->received[kind]++);
		if ((uint64_t)number & LAST)
			ck_assert_int_eq(send_number(s->ends[0], 1, soon()), 0);
	}
}

static void begin_sender(int i)
{
	struct sender *s = &senders[i];

	*s = (struct sender){ .random = test_random() };
	ck_assert_int_eq(pipe_make(s->ends, 0, 4096), 0);
	s->queue = queue_new(0, 0, 0);
	ck_assert_int_eq(weir_waitset_add_pipe(set, s->ends[0], WEIR_IN,
					       (void *)(intptr_t)(2 * i), NULL), 0);
	ck_assert_int_eq(weir_waitset_add_queue(set, s->queue, WEIR_IN,
						(void *)(intptr_t)(2 * i + 1), NULL), 0);
}

START_TEST(no_message_of_many_senders_is_missed)
{
	uint64_t left = 0;
	int missed = 0;

	for (int i = 0; i < SENDERS; i++)
		begin_sender(i);
	for (int i = 0; i < SENDERS; i++)
		senders[i].child = child_start(send_bursts, &senders[i]);
	do {
		struct weir_event events[9];
		int64_t start = test_now(), starved = -child_starved(getpid());
		int n = weir_waitset_wait(set, events, 1 + test_random_below(9), 0,
					  start + MISSED_NS);

		starved += child_starved(getpid());
		missed += n == -ETIMEDOUT && starved < MISSED_NS / 2;
		ck_assert(n > 0 || n == -ETIMEDOUT);
		for (int i = 0; i < n; i++) {
			int which = (int)(intptr_t)events[i].cookie;

			ck_assert_uint_eq(events[i].events, WEIR_IN);
			receive_some(&senders[which / 2], which % 2);
		}
		left = 0;
		for (int i = 0; i < SENDERS; i++)
			left += senders[i].received[0] + senders[i].received[1] < MESSAGES;
	} while (left > 0 && missed < 3);
	/* A machine may stand still for once. */
	ck_assert_int_le(missed, 1);
	for (int i = 0; i < SENDERS; i++) {
		/* The rest of the last burst. */
		for (int n = 0; n < 2 * BURST_MAX; n++)
			receive_some(&senders[i], n % 2);
		child_join_ok(&senders[i].child);
		pipe_close_both(senders[i].ends);
		weir_queue_close(senders[i].queue);
	}
}
END_TEST

/*
 * Two who wait for one queue
 */

#define JOBS	(4000 / LESS)
#define WORKERS	2

static struct weir_queue *jobs, *results;

static int work(void *arg)
{
	struct weir_waitset *own = waitset_new(engine);
	int64_t number;

	(void)arg;
	child_check(source_of_queue(own, jobs, WEIR_IN) != 0);
	for (;;) {
		child_check(events_soon(own) == WEIR_IN);
		number = queue_get_number(jobs, 0);
		if (number == -EPIPE)
			break;
		if (number >= 0)
			child_check(queue_put_number(results, (uint64_t)number, soon()) == 0);
		else
			child_check(number == -EAGAIN);
	}
	weir_waitset_close(own);
	return 0;
}

START_TEST(two_processes_wait_for_one_queue)
{
	static uint8_t seen[JOBS];
	struct child workers[WORKERS];

	jobs = queue_new(0, 0, 0);
	results = queue_new(0, 0, 0);
	memset(seen, 0, sizeof(seen));
	for (int i = 0; i < WORKERS; i++)
		workers[i] = child_start(work, NULL);
	for (uint64_t i = 0; i < JOBS; i++) {
		ck_assert_int_eq(queue_put_number(jobs, i, soon()), 0);
		if (test_random_below(64) == 0)
			usleep((useconds_t)test_random_below(500));
	}
	for (int i = 0; i < JOBS; i++) {
		int64_t number = queue_get_number(results, soon());

		ck_assert_int_ge(number, 0);
		ck_assert_uint_eq(seen[number]++, 0);
	}
	ck_assert_int_eq(weir_queue_shutdown(jobs, 0), 0);
	for (int i = 0; i < WORKERS; i++)
		child_join_ok(&workers[i]);
	weir_queue_close(jobs);
	weir_queue_close(results);
}
END_TEST

/*
 * Ends
 */

static struct weir_end *ends[2];

static int send_and_sleep(void *arg)
{
	(void)arg;
	weir_pipe_close(ends[0]);
	child_check(send_number(ends[1], 1, 0) == 0);
	for (;;)
		pause();
}

START_TEST(hang_up_of_a_killed_process_is_reported)
{
	struct weir_event event;
	struct child child;
	int64_t start, starved;

	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(pipe_make(ends, 0, 4096), 0);
		ck_assert_uint_ne(source_of_pipe(set, ends[0], WEIR_IN), 0);
		child = child_start(send_and_sleep, NULL);
		weir_pipe_close(ends[1]);
		ck_assert_int_eq(events_soon(set), WEIR_IN);
		ck_assert_int_eq(recv_number(ends[0], 0), 1);
		ck_assert_int_eq(wait_one(set, test_now() + MS, &event), -ETIMEDOUT);
		starved = -child_starved(getpid());
		start = test_now();
		child_kill(&child);
		ck_assert_int_eq(events_soon(set), WEIR_IN | WEIR_HUP);
		starved += child_starved(getpid());
		ck_assert_int_lt(test_now() - start - starved, MISSED_NS);
		ck_assert_int_eq(recv_number(ends[0], 0), -EPIPE);
		weir_pipe_close(ends[0]);
	}
}
END_TEST

static int wait_for_hang_up(void *arg)
{
	const int *fds = arg;
	char byte;

	weir_pipe_close(ends[0]);
	close(fds[0]);
	child_check(send_number(ends[1], 1, 0) == 0);
	child_check(recv_number(ends[1], soon()) == -EPIPE);
	child_check(read(fds[1], &byte, 1) == 0);
	return 0;
}

/* Nothing that is in flight in the kernel keeps what is closed. */
START_TEST(end_that_is_closed_hangs_up_though_the_set_goes_on)
{
	for (int i = 0; i < 4; i++) {
		struct child child;
		struct weir_event event;
		uint64_t source, socket;
		int fds[2];

		ck_assert_int_eq(pipe_make(ends, 0, 4096), 0);
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
		child = child_start(wait_for_hang_up, fds);
		weir_pipe_close(ends[1]);
		close(fds[1]);
		source = source_of_pipe(set, ends[0], WEIR_IN);
		socket = source_of_fd(set, fds[0], WEIR_IN);
		ck_assert_int_eq(events_soon(set), WEIR_IN);
		ck_assert_int_eq(recv_number(ends[0], 0), 1);
		ck_assert_int_eq(wait_one(set, test_now() + MS, &event), -ETIMEDOUT);
		if (i % 2)
			ck_assert_int_eq(weir_waitset_remove(set, source), 0);
		ck_assert_int_eq(weir_waitset_remove(set, socket), 0);
		weir_pipe_close(ends[0]);
		close(fds[0]);
		if (i / 2)
			ck_assert_int_eq(events_now(set), -EAGAIN);
		child_join_ok(&child);
		ck_assert_uint_eq(waitset_stat(set).sources, 0);
	}
}
END_TEST

/*
 * Forks
 */

static struct weir_queue *queue;

static int use_set(void *arg)
{
	struct weir_waitset_stat st = { .size = sizeof(st) };
	struct weir_event event;

	(void)arg;
	child_check(weir_waitset_wait(set, &event, 1, 0, 0) == -EBUSY);
	child_check(weir_waitset_wait(set, &event, 1, 0, WEIR_FOREVER) == -EBUSY);
	child_check(weir_waitset_add_pipe(set, ends[1], WEIR_IN, NULL, NULL) == -EBUSY);
	child_check(weir_waitset_add_queue(set, queue, WEIR_IN, NULL, NULL) == -EBUSY);
	child_check(weir_waitset_add_fd(set, 0, WEIR_IN, NULL, NULL) == -EBUSY);
	child_check(weir_waitset_add_process(set, getppid(), NULL, NULL) == -EBUSY);
	child_check(weir_waitset_add_timer(set, 0, 0, NULL, NULL) == -EBUSY);
	child_check(weir_waitset_change(set, 1, WEIR_IN) == -EBUSY);
	child_check(weir_waitset_change_timer(set, 1, 0, 0) == -EBUSY);
	child_check(weir_waitset_remove(set, 1) == -EBUSY);
	child_check(weir_waitset_fd(set) == -EBUSY);
	child_check(weir_waitset_stat(set, &st) == -EBUSY);
	return 0;
}

static int use_and_close_set(void *arg)
{
	struct weir_waitset *own;

	use_set(arg);
	weir_waitset_close(set);
	own = waitset_new(engine);
	child_check(source_of_queue(own, queue, WEIR_IN) != 0);
	child_check(queue_put_number(queue, 3, 0) == 0);
	child_check(events_soon(own) == WEIR_IN);
	weir_waitset_close(own);
	return 0;
}

static int close_objects(void *arg)
{
	(void)arg;
	/* They are in no set of this process. */
	pipe_close_both(ends);
	weir_queue_close(queue);
	weir_waitset_close(set);
	return 0;
}

static int execute(void *arg)
{
	(void)arg;
	execl("/bin/true", "true", (char *)NULL);
	return 1;
}

static int (*const forks[])(void *) = {
	use_set, use_and_close_set, close_objects, execute,
};

START_TEST(child_of_a_fork_can_close_the_set_and_the_parent_goes_on)
{
	struct weir_event event;

	ck_assert_int_eq(pipe_make(ends, 0, 4096), 0);
	queue = queue_new(0, 0, 0);
	ck_assert_uint_ne(source_of_pipe(set, ends[0], WEIR_IN), 0);
	ck_assert_uint_ne(source_of_queue(set, queue, WEIR_IN), 0);
	for (size_t i = 0; i < 3 * ARRAY_LENGTH(forks); i++) {
		struct child child;

		if (i % 2)
			ck_assert_int_eq(wait_one(set, test_now() + MS, &event), -ETIMEDOUT);
		child = child_start(forks[i % ARRAY_LENGTH(forks)], NULL);
		child_join_ok(&child);
		while (queue_get_number(queue, 0) >= 0)
			;
		ck_assert_int_eq(events_now(set), -EAGAIN);
		ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
		ck_assert_int_eq(events_soon(set), WEIR_IN);
		ck_assert_int_eq(recv_number(ends[0], 0), 1);
		ck_assert_int_eq(queue_put_number(queue, 1, 0), 0);
		ck_assert_int_eq(events_soon(set), WEIR_IN);
		ck_assert_int_eq(queue_get_number(queue, 0), 1);
	}
	weir_waitset_close(set);
	set = NULL;
	pipe_close_both(ends);
	weir_queue_close(queue);
}
END_TEST

static TCase *cases(int number)
{
	TCase *t = tcase_create(number == 0 ? "epoll" : "uring");

	tcase_add_checked_fixture(t, number == 0 ? setup_epoll : setup_uring, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, no_message_of_many_senders_is_missed);
	tcase_add_test(t, two_processes_wait_for_one_queue);
	tcase_add_test(t, hang_up_of_a_killed_process_is_reported);
	tcase_add_test(t, end_that_is_closed_hangs_up_though_the_set_goes_on);
	tcase_add_test(t, child_of_a_fork_can_close_the_set_and_the_parent_goes_on);
	return t;
}

static Suite *suite(void)
{
	Suite *s = suite_create("waitset");

	WAITSET_CASES(s, cases);
	return s;
}

int main(void)
{
	return test_main(suite());
}
