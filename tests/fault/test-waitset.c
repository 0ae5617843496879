/* SPDX-License-Identifier: MIT */
/*
 * Wait sets whose system calls fail, one after the other and all: nothing leaks, what was refused
 * has not happened, and what came while calls failed is reported afterwards, in time. And processes
 * that die and stop while a set waits for them, and more signals than a ring has room for.
 */
#include "failures.h"
#include "waitset-tools.h"

#include <dirent.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

/* Before a look at all finds what was missed. */
#define IN_TIME		(800 * MS)
/* More than a set looks at without being told. */
#define PIPES		20

static const int errors[] = { EMFILE, ENOMEM, EPERM, EINTR, EAGAIN, EBUSY };

#define ERRORS ((int)(sizeof(errors) / sizeof(errors[0])))

static struct resources before;
static uint32_t engine;
static struct weir_end *pipes[PIPES][2];
static struct weir_queue *queue;
static int event_fd;

static void setup_with(int number)
{
	waitset_warm_up();
	before = resources_begin();
	engine = engines[number];
	for (int i = 0; i < PIPES; i++)
		ck_assert_int_eq(pipe_make(pipes[i], 0, 4096), 0);
	queue = queue_new(0, 0, 0);
	event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
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
	for (int i = 0; i < PIPES; i++)
		pipe_close_both(pipes[i]);
	weir_queue_close(queue);
	close(event_fd);
	resources_check(&before);
}

/* Objects that are used have more and more memory, so within a case only these are counted. */
static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	while (dir && readdir(dir))
		count++;
	closedir(dir);
	return count;
}

/* Each of the three is reported, alone, and in time. */
static void use(struct weir_waitset *set)
{
	struct weir_event event;
	uint64_t value;

	check(wait_one(set, test_now() + 200 * US, &event) == -ETIMEDOUT);
	check(send_number(pipes[0][1], 1, 0) == 0);
	check(wait_one(set, test_now() + IN_TIME, &event) == WEIR_IN);
	check(recv_number(pipes[0][0], 0) == 1);
	check(queue_put_number(queue, 1, 0) == 0);
	check(wait_one(set, test_now() + IN_TIME, &event) == WEIR_IN);
	check(queue_get_number(queue, 0) == 1);
	check(eventfd_write(event_fd, 1) == 0);
	check(wait_one(set, test_now() + IN_TIME, &event) == WEIR_IN);
	check(eventfd_read(event_fd, &value) == 0);
	check(events_now(set) == -EAGAIN);
}

static uint64_t fill(struct weir_waitset *set)
{
	uint64_t first = source_of_pipe(set, pipes[0][0], WEIR_IN);

	for (int i = 1; i < PIPES; i++)
		check(source_of_pipe(set, pipes[i][0], WEIR_IN) != 0);
	check(source_of_queue(set, queue, WEIR_IN) != 0);
	check(source_of_fd(set, event_fd, WEIR_IN) != 0);
	return first;
}

static void make_once(void)
{
	struct weir_waitset_options options = { .size = sizeof(options), .engine = engine };
	int fds = count_fds();
	struct weir_waitset *set = NULL;
	int result;

	failures_begin();
	result = weir_waitset(&set, &options);
	failures_end("weir_waitset");
	check(result == 0 || result == plan.error);
	if (result == 0) {
		fill(set);
		use(set);
		weir_waitset_close(set);
	} else {
		check(!set);
	}
	check(count_fds() == fds);
}

START_TEST(set_made_with_failing_calls_is_whole_or_nothing)
{
	with_each_call(errors[_i], make_once);
}
END_TEST

static int add_fails(struct weir_waitset *set, int (*add)(struct weir_waitset *set))
{
	int result;

	failures_begin();
	result = add(set);
	failures_end("add");
	/* -EAGAIN of a lock is another owner. */
	check(result == 0 || result == plan.error || result == -EBUSY || result == -ENOMEM);
	return result;
}

static int add_pipe(struct weir_waitset *set)
{
	return weir_waitset_add_pipe(set, pipes[0][0], BOTH, NULL, NULL);
}

static int add_queue(struct weir_waitset *set)
{
	return weir_waitset_add_queue(set, queue, BOTH, NULL, NULL);
}

static int add_fd(struct weir_waitset *set)
{
	return weir_waitset_add_fd(set, event_fd, WEIR_IN, NULL, NULL);
}

static int add_process(struct weir_waitset *set)
{
	return weir_waitset_add_process(set, getpid(), NULL, NULL);
}

static int add_timer(struct weir_waitset *set)
{
	return weir_waitset_add_timer(set, WEIR_FOREVER, 0, NULL, NULL);
}

static int (*const adds[])(struct weir_waitset *) = {
	add_pipe, add_queue, add_fd, add_process, add_timer,
};

static void add_once(void)
{
	int fds = count_fds();
	struct weir_waitset *set = waitset_new(engine);

	for (size_t i = 0; i < ARRAY_LENGTH(adds); i++) {
		uint64_t sources = waitset_stat(set).sources;
		int result = add_fails(set, adds[i]);

		check(waitset_stat(set).sources == sources + (result == 0));
		if (result < 0 && adds[i] != add_process)
			check(adds[i](set) == 0);
	}
	weir_waitset_close(set);
	check(count_fds() == fds);
}

START_TEST(source_that_could_not_be_added_is_not_there_and_can_be_added)
{
	with_each_call(errors[_i], add_once);
}
END_TEST

static void change_once(void)
{
	int fds = count_fds();
	struct weir_waitset *set = waitset_new(engine);
	uint64_t source = fill(set);
	int result;

	failures_begin();
	result = weir_waitset_change(set, source, BOTH);
	failures_end("weir_waitset_change");
	check(result == 0 || result == plan.error || result == -EBUSY || result == -ENOMEM);
	if (result == 0)
		check(events_now(set) == WEIR_OUT);
	check(weir_waitset_remove(set, source) == 0);
	check(weir_waitset_add_pipe(set, pipes[0][0], WEIR_IN, NULL, NULL) == 0);
	use(set);
	weir_waitset_close(set);
	check(count_fds() == fds);
}

START_TEST(change_that_fails_has_changed_nothing)
{
	with_each_call(errors[_i], change_once);
}
END_TEST

/* What comes before, while the wait is armed, is found in spite of what fails meanwhile. */
static void wait_once(void)
{
	int fds = count_fds();
	struct weir_waitset *set = waitset_new(engine);
	struct weir_event event;
	uint64_t value;
	int result;

	fill(set);
	check(wait_one(set, test_now() + 100 * US, &event) == -ETIMEDOUT);
	check(send_number(pipes[PIPES / 2][1], 1, 0) == 0);
	failures_begin();
	result = wait_one(set, 0, &event);
	failures_end("weir_waitset_wait");
	check(result == WEIR_IN || result == -EAGAIN);
	check(wait_one(set, test_now() + IN_TIME, &event) == WEIR_IN);
	check(recv_number(pipes[PIPES / 2][0], 0) == 1);
	check(queue_put_number(queue, 1, 0) == 0);
	failures_continue();
	result = wait_one(set, test_now() + 200 * US, &event);
	failures_end("weir_waitset_wait");
	check(result == WEIR_IN || result == -ETIMEDOUT);
	check(wait_one(set, test_now() + IN_TIME, &event) == WEIR_IN);
	check(queue_get_number(queue, 0) == 1);
	check(eventfd_write(event_fd, 1) == 0);
	failures_continue();
	result = wait_one(set, test_now() + 200 * US, &event);
	failures_end("weir_waitset_wait");
	check(result == WEIR_IN || result == -ETIMEDOUT);
	check(wait_one(set, test_now() + IN_TIME, &event) == WEIR_IN);
	check(eventfd_read(event_fd, &value) == 0);
	use(set);
	weir_waitset_close(set);
	check(count_fds() == fds);
}

START_TEST(nothing_is_missed_by_a_wait_whose_calls_fail)
{
	/* As often as a machine that is interrupted without end. */
	may_last = errors[_i];
	with_each_call(errors[_i], wait_once);
}
END_TEST

static void export_once(void)
{
	int fds = count_fds();
	struct weir_waitset *set = waitset_new(engine);
	int result;

	fill(set);
	failures_begin();
	result = weir_waitset_fd(set);
	failures_end("weir_waitset_fd");
	check(result >= 0 || result == plan.error);
	use(set);
	check(weir_waitset_fd(set) >= 0);
	use(set);
	failures_begin();
	weir_waitset_close(set);
	failures_end("weir_waitset_close");
	check(count_fds() == fds);
}

START_TEST(set_that_could_not_be_exported_goes_on)
{
	with_each_call(errors[_i], export_once);
}
END_TEST

/*
 * More than there is room for
 */

#define MANY	1200

/* While nobody waits, to more sources than the ring has room for completions, twice. */
START_TEST(signals_that_a_ring_has_no_room_for_are_not_lost)
{
	static struct weir_queue *queues[MANY];
	struct rlimit limit;
	struct weir_event events[64];
	struct weir_waitset *set = waitset_new(engine);

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (int i = 0; i < MANY; i++) {
		queues[i] = queue_new(0, 0, 0);
		ck_assert_ptr_nonnull(queues[i]);
		ck_assert_uint_ne(source_of_queue(set, queues[i], WEIR_IN), 0);
	}
	for (int round = 0; round < 2; round++) {
		int left = MANY;

		ck_assert_int_eq(weir_waitset_wait(set, events, 64, 0, test_now() + MS),
				 -ETIMEDOUT);
		for (int i = 0; i < MANY; i++)
			for (int k = 0; k < 4; k++)
				ck_assert_int_eq(queue_put_number(queues[i], 1, 0), 0);
		while (left > 0) {
			int n = weir_waitset_wait(set, events, 64, 0, test_now() + IN_TIME);

			ck_assert_int_gt(n, 0);
			for (int i = 0; i < n; i++) {
				int got = 0;

				while (queue_get_number(events[i].cookie, 0) == 1)
					got++;
				ck_assert_int_eq(got, 4);
			}
			left -= n;
		}
	}
	weir_waitset_close(set);
	for (int i = 0; i < MANY; i++)
		weir_queue_close(queues[i]);
}
END_TEST

/*
 * Others that die and stop
 */

/* Of the instructions of a call, one in so many. */
#define STRIDE	(29 * LESS)
#define STEPS_MAX 20000

static struct weir_end *ends[2];

static int send_one(void *arg)
{
	(void)arg;
	weir_pipe_close(ends[0]);
	/* The first of a process does more. */
	child_check(send_number(ends[1], 1, 0) == 0);
	stepper_mark_begin();
	child_check(send_number(ends[1], 2, 0) == 0);
	stepper_mark_end();
	return 0;
}

/* Whether it was at its end. */
static bool kill_sender_at(struct weir_waitset *set, uint64_t at)
{
	struct stepper stepper;
	struct weir_event event;
	int64_t got = 0;
	bool ended;

	ck_assert_int_eq(pipe_make(ends, 0, 4096), 0);
	ck_assert_uint_ne(source_of_pipe(set, ends[0], WEIR_IN), 0);
	stepper = stepper_start(send_one, NULL);
	weir_pipe_close(ends[1]);
	ck_assert(stepper_run_to_begin(&stepper));
	ck_assert_int_eq(events_soon(set), WEIR_IN);
	ck_assert_int_eq(recv_number(ends[0], 0), 1);
	ck_assert_int_eq(wait_one(set, test_now() + 100 * US, &event), -ETIMEDOUT);
	ended = stepper_steps(&stepper, at) != STEP_DONE;
	stepper_kill(&stepper);
	/* What is there, and then the end. */
	while (got != -EPIPE) {
		ck_assert_int_gt(wait_one(set, test_now() + IN_TIME, &event), 0);
		got = recv_number(ends[0], 0);
		ck_assert_msg(got == 2 || got == -EPIPE || got == -EAGAIN, "%d", (int)got);
	}
	weir_pipe_close(ends[0]);
	ck_assert_uint_eq(waitset_stat(set).sources, 0);
	return ended;
}

START_TEST(sender_killed_at_an_instruction_is_reported)
{
	struct weir_waitset *set = waitset_new(engine);
	uint64_t at = test_random_below(STRIDE);

	while (!kill_sender_at(set, at)) {
		at += STRIDE;
		ck_assert_uint_lt(at, STEPS_MAX);
	}
	weir_waitset_close(set);
}
END_TEST

static int put_one(void *arg)
{
	(void)arg;
	child_check(queue_put_number(queue, 1, 0) == 0);
	stepper_mark_begin();
	child_check(queue_put_number(queue, 2, 0) == 0);
	stepper_mark_end();
	return 0;
}

static void drain_queue(void)
{
	while (queue_get_number(queue, 0) >= 0)
		;
}

/* Stopped there it does not keep the message of another from being reported; killed neither. */
static bool stop_putter_at(struct weir_waitset *set, uint64_t at)
{
	struct stepper stepper = stepper_start(put_one, NULL);
	struct weir_event event;
	bool ended;

	ck_assert(stepper_run_to_begin(&stepper));
	drain_queue();
	wait_one(set, test_now() + 100 * US, &event);
	ended = stepper_steps(&stepper, at) != STEP_DONE;
	ck_assert_int_eq(queue_put_number(queue, 3, 0), 0);
	ck_assert_int_eq(wait_one(set, test_now() + IN_TIME, &event), WEIR_IN);
	drain_queue();
	/* It may have something in hand. */
	wait_one(set, test_now() + 100 * US, &event);
	stepper_kill(&stepper);
	ck_assert_int_eq(queue_put_number(queue, 4, 0), 0);
	ck_assert_int_eq(wait_one(set, test_now() + IN_TIME, &event), WEIR_IN);
	drain_queue();
	return ended;
}

START_TEST(putter_stopped_at_an_instruction_keeps_nobody_from_being_reported)
{
	struct weir_waitset *set = waitset_new(engine);
	uint64_t at = test_random_below(STRIDE);

	ck_assert_uint_ne(source_of_queue(set, queue, WEIR_IN), 0);
	while (!stop_putter_at(set, at)) {
		at += STRIDE;
		ck_assert_uint_lt(at, STEPS_MAX);
	}
	weir_waitset_close(set);
}
END_TEST

static TCase *cases(int number)
{
	TCase *t = tcase_create(number == 0 ? "epoll" : "uring");
	const char *no = stepper_unavailable();

	tcase_add_checked_fixture(t, number == 0 ? setup_epoll : setup_uring, teardown);
	tcase_set_timeout(t, 240);
	tcase_add_loop_test(t, set_made_with_failing_calls_is_whole_or_nothing, 0, ERRORS);
	tcase_add_loop_test(t, source_that_could_not_be_added_is_not_there_and_can_be_added, 0,
			    ERRORS);
	tcase_add_loop_test(t, change_that_fails_has_changed_nothing, 0, ERRORS);
	tcase_add_loop_test(t, nothing_is_missed_by_a_wait_whose_calls_fail, 0, ERRORS);
	tcase_add_loop_test(t, set_that_could_not_be_exported_goes_on, 0, ERRORS);
	tcase_add_test(t, signals_that_a_ring_has_no_room_for_are_not_lost);
	test_add_unless(t, no, sender_killed_at_an_instruction_is_reported);
	test_add_unless(t, no, putter_stopped_at_an_instruction_keeps_nobody_from_being_reported);
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
