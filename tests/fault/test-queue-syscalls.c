/* SPDX-License-Identifier: MIT */
/*
 * Each system call of each operation on a queue made to fail: only that one, all from there on, or
 * all of a kind; madvise(2), by which memory is had and given back, among them. The operation ends
 * with an error that is documented, or does without the call; nothing is lost, nothing leaks, and
 * without failures it works again.
 */
#include "failures.h"
#include "queue-tools.h"

#define ROW	20000
#define BYTES	(UINT64_C(2) << 20)

static const int errors[] = {
	EMFILE, ENFILE, ENOMEM, EPERM, EINTR, ENOSPC, ENOSYS, EAGAIN, EINVAL,
};

#define ERRORS ((int)(sizeof(errors) / sizeof(errors[0])))

static struct resources before;
static uint8_t buffer[ROW];

static bool documented(int result)
{
	return result == 0 || result == plan.error || result == -ENOMEM || result == -ENOBUFS ||
	       result == -EAGAIN;
}

/* One after the other, without failures. */
static void use(struct weir_queue *q)
{
	size_t size;

	check(weir_queue_put(q, "use", 3, 0, 0) == 0);
	check(weir_queue_get(q, buffer, sizeof(buffer), 0, 0, &size) == 0);
	check(size == 3 && memcmp(buffer, "use", 3) == 0);
	check(weir_queue_get(q, buffer, sizeof(buffer), 0, 0, &size) == -EAGAIN);
}

static void drain(struct weir_queue *q, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		check(weir_queue_get(q, buffer, sizeof(buffer), 0, 0, NULL) == 0);
}

static struct weir_queue *filled(uint32_t count)
{
	struct weir_queue *q = queue_new(0, BYTES, 0);

	check(q);
	for (uint32_t i = 0; i < count; i++)
		check(weir_queue_put(q, "fill", 4, 0, 0) == 0);
	return q;
}

static void finish(struct weir_queue *q)
{
	use(q);
	weir_queue_close(q);
	resources_check(&before);
}

static void make_once(void)
{
	struct weir_queue *const nothing = (void *)&plan, *q = nothing;
	struct weir_queue_options options = { .size = sizeof(options), .max_bytes = BYTES };
	int result;

	failures_begin();
	result = weir_queue(&q, &options);
	failures_end("weir_queue");
	if (result < 0) {
		check(documented(result));
		check(q == nothing);
		resources_check(&before);
	} else {
		finish(q);
	}
}

static void attach_once(void)
{
	struct weir_queue *first = filled(1), *q = NULL;
	int fds[1 + QUEUE_SIDES] = { dup(first->store.fd) }, result;

	for (int i = 0; i < QUEUE_SIDES; i++)
		fds[1 + i] = dup(first->levels[i]);
	failures_begin();
	result = queue_attach(fds, &q);
	failures_end("queue_attach");
	for (int i = 0; i < 1 + QUEUE_SIDES; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (result < 0) {
		check(!q);
	} else {
		drain(q, 1);
		use(q);
		weir_queue_close(q);
		check(weir_queue_put(first, "a", 1, 0, 0) == 0);
	}
	drain(first, 1);
	finish(first);
}

static void put_once(struct weir_queue *q, uint32_t there, size_t size)
{
	int result;

	failures_begin();
	result = weir_queue_put(q, buffer, size, 0, 0);
	failures_end("weir_queue_put");
	check(documented(result));
	drain(q, there + (result == 0));
	finish(q);
}

static void first_put_once(void)
{
	put_once(filled(0), 0, 10);
}

static void growth_once(void)
{
	put_once(filled(QUEUE_SLOTS), QUEUE_SLOTS, 10);
}

static void row_once(void)
{
	put_once(filled(1), 1, ROW);
}

/* The last of a segment is gotten, and a row: memory is given back. */
static void get_once(void)
{
	struct weir_queue *q = filled(QUEUE_SLOTS);
	int gotten = 0;

	check(weir_queue_put(q, buffer, ROW, 0, 0) == 0);
	check(weir_queue_put(q, buffer, 10, 0, 0) == 0);
	drain(q, QUEUE_SLOTS - 1);
	failures_begin();
	for (int i = 0; i < 3; i++) {
		int result = weir_queue_get(q, buffer, sizeof(buffer), 0, 0, NULL);

		check(documented(result));
		gotten += result == 0;
	}
	failures_end("weir_queue_get");
	drain(q, 3 - (uint32_t)gotten);
	finish(q);
}

static void close_once(void)
{
	struct weir_queue *q = filled(5);
	struct weir_taken t;

	check(weir_queue_take(q, 0, 0, &t) == 0);
	failures_begin();
	weir_queue_close(q);
	failures_end("weir_queue_close");
	resources_check(&before);
}

static void with_failures(int error, void (*once)(void))
{
	before = resources_begin();
	with_each_call(error, once);
}

START_TEST(make_with_a_failing_call_is_an_error_and_leaves_nothing)
{
	with_failures(errors[_i], make_once);
}
END_TEST

START_TEST(attach_with_a_failing_call_leaves_nothing)
{
	with_failures(errors[_i], attach_once);
}
END_TEST

START_TEST(first_put_with_a_failing_call_is_whole_or_not_there)
{
	with_failures(errors[_i], first_put_once);
}
END_TEST

START_TEST(growth_with_a_failing_call_is_whole_or_not_there)
{
	with_failures(errors[_i], growth_once);
}
END_TEST

START_TEST(row_with_a_failing_call_is_whole_or_not_there)
{
	with_failures(errors[_i], row_once);
}
END_TEST

START_TEST(get_with_failing_calls_loses_nothing)
{
	with_failures(errors[_i], get_once);
}
END_TEST

START_TEST(close_with_failing_calls_leaves_nothing)
{
	with_failures(errors[_i], close_once);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("queue-syscalls");
	TCase *tcase = tcase_create("syscalls");
	struct weir_queue *q = queue_new(0, BYTES, 0);

	/* What is kept from the first use on. */
	weir_queue_put(q, "", 0, 0, 0);
	weir_queue_close(q);
	tcase_add_loop_test(tcase, make_with_a_failing_call_is_an_error_and_leaves_nothing, 0,
			    ERRORS);
	tcase_add_loop_test(tcase, attach_with_a_failing_call_leaves_nothing, 0, ERRORS);
	tcase_add_loop_test(tcase, first_put_with_a_failing_call_is_whole_or_not_there, 0, ERRORS);
	tcase_add_loop_test(tcase, growth_with_a_failing_call_is_whole_or_not_there, 0, ERRORS);
	tcase_add_loop_test(tcase, row_with_a_failing_call_is_whole_or_not_there, 0, ERRORS);
	tcase_add_loop_test(tcase, get_with_failing_calls_loses_nothing, 0, ERRORS);
	tcase_add_loop_test(tcase, close_with_failing_calls_leaves_nothing, 0, ERRORS);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
