/* SPDX-License-Identifier: MIT */
/* A queue between processes: streams, forks of all sorts, many at a time. */
#include "queue-tools.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>

#define PROCESSES_MAX	64
#define ROOM		40000

static struct weir_queue *queue;

/* What each process has seen. Shared. */
struct ledger {
	uint64_t got;
	uint64_t sum;
};

static struct ledger *ledgers;

struct message {
	uint64_t writer;
	uint64_t number;
	uint8_t rest[];
};

struct side {
	uint64_t index;
	uint64_t count;
	uint64_t writers;
	size_t most;
};

static size_t make(uint8_t *room, const struct side *s, uint64_t number)
{
	struct message *m = (struct message *)(void *)room;
	size_t size = sizeof(*m) + (number * 7919 + s->index) % s->most;

	m->writer = s->index;
	m->number = number;
	queue_fill(m->rest, size - sizeof(*m), number ^ s->index);
	return size;
}

static int put_all(void *arg)
{
	const struct side *s = arg;
	uint8_t *room = malloc(ROOM);

	for (uint64_t i = 0; i < s->count; i++)
		child_check(weir_queue_put(queue, room, make(room, s, i), 0, soon()) == 0);
	free(room);
	return 0;
}

static int get_all(void *arg)
{
	const struct side *s = arg;
	struct ledger *ledger = &ledgers[s->index];
	uint64_t next[PROCESSES_MAX] = { 0 };
	uint8_t *room = malloc(ROOM);
	size_t size;
	int result;

	while ((result = weir_queue_get(queue, room, ROOM, 0, soon(), &size)) == 0) {
		const struct message *m = (const struct message *)(const void *)room;

		child_check(size >= sizeof(*m) && m->writer < s->writers);
		child_check(m->number >= next[m->writer]);
		child_check(queue_is_filled(m->rest, size - sizeof(*m), m->number ^ m->writer));
		next[m->writer] = m->number + 1;
		ledger->got++;
		ledger->sum += m->number;
	}
	child_check(result == -EPIPE);
	free(room);
	return 0;
}

static void setup(void)
{
	ledgers = shared_alloc(PROCESSES_MAX * sizeof(*ledgers));
	ck_assert_int_eq(weir_queue(&queue, NULL), 0);
}

static void teardown(void)
{
	weir_queue_close(queue);
}

/*
 * Streams
 */

struct stream {
	uint64_t writers;
	uint64_t readers;
	uint64_t count;
	uint64_t max_items;
	size_t most;
};

static const struct stream streams[] = {
	{ 1, 1, 50000, 0, 64 },
	{ 1, 1, 5000, 1, 64 },
	{ 2, 2, 20000, 0, 64 },
	{ 4, 4, 10000, 0, 64 },
	{ 4, 4, 10000, 1000, 64 },
	{ 4, 4, 2000, 3, 500 },
	{ 4, 1, 10000, 0, 64 },
	{ 1, 4, 20000, 0, 64 },
	{ 2, 2, 1000, 20, 30000 },
	{ 32, 32, 300, 0, 200 },
};

START_TEST(each_message_arrives_once_and_in_order)
{
	const struct stream *st = &streams[_i];
	struct side writers[PROCESSES_MAX], readers[PROCESSES_MAX];
	struct child putting[PROCESSES_MAX], getting[PROCESSES_MAX];
	struct weir_queue_stat stat;
	uint64_t got = 0, sum = 0;

	teardown();
	queue = queue_new(st->max_items, 0, 0);
	ck_assert_ptr_nonnull(queue);
	for (uint64_t i = 0; i < st->readers; i++) {
		readers[i] = (struct side){ .index = i, .writers = st->writers };
		getting[i] = child_start(get_all, &readers[i]);
	}
	for (uint64_t i = 0; i < st->writers; i++) {
		writers[i] = (struct side){ i, st->count, 0, st->most };
		putting[i] = child_start(put_all, &writers[i]);
	}
	for (uint64_t i = 0; i < st->writers; i++)
		child_join_ok(&putting[i]);
	ck_assert_int_eq(weir_queue_shutdown(queue, 0), 0);
	for (uint64_t i = 0; i < st->readers; i++) {
		child_join_ok(&getting[i]);
		got += ledgers[i].got;
		sum += ledgers[i].sum;
	}
	stat = queue_stat(queue);
	ck_assert_uint_eq(got, st->writers * st->count);
	ck_assert_uint_eq(sum, st->writers * (st->count * (st->count - 1) / 2));
	ck_assert_uint_eq(stat.puts, got);
	ck_assert_uint_eq(stat.gets, got);
	ck_assert_uint_eq(stat.items + stat.taken + stat.drops + stat.returned, 0);
	if (st->max_items)
		ck_assert_uint_le(stat.most_items, st->max_items);
}
END_TEST

/*
 * Processes with threads
 */

static void *put_some(void *arg)
{
	uint64_t number = (uintptr_t)arg;

	for (int i = 0; i < 50; i++)
		if (queue_put_number(queue, number, soon()) < 0)
			return arg;
	for (int i = 0; i < 50; i++)
		if (queue_get_number(queue, soon()) < 0)
			return arg;
	return NULL;
}

static int put_by_threads(void *arg)
{
	pthread_t threads[4];
	void *result;

	for (uintptr_t i = 0; i < 4; i++)
		child_check(pthread_create(&threads[i], NULL, put_some, (void *)(i + 1)) == 0);
	for (int i = 0; i < 4; i++)
		child_check(pthread_join(threads[i], &result) == 0 && !result);
	(void)arg;
	return 0;
}

START_TEST(many_processes_with_threads_use_it_at_a_time)
{
	struct child children[PROCESSES_MAX];

	for (int i = 0; i < PROCESSES_MAX; i++)
		children[i] = child_start(put_by_threads, NULL);
	for (int i = 0; i < PROCESSES_MAX; i++)
		child_join_ok(&children[i]);
	ck_assert_uint_eq(queue_stat(queue).puts, PROCESSES_MAX * 4 * 50);
	ck_assert_uint_eq(queue_stat(queue).items, 0);
	ck_assert_int_eq(queue_get_number(queue, 0), -EAGAIN);
}
END_TEST

/*
 * Forks
 */

static int put_one(void *arg)
{
	child_check(queue_put_number(queue, (uintptr_t)arg, soon()) == 0);
	return 0;
}

static int put_by_a_child(void *arg)
{
	struct child child = child_start(put_one, arg);
	int status = child_join(&child);

	child_check(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	child_check(queue_put_number(queue, (uintptr_t)arg + 1, soon()) == 0);
	return 0;
}

START_TEST(child_and_its_child_use_it_without_a_call)
{
	struct child child = child_start(put_by_a_child, (void *)1);

	ck_assert_int_eq(queue_get_number(queue, soon()), 1);
	ck_assert_int_eq(queue_get_number(queue, soon()), 2);
	child_join_ok(&child);
	/* Also when the parent has used it before. */
	child = child_start(put_by_a_child, (void *)11);
	ck_assert_int_eq(queue_get_number(queue, soon()), 11);
	ck_assert_int_eq(queue_get_number(queue, soon()), 12);
	child_join_ok(&child);
}
END_TEST

static void *fork_from_a_thread(void *arg)
{
	struct child child;
	int status;

	if (queue_put_number(queue, 1, soon()) < 0)
		return arg;
	child = child_start(put_one, (void *)2);
	if (queue_put_number(queue, 3, soon()) < 0)
		return arg;
	status = child_join(&child);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? NULL : arg;
}

START_TEST(any_thread_forks)
{
	uint64_t sum = 0;
	pthread_t thread;
	void *result;

	ck_assert_int_eq(pthread_create(&thread, NULL, fork_from_a_thread, &sum), 0);
	for (int i = 0; i < 3; i++)
		sum += (uint64_t)queue_get_number(queue, soon());
	ck_assert_int_eq(pthread_join(thread, &result), 0);
	ck_assert_ptr_null(result);
	ck_assert_uint_eq(sum, 6);
	ck_assert_uint_eq(queue_stat(queue).items, 0);
}
END_TEST

static int child_of_a_taker(void *arg)
{
	struct weir_taken *taken = arg, mine;

	/* What the parent has taken and claimed is the parent's. */
	child_check(weir_queue_release(queue, taken) == -EINVAL);
	child_check(weir_queue_commit(queue, 0, 0, 0) == -EINVAL);
	child_check(weir_queue_take(queue, 0, 0, &mine) == 0);
	child_check(weir_queue_release(queue, &mine) == 0);
	weir_queue_close(queue);
	return 0;
}

START_TEST(child_has_nothing_of_what_its_parent_holds)
{
	struct weir_taken taken;
	struct child child;
	void *data;

	ck_assert_int_eq(queue_put_number(queue, 1, 0), 0);
	ck_assert_int_eq(queue_put_number(queue, 2, 0), 0);
	ck_assert_int_eq(weir_queue_take(queue, 0, 0, &taken), 0);
	ck_assert_int_eq(weir_queue_claim(queue, 8, 0, 0, &data), 0);
	child = child_start(child_of_a_taker, &taken);
	child_join_ok(&child);
	ck_assert_int_eq(weir_queue_release(queue, &taken), 0);
	memcpy(data, &(uint64_t){ 3 }, 8);
	ck_assert_int_eq(weir_queue_commit(queue, 8, 0, 0), 0);
	ck_assert_int_eq(queue_get_number(queue, 0), 3);
	ck_assert_int_eq(queue_get_number(queue, 0), -EAGAIN);
}
END_TEST

static bool stop;

static void *put_and_get(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
		if (queue_put_number(queue, 7, soon()) < 0 || queue_get_number(queue, soon()) < 0)
			return arg;
	return NULL;
}

START_TEST(forks_while_other_threads_are_inside)
{
	pthread_t thread;
	void *result;

	ck_assert_int_eq(pthread_create(&thread, NULL, put_and_get, &stop), 0);
	for (uintptr_t i = 0; i < 100; i++) {
		struct child child = child_start(put_one, (void *)7);

		child_join_ok(&child);
		ck_assert_int_eq(queue_get_number(queue, soon()), 7);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	ck_assert_int_eq(pthread_join(thread, &result), 0);
	ck_assert_ptr_null(result);
	ck_assert_uint_eq(queue_stat(queue).items, 0);
}
END_TEST

/*
 * Deaths, of the plain sort
 */

static int take_and_wait(void *arg)
{
	struct weir_taken taken[3];
	void *data;

	for (int i = 0; i < 3; i++)
		child_check(weir_queue_take(queue, 0, soon(), &taken[i]) == 0);
	child_check(weir_queue_release(queue, &taken[1]) == 0);
	child_check(weir_queue_claim(queue, 1 << 20, 0, soon(), &data) == 0);
	child_check(barrier_wait(arg));
	pause();
	return 1;
}

START_TEST(what_a_killed_process_had_taken_comes_back_early)
{
	struct barrier *barrier = barrier_create(2);
	struct child child = child_start(take_and_wait, barrier);
	struct weir_taken taken;
	int64_t start;

	for (uint64_t i = 0; i < 4; i++)
		ck_assert_int_eq(queue_put_number(queue, i, 0), 0);
	ck_assert(barrier_wait(barrier));
	ck_assert_int_eq(queue_get_number(queue, 0), 3);
	ck_assert_int_eq(queue_get_number(queue, 0), -EAGAIN);
	child_kill(&child);
	start = test_now();
	ck_assert_int_eq(weir_queue_take(queue, 0, soon(), &taken), 0);
	/* 10 ms is what is promised; the machine may be busy. */
	ck_assert_int_lt(test_now() - start, 500000000);
	ck_assert_uint_eq(taken.times, 1);
	ck_assert_mem_eq(taken.data, &(uint64_t){ 0 }, 8);
	ck_assert_int_eq(weir_queue_release(queue, &taken), 0);
	ck_assert_int_eq(queue_get_number(queue, soon()), 2);
	ck_assert_uint_eq(queue_stat(queue).deaths, 1);
	ck_assert_uint_eq(queue_stat(queue).returned, 2);
	ck_assert_uint_eq(queue_stat(queue).taken, 0);
	ck_assert_uint_eq(queue_stat(queue).users, 1);
}
END_TEST

static int put_and_exit(void *arg)
{
	(void)arg;
	for (uint64_t i = 0; i < 5000; i++)
		child_check(queue_put_number(queue, i, soon()) == 0);
	return 0;
}

START_TEST(messages_outlive_those_who_put_them)
{
	struct child child = child_start(put_and_exit, NULL);

	child_join_ok(&child);
	for (int64_t i = 0; i < 5000; i++)
		ck_assert_int_eq(queue_get_number(queue, 0), i);
	ck_assert_int_eq(queue_get_number(queue, 0), -EAGAIN);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("queue");
	TCase *t = tcase_create("processes");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, each_message_arrives_once_and_in_order, 0,
			    sizeof(streams) / sizeof(streams[0]));
	tcase_add_test(t, many_processes_with_threads_use_it_at_a_time);
	tcase_add_test(t, child_and_its_child_use_it_without_a_call);
	tcase_add_test(t, any_thread_forks);
	tcase_add_test(t, child_has_nothing_of_what_its_parent_holds);
	tcase_add_test(t, forks_while_other_threads_are_inside);
	tcase_add_test(t, what_a_killed_process_had_taken_comes_back_early);
	tcase_add_test(t, messages_outlive_those_who_put_them);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return test_main(suite());
}
