/* SPDX-License-Identifier: MIT */
/* Parties of handles: who sits, who cleans up after whom, and who comes in between. */
#include "lock-tools.h"

#include <signal.h>

static struct weir_lock *lock;
static struct shared *shared;
static struct resources before;
static uint32_t *ready;

static void setup(void)
{
	ready = shared_alloc(sizeof(*ready));
	before = resources_begin();
	lock = lock_new(0);
	ck_assert_ptr_nonnull(lock);
	shared = &lock->shared;
}

static void teardown(void)
{
	weir_lock_close(lock);
	resources_check(&before);
}

static uint32_t sit(struct weir_lock *l)
{
	uint64_t me;

	ck_assert_int_eq(shared_sit(&l->shared, &me), 0);
	ck_assert_uint_eq(me >> LOCK_THREAD_SHIFT, sys_thread());
	return LOCK_PARTY(me);
}

START_TEST(each_handle_has_a_party_and_keeps_it)
{
	struct weir_lock *others[3];

	ck_assert_uint_eq(lock_parties(lock), 0);
	ck_assert_uint_eq(sit(lock), 1);
	ck_assert_uint_eq(sit(lock), 1);
	for (uint32_t i = 0; i < 3; i++) {
		others[i] = lock_second(lock);
		ck_assert_uint_eq(sit(others[i]), 2 + i);
	}
	weir_lock_close(others[0]);
	ck_assert_uint_eq(lock_parties(lock), 3);
	others[0] = lock_second(lock);
	ck_assert_uint_eq(sit(others[0]), 2);
	for (int i = 0; i < 3; i++)
		weir_lock_close(others[i]);
	ck_assert_uint_eq(lock_parties(lock), 1);
}
END_TEST

static int sit_and_wait(void *arg)
{
	(void)arg;
	child_check(weir_lock_acquire(lock, 0, 0) >= 0);
	store_release(ready, 1);
	for (;;)
		pause();
	return 0;
}

static void let_one_die(void)
{
	struct child child = child_start(sit_and_wait, NULL);

	ck_assert(await(ready, 1));
	store_release(ready, 0);
	child_kill(&child);
}

START_TEST(dead_one_is_cleaned_up_after_once)
{
	let_one_die();
	ck_assert(!shared_mend(shared, 0));
	ck_assert(!shared_mend(shared, 2));
	ck_assert(!shared_mend(shared, COMMONS_PARTIES));
	ck_assert(!shared_mend(shared, UINT32_MAX));
	ck_assert(shared_mend(shared, 1));
	ck_assert(!shared_mend(shared, 1));
	ck_assert_uint_eq(shared->commons.control->deaths, 1);
	ck_assert_uint_eq(shared->commons.control->lock.deaths, 1);
	ck_assert_uint_eq(lock_word(lock), LOCK_DIED);
}
END_TEST

/*
 * While one cleans up, another one is faster, and a third gets the name.
 */

static struct shared_kind slow_kind;
static uint32_t settled, settled_of_dead;
static uint64_t word_of_third;

static void settle_slowly(struct shared *s, uint32_t party, uint64_t word, bool died)
{
	struct weir_party *p = commons_party(&s->commons, party);

	(void)word;
	settled_of_dead += died;
	if (settled++ > 0)
		return;
	ck_assert(shared_mend(s, party));
	ck_assert(party_claim(&p->name, s->commons.control->spaces, &word_of_third));
	store_relaxed(&p->image, party_image(word_of_third));
	store_release(&s->commons.control->lock.word, lock_name(party, word_of_third));
}

START_TEST(who_cleans_up_too_late_leaves_the_next_one_alone)
{
	struct weir_party *p = commons_party(&shared->commons, 1);

	slow_kind = *shared->is;
	slow_kind.settle = settle_slowly;
	shared->is = &slow_kind;
	let_one_die();
	settled = settled_of_dead = 0;
	/* Another one was faster. */
	ck_assert(!shared_mend(shared, 1));
	ck_assert_uint_eq(settled, 2);
	ck_assert_uint_eq(settled_of_dead, 2);
	ck_assert_uint_eq(shared->commons.control->deaths, 1);
	ck_assert_uint_eq(p->name.low, word_of_third);
	/* By which it is known that a program was executed. */
	ck_assert_uint_eq(p->image, party_image(word_of_third));
	ck_assert_uint_eq(lock_word(lock), lock_name(1, word_of_third));
	slow_kind.settle = NULL;
	store_release(&shared->commons.control->lock.word, 0);
}
END_TEST

/* What was not handed back to anybody. */
START_TEST(lock_of_a_party_that_does_not_exist_is_free)
{
	const uint64_t words[] = { 1 | LOCK_GENERATION_MASK, 2, 17, COMMONS_PARTIES - 1,
				   COMMONS_PARTIES, LOCK_PARTY_MASK,
				   LOCK_PARTY_MASK | LOCK_DIED, UINT64_MAX };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		store_release(&shared->commons.control->lock.word, words[i]);
		ck_assert_int_eq(weir_lock_acquire(lock, 0, test_now() + 500 * MS),
				 WEIR_OWNER_DIED);
		ck_assert_int_eq(weir_lock_release(lock), 0);
	}
	/* Free, whatever else it says. */
	store_release(&shared->commons.control->lock.word, ~(LOCK_PARTY_MASK | LOCK_DIED));
	ck_assert_int_eq(weir_lock_acquire(lock, 0, 0), 0);
}
END_TEST

START_TEST(top_of_the_table_that_lies_is_harmless)
{
	const uint32_t tops[] = { UINT32_MAX, COMMONS_PARTIES, COMMONS_PARTIES - 1, 0, 1,
				  1U << 31 };

	for (size_t i = 0; i < sizeof(tops) / sizeof(tops[0]); i++) {
		struct weir_lock *other = lock_second(lock);

		store_release(&shared->commons.control->party_top, tops[i]);
		ck_assert_uint_gt(sit(other), 0);
		ck_assert_int_eq(weir_lock_acquire(other, 0, 0), 0);
		ck_assert_int_eq(weir_lock_release(other), 0);
		shared_mend_all(shared);
		weir_lock_close(other);
	}
}
END_TEST

/* Nobody is there who could die or wake: they are looked at and found out. */
START_TEST(watch_of_nobody_is_taken_over)
{
	const uint32_t watches[] = { 5, COMMONS_PARTIES - 1, COMMONS_PARTIES, UINT32_MAX,
				     1U << 31 };
	struct weir_lock *other = lock_second(lock);

	ck_assert_int_eq(weir_lock_acquire(other, 0, 0), 0);
	for (size_t i = 0; i < sizeof(watches) / sizeof(watches[0]); i++) {
		store_release(&shared->commons.control->lock.watch, watches[i]);
		ck_assert_int_eq(weir_lock_acquire(lock, WEIR_NOSPIN, test_now() + 10 * MS),
				 -ETIMEDOUT);
		ck_assert_uint_eq(shared->commons.control->lock.watch, 0);
	}
	weir_lock_close(other);
}
END_TEST

START_TEST(leaving_all_leaves_what_is_held)
{
	struct weir_lock *other = lock_new(0);

	ck_assert_int_eq(weir_lock_acquire(lock, 0, 0), 0);
	ck_assert_int_eq(weir_lock_acquire(other, 0, 0), 0);
	ck_assert_int_eq(weir_lock_release(other), 0);
	shared_leave_all();
	ck_assert(weir_lock_is_locked(lock) && weir_lock_is_mine(lock));
	ck_assert_uint_eq(lock_parties(lock), 1);
#if !WEIR_TSAN
	/* Of one thread: its name is free at once. */
	ck_assert_uint_eq(lock_parties(other), 0);
#endif
	/* And can be had again. */
	ck_assert_int_eq(weir_lock_acquire(other, 0, 0), 0);
	ck_assert_int_eq(weir_lock_release(other), 0);
	weir_lock_close(other);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("shared");
	TCase *tcase = tcase_create("shared");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, each_handle_has_a_party_and_keeps_it);
	tcase_add_test(tcase, dead_one_is_cleaned_up_after_once);
	tcase_add_test(tcase, who_cleans_up_too_late_leaves_the_next_one_alone);
	tcase_add_test(tcase, lock_of_a_party_that_does_not_exist_is_free);
	tcase_add_test(tcase, top_of_the_table_that_lies_is_harmless);
	tcase_add_test(tcase, watch_of_nobody_is_taken_over);
	tcase_add_test(tcase, leaving_all_leaves_what_is_held);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
