/* SPDX-License-Identifier: MIT */
#include "obj/handshake.h"

#include <errno.h>
#include <string.h>

#include "support.h"

/* The bytes, as every version to come has to know them. */
START_TEST(hello_is_these_bytes)
{
	static const uint8_t bytes[24] = {
		'w', 'e', 'i', 'r', 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1,
	};
	struct handshake_hello hello = handshake_hello(UINT64_C(0x0102030405060708)), back;

	ck_assert_mem_eq(&hello, bytes, sizeof(bytes));
	ck_assert_int_eq(handshake_read_hello(bytes, sizeof(bytes), &back), 0);
	ck_assert_uint_eq(back.capacity, UINT64_C(0x0102030405060708));
}
END_TEST

START_TEST(welcome_is_these_bytes)
{
	static const uint8_t bytes[16] = {
		'w', 'e', 'i', 'r', 2, 0, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0,
	};
	struct handshake_welcome welcome = handshake_welcome(WELCOME_BUSY), back;

	ck_assert_mem_eq(&welcome, bytes, sizeof(bytes));
	ck_assert_int_eq(handshake_read_welcome(bytes, sizeof(bytes), &back), 0);
	ck_assert_uint_eq(back.status, WELCOME_BUSY);
}
END_TEST

START_TEST(ready_is_these_bytes)
{
	static const uint8_t bytes[8] = { 'w', 'e', 'i', 'r', 3, 0, 1, 0 };
	struct handshake_ready ready = handshake_ready();

	ck_assert_mem_eq(&ready, bytes, sizeof(bytes));
	ck_assert_int_eq(handshake_read_ready(bytes, sizeof(bytes)), 0);
}
END_TEST

/* Any of the three, by number. */
static const enum handshake_kind kinds[] = { HANDSHAKE_HELLO, HANDSHAKE_WELCOME, HANDSHAKE_READY };

static size_t make(enum handshake_kind kind, uint8_t *to)
{
	struct handshake_hello hello = handshake_hello(4096);
	struct handshake_welcome welcome = handshake_welcome(WELCOME_OK);
	struct handshake_ready ready = handshake_ready();

	switch (kind) {
	case HANDSHAKE_HELLO:
		memcpy(to, &hello, sizeof(hello));
		return sizeof(hello);
	case HANDSHAKE_WELCOME:
		memcpy(to, &welcome, sizeof(welcome));
		return sizeof(welcome);
	default:
		memcpy(to, &ready, sizeof(ready));
		return sizeof(ready);
	}
}

static int read_as(enum handshake_kind kind, const uint8_t *data, size_t size)
{
	struct handshake_hello hello;
	struct handshake_welcome welcome;

	switch (kind) {
	case HANDSHAKE_HELLO:
		return handshake_read_hello(data, size, &hello);
	case HANDSHAKE_WELCOME:
		return handshake_read_welcome(data, size, &welcome);
	default:
		return handshake_read_ready(data, size);
	}
}

START_TEST(another_size_is_ebadmsg)
{
	uint8_t message[HANDSHAKE_MAX] = { 0 };
	size_t size = make(kinds[_i], message);

	for (size_t n = 0; n < sizeof(message); n++)
		ck_assert_int_eq(read_as(kinds[_i], message, n), n == size ? 0 : -EBADMSG);
}
END_TEST

START_TEST(another_kind_is_ebadmsg)
{
	uint8_t message[HANDSHAKE_MAX] = { 0 };

	for (int other = 0; other < 3; other++) {
		size_t size = make(kinds[other], message);

		ck_assert_int_eq(read_as(kinds[_i], message, size), other == _i ? 0 : -EBADMSG);
	}
}
END_TEST

START_TEST(another_version_of_any_size_is_eproto)
{
	uint8_t message[HANDSHAKE_MAX] = { 0 };

	make(kinds[_i], message);
	message[6] = 2;
	for (size_t n = 8; n < sizeof(message); n++)
		ck_assert_int_eq(read_as(kinds[_i], message, n), -EPROTO);
	message[6] = 0;
	ck_assert_int_eq(read_as(kinds[_i], message, 8), -EPROTO);
	ck_assert_int_eq(read_as(kinds[_i], message, 7), -EBADMSG);
}
END_TEST

START_TEST(each_flipped_bit_is_noticed_or_is_a_value)
{
	uint8_t message[HANDSHAKE_MAX] = { 0 };
	size_t size = make(kinds[_i], message);

	for (size_t bit = 0; bit < size * 8; bit++) {
		size_t byte = bit / 8;
		/* The capacity of HELLO and the status of WELCOME may have any value. */
		bool value = (kinds[_i] == HANDSHAKE_HELLO && byte >= 16) ||
			     (kinds[_i] == HANDSHAKE_WELCOME && byte >= 8 && byte < 12);
		int result;

		message[byte] ^= (uint8_t)(1 << bit % 8);
		result = read_as(kinds[_i], message, size);
		if (value)
			ck_assert_int_eq(result, 0);
		else
			ck_assert(result == -EBADMSG || result == -EPROTO);
		message[byte] ^= (uint8_t)(1 << bit % 8);
	}
}
END_TEST

START_TEST(failure_leaves_the_result_alone)
{
	struct handshake_welcome welcome = handshake_welcome(77);
	struct handshake_hello hello = handshake_hello(77), bad = handshake_hello(1);

	bad.reserved = 1;
	ck_assert_int_eq(handshake_read_hello(&bad, sizeof(bad), &hello), -EPROTO);
	ck_assert_int_eq(handshake_read_welcome(&bad, sizeof(bad), &welcome), -EBADMSG);
	ck_assert_uint_eq(hello.capacity, 77);
	ck_assert_uint_eq(welcome.status, 77);
}
END_TEST

START_TEST(status_has_its_error_and_an_unknown_one_is_eproto)
{
	ck_assert_int_eq(handshake_error(WELCOME_OK), 0);
	ck_assert_int_eq(handshake_error(WELCOME_DENIED), -EACCES);
	ck_assert_int_eq(handshake_error(WELCOME_VERSION), -EPROTO);
	ck_assert_int_eq(handshake_error(WELCOME_BUSY), -EAGAIN);
	for (uint32_t status = 4; status != 0; status *= 2)
		ck_assert_int_eq(handshake_error(status), -EPROTO);
	ck_assert_int_eq(handshake_error(UINT32_MAX), -EPROTO);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("handshake");
	TCase *tcase = tcase_create("handshake");

	tcase_add_test(tcase, hello_is_these_bytes);
	tcase_add_test(tcase, welcome_is_these_bytes);
	tcase_add_test(tcase, ready_is_these_bytes);
	tcase_add_loop_test(tcase, another_size_is_ebadmsg, 0, 3);
	tcase_add_loop_test(tcase, another_kind_is_ebadmsg, 0, 3);
	tcase_add_loop_test(tcase, another_version_of_any_size_is_eproto, 0, 3);
	tcase_add_loop_test(tcase, each_flipped_bit_is_noticed_or_is_a_value, 0, 3);
	tcase_add_test(tcase, failure_leaves_the_result_alone);
	tcase_add_test(tcase, status_has_its_error_and_an_unknown_one_is_eproto);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
