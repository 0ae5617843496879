/* SPDX-License-Identifier: MIT */
/* A pump from a descriptor into an object: frames, packets and bytes, whole, torn and wrong. */
#include "pump-bed.h"

#include <stdlib.h>

#define COUNT	40

static struct weir_pump *in_new(bool of_queue, int fd, const struct weir_pump_options *options)
{
	struct weir_pump *pump = NULL;
	int result = of_queue ? weir_pump_queue(&pump, queue, fd, WEIR_PUMP_IN, options)
			      : weir_pump_pipe(&pump, ends[1], fd, WEIR_PUMP_IN, options);

	ck_assert_int_eq(result, 0);
	return pump;
}

static struct weir_pump *raw_in_new(bool of_queue, int fd)
{
	struct weir_pump_options options = { .size = sizeof(options), .flags = WEIR_PUMP_RAW };

	return in_new(of_queue, fd, &options);
}

static size_t large_size_of(uint64_t number)
{
	return number % 4 == 3 ? 30000 + number * 3000 : size_of(number);
}

/* Frame @number as it is in a file, at @to; its size. */
static size_t frame_at(uint8_t *to, uint64_t number, size_t size)
{
	struct pump_frame f;

	message_fill(to + sizeof(f), size, number);
	pump_frame_make(&f, to + sizeof(f), (uint32_t)size, number, number);
	memcpy(to, &f, sizeof(f));
	return sizeof(f) + size;
}

/* A file of @count frames, at its beginning. */
static int frames_file(uint64_t count, size_t (*size)(uint64_t number))
{
	int fd = pump_file();

	for (uint64_t i = 0; i < count; i++) {
		size_t n = frame_at(buffer, i, size(i));

		ck_assert_int_eq(write(fd, buffer, n), (ssize_t)n);
	}
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void check_is(bool of_queue, uint64_t number, size_t size)
{
	ck_assert_int_eq(get(of_queue), (int64_t)size);
	ck_assert(message_is(buffer, size, number));
}

START_TEST(frames_of_a_file_become_messages)
{
	int fd = frames_file(COUNT, large_size_of);
	struct weir_pump *pump = in_new(OF_QUEUE, fd, NULL);
	uint64_t seen = 0;
	int64_t result;

	do {
		result = weir_pump_run(pump, 1 + seen % 5, 0, 0);
		while (seen < COUNT && get(OF_QUEUE) == (int64_t)large_size_of(seen)) {
			ck_assert(message_is(buffer, large_size_of(seen), seen));
			seen++;
		}
		/* The ring may have been full. */
	} while (result > 0 || result == -EAGAIN);
	ck_assert_int_eq(result, 0);
	ck_assert_uint_eq(seen, COUNT);
	ck_assert_uint_eq(pump_stat(pump).messages, COUNT);
	ck_assert_uint_eq(pump_stat(pump).bytes, pump_file_size(fd));
	ck_assert_uint_eq(pump_stat(pump).held, 0);
	weir_pump_close(pump);
	close(fd);
}
END_TEST

static int receive_all(void *arg)
{
	uint64_t count = *(uint64_t *)arg;

	weir_pipe_close(ends[1]);
	ends[1] = NULL;
	for (uint64_t i = 0; i < count; i++) {
		size_t size;

		child_check(weir_pipe_recv(ends[0], buffer, sizeof(buffer), 0, soon(), &size) == 0);
		child_check(size == i * 100000);
		child_check(message_is(buffer, size, i));
	}
	return 0;
}

static size_t huge_size_of(uint64_t number)
{
	return number * 100000;
}

START_TEST(frames_larger_than_the_ring_become_messages)
{
	uint64_t count = 10;
	int fd = frames_file(count, huge_size_of);
	struct weir_pump *pump = in_new(false, fd, NULL);
	struct child child = child_start(receive_all, &count);

	ck_assert_int_eq(weir_pump_run(pump, 0, 0, soon()), (int64_t)count);
	ck_assert_int_eq(weir_pump_run(pump, 0, 0, soon()), 0);
	child_join_ok(&child);
	weir_pump_close(pump);
	close(fd);
}
END_TEST

START_TEST(what_has_no_room_waits_in_the_pump)
{
	struct weir_queue_options options = { .size = sizeof(options), .max_items = 3 };
	int fd = frames_file(COUNT, large_size_of);
	struct weir_pump *pump;
	struct weir_queue *old = queue;

	ck_assert_int_eq(weir_queue(&queue, &options), 0);
	pump = in_new(true, fd, NULL);
	for (uint64_t i = 0; i < COUNT; i++) {
		int64_t result = weir_pump_run(pump, 0, 0, 0);

		ck_assert(result > 0 || result == -EAGAIN || result == 0);
		check_is(true, i, large_size_of(i));
	}
	ck_assert_int_eq(weir_pump_run(pump, 0, 0, soon()), 0);
	weir_pump_close(pump);
	weir_queue_close(queue);
	queue = old;
	close(fd);
}
END_TEST

START_TEST(file_that_ends_in_a_frame_is_enodata_and_may_go_on)
{
	size_t one = frame_at(buffer, 0, 50), two = frame_at(buffer + one, 1, 40000);
	uint8_t *file = malloc(one + two);

	memcpy(file, buffer, one + two);
	for (size_t cut = 0; cut < one + two; cut += 1 + (cut > 200) * 997) {
		int fd = pump_file();
		struct weir_pump *pump = in_new(OF_QUEUE, fd, NULL);
		int first = cut < one ? 0 : 1;

		ck_assert_int_eq(write(fd, file, cut), (ssize_t)cut);
		ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
		if (first)
			ck_assert_int_eq(weir_pump_run(pump, 0, 0, soon()), 1);
		for (int i = 0; i < 2; i++)
			ck_assert_int_eq(weir_pump_run(pump, 0, 0, soon()),
					 cut == 0 || cut == one ? 0 : -ENODATA);
		ck_assert_uint_eq(pump_stat(pump).bytes, first ? one : 0);
		ck_assert_uint_eq(pump_stat(pump).held, cut - (first ? one : 0));
		ck_assert_int_eq(pwrite(fd, file + cut, one + two - cut, (off_t)cut),
				 (ssize_t)(one + two - cut));
		ck_assert_int_eq(weir_pump_run(pump, 0, 0, soon()), 2 - first);
		ck_assert_int_eq(weir_pump_run(pump, 0, 0, soon()), 0);
		check_is(OF_QUEUE, 0, 50);
		check_is(OF_QUEUE, 1, 40000);
		weir_pump_close(pump);
		close(fd);
	}
	free(file);
}
END_TEST

START_TEST(each_wrong_byte_is_ebadmsg_and_what_was_before_is_put)
{
	size_t one = frame_at(buffer, 0, 10), two = frame_at(buffer + one, 1, 33);
	uint8_t file[200];

	memcpy(file, buffer, one + two);
	for (size_t at = 0; at < one + two; at++) {
		int fd = pump_file(), good = at >= one;
		struct weir_pump *pump = in_new(OF_QUEUE, fd, NULL);

		file[at] ^= (uint8_t)(1 + test_random_below(255));
		ck_assert_int_eq(write(fd, file, one + two), (ssize_t)(one + two));
		ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
		if (good)
			ck_assert_int_eq(weir_pump_run(pump, 0, 0, soon()), 1);
		ck_assert_int_eq(weir_pump_run(pump, 0, 0, soon()), -EBADMSG);
		ck_assert_int_eq(weir_pump_run(pump, 0, 0, soon()), -EBADMSG);
		ck_assert_uint_eq(pump_stat(pump).bytes, good ? one : 0);
		if (good)
			check_is(OF_QUEUE, 0, 10);
		ck_assert_int_eq(get(OF_QUEUE), -EAGAIN);
		weir_pump_close(pump);
		close(fd);
		frame_at(file, 0, 10);
		frame_at(file + one, 1, 33);
	}
}
END_TEST

START_TEST(size_that_is_promised_takes_no_memory)
{
	struct weir_pump_options options = { .size = sizeof(options), .max_size = 1000 };
	struct pump_frame f = { .mark = PUMP_FRAME_MARK, .size = UINT32_MAX };
	struct weir_pump *pump;
	int fds[2];

	f.check = crc32c(0, &f.size, 24);
	ck_assert(pump_frame_valid(&f));
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	pump = in_new(OF_QUEUE, fds[0], NULL);
	ck_assert_int_eq(write(fds[1], &f, sizeof(f)), sizeof(f));
	ck_assert_int_eq(write(fds[1], buffer, 5000), 5000);
	ck_assert_int_eq(weir_pump_run(pump, 0, 0, 0), -EAGAIN);
	ck_assert_uint_eq(pump_stat(pump).held, sizeof(f) + 5000);
	ck_assert_uint_lt(queue_memory_of(OF_QUEUE), 4U << 20);
	close(fds[1]);
	ck_assert_int_eq(weir_pump_run(pump, 0, 0, soon()), -ENODATA);
	weir_pump_close(pump);
	close(fds[0]);
	/* And with a limit it is refused at once. */
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	pump = in_new(OF_QUEUE, fds[0], &options);
	ck_assert_int_eq(write(fds[1], &f, sizeof(f)), sizeof(f));
	ck_assert_int_eq(weir_pump_run(pump, 0, 0, soon()), -EMSGSIZE);
	weir_pump_close(pump);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(stream_is_read_as_it_comes)
{
	bool of_queue = _i & 1;
	uint8_t *all = malloc(1 << 20);
	size_t size = 0, sent = 0;
	struct weir_pump *pump;
	uint64_t seen = 0;
	int fds[2];

	for (uint64_t i = 0; i < COUNT; i++)
		size += frame_at(all + size, i, large_size_of(i));
	ck_assert_int_eq(stream_pair(_i / 2, fds), 0);
	pump = in_new(of_queue, fds[0], NULL);
	while (seen < COUNT) {
		size_t n = 1 + test_random_below(seen % 8 ? 20000 : 50);
		int64_t result;

		n = n < size - sent ? n : size - sent;
		ck_assert_int_eq(write(fds[1], all + sent, n), (ssize_t)n);
		sent += n;
		result = weir_pump_run(pump, 0, 0, _i & 2 ? 0 : weir_after(NS_PER_MS / 10));
		ck_assert(result > 0 || result == -EAGAIN || result == -ETIMEDOUT);
		for (; result > 0; result--, seen++)
			check_is(of_queue, seen, large_size_of(seen));
	}
	close(fds[1]);
	ck_assert_int_eq(weir_pump_run(pump, 0, 0, soon()), 0);
	weir_pump_close(pump);
	close(fds[0]);
	free(all);
}
END_TEST

START_TEST(packet_is_a_message)
{
	bool of_queue = _i & 1, datagrams = _i & 2;
	struct weir_pump *pump;
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, (datagrams ? SOCK_DGRAM : SOCK_SEQPACKET) |
				    SOCK_CLOEXEC, 0, fds), 0);
	pump = raw_in_new(of_queue, fds[0]);
	ck_assert_int_eq(weir_pump_run(pump, 0, 0, 0), -EAGAIN);
	for (uint64_t i = datagrams ? 0 : 1; i < 8; i++) {
		message_fill(buffer, size_of(i), i);
		ck_assert_int_eq(send(fds[1], buffer, size_of(i), 0), (ssize_t)size_of(i));
		ck_assert_int_eq(weir_pump_run(pump, 0, 0, 0), 1);
		check_message(of_queue, i);
	}
	close(fds[1]);
	ck_assert_int_eq(weir_pump_run(pump, 0, 0, 0), datagrams ? -EAGAIN : 0);
	weir_pump_close(pump);
	close(fds[0]);
}
END_TEST

START_TEST(packet_that_is_no_frame_is_dropped)
{
	bool of_queue = _i & 1, datagrams = _i & 2;
	struct weir_pump *pump;
	int fds[2];
	size_t n;

	ck_assert_int_eq(socketpair(AF_UNIX, (datagrams ? SOCK_DGRAM : SOCK_SEQPACKET) |
				    SOCK_CLOEXEC, 0, fds), 0);
	pump = in_new(of_queue, fds[0], NULL);
	for (size_t cut = datagrams ? 0 : 1; cut < 42; cut++) {
		n = frame_at(buffer, 0, 10);
		ck_assert_int_eq(send(fds[1], buffer, cut, 0), (ssize_t)cut);
		ck_assert_int_eq(send(fds[1], buffer, n, 0), (ssize_t)n);
		ck_assert_int_eq(weir_pump_run(pump, 1, 0, soon()), -EBADMSG);
		ck_assert_int_eq(weir_pump_run(pump, 1, 0, soon()), 1);
		check_is(of_queue, 0, 10);
	}
	close(fds[1]);
	weir_pump_close(pump);
	close(fds[0]);
}
END_TEST

START_TEST(bytes_become_messages_of_a_chunk)
{
	struct weir_pump_options options = {
		.size = sizeof(options), .flags = WEIR_PUMP_RAW, .chunk = 1000,
	};
	int fd = pump_file();
	struct weir_pump *pump;

	message_fill(buffer, 2500, 0);
	ck_assert_int_eq(write(fd, buffer, 2500), 2500);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	pump = in_new(OF_QUEUE, fd, &options);
	ck_assert_int_eq(weir_pump_run(pump, 0, 0, soon()), 3);
	ck_assert_int_eq(weir_pump_run(pump, 0, 0, soon()), 0);
	for (size_t at = 0; at < 2500; at += 1000) {
		uint8_t expected[2500];

		message_fill(expected, 2500, 0);
		ck_assert_int_eq(get(OF_QUEUE), at < 2000 ? 1000 : 500);
		ck_assert_int_eq(memcmp(buffer, expected + at, at < 2000 ? 1000 : 500), 0);
	}
	weir_pump_close(pump);
	close(fd);
}
END_TEST

START_TEST(raw_message_without_room_is_kept)
{
	struct weir_queue_options options = { .size = sizeof(options), .max_items = 1 };
	struct weir_queue *old = queue;
	struct weir_pump *pump;
	int fds[2];

	ck_assert_int_eq(weir_queue(&queue, &options), 0);
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	pump = raw_in_new(true, fds[0]);
	ck_assert_int_eq(write(fds[1], "one", 3), 3);
	ck_assert_int_eq(weir_pump_run(pump, 1, 0, soon()), 1);
	ck_assert_int_eq(write(fds[1], "two", 3), 3);
	ck_assert_int_eq(weir_pump_run(pump, 0, 0, weir_after(1000)), -ETIMEDOUT);
	ck_assert_int_eq(weir_pump_run(pump, 0, 0, weir_after(1000)), -ETIMEDOUT);
	ck_assert_int_eq(get(true), 3);
	ck_assert_int_eq(memcmp(buffer, "one", 3), 0);
	ck_assert_int_eq(weir_pump_run(pump, 1, 0, soon()), 1);
	ck_assert_int_eq(get(true), 3);
	ck_assert_int_eq(memcmp(buffer, "two", 3), 0);
	close(fds[1]);
	ck_assert_int_eq(weir_pump_run(pump, 0, 0, soon()), 0);
	weir_pump_close(pump);
	weir_queue_close(queue);
	queue = old;
	close(fds[0]);
}
END_TEST

START_TEST(object_that_is_closed_is_epipe)
{
	int fd = frames_file(5, size_of);
	struct weir_pump *pump = in_new(OF_QUEUE, fd, NULL);

	if (OF_QUEUE) {
		ck_assert_int_eq(weir_queue_shutdown(queue, 0), 0);
	} else {
		weir_pipe_close(ends[0]);
		ends[0] = NULL;
	}
	ck_assert_int_eq(weir_pump_run(pump, 0, 0, soon()), -EPIPE);
	ck_assert_uint_gt(pump_stat(pump).held, 0);
	weir_pump_close(pump);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pump-in");
	TCase *tcase = tcase_create("in");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, frames_of_a_file_become_messages, 0, ROUNDS);
	tcase_add_test(tcase, frames_larger_than_the_ring_become_messages);
	tcase_add_test(tcase, what_has_no_room_waits_in_the_pump);
	tcase_add_loop_test(tcase, file_that_ends_in_a_frame_is_enodata_and_may_go_on, 0, ROUNDS);
	tcase_add_loop_test(tcase, each_wrong_byte_is_ebadmsg_and_what_was_before_is_put, 0,
			    ROUNDS);
	tcase_add_loop_test(tcase, size_that_is_promised_takes_no_memory, 0, ROUNDS);
	tcase_add_loop_test(tcase, stream_is_read_as_it_comes, 0, ROUNDS * PAIRS);
	tcase_add_loop_test(tcase, packet_is_a_message, 0, 2 * ROUNDS);
	tcase_add_loop_test(tcase, packet_that_is_no_frame_is_dropped, 0, 2 * ROUNDS);
	tcase_add_loop_test(tcase, bytes_become_messages_of_a_chunk, 0, ROUNDS);
	tcase_add_test(tcase, raw_message_without_room_is_kept);
	tcase_add_loop_test(tcase, object_that_is_closed_is_epipe, 0, ROUNDS);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
