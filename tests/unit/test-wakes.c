/* SPDX-License-Identifier: MIT */
/* Wakes that are put off: what is written down, when it is made, and what becomes of it. */
#include "support.h"

#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/atomic.h"
#include "sys/sys.h"
#include "wait/bell.h"
#include "wait/wakes.h"

static struct wakes *collector;
static uint32_t words[4];
static uint64_t counter;
static int event;
static uint32_t calls;		/* of the main thread */
static _Thread_local bool counts;

static int count_calls(enum sys_call call)
{
	if (counts && (call == SYS_CALL_FUTEX_WAKE || call == SYS_CALL_EVENT_WRITE))
		calls++;
	return 0;
}

static void setup(void)
{
	void *memory;

	ck_assert_int_eq(sys_map_wiped(sizeof(*collector), &memory), 0);
	collector = memory;
	memset(words, 0, sizeof(words));
	counter = 0;
	event = sys_eventfd();
	ck_assert_int_ge(event, 0);
	calls = 0;
	counts = true;
	sys_fault = count_calls;
}

static void teardown(void)
{
	sys_fault = NULL;
	wakes_destroy(collector);
	sys_unmap(collector, sizeof(*collector));
	sys_close(event);
}

static void begin(void)
{
	ck_assert_int_eq(wakes_begin(collector), 0);
}

/*
 * Somebody who sleeps.
 */

struct sleeper {
	pthread_t thread;
	uint32_t *word;
	uint32_t expected;
	pid_t tid;
	int result;
};

static void *sleep_on_it(void *arg)
{
	struct sleeper *s = arg;

	__atomic_store_n(&s->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	s->result = sys_futex_wait(s->word, s->expected, soon());
	return NULL;
}

static void sleeper_start(struct sleeper *s, uint32_t *word)
{
	*s = (struct sleeper){ .word = word, .expected = load_acquire(word) };
	ck_assert_int_eq(pthread_create(&s->thread, NULL, sleep_on_it, s), 0);
	while (!__atomic_load_n(&s->tid, __ATOMIC_ACQUIRE))
		sched_yield();
	ck_assert(child_wait_asleep_in(s->tid, SYS_futex));
}

static bool sleeper_sleeps(const struct sleeper *s)
{
	return child_state(s->tid) == 'S';
}

static void sleeper_join(struct sleeper *s)
{
	ck_assert_int_eq(pthread_join(s->thread, NULL), 0);
	ck_assert_int_eq(s->result, 0);
}

/*
 * Cases
 */

START_TEST(without_a_collector_a_wake_is_made_at_once)
{
	struct sleeper s;

	sleeper_start(&s, &words[0]);
	wakes_futex(&words[0]);
	sleeper_join(&s);
	wakes_event(event, &words[0]);
	ck_assert(sys_event_clear(event));
	ck_assert_uint_eq(calls, 2);
	ck_assert_uint_eq(wakes_flush(collector, NULL), 0);
}
END_TEST

START_TEST(what_is_put_off_is_made_by_the_flush)
{
	struct sleeper s;

	sleeper_start(&s, &words[0]);
	begin();
	wakes_futex(&words[0]);
	wakes_event(event, &words[1]);
	wakes_end();
	ck_assert_uint_eq(calls, 0);
	ck_assert(sleeper_sleeps(&s));
	ck_assert(!sys_event_clear(event));
	ck_assert_uint_eq(wakes_flush(collector, NULL), 2);
	ck_assert_uint_eq(calls, 2);
	sleeper_join(&s);
	ck_assert(sys_event_clear(event));
	/* That was all. */
	ck_assert_uint_eq(wakes_flush(collector, NULL), 0);
	ck_assert_uint_eq(calls, 2);
}
END_TEST

START_TEST(the_same_again_is_made_once)
{
	begin();
	for (int i = 0; i < 10; i++) {
		wakes_futex(&words[0]);
		wakes_futex(&words[1]);
		wakes_event(event, &words[0]);
	}
	wakes_end();
	ck_assert_uint_eq(wakes_flush(collector, NULL), 3);
	/* But it is made again after the flush. */
	begin();
	wakes_futex(&words[0]);
	wakes_end();
	ck_assert_uint_eq(wakes_flush(collector, NULL), 1);
	ck_assert_uint_eq(calls, 4);
}
END_TEST

START_TEST(only_the_thread_that_collects_puts_off)
{
	begin();
	wakes_futex(&words[0]);
	wakes_end();
	wakes_futex(&words[1]);
	ck_assert_uint_eq(calls, 1);
	ck_assert_uint_eq(wakes_flush(collector, NULL), 1);
}
END_TEST

START_TEST(bell_is_not_touched_before_the_flush)
{
	struct sleeper s;
	uint32_t listened = bell_listen(&words[0]);

	sleeper_start(&s, &words[0]);
	begin();
	wakes_ring(&words[0], &counter);
	wakes_end();
	ck_assert_uint_eq(words[0], listened);
	ck_assert_uint_eq(wakes_flush(collector, NULL), 1);
	ck_assert_uint_eq(bell_state(&words[0]), BELL_RUNG);
	ck_assert_uint_eq(counter, 1);
	sleeper_join(&s);
}
END_TEST

START_TEST(bell_that_nobody_heard_is_quiet_after_the_flush)
{
	bell_listen(&words[0]);
	begin();
	wakes_ring(&words[0], &counter);
	wakes_end();
	ck_assert_uint_eq(wakes_flush(collector, NULL), 1);
	ck_assert_uint_eq(bell_state(&words[0]), BELL_QUIET);
	ck_assert_uint_eq(counter, 0);
}
END_TEST

START_TEST(bell_that_was_rung_meanwhile_needs_nothing)
{
	bell_listen(&words[0]);
	begin();
	wakes_ring(&words[0], &counter);
	wakes_ring(&words[1], &counter);	/* it is quiet */
	wakes_end();
	wakes_ring(&words[0], &counter);	/* nobody there: quiet */
	ck_assert_uint_eq(calls, 1);
	ck_assert_uint_eq(wakes_flush(collector, NULL), 0);
	ck_assert_uint_eq(calls, 1);
}
END_TEST

#define MANY	1000

START_TEST(there_is_room_for_many)
{
	static uint32_t many[MANY];
	uint64_t made, plain;

	for (int round = 0; round < 3; round++) {
		begin();
		for (int twice = 0; twice < 2; twice++)
			for (int i = 0; i < MANY; i++)
				wakes_futex(&many[i]);
		wakes_end();
		ck_assert_uint_eq(calls, (uint32_t)round * MANY);
		ck_assert_uint_eq(wakes_flush(collector, NULL), MANY);
	}
	wakes_counts(collector, &made, &plain);
	ck_assert_uint_eq(made, 3 * MANY);
	ck_assert_uint_eq(plain, 3 * MANY);
}
END_TEST

START_TEST(what_there_is_no_room_for_is_made_at_once)
{
	static uint32_t many[WAKES_MAX + 10];

	begin();
	for (uint32_t i = 0; i < WAKES_MAX + 10; i++)
		wakes_futex(&many[i]);
	wakes_end();
	ck_assert_uint_eq(calls, 10);
	ck_assert_uint_eq(wakes_flush(collector, NULL), WAKES_MAX);
	ck_assert_uint_eq(calls, WAKES_MAX + 10);
}
END_TEST

/* In another thread, while this one waits for it. */
static void *settle(void *arg)
{
	counts = true;
	wakes_settle(arg, sizeof(words[0]));
	return NULL;
}

START_TEST(what_goes_away_is_settled_by_any_thread)
{
	struct sleeper s;
	pthread_t closer;

	sleeper_start(&s, &words[1]);
	bell_listen(&words[2]);
	begin();
	wakes_futex(&words[0]);
	wakes_futex(&words[1]);
	wakes_event(event, &words[1]);
	wakes_ring(&words[2], &counter);
	wakes_end();
	ck_assert_int_eq(pthread_create(&closer, NULL, settle, &words[1]), 0);
	ck_assert_int_eq(pthread_join(closer, NULL), 0);
	sleeper_join(&s);
	ck_assert(sys_event_clear(event));
	ck_assert_uint_eq(calls, 2);
	/* A bell, too, is rung. */
	wakes_settle(&words[2], sizeof(words[2]));
	ck_assert_uint_eq(bell_state(&words[2]), BELL_QUIET);
	ck_assert_uint_eq(calls, 3);
	/* What is at that place now is another thing. */
	begin();
	wakes_futex(&words[1]);
	wakes_end();
	ck_assert_uint_eq(wakes_flush(collector, NULL), 2);
	ck_assert_uint_eq(calls, 5);
}
END_TEST

START_TEST(settling_finds_every_collector)
{
	struct wakes *other;
	void *memory;

	ck_assert_int_eq(sys_map_wiped(sizeof(*other), &memory), 0);
	other = memory;
	begin();
	wakes_futex(&words[0]);
	wakes_end();
	ck_assert_int_eq(wakes_begin(other), 0);
	wakes_futex(&words[0]);
	wakes_futex(&words[1]);
	wakes_end();
	wakes_settle(words, sizeof(words));
	ck_assert_uint_eq(calls, 3);
	ck_assert_uint_eq(wakes_flush(collector, NULL), 0);
	ck_assert_uint_eq(wakes_flush(other, NULL), 0);
	wakes_destroy(other);
	sys_unmap(other, sizeof(*other));
}
END_TEST

/* A way that makes every other one. */
static void make_half(void *arg, struct wake *wakes, uint32_t count)
{
	uint32_t *asked = arg;

	*asked = count;
	for (uint32_t i = 0; i < count; i += 2)
		wakes[i].woken = 0;
}

START_TEST(what_a_way_leaves_is_made_one_by_one)
{
	uint32_t asked = 0;
	struct wakes_way way = { .make = make_half, .arg = &asked, .from = 4 };

	for (int i = 0; i < 4; i++)
		bell_listen(&words[i]);
	begin();
	for (int i = 0; i < 4; i++)
		wakes_ring(&words[i], &counter);
	wakes_end();
	ck_assert_uint_eq(wakes_flush(collector, &way), 4);
	ck_assert_uint_eq(asked, 4);
	ck_assert_uint_eq(calls, 2);
	for (int i = 0; i < 4; i++)
		ck_assert_uint_eq(bell_state(&words[i]), BELL_QUIET);
	/* Too few for it. */
	asked = 0;
	begin();
	for (int i = 0; i < 3; i++)
		wakes_futex(&words[i]);
	wakes_end();
	ck_assert_uint_eq(wakes_flush(collector, &way), 3);
	ck_assert_uint_eq(asked, 0);
	ck_assert_uint_eq(calls, 5);
}
END_TEST

static int use_as_child(void *arg)
{
	(void)arg;
	calls = 0;
	child_check(wakes_flush(collector, NULL) == 0);
	child_check(wakes_begin(collector) == 0);
	wakes_futex(&words[1]);
	wakes_end();
	wakes_settle(&words[0], sizeof(words[0]));
	child_check(calls == 0);
	child_check(wakes_flush(collector, NULL) == 1);
	child_check(calls == 1);
	return 0;
}

START_TEST(forked_child_begins_with_nothing)
{
	struct child child;

	begin();
	wakes_futex(&words[0]);
	wakes_futex(&words[2]);
	wakes_end();
	child = child_start(use_as_child, NULL);
	child_join_ok(&child);
	ck_assert_uint_eq(wakes_flush(collector, NULL), 2);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("wakes");
	TCase *t = tcase_create("wakes");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, without_a_collector_a_wake_is_made_at_once);
	tcase_add_test(t, what_is_put_off_is_made_by_the_flush);
	tcase_add_test(t, the_same_again_is_made_once);
	tcase_add_test(t, only_the_thread_that_collects_puts_off);
	tcase_add_test(t, bell_is_not_touched_before_the_flush);
	tcase_add_test(t, bell_that_nobody_heard_is_quiet_after_the_flush);
	tcase_add_test(t, bell_that_was_rung_meanwhile_needs_nothing);
	tcase_add_test(t, there_is_room_for_many);
	tcase_add_test(t, what_there_is_no_room_for_is_made_at_once);
	tcase_add_test(t, what_goes_away_is_settled_by_any_thread);
	tcase_add_test(t, settling_finds_every_collector);
	tcase_add_test(t, what_a_way_leaves_is_made_one_by_one);
	/* An emulator does not pass on that memory is to be wiped. */
	test_add_unless(t, kernel_unavailable(), forked_child_begins_with_nothing);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return test_main(suite());
}
