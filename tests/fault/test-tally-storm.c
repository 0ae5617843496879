/* SPDX-License-Identifier: MIT */
/*
 * Eight processes on one bounded semaphore, or one reader/writer lock, of which one after another
 * is killed and replaced, or stopped and continued: never more inside than may be, a plain counter
 * adds up, each death in the lock is told, and in the end all units are there.
 */
#include "support.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "weir.h"

#define WORKERS	8
#define PLACES	3
#define MS	INT64_C(1000000)
/* tests/stress/test-tally-storm.c says more. */
#ifndef LASTS
#define LASTS	(700 * MS)
#endif

/* What a worker does now, for whoever comes after its death. */
struct worker {
	uint64_t counted;	/* increments that it has finished */
	uint64_t passes;
	uint32_t place;		/* place it is in, plus 1 */
};

static struct world {
	uint64_t count;		/* plain, under the write lock */
	uint64_t copy;
	uint64_t told;
	uint32_t places[PLACES];	/* who is in it: a unit lets in one */
	uint32_t over;
	struct worker workers[WORKERS];
} *world;

static struct weir_semaphore *semaphore;
static struct weir_rwlock *lock;

static bool is_over(void)
{
	return __atomic_load_n(&world->over, __ATOMIC_SEQ_CST);
}

/*
 * A unit is for one of three places. A place may be of one who has died: others find that out, by
 * the number of its process.
 */
static bool enter_place(struct worker *w)
{
	uint32_t me = (uint32_t)getpid();

	for (int64_t until = soon(); test_now() < until;)
		for (uint32_t i = 0; i < PLACES; i++) {
			uint32_t there = __atomic_load_n(&world->places[i], __ATOMIC_SEQ_CST);

			if (there != 0 && (kill((pid_t)there, 0) == 0 &&
					   child_state((pid_t)there) != 'Z'))
				continue;
			if (!__atomic_compare_exchange_n(&world->places[i], &there, me, false,
							 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
				continue;
			w->place = i + 1;
			return true;
		}
	return false;
}

static void leave_place(struct worker *w)
{
	__atomic_store_n(&world->places[w->place - 1], 0, __ATOMIC_SEQ_CST);
	w->place = 0;
}

static int use_places(void *arg)
{
	struct worker *w = arg;

	/* Whoever is to kill them must get a processor, too. */
	child_check(nice(10) >= 0);
	while (!is_over()) {
		child_check(weir_semaphore_acquire(semaphore, 0, soon()) >= 0);
		/* Were there more units than places, one would find none. */
		child_check(enter_place(w));
		leave_place(w);
		child_check(weir_semaphore_release(semaphore, 1) == 0);
		w->passes++;
	}
	return 0;
}

/* Told: the one before may have died between any two of the stores. */
static void repair(void)
{
	world->told++;
	world->copy = world->count;
}

static int count_up(struct worker *w)
{
	int result = weir_rwlock_write(lock, 0, soon());

	child_check(result >= 0);
	if (result == WEIR_OWNER_DIED)
		repair();
	child_check(world->copy == world->count);
	world->count++;
	world->copy = world->count;
	w->counted++;
	if (world->count % 4 == 0)
		child_check(weir_rwlock_downgrade(lock) == 0);
	child_check(weir_rwlock_release(lock) == 0);
	return 0;
}

static int use_lock(void *arg)
{
	struct worker *w = arg;

	/* Whoever is to kill them must get a processor, too. */
	child_check(nice(10) >= 0);
	while (!is_over()) {
		if (w->passes++ % 3 == 0) {
			count_up(w);
		} else {
			int result = weir_rwlock_read(lock, 0, soon());

			child_check(result >= 0);
			child_check(result == WEIR_OWNER_DIED || world->copy == world->count);
			child_check(weir_rwlock_release(lock) == 0);
		}
	}
	return 0;
}

static uint64_t kills;

/* Of what the cases look for in the end. */
static bool enough_happened(void)
{
	bool all = true;

	for (int i = 0; i < WORKERS; i++)
		all &= __atomic_load_n(&world->workers[i].passes, __ATOMIC_RELAXED) > 0;
	return kills > 5 && (all || __atomic_load_n(&world->count, __ATOMIC_RELAXED) > 100);
}

/* Longer, on a machine that has no time for it. */
static void storm(int (*work)(void *arg), uint64_t lasts)
{
	struct child children[WORKERS];
	int64_t end = test_now() + (int64_t)lasts, limit = soon();

	for (int i = 0; i < WORKERS; i++)
		children[i] = child_start(work, &world->workers[i]);
	while (test_now() < end || (!enough_happened() && test_now() < limit)) {
		uint64_t i = test_random_below(WORKERS);
		int64_t until = test_now() + (int64_t)test_random_below(2 * MS);

		while (test_now() < until)
			sched_yield();
		if (test_random_below(3) == 0) {
			child_stop(&children[i]);
			until = test_now() + (int64_t)test_random_below(8 * MS);
			while (test_now() < until)
				sched_yield();
			child_continue(&children[i]);
		} else {
			child_kill(&children[i]);
			kills++;
			children[i] = child_start(work, &world->workers[i]);
		}
	}
	__atomic_store_n(&world->over, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < WORKERS; i++)
		child_join_ok(&children[i]);
}

static void setup(void)
{
	world = shared_alloc(sizeof(*world));
	kills = 0;
}

START_TEST(units_of_a_semaphore_are_all_there_after_a_storm)
{
	const struct weir_semaphore_options bounded = {
		.size = sizeof(bounded),
		.flags = WEIR_SEMAPHORE_BOUNDED,
	};

	ck_assert_int_eq(weir_semaphore(&semaphore, PLACES, &bounded), 0);
	storm(use_places, LASTS);
	for (int i = 0; i < PLACES; i++)
		ck_assert_int_ge(weir_semaphore_acquire(semaphore, 0, soon()), 0);
	ck_assert_int_eq(weir_semaphore_acquire(semaphore, 0, 0), -EAGAIN);
	ck_assert_int_eq(weir_semaphore_release(semaphore, PLACES), 0);
	ck_assert_int_eq(weir_semaphore_release(semaphore, 1), -EOVERFLOW);
	for (int i = 0; i < WORKERS; i++)
		ck_assert_uint_gt(world->workers[i].passes, 0);
	ck_assert_uint_gt(kills, 5);
	weir_semaphore_close(semaphore);
}
END_TEST

START_TEST(a_counter_under_a_write_lock_adds_up_after_a_storm)
{
	uint64_t sum = 0;

	ck_assert_int_eq(weir_rwlock(&lock), 0);
	storm(use_lock, LASTS);
	if (weir_rwlock_write(lock, 0, soon()) == WEIR_OWNER_DIED)
		repair();
	for (int i = 0; i < WORKERS; i++)
		sum += world->workers[i].counted;
	/* One killed between the two has counted without saying so: it was told of. */
	ck_assert_uint_ge(world->count, sum);
	ck_assert_uint_le(world->count, sum + world->told);
	ck_assert_uint_eq(world->count, world->copy);
	ck_assert_uint_le(world->told, kills);
	ck_assert_int_eq(weir_rwlock_release(lock), 0);
	ck_assert_int_eq(weir_rwlock_readers(lock), 0);
	ck_assert_uint_gt(world->count, 100);
	ck_assert_uint_gt(kills, 5);
	weir_rwlock_close(lock);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tally-storm");
	TCase *tcase = tcase_create("storm");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, units_of_a_semaphore_are_all_there_after_a_storm);
	tcase_add_test(tcase, a_counter_under_a_write_lock_adds_up_after_a_storm);
	tcase_set_timeout(tcase, 600);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
