/* SPDX-License-Identifier: MIT */
#include "array-tools.h"

#include <errno.h>
#include <string.h>

/*
 * Making
 */

START_TEST(a_fresh_one_is_zero)
{
	struct weir_array *a = made(WEIR_TYPE_INT32, COUNT, 0, NULL, NULL);
	int32_t zero[COUNT] = { 0 };

	check_numbers(a, zero);
	weir_array_close(a);
}
END_TEST

START_TEST(one_is_initialised)
{
	int32_t numbers[COUNT] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 };

	check_numbers(array, numbers);
}
END_TEST

START_TEST(wrong_options_are_refused)
{
	struct weir_array_options good = {
		.size = sizeof(good), .type = WEIR_TYPE_INT32, .count = 1,
	}, o;
	static const uint64_t types[] = {
		0, WEIR_TYPE_MAKE(7, 4, 2), WEIR_TYPE_MAKE(WEIR_CODE_INT, 4, 1),
		WEIR_TYPE_MAKE(WEIR_CODE_INT, 3, 0), WEIR_TYPE_MAKE(WEIR_CODE_INT, 16, 4),
		WEIR_TYPE_MAKE(WEIR_CODE_BOOL, 2, 1), WEIR_TYPE_MAKE(WEIR_CODE_FLOAT, 2, 1),
		WEIR_TYPE_MAKE(WEIR_CODE_STRUCT, 0, 0), WEIR_TYPE_MAKE(WEIR_CODE_STRUCT, 12, 3),
		WEIR_TYPE_MAKE(WEIR_CODE_STRUCT, 8192, 13), WEIR_TYPE_MAKE(WEIR_CODE_STRUCT, 8, 64),
	};
	struct weir_lock *lock;
	struct weir_array *a = NULL;

	for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
		o = good;
		o.type = types[i];
		ck_assert_int_eq(weir_array(&a, &o), -EINVAL);
	}
	o = good;
	o.size--;
	ck_assert_int_eq(weir_array(&a, &o), -EINVAL);
	o = good;
	o.flags = 2;
	ck_assert_int_eq(weir_array(&a, &o), -EINVAL);
	o = good;
	o.reserved = 1;
	ck_assert_int_eq(weir_array(&a, &o), -EINVAL);
	o = good;
	o.count = 0;
	ck_assert_int_eq(weir_array(&a, &o), -EINVAL);
	ck_assert_int_eq(weir_array(&a, NULL), -EINVAL);
	ck_assert_int_eq(weir_array(NULL, &good), -EINVAL);
	ck_assert_int_eq(weir_lock(&lock, NULL), 0);
	o = good;
	o.lock = lock;
	o.flags = WEIR_ARRAY_RAW;
	ck_assert_int_eq(weir_array(&a, &o), -EINVAL);
	o.flags = 0;
	o.lock = (struct weir_lock *)array;
	ck_assert_int_eq(weir_array(&a, &o), -EINVAL);
	weir_lock_close(lock);
	ck_assert_ptr_null(a);
}
END_TEST

START_TEST(too_large_ones_are_refused)
{
	struct weir_array_options o = {
		.size = sizeof(o), .type = WEIR_TYPE_INT64, .count = (UINT64_C(1) << 42) + 1,
	};
	struct weir_array *a;

	ck_assert_int_eq(weir_array(&a, &o), -EFBIG);
	o.count = UINT64_MAX;
	ck_assert_int_eq(weir_array(&a, &o), -EFBIG);
	o.count = (UINT64_C(1) << 61) + 1;
	ck_assert_int_eq(weir_array(&a, &o), -EFBIG);
	/* More than any machine has. */
	o.count = UINT64_C(1) << 41;
	ck_assert_int_eq(weir_array(&a, &o), -ENOBUFS);
}
END_TEST

START_TEST(nothing_is_left_behind)
{
	struct resources before = resources_begin();
	struct weir_lock *lock;

	ck_assert_int_eq(weir_lock(&lock, NULL), 0);
	for (int i = 0; i < 3; i++) {
		struct weir_array *own = made(WEIR_TYPE_INT8, 100000, 0, NULL, NULL);
		struct weir_array *raw = made(WEIR_TYPE_INT8, 1, WEIR_ARRAY_RAW, NULL, NULL);
		struct weir_array *with = made(WEIR_TYPE_INT8, 5000, 0, lock, NULL);
		void *elements;

		ck_assert_int_eq(weir_array_begin(own, 0, 0, 3, 0, 0, &elements), 0);
		weir_array_close(own);
		weir_array_close(raw);
		weir_array_close(with);
	}
	weir_lock_close(lock);
	weir_array_close(NULL);
	resources_check(&before);
}
END_TEST

START_TEST(it_says_what_it_is)
{
	struct weir_array_stat stat = { .size = sizeof(stat) };
	int32_t number = 3;

	ck_assert_int_eq(weir_array_stat(array, &stat), 0);
	ck_assert_uint_eq(stat.type, WEIR_TYPE_INT32);
	ck_assert_uint_eq(stat.count, COUNT);
	ck_assert_uint_eq(stat.flags, 0);
	ck_assert_uint_eq(stat.updates, 0);
	ck_assert_int_eq(WEIR_ARRAY_SET(array, 0, &number, 0, 0), 0);
	ck_assert_int_eq(weir_array_stat(array, &stat), 0);
	ck_assert_uint_eq(stat.updates, 1);
	stat.size++;
	ck_assert_int_eq(weir_array_stat(array, &stat), -EINVAL);
	ck_assert_int_eq(weir_array_stat(NULL, &stat), -EINVAL);
	ck_assert_int_eq(weir_array_stat(array, NULL), -EINVAL);
	ck_assert_int_eq(weir_array_check(array, WEIR_TYPE_INT32, COUNT), 0);
	ck_assert_int_eq(weir_array_check(array, 0, 0), 0);
	ck_assert_int_eq(weir_array_check(array, WEIR_TYPE_UINT32, COUNT), -EPROTO);
	ck_assert_int_eq(weir_array_check(array, WEIR_TYPE_INT32, COUNT + 1), -EPROTO);
	ck_assert_int_eq(weir_array_check(NULL, 0, 0), -EINVAL);
}
END_TEST

/*
 * Types
 */

#define CHECK_TYPE(ctype, a_value, expected_size) \
	do { \
		ctype before_ = (a_value), after_ = 0; \
		struct weir_array *a_ = made(WEIR_TYPE(before_), 3, 0, NULL, NULL); \
		ck_assert_uint_eq(WEIR_TYPE_SIZE(WEIR_TYPE(before_)), sizeof(ctype)); \
		ck_assert_uint_eq(WEIR_TYPE_ALIGNMENT(WEIR_TYPE(before_)), _Alignof(ctype)); \
		ck_assert_uint_eq(sizeof(ctype), expected_size); \
		ck_assert_int_eq(WEIR_ARRAY_SET(a_, 1, &before_, 0, 0), 0); \
		ck_assert_int_eq(WEIR_ARRAY_GET(a_, -2, &after_, 0, 0), 0); \
		ck_assert(after_ == before_); \
		ck_assert(((ctype *)weir_array_data(a_))[0] == 0); \
		ck_assert(((ctype *)weir_array_data(a_))[1] == before_); \
		ck_assert(((ctype *)weir_array_data(a_))[2] == 0); \
		weir_array_close(a_); \
	} while (0)

START_TEST(every_scalar_type_of_c)
{
	CHECK_TYPE(bool, true, 1);
	CHECK_TYPE(char, 'x', 1);
	CHECK_TYPE(signed char, -7, 1);
	CHECK_TYPE(unsigned char, 200, 1);
	CHECK_TYPE(short, -30000, 2);
	CHECK_TYPE(unsigned short, 60000, 2);
	CHECK_TYPE(int, -2000000000, 4);
	CHECK_TYPE(unsigned int, 4000000000U, 4);
	CHECK_TYPE(long, INT64_MIN, 8);
	CHECK_TYPE(unsigned long, UINT64_MAX, 8);
	CHECK_TYPE(long long, INT64_MIN + 1, 8);
	CHECK_TYPE(unsigned long long, UINT64_MAX - 1, 8);
	CHECK_TYPE(float, 1.5F, 4);
	CHECK_TYPE(double, 3.1415927, 8);
	CHECK_TYPE(long double, 3.25L, 16);
}
END_TEST

struct point {
	double x, y;
	char name[3];
};

START_TEST(structures_by_size_and_alignment)
{
	struct weir_array *a = made(WEIR_STRUCT(struct point), 4, 0, NULL, NULL);
	struct point p = { 1.5, -2.5, "ab" }, q;

	ck_assert_int_eq(weir_array_set(a, WEIR_STRUCT(struct point), 3, &p, 0, 0), 0);
	ck_assert_int_eq(weir_array_get(a, WEIR_STRUCT(struct point), -1, &q, 0, 0), 0);
	ck_assert_mem_eq(&p, &q, sizeof(p));
	ck_assert_int_eq(weir_array_get(a, WEIR_STRUCT_OF(16, 8), -1, &q, 0, 0), -EPROTO);
	/* Of any alignment that a page has. */
	weir_array_close(a);
	a = made(WEIR_STRUCT_OF(8192, 4096), 2, 0, NULL, NULL);
	ck_assert_uint_eq((uintptr_t)weir_array_data(a) % 4096, 0);
	weir_array_close(a);
	a = made(WEIR_STRUCT_OF(3, 1), 5, 0, NULL, NULL);
	ck_assert_int_eq(weir_array_set(a, 0, 1, "abc", 0, 0), 0);
	ck_assert_mem_eq(weir_array_data(a), "\0\0\0abc\0\0\0", 9);
	weir_array_close(a);
}
END_TEST

START_TEST(another_type_is_refused)
{
	uint32_t word = 1;
	float number = 1;
	void *elements;
	int edited = 0;

	(void)edited;
	ck_assert_int_eq(WEIR_ARRAY_GET(array, 0, &word, 0, 0), -EPROTO);
	ck_assert_int_eq(WEIR_ARRAY_SET(array, 0, &number, 0, 0), -EPROTO);
	ck_assert_int_eq(WEIR_ARRAY_READ(array, 0, 1, &word, 0, 0), -EPROTO);
	ck_assert_int_eq(WEIR_ARRAY_WRITE(array, 0, 1, &word, 0, 0), -EPROTO);
	ck_assert_int_eq(weir_array_begin(array, WEIR_TYPE_INT64, 0, 1, 0, 0, &elements), -EPROTO);
	ck_assert_int_eq(WEIR_ARRAY_LOAD(array, 0, &word), -EPROTO);
	ck_assert_int_eq(WEIR_ARRAY_STORE(array, 0, &word), -EPROTO);
	ck_assert_int_eq(WEIR_ARRAY_ADD(array, 0, &word, &word), -EPROTO);
	ck_assert_int_eq(WEIR_ARRAY_AND(array, 0, &word, &word), -EPROTO);
	ck_assert_int_eq(WEIR_ARRAY_OR(array, 0, &word, &word), -EPROTO);
	ck_assert_int_eq(WEIR_ARRAY_XOR(array, 0, &word, &word), -EPROTO);
	ck_assert_int_eq(WEIR_ARRAY_EXCHANGE(array, 0, &word, &word), -EPROTO);
	ck_assert_int_eq(WEIR_ARRAY_COMPARE_EXCHANGE(array, 0, &word, &word), -EPROTO);
	/* Whoever does not say what he thinks it is is not asked. */
	ck_assert_int_eq(weir_array_load(array, 0, 3, &word), 0);
	ck_assert_uint_eq(word, 3);
}
END_TEST

/*
 * Elements
 */

START_TEST(indices_may_be_negative)
{
	int32_t number = 0;

	for (int64_t i = -COUNT; i < COUNT; i++) {
		ck_assert_int_eq(WEIR_ARRAY_GET(array, i, &number, 0, 0), 0);
		ck_assert_int_eq(number, (i + COUNT) % COUNT);
		ck_assert_int_eq(WEIR_ARRAY_LOAD(array, i, &number), 0);
		ck_assert_int_eq(number, (i + COUNT) % COUNT);
	}
}
END_TEST

START_TEST(indices_out_of_range_are_refused)
{
	static const int64_t wrong[] = { COUNT, -COUNT - 1, INT64_MAX, INT64_MIN };
	int32_t number = 77, numbers[COUNT] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 };

	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
		int64_t at = wrong[i];

		ck_assert_int_eq(WEIR_ARRAY_GET(array, at, &number, 0, 0), -ERANGE);
		ck_assert_int_eq(WEIR_ARRAY_SET(array, at, &number, 0, 0), -ERANGE);
		ck_assert_int_eq(WEIR_ARRAY_LOAD(array, at, &number), -ERANGE);
		ck_assert_int_eq(WEIR_ARRAY_STORE(array, at, &number), -ERANGE);
		ck_assert_int_eq(WEIR_ARRAY_ADD(array, at, &number, &number), -ERANGE);
		ck_assert_int_eq(WEIR_ARRAY_COMPARE_EXCHANGE(array, at, &number, &number),
				 -ERANGE);
	}
	ck_assert_int_eq(number, 77);
	check_numbers(array, numbers);
}
END_TEST

START_TEST(slices_are_read_and_written)
{
	int32_t four[] = { 40, 50, 60, 70 }, got[4] = { 0 };
	int32_t expected[COUNT] = { 0, 1, 2, 3, 40, 50, 60, 70, 8, 9 };

	ck_assert_int_eq(WEIR_ARRAY_WRITE(array, 4, 4, four, 0, 0), 0);
	check_numbers(array, expected);
	ck_assert_int_eq(WEIR_ARRAY_READ(array, -5, 4, got, 0, 0), 0);
	ck_assert_mem_eq(got, expected + 5, sizeof(got));
	/* Nothing, at the end too. */
	ck_assert_int_eq(WEIR_ARRAY_READ(array, COUNT, 0, got, 0, 0), 0);
	ck_assert_int_eq(WEIR_ARRAY_WRITE(array, COUNT, 0, got, 0, 0), 0);
	check_numbers(array, expected);
}
END_TEST

START_TEST(slices_out_of_range_are_refused)
{
	int32_t numbers[COUNT] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 }, some[COUNT] = { 0 };
	void *elements;

	ck_assert_int_eq(WEIR_ARRAY_READ(array, 1, COUNT, some, 0, 0), -ERANGE);
	ck_assert_int_eq(WEIR_ARRAY_READ(array, COUNT + 1, 0, some, 0, 0), -ERANGE);
	ck_assert_int_eq(WEIR_ARRAY_READ(array, -1, 2, some, 0, 0), -ERANGE);
	ck_assert_int_eq(WEIR_ARRAY_WRITE(array, -1, 2, some, 0, 0), -ERANGE);
	ck_assert_int_eq(WEIR_ARRAY_WRITE(array, 0, UINT64_MAX, some, 0, 0), -ERANGE);
	ck_assert_int_eq(WEIR_ARRAY_WRITE(array, 1, UINT64_C(1) << 62, some, 0, 0), -ERANGE);
	ck_assert_int_eq(weir_array_begin(array, 0, 0, COUNT + 1, 0, 0, &elements), -ERANGE);
	check_numbers(array, numbers);
}
END_TEST

START_TEST(mistakes_are_told)
{
	int32_t number = 0;
	uint64_t changes;
	void *elements;

	ck_assert_int_eq(weir_array_read(NULL, 0, 0, 1, &number, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_array_read(array, 0, 0, 1, NULL, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_array_read(array, 0, 0, 1, &number, 1 << 5, 0), -EINVAL);
	ck_assert_int_eq(weir_array_write(NULL, 0, 0, 1, &number, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_array_write(array, 0, 0, 1, NULL, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_array_write(array, 0, 0, 1, &number, 1 << 5, 0), -EINVAL);
	ck_assert_int_eq(weir_array_begin(NULL, 0, 0, 1, 0, 0, &elements), -EINVAL);
	ck_assert_int_eq(weir_array_begin(array, 0, 0, 1, 0, 0, NULL), -EINVAL);
	ck_assert_int_eq(weir_array_edit(array, 0, 0, 1, NULL, NULL, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_array_commit(array), -EINVAL);
	ck_assert_int_eq(weir_array_commit(NULL), -EINVAL);
	ck_assert_int_eq(weir_array_cancel(array), -EINVAL);
	ck_assert_int_eq(weir_array_load(NULL, 0, 0, &number), -EINVAL);
	ck_assert_int_eq(weir_array_load(array, 0, 0, NULL), -EINVAL);
	ck_assert_int_eq(weir_array_store(array, 0, 0, NULL), -EINVAL);
	ck_assert_int_eq(weir_array_add(NULL, 0, 0, &number, NULL), -EINVAL);
	ck_assert_int_eq(weir_array_compare_exchange(array, 0, 0, NULL, &number), -EINVAL);
	ck_assert_int_eq(weir_array_acquire(NULL, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_array_acquire(array, 1 << 5, 0), -EINVAL);
	ck_assert_int_eq(weir_array_release(NULL), -EINVAL);
	ck_assert_int_eq(weir_array_release(array), -EINVAL);
	ck_assert_int_eq(weir_array_changes(array, NULL), -EINVAL);
	ck_assert_int_eq(weir_array_changes(NULL, &changes), -EINVAL);
	ck_assert_int_eq(weir_array_wait(NULL, 0, 0, 0, NULL), -EINVAL);
	ck_assert_int_eq(weir_array_wait(array, 0, 1 << 5, 0, NULL), -EINVAL);
	ck_assert_ptr_null(weir_array_data(NULL));
	ck_assert_ptr_null(weir_array_lock(NULL));
}
END_TEST

/*
 * Locks
 */

START_TEST(the_own_lock_is_recursive)
{
	int32_t number = 5;

	ck_assert_int_eq(weir_array_acquire(array, 0, 0), 0);
	ck_assert_int_eq(weir_array_acquire(array, 0, 0), 0);
	ck_assert_int_eq(WEIR_ARRAY_SET(array, 0, &number, 0, 0), 0);
	ck_assert_int_eq(weir_array_release(array), 0);
	ck_assert(weir_lock_is_mine(weir_array_lock(array)));
	ck_assert_int_eq(WEIR_ARRAY_SET(array, 0, &number, 0, 0), 0);
	ck_assert_int_eq(weir_array_release(array), 0);
	ck_assert(!weir_lock_is_locked(weir_array_lock(array)));
}
END_TEST

START_TEST(a_given_lock_protects_several)
{
	struct weir_lock_options options = { .size = sizeof(options) };

	for (uint32_t flags = 0; flags <= WEIR_LOCK_RECURSIVE; flags++) {
		struct weir_array *a, *b;
		struct weir_lock *lock;
		int32_t number = 1;

		options.flags = flags;
		ck_assert_int_eq(weir_lock(&lock, &options), 0);
		a = made(WEIR_TYPE_INT32, COUNT, 0, lock, NULL);
		b = made(WEIR_TYPE_INT32, COUNT, 0, lock, NULL);
		ck_assert_ptr_eq(weir_array_lock(a), lock);
		ck_assert_int_eq(weir_lock_acquire(lock, 0, 0), 0);
		ck_assert_int_eq(WEIR_ARRAY_SET(a, 0, &number, 0, 0), 0);
		ck_assert_int_eq(WEIR_ARRAY_SET(b, 1, &number, 0, 0), 0);
		ck_assert(weir_lock_is_mine(lock));
		ck_assert_int_eq(weir_array_release(a), 0);
		ck_assert(!weir_lock_is_locked(lock));
		ck_assert_int_eq(WEIR_ARRAY_SET(b, 1, &number, 0, 0), 0);
		ck_assert(!weir_lock_is_locked(lock));
		weir_array_close(a);
		weir_array_close(b);
		ck_assert_int_eq(weir_lock_acquire(lock, 0, 0), 0);
		weir_lock_close(lock);
	}
}
END_TEST

START_TEST(whose_lock_was_released_commits_nothing)
{
	int32_t zero[COUNT] = { 0 };
	struct weir_lock *lock;
	struct weir_array *a;
	void *elements;

	ck_assert_int_eq(weir_lock(&lock, NULL), 0);
	a = made(WEIR_TYPE_INT32, COUNT, 0, lock, NULL);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(weir_array_begin(a, 0, 0, 1, 0, 0, &elements), 0);
		memset(elements, 1, sizeof(int32_t));
		ck_assert_int_eq(weir_lock_release(lock), 0);
		if (i == 0)
			ck_assert_int_eq(weir_array_commit(a), -EPERM);
		else
			ck_assert_int_eq(weir_array_cancel(a), 0);
	}
	/* And if it is not noticed, the next one replaces it. */
	ck_assert_int_eq(weir_array_begin(a, 0, 0, 1, 0, 0, &elements), 0);
	ck_assert_int_eq(weir_lock_release(lock), 0);
	ck_assert_int_eq(weir_array_begin(a, 0, 0, 1, 0, 0, &elements), 0);
	ck_assert_int_eq(weir_array_commit(a), 0);
	check_numbers(a, zero);
	weir_array_close(a);
	weir_lock_close(lock);
}
END_TEST

START_TEST(a_raw_one_has_no_lock)
{
	struct weir_array *a = made(WEIR_TYPE_INT32, COUNT, WEIR_ARRAY_RAW, NULL, NULL);
	int32_t numbers[COUNT] = { 9, 8, 7, 6, 5, 4, 3, 2, 1, 0 }, one = 1;
	struct weir_array_stat stat = { .size = sizeof(stat) };
	void *elements;

	ck_assert_int_eq(weir_array_acquire(a, 0, 0), -EOPNOTSUPP);
	ck_assert_int_eq(weir_array_release(a), -EOPNOTSUPP);
	ck_assert_ptr_null(weir_array_lock(a));
	ck_assert_int_eq(weir_array_begin(a, 0, 0, 1, 0, 0, &elements), -EOPNOTSUPP);
	ck_assert_int_eq(weir_array_commit(a), -EINVAL);
	ck_assert_int_eq(WEIR_ARRAY_WRITE(a, 0, COUNT, numbers, 0, 0), 0);
	check_numbers(a, numbers);
	ck_assert_int_eq(WEIR_ARRAY_ADD(a, 0, &one, &one), 0);
	((int32_t *)weir_array_data(a))[1] = 88;
	numbers[0] = 10;
	numbers[1] = 88;
	check_numbers(a, numbers);
	weir_array_stat(a, &stat);
	ck_assert_uint_eq(stat.flags, WEIR_ARRAY_RAW);
	weir_array_close(a);
}
END_TEST

START_TEST(another_handle_of_the_same_lock_is_used)
{
	struct weir_lock *lock, *other, *copy;
	struct weir_array *a, *b;
	char text[WEIR_EXPORT_SIZE];
	int32_t number = 4;

	ck_assert_int_eq(weir_lock(&lock, NULL), 0);
	ck_assert_int_eq(weir_lock(&other, NULL), 0);
	a = made(WEIR_TYPE_INT32, COUNT, 0, lock, NULL);
	ck_assert_int_gt(weir_export(a, text, sizeof(text)), 0);
	ck_assert_int_eq(weir_import(text, WEIR_KIND_ARRAY, &b), 0);
	copy = weir_array_lock(b);
	ck_assert_ptr_ne(copy, lock);
	/* As somebody else's. */
	ck_assert_int_eq(weir_lock_acquire(lock, 0, 0), 0);
	ck_assert_int_eq(WEIR_ARRAY_SET(b, 0, &number, 0, 0), -EAGAIN);
	ck_assert_int_eq(weir_array_use_lock(b, other), -EPROTO);
	ck_assert_int_eq(weir_array_use_lock(b, NULL), -EINVAL);
	ck_assert_int_eq(weir_array_use_lock(NULL, lock), -EINVAL);
	ck_assert_int_eq(weir_array_use_lock(b, (struct weir_lock *)array), -EINVAL);
	ck_assert_int_eq(weir_array_use_lock(array, lock), -EOPNOTSUPP);
	ck_assert_int_eq(weir_array_use_lock(b, lock), 0);
	ck_assert_int_eq(weir_array_use_lock(b, lock), 0);
	ck_assert_int_eq(WEIR_ARRAY_SET(b, 0, &number, 0, 0), 0);
	number = 0;
	ck_assert_int_eq(WEIR_ARRAY_GET(a, 0, &number, 0, 0), 0);
	ck_assert_int_eq(number, 4);
	weir_array_close(a);
	weir_array_close(b);
	weir_lock_close(lock);
	weir_lock_close(other);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("array");
	TCase *tcase = tcase_create("array");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, a_fresh_one_is_zero);
	tcase_add_test(tcase, one_is_initialised);
	tcase_add_test(tcase, wrong_options_are_refused);
	tcase_add_test(tcase, too_large_ones_are_refused);
	tcase_add_test(tcase, nothing_is_left_behind);
	tcase_add_test(tcase, it_says_what_it_is);
	tcase_add_test(tcase, every_scalar_type_of_c);
	tcase_add_test(tcase, structures_by_size_and_alignment);
	tcase_add_test(tcase, another_type_is_refused);
	tcase_add_test(tcase, indices_may_be_negative);
	tcase_add_test(tcase, indices_out_of_range_are_refused);
	tcase_add_test(tcase, slices_are_read_and_written);
	tcase_add_test(tcase, slices_out_of_range_are_refused);
	tcase_add_test(tcase, mistakes_are_told);
	tcase_add_test(tcase, the_own_lock_is_recursive);
	tcase_add_test(tcase, a_given_lock_protects_several);
	tcase_add_test(tcase, whose_lock_was_released_commits_nothing);
	tcase_add_test(tcase, a_raw_one_has_no_lock);
	tcase_add_test(tcase, another_handle_of_the_same_lock_is_used);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
