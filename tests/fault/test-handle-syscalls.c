/* SPDX-License-Identifier: MIT */
/*
 * Each system call of exporting, importing, sending and receiving an end made to fail: the first,
 * the second and so on, until there are no more; only that one, or all from there on, or all of a
 * kind. It is an error then, or goes without; nothing leaks, no descriptor of anybody else is
 * closed, and without failures it works.
 */
#include "pipe-tools.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "failures.h"

static const int errors[] = { EMFILE, EPERM, EINTR, EAGAIN, EINVAL };

/* And nothing is left open. */
static void with_each_call_whole(int error, void (*once)(void))
{
	struct resources before = resources_begin();

	with_each_call(error, once);
	resources_check(&before);
}

/* The failure itself, or what a descriptor is taken for that does not answer. */
static bool explained(int result)
{
	return result == plan.error || result == -EINVAL || result == -EBADF || result == -EAGAIN;
}

static char texts[2][WEIR_EXPORT_SIZE];
static int sockets[2];

static void make(struct weir_end *ends[2])
{
	check(pipe_make(ends, 0, 4096) == 0);
}

static void use(struct weir_end *ends[2])
{
	check(send_number(ends[1], 5, 0) == 0);
	check(recv_number(ends[0], 0) == 5);
	check(send_number(ends[0], 6, 0) == 0);
	check(recv_number(ends[1], 0) == 6);
}

static void use_and_close(struct weir_end *ends[2])
{
	use(ends);
	pipe_close_both(ends);
}

static void export_once(void)
{
	struct weir_end *ends[2];
	int result;

	make(ends);
	use(ends);
	failures_begin();
	result = weir_export(ends[1], texts[1], WEIR_EXPORT_SIZE);
	failures_end("export");
	if (result > 0)
		check(weir_unexport(texts[1]) == 0);
	else
		check(result == plan.error);
	use_and_close(ends);
}

static void unexport_once(void)
{
	struct weir_end *ends[2];
	int result;

	make(ends);
	check(weir_export(ends[1], texts[1], WEIR_EXPORT_SIZE) > 0);
	failures_begin();
	result = weir_unexport(texts[1]);
	failures_end("unexport");
	/* All or nothing is closed. */
	check(result == 0 || explained(result));
	check(weir_unexport(texts[1]) == (result == 0 ? -EBADF : 0));
	use_and_close(ends);
}

/* In a process that has nothing of the pipe. */
static void import_once(void)
{
	struct weir_end *ends[2], *const nothing = (void *)&plan;
	int result;

	make(ends);
	for (int i = 0; i < 2; i++)
		check(weir_export(ends[i], texts[i], WEIR_EXPORT_SIZE) > 0);
	pipe_close_both(ends);
	ends[0] = nothing;
	failures_begin();
	result = weir_import(texts[0], WEIR_KIND_PIPE_END, &ends[0]);
	failures_end("import");
	if (result < 0) {
		check(explained(result));
		check(ends[0] == nothing);
		check(weir_import(texts[0], WEIR_KIND_PIPE_END, &ends[0]) == 0);
	}
	check(weir_import(texts[1], WEIR_KIND_PIPE_END, &ends[1]) == 0);
	use_and_close(ends);
}

/* In one that has it, and owns it. */
static void import_again_once(void)
{
	struct weir_end *ends[2], *more;
	int result;

	make(ends);
	use(ends);
	check(weir_export(ends[1], texts[1], WEIR_EXPORT_SIZE) > 0);
	failures_begin();
	result = weir_import(texts[1], WEIR_KIND_PIPE_END, &more);
	failures_end("import again");
	if (result < 0) {
		check(explained(result));
		check(weir_import(texts[1], WEIR_KIND_PIPE_END, &more) == 0);
	}
	check(send_number(more, 1, 0) == -EBUSY);
	weir_pipe_close(more);
	use_and_close(ends);
}

static void send_once(void)
{
	struct weir_end *ends[2], *more;
	int result;

	make(ends);
	failures_begin();
	result = weir_send_handle(sockets[0], ends[1], 0, clock_now() + 100 * MS);
	failures_end("send");
	check(result == 0 || explained(result) || result == -ETIMEDOUT);
	/* Sent is sent, and not sent is not. */
	check(weir_recv_handle(sockets[1], WEIR_KIND_PIPE_END, 0, 0, &more) ==
	      (result == 0 ? 0 : -EAGAIN));
	if (result == 0)
		weir_pipe_close(more);
	use_and_close(ends);
}

static void recv_once(void)
{
	struct weir_end *ends[2], *const nothing = (void *)&plan, *more = nothing;
	uint32_t events;
	int result;

	make(ends);
	check(weir_send_handle(sockets[0], ends[1], 0, 0) == 0);
	weir_pipe_close(ends[1]);
	failures_begin();
	result = weir_recv_handle(sockets[1], WEIR_KIND_PIPE_END, 0, clock_now() + 100 * MS, &more);
	failures_end("recv");
	if (result < 0) {
		check(explained(result) || result == -ETIMEDOUT);
		check(more == nothing);
		/* It is there still, or was taken and closed. */
		result = weir_recv_handle(sockets[1], WEIR_KIND_PIPE_END, 0, 0, &more);
		check(result == 0 || result == -EAGAIN);
	}
	if (result == 0) {
		ends[1] = more;
		use_and_close(ends);
		return;
	}
	check(weir_pipe_poll(ends[0], 0, 0, 0, &events) == 0 && events == WEIR_HUP);
	weir_pipe_close(ends[0]);
}

/* With a message before and one behind. */
static void over_a_pipe(struct weir_end *over[2], struct weir_end *ends[2])
{
	check(pipe_make(over, 0, 4096) == 0);
	check(pipe_make(ends, 0, 4096) == 0);
	check(send_number(over[1], 1, 0) == 0);
}

static void send_over_a_pipe_once(void)
{
	struct weir_end *over[2], *ends[2], *more;
	int result;

	over_a_pipe(over, ends);
	failures_begin();
	result = weir_pipe_send_handle(over[1], ends[1], 0, clock_now() + 100 * MS);
	failures_end("send over a pipe");
	check(result == 0 || explained(result) || result == -ETIMEDOUT);
	check(send_number(over[1], 2, 0) == 0);
	check(recv_number(over[0], 0) == 1);
	if (result == 0) {
		check(weir_pipe_recv_handle(over[0], WEIR_KIND_PIPE_END, 0, 0, &more) == 0);
		weir_pipe_close(more);
	}
	check(recv_number(over[0], 0) == 2);
	pipe_close_both(over);
	use_and_close(ends);
}

static void recv_over_a_pipe_once(void)
{
	struct weir_end *over[2], *ends[2], *more;
	int result;

	over_a_pipe(over, ends);
	check(weir_pipe_send_handle(over[1], ends[1], 0, 0) == 0);
	check(send_number(over[1], 2, 0) == 0);
	check(recv_number(over[0], 0) == 1);
	failures_begin();
	result = weir_pipe_recv_handle(over[0], WEIR_KIND_PIPE_END, 0, 0, &more);
	failures_end("recv over a pipe");
	/* A line that says nothing is taken for one that has nothing. */
	check(result == 0 || explained(result) || result == -EOWNERDEAD || result == -EBADMSG);
	if (result == 0)
		weir_pipe_close(more);
	/* It is there still, or was taken and closed. */
	result = weir_pipe_recv_handle(over[0], WEIR_KIND_PIPE_END, 0, 0, &more);
	check(result == 0 || result == -EPROTO);
	if (result == 0)
		weir_pipe_close(more);
	check(recv_number(over[0], 0) == 2);
	pipe_close_both(over);
	use_and_close(ends);
}

/*
 * Queues
 */

static struct weir_queue *make_queue(void)
{
	const struct weir_queue_options o = { .size = sizeof(o), .max_bytes = UINT64_C(1) << 20 };
	struct weir_queue *queue;

	check(weir_queue(&queue, &o) == 0);
	check(weir_queue_put(queue, "x", 1, 0, 0) == 0);
	return queue;
}

/* With what was put before it travelled. */
static void use_and_close_queue(struct weir_queue *queue)
{
	char byte;

	check(weir_queue_get(queue, &byte, 1, 0, 0, NULL) == 0);
	check(weir_queue_get(queue, &byte, 1, 0, 0, NULL) == -EAGAIN);
	weir_queue_close(queue);
}

static void import_queue_once(void)
{
	struct weir_queue *queue = make_queue(), *const nothing = (void *)&plan;
	int result;

	check(weir_export(queue, texts[0], WEIR_EXPORT_SIZE) > 0);
	weir_queue_close(queue);
	queue = nothing;
	failures_begin();
	result = weir_import(texts[0], WEIR_KIND_QUEUE, &queue);
	failures_end("import a queue");
	if (result < 0) {
		check(explained(result) || result == -ENOMEM);
		check(queue == nothing);
		check(weir_import(texts[0], WEIR_KIND_QUEUE, &queue) == 0);
	}
	use_and_close_queue(queue);
}

static void recv_queue_once(void)
{
	struct weir_queue *queue = make_queue(), *const nothing = (void *)&plan, *more = nothing;
	int result;

	check(weir_send_handle(sockets[0], queue, 0, 0) == 0);
	failures_begin();
	result = weir_recv_handle(sockets[1], WEIR_KIND_QUEUE, 0, clock_now() + 100 * MS, &more);
	failures_end("recv a queue");
	if (result < 0) {
		check(explained(result) || result == -ETIMEDOUT || result == -ENOMEM);
		check(more == nothing);
		/* It is there still, or was taken and closed. */
		result = weir_recv_handle(sockets[1], WEIR_KIND_QUEUE, 0, 0, &more);
		check(result == 0 || result == -EAGAIN);
	}
	if (result == 0)
		weir_queue_close(more);
	use_and_close_queue(queue);
}

static void setup(void)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
}

static void teardown(void)
{
	close(sockets[0]);
	close(sockets[1]);
}

START_TEST(export_with_a_failing_call_leaves_nothing)
{
	with_each_call_whole(errors[_i], export_once);
	with_each_call_whole(errors[_i], unexport_once);
}
END_TEST

START_TEST(import_with_a_failing_call_can_be_done_again)
{
	with_each_call_whole(errors[_i], import_once);
	with_each_call_whole(errors[_i], import_again_once);
}
END_TEST

START_TEST(handle_over_a_socket_with_a_failing_call_arrives_or_not)
{
	with_each_call_whole(errors[_i], send_once);
	with_each_call_whole(errors[_i], recv_once);
}
END_TEST

START_TEST(handle_over_a_pipe_with_a_failing_call_arrives_or_not)
{
	with_each_call_whole(errors[_i], send_over_a_pipe_once);
	with_each_call_whole(errors[_i], recv_over_a_pipe_once);
}
END_TEST

START_TEST(queue_with_a_failing_call_arrives_or_not)
{
	with_each_call_whole(errors[_i], import_queue_once);
	with_each_call_whole(errors[_i], recv_queue_once);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("handle-syscalls");
	TCase *tcase = tcase_create("syscalls");
	int count = (int)ARRAY_LENGTH(errors);

	/* A socket that says so for ever is waited for until the deadline. */
	may_last = EAGAIN;
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, export_with_a_failing_call_leaves_nothing, 0, count);
	tcase_add_loop_test(tcase, import_with_a_failing_call_can_be_done_again, 0, count);
	tcase_add_loop_test(tcase, handle_over_a_socket_with_a_failing_call_arrives_or_not, 0,
			    count);
	tcase_add_loop_test(tcase, handle_over_a_pipe_with_a_failing_call_arrives_or_not, 0, count);
	tcase_add_loop_test(tcase, queue_with_a_failing_call_arrives_or_not, 0, count);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
