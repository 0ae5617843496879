/* SPDX-License-Identifier: MIT */
/*
 * Clients that flood a listener with descriptors, or leave its own lying in their sockets; and a
 * listener that has none left.
 */
#include "hostile-tools.h"

#include <sys/resource.h>

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

/*
 * Descriptors
 */

/* @data with @count descriptors; 0 or an error. */
static int send_fds(int fd, const void *data, size_t size, size_t count)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(253 * sizeof(int))];
	struct iovec from = { (void *)(uintptr_t)data, size };
	struct msghdr m = { .msg_iov = &from, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = CMSG_SPACE(count * sizeof(int)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int zero = 0;

	memset(control, 0, sizeof(control));
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(count * sizeof(int));
	for (size_t i = 0; i < count; i++)
		memcpy(CMSG_DATA(c) + i * sizeof(int), &zero, sizeof(int));
	return sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* Descriptors get as far as the listener, as on kernels that cannot refuse them. */
static void let_rights_through(void)
{
	int yes = 1;

	setsockopt(listener->socket, SOL_SOCKET, SO_PASSRIGHTS, &yes, sizeof(yes));
}

START_TEST(flood_of_descriptors_is_refused_by_the_kernel)
{
	struct handshake_hello hello = handshake_hello(0);
	int fd = hostile(), value;
	socklen_t size = sizeof(value);

	/* Before Linux 6.16 it cannot do that. */
	if (getsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &value, &size) == 0) {
		ck_assert_int_eq(send_fds(fd, &hello, sizeof(hello), 253), -EPERM);
		step();
		ck_assert_int_eq(send_fds(fd, &hello, sizeof(hello), 1), -EPERM);
	}
	close(fd);
	step();
}
END_TEST

START_TEST(descriptors_that_come_are_closed_and_their_sender_dropped)
{
	static const size_t counts[] = { 1, 2, 16, 253 };
	struct handshake_hello hello = handshake_hello(0);

	let_rights_through();
	for (size_t i = 0; i < ARRAY_LENGTH(counts); i++) {
		int fd = hostile();

		ck_assert_int_eq(send_fds(fd, &hello, sizeof(hello), counts[i]), 0);
		check_dropped(fd);
		resources_check(&before);
	}
}
END_TEST

START_TEST(descriptors_in_later_messages_are_closed_too)
{
	struct handshake_ready ready = handshake_ready();
	int fd = hostile();

	let_rights_through();
	close(fd);
	step();
	/* With READY, and behind it. */
	fd = hostile();
	ck_assert_int_eq(raw_hello(fd, 0), 0);
	step();
	ck_assert_int_eq(raw_welcome(fd), 0);
	ck_assert_int_eq(send_fds(fd, &ready, sizeof(ready), 253), 0);
	check_dropped(fd);
	/* In the queue of one who is dropped. */
	fd = hostile();
	ck_assert_int_eq(raw_send(fd, "?", 1), 0);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(send_fds(fd, "?", 1, 253), 0);
	check_dropped(fd);
}
END_TEST

START_TEST(descriptors_without_room_for_any_do_no_harm)
{
	struct rlimit old, none;
	struct handshake_hello hello = handshake_hello(0);
	int fd = hostile();

	let_rights_through();
	close(fd);
	fd = hostile();
	ck_assert_int_eq(send_fds(fd, &hello, sizeof(hello), 253), 0);
	step();
	ck_assert(raw_closed(fd));
	close(fd);
	fd = hostile();
	step();
	ck_assert_int_eq(send_fds(fd, &hello, sizeof(hello), 253), 0);
	getrlimit(RLIMIT_NOFILE, &old);
	none = (struct rlimit){ 0, old.rlim_max };
	setrlimit(RLIMIT_NOFILE, &none);
	step();
	setrlimit(RLIMIT_NOFILE, &old);
	ck_assert(raw_closed(fd));
	close(fd);
}
END_TEST

/*
 * Clients that do not read
 */

START_TEST(client_that_does_not_take_its_end_is_not_accepted)
{
	int fd = hostile();

	ck_assert_int_eq(raw_hello(fd, 0), 0);
	ck_assert_int_eq(raw_ready(fd), 0);
	step();
	/* Its place stays taken as long as the descriptors are in the socket. */
	ck_assert_uint_eq(guests_in(listener, GUEST_DEBTOR), 1);
	ck_assert_int_eq(raw_ready(fd), 0);
	step();
	ck_assert_uint_eq(guests_in(listener, GUEST_DEBTOR), 1);
	close(fd);
	step();
}
END_TEST

START_TEST(looking_at_the_end_without_taking_it_does_not_count)
{
	char message[HANDSHAKE_MAX];
	int fd = hostile();

	ck_assert_int_eq(raw_hello(fd, 0), 0);
	step();
	ck_assert_int_gt(recv(fd, message, sizeof(message), MSG_PEEK | MSG_DONTWAIT), 0);
	ck_assert_int_eq(raw_ready(fd), 0);
	step();
	ck_assert_uint_eq(guests_in(listener, GUEST_DEBTOR), 1);
	close(fd);
	step();
}
END_TEST

START_TEST(clients_that_never_read_are_bounded_and_forgotten_when_they_close)
{
	int fds[40];

	for (size_t i = 0; i < ARRAY_LENGTH(fds); i++) {
		fds[i] = hostile();
		ck_assert_int_eq(raw_hello(fds[i], 0), 0);
		step();
	}
	/* The first may be in debt already, if the machine is slow. */
	ck_assert_uint_eq(guests_in(listener, GUEST_FREE), listener->guests_max - 16);
	while (guests_in(listener, GUEST_WELCOME) > 0) {
		ck_assert(poll(&(struct pollfd){ .fd = weir_listener_fd(listener),
						 .events = POLLIN }, 1, 10000) == 1);
		step();
	}
	ck_assert_uint_eq(guests_in(listener, GUEST_DEBTOR), 16);
	/* Nothing to do: the descriptor does not make an event loop spin. */
	ck_assert(!fd_readable(weir_listener_fd(listener)));
	for (size_t i = 0; i < ARRAY_LENGTH(fds); i++)
		close(fds[i]);
	step();
}
END_TEST

/*
 * Being short of descriptors
 */

START_TEST(no_descriptor_for_a_client_does_not_make_accept_spin)
{
	struct rlimit old, few;
	struct weir_end *end;
	struct child child;
	int fd = hostile(), lowest = dup(0), tries = 0, again;
	bool readable;
	int64_t until;

	close(lowest);
	getrlimit(RLIMIT_NOFILE, &old);
	few = (struct rlimit){ (rlim_t)lowest, old.rlim_max };
	setrlimit(RLIMIT_NOFILE, &few);
	/* It is not looked at for a while, and then again. This looks within that while. */
	do {
		ck_assert_int_lt(tries, 100);
		ck_assert_int_eq(weir_accept(listener, 0, tries++ ? soon() : 0, &end, NULL),
				 -EMFILE);
		until = listener->paused_until;
		again = weir_accept(listener, 0, 0, &end, NULL);
		readable = fd_readable(weir_listener_fd(listener));
	} while (test_now() >= until);
	ck_assert_int_eq(again, -EAGAIN);
	ck_assert(!readable);
	ck_assert_int_eq(weir_accept(listener, 0, soon(), &end, NULL), -EMFILE);
	setrlimit(RLIMIT_NOFILE, &old);
	close(fd);
	/* A client that comes now only waits a little. */
	child = child_start(ask, NULL);
	ck_assert_int_eq(weir_accept(listener, 0, soon(), &end, NULL), 0);
	ck_assert_int_eq(answer_one(end, soon()), 0);
	child_join_ok(&child);
	weir_pipe_close(end);
}
END_TEST

START_TEST(no_descriptor_for_a_pipe_tells_the_client_to_come_again)
{
	struct rlimit old, few;
	struct weir_end *end;
	struct child child;
	int lowest = dup(0);

	close(lowest);
	getrlimit(RLIMIT_NOFILE, &old);
	child = child_start(ask, NULL);
	few = (struct rlimit){ (rlim_t)lowest + 5, old.rlim_max };
	setrlimit(RLIMIT_NOFILE, &few);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(weir_accept(listener, 0, soon(), &end, NULL), -EMFILE);
	setrlimit(RLIMIT_NOFILE, &old);
	ck_assert_int_eq(weir_accept(listener, 0, soon(), &end, NULL), 0);
	ck_assert_int_eq(answer_one(end, soon()), 0);
	child_join_ok(&child);
	weir_pipe_close(end);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("listener-flood");
	TCase *patient = add_case(suite, "patient", setup_patient);
	TCase *impatient = add_case(suite, "impatient", setup_impatient);
	TCase *usual = add_case(suite, "usual", setup);

	tcase_add_test(patient, flood_of_descriptors_is_refused_by_the_kernel);
	tcase_add_test(patient, descriptors_that_come_are_closed_and_their_sender_dropped);
	tcase_add_test(patient, descriptors_in_later_messages_are_closed_too);
	tcase_add_test(patient, descriptors_without_room_for_any_do_no_harm);
	tcase_add_test(patient, client_that_does_not_take_its_end_is_not_accepted);
	tcase_add_test(patient, looking_at_the_end_without_taking_it_does_not_count);
	tcase_add_test(impatient,
		       clients_that_never_read_are_bounded_and_forgotten_when_they_close);
	tcase_add_test(usual, no_descriptor_for_a_client_does_not_make_accept_spin);
	tcase_add_test(usual, no_descriptor_for_a_pipe_tells_the_client_to_come_again);
	return test_main(suite);
}
