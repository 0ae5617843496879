/* SPDX-License-Identifier: MIT */
/* A pump by an io_uring: what it registers, what it does without, and a hazard of the kernel's. */
#include "pump-bed.h"

#include <sys/resource.h>
#include <sys/wait.h>

#include "sys/sys.h"
#include "uring/ring.h"

static enum sys_call faulty;
static int fault_result, faults_left;

static int fault(enum sys_call call)
{
	if (call != faulty || faults_left == 0)
		return 0;
	faults_left--;
	return fault_result;
}

static void fail_calls(enum sys_call call, int result, int times)
{
	faulty = call;
	fault_result = result;
	faults_left = times;
	sys_fault = fault;
}

static struct weir_pump *uring_new(bool of_queue, int fd, uint32_t flags)
{
	struct weir_pump_options options = {
		.size = sizeof(options), .flags = flags, .engine = WEIR_ENGINE_URING,
	};

	return pump_new(of_queue, fd, &options);
}

static void run_all(struct weir_pump *pump)
{
	while (weir_pump_run(pump, 0, 0, 0) > 0)
		;
}

START_TEST(pipe_memory_is_registered_where_it_is_written_alone)
{
	int fd = pump_file();
	struct weir_pump *pump = uring_new(false, fd, WEIR_PUMP_RAW);
	uint64_t size = 0;

	ck_assert_uint_eq(pump_stat(pump).engine, WEIR_ENGINE_URING);
	ck_assert_int_eq(pump_stat(pump).engine_error, 0);
	ck_assert_uint_eq(pump_stat(pump).registered, 1);
	ck_assert_int_eq(pump_stat(pump).register_error, 0);
	/* Several laps around the ring. */
	for (uint64_t i = 0; i < 200; i++) {
		message_fill(buffer, size_of(i), i);
		ck_assert_int_eq(put(false, buffer, size_of(i)), 0);
		size += size_of(i);
		if (i % 5 == 0)
			run_all(pump);
	}
	run_all(pump);
	ck_assert_uint_eq(pump_file_size(fd), size);
	for (uint64_t i = 0, at = 0; i < 200; at += size_of(i++)) {
		ck_assert_int_eq(pread(fd, buffer, size_of(i), (off_t)at), (ssize_t)size_of(i));
		ck_assert(message_is(buffer, size_of(i), i));
	}
	weir_pump_close(pump);
	/* Frames have their headers elsewhere. */
	pump = uring_new(false, fd, 0);
	ck_assert_uint_eq(pump_stat(pump).engine, WEIR_ENGINE_URING);
	ck_assert_uint_eq(pump_stat(pump).registered, 0);
	ck_assert_int_eq(pump_stat(pump).register_error, -EOPNOTSUPP);
	weir_pump_close(pump);
	close(fd);
}
END_TEST

START_TEST(parts_of_registered_memory_go_in_one_call)
{
	int fd = pump_file();
	struct weir_pump *pump = uring_new(false, fd, WEIR_PUMP_RAW);
	uint32_t features = 0;
	uint64_t calls;

	ck_assert_int_eq(put(false, buffer, 10), 0);
	run_all(pump);
	for (int i = 0; i < 20; i++)
		ck_assert_int_eq(put(false, buffer, 10), 0);
	calls = pump_stat(pump).calls;
	ck_assert_int_eq(weir_pump_run(pump, 20, 0, soon()), 20);
	/* A request that the kernel does not take would be made again by a plain call. */
	ck_assert_uint_eq(pump_stat(pump).calls, calls + 1);
	ck_assert_int_eq(ring_features(&features), 0);
	printf("# scattered writes from registered memory: %s\n",
	       features & WEIR_URING_WRITEV_FIXED ? "yes" : "no");
	weir_pump_close(pump);
	close(fd);
}
END_TEST

START_TEST(queue_memory_is_never_registered)
{
	int fd = pump_file();
	struct weir_pump *pump = uring_new(true, fd, WEIR_PUMP_RAW);

	ck_assert_uint_eq(pump_stat(pump).registered, 0);
	ck_assert_int_eq(pump_stat(pump).register_error, -EOPNOTSUPP);
	weir_pump_close(pump);
	close(fd);
}
END_TEST

START_TEST(memory_that_cannot_be_registered_is_written_all_the_same)
{
	int fd = pump_file();
	struct weir_pump *pump;

	fail_calls(SYS_CALL_URING_REGISTER, -ENOMEM, 1);
	pump = uring_new(false, fd, WEIR_PUMP_RAW);
	sys_fault = NULL;
	ck_assert_uint_eq(pump_stat(pump).engine, WEIR_ENGINE_URING);
	ck_assert_uint_eq(pump_stat(pump).registered, 0);
	ck_assert_int_eq(pump_stat(pump).register_error, -ENOMEM);
	ck_assert_int_eq(put(false, "abc", 3), 0);
	ck_assert_int_eq(weir_pump_run(pump, 1, 0, soon()), 1);
	ck_assert_uint_eq(pump_file_size(fd), 3);
	weir_pump_close(pump);
	close(fd);
}
END_TEST

START_TEST(refused_io_uring_is_told_and_done_without)
{
	int fd = pump_file();
	struct weir_pump *pump;

	fail_calls(SYS_CALL_URING_SETUP, -EPERM, 10);
	pump = uring_new(OF_QUEUE, fd, 0);
	sys_fault = NULL;
	ck_assert_uint_eq(pump_stat(pump).engine, WEIR_ENGINE_EPOLL);
	ck_assert_int_eq(pump_stat(pump).engine_error, -EPERM);
	put_some(OF_QUEUE, 0, 5);
	ck_assert_int_eq(weir_pump_run(pump, 5, 0, soon()), 5);
	check_frames(fd, 5);
	weir_pump_close(pump);
	close(fd);
}
END_TEST

START_TEST(io_uring_that_fails_later_is_done_without)
{
	int fd = pump_file();
	struct weir_pump *pump = uring_new(OF_QUEUE, fd, 0);

	put_some(OF_QUEUE, 0, 5);
	ck_assert_int_eq(weir_pump_run(pump, 2, 0, soon()), 2);
	fail_calls(SYS_CALL_URING_ENTER, -ENOMEM, 1);
	ck_assert_int_eq(weir_pump_run(pump, 3, 0, soon()), 3);
	sys_fault = NULL;
	ck_assert_uint_eq(pump_stat(pump).engine, WEIR_ENGINE_EPOLL);
	check_frames(fd, 5);
	weir_pump_close(pump);
	close(fd);
}
END_TEST

/* The kernel leaves the position where it was when it has written but a part. */
START_TEST(position_is_right_after_a_part_was_written)
{
	struct rlimit old, limit;
	int fd = pump_file();
	struct weir_pump *pump = uring_new(OF_QUEUE, fd, 0);
	off_t position;
	int64_t result;

	put_some(OF_QUEUE, 4, 4);
	getrlimit(RLIMIT_FSIZE, &old);
	limit = (struct rlimit){ 1000, old.rlim_max };
	setrlimit(RLIMIT_FSIZE, &limit);
	do
		result = weir_pump_run(pump, 0, 0, soon());
	while (result > 0);
	setrlimit(RLIMIT_FSIZE, &old);
	ck_assert_int_eq(result, -EFBIG);
	position = lseek(fd, 0, SEEK_CUR);
	ck_assert_int_eq(position, 1000);
	run_all(pump);
	ck_assert_uint_eq(pump_scan(fd, 0).frames, 4);
	ck_assert_int_eq(pump_scan(fd, 0).error, 0);
	weir_pump_close(pump);
	close(fd);
}
END_TEST

START_TEST(child_closes_its_copy_of_the_ring)
{
	int fd = pump_file(), status;
	struct weir_pump *pump = uring_new(OF_QUEUE, fd, 0);
	pid_t pid;

	put_some(OF_QUEUE, 0, 3);
	ck_assert_int_eq(weir_pump_run(pump, 1, 0, soon()), 1);
	pid = fork();
	if (pid == 0) {
		int64_t result = weir_pump_run(pump, 0, 0, 0);

		weir_pump_close(pump);
		_exit(result == -EBUSY ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(weir_pump_run(pump, 2, 0, soon()), 2);
	check_frames(fd, 3);
	weir_pump_close(pump);
	close(fd);
}
END_TEST

static const char *unavailable(void)
{
	uint32_t features;

	return ring_features(&features) < 0 ? "there is no io_uring here" : NULL;
}

int main(void)
{
	Suite *suite = suite_create("pump-uring");
	TCase *tcase = tcase_create("uring");

	if (unavailable())
		test_skip_all(unavailable());
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, pipe_memory_is_registered_where_it_is_written_alone);
	tcase_add_test(tcase, parts_of_registered_memory_go_in_one_call);
	tcase_add_test(tcase, queue_memory_is_never_registered);
	tcase_add_test(tcase, memory_that_cannot_be_registered_is_written_all_the_same);
	tcase_add_loop_test(tcase, refused_io_uring_is_told_and_done_without, 0, ROUNDS);
	tcase_add_loop_test(tcase, io_uring_that_fails_later_is_done_without, 0, ROUNDS);
	tcase_add_loop_test(tcase, position_is_right_after_a_part_was_written, 0, ROUNDS);
	tcase_add_loop_test(tcase, child_closes_its_copy_of_the_ring, 0, ROUNDS);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
