/* SPDX-License-Identifier: MIT */
/*
 * A pipe, and messages that are written and read in place or not, for the tests of both. These
 * helpers assert: not for children.
 */
#ifndef WEIR_TESTS_PLACE_BED_H
#define WEIR_TESTS_PLACE_BED_H

#include <errno.h>

#include "base/cc.h"
#include "pipe-tools.h"

#define CAPACITY	(UINT64_C(16) << 10)
#define LARGEST		((size_t)CAPACITY - 16)
#define MARK		4711

static struct weir_end *ends[2];
static uint8_t buffer[4 * CAPACITY];

static inline void setup(void)
{
	ck_assert_int_eq(pipe_make(ends, 0, CAPACITY), 0);
}

static inline void teardown(void)
{
	pipe_close_both(ends);
}

static inline void expect_message(struct weir_end *end, size_t size, uint64_t number)
{
	size_t got = MARK;

	memset(buffer, 0xa5, size + 1);
	ck_assert_int_eq(weir_pipe_recv(end, buffer, size, 0, 0, &got), 0);
	ck_assert_uint_eq(got, size);
	ck_assert_msg(message_is(buffer, size, number), "message %lu", (unsigned long)number);
	ck_assert(buffer[size] == 0xa5);
}

static inline void expect_nothing(struct weir_end *end)
{
	size_t got = MARK;

	ck_assert_int_eq(weir_pipe_recv(end, buffer, CAPACITY, 0, 0, &got), -EAGAIN);
	ck_assert_uint_eq(got, MARK);
}

static inline void send_message(struct weir_end *end, size_t size, uint64_t number, uint32_t flags)
{
	message_fill(buffer, size, number);
	ck_assert_int_eq(weir_pipe_send(end, buffer, size, flags, 0), 0);
}

/* Claim room for @room bytes and write a message of @size to it. */
static inline void claim(struct weir_end *end, size_t room, size_t size, uint64_t number)
{
	void *data = NULL;

	ck_assert_int_eq(weir_pipe_claim(end, room, 0, 0, &data), 0);
	ck_assert_ptr_nonnull(data);
	ck_assert_uint_eq((uintptr_t)data % 8, 0);
	memset(data, 0x77, room);
	message_fill(data, size, number);
}

static inline void send_in_place(struct weir_end *end, size_t size, uint64_t number, uint32_t flags)
{
	claim(end, size, size, number);
	ck_assert_int_eq(weir_pipe_commit(end, size, flags), 0);
}

static inline const void *take(struct weir_end *end, size_t size, uint64_t number)
{
	const void *data = NULL;
	size_t got = MARK;

	ck_assert_int_eq(weir_pipe_take(end, 0, 0, &data, &got), 0);
	ck_assert_uint_eq(got, size);
	ck_assert_uint_eq((uintptr_t)data % 8, 0);
	ck_assert_msg(message_is(data, size, number), "message %lu", (unsigned long)number);
	return data;
}

/* How many bytes the sender could send in one message without waiting. */
static inline size_t room_of(struct weir_end *end)
{
	size_t low = 0, high = LARGEST + 1;
	void *data;

	if (weir_pipe_claim(end, 0, 0, 0, &data) < 0)
		return 0;
	ck_assert_int_eq(weir_pipe_abort(end), 0);
	while (high - low > 1) {
		size_t middle = (low + high) / 2;
		int result = weir_pipe_claim(end, middle, 0, 0, &data);

		if (result == 0) {
			ck_assert_int_eq(weir_pipe_abort(end), 0);
			low = middle;
		} else {
			ck_assert_int_eq(result, -EAGAIN);
			high = middle;
		}
	}
	return low;
}

static inline TCase *add(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, setup, teardown);
	suite_add_tcase(suite, tcase);
	return tcase;
}

#endif
