/* SPDX-License-Identifier: MIT */
/* Batches: who is woken, when and how, and what each call returns. */
#include "batch-tools.h"

#include <poll.h>

#define MANY	64

static struct weir_batch *batch;
static struct reader readers[MANY];
static struct resources resources;
static bool with_uring;

static void setup(void)
{
	resources = resources_begin();
	resources.anonymous = false;	/* stacks of threads that have ended */
	/* Not while there are threads. */
	sys_fault = count_wake_calls;
	wakes_count = true;
	wake_calls = 0;
}

static void teardown(void)
{
	sys_fault = NULL;
	weir_batch_close(batch);
	batch = NULL;
	for (int i = 0; i < MANY; i++)
		reader_close(&readers[i]);
	resources_check(&resources);
}

static void open_batch(uint32_t engine)
{
	batch = batch_new(engine);
	ck_assert_ptr_nonnull(batch);
}

/* Every fourth is a queue. */
static void open_readers(int count)
{
	for (int i = 0; i < count; i++)
		ck_assert(reader_open(&readers[i], i % 4 == 3));
}

static void start_readers(int count)
{
	for (int i = 0; i < count; i++)
		reader_start(&readers[i]);
	for (int i = 0; i < count; i++)
		reader_wait_asleep(&readers[i]);
}

static void send_to(int count)
{
	for (int i = 0; i < count; i++)
		ck_assert_int_eq(reader_send(&readers[i], batch, (uint64_t)(100 + i), 0), 0);
}

static void join_readers(int count)
{
	for (int i = 0; i < count; i++)
		ck_assert_int_eq(reader_join(&readers[i]), 100 + i);
}

/*
 * Arguments
 */

START_TEST(wrong_arguments_are_refused)
{
	struct weir_batch_options o = { .size = sizeof(o) };
	struct weir_batch_stat st = { .size = sizeof(st) - 1 };
	struct weir_batch *b = (void *)&o;

	ck_assert_int_eq(weir_batch(NULL, NULL), -EINVAL);
	o.size--;
	ck_assert_int_eq(weir_batch(&b, &o), -EINVAL);
	o = (struct weir_batch_options){ .size = sizeof(o), .flags = 1 };
	ck_assert_int_eq(weir_batch(&b, &o), -EINVAL);
	o = (struct weir_batch_options){ .size = sizeof(o), .engine = WEIR_ENGINE_URING + 1 };
	ck_assert_int_eq(weir_batch(&b, &o), -EINVAL);
	ck_assert_ptr_eq(b, &o);
	open_readers(4);
	open_batch(WEIR_ENGINE_AUTO);
	ck_assert_int_eq(weir_batch_send(NULL, readers[0].ends[1], "x", 1, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_batch_send(batch, NULL, "x", 1, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_batch_send(batch, readers[0].ends[1], NULL, 1, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_batch_send(batch, readers[0].ends[1], "x", 1, 1U << 31, 0), -EINVAL);
	ck_assert_int_eq(weir_batch_put(NULL, readers[3].queue, "x", 1, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_batch_put(batch, NULL, "x", 1, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_batch_put(batch, readers[3].queue, NULL, 1, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_batch_put(batch, readers[3].queue, "x", 1, WEIR_MORE, 0), -EINVAL);
	ck_assert_int_eq(weir_batch_flush(NULL), -EINVAL);
	ck_assert_int_eq(weir_batch_flush(batch), 0);
	ck_assert_int_eq(weir_batch_stat(NULL, &st), -EINVAL);
	ck_assert_int_eq(weir_batch_stat(batch, NULL), -EINVAL);
	ck_assert_int_eq(weir_batch_stat(batch, &st), -EINVAL);
	weir_batch_close(NULL);
}
END_TEST

START_TEST(each_entry_has_its_own_result)
{
	struct weir_queue *full;

	open_readers(4);
	open_batch(batch_engines[_i]);
	/* One is full, one is closed, one goes the other way, one is shut down. */
	fill_with_numbers(readers[0].ends[1], 0);
	weir_pipe_close(readers[1].ends[0]);
	readers[1].ends[0] = NULL;
	full = readers[3].queue;
	for (uint64_t i = 0; i < 16; i++)
		ck_assert_int_eq(weir_batch_put(batch, full, &i, sizeof(i), 0, 0), 0);
	ck_assert_int_eq(weir_batch_send(batch, readers[0].ends[1], "x", 1, 0, 0), -EAGAIN);
	ck_assert_int_eq(weir_batch_send(batch, readers[0].ends[1], "x", 1, 0,
					 test_now() + 2 * MS), -ETIMEDOUT);
	ck_assert_int_eq(weir_batch_send(batch, readers[1].ends[1], "x", 1, 0, soon()), -EPIPE);
	ck_assert_int_eq(weir_batch_send(batch, readers[2].ends[0], "x", 1, 0, 0), -EOPNOTSUPP);
	ck_assert_int_eq(weir_batch_put(batch, full, "x", 1, 0, 0), -EAGAIN);
	ck_assert_int_eq(weir_batch_put(batch, full, "x", 1, 0, test_now() + 2 * MS), -ETIMEDOUT);
	ck_assert_int_eq(weir_queue_shutdown(full, 0), 0);
	ck_assert_int_eq(weir_batch_put(batch, full, "x", 1, 0, soon()), -EPIPE);
	ck_assert_int_eq(reader_send(&readers[2], batch, 7, 0), 0);
	ck_assert_int_eq(weir_pipe_shutdown(readers[0].ends[0]), 0);
	ck_assert_int_eq(weir_batch_send(batch, readers[0].ends[1], "x", 1, 0, 0), -ESHUTDOWN);
	ck_assert_int_eq(weir_batch_flush(batch), 0);
	ck_assert_int_eq(recv_number(readers[2].ends[0], 0), 7);
}
END_TEST

/*
 * Who is awake
 */

START_TEST(readers_that_are_awake_cost_no_system_call)
{
	struct weir_batch_stat st;

	open_readers(MANY);
	open_batch(batch_engines[_i]);
	/* They are the owners, have slept, and found nothing since. */
	start_readers(MANY);
	send_to(MANY);
	weir_batch_flush(batch);
	join_readers(MANY);
	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(reader_read(&readers[i], 0), -EAGAIN);
	/* A queue may still believe that somebody sleeps. */
	send_to(MANY);
	weir_batch_flush(batch);
	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(reader_read(&readers[i], 0), 100 + i);
	st = batch_stat(batch);
	wake_calls = 0;
	for (int round = 0; round < 10; round++) {
		send_to(MANY);
		ck_assert_int_eq(weir_batch_flush(batch), 0);
		for (int i = 0; i < MANY; i++)
			ck_assert_int_eq(reader_read(&readers[i], 0), 100 + i);
	}
	ck_assert_uint_eq(wake_calls, 0);
	ck_assert_uint_eq(batch_stat(batch).calls, st.calls);
	ck_assert_uint_eq(batch_stat(batch).flushes, st.flushes);
}
END_TEST

START_TEST(message_is_there_before_the_flush)
{
	open_readers(4);
	open_batch(batch_engines[_i]);
	send_to(4);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(reader_read(&readers[i], 0), 100 + i);
}
END_TEST

static void check_ways(uint32_t engine, struct weir_batch_stat st, uint64_t count)
{
	bool together = with_uring && (engine == WEIR_ENGINE_URING ||
				       (engine == WEIR_ENGINE_AUTO && count >= st.break_even));

	ck_assert_uint_eq(st.wakes, count);
	ck_assert_uint_eq(st.flushes, 1);
	/* A system call for all, or one for each; where the kernel can do all kinds so. */
	ck_assert_uint_eq(st.submitted, together ? count : 0);
	ck_assert_uint_eq(st.submissions, together);
	ck_assert_uint_eq(st.calls, together ? 1 : count);
	ck_assert_uint_eq(st.engine, together ? WEIR_ENGINE_URING : WEIR_ENGINE_EPOLL);
}

static const int sizes[] = { 1, 4, 16, MANY };

/*
 * All are asleep: one flush wakes all. Pipes alone, which sleep on until then; those that have
 * slept for longer count as eventfds, which may not be worth it.
 */
START_TEST(flush_wakes_all)
{
	uint32_t engine = batch_engines[_i % BATCH_ENGINES];
	int count = sizes[_i / BATCH_ENGINES];
	struct weir_batch_stat st;

	for (int i = 0; i < count; i++)
		ck_assert(reader_open(&readers[i], false));
	open_batch(engine);
	start_readers(count);
	wake_calls = 0;
	send_to(count);
	ck_assert_uint_eq(wake_calls, 0);
	ck_assert_int_eq(weir_batch_flush(batch), count);
	st = batch_stat(batch);
	ck_assert_uint_eq(wake_calls, st.calls);
	if (engine != WEIR_ENGINE_AUTO || count < (int)st.break_even)
		check_ways(engine, st, (uint64_t)count);
	else
		ck_assert(st.calls == 1 || st.calls == (uint64_t)count);
	join_readers(count);
	/* And a flush is all it takes. */
	ck_assert_int_eq(weir_batch_flush(batch), 0);
}
END_TEST

START_TEST(flush_wakes_readers_of_pipes_and_queues)
{
	int woken;

	open_readers(MANY);
	open_batch(batch_engines[_i]);
	for (int round = 0; round < 3; round++) {
		start_readers(MANY);
		send_to(MANY);
		/* Of a queue, those who keep watch may have found it, and rung, by now. */
		woken = weir_batch_flush(batch);
		ck_assert_int_ge(woken, MANY - MANY / 4);
		ck_assert_int_le(woken, MANY);
		join_readers(MANY);
	}
}
END_TEST

START_TEST(several_messages_to_one_are_one_wake)
{
	open_readers(4);
	open_batch(batch_engines[_i]);
	start_readers(4);
	for (int i = 0; i < 4; i++)
		for (int again = 0; again < 5; again++)
			ck_assert_int_eq(reader_send(&readers[i], batch, (uint64_t)(100 + i), 0),
					 0);
	ck_assert_int_ge(weir_batch_flush(batch), 3);
	join_readers(4);
}
END_TEST

START_TEST(exported_descriptor_is_signalled_by_the_flush)
{
	struct pollfd p = { .events = POLLIN };

	open_readers(1);
	open_batch(batch_engines[_i]);
	p.fd = weir_pipe_fd(readers[0].ends[0]);
	ck_assert_int_ge(p.fd, 0);
	ck_assert_int_eq(recv_number(readers[0].ends[0], 0), -EAGAIN);
	ck_assert_int_eq(poll(&p, 1, 0), 0);
	ck_assert_int_eq(reader_send(&readers[0], batch, 5, 0), 0);
	ck_assert_int_eq(poll(&p, 1, 0), 0);
	ck_assert_int_eq(weir_batch_flush(batch), 1);
	ck_assert_int_eq(poll(&p, 1, 0), 1);
	ck_assert_int_eq(recv_number(readers[0].ends[0], 0), 5);
}
END_TEST

/* It is lit in front of the message. */
START_TEST(descriptor_of_a_queue_does_not_wait_for_the_flush)
{
	struct pollfd p = { .events = POLLIN };

	ck_assert(reader_open(&readers[0], true));
	open_batch(batch_engines[_i]);
	p.fd = weir_queue_fd(readers[0].queue, WEIR_IN);
	ck_assert_int_ge(p.fd, 0);
	ck_assert_int_eq(reader_read(&readers[0], 0), -EAGAIN);
	ck_assert_int_eq(poll(&p, 1, 0), 0);
	ck_assert_int_eq(reader_send(&readers[0], batch, 5, 0), 0);
	ck_assert_int_eq(poll(&p, 1, 0), 1);
	ck_assert_int_eq(reader_read(&readers[0], 0), 5);
}
END_TEST

/*
 * Waiting, closing, other batches
 */

START_TEST(whoever_must_wait_for_room_flushes_first)
{
	struct reader *full = &readers[_i % 2 ? 3 : 1];

	open_readers(4);
	open_batch(batch_engines[_i / 2]);
	while (reader_send(full, batch, 1, 0) == 0)
		;
	start_readers(1);
	send_to(1);
	ck_assert_uint_eq(batch_stat(batch).flushes, 0);
	/* Nobody reads that one. */
	ck_assert_int_eq(reader_send(full, batch, 2, test_now() + MS), -ETIMEDOUT);
	ck_assert_uint_eq(batch_stat(batch).flushes, 1);
	join_readers(1);
	ck_assert_int_eq(weir_batch_flush(batch), 0);
}
END_TEST

static void *read_all(void *arg)
{
	struct reader *r = arg;

	/* All of it: a pipe's reader says late that there is room. */
	do
		r->got = reader_read(r, soon());
	while (r->got == 1);
	return NULL;
}

START_TEST(whoever_waits_for_room_gets_it)
{
	struct reader *full = &readers[_i % 2 ? 3 : 1];

	open_readers(4);
	open_batch(batch_engines[_i / 2]);
	while (reader_send(full, batch, 1, 0) == 0)
		;
	ck_assert_int_eq(pthread_create(&full->thread, NULL, read_all, full), 0);
	ck_assert_int_eq(reader_send(full, batch, 2, soon()), 0);
	weir_batch_flush(batch);
	ck_assert_int_eq(reader_join(full), 2);
}
END_TEST

static void *send_large(void *arg)
{
	static uint8_t large[100000];

	return weir_batch_send(batch, arg, large, sizeof(large), 0, soon()) == 0 ? arg : NULL;
}

START_TEST(message_larger_than_the_ring_is_sent)
{
	static uint8_t buffer[100000];
	size_t size = 0;
	pthread_t sender;
	void *result;

	open_readers(2);
	open_batch(batch_engines[_i]);
	start_readers(1);
	send_to(1);
	ck_assert_int_eq(weir_batch_send(batch, readers[1].ends[1], buffer, sizeof(buffer), 0, 0),
			 -EAGAIN);
	ck_assert_int_eq(pthread_create(&sender, NULL, send_large, readers[1].ends[1]), 0);
	join_readers(1);
	ck_assert_int_eq(weir_pipe_recv(readers[1].ends[0], buffer, sizeof(buffer), 0, soon(),
					&size), 0);
	ck_assert_uint_eq(size, sizeof(buffer));
	ck_assert_int_eq(pthread_join(sender, &result), 0);
	ck_assert_ptr_nonnull(result);
}
END_TEST

START_TEST(pending_messages_are_published_by_the_last)
{
	open_readers(1);
	open_batch(batch_engines[_i]);
	start_readers(1);
	ck_assert_int_eq(weir_batch_send(batch, readers[0].ends[1], "x", 1, WEIR_MORE, 0), 0);
	ck_assert_int_eq(weir_batch_flush(batch), 0);
	ck_assert_int_eq(weir_batch_send(batch, readers[0].ends[1], "y", 1, 0, 0), 0);
	ck_assert_int_eq(weir_batch_flush(batch), 1);
	ck_assert_int_eq(reader_join(&readers[0]), -EILSEQ);
}
END_TEST

static void *close_object(void *arg)
{
	struct reader *r = arg;

	weir_pipe_close(r->ends[1]);
	r->ends[1] = NULL;
	return NULL;
}

/* By the sender, with the message there: the reader has it, and then the end. */
START_TEST(end_that_is_closed_before_the_flush_wakes_its_reader)
{
	pthread_t closer;

	open_readers(3);
	open_batch(batch_engines[_i]);
	start_readers(3);
	send_to(3);
	close_object(&readers[0]);
	ck_assert_int_eq(pthread_create(&closer, NULL, close_object, &readers[1]), 0);
	ck_assert_int_eq(pthread_join(closer, NULL), 0);
	ck_assert_int_eq(reader_join(&readers[0]), 100);
	ck_assert_int_eq(reader_join(&readers[1]), 101);
	weir_batch_flush(batch);
	ck_assert_int_eq(reader_join(&readers[2]), 102);
	ck_assert_int_eq(reader_read(&readers[0], soon()), -EPIPE);
}
END_TEST

/* Nothing of it is left in the process: neither memory nor descriptors. */
START_TEST(object_that_is_gone_is_not_touched_by_the_flush)
{
	struct weir_batch_stat st;

	open_readers(4);
	open_batch(batch_engines[_i]);
	start_readers(4);
	send_to(4);
	/* They have it from looking themselves, or because others wake them. */
	for (int i = 0; i < 4; i++)
		if (readers[i].queue) {
			ck_assert_int_eq(reader_join(&readers[i]), 100 + i);
		} else {
			ck_assert_int_eq(weir_pipe_shutdown(readers[i].ends[0]), 0);
			ck_assert_int_eq(reader_join(&readers[i]), 100 + i);
		}
	for (int i = 0; i < 4; i++)
		reader_close(&readers[i]);
	st = batch_stat(batch);
	wake_calls = 0;
	ck_assert_int_eq(weir_batch_flush(batch), 0);
	ck_assert_uint_eq(wake_calls, 0);
	ck_assert_uint_eq(batch_stat(batch).calls, st.calls);
	/* What lies there now is not taken for it. */
	open_readers(4);
	start_readers(4);
	send_to(4);
	ck_assert_int_ge(weir_batch_flush(batch), 3);
	join_readers(4);
}
END_TEST

START_TEST(two_batches_are_flushed_each_by_itself)
{
	struct weir_batch *other = batch_new(batch_engines[_i]);

	open_readers(4);
	open_batch(WEIR_ENGINE_URING);
	start_readers(4);
	send_to(2);
	for (int i = 2; i < 4; i++)
		ck_assert_int_eq(reader_send(&readers[i], other, (uint64_t)(100 + i), 0), 0);
	ck_assert_int_ge(weir_batch_flush(other), 1);
	ck_assert_int_eq(reader_join(&readers[2]), 102);
	ck_assert_int_eq(reader_join(&readers[3]), 103);
	ck_assert_int_eq(weir_batch_flush(batch), 2);
	join_readers(2);
	weir_batch_close(other);
}
END_TEST

START_TEST(close_flushes)
{
	open_readers(4);
	open_batch(batch_engines[_i]);
	start_readers(4);
	send_to(4);
	weir_batch_close(batch);
	batch = NULL;
	join_readers(4);
}
END_TEST

/*
 * Engines
 */

START_TEST(environment_chooses_where_the_options_do_not)
{
	open_readers(1);
	setenv("WEIR_ENGINE", _i ? "uring" : "epoll", 1);
	open_batch(WEIR_ENGINE_AUTO);
	unsetenv("WEIR_ENGINE");
	start_readers(1);
	send_to(1);
	ck_assert_int_eq(weir_batch_flush(batch), 1);
	check_ways(_i ? WEIR_ENGINE_URING : WEIR_ENGINE_EPOLL, batch_stat(batch), 1);
	join_readers(1);
}
END_TEST

static int refuse_uring(enum sys_call call)
{
	return call == SYS_CALL_URING_SETUP ? -EPERM : 0;
}

START_TEST(where_io_uring_is_refused_wakes_are_made_one_by_one)
{
	struct weir_batch_stat st;

	open_readers(8);
	open_batch(WEIR_ENGINE_URING);
	sys_fault = refuse_uring;
	for (int round = 0; round < 2; round++) {
		start_readers(8);
		send_to(8);
		ck_assert_int_ge(weir_batch_flush(batch), 6);
		join_readers(8);
	}
	st = batch_stat(batch);
	ck_assert_uint_eq(st.engine, WEIR_ENGINE_EPOLL);
	ck_assert_uint_eq(st.break_even, 0);
	ck_assert_uint_eq(st.submitted, 0);
	ck_assert_uint_eq(st.calls, st.wakes);
}
END_TEST

/* As before Linux 6.7, as far as can be told: what it can do cannot be asked. */
static int refuse_probe(enum sys_call call)
{
	return call == SYS_CALL_URING_REGISTER ? -EINVAL : 0;
}

START_TEST(io_uring_without_futexes_is_for_those_who_insist)
{
	uint32_t engine = _i ? WEIR_ENGINE_URING : WEIR_ENGINE_AUTO;
	struct weir_batch_stat st;

	sys_fault = refuse_probe;
	for (int i = 0; i < MANY; i++)
		ck_assert(reader_open(&readers[i], false));
	open_batch(engine);
	start_readers(MANY);
	send_to(MANY);
	ck_assert_int_eq(weir_batch_flush(batch), MANY);
	join_readers(MANY);
	st = batch_stat(batch);
	ck_assert_uint_eq(st.wakes, MANY);
	ck_assert_uint_eq(st.calls, MANY - st.submitted + st.submissions);
	/* Of those that have slept for longer, for which there are eventfds, it depends. */
	if (engine == WEIR_ENGINE_AUTO)
		ck_assert_uint_eq(st.submitted, 0);
	if (engine == WEIR_ENGINE_AUTO || !with_uring)
		ck_assert_uint_eq(st.engine, WEIR_ENGINE_EPOLL);
	else
		ck_assert_uint_eq(st.engine, WEIR_ENGINE_URING);
}
END_TEST

#define EACH	(BATCH_ENGINES)

static Suite *suite(void)
{
	Suite *s = suite_create("batch");
	TCase *t = tcase_create("batch");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, wrong_arguments_are_refused);
	tcase_add_loop_test(t, each_entry_has_its_own_result, 0, EACH);
	tcase_add_loop_test(t, readers_that_are_awake_cost_no_system_call, 0, EACH);
	tcase_add_loop_test(t, message_is_there_before_the_flush, 0, EACH);
	tcase_add_loop_test(t, flush_wakes_all, 0, EACH * (int)ARRAY_LENGTH(sizes));
	tcase_add_loop_test(t, flush_wakes_readers_of_pipes_and_queues, 0, EACH);
	tcase_add_loop_test(t, several_messages_to_one_are_one_wake, 0, EACH);
	tcase_add_loop_test(t, exported_descriptor_is_signalled_by_the_flush, 0, EACH);
	tcase_add_loop_test(t, descriptor_of_a_queue_does_not_wait_for_the_flush, 0, EACH);
	tcase_add_loop_test(t, whoever_must_wait_for_room_flushes_first, 0, 2 * EACH);
	tcase_add_loop_test(t, whoever_waits_for_room_gets_it, 0, 2 * EACH);
	tcase_add_loop_test(t, message_larger_than_the_ring_is_sent, 0, EACH);
	tcase_add_loop_test(t, pending_messages_are_published_by_the_last, 0, EACH);
	tcase_add_loop_test(t, end_that_is_closed_before_the_flush_wakes_its_reader, 0, EACH);
	tcase_add_loop_test(t, object_that_is_gone_is_not_touched_by_the_flush, 0, EACH);
	tcase_add_loop_test(t, two_batches_are_flushed_each_by_itself, 0, EACH);
	tcase_add_loop_test(t, close_flushes, 0, EACH);
	tcase_add_loop_test(t, environment_chooses_where_the_options_do_not, 0, 2);
	tcase_add_test(t, where_io_uring_is_refused_wakes_are_made_one_by_one);
	tcase_add_loop_test(t, io_uring_without_futexes_is_for_those_who_insist, 0, 2);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	struct weir_engine_report report = { .size = sizeof(report) };

	unsetenv("WEIR_ENGINE");
	with_uring = weir_engine(&report) == 0 && (report.features & WEIR_URING_FUTEX);
	return test_main(suite());
}
