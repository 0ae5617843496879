/* SPDX-License-Identifier: MIT */
/* Making pipes, what the calls refuse, and what is left when an end is closed. */
#include "pipe-tools.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sys/sys.h"

#define MARK	4711	/* an errno that nothing sets */
#define TIB	(UINT64_C(1) << 40)

static struct weir_end *const nothing = NULL;

/*
 * Making
 */

START_TEST(pipe_of_defaults_goes_both_ways)
{
	struct weir_end *ends[2];

	ck_assert_int_eq(weir_pipe(ends, NULL), 0);
	for (uint64_t i = 0; i < 100; i++) {
		ck_assert_int_eq(send_number(ends[0], i, 0), 0);
		ck_assert_int_eq(send_number(ends[1], i + 1000, 0), 0);
		ck_assert_int_eq(recv_number(ends[0], 0), (int64_t)i + 1000);
		ck_assert_int_eq(recv_number(ends[1], 0), (int64_t)i);
	}
	pipe_close_both(ends);
}
END_TEST

START_TEST(options_that_make_no_sense_are_einval)
{
	static const struct weir_pipe_options bad[] = {
		{ 0 },
		{ .size = sizeof(bad[0]) - 1 },
		{ .size = sizeof(bad[0]) + 1 },
		{ .size = SIZE_MAX },
		{ .size = sizeof(bad[0]), .flags = UINT32_C(1) << 3 },
		{ .size = sizeof(bad[0]), .flags = UINT32_C(1) << 31 },
		{ .size = sizeof(bad[0]), .flags = WEIR_PIPE_LATENCY | WEIR_PIPE_THROUGHPUT },
		{ .size = sizeof(bad[0]), .reserved = 1 },
		{ .size = sizeof(bad[0]), .capacity = TIB + 1 },
		{ .size = sizeof(bad[0]), .capacity = UINT64_MAX },
	};
	struct weir_end *ends[2] = { nothing, nothing };

	ck_assert_int_eq(weir_pipe(NULL, NULL), -EINVAL);
	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
		ck_assert_msg(weir_pipe(ends, &bad[i]) == -EINVAL, "options %zu", i);
		ck_assert(!ends[0] && !ends[1]);
	}
}
END_TEST

START_TEST(each_sensible_combination_of_flags_makes_a_pipe)
{
	static const uint32_t flags[] = {
		0,
		WEIR_PIPE_ONEWAY,
		WEIR_PIPE_LATENCY,
		WEIR_PIPE_THROUGHPUT,
		WEIR_PIPE_ONEWAY | WEIR_PIPE_LATENCY,
		WEIR_PIPE_ONEWAY | WEIR_PIPE_THROUGHPUT,
	};

	for (size_t i = 0; i < ARRAY_LENGTH(flags); i++) {
		struct weir_end *ends[2];

		ck_assert_int_eq(pipe_make(ends, flags[i], 0), 0);
		for (uint64_t n = 0; n < 5000; n++) {
			ck_assert_int_eq(send_number(ends[1], n, 0), 0);
			ck_assert_int_eq(recv_number(ends[0], 0), (int64_t)n);
			if (n % 16 == 0)
				ck_assert_int_eq(recv_number(ends[0], 0), -EAGAIN);
		}
		pipe_close_both(ends);
	}
}
END_TEST

static void check_capacity(uint64_t asked, uint64_t capacity)
{
	size_t largest = capacity - 16, size = 0;
	uint8_t *data = malloc(capacity);
	struct weir_end *ends[2];

	ck_assert_int_eq(pipe_make(ends, 0, asked), 0);
	for (int i = 0; i < 2; i++) {
		message_fill(data, largest, (uint64_t)i);
		ck_assert_int_eq(weir_pipe_send(ends[i], data, largest + 1, 0, 0), -EAGAIN);
		ck_assert_int_eq(weir_pipe_send(ends[i], data, largest, 0, 0), 0);
		/* And that was all there is. */
		ck_assert_int_eq(weir_pipe_send(ends[i], data, 0, 0, 0), -EAGAIN);
		memset(data, 0, largest);
		ck_assert_int_eq(weir_pipe_recv(ends[1 - i], data, largest, 0, 0, &size), 0);
		ck_assert_uint_eq(size, largest);
		ck_assert(message_is(data, largest, (uint64_t)i));
	}
	pipe_close_both(ends);
	free(data);
}

START_TEST(capacity_is_rounded_up_to_a_power_of_two_and_a_page)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	check_capacity(1, page);
	check_capacity(page - 1, page);
	check_capacity(page, page);
	check_capacity(page + 1, 2 * page);
	check_capacity(3 * page, 4 * page);
	check_capacity(65536, 65536);
	check_capacity(65537, 131072);
	check_capacity(1000000, UINT64_C(1) << 20);
	check_capacity(UINT64_C(1) << 23, UINT64_C(1) << 23);
	check_capacity(0, WEIR_PIPE_CAPACITY);
}
END_TEST

START_TEST(ring_beyond_the_file_size_limit_is_efbig)
{
	struct weir_end *ends[2] = { nothing, nothing };
	struct resources before = resources_begin();
	struct rlimit old, low;

	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
	low = (struct rlimit){ .rlim_cur = UINT64_C(1) << 20, .rlim_max = old.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &low), 0);
	ck_assert_int_eq(pipe_make(ends, 0, UINT64_C(1) << 20), -EFBIG);
	/* The largest that the options allow. */
	ck_assert_int_eq(pipe_make(ends, 0, TIB), -EFBIG);
	ck_assert_int_eq(pipe_make(ends, WEIR_PIPE_ONEWAY, TIB), -EFBIG);
	ck_assert(!ends[0] && !ends[1]);
	ck_assert_int_eq(pipe_make(ends, 0, UINT64_C(1) << 18), 0);
	pipe_close_both(ends);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
	resources_check(&before);
}
END_TEST

/*
 * Descriptors
 */

/* How many there are; all are checked from @from on. */
static int count_fds(int from)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int count = 0;

	ck_assert_ptr_nonnull(dir);
	while ((entry = readdir(dir))) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] == '.' || fd == dirfd(dir))
			continue;
		count++;
		if (fd >= from)
			ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	}
	closedir(dir);
	return count;
}

static void check_fd_count(uint32_t flags, int both, int first, int second)
{
	int before = count_fds(INT32_MAX);
	struct weir_end *ends[2];

	ck_assert_int_eq(pipe_make(ends, flags, 0), 0);
	ck_assert_int_eq(count_fds(512) - before, both);
	weir_pipe_close(ends[1]);
	ck_assert_int_eq(count_fds(512) - before, first);
	weir_pipe_close(ends[0]);
	ck_assert_int_eq(count_fds(512), before);
	ck_assert_int_eq(pipe_make(ends, flags, 0), 0);
	weir_pipe_close(ends[0]);
	ck_assert_int_eq(count_fds(512) - before, second);
	weir_pipe_close(ends[1]);
	ck_assert_int_eq(count_fds(512), before);
}

START_TEST(pipe_costs_the_descriptors_that_are_documented)
{
	check_fd_count(0, 11, 9, 9);
	check_fd_count(WEIR_PIPE_ONEWAY, 7, 6, 5);
}
END_TEST

START_TEST(pipe_leaves_the_low_descriptors_free)
{
	struct weir_end *ends[2];
	int before = dup(0), after;

	close(before);
	ck_assert_int_eq(weir_pipe(ends, NULL), 0);
	after = dup(0);
	ck_assert_int_eq(after, before);
	close(after);
	pipe_close_both(ends);
}
END_TEST

START_TEST(too_few_descriptors_are_emfile_and_leave_nothing)
{
	struct resources before = resources_begin();
	struct rlimit old, low;
	bool made = false;
	int base = dup(0);

	close(base);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	for (int room = 0; room < 20; room++) {
		struct weir_end *ends[2] = { nothing, nothing };
		int result;

		low = (struct rlimit){ .rlim_cur = (rlim_t)(base + room),
				       .rlim_max = old.rlim_max };
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
		result = weir_pipe(ends, NULL);
		made = result == 0;
		ck_assert(made || (result == -EMFILE && !ends[0] && !ends[1]));
		if (made) {
			ck_assert_int_eq(send_number(ends[0], 5, 0), 0);
			ck_assert_int_eq(recv_number(ends[1], 0), 5);
			pipe_close_both(ends);
		}
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
		resources_check(&before);
	}
	ck_assert(made);
}
END_TEST

/*
 * Failures of the kernel
 */

static int calls_made, failing_call, failure;

static int fail_one(enum sys_call call)
{
	/* These have a way round: no room above, a core dump that is larger. */
	if (call == SYS_CALL_DUP)
		return -EINVAL;
	return calls_made++ == failing_call ? failure : 0;
}

/* Fail the @call-th call that making a pipe makes; false when there are not so many. */
static bool make_with_failure(int call, int error)
{
	struct weir_end *ends[2] = { nothing, nothing };
	int result;

	calls_made = 0;
	failing_call = call;
	failure = error;
	sys_fault = fail_one;
	result = weir_pipe(ends, NULL);
	sys_fault = NULL;
	if (result == 0) {
		pipe_close_both(ends);
		return calls_made > call;
	}
	ck_assert_int_eq(result, error);
	ck_assert(!ends[0] && !ends[1]);
	return true;
}

START_TEST(error_of_each_call_of_the_kernel_is_passed_on_and_leaves_nothing)
{
	static const int errors[] = { -ENOMEM, -EMFILE, -ENFILE, -ENOSPC, -ENOSYS };
	struct resources before = resources_begin();
	int calls = 0;

	errno = MARK;
	while (make_with_failure(calls, errors[calls % (int)ARRAY_LENGTH(errors)])) {
		ck_assert_int_eq(errno, MARK);
		resources_check(&before);
		errno = MARK;
		calls++;
	}
	ck_assert_int_gt(calls, 20);
}
END_TEST

/*
 * What calls refuse
 */

START_TEST(calls_without_an_end_are_einval)
{
	struct weir_msg m = { 0 };
	uint32_t events;
	char byte;

	ck_assert_int_eq(weir_pipe_send(nothing, "x", 1, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_pipe_send_batch(nothing, &m, 1, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_pipe_flush(nothing), -EINVAL);
	ck_assert_int_eq(weir_pipe_recv(nothing, &byte, 1, 0, 0, NULL), -EINVAL);
	ck_assert_int_eq(weir_pipe_recv_batch(nothing, &m, 1, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_pipe_poll(nothing, WEIR_IN, 0, 0, &events), -EINVAL);
	ck_assert_int_eq(weir_pipe_fd(nothing), -EINVAL);
	ck_assert_int_eq(weir_pipe_handover(nothing), -EINVAL);
	ck_assert_int_eq(weir_pipe_shutdown(nothing), -EINVAL);
	weir_pipe_close(nothing);
}
END_TEST

START_TEST(flags_that_a_call_does_not_take_are_einval)
{
	struct weir_end *ends[2];
	struct weir_msg m = { 0 };
	uint32_t events;
	char byte;

	ck_assert_int_eq(weir_pipe(ends, NULL), 0);
	for (int bit = 0; bit < 32; bit++) {
		uint32_t flag = UINT32_C(1) << bit;

		if (bit >= 3) {
			ck_assert_int_eq(weir_pipe_send(ends[0], "x", 1, flag, 0), -EINVAL);
			ck_assert_int_eq(weir_pipe_send_batch(ends[0], &m, 1, flag, 0), -EINVAL);
			ck_assert_int_eq(weir_pipe_poll(ends[0], flag, 0, 0, &events), -EINVAL);
		}
		if (bit >= 3 || flag == WEIR_MORE) {
			ck_assert_int_eq(weir_pipe_recv(ends[0], &byte, 1, flag, 0, NULL), -EINVAL);
			ck_assert_int_eq(weir_pipe_recv_batch(ends[0], &m, 1, flag, 0), -EINVAL);
			ck_assert_int_eq(weir_pipe_poll(ends[0], WEIR_IN, flag, 0, &events),
					 -EINVAL);
		}
	}
	/* Nothing came of any of it. */
	ck_assert_int_eq(weir_pipe_recv(ends[1], &byte, 1, 0, 0, NULL), -EAGAIN);
	pipe_close_both(ends);
}
END_TEST

START_TEST(pointers_that_are_missing_are_einval)
{
	struct weir_msg m[2] = { { .size = 1 } };
	struct weir_end *ends[2];
	size_t size = MARK;
	char byte;

	ck_assert_int_eq(weir_pipe(ends, NULL), 0);
	for (int i = 0; i < 2; i++) {
		/* The second time around the end is owned, and calls may go another way. */
		ck_assert_int_eq(weir_pipe_send(ends[0], NULL, 1, 0, 0), -EINVAL);
		ck_assert_int_eq(weir_pipe_send_batch(ends[0], NULL, 1, 0, 0), -EINVAL);
		ck_assert_int_eq(weir_pipe_send_batch(ends[0], m, 1, 0, 0), -EINVAL);
		ck_assert_int_eq(weir_pipe_send_batch(ends[0], m, 0, 0, 0), -EINVAL);
		ck_assert_int_eq(weir_pipe_send_batch(ends[0], m, (size_t)INT32_MAX + 1, 0, 0),
				 -EINVAL);
		ck_assert_int_eq(weir_pipe_recv(ends[1], NULL, 1, 0, 0, &size), -EINVAL);
		ck_assert_int_eq(weir_pipe_recv_batch(ends[1], NULL, 1, 0, 0), -EINVAL);
		ck_assert_int_eq(weir_pipe_recv_batch(ends[1], m, 0, 0, 0), -EINVAL);
		ck_assert_int_eq(weir_pipe_recv_batch(ends[1], m, SIZE_MAX, 0, 0), -EINVAL);
		ck_assert_int_eq(weir_pipe_poll(ends[1], WEIR_IN, 0, 0, NULL), -EINVAL);
		ck_assert_uint_eq(size, MARK);
		ck_assert_int_eq(weir_pipe_recv(ends[1], &byte, 1, 0, 0, NULL), -EAGAIN);
		ck_assert_int_eq(weir_pipe_send(ends[0], "x", 1, 0, 0), 0);
		ck_assert_int_eq(weir_pipe_recv(ends[1], &byte, 1, 0, 0, NULL), 0);
	}
	pipe_close_both(ends);
}
END_TEST

START_TEST(end_that_only_receives_does_not_send)
{
	struct weir_msg m = { 0 };
	struct weir_end *ends[2];
	uint32_t events = MARK;

	ck_assert_int_eq(pipe_make(ends, WEIR_PIPE_ONEWAY, 0), 0);
	ck_assert_int_eq(weir_pipe_send(ends[0], "x", 1, 0, 0), -EOPNOTSUPP);
	ck_assert_int_eq(weir_pipe_send(ends[0], "x", 1, WEIR_MORE, WEIR_FOREVER), -EOPNOTSUPP);
	ck_assert_int_eq(weir_pipe_send_batch(ends[0], &m, 1, 0, 0), -EOPNOTSUPP);
	ck_assert_int_eq(weir_pipe_flush(ends[0]), -EOPNOTSUPP);
	ck_assert_int_eq(weir_pipe_poll(ends[0], WEIR_OUT, 0, 0, &events), -EOPNOTSUPP);
	ck_assert_int_eq(weir_pipe_poll(ends[0], WEIR_IN | WEIR_OUT, 0, 0, &events), -EOPNOTSUPP);
	ck_assert_uint_eq(events, MARK);
	ck_assert_int_eq(weir_pipe_poll(ends[0], WEIR_IN, 0, 0, &events), -EAGAIN);
	ck_assert_int_ge(weir_pipe_fd(ends[0]), 0);
	ck_assert_int_eq(weir_pipe_handover(ends[0]), 0);
	pipe_close_both(ends);
}
END_TEST

START_TEST(end_that_only_sends_does_not_receive)
{
	struct weir_msg m = { 0 };
	struct weir_end *ends[2];
	uint32_t events = MARK;
	size_t size = MARK;
	char byte;

	ck_assert_int_eq(pipe_make(ends, WEIR_PIPE_ONEWAY, 0), 0);
	ck_assert_int_eq(weir_pipe_recv(ends[1], &byte, 1, 0, 0, &size), -EOPNOTSUPP);
	ck_assert_int_eq(weir_pipe_recv(ends[1], &byte, 1, 0, WEIR_FOREVER, &size), -EOPNOTSUPP);
	ck_assert_int_eq(weir_pipe_recv_batch(ends[1], &m, 1, 0, 0), -EOPNOTSUPP);
	ck_assert_int_eq(weir_pipe_fd(ends[1]), -EOPNOTSUPP);
	ck_assert_int_eq(weir_pipe_poll(ends[1], WEIR_IN, 0, 0, &events), -EOPNOTSUPP);
	ck_assert_int_eq(weir_pipe_poll(ends[1], WEIR_IN | WEIR_OUT, 0, 0, &events), -EOPNOTSUPP);
	ck_assert_uint_eq(events, MARK);
	ck_assert_uint_eq(size, MARK);
	ck_assert_int_eq(weir_pipe_poll(ends[1], WEIR_OUT, 0, 0, &events), 0);
	ck_assert_uint_eq(events, WEIR_OUT);
	ck_assert_int_eq(weir_pipe_handover(ends[1]), 0);
	pipe_close_both(ends);
}
END_TEST

/*
 * Ends
 */

static void use(struct weir_end *ends[2])
{
	uint32_t events;

	fill_with_numbers(ends[1], 0);
	recv_number(ends[0], 0);
	weir_pipe_poll(ends[0], WEIR_IN, 0, 0, &events);
	weir_pipe_fd(ends[0]);
	weir_pipe_send(ends[0], "x", 1, WEIR_MORE, 0);
	recv_number(ends[1], test_now() + 25 * MS);
}

START_TEST(nothing_is_left_of_pipes_that_were_closed)
{
	struct resources before = resources_begin();

	for (int i = 0; i < 8; i++) {
		struct weir_end *ends[2];

		ck_assert_int_eq(pipe_make(ends, i & 1 ? WEIR_PIPE_ONEWAY : 0, 0), 0);
		if (i & 4)
			use(ends);
		weir_pipe_close(ends[i >> 1 & 1]);
		weir_pipe_close(ends[1 - (i >> 1 & 1)]);
	}
	resources_check(&before);
}
END_TEST

START_TEST(many_pipes_are_many_pipes)
{
	struct weir_end *ends[16][2];

	for (int i = 0; i < 16; i++)
		ck_assert_int_eq(pipe_make(ends[i], 0, 4096), 0);
	for (uint64_t round = 0; round < 10; round++) {
		for (uint64_t i = 0; i < 16; i++) {
			ck_assert_int_eq(send_number(ends[i][0], i * 100 + round, 0), 0);
			ck_assert_int_eq(send_number(ends[i][1], i * 200 + round, 0), 0);
		}
		for (uint64_t i = 16; i-- > 0;) {
			ck_assert_int_eq(recv_number(ends[i][1], 0), (int64_t)(i * 100 + round));
			ck_assert_int_eq(recv_number(ends[i][0], 0), (int64_t)(i * 200 + round));
			ck_assert_int_eq(recv_number(ends[i][0], 0), -EAGAIN);
		}
	}
	for (int i = 0; i < 16; i++)
		pipe_close_both(ends[i]);
}
END_TEST

START_TEST(end_may_be_handed_over_and_used_again)
{
	struct weir_end *ends[2];

	ck_assert_int_eq(weir_pipe(ends, NULL), 0);
	ck_assert_int_eq(weir_pipe_handover(ends[0]), 0);
	for (uint64_t i = 0; i < 1000; i++) {
		ck_assert_int_eq(send_number(ends[1], 2 * i, 0), 0);
		ck_assert_int_eq(send_number(ends[1], 2 * i + 1, 0), 0);
		if (i % 3 == 0)
			ck_assert_int_eq(weir_pipe_handover(ends[1]), 0);
		ck_assert_int_eq(recv_number(ends[0], 0), (int64_t)(2 * i));
		if (i % 5 == 0)
			ck_assert_int_eq(weir_pipe_handover(ends[0]), 0);
		ck_assert_int_eq(recv_number(ends[0], 0), (int64_t)(2 * i + 1));
	}
	pipe_close_both(ends);
}
END_TEST

/* All calls, with and without success; each is to leave errno as it was. */
#define KEEPS_ERRNO(call) \
	do { \
		errno = MARK; \
		(void)(call); \
		ck_assert_msg(errno == MARK, "%s left errno %d", #call, errno); \
	} while (0)

START_TEST(errno_is_left_alone_by_all_calls)
{
	struct weir_msg m = { .data = (char[8]){ 0 }, .size = 8, .room = 8 };
	struct weir_pipe_options bad = { 0 };
	struct weir_end *ends[2], *refused[2];
	uint32_t events;

	KEEPS_ERRNO(weir_pipe(ends, NULL));
	KEEPS_ERRNO(weir_pipe(refused, &bad));
	for (int i = 0; i < 3; i++) {
		KEEPS_ERRNO(recv_number(ends[0], 0));
		KEEPS_ERRNO(recv_number(ends[0], test_now() + 22 * MS));
		KEEPS_ERRNO(weir_pipe_poll(ends[0], WEIR_IN, 0, test_now() + MS, &events));
		KEEPS_ERRNO(weir_pipe_fd(ends[0]));
		KEEPS_ERRNO(send_number(ends[1], 1, 0));
		KEEPS_ERRNO(weir_pipe_send_batch(ends[1], &m, 1, WEIR_MORE, 0));
		KEEPS_ERRNO(weir_pipe_flush(ends[1]));
		KEEPS_ERRNO(weir_pipe_send(ends[1], NULL, SIZE_MAX, 0, 0));
		KEEPS_ERRNO(recv_number(ends[0], 0));
		KEEPS_ERRNO(weir_pipe_recv_batch(ends[0], &m, 1, 0, 0));
		KEEPS_ERRNO(weir_pipe_recv(ends[0], NULL, 0, 0, 0, NULL));
		KEEPS_ERRNO(fill_with_numbers(ends[1], 0));
		KEEPS_ERRNO(send_number(ends[1], 0, test_now() + 22 * MS));
		while (recv_number(ends[0], 0) >= 0)
			;
		KEEPS_ERRNO(weir_pipe_handover(ends[i % 2]));
	}
	KEEPS_ERRNO(weir_pipe_close(ends[1]));
	KEEPS_ERRNO(recv_number(ends[0], 0));
	KEEPS_ERRNO(send_number(ends[0], 0, 0));
	KEEPS_ERRNO(weir_pipe_shutdown(ends[0]));
	KEEPS_ERRNO(recv_number(ends[0], 0));
	KEEPS_ERRNO(weir_pipe_close(ends[0]));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pipe");
	TCase *making = tcase_create("making");
	TCase *descriptors = tcase_create("descriptors");
	TCase *refusals = tcase_create("refusals");
	TCase *ends = tcase_create("ends");

	tcase_add_test(making, pipe_of_defaults_goes_both_ways);
	tcase_add_test(making, options_that_make_no_sense_are_einval);
	tcase_add_test(making, each_sensible_combination_of_flags_makes_a_pipe);
	tcase_add_test(making, capacity_is_rounded_up_to_a_power_of_two_and_a_page);
	tcase_add_test(making, ring_beyond_the_file_size_limit_is_efbig);
	tcase_add_test(making, error_of_each_call_of_the_kernel_is_passed_on_and_leaves_nothing);
	suite_add_tcase(suite, making);

	tcase_add_test(descriptors, pipe_costs_the_descriptors_that_are_documented);
	tcase_add_test(descriptors, pipe_leaves_the_low_descriptors_free);
	tcase_add_test(descriptors, too_few_descriptors_are_emfile_and_leave_nothing);
	suite_add_tcase(suite, descriptors);

	tcase_add_test(refusals, calls_without_an_end_are_einval);
	tcase_add_test(refusals, flags_that_a_call_does_not_take_are_einval);
	tcase_add_test(refusals, pointers_that_are_missing_are_einval);
	tcase_add_test(refusals, end_that_only_receives_does_not_send);
	tcase_add_test(refusals, end_that_only_sends_does_not_receive);
	suite_add_tcase(suite, refusals);

	tcase_add_test(ends, nothing_is_left_of_pipes_that_were_closed);
	tcase_add_test(ends, many_pipes_are_many_pipes);
	tcase_add_test(ends, end_may_be_handed_over_and_used_again);
	tcase_add_test(ends, errno_is_left_alone_by_all_calls);
	suite_add_tcase(suite, ends);
	return test_main(suite);
}
