/* SPDX-License-Identifier: MIT */
/*
 * What every test uses, on top of check(3).
 *
 * The rule that a test must not break: a forked child never calls ck_assert and the like, because
 * its failure would be lost (the child exits, the parent is reported as passed). A child says
 * child_check(condition), or returns a number other than 0, and the parent asks with
 * child_join_ok(). All else here follows from it.
 *
 *	static int send_one(void *arg)
 *	{
 *		child_check(weir_pipe_send(arg, "x", 1, 0, soon()) == 0);
 *		return 0;
 *	}
 *
 *	START_TEST(one_message_arrives)
 *	{
 *		struct child child = child_start(send_one, end);
 *		...
 *		child_join_ok(&child);
 *	}
 *	END_TEST
 *
 * Nothing here sleeps for a fixed time and hopes: waiting means waiting for a state, with a
 * deadline that fails.
 */
#ifndef WEIR_TESTS_SUPPORT_H
#define WEIR_TESTS_SUPPORT_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The program
 */

/*
 * main() of a test program: run @suite and write TAP to standard output. 0 once it has run to the
 * end: failures are in the TAP, and a status on top of them would turn FAIL into ERROR.
 */
int test_main(Suite *suite);

/* The whole program cannot run here: say why and exit. Before test_main(). */
_Noreturn void test_skip_all(const char *reason);

/*
 * Add a case, or, where @unavailable says why it cannot run here, leave it out and print that;
 * tools/dev counts it as skipped.
 */
#define test_add_unless(tcase, unavailable, test) \
	do { \
		const char *unavailable_ = (unavailable); \
		if (unavailable_) \
			test_left_out(#test, unavailable_); \
		else \
			tcase_add_test(tcase, test); \
	} while (0)
/* The same of a case that runs for each of [first, end). */
#define test_add_loop_unless(tcase, unavailable, test, first, end) \
	do { \
		const char *unavailable_ = (unavailable); \
		if (unavailable_) \
			test_left_out(#test, unavailable_); \
		else \
			tcase_add_loop_test(tcase, test, first, end); \
	} while (0)
void test_left_out(const char *name, const char *reason);
/*
 * Add a case that runs for each of [0, count), which takes long; or, where WEIR_TEST_ONE_OF is N,
 * for one of N. Which, the seed says.
 */
#define test_add_some(tcase, test, count) \
	do { \
		for (int test_i_ = 0; test_i_ < (int)(count); test_i_++) \
			if (test_chosen((uint64_t)test_i_)) \
				tcase_add_loop_test(tcase, test, test_i_, test_i_ + 1); \
	} while (0)
bool test_chosen(uint64_t index);

/*
 * Random numbers (splitmix64) from a seed that is printed and that WEIR_TEST_SEED sets. Every case
 * starts from the same state.
 */
uint64_t test_random(void);
/* Less than @limit. */
uint64_t test_random_below(uint64_t limit);
uint64_t test_seed(void);

/*
 * Time
 */

/* A deadline that only a hang reaches: half a minute from now, CLOCK_MONOTONIC in nanoseconds. */
int64_t soon(void);
int64_t test_now(void);

/*
 * Children
 */

struct child {
	pid_t pid;		/* 0 once it is joined */
	char *note;		/* shared with the child: what its child_check() found */
};

/*
 * Fork a process that ends with _exit(fn(arg)), and with the thread that started it. It inherits
 * all that is open and mapped.
 */
struct child child_start(int (*fn)(void *arg), void *arg);

/* In a child: fails it, with the text of the condition, which its child_join_ok() will print. */
#define child_check(condition) \
	do { \
		if (!(condition)) \
			child_fail(__FILE__, __LINE__, #condition); \
	} while (0)
_Noreturn void child_fail(const char *file, int line, const char *text);

/* Wait for the child, a minute at most, and fail the case unless it returned 0. */
#define child_join_ok(child)	child_join_ok_at(child, __FILE__, __LINE__)
void child_join_ok_at(struct child *child, const char *file, int line);

/* Wait for the child, a minute at most; its status as waitpid(2) gives it. */
int child_join(struct child *child);

/* Kill with SIGKILL and wait until it is gone. */
void child_kill(struct child *child);

/* Free what belongs to a child that somebody has waited for in another way. */
void child_forget(struct child *child);

/* The letter of the state in /proc/PID/stat, 0 if there is no such process. */
char child_state(pid_t pid);

/*
 * Nanoseconds for which a process has been ready to run, in all, and had no processor; 0 where the
 * kernel does not say. Tells a machine that is busy from a wake-up that is lost.
 */
int64_t child_starved(pid_t pid);

/* SIGSTOP, SIGCONT; return when it has stopped, or runs again. */
void child_stop(struct child *child);
void child_continue(struct child *child);

/*
 * Wait until @pid (of a process or a thread) sleeps in a system call, in a call of number @call if
 * that is not negative. False if it does not until soon(), or ends.
 */
bool child_wait_asleep(pid_t pid);
bool child_wait_asleep_in(pid_t pid, long call);

/*
 * Memory that children share
 */

/* Zeroed memory, shared with children forked later; lives until the process ends. */
void *shared_alloc(size_t size);

/* A barrier of @parties processes or threads, usable again and again. */
struct barrier {
	uint32_t parties;
	uint32_t arrived;
	uint32_t round;
};

struct barrier *barrier_create(uint32_t parties);

/* Wait for the others; false if they have not come until soon(). To be checked. */
bool barrier_wait(struct barrier *barrier);
bool barrier_wait_until(struct barrier *barrier, int64_t deadline);

/*
 * Leaks
 */

/*
 * What the process holds: descriptors and mappings. Take a snapshot before, compare after; the case
 * fails with a list of what is there now and was not before, or the other way round.
 *
 * Memory of malloc() and of this file does not count. Private anonymous mappings count only if
 * @anonymous is set in between: glibc keeps the stacks of threads that have ended, and sanitizers
 * map as they please (with those it is ignored).
 */
struct resources {
	char *fds;
	char *maps;
	bool anonymous;
};

struct resources resources_begin(void);
#define resources_check(before)	resources_check_at(before, __FILE__, __LINE__)
void resources_check_at(const struct resources *before, const char *file, int line);
/* The same comparison as text: NULL if nothing leaked. */
const char *resources_difference(const struct resources *before);

/*
 * Stepping: run a child one machine instruction at a time, to kill it, stop it or look at shared
 * memory between any two.
 *
 *	static int op(void *arg)
 *	{
 *		prepare(arg);
 *		stepper_mark_begin();
 *		what_is_examined(arg);
 *		stepper_mark_end();
 *		return 0;
 *	}
 *
 *	for (n = 0;; n++) {
 *		struct stepper stepper = stepper_start(op, arg);
 *		ck_assert(stepper_run_to_begin(&stepper));
 *		end = stepper_steps(&stepper, n) != STEP_DONE;
 *		stepper_kill(&stepper);
 *		...
 *	}
 *
 * The cases that use it are added with test_add_unless(tcase, stepper_unavailable(), ...).
 */

/* Why what only the kernel does cannot be tested here, behind an emulator; or NULL. */
const char *kernel_unavailable(void);

/* Why a child cannot be stepped here, or NULL. Tries it. */
const char *stepper_unavailable(void);

enum step {
	STEP_DONE,	/* the instruction has run */
	STEP_END,	/* stepper_mark_end() was reached */
	STEP_BLOCKED,	/* it sleeps in a system call; a further step goes on waiting for it */
	STEP_EXITED,	/* it has returned; stepper.status is as waitpid(2) gives it */
};

struct stepper {
	struct child child;
	int status;		/* of the last stop or of the end */
	int signal;		/* to deliver when it runs on */
	bool pending;		/* a step has begun and has not ended: it is blocked */
	uint64_t steps;		/* instructions so far */
};

struct stepper stepper_start(int (*fn)(void *arg), void *arg);

/* In the child. They are signals that a process ignores, so an untraced child may call them too. */
void stepper_mark_begin(void);
void stepper_mark_end(void);

/* Let it run, at full speed, until it is in stepper_mark_begin(). False if it ends before. */
bool stepper_run_to_begin(struct stepper *stepper);

/*
 * One instruction; a system call is one instruction. Blocked means that it has slept for 20 ms;
 * it sleeps still, can be killed or woken.
 */
enum step stepper_step(struct stepper *stepper);

/* Up to @count; the first that is not STEP_DONE ends it. */
enum step stepper_steps(struct stepper *stepper, uint64_t count);

/* Let it run free, no longer traced; the child is then as one of child_start(). */
struct child stepper_release(struct stepper *stepper);

void stepper_kill(struct stepper *stepper);

#endif
