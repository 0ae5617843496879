/* SPDX-License-Identifier: MIT */
/*
 * Processes that wait for a queue as wait sets do, each with an epoll of its own, while others put,
 * get, and are killed.
 */
#include "source-tools.h"

#include <sched.h>
#include <signal.h>

#include "base/atomic.h"
#include "base/cc.h"
#include "queue-tools.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LESS 5
#else
#define LESS 1
#endif
#define EACH	(800 / LESS)
#define PUTTERS	3
#define SETS	3
#define KILLS	(20 / LESS)

static struct weir_queue *queue;
static uint64_t *got;		/* shared: of each putter */

static void setup(void)
{
	queue = queue_new(0, 0, 0);
	ck_assert_ptr_nonnull(queue);
	got = shared_alloc(PUTTERS * sizeof(*got));
}

static void setup_limited(void)
{
	queue = queue_new(2, 0, 0);
	ck_assert_ptr_nonnull(queue);
	got = shared_alloc(PUTTERS * sizeof(*got));
}

static void teardown(void)
{
	weir_queue_close(queue);
}

/*
 * In children
 */

static uint64_t index_of(const void *arg)
{
	return (uint64_t)(uintptr_t)arg;
}

static void wait_until_all_got(uint64_t index, uint64_t count)
{
	int64_t deadline = soon();

	while (load_acquire(&got[index]) < count) {
		child_check(test_now() < deadline);
		sched_yield();
	}
}

/* Waits now and then until all was got: a wake-up that is lost stays lost. */
static int put_bursts(void *arg)
{
	struct waiter w;
	uint64_t n = 0, random = (index_of(arg) + 1) * test_random();

	child_check(waiter_open(&w, queue, WEIR_OUT) == 0);
	while (n < EACH) {
		uint64_t burst = 1 + (random >> 40) % 5;

		random = random * 6364136223846793005 + 1442695040888963407;
		for (; burst > 0 && n < EACH; burst--, n++)
			while (queue_put_number(queue, index_of(arg), 0) != 0)
				child_check(waiter_wait(&w) == WEIR_OUT);
		if ((random >> 50) % 3)
			wait_until_all_got(index_of(arg), n);
	}
	wait_until_all_got(index_of(arg), n);
	return 0;
}

static int get_by_set(void *arg)
{
	struct waiter w;
	int64_t number;

	(void)arg;
	child_check(waiter_open(&w, queue, WEIR_IN) == 0);
	do {
		child_check(waiter_wait(&w) == WEIR_IN);
		while ((number = queue_get_number(queue, 0)) >= 0)
			add_seq(&got[number], 1);
	} while (number == -EAGAIN);
	child_check(number == -EPIPE);
	return 0;
}

static int get_by_set_of_import(void *arg)
{
	struct weir_queue *other;

	child_check(weir_recv_handle(*(int *)arg, WEIR_KIND_QUEUE, 0, soon(), &other) == 0);
	weir_queue_close(queue);
	queue = other;
	return get_by_set(NULL);
}

/*
 * Messages and room
 */

static void put_all(struct child *sets, int count)
{
	struct child putters[PUTTERS];

	for (uint64_t i = 0; i < PUTTERS; i++)
		putters[i] = child_start(put_bursts, (void *)(uintptr_t)i);
	for (int i = 0; i < PUTTERS; i++)
		child_join_ok(&putters[i]);
	ck_assert_int_eq(weir_queue_shutdown(queue, 0), 0);
	for (int i = 0; i < count; i++)
		child_join_ok(&sets[i]);
	for (int i = 0; i < PUTTERS; i++)
		ck_assert_uint_eq(got[i], EACH);
}

START_TEST(sets_are_told_of_messages_and_of_room)
{
	struct child sets[SETS];

	for (int i = 0; i < _i; i++)
		sets[i] = child_start(get_by_set, NULL);
	put_all(sets, _i);
}
END_TEST

START_TEST(set_is_told_through_descriptors_that_came_with_the_queue)
{
	struct child set;
	int sockets[2];

	ck_assert_int_eq(sys_socketpair(sockets), 0);
	set = child_start(get_by_set_of_import, &sockets[1]);
	ck_assert_int_eq(weir_send_handle(sockets[0], queue, 0, soon()), 0);
	put_all(&set, 1);
	close(sockets[0]);
	close(sockets[1]);
}
END_TEST

static int wait_for_one(void *arg)
{
	struct waiter w;

	child_check(waiter_open(&w, queue, WEIR_IN) == 0);
	child_check(waiter_look(&w) == 0);
	child_check(barrier_wait(arg));
	child_check(waiter_wait(&w) == WEIR_IN);
	return 0;
}

/* Of those who are armed one is killed: the others are told. */
START_TEST(sets_that_are_gone_do_not_keep_others_from_being_told)
{
	struct barrier *barrier = barrier_create(4);
	struct child sets[3];

	for (int i = 0; i < 3; i++)
		sets[i] = child_start(wait_for_one, barrier);
	ck_assert(barrier_wait(barrier));
	child_kill(&sets[0]);
	ck_assert_int_eq(queue_put_number(queue, 7, 0), 0);
	child_join_ok(&sets[1]);
	child_join_ok(&sets[2]);
}
END_TEST

/*
 * Deaths
 */

static int put_for_ever(void *arg)
{
	(void)arg;
	for (uint64_t n = 0;; n++)
		if (queue_put_number(queue, n, 0) < 0)
			usleep(100);
	return 0;
}

static int get_for_ever(void *arg)
{
	struct weir_taken taken;

	(void)arg;
	for (;;) {
		queue_get_number(queue, 0);
		if (weir_queue_take(queue, 0, 0, &taken) == 0)
			weir_queue_return(queue, &taken);
	}
	return 0;
}

/* Take what there is, as a set that is told, for a while or until there is nothing. */
static void serve(struct waiter *w, int64_t until, bool to_the_end)
{
	int64_t deadline = soon();

	while (to_the_end || test_now() < until) {
		int ready = waiter_look(w), nap = waiter_nap(w);

		ck_assert_int_ge(ready, 0);
		ck_assert(test_now() < deadline);
		if (ready & WEIR_IN) {
			bool empty = queue_drain_until(queue, to_the_end ? deadline : until);

			ck_assert_msg(empty || !to_the_end, "there is always something");
			continue;
		}
		if (!waiter_edge(w, nap < 0 ? !to_the_end : nap) && nap < 0 && to_the_end)
			return;
	}
}

/* It sleeps until it is told: so there is nothing, and the dead have nothing. */
static void expect_nothing_is_missed(struct waiter *w, int round)
{
	serve(w, 0, true);
	ck_assert_int_eq(w->armed, 0);
	queue_mend_all(queue);
	ck_assert_msg(queue_get_number(queue, 0) == -EAGAIN, "round %d", round);
}

START_TEST(who_is_killed_while_he_puts_leaves_nothing_unseen)
{
	struct waiter w;

	ck_assert_int_eq(waiter_open(&w, queue, WEIR_IN), 0);
	for (int round = 0; round < KILLS; round++) {
		struct child child = child_start(put_for_ever, NULL);

		serve(&w, test_now() + (int64_t)test_random_below(2000000), false);
		child_kill(&child);
		expect_nothing_is_missed(&w, round);
	}
	waiter_close(&w);
}
END_TEST

/* What it has taken is given back, also if nobody puts any more. */
START_TEST(who_is_killed_while_he_gets_leaves_nothing_unseen)
{
	struct waiter w;

	ck_assert_int_eq(waiter_open(&w, queue, WEIR_IN), 0);
	for (int round = 0; round < KILLS; round++) {
		struct child getter = child_start(get_for_ever, NULL);
		struct child putter = child_start(put_for_ever, NULL);

		serve(&w, test_now() + (int64_t)test_random_below(2000000), false);
		if (round % 2)
			child_stop(&getter);
		child_kill(&putter);
		if (round % 2)
			serve(&w, test_now() + (int64_t)test_random_below(5000000), false);
		child_kill(&getter);
		expect_nothing_is_missed(&w, round);
	}
	waiter_close(&w);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("queue-source");
	TCase *tcase = tcase_create("messages"), *room = tcase_create("room");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, sets_are_told_of_messages_and_of_room, 1, SETS + 1);
	tcase_add_test(tcase, set_is_told_through_descriptors_that_came_with_the_queue);
	tcase_add_test(tcase, sets_that_are_gone_do_not_keep_others_from_being_told);
	tcase_add_test(tcase, who_is_killed_while_he_puts_leaves_nothing_unseen);
	tcase_add_test(tcase, who_is_killed_while_he_gets_leaves_nothing_unseen);
	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(room, setup_limited, teardown);
	tcase_add_loop_test(room, sets_are_told_of_messages_and_of_room, 1, SETS + 1);
	suite_add_tcase(suite, room);
	return test_main(suite);
}
