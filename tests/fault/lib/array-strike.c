/* SPDX-License-Identifier: MIT */
#include "fault/lib/array-strike.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/cc.h"
#include "obj/array.h"
#include "weir.h"

#define COUNT		5
#define BOUND		100000
/*
 * One who sleeps and looks has many instructions, and those that matter are few. With those that
 * AddressSanitizer adds they are more than 20000.
 */
#if defined(__SANITIZE_ADDRESS__)
#define RARER		128
#else
#define RARER		32
#endif
/* And of an addition those that matter are ten in a row. */
#define OFTEN		5

static uint64_t every;

static uint64_t first_point(uint64_t apart)
{
	return test_random_below(apart);
}

struct world {
	struct weir_array *array;
	struct weir_lock *lock;
	uint64_t changes;	/* before */
};

static const uint16_t old[COUNT] = { 1, 2, 3, 4, 5 }, new[COUNT] = { 10, 20, 30, 40, 50 };

static struct world world_of(bool given)
{
	struct weir_array_options o = {
		.size = sizeof(o), .type = WEIR_TYPE_UINT16, .count = COUNT, .initial = old,
	};
	struct world w = { 0 };

	if (given)
		ck_assert_int_eq(weir_lock(&w.lock, NULL), 0);
	o.lock = w.lock;
	ck_assert_int_eq(weir_array(&w.array, &o), 0);
	return w;
}

static void end_world(struct world *w)
{
	weir_array_close(w->array);
	weir_lock_close(w->lock);
}

/*
 * What is killed
 */

static int write_all(void *arg)
{
	struct world *w = arg;
	uint16_t got[COUNT];

	/* What only the first call does is not of interest. */
	child_check(WEIR_ARRAY_READ(w->array, 0, COUNT, got, 0, 0) == 0);
	child_check(weir_array_acquire(w->array, 0, 0) == 0);
	child_check(weir_array_release(w->array) == 0);
	stepper_mark_begin();
	WEIR_ARRAY_WRITE(w->array, 0, COUNT, new, 0, 0);
	stepper_mark_end();
	return 0;
}

static int commit_all(void *arg)
{
	struct world *w = arg;
	void *elements;

	child_check(weir_array_begin(w->array, 0, 0, COUNT, 0, 0, &elements) == 0);
	memcpy(elements, new, sizeof(new));
	stepper_mark_begin();
	weir_array_commit(w->array);
	stepper_mark_end();
	return 0;
}

static int acquire_and_write(void *arg)
{
	struct world *w = arg;

	child_check(weir_array_acquire(w->array, 0, 0) == 0);
	child_check(weir_array_release(w->array) == 0);
	stepper_mark_begin();
	weir_array_acquire(w->array, 0, 0);
	WEIR_ARRAY_WRITE(w->array, 0, COUNT, new, 0, 0);
	weir_array_release(w->array);
	stepper_mark_end();
	return 0;
}

static int (*const updates[])(void *arg) = { write_all, commit_all, acquire_and_write };

/*
 * What is judged
 */

static bool is_new(const uint16_t *got)
{
	bool all = memcmp(got, new, sizeof(new)) == 0;

	ck_assert(all || memcmp(got, old, sizeof(old)) == 0);
	return all;
}

/* Whether the update is there: the same for all who look, before and after the lock was taken. */
static bool judge(struct world *w, bool held, bool *ret_told)
{
	uint16_t got[COUNT], one;
	uint64_t changes;
	bool there;
	int result;

	ck_assert_int_eq(WEIR_ARRAY_READ(w->array, 0, COUNT, got, 0, 0), 0);
	there = is_new(got);
	for (int i = 0; i < COUNT; i++) {
		ck_assert_int_eq(WEIR_ARRAY_LOAD(w->array, i, &one), 0);
		ck_assert_uint_eq(one, got[i]);
	}
	ck_assert_int_eq(weir_array_changes(w->array, &changes), 0);
	ck_assert_uint_eq(changes, w->changes + there);
	result = weir_array_acquire(w->array, 0, soon());
	ck_assert_int_ge(result, 0);
	*ret_told = result == WEIR_OWNER_DIED;
	ck_assert(*ret_told || !held);
	ck_assert_int_eq(is_new(weir_array_data(w->array)), there);
	ck_assert_int_eq(weir_array_release(w->array), 0);
	ck_assert_int_eq(weir_array_acquire(w->array, 0, 0), 0);
	ck_assert_int_eq(weir_array_release(w->array), 0);
	ck_assert_int_eq(WEIR_ARRAY_WRITE(w->array, 0, COUNT, old, 0, 0), 0);
	ck_assert_int_eq(weir_array_changes(w->array, &w->changes), 0);
	return there;
}

static void start_at(struct stepper *stepper, int (*fn)(void *), struct world *w, uint64_t point,
		     bool *ret_end)
{
	*stepper = stepper_start(fn, w);
	ck_assert(stepper_run_to_begin(stepper));
	*ret_end = stepper_steps(stepper, point) != STEP_DONE;
}

START_TEST(killed_anywhere_it_is_old_or_new)
{
	struct world w = world_of(_i % 2);
	int (*fn)(void *) = updates[_i / 2];
	bool end = false, was_there = false, there = false, told;
	uint64_t points = first_point(every), tellings = 0;

	ck_assert_int_eq(weir_array_changes(w.array, &w.changes), 0);
	for (; !end; points += every) {
		struct stepper stepper;
		bool held;

		ck_assert_uint_lt(points, BOUND);
		start_at(&stepper, fn, &w, points, &end);
		held = weir_lock_is_locked(weir_array_lock(w.array));
		stepper_kill(&stepper);
		there = judge(&w, held, &told);
		ck_assert(there || !was_there);
		was_there = there;
		tellings += told;
	}
	ck_assert(there);
	ck_assert_uint_gt(tellings, 0);
	printf("# %llu instructions, %llu with the lock\n", (unsigned long long)points,
	       (unsigned long long)tellings);
	end_world(&w);
}
END_TEST

/* Stopped: readers have the old one or the new one, at once; writers wait for the lock only. */
START_TEST(stopped_anywhere_readers_read_on)
{
	struct world w = world_of(false);
	bool end = false, there = false, was_there = false;

	for (uint64_t point = first_point(every); !end; point += every) {
		struct stepper stepper;
		uint16_t got[COUNT], one = 0;
		bool held;
		int result;

		start_at(&stepper, write_all, &w, point, &end);
		ck_assert_int_eq(WEIR_ARRAY_READ(w.array, 0, COUNT, got, 0, 0), 0);
		there = is_new(got);
		ck_assert(there || !was_there);
		was_there = there;
		ck_assert_int_eq(WEIR_ARRAY_LOAD(w.array, 1, &one), 0);
		ck_assert_uint_eq(one, got[1]);
		held = weir_lock_is_locked(weir_array_lock(w.array));
		result = WEIR_ARRAY_WRITE(w.array, 0, 0, &one, 0, 0);
		ck_assert_int_eq(result, held ? -EAGAIN : 0);
		/* Atomic operations do not wait either. */
		ck_assert_int_eq(weir_array_or(w.array, 0, 0, &(uint16_t){ 0 }, NULL), 0);
		stepper_kill(&stepper);
		result = WEIR_ARRAY_WRITE(w.array, 0, COUNT, old, 0, soon());
		ck_assert_int_ge(result, 0);
	}
	ck_assert(there);
	end_world(&w);
}
END_TEST

/*
 * Whoever finishes the update of a dead one dies, too
 */

static int take_over(void *arg)
{
	struct world *w = arg;

	stepper_mark_begin();
	weir_array_acquire(w->array, WEIR_NOSPIN, soon());
	stepper_mark_end();
	return 0;
}

/* A process died holding the lock, with an update that counts and is in its place by half. */
static int die_half_way(void *arg)
{
	struct world *w = arg;
	struct redo *r = &w->array->redo;

	child_check(weir_array_acquire(w->array, 0, 0) == 0);
	memcpy(r->shadow, new, sizeof(new));
	r->log->from = 0;
	r->log->size = sizeof(new);
	__atomic_store_n(&r->log->version, r->log->version + 1, __ATOMIC_SEQ_CST);
	memcpy(r->place, new, 3);
	raise(SIGKILL);
	return 1;
}

START_TEST(killed_while_it_takes_over_the_next_one_does)
{
	struct world w = world_of(_i);
	bool end = false, told;
	uint64_t apart = every > 1 ? every * RARER : 1, points = first_point(apart);

	ck_assert_int_eq(weir_array_changes(w.array, &w.changes), 0);
	for (; !end; points += apart) {
		ck_assert_uint_lt(points, BOUND);
		struct child child = child_start(die_half_way, &w);
		struct stepper stepper;

		child_join(&child);
		start_at(&stepper, take_over, &w, points, &end);
		stepper_kill(&stepper);
		ck_assert(judge(&w, true, &told));
		ck_assert(told);
	}
	end_world(&w);
}
END_TEST

/*
 * Atomic operations
 */

/* What is added just after a death is not overwritten by the update that is finished later. */
START_TEST(an_addition_after_a_death_stays)
{
	struct world w = world_of(_i);
	struct child child = child_start(die_half_way, &w);
	uint16_t one = 1, was = 0, got[COUNT];

	child_join(&child);
	ck_assert_int_eq(WEIR_ARRAY_ADD(w.array, 3, &one, &was), 0);
	ck_assert_uint_eq(was, new[3]);
	/* It is told all the same, once. */
	ck_assert_int_eq(weir_array_acquire(w.array, 0, soon()), WEIR_OWNER_DIED);
	ck_assert_int_eq(weir_array_release(w.array), 0);
	ck_assert_int_eq(weir_array_acquire(w.array, 0, soon()), 0);
	ck_assert_int_eq(weir_array_release(w.array), 0);
	ck_assert_int_eq(WEIR_ARRAY_READ(w.array, 0, COUNT, got, 0, 0), 0);
	ck_assert_uint_eq(got[3], new[3] + 1);
	got[3]--;
	ck_assert(is_new(got));
	end_world(&w);
}
END_TEST

static int add_once(void *arg)
{
	struct world *w = arg;
	uint16_t one = 1, zero = 0;

	child_check(weir_array_add(w->array, 0, 1, &zero, NULL) == 0);
	stepper_mark_begin();
	weir_array_add(w->array, 0, 0, &one, NULL);
	stepper_mark_end();
	return 0;
}

/*
 * Whoever has seen as many changes as there were before is told of the addition if it was made: by
 * the count, or, if the maker died before he could count it, by whoever cleans up after him, which
 * those who wait do.
 */
START_TEST(an_addition_that_was_made_is_counted)
{
	struct world w = world_of(false);
	uint16_t was = old[0], is;
	bool end = false;
	uint64_t apart = every > 1 ? OFTEN : 1, points = first_point(apart), late = 0;

	ck_assert_int_eq(weir_array_changes(w.array, &w.changes), 0);
	for (; !end; points += apart) {
		struct stepper stepper = stepper_start(add_once, &w);
		uint64_t before, now;

		ck_assert(stepper_run_to_begin(&stepper));
		ck_assert_int_eq(weir_array_changes(w.array, &before), 0);
		end = stepper_steps(&stepper, points) != STEP_DONE;
		stepper_kill(&stepper);
		ck_assert_int_eq(WEIR_ARRAY_LOAD(w.array, 0, &is), 0);
		ck_assert(is == was || is == was + 1);
		if (is != was) {
			ck_assert_int_eq(weir_array_changes(w.array, &now), 0);
			late += now == before;
			ck_assert_int_eq(weir_array_wait(w.array, before, 0, soon(), NULL), 0);
		}
		was = is;
	}
	/* Some of them after the sleep of a tenth of a second. */
	ck_assert_uint_gt(late, 0);
	printf("# %llu instructions, %llu counted late\n", (unsigned long long)points,
	       (unsigned long long)late);
	end_world(&w);
}
END_TEST

Suite *array_strike_suite(const char *name, uint64_t every_so_many)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create("kill");
	const char *unavailable = stepper_unavailable();

	if (unavailable)
		test_skip_all(unavailable);
	every = every_so_many;
	tcase_set_timeout(tcase, 600);
	tcase_add_loop_test(tcase, killed_anywhere_it_is_old_or_new, 0,
			    2 * (int)ARRAY_LENGTH(updates));
	tcase_add_test(tcase, stopped_anywhere_readers_read_on);
	tcase_add_loop_test(tcase, killed_while_it_takes_over_the_next_one_does, 0, 2);
	tcase_add_loop_test(tcase, an_addition_after_a_death_stays, 0, 2);
	tcase_add_test(tcase, an_addition_that_was_made_is_counted);
	suite_add_tcase(suite, tcase);
	return suite;
}
