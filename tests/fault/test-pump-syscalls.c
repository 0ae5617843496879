/* SPDX-License-Identifier: MIT */
/*
 * Each system call of a pump made to fail: only that one, all from there on, or all of a kind. A
 * run ends with that error, or does without the call; without failures the next one goes on, and in
 * the end each message is there once, in order.
 */
#include "failures.h"
#include "pump-tools.h"

#define COUNT	12

static const int errors[] = {
	EMFILE, ENOMEM, EPERM, EINTR, ENOSPC, EDQUOT, EIO, ENOSYS, EAGAIN, EINVAL, EOPNOTSUPP,
	EPIPE, EFBIG,
};

#define ERRORS ((int)(sizeof(errors) / sizeof(errors[0])))

static struct resources before;
static uint8_t buffer[100000];

/* What is pumped, and by what way. */
static bool of_queue;
static uint32_t engine;
static struct weir_end *ends[2];
static struct weir_queue *queue;
static int fds[2];	/* written, read */

static size_t size_of(uint64_t number)
{
	return number == 5 ? 40000 : 10 + number;
}

static int put(uint64_t number)
{
	message_fill(buffer, size_of(number), number);
	if (of_queue)
		return weir_queue_put(queue, buffer, size_of(number), 0, 0);
	return weir_pipe_send(ends[1], buffer, size_of(number), 0, 0);
}

static void check_got(uint64_t number)
{
	size_t size = 0;
	int result = of_queue ? weir_queue_get(queue, buffer, sizeof(buffer), 0, 0, &size)
			      : weir_pipe_recv(ends[0], buffer, sizeof(buffer), 0, 0, &size);

	check(result == 0);
	check(size == size_of(number) && message_is(buffer, size, number));
}

static void open_objects(void)
{
	check(weir_pipe(ends, NULL) == 0);
	check(weir_queue(&queue, NULL) == 0);
}

static void close_all(void)
{
	pipe_close_both(ends);
	weir_queue_close(queue);
	close(fds[0]);
	if (fds[1] != fds[0])
		close(fds[1]);
	resources_check(&before);
}

static int make_pump(uint32_t direction, struct weir_pump **ret_pump)
{
	bool to_file = direction == WEIR_PUMP_OUT && fds[0] == fds[1];
	struct weir_pump_options options = {
		.size = sizeof(options), .engine = engine, .sync_bytes = to_file ? 100 : 0,
	};

	if (of_queue)
		return weir_pump_queue(ret_pump, queue, fds[0], direction, &options);
	return weir_pump_pipe(ret_pump, ends[direction == WEIR_PUMP_OUT ? 0 : 1], fds[0], direction,
			      &options);
}

static void check_frames(void)
{
	for (uint64_t i = 0; i < COUNT; i++) {
		struct pump_frame f;

		check(read(fds[1], &f, sizeof(f)) == (ssize_t)sizeof(f));
		check(pump_frame_valid(&f));
		check(f.number == i && f.size == size_of(i));
		check(read(fds[1], buffer, f.size) == (ssize_t)f.size);
		check(message_is(buffer, f.size, i));
	}
}

/* With failures for a while, and then without. */
static void run_to_the_end(struct weir_pump *pump)
{
	uint64_t moved = 0;
	int64_t result;

	failures_begin();
	for (int i = 0; i < 3 && moved < COUNT; i++) {
		result = weir_pump_run(pump, COUNT - moved, 0, weir_after(NS_PER_US));
		/* Each is one that was asked for, or what the pipe or queue makes of it. */
		if (result < 0)
			check(result == plan.error || result == -ETIMEDOUT || result == -EAGAIN ||
			      result == -ENOMEM || result == -EBUSY || result == -ENOBUFS);
		moved += result > 0 ? (uint64_t)result : 0;
	}
	failures_end("weir_pump_run");
	while (moved < COUNT) {
		result = weir_pump_run(pump, COUNT - moved, 0, soon());
		/* What was kept of the last run. */
		check(result > 0 || result == plan.error || result == -ENOMEM);
		moved += result > 0 ? (uint64_t)result : 0;
	}
	check(moved == COUNT);
}

static void out_once(void)
{
	struct weir_pump *pump = NULL;
	int result;

	for (uint64_t i = 0; i < COUNT; i++)
		check(put(i) == 0);
	failures_begin();
	result = make_pump(WEIR_PUMP_OUT, &pump);
	failures_end("making");
	check(result == 0 || result == plan.error);
	if (result < 0) {
		check(!pump);
		check(make_pump(WEIR_PUMP_OUT, &pump) == 0);
	}
	run_to_the_end(pump);
	weir_pump_close(pump);
	if (fds[0] == fds[1])
		lseek(fds[0], 0, SEEK_SET);
	check_frames();
	close_all();
}

static void to_file_once(void)
{
	fds[0] = fds[1] = pump_file();
	open_objects();
	out_once();
}

static void to_pipe_once(void)
{
	int both[2];

	check(pipe2(both, O_CLOEXEC) == 0);
	fcntl(both[1], F_SETPIPE_SZ, 1 << 17);
	fds[0] = both[1];
	fds[1] = both[0];
	open_objects();
	out_once();
}

static void to_socket_once(void)
{
	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	open_objects();
	out_once();
}

static void in_once(void)
{
	struct weir_pump *pump = NULL;
	int result;

	open_objects();
	failures_begin();
	result = make_pump(WEIR_PUMP_IN, &pump);
	failures_end("making");
	check(result == 0 || result == plan.error);
	if (result < 0)
		check(make_pump(WEIR_PUMP_IN, &pump) == 0);
	run_to_the_end(pump);
	weir_pump_close(pump);
	for (uint64_t i = 0; i < COUNT; i++)
		check_got(i);
	close_all();
}

static void write_frames(int fd)
{
	for (uint64_t i = 0; i < COUNT; i++) {
		struct pump_frame f;

		message_fill(buffer, size_of(i), i);
		pump_frame_make(&f, buffer, (uint32_t)size_of(i), i, i);
		check(write(fd, &f, sizeof(f)) == (ssize_t)sizeof(f));
		check(write(fd, buffer, f.size) == (ssize_t)f.size);
	}
}

static void from_file_once(void)
{
	fds[0] = fds[1] = pump_file();
	write_frames(fds[0]);
	lseek(fds[0], 0, SEEK_SET);
	in_once();
}

static void from_pipe_once(void)
{
	check(pipe2(fds, O_CLOEXEC) == 0);
	fcntl(fds[1], F_SETPIPE_SZ, 1 << 17);
	write_frames(fds[1]);
	in_once();
}

static void from_socket_once(void)
{
	check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
	write_frames(fds[1]);
	in_once();
}

static void scan_once(void)
{
	struct weir_pump_scan scan = { .size = sizeof(scan), .error = 1 };
	int result;

	fds[0] = fds[1] = pump_file();
	open_objects();
	write_frames(fds[0]);
	check(write(fds[0], "We", 2) == 2);
	failures_begin();
	result = weir_pump_scan(fds[0], WEIR_PUMP_CUT, &scan);
	failures_end("weir_pump_scan");
	check(result == 0 || result == plan.error);
	if (result < 0)
		check(scan.error == 1);
	check(pump_scan(fds[0], WEIR_PUMP_CUT).frames == COUNT);
	check(pump_file_size(fds[0]) == pump_scan(fds[0], 0).end);
	close_all();
}

static void (*const ways[])(void) = {
	to_file_once, to_pipe_once, to_socket_once,
	from_file_once, from_pipe_once, from_socket_once,
	scan_once,
};

#define WAYS ((int)(sizeof(ways) / sizeof(ways[0])))

START_TEST(failing_call_of_a_pump_loses_nothing)
{
	int way = _i % WAYS;

	of_queue = _i / WAYS & 1;
	engine = _i / WAYS & 2 ? WEIR_ENGINE_URING : WEIR_ENGINE_EPOLL;
	/* A pump that may not wait, waits again. */
	may_last = EAGAIN;
	before = resources_begin();
	for (int i = 0; i < ERRORS; i++)
		with_each_call(errors[i], ways[way]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pump-syscalls");
	TCase *tcase = tcase_create("syscalls");
	struct weir_queue *q;

	/* What is kept from the first use on. */
	if (weir_queue(&q, NULL) == 0) {
		weir_queue_put(q, "", 0, 0, 0);
		weir_queue_close(q);
	}
	tcase_add_loop_test(tcase, failing_call_of_a_pump_loses_nothing, 0, 4 * WAYS);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
