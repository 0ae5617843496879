/* SPDX-License-Identifier: MIT */
#include "obj/parts.h"

#include <stdlib.h>

#include "base/cc.h"
#include "support.h"

#define TOTAL	200

static uint8_t flat[TOTAL], memory[TOTAL + 64];

static void setup(void)
{
	for (int i = 0; i < TOTAL; i++)
		flat[i] = (uint8_t)(i * 7 + 1);
	memset(memory, 0xa5, sizeof(memory));
}

/* @size bytes of memory[] in @count parts, some of them empty, with a byte between two. */
static size_t cut_up(struct iovec *parts, size_t count)
{
	size_t at = 0, size = 0;

	for (size_t i = 0; i < count; i++) {
		size_t part = test_random_below(3) ? test_random_below(2 * TOTAL / count) : 0;

		if (part > TOTAL - size)
			part = TOTAL - size;
		parts[i] = (struct iovec){ part ? memory + at : NULL, part };
		at += part + 1;
		size += part;
	}
	return size;
}

START_TEST(sizes_of_parts_add_up)
{
	struct iovec parts[3] = { { memory, 3 }, { NULL, 0 }, { memory, 39 } };
	uint64_t size = 7;

	ck_assert_int_eq(parts_size(parts, 3, &size), 0);
	ck_assert_uint_eq(size, 42);
	ck_assert_int_eq(parts_size(parts, 0, &size), 0);
	ck_assert_uint_eq(size, 0);
	ck_assert_int_eq(parts_size(NULL, 0, &size), 0);
	ck_assert_uint_eq(size, 0);
}
END_TEST

START_TEST(parts_that_cannot_be_are_einval)
{
	static struct iovec many[PARTS_MAX + 1];
	struct iovec null = { NULL, 1 }, huge[2] = { { memory, INT64_MAX }, { memory, 1 } };
	struct iovec beyond = { memory, (size_t)INT64_MAX + 1 };
	uint64_t size = 7;

	ck_assert_int_eq(parts_size(NULL, 1, &size), -EINVAL);
	ck_assert_int_eq(parts_size(many, PARTS_MAX + 1, &size), -EINVAL);
	ck_assert_int_eq(parts_size(&null, 1, &size), -EINVAL);
	ck_assert_int_eq(parts_size(huge, 2, &size), -EINVAL);
	ck_assert_int_eq(parts_size(&beyond, 1, &size), -EINVAL);
	ck_assert_uint_eq(size, 7);
	ck_assert_int_eq(parts_size(many, PARTS_MAX, &size), 0);
	ck_assert_int_eq(parts_size(huge, 1, &size), 0);
	ck_assert_uint_eq(size, INT64_MAX);
}
END_TEST

START_TEST(scattered_bytes_are_where_they_belong_and_gathered_again)
{
	for (int round = 0; round < 5000; round++) {
		struct iovec parts[8];
		size_t size = cut_up(parts, 8), at = 0;
		struct parts to = { .at = parts }, from = to;
		uint8_t back[TOTAL + 1];

		memset(memory, 0xa5, sizeof(memory));
		/* In several steps, that are not those of the parts. */
		for (size_t done = 0, n; done < size; done += n) {
			n = 1 + test_random_below(size - done);
			parts_scatter(&to, flat + done, n);
		}
		for (int i = 0; i < 8; i++) {
			if (parts[i].iov_len == 0)
				continue;
			ck_assert_mem_eq(parts[i].iov_base, flat + at, parts[i].iov_len);
			ck_assert(((uint8_t *)parts[i].iov_base)[parts[i].iov_len] == 0xa5);
			at += parts[i].iov_len;
		}
		ck_assert_uint_eq(at, size);
		back[size] = 0x5a;
		for (size_t done = 0, n; done < size; done += n) {
			n = 1 + test_random_below(size - done);
			parts_gather(&from, back + done, n);
		}
		ck_assert_mem_eq(back, flat, size);
		ck_assert(back[size] == 0x5a);
	}
}
END_TEST

START_TEST(no_bytes_need_no_part)
{
	struct iovec none = { NULL, 0 };
	struct parts p = { .at = &none };

	parts_gather(&p, NULL, 0);
	parts_scatter(&p, NULL, 0);
	ck_assert_ptr_eq(p.at, &none);
	ck_assert_uint_eq(p.offset, 0);
}
END_TEST

START_TEST(next_bytes_end_with_the_part_or_with_what_is_asked_for)
{
	struct iovec parts[3] = { { memory, 5 }, { NULL, 0 }, { memory + 10, 9 } };
	struct parts p = { .at = parts };
	uint8_t *bytes;

	ck_assert_uint_eq(parts_next(&p, 3, &bytes), 3);
	ck_assert_ptr_eq(bytes, memory);
	ck_assert_uint_eq(parts_next(&p, 3, &bytes), 2);
	ck_assert_ptr_eq(bytes, memory + 3);
	ck_assert_uint_eq(parts_next(&p, 100, &bytes), 9);
	ck_assert_ptr_eq(bytes, memory + 10);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("parts");
	TCase *tcase = tcase_create("parts");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, sizes_of_parts_add_up);
	tcase_add_test(tcase, parts_that_cannot_be_are_einval);
	tcase_add_test(tcase, scattered_bytes_are_where_they_belong_and_gathered_again);
	tcase_add_test(tcase, no_bytes_need_no_part);
	tcase_add_test(tcase, next_bytes_end_with_the_part_or_with_what_is_asked_for);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
