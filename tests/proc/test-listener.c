/* SPDX-License-Identifier: MIT */
/* A server and its clients: many of them, other users, other programs, and servers that race. */
#include "listener-tools.h"

#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static struct resources before;

static void setup(void)
{
	before = resources_begin();
}

static void teardown(void)
{
	resources_check(&before);
}

/* Accept and answer @count clients, one after the other. */
static void serve(struct weir_listener *l, int count)
{
	for (int i = 0; i < count; i++) {
		struct weir_end *end;

		ck_assert_int_eq(weir_accept(l, 0, soon(), &end, NULL), 0);
		ck_assert_int_eq(answer_one(end, soon()), 0);
		weir_pipe_close(end);
	}
}

static const char *name;

#define CLIENTS 8
#define ROUNDS 20

static int ask_many_times(void *arg)
{
	for (uint64_t i = 0; i < ROUNDS; i++)
		child_check(client_asks(name, (uint64_t)(uintptr_t)arg + i, soon()) == 0);
	return 0;
}

START_TEST(many_clients_are_served)
{
	struct child children[CLIENTS];
	struct weir_listener *l;

	name = abstract_name();
	ck_assert_int_eq(weir_listen(&l, name, NULL), 0);
	for (uintptr_t i = 0; i < CLIENTS; i++)
		children[i] = child_start(ask_many_times, (void *)(i * 1000));
	serve(l, CLIENTS * ROUNDS);
	for (int i = 0; i < CLIENTS; i++)
		child_join_ok(&children[i]);
	weir_listener_close(l);
}
END_TEST

static struct barrier *barrier;

static int ask_together(void *arg)
{
	(void)arg;
	child_check(barrier_wait(barrier));
	return client_asks(name, 1, soon()) == 0 ? 0 : 1;
}

#define CROWD (40 / LESS)

/* More at a time than one user may have: some are sent away, and come again by themselves. */
START_TEST(crowd_of_one_user_is_served_in_turns)
{
	struct weir_listen_options options = { .size = sizeof(options), .pending_per_uid = 2 };
	struct child children[CROWD];
	struct weir_listener *l;

	name = abstract_name();
	barrier = barrier_create(CROWD + 1);
	ck_assert_int_eq(weir_listen(&l, name, &options), 0);
	for (int i = 0; i < CROWD; i++)
		children[i] = child_start(ask_together, NULL);
	ck_assert(barrier_wait(barrier));
	serve(l, CROWD);
	for (int i = 0; i < CROWD; i++)
		child_join_ok(&children[i]);
	weir_listener_close(l);
}
END_TEST

/* One of several processes that have each adopted the same socket. */
static int adopt_and_serve(void *arg)
{
	struct weir_listener *l;
	struct weir_end *end;

	child_check(weir_listen_adopt(&l, *(int *)arg, NULL) == 0);
	for (;;) {
		child_check(weir_accept(l, 0, soon(), &end, NULL) == 0);
		child_check(answer_one(end, soon()) == 0);
		weir_pipe_close(end);
	}
	return 0;
}

START_TEST(processes_share_a_socket_that_each_adopts)
{
	struct child servers[2], clients[8];
	struct address address;
	int fd = raw_socket();

	name = abstract_name();
	barrier = barrier_create(8);
	ck_assert_int_eq(address_parse(name, &address), 0);
	ck_assert_int_eq(bind(fd, (void *)&address.un, address.length), 0);
	ck_assert_int_eq(listen(fd, 16), 0);
	for (int i = 0; i < 2; i++)
		servers[i] = child_start(adopt_and_serve, &fd);
	for (int i = 0; i < 8; i++)
		clients[i] = child_start(ask_together, NULL);
	for (int i = 0; i < 8; i++)
		child_join_ok(&clients[i]);
	for (int i = 0; i < 2; i++)
		child_kill(&servers[i]);
	close(fd);
}
END_TEST

/*
 * Dying
 */

static int die_after_hello(void *arg)
{
	int fd = *(int *)arg, client;

	while ((client = accept(fd, NULL, NULL)) < 0)
		sched_yield();
	raise(SIGKILL);
	return client;
}

START_TEST(server_that_dies_in_the_handshake_is_econnreset)
{
	struct address address;
	struct weir_end *end;
	struct child server;
	int fd = raw_socket(), status;

	name = abstract_name();
	ck_assert_int_eq(address_parse(name, &address), 0);
	ck_assert_int_eq(bind(fd, (void *)&address.un, address.length), 0);
	ck_assert_int_eq(listen(fd, 16), 0);
	server = child_start(die_after_hello, &fd);
	ck_assert_int_eq(weir_connect(name, NULL, 0, soon(), &end), -ECONNRESET);
	status = child_join(&server);
	ck_assert(WIFSIGNALED(status));
	/* One that has not even accepted. */
	ck_assert_int_eq(weir_connect(name, NULL, 0, weir_after(10 * MS), &end), -ETIMEDOUT);
	close(fd);
}
END_TEST

static int connect_and_wait(void *arg)
{
	struct weir_end *end;

	(void)arg;
	child_check(weir_connect(name, NULL, 0, soon(), &end) == 0);
	child_check(barrier_wait(barrier));
	pause();
	return 0;
}

START_TEST(peer_is_known_by_its_pidfd_after_it_has_died)
{
	struct weir_listener *l;
	struct weir_peer peer;
	struct weir_end *end;
	struct child child;

	name = abstract_name();
	barrier = barrier_create(2);
	ck_assert_int_eq(weir_listen(&l, name, NULL), 0);
	child = child_start(connect_and_wait, NULL);
	ck_assert_int_eq(weir_accept(l, 0, soon(), &end, &peer), 0);
	ck_assert_int_eq(peer.pid, child.pid);
	ck_assert(barrier_wait(barrier));
	ck_assert_int_ge(peer.pidfd, 0);
	ck_assert(!fd_readable(peer.pidfd));
	child_kill(&child);
	ck_assert(fd_readable(peer.pidfd));
	ck_assert_int_eq((int)recv_number(end, soon()), -EPIPE);
	close(peer.pidfd);
	weir_pipe_close(end);
	weir_listener_close(l);
}
END_TEST

/* The one who does the rest of a hand-shake that another has begun. */
static int finish_handshake(void *arg)
{
	int fd = *(int *)arg;
	int64_t deadline = soon();

	child_check(raw_hello(fd, 0) == 0);
	while (raw_welcome(fd) != 0)
		child_check(test_now() < deadline && sched_yield() == 0);
	child_check(raw_ready(fd) == 0);
	return 0;
}

START_TEST(identity_is_of_who_connected_whoever_has_the_socket_now)
{
	struct weir_listener *l;
	struct weir_peer peer;
	struct weir_end *end;
	struct child child;
	int fd;

	name = abstract_name();
	ck_assert_int_eq(weir_listen(&l, name, NULL), 0);
	fd = raw_connect(name);
	child = child_start(finish_handshake, &fd);
	close(fd);
	ck_assert_int_eq(weir_accept(l, 0, soon(), &end, &peer), 0);
	ck_assert_int_eq(peer.pid, getpid());
	child_join_ok(&child);
	close(peer.pidfd);
	weir_pipe_close(end);
	weir_listener_close(l);
}
END_TEST

/*
 * Users
 */

#define ALICE	20001U
#define BOB	20002U
#define STAFF	30001U

struct user {
	uint32_t uid, gid, extra;
	int expected;
};

static void become(const struct user *user)
{
	gid_t extra = user->extra;

	child_check(setgroups(user->extra ? 1 : 0, &extra) == 0);
	child_check(setgid(user->gid) == 0);
	child_check(setuid(user->uid) == 0);
}

static int ask_as(void *arg)
{
	const struct user *user = arg;

	become(user);
	child_check(client_asks(name, 1, soon()) == user->expected);
	return 0;
}

static const uint32_t only_alice[] = { ALICE }, only_staff[] = { STAFF };

static const struct {
	struct weir_listen_options options;
	struct user user;
} visits[] = {
#define OPTIONS(...)	.options = { .size = sizeof(struct weir_listen_options), __VA_ARGS__ }
	{ OPTIONS(.mode = 0), .user = { 0, 0, 0, 0 } },
	{ OPTIONS(.mode = 0), .user = { ALICE, ALICE, 0, -EACCES } },
	{ OPTIONS(.mode = 0), .user = { ALICE, 0, 0, -EACCES } },
	{ OPTIONS(.uids = only_alice, .uid_count = 1), .user = { ALICE, ALICE, 0, 0 } },
	{ OPTIONS(.uids = only_alice, .uid_count = 1), .user = { BOB, ALICE, ALICE, -EACCES } },
	{ OPTIONS(.uids = only_alice, .uid_count = 1), .user = { 0, 0, 0, 0 } },
	{ OPTIONS(.gids = only_staff, .gid_count = 1), .user = { ALICE, STAFF, 0, 0 } },
	{ OPTIONS(.gids = only_staff, .gid_count = 1), .user = { ALICE, ALICE, STAFF, 0 } },
	{ OPTIONS(.gids = only_staff, .gid_count = 1), .user = { STAFF, BOB, BOB, -EACCES } },
	{ OPTIONS(.flags = WEIR_ANYBODY), .user = { BOB, BOB, 0, 0 } },
};

START_TEST(client_is_let_in_by_its_user_and_groups)
{
	struct user user = visits[_i].user;
	struct weir_listener *l;
	struct weir_end *end;
	struct weir_peer peer;
	struct child child;

	name = abstract_name();
	ck_assert_int_eq(weir_listen(&l, name, &visits[_i].options), 0);
	/* That it is another user's server is not what this is about. */
	child = child_start(ask_as, &user);
	if (user.expected == 0) {
		ck_assert_int_eq(weir_accept(l, 0, soon(), &end, &peer), 0);
		ck_assert_uint_eq(peer.uid, user.uid);
		ck_assert_uint_eq(peer.gid, user.gid);
		ck_assert_int_eq(answer_one(end, soon()), 0);
		close(peer.pidfd);
		weir_pipe_close(end);
	} else {
		while (child_state(child.pid) != 'Z')
			ck_assert_int_eq(weir_accept(l, 0, weir_after(MS), &end, NULL), -ETIMEDOUT);
	}
	child_join_ok(&child);
	weir_listener_close(l);
}
END_TEST

START_TEST(mode_of_the_socket_file_keeps_others_out)
{
	struct weir_listen_options options = { .size = sizeof(options), .flags = WEIR_ANYBODY };
	struct user user = { ALICE, ALICE, 0, -EACCES };
	struct folder folder = folder_make();
	struct weir_listener *l;
	struct child child;

	ck_assert_int_eq(chmod(folder.path, 0755), 0);
	name = path_in(&folder, "s");
	ck_assert_int_eq(weir_listen(&l, name, &options), 0);
	child = child_start(ask_as, &user);
	child_join_ok(&child);
	weir_listener_close(l);
	/* And, if asked, lets them in. */
	options.mode = 0666;
	ck_assert_int_eq(weir_listen(&l, name, &options), 0);
	user.expected = 0;
	child = child_start(ask_as, &user);
	serve(l, 1);
	child_join_ok(&child);
	weir_listener_close(l);
	folder_remove(&folder);
}
END_TEST

static int squat(void *arg)
{
	struct weir_listen_options options = { .size = sizeof(options), .flags = WEIR_ANYBODY };
	struct weir_listener *l;
	struct weir_end *end;

	become(arg);
	child_check(weir_listen(&l, name, &options) == 0);
	child_check(barrier_wait(barrier));
	for (int i = 0; i < 2; i++) {
		child_check(weir_accept(l, 0, soon(), &end, NULL) == 0);
		child_check(answer_one(end, soon()) == 0);
		weir_pipe_close(end);
	}
	weir_listener_close(l);
	return 0;
}

START_TEST(server_of_another_user_is_eperm_unless_he_is_trusted)
{
	struct user user = { ALICE, ALICE, 0, 0 };
	struct weir_connect_options options = { .size = sizeof(options) };
	struct weir_peer peer;
	struct weir_end *end;
	struct child child;

	name = abstract_name();
	barrier = barrier_create(2);
	child = child_start(squat, &user);
	ck_assert(barrier_wait(barrier));
	ck_assert_int_eq(weir_connect(name, NULL, 0, soon(), &end), -EPERM);
	options.uids = only_alice;
	options.uid_count = 1;
	for (int i = 0; i < 2; i++) {
		options.ret_peer = &peer;
		ck_assert_int_eq(weir_connect(name, &options, 0, soon(), &end), 0);
		ck_assert_int_eq(peer.pid, child.pid);
		ck_assert_uint_eq(peer.uid, ALICE);
		ck_assert_int_ge(peer.pidfd, 0);
		close(peer.pidfd);
		ck_assert_int_eq(send_number(end, 1, soon()), 0);
		ck_assert_int_eq((int)recv_number(end, soon()), 2);
		weir_pipe_close(end);
		options = (struct weir_connect_options){ .size = sizeof(options),
							 .flags = WEIR_ANYBODY };
	}
	child_join_ok(&child);
}
END_TEST

/*
 * Races for a path
 */

struct race {
	uint32_t winners, losers, others;
};

static int race_for(void *arg)
{
	struct race *race = arg;
	struct weir_listener *l;
	int result;

	child_check(barrier_wait(barrier));
	result = weir_listen(&l, name, NULL);
	add_relaxed(result == 0 ? &race->winners :
		    result == -EADDRINUSE ? &race->losers : &race->others, 1);
	/* All have tried before the winner leaves its socket behind. */
	child_check(barrier_wait(barrier));
	raise(SIGKILL);
	return 0;
}

START_TEST(one_of_several_gets_a_stale_path)
{
	enum { RACERS = 4, RACES = 30 / LESS + 1 };
	struct race *race = shared_alloc(sizeof(*race));
	struct folder folder = folder_make();
	struct child children[RACERS];

	name = path_in(&folder, "s");
	barrier = barrier_create(RACERS);
	for (int i = 0; i < RACES; i++) {
		memset(race, 0, sizeof(*race));
		for (int c = 0; c < RACERS; c++)
			children[c] = child_start(race_for, race);
		for (int c = 0; c < RACERS; c++)
			child_join(&children[c]);
		ck_assert_uint_eq(race->winners, 1);
		ck_assert_uint_eq(race->losers, RACERS - 1);
	}
	folder_remove(&folder);
}
END_TEST

static int come_and_go(void *arg)
{
	struct race *race = arg;

	child_check(barrier_wait(barrier));
	for (int i = 0; i < 200 / LESS; i++) {
		struct weir_listener *l;
		int result = weir_listen(&l, name, NULL);

		add_relaxed(result == 0 ? &race->winners :
			    result == -EADDRINUSE ? &race->losers : &race->others, 1);
		if (result < 0)
			continue;
		/* Nobody else listens meanwhile. */
		child_check(client_asks(name, 1, 0) == -EAGAIN);
		child_check(guests_in(l, GUEST_FREE) == l->guests_max);
		child_check(fd_readable(weir_listener_fd(l)));
		weir_listener_close(l);
	}
	return 0;
}

START_TEST(listeners_that_come_and_go_exclude_each_other)
{
	struct race *race = shared_alloc(sizeof(*race));
	struct folder folder = folder_make();
	struct child children[3];

	name = path_in(&folder, "s");
	barrier = barrier_create(3);
	for (int i = 0; i < 3; i++)
		children[i] = child_start(come_and_go, race);
	for (int i = 0; i < 3; i++)
		child_join_ok(&children[i]);
	ck_assert_uint_gt(race->winners, 0);
	ck_assert_uint_eq(race->others, 0);
	ck_assert_int_eq(folder_count(&folder), 0);
	folder_remove(&folder);
}
END_TEST

/*
 * Programs that are executed
 */

/* What the service manager starts: this program, with a socket at 3. */
static int activated_main(void)
{
	struct weir_listener *l;
	struct weir_end *end;

	if (weir_listen_activated(&l, NULL, NULL) != 0 ||
	    weir_accept(l, 0, soon(), &end, NULL) != 0 || answer_one(end, soon()) != 0)
		return 1;
	weir_pipe_close(end);
	weir_listener_close(l);
	return 0;
}

static int start_activated(void *arg)
{
	char pid[16];

	child_check(dup2(*(int *)arg, 3) == 3);
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "1", 1);
	execl("/proc/self/exe", "test", "activated", NULL);
	return 1;
}

START_TEST(program_that_is_started_with_a_socket_serves)
{
	struct address address;
	struct child child;
	int low = raw_socket(), fd = fcntl(low, F_DUPFD_CLOEXEC, 100);

	close(low);
	name = abstract_name();
	ck_assert_int_eq(address_parse(name, &address), 0);
	ck_assert_int_eq(bind(fd, (void *)&address.un, address.length), 0);
	ck_assert_int_eq(listen(fd, 16), 0);
	child = child_start(start_activated, &fd);
	ck_assert_int_eq(client_asks(name, 7, soon()), 0);
	child_join_ok(&child);
	close(fd);
}
END_TEST

/* Descriptors that are not those of every program. */
static int count_main(void)
{
	return folder_count(&(struct folder){ "/proc/self/fd" }) - 1;
}

static int execute_count(void *arg)
{
	(void)arg;
	execl("/proc/self/exe", "test", "count", NULL);
	return 1;
}

START_TEST(program_that_is_executed_has_nothing_of_a_listener)
{
	struct folder folder = folder_make();
	struct weir_listener *l;
	struct weir_end *end;
	struct child child;
	int without, with, client;

	child = child_start(execute_count, NULL);
	without = child_join(&child);
	name = path_in(&folder, "s");
	ck_assert_int_eq(weir_listen(&l, name, NULL), 0);
	client = raw_connect(name);
	ck_assert_int_eq(raw_hello(client, 0), 0);
	ck_assert_int_eq(accept_now(l, &end), -EAGAIN);
	child = child_start(execute_count, NULL);
	with = child_join(&child);
	ck_assert_int_eq(with, without);
	close(client);
	weir_listener_close(l);
	folder_remove(&folder);
}
END_TEST

#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

static int be_undumpable(void *arg)
{
	become(arg);
	child_check(prctl(PR_SET_DUMPABLE, 0) == 0);
	child_check(barrier_wait(barrier));
	pause();
	return 0;
}

static pid_t target;

static int steal(void *arg)
{
	int pidfd = (int)syscall(SYS_pidfd_open, target, 0);

	become(arg);
	child_check(pidfd >= 0);
	child_check(syscall(SYS_pidfd_getfd, pidfd, 0, 0) == -1 && errno == EPERM);
	return 0;
}

/* What doc/design/trust.md promises of processes of the same user: nothing, but for this. */
START_TEST(undumpable_process_is_closed_to_its_own_user)
{
	struct user user = { ALICE, ALICE, 0, 0 };
	struct child victim, thief;

	barrier = barrier_create(2);
	victim = child_start(be_undumpable, &user);
	ck_assert(barrier_wait(barrier));
	target = victim.pid;
	thief = child_start(steal, &user);
	child_join_ok(&thief);
	child_kill(&victim);
}
END_TEST

static int run(void)
{
	Suite *suite = suite_create("listener");
	TCase *tcase = tcase_create("listener"), *users = tcase_create("users");
	const char *not_root = geteuid() == 0 ? NULL : "it takes root to become other users";

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_checked_fixture(users, setup, teardown);
	tcase_add_test(tcase, many_clients_are_served);
	tcase_add_test(tcase, crowd_of_one_user_is_served_in_turns);
	tcase_add_test(tcase, processes_share_a_socket_that_each_adopts);
	tcase_add_test(tcase, server_that_dies_in_the_handshake_is_econnreset);
	tcase_add_test(tcase, peer_is_known_by_its_pidfd_after_it_has_died);
	tcase_add_test(tcase, identity_is_of_who_connected_whoever_has_the_socket_now);
	if (not_root)
		test_left_out("client_is_let_in_by_its_user_and_groups", not_root);
	else
		tcase_add_loop_test(users, client_is_let_in_by_its_user_and_groups, 0,
				    (int)ARRAY_LENGTH(visits));
	test_add_unless(users, not_root, mode_of_the_socket_file_keeps_others_out);
	test_add_unless(users, not_root, server_of_another_user_is_eperm_unless_he_is_trusted);
	tcase_add_test(tcase, one_of_several_gets_a_stale_path);
	tcase_add_test(tcase, listeners_that_come_and_go_exclude_each_other);
	tcase_add_test(tcase, program_that_is_started_with_a_socket_serves);
	tcase_add_test(tcase, program_that_is_executed_has_nothing_of_a_listener);
	test_add_unless(users, not_root, undumpable_process_is_closed_to_its_own_user);
	suite_add_tcase(suite, tcase);
	suite_add_tcase(suite, users);
	return test_main(suite);
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "activated") == 0)
		return activated_main();
	if (argc == 2 && strcmp(argv[1], "count") == 0)
		return count_main();
	return run();
}
