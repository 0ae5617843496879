/* SPDX-License-Identifier: MIT */
/* Messages in place between processes: streams, who waits for room, and who takes over. */
#include "pipe-tools.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#define CAPACITY	(UINT64_C(16) << 10)
#define COUNT		(30000 / LESS)
#define HELD		20

static struct weir_end *ends[2];
static uint8_t buffer[CAPACITY];

static void setup(void)
{
	ck_assert_int_eq(pipe_make(ends, 0, CAPACITY), 0);
}

static void teardown(void)
{
	pipe_close_both(ends);
}

static size_t size_of(uint64_t number)
{
	uint64_t mixed = (number + 1) * UINT64_C(0x9e3779b97f4a7c15) >> 20;

	return number % 8 ? mixed % 100 : mixed % 3000;
}

static int send_claimed(struct weir_end *end, uint64_t number, uint32_t flags, int64_t deadline)
{
	size_t size = size_of(number);
	void *data;
	/* Now and then more than it comes to. */
	int result = weir_pipe_claim(end, size + number % 3 * 8, flags, deadline, &data);

	if (result < 0)
		return result;
	message_fill(data, size, number);
	if (number % 11 == 5)
		return weir_pipe_abort(end);
	return weir_pipe_commit(end, size, number % 5 == 0 ? WEIR_MORE : 0);
}

static uint32_t stream_flags;

static int send_stream(void *arg)
{
	for (uint64_t n = 0; n < COUNT; n++)
		child_check(send_claimed(arg, n, stream_flags, soon()) == 0);
	child_check(weir_pipe_flush(arg) == 0);
	return 0;
}

struct held {
	const void *data;
	uint64_t number;
};

static bool is_right(const struct held *h)
{
	return message_is(h->data, size_of(h->number), h->number);
}

/* Takes by ones and by several, and releases in any order. */
static void receive_stream(struct weir_end *end)
{
	static struct held held[HELD];
	uint64_t count = 0, n = 0;

	while (n < COUNT || count > 0) {
		struct weir_msg m[4];
		size_t most = HELD - count < 4 ? HELD - count : 4;
		/* Who holds some of it does not wait for more. */
		int got = -EAGAIN;

		if (n < COUNT && n % 11 == 5)
			n++;
		if (n < COUNT && most > 0)
			got = weir_pipe_take_batch(end, m, most, stream_flags, count ? 0 : soon());
		ck_assert(got > 0 || (got == -EAGAIN && count > 0));
		for (int i = 0; i < got; i++, n++) {
			n += n % 11 == 5;
			held[count] = (struct held){ m[i].data, n };
			ck_assert_uint_eq(m[i].size, size_of(n));
			ck_assert(is_right(&held[count++]));
		}
		while (count > 0 && (got < 0 || test_random_below(3))) {
			uint64_t which = test_random_below(count);

			ck_assert(is_right(&held[which]));
			ck_assert_int_eq(weir_pipe_release(end, held[which].data), 0);
			held[which] = held[--count];
		}
	}
	ck_assert_int_eq(weir_pipe_recv(end, buffer, sizeof(buffer), 0, 0, NULL), -EAGAIN);
}

START_TEST(stream_in_place_arrives_whole)
{
	struct child child;

	stream_flags = _i / 2 ? WEIR_NOSPIN : 0;
	child = child_start(send_stream, ends[_i % 2]);
	receive_stream(ends[1 - _i % 2]);
	child_join_ok(&child);
}
END_TEST

/*
 * Room
 */

static int send_the_largest(void *arg)
{
	(void)arg;
	message_fill(buffer, CAPACITY - 16, 9);
	child_check(weir_pipe_send(ends[1], buffer, CAPACITY - 16, WEIR_NOSPIN, soon()) == 0);
	return 0;
}

/*
 * A receiver with an event loop: all is received, some of it is taken, and its release is the last
 * that the loop does before it waits for the descriptor.
 */
START_TEST(release_before_waiting_for_the_descriptor_wakes_the_sender)
{
	struct pollfd p = { .events = POLLIN };

	p.fd = weir_pipe_fd(ends[0]);
	for (int round = 0; round < 6; round++) {
		const void *data;
		struct child child;
		size_t size;

		ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
		ck_assert_int_eq(weir_pipe_handover(ends[1]), 0);
		ck_assert_int_eq(weir_pipe_take(ends[0], 0, 0, &data, &size), 0);
		ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
		if (round % 2)
			ck_assert_int_eq(weir_pipe_release(ends[0], data), 0);
		child = child_start(send_the_largest, NULL);
		if (round % 2 == 0) {
			ck_assert(child_wait_asleep(child.pid));
			ck_assert_int_eq(weir_pipe_release(ends[0], round ? data : NULL), 0);
		}
		ck_assert_int_eq(poll(&p, 1, 10000), 1);
		ck_assert_int_eq(weir_pipe_take(ends[0], 0, soon(), &data, &size), 0);
		ck_assert(size == CAPACITY - 16 && message_is(data, size, 9));
		ck_assert_int_eq(weir_pipe_release(ends[0], data), 0);
		ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
		child_join_ok(&child);
	}
}
END_TEST

/*
 * Taking over
 */

static int take_some_and_die(void *arg)
{
	const void *data[6];
	size_t size;

	(void)arg;
	for (uint64_t n = 0; n < 6; n++) {
		child_check(weir_pipe_take(ends[0], 0, soon(), &data[n], &size) == 0);
		child_check(size == size_of(n) && message_is(data[n], size, n));
	}
	/* 0 and 1 are received; 3 is not, though released: 2 is before it. */
	child_check(weir_pipe_release(ends[0], data[1]) == 0);
	child_check(weir_pipe_release(ends[0], data[0]) == 0);
	child_check(weir_pipe_release(ends[0], data[3]) == 0);
	child_check(weir_pipe_recv(ends[0], buffer, sizeof(buffer), 0, 0, &size) == 0);
	raise(SIGKILL);
	return 0;
}

START_TEST(taken_messages_of_a_killed_process_are_received_again_by_the_next)
{
	struct child child;
	size_t size;
	int status;

	for (uint64_t n = 0; n < 8; n++) {
		message_fill(buffer, size_of(n), n);
		ck_assert_int_eq(weir_pipe_send(ends[1], buffer, size_of(n), 0, 0), 0);
	}
	child = child_start(take_some_and_die, NULL);
	status = child_join(&child);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	for (uint64_t n = 2; n < 8; n++) {
		ck_assert_int_eq(weir_pipe_recv(ends[0], buffer, sizeof(buffer), 0, 0, &size), 0);
		ck_assert(size == size_of(n) && message_is(buffer, size, n));
	}
	ck_assert_int_eq(weir_pipe_recv(ends[0], buffer, sizeof(buffer), 0, 0, &size), -EAGAIN);
}
END_TEST

static int claim_and_die(void *arg)
{
	void *data;

	(void)arg;
	child_check(send_number(ends[1], 1, 0) == 0);
	child_check(weir_pipe_claim(ends[1], 3000, 0, 0, &data) == 0);
	/* What looks like messages. */
	for (uint64_t *word = data, i = 0; i < 3000 / 8; i++)
		word[i] = RECORD_MARK | 8;
	raise(SIGKILL);
	return 0;
}

START_TEST(claim_of_a_killed_process_has_never_been)
{
	for (int round = 0; round < 10; round++) {
		struct child child = child_start(claim_and_die, NULL);
		int status = child_join(&child);

		ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		ck_assert_int_eq(recv_number(ends[0], 0), 1);
		ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
		ck_assert_int_eq(send_number(ends[1], 2, 0), 0);
		ck_assert_int_eq(recv_number(ends[0], 0), 2);
		ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
		ck_assert_int_eq(weir_pipe_handover(ends[1]), 0);
	}
}
END_TEST

static int use_what_is_inherited(void *arg)
{
	const void *data;
	size_t size;

	/* Not even where the parent keeps it: a thread of its may just have been changing that. */
	child_check(!ends[0]->rx->ledger.taken && !ends[0]->rx->store);
	child_check(weir_pipe_take(ends[0], 0, 0, &data, &size) == -EBUSY);
	child_check(weir_pipe_release(ends[0], NULL) == 0);
	child_check(weir_pipe_release(ends[0], *(void **)arg) == -EINVAL);
	weir_pipe_close(ends[0]);
	weir_pipe_close(ends[1]);
	return 0;
}

START_TEST(forked_child_has_nothing_taken_and_disturbs_nothing)
{
	const void *data[100];
	struct child child;
	size_t size;

	for (uint64_t n = 0; n < 100; n++)
		ck_assert_int_eq(send_number(ends[1], n, 0), 0);
	for (uint64_t n = 0; n < 100; n++)
		ck_assert_int_eq(weir_pipe_take(ends[0], 0, 0, &data[n], &size), 0);
	child = child_start(use_what_is_inherited, &data[50]);
	child_join_ok(&child);
	for (uint64_t n = 0; n < 100; n++) {
		ck_assert_uint_eq(*(const uint64_t *)data[n], n);
		ck_assert_int_eq(weir_pipe_release(ends[0], data[n]), 0);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pipe-place");
	TCase *tcase = tcase_create("pipe-place");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, stream_in_place_arrives_whole, 0, 4);
	tcase_add_test(tcase, release_before_waiting_for_the_descriptor_wakes_the_sender);
	tcase_add_test(tcase, taken_messages_of_a_killed_process_are_received_again_by_the_next);
	tcase_add_test(tcase, claim_of_a_killed_process_has_never_been);
	tcase_add_test(tcase, forked_child_has_nothing_taken_and_disturbs_nothing);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
