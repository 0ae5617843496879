/* SPDX-License-Identifier: MIT */
/* Updates in plain memory; a writer that dies is played by leaving off half-way. */
#include "support.h"

#include <stdio.h>
#include <string.h>

#include "ring/redo.h"

/* The instructions of AddressSanitizer are many, and of no interest. */
#if defined(__SANITIZE_ADDRESS__)
#define APART	17
#else
#define APART	1
#endif
#define SIZE 64

static struct weir_redo redo_log;
static _Alignas(8) uint8_t place[SIZE], shadow[SIZE];
static struct redo redo = { &redo_log, place, shadow, SIZE };

static void setup(void)
{
	memset(&redo_log, 0, sizeof(redo_log));
	memset(place, 'o', SIZE);
	memset(shadow, 's', SIZE);
}

static const uint8_t *made_of(char byte)
{
	static uint8_t bytes[SIZE];

	memset(bytes, byte, SIZE);
	return bytes;
}

/* What a writer leaves that dies just after its update counts. */
static void die_committed(uint64_t from, uint64_t size, char byte)
{
	memset(shadow + from, byte, size);
	redo_log.from = from;
	redo_log.size = size;
	redo_log.version++;
}

static void check_bytes(const uint8_t *bytes, size_t size, uint64_t from, uint64_t count, char byte)
{
	for (size_t i = 0; i < size; i++)
		ck_assert_int_eq(bytes[i], i >= from && i - from < count ? byte : 'o');
}

START_TEST(a_write_is_read)
{
	uint8_t got[SIZE];

	redo_write(&redo, 5, 20, made_of('n'));
	ck_assert_uint_eq(redo_version(&redo), 2);
	ck_assert(!redo_pending(&redo));
	check_bytes(place, SIZE, 5, 20, 'n');
	ck_assert_int_eq(redo_read(&redo, 0, SIZE, got), 0);
	check_bytes(got, SIZE, 5, 20, 'n');
	ck_assert_int_eq(redo_finish(&redo), 0);
}
END_TEST

START_TEST(a_committed_update_of_a_dead_writer_is_read)
{
	uint8_t got[SIZE];

	die_committed(8, 24, 'n');
	ck_assert(redo_pending(&redo));
	for (uint64_t from = 0; from < SIZE; from++)
		for (uint64_t size = 0; from + size <= SIZE; size++) {
			ck_assert_int_eq(redo_read(&redo, from, size, got), 0);
			for (uint64_t i = 0; i < size; i++) {
				bool new = from + i >= 8 && from + i < 32;

				ck_assert_int_eq(got[i], new ? 'n' : 'o');
			}
		}
	check_bytes(place, SIZE, 0, 0, 0);
}
END_TEST

START_TEST(a_committed_update_of_a_dead_writer_is_finished)
{
	die_committed(3, 50, 'n');
	ck_assert_int_eq(redo_finish(&redo), 1);
	ck_assert_uint_eq(redo_version(&redo), 2);
	check_bytes(place, SIZE, 3, 50, 'n');
	ck_assert_int_eq(redo_finish(&redo), 0);
}
END_TEST

START_TEST(an_update_that_does_not_count_changes_nothing)
{
	uint8_t got[SIZE];

	memset(shadow, 'n', SIZE);
	redo_log.size = SIZE;
	ck_assert_int_eq(redo_read(&redo, 0, SIZE, got), 0);
	check_bytes(got, SIZE, 0, 0, 0);
	ck_assert_int_eq(redo_finish(&redo), 0);
	check_bytes(place, SIZE, 0, 0, 0);
}
END_TEST

START_TEST(a_range_that_is_not_there_is_damage)
{
	static const uint64_t ranges[][2] = {
		{ 0, SIZE + 1 }, { SIZE + 1, 0 }, { 1, SIZE }, { SIZE, 1 }, { UINT64_MAX, 2 },
		{ 2, UINT64_MAX }, { UINT64_MAX, UINT64_MAX }, { UINT64_MAX - 7, 8 },
	};
	uint8_t got[SIZE];

	redo_log.version = 1;
	for (size_t i = 0; i < ARRAY_LENGTH(ranges); i++) {
		redo_log.from = ranges[i][0];
		redo_log.size = ranges[i][1];
		ck_assert_int_eq(redo_read(&redo, 0, SIZE, got), -EBADMSG);
		ck_assert_int_eq(redo_finish(&redo), -EBADMSG);
		ck_assert_uint_eq(redo_log.version, 1);
	}
	check_bytes(place, SIZE, 0, 0, 0);
}
END_TEST

START_TEST(a_reader_of_an_older_version_is_told)
{
	uint8_t got[SIZE];

	die_committed(0, 8, 'n');
	ck_assert_int_eq(redo_finish(&redo), 1);
	/* As if it had read the version before. */
	ck_assert_int_eq(redo_read_pending(&redo, 1, 0, SIZE, got), -EAGAIN);
}
END_TEST

START_TEST(versions_wrap_around)
{
	uint8_t got[SIZE];

	redo_log.version = UINT64_MAX - 1;
	redo_write(&redo, 0, 8, made_of('n'));
	ck_assert_uint_eq(redo_version(&redo), 0);
	ck_assert_int_eq(redo_read(&redo, 0, SIZE, got), 0);
	check_bytes(got, SIZE, 0, 8, 'n');
}
END_TEST

/*
 * Killed at each instruction
 */

struct world {
	struct weir_redo log;
	_Alignas(8) uint8_t place[SIZE];
	_Alignas(8) uint8_t shadow[SIZE];
};

static struct redo redo_of(struct world *w)
{
	return (struct redo){ &w->log, w->place, w->shadow, SIZE };
}

static int write_once(void *arg)
{
	struct redo r = redo_of(arg);

	stepper_mark_begin();
	redo_write(&r, 3, 27, made_of('n'));
	stepper_mark_end();
	return 0;
}

static int finish_once(void *arg)
{
	struct redo r = redo_of(arg);

	stepper_mark_begin();
	redo_finish(&r);
	stepper_mark_end();
	return 0;
}

static void fresh(struct world *w)
{
	memset(w, 0, sizeof(*w));
	memset(w->place, 'o', SIZE);
	memset(w->shadow, 's', SIZE);
}

/* Whether the new value is there, and all of it. */
static bool judge(struct world *w)
{
	struct redo r = redo_of(w);
	uint8_t before[SIZE], after[SIZE];
	bool new;

	ck_assert_int_eq(redo_read(&r, 0, SIZE, before), 0);
	new = before[3] == 'n';
	check_bytes(before, SIZE, 3, new ? 27 : 0, 'n');
	ck_assert_int_ge(redo_finish(&r), 0);
	ck_assert_int_eq(redo_read(&r, 0, SIZE, after), 0);
	ck_assert_mem_eq(before, after, SIZE);
	ck_assert_mem_eq(w->place, after, SIZE);
	return new;
}

START_TEST(killed_anywhere_it_is_old_or_new)
{
	struct world *w = shared_alloc(sizeof(*w));
	bool new = false, was_new = false, end = false;
	uint64_t points = 0;

	for (; !end; points += APART) {
		struct stepper stepper;

		fresh(w);
		stepper = stepper_start(write_once, w);
		ck_assert(stepper_run_to_begin(&stepper));
		end = stepper_steps(&stepper, points) != STEP_DONE;
		stepper_kill(&stepper);
		new = judge(w);
		/* It counts from one instruction on. */
		ck_assert(new || !was_new);
		was_new = new;
	}
	ck_assert(new);
	printf("# %llu instructions\n", (unsigned long long)points);
}
END_TEST

START_TEST(killed_while_it_finishes_the_next_one_does)
{
	struct world *w = shared_alloc(sizeof(*w));
	bool end = false;

	for (uint64_t points = 0; !end; points += APART) {
		struct stepper stepper;

		fresh(w);
		memset(w->shadow + 3, 'n', 27);
		w->log = (struct weir_redo){ .version = 1, .from = 3, .size = 27 };
		stepper = stepper_start(finish_once, w);
		ck_assert(stepper_run_to_begin(&stepper));
		end = stepper_steps(&stepper, points) != STEP_DONE;
		stepper_kill(&stepper);
		ck_assert(judge(w));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("redo");
	TCase *tcase = tcase_create("redo");
	/* It would be the sanitizer that is stepped through, for minutes. */
	const char *unavailable = WEIR_TSAN ? "ThreadSanitizer" : stepper_unavailable();

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, a_write_is_read);
	tcase_add_test(tcase, a_committed_update_of_a_dead_writer_is_read);
	tcase_add_test(tcase, a_committed_update_of_a_dead_writer_is_finished);
	tcase_add_test(tcase, an_update_that_does_not_count_changes_nothing);
	tcase_add_test(tcase, a_range_that_is_not_there_is_damage);
	tcase_add_test(tcase, a_reader_of_an_older_version_is_told);
	tcase_add_test(tcase, versions_wrap_around);
	test_add_unless(tcase, unavailable, killed_anywhere_it_is_old_or_new);
	test_add_unless(tcase, unavailable, killed_while_it_finishes_the_next_one_does);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
