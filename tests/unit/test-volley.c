/* SPDX-License-Identifier: MIT */
/* Several wakes in one system call, and what is left of those that the kernel does not take. */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/atomic.h"
#include "sys/sys.h"
#include "uring/volley.h"

#define EVENTS	8

static struct volley volley;
static int events[EVENTS];
static uint32_t words[2 * VOLLEY_SIZE + 10];
static struct wake wakes[2 * VOLLEY_SIZE + 10];

static void setup(void)
{
	volley = VOLLEY_CLOSED;
	ck_assert_int_eq(volley_open(&volley), 0);
	for (int i = 0; i < EVENTS; i++) {
		events[i] = sys_eventfd();
		ck_assert_int_ge(events[i], 0);
	}
	memset(words, 0, sizeof(words));
}

static void teardown(void)
{
	sys_fault = NULL;
	volley_close(&volley);
	for (int i = 0; i < EVENTS; i++)
		sys_close(events[i]);
}

static struct wake event_wake(int fd)
{
	return (struct wake){ .kind = WAKE_EVENT, .fd = fd, .woken = WAKE_OPEN };
}

static struct wake word_wake(uint32_t kind, uint32_t *word)
{
	return (struct wake){ .kind = kind, .word = word, .fd = -1, .woken = WAKE_OPEN };
}

struct sleeper {
	pthread_t thread;
	uint32_t *word;
	pid_t tid;
};

static void *sleep_on_it(void *arg)
{
	struct sleeper *s = arg;

	__atomic_store_n(&s->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	return sys_futex_wait(s->word, 0, soon()) == 0 ? s : NULL;
}

static void sleeper_start(struct sleeper *s, uint32_t *word)
{
	*s = (struct sleeper){ .word = word };
	ck_assert_int_eq(pthread_create(&s->thread, NULL, sleep_on_it, s), 0);
	while (!__atomic_load_n(&s->tid, __ATOMIC_ACQUIRE))
		sched_yield();
	ck_assert(child_wait_asleep_in(s->tid, SYS_futex));
}

static void sleeper_join(struct sleeper *s)
{
	void *result;

	ck_assert_int_eq(pthread_join(s->thread, &result), 0);
	ck_assert_ptr_eq(result, s);
}

START_TEST(all_kinds_go_in_one_system_call)
{
	struct sleeper sleepers[3];
	uint64_t calls = volley.ring.calls;

	if (!volley.futexes)
		return;
	sleeper_start(&sleepers[0], &words[0]);
	sleeper_start(&sleepers[1], &words[0]);
	sleeper_start(&sleepers[2], &words[1]);
	wakes[0] = word_wake(WAKE_FUTEX, &words[0]);
	wakes[1] = word_wake(WAKE_BELL, &words[1]);
	wakes[2] = word_wake(WAKE_BELL, &words[2]);
	wakes[3] = event_wake(events[0]);
	wakes[4] = word_wake(WAKE_FUTEX, &words[3]);
	ck_assert(volley_make(&volley, wakes, 5));
	ck_assert_uint_eq(volley.ring.calls, calls + 1);
	for (int i = 0; i < 3; i++)
		sleeper_join(&sleepers[i]);
	ck_assert_int_eq(wakes[0].woken, 1);
	ck_assert_int_eq(wakes[1].woken, 1);
	ck_assert_int_eq(wakes[2].woken, 0);
	ck_assert_int_eq(wakes[3].woken, 1);
	ck_assert_int_eq(wakes[4].woken, 1);
	ck_assert(sys_event_clear(events[0]));
	ck_assert_uint_eq(volley.made, 5);
}
END_TEST

START_TEST(a_bell_wakes_one_of_several)
{
	struct sleeper sleepers[2];

	if (!volley.futexes)
		return;
	sleeper_start(&sleepers[0], &words[0]);
	sleeper_start(&sleepers[1], &words[0]);
	for (int i = 0; i < 3; i++) {
		wakes[0] = word_wake(WAKE_BELL, &words[0]);
		ck_assert(volley_make(&volley, wakes, 1));
		ck_assert_int_eq(wakes[0].woken, i < 2);
	}
	sleeper_join(&sleepers[0]);
	sleeper_join(&sleepers[1]);
}
END_TEST

START_TEST(more_than_fit_are_several_submissions)
{
	uint32_t count = 2 * VOLLEY_SIZE + 10;
	uint64_t calls = volley.ring.calls;

	if (!volley.futexes)
		return;
	for (uint32_t i = 0; i < count; i++)
		wakes[i] = word_wake(i % 2 ? WAKE_BELL : WAKE_FUTEX, &words[i]);
	wakes[count - 1] = event_wake(events[0]);
	ck_assert(volley_make(&volley, wakes, count));
	ck_assert_uint_eq(volley.ring.calls, calls + 3);
	for (uint32_t i = 0; i < count - 1; i++)
		ck_assert_int_eq(wakes[i].woken, i % 2 ? 0 : 1);
	ck_assert(sys_event_clear(events[0]));
}
END_TEST

START_TEST(without_futexes_in_the_kernel_only_events_go)
{
	volley.futexes = false;
	wakes[0] = word_wake(WAKE_FUTEX, &words[0]);
	wakes[1] = event_wake(events[0]);
	wakes[2] = word_wake(WAKE_BELL, &words[1]);
	wakes[3] = event_wake(events[1]);
	ck_assert(volley_make(&volley, wakes, 4));
	ck_assert_int_eq(wakes[0].woken, WAKE_OPEN);
	ck_assert_int_eq(wakes[1].woken, 1);
	ck_assert_int_eq(wakes[2].woken, WAKE_OPEN);
	ck_assert_int_eq(wakes[3].woken, 1);
	ck_assert(sys_event_clear(events[0]) && sys_event_clear(events[1]));
	ck_assert_uint_eq(volley.made, 2);
	/* And where there is nothing that goes, no system call. */
	wakes[0] = word_wake(WAKE_FUTEX, &words[0]);
	ck_assert(volley_make(&volley, wakes, 1));
	ck_assert_uint_eq(volley.ring.calls, 1);
}
END_TEST

/*
 * What the kernel does not take
 */

static int enters, fail_from, fail_to, fail_with;

static int fail_enter(enum sys_call call)
{
	int number = call == SYS_CALL_URING_ENTER ? enters++ : -1;

	return number >= fail_from && number < fail_to ? fail_with : 0;
}

static void fail_enters(int from, int to, int error)
{
	enters = 0;
	fail_from = from;
	fail_to = to;
	fail_with = -error;
	sys_fault = fail_enter;
}

static const int errors[] = { EAGAIN, EBUSY, EINTR, ENOMEM };

START_TEST(what_is_refused_is_left_and_not_done_later)
{
	for (int i = 0; i < EVENTS / 2; i++)
		wakes[i] = event_wake(events[i]);
	fail_enters(0, 1, errors[_i]);
	ck_assert(volley_make(&volley, wakes, EVENTS / 2));
	for (int i = 0; i < EVENTS / 2; i++) {
		ck_assert_int_eq(wakes[i].woken, WAKE_OPEN);
		wakes[i] = event_wake(events[EVENTS / 2 + i]);
	}
	ck_assert(volley_make(&volley, wakes, EVENTS / 2));
	for (int i = 0; i < EVENTS / 2; i++) {
		ck_assert_int_eq(wakes[i].woken, 1);
		ck_assert(!sys_event_clear(events[i]));
		ck_assert(sys_event_clear(events[EVENTS / 2 + i]));
	}
	ck_assert_uint_eq(volley.made, EVENTS / 2);
}
END_TEST

START_TEST(refused_for_long_it_never_fills_up)
{
	fail_enters(0, 1000, EBUSY);
	for (int round = 0; round < 500; round++) {
		for (int i = 0; i < EVENTS; i++)
			wakes[i] = event_wake(events[i]);
		ck_assert(volley_make(&volley, wakes, EVENTS));
		for (int i = 0; i < EVENTS; i++)
			ck_assert_int_eq(wakes[i].woken, WAKE_OPEN);
	}
	sys_fault = NULL;
	wakes[0] = event_wake(events[0]);
	ck_assert(volley_make(&volley, wakes, 1));
	ck_assert_int_eq(wakes[0].woken, 1);
	for (int i = 0; i < EVENTS; i++)
		ck_assert_int_eq(sys_event_clear(events[i]), i == 0);
}
END_TEST

START_TEST(refused_half_way_the_rest_is_left)
{
	uint32_t count = 2 * VOLLEY_SIZE + 10;

	if (!volley.futexes)
		return;
	for (uint32_t i = 0; i < count; i++)
		wakes[i] = word_wake(WAKE_BELL, &words[i]);
	fail_enters(1, 2, EAGAIN);
	ck_assert(volley_make(&volley, wakes, count));
	for (uint32_t i = 0; i < count; i++)
		ck_assert_int_eq(wakes[i].woken, i < VOLLEY_SIZE ? 0 : WAKE_OPEN);
}
END_TEST

START_TEST(an_operation_that_fails_is_left_and_no_other)
{
	wakes[0] = event_wake(events[0]);
	wakes[1] = event_wake(-1);
	wakes[2] = event_wake(events[2]);
	ck_assert(volley_make(&volley, wakes, 3));
	ck_assert_int_eq(wakes[0].woken, 1);
	ck_assert_int_eq(wakes[1].woken, WAKE_OPEN);
	ck_assert_int_eq(wakes[2].woken, 1);
	ck_assert(sys_event_clear(events[0]) && sys_event_clear(events[2]));
}
END_TEST

/* As by write(2): it is signalled enough, and not once more when it is read. */
START_TEST(an_eventfd_that_is_full_is_left)
{
	uint64_t most = UINT64_MAX - 1;

	ck_assert_int_eq(write(events[0], &most, sizeof(most)), sizeof(most));
	wakes[0] = event_wake(events[0]);
	ck_assert(volley_make(&volley, wakes, 1));
	ck_assert_int_eq(wakes[0].woken, WAKE_OPEN);
	ck_assert(sys_event_clear(events[0]));
	ck_assert(!sys_event_clear(events[0]));
}
END_TEST

/* Its mode belongs to whoever else has it. */
START_TEST(an_eventfd_that_blocks_holds_up_nobody)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	uint64_t most = UINT64_MAX - 1;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, &most, sizeof(most)), sizeof(most));
	wakes[0] = event_wake(fd);
	wakes[1] = event_wake(events[0]);
	ck_assert(volley_make(&volley, wakes, 2));
	ck_assert_int_eq(wakes[0].woken, WAKE_OPEN);
	ck_assert_int_eq(wakes[1].woken, 1);
	ck_assert(sys_event_clear(events[0]));
	close(fd);
}
END_TEST

START_TEST(ring_that_was_closed_by_others_is_given_up)
{
	int fd = volley.ring.fd;

	close(fd);
	wakes[0] = event_wake(events[0]);
	ck_assert(!volley_make(&volley, wakes, 1));
	ck_assert_int_eq(wakes[0].woken, WAKE_OPEN);
	/* What has its number now stays open. */
	ck_assert_int_eq(dup2(events[0], fd), fd);
	volley_close(&volley);
	ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
	close(fd);
}
END_TEST

START_TEST(descriptor_that_is_no_ring_any_more_is_left_alone)
{
	int fd = volley.ring.fd;

	ck_assert_int_eq(dup2(events[1], fd), fd);
	wakes[0] = event_wake(events[0]);
	ck_assert(!volley_make(&volley, wakes, 1));
	ck_assert_int_eq(wakes[0].woken, WAKE_OPEN);
	volley_close(&volley);
	ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
	close(fd);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("volley");
	TCase *t = tcase_create("volley");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, all_kinds_go_in_one_system_call);
	tcase_add_test(t, a_bell_wakes_one_of_several);
	tcase_add_test(t, more_than_fit_are_several_submissions);
	tcase_add_test(t, without_futexes_in_the_kernel_only_events_go);
	tcase_add_loop_test(t, what_is_refused_is_left_and_not_done_later, 0,
			    (int)(sizeof(errors) / sizeof(errors[0])));
	tcase_add_test(t, refused_for_long_it_never_fills_up);
	tcase_add_test(t, refused_half_way_the_rest_is_left);
	tcase_add_test(t, an_operation_that_fails_is_left_and_no_other);
	tcase_add_test(t, an_eventfd_that_is_full_is_left);
	tcase_add_test(t, an_eventfd_that_blocks_holds_up_nobody);
	tcase_add_test(t, ring_that_was_closed_by_others_is_given_up);
	tcase_add_test(t, descriptor_that_is_no_ring_any_more_is_left_alone);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	volley = VOLLEY_CLOSED;
	if (volley_open(&volley) < 0)
		test_skip_all("there is no io_uring here");
	volley_close(&volley);
	return test_main(suite());
}
