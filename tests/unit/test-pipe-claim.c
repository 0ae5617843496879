/* SPDX-License-Identifier: MIT */
/* Messages written in place: claim, commit and abort. */
#include "place-bed.h"

START_TEST(claimed_sizes_from_none_to_the_largest_arrive_whole)
{
	for (size_t size = 0; size <= LARGEST; size += size < 600 ? 1 : 331) {
		send_in_place(ends[0], size, size, 0);
		expect_message(ends[1], size, size);
	}
	send_in_place(ends[0], LARGEST, 1, 0);
	expect_message(ends[1], LARGEST, 1);
	expect_nothing(ends[1]);
}
END_TEST

START_TEST(claim_of_more_than_the_ring_is_emsgsize)
{
	void *data = buffer;

	ck_assert_int_eq(weir_pipe_claim(ends[0], LARGEST + 1, 0, soon(), &data), -EMSGSIZE);
	ck_assert_int_eq(weir_pipe_claim(ends[0], SIZE_MAX, 0, soon(), &data), -EMSGSIZE);
	ck_assert_ptr_eq(data, buffer);
	ck_assert_int_eq(weir_pipe_commit(ends[0], 0, 0), -EINVAL);
	send_in_place(ends[0], 8, 1, 0);
	expect_message(ends[1], 8, 1);
}
END_TEST

START_TEST(commit_may_be_shorter_than_the_claim)
{
	for (uint64_t n = 0; n < 3 * CAPACITY / 100; n++) {
		size_t size = test_random_below(100);

		claim(ends[1], 100, size, n);
		ck_assert_int_eq(weir_pipe_commit(ends[1], size, 0), 0);
		claim(ends[1], LARGEST - 16 - size, 5, n + 1);
		ck_assert_int_eq(weir_pipe_commit(ends[1], 5, 0), 0);
		expect_message(ends[0], size, n);
		expect_message(ends[0], 5, n + 1);
		expect_nothing(ends[0]);
	}
}
END_TEST

START_TEST(nothing_is_seen_before_the_commit)
{
	claim(ends[0], 64, 64, 1);
	expect_nothing(ends[1]);
	ck_assert_int_eq(weir_pipe_commit(ends[0], 64, 0), 0);
	expect_message(ends[1], 64, 1);
}
END_TEST

START_TEST(aborted_claim_was_never_begun)
{
	size_t room = room_of(ends[0]);

	for (uint64_t n = 0; n < 100; n++) {
		claim(ends[0], 1000, 1000, n);
		ck_assert_int_eq(weir_pipe_abort(ends[0]), 0);
		expect_nothing(ends[1]);
	}
	ck_assert_uint_eq(room_of(ends[0]), room);
	claim(ends[0], 1000, 1000, 7);
	ck_assert_int_eq(weir_pipe_abort(ends[0]), 0);
	send_message(ends[0], 30, 8, 0);
	expect_message(ends[1], 30, 8);
}
END_TEST

START_TEST(commit_with_more_is_seen_after_a_flush)
{
	send_in_place(ends[0], 20, 1, WEIR_MORE);
	send_in_place(ends[0], 500, 2, WEIR_MORE);
	expect_nothing(ends[1]);
	ck_assert_int_eq(weir_pipe_flush(ends[0]), 0);
	expect_message(ends[1], 20, 1);
	expect_message(ends[1], 500, 2);
}
END_TEST

START_TEST(claims_and_sends_mix_in_a_batch)
{
	for (uint64_t round = 0; round < 200; round++) {
		send_message(ends[0], 11, 1, WEIR_MORE);
		send_in_place(ends[0], 600, 2, WEIR_MORE);
		claim(ends[0], 50, 50, 3);
		expect_nothing(ends[1]);
		ck_assert_int_eq(weir_pipe_abort(ends[0]), 0);
		send_message(ends[0], 12, 4, WEIR_MORE);
		expect_nothing(ends[1]);
		send_in_place(ends[0], 13, 5, 0);
		expect_message(ends[1], 11, 1);
		expect_message(ends[1], 600, 2);
		expect_message(ends[1], 12, 4);
		expect_message(ends[1], 13, 5);
	}
}
END_TEST

START_TEST(claim_that_does_not_fit_publishes_what_is_pending)
{
	void *data;

	send_message(ends[0], LARGEST / 16, 1, WEIR_MORE);
	ck_assert_int_eq(weir_pipe_claim(ends[0], LARGEST, 0, 0, &data), -EAGAIN);
	expect_message(ends[1], LARGEST / 16, 1);
	expect_nothing(ends[1]);
	send_in_place(ends[0], LARGEST, 2, 0);
	ck_assert_int_eq(weir_pipe_claim(ends[0], 0, 0, weir_after(MS), &data), -ETIMEDOUT);
	expect_message(ends[1], LARGEST, 2);
}
END_TEST

START_TEST(claimant_gets_ebusy_for_other_sends)
{
	struct weir_msg m = { .data = buffer, .size = 3 };
	struct iovec part = { buffer, 3 };
	uint32_t events = MARK;
	void *data = buffer;

	claim(ends[0], 10, 10, 1);
	ck_assert_int_eq(weir_pipe_claim(ends[0], 1, 0, soon(), &data), -EBUSY);
	ck_assert_ptr_eq(data, buffer);
	ck_assert_int_eq(weir_pipe_send(ends[0], buffer, 3, 0, soon()), -EBUSY);
	ck_assert_int_eq(weir_pipe_send(ends[0], NULL, 0, 0, 0), -EBUSY);
	ck_assert_int_eq(weir_pipe_send(ends[0], buffer, 3, WEIR_MORE, WEIR_FOREVER), -EBUSY);
	ck_assert_int_eq(weir_pipe_send(ends[0], buffer, 2 * CAPACITY, 0, soon()), -EBUSY);
	ck_assert_int_eq(weir_pipe_sendv(ends[0], &part, 1, 0, soon()), -EBUSY);
	ck_assert_int_eq(weir_pipe_send_batch(ends[0], &m, 1, 0, soon()), -EBUSY);
	ck_assert_int_eq(weir_pipe_flush(ends[0]), -EBUSY);
	ck_assert_int_eq(weir_pipe_handover(ends[0]), -EBUSY);
	ck_assert_int_eq(weir_pipe_poll(ends[0], WEIR_OUT, 0, soon(), &events), -EBUSY);
	ck_assert_uint_eq(events, MARK);
	/* The other direction is not concerned. */
	send_message(ends[1], 9, 4, 0);
	expect_message(ends[0], 9, 4);
	expect_nothing(ends[1]);
	ck_assert_int_eq(weir_pipe_commit(ends[0], 10, 0), 0);
	expect_message(ends[1], 10, 1);
	ck_assert_int_eq(weir_pipe_handover(ends[0]), 0);
}
END_TEST

START_TEST(commit_and_abort_without_a_claim_are_einval)
{
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(weir_pipe_commit(ends[0], 0, 0), -EINVAL);
		ck_assert_int_eq(weir_pipe_commit(ends[0], 0, WEIR_MORE), -EINVAL);
		ck_assert_int_eq(weir_pipe_abort(ends[0]), -EINVAL);
		send_in_place(ends[0], 1, 1, 0);
	}
	claim(ends[0], 1, 1, 1);
	ck_assert_int_eq(weir_pipe_abort(ends[0]), 0);
	ck_assert_int_eq(weir_pipe_abort(ends[0]), -EINVAL);
	ck_assert_int_eq(weir_pipe_commit(ends[0], 1, 0), -EINVAL);
	expect_message(ends[1], 1, 1);
	expect_message(ends[1], 1, 1);
	expect_nothing(ends[1]);
}
END_TEST

START_TEST(commit_of_more_than_was_claimed_is_einval_and_the_claim_stays)
{
	claim(ends[0], 10, 10, 1);
	ck_assert_int_eq(weir_pipe_commit(ends[0], 11, 0), -EINVAL);
	ck_assert_int_eq(weir_pipe_commit(ends[0], SIZE_MAX, WEIR_MORE), -EINVAL);
	ck_assert_int_eq(weir_pipe_commit(ends[0], 10, WEIR_INTR), -EINVAL);
	ck_assert_int_eq(weir_pipe_commit(ends[0], 10, 0), 0);
	expect_message(ends[1], 10, 1);
}
END_TEST

START_TEST(wrong_arguments_in_place)
{
	struct weir_end *one[2];
	struct weir_msg m;
	const void *data;
	void *to;
	size_t size;

	ck_assert_int_eq(weir_pipe_claim(NULL, 1, 0, 0, &to), -EINVAL);
	ck_assert_int_eq(weir_pipe_claim(ends[0], 1, 0, 0, NULL), -EINVAL);
	ck_assert_int_eq(weir_pipe_claim(ends[0], 1, WEIR_MORE, 0, &to), -EINVAL);
	ck_assert_int_eq(weir_pipe_commit(NULL, 1, 0), -EINVAL);
	ck_assert_int_eq(weir_pipe_abort(NULL), -EINVAL);
	ck_assert_int_eq(weir_pipe_take(NULL, 0, 0, &data, &size), -EINVAL);
	ck_assert_int_eq(weir_pipe_take(ends[0], 0, 0, NULL, &size), -EINVAL);
	ck_assert_int_eq(weir_pipe_take(ends[0], 0, 0, &data, NULL), -EINVAL);
	ck_assert_int_eq(weir_pipe_take(ends[0], WEIR_MORE, 0, &data, &size), -EINVAL);
	ck_assert_int_eq(weir_pipe_take_batch(NULL, &m, 1, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_pipe_take_batch(ends[0], NULL, 1, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_pipe_take_batch(ends[0], &m, 0, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_pipe_take_batch(ends[0], &m, (size_t)INT32_MAX + 1, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_pipe_take_batch(ends[0], &m, 1, WEIR_MORE, 0), -EINVAL);
	ck_assert_int_eq(weir_pipe_release(NULL, NULL), -EINVAL);
	ck_assert_int_eq(weir_pipe_limit(NULL, 1), -EINVAL);

	ck_assert_int_eq(pipe_make(one, WEIR_PIPE_ONEWAY, CAPACITY), 0);
	ck_assert_int_eq(weir_pipe_claim(one[0], 1, 0, 0, &to), -EOPNOTSUPP);
	ck_assert_int_eq(weir_pipe_commit(one[0], 1, 0), -EOPNOTSUPP);
	ck_assert_int_eq(weir_pipe_abort(one[0]), -EOPNOTSUPP);
	ck_assert_int_eq(weir_pipe_take(one[1], 0, 0, &data, &size), -EOPNOTSUPP);
	ck_assert_int_eq(weir_pipe_take_batch(one[1], &m, 1, 0, 0), -EOPNOTSUPP);
	ck_assert_int_eq(weir_pipe_release(one[1], NULL), -EOPNOTSUPP);
	ck_assert_int_eq(weir_pipe_limit(one[1], 1), -EOPNOTSUPP);
	pipe_close_both(one);
}
END_TEST

START_TEST(claim_on_a_pipe_that_has_ended_fails_as_a_send)
{
	struct weir_end *other[2];
	void *data = buffer;

	ck_assert_int_eq(pipe_make(other, 0, CAPACITY), 0);
	weir_pipe_close(other[1]);
	ck_assert_int_eq(weir_pipe_claim(other[0], 8, 0, soon(), &data), -EPIPE);
	weir_pipe_close(other[0]);
	claim(ends[0], 8, 8, 1);
	ck_assert_int_eq(weir_pipe_shutdown(ends[0]), 0);
	ck_assert_int_eq(weir_pipe_commit(ends[0], 8, 0), 0);
	ck_assert_int_eq(weir_pipe_claim(ends[0], 8, 0, soon(), &data), -ESHUTDOWN);
	ck_assert_ptr_eq(data, buffer);
	expect_message(ends[1], 8, 1);
	ck_assert_int_eq(weir_pipe_recv(ends[1], buffer, 8, 0, soon(), NULL), -ESHUTDOWN);
}
END_TEST

START_TEST(close_gives_a_claim_up)
{
	send_message(ends[0], 5, 1, WEIR_MORE);
	claim(ends[0], 100, 100, 2);
	weir_pipe_close(ends[0]);
	ends[0] = NULL;
	expect_message(ends[1], 5, 1);
	ck_assert_int_eq(weir_pipe_recv(ends[1], buffer, CAPACITY, 0, 0, NULL), -EPIPE);
}
END_TEST

static int heir_sends(void *arg)
{
	struct barrier *barrier = arg;
	void *data;

	child_check(weir_pipe_commit(ends[0], 0, 0) == -EINVAL);
	child_check(weir_pipe_abort(ends[0]) == -EINVAL);
	child_check(weir_pipe_claim(ends[0], 10, 0, 0, &data) == -EBUSY);
	child_check(barrier_wait(barrier));
	/* The parent commits, and hands over. */
	child_check(barrier_wait(barrier));
	child_check(weir_pipe_claim(ends[0], 10, 0, soon(), &data) == 0);
	message_fill(data, 10, 2);
	child_check(weir_pipe_commit(ends[0], 10, 0) == 0);
	return 0;
}

START_TEST(forked_child_has_no_claim_and_can_send_after_a_handover)
{
	struct barrier *barrier = barrier_create(2);
	struct child child;

	claim(ends[0], 10, 10, 1);
	child = child_start(heir_sends, barrier);
	ck_assert(barrier_wait(barrier));
	ck_assert_int_eq(weir_pipe_commit(ends[0], 10, 0), 0);
	ck_assert_int_eq(weir_pipe_handover(ends[0]), 0);
	ck_assert(barrier_wait(barrier));
	child_join_ok(&child);
	expect_message(ends[1], 10, 1);
	expect_message(ends[1], 10, 2);
}
END_TEST

/*
 * Several at once
 */

#define MANY	32

/* Claim @count messages of these sizes and write message @number and those behind it. How many. */
static int claim_batch(struct weir_end *end, struct weir_msg *messages, size_t count,
		       uint64_t number)
{
	int claimed = weir_pipe_claim_batch(end, messages, count, 0, 0);

	ck_assert_int_ge(claimed, 1);
	ck_assert_int_le(claimed, (int)count);
	for (int i = 0; i < claimed; i++) {
		ck_assert_uint_eq((uintptr_t)messages[i].data % 8, 0);
		message_fill(messages[i].data, messages[i].size, number + (uint64_t)i);
	}
	return claimed;
}

START_TEST(claimed_batches_of_all_sizes_arrive_in_order)
{
	uint64_t sent = 0, received = 0;

	for (int round = 0; round < 2000; round++) {
		struct weir_msg m[MANY];
		size_t sizes[MANY], count = 1 + test_random_below(MANY), commit;
		int claimed;

		for (size_t i = 0; i < count; i++)
			m[i] = (struct weir_msg){ .size = test_random_below(300) };
		claimed = claim_batch(ends[0], m, count, sent);
		commit = 1 + test_random_below((uint64_t)claimed);
		m[commit - 1].size = test_random_below(m[commit - 1].size + 1);
		for (size_t i = 0; i < commit; i++)
			sizes[i] = m[i].size;
		expect_nothing(ends[1]);
		ck_assert_int_eq(weir_pipe_commit_batch(ends[0], m, commit, 0), 0);
		sent += commit;
		for (size_t i = 0; i < commit; i++)
			expect_message(ends[1], sizes[i], received++);
		expect_nothing(ends[1]);
	}
}
END_TEST

START_TEST(batch_claims_as_many_as_there_is_room_for)
{
	struct weir_msg m[MANY];
	size_t claimed, sent = 0;

	for (size_t i = 0; i < MANY; i++)
		m[i] = (struct weir_msg){ .size = 1000 };
	/* An eighth of the ring: two of a thousand bytes. */
	while (weir_pipe_claim_batch(ends[0], m, MANY, 0, 0) == 2) {
		ck_assert_int_eq(weir_pipe_commit_batch(ends[0], m, 2, 0), 0);
		sent += 2;
	}
	ck_assert_uint_eq(sent, 16);
	ck_assert_int_eq(weir_pipe_claim_batch(ends[0], m, MANY, 0, 0), -EAGAIN);
	m[0].size = 100;
	claimed = (size_t)weir_pipe_claim_batch(ends[0], m, MANY, 0, 0);
	ck_assert_uint_eq(claimed, 1);
	ck_assert_int_eq(weir_pipe_abort(ends[0]), 0);
	/* One that is larger than an eighth goes alone. */
	for (size_t i = 0; i < sent; i++)
		ck_assert_int_eq(weir_pipe_recv(ends[1], buffer, 1000, 0, 0, NULL), 0);
	expect_nothing(ends[1]);
	m[0].size = LARGEST;
	ck_assert_int_eq(weir_pipe_claim_batch(ends[0], m, MANY, 0, soon()), 1);
	message_fill(m[0].data, LARGEST, 7);
	ck_assert_int_eq(weir_pipe_commit_batch(ends[0], m, 1, 0), 0);
	expect_message(ends[1], LARGEST, 7);
	m[0].size = LARGEST + 1;
	ck_assert_int_eq(weir_pipe_claim_batch(ends[0], m, MANY, 0, soon()), -EMSGSIZE);
	send_in_place(ends[0], 9, 8, 0);
	expect_message(ends[1], 9, 8);
}
END_TEST

START_TEST(batch_with_more_waits_for_the_flush)
{
	struct weir_msg m[3] = { { .size = 10 }, { .size = 0 }, { .size = 64 } };

	for (uint64_t n = 0; n < 300; n += 4) {
		send_message(ends[0], 5, n, n % 8 ? WEIR_MORE : 0);
		ck_assert_int_eq(claim_batch(ends[0], m, 3, n + 1), 3);
		ck_assert_int_eq(weir_pipe_commit_batch(ends[0], m, 3, WEIR_MORE), 0);
		if (n % 8 == 0)
			expect_message(ends[1], 5, n);
		expect_nothing(ends[1]);
		ck_assert_int_eq(weir_pipe_flush(ends[0]), 0);
		if (n % 8)
			expect_message(ends[1], 5, n);
		expect_message(ends[1], 10, n + 1);
		expect_message(ends[1], 0, n + 2);
		expect_message(ends[1], 64, n + 3);
	}
}
END_TEST

START_TEST(commit_of_what_was_not_claimed_is_einval)
{
	struct weir_msg m[3] = { { .size = 10 }, { .size = 20 }, { .size = 30 } }, wrong[3];

	ck_assert_int_eq(weir_pipe_commit_batch(ends[0], m, 1, 0), -EINVAL);
	ck_assert_int_eq(weir_pipe_claim_batch(NULL, m, 3, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_pipe_claim_batch(ends[0], NULL, 3, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_pipe_claim_batch(ends[0], m, 0, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_pipe_claim_batch(ends[0], m, 3, WEIR_MORE, 0), -EINVAL);
	ck_assert_int_eq(claim_batch(ends[0], m, 3, 1), 3);
	ck_assert_int_eq(weir_pipe_claim_batch(ends[0], m, 3, 0, 0), -EBUSY);
	ck_assert_int_eq(weir_pipe_commit_batch(ends[0], m, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_pipe_commit_batch(ends[0], NULL, 1, 0), -EINVAL);
	ck_assert_int_eq(weir_pipe_commit_batch(ends[0], m, 3, WEIR_INTR), -EINVAL);
	memcpy(wrong, m, sizeof(m));
	wrong[2].size = 33;
	ck_assert_int_eq(weir_pipe_commit_batch(ends[0], wrong, 3, 0), -EINVAL);
	wrong[2].size = SIZE_MAX;
	ck_assert_int_eq(weir_pipe_commit_batch(ends[0], wrong, 3, 0), -EINVAL);
	memcpy(wrong, m, sizeof(m));
	wrong[0].size = 1;	/* then the second would lie elsewhere */
	ck_assert_int_eq(weir_pipe_commit_batch(ends[0], wrong, 3, 0), -EINVAL);
	memcpy(wrong, m, sizeof(m));
	wrong[1].data = buffer;
	ck_assert_int_eq(weir_pipe_commit_batch(ends[0], wrong, 3, 0), -EINVAL);
	expect_nothing(ends[1]);
	ck_assert_int_eq(weir_pipe_commit_batch(ends[0], m, 3, 0), 0);
	for (uint64_t n = 0; n < 3; n++)
		expect_message(ends[1], 10 * (n + 1), n + 1);
	ck_assert_int_eq(weir_pipe_commit_batch(ends[0], m, 1, 0), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pipe-claim");
	TCase *claiming = add(suite, "claim"), *batch = add(suite, "batch");

	tcase_add_test(claiming, claimed_sizes_from_none_to_the_largest_arrive_whole);
	tcase_add_test(claiming, claim_of_more_than_the_ring_is_emsgsize);
	tcase_add_test(claiming, commit_may_be_shorter_than_the_claim);
	tcase_add_test(claiming, nothing_is_seen_before_the_commit);
	tcase_add_test(claiming, aborted_claim_was_never_begun);
	tcase_add_test(claiming, commit_with_more_is_seen_after_a_flush);
	tcase_add_test(claiming, claims_and_sends_mix_in_a_batch);
	tcase_add_test(claiming, claim_that_does_not_fit_publishes_what_is_pending);
	tcase_add_test(claiming, claimant_gets_ebusy_for_other_sends);
	tcase_add_test(claiming, commit_and_abort_without_a_claim_are_einval);
	tcase_add_test(claiming, commit_of_more_than_was_claimed_is_einval_and_the_claim_stays);
	tcase_add_test(claiming, wrong_arguments_in_place);
	tcase_add_test(claiming, claim_on_a_pipe_that_has_ended_fails_as_a_send);
	tcase_add_test(claiming, close_gives_a_claim_up);
	test_add_unless(claiming, kernel_unavailable(),
			forked_child_has_no_claim_and_can_send_after_a_handover);

	tcase_add_test(batch, claimed_batches_of_all_sizes_arrive_in_order);
	tcase_add_test(batch, batch_claims_as_many_as_there_is_room_for);
	tcase_add_test(batch, batch_with_more_waits_for_the_flush);
	tcase_add_test(batch, commit_of_what_was_not_claimed_is_einval);
	return test_main(suite);
}
