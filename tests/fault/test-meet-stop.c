/* SPDX-License-Identifier: MIT */
/*
 * A process that is stopped in the middle of a call on an event or a barrier holds up nobody but
 * those who wait for it to come, and does no harm when it goes on.
 */
#include "support.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "weir.h"

#define POINTS	12
#define OTHERS	2

static struct weir_event_flag *event;
static struct weir_barrier *barrier;
static void (*act)(void);

static void set_event(void)
{
	weir_event_set(event);
}

static void come(void)
{
	weir_barrier_wait(barrier, WEIR_NOSPIN, soon(), NULL);
}

static void give_up(void)
{
	weir_barrier_wait(barrier, WEIR_NOSPIN, 1, NULL);
}

static void abort_it(void)
{
	weir_barrier_abort(barrier);
}

static void reset_it(void)
{
	weir_barrier_reset(barrier);
}

static void (*const acts[])(void) = { set_event, come, give_up, abort_it, reset_it };

#define ACTS ((int)(sizeof(acts) / sizeof(acts[0])))

static int play_victim(void *arg)
{
	(void)arg;
	weir_barrier_wait(barrier, 0, 0, NULL);
	stepper_mark_begin();
	act();
	stepper_mark_end();
	weir_event_close(event);
	weir_barrier_close(barrier);
	return 0;
}

static int wait_for_event(void *arg)
{
	(void)arg;
	child_check(weir_event_wait(event, 0, soon()) == 0);
	return 0;
}

static int meet(void *arg)
{
	int result = weir_barrier_wait(barrier, 0, soon(), NULL);

	(void)arg;
	/* To leave, not to die. */
	weir_barrier_close(barrier);
	return result == 0 ? 0 : 1;
}

static void all_meet(void)
{
	struct child others[OTHERS];

	for (int i = 0; i < OTHERS; i++)
		others[i] = child_start(meet, NULL);
	ck_assert_int_eq(weir_barrier_wait(barrier, 0, soon(), NULL), 0);
	for (int i = 0; i < OTHERS; i++)
		child_join_ok(&others[i]);
}

/* What others do, whatever he has begun. */
static void go_on_without_him(void)
{
	struct child waiter = child_start(wait_for_event, NULL);

	ck_assert_int_eq(weir_event_set(event), 0);
	child_join_ok(&waiter);
	ck_assert_int_eq(weir_barrier_abort(barrier), 0);
	ck_assert_int_eq(weir_barrier_wait(barrier, 0, soon(), NULL), -ECANCELED);
	ck_assert_int_eq(weir_barrier_reset(barrier), 0);
	for (int i = 0; i < 3; i++)
		all_meet();
}

/* Stopped after @count instructions; how many it has made, if it ends or sleeps before. */
static uint64_t stop_at(uint64_t count)
{
	struct stepper victim;
	struct child child;
	uint64_t steps;

	ck_assert_int_eq(weir_event(&event, NULL), 0);
	ck_assert_int_eq(weir_barrier(&barrier, OTHERS + 1, NULL), 0);
	victim = stepper_start(play_victim, NULL);
	ck_assert(stepper_run_to_begin(&victim));
	stepper_steps(&victim, count);
	steps = victim.steps;
	go_on_without_him();
	/* It may begin a phase now, or end one: not one of those before. */
	child = stepper_release(&victim);
	if (act == come) {
		/* It ends with the others, or was told of the break. */
		weir_barrier_abort(barrier);
	}
	child_join_ok(&child);
	ck_assert_int_eq(weir_barrier_reset(barrier), 0);
	all_meet();
	weir_event_close(event);
	weir_barrier_close(barrier);
	return steps;
}

START_TEST(stopped_at_an_instruction_it_holds_up_nobody)
{
	uint64_t most;

	act = acts[_i];
	most = stop_at(UINT32_MAX);
	for (int i = 0; i < POINTS; i++)
		stop_at(test_random_below(most + 1));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("meet-stop");
	TCase *tcase = tcase_create("stop");
	const char *unavailable = stepper_unavailable();

	if (unavailable)
		test_skip_all(unavailable);
	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, stopped_at_an_instruction_it_holds_up_nobody, 0, ACTS);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
