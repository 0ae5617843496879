/* SPDX-License-Identifier: MIT */
/*
 * Threads over one mapping of a queue: each message once, those of a writer in its order, whatever
 * the calls; segments, chunks and frames that are used again; ends.
 */
#include "queue-tools.h"

#include <pthread.h>
#include <stdlib.h>

#define WRITERS_MAX	4
#define READERS_MAX	4
#define BATCH		7
#define ROOM		20000

struct message {
	uint64_t writer;
	uint64_t number;
	uint8_t rest[];
};

struct worker;
typedef int work_fn(struct worker *w);

struct worker {
	pthread_t thread;
	work_fn *fn;
	uint64_t index;
	uint64_t count;			/* to put */
	size_t most;			/* size of a message */
	uint64_t random;
	uint64_t got;
	uint64_t sum;
	uint64_t again;			/* of those, how many a second time */
	uint64_t next[WRITERS_MAX];	/* at least */
	uint8_t *room;
	int result;
};

static struct weir_queue *queue;
static struct worker writers[WRITERS_MAX], readers[READERS_MAX];

#define CHECK(condition) \
	do { \
		if (!(condition)) \
			return __LINE__; \
	} while (0)

static uint64_t random_below(struct worker *w, uint64_t limit)
{
	w->random = w->random * 6364136223846793005 + 1442695040888963407;
	return (w->random >> 33) % limit;
}

static void *work(void *arg)
{
	struct worker *w = arg;

	w->result = w->fn(w);
	return NULL;
}

static void start(struct worker *w, work_fn *fn, uint64_t index)
{
	w->fn = fn;
	w->index = index;
	w->random = test_random();
	w->room = malloc(ROOM);
	ck_assert_ptr_nonnull(w->room);
	ck_assert_int_eq(pthread_create(&w->thread, NULL, work, w), 0);
}

static int join(struct worker *w)
{
	ck_assert_int_eq(pthread_join(w->thread, NULL), 0);
	free(w->room);
	return w->result;
}

static size_t make(struct worker *w, void *room, uint64_t number)
{
	struct message *m = room;
	size_t size = sizeof(*m) + random_below(w, w->most);

	m->writer = w->index;
	m->number = number;
	queue_fill(m->rest, size - sizeof(*m), number + w->index);
	return size;
}

/* What came: whole, and not older than what came before of the same writer. */
static int see(struct worker *w, const void *data, size_t size, bool ordered)
{
	const struct message *m = data;

	CHECK(size >= sizeof(*m) && m->writer < WRITERS_MAX);
	CHECK(queue_is_filled(m->rest, size - sizeof(*m), m->number + m->writer));
	CHECK(!ordered || m->number >= w->next[m->writer]);
	if (ordered)
		w->next[m->writer] = m->number + 1;
	w->got++;
	w->sum += m->number + 1;
	return 0;
}

/*
 * Writers
 */

static int put_singly(struct worker *w)
{
	for (uint64_t i = 0; i < w->count; i++) {
		size_t size = make(w, w->room, i);

		CHECK(weir_queue_put(queue, w->room, size, 0, soon()) == 0);
	}
	return 0;
}

static int put_batches(struct worker *w)
{
	struct weir_msg messages[BATCH];
	int result;

	for (uint64_t i = 0; i < w->count; i += BATCH) {
		for (uint64_t k = 0; k < BATCH; k++) {
			uint8_t *room = w->room + k * (ROOM / BATCH / 8 * 8);

			messages[k].data = room;
			messages[k].size = make(w, room, i + k);
		}
		result = weir_queue_put_batch(queue, messages, BATCH, 0, soon());
		CHECK(result == BATCH);
	}
	return 0;
}

static int put_in_place(struct worker *w)
{
	void *data;

	for (uint64_t i = 0; i < w->count; i++) {
		CHECK(weir_queue_claim(queue, sizeof(struct message) + w->most, 0, soon(),
				       &data) == 0);
		if (random_below(w, 8) == 0) {
			CHECK(weir_queue_abort(queue) == 0);
			i--;
		} else {
			CHECK(weir_queue_commit(queue, make(w, data, i), 0, soon()) == 0);
		}
	}
	return 0;
}

/*
 * Readers, until the queue has ended
 */

static int get_singly(struct worker *w)
{
	size_t size;
	int result;

	while ((result = weir_queue_get(queue, w->room, ROOM, 0, soon(), &size)) == 0)
		CHECK(see(w, w->room, size, true) == 0);
	CHECK(result == -EPIPE);
	return 0;
}

static int get_batches(struct worker *w)
{
	struct weir_msg messages[BATCH];
	int result;

	for (;;) {
		for (uint64_t k = 0; k < BATCH; k++)
			messages[k] = (struct weir_msg){
				.data = w->room + k * (ROOM / BATCH / 8 * 8),
				.room = ROOM / BATCH,
			};
		result = weir_queue_get_batch(queue, messages, BATCH, 0, soon());
		for (int k = 0; k < result; k++)
			CHECK(see(w, messages[k].data, messages[k].size, true) == 0);
		if (result < 0)
			break;
	}
	CHECK(result == -EPIPE);
	return 0;
}

static int take_in_place(struct worker *w)
{
	struct weir_taken held[4] = { 0 };
	int result;

	for (;;) {
		struct weir_taken *taken = &held[random_below(w, 4)];

		if (taken->data)
			CHECK(weir_queue_release(queue, taken) == 0);
		taken->data = NULL;
		result = weir_queue_take(queue, 0, soon(), taken);
		if (result < 0)
			break;
		CHECK(taken->times == 0);
		CHECK(see(w, taken->data, taken->size, true) == 0);
	}
	for (int i = 0; i < 4; i++)
		if (held[i].data)
			CHECK(weir_queue_release(queue, &held[i]) == 0);
	CHECK(result == -EPIPE);
	return 0;
}

/* Every eighth is given back, until it has come a second time. */
static int take_and_return(struct worker *w)
{
	struct weir_taken taken;
	int result;

	while ((result = weir_queue_take(queue, 0, soon(), &taken)) == 0) {
		if (taken.times == 0 && random_below(w, 8) == 0) {
			CHECK(weir_queue_return(queue, &taken) == 0);
			continue;
		}
		w->again += taken.times;
		CHECK(see(w, taken.data, taken.size, false) == 0);
		CHECK(weir_queue_release(queue, &taken) == 0);
	}
	CHECK(result == -EPIPE);
	return 0;
}

/*
 * Streams
 */

struct stream {
	work_fn *put;
	work_fn *get;
	uint64_t writers;
	uint64_t readers;
	uint64_t count;
	size_t most;
	uint64_t max_items;
};

static void run_stream(const struct stream *st)
{
	uint64_t got = 0, sum = 0, again = 0, all;
	struct weir_queue_stat stat;
	struct resources before = resources_begin();

	before.anonymous = false;	/* stacks of threads that have ended */
	queue = queue_new_at(2, st->max_items, 64, 8 << 20);
	ck_assert_ptr_nonnull(queue);
	for (uint64_t i = 0; i < st->readers; i++) {
		readers[i] = (struct worker){ 0 };
		start(&readers[i], st->get, i);
	}
	for (uint64_t i = 0; i < st->writers; i++) {
		writers[i] = (struct worker){ .count = st->count, .most = st->most };
		start(&writers[i], st->put, i);
	}
	for (uint64_t i = 0; i < st->writers; i++)
		ck_assert_int_eq(join(&writers[i]), 0);
	ck_assert_int_eq(weir_queue_shutdown(queue, 0), 0);
	for (uint64_t i = 0; i < st->readers; i++) {
		ck_assert_int_eq(join(&readers[i]), 0);
		got += readers[i].got;
		sum += readers[i].sum;
		again += readers[i].again;
	}
	/* Whatever was given back behind the last reader's back. */
	if (st->get == take_and_return) {
		struct worker w = { 0 };

		start(&w, take_and_return, 0);
		ck_assert_int_eq(join(&w), 0);
		got += w.got;
		sum += w.sum;
		again += w.again;
	}
	all = st->writers * st->count;
	ck_assert_uint_eq(got, all);
	ck_assert_uint_eq(sum, st->writers * st->count * (st->count + 1) / 2);
	stat = queue_stat(queue);
	ck_assert_uint_eq(stat.puts, all);
	ck_assert_uint_eq(stat.gets, all);
	ck_assert_uint_eq(stat.items + stat.taken + stat.drops + stat.deaths, 0);
	ck_assert_uint_eq(stat.returned, again);
	/* What is given back needs no room. */
	if (st->get != take_and_return)
		ck_assert_uint_le(stat.most_items, st->max_items);
	weir_queue_close(queue);
	resources_check(&before);
}

static const struct stream streams[] = {
	{ put_singly, get_singly, 1, 1, 20000, 32, 100000 },
	{ put_singly, get_singly, 2, 2, 10000, 32, 100000 },
	{ put_singly, get_singly, 4, 4, 5000, 32, 100000 },
	{ put_singly, get_singly, 4, 1, 5000, 300, 100000 },
	{ put_singly, get_singly, 1, 4, 10000, 300, 100000 },
	{ put_singly, get_singly, 2, 2, 3000, 32, 1 },
	{ put_singly, get_singly, 4, 4, 2000, 32, 3 },
	{ put_singly, get_singly, 2, 2, 500, 15000, 100000 },
	{ put_batches, get_batches, 2, 2, 7000, 100, 100000 },
	{ put_batches, get_batches, 4, 4, 3500, 2000, 100 },
	{ put_batches, get_singly, 2, 2, 7000, 50, 5 },
	{ put_in_place, take_in_place, 2, 2, 8000, 100, 100000 },
	{ put_in_place, take_in_place, 2, 2, 800, 9000, 100000 },
	{ put_in_place, take_in_place, 4, 4, 3000, 100, 7 },
	{ put_singly, take_in_place, 4, 4, 4000, 1000, 100000 },
	{ put_singly, take_and_return, 2, 2, 5000, 100, 100000 },
	{ put_singly, take_and_return, 4, 4, 2000, 100, 20 },
};

START_TEST(each_message_arrives_once_and_in_order)
{
	run_stream(&streams[_i]);
}
END_TEST

/*
 * Dropping
 */

START_TEST(what_is_dropped_and_what_is_got_is_all)
{
	struct weir_queue_stat stat;
	uint64_t got = 0;

	queue = queue_new(10, 1 << 20, WEIR_QUEUE_DROP);
	ck_assert_ptr_nonnull(queue);
	for (uint64_t i = 0; i < 2; i++) {
		readers[i] = (struct worker){ 0 };
		start(&readers[i], get_singly, i);
		writers[i] = (struct worker){ .count = 10000, .most = 100 };
		start(&writers[i], put_singly, i);
	}
	for (uint64_t i = 0; i < 2; i++)
		ck_assert_int_eq(join(&writers[i]), 0);
	ck_assert_int_eq(weir_queue_shutdown(queue, 0), 0);
	for (uint64_t i = 0; i < 2; i++) {
		ck_assert_int_eq(join(&readers[i]), 0);
		got += readers[i].got;
	}
	stat = queue_stat(queue);
	ck_assert_uint_eq(stat.puts, 20000);
	ck_assert_uint_eq(stat.gets, got);
	ck_assert_uint_eq(stat.gets + stat.drops, 20000);
	weir_queue_close(queue);
}
END_TEST

/*
 * Ends
 */

static int put_until_the_end(struct worker *w)
{
	int result;

	do
		result = weir_queue_put(queue, w->room, make(w, w->room, w->got++), 0, soon());
	while (result == 0);
	w->got--;
	CHECK(result == -EPIPE);
	return 0;
}

START_TEST(shutdown_in_the_middle_loses_nothing_and_adds_nothing)
{
	struct weir_queue_stat stat;
	uint64_t put = 0, got = 0;

	for (int round = 0; round < 20; round++) {
		uint32_t flags = round % 2 ? WEIR_QUEUE_NOW : 0;

		put = got = 0;
		queue = queue_new_at(2, round % 4 < 2 ? 100000 : 10, 64, 8 << 20);
		ck_assert_ptr_nonnull(queue);
		for (uint64_t i = 0; i < 2; i++) {
			readers[i] = (struct worker){ 0 };
			start(&readers[i], get_singly, i);
			writers[i] = (struct worker){ .most = 50 };
			start(&writers[i], put_until_the_end, i);
		}
		while (queue_stat(queue).gets < 200)
			sched_yield();
		ck_assert_int_eq(weir_queue_shutdown(queue, flags), 0);
		for (uint64_t i = 0; i < 2; i++) {
			ck_assert_int_eq(join(&writers[i]), 0);
			ck_assert_int_eq(join(&readers[i]), 0);
			put += writers[i].got;
			got += readers[i].got;
		}
		stat = queue_stat(queue);
		ck_assert_uint_eq(stat.puts, put);
		ck_assert_uint_eq(stat.gets, got);
		ck_assert_uint_eq(stat.items, 0);
		ck_assert_uint_eq(stat.drops, put - got);
		if (flags == 0)
			ck_assert_uint_eq(got, put);
		weir_queue_close(queue);
	}
}
END_TEST

static int sleep_in_get(struct worker *w)
{
	CHECK(weir_queue_get(queue, w->room, ROOM, 0, soon(), NULL) == -ESHUTDOWN);
	return 0;
}

static int sleep_in_take(struct worker *w)
{
	struct weir_taken taken;

	(void)w;
	CHECK(weir_queue_take(queue, WEIR_NOSPIN, soon(), &taken) == -ESHUTDOWN);
	return 0;
}

static int sleep_in_join(struct worker *w)
{
	(void)w;
	CHECK(weir_queue_join(queue, 0, soon()) == -ESHUTDOWN);
	return 0;
}

static int sleep_in_put(struct worker *w)
{
	CHECK(weir_queue_put(queue, w->room, 8, 0, soon()) == -ESHUTDOWN);
	return 0;
}

static void wait_for_sleepers(uint64_t count)
{
	int64_t until = soon();

	while (queue_stat(queue).sleepers < count) {
		ck_assert_int_lt(test_now(), until);
		sched_yield();
	}
}

START_TEST(closing_turns_out_those_who_sleep)
{
	work_fn *const empty[] = { sleep_in_get, sleep_in_take, sleep_in_get, sleep_in_take };
	work_fn *const full[] = { sleep_in_put, sleep_in_join, sleep_in_put, sleep_in_join };
	struct resources before = resources_begin();

	before.anonymous = false;	/* stacks of threads that have ended */
	for (int round = 0; round < 10; round++) {
		queue = queue_new(1, 1 << 20, 0);
		ck_assert_ptr_nonnull(queue);
		if (round % 2)
			ck_assert_int_eq(queue_put_number(queue, 1, 0), 0);
		for (uint64_t i = 0; i < 4; i++) {
			readers[i] = (struct worker){ 0 };
			start(&readers[i], (round % 2 ? full : empty)[i], i);
		}
		wait_for_sleepers(4);
		weir_queue_close(queue);
		for (uint64_t i = 0; i < 4; i++)
			ck_assert_int_eq(join(&readers[i]), 0);
	}
	resources_check(&before);
}
END_TEST

/*
 * Threads that come and go
 */

static int use_once(struct worker *w)
{
	void *data;

	CHECK(queue_put_number(queue, w->index, 0) == 0);
	CHECK(queue_get_number(queue, 0) >= 0);
	/* Left behind. */
	CHECK(weir_queue_claim(queue, 10000, 0, 0, &data) == 0);
	return 0;
}

START_TEST(seats_of_threads_that_have_ended_are_used_again)
{
	queue = queue_new_at(2, 0, 64, 8 << 20);
	ck_assert_ptr_nonnull(queue);
	for (uint64_t i = 0; i < 100; i++) {
		struct worker w = { 0 };

		start(&w, use_once, i);
		ck_assert_int_eq(join(&w), 0);
	}
	ck_assert_uint_le(queue_stat(queue).users, 2);
	ck_assert_uint_eq(queue_stat(queue).puts, 100);
	ck_assert_uint_eq(queue_stat(queue).gets, 100);
	weir_queue_close(queue);
}
END_TEST

static struct weir_taken handed[1000];

static int release_half(struct worker *w)
{
	for (uint64_t i = w->index; i < 1000; i += 2)
		CHECK(weir_queue_release(queue, &handed[i]) == 0);
	return 0;
}

START_TEST(any_thread_releases)
{
	queue = queue_new(0, 0, 0);
	ck_assert_ptr_nonnull(queue);
	for (int round = 0; round < 10; round++) {
		for (uint64_t i = 0; i < 1000; i++) {
			ck_assert_int_eq(queue_put_number(queue, i, 0), 0);
			ck_assert_int_eq(weir_queue_take(queue, 0, 0, &handed[i]), 0);
		}
		for (uint64_t i = 0; i < 2; i++) {
			readers[i] = (struct worker){ 0 };
			start(&readers[i], release_half, i);
		}
		for (uint64_t i = 0; i < 2; i++)
			ck_assert_int_eq(join(&readers[i]), 0);
		ck_assert_uint_eq(queue_stat(queue).taken, 0);
	}
	weir_queue_close(queue);
}
END_TEST

static int finish_task(struct worker *w)
{
	CHECK(queue_get_number(queue, soon()) == (int64_t)w->index);
	CHECK(weir_queue_task_done(queue) == 0);
	return 0;
}

START_TEST(join_returns_when_others_have_done_all)
{
	queue = queue_new(0, 0, 0);
	ck_assert_ptr_nonnull(queue);
	for (int round = 0; round < 20; round++) {
		for (uint64_t i = 0; i < 2; i++) {
			ck_assert_int_eq(queue_put_number(queue, 7, 0), 0);
			readers[i] = (struct worker){ 0 };
			start(&readers[i], finish_task, 7);
		}
		ck_assert_int_eq(weir_queue_join(queue, 0, soon()), 0);
		ck_assert_uint_eq(queue_stat(queue).unfinished, 0);
		for (uint64_t i = 0; i < 2; i++)
			ck_assert_int_eq(join(&readers[i]), 0);
		ck_assert_int_eq(weir_queue_task_done(queue), -ERANGE);
	}
	weir_queue_close(queue);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("queue");
	TCase *t = tcase_create("threads");

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, each_message_arrives_once_and_in_order, 0,
			    sizeof(streams) / sizeof(streams[0]));
	tcase_add_test(t, what_is_dropped_and_what_is_got_is_all);
	tcase_add_test(t, shutdown_in_the_middle_loses_nothing_and_adds_nothing);
	tcase_add_test(t, closing_turns_out_those_who_sleep);
	tcase_add_test(t, seats_of_threads_that_have_ended_are_used_again);
	tcase_add_test(t, any_thread_releases);
	tcase_add_test(t, join_returns_when_others_have_done_all);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return test_main(suite());
}
