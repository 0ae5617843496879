/* SPDX-License-Identifier: MIT */
/*
 * The reader's record: what goes wrong on the way is counted as what it is.
 */
#include <stdlib.h>
#include <string.h>

#include "bench/pattern.h"
#include "support.h"

#define MANY 20000

/* ---- one reader ---- */

static struct pattern_shape shape;
static struct pattern_sent sent[4];
static struct pattern_check *check[3];

static void begin(unsigned int producers, unsigned int readers)
{
	unsigned int r;

	pattern_shape_init(&shape, 64, PATTERN_FULL);
	memset(sent, 0, sizeof(sent));
	for (r = 0; r < readers; r++) {
		free(check[r]);
		check[r] = malloc(pattern_check_size(producers));
		ck_assert_ptr_nonnull(check[r]);
		pattern_check_init(check[r], producers, readers > 1);
	}
}

static void arrive_at(unsigned int reader, unsigned int producer, uint64_t seq)
{
	uint64_t header = pattern_header(producer, seq);

	pattern_check_add(check[reader], &shape, header, pattern_sum(&shape, header));
}

static void arrive(uint64_t seq)
{
	arrive_at(0, 0, seq);
}

static void arrive_corrupted(uint64_t seq)
{
	uint64_t header = pattern_header(0, seq);

	pattern_check_add(check[0], &shape, header, pattern_sum(&shape, header) ^ 1);
}

static void send(unsigned int producer, uint64_t count)
{
	uint64_t i;

	sent[producer].count = count;
	sent[producer].sum = 0;
	for (i = 0; i < count; i++)
		sent[producer].sum += pattern_sum(&shape, pattern_header(producer, i));
}

static struct pattern_result verdict(unsigned int producers, unsigned int readers)
{
	const struct pattern_check *all[3] = { check[0], check[1], check[2] };
	struct pattern_result r;

	pattern_verdict(all, readers, sent, producers, &r);
	return r;
}

static void expect(struct pattern_result r, uint64_t lost, uint64_t duplicated, uint64_t reordered,
		   uint64_t corrupted)
{
	ck_assert_uint_eq(r.lost, lost);
	ck_assert_uint_eq(r.duplicated, duplicated);
	ck_assert_uint_eq(r.reordered, reordered);
	ck_assert_uint_eq(r.corrupted, corrupted);
	ck_assert_int_eq(pattern_result_ok(&r), !(lost || duplicated || reordered || corrupted));
}

/* "0-9" of a list "a b c" of sequences; "!5" is message 5 with a wrong sum. */
static void arrive_list(const char *list)
{
	char *end;

	while (*list) {
		bool bad = *list == '!';
		uint64_t from = strtoull(list + bad, &end, 10), to = from;

		if (*end == '-')
			to = strtoull(end + 1, &end, 10);
		for (; from <= to; from++)
			bad ? arrive_corrupted(from) : arrive(from);
		list = *end ? end + 1 : end;
	}
}

/* Ten messages sent, these arrive. */
static const struct {
	const char *list;
	struct pattern_result want;
} ten[] = {
	{ "0-9", { 0, 0, 0, 0 } },
	{ "", { 10, 0, 0, 0 } },
	{ "0-8", { 1, 0, 0, 0 } },	       /* the last */
	{ "1-9", { 1, 0, 0, 0 } },	       /* the first */
	{ "0-3 5-9", { 1, 0, 0, 0 } },
	{ "0 2 4 6 8", { 5, 0, 0, 0 } },
	{ "0-9 9", { 0, 1, 0, 0 } },
	{ "0-5 5-9", { 0, 1, 0, 0 } },
	{ "0-9 0-9", { 0, 10, 0, 0 } },
	{ "0-3 5 4 6-9", { 0, 0, 1, 0 } },
	{ "1-9 0", { 0, 0, 1, 0 } },
	{ "9 0-8", { 0, 0, 9, 0 } },
	{ "9 8 7 6 5 4 3 2 1 0", { 0, 0, 9, 0 } },
	{ "0-3 5 4 4 6-9", { 0, 1, 1, 0 } },
	{ "0-3 6 5 7-9", { 1, 0, 1, 0 } },     /* 4 lost, 5 late */
	{ "0-2 5 4 3 5 8 9", { 2, 1, 2, 0 } }, /* 6 and 7 lost, 4 and 3 late, 5 twice */
	{ "0-3 !4 5-9", { 0, 0, 0, 1 } },
	{ "!0-9", { 0, 0, 0, 10 } },
	{ "0-3 !4 4-9", { 0, 1, 0, 1 } },
	{ "0-2 !4 5-9", { 2, 0, 0, 1 } },      /* a corrupted header is not believed */
};

START_TEST(planted_faults_are_counted_as_what_they_are)
{
	begin(1, 1);
	send(0, 10);
	arrive_list(ten[_i].list);
	expect(verdict(1, 1), ten[_i].want.lost, ten[_i].want.duplicated, ten[_i].want.reordered,
	       ten[_i].want.corrupted);
}
END_TEST

START_TEST(more_gaps_than_the_list_holds_are_all_lost)
{
	uint64_t i;

	begin(1, 1);
	send(0, MANY);
	for (i = 0; i < MANY; i++)
		if (i % 100 != 50)
			arrive(i);
	expect(verdict(1, 1), MANY / 100, 0, 0, 0);
}
END_TEST

START_TEST(a_straggler_from_a_forgotten_gap_is_reordered)
{
	uint64_t i;

	begin(1, 1);
	send(0, MANY);
	for (i = 0; i < MANY; i++)
		if (i % 100 != 50)
			arrive(i);
	arrive(50);
	expect(verdict(1, 1), MANY / 100 - 1, 0, 1, 0);
}
END_TEST

START_TEST(a_gap_filled_from_the_middle_until_the_list_is_full)
{
	uint64_t i;

	begin(1, 1);
	send(0, 1001);
	arrive(1000);
	for (i = 1; i < 1000; i += 2) /* splits one range into 500 */
		arrive(i);
	expect(verdict(1, 1), 500, 0, 500, 0);
}
END_TEST

/* What is done to message i; every fault stands alone between good messages. */
enum fault {
	NONE,
	LOSE,
	DOUBLE,
	SWAP,
	CORRUPT,
	FAULTS
};

START_TEST(random_faults_add_up)
{
	uint64_t count[FAULTS] = { 0 }, i;

	begin(1, 1);
	send(0, MANY);
	for (i = 0; i < MANY; i++) {
		enum fault f = i % 8 ? NONE : (enum fault)test_random_below(FAULTS);

		count[f]++;
		if (f == CORRUPT)
			arrive_corrupted(i);
		else if (f == SWAP)
			arrive(i + 1);
		if (f == DOUBLE)
			arrive(i);
		if (f != LOSE && f != CORRUPT)
			arrive(i);
		if (f == SWAP)
			i++;
	}
	expect(verdict(1, 1), count[LOSE], count[DOUBLE], count[SWAP], count[CORRUPT]);
}
END_TEST

START_TEST(producers_are_judged_apart)
{
	uint64_t i;

	begin(3, 1);
	send(0, 100);
	send(1, 100);
	send(2, 0);
	for (i = 0; i < 100; i++) {
		arrive_at(0, 0, i);
		if (i != 20)
			arrive_at(0, 1, i);
	}
	expect(verdict(3, 1), 1, 0, 0, 0);
	arrive_at(0, 1, 99);
	expect(verdict(3, 1), 1, 1, 0, 0);
	arrive_at(0, 3, 0); /* nobody has this number */
	expect(verdict(3, 1), 1, 1, 0, 1);
}
END_TEST

START_TEST(messages_that_nobody_sent_are_corrupted)
{
	begin(1, 1);
	send(0, 10);
	arrive_list("0-9 10");
	expect(verdict(1, 1), 0, 0, 0, 1);
	begin(1, 1);
	send(0, 10);
	arrive_list("0-9");
	arrive(1ULL << 40); /* far beyond: a damaged header */
	expect(verdict(1, 1), 0, 0, 0, 1);
}
END_TEST

START_TEST(totals_that_differ_are_noticed)
{
	begin(1, 1);
	send(0, 10);
	arrive_list("0-9");
	sent[0].sum ^= 4;
	expect(verdict(1, 1), 0, 0, 0, 1);
}
END_TEST

/* ---- several readers ---- */

/* Messages of two producers dealt out to two readers at random, each in order. */
static void deal(uint64_t n, uint64_t lose, uint64_t twice)
{
	unsigned int p;
	uint64_t i;

	begin(2, 2);
	for (i = 0; i < n; i++)
		for (p = 0; p < 2; p++) {
			unsigned int r = (unsigned int)test_random_below(2);

			if (p == 1 && i == lose)
				continue;
			arrive_at(r, p, i);
			if (p == 1 && i == twice)
				arrive_at(1 - r, p, i);
		}
	send(0, n);
	send(1, n);
}

START_TEST(shared_messages_make_no_faults)
{
	deal(MANY, MANY, MANY);
	expect(verdict(2, 2), 0, 0, 0, 0);
	deal(MANY + 1, MANY + 1, MANY + 1);
	expect(verdict(2, 2), 0, 0, 0, 0);
}
END_TEST

START_TEST(a_message_that_no_reader_got_is_lost)
{
	deal(MANY, 777, MANY);
	expect(verdict(2, 2), 1, 0, 0, 0);
}
END_TEST

START_TEST(a_message_that_two_readers_got_is_duplicated)
{
	deal(MANY, MANY, 777);
	expect(verdict(2, 2), 0, 1, 0, 0);
}
END_TEST

START_TEST(one_lost_and_another_doubled_do_not_cancel)
{
	deal(MANY, 500, 777);
	expect(verdict(2, 2), 1, 1, 0, 0);
}
END_TEST

START_TEST(a_reader_that_gets_one_twice_or_late_notices_itself)
{
	begin(1, 2);
	send(0, 8);
	arrive_at(0, 0, 0);
	arrive_at(0, 0, 3);
	arrive_at(0, 0, 3);
	arrive_at(0, 0, 6);
	arrive_at(0, 0, 5);
	arrive_at(1, 0, 1);
	arrive_at(1, 0, 2);
	arrive_at(1, 0, 4);
	arrive_at(1, 0, 7);
	expect(verdict(1, 2), 0, 1, 1, 0);
}
END_TEST

START_TEST(a_corrupted_shared_message_is_not_lost_as_well)
{
	uint64_t header = pattern_header(0, 2);

	begin(1, 2);
	send(0, 4);
	arrive_at(0, 0, 0);
	arrive_at(1, 0, 1);
	pattern_check_add(check[0], &shape, header, pattern_sum(&shape, header) + 1);
	arrive_at(1, 0, 3);
	expect(verdict(1, 2), 0, 0, 0, 1);
}
END_TEST

START_TEST(the_quick_way_comes_to_the_same)
{
	uint64_t newest[3] = { 1000, 1000, 1000 };

	begin(2, 2);
	for (int i = 0; i < MANY; i++) {
		unsigned int p = (unsigned int)test_random_below(200) ? i % 2 : 2;
		uint64_t seq = newest[p] + test_random_below(140) - 60;
		uint64_t header = pattern_header(p, seq), sum = pattern_sum(&shape, header);

		newest[p] += test_random_below(3);
		sum += test_random_below(50) == 0;
		pattern_check_add(check[0], &shape, header, sum);
		pattern_check_later(check[1], &shape, header, sum);
	}
	ck_assert_mem_eq(check[0], check[1], pattern_check_size(2));
}
END_TEST

START_TEST(results_add_up)
{
	struct pattern_result sum = { 1, 2, 3, 4 }, more = { 10, 20, 30, 40 };

	pattern_result_add(&sum, &more);
	expect(sum, 11, 22, 33, 44);
}
END_TEST

static TCase *one_reader(void)
{
	TCase *tc = tcase_create("one reader");

	tcase_add_loop_test(tc, planted_faults_are_counted_as_what_they_are, 0,
			    sizeof(ten) / sizeof(ten[0]));
	tcase_add_test(tc, more_gaps_than_the_list_holds_are_all_lost);
	tcase_add_test(tc, a_straggler_from_a_forgotten_gap_is_reordered);
	tcase_add_test(tc, a_gap_filled_from_the_middle_until_the_list_is_full);
	tcase_add_test(tc, random_faults_add_up);
	tcase_add_test(tc, producers_are_judged_apart);
	tcase_add_test(tc, messages_that_nobody_sent_are_corrupted);
	tcase_add_test(tc, totals_that_differ_are_noticed);
	return tc;
}

static TCase *several_readers(void)
{
	TCase *tc = tcase_create("several readers");

	tcase_add_test(tc, shared_messages_make_no_faults);
	tcase_add_test(tc, a_message_that_no_reader_got_is_lost);
	tcase_add_test(tc, a_message_that_two_readers_got_is_duplicated);
	tcase_add_test(tc, one_lost_and_another_doubled_do_not_cancel);
	tcase_add_test(tc, a_reader_that_gets_one_twice_or_late_notices_itself);
	tcase_add_test(tc, a_corrupted_shared_message_is_not_lost_as_well);
	tcase_add_test(tc, the_quick_way_comes_to_the_same);
	tcase_add_test(tc, results_add_up);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("bench-pattern-check");

	suite_add_tcase(suite, one_reader());
	suite_add_tcase(suite, several_readers());
	return test_main(suite);
}
