/* SPDX-License-Identifier: MIT */
/* The checksum: the known answers, and those of a computation bit by bit. */
#include "support.h"

#include <stdlib.h>

#include "base/crc32c.h"

#define MOST	20000

static void check_answer(void)
{
	uint8_t bytes[48];

	ck_assert_uint_eq(crc32c(0, "", 0), 0);
	ck_assert_uint_eq(crc32c(0, "123456789", 9), 0xe3069283);
	/* RFC 3720, B.4 */
	memset(bytes, 0, 32);
	ck_assert_uint_eq(crc32c(0, bytes, 32), 0x8a9136aa);
	memset(bytes, 0xff, 32);
	ck_assert_uint_eq(crc32c(0, bytes, 32), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		bytes[i] = (uint8_t)i;
	ck_assert_uint_eq(crc32c(0, bytes, 32), 0x46dd794e);
	for (int i = 0; i < 32; i++)
		bytes[i] = (uint8_t)(31 - i);
	ck_assert_uint_eq(crc32c(0, bytes, 32), 0x113fdb5c);
}

START_TEST(answers_are_those_of_the_standard)
{
	ck_assert(crc32c_there());
	check_answer();
}
END_TEST

static uint8_t *random_bytes(size_t size)
{
	uint8_t *bytes = malloc(size);

	ck_assert_ptr_nonnull(bytes);
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)test_random();
	return bytes;
}

/* As the polynomial is written down. */
static uint32_t by_bits(uint32_t crc, const uint8_t *at, size_t size)
{
	crc = ~crc;
	while (size-- > 0) {
		crc ^= *at++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

START_TEST(it_is_the_remainder_for_each_size_and_alignment)
{
	uint8_t *bytes = random_bytes(MOST + 8);

	for (size_t size = 0; size < MOST; size += size < 64 ? 1 : 1 + test_random_below(500)) {
		const uint8_t *at = bytes + test_random_below(8);
		uint32_t first = (uint32_t)test_random();

		ck_assert_msg(crc32c(first, at, size) == by_bits(first, at, size),
			      "%zu bytes", size);
	}
	free(bytes);
}
END_TEST

START_TEST(parts_come_to_the_same_as_the_whole)
{
	uint8_t *bytes = random_bytes(MOST);
	uint32_t whole = crc32c(0, bytes, MOST);

	for (int i = 0; i < 200; i++) {
		size_t cut = test_random_below(MOST + 1);

		ck_assert_uint_eq(crc32c(crc32c(0, bytes, cut), bytes + cut, MOST - cut), whole);
	}
	free(bytes);
}
END_TEST

START_TEST(each_flipped_bit_is_noticed)
{
	uint8_t *bytes = random_bytes(5000);
	uint32_t right = crc32c(0, bytes, 5000);

	for (size_t bit = 0; bit < 8 * 5000; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
		ck_assert_msg(crc32c(0, bytes, 5000) != right, "bit %zu", bit);
		bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	free(bytes);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("crc32c");
	TCase *tcase = tcase_create("crc32c");

	tcase_add_test(tcase, answers_are_those_of_the_standard);
	tcase_add_test(tcase, it_is_the_remainder_for_each_size_and_alignment);
	tcase_add_test(tcase, parts_come_to_the_same_as_the_whole);
	tcase_add_test(tcase, each_flipped_bit_is_noticed);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
