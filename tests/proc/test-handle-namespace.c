/* SPDX-License-Identifier: MIT */
/*
 * Ends and locks in other PID namespaces, and without /proc: what is sent arrives, and the owner of
 * another namespace, whose number means somebody else or nobody here, is not taken for dead.
 */
#include "pipe-tools.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "obj/lock.h"
#include "sys/sys.h"
#include "wait/live.h"

#define CAPACITY	4096

static struct weir_end *ends[2];
static struct weir_lock *lock;

/* What processes that are nobody's children tell each other. */
static struct said {
	uint32_t ready;
	uint32_t go;
	uint32_t number;	/* of the pid inside */
	struct live_name name;
} *said;

static void setup(void)
{
	said = shared_alloc(sizeof(*said));
	ck_assert_int_eq(pipe_make(ends, 0, CAPACITY), 0);
	ck_assert_int_eq(weir_lock(&lock, NULL), 0);
}

static void teardown(void)
{
	weir_lock_close(lock);
	pipe_close_both(ends);
}

/*
 * Namespaces
 */

enum surroundings {
	ALL_NEW,	/* a /proc of its own */
	OLD_PROC,	/* the /proc of the namespace outside */
	NO_PROC,
};

struct inside {
	int (*fn)(void *arg);
	enum surroundings surroundings;
};

static int become_inside(void)
{
	if (unshare(CLONE_NEWPID | CLONE_NEWNS) < 0 &&
	    unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS) < 0)
		return -errno;
	return 0;
}

static int arrange_proc(enum surroundings surroundings)
{
	if (surroundings == OLD_PROC)
		return 0;
	/* Nothing of this is seen outside. */
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	if (surroundings == NO_PROC)
		return mount("none", "/proc", "tmpfs", 0, NULL) < 0 ? -errno : 0;
	return mount("proc", "/proc", "proc", 0, NULL) < 0 ? -errno : 0;
}

/* The first process of the new namespace. */
static int first_inside(void *arg)
{
	const struct inside *inside = arg;

	child_check(getpid() == 1);
	child_check(arrange_proc(inside->surroundings) == 0);
	return inside->fn(NULL);
}

/*
 * Its parent is nobody that it knows, which child_start() would not have. It writes what it finds
 * wrong where its parent would.
 */
static int run_first(int (*fn)(void *arg), void *arg, bool leave)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(fn(arg));
	}
	if (leave)
		pipe_close_both(ends);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int wait_for_inside(void *arg)
{
	child_check(become_inside() == 0);
	return run_first(first_inside, arg, true);
}

/* Its process ends, or is killed, together with all that is inside. */
static struct child start_inside(int (*fn)(void *arg), enum surroundings surroundings)
{
	static struct inside inside;

	inside = (struct inside){ fn, surroundings };
	return child_start(wait_for_inside, &inside);
}

static int try_proc(void *arg)
{
	(void)arg;
	return arrange_proc(ALL_NEW) == 0 && getpid() == 1 ? 0 : 1;
}

static int try_first(void *arg)
{
	return become_inside() < 0 || run_first(try_proc, arg, false) != 0;
}

static const char *namespaces_unavailable(void)
{
	struct child child;
	int status;

	if (kernel_unavailable())
		return kernel_unavailable();
	child = child_start(try_first, NULL);
	status = child_join(&child);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0
		? NULL : "new namespaces are not permitted here";
}

static bool kernel_tells_namespace(void)
{
	int pidfd = sys_pidfd(getpid()), result = ioctl(pidfd, _IO(0xff, 5));

	sys_close(pidfd);
	if (result < 0)
		return false;
	close(result);
	return true;
}

static void wait_for(uint32_t *word, uint32_t value)
{
	int64_t deadline = soon();

	while (load_acquire(word) != value && test_now() < deadline)
		nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
}

static int say_ready_and_wait(void)
{
	store_release(&said->ready, 1);
	wait_for(&said->go, 1);
	return 0;
}

static void wait_ready(void)
{
	wait_for(&said->ready, 1);
	ck_assert_uint_eq(load_acquire(&said->ready), 1);
	store_release(&said->ready, 0);
}

/*
 * Messages
 */

static int echo(void *arg)
{
	int64_t number;

	(void)arg;
	weir_pipe_close(ends[0]);
	while ((number = recv_number(ends[1], soon())) >= 0)
		child_check(send_number(ends[1], (uint64_t)number + 1, soon()) == 0);
	child_check(number == -EPIPE);
	return 0;
}

START_TEST(messages_go_both_ways)
{
	struct child child = start_inside(echo, (enum surroundings)_i);

	weir_pipe_close(ends[1]);
	for (int n = 0; n < 200; n++) {
		ck_assert_int_eq(send_number(ends[0], (uint64_t)n, soon()), 0);
		ck_assert_int_eq(recv_number(ends[0], soon()), n + 1);
	}
	weir_pipe_close(ends[0]);
	child_join_ok(&child);
	setup();
}
END_TEST

START_TEST(death_inside_is_a_closed_end)
{
	struct child child = start_inside(echo, (enum surroundings)_i);

	weir_pipe_close(ends[1]);
	ck_assert_int_eq(send_number(ends[0], 1, soon()), 0);
	ck_assert_int_eq(recv_number(ends[0], soon()), 2);
	child_kill(&child);
	ck_assert_int_eq(recv_number(ends[0], soon()), -EPIPE);
	weir_pipe_close(ends[0]);
	setup();
}
END_TEST

/*
 * Owners
 */

/* Own both directions of ends[1], without the lock that would tell. */
static int own_without_lock(void *arg)
{
	(void)arg;
	child_check(send_number(ends[1], 1, 0) == 0);
	child_check(recv_number(ends[1], 0) == -EAGAIN);
	close(ends[1]->core->segment.fd);
	say_ready_and_wait();
	child_check(send_number(ends[1], 2, 0) == 0);
	return 0;
}

static void check_owner_inside(int (*fn)(void *arg))
{
	struct child child = start_inside(fn, ALL_NEW);

	wait_ready();
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(send_number(ends[1], 9, 0), -EBUSY);
		ck_assert_int_eq(recv_number(ends[1], 0), -EBUSY);
	}
	store_release(&said->go, 1);
	child_join_ok(&child);
}

START_TEST(owner_inside_is_not_robbed)
{
	check_owner_inside(own_without_lock);
	ck_assert_int_eq(recv_number(ends[0], 0), 1);
	ck_assert_int_eq(recv_number(ends[0], 0), 2);
	ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
	/* It is dead by now, and nobody here can know. */
	ck_assert_int_eq(send_number(ends[1], 9, 0), -EBUSY);
}
END_TEST

static int own_and_hand_over(void *arg)
{
	(void)arg;
	child_check(send_number(ends[1], 1, 0) == 0);
	say_ready_and_wait();
	weir_pipe_handover(ends[1]);
	return 0;
}

START_TEST(side_is_handed_over_out_of_a_namespace)
{
	struct child child = start_inside(own_and_hand_over, ALL_NEW);

	wait_ready();
	ck_assert_int_eq(send_number(ends[1], 9, 0), -EBUSY);
	store_release(&said->go, 1);
	child_join_ok(&child);
	ck_assert_int_eq(send_number(ends[1], 9, 0), 0);
	ck_assert_int_eq(recv_number(ends[0], 0), 1);
	ck_assert_int_eq(recv_number(ends[0], 0), 9);
}
END_TEST

/* The owner is outside: its number is nobody's in here. */
static int try_to_take(void *arg)
{
	(void)arg;
	for (int i = 0; i < 3; i++) {
		child_check(send_number(ends[1], 9, 0) == -EBUSY);
		child_check(recv_number(ends[1], 0) == -EBUSY);
	}
	return 0;
}

START_TEST(owner_outside_is_not_robbed)
{
	struct child owner = child_start(own_without_lock, NULL), child;

	wait_ready();
	child = start_inside(try_to_take, (enum surroundings)_i);
	child_join_ok(&child);
	store_release(&said->go, 1);
	child_join_ok(&owner);
	/* Here its death is known. */
	ck_assert_int_eq(send_number(ends[1], 9, 0), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(recv_number(ends[0], 0), i + 1);
	ck_assert_int_eq(recv_number(ends[0], 0), 9);
}
END_TEST

static int send_and_die(void *arg)
{
	(void)arg;
	child_check(send_number(ends[1], 1, 0) == 0);
	raise(SIGKILL);
	return 0;
}

static int take_over_from_the_dead(void *arg)
{
	struct child child = child_start(send_and_die, NULL);

	(void)arg;
	child_join(&child);
	child_check(send_number(ends[1], 2, 0) == 0);
	return 0;
}

static int lose_to_the_dead(void *arg)
{
	struct child child = child_start(send_and_die, NULL);

	(void)arg;
	child_join(&child);
	child_check(send_number(ends[1], 2, 0) == -EBUSY);
	return 0;
}

START_TEST(death_is_known_within_a_namespace)
{
	struct child child = start_inside(take_over_from_the_dead, (enum surroundings)_i);

	child_join_ok(&child);
	ck_assert_int_eq(recv_number(ends[0], 0), 1);
	ck_assert_int_eq(recv_number(ends[0], 0), 2);
}
END_TEST

/* As on a kernel that only /proc tells of namespaces. */
static int old_kernel(enum sys_call call)
{
	return call == SYS_CALL_NAMESPACE || call == SYS_CALL_STATFS ? -ENOTTY : 0;
}

START_TEST(old_kernel_knows_death_where_there_is_a_proc)
{
	struct child child;

	sys_fault = old_kernel;
	child = start_inside(_i == NO_PROC ? lose_to_the_dead : take_over_from_the_dead,
			     (enum surroundings)_i);
	child_join_ok(&child);
	sys_fault = NULL;
	ck_assert_int_eq(recv_number(ends[0], 0), 1);
	ck_assert_int_eq(recv_number(ends[0], 0), _i == NO_PROC ? -EAGAIN : 2);
}
END_TEST

/*
 * Locks
 */

static int have_lock(void *arg)
{
	(void)arg;
	child_check(weir_lock_acquire(lock, 0, 0) == 0);
	return say_ready_and_wait();
}

static int have_lock_for_a_while(void *arg)
{
	have_lock(arg);
	child_check(weir_lock_release(lock) == 0);
	return 0;
}

static int wait_for_lock_in_vain(void *arg)
{
	(void)arg;
	child_check(weir_lock_acquire(lock, WEIR_NOSPIN, test_now() + 20 * MS) == -ETIMEDOUT);
	child_check(shared_mend_all(&lock->shared) == 0);
	return 0;
}

START_TEST(holder_inside_is_not_robbed)
{
	struct child child = start_inside(have_lock_for_a_while, (enum surroundings)_i);

	wait_ready();
	ck_assert_int_eq(wait_for_lock_in_vain(NULL), 0);
	store_release(&said->go, 1);
	ck_assert_int_eq(weir_lock_acquire(lock, 0, soon()), 0);
	child_join_ok(&child);
	/* It is dead by now, and nobody here can know. */
	ck_assert_int_eq(shared_mend_all(&lock->shared), 0);
}
END_TEST

START_TEST(lock_of_one_who_died_inside_is_released_by_hand)
{
	struct child child = start_inside(have_lock, ALL_NEW);

	wait_ready();
	store_release(&said->go, 1);
	child_join_ok(&child);
	ck_assert_int_eq(wait_for_lock_in_vain(NULL), 0);
	ck_assert_int_eq(weir_lock_release(lock), 0);
	ck_assert_int_eq(weir_lock_acquire(lock, 0, 0), 0);
}
END_TEST

START_TEST(holder_outside_is_not_robbed)
{
	struct child child;

	ck_assert_int_eq(weir_lock_acquire(lock, 0, 0), 0);
	child = start_inside(wait_for_lock_in_vain, (enum surroundings)_i);
	child_join_ok(&child);
	ck_assert(weir_lock_is_mine(lock));
}
END_TEST

static int have_lock_and_die(void *arg)
{
	(void)arg;
	return weir_lock_acquire(lock, 0, 0) == 0 ? 0 : 1;
}

static int be_told(void *arg)
{
	struct child child = child_start(have_lock_and_die, NULL);

	(void)arg;
	child_join_ok(&child);
	child_check(weir_lock_acquire(lock, 0, soon()) == WEIR_OWNER_DIED);
	return 0;
}

START_TEST(death_with_a_lock_is_known_within_a_namespace)
{
	struct child child = start_inside(be_told, (enum surroundings)_i);

	child_join_ok(&child);
}
END_TEST

/*
 * Names
 */

static int innermost(void *arg)
{
	struct live_name self = live_self();

	(void)arg;
	/* The same number as its parent has, and not its parent. */
	child_check(getpid() == 1);
	child_check(self.process >> 32 == said->name.process >> 32);
	child_check(self.process != said->name.process);
	child_check(self.space != said->name.space);
	child_check(!live_is_self(said->name));
	child_check(!live_gone(said->name));
	child_check(send_number(ends[1], 5, 0) == -EBUSY);
	return 0;
}

static int with_the_same_number(void *arg)
{
	struct inside inside = { innermost, ALL_NEW };

	(void)arg;
	child_check(send_number(ends[1], 4, 0) == 0);
	said->name = live_self();
	/* For its children: it stays where it is. */
	child_check(unshare(CLONE_NEWPID | CLONE_NEWNS) == 0);
	if (run_first(first_inside, &inside, false) != 0)
		_exit(1);
	child_check(send_number(ends[1], 5, 0) == 0);
	return 0;
}

START_TEST(child_with_its_parents_number_is_not_its_parent)
{
	struct child child = start_inside(with_the_same_number, ALL_NEW);

	child_join_ok(&child);
	ck_assert_int_eq(recv_number(ends[0], 0), 4);
	ck_assert_int_eq(recv_number(ends[0], 0), 5);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("handle-namespace");
	TCase *tcase = tcase_create("namespaces");
	const char *unavailable = namespaces_unavailable();

	if (unavailable)
		test_skip_all(unavailable);
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, messages_go_both_ways, 0, 3);
	tcase_add_loop_test(tcase, death_inside_is_a_closed_end, 0, 3);
	tcase_add_test(tcase, owner_inside_is_not_robbed);
	tcase_add_test(tcase, side_is_handed_over_out_of_a_namespace);
	tcase_add_loop_test(tcase, owner_outside_is_not_robbed, 0, 3);
	/* Without /proc only a kernel that tells by itself. */
	tcase_add_loop_test(tcase, death_is_known_within_a_namespace, 0,
			    kernel_tells_namespace() ? 3 : 1);
	tcase_add_loop_test(tcase, old_kernel_knows_death_where_there_is_a_proc, 0, 3);
	tcase_add_loop_test(tcase, holder_inside_is_not_robbed, 0, 3);
	tcase_add_test(tcase, lock_of_one_who_died_inside_is_released_by_hand);
	tcase_add_loop_test(tcase, holder_outside_is_not_robbed, 0, 3);
	tcase_add_loop_test(tcase, death_with_a_lock_is_known_within_a_namespace, 0,
			    kernel_tells_namespace() ? 3 : 1);
	tcase_add_test(tcase, child_with_its_parents_number_is_not_its_parent);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
