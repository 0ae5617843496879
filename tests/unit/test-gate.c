/* SPDX-License-Identifier: MIT */
/* Who is next: how one becomes it, whom it holds off, and how it ends. */
#include "support.h"

#include "wait/gate.h"

static uint64_t gate;
static struct gate_watch watch;
static struct gate_visit reader, other_reader, writer, other_writer;

static struct gate_visit visit(uint32_t party, uint32_t thread, bool writes)
{
	return (struct gate_visit){
		.gate = &gate,
		.watch = &watch,
		.mine = gate_name(party, thread, writes),
	};
}

static void setup(void)
{
	gate = 0;
	watch = (struct gate_watch){ 0 };
	reader = visit(1, 11, false);
	other_reader = visit(1, 12, false);
	writer = visit(2, 21, true);
	other_writer = visit(2, 22, true);
}

START_TEST(without_anybody_it_is_open_to_all)
{
	ck_assert(gate_open(&reader));
	ck_assert(gate_open(&writer));
	ck_assert(!gate_leave(&writer));
	ck_assert(!gate_settle(&gate, 0));
}
END_TEST

START_TEST(who_may_not_is_not_next)
{
	gate_ask(&writer, false, 0);
	ck_assert_uint_eq(gate, 0);
}
END_TEST

START_TEST(a_writer_holds_all_others_off)
{
	gate_ask(&writer, true, 0);
	ck_assert(gate_open(&writer));
	ck_assert(!gate_open(&other_writer));
	ck_assert(!gate_open(&reader));
	gate_ask(&other_writer, true, 0);
	gate_ask(&reader, true, 0);
	ck_assert(gate_open(&writer));
	ck_assert(!gate_leave(&other_writer));
	ck_assert(gate_leave(&writer));
	ck_assert(gate_open(&reader));
}
END_TEST

START_TEST(a_reader_holds_writers_off)
{
	gate_ask(&reader, true, 0);
	ck_assert(gate_open(&reader));
	ck_assert(gate_open(&other_reader));
	ck_assert(!gate_open(&writer));
	ck_assert(!gate_leave(&other_reader));
	ck_assert(gate_leave(&reader));
	ck_assert(gate_open(&writer));
}
END_TEST

START_TEST(renewed_it_stays)
{
	gate_ask(&writer, true, 0);
	for (int64_t now = 0; now < 10 * GATE_STALE_NS; now += GATE_STALE_NS / 2) {
		gate_ask(&writer, true, now);
		gate_ask(&reader, false, now);
		ck_assert(!gate_open(&reader));
	}
	/* The beat wraps. */
	for (int64_t i = 0; i < 300000; i++)
		gate_ask(&writer, true, i << GATE_BEAT_NS_SHIFT);
	ck_assert(gate_open(&writer));
	ck_assert(gate_leave(&writer));
	ck_assert_uint_eq(gate, 0);
}
END_TEST

START_TEST(not_renewed_it_ends)
{
	gate_ask(&writer, true, 0);
	gate_ask(&reader, false, 5);
	gate_ask(&reader, false, 4 + GATE_STALE_NS);
	ck_assert(!gate_open(&reader));
	gate_ask(&reader, false, 5 + GATE_STALE_NS);
	ck_assert(gate_open(&reader));
	ck_assert(!gate_leave(&writer));
	/* Or goes over to who may be next. */
	gate_ask(&reader, true, 0);
	gate_ask(&writer, true, 5);
	gate_ask(&writer, true, 5 + GATE_STALE_NS);
	ck_assert(gate_open(&writer));
	ck_assert(!gate_open(&reader));
}
END_TEST

START_TEST(with_its_party_it_ends)
{
	gate_ask(&writer, true, 0);
	ck_assert(!gate_settle(&gate, 1));
	ck_assert(!gate_open(&reader));
	ck_assert(gate_settle(&gate, 2));
	ck_assert(!gate_settle(&gate, 2));
	ck_assert(gate_open(&reader));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("gate");
	TCase *tcase = tcase_create("gate");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, without_anybody_it_is_open_to_all);
	tcase_add_test(tcase, who_may_not_is_not_next);
	tcase_add_test(tcase, a_writer_holds_all_others_off);
	tcase_add_test(tcase, a_reader_holds_writers_off);
	tcase_add_test(tcase, renewed_it_stays);
	tcase_add_test(tcase, not_renewed_it_ends);
	tcase_add_test(tcase, with_its_party_it_ends);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
