/* SPDX-License-Identifier: MIT */
/*
 * The exported descriptor under everything that watches descriptors, with the sender in another
 * process: each message, and the end, must wake once the receiver has found nothing. A wake-up that
 * is missed shows as a wait that does not end; so does an edge that never comes.
 */
#include "pipe-tools.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#define CAPACITY	4096
#define BURST		48
#define PATIENCE_MS	10000

static struct weir_end *ends[2];

/*
 * Watchers
 */

struct watch {
	int fd;
	int epoll;	/* -1: none */
	int outer;	/* an epoll over that one, or -1 */
};

struct kind {
	const char *name;
	uint32_t events;	/* in the epoll, 0: there is none */
	uint32_t outer_events;	/* in the one over that */
	bool (*wait)(const struct watch *w, int ms);
};

static bool wait_poll(const struct watch *w, int ms)
{
	struct pollfd p = { .fd = w->fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1 && p.revents == POLLIN;
}

static bool wait_select(const struct watch *w, int ms)
{
	struct timeval timeout = { ms / 1000, ms % 1000 * 1000 };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(w->fd, &set);
	return select(w->fd + 1, &set, NULL, NULL, &timeout) == 1;
}

static bool wait_epoll(const struct watch *w, int ms)
{
	struct epoll_event event;

	return epoll_wait(w->epoll, &event, 1, ms) == 1 && event.events == EPOLLIN;
}

static bool wait_nested(const struct watch *w, int ms)
{
	struct epoll_event event;

	return epoll_wait(w->outer, &event, 1, ms) == 1 && wait_epoll(w, 0);
}

static const struct kind kinds[] = {
	{ "poll", 0, 0, wait_poll },
	{ "select", 0, 0, wait_select },
	{ "epoll, level", EPOLLIN, 0, wait_epoll },
	{ "epoll, edge", EPOLLIN | EPOLLET, 0, wait_epoll },
	{ "epoll in epoll, level", EPOLLIN, EPOLLIN, wait_nested },
	{ "epoll in epoll, edge", EPOLLIN | EPOLLET, EPOLLIN | EPOLLET, wait_nested },
};

static int new_epoll(int fd, uint32_t events)
{
	struct epoll_event event = { .events = events };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? epoll : -1;
}

/* Also in children: does not assert. */
static struct watch watch_open(const struct kind *kind, struct weir_end *end)
{
	struct watch w = { .fd = weir_pipe_fd(end), .epoll = -1, .outer = -1 };

	if (kind->events)
		w.epoll = new_epoll(w.fd, kind->events);
	if (kind->outer_events)
		w.outer = new_epoll(w.epoll, kind->outer_events);
	return w;
}

static void watch_close(const struct watch *w)
{
	if (w->outer >= 0)
		close(w->outer);
	if (w->epoll >= 0)
		close(w->epoll);
}

static struct watch watch_ours(int kind)
{
	struct watch w = watch_open(&kinds[kind], ends[0]);

	ck_assert_int_ge(w.fd, 0);
	ck_assert_int_lt(w.fd, FD_SETSIZE);
	return w;
}

/*
 * A loop that receives until -EAGAIN whenever it is woken, as weir_pipe(3) says.
 */

struct loop {
	const struct kind *kind;
	struct watch watch;
	struct weir_end *end;
	uint64_t received;	/* the numbers below this have come */
	int for_nothing;	/* wake-ups in a row */
	int for_nothing_most;
	bool out_of_order;
};

/* What ended it. */
static int drain(struct loop *l)
{
	uint64_t before = l->received;
	int64_t got;

	while ((got = recv_number(l->end, 0)) >= 0) {
		l->out_of_order = l->out_of_order || got != (int64_t)l->received;
		l->received++;
	}
	l->for_nothing = l->received == before && got == -EAGAIN ? l->for_nothing + 1 : 0;
	if (l->for_nothing > l->for_nothing_most)
		l->for_nothing_most = l->for_nothing;
	return (int)got;
}

/* Until @count have come or it ends: 0, what ended it, or -ETIME: it was not woken. */
static int run(struct loop *l, uint64_t count)
{
	int result = -EAGAIN;

	while (result == -EAGAIN && l->received < count) {
		if (!l->kind->wait(&l->watch, PATIENCE_MS))
			return -ETIME;
		result = drain(l);
	}
	return result == -EAGAIN ? 0 : result;
}

static struct loop loop_ours(int kind)
{
	struct loop l = { .kind = &kinds[kind], .watch = watch_ours(kind), .end = ends[0] };

	return l;
}

static void loop_check(const struct loop *l)
{
	ck_assert_msg(!l->out_of_order, "%s: out of order", l->kind->name);
	ck_assert_msg(l->for_nothing_most <= 1, "%s: %d wake-ups in a row for nothing",
		      l->kind->name, l->for_nothing_most);
	watch_close(&l->watch);
}

/* Nothing is there, and nobody is about to wake: one more wake-up, and then none. */
static void expect_dry(struct loop *l)
{
	if (l->kind->wait(&l->watch, 0))
		ck_assert_int_eq(drain(l), -EAGAIN);
	ck_assert(!l->kind->wait(&l->watch, 0));
}

static void setup(void)
{
	ck_assert_int_eq(pipe_make(ends, 0, CAPACITY), 0);
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

/*
 * Messages
 */

#define STREAM	(4000 / LESS)

/*
 * One or a burst; then nothing for about as long as a wake-up takes, or at once the next. It does
 * not yield meanwhile: on a busy machine that gives away a whole slice, which a process with a low
 * priority has to wait a second for.
 */
static int send_stream(void *arg)
{
	struct weir_msg messages[BURST];
	uint64_t numbers[BURST], next = 0;

	(void)arg;
	weir_pipe_close(ends[0]);
	while (next < STREAM) {
		uint64_t count = test_random_below(8) ? 1 : 1 + test_random_below(BURST);
		int64_t pause = test_random_below(3) ? 0 : (int64_t)test_random_below(60000);

		if (count > STREAM - next)
			count = STREAM - next;
		for (uint64_t i = 0; i < count; i++) {
			numbers[i] = next + i;
			messages[i] = (struct weir_msg){ &numbers[i], sizeof(numbers[i]), 0 };
		}
		child_check(weir_pipe_send_batch(ends[1], messages, count, 0, soon()) ==
			    (int)count);
		next += count;
		for (int64_t until = test_now() + pause; test_now() < until;)
			cpu_relax();
	}
	return 0;
}

START_TEST(messages_of_another_process_wake_until_the_last_and_its_end)
{
	struct loop l = loop_ours(_i);
	struct child child = child_start(send_stream, NULL);

	close_end(1);
	ck_assert_int_eq(run(&l, UINT64_MAX), -EPIPE);
	ck_assert_uint_eq(l.received, STREAM);
	child_join_ok(&child);
	loop_check(&l);
}
END_TEST

#define ROUND_TRIPS	(2000 / LESS)

static int answer(void *arg)
{
	int64_t number;

	(void)arg;
	weir_pipe_close(ends[0]);
	while ((number = recv_number(ends[1], soon())) >= 0)
		child_check(send_number(ends[1], (uint64_t)number, soon()) == 0);
	child_check(number == -EPIPE);
	return 0;
}

START_TEST(each_answer_wakes_anew)
{
	struct loop l = loop_ours(_i);
	struct child child = child_start(answer, NULL);

	for (uint64_t i = 0; i < ROUND_TRIPS; i++) {
		ck_assert_int_eq(send_number(ends[0], i, soon()), 0);
		ck_assert_int_eq(run(&l, i + 1), 0);
	}
	/* Its last call has told us of the message, too, when it waits for the next. */
	ck_assert(child_wait_asleep(child.pid));
	expect_dry(&l);
	loop_check(&l);
	/* Ours of the child's end is a copy that would keep it open for the child. */
	close_end(1);
	close_end(0);
	child_join_ok(&child);
}
END_TEST

START_TEST(receiver_that_has_found_nothing_is_woken_by_each_message_once)
{
	struct loop l = loop_ours(_i);

	drain(&l);
	expect_dry(&l);
	for (uint64_t n = 0; n < 200; n++) {
		ck_assert_int_eq(send_number(ends[1], n, 0), 0);
		ck_assert(l.kind->wait(&l.watch, 0));
		ck_assert_int_eq(drain(&l), -EAGAIN);
		ck_assert_uint_eq(l.received, n + 1);
		ck_assert(!l.kind->wait(&l.watch, 0));
	}
	loop_check(&l);
}
END_TEST

/*
 * The end
 */

/* So often that a look at the line is not due for some time. */
static void find_nothing_often(void)
{
	for (int i = 0; i < 300; i++)
		ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
}

struct last_words {
	struct barrier *barrier;
	uint64_t count;
};

static int send_and_die(void *arg)
{
	struct last_words *words = arg;

	weir_pipe_close(ends[0]);
	child_check(barrier_wait(words->barrier));
	for (uint64_t i = 0; i < words->count; i++)
		child_check(send_number(ends[1], i, 0) == 0);
	raise(SIGKILL);
	return 0;
}

/* Both have happened when the receiver looks: there is one edge for both. */
START_TEST(death_right_after_a_message_is_noticed)
{
	for (uint64_t n = 0; n < 6; n++) {
		struct last_words words = { barrier_create(2), n };
		struct loop l = loop_ours(_i);
		struct child child = child_start(send_and_die, &words);

		close_end(1);
		drain(&l);
		find_nothing_often();
		ck_assert(barrier_wait(words.barrier));
		child_join(&child);
		ck_assert_int_eq(run(&l, UINT64_MAX), -EPIPE);
		ck_assert_uint_eq(l.received, n);
		loop_check(&l);
		close_end(0);
		setup();
	}
}
END_TEST

static int send_one_and_close(void *arg)
{
	(void)arg;
	weir_pipe_close(ends[0]);
	child_check(send_number(ends[1], 0, 0) == 0);
	weir_pipe_close(ends[1]);
	/* What is closed is seen to be while the process goes on. */
	for (;;)
		pause();
	return 0;
}

/* What has ended goes on showing it, but for an edge, which comes once. */
static void expect_over(struct loop *l, int result)
{
	ck_assert_int_eq(run(l, UINT64_MAX), result);
	ck_assert_int_eq(recv_number(ends[0], 0), result);
	if (!(l->kind->events & EPOLLET))
		ck_assert(l->kind->wait(&l->watch, 0));
}

START_TEST(close_by_a_process_that_lives_is_noticed)
{
	struct loop l = loop_ours(_i);
	struct child child;

	drain(&l);
	find_nothing_often();
	child = child_start(send_one_and_close, NULL);
	close_end(1);
	expect_over(&l, -EPIPE);
	ck_assert_uint_eq(l.received, 1);
	loop_check(&l);
	child_kill(&child);
}
END_TEST

static int send_one_and_shut_down(void *arg)
{
	(void)arg;
	child_check(send_number(ends[1], 0, 0) == 0);
	child_check(weir_pipe_shutdown(ends[1]) == 0);
	for (;;)
		pause();
	return 0;
}

START_TEST(shutdown_by_another_process_is_noticed)
{
	struct loop l = loop_ours(_i);
	struct child child;

	drain(&l);
	child = child_start(send_one_and_shut_down, NULL);
	expect_over(&l, -ESHUTDOWN);
	ck_assert_uint_eq(l.received, 1);
	loop_check(&l);
	child_kill(&child);
}
END_TEST

static int send_one_and_find_damage(void *arg)
{
	struct weir_lane_control *control = segment_lane(&ends[0]->core->segment, 0);

	(void)arg;
	child_check(send_number(ends[1], 0, 0) == 0);
	/* No writer has looked at it since. */
	child_check(weir_pipe_handover(ends[1]) == 0);
	store_relaxed(&control->reader.published, 1);
	child_check(send_number(ends[1], 1, 0) == -EBADMSG);
	for (;;)
		pause();
	return 0;
}

START_TEST(damage_found_by_another_process_is_noticed)
{
	struct loop l = loop_ours(_i);
	struct child child;

	drain(&l);
	child = child_start(send_one_and_find_damage, NULL);
	expect_over(&l, -EBADMSG);
	loop_check(&l);
	child_kill(&child);
}
END_TEST

/*
 * What a program may do with it
 */

START_TEST(program_may_nest_four_epolls_of_its_own)
{
	int fds[6] = { weir_pipe_fd(ends[0]) };
	struct epoll_event event;

	for (int i = 1; i < 5; i++) {
		fds[i] = new_epoll(fds[i - 1], EPOLLIN);
		ck_assert_int_ge(fds[i], 0);
	}
	ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
	ck_assert_int_eq(epoll_wait(fds[4], &event, 1, 0), 0);
	ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
	ck_assert_int_eq(epoll_wait(fds[4], &event, 1, 0), 1);
	/* No more, and not exclusively: that is the kernel's, and in the manual. */
	event.events = EPOLLIN;
	fds[5] = epoll_create1(EPOLL_CLOEXEC);
	ck_assert_int_eq(epoll_ctl(fds[5], EPOLL_CTL_ADD, fds[4], &event), -1);
	event.events = EPOLLIN | EPOLLEXCLUSIVE;
	ck_assert_int_eq(epoll_ctl(fds[5], EPOLL_CTL_ADD, fds[0], &event), -1);
	for (int i = 1; i < 6; i++)
		close(fds[i]);
}
END_TEST

START_TEST(duplicate_of_the_descriptor_serves_as_well)
{
	struct watch w = { .fd = dup(weir_pipe_fd(ends[0])) };

	ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
	for (int i = 0; i < 10; i++) {
		ck_assert(!wait_select(&w, 0));
		ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
		ck_assert(wait_select(&w, 0));
		ck_assert_int_eq(recv_number(ends[0], 0), 1);
		ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
	}
	close(w.fd);
}
END_TEST

/*
 * After a fork
 */

#define FEW	50

static int send_few(void *arg)
{
	const uint64_t *first = arg;

	for (uint64_t i = 0; i < FEW; i++)
		child_check(send_number(ends[1], *first + i, soon()) == 0);
	return 0;
}

struct heir {
	int kind;
	uint64_t first;
	struct barrier *sent;		/* the sender has ended */
};

static int loop_in_child(void *arg)
{
	struct heir *heir = arg;
	struct loop l = {
		.kind = &kinds[heir->kind],
		.watch = watch_open(&kinds[heir->kind], ends[0]),
		.end = ends[0],
		.received = heir->first,
	};

	child_check(run(&l, heir->first + FEW) == 0);
	child_check(!l.out_of_order && l.for_nothing_most <= 1);
	child_check(barrier_wait(heir->sent));
	/* Dry: it is told once more at most. */
	if (l.kind->wait(&l.watch, 0))
		child_check(drain(&l) == -EAGAIN);
	child_check(!l.kind->wait(&l.watch, 0));
	return 0;
}

START_TEST(descriptor_is_used_by_a_forked_child_and_then_by_its_parent)
{
	struct heir heir = { _i, FEW, barrier_create(2) };
	uint64_t firsts[3] = { 0, FEW, 2 * FEW };
	struct loop l = loop_ours(_i);
	struct child sender = child_start(send_few, &firsts[0]), child;

	ck_assert_int_eq(run(&l, FEW), 0);
	child_join_ok(&sender);
	ck_assert_int_eq(weir_pipe_handover(ends[0]), 0);
	child = child_start(loop_in_child, &heir);
	sender = child_start(send_few, &firsts[1]);
	child_join_ok(&sender);
	ck_assert(barrier_wait(heir.sent));
	child_join_ok(&child);
	/* What the child was told of, we were too, and find nothing. */
	l.received = 2 * FEW;
	drain(&l);
	sender = child_start(send_few, &firsts[2]);
	ck_assert_int_eq(run(&l, 3 * FEW), 0);
	child_join_ok(&sender);
	loop_check(&l);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pipe-fd");
	TCase *tcase = tcase_create("pipe-fd");
	int count = (int)ARRAY_LENGTH(kinds);

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, messages_of_another_process_wake_until_the_last_and_its_end, 0,
			    count);
	tcase_add_loop_test(tcase, each_answer_wakes_anew, 0, count);
	tcase_add_loop_test(tcase, receiver_that_has_found_nothing_is_woken_by_each_message_once, 0,
			    count);
	tcase_add_loop_test(tcase, death_right_after_a_message_is_noticed, 0, count);
	tcase_add_loop_test(tcase, close_by_a_process_that_lives_is_noticed, 0, count);
	tcase_add_loop_test(tcase, shutdown_by_another_process_is_noticed, 0, count);
	tcase_add_loop_test(tcase, damage_found_by_another_process_is_noticed, 0, count);
	tcase_add_loop_test(tcase, descriptor_is_used_by_a_forked_child_and_then_by_its_parent, 0,
			    count);
	tcase_add_test(tcase, program_may_nest_four_epolls_of_its_own);
	tcase_add_test(tcase, duplicate_of_the_descriptor_serves_as_well);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
