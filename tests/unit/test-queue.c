/* SPDX-License-Identifier: MIT */
/* A queue in one process: making it, messages of all sizes in their order, batches, counters. */
#include "queue-tools.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/resource.h>

#define MOST (5U << 20)

static struct weir_queue *queue;
static struct resources before;

static void setup(void)
{
	before = resources_begin();
	ck_assert_int_eq(weir_queue(&queue, NULL), 0);
}

static void teardown(void)
{
	weir_queue_close(queue);
	queue = NULL;
	resources_check(&before);
}

/*
 * Making
 */

START_TEST(options_that_are_not_valid_return_einval)
{
	static const struct weir_queue_options wrong[] = {
		{ .size = 0 },
		{ .size = sizeof(struct weir_queue_options) + 8 },
		{ .size = sizeof(struct weir_queue_options), .flags = 1U << 31 },
		{ .size = sizeof(struct weir_queue_options), .flags = WEIR_QUEUE_NOW },
		{ .size = sizeof(struct weir_queue_options),
		  .flags = WEIR_QUEUE_LATENCY | WEIR_QUEUE_THROUGHPUT },
		{ .size = sizeof(struct weir_queue_options), .flags = WEIR_QUEUE_DROP },
		{ .size = sizeof(struct weir_queue_options), .max_bytes = (1U << 20) - 1 },
		{ .size = sizeof(struct weir_queue_options), .max_bytes = (64ULL << 30) + 1 },
		{ .size = sizeof(struct weir_queue_options), .max_items = UINT64_MAX },
	};
	struct weir_queue *q = (struct weir_queue *)&before;

	ck_assert_int_eq(weir_queue(NULL, NULL), -EINVAL);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_msg(weir_queue(&q, &wrong[i]) == -EINVAL, "options %zu", i);
	ck_assert_ptr_eq(q, &before);
}
END_TEST

START_TEST(options_at_their_limits_are_taken)
{
	struct weir_queue *q = queue_new(1, 1U << 20, WEIR_QUEUE_DROP | WEIR_QUEUE_LATENCY);
	struct weir_queue_stat st;

	ck_assert_ptr_nonnull(q);
	st = queue_stat(q);
	ck_assert_uint_eq(st.max_items, 1);
	ck_assert_uint_eq(st.max_bytes, 1U << 20);
	weir_queue_close(q);
	q = queue_new(INT64_MAX, 1ULL << 30, WEIR_QUEUE_THROUGHPUT);
	ck_assert_ptr_nonnull(q);
	weir_queue_close(q);
	weir_queue_close(NULL);
}
END_TEST

static int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

START_TEST(queue_costs_three_descriptors_and_little_memory)
{
	int one = count_descriptors();
	struct weir_queue *q = queue_new(0, 0, 0);

	ck_assert_ptr_nonnull(q);
	ck_assert_int_eq(count_descriptors(), one + 3);
	ck_assert_uint_le(queue_blocks(q), 64 << 10);
	ck_assert_int_eq(queue_put_number(q, 1, 0), 0);
	ck_assert_int_eq(queue_get_number(q, 0), 1);
	ck_assert_int_eq(count_descriptors(), one + 3);
	ck_assert_uint_le(queue_blocks(q), 160 << 10);
	weir_queue_close(q);
}
END_TEST

START_TEST(limit_of_file_size_makes_the_queue_smaller)
{
	struct rlimit limit = { 64 << 20, 64 << 20 };
	struct weir_queue *q;

	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	q = queue_new(0, 0, 0);
	ck_assert_ptr_nonnull(q);
	ck_assert_uint_le(queue_stat(q).max_bytes, 64 << 20);
	ck_assert_int_eq(queue_put_number(q, 4711, 0), 0);
	ck_assert_int_eq(queue_get_number(q, 0), 4711);
	weir_queue_close(q);
	ck_assert_ptr_null(queue_new(0, 1U << 30, 0));
}
END_TEST

/*
 * Messages
 */

START_TEST(messages_of_all_sizes_come_out_as_they_went_in)
{
	static const size_t sizes[] = {
		0, 1, 7, 8, 9, 63, 64, 65, 4095, 4096, 4097, 65528, 65529, 65535, 65536, 65537,
		131071, 131072, 131073, 1U << 20, (1U << 20) + 1, 3000000, MOST,
	};
	const size_t count = sizeof(sizes) / sizeof(sizes[0]);
	uint8_t *data = malloc(MOST), *back = malloc(MOST);
	size_t size;

	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < count; i++) {
			queue_fill(data, sizes[i], i);
			ck_assert_int_eq(weir_queue_put(queue, data, sizes[i], 0, 0), 0);
		}
		for (size_t i = 0; i < count; i++) {
			memset(back, 0xa5, sizes[i]);
			ck_assert_int_eq(weir_queue_peek(queue, &size), 0);
			ck_assert_uint_eq(size, sizes[i]);
			size = 4711;
			ck_assert_int_eq(weir_queue_get(queue, back, sizes[i], 0, 0, &size), 0);
			ck_assert_uint_eq(size, sizes[i]);
			ck_assert_msg(queue_is_filled(back, size, i), "size %zu", size);
		}
		ck_assert_int_eq(weir_queue_get(queue, back, MOST, 0, 0, &size), -EAGAIN);
	}
	free(data);
	free(back);
}
END_TEST

START_TEST(random_sizes_keep_their_order)
{
	uint64_t put = 0, got = 0;
	uint8_t *data = malloc(200000), *back = malloc(200000);
	size_t sizes[64], size;

	while (got < 3000) {
		if (put - got < 64 && test_random_below(2)) {
			size = test_random_below(8) ? test_random_below(500)
						    : test_random_below(200000);
			sizes[put % 64] = size;
			queue_fill(data, size, put);
			ck_assert_int_eq(weir_queue_put(queue, data, size, 0, 0), 0);
			put++;
		} else if (put > got) {
			ck_assert_int_eq(weir_queue_get(queue, back, 200000, 0, 0, &size), 0);
			ck_assert_uint_eq(size, sizes[got % 64]);
			ck_assert(queue_is_filled(back, size, got));
			got++;
		}
	}
	free(data);
	free(back);
}
END_TEST

START_TEST(many_messages_go_over_many_segments)
{
	const uint64_t count = 20 * QUEUE_SLOTS + 3;

	for (int round = 0; round < 3; round++) {
		for (uint64_t i = 0; i < count; i++)
			ck_assert_int_eq(queue_put_number(queue, i, 0), 0);
		ck_assert_uint_eq(queue_stat(queue).items, count);
		for (uint64_t i = 0; i < count; i++)
			ck_assert_int_eq(queue_get_number(queue, 0), (int64_t)i);
		ck_assert_int_eq(queue_get_number(queue, 0), -EAGAIN);
	}
	ck_assert_uint_eq(queue_stat(queue).puts, 3 * count);
	ck_assert_uint_eq(queue_stat(queue).gets, 3 * count);
	/* It is looked after in steps. */
	ck_assert_uint_ge(queue_stat(queue).most_items, count - 512);
	ck_assert_uint_le(queue_stat(queue).most_items, count);
}
END_TEST

START_TEST(frames_are_used_again)
{
	struct weir_queue *q = queue_new_at(2, 0, 4, 1U << 20);

	ck_assert_ptr_nonnull(q);
	for (uint64_t i = 0; i < 30 * QUEUE_SLOTS; i++) {
		ck_assert_int_eq(queue_put_number(q, i, 0), 0);
		ck_assert_int_eq(queue_put_number(q, ~i >> 1, 0), 0);
		ck_assert_int_eq(queue_get_number(q, 0), (int64_t)i);
		ck_assert_int_eq(queue_get_number(q, 0), (int64_t)(~i >> 1));
	}
	weir_queue_close(q);
}
END_TEST

START_TEST(get_into_too_little_room_leaves_the_message)
{
	uint8_t back[16];
	size_t size = 4711;

	ck_assert_int_eq(weir_queue_put(queue, "0123456789", 10, 0, 0), 0);
	ck_assert_int_eq(weir_queue_get(queue, back, 9, 0, 0, &size), -EMSGSIZE);
	ck_assert_uint_eq(size, 10);
	ck_assert_int_eq(weir_queue_get(queue, NULL, 0, 0, 0, NULL), -EMSGSIZE);
	ck_assert_int_eq(weir_queue_get(queue, back, 10, 0, 0, &size), 0);
	ck_assert_mem_eq(back, "0123456789", 10);
}
END_TEST

START_TEST(empty_queue_returns_eagain_or_etimedout)
{
	size_t size = 4711;
	int64_t start = test_now();

	ck_assert_int_eq(weir_queue_peek(queue, &size), -EAGAIN);
	ck_assert_int_eq(queue_get_number(queue, 0), -EAGAIN);
	ck_assert_int_eq(queue_get_number(queue, -1), -EAGAIN);
	ck_assert_int_eq(queue_get_number(queue, 1), -ETIMEDOUT);
	ck_assert_int_eq(queue_get_number(queue, start + 5000000), -ETIMEDOUT);
	ck_assert_int_ge(test_now(), start + 5000000);
	ck_assert_uint_eq(size, 4711);
}
END_TEST

START_TEST(arguments_that_are_not_valid_return_einval)
{
	struct weir_msg m = { .data = NULL, .size = 1, .room = 1 };
	size_t size;

	ck_assert_int_eq(weir_queue_put(NULL, "x", 1, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_queue_put(queue, NULL, 1, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_queue_put(queue, "x", 1, WEIR_MORE, 0), -EINVAL);
	ck_assert_int_eq(weir_queue_put(queue, NULL, 0, 0, 0), 0);
	ck_assert_int_eq(weir_queue_get(NULL, &size, 8, 0, 0, NULL), -EINVAL);
	ck_assert_int_eq(weir_queue_get(queue, NULL, 8, 0, 0, NULL), -EINVAL);
	ck_assert_int_eq(weir_queue_get(queue, &size, 8, 1U << 31, 0, NULL), -EINVAL);
	ck_assert_int_eq(weir_queue_put_batch(NULL, &m, 1, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_queue_put_batch(queue, NULL, 1, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_queue_put_batch(queue, &m, 0, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_queue_put_batch(queue, &m, 1, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_queue_put_batch(queue, &m, SIZE_MAX, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_queue_get_batch(NULL, &m, 1, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_queue_get_batch(queue, NULL, 1, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_queue_get_batch(queue, &m, 1, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_queue_get_batch(queue, &m, 0, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_queue_get_batch(queue, &m, 1, WEIR_MORE, 0), -EINVAL);
	ck_assert_int_eq(weir_queue_peek(NULL, &size), -EINVAL);
	ck_assert_int_eq(weir_queue_peek(queue, NULL), -EINVAL);
	ck_assert_int_eq(weir_queue_stat(NULL, NULL), -EINVAL);
	ck_assert_int_eq(weir_queue_stat(queue, NULL), -EINVAL);
	ck_assert_int_eq(weir_queue_get(queue, NULL, 0, 0, 0, &size), 0);
	ck_assert_uint_eq(size, 0);
}
END_TEST

START_TEST(calls_leave_errno_alone)
{
	errno = 4711;
	ck_assert_int_eq(queue_put_number(queue, 1, 0), 0);
	ck_assert_int_eq(queue_get_number(queue, 0), 1);
	ck_assert_int_eq(queue_get_number(queue, test_now() + 1000000), -ETIMEDOUT);
	ck_assert_int_eq(weir_queue_join(queue, 0, test_now() + 1000000), -ETIMEDOUT);
	(void)queue_stat(queue);
	ck_assert_int_eq(errno, 4711);
}
END_TEST

/*
 * Batches
 */

static void fill_batch(struct weir_msg *messages, uint64_t *numbers, size_t count, uint64_t first)
{
	for (size_t i = 0; i < count; i++) {
		numbers[i] = first + i;
		messages[i] = (struct weir_msg){ &numbers[i], sizeof(numbers[i]), 8 };
	}
}

START_TEST(batches_of_all_sizes_arrive_whole)
{
	static const size_t counts[] = { 1, 2, 31, 32, 1000, 1024, 1025, 3000 };
	struct weir_msg messages[3000];
	uint64_t numbers[3000], back[3000];
	uint64_t next = 0;

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		size_t n = counts[i];

		fill_batch(messages, numbers, n, next);
		ck_assert_int_eq(weir_queue_put_batch(queue, messages, n, 0, 0), n);
		fill_batch(messages, back, n, 0);
		memset(back, 0, sizeof(back));
		ck_assert_int_eq(weir_queue_get_batch(queue, messages, n, 0, 0), n);
		ck_assert_mem_eq(back, numbers, n * 8);
		next += n;
	}
	ck_assert_int_eq(weir_queue_get_batch(queue, messages, 3000, 0, 0), -EAGAIN);
}
END_TEST

START_TEST(get_batch_takes_what_is_there)
{
	struct weir_msg messages[8];
	uint64_t numbers[8];

	for (uint64_t i = 0; i < 5; i++)
		ck_assert_int_eq(queue_put_number(queue, i, 0), 0);
	fill_batch(messages, numbers, 8, 100);
	ck_assert_int_eq(weir_queue_get_batch(queue, messages, 8, 0, soon()), 5);
	for (uint64_t i = 0; i < 5; i++)
		ck_assert_uint_eq(numbers[i], i);
	ck_assert_uint_eq(numbers[5], 105);
}
END_TEST

START_TEST(get_batch_ends_before_what_does_not_fit)
{
	uint64_t numbers[3];
	struct weir_msg messages[3];
	char room[32];

	ck_assert_int_eq(queue_put_number(queue, 7, 0), 0);
	ck_assert_int_eq(weir_queue_put(queue, "0123456789", 10, 0, 0), 0);
	fill_batch(messages, numbers, 3, 0);
	ck_assert_int_eq(weir_queue_get_batch(queue, messages, 3, 0, 0), 1);
	ck_assert_uint_eq(numbers[0], 7);
	ck_assert_int_eq(weir_queue_get_batch(queue, messages, 3, 0, 0), -EMSGSIZE);
	ck_assert_uint_eq(messages[0].size, 10);
	messages[0] = (struct weir_msg){ .data = room, .room = sizeof(room) };
	ck_assert_int_eq(weir_queue_get_batch(queue, messages, 1, 0, 0), 1);
	ck_assert_mem_eq(room, "0123456789", 10);
}
END_TEST

/*
 * Counters
 */

START_TEST(counters_count)
{
	struct weir_queue_stat st = queue_stat(queue);
	struct weir_taken taken;

	ck_assert_uint_eq(st.items + st.taken + st.puts + st.gets + st.drops + st.users, 0);
	for (uint64_t i = 0; i < 10; i++)
		ck_assert_int_eq(queue_put_number(queue, i, 0), 0);
	for (uint64_t i = 0; i < 3; i++)
		ck_assert_int_eq(queue_get_number(queue, 0), (int64_t)i);
	ck_assert_int_eq(weir_queue_take(queue, 0, 0, &taken), 0);
	st = queue_stat(queue);
	ck_assert_uint_eq(st.items, 6);
	ck_assert_uint_eq(st.taken, 1);
	ck_assert_uint_eq(st.puts, 10);
	ck_assert_uint_eq(st.gets, 3);
	ck_assert_uint_eq(st.drops, 0);
	ck_assert_uint_ge(st.most_items, 6);
	ck_assert_uint_le(st.most_items, 10);
	ck_assert_uint_eq(st.users, 1);
	ck_assert_uint_eq(st.sleepers, 0);
	ck_assert_uint_eq(st.deaths, 0);
	ck_assert_uint_eq(st.returned, 0);
	ck_assert_uint_eq(st.unfinished, 10);
	ck_assert_uint_eq(st.bytes, QUEUE_SLOTS * 16 + (64 << 10));
	ck_assert_int_eq(weir_queue_return(queue, &taken), 0);
	st = queue_stat(queue);
	ck_assert_uint_eq(st.items, 7);
	ck_assert_uint_eq(st.taken, 0);
	ck_assert_uint_eq(st.returned, 1);
}
END_TEST

START_TEST(stat_fills_in_no_more_than_it_is_given)
{
	struct weir_queue_stat st;

	ck_assert_int_eq(queue_put_number(queue, 1, 0), 0);
	memset(&st, 0xee, sizeof(st));
	st.size = offsetof(struct weir_queue_stat, taken);
	ck_assert_int_eq(weir_queue_stat(queue, &st), 0);
	ck_assert_uint_eq(st.items, 1);
	ck_assert_uint_eq(st.taken, UINT64_C(0xeeeeeeeeeeeeeeee));
	st.size = 3;
	ck_assert_int_eq(weir_queue_stat(queue, &st), -EINVAL);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("queue");
	TCase *t = tcase_create("making");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, options_that_are_not_valid_return_einval);
	tcase_add_test(t, options_at_their_limits_are_taken);
	tcase_add_test(t, queue_costs_three_descriptors_and_little_memory);
	tcase_add_test(t, limit_of_file_size_makes_the_queue_smaller);
	suite_add_tcase(s, t);
	t = tcase_create("messages");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, messages_of_all_sizes_come_out_as_they_went_in);
	tcase_add_test(t, random_sizes_keep_their_order);
	tcase_add_test(t, many_messages_go_over_many_segments);
	tcase_add_test(t, frames_are_used_again);
	tcase_add_test(t, get_into_too_little_room_leaves_the_message);
	tcase_add_test(t, empty_queue_returns_eagain_or_etimedout);
	tcase_add_test(t, arguments_that_are_not_valid_return_einval);
	tcase_add_test(t, calls_leave_errno_alone);
	suite_add_tcase(s, t);
	t = tcase_create("batches, counters");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, batches_of_all_sizes_arrive_whole);
	tcase_add_test(t, get_batch_takes_what_is_there);
	tcase_add_test(t, get_batch_ends_before_what_does_not_fit);
	tcase_add_test(t, counters_count);
	tcase_add_test(t, stat_fills_in_no_more_than_it_is_given);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return test_main(suite());
}
