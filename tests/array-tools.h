/* SPDX-License-Identifier: MIT */
/* What the tests of arrays have in common: one of ten numbers. */
#ifndef WEIR_TESTS_ARRAY_TOOLS_H
#define WEIR_TESTS_ARRAY_TOOLS_H

#include "support.h"

#include "base/cc.h"
#include "obj/array.h"

#define COUNT 10

static struct weir_array *array;

UNUSED static struct weir_array *made(uint64_t type, uint64_t count, uint32_t flags,
			       struct weir_lock *lock, const void *initial)
{
	struct weir_array_options o = {
		.size = sizeof(o), .flags = flags, .type = type, .count = count,
		.initial = initial, .lock = lock,
	};
	struct weir_array *a;

	ck_assert_int_eq(weir_array(&a, &o), 0);
	return a;
}

UNUSED static void setup(void)
{
	int32_t numbers[COUNT] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 };

	array = made(WEIR_TYPE_INT32, COUNT, 0, NULL, numbers);
}

UNUSED static void teardown(void)
{
	weir_array_close(array);
}

UNUSED static void check_numbers(struct weir_array *a, const int32_t *expected)
{
	int32_t got[COUNT];

	ck_assert_int_eq(WEIR_ARRAY_READ(a, 0, COUNT, got, 0, 0), 0);
	ck_assert_mem_eq(got, expected, sizeof(got));
	ck_assert_mem_eq(weir_array_data(a), expected, sizeof(got));
}

#endif
