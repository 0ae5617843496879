/* SPDX-License-Identifier: MIT */
/*
 * A process killed, or stopped, in the middle of a put or of a get that finds nothing, while
 * others poll: where there is a message, the descriptor is readable; where there is none, it is
 * not for long; and the next message makes it readable in any case. Before some of the
 * instructions.
 */
#include "support.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/cc.h"
#include "obj/queue.h"
#include "weir.h"

/* Of the instructions, one in so many. */
#define STRIDE	61
#define FINE	23
#define FINEST	4
/* Far more than either takes. */
#define STEPS_MAX	20000

static struct weir_queue *queue;
static int fd, edges;

static void make(const struct weir_queue_options *options)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };

	ck_assert_int_eq(weir_queue(&queue, options), 0);
	fd = weir_queue_fd(queue, WEIR_IN);
	ck_assert_int_ge(fd, 0);
	edges = epoll_create1(EPOLL_CLOEXEC);
	ck_assert_int_eq(epoll_ctl(edges, EPOLL_CTL_ADD, fd, &event), 0);
}

static void setup(void)
{
	make(NULL);
}

/* Both sides are polled: who drops and puts brings something to both. */
static void setup_drop(void)
{
	const struct weir_queue_options o = {
		.size = sizeof(o),
		.flags = WEIR_QUEUE_DROP,
		.max_items = 1,
	};

	make(&o);
	ck_assert_int_ge(weir_queue_fd(queue, WEIR_OUT), 0);
}

static void teardown(void)
{
	close(edges);
	weir_queue_close(queue);
}

static int put(void)
{
	return weir_queue_put(queue, "x", 1, 0, 0);
}

static int get(void)
{
	char byte;

	return weir_queue_get(queue, &byte, 1, 0, 0, NULL);
}

static bool readable(void)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

/* Since the last time. */
static bool edge(void)
{
	struct epoll_event event;

	return epoll_wait(edges, &event, 1, 0) == 1;
}

static uint64_t items(void)
{
	struct weir_queue_stat st = { .size = sizeof(st) };

	ck_assert_int_eq(weir_queue_stat(queue, &st), 0);
	return st.items;
}

/* All that is there, and then the token that is one too many, if there is. */
static void drain(uint64_t at)
{
	int64_t deadline = soon();

	do {
		while (get() == 0)
			;
		ck_assert_msg(test_now() < deadline, "readable without end, at %d", (int)at);
	} while (readable());
	edge();
}

/* The next message is seen, by those who wait for an edge, too. */
static void expect_next_is_seen(uint64_t at)
{
	drain(at);
	ck_assert_int_eq(put(), 0);
	ck_assert_msg(readable(), "the next is not seen, at %d", (int)at);
	ck_assert_msg(edge(), "the next has no edge, at %d", (int)at);
	drain(at);
}

/*
 * What is stepped; with a seat, and all that the first call needs
 */

static int put_once(void *arg)
{
	(void)arg;
	child_check(put() == 0);
	child_check(get() == 0);
	stepper_mark_begin();
	child_check(put() == 0);
	stepper_mark_end();
	return 0;
}

static int find_nothing(void *arg)
{
	(void)arg;
	child_check(put() == 0);
	child_check(get() == 0);
	stepper_mark_begin();
	child_check(get() == -EAGAIN);
	stepper_mark_end();
	return 0;
}

/* To step @n of @fn; false: it was at its end before. */
static bool step(struct stepper *stepper, int (*fn)(void *arg), uint64_t n, bool dark)
{
	*stepper = stepper_start(fn, NULL);
	ck_assert(stepper_run_to_begin(stepper));
	if (dark)
		drain(n);
	ck_assert_uint_eq(items(), 0);
	edge();
	return stepper_steps(stepper, n) != STEP_END;
}

static uint64_t first(void)
{
	return test_random_below(STRIDE);
}

/*
 * Putting
 */

START_TEST(message_of_a_killed_putter_is_seen)
{
	struct stepper stepper;
	bool more = true;

	for (uint64_t n = first(); more; n += STRIDE) {
		ck_assert_uint_lt(n, STEPS_MAX);
		more = step(&stepper, put_once, n, true);
		stepper_kill(&stepper);
		if (items() > 0)
			ck_assert_msg(readable(), "not seen, at %d", (int)n);
		expect_next_is_seen(n);
	}
}
END_TEST

/* Somebody finds nothing while it is in there. */
START_TEST(message_of_a_killed_putter_is_seen_by_one_who_just_found_nothing)
{
	struct stepper stepper;
	bool more = true;

	for (uint64_t n = first(); more; n += STRIDE) {
		ck_assert_uint_lt(n, STEPS_MAX);
		more = step(&stepper, put_once, n, true);
		while (get() == 0)
			;
		stepper_steps(&stepper, test_random_below(200));
		stepper_kill(&stepper);
		if (items() > 0)
			ck_assert_msg(readable(), "not seen, at %d", (int)n);
		expect_next_is_seen(n);
	}
}
END_TEST

START_TEST(message_of_a_slow_putter_has_an_edge_after_eagain)
{
	struct stepper stepper;
	bool more = true;

	for (uint64_t n = first(); more; n += STRIDE) {
		struct child child;

		ck_assert_uint_lt(n, STEPS_MAX);
		more = step(&stepper, put_once, n, true);
		edge();
		while (get() == 0)
			;
		child = stepper_release(&stepper);
		child_join_ok(&child);
		if (items() > 0)
			ck_assert_msg(readable() && edge(), "not seen, at %d", (int)n);
		expect_next_is_seen(n);
	}
}
END_TEST

/* What it drops is gone when it puts, and somebody finds nothing in between. */
START_TEST(message_of_a_killed_putter_that_has_dropped_another_is_seen)
{
	bool more = true;

	for (uint64_t n = first(); more; n += FINE) {
		struct stepper stepper;

		ck_assert_uint_lt(n, STEPS_MAX);
		stepper = stepper_start(put_once, NULL);
		ck_assert(stepper_run_to_begin(&stepper));
		drain(n);
		ck_assert_int_eq(put(), 0);
		more = stepper_steps(&stepper, n) != STEP_END;
		while (get() == 0)
			;
		if (more)
			stepper_steps(&stepper, test_random_below(200));
		stepper_kill(&stepper);
		if (items() > 0)
			ck_assert_msg(readable(), "not seen, at %d", (int)n);
		expect_next_is_seen(n);
	}
}
END_TEST

/*
 * Finding nothing
 */

START_TEST(getter_killed_while_it_finds_nothing_hides_nothing)
{
	struct stepper stepper;
	bool more = true;

	for (uint64_t n = first(); more; n += STRIDE) {
		ck_assert_uint_lt(n, STEPS_MAX);
		more = step(&stepper, find_nothing, n, n % 2);
		stepper_kill(&stepper);
		ck_assert_int_eq(put(), 0);
		ck_assert_msg(readable(), "not seen, at %d", (int)n);
		expect_next_is_seen(n);
	}
}
END_TEST

/* A message comes while it is stopped; then it is killed a little later, or goes on. */
START_TEST(getter_that_finds_nothing_meanwhile_hides_nothing)
{
	struct stepper stepper;
	bool more = true;

	for (uint64_t n = first(); more; n += STRIDE) {
		ck_assert_uint_lt(n, STEPS_MAX);
		more = step(&stepper, find_nothing, n, n % 2);
		ck_assert_int_eq(put(), 0);
		stepper_steps(&stepper, test_random_below(200));
		stepper_kill(&stepper);
		if (items() > 0)
			ck_assert_msg(readable(), "not seen, at %d", (int)n);
		expect_next_is_seen(n);
	}
}
END_TEST

/*
 * Asking
 */

static int ask(void *arg)
{
	(void)arg;
	child_check(get() == -EAGAIN);
	stepper_mark_begin();
	child_check(weir_queue_fd(queue, WEIR_IN) >= 0);
	stepper_mark_end();
	return 0;
}

/* With a seat that has not looked for what is too many for long. */
static int find_nothing_anew(void *arg)
{
	(void)arg;
	return get() == -EAGAIN ? 0 : 1;
}

/* The token of one who asks was taken for one too many, and he took another back for it. */
START_TEST(getter_that_finds_nothing_while_another_asks_hides_nothing)
{
	bool more = true;

	for (uint64_t n = test_random_below(FINEST); more; n += FINEST) {
		struct stepper stepper;
		struct child child;

		ck_assert_uint_lt(n, STEPS_MAX);
		more = step(&stepper, ask, n, true);
		child = child_start(find_nothing_anew, NULL);
		child_join_ok(&child);
		child = stepper_release(&stepper);
		child_join_ok(&child);
		ck_assert_int_eq(put(), 0);
		ck_assert_msg(readable(), "not seen, at %d", (int)n);
		expect_next_is_seen(n);
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("queue-level");
	TCase *tcase = tcase_create("level"), *drop = tcase_create("drop");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, message_of_a_killed_putter_is_seen);
	tcase_add_test(tcase, message_of_a_killed_putter_is_seen_by_one_who_just_found_nothing);
	tcase_add_test(tcase, message_of_a_slow_putter_has_an_edge_after_eagain);
	tcase_add_test(tcase, getter_killed_while_it_finds_nothing_hides_nothing);
	tcase_add_test(tcase, getter_that_finds_nothing_meanwhile_hides_nothing);
	tcase_add_test(tcase, getter_that_finds_nothing_while_another_asks_hides_nothing);
	suite_add_tcase(s, tcase);
	tcase_add_checked_fixture(drop, setup_drop, teardown);
	tcase_add_test(drop, message_of_a_killed_putter_that_has_dropped_another_is_seen);
	suite_add_tcase(s, drop);
	return s;
}

int main(void)
{
	const char *unavailable = stepper_unavailable();

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	unavailable = "a sanitizer makes ten times as many instructions";
#endif
	if (unavailable)
		test_skip_all(unavailable);
	return test_main(suite());
}
