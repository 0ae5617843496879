/* SPDX-License-Identifier: MIT */
/*
 * Costs of processes, and the counting of system calls from outside: a pipe takes one call per
 * message at each end, whichever way they are counted.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/clock.h"
#include "bench/cost.h"
#include "support.h"

/* More than a pipe holds, so that the writer waits. */
#define MESSAGES 1200
#define LIMIT (60 * BENCH_NS)

/* ---- own costs ---- */

/* By the kernel's count in ticks, not by the clock that is tested. */
static int64_t ticks_spent(void)
{
	struct tms t;

	times(&t);
	return t.tms_utime + t.tms_stime;
}

START_TEST(spinning_costs_cpu_time)
{
	int64_t tick_ns = BENCH_NS / sysconf(_SC_CLK_TCK), until = ticks_spent() + 4;
	struct cost start, spent;

	/* Not for a time: another program may have the processor for all of it. */
	cost_now(&start);
	while (ticks_spent() < until)
		;
	cost_since(&start, &spent);
	ck_assert_int_gt(spent.cpu_ns, tick_ns);
	ck_assert_int_le(spent.cpu_ns, BENCH_NS);
	ck_assert_int_eq(spent.ctx_voluntary, 0);
}
END_TEST

START_TEST(sleeping_costs_switches)
{
	struct cost start, spent;
	int i;

	cost_now(&start);
	for (i = 0; i < 10; i++)
		bench_sleep(100000);
	cost_since(&start, &spent);
	/* One that has no processor just before it sleeps finds the time over. */
	while (spent.ctx_voluntary < 10 && i++ < 100) {
		bench_sleep(100000);
		cost_since(&start, &spent);
	}
	ck_assert_int_ge(spent.ctx_voluntary, 10);
	ck_assert_int_lt(spent.cpu_ns, BENCH_NS);
}
END_TEST

START_TEST(new_memory_costs_faults)
{
	struct cost start, spent;
	char *p = shared_alloc(1 << 20);
	int i;

	cost_now(&start);
	for (i = 0; i < 1 << 20; i += 4096)
		((volatile char *)p)[i] = 1;
	cost_since(&start, &spent);
	ck_assert_int_ge(spent.faults_minor, 16); /* around a fault more may be mapped */
	ck_assert_int_le(spent.faults_minor, 300);
}
END_TEST

START_TEST(costs_add_and_subtract)
{
	struct cost a = { 1, 2, 3, 4, 5 }, b = { 10, 20, 30, 40, 50 }, d;

	cost_sub(&b, &a, &d);
	ck_assert_int_eq(d.cpu_ns, 9);
	ck_assert_int_eq(d.ctx_voluntary, 18);
	ck_assert_int_eq(d.ctx_involuntary, 27);
	ck_assert_int_eq(d.faults_minor, 36);
	ck_assert_int_eq(d.faults_major, 45);
	cost_add(&d, &a);
	ck_assert_mem_eq(&d, &b, sizeof(d));
}
END_TEST

static void *spin_in_thread(void *arg)
{
	(void)arg;
	for (;;)
		bench_pause();
	return NULL;
}

static int busy_with_a_thread(void *arg)
{
	pthread_t thread;

	(void)arg;
	pthread_create(&thread, NULL, spin_in_thread, NULL);
	spin_in_thread(NULL);
	return 0;
}

START_TEST(costs_of_another_process_rise)
{
	struct child child = child_start(busy_with_a_thread, NULL);
	struct cost before, after, spent;
	int tries = 0;

	ck_assert_int_eq(cost_of_pid(child.pid, &before), 0);
	do {
		bench_sleep(20000000);
		ck_assert_int_eq(cost_of_pid(child.pid, &after), 0);
		cost_sub(&after, &before, &spent);
	} while (spent.cpu_ns < 5000000 && ++tries < 100);
	ck_assert_int_ge(spent.cpu_ns, 5000000);
	ck_assert_int_gt(after.faults_minor, 0);
	child_kill(&child);
	ck_assert_int_lt(cost_of_pid(1 << 30, &after), 0);
}
END_TEST

/* ---- counting ---- */

static struct syscount_gate *gate;
static int ends[2];

static int writer(void *arg)
{
	char message[64] = "";
	int i;

	(void)arg;
	syscount_enter(gate);
	for (i = 0; i < MESSAGES; i++)
		if (write(ends[1], message, sizeof(message)) != sizeof(message))
			_exit(1);
	syscount_leave(gate);
	return 7;
}

static void *read_all(void *arg)
{
	char message[64];
	int i;

	for (i = 0; i < MESSAGES; i++)
		if (read(ends[0], message, sizeof(message)) != sizeof(message))
			_exit(1);
	return arg;
}

static int reader(void *arg)
{
	(void)arg;
	syscount_enter(gate);
	read_all(NULL);
	syscount_leave(gate);
	return 7;
}

/* The thread is there before counting begins, and works after it. */
static void *read_when_told(void *go)
{
	while (!__atomic_load_n((int *)go, __ATOMIC_ACQUIRE))
		bench_pause();
	return read_all(NULL);
}

static int reader_with_a_thread(void *arg)
{
	pthread_t thread;
	int go = 0;

	(void)arg;
	pthread_create(&thread, NULL, read_when_told, &go);
	syscount_enter(gate);
	__atomic_store_n(&go, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	syscount_leave(gate);
	return 7;
}

static int reader_with_a_new_thread(void *arg)
{
	pthread_t thread;

	(void)arg;
	syscount_enter(gate);
	pthread_create(&thread, NULL, read_all, NULL);
	pthread_join(thread, NULL);
	syscount_leave(gate);
	return 7;
}

static int reader_in_a_new_child(void *arg)
{
	int status;
	pid_t pid;

	(void)arg;
	syscount_enter(gate);
	pid = fork();
	if (pid == 0) {
		read_all(NULL);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	syscount_leave(gate);
	return status ? 1 : 7;
}

/* Why a way of counting cannot be used here, or NULL. */
static const char *unavailable(enum syscount_how how)
{
	static char why[2][200];
	pid_t self = getpid(), pid = self;
	struct child child = { 0 };
	struct syscount *sc;
	char *text = why[how == SYSCOUNT_PTRACE];

	if (how == SYSCOUNT_PTRACE) {
		child = child_start(busy_with_a_thread, NULL);
		pid = child.pid;
	}
	text[0] = 0;
	if (syscount_open(&sc, &pid, 1, how))
		strncpy(text, sc ? syscount_reason(sc) : "no memory", sizeof(why[0]) - 1);
	syscount_close(sc);
	if (child.pid)
		child_kill(&child);
	return text[0] ? text : NULL;
}

/* Count a writer against a reader; the reader may make up to @more calls of its own. */
static void count(enum syscount_how how, int (*read_end)(void *), uint64_t more)
{
	struct child child[2];
	struct syscount *sc;
	pid_t pid[2];
	int i;

	gate = shared_alloc(sizeof(*gate));
	ck_assert_int_eq(pipe(ends), 0);
	child[0] = child_start(writer, NULL);
	child[1] = child_start(read_end, NULL);
	for (i = 0; i < 2; i++)
		pid[i] = child[i].pid;
	ck_assert_int_eq(syscount_open(&sc, pid, 2, how), 0);
	ck_assert_int_eq(syscount_run(sc, gate, 2, LIMIT), 0);
	ck_assert_uint_eq(syscount_of(sc, 0), MESSAGES);
	ck_assert_uint_ge(syscount_of(sc, 1), MESSAGES);
	ck_assert_uint_le(syscount_of(sc, 1), MESSAGES + more);
	ck_assert_uint_eq(syscount_total(sc), syscount_of(sc, 0) + syscount_of(sc, 1));
	ck_assert_str_eq(syscount_source(sc), how == SYSCOUNT_PTRACE ? "ptrace" : "tracepoint");
	syscount_close(sc);
	for (i = 0; i < 2; i++) /* their exit states are still there */
		ck_assert_int_eq(WEXITSTATUS(child_join(&child[i])), 7);
	close(ends[0]);
	close(ends[1]);
}

START_TEST(tracepoint_counts_two_per_message)
{
	count(SYSCOUNT_TRACEPOINT, reader, 0);
}
END_TEST

START_TEST(tracepoint_counts_threads_and_children)
{
	count(SYSCOUNT_TRACEPOINT, reader_with_a_thread, 40);
	count(SYSCOUNT_TRACEPOINT, reader_with_a_new_thread, 40);
	count(SYSCOUNT_TRACEPOINT, reader_in_a_new_child, 40);
}
END_TEST

START_TEST(ptrace_counts_two_per_message)
{
	count(SYSCOUNT_PTRACE, reader, 0);
}
END_TEST

START_TEST(ptrace_counts_threads_and_children)
{
	count(SYSCOUNT_PTRACE, reader_with_a_thread, 40);
	count(SYSCOUNT_PTRACE, reader_with_a_new_thread, 40);
	count(SYSCOUNT_PTRACE, reader_in_a_new_child, 40);
}
END_TEST

/* Twenty calls in each of several windows; what lies between them is not counted. */
static int in_windows(void *arg)
{
	struct syscount_gate *windows = arg;
	int i, k;

	for (i = 0; i < 3; i++) {
		syscount_enter(&windows[i]);
		for (k = 0; k < 20; k++)
			getppid();
		syscount_leave(&windows[i]);
		for (k = 0; k < 50; k++)
			getppid();
	}
	return 0;
}

static void windows(enum syscount_how how)
{
	struct syscount_gate *all = shared_alloc(3 * sizeof(*all));
	struct child child = child_start(in_windows, all);
	struct syscount *sc;
	int i;

	ck_assert_int_eq(syscount_open(&sc, &child.pid, 1, how), 0);
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(syscount_run(sc, &all[i], 1, LIMIT), 0);
		ck_assert_uint_eq(syscount_total(sc), 20);
	}
	syscount_close(sc);
	child_join_ok(&child);
}

START_TEST(tracepoint_counts_each_window_alone)
{
	windows(SYSCOUNT_TRACEPOINT);
}
END_TEST

START_TEST(ptrace_counts_each_window_alone)
{
	windows(SYSCOUNT_PTRACE);
}
END_TEST

static int dies_in_the_window(void *arg)
{
	(void)arg;
	syscount_enter(gate);
	return 3;
}

static int hangs_in_the_window(void *arg)
{
	(void)arg;
	syscount_enter(gate);
	for (;;)
		pause();
	return 0;
}

static void trouble(enum syscount_how how)
{
	struct child child;
	struct syscount *sc;

	gate = shared_alloc(sizeof(*gate));
	child = child_start(dies_in_the_window, NULL);
	ck_assert_int_eq(syscount_open(&sc, &child.pid, 1, how), 0);
	ck_assert_int_eq(syscount_run(sc, gate, 1, LIMIT), -ESRCH);
	syscount_close(sc);
	ck_assert_int_eq(WEXITSTATUS(child_join(&child)), 3);

	gate = shared_alloc(sizeof(*gate));
	child = child_start(hangs_in_the_window, NULL);
	ck_assert_int_eq(syscount_open(&sc, &child.pid, 1, how), 0);
	ck_assert_int_eq(syscount_run(sc, gate, 1, 200000000), -ETIMEDOUT);
	syscount_close(sc);
	child_kill(&child);
}

START_TEST(tracepoint_notices_death_and_hang)
{
	trouble(SYSCOUNT_TRACEPOINT);
}
END_TEST

START_TEST(ptrace_notices_death_and_hang)
{
	trouble(SYSCOUNT_PTRACE);
}
END_TEST

START_TEST(no_process_is_an_error_with_a_reason)
{
	pid_t none = 1 << 30;
	struct syscount *sc;

	ck_assert_int_lt(syscount_open(&sc, &none, 1, SYSCOUNT_ANY), 0);
	ck_assert_ptr_nonnull(sc);
	ck_assert_ptr_null(syscount_source(sc));
	ck_assert_ptr_nonnull(syscount_reason(sc));
	ck_assert_int_eq(syscount_start(sc), -ENOSYS);
	syscount_close(sc);
	syscount_close(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bench-cost");
	TCase *own = tcase_create("own"), *counted = tcase_create("counted");
	const char *no_tracepoint = unavailable(SYSCOUNT_TRACEPOINT);
	const char *no_ptrace = unavailable(SYSCOUNT_PTRACE);

	tcase_add_test(own, spinning_costs_cpu_time);
	tcase_add_test(own, sleeping_costs_switches);
	tcase_add_test(own, new_memory_costs_faults);
	tcase_add_test(own, costs_add_and_subtract);
	tcase_add_test(own, costs_of_another_process_rise);
	suite_add_tcase(suite, own);
	test_add_unless(counted, no_tracepoint, tracepoint_counts_two_per_message);
	test_add_unless(counted, no_tracepoint, tracepoint_counts_threads_and_children);
	test_add_unless(counted, no_tracepoint, tracepoint_counts_each_window_alone);
	test_add_unless(counted, no_tracepoint, tracepoint_notices_death_and_hang);
	test_add_unless(counted, no_ptrace, ptrace_counts_two_per_message);
	test_add_unless(counted, no_ptrace, ptrace_counts_threads_and_children);
	test_add_unless(counted, no_ptrace, ptrace_counts_each_window_alone);
	test_add_unless(counted, no_ptrace, ptrace_notices_death_and_hang);
	tcase_add_test(counted, no_process_is_an_error_with_a_reason);
	suite_add_tcase(suite, counted);
	return test_main(suite);
}
