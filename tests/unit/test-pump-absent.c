/* SPDX-License-Identifier: MIT */
/*
 * The library as it is without ISA-L: this program has that file compiled in, whatever the library
 * was built with. Frames are refused before anything is done; raw pumps are as ever.
 */
#include "pipe-tools.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "weir.h"

static struct weir_end *ends[2];
static struct weir_queue *queue;
static int fds[2];

static void setup(void)
{
	ck_assert_int_eq(pipe_make(ends, 0, 4096), 0);
	ck_assert_int_eq(weir_queue(&queue, NULL), 0);
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
}

static void teardown(void)
{
	pipe_close_both(ends);
	weir_queue_close(queue);
	close(fds[0]);
	close(fds[1]);
}

START_TEST(frames_are_enosys)
{
	struct weir_pump_options sync = { .size = sizeof(sync), .flags = WEIR_PUMP_SYNC };
	struct weir_pump_options wrong = { .size = sizeof(wrong), .flags = UINT32_C(1) << 31 };
	struct weir_pump_scan scan = { .size = sizeof(scan), .frames = 7 };
	struct weir_pump *const nothing = (void *)ends, *pump = nothing;
	struct resources before = resources_begin();
	int file = memfd_create("pumped", MFD_CLOEXEC);

	ck_assert_int_eq(weir_pump_pipe(&pump, ends[0], fds[1], WEIR_PUMP_OUT, NULL), -ENOSYS);
	ck_assert_int_eq(weir_pump_pipe(&pump, ends[1], fds[0], WEIR_PUMP_IN, NULL), -ENOSYS);
	ck_assert_int_eq(weir_pump_queue(&pump, queue, file, WEIR_PUMP_OUT, &sync), -ENOSYS);
	ck_assert_int_eq(weir_pump_queue(&pump, queue, file, WEIR_PUMP_OUT, &wrong), -EINVAL);
	ck_assert_int_eq(weir_pump_scan(file, 0, &scan), -ENOSYS);
	ck_assert_int_eq(weir_pump_scan(file, WEIR_PUMP_CUT_DAMAGED, &scan), -ENOSYS);
	ck_assert_int_eq(weir_pump_scan(file, 0, NULL), -EINVAL);
	ck_assert_ptr_eq(pump, nothing);
	ck_assert_uint_eq(scan.frames, 7);
	close(file);
	resources_check(&before);
}
END_TEST

START_TEST(raw_pumps_move_bytes_both_ways)
{
	struct weir_pump_options raw = { .size = sizeof(raw), .flags = WEIR_PUMP_RAW };
	struct weir_pump *out, *in;
	char bytes[8];
	size_t size = 0;

	ck_assert_int_eq(weir_pump_pipe(&out, ends[0], fds[1], WEIR_PUMP_OUT, &raw), 0);
	ck_assert_int_eq(weir_pump_queue(&in, queue, fds[0], WEIR_PUMP_IN, &raw), 0);
	ck_assert_int_eq(weir_pipe_send(ends[1], "abc", 3, 0, 0), 0);
	ck_assert_int_eq(weir_pump_run(out, 1, 0, soon()), 1);
	ck_assert_int_eq(weir_pump_run(in, 1, 0, soon()), 1);
	ck_assert_int_eq(weir_queue_get(queue, bytes, sizeof(bytes), 0, 0, &size), 0);
	ck_assert_uint_eq(size, 3);
	ck_assert_mem_eq(bytes, "abc", 3);
	weir_pump_close(out);
	weir_pump_close(in);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pump-absent");
	TCase *tcase = tcase_create("pump-absent");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, frames_are_enosys);
	tcase_add_test(tcase, raw_pumps_move_bytes_both_ways);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
