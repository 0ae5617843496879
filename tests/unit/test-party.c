/* SPDX-License-Identifier: MIT */
/* Names in a table: claimed, freed with another generation, and whose process is gone. */
#include "lock-tools.h"

#include <signal.h>
#include <sys/wait.h>

static struct table {
	struct pair name;
	uint64_t image;
	uint64_t spaces[PARTY_SPACES];
	uint32_t ready;
} *table;

static void setup(void)
{
	table = shared_alloc(sizeof(*table));
}

static bool claim(uint64_t *ret_word)
{
	return party_claim(&table->name, table->spaces, ret_word);
}

static bool gone(uint64_t *ret_word)
{
	return party_gone(&table->name, &table->image, table->spaces, ret_word);
}

START_TEST(free_name_is_had_by_one)
{
	uint64_t word, other;

	ck_assert(claim(&word));
	ck_assert_uint_eq(word, table->name.low);
	ck_assert_uint_eq(word & PARTY_STATE, PARTY_USED);
	ck_assert_uint_eq(table->name.high, live_self().process);
	ck_assert_uint_eq(table->spaces[PARTY_SPACE(word)], live_self().space);
	ck_assert(!claim(&other));
}
END_TEST

START_TEST(freed_name_has_another_generation)
{
	uint64_t words[3];

	for (uint64_t i = 0; i < 3; i++) {
		ck_assert(claim(&words[i]));
		ck_assert_uint_eq(words[i] >> PARTY_GENERATION_SHIFT, i);
		ck_assert(party_free(&table->name, words[i]));
		/* By another one who cleans up. */
		ck_assert(!party_free(&table->name, words[i]));
	}
	ck_assert_uint_eq(table->name.low & PARTY_STATE, PARTY_FREE);
	ck_assert_uint_eq(table->name.high, 0);
	ck_assert(claim(&words[0]));
	ck_assert(!party_free(&table->name, words[2]));
	ck_assert_uint_eq(table->name.low & PARTY_STATE, PARTY_USED);
}
END_TEST

START_TEST(last_generation_is_followed_by_the_first)
{
	uint64_t word;

	table->name.low = ~(PARTY_GENERATION_ONE - 1);
	ck_assert(claim(&word));
	ck_assert(party_free(&table->name, word));
	ck_assert_uint_eq(table->name.low, 0);
	ck_assert(claim(&word));
}
END_TEST

START_TEST(free_name_is_not_gone)
{
	uint64_t word = 7;

	ck_assert(!gone(&word));
	table->name.high = UINT64_C(1) << 32;
	ck_assert(!gone(&word));
	ck_assert_uint_eq(word, 7);
}
END_TEST

START_TEST(we_are_gone_only_as_another_program)
{
	uint64_t word, found;

	ck_assert(claim(&word));
	/* It has not been said yet. */
	ck_assert(!gone(&found));
	table->image = party_image(word);
	ck_assert(!gone(&found));
	table->image = party_image(word) + 1;
	ck_assert(gone(&found));
	ck_assert_uint_eq(found, word);
}
END_TEST

/* Also of a program that was forked from the same one. */
START_TEST(image_is_forgotten_only_with_its_name)
{
	uint64_t first, second;

	ck_assert(claim(&first));
	table->image = party_image(first);
	party_forget_image(&table->name, first, &table->image);
	ck_assert_uint_eq(table->image, 0);
	ck_assert(party_free(&table->name, first));
	ck_assert(claim(&second));
	ck_assert_uint_ne(party_image(first), party_image(second));
	table->image = party_image(second);
	party_forget_image(&table->name, first, &table->image);
	ck_assert_uint_eq(table->image, party_image(second));
}
END_TEST

static int claim_and_wait(void *arg)
{
	uint64_t word;

	child_check(claim(&word));
	if (*(const bool *)arg)
		party_leave(&table->name, word);
	table->image = party_image(word);
	store_release(&table->ready, 1);
	for (;;)
		pause();
	return 0;
}

/* Whether it leaves or not. */
START_TEST(killed_one_is_gone_and_a_stopped_one_is_not)
{
	bool leaves = _i;
	struct child child = child_start(claim_and_wait, &leaves);
	siginfo_t ended;
	uint64_t word;

	ck_assert(await(&table->ready, 1));
	ck_assert(!gone(&word));
	child_stop(&child);
	ck_assert(!gone(&word));
	kill(child.pid, SIGKILL);
	/* Its first thread alone may be a zombie before: a sanitizer has others. */
	ck_assert_int_eq(waitid(P_PID, (id_t)child.pid, &ended, WEXITED | WNOWAIT), 0);
	/* A zombie is. */
	ck_assert(gone(&word));
	child_join(&child);
	ck_assert(gone(&word));
	ck_assert_uint_eq(word & PARTY_STATE, leaves ? PARTY_LEAVING : PARTY_USED);
	ck_assert(party_free(&table->name, word));
	ck_assert(!gone(&word));
}
END_TEST

START_TEST(leaving_is_only_for_the_one_that_is_meant)
{
	uint64_t word, other;

	ck_assert(claim(&word));
	party_leave(&table->name, word + PARTY_GENERATION_ONE);
	ck_assert_uint_eq(table->name.low, word);
	party_leave(&table->name, word);
	ck_assert_uint_eq(table->name.low & PARTY_STATE, PARTY_LEAVING);
	ck_assert_uint_eq(table->name.high, live_self().process);
	ck_assert(!claim(&other));
	/* Who knew it as it was before cannot free it. */
	ck_assert(!party_free(&table->name, word));
	ck_assert(party_free(&table->name, table->name.low));
}
END_TEST

/* More PID namespaces than there is room for: nobody can tell, so nobody is gone. */
START_TEST(dead_one_of_no_known_namespace_is_never_gone)
{
	bool leaves = false;
	struct child child;
	uint64_t word;

	for (uint32_t i = 1; i < PARTY_SPACES; i++)
		table->spaces[i] = 1000 + i;
	child = child_start(claim_and_wait, &leaves);
	ck_assert(await(&table->ready, 1));
	ck_assert_uint_eq(PARTY_SPACE(table->name.low), 0);
	child_kill(&child);
	ck_assert(!gone(&word));
}
END_TEST

START_TEST(names_that_nobody_has_written_are_harmless)
{
	const uint64_t processes[] = { 0, 1, UINT64_MAX, UINT64_C(1) << 63, UINT64_C(5) << 32,
				       test_random() };

	for (size_t i = 0; i < sizeof(processes) / sizeof(processes[0]); i++)
		for (uint64_t low = 0; low < 256; low++) {
			uint64_t word;

			table->name.low = low;
			table->name.high = processes[i];
			if (gone(&word))
				ck_assert_uint_eq(word, low);
			else if ((low & PARTY_STATE) != PARTY_FREE)
				/* Of a namespace that is not ours: never. */
				ck_assert_uint_ne(processes[i], 0);
		}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("party");
	TCase *tcase = tcase_create("party");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, free_name_is_had_by_one);
	tcase_add_test(tcase, freed_name_has_another_generation);
	tcase_add_test(tcase, last_generation_is_followed_by_the_first);
	tcase_add_test(tcase, free_name_is_not_gone);
	tcase_add_test(tcase, we_are_gone_only_as_another_program);
	tcase_add_test(tcase, image_is_forgotten_only_with_its_name);
	tcase_add_loop_test(tcase, killed_one_is_gone_and_a_stopped_one_is_not, 0, 2);
	tcase_add_test(tcase, leaving_is_only_for_the_one_that_is_meant);
	tcase_add_test(tcase, dead_one_of_no_known_namespace_is_never_gone);
	tcase_add_test(tcase, names_that_nobody_has_written_are_harmless);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
