/* SPDX-License-Identifier: MIT */
/* Units that are taken and given: who holds how many, whoever acts, and what damage does. */
#include "tally-bed.h"

#include <errno.h>

static void setup(void)
{
	tally_bed_open(3);
}

static struct pair *record(uint32_t party)
{
	return (struct pair *)(void *)&tally_bed->parties[party].of_kind[TALLY_RECORD];
}

static int take(uint32_t party, uint32_t units)
{
	return tally_take(&tally, party, units, 0, false);
}

START_TEST(units_are_taken_until_there_are_none)
{
	ck_assert_int_eq(take(1, 1), 0);
	ck_assert_int_eq(take(2, 1), 0);
	ck_assert_int_eq(take(1, 1), 0);
	ck_assert_int_eq(take(3, 1), -EAGAIN);
	ck_assert_uint_eq(tally_held(&tally, 1), 2);
	ck_assert_uint_eq(tally_held(&tally, 2), 1);
	ck_assert_uint_eq(tally_held(&tally, 3), 0);
	ck_assert_uint_eq(tally_taken(&tally), 3);
	ck_assert_int_eq(tally_give(&tally, 2, 1), 0);
	ck_assert_int_eq(take(3, 1), 0);
	ck_assert(tally_bed_adds_up());
}
END_TEST

START_TEST(more_than_there_is_takes_nothing)
{
	struct pair was;

	ck_assert_int_eq(take(1, 1), 0);
	was = tally_bed->state.word;
	ck_assert_int_eq(take(2, 3), -EAGAIN);
	ck_assert_int_eq(take(2, UINT32_MAX), -EAGAIN);
	ck_assert_int_eq(tally_take(&tally, 2, 2, 1, false), -EAGAIN);
	ck_assert_mem_eq(&was, &tally_bed->state.word, sizeof(was));
	ck_assert_int_eq(take(2, 2), 0);
	ck_assert(tally_bed_adds_up());
}
END_TEST

START_TEST(give_of_what_is_not_held_is_eperm)
{
	struct pair was;

	ck_assert_int_eq(tally_give(&tally, 1, 1), -EPERM);
	ck_assert_int_eq(take(1, 2), 0);
	was = tally_bed->state.word;
	ck_assert_int_eq(tally_give(&tally, 2, 1), -EPERM);
	ck_assert_int_eq(tally_give(&tally, 1, 3), -EPERM);
	ck_assert_mem_eq(&was, &tally_bed->state.word, sizeof(was));
	ck_assert_int_eq(tally_give(&tally, 1, 2), 0);
	ck_assert_uint_eq(tally_taken(&tally), 0);
}
END_TEST

START_TEST(alone_no_record_is_written)
{
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(take(1, 2), 0);
		ck_assert_int_eq(tally_give(&tally, 1, 1), 0);
		ck_assert_int_eq(tally_give(&tally, 1, 1), 0);
	}
	ck_assert_uint_eq(record(1)->low, 0);
	ck_assert_uint_eq(record(1)->high, 0);
}
END_TEST

START_TEST(the_next_party_writes_the_record)
{
	ck_assert_int_eq(take(1, 2), 0);
	ck_assert_uint_eq(record(1)->high, 0);
	ck_assert_int_eq(take(2, 1), 0);
	ck_assert_uint_eq(record(1)->low, 1);
	ck_assert_uint_eq(record(1)->high, 2);
	ck_assert_uint_eq(record(2)->high, 0);
}
END_TEST

START_TEST(settled_the_next_is_told_once)
{
	ck_assert_int_eq(take(1, 2), 0);
	ck_assert_int_eq(take(2, 1), 0);
	ck_assert_uint_eq(tally_settle(&tally, 1, tally_bed_name(1), 1), 2);
	ck_assert_uint_eq(tally_settle(&tally, 1, tally_bed_name(1), 1), 0);
	ck_assert_uint_eq(tally_taken(&tally), 1);
	/* Giving tells nobody. */
	ck_assert_int_eq(tally_give(&tally, 2, 1), 0);
	ck_assert_int_eq(take(3, 1), WEIR_OWNER_DIED);
	ck_assert_int_eq(take(3, 1), 0);
	ck_assert(tally_bed_adds_up());
}
END_TEST

START_TEST(the_last_to_act_is_settled_like_others)
{
	ck_assert_int_eq(take(1, 3), 0);
	ck_assert_uint_eq(tally_settle(&tally, 1, tally_bed_name(1), 1), 3);
	ck_assert_int_eq(take(2, 3), WEIR_OWNER_DIED);
}
END_TEST

START_TEST(few_units_of_a_dead_one_need_not_be_told)
{
	ck_assert_int_eq(take(1, 1), 0);
	ck_assert_uint_eq(tally_settle(&tally, 1, tally_bed_name(1), 3), 1);
	ck_assert_int_eq(take(2, 3), 0);
	ck_assert_uint_eq(tally_settle(&tally, 2, tally_bed_name(2), 3), 3);
	/* Those who keep it let others know, too. */
	ck_assert_int_eq(tally_take(&tally, 3, 1, 1, true), WEIR_OWNER_DIED);
	ck_assert_int_eq(tally_take(&tally, 4, 1, 1, true), WEIR_OWNER_DIED);
	ck_assert_int_eq(tally_take(&tally, 5, 1, 1, true), -EAGAIN);
	ck_assert_int_eq(tally_give(&tally, 3, 1), 0);
	ck_assert_int_eq(take(5, 1), WEIR_OWNER_DIED);
	ck_assert_int_eq(tally_give(&tally, 5, 1), 0);
	ck_assert_int_eq(take(5, 1), 0);
}
END_TEST

START_TEST(settle_of_another_generation_does_nothing)
{
	ck_assert_int_eq(take(1, 2), 0);
	ck_assert_uint_eq(tally_settle(&tally, 1, tally_bed_name(2), 1), 0);
	ck_assert_uint_eq(tally_held(&tally, 1), 2);
}
END_TEST

START_TEST(oldest_is_who_has_not_acted_longest)
{
	ck_assert_uint_eq(tally_oldest(&tally, 7, 1), 0);
	ck_assert_int_eq(take(3, 1), 0);
	ck_assert_int_eq(take(1, 1), 0);
	ck_assert_int_eq(take(2, 1), 0);
	ck_assert_uint_eq(tally_oldest(&tally, 7, 1), 3);
	ck_assert_uint_eq(tally_oldest(&tally, 2, 1), 1);
	ck_assert_uint_eq(tally_oldest(&tally, 7, 2), 0);
	ck_assert_int_eq(tally_give(&tally, 3, 1), 0);
	ck_assert_uint_eq(tally_oldest(&tally, 7, 1), 1);
	ck_assert_int_eq(take(1, 1), 0);
	ck_assert_uint_eq(tally_oldest(&tally, 7, 2), 1);
	ck_assert_uint_eq(tally_oldest(&tally, 7, 1), 2);
}
END_TEST

START_TEST(number_wraps)
{
	tally_bed->state.word.low = -TALLY_NUMBER_ONE;
	for (uint32_t i = 0; i < 20; i++) {
		uint32_t party = 1 + i % 3;

		ck_assert_int_eq(take(party, 1), 0);
		ck_assert(tally_bed_adds_up());
		if (i >= 2)
			ck_assert_int_eq(tally_give(&tally, 1 + (i + 1) % 3, 1), 0);
	}
	ck_assert_uint_lt(TALLY_NUMBER(tally_bed->state.word.low), 100);
}
END_TEST

START_TEST(damage_is_ebadmsg)
{
	static const struct pair damaged[] = {
		{ 0, TALLY_HIGH(4, 0) },		/* more than there are */
		{ 1, TALLY_HIGH(1, 2) },		/* more than are taken */
		{ COMMONS_PARTIES, TALLY_HIGH(1, 1) },	/* nobody's number */
		{ UINT64_MAX, UINT64_MAX },
	};

	for (size_t i = 0; i < ARRAY_LENGTH(damaged); i++) {
		tally_bed->state.word = damaged[i];
		ck_assert_int_eq(take(1, 1), -EBADMSG);
		ck_assert_int_eq(tally_give(&tally, 1, 1), -EBADMSG);
		ck_assert_uint_eq(tally_settle(&tally, 1, tally_bed_name(1), 1), 0);
		ck_assert_uint_eq(tally_held(&tally, 1), 0);
		ck_assert_uint_eq(tally_oldest(&tally, 7, 1), 0);
		ck_assert_mem_eq(&tally_bed->state.word, &damaged[i], sizeof(damaged[i]));
	}
}
END_TEST

START_TEST(a_record_that_lies_is_ebadmsg)
{
	ck_assert_int_eq(take(1, 1), 0);
	record(2)->high = 5;
	ck_assert_int_eq(take(2, 1), -EBADMSG);
	ck_assert_int_eq(tally_give(&tally, 2, 1), -EBADMSG);
	ck_assert_uint_eq(tally_settle(&tally, 2, tally_bed_name(2), 1), 0);
	ck_assert_int_eq(tally_give(&tally, 1, 1), 0);
}
END_TEST

/* Some thousand random acts, against a plain table. */
START_TEST(random_acts_are_counted)
{
	uint32_t held[TALLY_BED_PARTIES] = { 0 }, taken = 0;

	tally_bed_open(10);
	for (int i = 0; i < 5000; i++) {
		uint32_t party = 1 + (uint32_t)test_random_below(TALLY_BED_PARTIES - 1);
		uint32_t units = 1 + (uint32_t)test_random_below(4);
		int result;

		switch (test_random_below(5)) {
		case 0:
			ck_assert_uint_eq(tally_settle(&tally, party, tally_bed_name(party), 1),
					  held[party]);
			taken -= held[party];
			held[party] = 0;
			break;
		case 1:
		case 2:
			result = tally_give(&tally, party, units);
			ck_assert_int_eq(result, held[party] < units ? -EPERM : 0);
			units = result == 0 ? units : 0;
			taken -= units;
			held[party] -= units;
			break;
		default:
			result = take(party, units);
			if (taken + units > 10)
				ck_assert_int_eq(result, -EAGAIN);
			else
				ck_assert_int_ge(result, 0);
			units = result >= 0 ? units : 0;
			taken += units;
			held[party] += units;
		}
		ck_assert_uint_eq(tally_taken(&tally), taken);
		for (uint32_t p = 1; p < TALLY_BED_PARTIES; p++)
			ck_assert_uint_eq(tally_held(&tally, p), held[p]);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tally");
	TCase *tcase = tcase_create("tally");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, units_are_taken_until_there_are_none);
	tcase_add_test(tcase, more_than_there_is_takes_nothing);
	tcase_add_test(tcase, give_of_what_is_not_held_is_eperm);
	tcase_add_test(tcase, alone_no_record_is_written);
	tcase_add_test(tcase, the_next_party_writes_the_record);
	tcase_add_test(tcase, settled_the_next_is_told_once);
	tcase_add_test(tcase, the_last_to_act_is_settled_like_others);
	tcase_add_test(tcase, few_units_of_a_dead_one_need_not_be_told);
	tcase_add_test(tcase, settle_of_another_generation_does_nothing);
	tcase_add_test(tcase, oldest_is_who_has_not_acted_longest);
	tcase_add_test(tcase, number_wraps);
	tcase_add_test(tcase, damage_is_ebadmsg);
	tcase_add_test(tcase, a_record_that_lies_is_ebadmsg);
	tcase_add_test(tcase, random_acts_are_counted);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
