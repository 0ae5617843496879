/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/atomic.h"
#include "sys/sys.h"
#include "wait/live.h"

static int sleep_long(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return 0;
}

/* The name by which others know a child, told by itself. */
static uint64_t *told;

static int tell_and_sleep(void *arg)
{
	store_release(told, live_self());
	return sleep_long(arg);
}

static struct child start_teller(uint64_t *ret_identity)
{
	struct child child;
	int64_t deadline = soon();

	told = shared_alloc(sizeof(*told));
	child = child_start(tell_and_sleep, NULL);
	while ((*ret_identity = load_acquire(told)) == 0)
		ck_assert(test_now() < deadline);
	return child;
}

/* Dead, and nobody has waited for it. */
static void make_zombie(const struct child *child)
{
	siginfo_t info;

	kill(child->pid, SIGKILL);
	ck_assert_int_eq(waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOWAIT), 0);
	ck_assert_int_eq(child_state(child->pid), 'Z');
}

START_TEST(self_is_the_same_each_time_and_not_0)
{
	uint64_t self = live_self();

	ck_assert(self != 0);
	ck_assert_uint_eq(live_self(), self);
	ck_assert_int_eq((int32_t)(self >> 32), getpid());
	/* The start time, which /proc tells here. */
	ck_assert((uint32_t)self != 0);
}
END_TEST

static int has_another_self(void *arg)
{
	uint64_t parent = *(uint64_t *)arg, self = live_self();

	child_check(self != parent);
	child_check((pid_t)(self >> 32) == getpid());
	child_check(live_self() == self);
	child_check(!live_gone(parent));
	child_check(!live_gone(self));
	return 0;
}

START_TEST(child_has_a_self_of_its_own)
{
	uint64_t self = live_self();
	struct child child = child_start(has_another_self, &self);

	child_join_ok(&child);
	ck_assert_uint_eq(live_self(), self);
}
END_TEST

START_TEST(name_with_blanks_and_parentheses_does_not_confuse)
{
	uint64_t self = live_self();

	ck_assert_int_eq(prctl(PR_SET_NAME, ") R 1 (2) 3"), 0);
	ck_assert(!live_gone(self));
	ck_assert_int_eq(prctl(PR_SET_NAME, "a b c d e f g"), 0);
	ck_assert(!live_gone(self));
	ck_assert_int_eq(prctl(PR_SET_NAME, "))))))"), 0);
	ck_assert(!live_gone(self));
	ck_assert_int_eq(prctl(PR_SET_NAME, "test"), 0);
}
END_TEST

START_TEST(running_process_is_not_gone)
{
	uint64_t identity;
	struct child child = start_teller(&identity);

	ck_assert(!live_gone(live_self()));
	ck_assert(!live_gone(identity));
	child_stop(&child);
	ck_assert(!live_gone(identity));
	child_continue(&child);
	child_kill(&child);
}
END_TEST

START_TEST(zombie_is_gone)
{
	uint64_t identity;
	struct child child = start_teller(&identity);

	make_zombie(&child);
	ck_assert(live_gone(identity));
	child_join(&child);
}
END_TEST

START_TEST(reaped_process_is_gone)
{
	uint64_t identity;
	struct child child = start_teller(&identity);

	child_kill(&child);
	ck_assert(live_gone(identity));
}
END_TEST

START_TEST(number_used_again_is_another_process)
{
	uint64_t self = live_self();

	/* Our number, at another time. */
	ck_assert(live_gone(self - 1));
	ck_assert(live_gone(self + 1));
	/* No time is known: the number has to do. */
	ck_assert(!live_gone(self & ~UINT64_C(0xffffffff)));
}
END_TEST

START_TEST(what_is_no_name_is_gone)
{
	static const uint64_t none[] = {
		0, 1, 0xffffffff, UINT64_MAX, UINT64_C(1) << 63, UINT64_C(0x7fffffff) << 32
	};

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		ck_assert_msg(live_gone(none[i]), "%#lx", (unsigned long)none[i]);
}
END_TEST

START_TEST(line_hangs_up_with_its_last_copy)
{
	int line[2], copy;

	ck_assert_int_eq(sys_socketpair(line), 0);
	ck_assert(!live_hung_up(line[0]));
	copy = dup(line[1]);
	close(line[1]);
	ck_assert(!live_hung_up(line[0]));
	close(copy);
	ck_assert(live_hung_up(line[0]));
	ck_assert(live_hung_up(line[0]));
	close(line[0]);
	ck_assert(live_hung_up(line[0]));	/* closed by somebody: as good as hung up */
}
END_TEST

START_TEST(line_hangs_up_when_its_holder_is_killed)
{
	struct child child;
	int line[2];

	ck_assert_int_eq(sys_socketpair(line), 0);
	child = child_start(sleep_long, NULL);
	close(line[1]);
	ck_assert(!live_hung_up(line[0]));
	make_zombie(&child);
	ck_assert(live_hung_up(line[0]));
	child_join(&child);
	close(line[0]);
}
END_TEST

START_TEST(questions_leave_errno_and_nothing_behind)
{
	struct resources before = resources_begin();
	uint64_t identity;
	struct child child = start_teller(&identity);

	child_kill(&child);
	errno = 4711;
	live_self();
	live_gone(live_self());
	live_gone(identity);
	live_gone(0);
	live_hung_up(-1);
	ck_assert_int_eq(errno, 4711);
	resources_check(&before);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("live");
	TCase *self = tcase_create("self");
	TCase *gone = tcase_create("gone");
	TCase *line = tcase_create("line");

	tcase_add_test(self, self_is_the_same_each_time_and_not_0);
	test_add_unless(self, kernel_unavailable(), child_has_a_self_of_its_own);
	tcase_add_test(self, name_with_blanks_and_parentheses_does_not_confuse);
	suite_add_tcase(suite, self);

	test_add_unless(gone, kernel_unavailable(), running_process_is_not_gone);
	tcase_add_test(gone, zombie_is_gone);
	tcase_add_test(gone, reaped_process_is_gone);
	tcase_add_test(gone, number_used_again_is_another_process);
	tcase_add_test(gone, what_is_no_name_is_gone);
	tcase_add_test(gone, questions_leave_errno_and_nothing_behind);
	suite_add_tcase(suite, gone);

	tcase_add_test(line, line_hangs_up_with_its_last_copy);
	tcase_add_test(line, line_hangs_up_when_its_holder_is_killed);
	suite_add_tcase(suite, line);
	return test_main(suite);
}
