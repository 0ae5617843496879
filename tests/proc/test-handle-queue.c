/* SPDX-License-Identifier: MIT */
/* Queues that travel to other programs, by exec and by sockets, and what these leave behind. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "weir.h"

#define MS	INT64_C(1000000)

extern char **environ;

static struct weir_queue *in, *out;	/* of the program's */
static int sockets[2];

static void setup(void)
{
	ck_assert_int_eq(weir_queue(&in, NULL), 0);
	ck_assert_int_eq(weir_queue(&out, NULL), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
}

static void teardown(void)
{
	weir_queue_close(in);
	weir_queue_close(out);
	close(sockets[0]);
	close(sockets[1]);
}

static void put(uint64_t number)
{
	ck_assert_int_eq(weir_queue_put(in, &number, sizeof(number), 0, 0), 0);
}

static int64_t get(struct weir_queue *queue, int64_t deadline)
{
	uint64_t number;
	int result = weir_queue_get(queue, &number, sizeof(number), 0, deadline, NULL);

	return result < 0 ? result : (int64_t)number;
}

static void export_to(const char *name, const struct weir_queue *queue)
{
	char text[WEIR_EXPORT_SIZE];

	child_check(weir_export(queue, text, sizeof(text)) > 0);
	setenv(name, text, 1);
}

/* In a child: become the program. */
static int become(void *what)
{
	char fd[16];

	export_to("WEIR_IN", in);
	export_to("WEIR_OUT", out);
	snprintf(fd, sizeof(fd), "%d", sockets[1]);
	fcntl(sockets[1], F_SETFD, 0);
	execl(HANDLE_PEER, "handle-peer", (const char *)what, fd, NULL);
	return 127;
}

static struct child start(const char *what)
{
	return child_start(become, (void *)(uintptr_t)what);
}

static void expect_echo(uint64_t count)
{
	for (uint64_t n = 0; n < count; n++) {
		put(n);
		ck_assert_int_eq(get(out, soon()), (int64_t)n + 1);
	}
	for (uint64_t n = 0; n < count; n++)
		put(n);
	ck_assert_int_eq(weir_queue_shutdown(in, 0), 0);
	for (uint64_t n = 0; n < count; n++)
		ck_assert_int_eq(get(out, soon()), (int64_t)n + 1);
}

START_TEST(queues_go_over_fork_and_exec)
{
	struct child child = start("queue-echo");

	expect_echo(500);
	child_join_ok(&child);
}
END_TEST

START_TEST(queues_go_over_posix_spawn)
{
	char in_text[WEIR_EXPORT_SIZE], out_text[WEIR_EXPORT_SIZE];
	char name[] = "handle-peer", what[] = "queue-echo";
	char *argv[] = { name, what, NULL };
	int status;
	pid_t pid;

	ck_assert_int_gt(weir_export(in, in_text, sizeof(in_text)), 0);
	ck_assert_int_gt(weir_export(out, out_text, sizeof(out_text)), 0);
	setenv("WEIR_IN", in_text, 1);
	setenv("WEIR_OUT", out_text, 1);
	ck_assert_int_eq(posix_spawn(&pid, HANDLE_PEER, NULL, NULL, argv, environ), 0);
	ck_assert_int_eq(weir_unexport(in_text), 0);
	ck_assert_int_eq(weir_unexport(out_text), 0);
	expect_echo(100);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(queues_go_over_a_socket_to_a_program)
{
	struct child child = start("queue-from");

	ck_assert_int_eq(weir_send_handle(sockets[0], in, 0, soon()), 0);
	ck_assert_int_eq(weir_send_handle(sockets[0], out, 0, soon()), 0);
	expect_echo(500);
	child_join_ok(&child);
}
END_TEST

START_TEST(what_a_killed_program_has_taken_is_handed_over_again)
{
	struct child child = start("queue-hold");
	struct weir_taken taken;

	put(5);
	ck_assert_int_eq(get(out, soon()), 1);
	ck_assert_int_eq(get(in, 0), -EAGAIN);
	child_kill(&child);
	ck_assert_int_eq(weir_queue_take(in, 0, soon(), &taken), 0);
	ck_assert_uint_eq(*(const uint64_t *)taken.data, 5);
	ck_assert_uint_eq(taken.times, 1);
	ck_assert_int_eq(weir_queue_release(in, &taken), 0);
}
END_TEST

START_TEST(what_a_program_took_before_exec_is_handed_over_again)
{
	struct child child = start("queue-again");

	put(6);
	ck_assert_int_eq(get(out, soon()), 6);
	child_join_ok(&child);
	ck_assert_int_eq(get(in, 0), -EAGAIN);
}
END_TEST

/* Made by a process that is gone before anybody else has it. */
static int send_and_die(void *arg)
{
	struct weir_queue *mine;

	(void)arg;
	child_check(weir_queue(&mine, NULL) == 0);
	for (uint64_t n = 0; n < 3; n++)
		child_check(weir_queue_put(mine, &n, sizeof(n), 0, 0) == 0);
	child_check(weir_send_handle(sockets[1], mine, 0, 0) == 0);
	raise(SIGKILL);
	return 0;
}

START_TEST(queue_of_a_sender_that_died_at_once_has_its_messages)
{
	struct child child = child_start(send_and_die, NULL);
	struct weir_queue *queue;

	child_join(&child);
	ck_assert_int_eq(weir_recv_handle(sockets[0], WEIR_KIND_QUEUE, 0, 0, &queue), 0);
	for (int n = 0; n < 3; n++)
		ck_assert_int_eq(get(queue, 0), n);
	ck_assert_int_eq(get(queue, test_now() + 20 * MS), -ETIMEDOUT);
	weir_queue_close(queue);
}
END_TEST

/* A child has the queue without a call, and can import it besides. */
static int import_in_child(void *arg)
{
	char text[WEIR_EXPORT_SIZE];
	struct weir_queue *again;
	uint64_t number = 9;

	(void)arg;
	child_check(get(in, soon()) == 8);
	child_check(weir_export(in, text, sizeof(text)) > 0);
	child_check(weir_import(text, WEIR_KIND_QUEUE, &again) == 0);
	child_check(weir_queue_put(again, &number, sizeof(number), 0, 0) == 0);
	child_check(get(in, 0) == 9);
	child_check(weir_queue_put(again, &number, sizeof(number), 0, 0) == 0);
	weir_queue_close(in);
	weir_queue_close(again);
	return 0;
}

START_TEST(forked_child_uses_and_imports_it)
{
	struct child child;

	put(8);
	child = child_start(import_in_child, NULL);
	child_join_ok(&child);
	ck_assert_int_eq(get(in, soon()), 9);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("handle-queue");
	TCase *tcase = tcase_create("travel");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, queues_go_over_fork_and_exec);
	tcase_add_test(tcase, queues_go_over_posix_spawn);
	tcase_add_test(tcase, queues_go_over_a_socket_to_a_program);
	tcase_add_test(tcase, what_a_killed_program_has_taken_is_handed_over_again);
	tcase_add_test(tcase, what_a_program_took_before_exec_is_handed_over_again);
	tcase_add_test(tcase, queue_of_a_sender_that_died_at_once_has_its_messages);
	tcase_add_test(tcase, forked_child_uses_and_imports_it);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
