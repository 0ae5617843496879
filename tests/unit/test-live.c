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

static bool same(struct live_name a, struct live_name b)
{
	return a.process == b.process && a.space == b.space;
}

static struct live_name other(struct live_name name, uint64_t process)
{
	name.process = process;
	return name;
}

static int sleep_long(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return 0;
}

/* The name by which others know a child, told by itself. */
static struct live_name *told;

static int tell_and_sleep(void *arg)
{
	struct live_name self = live_self();

	told->space = self.space;
	store_release(&told->process, self.process);
	return sleep_long(arg);
}

static struct child start_teller(struct live_name *ret_name)
{
	struct child child;
	int64_t deadline = soon();

	told = shared_alloc(sizeof(*told));
	child = child_start(tell_and_sleep, NULL);
	while ((ret_name->process = load_acquire(&told->process)) == 0)
		ck_assert(test_now() < deadline);
	ret_name->space = told->space;
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
	struct live_name self = live_self();

	ck_assert(same(live_self(), self));
	ck_assert(live_is_self(self));
	ck_assert_int_eq((int32_t)(self.process >> 32), getpid());
	/* Which the kernel or /proc tells here. */
	ck_assert((uint32_t)self.process != 0);
	ck_assert(self.space != 0);
}
END_TEST

static int has_another_self(void *arg)
{
	struct live_name parent = *(struct live_name *)arg, self = live_self();

	child_check(self.process != parent.process);
	child_check(self.space == parent.space);
	child_check(!live_is_self(parent));
	child_check((pid_t)(self.process >> 32) == getpid());
	child_check(same(live_self(), self));
	child_check(!live_gone(parent));
	child_check(!live_gone(self));
	return 0;
}

START_TEST(child_has_a_self_of_its_own)
{
	struct live_name self = live_self();
	struct child child = child_start(has_another_self, &self);

	child_join_ok(&child);
	ck_assert(same(live_self(), self));
}
END_TEST

START_TEST(name_with_blanks_and_parentheses_does_not_confuse)
{
	struct live_name self = live_self();

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
	struct live_name identity;
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
	struct live_name identity;
	struct child child = start_teller(&identity);

	make_zombie(&child);
	ck_assert(live_gone(identity));
	child_join(&child);
}
END_TEST

START_TEST(reaped_process_is_gone)
{
	struct live_name identity;
	struct child child = start_teller(&identity);

	child_kill(&child);
	ck_assert(live_gone(identity));
}
END_TEST

START_TEST(number_used_again_is_another_process)
{
	struct live_name self = live_self();

	/* Our number, at another time. */
	ck_assert(live_gone(other(self, self.process - 1)));
	ck_assert(live_gone(other(self, self.process + 1)));
	ck_assert(!live_is_self(other(self, self.process + 1)));
	/* Nothing else is known: the number has to do. */
	ck_assert(!live_gone(other(self, self.process & ~UINT64_C(0xffffffff))));
	/* That comes from somewhere else, and cannot be compared. */
	ck_assert(!live_gone(other(self, self.process ^ (UINT64_C(1) << 31))));
}
END_TEST

START_TEST(nobody_of_another_namespace_is_gone_or_us)
{
	struct live_name self = live_self(), name = self;

	/* Its number is nobody's here, and it has a number that was used again. */
	name.process = self.process + 1;
	for (int i = 0; i < 2; i++) {
		name.space = i ? self.space + 1 : 0;
		ck_assert(!live_gone(name));
		ck_assert(!live_is_self(name));
		name.process = UINT64_C(0x7ffffffe) << 32 | 1;
		ck_assert(!live_gone(name));
	}
	name.space = self.space;
	ck_assert(live_gone(name));
	self.space++;
	ck_assert(!live_is_self(self));
}
END_TEST

static int without_new_calls(enum sys_call call)
{
	return call == SYS_CALL_STATFS || call == SYS_CALL_NAMESPACE ? -ENOTTY : 0;
}

/* As on a kernel that numbers processes only in /proc. */
static int has_a_name_from_proc(void *arg)
{
	struct live_name *names = arg;

	sys_fault = without_new_calls;
	names[1] = live_self();
	child_check(names[1].space == names[0].space);
	child_check((uint32_t)names[1].process != 0);
	child_check((uint32_t)names[1].process >> 31 == 0);
	child_check(live_is_self(names[1]));
	child_check(!live_gone(names[1]));
	child_check(live_gone(other(names[1], names[1].process + 1)));
	/* It cannot be compared with one that the kernel has given. */
	child_check(!live_gone(names[0]));
	return 0;
}

START_TEST(name_from_proc_serves_where_the_kernel_gives_none)
{
	struct live_name *names = shared_alloc(2 * sizeof(*names));
	struct child child;

	names[0] = live_self();
	child = child_start(has_a_name_from_proc, names);
	child_join_ok(&child);
	ck_assert(live_gone(names[1]));
}
END_TEST

static int no_call_works(enum sys_call call)
{
	return call == SYS_CALL_PIDFD || call == SYS_CALL_OPEN || call == SYS_CALL_READLINK ? -EPERM
											     : 0;
}

static int has_no_name(void *arg)
{
	struct live_name self;

	(void)arg;
	sys_fault = no_call_works;
	self = live_self();
	child_check(self.process == (uint64_t)getpid() << 32);
	child_check(self.space == 0);
	/* The number could be somebody else's. */
	child_check(!live_is_self(self));
	child_check(!live_gone(self));
	/* It is asked again, once it can be told. */
	sys_fault = NULL;
	child_check(live_self().space != 0);
	return 0;
}

START_TEST(name_that_nobody_tells_is_neither_ours_nor_gone)
{
	struct child child = child_start(has_no_name, NULL);

	child_join_ok(&child);
}
END_TEST

START_TEST(what_is_no_name_is_gone)
{
	static const uint64_t none[] = {
		0, 1, 0xffffffff, UINT64_MAX, UINT64_C(1) << 63, UINT64_C(0x7fffffff) << 32
	};

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		ck_assert_msg(live_gone(other(live_self(), none[i])), "%#lx",
			      (unsigned long)none[i]);
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
	struct live_name identity;
	struct child child = start_teller(&identity);

	child_kill(&child);
	errno = 4711;
	live_self();
	live_gone(live_self());
	live_gone(identity);
	live_gone((struct live_name){ 0, 0 });
	live_is_self(identity);
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
	tcase_add_test(gone, nobody_of_another_namespace_is_gone_or_us);
	test_add_unless(gone, kernel_unavailable(),
			name_from_proc_serves_where_the_kernel_gives_none);
	test_add_unless(gone, kernel_unavailable(),
			name_that_nobody_tells_is_neither_ours_nor_gone);
	tcase_add_test(gone, what_is_no_name_is_gone);
	tcase_add_test(gone, questions_leave_errno_and_nothing_behind);
	suite_add_tcase(suite, gone);

	tcase_add_test(line, line_hangs_up_with_its_last_copy);
	tcase_add_test(line, line_hangs_up_when_its_holder_is_killed);
	suite_add_tcase(suite, line);
	return test_main(suite);
}
