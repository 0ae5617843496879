/* SPDX-License-Identifier: MIT */
/*
 * Parcels: what is in them, the same segment twice in a process, and how they go over sockets.
 */
#include "parcel-tools.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/sys.h"

/*
 * What is in one
 */

START_TEST(parcel_of_an_end_says_what_it_is)
{
	struct parcel p;

	for (uint32_t i = 0; i < 2; i++) {
		parcel_of_end(ends[i], &p);
		ck_assert_uint_eq(p.note.kind, WEIR_KIND_PIPE_END);
		ck_assert_uint_eq(p.note.index, i);
		ck_assert_uint_eq(p.note.flags, 0);
		ck_assert_uint_eq(p.note.fd_count, 8);
		ck_assert_int_eq(p.fds[0], ends[i]->core->segment.fd);
		ck_assert_int_eq(p.fds[7], ends[i]->line);
		for (int k = 8; k < PARCEL_FDS_MAX; k++)
			ck_assert_int_eq(p.fds[k], -1);
		ck_assert_int_eq(parcel_check(&p), 0);
	}
}
END_TEST

START_TEST(parcel_of_a_oneway_end_has_five_descriptors)
{
	struct weir_end *oneway[2];
	struct parcel p;

	ck_assert_int_eq(pipe_make(oneway, WEIR_PIPE_ONEWAY | WEIR_PIPE_LATENCY, CAPACITY), 0);
	for (uint32_t i = 0; i < 2; i++) {
		struct weir_end *end;

		p = copy_of(oneway[i]);
		ck_assert_uint_eq(p.note.fd_count, 5);
		ck_assert_uint_eq(p.note.flags, WEIR_PIPE_ONEWAY | WEIR_PIPE_LATENCY);
		ck_assert_int_eq(parcel_open_end(&p, &end), 0);
		ck_assert_int_eq(send_number(end, 1, 0), i == 0 ? -EOPNOTSUPP : 0);
		weir_pipe_close(end);
	}
	ck_assert_int_eq(recv_number(oneway[0], 0), 1);
	pipe_close_both(oneway);
}
END_TEST

START_TEST(opened_end_is_as_the_one_it_was_made_of)
{
	struct parcel p = copy_of(ends[1]);
	struct weir_end *end;

	ck_assert_int_eq(parcel_open_end(&p, &end), 0);
	weir_pipe_close(ends[1]);
	ck_assert_int_eq(send_number(end, 7, 0), 0);
	ck_assert_int_eq(recv_number(ends[0], 0), 7);
	ck_assert_int_eq(send_number(ends[0], 8, 0), 0);
	ck_assert_int_eq(recv_number(end, 0), 8);
	weir_pipe_close(end);
	ck_assert_int_eq(recv_number(ends[0], 0), -EPIPE);
	weir_pipe_close(ends[0]);
	setup();
}
END_TEST

START_TEST(opened_descriptors_are_high_and_closed_on_exec)
{
	struct parcel p = copy_of(ends[1]), opened;
	struct weir_end *end;

	pipe_close_both(ends);
	ck_assert_int_eq(parcel_open_end(&p, &end), 0);
	parcel_of_end(end, &opened);
	for (uint32_t i = 0; i < opened.note.fd_count; i++) {
		ck_assert_int_ge(opened.fds[i], 512);
		ck_assert_int_eq(fcntl(opened.fds[i], F_GETFD), FD_CLOEXEC);
	}
	weir_pipe_close(end);
	setup();
}
END_TEST

/*
 * The same segment again
 */

START_TEST(same_segment_is_there_once)
{
	struct parcel p = copy_of(ends[1]);
	struct weir_end *end;

	ck_assert_int_eq(parcel_open_end(&p, &end), 0);
	ck_assert_ptr_eq(end->core, ends[0]->core);
	weir_pipe_close(end);
}
END_TEST

START_TEST(second_handle_of_a_side_is_busy_until_the_first_gives_it_up)
{
	struct parcel p = copy_of(ends[1]);
	struct weir_end *end;

	ck_assert_int_eq(parcel_open_end(&p, &end), 0);
	ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(send_number(end, 2, 0), -EBUSY);
		ck_assert_int_eq(send_number(ends[1], 1, 0), 0);
	}
	/* The other direction has nobody yet. */
	ck_assert_int_eq(recv_number(end, 0), -EAGAIN);
	ck_assert_int_eq(recv_number(ends[1], 0), -EBUSY);
	weir_pipe_handover(ends[1]);
	ck_assert_int_eq(send_number(end, 2, 0), 0);
	ck_assert_int_eq(send_number(ends[1], 3, 0), -EBUSY);
	weir_pipe_close(end);
	ck_assert_int_eq(send_number(ends[1], 3, 0), 0);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(recv_number(ends[0], 0), 1);
	ck_assert_int_eq(recv_number(ends[0], 0), 2);
	ck_assert_int_eq(recv_number(ends[0], 0), 3);
}
END_TEST

/* Whether another process can lock a byte of the file that the locks are on. */
static int all_sides_are_locked(void *arg)
{
	struct weir_end *end = arg;

	for (int i = 0; i < 4; i++)
		child_check(sys_lock(end->core->segment.fd, LOCK_OFFSET + (uint64_t)i) == -EAGAIN);
	return 0;
}

static void expect_locked(void)
{
	struct child child = child_start(all_sides_are_locked, ends[0]);

	child_join_ok(&child);
}

START_TEST(locks_are_kept_when_a_second_descriptor_comes_and_goes)
{
	struct parcel p = copy_of(ends[1]);
	struct weir_end *end;

	own_all();
	expect_locked();
	ck_assert_int_eq(parcel_open_end(&p, &end), 0);
	expect_locked();
	weir_pipe_close(end);
	expect_locked();
	/* Refused. */
	p = copy_of(ends[1]);
	p.note.version++;
	expect_refused(&p, -EPROTO);
	expect_locked();
	/* Received, and not wanted. */
	p = copy_of(ends[1]);
	parcel_close(&p);
	expect_locked();
}
END_TEST

static int use_copy_in_child(void *arg)
{
	struct parcel p = *(struct parcel *)arg;
	struct weir_end *end;

	child_check(parcel_open_end(&p, &end) == 0);
	/* The parent owns all of it. */
	child_check(send_number(end, 5, 0) == -EBUSY);
	child_check(recv_number(end, 0) == -EBUSY);
	child_check(send_number(ends[1], 5, 0) == -EBUSY);
	weir_pipe_close(end);
	return 0;
}

START_TEST(child_is_not_taken_for_its_parent)
{
	struct parcel p = copy_of(ends[1]);
	struct child child;

	own_all();
	child = child_start(use_copy_in_child, &p);
	child_join_ok(&child);
	expect_locked();
	parcel_close(&p);
	expect_locked();
}
END_TEST

static int take_over_in_child(void *arg)
{
	struct parcel p = *(struct parcel *)arg;
	struct weir_end *end;

	child_check(parcel_open_end(&p, &end) == 0);
	child_check(send_number(end, 5, 0) == 0);
	child_check(send_number(ends[1], 5, 0) == -EBUSY);
	weir_pipe_close(end);
	child_check(send_number(ends[1], 6, 0) == 0);
	return 0;
}

START_TEST(child_takes_over_what_was_handed_over)
{
	struct parcel p = copy_of(ends[1]);
	struct child child;

	own_all();
	weir_pipe_handover(ends[1]);
	child = child_start(take_over_in_child, &p);
	child_join_ok(&child);
	parcel_close(&p);
	ck_assert_int_eq(recv_number(ends[0], 0), 5);
	ck_assert_int_eq(recv_number(ends[0], 0), 6);
}
END_TEST

/*
 * Over sockets
 */

static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM };
static int sockets[2];

static void open_sockets(int type)
{
	ck_assert_int_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, sockets), 0);
}

static void close_sockets(void)
{
	close(sockets[0]);
	close(sockets[1]);
}

static void send_end(int index)
{
	struct parcel p;

	parcel_of_end(ends[index], &p);
	ck_assert_int_eq(parcel_send(sockets[0], &p, 0, soon()), 0);
}

START_TEST(parcel_arrives_over_each_type_of_socket)
{
	struct weir_end *end;
	struct parcel p;

	open_sockets(types[_i]);
	for (int round = 0; round < 3; round++) {
		send_end(0);
		send_end(1);
		for (int i = 0; i < 2; i++) {
			ck_assert_int_eq(parcel_recv(sockets[1], &p, 0, soon()), 0);
			ck_assert_uint_eq(p.note.index, (uint32_t)i);
			ck_assert_int_eq(parcel_open_end(&p, &end), 0);
			weir_pipe_close(end);
		}
	}
	close_sockets();
}
END_TEST

START_TEST(no_more_of_a_stream_is_taken_than_the_note)
{
	struct parcel p;
	char text[8];

	open_sockets(SOCK_STREAM);
	send_end(0);
	ck_assert_int_eq(write(sockets[0], "behind", 6), 6);
	ck_assert_int_eq(parcel_recv(sockets[1], &p, 0, 0), 0);
	ck_assert_int_eq(read(sockets[1], text, sizeof(text)), 6);
	ck_assert(memcmp(text, "behind", 6) == 0);
	parcel_close(&p);
	close_sockets();
}
END_TEST

START_TEST(nothing_there_is_eagain_and_later_etimedout)
{
	struct parcel p;
	int64_t start = test_now();

	/* They block, and go on doing so. */
	open_sockets(types[_i]);
	ck_assert_int_eq(parcel_recv(sockets[1], &p, 0, 0), -EAGAIN);
	ck_assert_int_eq(parcel_recv(sockets[1], &p, 0, start + 20 * MS), -ETIMEDOUT);
	ck_assert_int_ge(test_now(), start + 20 * MS);
	ck_assert_int_eq(fcntl(sockets[1], F_GETFL) & O_NONBLOCK, 0);
	close_sockets();
}
END_TEST

START_TEST(full_socket_is_eagain_and_later_etimedout)
{
	struct parcel p;
	int64_t start = test_now();
	char bytes[4096] = { 0 };

	open_sockets(types[_i]);
	while (send(sockets[0], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	while (send(sockets[0], bytes, 1, MSG_DONTWAIT) > 0)
		;
	parcel_of_end(ends[0], &p);
	ck_assert_int_eq(parcel_send(sockets[0], &p, 0, 0), -EAGAIN);
	ck_assert_int_eq(parcel_send(sockets[0], &p, 0, start + 20 * MS), -ETIMEDOUT);
	ck_assert_int_ge(test_now(), start + 20 * MS);
	close_sockets();
}
END_TEST

START_TEST(closed_socket_is_epipe)
{
	struct parcel p;

	open_sockets(types[_i]);
	close(sockets[0]);
	if (types[_i] != SOCK_DGRAM)
		ck_assert_int_eq(parcel_recv(sockets[1], &p, 0, soon()), -EPIPE);
	parcel_of_end(ends[0], &p);
	ck_assert_int_eq(parcel_send(sockets[1], &p, 0, soon()),
			 types[_i] == SOCK_DGRAM ? -ECONNREFUSED : -EPIPE);
	close(sockets[1]);
}
END_TEST

START_TEST(other_sockets_and_flags_are_refused)
{
	int inet = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), null = open("/dev/null", O_RDWR);
	struct parcel p;

	parcel_of_end(ends[0], &p);
	ck_assert_int_eq(parcel_send(inet, &p, 0, 0), -EINVAL);
	ck_assert_int_eq(parcel_recv(inet, &p, 0, 0), -EINVAL);
	ck_assert_int_eq(parcel_send(null, &p, 0, 0), -ENOTSOCK);
	ck_assert_int_eq(parcel_recv(null, &p, 0, 0), -ENOTSOCK);
	ck_assert_int_eq(parcel_send(-1, &p, 0, 0), -EBADF);
	ck_assert_int_eq(parcel_recv(-1, &p, 0, 0), -EBADF);
	open_sockets(SOCK_STREAM);
	ck_assert_int_eq(parcel_send(sockets[0], &p, WEIR_MORE, 0), -EINVAL);
	ck_assert_int_eq(parcel_recv(sockets[0], &p, WEIR_MORE, 0), -EINVAL);
	close_sockets();
	close(inet);
	close(null);
}
END_TEST

/* As many copies of one descriptor as asked for, and some bytes. */
static void send_raw(const void *data, size_t size, size_t count)
{
	int fds[SYS_FDS_MAX];

	for (size_t i = 0; i < count; i++)
		fds[i] = ends[0]->core->segment.fd;
	ck_assert_int_eq(sys_send_fds(sockets[0], data, size, fds, count), (int)size);
}

static void expect_garbage(void)
{
	struct parcel p;

	ck_assert_int_eq(parcel_recv(sockets[1], &p, 0, 0), -EPROTO);
	close_sockets();
}

START_TEST(garbage_is_eproto_and_closed)
{
	struct parcel good;
	char bytes[512] = { 0 };

	own_all();
	parcel_of_end(ends[0], &good);
	memcpy(bytes, &good.note, sizeof(good.note));
	/* Too few, too many, far too many, none. */
	for (size_t count = 0; count < SYS_FDS_MAX; count += count < 20 ? 1 : 50) {
		if (count == good.note.fd_count)
			continue;
		open_sockets(types[_i]);
		send_raw(&good.note, sizeof(good.note), count);
		expect_garbage();
	}
	open_sockets(types[_i]);
	send_raw(&good.note, sizeof(good.note), SYS_FDS_MAX);
	expect_garbage();
	/* Too short, by whatever. */
	for (size_t size = 1; size < sizeof(good.note); size++) {
		open_sockets(types[_i]);
		send_raw(&good.note, size, size % 3 ? 8 : 0);
		expect_garbage();
	}
	/* Too long, where that can be seen. */
	if (types[_i] != SOCK_STREAM) {
		open_sockets(types[_i]);
		send_raw(bytes, sizeof(good.note) + 1, 8);
		expect_garbage();
	}
	/* Something else. */
	memset(bytes, 'x', sizeof(bytes));
	open_sockets(types[_i]);
	send_raw(bytes, sizeof(good.note), 8);
	expect_garbage();
	expect_locked();
}
END_TEST

START_TEST(note_in_pieces_is_taken_if_it_is_there)
{
	struct parcel good, p;

	parcel_of_end(ends[0], &good);
	for (size_t size = 1; size < sizeof(good.note); size += 13) {
		open_sockets(SOCK_STREAM);
		ck_assert_int_eq(sys_send_fds(sockets[0], &good.note, size, good.fds, 3), size);
		ck_assert_int_eq(sys_send_fds(sockets[0], (char *)&good.note + size,
					      sizeof(good.note) - size, good.fds + 3, 5),
				 sizeof(good.note) - size);
		ck_assert_int_eq(parcel_recv(sockets[1], &p, 0, 0), 0);
		ck_assert_int_eq(parcel_check(&p), 0);
		parcel_close(&p);
		close_sockets();
	}
}
END_TEST

START_TEST(socket_that_tells_of_the_sender_gives_the_parcel)
{
	struct weir_end *end;
	struct parcel p;
	int on = 1;

	open_sockets(types[_i]);
	ck_assert_int_eq(setsockopt(sockets[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
	setsockopt(sockets[1], SOL_SOCKET, 34 /* SO_PASSSEC */, &on, sizeof(on));
	/* A descriptor of the sender, on kernels that know that. */
	setsockopt(sockets[1], SOL_SOCKET, 76 /* SO_PASSPIDFD */, &on, sizeof(on));
	send_end(0);
	ck_assert_int_eq(parcel_recv(sockets[1], &p, 0, soon()), 0);
	ck_assert_int_eq(parcel_open_end(&p, &end), 0);
	weir_pipe_close(end);
	close_sockets();
}
END_TEST

/* A copy on its way is a copy. */
START_TEST(end_in_a_message_is_open)
{
	open_sockets(SOCK_STREAM);
	send_end(1);
	weir_pipe_close(ends[1]);
	ck_assert_int_eq(recv_number(ends[0], test_now() + 25 * MS), -ETIMEDOUT);
	ck_assert_int_eq(send_number(ends[0], 1, 0), 0);
	close_sockets();
	ck_assert_int_eq(recv_number(ends[0], soon()), -EPIPE);
	weir_pipe_close(ends[0]);
	setup();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("parcel");
	TCase *contents = tcase_create("contents"), *again = tcase_create("again");
	TCase *over = tcase_create("sockets");

	tcase_add_checked_fixture(contents, setup, teardown);
	tcase_add_test(contents, parcel_of_an_end_says_what_it_is);
	tcase_add_test(contents, parcel_of_a_oneway_end_has_five_descriptors);
	tcase_add_test(contents, opened_end_is_as_the_one_it_was_made_of);
	tcase_add_test(contents, opened_descriptors_are_high_and_closed_on_exec);
	suite_add_tcase(suite, contents);

	tcase_add_checked_fixture(again, setup, teardown);
	tcase_add_test(again, same_segment_is_there_once);
	tcase_add_test(again, second_handle_of_a_side_is_busy_until_the_first_gives_it_up);
	test_add_unless(again, kernel_unavailable(),
			locks_are_kept_when_a_second_descriptor_comes_and_goes);
	test_add_unless(again, kernel_unavailable(), child_is_not_taken_for_its_parent);
	test_add_unless(again, kernel_unavailable(), child_takes_over_what_was_handed_over);
	suite_add_tcase(suite, again);

	tcase_add_checked_fixture(over, setup, teardown);
	tcase_add_loop_test(over, parcel_arrives_over_each_type_of_socket, 0, 3);
	tcase_add_test(over, no_more_of_a_stream_is_taken_than_the_note);
	tcase_add_loop_test(over, nothing_there_is_eagain_and_later_etimedout, 0, 3);
	tcase_add_loop_test(over, full_socket_is_eagain_and_later_etimedout, 0, 3);
	tcase_add_loop_test(over, closed_socket_is_epipe, 0, 3);
	tcase_add_test(over, other_sockets_and_flags_are_refused);
	tcase_add_loop_test(over, garbage_is_eproto_and_closed, 0, 3);
	tcase_add_test(over, note_in_pieces_is_taken_if_it_is_there);
	tcase_add_loop_test(over, socket_that_tells_of_the_sender_gives_the_parcel, 0, 3);
	tcase_add_test(over, end_in_a_message_is_open);
	suite_add_tcase(suite, over);
	return test_main(suite);
}
