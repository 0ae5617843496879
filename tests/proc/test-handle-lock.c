/* SPDX-License-Identifier: MIT */
/* Locks that travel to other programs, by exec and by sockets; and programs that exec with one. */
#include "lock-tools.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static struct weir_lock *lock;
static int sockets[2];		/* ours, the program's */

static void setup(void)
{
	lock = lock_new(0);
	ck_assert_ptr_nonnull(lock);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
}

static void teardown(void)
{
	weir_lock_close(lock);
	close(sockets[0]);
	close(sockets[1]);
}

/* In a child: become the program. */
static int become(void *what)
{
	char text[WEIR_EXPORT_SIZE], fd[16];

	child_check(weir_export(lock, text, sizeof(text)) > 0);
	setenv("WEIR_LOCK", text, 1);
	snprintf(fd, sizeof(fd), "%d", sockets[1]);
	fcntl(sockets[1], F_SETFD, 0);
	execl(HANDLE_PEER, "handle-peer", (const char *)what, fd, NULL);
	return 127;
}

static struct child start(const char *what)
{
	return child_start(become, (void *)(uintptr_t)what);
}

static void wait_for_word(void)
{
	char byte;

	ck_assert_int_eq(read(sockets[0], &byte, 1), 1);
}

static void expect_told_once(void)
{
	ck_assert_int_eq(weir_lock_acquire(lock, 0, soon()), WEIR_OWNER_DIED);
	ck_assert_int_eq(weir_lock_release(lock), 0);
	ck_assert_int_eq(weir_lock_acquire(lock, 0, 0), 0);
	ck_assert_int_eq(weir_lock_release(lock), 0);
}

START_TEST(program_waits_for_it_and_leaves)
{
	struct child child;

	ck_assert_int_eq(weir_lock_acquire(lock, 0, 0), 0);
	child = start("lock-use");
	wait_for_word();
	ck_assert(child_wait_asleep_in(child.pid, SYS_futex));
	ck_assert_int_eq(weir_lock_release(lock), 0);
	child_join_ok(&child);
	ck_assert_int_eq(weir_lock_acquire(lock, 0, 0), 0);
	ck_assert_uint_eq(lock_parties(lock), 1);
}
END_TEST

START_TEST(lock_goes_over_a_socket_to_a_program)
{
	struct child child = start("lock-from");

	ck_assert_int_eq(weir_send_handle(sockets[0], lock, 0, soon()), 0);
	child_join_ok(&child);
	ck_assert_uint_eq(lock_parties(lock), 0);
}
END_TEST

START_TEST(killed_program_is_told_of)
{
	struct child child = start("lock-hold");

	wait_for_word();
	ck_assert_int_eq(weir_lock_acquire(lock, 0, test_now() + 10 * MS), -ETIMEDOUT);
	child_kill(&child);
	expect_told_once();
}
END_TEST

/* The process is the same, so nobody else can tell; it can. */
START_TEST(program_that_execs_is_told_of_its_former_self)
{
	struct child child = start("lock-again");

	child_join_ok(&child);
	ck_assert_int_eq(weir_lock_acquire(lock, 0, 0), 0);
}
END_TEST

START_TEST(lock_of_a_program_that_execs_is_free_when_it_ends)
{
	struct child child = start("lock-gone");

	wait_for_word();
	ck_assert_int_eq(weir_lock_acquire(lock, 0, test_now() + 50 * MS), -ETIMEDOUT);
	child_kill(&child);
	expect_told_once();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("handle-lock");
	TCase *tcase = tcase_create("programs");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, program_waits_for_it_and_leaves);
	tcase_add_test(tcase, lock_goes_over_a_socket_to_a_program);
	tcase_add_test(tcase, killed_program_is_told_of);
	tcase_add_test(tcase, program_that_execs_is_told_of_its_former_self);
	tcase_add_test(tcase, lock_of_a_program_that_execs_is_free_when_it_ends);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
