/* SPDX-License-Identifier: MIT */
/*
 * A batch whose system calls fail, and one whose process is killed at any instruction: who sleeps
 * is woken all the same, in the first case by the flush, in the second because it dies.
 */
#include "batch-tools.h"
#include "failures.h"

#include <sys/wait.h>

#include "obj/queue.h"

#define READERS	4
/* A deep sleeper that nobody wakes sleeps for 2 s, and is slow on a busy machine. */
#define PROMPT	(1500 * MS)

struct report {
	int64_t got;
	int64_t at;
	uint32_t count;
};

static struct report *reports;
static struct reader readers[READERS];
static struct child children[READERS];
static const struct weir_lane_control *lanes[READERS];

static void setup(void)
{
	reports = shared_alloc(READERS * sizeof(*reports));
}

static void teardown(void)
{
	sys_fault = NULL;
}

/*
 * Making one
 */

static const int errors[] = { EMFILE, ENFILE, ENOMEM, EPERM, EINTR, ENOSYS, EAGAIN, EINVAL };

static struct resources before;

static void make_once(void)
{
	struct weir_batch *const nothing = (void *)&plan, *b = nothing;
	int result;

	failures_begin();
	result = weir_batch(&b, NULL);
	failures_end("weir_batch");
	if (result < 0)
		check(result == plan.error && b == nothing);
	else
		weir_batch_close(b);
	resources_check(&before);
}

START_TEST(make_with_a_failing_call_is_an_error_and_leaves_nothing)
{
	before = resources_begin();
	with_each_call(errors[_i], make_once);
}
END_TEST

/* Sending is as it is without a batch, and the flush returns. */
static void use_once(void)
{
	struct weir_batch *b = batch_new(WEIR_ENGINE_URING);
	struct reader r[2];
	int64_t sent[2];

	check(b);
	for (int i = 0; i < 2; i++) {
		check(reader_open(&r[i], i));
		/* Without a process: an armed descriptor, or a bell that believes it. */
		check(reader_read(&r[i], 0) == -EAGAIN);
	}
	check(weir_pipe_fd(r[0].ends[0]) >= 0);
	check(reader_read(&r[0], 0) == -EAGAIN);
	bell_listen(&r[1].queue->store.control->reader_bell);
	failures_begin();
	for (int i = 0; i < 2; i++)
		sent[i] = reader_send(&r[i], b, 7, 0);
	check(weir_batch_flush(b) >= 0);
	failures_end("weir_batch_flush");
	for (int i = 0; i < 2; i++)
		check(reader_read(&r[i], 0) == (sent[i] == 0 ? 7 : -EAGAIN));
	weir_batch_close(b);
	for (int i = 0; i < 2; i++)
		reader_close(&r[i]);
	resources_check(&before);
}

START_TEST(use_with_a_failing_call_loses_no_message)
{
	/* Once without, for what a process has for good. */
	before = resources_begin();
	before.anonymous = false;
	plan = (struct plan){ .first = FOREVER };
	use_once();
	before = resources_begin();
	with_each_call(errors[_i], use_once);
}
END_TEST

/*
 * Sleepers
 */

static int read_one(void *arg)
{
	struct report *r = arg;
	struct reader *own = &readers[r - reports];

	/* The first makes the sender the owner, whose death is watched for then. */
	child_check(reader_read(own, soon()) == 1);
	store_release(&r->count, 1);
	r->got = reader_read(own, soon());
	r->at = test_now();
	store_release(&r->count, 2);
	return 0;
}

static void start_readers(void)
{
	memset(reports, 0, READERS * sizeof(*reports));
	for (int i = 0; i < READERS; i++) {
		ck_assert(reader_open(&readers[i], i == READERS - 1));
		lanes[i] = readers[i].queue ? NULL : pipe_watch(readers[i].ends[0]);
		children[i] = child_start(read_one, &reports[i]);
	}
}

/* Also called by children. */
static bool wait_for(const uint32_t *word, uint32_t value, int64_t deadline)
{
	while (load_acquire(word) < value) {
		if (test_now() > deadline)
			return false;
		nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
	}
	return true;
}

static bool all_sleep_deep(void)
{
	bool all = true;

	for (int i = 0; i < READERS; i++)
		all &= wait_for(&reports[i].count, 1, soon()) &&
		       (lanes[i] ? wait_for_stage(children[i].pid, &lanes[i]->reader.wait,
						  WAIT_DEEP)
				 : child_wait_asleep_in(children[i].pid, SYS_futex));
	return all;
}

static void end_readers(void)
{
	for (int i = 0; i < READERS; i++) {
		child_join_ok(&children[i]);
		if (lanes[i])
			munmap((uint8_t *)(uintptr_t)lanes[i] - WEIR_CONTROL_OFFSET,
			       readers[i].ends[0]->core->segment.front_size);
		reader_close(&readers[i]);
	}
}

/*
 * An io_uring that fails
 */

static const enum sys_call calls[] = {
	SYS_CALL_URING_SETUP, SYS_CALL_URING_REGISTER, SYS_CALL_URING_ENTER, SYS_CALL_MADVISE,
	SYS_CALL_DUP,
};

#define CALLS	((int)ARRAY_LENGTH(calls))

static const int uring_errors[] = { EPERM, ENOMEM, EAGAIN, EINTR, EBADF };

#define URING_ERRORS	((int)ARRAY_LENGTH(uring_errors))

START_TEST(flush_whose_io_uring_fails_wakes_all)
{
	struct weir_batch *b = batch_new(WEIR_ENGINE_URING);
	int64_t start;

	ck_assert_ptr_nonnull(b);
	start_readers();
	for (int i = 0; i < READERS; i++)
		ck_assert_int_eq(reader_send(&readers[i], b, 1, soon()), 0);
	/* The first is for those that do not sleep yet. */
	plan = (struct plan){
		.error = -uring_errors[_i / CALLS],
		.last = FOREVER,
		.kind = (int)calls[_i % CALLS],
	};
	failures_begin();
	ck_assert_int_ge(weir_batch_flush(b), 0);
	failures_end("first flush");
	ck_assert(all_sleep_deep());
	failures_begin();
	start = test_now();
	for (int i = 0; i < READERS; i++)
		ck_assert_int_eq(reader_send(&readers[i], b, 2, soon()), 0);
	ck_assert_int_ge(weir_batch_flush(b), READERS - 1);
	failures_end("second flush");
	for (int i = 0; i < READERS; i++) {
		ck_assert(wait_for(&reports[i].count, 2, soon()));
		ck_assert_int_eq(reports[i].got, 2);
		ck_assert_int_lt(reports[i].at - start, PROMPT);
	}
	end_readers();
	weir_batch_close(b);
}
END_TEST

/*
 * Killed
 */

#define POINTS	(LESS > 1 ? 1 : 4)

static uint32_t *sent;
static uint32_t engine;

/* Send one to each, and flush. */
static int send_and_flush(void *arg)
{
	struct weir_batch *b = batch_new(engine);

	(void)arg;
	child_check(b);
	for (int i = 0; i < READERS; i++)
		child_check(reader_send(&readers[i], b, 1, soon()) == 0);
	weir_batch_flush(b);
	child_check(all_sleep_deep());
	stepper_mark_begin();
	for (int i = 0; i < READERS; i++)
		if (reader_send(&readers[i], b, 2, soon()) == 0)
			store_release(sent, (uint32_t)i + 1);
	weir_batch_flush(b);
	stepper_mark_end();
	return 0;
}

/* Killed after @steps instructions; whether it got so far. */
static bool kill_after(uint64_t steps, uint64_t *ret_steps)
{
	struct stepper stepper;
	int64_t start;
	bool done;

	*sent = 0;
	start_readers();
	stepper = stepper_start(send_and_flush, NULL);
	ck_assert(stepper_run_to_begin(&stepper));
	done = stepper_steps(&stepper, steps) != STEP_DONE;
	*ret_steps = stepper.steps;
	start = test_now();
	stepper_kill(&stepper);
	for (uint32_t i = 0; i < READERS; i++) {
		/* What was sent comes, and not late. */
		if (i < *sent) {
			ck_assert(wait_for(&reports[i].count, 2, soon()));
			ck_assert_int_eq(reports[i].got, 2);
			ck_assert_int_lt(reports[i].at - start, PROMPT);
			continue;
		}
		/* Otherwise perhaps; the next sender takes over. */
		if (readers[i].queue)
			ck_assert_int_eq(weir_queue_put(readers[i].queue, &(uint64_t){ 3 }, 8, 0,
							soon()), 0);
		else
			ck_assert_int_eq(send_number(readers[i].ends[1], 3, soon()), 0);
		ck_assert(wait_for(&reports[i].count, 2, soon()));
		ck_assert(reports[i].got == 2 || reports[i].got == 3);
	}
	end_readers();
	return !done;
}

START_TEST(killed_at_any_instruction_nothing_that_was_sent_is_late)
{
	uint64_t all, steps;

	engine = batch_engines[_i];
	sent = shared_alloc(sizeof(*sent));
	ck_assert(!kill_after(UINT64_MAX, &all));
	ck_assert_uint_eq(*sent, READERS);
	for (uint64_t i = 0; i < POINTS; i++)
		kill_after(test_random_below(all), &steps);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("batch");
	TCase *t = tcase_create("batch");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 300);
	tcase_add_loop_test(t, make_with_a_failing_call_is_an_error_and_leaves_nothing, 0,
			    (int)ARRAY_LENGTH(errors));
	tcase_add_loop_test(t, use_with_a_failing_call_loses_no_message, 0,
			    (int)ARRAY_LENGTH(errors));
	tcase_add_loop_test(t, flush_whose_io_uring_fails_wakes_all, 0, CALLS * URING_ERRORS);
	if (!stepper_unavailable())
		tcase_add_loop_test(t, killed_at_any_instruction_nothing_that_was_sent_is_late, 0,
				    BATCH_ENGINES);
	else
		test_left_out("killed_at_any_instruction_nothing_that_was_sent_is_late",
			      stepper_unavailable());
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	unsetenv("WEIR_ENGINE");
	return test_main(suite());
}
