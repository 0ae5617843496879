/* SPDX-License-Identifier: MIT */
/* Updates in steps, atomic operations, what a dead writer leaves, and changes. */
#include "array-tools.h"

#include <errno.h>
#include <string.h>

#include "weir.h"

/*
 * Updates
 */

START_TEST(an_update_is_made_field_by_field)
{
	int32_t expected[COUNT] = { 0, 1, 20, 30, 4, 5, 6, 7, 8, 9 }, number = 0;
	void *elements;
	int32_t *two;

	ck_assert_int_eq(weir_array_begin(array, WEIR_TYPE_INT32, 2, 2, 0, 0, &elements), 0);
	two = elements;
	ck_assert_int_eq(two[0], 2);
	ck_assert_int_eq(two[1], 3);
	two[0] = 20;
	two[1] = 30;
	ck_assert(weir_lock_is_mine(weir_array_lock(array)));
	ck_assert_int_eq(weir_array_begin(array, 0, 0, 1, 0, 0, &elements), -EBUSY);
	/* Not yet. */
	ck_assert_int_eq(WEIR_ARRAY_GET(array, 2, &number, 0, 0), 0);
	ck_assert_int_eq(number, 2);
	ck_assert_int_eq(weir_array_commit(array), 0);
	ck_assert(!weir_lock_is_locked(weir_array_lock(array)));
	check_numbers(array, expected);
	ck_assert_int_eq(weir_array_commit(array), -EINVAL);
}
END_TEST

START_TEST(a_cancelled_update_changes_nothing)
{
	int32_t expected[COUNT] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	void *elements;

	ck_assert_int_eq(weir_array_begin(array, WEIR_TYPE_INT32, -3, 3, 0, 0, &elements), 0);
	memset(elements, 77, 3 * sizeof(int32_t));
	ck_assert_int_eq(weir_array_cancel(array), 0);
	ck_assert(!weir_lock_is_locked(weir_array_lock(array)));
	check_numbers(array, expected);
	ck_assert_int_eq(weir_array_cancel(array), -EINVAL);
}
END_TEST

START_TEST(the_copy_is_aligned)
{
	static const uint64_t types[] = {
		WEIR_TYPE_INT8, WEIR_TYPE_LONG_DOUBLE, WEIR_STRUCT_OF(64, 64),
		WEIR_STRUCT_OF(4096, 4096),
	};

	for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
		struct weir_array *a = made(types[i], 3, 0, NULL, NULL);
		void *elements;

		ck_assert_int_eq(weir_array_begin(a, types[i], 1, 2, 0, 0, &elements), 0);
		ck_assert_uint_eq((uintptr_t)elements % WEIR_TYPE_ALIGNMENT(types[i]), 0);
		memset(elements, 1, 2 * WEIR_TYPE_SIZE(types[i]));
		ck_assert_int_eq(weir_array_commit(a), 0);
		weir_array_close(a);
	}
}
END_TEST

static int negate(void *elements, uint64_t count, void *arg)
{
	int32_t *numbers = elements;

	for (uint64_t i = 0; i < count; i++)
		numbers[i] = -numbers[i];
	return *(int *)arg;
}

START_TEST(an_edit_is_one_update)
{
	int32_t expected[COUNT] = { 0, -1, -2, -3, -4, -5, -6, -7, -8, -9 };
	struct weir_array_stat stat = { .size = sizeof(stat) };
	int answer = 0;

	ck_assert_int_eq(weir_array_edit(array, 0, 0, COUNT, negate, &answer, 0, 0), 0);
	check_numbers(array, expected);
	weir_array_stat(array, &stat);
	ck_assert_uint_eq(stat.updates, 1);
	answer = -E2BIG;
	ck_assert_int_eq(weir_array_edit(array, 0, 0, COUNT, negate, &answer, 0, 0), -E2BIG);
	check_numbers(array, expected);
	ck_assert(!weir_lock_is_locked(weir_array_lock(array)));
}
END_TEST

/*
 * Atomic operations
 */

#define CHECK_OPERATIONS(ctype) \
	do { \
		struct weir_array *a_ = made(WEIR_TYPE((ctype)0), 3, 0, NULL, NULL); \
		ctype v_ = 12, was_ = 0, full_ = (ctype)~(ctype)0; \
		ck_assert_int_eq(WEIR_ARRAY_STORE(a_, 1, &v_), 0); \
		v_ = 3; \
		ck_assert_int_eq(WEIR_ARRAY_ADD(a_, 1, &v_, &was_), 0); \
		ck_assert(was_ == 12); \
		v_ = 6; \
		ck_assert_int_eq(WEIR_ARRAY_AND(a_, 1, &v_, &was_), 0); \
		ck_assert(was_ == 15); \
		v_ = 9; \
		ck_assert_int_eq(WEIR_ARRAY_OR(a_, 1, &v_, &was_), 0); \
		ck_assert(was_ == 6); \
		v_ = 5; \
		ck_assert_int_eq(WEIR_ARRAY_XOR(a_, 1, &v_, &was_), 0); \
		ck_assert(was_ == 15); \
		v_ = 100; \
		ck_assert_int_eq(WEIR_ARRAY_EXCHANGE(a_, 1, &v_, &was_), 0); \
		ck_assert(was_ == 10); \
		was_ = 99; \
		ck_assert_int_eq(WEIR_ARRAY_COMPARE_EXCHANGE(a_, 1, &was_, &v_), -ECANCELED); \
		ck_assert(was_ == 100); \
		v_ = 101; \
		ck_assert_int_eq(WEIR_ARRAY_COMPARE_EXCHANGE(a_, 1, &was_, &v_), 0); \
		ck_assert_int_eq(WEIR_ARRAY_LOAD(a_, 1, &was_), 0); \
		ck_assert(was_ == 101); \
		/* It wraps around, and not into its neighbours. */ \
		ck_assert_int_eq(WEIR_ARRAY_STORE(a_, 1, &full_), 0); \
		v_ = 1; \
		ck_assert_int_eq(weir_array_add(a_, 0, 1, &v_, NULL), 0); \
		ck_assert_int_eq(WEIR_ARRAY_LOAD(a_, 1, &was_), 0); \
		ck_assert(was_ == 0); \
		ck_assert_int_eq(WEIR_ARRAY_LOAD(a_, 0, &was_), 0); \
		ck_assert(was_ == 0); \
		ck_assert_int_eq(WEIR_ARRAY_LOAD(a_, 2, &was_), 0); \
		ck_assert(was_ == 0); \
		weir_array_close(a_); \
	} while (0)

START_TEST(integers_are_operated_on)
{
	CHECK_OPERATIONS(char);
	CHECK_OPERATIONS(signed char);
	CHECK_OPERATIONS(unsigned char);
	CHECK_OPERATIONS(short);
	CHECK_OPERATIONS(unsigned short);
	CHECK_OPERATIONS(int);
	CHECK_OPERATIONS(unsigned int);
	CHECK_OPERATIONS(long);
	CHECK_OPERATIONS(unsigned long);
	CHECK_OPERATIONS(long long);
	CHECK_OPERATIONS(unsigned long long);
}
END_TEST

#define CHECK_FLOATS(ctype) \
	do { \
		struct weir_array *a_ = made(WEIR_TYPE((ctype)0), 2, 0, NULL, NULL); \
		ctype v_ = (ctype)1.5, was_ = 7; \
		ck_assert_int_eq(WEIR_ARRAY_ADD(a_, 1, &v_, &was_), 0); \
		ck_assert(was_ == 0); \
		v_ = (ctype)-0.25; \
		ck_assert_int_eq(WEIR_ARRAY_ADD(a_, 1, &v_, &was_), 0); \
		ck_assert(was_ == (ctype)1.5); \
		ck_assert_int_eq(weir_array_add(a_, 0, 1, &v_, NULL), 0); \
		ck_assert_int_eq(WEIR_ARRAY_LOAD(a_, 1, &was_), 0); \
		ck_assert(was_ == 1); \
		ck_assert_int_eq(WEIR_ARRAY_STORE(a_, 1, &v_), 0); \
		ck_assert_int_eq(WEIR_ARRAY_EXCHANGE(a_, 1, &was_, &was_), 0); \
		ck_assert(was_ == (ctype)-0.25); \
		ck_assert_int_eq(WEIR_ARRAY_AND(a_, 1, &v_, &was_), -EOPNOTSUPP); \
		ck_assert_int_eq(WEIR_ARRAY_OR(a_, 1, &v_, &was_), -EOPNOTSUPP); \
		ck_assert_int_eq(WEIR_ARRAY_XOR(a_, 1, &v_, &was_), -EOPNOTSUPP); \
		weir_array_close(a_); \
	} while (0)

START_TEST(floats_are_operated_on)
{
	CHECK_FLOATS(float);
	CHECK_FLOATS(double);
}
END_TEST

START_TEST(bools_are_operated_on)
{
	struct weir_array *a = made(WEIR_TYPE_BOOL, 2, 0, NULL, NULL);
	bool yes = true, was = true;

	ck_assert_int_eq(WEIR_ARRAY_OR(a, 0, &yes, &was), 0);
	ck_assert(!was);
	ck_assert_int_eq(WEIR_ARRAY_XOR(a, 0, &yes, &was), 0);
	ck_assert(was);
	ck_assert_int_eq(WEIR_ARRAY_AND(a, 0, &yes, &was), 0);
	ck_assert(!was);
	ck_assert_int_eq(WEIR_ARRAY_ADD(a, 0, &yes, &was), -EOPNOTSUPP);
	weir_array_close(a);
}
END_TEST

START_TEST(structures_of_a_word_are_exchanged_others_not)
{
	struct weir_array *a = made(WEIR_STRUCT_OF(8, 8), 2, 0, NULL, NULL);
	char bytes[16] = "1234567", was[16];

	ck_assert_int_eq(weir_array_exchange(a, 0, 1, bytes, was), 0);
	ck_assert_int_eq(weir_array_load(a, 0, 1, was), 0);
	ck_assert_str_eq(was, "1234567");
	ck_assert_int_eq(weir_array_add(a, 0, 1, bytes, was), -EOPNOTSUPP);
	ck_assert_int_eq(weir_array_or(a, 0, 1, bytes, was), -EOPNOTSUPP);
	weir_array_close(a);
	a = made(WEIR_STRUCT_OF(8, 4), 2, 0, NULL, NULL);
	ck_assert_int_eq(weir_array_load(a, 0, 1, was), -EOPNOTSUPP);
	ck_assert_int_eq(weir_array_store(a, 0, 1, bytes), -EOPNOTSUPP);
	weir_array_close(a);
	a = made(WEIR_TYPE_LONG_DOUBLE, 2, 0, NULL, NULL);
	ck_assert_int_eq(weir_array_load(a, 0, 1, was), -EOPNOTSUPP);
	ck_assert_int_eq(weir_array_add(a, 0, 1, bytes, was), -EOPNOTSUPP);
	ck_assert_int_eq(weir_array_compare_exchange(a, 0, 1, was, bytes), -EOPNOTSUPP);
	weir_array_close(a);
}
END_TEST

/*
 * What a dead one leaves: played by writing it into the memory
 */

static void leave_committed(struct weir_array *a, uint64_t index, int32_t number)
{
	struct redo *r = &a->redo;

	memcpy(r->shadow + index * sizeof(number), &number, sizeof(number));
	r->log->from = index * sizeof(number);
	r->log->size = sizeof(number);
	r->log->version++;
}

START_TEST(a_committed_update_is_seen_and_finished)
{
	int32_t expected[COUNT] = { 0, 1, 2, 33, 4, 5, 6, 7, 8, 9 }, got[COUNT];

	leave_committed(array, 3, 33);
	ck_assert_int_eq(WEIR_ARRAY_LOAD(array, 3, &got[3]), 0);
	ck_assert_int_eq(got[3], 33);
	ck_assert_int_eq(WEIR_ARRAY_LOAD(array, 4, &got[4]), 0);
	ck_assert_int_eq(got[4], 4);
	ck_assert_int_eq(WEIR_ARRAY_READ(array, 0, COUNT, got, 0, 0), 0);
	ck_assert_mem_eq(got, expected, sizeof(got));
	ck_assert_int_eq(((int32_t *)weir_array_data(array))[3], 3);
	ck_assert_int_eq(weir_array_acquire(array, 0, 0), WEIR_OWNER_DIED);
	check_numbers(array, expected);
	ck_assert_int_eq(weir_array_release(array), 0);
	ck_assert_int_eq(weir_array_acquire(array, 0, 0), 0);
	ck_assert_int_eq(weir_array_release(array), 0);
}
END_TEST

START_TEST(an_atomic_operation_finishes_it_first)
{
	int32_t one = 1, was = 0;
	int32_t expected[COUNT] = { 0, 1, 2, 34, 4, 5, 6, 7, 8, 9 };

	leave_committed(array, 3, 33);
	ck_assert_int_eq(WEIR_ARRAY_ADD(array, 3, &one, &was), 0);
	ck_assert_int_eq(was, 33);
	check_numbers(array, expected);
	/* It could not be told, so the next one is, once. */
	ck_assert_int_eq(WEIR_ARRAY_SET(array, 0, &expected[0], 0, 0), WEIR_OWNER_DIED);
	ck_assert_int_eq(WEIR_ARRAY_SET(array, 0, &expected[0], 0, 0), 0);
}
END_TEST

START_TEST(damage_is_told)
{
	int32_t number = 0, numbers[COUNT] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	void *elements;

	leave_committed(array, 3, 33);
	array->redo.log->size = array->redo.size + 1;
	ck_assert_int_eq(WEIR_ARRAY_GET(array, 0, &number, 0, 0), -EBADMSG);
	ck_assert_int_eq(WEIR_ARRAY_SET(array, 0, &number, 0, 0), -EBADMSG);
	ck_assert_int_eq(WEIR_ARRAY_LOAD(array, 0, &number), -EBADMSG);
	ck_assert_int_eq(weir_array_begin(array, 0, 0, 1, 0, 0, &elements), -EBADMSG);
	ck_assert_int_eq(weir_array_acquire(array, 0, 0), -EBADMSG);
	ck_assert(!weir_lock_is_locked(weir_array_lock(array)));
	ck_assert_mem_eq(weir_array_data(array), numbers, sizeof(numbers));
}
END_TEST

/*
 * Changes
 */

START_TEST(changes_are_counted)
{
	uint64_t seen, now = 0;
	int32_t number = 1;
	void *elements;

	ck_assert_int_eq(weir_array_changes(array, &seen), 0);
	ck_assert_int_eq(weir_array_wait(array, seen, 0, 0, &now), -EAGAIN);
	ck_assert_int_eq(weir_array_wait(array, seen, 0, weir_after(1000000), &now), -ETIMEDOUT);
	WEIR_ARRAY_SET(array, 0, &number, 0, 0);
	ck_assert_int_eq(weir_array_wait(array, seen, 0, 0, &now), 0);
	ck_assert_uint_eq(now, seen + 1);
	WEIR_ARRAY_ADD(array, 0, &number, &number);
	WEIR_ARRAY_STORE(array, 0, &number);
	WEIR_ARRAY_COMPARE_EXCHANGE(array, 0, &number, &number);
	ck_assert_int_eq(weir_array_wait(array, now, 0, 0, &now), 0);
	ck_assert_uint_eq(now, seen + 4);
	/* Not these. */
	number++;
	ck_assert_int_eq(WEIR_ARRAY_COMPARE_EXCHANGE(array, 0, &number, &number), -ECANCELED);
	weir_array_begin(array, 0, 0, 1, 0, 0, &elements);
	weir_array_cancel(array);
	WEIR_ARRAY_LOAD(array, 0, &number);
	ck_assert_int_eq(weir_array_wait(array, now, 0, 0, NULL), -EAGAIN);
	weir_array_begin(array, 0, 0, 1, 0, 0, &elements);
	weir_array_commit(array);
	ck_assert_int_eq(weir_array_wait(array, now, 0, 0, NULL), 0);
}
END_TEST

START_TEST(changes_of_a_raw_one_are_counted)
{
	struct weir_array *a = made(WEIR_TYPE_INT32, COUNT, WEIR_ARRAY_RAW, NULL, NULL);
	uint64_t seen, now;
	int32_t number = 1;

	ck_assert_int_eq(weir_array_changes(a, &seen), 0);
	WEIR_ARRAY_SET(a, 0, &number, 0, 0);
	WEIR_ARRAY_ADD(a, 0, &number, &number);
	ck_assert_int_eq(weir_array_changes(a, &now), 0);
	ck_assert_uint_eq(now, seen + 2);
	weir_array_close(a);
}
END_TEST

/*
 * In wait sets
 */

START_TEST(a_wait_set_is_told_of_changes)
{
	struct weir_value_options o = { .size = sizeof(o), .type = WEIR_TYPE_INT32 };
	uint64_t in_array, in_value, seen;
	struct weir_waitset *set;
	struct weir_value *value;
	struct weir_event event;
	int32_t one = 1;

	ck_assert_int_eq(weir_waitset(&set, NULL), 0);
	ck_assert_int_eq(weir_value(&value, &o), 0);
	ck_assert_int_eq(weir_waitset_add_array(set, NULL, NULL, NULL), -EINVAL);
	ck_assert_int_eq(weir_waitset_add_array(NULL, array, NULL, NULL), -EINVAL);
	ck_assert_int_eq(weir_waitset_add_value(set, NULL, NULL, NULL), -EINVAL);
	ck_assert_int_eq(weir_waitset_add_array(set, array, NULL, &in_array), 0);
	ck_assert_int_eq(weir_waitset_add_array(set, array, NULL, NULL), -EEXIST);
	ck_assert_int_eq(weir_waitset_add_value(set, value, NULL, &in_value), 0);
	ck_assert_int_eq(weir_waitset_wait(set, &event, 1, 0, 0), -EAGAIN);
	ck_assert_int_eq(WEIR_ARRAY_SET(array, 0, &one, 0, 0), 0);
	/* For as long as nobody has asked. */
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(weir_waitset_wait(set, &event, 1, 0, soon()), 1);
		ck_assert_uint_eq(event.source, in_array);
		ck_assert_uint_eq(event.events, WEIR_IN);
	}
	ck_assert_int_eq(weir_array_changes(array, &seen), 0);
	ck_assert_int_eq(weir_waitset_wait(set, &event, 1, 0, 0), -EAGAIN);
	ck_assert_int_eq(WEIR_VALUE_ADD(value, &one, &one), 0);
	ck_assert_int_eq(weir_waitset_wait(set, &event, 1, 0, soon()), 1);
	ck_assert_uint_eq(event.source, in_value);
	/* It leaves the set when it is closed. */
	weir_value_close(value);
	ck_assert_int_eq(weir_waitset_wait(set, &event, 1, 0, 0), -EAGAIN);
	weir_waitset_close(set);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("array-update");
	TCase *tcase = tcase_create("array-update");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, an_update_is_made_field_by_field);
	tcase_add_test(tcase, a_cancelled_update_changes_nothing);
	tcase_add_test(tcase, the_copy_is_aligned);
	tcase_add_test(tcase, an_edit_is_one_update);
	tcase_add_test(tcase, integers_are_operated_on);
	tcase_add_test(tcase, floats_are_operated_on);
	tcase_add_test(tcase, bools_are_operated_on);
	tcase_add_test(tcase, structures_of_a_word_are_exchanged_others_not);
	tcase_add_test(tcase, a_committed_update_is_seen_and_finished);
	tcase_add_test(tcase, an_atomic_operation_finishes_it_first);
	tcase_add_test(tcase, damage_is_told);
	tcase_add_test(tcase, changes_are_counted);
	tcase_add_test(tcase, changes_of_a_raw_one_are_counted);
	tcase_add_test(tcase, a_wait_set_is_told_of_changes);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
