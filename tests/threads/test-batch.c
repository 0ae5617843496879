/* SPDX-License-Identifier: MIT */
/* Threads with a batch each, over the same objects; and a thread that closes them. */
#include "batch-tools.h"

#define SENDERS		2
#define OBJECTS		6
#define MESSAGES	(4000 / LESS)
#define EVERY		9

static struct reader readers[OBJECTS];

struct sender {
	pthread_t thread;
	uint32_t engine;
	int result;
};

static void *send_to_all(void *arg)
{
	struct sender *s = arg;
	struct weir_batch *batch = batch_new(s->engine);

	s->result = batch ? 0 : -ENOMEM;
	for (uint64_t i = 0; s->result == 0 && i < MESSAGES; i++) {
		s->result = reader_send(&readers[i % OBJECTS], batch, 1, soon());
		if (s->result == 0 && i % EVERY == EVERY - 1)
			s->result = weir_batch_flush(batch) < 0 ? -EIO : 0;
	}
	weir_batch_close(batch);
	return NULL;
}

static void *read_all(void *arg)
{
	struct reader *r = arg;
	uint64_t count = 0, expected = 0;

	for (uint64_t i = 0; i < MESSAGES; i++)
		expected += &readers[i % OBJECTS] == r;
	for (; count < SENDERS * expected; count++) {
		r->got = reader_read(r, soon());
		if (r->got != 1)
			return NULL;
	}
	r->got = 0;
	return NULL;
}

START_TEST(two_batches_over_the_same_objects)
{
	struct sender senders[SENDERS] = {
		{ .engine = batch_engines[_i] },
		{ .engine = WEIR_ENGINE_URING },
	};

	for (int i = 0; i < OBJECTS; i++) {
		ck_assert(reader_open(&readers[i], i % 2));
		ck_assert_int_eq(pthread_create(&readers[i].thread, NULL, read_all, &readers[i]),
				 0);
	}
	for (int i = 0; i < SENDERS; i++)
		ck_assert_int_eq(pthread_create(&senders[i].thread, NULL, send_to_all,
						&senders[i]), 0);
	for (int i = 0; i < SENDERS; i++) {
		ck_assert_int_eq(pthread_join(senders[i].thread, NULL), 0);
		ck_assert_int_eq(senders[i].result, 0);
	}
	for (int i = 0; i < OBJECTS; i++) {
		ck_assert_int_eq(reader_join(&readers[i]), 0);
		reader_close(&readers[i]);
	}
}
END_TEST

/*
 * A batch that goes from thread to thread
 */

struct relay {
	struct weir_batch *batch;
	int result;
};

static void *send_one_round(void *arg)
{
	struct relay *r = arg;

	for (int i = 0; i < OBJECTS; i++)
		if (reader_send(&readers[i], r->batch, 1, soon()) < 0)
			r->result = -1;
	return NULL;
}

START_TEST(batch_goes_from_thread_to_thread)
{
	struct relay relay = { .batch = batch_new(batch_engines[_i]) };
	pthread_t thread;

	for (int i = 0; i < OBJECTS; i++)
		ck_assert(reader_open(&readers[i], i % 2));
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < OBJECTS; i++)
			reader_start(&readers[i]);
		for (int i = 0; i < OBJECTS; i++)
			reader_wait_asleep(&readers[i]);
		ck_assert_int_eq(pthread_create(&thread, NULL, send_one_round, &relay), 0);
		ck_assert_int_eq(pthread_join(thread, NULL), 0);
		ck_assert_int_eq(relay.result, 0);
		weir_batch_flush(relay.batch);
		for (int i = 0; i < OBJECTS; i++)
			ck_assert_int_eq(reader_join(&readers[i]), 1);
	}
	weir_batch_close(relay.batch);
	for (int i = 0; i < OBJECTS; i++)
		reader_close(&readers[i]);
}
END_TEST

/*
 * Closing what a batch has put off a wake for
 */

#define CLOSED	(200 / LESS)

static struct reader doomed[CLOSED];
static uint32_t sent, closed;

static void *close_behind(void *arg)
{
	int64_t deadline = soon();

	for (uint32_t i = 0; i < CLOSED; i++) {
		while (load_acquire(&sent) <= i)
			if (test_now() > deadline)
				return arg;
		/* Memory and descriptors go, and may be those of the next one at once. */
		reader_close(&doomed[i]);
		store_release(&closed, i + 1);
	}
	return NULL;
}

/*
 * Readers that have armed their descriptor are told by a wake that can be put off, without being
 * asleep, so that all of it can be closed at once.
 */
static void arm(struct reader *r, bool queue)
{
	ck_assert(reader_open(r, queue));
	if (queue)
		return;
	ck_assert_int_ge(weir_pipe_fd(r->ends[0]), 0);
	ck_assert_int_eq(recv_number(r->ends[0], 0), -EAGAIN);
}

START_TEST(objects_are_closed_while_the_batch_goes_on)
{
	struct weir_batch *batch = batch_new(batch_engines[_i]);
	pthread_t closer;
	void *late;

	sent = closed = 0;
	ck_assert_int_eq(pthread_create(&closer, NULL, close_behind, batch), 0);
	for (uint32_t i = 0; i < CLOSED; i++) {
		arm(&doomed[i], i % 4 == 3);
		ck_assert_int_eq(reader_send(&doomed[i], batch, 5, 0), 0);
		store_release(&sent, i + 1);
		if (i % 16 == 15)
			ck_assert_int_ge(weir_batch_flush(batch), 0);
		/* Not too many descriptors at a time. */
		while (load_acquire(&closed) + 32 < i)
			sched_yield();
	}
	ck_assert_int_eq(pthread_join(closer, &late), 0);
	ck_assert_ptr_null(late);
	/* All is gone, and each was told on its way. */
	ck_assert_int_eq(weir_batch_flush(batch), 0);
	ck_assert_uint_ge(batch_stat(batch).wakes, CLOSED / 2);
	weir_batch_close(batch);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("batch");
	TCase *t = tcase_create("batch");

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, two_batches_over_the_same_objects, 0, BATCH_ENGINES);
	tcase_add_loop_test(t, batch_goes_from_thread_to_thread, 0, BATCH_ENGINES);
	tcase_add_loop_test(t, objects_are_closed_while_the_batch_goes_on, 0, BATCH_ENGINES);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	unsetenv("WEIR_ENGINE");
	return test_main(suite());
}
