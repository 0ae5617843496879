/* SPDX-License-Identifier: MIT */
/*
 * Threads as parties over one tally: never more units taken than there are, all given back in the
 * end, what was done with a unit seen by who has it next; and parties that are settled meanwhile.
 */
#include "tally-bed.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#define WORKERS	4
#define ROUNDS	20000

struct worker {
	pthread_t thread;
	uint32_t party;
	uint32_t units;
	uint32_t told;
	uint32_t settled;
	uint32_t wrong;
};

static struct worker workers[WORKERS];
static uint64_t plain;		/* of who has all units */
static uint64_t inside;		/* how many units are held now */

static void *take_and_give(void *arg)
{
	struct worker *w = arg;

	for (uint32_t i = 0; i < ROUNDS; ) {
		int result = tally_take(&tally, w->party, w->units, 0, false);

		if (result < 0) {
			sched_yield();
			continue;
		}
		if (__atomic_add_fetch(&inside, w->units, __ATOMIC_RELAXED) > tally.limit)
			w->wrong++;
		if (w->units == tally.limit)
			plain++;
		__atomic_sub_fetch(&inside, w->units, __ATOMIC_RELAXED);
		if (tally_give(&tally, w->party, w->units) != 0)
			w->wrong++;
		i++;
	}
	return NULL;
}

static void run_all(void *(*work)(void *arg))
{
	for (int i = 0; i < WORKERS; i++)
		ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	for (int i = 0; i < WORKERS; i++)
		ck_assert_int_eq(pthread_join(workers[i].thread, NULL), 0);
}

START_TEST(all_units_at_a_time_exclude_each_other)
{
	tally_bed_open(3);
	for (uint32_t i = 0; i < WORKERS; i++)
		workers[i] = (struct worker){ .party = i + 1, .units = 3 };
	run_all(take_and_give);
	for (int i = 0; i < WORKERS; i++)
		ck_assert_uint_eq(workers[i].wrong, 0);
	ck_assert_uint_eq(plain, (uint64_t)WORKERS * ROUNDS);
	ck_assert_uint_eq(tally_taken(&tally), 0);
	ck_assert(tally_bed_adds_up());
}
END_TEST

START_TEST(no_more_are_taken_than_there_are)
{
	tally_bed_open(3);
	for (uint32_t i = 0; i < WORKERS; i++)
		/* Two are threads of one party. */
		workers[i] = (struct worker){ .party = i / 2 * 2 + 1, .units = 1 + i % 2 };
	run_all(take_and_give);
	for (int i = 0; i < WORKERS; i++)
		ck_assert_uint_eq(workers[i].wrong, 0);
	ck_assert_uint_eq(tally_taken(&tally), 0);
	ck_assert(tally_bed_adds_up());
}
END_TEST

/* Takes units and leaves them; all settle all. */
static void *take_and_settle(void *arg)
{
	struct worker *w = arg;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint32_t other = 1 + (w->party + i) % WORKERS;
		int result = tally_take(&tally, w->party, 1, 0, false);

		if (result >= 0)
			w->units++;
		w->told += result == WEIR_OWNER_DIED;
		w->settled += tally_settle(&tally, other, tally_bed_name(other), 1);
	}
	return NULL;
}

START_TEST(each_unit_is_settled_once)
{
	uint32_t taken = 0, settled = 0, told = 0;

	tally_bed_open(5);
	for (uint32_t i = 0; i < WORKERS; i++)
		workers[i] = (struct worker){ .party = i + 1 };
	run_all(take_and_settle);
	ck_assert(tally_bed_adds_up());
	for (uint32_t i = 0; i < WORKERS; i++) {
		settled += tally_settle(&tally, i + 1, tally_bed_name(i + 1), 1);
		settled += workers[i].settled;
		taken += workers[i].units;
		told += workers[i].told;
	}
	ck_assert_uint_eq(taken, settled);
	ck_assert_uint_gt(told, 0);
	ck_assert_uint_eq(tally_taken(&tally), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tally");
	TCase *tcase = tcase_create("tally");

	tcase_add_test(tcase, all_units_at_a_time_exclude_each_other);
	tcase_add_test(tcase, no_more_are_taken_than_there_are);
	tcase_add_test(tcase, each_unit_is_settled_once);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
