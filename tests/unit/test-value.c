/* SPDX-License-Identifier: MIT */
/* What a value is besides an array of one; and what comes from elsewhere. */
#include "support.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cc.h"
#include "obj/array.h"
#include "weir.h"

static struct weir_value *value;

static struct weir_value *made(uint64_t type, uint32_t flags, struct weir_lock *lock,
			       const void *initial)
{
	struct weir_value_options o = {
		.size = sizeof(o), .flags = flags, .type = type, .initial = initial, .lock = lock,
	};
	struct weir_value *v;

	ck_assert_int_eq(weir_value(&v, &o), 0);
	return v;
}

static void setup(void)
{
	double number = 1.5;

	value = made(WEIR_TYPE_DOUBLE, 0, NULL, &number);
}

static void teardown(void)
{
	weir_value_close(value);
}

START_TEST(it_is_set_and_read)
{
	double number = 0;

	ck_assert_int_eq(WEIR_VALUE_GET(value, &number, 0, 0), 0);
	ck_assert(number == 1.5);
	number = -2.5;
	ck_assert_int_eq(WEIR_VALUE_SET(value, &number, 0, 0), 0);
	ck_assert(*(double *)weir_value_data(value) == -2.5);
	ck_assert_uint_eq(weir_value_type(value), WEIR_TYPE_DOUBLE);
	ck_assert_int_eq(weir_value_check(value, WEIR_TYPE_DOUBLE), 0);
	ck_assert_int_eq(weir_value_check(value, WEIR_TYPE_FLOAT), -EPROTO);
}
END_TEST

START_TEST(atomic_operations)
{
	struct weir_value *v = made(WEIR_TYPE_UINT32, WEIR_VALUE_RAW, NULL, NULL);
	uint32_t operand = 12, was = 1;

	ck_assert_int_eq(WEIR_VALUE_STORE(v, &operand), 0);
	ck_assert_int_eq(WEIR_VALUE_ADD(v, &operand, &was), 0);
	ck_assert_uint_eq(was, 12);
	ck_assert_int_eq(WEIR_VALUE_AND(v, &operand, &was), 0);
	ck_assert_uint_eq(was, 24);
	ck_assert_int_eq(WEIR_VALUE_OR(v, &operand, &was), 0);
	ck_assert_uint_eq(was, 8);
	ck_assert_int_eq(WEIR_VALUE_XOR(v, &operand, &was), 0);
	ck_assert_uint_eq(was, 12);
	ck_assert_int_eq(WEIR_VALUE_EXCHANGE(v, &operand, &was), 0);
	ck_assert_uint_eq(was, 0);
	ck_assert_int_eq(WEIR_VALUE_COMPARE_EXCHANGE(v, &was, &operand), -ECANCELED);
	ck_assert_uint_eq(was, 12);
	ck_assert_int_eq(WEIR_VALUE_LOAD(v, &was), 0);
	ck_assert_uint_eq(was, 12);
	weir_value_close(v);
}
END_TEST

struct account {
	int64_t balance;
	uint32_t bookings;
	char owner[20];
};

static int book(void *data, uint64_t count, void *arg)
{
	struct account *a = data;

	ck_assert_uint_eq(count, 1);
	a->balance += *(int64_t *)arg;
	a->bookings++;
	return 0;
}

START_TEST(structures_are_updated)
{
	struct account start = { 100, 0, "nobody" }, now;
	uint64_t type = WEIR_STRUCT(struct account);
	struct weir_value *v = made(type, 0, NULL, &start);
	int64_t amount = 50;
	void *data;

	ck_assert_int_eq(weir_value_edit(v, type, book, &amount, 0, 0), 0);
	ck_assert_int_eq(weir_value_begin(v, type, 0, 0, &data), 0);
	strcpy(((struct account *)data)->owner, "somebody");
	ck_assert_int_eq(weir_value_commit(v), 0);
	ck_assert_int_eq(weir_value_begin(v, type, 0, 0, &data), 0);
	((struct account *)data)->balance = 0;
	ck_assert_int_eq(weir_value_cancel(v), 0);
	ck_assert_int_eq(weir_value_get(v, type, &now, 0, 0), 0);
	ck_assert_int_eq(now.balance, 150);
	ck_assert_uint_eq(now.bookings, 1);
	ck_assert_str_eq(now.owner, "somebody");
	weir_value_close(v);
}
END_TEST

START_TEST(its_lock)
{
	struct weir_lock *lock;
	struct weir_value *v;

	ck_assert_int_eq(weir_value_acquire(value, 0, 0), 0);
	ck_assert(weir_lock_is_mine(weir_value_lock(value)));
	ck_assert_int_eq(weir_value_release(value), 0);
	ck_assert_int_eq(weir_lock(&lock, NULL), 0);
	v = made(WEIR_TYPE_INT8, 0, lock, NULL);
	ck_assert_ptr_eq(weir_value_lock(v), lock);
	ck_assert_int_eq(weir_value_use_lock(v, lock), 0);
	weir_value_close(v);
	weir_lock_close(lock);
}
END_TEST

START_TEST(its_changes)
{
	double number = 1;
	uint64_t seen, now;

	ck_assert_int_eq(weir_value_changes(value, &seen), 0);
	ck_assert_int_eq(weir_value_wait(value, seen, 0, 0, NULL), -EAGAIN);
	ck_assert_int_eq(weir_value_add(value, 0, &number, NULL), 0);
	ck_assert_int_eq(weir_value_wait(value, seen, 0, 0, &now), 0);
	ck_assert_uint_eq(now, seen + 1);
}
END_TEST

START_TEST(mistakes_are_told)
{
	struct weir_value_options o = { .size = sizeof(o) - 1, .type = WEIR_TYPE_INT8 };
	struct weir_value *v;
	double number = 0;

	ck_assert_int_eq(weir_value(&v, &o), -EINVAL);
	ck_assert_int_eq(weir_value(&v, NULL), -EINVAL);
	o.size = sizeof(o);
	ck_assert_int_eq(weir_value(NULL, &o), -EINVAL);
	o.flags = 4;
	ck_assert_int_eq(weir_value(&v, &o), -EINVAL);
	ck_assert_uint_eq(weir_value_type(NULL), 0);
	ck_assert_int_eq(weir_value_check(NULL, 0), -EINVAL);
	ck_assert_int_eq(weir_value_get(NULL, 0, &number, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_value_set(NULL, 0, &number, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_value_load(NULL, 0, &number), -EINVAL);
	ck_assert_int_eq(weir_value_acquire(NULL, 0, 0), -EINVAL);
	ck_assert_ptr_null(weir_value_lock(NULL));
	ck_assert_ptr_null(weir_value_data(NULL));
	weir_value_close(NULL);
}
END_TEST

/*
 * What comes from elsewhere
 */

static int import_copy(void *handle, uint32_t kind)
{
	char text[WEIR_EXPORT_SIZE];
	struct weir_array *copy;
	int result;

	ck_assert_int_gt(weir_export(handle, text, sizeof(text)), 0);
	result = weir_import(text, kind, &copy);
	if (result < 0)
		ck_assert_int_eq(weir_unexport(text), 0);
	else
		weir_array_close(copy);
	return result;
}

START_TEST(kinds_are_not_mixed_up)
{
	struct weir_array_options o = {
		.size = sizeof(o), .type = WEIR_TYPE_DOUBLE, .count = 1,
	};
	struct weir_array *array;

	ck_assert_int_eq(weir_array(&array, &o), 0);
	ck_assert_int_eq(import_copy(value, WEIR_KIND_VALUE), 0);
	ck_assert_int_eq(import_copy(value, WEIR_KIND_ARRAY), -EINVAL);
	ck_assert_int_eq(import_copy(array, WEIR_KIND_ARRAY), 0);
	ck_assert_int_eq(import_copy(array, WEIR_KIND_VALUE), -EINVAL);
	ck_assert_int_eq(import_copy(array, WEIR_KIND_LOCK), -EINVAL);
	weir_array_close(array);
}
END_TEST

static void check_refused(const struct weir_commons_geometry *g)
{
	int fd = value->array.shared.commons.fd;

	ck_assert_int_eq(pwrite(fd, g, sizeof(*g), WEIR_COMMONS_GEOMETRY_OFFSET), sizeof(*g));
	ck_assert_int_eq(import_copy(value, WEIR_KIND_VALUE), -EBADMSG);
}

/* What nobody can have made here. */
START_TEST(a_damaged_geometry_is_refused)
{
	const struct weir_commons_geometry good = value->array.shared.commons.geometry;
	static const uint64_t numbers[] = {
		0, 2, 3, 4, 7, 9, 16, 4096, 8192, UINT32_MAX, UINT64_C(1) << 40,
		UINT64_C(1) << 48, UINT64_C(1) << 63, UINT64_MAX - 7, UINT64_MAX,
	};
	struct weir_commons_geometry g;

	ck_assert_uint_eq(good.count, 1);
	for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
		g = good;
		g.count = numbers[i];
		check_refused(&g);
		g = good;
		g.element_size = numbers[i];
		check_refused(&g);
		g = good;
		g.limit = numbers[i];
		check_refused(&g);
		/* 2 and 3 would be raw, or a lock's that is not there. */
		g = good;
		g.flags = (uint32_t)numbers[i];
		check_refused(&g);
		g = good;
		g.type = (uint32_t)numbers[i] | 0x100;
		check_refused(&g);
	}
	ck_assert_int_eq(pwrite(value->array.shared.commons.fd, &good, sizeof(good),
				WEIR_COMMONS_GEOMETRY_OFFSET), sizeof(good));
	ck_assert_int_eq(import_copy(value, WEIR_KIND_VALUE), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("value");
	TCase *tcase = tcase_create("value");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, it_is_set_and_read);
	tcase_add_test(tcase, atomic_operations);
	tcase_add_test(tcase, structures_are_updated);
	tcase_add_test(tcase, its_lock);
	tcase_add_test(tcase, its_changes);
	tcase_add_test(tcase, mistakes_are_told);
	tcase_add_test(tcase, kinds_are_not_mixed_up);
	tcase_add_test(tcase, a_damaged_geometry_is_refused);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
