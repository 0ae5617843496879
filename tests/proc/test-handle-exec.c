/* SPDX-License-Identifier: MIT */
/* Ends that travel to other programs, by exec and by sockets; who sees what when they are gone. */
#include "pipe-tools.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CAPACITY	4096

extern char **environ;

static struct weir_end *ends[2];
static int to_peer[2];		/* sockets: ours, the peer's */

static void setup(void)
{
	ck_assert_int_eq(pipe_make(ends, 0, CAPACITY), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, to_peer), 0);
}

static void teardown(void)
{
	pipe_close_both(ends);
	close(to_peer[0]);
	close(to_peer[1]);
}

static void close_end(int index)
{
	weir_pipe_close(ends[index]);
	ends[index] = NULL;
}

/* In a child: become the program. The end, where one is given, goes with it. */
static void become(const struct weir_end *end, const char *what, int fd, int fd2)
{
	char text[WEIR_EXPORT_SIZE], name[16], name2[16];

	if (end) {
		child_check(weir_export(end, text, sizeof(text)) > 0);
		setenv("WEIR_END", text, 1);
	}
	snprintf(name, sizeof(name), "%d", fd);
	snprintf(name2, sizeof(name2), "%d", fd2);
	for (int i = 0; i < 2; i++)
		if ((i ? fd2 : fd) >= 0)
			fcntl(i ? fd2 : fd, F_SETFD, 0);
	execl(HANDLE_PEER, "handle-peer", what, name, name2, NULL);
	_exit(127);
}

static int echo_exported(void *arg)
{
	(void)arg;
	become(ends[1], "echo", -1, -1);
	return 1;
}

static int echo_received(void *arg)
{
	(void)arg;
	become(NULL, "echo-from", to_peer[1], -1);
	return 1;
}

static void expect_echo(uint64_t first, uint64_t count)
{
	for (uint64_t n = first; n < first + count; n++) {
		ck_assert_int_eq(send_number(ends[0], n, soon()), 0);
		ck_assert_int_eq(recv_number(ends[0], soon()), (int64_t)n + 1);
	}
}

/*
 * Over exec
 */

START_TEST(end_goes_over_fork_and_exec)
{
	struct child child = child_start(echo_exported, NULL);

	close_end(1);
	expect_echo(0, 1000);
	close_end(0);
	child_join_ok(&child);
}
END_TEST

START_TEST(end_goes_over_posix_spawn)
{
	char text[WEIR_EXPORT_SIZE], name[] = "handle-peer", what[] = "echo";
	char *argv[] = { name, what, NULL };
	int status;
	pid_t pid;

	ck_assert_int_gt(weir_export(ends[1], text, sizeof(text)), 0);
	setenv("WEIR_END", text, 1);
	ck_assert_int_eq(posix_spawn(&pid, HANDLE_PEER, NULL, NULL, argv, environ), 0);
	ck_assert_int_eq(weir_unexport(text), 0);
	close_end(1);
	expect_echo(0, 100);
	close_end(0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(killed_program_is_a_closed_end)
{
	struct child child = child_start(echo_exported, NULL);

	close_end(1);
	expect_echo(0, 10);
	child_kill(&child);
	ck_assert_int_eq(recv_number(ends[0], soon()), -EPIPE);
}
END_TEST

START_TEST(messages_of_before_are_there)
{
	struct child child;

	for (uint64_t n = 0; n < 100; n++)
		ck_assert_int_eq(send_number(ends[0], n, 0), 0);
	child = child_start(echo_exported, NULL);
	close_end(1);
	for (int n = 0; n < 100; n++)
		ck_assert_int_eq(recv_number(ends[0], soon()), n + 1);
	close_end(0);
	child_join_ok(&child);
}
END_TEST

static int own_exported(void *arg)
{
	(void)arg;
	become(ends[1], "own", -1, -1);
	return 1;
}

START_TEST(side_of_a_program_is_taken_over_when_it_is_killed)
{
	struct child child = child_start(own_exported, NULL);

	expect_echo(0, 1);
	ck_assert_int_eq(send_number(ends[1], 5, 0), -EBUSY);
	ck_assert_int_eq(recv_number(ends[1], 0), -EBUSY);
	child_kill(&child);
	ck_assert_int_eq(send_number(ends[1], 5, 0), 0);
	ck_assert_int_eq(recv_number(ends[0], 0), 5);
	ck_assert_int_eq(recv_number(ends[1], 0), -EAGAIN);
}
END_TEST

START_TEST(side_is_the_programs_once_it_is_handed_over)
{
	struct child child;

	ck_assert_int_eq(send_number(ends[1], 7, 0), 0);
	ck_assert_int_eq(recv_number(ends[0], 0), 7);
	ck_assert_int_eq(recv_number(ends[1], 0), -EAGAIN);
	child = child_start(echo_exported, NULL);
	ck_assert_int_eq(send_number(ends[0], 1, 0), 0);
	/* It asks again and again, and gets -EBUSY. */
	ck_assert_int_eq(recv_number(ends[0], test_now() + 20 * MS), -ETIMEDOUT);
	weir_pipe_handover(ends[1]);
	ck_assert_int_eq(recv_number(ends[0], soon()), 2);
	close_end(1);
	expect_echo(5, 10);
	close_end(0);
	child_join_ok(&child);
}
END_TEST

static int exec_again(void *arg)
{
	(void)arg;
	become(ends[1], "again", -1, -1);
	return 1;
}

START_TEST(program_that_execs_takes_over_from_itself)
{
	struct child child = child_start(exec_again, NULL);

	close_end(1);
	expect_echo(0, 4);
	child_join_ok(&child);
	ck_assert_int_eq(recv_number(ends[0], soon()), -EPIPE);
}
END_TEST

/*
 * Over sockets
 */

START_TEST(end_goes_over_a_socket_to_a_program)
{
	struct child child = child_start(echo_received, NULL);

	ck_assert_int_eq(weir_send_handle(to_peer[0], ends[1], 0, soon()), 0);
	close_end(1);
	expect_echo(0, 1000);
	close_end(0);
	child_join_ok(&child);
}
END_TEST

static int on[2];

static int pass_on(void *arg)
{
	(void)arg;
	become(NULL, "pass", to_peer[1], on[0]);
	return 1;
}

static int echo_passed_on(void *arg)
{
	(void)arg;
	become(NULL, "echo-from", on[1], -1);
	return 1;
}

START_TEST(end_travels_twice)
{
	struct child first, second;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, on), 0);
	first = child_start(pass_on, NULL);
	ck_assert_int_eq(weir_send_handle(to_peer[0], ends[1], 0, soon()), 0);
	close_end(1);
	child_join_ok(&first);
	/* On its way, with nobody to receive it yet. */
	ck_assert_int_eq(send_number(ends[0], 41, 0), 0);
	ck_assert_int_eq(recv_number(ends[0], test_now() + 25 * MS), -ETIMEDOUT);
	second = child_start(echo_passed_on, NULL);
	ck_assert_int_eq(recv_number(ends[0], soon()), 42);
	expect_echo(0, 100);
	close_end(0);
	child_join_ok(&second);
	close(on[0]);
	close(on[1]);
}
END_TEST

static int hold_received(void *arg)
{
	(void)arg;
	become(NULL, "hold", to_peer[1], -1);
	return 1;
}

static int only_wait(void *arg)
{
	(void)arg;
	become(NULL, "wait", to_peer[1], -1);
	return 1;
}

/* Also a copy that was never received. */
static void check_last_copy(int (*peer)(void *arg))
{
	struct child child = child_start(peer, NULL);

	close(to_peer[1]);
	ck_assert(child_wait_asleep(child.pid));
	ck_assert_int_eq(weir_send_handle(to_peer[0], ends[1], 0, soon()), 0);
	close_end(1);
	close(to_peer[0]);
	ck_assert_int_eq(recv_number(ends[0], test_now() + 25 * MS), -ETIMEDOUT);
	ck_assert_int_eq(send_number(ends[0], 1, 0), 0);
	child_kill(&child);
	ck_assert_int_eq(recv_number(ends[0], soon()), -EPIPE);
	close_end(0);
	setup();
}

START_TEST(end_is_open_while_a_copy_is_anywhere)
{
	check_last_copy(hold_received);
	check_last_copy(only_wait);
}
END_TEST

static int send_and_die(void *arg)
{
	struct weir_end *mine[2];

	(void)arg;
	child_check(pipe_make(mine, 0, CAPACITY) == 0);
	for (uint64_t n = 0; n < 3; n++)
		child_check(send_number(mine[1], n, 0) == 0);
	child_check(weir_send_handle(to_peer[1], mine[0], 0, 0) == 0);
	raise(SIGKILL);
	return 0;
}

START_TEST(end_of_a_sender_that_died_at_once_has_its_messages)
{
	struct child child = child_start(send_and_die, NULL);
	struct weir_end *end;

	child_join(&child);
	ck_assert_int_eq(weir_recv_handle(to_peer[0], WEIR_KIND_PIPE_END, 0, 0, &end), 0);
	for (int n = 0; n < 3; n++)
		ck_assert_int_eq(recv_number(end, soon()), n);
	ck_assert_int_eq(recv_number(end, soon()), -EPIPE);
	ck_assert_int_eq(weir_pipe_fd(end) < 0, 0);
	weir_pipe_close(end);
}
END_TEST

START_TEST(exported_descriptor_of_a_received_end_shows_what_comes)
{
	struct pollfd p = { .events = POLLIN };
	struct weir_end *end;
	struct child child;

	ck_assert_int_eq(weir_send_handle(to_peer[0], ends[0], 0, 0), 0);
	ck_assert_int_eq(weir_recv_handle(to_peer[1], WEIR_KIND_PIPE_END, 0, 0, &end), 0);
	close_end(0);
	ends[0] = end;
	child = child_start(echo_exported, NULL);
	close_end(1);
	p.fd = weir_pipe_fd(ends[0]);
	ck_assert_int_ge(p.fd, 0);
	ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
	ck_assert_int_eq(send_number(ends[0], 1, 0), 0);
	ck_assert_int_eq(poll(&p, 1, 10000), 1);
	ck_assert_int_eq(recv_number(ends[0], soon()), 2);
	child_kill(&child);
	ck_assert_int_eq(poll(&p, 1, 10000), 1);
	ck_assert_int_eq(recv_number(ends[0], soon()), -EPIPE);
}
END_TEST

/*
 * Fork, while threads of the parent open and close
 */

static uint32_t stop;

static void *open_and_close(void *arg)
{
	int sockets[2];

	(void)arg;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
		return (void *)1;
	while (!load_acquire(&stop)) {
		struct weir_end *end, *other[2];

		if (weir_send_handle(sockets[0], ends[1], 0, soon()) < 0 ||
		    weir_recv_handle(sockets[1], WEIR_KIND_PIPE_END, 0, soon(), &end) < 0)
			return (void *)2;
		weir_pipe_close(end);
		if (weir_pipe(other, NULL) < 0)
			return (void *)3;
		pipe_close_both(other);
	}
	close(sockets[0]);
	close(sockets[1]);
	return NULL;
}

static int open_in_child(void *arg)
{
	char text[WEIR_EXPORT_SIZE];
	struct weir_end *end;

	(void)arg;
	child_check(weir_export(ends[1], text, sizeof(text)) > 0);
	child_check(weir_import(text, WEIR_KIND_PIPE_END, &end) == 0);
	child_check(send_number(end, 8, soon()) == 0);
	weir_pipe_close(end);
	return 0;
}

START_TEST(child_forked_amid_opens_and_closes_can_do_both)
{
	pthread_t threads[2];
	void *failed;

	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, open_and_close, NULL), 0);
	for (int i = 0; i < 100 / LESS; i++) {
		struct child child = child_start(open_in_child, NULL);

		child_join_ok(&child);
		ck_assert_int_eq(recv_number(ends[0], soon()), 8);
	}
	store_release(&stop, 1);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
		ck_assert_ptr_null(failed);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("handle-exec");
	TCase *exec = tcase_create("exec"), *sockets = tcase_create("sockets");
	TCase *fork_amid = tcase_create("fork");

	tcase_add_checked_fixture(exec, setup, teardown);
	tcase_add_test(exec, end_goes_over_fork_and_exec);
	tcase_add_test(exec, end_goes_over_posix_spawn);
	tcase_add_test(exec, killed_program_is_a_closed_end);
	tcase_add_test(exec, messages_of_before_are_there);
	tcase_add_test(exec, side_of_a_program_is_taken_over_when_it_is_killed);
	tcase_add_test(exec, side_is_the_programs_once_it_is_handed_over);
	tcase_add_test(exec, program_that_execs_takes_over_from_itself);
	suite_add_tcase(suite, exec);

	tcase_add_checked_fixture(sockets, setup, teardown);
	tcase_add_test(sockets, end_goes_over_a_socket_to_a_program);
	tcase_add_test(sockets, end_travels_twice);
	tcase_add_test(sockets, end_is_open_while_a_copy_is_anywhere);
	tcase_add_test(sockets, end_of_a_sender_that_died_at_once_has_its_messages);
	tcase_add_test(sockets, exported_descriptor_of_a_received_end_shows_what_comes);
	suite_add_tcase(suite, sockets);

	tcase_add_checked_fixture(fork_amid, setup, teardown);
	tcase_add_test(fork_amid, child_forked_amid_opens_and_closes_can_do_both);
	suite_add_tcase(suite, fork_amid);
	return test_main(suite);
}
