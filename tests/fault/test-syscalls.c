/* SPDX-License-Identifier: MIT */
/*
 * Each system call of each operation made to fail: the first, the second and so on, until the
 * operation needs no more; only that one, or all from there on, or all of a kind; with each error
 * that is plausible. The operation ends in time with that error, or does without the call; nothing
 * is lost, nothing leaks, and without failures it works again.
 */
#include "failures.h"
#include "pipe-tools.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "sys/sys.h"

static const int errors[] = {
	EMFILE, ENFILE, ENOMEM, EPERM, EINTR, ENOSPC, ENOSYS, EAGAIN, EINVAL,
};
/* What a call that sleeps may return besides. */
static const int sleep_errors[] = { ENOMEM, EINTR, ENOSYS };

static bool documented(int result)
{
	return result == plan.error || result == -EBUSY || result == -ETIMEDOUT ||
	       result == -EAGAIN || result == -EINTR;
}

/*
 * Making and freeing
 */

static struct resources before;

static void use_and_close(struct weir_end *ends[2])
{
	check(send_number(ends[1], 5, soon()) == 0);
	check(recv_number(ends[0], soon()) == 5);
	pipe_close_both(ends);
}

static void make_once(void)
{
	struct weir_end *const nothing = (void *)&plan, *ends[2] = { nothing, nothing };
	int result;

	failures_begin();
	result = pipe_make(ends, 0, 4096);
	failures_end("weir_pipe");
	if (result < 0) {
		check(result == plan.error);
		check(ends[0] == nothing && ends[1] == nothing);
	} else {
		use_and_close(ends);
	}
	resources_check(&before);
}

START_TEST(make_with_a_failing_call_is_an_error_and_leaves_nothing)
{
	before = resources_begin();
	with_each_call(errors[_i], make_once);
}
END_TEST

static void close_once(void)
{
	struct weir_end *ends[2];

	check(pipe_make(ends, 0, 4096) == 0);
	check(weir_pipe_fd(ends[0]) >= 0);
	check(send_number(ends[1], 1, 0) == 0);
	check(recv_number(ends[0], 0) == 1);
	check(recv_number(ends[0], 0) == -EAGAIN);
	check(weir_pipe_send(ends[1], "x", 1, WEIR_MORE, 0) == 0);
	failures_begin();
	pipe_close_both(ends);
	failures_end("weir_pipe_close");
	resources_check(&before);
}

START_TEST(close_with_failing_calls_leaves_nothing)
{
	before = resources_begin();
	with_each_call(errors[_i], close_once);
}
END_TEST

/*
 * First use, which takes the lock and looks who we are
 */

static void bind_writer_once(void)
{
	struct weir_end *ends[2];
	int result;

	check(pipe_make(ends, 0, 4096) == 0);
	failures_begin();
	result = send_number(ends[1], 7, 0);
	failures_end("first send");
	check(result == 0 || documented(result));
	check(recv_number(ends[0], 0) == (result == 0 ? 7 : -EAGAIN));
	use_and_close(ends);
}

static void bind_reader_once(void)
{
	struct weir_end *ends[2];
	int64_t result;

	check(pipe_make(ends, 0, 4096) == 0);
	check(send_number(ends[1], 7, 0) == 0);
	failures_begin();
	result = recv_number(ends[0], 0);
	failures_end("first recv");
	check(result == 7 || documented((int)result));
	if (result != 7)
		check(recv_number(ends[0], 0) == 7);
	use_and_close(ends);
}

START_TEST(first_use_with_a_failing_call_loses_nothing)
{
	before = resources_begin();
	with_each_call(errors[_i], bind_writer_once);
	with_each_call(errors[_i], bind_reader_once);
	resources_check(&before);
}
END_TEST

static int send_three_and_die(void *arg)
{
	for (uint64_t i = 0; i < 3; i++)
		child_check(send_number(arg, i, 0) == 0);
	raise(SIGKILL);
	return 0;
}

static int receive_one_and_die(void *arg)
{
	child_check(recv_number(arg, soon()) == 0);
	raise(SIGKILL);
	return 0;
}

static void run_to_death(int (*fn)(void *arg), void *arg)
{
	struct child child = child_start(fn, arg);
	int status = child_join(&child);

	check(WIFSIGNALED(status));
}

static void follow_writer_once(void)
{
	struct weir_end *ends[2];
	int result;

	check(pipe_make(ends, 0, 4096) == 0);
	run_to_death(send_three_and_die, ends[1]);
	failures_begin();
	result = send_number(ends[1], 3, 0);
	failures_end("send of a follower");
	check(result == 0 || documented(result));
	if (result < 0)
		check(send_number(ends[1], 3, 0) == 0);
	for (int i = 0; i < 4; i++)
		check(recv_number(ends[0], 0) == i);
	check(recv_number(ends[0], 0) == -EAGAIN);
	pipe_close_both(ends);
}

static void follow_reader_once(void)
{
	struct weir_end *ends[2];
	int64_t result;

	check(pipe_make(ends, 0, 4096) == 0);
	for (uint64_t i = 0; i < 3; i++)
		check(send_number(ends[1], i, 0) == 0);
	run_to_death(receive_one_and_die, ends[0]);
	failures_begin();
	result = recv_number(ends[0], 0);
	failures_end("recv of a follower");
	check(result == 1 || documented((int)result));
	if (result != 1)
		check(recv_number(ends[0], 0) == 1);
	check(recv_number(ends[0], 0) == 2);
	pipe_close_both(ends);
}

START_TEST(take_over_with_a_failing_call_loses_nothing)
{
	before = resources_begin();
	with_each_call(errors[_i], follow_writer_once);
	with_each_call(errors[_i], follow_reader_once);
	resources_check(&before);
}
END_TEST

/*
 * Sleeping
 */

#define NAP	(24 * MS)	/* longer than the shallow stage */

static struct weir_end *pipe_ends[2];
static uint64_t filled;

static int nap_in_recv(int64_t deadline)
{
	uint64_t number;

	return weir_pipe_recv(pipe_ends[0], &number, sizeof(number), WEIR_NOSPIN, deadline, NULL);
}

static int nap_in_send(int64_t deadline)
{
	return weir_pipe_send(pipe_ends[1], &deadline, sizeof(deadline), WEIR_NOSPIN, deadline);
}

static int nap_in_poll(int64_t deadline)
{
	uint32_t events;

	return weir_pipe_poll(pipe_ends[0], WEIR_IN, WEIR_NOSPIN, deadline, &events);
}

static int (*nap)(int64_t deadline);

static void nap_once(void)
{
	int64_t start = clock_now(), deadline = start + NAP, took;
	int result;

	failures_begin();
	result = nap(deadline);
	failures_end("sleep");
	took = clock_now() - start;
	check(documented(result));
	check(result != -ETIMEDOUT || took >= NAP);
	check(took < NAP + 1000 * MS);
}

START_TEST(sleep_with_a_failing_call_ends_in_time)
{
	ck_assert_int_eq(pipe_make(pipe_ends, 0, 4096), 0);
	ck_assert_int_eq(send_number(pipe_ends[1], 1, 0), 0);
	ck_assert_int_eq(recv_number(pipe_ends[0], 0), 1);
	before = resources_begin();
	nap = nap_in_recv;
	with_each_call(sleep_errors[_i], nap_once);
	nap = nap_in_poll;
	with_each_call(sleep_errors[_i], nap_once);
	filled = fill_with_numbers(pipe_ends[1], 0);
	nap = nap_in_send;
	with_each_call(sleep_errors[_i], nap_once);
	for (uint64_t i = 0; i < filled; i++)
		ck_assert_int_eq(recv_number(pipe_ends[0], 0), (int64_t)i);
	ck_assert_int_eq(recv_number(pipe_ends[0], 0), -EAGAIN);
	resources_check(&before);
	use_and_close(pipe_ends);
}
END_TEST

/* Nobody can be woken: the messages arrive all the same, when a slice of the sleep is over. */
static int receive_three(void *arg)
{
	for (int i = 0; i < 3; i++)
		child_check(recv_number(arg, soon()) == i);
	return 0;
}

static void send_to_sleepers_with_failures(int kind, uint32_t stage)
{
	const struct weir_lane_control *lane;
	struct weir_end *ends[2];
	struct child child;

	plan = (struct plan){ .error = -ENOMEM, .last = FOREVER, .kind = kind };
	ck_assert_int_eq(pipe_make(ends, 0, 4096), 0);
	lane = pipe_watch(ends[0]);
	child = child_start(receive_three, ends[0]);
	for (uint64_t i = 0; i < 3; i++) {
		wait_for_stage(child.pid, &lane->reader.wait, stage);
		failures_begin();
		ck_assert_int_eq(send_number(ends[1], i, 0), 0);
		failures_end("send");
	}
	child_join_ok(&child);
	pipe_close_both(ends);
}

START_TEST(wake_up_that_fails_loses_nothing)
{
	int64_t start = test_now();

	send_to_sleepers_with_failures(SYS_CALL_FUTEX_WAKE, WAIT_SHALLOW);
	ck_assert_int_lt(test_now() - start, 1000 * MS);
	send_to_sleepers_with_failures(SYS_CALL_EVENT_WRITE, WAIT_DEEP);
	ck_assert_int_lt(test_now() - start, 9000 * MS);
}
END_TEST

/*
 * The rest
 */

static void fd_once(void)
{
	struct weir_end *ends[2];
	int fd;

	check(pipe_make(ends, 0, 4096) == 0);
	check(send_number(ends[1], 1, 0) == 0);
	check(recv_number(ends[0], 0) == 1);
	failures_begin();
	fd = weir_pipe_fd(ends[0]);
	failures_end("weir_pipe_fd");
	check(fd >= 0 || fd == plan.error);
	fd = weir_pipe_fd(ends[0]);
	check(fd >= 0);
	check(recv_number(ends[0], 0) == -EAGAIN);
	check(send_number(ends[1], 2, 0) == 0);
	check(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 1000) == 1);
	pipe_close_both(ends);
}

static void handover_once(void)
{
	struct weir_end *ends[2];
	int result;

	check(pipe_make(ends, 0, 4096) == 0);
	check(send_number(ends[1], 1, 0) == 0);
	check(weir_pipe_send(ends[1], "x", 1, WEIR_MORE, 0) == 0);
	failures_begin();
	result = weir_pipe_handover(ends[1]);
	failures_end("weir_pipe_handover");
	check(result == 0);
	check(recv_number(ends[0], 0) == 1);
	check(recv_number(ends[0], 0) == -71);
	use_and_close(ends);
}

static void shutdown_once(void)
{
	struct weir_end *ends[2];
	int result;

	check(pipe_make(ends, 0, 4096) == 0);
	check(send_number(ends[1], 1, 0) == 0);
	failures_begin();
	result = weir_pipe_shutdown(ends[0]);
	failures_end("weir_pipe_shutdown");
	check(result == 0);
	check(recv_number(ends[0], 0) == 1);
	check(recv_number(ends[0], 0) == -ESHUTDOWN);
	check(send_number(ends[1], 1, 0) == -ESHUTDOWN);
	pipe_close_both(ends);
}

START_TEST(fd_handover_and_shutdown_with_a_failing_call_do_what_they_say)
{
	before = resources_begin();
	with_each_call(errors[_i], fd_once);
	with_each_call(errors[_i], handover_once);
	with_each_call(errors[_i], shutdown_once);
	resources_check(&before);
}
END_TEST

/*
 * In place, and larger than the ring
 */

#define LARGE	10000

static uint8_t large[LARGE], large_room[LARGE];

static void claim_once(void)
{
	struct weir_end *ends[2];
	void *data;
	int result;

	check(pipe_make(ends, 0, 4096) == 0);
	failures_begin();
	result = weir_pipe_claim(ends[1], 8, 0, 0, &data);
	if (result == 0) {
		*(uint64_t *)data = 7;
		check(weir_pipe_commit(ends[1], 8, 0) == 0);
	}
	failures_end("first claim and commit");
	check(result == 0 || documented(result));
	check(recv_number(ends[0], 0) == (result == 0 ? 7 : -EAGAIN));
	use_and_close(ends);
}

static void take_once(void)
{
	struct weir_end *ends[2];
	const void *data;
	size_t size;
	int result;

	check(pipe_make(ends, 0, 4096) == 0);
	check(send_number(ends[1], 7, 0) == 0);
	check(send_number(ends[1], 8, 0) == 0);
	failures_begin();
	result = weir_pipe_take(ends[0], 0, 0, &data, &size);
	if (result == 0) {
		check(*(const uint64_t *)data == 7);
		check(weir_pipe_release(ends[0], data) == 0);
	}
	failures_end("first take and release");
	check(result == 0 || documented(result));
	if (result < 0)
		check(recv_number(ends[0], 0) == 7);
	check(recv_number(ends[0], 0) == 8);
	use_and_close(ends);
}

static int send_large(void *arg)
{
	child_check(weir_pipe_send(arg, large, LARGE, 0, soon()) == 0);
	child_check(send_number(arg, 1, soon()) == 0);
	return 0;
}

static void recv_large_once(void)
{
	struct weir_end *ends[2];
	struct child child;
	size_t size = 0;
	int result;

	check(pipe_make(ends, 0, 4096) == 0);
	child = child_start(send_large, ends[1]);
	failures_begin();
	result = weir_pipe_recv(ends[0], large_room, LARGE, 0, clock_now() + 3 * MS, &size);
	failures_end("large recv");
	check(result == 0 || documented(result));
	if (result < 0)
		check(weir_pipe_recv(ends[0], large_room, LARGE, 0, soon(), &size) == 0);
	check(size == LARGE && memcmp(large, large_room, LARGE) == 0);
	check(recv_number(ends[0], soon()) == 1);
	child_join_ok(&child);
	pipe_close_both(ends);
}

static int receive_large(void *arg)
{
	size_t size;

	child_check(weir_pipe_recv(arg, large_room, LARGE, 0, soon(), &size) == 0);
	child_check(size == LARGE && memcmp(large, large_room, LARGE) == 0);
	child_check(recv_number(arg, soon()) == 1);
	return 0;
}

static void send_large_once(void)
{
	struct weir_end *ends[2];
	struct child child;
	int result;

	check(pipe_make(ends, 0, 4096) == 0);
	child = child_start(receive_large, ends[0]);
	failures_begin();
	result = weir_pipe_send(ends[1], large, LARGE, 0, clock_now() + 3 * MS);
	failures_end("large send");
	check(result == 0 || documented(result));
	/* It was sent, or nothing of it. */
	if (result < 0)
		check(weir_pipe_send(ends[1], large, LARGE, 0, soon()) == 0);
	check(send_number(ends[1], 1, soon()) == 0);
	child_join_ok(&child);
	pipe_close_both(ends);
}

START_TEST(message_in_place_with_a_failing_call_is_not_lost)
{
	before = resources_begin();
	with_each_call(errors[_i], claim_once);
	with_each_call(errors[_i], take_once);
	resources_check(&before);
}
END_TEST

START_TEST(large_message_with_a_failing_call_arrives_once)
{
	message_fill(large, LARGE, 3);
	before = resources_begin();
	with_each_call(sleep_errors[_i], recv_large_once);
	with_each_call(sleep_errors[_i], send_large_once);
	resources_check(&before);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("syscalls");
	TCase *tcase = tcase_create("syscalls");
	int count = (int)ARRAY_LENGTH(errors), sleep_count = (int)ARRAY_LENGTH(sleep_errors);

	tcase_add_loop_test(tcase, make_with_a_failing_call_is_an_error_and_leaves_nothing, 0,
			    count);
	tcase_add_loop_test(tcase, close_with_failing_calls_leaves_nothing, 0, count);
	tcase_add_loop_test(tcase, first_use_with_a_failing_call_loses_nothing, 0, count);
	tcase_add_loop_test(tcase, take_over_with_a_failing_call_loses_nothing, 0, count);
	tcase_add_loop_test(tcase, sleep_with_a_failing_call_ends_in_time, 0, sleep_count);
	tcase_add_test(tcase, wake_up_that_fails_loses_nothing);
	tcase_add_loop_test(tcase, fd_handover_and_shutdown_with_a_failing_call_do_what_they_say, 0,
			    count);
	tcase_add_loop_test(tcase, message_in_place_with_a_failing_call_is_not_lost, 0, count);
	tcase_add_loop_test(tcase, large_message_with_a_failing_call_arrives_once, 0, sleep_count);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
