/* SPDX-License-Identifier: MIT */
/*
 * Somebody who may write the memory of an event, a condition or a barrier writes anything into it,
 * before calls and during them: they return by their deadlines, and nothing crashes.
 */
#include "support.h"

#include <signal.h>

#include "base/atomic.h"
#include "obj/barrier.h"
#include "obj/condition.h"
#include "obj/event.h"
#include "weir.h"

#define US	INT64_C(1000)
#define MS	INT64_C(1000000)
#define ROUNDS	400
/* A busy machine may take long. */
#define PATIENCE_NS (5000 * MS)

static struct weir_event_flag *event;
static struct weir_condition *condition;
static struct weir_barrier *barrier;

static void open_all(void)
{
	struct weir_condition_options few = { .size = sizeof(few), .max_waiters = 8 };

	ck_assert_int_eq(weir_event(&event, NULL), 0);
	ck_assert_int_eq(weir_condition(&condition, NULL, &few), 0);
	ck_assert_int_eq(weir_barrier(&barrier, 2, NULL), 0);
}

static void close_all(void)
{
	weir_event_close(event);
	weir_condition_close(condition);
	weir_barrier_close(barrier);
}

static uint64_t any_value(uint64_t was)
{
	switch (test_random_below(6)) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX;
	case 2:
		return was ^ UINT64_C(1) << test_random_below(64);
	case 3:
		return was + 1;
	case 4:
		return test_random_below(1 << 20);
	default:
		return test_random();
	}
}

static void write_anything(uint64_t *words, size_t count)
{
	uint64_t *word = &words[test_random_below(count)];

	store_seq(word, any_value(load_seq(word)));
}

/* Its control but the lock, its state, its first parties, its body. */
static void scribble_on(struct shared *s)
{
	switch (test_random_below(8)) {
	case 0:
		write_anything((uint64_t *)(void *)s->commons.control, 16);
		break;
	case 1:
		write_anything((uint64_t *)(void *)&s->commons.parties[1], 3 * 8);
		break;
	case 2:
	case 3:
	case 4:
		write_anything(s->commons.state, 3);
		break;
	default:
		if (s->commons.body)
			write_anything((uint64_t *)(void *)s->commons.body,
				       s->commons.body_size / sizeof(uint64_t));
	}
}

static void scribble(void)
{
	scribble_on(&event->shared);
	scribble_on(&condition->shared);
	scribble_on(&barrier->shared);
}

/* Each call once; how long the longest took. */
static void use_all(void)
{
	int64_t start = test_now();
	struct weir_lock *lock = weir_condition_lock(condition);
	uint32_t index;

	weir_event_set(event);
	weir_event_is_set(event);
	weir_event_clear(event);
	weir_event_wait(event, WEIR_NOSPIN, test_now() + 100 * US);
	ck_assert_int_ge(weir_lock_acquire(lock, 0, soon()), 0);
	weir_condition_wait(condition, WEIR_NOSPIN, test_now() + 100 * US);
	ck_assert(weir_lock_is_mine(lock));
	weir_condition_notify(condition, 1);
	weir_condition_notify_all(condition);
	ck_assert_int_eq(weir_lock_release(lock), 0);
	weir_barrier_wait(barrier, WEIR_NOSPIN, test_now() + 100 * US, &index);
	weir_barrier_waiting(barrier);
	weir_barrier_broken(barrier);
	weir_barrier_abort(barrier);
	weir_barrier_reset(barrier);
	weir_barrier_wait(barrier, 0, 0, &index);
	ck_assert_int_lt(test_now() - start, PATIENCE_NS);
}

START_TEST(damage_before_a_call_ends_it_in_time)
{
	for (int i = 0; i < ROUNDS; i++) {
		/* A fresh one now and then: damage heaps up. */
		if (i % 8 == 0)
			open_all();
		scribble();
		use_all();
		if (i % 8 == 7)
			close_all();
	}
}
END_TEST

static int scribble_for_ever(void *arg)
{
	(void)arg;
	for (;;)
		scribble();
	return 0;
}

START_TEST(damage_during_a_call_ends_it_in_time)
{
	struct child child;

	for (int i = 0; i < 5; i++) {
		open_all();
		child = child_start(scribble_for_ever, NULL);
		for (int n = 0; n < 20; n++)
			use_all();
		child_kill(&child);
		close_all();
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("meet-scribble");
	TCase *tcase = tcase_create("scribble");

	tcase_set_timeout(tcase, 100);
	tcase_add_test(tcase, damage_before_a_call_ends_it_in_time);
	tcase_add_test(tcase, damage_during_a_call_ends_it_in_time);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
