/* SPDX-License-Identifier: MIT */
/* A listener in one process: options, what is accepted, its descriptor, its end. */
#include "listener-tools.h"

static struct resources before;

static void setup(void)
{
	before = resources_begin();
}

static void teardown(void)
{
	resources_check(&before);
}

static struct weir_listen_options options(void)
{
	return (struct weir_listen_options){ .size = sizeof(struct weir_listen_options) };
}

static int try_options(const struct weir_listen_options *o)
{
	struct weir_listener *const nothing = (void *)&before, *l = nothing;
	int result = weir_listen(&l, abstract_name(), o);

	if (result == 0)
		weir_listener_close(l);
	else
		ck_assert_ptr_eq(l, nothing);
	return result;
}

START_TEST(options_out_of_range_are_einval)
{
	struct weir_pipe_options pipe = { .size = sizeof(pipe) };
	struct weir_listen_options o = options();
	uint32_t id = 7;

	ck_assert_int_eq(try_options(NULL), 0);
	ck_assert_int_eq(try_options(&o), 0);
	o.size++;
	ck_assert_int_eq(try_options(&o), -EINVAL);
	o = options();
	o.flags = WEIR_ANYBODY;
	ck_assert_int_eq(try_options(&o), 0);
	o.flags = WEIR_ANYBODY << 1;
	ck_assert_int_eq(try_options(&o), -EINVAL);
	o = options();
	o.mode = 01600;
	ck_assert_int_eq(try_options(&o), -EINVAL);
	o = options();
	o.uid_count = 1;
	ck_assert_int_eq(try_options(&o), -EINVAL);
	o.uids = &id;
	ck_assert_int_eq(try_options(&o), 0);
	o.uid_count = PEER_LIST_MAX + 1;
	ck_assert_int_eq(try_options(&o), -EINVAL);
	o = options();
	o.gid_count = 1;
	ck_assert_int_eq(try_options(&o), -EINVAL);
	o.gids = &id;
	ck_assert_int_eq(try_options(&o), 0);
	o.gid_count = PEER_LIST_MAX + 1;
	ck_assert_int_eq(try_options(&o), -EINVAL);
	o = options();
	o.pending = 4096;
	ck_assert_int_eq(try_options(&o), 0);
	o.pending = 4097;
	ck_assert_int_eq(try_options(&o), -EINVAL);
	o = options();
	o.backlog = UINT32_MAX;
	ck_assert_int_eq(try_options(&o), -EINVAL);
	o = options();
	o.reserved = 1;
	ck_assert_int_eq(try_options(&o), -EINVAL);
	o = options();
	o.patience = -1;
	ck_assert_int_eq(try_options(&o), -EINVAL);
	o = options();
	o.capacity_max = SEGMENT_CAPACITY_MAX + 1;
	ck_assert_int_eq(try_options(&o), -EINVAL);
	o = options();
	o.pipe = &pipe;
	ck_assert_int_eq(try_options(&o), 0);
	pipe.reserved = 1;
	ck_assert_int_eq(try_options(&o), -EINVAL);
}
END_TEST

START_TEST(mistakes_of_the_caller_are_einval)
{
	struct weir_listener *l;
	struct weir_end *end;

	ck_assert_int_eq(weir_listen(NULL, abstract_name(), NULL), -EINVAL);
	ck_assert_int_eq(weir_listen(&l, NULL, NULL), -EINVAL);
	ck_assert_int_eq(weir_listen(&l, "", NULL), -EINVAL);
	ck_assert_int_eq(weir_listen(&l, "@", NULL), -EINVAL);
	ck_assert_int_eq(weir_listen_adopt(NULL, 0, NULL), -EINVAL);
	ck_assert_int_eq(weir_accept(NULL, 0, 0, &end, NULL), -EINVAL);
	ck_assert_int_eq(weir_listener_fd(NULL), -EINVAL);
	ck_assert_int_eq(weir_listener_shutdown(NULL), -EINVAL);
	weir_listener_close(NULL);
	ck_assert_int_eq(weir_listen(&l, abstract_name(), NULL), 0);
	ck_assert_int_eq(weir_accept(l, 0, 0, NULL, NULL), -EINVAL);
	ck_assert_int_eq(weir_accept(l, WEIR_NOSPIN, 0, &end, NULL), -EINVAL);
	weir_listener_close(l);
}
END_TEST

START_TEST(accept_of_nobody_ends_with_the_deadline)
{
	struct weir_end *const nothing = (void *)&before, *end = nothing;
	struct weir_peer peer = { .pid = 77 };
	struct weir_listener *l;
	int64_t began = test_now();

	ck_assert_int_eq(weir_listen(&l, abstract_name(), NULL), 0);
	ck_assert_int_eq(weir_accept(l, 0, 0, &end, &peer), -EAGAIN);
	ck_assert_int_eq(weir_accept(l, 0, -5, &end, &peer), -EAGAIN);
	ck_assert_int_eq(weir_accept(l, 0, 1, &end, &peer), -ETIMEDOUT);
	ck_assert_int_eq(weir_accept(l, 0, weir_after(10 * MS), &end, &peer), -ETIMEDOUT);
	ck_assert_int_ge(test_now() - began, 10 * MS);
	ck_assert_ptr_eq(end, nothing);
	ck_assert_int_eq(peer.pid, 77);
	ck_assert(!fd_readable(weir_listener_fd(l)));
	weir_listener_close(l);
}
END_TEST

/* The steps of a hand-shake, seen from the descriptor. */
START_TEST(descriptor_is_readable_when_there_is_a_step_to_take)
{
	const char *name = abstract_name();
	struct weir_listener *l;
	struct weir_end *end;
	int fd, client;

	ck_assert_int_eq(weir_listen(&l, name, NULL), 0);
	fd = weir_listener_fd(l);
	client = raw_connect(name);
	ck_assert(fd_readable(fd));
	ck_assert_int_eq(weir_accept(l, 0, 0, &end, NULL), -EAGAIN);
	ck_assert(!fd_readable(fd));
	ck_assert_int_eq(raw_hello(client, 0), 0);
	ck_assert(fd_readable(fd));
	ck_assert_int_eq(weir_accept(l, 0, 0, &end, NULL), -EAGAIN);
	ck_assert(!fd_readable(fd));
	ck_assert_int_eq(raw_welcome(client), 0);
	ck_assert(!fd_readable(fd));
	ck_assert_int_eq(raw_ready(client), 0);
	ck_assert(fd_readable(fd));
	ck_assert_int_eq(weir_accept(l, 0, 0, &end, NULL), 0);
	ck_assert(!fd_readable(fd));
	close(client);
	weir_pipe_close(end);
	weir_listener_close(l);
}
END_TEST

/* Up to READY, which is not said yet. */
static int greet(const char *name, struct weir_listener *l, uint64_t capacity)
{
	struct weir_end *end;
	int client = raw_connect(name);

	ck_assert_int_eq(raw_hello(client, capacity), 0);
	ck_assert_int_eq(accept_now(l, &end), -EAGAIN);
	ck_assert_int_eq(raw_welcome(client), 0);
	return client;
}

START_TEST(peer_is_who_has_connected)
{
	const char *name = abstract_name();
	struct weir_listener *l;
	struct weir_peer peer;
	struct weir_end *end;
	int client;

	ck_assert_int_eq(weir_listen(&l, name, NULL), 0);
	client = greet(name, l, 0);
	ck_assert_int_eq(raw_ready(client), 0);
	ck_assert_int_eq(weir_accept(l, 0, 0, &end, &peer), 0);
	ck_assert_int_eq(peer.pid, getpid());
	ck_assert_uint_eq(peer.uid, geteuid());
	ck_assert_uint_eq(peer.gid, getegid());
	ck_assert_int_ge(peer.pidfd, 0);
	ck_assert_int_eq(fcntl(peer.pidfd, F_GETFD), FD_CLOEXEC);
	close(peer.pidfd);
	close(client);
	weir_pipe_close(end);
	weir_listener_close(l);
}
END_TEST

START_TEST(capacity_is_what_the_options_grant)
{
	static const struct {
		uint64_t own, max, wanted, granted;
	} cases[] = {
		{ 0, 0, 0, WEIR_PIPE_CAPACITY },
		{ 0, 0, 4096, 4096 },
		{ 0, 0, WEIR_PIPE_CAPACITY * 2, WEIR_PIPE_CAPACITY },
		{ 8192, 0, 0, 8192 },
		{ 8192, 0, 65536, 8192 },
		{ 8192, 65536, 0, 8192 },
		{ 8192, 65536, 65536, 65536 },
		{ 8192, 65536, UINT64_MAX, 65536 },
		{ 65536, 8192, 16384, 8192 },
		{ 0, 0, 1, 4096 },
	};

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct weir_pipe_options pipe = { .size = sizeof(pipe), .capacity = cases[i].own };
		struct weir_listen_options o = options();
		const char *name = abstract_name();
		struct weir_listener *l;
		struct weir_end *end;
		int client;

		o.pipe = &pipe;
		o.capacity_max = cases[i].max;
		ck_assert_int_eq(weir_listen(&l, name, &o), 0);
		client = greet(name, l, cases[i].wanted);
		ck_assert_int_eq(raw_ready(client), 0);
		ck_assert_int_eq(weir_accept(l, 0, 0, &end, NULL), 0);
		ck_assert_uint_eq(end->core->segment.capacity, cases[i].granted);
		close(client);
		weir_pipe_close(end);
		weir_listener_close(l);
	}
}
END_TEST

START_TEST(close_drops_guests_in_every_state)
{
	struct weir_listen_options o = options();
	const char *name = abstract_name();
	struct weir_listener *l;
	struct weir_end *end;
	int fds[4];

	o.patience = 60000 * MS;
	ck_assert_int_eq(weir_listen(&l, name, &o), 0);
	fds[0] = greet(name, l, 0);
	fds[1] = raw_connect(name);
	ck_assert_int_eq(raw_hello(fds[1], 0), 0);
	ck_assert_int_eq(raw_ready(fds[1]), 0);
	fds[2] = raw_connect(name);
	ck_assert_int_eq(accept_now(l, &end), -EAGAIN);
	fds[3] = raw_connect(name);
	ck_assert_uint_eq(guests_in(l, GUEST_WELCOME), 1);
	ck_assert_uint_eq(guests_in(l, GUEST_DEBTOR), 1);
	ck_assert_uint_eq(guests_in(l, GUEST_SILENT), 1);
	weir_listener_close(l);
	for (int i = 0; i < 4; i++) {
		ck_assert(raw_closed(fds[i]));
		close(fds[i]);
	}
}
END_TEST

START_TEST(shutdown_ends_accept_for_ever)
{
	struct weir_listener *l;
	struct weir_end *end;

	ck_assert_int_eq(weir_listen(&l, abstract_name(), NULL), 0);
	ck_assert_int_eq(weir_listener_shutdown(l), 0);
	for (int i = 0; i < 3; i++) {
		ck_assert(fd_readable(weir_listener_fd(l)));
		ck_assert_int_eq(weir_accept(l, 0, i ? soon() : 0, &end, NULL), -ESHUTDOWN);
	}
	ck_assert_int_eq(weir_listener_shutdown(l), 0);
	weir_listener_close(l);
}
END_TEST

static int use_copy(void *arg)
{
	struct weir_end *end;

	child_check(weir_accept(arg, 0, soon(), &end, NULL) == -EBUSY);
	child_check(weir_listener_fd(arg) == -EBUSY);
	child_check(weir_listener_shutdown(arg) == -EBUSY);
	weir_listener_close(arg);
	return 0;
}

START_TEST(forked_child_can_only_close)
{
	const char *name = abstract_name();
	struct weir_listener *l;
	struct weir_end *end;
	struct child child;
	int client, silent;

	ck_assert_int_eq(weir_listen(&l, name, NULL), 0);
	client = greet(name, l, 0);
	silent = raw_connect(name);
	ck_assert_int_eq(accept_now(l, &end), -EAGAIN);
	child = child_start(use_copy, l);
	child_join_ok(&child);
	/* Nobody has noticed. */
	ck_assert(!raw_closed(client) && !raw_closed(silent));
	ck_assert_int_eq(raw_ready(client), 0);
	ck_assert_int_eq(weir_accept(l, 0, soon(), &end, NULL), 0);
	close(client);
	close(silent);
	weir_pipe_close(end);
	weir_listener_close(l);
}
END_TEST

/*
 * Sockets from elsewhere
 */

static int bound(int domain, int type, const char *name)
{
	int fd = socket(domain, type | SOCK_CLOEXEC, 0);
	struct address address;

	if (domain == AF_UNIX) {
		ck_assert_int_eq(address_parse(name, &address), 0);
		ck_assert_int_eq(bind(fd, (void *)&address.un, address.length), 0);
	}
	return fd;
}

START_TEST(adopted_socket_serves_and_is_closed)
{
	const char *name = abstract_name();
	int fd = bound(AF_UNIX, SOCK_SEQPACKET, name), client;
	struct weir_listener *l;
	struct weir_end *end;

	ck_assert_int_eq(listen(fd, 3), 0);
	fcntl(fd, F_SETFD, 0);
	ck_assert_int_eq(weir_listen_adopt(&l, fd, NULL), 0);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	client = greet(name, l, 0);
	ck_assert_int_eq(raw_ready(client), 0);
	ck_assert_int_eq(weir_accept(l, 0, 0, &end, NULL), 0);
	weir_pipe_close(end);
	close(client);
	weir_listener_close(l);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
}
END_TEST

START_TEST(adopted_socket_file_is_not_removed)
{
	struct folder folder = folder_make();
	const char *path = path_in(&folder, "s");
	struct weir_listener *l;
	int fd = bound(AF_UNIX, SOCK_SEQPACKET, path);

	ck_assert_int_eq(listen(fd, 3), 0);
	ck_assert_int_eq(weir_listen_adopt(&l, fd, NULL), 0);
	weir_listener_close(l);
	ck_assert_int_eq(access(path, F_OK), 0);
	folder_remove(&folder);
}
END_TEST

START_TEST(adopting_anything_else_is_an_error_and_leaves_it)
{
	struct weir_listener *const nothing = (void *)&before, *l = nothing;
	static const struct {
		int domain, type;
		bool listening;
	} kinds[] = {
		{ AF_UNIX, SOCK_SEQPACKET, false },
		{ AF_UNIX, SOCK_STREAM, true },
		{ AF_UNIX, SOCK_DGRAM, false },
		{ AF_INET, SOCK_STREAM, true },
	};
	int null;

	for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
		int fd = bound(kinds[i].domain, kinds[i].type, abstract_name());

		if (kinds[i].listening)
			ck_assert_int_eq(listen(fd, 1), 0);
		ck_assert_int_eq(weir_listen_adopt(&l, fd, NULL), -EPROTOTYPE);
		ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
		close(fd);
	}
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(weir_listen_adopt(&l, null, NULL), -ENOTSOCK);
	close(null);
	ck_assert_int_eq(weir_listen_adopt(&l, null, NULL), -EBADF);
	ck_assert_int_eq(weir_listen_adopt(&l, -1, NULL), -EBADF);
	ck_assert_ptr_eq(l, nothing);
}
END_TEST

/* The variables as given; what weir_listen_activated() says. All of it stops before the socket. */
static int activated(const char *pid, const char *fds, const char *names, const char *name)
{
	struct weir_listener *l;
	char self[16];
	int result;

	snprintf(self, sizeof(self), "%d", getpid());
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (pid)
		setenv("LISTEN_PID", strcmp(pid, "self") ? pid : self, 1);
	if (fds)
		setenv("LISTEN_FDS", fds, 1);
	if (names)
		setenv("LISTEN_FDNAMES", names, 1);
	result = weir_listen_activated(&l, name, NULL);
	if (result == 0)
		weir_listener_close(l);
	return result;
}

START_TEST(activation_is_checked_strictly)
{
	static const char *const bad[] = { "", "0", "-1", "+1", " 1", "1 ", "1x", "01", "0x1",
					   "99999999999999999999", "65537" };

	ck_assert_int_eq(activated(NULL, NULL, NULL, NULL), -ENOENT);
	ck_assert_int_eq(activated("self", NULL, NULL, NULL), -ENOENT);
	ck_assert_int_eq(activated(NULL, "1", NULL, NULL), -ENOENT);
	ck_assert_int_eq(activated("1", "1", NULL, NULL), -ENOENT);
	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
		ck_assert_int_eq(activated("self", bad[i], NULL, NULL), -EBADMSG);
		if (strcmp(bad[i], "65537") != 0)
			ck_assert_int_eq(activated(bad[i], "1", NULL, NULL), -EBADMSG);
	}
	ck_assert_int_eq(activated("self", "2", NULL, NULL), -ENOTUNIQ);
	ck_assert_int_eq(activated("self", "2", "a:b", NULL), -ENOTUNIQ);
	ck_assert_int_eq(activated("self", "2", NULL, "a"), -ENOENT);
	ck_assert_int_eq(activated("self", "2", "a:b", "c"), -ENOENT);
	ck_assert_int_eq(activated("self", "2", "a:bc", "b"), -ENOENT);
	ck_assert_int_eq(activated("self", "2", "a:a", "a"), -ENOTUNIQ);
	ck_assert_int_eq(activated("self", "2", "a", "a"), -EBADMSG);
	ck_assert_int_eq(activated("self", "2", "a:b:c", "a"), -EBADMSG);
	ck_assert_int_eq(activated("self", "1", "", "a"), -ENOENT);
}
END_TEST

START_TEST(activated_socket_is_the_one_of_that_name)
{
	int high = fcntl(bound(AF_UNIX, SOCK_SEQPACKET, abstract_name()), F_DUPFD_CLOEXEC, 600);
	int saved[3];

	/* Whatever has these numbers here is put aside. */
	ck_assert_int_eq(listen(high, 1), 0);
	for (int i = 0; i < 3; i++) {
		saved[i] = fcntl(3 + i, F_DUPFD_CLOEXEC, 700);
		close(3 + i);
	}
	ck_assert_int_eq(dup2(high, 4), 4);
	ck_assert_int_eq(activated("self", "2", "a:b", "b"), 0);
	ck_assert_int_eq(fcntl(4, F_GETFD), -1);
	ck_assert_int_eq(dup2(high, 3), 3);
	ck_assert_int_eq(activated("self", "1", NULL, NULL), 0);
	ck_assert_int_eq(activated("self", "1", NULL, NULL), -EBADF);
	for (int i = 0; i < 3; i++) {
		if (saved[i] < 0)
			continue;
		dup2(saved[i], 3 + i);
		close(saved[i]);
	}
	close(high);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("listener");
	TCase *tcase = tcase_create("listener"), *plain = tcase_create("environment");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, options_out_of_range_are_einval);
	tcase_add_test(tcase, mistakes_of_the_caller_are_einval);
	tcase_add_test(tcase, accept_of_nobody_ends_with_the_deadline);
	tcase_add_test(tcase, descriptor_is_readable_when_there_is_a_step_to_take);
	tcase_add_test(tcase, peer_is_who_has_connected);
	tcase_add_test(tcase, capacity_is_what_the_options_grant);
	tcase_add_test(tcase, close_drops_guests_in_every_state);
	tcase_add_test(tcase, shutdown_ends_accept_for_ever);
	test_add_unless(tcase, kernel_unavailable(), forked_child_can_only_close);
	tcase_add_test(tcase, adopted_socket_serves_and_is_closed);
	tcase_add_test(tcase, adopted_socket_file_is_not_removed);
	tcase_add_test(tcase, adopting_anything_else_is_an_error_and_leaves_it);
	tcase_add_test(tcase, activation_is_checked_strictly);
	tcase_add_test(plain, activated_socket_is_the_one_of_that_name);
	suite_add_tcase(suite, tcase);
	suite_add_tcase(suite, plain);
	return test_main(suite);
}
