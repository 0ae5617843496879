/* SPDX-License-Identifier: MIT */
/*
 * Each allocation of each operation on objects made to fail: the first, the second and so on, until
 * the operation needs no more; only that one, or all from there on. It ends with -ENOMEM, what it
 * stores to is as it was, and all that it had allocated is free again.
 *
 * malloc() and its like are those of this file, also for msgpack-c.
 */
#include "pipe-tools.h"

#include <errno.h>

#include "object-model.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define INTERPOSED	0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define INTERPOSED	0
#endif
#endif
#ifndef INTERPOSED
#define INTERPOSED	1
#endif

/*
 * The failures
 */

static bool counting;
static uint64_t allocations, first, last = UINT64_MAX;
static uint64_t failed;
static int64_t held;		/* allocated and not freed while counting */

#if INTERPOSED

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void __libc_free(void *pointer);

static bool is_to_fail(void)
{
	uint64_t number;

	if (!counting)
		return false;
	number = allocations++;
	if (number < first || number > last)
		return false;
	failed++;
	return true;
}

static void *count(void *pointer)
{
	if (counting && pointer)
		held++;
	return pointer;
}

/* Not hidden as all else here, for a library is to find them. */
#pragma GCC visibility push(default)

void *malloc(size_t size)
{
	return is_to_fail() ? NULL : count(__libc_malloc(size));
}

void *calloc(size_t number, size_t size)
{
	return is_to_fail() ? NULL : count(__libc_calloc(number, size));
}

void *realloc(void *old, size_t size)
{
	void *pointer = is_to_fail() ? NULL : __libc_realloc(old, size);

	return old ? pointer : count(pointer);
}

void free(void *pointer)
{
	if (counting && pointer)
		held--;
	__libc_free(pointer);
}

#pragma GCC visibility pop

#endif

/* Play @once with each of its allocations failing. It returns what its operation returned. */
static void with_each_allocation(int (*once)(void))
{
	for (int all = 0; all <= 1; all++) {
		uint64_t round = 0;
		int result;

		do {
			first = round;
			last = all ? UINT64_MAX : round;
			allocations = failed = 0;
			held = 0;
			counting = true;
			result = once();
			counting = false;
			ck_assert_msg(held == 0, "allocation %lu: %ld are left",
				      (unsigned long)round, (long)held);
			ck_assert_msg(result == (failed ? -ENOMEM : 0), "allocation %lu: %d",
				      (unsigned long)round, result);
			round++;
		} while (failed > 0);
		/* Or nothing has been tried at all. */
		ck_assert_uint_gt(round, 1);
	}
}

#define untouched(object)	((object) == (struct weir_object *)&counting)
#define NOTHING			((struct weir_object *)&counting)

/*
 * The operations
 */

static struct weir_end *ends[2];
static struct weir_object *sample;	/* larger than what needs no allocation */
static const void *bytes;
static size_t bytes_size;
static struct weir_builder *builder;

static void setup(void)
{
	struct model m = { 17 };

	ck_assert_int_eq(pipe_make(ends, 0, 0), 0);
	ck_assert_int_eq(weir_builder_new(&builder), 0);
	weir_builder_array(builder, WEIR_BUILDER_OPEN);
	for (int i = 0; i < 100; i++)
		model_build(&m, builder, 1);
	ck_assert_int_eq(weir_builder_end(builder), 0);
	ck_assert_int_eq(weir_builder_data(builder, &bytes, &bytes_size), 0);
	ck_assert_int_eq(weir_builder_build(builder, &sample), 0);
	ck_assert_uint_gt(bytes_size, 2000);
	/* The first calls own the sides. */
	ck_assert_int_eq(weir_pipe_send(ends[1], "", 0, 0, 0), 0);
	ck_assert_int_eq(weir_pipe_recv(ends[0], NULL, 0, 0, 0, NULL), 0);
}

static void teardown(void)
{
	weir_object_free(sample);
	weir_builder_free(builder);
	pipe_close_both(ends);
}

static int decode(void)
{
	struct weir_object *object = NOTHING;
	int result = weir_object_decode(bytes, bytes_size, &object);

	if (result == 0)
		weir_object_free(object);
	return result == 0 || untouched(object) ? result : 1;
}

static int decode_a_scalar(void)
{
	struct weir_object *object = NOTHING;
	int result = weir_object_decode("\xc0", 1, &object);

	if (result == 0)
		weir_object_free(object);
	return result == 0 || untouched(object) ? result : 1;
}

static int pack(void)
{
	struct weir_object *object = NOTHING;
	int result = weir_object_pack(&object, "[i o s]", 1, sample, "end");

	if (result == 0)
		weir_object_free(object);
	return result == 0 || untouched(object) ? result : 1;
}

static int build(void)
{
	struct weir_object *object = NOTHING;
	struct weir_builder *b;
	struct model m = { 3 };
	int result = weir_builder_new(&b);

	if (result < 0)
		return result;
	/* No result is looked at: the first error stays. */
	weir_builder_array(b, WEIR_BUILDER_OPEN);
	for (int i = 0; i < 40; i++)
		model_build(&m, b, 1);
	weir_builder_end(b);
	result = weir_builder_build(b, &object);
	if (result == 0)
		weir_object_free(object);
	weir_builder_free(b);
	return result == 0 || untouched(object) ? result : 1;
}

static int send_object(void)
{
	int result = weir_pipe_send_object(ends[1], sample, 0, 0);
	size_t size;

	/* Nothing of it is there if it has failed. */
	if (weir_pipe_recv(ends[0], NULL, 0, 0, 0, &size) == (result ? -EAGAIN : -EMSGSIZE) &&
	    result < 0)
		return result;
	return result == 0 && weir_pipe_recvf(ends[0], 0, 0, NULL, "*") == 0 ? 0 : -ENOMEM;
}

START_TEST(decoding_fails_without_a_leak)
{
	with_each_allocation(decode);
	with_each_allocation(decode_a_scalar);
}
END_TEST

START_TEST(packing_and_building_fail_without_a_leak)
{
	with_each_allocation(pack);
	with_each_allocation(build);
}
END_TEST

START_TEST(sending_fails_and_sends_nothing)
{
	with_each_allocation(send_object);
}
END_TEST

/* Small ones are made and sent without any memory. */
START_TEST(small_object_is_sent_without_memory)
{
	int result;

	first = 0;
	last = UINT64_MAX;
	allocations = 0;
	counting = true;
	result = weir_pipe_sendf(ends[1], 0, 0, "{a: [i n s], b: d}", 42, "hello", 0.5);
	counting = false;
	ck_assert_int_eq(result, 0);
	ck_assert_uint_eq(allocations, 0);
	ck_assert_int_eq(weir_pipe_recvf(ends[0], 0, 0, NULL, "{a: [* * *]}"), 0);
}
END_TEST

/*
 * Receiving: without memory for its bytes the message is there still, without memory for its
 * elements it is gone, and in either case the next one can be received.
 */
START_TEST(receiving_fails_and_goes_on)
{
	for (uint64_t round = 0;; round++) {
		struct weir_object *object = NOTHING;
		int number = 0, result;

		ck_assert_int_eq(weir_pipe_send_object(ends[1], sample, 0, 0), 0);
		ck_assert_int_eq(weir_pipe_sendf(ends[1], 0, 0, "i", 5), 0);
		first = last = round;
		allocations = failed = 0;
		held = 0;
		counting = true;
		result = weir_pipe_recv_object(ends[0], 0, 0, 0, &object);
		if (result == 0)
			weir_object_free(object);
		counting = false;
		ck_assert_int_eq(held, 0);
		ck_assert_int_eq(result, failed ? -ENOMEM : 0);
		ck_assert(result == 0 || untouched(object));
		/* The first two are for bytes: a guess, then what it takes. */
		if (round < 2)
			ck_assert_int_eq(weir_pipe_recvf(ends[0], 0, 0, NULL, "*"), 0);
		ck_assert_int_eq(weir_pipe_recvf(ends[0], 0, 0, NULL, "i", &number), 0);
		ck_assert_int_eq(number, 5);
		if (failed == 0) {
			ck_assert_uint_eq(round, 3);
			break;
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite;
	TCase *tcase;

	if (!INTERPOSED)
		test_skip_all("a sanitizer has malloc() for itself");
	suite = suite_create("object-memory");
	tcase = tcase_create("allocations");
	tcase_add_checked_fixture(tcase, setup, teardown);
	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, decoding_fails_without_a_leak);
	tcase_add_test(tcase, packing_and_building_fail_without_a_leak);
	tcase_add_test(tcase, sending_fails_and_sends_nothing);
	tcase_add_test(tcase, small_object_is_sent_without_memory);
	tcase_add_test(tcase, receiving_fails_and_goes_on);
	return test_main(suite);
}
