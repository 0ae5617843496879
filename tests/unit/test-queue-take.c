/* SPDX-License-Identifier: MIT */
/* Messages of a queue in place: claimed and committed, taken, released and given back. */
#include "queue-tools.h"

#include <stdlib.h>

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

static void put(uint64_t first, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		ck_assert_int_eq(queue_put_number(queue, first + i, 0), 0);
}

static uint64_t number_of(const struct weir_taken *taken)
{
	uint64_t number = UINT64_MAX;

	if (taken->size == sizeof(number))
		memcpy(&number, taken->data, sizeof(number));
	return number;
}

/*
 * Claims
 */

START_TEST(claims_of_all_sizes_are_committed)
{
	static const size_t sizes[] = { 0, 1, 8, 100, 65535, 65536, 65537, 200000, 3U << 20 };
	uint8_t *back = malloc(3U << 20);
	void *data;
	size_t size;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (size_t used = sizes[i]; ; used /= 2) {
			ck_assert_int_eq(weir_queue_claim(queue, sizes[i], 0, 0, &data), 0);
			ck_assert_uint_eq((uintptr_t)data % 8, 0);
			ck_assert_int_eq(weir_queue_get(queue, back, 1, 0, 0, NULL), -EAGAIN);
			queue_fill(data, used, i);
			ck_assert_int_eq(weir_queue_commit(queue, used, 0, 0), 0);
			ck_assert_int_eq(weir_queue_get(queue, back, used, 0, 0, &size), 0);
			ck_assert_uint_eq(size, used);
			ck_assert(queue_is_filled(back, used, i));
			if (used == 0)
				break;
		}
	}
	free(back);
}
END_TEST

START_TEST(second_claim_and_puts_return_ebusy)
{
	char x = 'x';
	struct weir_msg m = { .data = &x, .size = 1 };
	void *data, *other = &m;

	ck_assert_int_eq(weir_queue_claim(queue, 8, 0, 0, &data), 0);
	ck_assert_int_eq(weir_queue_claim(queue, 8, 0, 0, &other), -EBUSY);
	ck_assert_ptr_eq(other, &m);
	ck_assert_int_eq(weir_queue_put(queue, "x", 1, 0, 0), -EBUSY);
	ck_assert_int_eq(weir_queue_put_batch(queue, &m, 1, 0, 0), -EBUSY);
	ck_assert_int_eq(weir_queue_abort(queue), 0);
	ck_assert_int_eq(weir_queue_put(queue, "x", 1, 0, 0), 0);
}
END_TEST

START_TEST(commit_of_nothing_or_too_much_returns_einval)
{
	void *data;

	ck_assert_int_eq(weir_queue_commit(queue, 0, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_queue_abort(queue), -EINVAL);
	ck_assert_int_eq(weir_queue_claim(queue, 8, 0, 0, &data), 0);
	ck_assert_int_eq(weir_queue_commit(queue, 9, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_queue_commit(queue, 8, WEIR_MORE, 0), -EINVAL);
	ck_assert_int_eq(weir_queue_commit(queue, 8, 0, 0), 0);
	ck_assert_int_eq(weir_queue_commit(queue, 8, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_queue_abort(queue), -EINVAL);
	ck_assert_int_eq(weir_queue_claim(NULL, 8, 0, 0, &data), -EINVAL);
	ck_assert_int_eq(weir_queue_claim(queue, 8, 0, 0, NULL), -EINVAL);
	ck_assert_int_eq(weir_queue_claim(queue, 8, WEIR_MORE, 0, &data), -EINVAL);
	ck_assert_int_eq(weir_queue_commit(NULL, 8, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_queue_abort(NULL), -EINVAL);
	ck_assert_uint_eq(queue_stat(queue).puts, 1);
}
END_TEST

START_TEST(aborted_claims_take_no_memory)
{
	struct weir_queue *q = queue_new(10, 1U << 20, 0);
	void *data;

	ck_assert_ptr_nonnull(q);
	for (int i = 0; i < 200; i++) {
		size_t size = i % 2 ? 900000 : 3000;

		ck_assert_int_eq(weir_queue_claim(q, size, 0, 0, &data), 0);
		queue_fill(data, size, 1);
		ck_assert_int_eq(weir_queue_abort(q), 0);
	}
	ck_assert_uint_eq(queue_stat(q).puts, 0);
	weir_queue_close(q);
}
END_TEST

START_TEST(claim_of_a_full_queue_stays_until_there_is_room)
{
	struct weir_queue *q = queue_new(1, 1U << 20, 0);
	uint64_t number = 0;
	void *data;

	ck_assert_ptr_nonnull(q);
	ck_assert_int_eq(queue_put_number(q, 1, 0), 0);
	ck_assert_int_eq(weir_queue_claim(q, 100000, 0, 0, &data), 0);
	memset(data, 0x5a, 100000);
	ck_assert_int_eq(weir_queue_commit(q, 8, 0, 0), -EAGAIN);
	ck_assert_int_eq(weir_queue_commit(q, 8, 0, test_now() + 1000000), -ETIMEDOUT);
	ck_assert_int_eq(queue_get_number(q, 0), 1);
	ck_assert_int_eq(weir_queue_commit(q, 8, 0, 0), 0);
	ck_assert_int_eq(weir_queue_get(q, &number, 8, 0, 0, NULL), 0);
	ck_assert_uint_eq(number, UINT64_C(0x5a5a5a5a5a5a5a5a));
	weir_queue_close(q);
}
END_TEST

START_TEST(claim_larger_than_the_queue_returns_emsgsize)
{
	struct weir_queue *q = queue_new(1, 1U << 20, 0);
	size_t size;
	void *data;

	ck_assert_ptr_nonnull(q);
	ck_assert_int_eq(weir_queue_claim(q, (1U << 20) + 1, 0, 0, &data), -EMSGSIZE);
	ck_assert_int_eq(weir_queue_put(q, "01234567", 8, 0, 0), 0);
	ck_assert_int_eq(weir_queue_get(q, &size, 8, 0, 0, &size), 0);
	for (size = SIZE_MAX; size > SIZE_MAX - 20; size--) {
		ck_assert_int_eq(weir_queue_claim(q, size, 0, 0, &data), -EMSGSIZE);
		ck_assert_int_eq(weir_queue_put(q, "x", size, 0, 0), -EMSGSIZE);
	}
	ck_assert_int_eq(weir_queue_claim(q, SIZE_MAX / 2, 0, 0, &data), -EMSGSIZE);
	ck_assert_int_eq(weir_queue_claim(q, 1U << 20, 0, 0, &data), 0);
	queue_fill(data, 1U << 20, 9);
	ck_assert_int_eq(weir_queue_commit(q, 1U << 20, 0, 0), 0);
	weir_queue_close(q);
}
END_TEST

/*
 * Taking
 */

START_TEST(taken_messages_are_released_in_any_order)
{
	enum { COUNT = 1000 };
	struct weir_taken taken[COUNT];

	for (int round = 0; round < 5; round++) {
		put(0, COUNT);
		for (uint64_t i = 0; i < COUNT; i++) {
			ck_assert_int_eq(weir_queue_take(queue, 0, 0, &taken[i]), 0);
			ck_assert_uint_eq(number_of(&taken[i]), i);
			ck_assert_uint_eq(taken[i].times, 0);
			ck_assert_uint_eq((uintptr_t)taken[i].data % 8, 0);
		}
		ck_assert_uint_eq(queue_stat(queue).taken, COUNT);
		for (size_t left = COUNT; left > 0; left--) {
			size_t i = test_random_below(left);

			ck_assert_int_eq(weir_queue_release(queue, &taken[i]), 0);
			ck_assert_int_eq(weir_queue_release(queue, &taken[i]), -EINVAL);
			taken[i] = taken[left - 1];
		}
		ck_assert_uint_eq(queue_stat(queue).taken, 0);
	}
	ck_assert_uint_eq(queue_stat(queue).gets, 5 * COUNT);
	ck_assert_uint_eq(queue_stat(queue).returned, 0);
}
END_TEST

START_TEST(returned_message_comes_early_and_says_how_often)
{
	struct weir_taken taken;

	put(0, 3);
	for (uint32_t i = 0; i < 130; i++) {
		ck_assert_int_eq(weir_queue_take(queue, 0, 0, &taken), 0);
		ck_assert_uint_eq(number_of(&taken), 0);
		ck_assert_uint_eq(taken.times, i < 127 ? i : 127);
		ck_assert_int_eq(weir_queue_return(queue, &taken), 0);
		ck_assert_int_eq(weir_queue_return(queue, &taken), -EINVAL);
		ck_assert_int_eq(weir_queue_release(queue, &taken), -EINVAL);
	}
	for (int64_t i = 0; i < 3; i++)
		ck_assert_int_eq(queue_get_number(queue, 0), i);
	ck_assert_uint_eq(queue_stat(queue).returned, 130);
}
END_TEST

START_TEST(returned_messages_of_many_segments_come_in_their_order)
{
	enum { COUNT = 1000, STEP = 7 };
	struct weir_taken taken[COUNT];

	put(0, COUNT * STEP);
	for (uint64_t i = 0; i < COUNT * STEP; i++)
		if (i % STEP == 0)
			ck_assert_int_eq(weir_queue_take(queue, 0, 0, &taken[i / STEP]), 0);
		else
			ck_assert_int_eq(queue_get_number(queue, 0), (int64_t)i);
	put(1000000, 2);
	for (size_t i = COUNT; i-- > 0; )
		ck_assert_int_eq(weir_queue_return(queue, &taken[i]), 0);
	for (uint64_t i = 0; i < COUNT; i++)
		ck_assert_int_eq(queue_get_number(queue, 0), (int64_t)(i * STEP));
	ck_assert_int_eq(queue_get_number(queue, 0), 1000000);
	ck_assert_int_eq(queue_get_number(queue, 0), 1000001);
	ck_assert_int_eq(queue_get_number(queue, 0), -EAGAIN);
}
END_TEST

START_TEST(message_held_for_long_holds_up_nobody)
{
	struct weir_taken held;
	uint64_t bytes;

	put(0, 1);
	ck_assert_int_eq(weir_queue_take(queue, 0, 0, &held), 0);
	for (uint64_t i = 0; i < 50 * QUEUE_SLOTS; i++) {
		put(i, 1);
		ck_assert_int_eq(queue_get_number(queue, 0), (int64_t)i);
	}
	bytes = queue_stat(queue).bytes;
	ck_assert_msg(bytes <= 512 << 10, "%lu bytes", (unsigned long)bytes);
	ck_assert_uint_eq(number_of(&held), 0);
	ck_assert_int_eq(weir_queue_release(queue, &held), 0);
}
END_TEST

START_TEST(peek_and_get_see_what_was_returned)
{
	struct weir_taken taken;
	size_t size = 0;
	char c;

	ck_assert_int_eq(weir_queue_put(queue, "a", 1, 0, 0), 0);
	ck_assert_int_eq(weir_queue_put(queue, "bc", 2, 0, 0), 0);
	ck_assert_int_eq(weir_queue_take(queue, 0, 0, &taken), 0);
	ck_assert_int_eq(weir_queue_peek(queue, &size), 0);
	ck_assert_uint_eq(size, 2);
	ck_assert_int_eq(weir_queue_return(queue, &taken), 0);
	ck_assert_int_eq(weir_queue_peek(queue, &size), 0);
	ck_assert_uint_eq(size, 1);
	ck_assert_int_eq(weir_queue_get(queue, &c, 1, 0, 0, &size), 0);
	ck_assert_int_eq(c, 'a');
	ck_assert_int_eq(weir_queue_peek(queue, &size), 0);
	ck_assert_uint_eq(size, 2);
}
END_TEST

START_TEST(one_too_many_taken_returns_edquot)
{
	struct weir_queue_options options = { .size = sizeof(options), .max_taken = 3 };
	struct weir_taken taken[4];
	struct weir_queue *q;

	ck_assert_int_eq(weir_queue(&q, &options), 0);
	for (uint64_t i = 0; i < 5; i++)
		ck_assert_int_eq(queue_put_number(q, i, 0), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(weir_queue_take(q, 0, 0, &taken[i]), 0);
	ck_assert_int_eq(weir_queue_take(q, 0, 0, &taken[3]), -EDQUOT);
	/* Getting is something else. */
	ck_assert_int_eq(queue_get_number(q, 0), 3);
	ck_assert_int_eq(weir_queue_release(q, &taken[1]), 0);
	ck_assert_int_eq(weir_queue_take(q, 0, 0, &taken[3]), 0);
	ck_assert_uint_eq(number_of(&taken[3]), 4);
	weir_queue_close(q);
}
END_TEST

START_TEST(take_of_an_empty_queue_waits_and_gives_up)
{
	struct weir_taken taken = { .place = 4711 };

	ck_assert_int_eq(weir_queue_take(queue, 0, 0, &taken), -EAGAIN);
	ck_assert_int_eq(weir_queue_take(queue, 0, 1, &taken), -ETIMEDOUT);
	ck_assert_int_eq(weir_queue_take(queue, 0, test_now() + 3000000, &taken), -ETIMEDOUT);
	ck_assert_uint_eq(taken.place, 4711);
	ck_assert_int_eq(weir_queue_take(NULL, 0, 0, &taken), -EINVAL);
	ck_assert_int_eq(weir_queue_take(queue, 0, 0, NULL), -EINVAL);
	ck_assert_int_eq(weir_queue_take(queue, WEIR_MORE, 0, &taken), -EINVAL);
}
END_TEST

START_TEST(release_of_what_was_never_taken_returns_einval)
{
	struct weir_taken taken, forged;

	put(0, 2);
	ck_assert_int_eq(weir_queue_take(queue, 0, 0, &taken), 0);
	ck_assert_int_eq(weir_queue_release(NULL, &taken), -EINVAL);
	ck_assert_int_eq(weir_queue_release(queue, NULL), -EINVAL);
	ck_assert_int_eq(weir_queue_return(queue, NULL), -EINVAL);
	forged = taken;
	forged.place = taken.place + 1;
	ck_assert_int_eq(weir_queue_release(queue, &forged), -EINVAL);
	forged.place = UINT32_MAX;
	ck_assert_int_eq(weir_queue_release(queue, &forged), -EINVAL);
	forged = taken;
	forged.token ^= SLOT_TURN_ONE;
	ck_assert_int_eq(weir_queue_release(queue, &forged), -EINVAL);
	forged.token = 0;
	ck_assert_int_eq(weir_queue_release(queue, &forged), -EINVAL);
	forged.token = UINT64_MAX;
	ck_assert_int_eq(weir_queue_return(queue, &forged), -EINVAL);
	ck_assert_int_eq(weir_queue_release(queue, &taken), 0);
	/* A new one in the same place is another one. */
	ck_assert_int_eq(weir_queue_take(queue, 0, 0, &forged), 0);
	ck_assert_int_eq(weir_queue_release(queue, &taken), -EINVAL);
	ck_assert_int_eq(weir_queue_release(queue, &forged), 0);
}
END_TEST

START_TEST(large_messages_are_taken_in_place)
{
	const size_t size = 2500000;
	uint8_t *data = malloc(size);
	struct weir_taken taken[3];

	for (uint64_t i = 0; i < 3; i++) {
		queue_fill(data, size, i);
		ck_assert_int_eq(weir_queue_put(queue, data, size, 0, 0), 0);
	}
	for (uint64_t i = 0; i < 3; i++)
		ck_assert_int_eq(weir_queue_take(queue, 0, 0, &taken[i]), 0);
	/* What is taken is not used for others. */
	for (uint64_t i = 10; i < 14; i++) {
		queue_fill(data, size, i);
		ck_assert_int_eq(weir_queue_put(queue, data, size, 0, 0), 0);
	}
	for (uint64_t i = 0; i < 3; i++) {
		ck_assert_uint_eq(taken[i].size, size);
		ck_assert(queue_is_filled(taken[i].data, size, i));
		ck_assert_int_eq(weir_queue_release(queue, &taken[i]), 0);
	}
	free(data);
}
END_TEST

START_TEST(leases_in_more_frames_than_there_are_places_come_back)
{
	enum { COUNT = 3 * SEAT_FRAMES };
	struct weir_taken taken[COUNT];

	for (uint64_t i = 0; i < COUNT; i++) {
		put(i, 1);
		ck_assert_int_eq(weir_queue_take(queue, 0, 0, &taken[i]), 0);
		for (uint64_t k = 0; k < QUEUE_SLOTS; k++) {
			put(k, 1);
			ck_assert_int_eq(queue_get_number(queue, 0), (int64_t)k);
		}
	}
	for (uint64_t i = 0; i < COUNT; i += 2)
		ck_assert_int_eq(weir_queue_return(queue, &taken[i]), 0);
	for (uint64_t i = 1; i < COUNT; i += 2)
		ck_assert_int_eq(weir_queue_release(queue, &taken[i]), 0);
	for (uint64_t i = 0; i < COUNT; i += 2)
		ck_assert_int_eq(queue_get_number(queue, 0), (int64_t)i);
	ck_assert_int_eq(queue_get_number(queue, 0), -EAGAIN);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("queue-take");
	TCase *t = tcase_create("claims");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, claims_of_all_sizes_are_committed);
	tcase_add_test(t, second_claim_and_puts_return_ebusy);
	tcase_add_test(t, commit_of_nothing_or_too_much_returns_einval);
	tcase_add_test(t, aborted_claims_take_no_memory);
	tcase_add_test(t, claim_of_a_full_queue_stays_until_there_is_room);
	tcase_add_test(t, claim_larger_than_the_queue_returns_emsgsize);
	suite_add_tcase(s, t);
	t = tcase_create("taking");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, taken_messages_are_released_in_any_order);
	tcase_add_test(t, returned_message_comes_early_and_says_how_often);
	tcase_add_test(t, returned_messages_of_many_segments_come_in_their_order);
	tcase_add_test(t, message_held_for_long_holds_up_nobody);
	tcase_add_test(t, peek_and_get_see_what_was_returned);
	tcase_add_test(t, one_too_many_taken_returns_edquot);
	tcase_add_test(t, take_of_an_empty_queue_waits_and_gives_up);
	tcase_add_test(t, release_of_what_was_never_taken_returns_einval);
	tcase_add_test(t, large_messages_are_taken_in_place);
	tcase_add_test(t, leases_in_more_frames_than_there_are_places_come_back);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return test_main(suite());
}
