/* SPDX-License-Identifier: MIT */
/* Batches between processes: many who sleep, a sender who is killed, and forks. */
#include "batch-tools.h"

#include <sys/wait.h>

#define MANY	64
#define ROUNDS	20

/* What readers say. */
struct report {
	int64_t got;
	int64_t at;
	int64_t starved;
	uint32_t count;
};

static struct report *reports;
static struct reader readers[MANY];
static struct child children[MANY];
static struct weir_batch *batch;

static void setup(void)
{
	reports = shared_alloc(MANY * sizeof(*reports));
}

static void teardown(void)
{
	weir_batch_close(batch);
	batch = NULL;
	for (int i = 0; i < MANY; i++)
		reader_close(&readers[i]);
}

static int read_on(void *arg)
{
	struct report *r = arg;
	struct reader *own = &readers[r - reports];

	for (uint32_t i = 0; i < ROUNDS; i++) {
		child_check(reader_read(own, soon()) == i);
		store_release(&r->count, i + 1);
	}
	return 0;
}

/* Half of them are asleep, and half on their way; every message is received, in order. */
START_TEST(flush_wakes_processes)
{
	for (int i = 0; i < MANY; i++) {
		ck_assert(reader_open(&readers[i], i % 4 == 3));
		children[i] = child_start(read_on, &reports[i]);
	}
	batch = batch_new(batch_engines[_i]);
	ck_assert_ptr_nonnull(batch);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		if (round % 2 == 0)
			ck_assert(child_wait_asleep(children[0].pid));
		for (int i = 0; i < MANY; i++)
			ck_assert_int_eq(reader_send(&readers[i], batch, round, soon()), 0);
		ck_assert_int_ge(weir_batch_flush(batch), 0);
	}
	for (int i = 0; i < MANY; i++)
		child_join_ok(&children[i]);
}
END_TEST

/*
 * Without a flush
 */

enum scene {
	PIPE_SHALLOW,
	PIPE_DEEP,
	QUEUE,
	SCENES
};

/* As weir_batch(3) says, and what a busy machine may add to the median. */
static const int64_t limits[SCENES] = { 20 * MS + 10 * MS, 10 * MS, 8 * MS + 10 * MS };

static int read_one(void *arg)
{
	struct report *r = arg;

	/* The first makes the sender the owner. */
	child_check(reader_read(&readers[0], soon()) == 1);
	store_release(&r->count, 1);
	r->got = reader_read(&readers[0], soon());
	r->at = test_now();
	r->starved = child_starved(getpid());
	store_release(&r->count, 2);
	return 0;
}

/* Send, and never flush. */
static int send_and_wait(void *arg)
{
	uint32_t *say = arg;

	batch = batch_new(WEIR_ENGINE_AUTO);
	child_check(batch);
	child_check(reader_send(&readers[0], batch, 1, soon()) == 0);
	weir_batch_flush(batch);
	store_release(&say[0], 1);
	while (load_acquire(&say[1]) == 0)
		nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
	child_check(reader_send(&readers[0], batch, 2, soon()) == 0);
	store_release(&say[0], 2);
	for (;;)
		pause();
}

static void wait_for(const uint32_t *word, uint32_t value)
{
	int64_t deadline = soon();

	while (load_acquire(word) != value) {
		ck_assert_int_lt(test_now(), deadline);
		nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
	}
}

static bool is_in_place(enum scene scene, pid_t pid, const uint32_t *wait)
{
	if (scene == QUEUE)
		return child_wait_asleep_in(pid, SYS_futex);
	return wait_for_stage(pid, wait, scene == PIPE_DEEP ? WAIT_DEEP : WAIT_SHALLOW);
}

/* From the death of the sender, or from the send, to the receipt; -1: it did not come about. */
static int64_t time_of(enum scene scene, bool killed)
{
	const struct weir_lane_control *lanes = NULL;
	uint32_t *say = shared_alloc(2 * sizeof(*say));
	struct child reader, sender;
	int64_t start, starved;
	bool in_place;

	memset(reports, 0, sizeof(*reports));
	ck_assert(reader_open(&readers[0], scene == QUEUE));
	if (scene != QUEUE)
		lanes = pipe_watch(readers[0].ends[0]);
	reader = child_start(read_one, reports);
	sender = child_start(send_and_wait, say);
	wait_for(&say[0], 1);
	wait_for(&reports->count, 1);
	in_place = is_in_place(scene, reader.pid, lanes ? &lanes->reader.wait : NULL);
	starved = -child_starved(reader.pid) - child_starved(getpid());
	start = test_now();
	store_release(&say[1], 1);
	wait_for(&say[0], 2);
	if (killed) {
		/* It may have come before: that is none too late. */
		kill(sender.pid, SIGKILL);
		start = test_now();
	}
	wait_for(&reports->count, 2);
	starved += reports->starved + child_starved(getpid());
	ck_assert_int_eq(reports->got, 2);
	child_join_ok(&reader);
	child_kill(&sender);
	reader_close(&readers[0]);
	return in_place ? reports->at - start - starved : -1;
}

static void check_times(enum scene scene, bool killed)
{
	int64_t times[5];
	int sets = 0;

	do {
		for (size_t i = 0; i < ARRAY_LENGTH(times); i++) {
			do
				times[i] = time_of(scene, killed);
			while (times[i] == -1);
		}
	} while (take_again(times, ARRAY_LENGTH(times), limits[scene], &sets));
	ck_assert_int_lt(median(times, ARRAY_LENGTH(times)), limits[scene]);
}

START_TEST(sender_killed_before_the_flush_has_sent)
{
	check_times((enum scene)_i, true);
}
END_TEST

/* Who has slept for long and is never woken sleeps for seconds: that is left out. */
START_TEST(reader_that_is_never_woken_looks_for_itself)
{
	check_times(_i ? QUEUE : PIPE_SHALLOW, false);
}
END_TEST

/*
 * Fork
 */

static int read_first(void *arg)
{
	struct reader *r = arg;

	child_check(reader_read(r, soon()) == 100);
	child_check(reader_read(r, soon()) == 101);
	return 0;
}

static int use_inherited(void *arg)
{
	struct weir_batch_stat st = batch_stat(batch);

	(void)arg;
	child_check(st.wakes == 0 && st.calls == 0 && st.flushes == 0);
	child_check(weir_batch_flush(batch) == 0);
	child_check(reader_send(&readers[1], batch, 100, soon()) == 0);
	child_check(weir_batch_flush(batch) == 1);
	child_check(child_wait_asleep(children[1].pid));
	child_check(reader_send(&readers[1], batch, 101, soon()) == 0);
	child_check(weir_batch_flush(batch) == 1);
	st = batch_stat(batch);
	child_check(st.wakes == 2 && st.calls == 2 && st.flushes == 2);
	weir_batch_close(batch);
	return 0;
}

/* With a ring open in the parent, wakes that are put off, and a child that does the same. */
START_TEST(child_has_the_batch_of_its_parent_empty)
{
	struct child user;

	for (int i = 0; i < 2; i++) {
		ck_assert(reader_open(&readers[i], false));
		children[i] = child_start(read_first, &readers[i]);
		ck_assert(child_wait_asleep(children[i].pid));
	}
	batch = batch_new(batch_engines[_i]);
	ck_assert_ptr_nonnull(batch);
	ck_assert_int_eq(reader_send(&readers[0], batch, 100, 0), 0);
	ck_assert_int_eq(weir_batch_flush(batch), 1);
	ck_assert(child_wait_asleep(children[0].pid));
	ck_assert_int_eq(reader_send(&readers[0], batch, 101, 0), 0);
	user = child_start(use_inherited, NULL);
	child_join_ok(&user);
	child_join_ok(&children[1]);
	ck_assert_int_eq(weir_batch_flush(batch), 1);
	child_join_ok(&children[0]);
	ck_assert_uint_eq(batch_stat(batch).wakes, 2);
}
END_TEST

static int close_inherited(void *arg)
{
	(void)arg;
	weir_batch_close(batch);
	return 0;
}

START_TEST(child_that_closes_the_batch_leaves_its_parents_alone)
{
	struct child closer;

	ck_assert(reader_open(&readers[0], false));
	children[0] = child_start(read_first, &readers[0]);
	batch = batch_new(batch_engines[_i]);
	ck_assert_ptr_nonnull(batch);
	for (uint64_t number = 100; number < 102; number++) {
		ck_assert(child_wait_asleep(children[0].pid));
		ck_assert_int_eq(reader_send(&readers[0], batch, number, 0), 0);
		closer = child_start(close_inherited, NULL);
		child_join_ok(&closer);
		ck_assert_int_eq(weir_batch_flush(batch), 1);
	}
	child_join_ok(&children[0]);
	ck_assert_uint_eq(batch_stat(batch).calls, 2);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("batch");
	TCase *t = tcase_create("batch");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, flush_wakes_processes, 0, BATCH_ENGINES);
	tcase_add_loop_test(t, sender_killed_before_the_flush_has_sent, 0, SCENES);
	tcase_add_loop_test(t, reader_that_is_never_woken_looks_for_itself, 0, 2);
	tcase_add_loop_test(t, child_has_the_batch_of_its_parent_empty, 0, BATCH_ENGINES);
	tcase_add_loop_test(t, child_that_closes_the_batch_leaves_its_parents_alone, 0,
			    BATCH_ENGINES);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	unsetenv("WEIR_ENGINE");
	return test_main(suite());
}
