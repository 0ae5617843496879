/* SPDX-License-Identifier: MIT */
#include "sys/net.h"

#include <sys/epoll.h>

#include "listener-tools.h"
#include "sys/sys.h"

static struct resources before;
static int pair[2];

static void setup(void)
{
	before = resources_begin();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
}

static void teardown(void)
{
	close(pair[0]);
	close(pair[1]);
	resources_check(&before);
}

START_TEST(message_is_whole_or_not_there)
{
	char buffer[8];

	ck_assert_int_eq(net_receive(pair[0], buffer, sizeof(buffer)), -EAGAIN);
	ck_assert_int_eq(net_send(pair[1], "12345678", 8), 0);
	ck_assert_int_eq(net_send(pair[1], "123456789", 9), 0);
	ck_assert_int_eq(net_send(pair[1], "x", 1), 0);
	ck_assert_int_eq(net_receive(pair[0], buffer, sizeof(buffer)), 8);
	ck_assert_mem_eq(buffer, "12345678", 8);
	ck_assert_int_eq(net_receive(pair[0], buffer, sizeof(buffer)), -EBADMSG);
	ck_assert_int_eq(net_receive(pair[0], buffer, sizeof(buffer)), 1);
	net_shutdown(pair[1]);
	ck_assert_int_eq(net_receive(pair[0], buffer, sizeof(buffer)), 0);
	/* Without a signal. */
	ck_assert_int_eq(net_send(pair[0], "x", 1), -EPIPE);
}
END_TEST

START_TEST(send_without_room_is_eagain)
{
	static char large[10000];
	int result;

	do
		result = net_send(pair[0], large, sizeof(large));
	while (result == 0);
	ck_assert_int_eq(result, -EAGAIN);
}
END_TEST

START_TEST(descriptors_are_closed_by_the_kernel_and_ebadmsg)
{
	struct resources open = resources_begin();
	char buffer[8];

	ck_assert_int_eq(sys_send_fds(pair[1], "x", 1, pair, 2), 1);
	ck_assert_int_eq(net_receive(pair[0], buffer, sizeof(buffer)), -EBADMSG);
	resources_check(&open);
	net_refuse_rights(pair[0]);
	ck_assert(sys_send_fds(pair[1], "x", 1, pair, 2) == -EPERM ||
		  net_receive(pair[0], buffer, sizeof(buffer)) == -EBADMSG);
}
END_TEST

START_TEST(unread_says_whether_the_other_side_has_received)
{
	char buffer[8];

	ck_assert_int_eq(net_unread(pair[0]), 0);
	ck_assert_int_eq(net_send(pair[0], "x", 1), 0);
	ck_assert_int_gt(net_unread(pair[0]), 0);
	ck_assert_int_eq(recv(pair[1], buffer, sizeof(buffer), MSG_PEEK), 1);
	ck_assert_int_gt(net_unread(pair[0]), 0);
	ck_assert_int_eq(net_receive(pair[1], buffer, sizeof(buffer)), 1);
	ck_assert_int_eq(net_unread(pair[0]), 0);
	ck_assert_int_eq(net_unread(-1), -EBADF);
}
END_TEST

START_TEST(peer_is_this_process)
{
	gid_t groups[64];
	int count = getgroups(64, groups), pidfd;
	struct net_peer peer;

	ck_assert_int_eq(net_peer(pair[0], &peer), 0);
	ck_assert_int_eq(peer.pid, getpid());
	ck_assert_uint_eq(peer.uid, geteuid());
	ck_assert_uint_eq(peer.gid, getegid());
	for (int i = 0; i < count; i++)
		ck_assert(net_peer_in_group(pair[0], groups[i]));
	ck_assert(!net_peer_in_group(pair[0], 4000000000U));
	ck_assert(!net_peer_in_group(-1, 0));
	pidfd = net_peer_pidfd(pair[0], peer.pid);
	ck_assert_int_ge(pidfd, 0);
	ck_assert(!fd_readable(pidfd));
	close(pidfd);
	ck_assert_int_eq(net_peer(-1, &peer), -EBADF);
	ck_assert_int_eq(net_peer_pidfd(-1, getpid()), -1);
}
END_TEST

static int refuse_option(enum sys_call call)
{
	return call == SYS_CALL_SOCKET_OPTION ? -ENOPROTOOPT : 0;
}

START_TEST(kernel_without_peers_pidfd_is_asked_by_number)
{
	int pidfd, own = sys_pidfd(getpid());

	sys_fault = refuse_option;
	pidfd = net_peer_pidfd(pair[0], getpid());
	ck_assert_int_eq(net_peer_pidfd(pair[0], 0), -1);
	sys_fault = NULL;
	/* An emulator may not know them. */
	ck_assert_int_eq(pidfd >= 0, own >= 0);
	sys_close(pidfd);
	sys_close(own);
}
END_TEST

static int first_chmod;

static int refuse_first_chmod(enum sys_call call)
{
	return call == SYS_CALL_CHMOD && first_chmod-- > 0 ? -ENOSYS : 0;
}

START_TEST(pinned_file_has_its_mode_changed_and_no_other)
{
	struct folder folder = folder_make();
	const char *file = path_in(&folder, "file"), *link = path_in(&folder, "link");
	int fd = net_open_folder(folder.path), pin;
	struct stat st;

	close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	ck_assert_int_eq(symlink("file", link), 0);
	pin = net_pin(fd, "link");
	ck_assert_int_eq(net_stat(pin, "", &st), 0);
	ck_assert(S_ISLNK(st.st_mode));
	ck_assert_int_lt(net_chmod_pinned(pin, 0666), 0);
	close(pin);
	pin = net_pin(fd, "file");
	for (uint32_t mode = 0604; mode <= 0606; mode += 2) {
		/* As from Linux 6.6 on, and as before. */
		first_chmod = mode == 0606;
		sys_fault = refuse_first_chmod;
		ck_assert_int_eq(net_chmod_pinned(pin, mode), 0);
		sys_fault = NULL;
		ck_assert_int_eq(net_stat(fd, "file", &st), 0);
		ck_assert_uint_eq(st.st_mode & 07777, mode);
	}
	close(pin);
	ck_assert_int_eq(net_unlink(fd, "link"), 0);
	ck_assert_int_eq(net_stat(fd, "link", &st), -ENOENT);
	close(fd);
	folder_remove(&folder);
}
END_TEST

START_TEST(lock_is_of_the_open_file)
{
	struct folder folder = folder_make();
	int fd = net_open_folder(folder.path);
	int a = net_open_lock(fd, "lock"), b = net_open_lock(fd, "lock"), copy = dup(a);

	ck_assert_int_eq(net_lock(a), 0);
	ck_assert_int_eq(net_lock(b), -EAGAIN);
	close(a);
	ck_assert_int_eq(net_lock(b), -EAGAIN);
	close(copy);
	ck_assert_int_eq(net_lock(b), 0);
	close(b);
	close(fd);
	folder_remove(&folder);
}
END_TEST

START_TEST(watched_descriptors_are_told_by_their_ids)
{
	int epoll = sys_epoll(), timer = net_timer();
	uint64_t id = 0;

	ck_assert_int_eq(net_watch(epoll, pair[0], EPOLLIN, 7), 0);
	ck_assert_int_eq(net_watch(epoll, timer, EPOLLIN, UINT64_MAX), 0);
	ck_assert_int_eq(net_next(epoll, &id), 0);
	ck_assert_int_eq(net_send(pair[1], "x", 1), 0);
	ck_assert_int_eq(net_next(epoll, &id), 1);
	ck_assert_uint_eq(id, 7);
	ck_assert_int_eq(net_watch_change(epoll, pair[0], 0, 7), 0);
	ck_assert_int_eq(net_next(epoll, &id), 0);
	ck_assert_int_eq(net_timer_set(timer, 1), 0);
	ck_assert_int_eq(net_next(epoll, &id), 1);
	ck_assert(id == UINT64_MAX);
	/* Setting it anew also takes back that it has rung. */
	ck_assert_int_eq(net_timer_set(timer, WEIR_FOREVER), 0);
	ck_assert_int_eq(net_next(epoll, &id), 0);
	ck_assert_int_eq(net_watch_change(epoll, pair[0], EPOLLIN, 8), 0);
	net_unwatch(epoll, pair[0]);
	ck_assert_int_eq(net_next(epoll, &id), 0);
	close(timer);
	close(epoll);
}
END_TEST

START_TEST(connect_waits_for_room_until_the_deadline)
{
	int listening = net_socket(), fds[4];
	struct address address;
	int64_t began;

	ck_assert_int_eq(address_parse(abstract_name(), &address), 0);
	ck_assert_int_eq(net_bind(listening, &address.un, address.length), 0);
	ck_assert_int_ne(net_check_listening(listening), 0);
	ck_assert_int_eq(net_listen(listening, 1), 0);
	ck_assert_int_eq(net_check_listening(listening), 0);
	for (int i = 0; i < 4; i++)
		fds[i] = net_socket();
	ck_assert_int_eq(net_connect(fds[0], &address.un, address.length), 0);
	ck_assert_int_eq(net_connect_until(fds[1], &address.un, address.length, soon()), 0);
	ck_assert_int_eq(net_connect(fds[2], &address.un, address.length), -EAGAIN);
	began = test_now();
	ck_assert_int_eq(net_connect_until(fds[2], &address.un, address.length,
					   began + 20 * MS), -EAGAIN);
	ck_assert_int_ge(test_now() - began, 20 * MS);
	ck_assert_int_eq(net_connect_until(fds[2], &address.un, address.length, 1), -EAGAIN);
	fds[3] = (close(fds[3]), net_accept(listening));
	ck_assert_int_eq(fcntl(fds[3], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	ck_assert_int_eq(fcntl(fds[3], F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(net_connect_until(fds[2], &address.un, address.length, WEIR_FOREVER), 0);
	ck_assert_int_eq(fcntl(fds[2], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	close(listening);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("net");
	TCase *tcase = tcase_create("net");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, message_is_whole_or_not_there);
	tcase_add_test(tcase, send_without_room_is_eagain);
	tcase_add_test(tcase, descriptors_are_closed_by_the_kernel_and_ebadmsg);
	tcase_add_test(tcase, unread_says_whether_the_other_side_has_received);
	tcase_add_test(tcase, peer_is_this_process);
	tcase_add_test(tcase, kernel_without_peers_pidfd_is_asked_by_number);
	tcase_add_test(tcase, pinned_file_has_its_mode_changed_and_no_other);
	tcase_add_test(tcase, lock_is_of_the_open_file);
	tcase_add_test(tcase, watched_descriptors_are_told_by_their_ids);
	tcase_add_test(tcase, connect_waits_for_room_until_the_deadline);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
