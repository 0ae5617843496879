/* SPDX-License-Identifier: MIT */
/*
 * A process killed, or stopped and continued, in the middle of a call on a semaphore or a
 * reader/writer lock: whoever sleeps for it gets it, all that the dead one had is there again, the
 * next one is told if it may have had something, and is not told twice.
 *
 * At some of the instructions; tests/stress/test-tally-kill.c at each of most.
 */
#include "support.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "obj/rwlock.h"
#include "obj/semaphore.h"
#include "weir.h"

/* At how many instructions of each; of those with not many, at all if EACH. */
#ifndef POINTS
#define POINTS	1
#define EACH	0
#endif
#define NOT_MANY	1500
#define MS	INT64_C(1000000)
/* After so long it must go on, on a machine that has other things to do. */
#define IN_TIME	(3000 * MS)
#define MOST	50000	/* instructions */
#define UNITS	2

static struct weir_semaphore *semaphore;	/* ours, and inherited by the victim */
static struct weir_semaphore *second;		/* another party of the victim */
static struct weir_rwlock *lock;

struct act {
	const char *name;
	void (*before)(void);		/* in us, who have forked nothing yet */
	void (*prepare)(void);		/* in the victim */
	int (*run)(void);		/* in the victim: this is stepped through */
	void (*let)(void);		/* in us, when the victim sleeps; NULL: it does not */
	int (*sleeper)(void *arg);	/* sleeps from before run() on; NULL: nobody does */
};

static void nothing(void)
{
}

/* Its parties are there already. */
static void be_there(void)
{
	uint64_t me;

	child_check(shared_sit(&semaphore->tally.shared, &me) == 0);
	child_check(shared_sit(&lock->tally.shared, &me) == 0);
}

static void copy_semaphore(void)
{
	char text[WEIR_EXPORT_SIZE];

	child_check(weir_export(semaphore, text, sizeof(text)) > 0);
	child_check(weir_import(text, WEIR_KIND_SEMAPHORE, &second) == 0);
}

/*
 * Semaphores
 */

static void take_one(void)
{
	ck_assert_int_eq(weir_semaphore_acquire(semaphore, 0, 0), 0);
}

static void take_both(void)
{
	take_one();
	take_one();
}

/* Its party is there already, and somebody else was the last to act. */
static void have_acted(void)
{
	child_check(weir_semaphore_acquire(semaphore, 0, 0) == 0);
	child_check(weir_semaphore_release(semaphore, 1) == 0);
	copy_semaphore();
	child_check(weir_semaphore_acquire(second, 0, 0) == 0);
	child_check(weir_semaphore_release(second, 1) == 0);
}

static void hold_one(void)
{
	child_check(weir_semaphore_acquire(semaphore, 0, 0) == 0);
	copy_semaphore();
	child_check(weir_semaphore_acquire(second, 0, 0) == 0);
	child_check(weir_semaphore_release(second, 1) == 0);
}

static void have_one(void)
{
	child_check(weir_semaphore_acquire(semaphore, 0, 0) == 0);
}

static void hold_both(void)
{
	child_check(weir_semaphore_acquire(semaphore, 0, 0) == 0);
	child_check(weir_semaphore_acquire(semaphore, 0, 0) == 0);
}

static int acquire(void)
{
	return weir_semaphore_acquire(semaphore, 0, 0);
}

static int acquire_asleep(void)
{
	return weir_semaphore_acquire(semaphore, WEIR_NOSPIN, soon());
}

static int acquire_for_a_while(void)
{
	int result = weir_semaphore_acquire(semaphore, WEIR_NOSPIN, test_now() + MS);

	return result == -ETIMEDOUT ? 0 : result;
}

static int release(void)
{
	return weir_semaphore_release(semaphore, 1);
}

/* Which they may have released themselves, while we stood. */
static int release_anothers(void)
{
	int result = release();

	return result == -EOVERFLOW ? 0 : result;
}

static int release_both(void)
{
	return weir_semaphore_release(semaphore, 2);
}

static int close_it(void)
{
	weir_semaphore_close(semaphore);
	return 0;
}

static void give_one(void)
{
	weir_semaphore_release(semaphore, 1);
}

static int die_with_both(void *arg)
{
	(void)arg;
	hold_both();
	return 0;
}

static void one_has_died_with_both(void)
{
	struct child child = child_start(die_with_both, NULL);

	child_join_ok(&child);
}

static int sleep_for_a_unit(void *arg)
{
	(void)arg;
	child_check(weir_semaphore_acquire(semaphore, WEIR_NOSPIN, test_now() + IN_TIME) >= 0);
	child_check(weir_semaphore_release(semaphore, 1) == 0);
	return 0;
}

/*
 * Reader/writer locks
 */

static void we_read(void)
{
	ck_assert_int_eq(weir_rwlock_read(lock, 0, 0), 0);
}

static void we_write(void)
{
	ck_assert_int_eq(weir_rwlock_write(lock, 0, 0), 0);
}

static void have_read(void)
{
	child_check(weir_rwlock_read(lock, 0, 0) == 0);
	child_check(weir_rwlock_release(lock) == 0);
}

static void hold_read(void)
{
	child_check(weir_rwlock_read(lock, 0, 0) == 0);
}

static void hold_write(void)
{
	child_check(weir_rwlock_write(lock, 0, 0) == 0);
}

static int read_it(void)
{
	return weir_rwlock_read(lock, 0, 0);
}

static int read_asleep(void)
{
	return weir_rwlock_read(lock, WEIR_NOSPIN, soon());
}

static int write_it(void)
{
	return weir_rwlock_write(lock, 0, 0);
}

static int write_asleep(void)
{
	return weir_rwlock_write(lock, WEIR_NOSPIN, soon());
}

static int release_lock(void)
{
	return weir_rwlock_release(lock);
}

static int downgrade(void)
{
	return weir_rwlock_downgrade(lock);
}

static void give_lock(void)
{
	weir_rwlock_release(lock);
}

static int die_writing(void *arg)
{
	(void)arg;
	hold_write();
	return 0;
}

static void one_has_died_writing(void)
{
	struct child child = child_start(die_writing, NULL);

	child_join_ok(&child);
}

static int write_mending(void)
{
	return weir_rwlock_write(lock, WEIR_NOSPIN, soon());
}

static int sleep_to_write(void *arg)
{
	(void)arg;
	child_check(weir_rwlock_write(lock, WEIR_NOSPIN, test_now() + IN_TIME) >= 0);
	child_check(weir_rwlock_release(lock) == 0);
	return 0;
}

static int sleep_to_read(void *arg)
{
	(void)arg;
	child_check(weir_rwlock_read(lock, WEIR_NOSPIN, test_now() + IN_TIME) >= 0);
	child_check(weir_rwlock_release(lock) == 0);
	return 0;
}

static const struct act acts[] = {
	{ "acquire, first call", take_one, nothing, acquire, NULL, NULL },
	{ "acquire", take_one, have_acted, acquire, NULL, NULL },
	{ "acquire, after a death", one_has_died_with_both, be_there, acquire_asleep, NULL, NULL },
	{ "acquire, asleep", take_both, be_there, acquire_asleep, give_one, NULL },
	{ "acquire, asleep, another too", take_both, be_there, acquire_asleep, give_one,
	  sleep_for_a_unit },
	{ "acquire, in vain", take_both, be_there, acquire_for_a_while, nothing, NULL },
	{ "release", nothing, hold_one, release, NULL, NULL },
	{ "release, one sleeps", take_one, have_one, release, NULL, sleep_for_a_unit },
	{ "release of two, one sleeps", nothing, hold_both, release_both, NULL, sleep_for_a_unit },
	{ "release of another's", take_both, be_there, release_anothers, NULL, sleep_for_a_unit },
	{ "close", nothing, hold_one, close_it, NULL, NULL },
	{ "close, one sleeps", nothing, hold_both, close_it, NULL, sleep_for_a_unit },
	{ "read", we_read, have_read, read_it, NULL, NULL },
	{ "read, asleep", we_write, be_there, read_asleep, give_lock, NULL },
	{ "read, asleep, a writer too", we_write, be_there, read_asleep, give_lock,
	  sleep_to_write },
	{ "write", nothing, have_read, write_it, NULL, NULL },
	{ "write, asleep", we_read, be_there, write_asleep, give_lock, NULL },
	{ "write, asleep, a reader too", we_write, be_there, write_asleep, give_lock,
	  sleep_to_read },
	{ "write, after a death", one_has_died_writing, be_there, write_mending, NULL, NULL },
	{ "release of reading", nothing, hold_read, release_lock, NULL, sleep_to_write },
	{ "release of writing", nothing, hold_write, release_lock, NULL, sleep_to_read },
	{ "downgrade", nothing, hold_write, downgrade, NULL, sleep_to_read },
};

static bool is_of_lock(const struct act *act)
{
	return act->run == read_it || act->run == read_asleep || act->run == write_it ||
	       act->run == write_asleep || act->run == release_lock || act->run == downgrade ||
	       act->run == write_mending;
}

static int victim(void *arg)
{
	const struct act *act = arg;

	act->prepare();
	stepper_mark_begin();
	child_check(act->run() >= 0);
	stepper_mark_end();
	return 0;
}

static void open_world(void)
{
	const struct weir_semaphore_options bounded = {
		.size = sizeof(bounded),
		.flags = WEIR_SEMAPHORE_BOUNDED,
	};

	ck_assert_int_eq(weir_semaphore(&semaphore, UNITS, &bounded), 0);
	ck_assert_int_eq(weir_rwlock(&lock), 0);
}

static void close_world(void)
{
	weir_semaphore_close(semaphore);
	weir_rwlock_close(lock);
}

struct scene {
	const struct act *act;
	struct stepper stepper;
	struct child sleeper;
	bool let;
};

/* Run it so far; @sleeps: to the first sleep at most. False: it has come to its end. */
static bool begin(struct scene *s, const struct act *act, uint64_t steps, bool sleeps)
{
	*s = (struct scene){ .act = act };
	open_world();
	act->before();
	s->stepper = stepper_start(victim, (void *)(uintptr_t)act);
	ck_assert_msg(stepper_run_to_begin(&s->stepper), "%s: %s", act->name,
		      s->stepper.child.note);
	if (act->sleeper) {
		s->sleeper = child_start(act->sleeper, NULL);
		ck_assert(child_wait_asleep_in(s->sleeper.pid, SYS_futex));
	}
	while (s->stepper.steps < steps) {
		enum step step = stepper_step(&s->stepper);

		if (step == STEP_END)
			return false;
		ck_assert_msg(step != STEP_EXITED, "%s: %s", act->name, s->stepper.child.note);
		if (step != STEP_BLOCKED || s->let)
			continue;
		if (sleeps)
			break;
		if (act->let)
			act->let();
		s->let = true;
	}
	return true;
}

/* What we have ourselves. */
static void give_back(void)
{
	uint64_t me;

	ck_assert_int_eq(shared_sit(&semaphore->tally.shared, &me), 0);
	while (tally_held(&semaphore->tally.tally, LOCK_PARTY(me)) > 0)
		ck_assert_int_eq(weir_semaphore_release(semaphore, 1), 0);
	while (weir_rwlock_release(lock) == 0)
		;
}

/* Nobody else uses them any more: what is there, and who is told. */
static void judge(const struct scene *s, uint64_t n)
{
	int told = 0;

	if (is_of_lock(s->act)) {
		told = weir_rwlock_write(lock, 0, test_now() + IN_TIME);
		ck_assert_msg(told >= 0, "%s, instruction %llu: %d", s->act->name,
			      (unsigned long long)n, told);
		ck_assert_int_eq(weir_rwlock_release(lock), 0);
		ck_assert_int_eq(weir_rwlock_write(lock, 0, 0), 0);
		ck_assert_int_eq(weir_rwlock_release(lock), 0);
		ck_assert_uint_eq(lock->tally.tally.shared->gate, 0);
		return;
	}
	for (int i = 0; i < UNITS; i++) {
		int result = weir_semaphore_acquire(semaphore, 0, test_now() + IN_TIME);

		ck_assert_msg(result >= 0, "%s, instruction %llu: %d", s->act->name,
			      (unsigned long long)n, result);
		told += result;
	}
	/* One process may be found dead after the other: the victim, and the one before it. */
	ck_assert_int_le(told, 2);
	ck_assert_int_eq(weir_semaphore_release(semaphore, UNITS), 0);
	ck_assert_int_eq(weir_semaphore_release(semaphore, 1), -EOVERFLOW);
	for (int i = 0; i < UNITS; i++)
		ck_assert_int_eq(weir_semaphore_acquire(semaphore, 0, 0), 0);
}

static void end(struct scene *s, uint64_t n)
{
	give_back();
	if (s->act->sleeper)
		child_join_ok(&s->sleeper);
	judge(s, n);
	close_world();
}

/* How many instructions it is. */
static uint64_t walk(const struct act *act)
{
	struct scene s;
	uint64_t steps;

	ck_assert(!begin(&s, act, MOST, false));
	steps = s.stepper.steps;
	stepper_kill(&s.stepper);
	end(&s, steps);
	return steps;
}

static uint64_t count_points(uint64_t steps)
{
	return EACH && steps < NOT_MANY ? steps + 1 : POINTS;
}

static uint64_t point(uint64_t i, uint64_t steps)
{
	return EACH && steps < NOT_MANY ? i : test_random_below(steps + 1);
}

/* In its first sleep rather than later, if it comes to that. */
static bool strikes_asleep(uint64_t i)
{
	return EACH ? i % 4 == 3 : test_random_below(4) == 0;
}

static void kill_at(const struct act *act, uint64_t n, bool sleeps)
{
	struct scene s;

	begin(&s, act, n, sleeps);
	stepper_kill(&s.stepper);
	end(&s, n);
}

/* Others go on while it stands. */
static void meanwhile(const struct scene *s)
{
	give_back();
	if (is_of_lock(s->act)) {
		int result = weir_rwlock_read(lock, 0, test_now() + 2 * MS);

		if (result >= 0)
			ck_assert_int_eq(weir_rwlock_release(lock), 0);
		else
			ck_assert_int_eq(result, -ETIMEDOUT);
		return;
	}
	for (int i = 0; i < 3; i++) {
		/* It has one at most, but where it prepared to have both. */
		int result = weir_semaphore_acquire(semaphore, 0, test_now() + 2 * MS);

		if (result >= 0)
			ck_assert_int_eq(weir_semaphore_release(semaphore, 1), 0);
		else
			ck_assert_int_eq(result, -ETIMEDOUT);
	}
}

static void stop_at(const struct act *act, uint64_t n, bool sleeps)
{
	struct child child;
	struct scene s;

	begin(&s, act, n, sleeps);
	meanwhile(&s);
	child = stepper_release(&s.stepper);
	child_join_ok(&child);
	end(&s, n);
}

/* Both in one test, because to count the instructions takes as long as the rest. */
START_TEST(killed_or_stopped_at_an_instruction_nothing_is_lost)
{
	const struct act *act = &acts[_i];
	uint64_t steps = walk(act), points = count_points(steps);

	for (uint64_t i = 0; i < points; i++) {
		kill_at(act, point(i, steps), strikes_asleep(i));
		stop_at(act, point(i, steps), strikes_asleep(i));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tally-kill");
	TCase *tcase = tcase_create("kill");
	const char *unavailable = stepper_unavailable();

	if (unavailable)
		test_skip_all(unavailable);
	tcase_add_loop_test(tcase, killed_or_stopped_at_an_instruction_nothing_is_lost, 0,
			    (int)ARRAY_LENGTH(acts));
	tcase_set_timeout(tcase, EACH ? 3600 : 200);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
