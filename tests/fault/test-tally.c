/* SPDX-License-Identifier: MIT */
/*
 * A party killed at each instruction, or stopped and continued at some, of taking, giving and
 * settling units, before others and after others: what it holds is known exactly, and one who comes
 * late harms nobody.
 */
#include "tally-bed.h"

#include <errno.h>
#include <signal.h>

#define VICTIM	1
#define OTHER	2
#define THIRD	3
#define LIMIT	6
#define MOST	4000	/* instructions; a call has some hundred */
#define ONE_OF	7	/* of those at which it is stopped */

struct act {
	const char *name;
	int (*run)(void);
	void (*prepare)(void);
	/* What the victim may hold when it has died, in the course of it. */
	uint32_t least, most;
	/* And OTHER. */
	uint32_t other_least, other_most;
};

static int take(uint32_t party, uint32_t units)
{
	return tally_take(&tally, party, units, 0, false);
}

static int act_take(void)
{
	return take(VICTIM, 2);
}

static int act_give(void)
{
	return tally_give(&tally, VICTIM, 1);
}

static int act_settle(void)
{
	tally_settle(&tally, OTHER, tally_bed_name(OTHER), 1);
	return 0;
}

static void nobody(void)
{
}

static void after_itself(void)
{
	take(OTHER, 1);
	take(VICTIM, 2);
}

static void after_another(void)
{
	take(VICTIM, 2);
	take(OTHER, 1);
}

/* Two records are behind what was done since. */
static void after_a_third(void)
{
	take(VICTIM, 2);
	take(OTHER, 1);
	take(THIRD, 1);
	tally_give(&tally, THIRD, 1);
}

static const struct act acts[] = {
	{ "take, fresh", act_take, nobody, 0, 2, 0, 0 },
	{ "take, after itself", act_take, after_itself, 2, 4, 1, 1 },
	{ "take, after another", act_take, after_another, 2, 4, 1, 1 },
	{ "take, after a third", act_take, after_a_third, 2, 4, 1, 1 },
	{ "give, after itself", act_give, after_itself, 1, 2, 1, 1 },
	{ "give, after another", act_give, after_another, 1, 2, 1, 1 },
	{ "settle, after another", act_settle, after_another, 2, 2, 0, 1 },
	{ "settle, after a third", act_settle, after_a_third, 2, 2, 0, 1 },
};

static int victim(void *arg)
{
	const struct act *act = arg;

	stepper_mark_begin();
	child_check(act->run() >= 0);
	stepper_mark_end();
	return 0;
}

static bool between(uint32_t n, uint32_t least, uint32_t most)
{
	return n == least || n == most;
}

/* All that the dead one held is there for others, who are told. */
static void judge(const struct act *act, uint64_t steps)
{
	uint32_t held = tally_held(&tally, VICTIM), other = tally_held(&tally, OTHER);

	ck_assert_msg(tally_bed_adds_up(), "%s, instruction %llu", act->name,
		      (unsigned long long)steps);
	ck_assert(between(held, act->least, act->most));
	ck_assert(between(other, act->other_least, act->other_most));
	/* Others act, also before it is settled. */
	ck_assert_int_ge(take(THIRD, 1), 0);
	ck_assert(tally_bed_adds_up());
	ck_assert_uint_eq(tally_held(&tally, VICTIM), held);
	ck_assert_uint_eq(tally_settle(&tally, VICTIM, tally_bed_name(VICTIM), 1), held);
	ck_assert_uint_eq(tally_settle(&tally, OTHER, tally_bed_name(OTHER), 1), other);
	ck_assert_int_eq(tally_give(&tally, THIRD, 1), 0);
	ck_assert_int_eq(take(THIRD, LIMIT), held + other || act->other_least < act->other_most
		? WEIR_OWNER_DIED : 0);
	ck_assert_int_eq(tally_give(&tally, THIRD, LIMIT), 0);
	ck_assert(tally_bed_adds_up());
}

/* Run the act so far. False: it has come to its end. */
static bool begin(const struct act *act, struct stepper *stepper, uint64_t steps)
{
	enum step step;

	tally_bed_open(LIMIT);
	act->prepare();
	*stepper = stepper_start(victim, (void *)(uintptr_t)act);
	ck_assert(stepper_run_to_begin(stepper));
	step = stepper_steps(stepper, steps);
	ck_assert(step == STEP_DONE || step == STEP_END);
	return step == STEP_DONE;
}

/* What it would leave, killed at each: the memory as it is then. */
START_TEST(killed_at_each_instruction_its_units_are_known)
{
	const struct act *act = &acts[_i];
	struct tally_bed there;
	struct stepper stepper;
	bool more = begin(act, &stepper, 0);

	while (more && stepper.steps < MOST) {
		there = *tally_bed;
		judge(act, stepper.steps);
		*tally_bed = there;
		more = stepper_step(&stepper) == STEP_DONE;
	}
	ck_assert(!more);
	ck_assert_uint_gt(stepper.steps, 20);
	stepper_kill(&stepper);
	judge(act, stepper.steps);
}
END_TEST

/*
 * Everybody else goes on while it stands: takes and gives, in all orders of a few, so that the word
 * and the records have moved, perhaps back to the same units.
 */
static void meanwhile(uint64_t n)
{
	static const uint32_t parties[] = { OTHER, THIRD, OTHER, THIRD + 1, OTHER };
	uint64_t count = 1 + n % ARRAY_LENGTH(parties);

	for (uint64_t i = 0; i < count; i++)
		if (take(parties[i], 1) >= 0)
			ck_assert_int_eq(tally_give(&tally, parties[i], 1), 0);
}

START_TEST(stopped_at_an_instruction_it_goes_on_and_harms_nobody)
{
	const struct act *act = &acts[_i];
	uint32_t before[TALLY_BED_PARTIES];
	struct stepper stepper;
	struct child child;
	bool more = true;
	uint64_t n;

	for (n = test_random_below(ONE_OF); more && n < MOST; n += ONE_OF) {
		more = begin(act, &stepper, n);
		meanwhile(n / ONE_OF);
		ck_assert(tally_bed_adds_up());
		for (uint32_t i = 0; i < TALLY_BED_PARTIES; i++)
			before[i] = tally_held(&tally, i);
		child = stepper_release(&stepper);
		child_join_ok(&child);
		ck_assert_msg(tally_bed_adds_up(), "%s, instruction %llu", act->name,
			      (unsigned long long)n);
		ck_assert_uint_eq(tally_held(&tally, VICTIM),
				  act->run == act_give ? act->least : act->most);
		for (uint32_t i = THIRD; i < TALLY_BED_PARTIES; i++)
			ck_assert_uint_eq(tally_held(&tally, i), before[i]);
		judge(act, n);
	}
	ck_assert(!more);
}
END_TEST

/* The name of the one to be settled gets a new owner, who takes units, while the settler stands. */
START_TEST(stopped_settler_does_not_take_from_the_next_owner)
{
	static const struct act act = { "settle", act_settle, after_another, 2, 2, 0, 1 };
	uint64_t fresh = tally_bed_name(OTHER) + PARTY_GENERATION_ONE * 100;
	struct stepper stepper;
	struct child child;
	bool more = true;

	for (uint64_t n = test_random_below(ONE_OF); more && n < MOST; n += ONE_OF) {
		more = begin(&act, &stepper, n);
		tally_settle(&tally, OTHER, tally_bed_name(OTHER), 1);
		tally_bed->parties[OTHER].name.low = fresh;
		ck_assert_int_ge(take(OTHER, 1), 0);
		child = stepper_release(&stepper);
		child_join_ok(&child);
		ck_assert_uint_eq(tally_held(&tally, OTHER), 1);
		ck_assert(tally_bed_adds_up());
	}
	ck_assert(!more);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tally");
	TCase *tcase = tcase_create("tally");
	const char *unavailable = stepper_unavailable();

	if (unavailable)
		test_skip_all(unavailable);
	tcase_add_loop_test(tcase, killed_at_each_instruction_its_units_are_known, 0,
			    (int)ARRAY_LENGTH(acts));
	tcase_add_loop_test(tcase, stopped_at_an_instruction_it_goes_on_and_harms_nobody, 0,
			    (int)ARRAY_LENGTH(acts));
	tcase_add_test(tcase, stopped_settler_does_not_take_from_the_next_owner);
	tcase_set_timeout(tcase, 120);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
