/* SPDX-License-Identifier: MIT */
/* The copying in and out of a ring: each byte, and not one beyond. */
#include "pipe-tools.h"

#include <sys/mman.h>
#include <unistd.h>

#include "ring/copy.h"

#define SIZE_MAX_HERE	(COPY_SMALL_MAX + 88)	/* past the border to memcpy() */
#define GUARD		64
#define MISALIGNMENTS	16
#define ROOM		(SIZE_MAX_HERE + MISALIGNMENTS + 2 * GUARD)

typedef void copy_fn(void *to, const void *from, size_t size);

static void in(void *to, const void *from, size_t size)
{
	copy_in(to, from, size);
}

static void out(void *to, const void *from, size_t size)
{
	copy_out(to, from, size);
}

static bool all_are(const uint8_t *bytes, size_t size, uint8_t value)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != value)
			return false;
	return true;
}

static void check_copy(copy_fn *copy, size_t size, size_t from_shift, size_t to_shift)
{
	uint8_t source[ROOM], target[ROOM];
	uint8_t *from = source + GUARD + from_shift, *to = target + GUARD + to_shift;
	size_t behind;

	message_fill(source, sizeof(source), size + from_shift);
	memset(target, 0xa5, sizeof(target));
	copy(to, from, size);
	behind = (size_t)(target + sizeof(target) - (to + size));
	ck_assert_msg(memcmp(to, from, size) == 0, "size %zu, from %zu, to %zu", size, from_shift,
		      to_shift);
	ck_assert_msg(all_are(target, (size_t)(to - target), 0xa5) &&
			      all_are(to + size, behind, 0xa5),
		      "wrote beyond: size %zu, from %zu, to %zu", size, from_shift, to_shift);
	ck_assert(message_is(source, sizeof(source), size + from_shift));
}

static void check_all(copy_fn *copy)
{
	for (size_t size = 0; size <= SIZE_MAX_HERE; size++)
		for (size_t from = size % LESS; from < MISALIGNMENTS; from += LESS)
			for (size_t to = 0; to < MISALIGNMENTS; to += from % 4 ? 5 : 1)
				check_copy(copy, size, from, to);
}

START_TEST(copy_in_of_each_size_and_misalignment_is_exact)
{
	check_all(in);
}
END_TEST

START_TEST(copy_out_of_each_size_and_misalignment_is_exact)
{
	check_all(out);
}
END_TEST

/* A page that can be used, with one on each side that cannot: returns its start. */
static uint8_t *fenced_page(size_t page)
{
	uint8_t *memory = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(memory, MAP_FAILED);
	ck_assert_int_eq(mprotect(memory + page, page, PROT_READ | PROT_WRITE), 0);
	return memory + page;
}

/* At either edge of a page: one byte beyond, read or written, would be a SIGSEGV. */
static void check_at_edges(copy_fn *copy)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *from = fenced_page(page), *to = fenced_page(page);

	message_fill(from, page, 1);
	for (size_t size = 0; size <= SIZE_MAX_HERE; size++) {
		copy(to, from, size);
		ck_assert(memcmp(to, from, size) == 0);
		copy(to + page - size, from + page - size, size);
		ck_assert(memcmp(to + page - size, from + page - size, size) == 0);
	}
	munmap(from - page, 3 * page);
	munmap(to - page, 3 * page);
}

START_TEST(copy_in_at_the_edge_of_memory_touches_nothing_beyond)
{
	check_at_edges(in);
}
END_TEST

START_TEST(copy_out_at_the_edge_of_memory_touches_nothing_beyond)
{
	check_at_edges(out);
}
END_TEST

START_TEST(copy_of_a_large_message_is_exact)
{
	size_t size = (size_t)1 << 20;
	uint8_t *from = malloc(size + 32), *to = malloc(size + 32);

	message_fill(from, size + 32, 5);
	for (size_t shift = 0; shift < 16; shift += 5) {
		memset(to, 0, size + 32);
		copy_in(to + shift, from + 15 - shift, size - shift);
		ck_assert(memcmp(to + shift, from + 15 - shift, size - shift) == 0);
		memset(to, 0, size + 32);
		copy_out(to + shift, from + 15 - shift, size - shift);
		ck_assert(memcmp(to + shift, from + 15 - shift, size - shift) == 0);
	}
	free(from);
	free(to);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("copy");
	TCase *exact = tcase_create("exact");

	tcase_add_test(exact, copy_in_of_each_size_and_misalignment_is_exact);
	tcase_add_test(exact, copy_out_of_each_size_and_misalignment_is_exact);
	tcase_add_test(exact, copy_in_at_the_edge_of_memory_touches_nothing_beyond);
	tcase_add_test(exact, copy_out_at_the_edge_of_memory_touches_nothing_beyond);
	tcase_add_test(exact, copy_of_a_large_message_is_exact);
	suite_add_tcase(suite, exact);
	return test_main(suite);
}
