/* SPDX-License-Identifier: MIT */
/* A pump from an object to a pipe(2) or a socket of any type. */
#include "pump-bed.h"

#include <signal.h>

/* All that is there to be read, up to @size bytes; it does not wait. */
static size_t read_there(int fd, uint8_t *to, size_t size)
{
	size_t got = 0;

	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	while (got < size) {
		ssize_t n = read(fd, to + got, size - got);

		if (n <= 0)
			break;
		got += (size_t)n;
	}
	return got;
}

START_TEST(stream_that_is_full_is_waited_for_until_the_deadline)
{
	bool of_queue = _i & 1;
	struct weir_pump *pump;
	int fds[2], copy = pump_file();
	uint64_t moved = 0;
	size_t n;

	ck_assert_int_eq(stream_pair(_i / 2, fds), 0);
	pump = pump_new(of_queue, fds[1], NULL);
	for (uint64_t i = 0; i < 50; i++) {
		message_fill(buffer, size_of(i), i);
		/* As many as go into the ring, and the pipe. */
		while (put(of_queue, buffer, size_of(i)) < 0) {
			int64_t result = weir_pump_run(pump, 0, 0, weir_after(NS_PER_MS));

			ck_assert_int_ne(result, 0);
			moved += result > 0 ? (uint64_t)result : 0;
			n = read_there(fds[0], buffer + 100000, 50000);
			ck_assert_int_eq(write(copy, buffer + 100000, n), (ssize_t)n);
		}
	}
	while (moved < 50) {
		int64_t result = weir_pump_run(pump, 0, 0, weir_after(NS_PER_MS / 10));

		moved += result > 0 ? (uint64_t)result : 0;
		n = read_there(fds[0], buffer, 1 + test_random_below(70000));
		ck_assert_int_eq(write(copy, buffer, n), (ssize_t)n);
	}
	n = read_there(fds[0], buffer, sizeof(buffer));
	ck_assert_int_eq(write(copy, buffer, n), (ssize_t)n);
	check_frames(copy, 50);
	weir_pump_close(pump);
	close(fds[0]);
	close(fds[1]);
	close(copy);
}
END_TEST

START_TEST(reader_that_is_gone_is_epipe_without_a_signal)
{
	bool of_queue = _i & 1;
	struct weir_pump *pump;
	int fds[2];

	ck_assert_int_eq(stream_pair(_i / 2, fds), 0);
	close(fds[0]);
	pump = pump_new(of_queue, fds[1], NULL);
	put_some(of_queue, 0, 3);
	ck_assert_int_eq(weir_pump_run(pump, 0, 0, soon()), -EPIPE);
	ck_assert_int_eq(weir_pump_run(pump, 0, 0, 0), -EPIPE);
	ck_assert_uint_eq(pump_stat(pump).held, 1);
	weir_pump_close(pump);
	/* They have gone back. */
	for (uint64_t i = 0; i < 3; i++)
		check_message(of_queue, i);
	ck_assert_int_eq(get(of_queue), -EAGAIN);
	close(fds[1]);
}
END_TEST

START_TEST(signal_that_was_pending_before_stays)
{
	sigset_t set, old, pending;
	struct weir_pump *pump;
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	close(fds[0]);
	pump = pump_new(OF_QUEUE, fds[1], NULL);
	put_some(OF_QUEUE, 0, 1);
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	sigprocmask(SIG_BLOCK, &set, &old);
	ck_assert_int_eq(weir_pump_run(pump, 0, 0, soon()), -EPIPE);
	sigpending(&pending);
	ck_assert(!sigismember(&pending, SIGPIPE));
	raise(SIGPIPE);
	ck_assert_int_eq(weir_pump_run(pump, 0, 0, soon()), -EPIPE);
	sigpending(&pending);
	ck_assert(sigismember(&pending, SIGPIPE));
	ck_assert_int_eq(sigtimedwait(&set, NULL, &(struct timespec){ 0, 0 }), SIGPIPE);
	sigprocmask(SIG_SETMASK, &old, NULL);
	weir_pump_close(pump);
	close(fds[1]);
}
END_TEST

START_TEST(message_is_a_packet_of_a_packet_socket)
{
	bool of_queue = _i & 1;
	int fds[2], type = _i & 2 ? SOCK_DGRAM : SOCK_SEQPACKET;
	struct weir_pump *pump;
	uint64_t moved = 0;

	ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
	pump = raw_new(of_queue, fds[1]);
	put_some(of_queue, 0, 30);
	for (uint64_t i = 0; i < 30; i++) {
		int64_t result = weir_pump_run(pump, 0, 0, 0);

		moved += result > 0 ? (uint64_t)result : 0;
		ck_assert_int_eq(recv(fds[0], buffer, sizeof(buffer), MSG_DONTWAIT),
				 (ssize_t)size_of(i));
		ck_assert(message_is(buffer, size_of(i), i));
	}
	ck_assert_uint_eq(moved, 30);
	weir_pump_close(pump);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(frames_go_through_packet_sockets_too)
{
	struct weir_pump *pump;
	struct pump_frame f;
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	pump = pump_new(OF_QUEUE, fds[1], NULL);
	put_some(OF_QUEUE, 0, 3);
	ck_assert_int_eq(weir_pump_run(pump, 3, 0, soon()), 3);
	for (uint64_t i = 0; i < 3; i++) {
		ck_assert_int_eq(recv(fds[0], buffer, sizeof(buffer), MSG_DONTWAIT),
				 (ssize_t)(sizeof(f) + size_of(i)));
		memcpy(&f, buffer, sizeof(f));
		ck_assert(pump_frame_valid(&f) && pump_frame_has(&f, buffer + sizeof(f)));
		ck_assert_uint_eq(f.number, i);
	}
	weir_pump_close(pump);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(message_too_large_for_a_packet_is_emsgsize_and_stays)
{
	struct weir_pump *pump;
	int fds[2], size = 4096;
	int64_t result;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	ck_assert_int_eq(setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	pump = raw_new(OF_QUEUE, fds[1]);
	put_some(OF_QUEUE, 1, 7);
	do {
		result = weir_pump_run(pump, 0, 0, 0);
		while (recv(fds[0], buffer, sizeof(buffer), MSG_DONTWAIT) >= 0)
			;
	} while (result > 0 || result == -EAGAIN);
	ck_assert_int_eq(result, -EMSGSIZE);
	ck_assert_uint_eq(pump_stat(pump).messages, 6);
	weir_pump_close(pump);
	check_message(OF_QUEUE, 7);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pump-socket");
	TCase *tcase = tcase_create("out");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(tcase, stream_that_is_full_is_waited_for_until_the_deadline, 0,
			    ROUNDS * PAIRS);
	tcase_add_loop_test(tcase, reader_that_is_gone_is_epipe_without_a_signal, 0,
			    ROUNDS * PAIRS);
	tcase_add_loop_test(tcase, signal_that_was_pending_before_stays, 0, ROUNDS);
	/* An emulator may not send packets of no bytes. */
	test_add_loop_unless(tcase, kernel_unavailable(), message_is_a_packet_of_a_packet_socket,
			     0, 2 * ROUNDS);
	tcase_add_loop_test(tcase, frames_go_through_packet_sockets_too, 0, ROUNDS);
	tcase_add_loop_test(tcase, message_too_large_for_a_packet_is_emsgsize_and_stays, 0,
			    ROUNDS);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
