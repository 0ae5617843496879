/* SPDX-License-Identifier: MIT */
/* A pump from an object to a file, and whatever may end a run. */
#include "pump-bed.h"

#include <sys/resource.h>
#include <sys/wait.h>

/*
 * Files
 */

START_TEST(messages_are_frames_of_a_file)
{
	int fd = pump_file();
	struct weir_pump *pump = pump_new(OF_QUEUE, fd, NULL);
	struct weir_pump_stat stat;

	ck_assert_int_eq(weir_pump_run(pump, 0, 0, 0), -EAGAIN);
	ck_assert_int_eq(weir_pump_run(pump, 0, 0, weir_after(1)), -ETIMEDOUT);
	put_some(OF_QUEUE, 0, 10);
	ck_assert_int_eq(weir_pump_run(pump, 10, 0, soon()), 10);
	put_some(OF_QUEUE, 10, 5);
	end_source(OF_QUEUE);
	ck_assert_int_eq(weir_pump_run(pump, 0, 0, soon()), 5);
	ck_assert_int_eq(weir_pump_run(pump, 0, 0, soon()), 0);
	ck_assert_int_eq(weir_pump_run(pump, 0, 0, 0), 0);
	stat = pump_stat(pump);
	ck_assert_uint_eq(stat.messages, 15);
	ck_assert_uint_eq(stat.bytes, pump_file_size(fd));
	ck_assert_uint_eq(stat.bytes, stat.payload + 15 * sizeof(struct pump_frame));
	ck_assert_uint_eq(stat.number, 15);
	ck_assert_uint_eq(stat.held, 0);
	ck_assert_uint_eq(stat.partial, 0);
	check_frames(fd, 15);
	weir_pump_close(pump);
	close(fd);
}
END_TEST

START_TEST(many_messages_are_few_calls)
{
	int fd = pump_file();
	struct weir_pump *pump = pump_new(OF_QUEUE, fd, NULL);
	uint64_t size = 8, moved = 0;

	for (uint64_t i = 0; i < 5000; i++)
		ck_assert_int_eq(put(OF_QUEUE, &size, sizeof(size)), 0);
	while (moved < 5000) {
		int64_t result = weir_pump_run(pump, 0, 0, 0);

		ck_assert_int_gt(result, 0);
		moved += (uint64_t)result;
	}
	/* The first goes alone, since nothing is known of their sizes. */
	ck_assert_uint_le(pump_stat(pump).calls, 5000 / 512 + 2);
	ck_assert_uint_eq(pump_scan(fd, 0).frames, 5000);
	weir_pump_close(pump);
	close(fd);
}
END_TEST

START_TEST(raw_is_the_bytes_alone)
{
	int fd = pump_file();
	struct weir_pump *pump = raw_new(OF_QUEUE, fd);
	char text[16] = { 0 };

	ck_assert_int_eq(put(OF_QUEUE, "one", 3), 0);
	ck_assert_int_eq(put(OF_QUEUE, "", 0), 0);
	ck_assert_int_eq(put(OF_QUEUE, "two", 3), 0);
	ck_assert_int_eq(put(OF_QUEUE, "", 0), 0);
	ck_assert_int_eq(weir_pump_run(pump, 4, 0, soon()), 4);
	ck_assert_int_eq(pread(fd, text, sizeof(text), 0), 6);
	ck_assert_str_eq(text, "onetwo");
	ck_assert_uint_eq(pump_stat(pump).bytes, 6);
	weir_pump_close(pump);
	close(fd);
}
END_TEST

START_TEST(count_limits_a_run)
{
	int fd = pump_file();
	struct weir_pump *pump = pump_new(OF_QUEUE, fd, NULL);

	put_some(OF_QUEUE, 0, 10);
	for (int i = 1; i < 5; i++)
		ck_assert_int_eq(weir_pump_run(pump, (uint64_t)i, 0, soon()), i);
	check_frames(fd, 10);
	weir_pump_close(pump);
	close(fd);
}
END_TEST

START_TEST(appending_and_writing_at_the_position_both_work)
{
	char path[] = "/tmp/weir-pump-XXXXXX";
	int fd = mkstemp(path), append = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	struct weir_pump *pump = pump_new(OF_QUEUE, append, NULL);

	ck_assert_int_ge(fd, 0);
	unlink(path);
	put_some(OF_QUEUE, 0, 3);
	ck_assert_int_eq(weir_pump_run(pump, 3, 0, soon()), 3);
	check_frames(fd, 3);
	weir_pump_close(pump);
	/* Over the last two, which are of the same sizes. */
	ck_assert_int_eq(lseek(fd, 32, SEEK_SET), 32);
	pump = pump_new(OF_QUEUE, fd, &(struct weir_pump_options){
		.size = sizeof(struct weir_pump_options), .number = 1 });
	put_some(OF_QUEUE, 1, 2);
	ck_assert_int_eq(weir_pump_run(pump, 2, 0, soon()), 2);
	check_frames(fd, 3);
	weir_pump_close(pump);
	close(fd);
	close(append);
}
END_TEST

START_TEST(file_is_synced_as_often_as_the_options_say)
{
	struct weir_pump_options options = { .size = sizeof(options), .sync_bytes = 1000 };
	int fd = pump_file();
	struct weir_pump *pump = pump_new(OF_QUEUE, fd, &options);

	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(put(OF_QUEUE, buffer, 68), 0);
		ck_assert_int_eq(weir_pump_run(pump, 1, 0, soon()), 1);
	}
	ck_assert_uint_eq(pump_stat(pump).syncs, 2);
	weir_pump_close(pump);
	options = (struct weir_pump_options){ .size = sizeof(options), .flags = WEIR_PUMP_SYNC };
	pump = pump_new(OF_QUEUE, fd, &options);
	for (int i = 0; i < 3; i++) {
		put_some(OF_QUEUE, 0, 5);
		ck_assert_int_eq(weir_pump_run(pump, 5, 0, soon()), 5);
		ck_assert_int_eq(weir_pump_run(pump, 0, 0, 0), -EAGAIN);
	}
	ck_assert_uint_eq(pump_stat(pump).syncs, 3);
	weir_pump_close(pump);
	close(fd);
}
END_TEST

/*
 * Run until the file may have no more than @most bytes; what the last run returned. check(3) itself
 * writes files, so nothing is asserted meanwhile.
 */
static int64_t run_with_limit(struct weir_pump *pump, rlim_t most)
{
	struct rlimit old, limit;
	int64_t result;

	getrlimit(RLIMIT_FSIZE, &old);
	limit = (struct rlimit){ most, old.rlim_max };
	setrlimit(RLIMIT_FSIZE, &limit);
	do
		result = weir_pump_run(pump, 0, 0, soon());
	while (result > 0);
	setrlimit(RLIMIT_FSIZE, &old);
	return result;
}

START_TEST(full_file_is_an_error_and_nothing_is_lost)
{
	int fd = pump_file();
	struct weir_pump *pump = pump_new(OF_QUEUE, fd, NULL);
	struct weir_pump_stat stat;

	put_some(OF_QUEUE, 0, 20);
	for (rlim_t most = 1; most < 40000; most += 1 + most / 3) {
		/* No SIGXFSZ. */
		ck_assert_int_eq(run_with_limit(pump, most), -EFBIG);
		stat = pump_stat(pump);
		ck_assert_uint_eq(pump_file_size(fd), most);
		ck_assert_uint_eq(stat.bytes + stat.partial, most);
	}
	while (weir_pump_run(pump, 0, 0, 0) > 0)
		;
	check_frames(fd, 20);
	weir_pump_close(pump);
	close(fd);
}
END_TEST

/*
 * Ends
 */

START_TEST(what_is_not_written_goes_back_in_order)
{
	int fd = pump_file();
	struct weir_pump *pump = pump_new(OF_QUEUE, fd, NULL);
	struct weir_pump_scan scan;

	put_some(OF_QUEUE, 0, 20);
	ck_assert_int_eq(run_with_limit(pump, 12000), -EFBIG);
	ck_assert_uint_gt(pump_stat(pump).partial, 0);
	weir_pump_close(pump);
	/* A part of a frame is there, and its message in the object. */
	scan = pump_scan(fd, WEIR_PUMP_CUT);
	ck_assert_int_eq(scan.error, -ENODATA);
	ck_assert_uint_eq(scan.end + scan.rest, 12000);
	ck_assert_uint_eq(pump_file_size(fd), scan.end);
	pump = pump_new(OF_QUEUE, fd, &(struct weir_pump_options){
		.size = sizeof(struct weir_pump_options), .number = scan.number });
	put_some(OF_QUEUE, 20, 5);
	while (weir_pump_run(pump, 0, 0, 0) > 0)
		;
	check_frames(fd, 25);
	weir_pump_close(pump);
	close(fd);
}
END_TEST

START_TEST(pipe_that_was_shut_down_is_eshutdown_when_all_is_written)
{
	int fd = pump_file();
	struct weir_pump *pump = pump_new(false, fd, NULL);

	put_some(false, 0, 4);
	ck_assert_int_eq(weir_pipe_shutdown(ends[1]), 0);
	ck_assert_int_eq(weir_pump_run(pump, 0, 0, soon()), 4);
	ck_assert_int_eq(weir_pump_run(pump, 0, 0, soon()), -ESHUTDOWN);
	check_frames(fd, 4);
	weir_pump_close(pump);
	close(fd);
}
END_TEST

START_TEST(queue_with_fewer_leases_than_a_batch_is_pumped)
{
	struct weir_queue_options options = { .size = sizeof(options), .max_taken = 3 };
	struct weir_queue *few;
	struct weir_pump *pump;
	int fd = pump_file();

	ck_assert_int_eq(weir_queue(&few, &options), 0);
	ck_assert_int_eq(weir_pump_queue(&pump, few, fd, WEIR_PUMP_OUT, NULL), 0);
	for (uint64_t i = 0; i < 20; i++) {
		message_fill(buffer, size_of(i), i);
		ck_assert_int_eq(weir_queue_put(few, buffer, size_of(i), 0, 0), 0);
	}
	ck_assert_int_eq(weir_pump_run(pump, 20, 0, soon()), 20);
	check_frames(fd, 20);
	weir_pump_close(pump);
	weir_queue_close(few);
	close(fd);
}
END_TEST

/* Before and behind it, small ones. */
static int send_large(void *arg)
{
	(void)arg;
	for (uint64_t i = 0; i < 3; i++) {
		size_t size = i == 1 ? 700000 : 10;

		message_fill(buffer, size, i);
		child_check(weir_pipe_send(ends[1], buffer, size, 0, soon()) == 0);
	}
	return 0;
}

START_TEST(message_larger_than_the_ring_is_pumped)
{
	struct weir_pump *pump;
	int fd = pump_file();
	struct child child;
	uint64_t offset = 0;
	struct pump_frame f;

	child = child_start(send_large, NULL);
	pump = pump_new(false, fd, NULL);
	ck_assert_int_eq(weir_pump_run(pump, 3, 0, soon()), 3);
	child_join_ok(&child);
	for (uint64_t i = 0, last = 0; i < 3; i++) {
		ck_assert(pump_read_frame(fd, &offset, &f, buffer, sizeof(buffer)));
		ck_assert(message_is(buffer, f.size, i));
		ck_assert(i == 0 || f.origin > last);
		last = f.origin;
	}
	weir_pump_close(pump);
	close(fd);
}
END_TEST

START_TEST(forked_child_has_no_pump)
{
	int fd = pump_file(), status;
	struct weir_pump *pump = pump_new(OF_QUEUE, fd, NULL);
	pid_t pid;

	put_some(OF_QUEUE, 0, 2);
	ck_assert_int_eq(weir_pump_run(pump, 1, 0, soon()), 1);
	pid = fork();
	if (pid == 0) {
		int64_t result = weir_pump_run(pump, 0, 0, 0);

		weir_pump_close(pump);
		_exit(result == -EBUSY ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(weir_pump_run(pump, 1, 0, soon()), 1);
	check_frames(fd, 2);
	weir_pump_close(pump);
	close(fd);
}
END_TEST

START_TEST(what_cannot_be_is_einval)
{
	struct weir_pump_options options = { .size = sizeof(options) };
	struct weir_pump *pump = NULL;
	struct weir_pump_stat stat = { .size = sizeof(stat) };
	struct weir_pump_scan scan = { .size = sizeof(scan) };
	int fd = pump_file(), fds[2], folder = open("/", O_RDONLY | O_CLOEXEC);

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	ck_assert_int_eq(weir_pump_pipe(NULL, ends[0], fd, WEIR_PUMP_OUT, NULL), -EINVAL);
	ck_assert_int_eq(weir_pump_pipe(&pump, NULL, fd, WEIR_PUMP_OUT, NULL), -EINVAL);
	ck_assert_int_eq(weir_pump_queue(&pump, NULL, fd, WEIR_PUMP_OUT, NULL), -EINVAL);
	ck_assert_int_eq(weir_pump_pipe(&pump, ends[0], fd, 0, NULL), -EINVAL);
	ck_assert_int_eq(weir_pump_pipe(&pump, ends[0], fd, 3, NULL), -EINVAL);
	ck_assert_int_eq(weir_pump_pipe(&pump, ends[0], -1, WEIR_PUMP_OUT, NULL), -EBADF);
	ck_assert_int_eq(weir_pump_pipe(&pump, ends[0], fds[0], WEIR_PUMP_OUT, NULL), -EBADF);
	ck_assert_int_eq(weir_pump_pipe(&pump, ends[0], fds[1], WEIR_PUMP_IN, NULL), -EBADF);
	ck_assert_int_eq(weir_pump_queue(&pump, queue, folder, WEIR_PUMP_IN, NULL), -EOPNOTSUPP);
	options.size = 8;
	ck_assert_int_eq(weir_pump_pipe(&pump, ends[0], fd, WEIR_PUMP_OUT, &options), -EINVAL);
	options = (struct weir_pump_options){ .size = sizeof(options), .flags = 1U << 9 };
	ck_assert_int_eq(weir_pump_pipe(&pump, ends[0], fd, WEIR_PUMP_OUT, &options), -EINVAL);
	options = (struct weir_pump_options){ .size = sizeof(options), .engine = 3 };
	ck_assert_int_eq(weir_pump_pipe(&pump, ends[0], fd, WEIR_PUMP_OUT, &options), -EINVAL);
	options = (struct weir_pump_options){ .size = sizeof(options), .flags = WEIR_PUMP_SYNC };
	ck_assert_int_eq(weir_pump_pipe(&pump, ends[0], fds[1], WEIR_PUMP_OUT, &options), -EINVAL);
	ck_assert_int_eq(weir_pump_pipe(&pump, ends[0], fd, WEIR_PUMP_IN, &options), -EINVAL);
	options = (struct weir_pump_options){ .size = sizeof(options), .chunk = 1 << 20 };
	ck_assert_int_eq(weir_pump_pipe(&pump, ends[0], fd, WEIR_PUMP_IN, &options), -EINVAL);
	options = (struct weir_pump_options){ .size = sizeof(options), .max_size = UINT64_MAX };
	ck_assert_int_eq(weir_pump_pipe(&pump, ends[0], fd, WEIR_PUMP_IN, &options), -EINVAL);
	ck_assert_ptr_null(pump);
	pump = pump_new(true, fd, NULL);
	ck_assert_int_eq(weir_pump_run(NULL, 0, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_pump_run(pump, 0, WEIR_MORE, 0), -EINVAL);
	ck_assert_int_eq(weir_pump_run(pump, UINT64_MAX, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_pump_stat(pump, NULL), -EINVAL);
	stat.size = 3;
	ck_assert_int_eq(weir_pump_stat(pump, &stat), -EINVAL);
	ck_assert_int_eq(weir_pump_scan(fd, 4, &scan), -EINVAL);
	ck_assert_int_eq(weir_pump_scan(fd, 0, NULL), -EINVAL);
	ck_assert_int_eq(weir_pump_scan(fds[0], 0, &scan), -ESPIPE);
	ck_assert_int_eq(weir_pump_scan(-1, 0, &scan), -EBADF);
	weir_pump_close(pump);
	weir_pump_close(NULL);
	close(fds[0]);
	close(fds[1]);
	close(folder);
	close(fd);
}
END_TEST

START_TEST(end_that_only_sends_cannot_be_pumped_out)
{
	struct weir_end *oneway[2];
	struct weir_pump *pump;
	int fd = pump_file();

	ck_assert_int_eq(pipe_make(oneway, WEIR_PIPE_ONEWAY, 0), 0);
	ck_assert_int_eq(weir_pump_pipe(&pump, oneway[1], fd, WEIR_PUMP_OUT, NULL), -EOPNOTSUPP);
	ck_assert_int_eq(weir_pump_pipe(&pump, oneway[0], fd, WEIR_PUMP_IN, NULL), -EOPNOTSUPP);
	pipe_close_both(oneway);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pump");
	TCase *tcase = tcase_create("out");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, messages_are_frames_of_a_file, 0, ROUNDS);
	tcase_add_loop_test(tcase, many_messages_are_few_calls, 0, ROUNDS);
	tcase_add_loop_test(tcase, raw_is_the_bytes_alone, 0, ROUNDS);
	tcase_add_loop_test(tcase, count_limits_a_run, 0, ROUNDS);
	tcase_add_loop_test(tcase, appending_and_writing_at_the_position_both_work, 0, ROUNDS);
	tcase_add_loop_test(tcase, file_is_synced_as_often_as_the_options_say, 0, ROUNDS);
	tcase_add_loop_test(tcase, full_file_is_an_error_and_nothing_is_lost, 0, ROUNDS);
	tcase_add_loop_test(tcase, what_is_not_written_goes_back_in_order, 0, ROUNDS);
	tcase_add_test(tcase, pipe_that_was_shut_down_is_eshutdown_when_all_is_written);
	tcase_add_test(tcase, queue_with_fewer_leases_than_a_batch_is_pumped);
	tcase_add_test(tcase, message_larger_than_the_ring_is_pumped);
	/* An emulator does not pass on that memory is to be wiped. */
	test_add_loop_unless(tcase, kernel_unavailable(), forked_child_has_no_pump, 0, ROUNDS);
	tcase_add_test(tcase, what_cannot_be_is_einval);
	tcase_add_test(tcase, end_that_only_sends_cannot_be_pumped_out);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
