/* SPDX-License-Identifier: MIT */
#include "fault/lib/meet-strike.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cc.h"
#include "support.h"
#include "weir.h"

#define BYSTANDERS	2
#define NOT_YET		(-9999)

/* What all processes of a scene share, beside the objects. */
struct board {
	int results[BYSTANDERS];
};

static struct weir_event_flag *event;
static struct weir_condition *condition;
static struct weir_barrier *barrier;
static struct board *board;

struct scene {
	const char *name;
	/* What the victim does between the marks; before that it has become a party. */
	void (*prepare)(void);
	void (*act)(void);
	/* What the others do, who wait when the victim begins, or, if they are late, sleeps. */
	int (*wait)(void);
	int bystanders;
	bool late;
	/*
	 * The parent, when the victim sleeps: what it sleeps for. NULL: it is killed there. What
	 * follows counts as instructions, too.
	 */
	void (*wake)(void);
	/* The parent, when the victim is dead. The others return after it. */
	void (*after)(void);
	/* What the others may return. */
	bool (*may_be)(int result);
	/* The parent, when all have returned: whether all is as it should be. */
	void (*judge)(void);
};

/*
 * Events
 */

static void nothing(void)
{
}

static void set_event(void)
{
	weir_event_set(event);
}

static int wait_for_event(void)
{
	return weir_event_wait(event, WEIR_NOSPIN, soon());
}

static int wait_for_event_in_a_set(void)
{
	struct weir_waitset *set;
	struct weir_event found;
	int result = weir_waitset(&set, NULL);

	if (result == 0)
		result = weir_waitset_add_event(set, event, NULL, NULL);
	if (result == 0)
		result = weir_waitset_wait(set, &found, 1, WEIR_NOSPIN, soon());
	weir_waitset_close(set);
	return result == 1 ? 0 : result;
}

static void be_told(void)
{
	if (!weir_event_is_set(event))
		weir_event_set(event);
	ck_assert_int_eq(weir_event_is_set(event), 1);
}

static bool is_zero(int result)
{
	return result == 0;
}

static void event_works(void)
{
	ck_assert_int_eq(weir_event_clear(event), 0);
	ck_assert_int_eq(weir_event_wait(event, 0, 0), -EAGAIN);
	ck_assert_int_eq(weir_event_set(event), 0);
	ck_assert_int_eq(weir_event_wait(event, 0, 0), 0);
}

/*
 * Conditions
 */

static struct weir_lock *lock(void)
{
	return weir_condition_lock(condition);
}

static void become_party(void)
{
	weir_lock_acquire(lock(), 0, soon());
	weir_condition_notify(condition, 0);
	weir_lock_release(lock());
}

static void take_and_notify(void)
{
	weir_lock_acquire(lock(), 0, soon());
	weir_condition_notify(condition, 1);
	weir_lock_release(lock());
}

static void take_and_wait(void)
{
	weir_lock_acquire(lock(), 0, soon());
	weir_condition_wait(condition, WEIR_NOSPIN, soon());
	weir_lock_release(lock());
}

static void take_and_wait_a_moment(void)
{
	weir_lock_acquire(lock(), 0, soon());
	weir_condition_wait(condition, WEIR_NOSPIN, 1);
	weir_lock_release(lock());
}

static int wait_for_condition(void)
{
	int result = weir_lock_acquire(lock(), 0, soon());

	if (result < 0)
		return result;
	result = weir_condition_wait(condition, WEIR_NOSPIN, soon());
	if (!weir_lock_is_mine(lock()))
		return -EPERM;
	return weir_lock_release(lock()) < 0 ? -EPERM : result;
}

/* The lock can be had, whatever the victim has had. */
static void notify_one(void)
{
	ck_assert_int_ge(weir_lock_acquire(lock(), 0, soon()), 0);
	ck_assert_int_ge(weir_condition_notify(condition, 1), 0);
	ck_assert_int_eq(weir_lock_release(lock()), 0);
}

static bool is_told(int result)
{
	return result == 0 || result == WEIR_OWNER_DIED;
}

static void condition_works(void)
{
	ck_assert_int_ge(weir_lock_acquire(lock(), 0, soon()), 0);
	/* The victim's place may still be there. */
	ck_assert_int_le(weir_condition_notify_all(condition), 1);
	ck_assert_int_eq(weir_condition_notify_all(condition), 0);
	/* That of the victim, if it was found when nobody waited any more. */
	if (weir_condition_wait(condition, 0, 1) == WEIR_OWNER_DIED)
		ck_assert_int_eq(weir_condition_wait(condition, 0, 1), -ETIMEDOUT);
	ck_assert_int_eq(weir_lock_release(lock()), 0);
	ck_assert(!weir_lock_is_locked(lock()));
}

/*
 * Barriers
 */

static void become_member(void)
{
	weir_barrier_wait(barrier, 0, 0, NULL);
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

static int meet(void)
{
	return weir_barrier_wait(barrier, WEIR_NOSPIN, soon(), NULL);
}

static bool is_over(int result)
{
	return result == 0 || result == -EOWNERDEAD || result == -ECANCELED;
}

static int own_result;

static void come_last(void)
{
	own_result = weir_barrier_wait(barrier, WEIR_NOSPIN, soon(), NULL);
	ck_assert(is_over(own_result));
}

static int come_again(void *arg)
{
	(void)arg;
	child_check(weir_barrier_wait(barrier, 0, soon(), NULL) == 0);
	weir_barrier_close(barrier);
	return 0;
}

/* Either all went on together or none did; and after a reset it is as new. */
static void barrier_works(void)
{
	struct child again[BYSTANDERS];

	if (own_result == 0 && board->results[0] != NOT_YET)
		ck_assert_int_eq(board->results[0], 0);
	ck_assert_int_eq(weir_barrier_reset(barrier), 0);
	ck_assert_int_eq(weir_barrier_broken(barrier), 0);
	ck_assert_int_eq(weir_barrier_waiting(barrier), 0);
	for (int i = 0; i < BYSTANDERS; i++)
		again[i] = child_start(come_again, NULL);
	ck_assert_int_eq(weir_barrier_wait(barrier, 0, soon(), NULL), 0);
	for (int i = 0; i < BYSTANDERS; i++)
		child_join_ok(&again[i]);
	ck_assert_int_eq(weir_barrier_wait(barrier, 0, 0, NULL), -EAGAIN);
}

static const struct scene scenes[] = {
	{ "event-set", nothing, set_event, wait_for_event, 2, false, NULL, be_told, is_zero,
	  event_works },
	{ "event-set-in-a-set", nothing, set_event, wait_for_event_in_a_set, 1, false, NULL,
	  be_told, is_zero, event_works },
	{ "notify", become_party, take_and_notify, wait_for_condition, 2, false, NULL, nothing,
	  is_told, condition_works },
	{ "wait", become_party, take_and_wait, wait_for_condition, 1, false, NULL, nothing, is_told,
	  condition_works },
	{ "wait-notified", become_party, take_and_wait, wait_for_condition, 0, false, notify_one,
	  nothing, is_told, condition_works },
	{ "wait-notified-late", become_party, take_and_wait, wait_for_condition, 1, true,
	  notify_one, nothing, is_told, condition_works },
	{ "wait-timeout", become_party, take_and_wait_a_moment, wait_for_condition, 1, false, NULL,
	  nothing, is_told, condition_works },
	{ "come-second", become_member, come, meet, 1, false, NULL, come_last, is_over,
	  barrier_works },
	{ "come-last", become_member, come, meet, 2, false, NULL, nothing, is_over, barrier_works },
	{ "come-and-go-on", become_member, come, meet, 1, false, come_last, nothing, is_over,
	  barrier_works },
	{ "give-up", become_member, give_up, meet, 1, false, NULL, nothing, is_over,
	  barrier_works },
	{ "abort", become_member, abort_it, meet, 2, false, NULL, nothing, is_over, barrier_works },
	{ "reset", become_member, reset_it, meet, 2, false, NULL, nothing, is_over, barrier_works },
};

size_t mstrike_count(void)
{
	return ARRAY_LENGTH(scenes);
}

/*
 * Playing
 */

static const struct scene *scene;

static int play_victim(void *arg)
{
	(void)arg;
	scene->prepare();
	stepper_mark_begin();
	scene->act();
	stepper_mark_end();
	/* It has returned, and lives on until it is killed. */
	while (pause() < 0)
		;
	return 0;
}

static int play_bystander(void *arg)
{
	int *result = arg;

	*result = scene->wait();
	/* To leave, not to die. */
	weir_event_close(event);
	weir_condition_close(condition);
	weir_barrier_close(barrier);
	return 0;
}

static void open_all(void)
{
	board = board ? board : shared_alloc(sizeof(*board));
	for (int i = 0; i < BYSTANDERS; i++)
		board->results[i] = NOT_YET;
	own_result = NOT_YET;
	ck_assert_int_eq(weir_event(&event, NULL), 0);
	ck_assert_int_eq(weir_condition(&condition, NULL, NULL), 0);
	ck_assert_int_eq(weir_barrier(&barrier, BYSTANDERS + 1, NULL), 0);
}

static void close_all(void)
{
	weir_event_close(event);
	weir_condition_close(condition);
	weir_barrier_close(barrier);
}

static bool in_a_set(void)
{
	return scene->wait == wait_for_event_in_a_set;
}

static struct child others[BYSTANDERS];
static uint64_t most_steps;	/* that the victim has made, in this scene */

static void start_others(void)
{
	for (int i = 0; i < scene->bystanders; i++) {
		others[i] = child_start(play_bystander, &board->results[i]);
		/* Of a set it is another call with each engine. */
		ck_assert(child_wait_asleep_in(others[i].pid, in_a_set() ? -1 : SYS_futex));
	}
}

/* Whether it was still between the marks after @count instructions. */
static bool strike(struct stepper *victim, uint64_t count)
{
	enum step step = stepper_steps(victim, count);
	bool started = !scene->late, woken = false;
	int64_t hang = soon();

	while (step == STEP_BLOCKED && scene->wake && victim->steps < count) {
		if (!started)
			start_others();
		/* It may have to sleep again. */
		if (!woken)
			scene->wake();
		started = woken = true;
		ck_assert(test_now() < hang);
		step = stepper_steps(victim, count - victim->steps);
	}
	if (!started)
		start_others();
	if (victim->steps > most_steps)
		most_steps = victim->steps;
	return step == STEP_DONE && victim->steps >= count;
}

/* Killed after @count instructions, or where it sleeps or ends before. Whether there are more. */
static bool play(uint64_t count)
{
	struct stepper victim;
	bool more;

	open_all();
	victim = stepper_start(play_victim, NULL);
	ck_assert(stepper_run_to_begin(&victim));
	if (!scene->late)
		start_others();
	more = strike(&victim, count);
	stepper_kill(&victim);
	scene->after();
	for (int i = 0; i < scene->bystanders; i++) {
		child_join_ok(&others[i]);
		if (!scene->may_be(board->results[i]))
			ck_abort_msg("%s, killed after %lu: %d", scene->name, count,
				     board->results[i]);
	}
	scene->judge();
	close_all();
	return more;
}

void mstrike_scene(size_t index, unsigned int points)
{
	scene = &scenes[index];
	most_steps = 0;
	if (points == 0) {
		for (uint64_t count = 0; play(count); count++)
			;
		return;
	}
	/* As far as it comes. */
	play(UINT32_MAX);
	/* A set looks for itself after a second. */
	if (in_a_set())
		points = 1;
	for (unsigned int i = 0; i < points; i++)
		play(test_random_below(most_steps + 1));
}
