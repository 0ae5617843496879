/* SPDX-License-Identifier: MIT */
/* Limits of a queue, of items and bytes; memory that comes back; numbers that wrap. */
#include "queue-tools.h"

#include <stdlib.h>

#define MIB (UINT64_C(1) << 20)

static struct resources before;
static uint8_t *data;

static void setup(void)
{
	before = resources_begin();
	data = calloc(1, 4 * MIB);
	ck_assert_ptr_nonnull(data);
}

static void teardown(void)
{
	free(data);
	resources_check(&before);
}

/*
 * Items
 */

START_TEST(limit_of_items_is_exact)
{
	static const uint64_t limits[] = { 1, 2, 3, 1023, 1024, 1025, 2048, 5000 };

	for (size_t k = 0; k < sizeof(limits) / sizeof(limits[0]); k++) {
		struct weir_queue *q = queue_new(limits[k], 0, 0);
		uint64_t next = 0, got = 0;

		ck_assert_ptr_nonnull(q);
		for (int round = 0; round < 3; round++) {
			while (queue_put_number(q, next, 0) == 0)
				next++;
			ck_assert_uint_eq(next - got, limits[k]);
			ck_assert_int_eq(queue_put_number(q, next, 0), -EAGAIN);
			ck_assert_int_eq(queue_put_number(q, next, 1), -ETIMEDOUT);
			ck_assert_uint_eq(queue_stat(q).items, limits[k]);
			for (uint64_t i = 0; i < limits[k] / 2 + 1; i++)
				ck_assert_int_eq(queue_get_number(q, 0), (int64_t)got++);
		}
		ck_assert_uint_eq(queue_stat(q).most_items, limits[k]);
		weir_queue_close(q);
	}
}
END_TEST

START_TEST(taken_message_makes_room_and_a_returned_one_needs_none)
{
	struct weir_queue *q = queue_new(2, 0, 0);
	struct weir_taken taken;

	ck_assert_ptr_nonnull(q);
	ck_assert_int_eq(queue_put_number(q, 0, 0), 0);
	ck_assert_int_eq(queue_put_number(q, 1, 0), 0);
	ck_assert_int_eq(queue_put_number(q, 2, 0), -EAGAIN);
	ck_assert_int_eq(weir_queue_take(q, 0, 0, &taken), 0);
	ck_assert_int_eq(queue_put_number(q, 2, 0), 0);
	ck_assert_int_eq(weir_queue_return(q, &taken), 0);
	ck_assert_int_eq(queue_put_number(q, 3, 0), -EAGAIN);
	for (int64_t i = 0; i < 3; i++)
		ck_assert_int_eq(queue_get_number(q, 0), i);
	weir_queue_close(q);
}
END_TEST

START_TEST(batch_into_a_nearly_full_queue_puts_what_fits)
{
	struct weir_queue *q = queue_new(10, 0, 0);
	struct weir_msg messages[16];
	uint64_t numbers[16];

	ck_assert_ptr_nonnull(q);
	for (uint64_t i = 0; i < 16; i++) {
		numbers[i] = i;
		messages[i] = (struct weir_msg){ .data = &numbers[i], .size = 8 };
	}
	ck_assert_int_eq(weir_queue_put_batch(q, messages, 16, 0, 0), 10);
	ck_assert_int_eq(weir_queue_put_batch(q, messages, 16, 0, 0), -EAGAIN);
	ck_assert_int_eq(weir_queue_put_batch(q, messages, 16, 0, test_now() + 1000000),
			 -ETIMEDOUT);
	ck_assert_int_eq(queue_get_number(q, 0), 0);
	ck_assert_int_eq(weir_queue_put_batch(q, messages + 10, 2, 0, test_now() + 1000000), 1);
	for (int64_t i = 1; i < 11; i++)
		ck_assert_int_eq(queue_get_number(q, 0), i);
	weir_queue_close(q);
}
END_TEST

START_TEST(full_queue_drops_the_oldest_and_counts)
{
	static const uint64_t limits[] = { 1, 2, 100, 1024, 3000 };

	for (size_t k = 0; k < sizeof(limits) / sizeof(limits[0]); k++) {
		struct weir_queue *q = queue_new(limits[k], 0, WEIR_QUEUE_DROP);
		uint64_t count = 3 * limits[k] + 7;

		ck_assert_ptr_nonnull(q);
		for (uint64_t i = 0; i < count; i++)
			ck_assert_int_eq(queue_put_number(q, i, 0), 0);
		ck_assert_uint_eq(queue_stat(q).items, limits[k]);
		ck_assert_uint_eq(queue_stat(q).drops, count - limits[k]);
		ck_assert_uint_eq(queue_stat(q).gets, 0);
		ck_assert_uint_eq(queue_stat(q).unfinished, limits[k]);
		for (uint64_t i = count - limits[k]; i < count; i++)
			ck_assert_int_eq(queue_get_number(q, 0), (int64_t)i);
		ck_assert_int_eq(queue_get_number(q, 0), -EAGAIN);
		weir_queue_close(q);
	}
}
END_TEST

START_TEST(full_memory_drops_the_oldest)
{
	struct weir_queue *q = queue_new(1000, MIB, WEIR_QUEUE_DROP);
	struct weir_queue_stat st;
	size_t size;

	ck_assert_ptr_nonnull(q);
	for (uint64_t i = 0; i < 100; i++) {
		queue_fill(data, 100000, i);
		ck_assert_int_eq(weir_queue_put(q, data, 100000, 0, 0), 0);
	}
	st = queue_stat(q);
	ck_assert_uint_eq(st.items + st.drops, 100);
	ck_assert_uint_ge(st.items, 5);
	for (uint64_t i = st.drops; i < 100; i++) {
		ck_assert_int_eq(weir_queue_get(q, data, 100000, 0, 0, &size), 0);
		ck_assert(queue_is_filled(data, 100000, i));
	}
	weir_queue_close(q);
}
END_TEST

/*
 * Bytes
 */

START_TEST(used_up_bytes_return_enobufs_until_there_is_room)
{
	struct weir_queue *q = queue_new(0, MIB, 0);
	uint64_t count = 0, got;
	size_t size;

	ck_assert_ptr_nonnull(q);
	for (int round = 0; round < 4; round++) {
		for (count = 0; count < 10000; count++) {
			int result;

			queue_fill(data, 1000, count);
			result = weir_queue_put(q, data, 1000, 0, soon());
			if (result < 0) {
				ck_assert_int_eq(result, -ENOBUFS);
				break;
			}
		}
		/* All but what does not fit behind the last of each chunk. */
		ck_assert_uint_ge(count, MIB * 9 / 10 / 1024);
		ck_assert_uint_le(count, MIB / 1000);
		for (got = 0; got < count; got++) {
			ck_assert_int_eq(weir_queue_get(q, data, 1000, 0, 0, &size), 0);
			ck_assert(queue_is_filled(data, 1000, got));
		}
	}
	weir_queue_close(q);
}
END_TEST

START_TEST(used_up_bytes_of_a_limited_queue_wait)
{
	struct weir_queue *q = queue_new(100000, MIB, 0);
	uint64_t count = 0;

	ck_assert_ptr_nonnull(q);
	while (weir_queue_put(q, data, 5000, 0, 0) == 0)
		ck_assert_uint_lt(count++, 1000);
	ck_assert_int_eq(weir_queue_put(q, data, 5000, 0, 0), -EAGAIN);
	ck_assert_int_eq(weir_queue_put(q, data, 5000, 0, test_now() + 5000000), -ETIMEDOUT);
	while (weir_queue_get(q, data, 5000, 0, 0, NULL) == 0)
		count--;
	ck_assert_uint_eq(count, 0);
	ck_assert_int_eq(weir_queue_put(q, data, 5000, 0, 0), 0);
	weir_queue_close(q);
}
END_TEST

START_TEST(rows_fill_all_there_is_again_and_again)
{
	struct weir_queue *q = queue_new(0, 4 * MIB, 0);
	size_t size;

	ck_assert_ptr_nonnull(q);
	ck_assert_int_eq(weir_queue_put(q, data, 4 * MIB + 1, 0, 0), -EMSGSIZE);
	for (uint64_t i = 0; i < 40; i++) {
		uint64_t bytes = 4 * MIB - i * 4096;

		queue_fill(data, bytes, i);
		ck_assert_int_eq(weir_queue_put(q, data, bytes, 0, 0), 0);
		if (i < 2)
			ck_assert_int_eq(weir_queue_put(q, data, 20000, 0, 0), -ENOBUFS);
		memset(data, 0, bytes);
		ck_assert_int_eq(weir_queue_get(q, data, 4 * MIB, 0, 0, &size), 0);
		ck_assert_uint_eq(size, bytes);
		ck_assert(queue_is_filled(data, bytes, i));
	}
	weir_queue_close(q);
}
END_TEST

START_TEST(used_up_frames_return_enobufs_and_the_end_still_fits)
{
	struct weir_queue *q = queue_new_at(2, 0, 3, MIB);
	uint64_t count = 0;

	ck_assert_ptr_nonnull(q);
	while (weir_queue_put(q, NULL, 0, 0, 0) == 0)
		ck_assert_uint_lt(count++, 100000);
	ck_assert_int_eq(weir_queue_put(q, NULL, 0, 0, 0), -ENOBUFS);
	ck_assert_uint_eq(count, 2 * QUEUE_SLOTS);
	ck_assert_int_eq(weir_queue_shutdown(q, 0), 0);
	while (weir_queue_get(q, NULL, 0, 0, 0, NULL) == 0)
		count--;
	ck_assert_uint_eq(count, 0);
	ck_assert_int_eq(weir_queue_get(q, NULL, 0, 0, 0, NULL), -EPIPE);
	weir_queue_close(q);
}
END_TEST

/*
 * Memory that comes back
 */

static void burst(struct weir_queue *q, uint64_t bytes, size_t size)
{
	uint64_t count = bytes / size, blocks;

	for (uint64_t i = 0; i < count; i++)
		ck_assert_int_eq(weir_queue_put(q, data, size, 0, 0), 0);
	blocks = queue_blocks(q);
	ck_assert_uint_ge(blocks, count * size);
	ck_assert_uint_ge(queue_stat(q).bytes, count * size);
	for (uint64_t i = 0; i < count; i++)
		ck_assert_int_eq(weir_queue_get(q, data, size, 0, 0, NULL), 0);
}

START_TEST(memory_of_a_burst_goes_back)
{
	static const size_t sizes[] = { 64, 4000, 65536, 1000000, 3000000 };
	struct weir_queue *q = queue_new(0, 256 * MIB, 0);
	int64_t until = soon();

	ck_assert_ptr_nonnull(q);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t left, blocks, kept = 10 * MIB + 4 * sizes[i];

		burst(q, i == 1 ? 64 * MIB : 24 * MIB, sizes[i]);
		/* When all is quiet whoever sleeps gives it back. */
		do {
			ck_assert_int_eq(queue_get_number(q, test_now() + 120000000), -ETIMEDOUT);
			left = queue_stat(q).bytes;
			blocks = queue_blocks(q);
			ck_assert_msg(test_now() < until, "size %zu: %lu KiB used, %lu in the file",
				      sizes[i], (unsigned long)left >> 10,
				      (unsigned long)blocks >> 10);
		} while (left > kept || blocks > kept + MIB);
	}
	weir_queue_close(q);
}
END_TEST

/*
 * Numbers
 */

static void across_the_wrap(uint64_t first)
{
	struct weir_queue *q = queue_new_at(first, 3000, 16, 2 * MIB);
	struct weir_taken held;
	uint64_t put = 0, got = 0;

	ck_assert_ptr_nonnull(q);
	ck_assert_int_eq(queue_put_number(q, 4711, 0), 0);
	ck_assert_int_eq(weir_queue_take(q, 0, 0, &held), 0);
	while (got < 12 * QUEUE_SLOTS) {
		uint64_t n = 1 + test_random_below(3000);

		for (uint64_t i = 0; i < n; i++, put++)
			if (queue_put_number(q, put, 0) < 0)
				break;
		ck_assert_uint_eq(queue_stat(q).items, put - got);
		ck_assert_uint_eq(queue_stat(q).puts, put + 1);
		n = test_random_below(put - got + 1);
		for (uint64_t i = 0; i < n; i++)
			ck_assert_int_eq(queue_get_number(q, 0), (int64_t)got++);
	}
	ck_assert_uint_eq(queue_stat(q).taken, 1);
	ck_assert_int_eq(weir_queue_return(q, &held), 0);
	ck_assert_int_eq(queue_get_number(q, 0), 4711);
	for (; got < put; got++)
		ck_assert_int_eq(queue_get_number(q, 0), (int64_t)got);
	ck_assert_int_eq(queue_get_number(q, 0), -EAGAIN);
	ck_assert_int_eq(weir_queue_shutdown(q, 0), 0);
	ck_assert_int_eq(queue_get_number(q, 0), -EPIPE);
	ck_assert_int_eq(queue_put_number(q, 1, 0), -EPIPE);
	weir_queue_close(q);
}

START_TEST(numbers_wrap)
{
	static const uint64_t firsts[] = {
		0, 1, (UINT64_C(1) << 36) - 1, (UINT64_C(1) << 36) - 2, (UINT64_C(1) << 36) - 5,
		(UINT64_C(1) << 36) - 9, (UINT64_C(1) << 35) - 3, (UINT64_C(1) << 35),
		(UINT64_C(1) << 35) + 1,
	};

	across_the_wrap(firsts[_i]);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("queue-limit");
	TCase *t = tcase_create("items");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, limit_of_items_is_exact);
	tcase_add_test(t, taken_message_makes_room_and_a_returned_one_needs_none);
	tcase_add_test(t, batch_into_a_nearly_full_queue_puts_what_fits);
	tcase_add_test(t, full_queue_drops_the_oldest_and_counts);
	tcase_add_test(t, full_memory_drops_the_oldest);
	suite_add_tcase(s, t);
	t = tcase_create("bytes");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, used_up_bytes_return_enobufs_until_there_is_room);
	tcase_add_test(t, used_up_bytes_of_a_limited_queue_wait);
	tcase_add_test(t, rows_fill_all_there_is_again_and_again);
	tcase_add_test(t, used_up_frames_return_enobufs_and_the_end_still_fits);
	tcase_add_test(t, memory_of_a_burst_goes_back);
	suite_add_tcase(s, t);
	t = tcase_create("numbers");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, numbers_wrap, 0, 9);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return test_main(suite());
}
