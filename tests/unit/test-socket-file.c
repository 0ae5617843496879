/* SPDX-License-Identifier: MIT */
/* Listeners with a path: what may be in the way, what is left behind, who may connect. */
#include "listener-tools.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

static struct folder folder;
static struct resources before;
static const char *path, *lock_path;

static void setup(void)
{
	folder = folder_make();
	ck_assert(folder.path[0]);
	path = strdup(path_in(&folder, "s"));
	lock_path = strdup(path_in(&folder, "s.lock"));
	before = resources_begin();
}

static void teardown(void)
{
	resources_check(&before);
	folder_remove(&folder);
	free((void *)path);
	free((void *)lock_path);
}

static int listen_at(const char *where, struct weir_listener **ret_listener)
{
	return weir_listen(ret_listener, where, NULL);
}

/* It fails so, and leaves what was there and nothing else. */
static void check_fails(const char *where, int error)
{
	struct weir_listener *const nothing = (void *)&folder, *l = nothing;
	int files = folder_count(&folder);

	ck_assert_int_eq(listen_at(where, &l), error);
	ck_assert_ptr_eq(l, nothing);
	ck_assert_int_eq(folder_count(&folder), files);
}

/* Somebody listens there, and can be connected to. */
static void check_listens(const char *where)
{
	int fd = raw_connect(where);

	ck_assert_int_ge(fd, 0);
	close(fd);
}

static mode_t mode_of(const char *where)
{
	struct stat st;

	ck_assert_int_eq(lstat(where, &st), 0);
	return st.st_mode;
}

START_TEST(close_removes_the_socket_and_its_lock)
{
	struct weir_listener *l;

	ck_assert_int_eq(listen_at(path, &l), 0);
	ck_assert_int_eq(folder_count(&folder), 2);
	ck_assert(S_ISSOCK(mode_of(path)));
	check_listens(path);
	weir_listener_close(l);
	ck_assert_int_eq(folder_count(&folder), 0);
}
END_TEST

START_TEST(second_listener_is_eaddrinuse_and_the_first_goes_on)
{
	struct weir_listener *l, *again;

	ck_assert_int_eq(listen_at(path, &l), 0);
	check_fails(path, -EADDRINUSE);
	check_listens(path);
	weir_listener_close(l);
	ck_assert_int_eq(listen_at(path, &again), 0);
	weir_listener_close(again);
}
END_TEST

static int listen_and_die(void *arg)
{
	struct weir_listener *l;

	(void)arg;
	child_check(listen_at(path, &l) == 0);
	raise(SIGKILL);
	return 0;
}

START_TEST(socket_of_a_killed_listener_is_replaced)
{
	struct child child = child_start(listen_and_die, NULL);
	struct weir_listener *l;

	child_join(&child);
	ck_assert_int_eq(folder_count(&folder), 2);
	ck_assert_int_eq(raw_connect(path), -ECONNREFUSED);
	ck_assert_int_eq(listen_at(path, &l), 0);
	check_listens(path);
	weir_listener_close(l);
	ck_assert_int_eq(folder_count(&folder), 0);
}
END_TEST

/* Somebody else's socket, as programs without weir make it. */
static int foreign_socket(int type, bool listening)
{
	struct address address;
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(address_parse(path, &address), 0);
	ck_assert_int_eq(bind(fd, (void *)&address.un, address.length), 0);
	if (listening)
		ck_assert_int_eq(listen(fd, 1), 0);
	return fd;
}

START_TEST(stale_socket_of_a_stranger_is_replaced)
{
	struct weir_listener *l;

	close(foreign_socket(SOCK_STREAM, true));
	ck_assert_int_eq(listen_at(path, &l), 0);
	weir_listener_close(l);
}
END_TEST

static const int types[] = { SOCK_SEQPACKET, SOCK_STREAM, SOCK_DGRAM };

START_TEST(living_socket_of_a_stranger_is_eaddrinuse)
{
	int fd = foreign_socket(types[_i], types[_i] != SOCK_DGRAM);

	check_fails(path, -EADDRINUSE);
	/* Also when its queue is full. */
	if (types[_i] == SOCK_SEQPACKET) {
		int clients[2] = { raw_connect(path), raw_connect(path) };

		check_fails(path, -EADDRINUSE);
		close(clients[0]);
		close(clients[1]);
	}
	ck_assert(S_ISSOCK(mode_of(path)));
	close(fd);
	unlink(path);
}
END_TEST

/* Things that are no sockets, at @where. */
static void put(int kind, const char *where)
{
	switch (kind) {
	case 0:
		close(open(where, O_CREAT | O_WRONLY, 0600));
		break;
	case 1:
		ck_assert_int_eq(mkdir(where, 0700), 0);
		break;
	case 2:
		ck_assert_int_eq(mkfifo(where, 0600), 0);
		break;
	case 3:
		ck_assert_int_eq(symlink("nowhere", where), 0);
		break;
	case 4:
		ck_assert_int_eq(symlink("stale", where), 0);
		break;
	}
}
#define KINDS 5

START_TEST(what_is_no_socket_is_eexist_and_stays)
{
	struct sockaddr_un stale = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	mode_t mode;

	snprintf(stale.sun_path, sizeof(stale.sun_path), "%s", path_in(&folder, "stale"));
	ck_assert_int_eq(bind(fd, (void *)&stale, sizeof(stale)), 0);
	close(fd);
	put(_i, path);
	mode = mode_of(path);
	check_fails(path, -EEXIST);
	ck_assert_int_eq(mode_of(path), mode);
	ck_assert(S_ISSOCK(mode_of(stale.sun_path)));
}
END_TEST

START_TEST(lock_that_is_no_file_is_an_error_and_stays)
{
	static const int errors[KINDS] = { 0, -EISDIR, -EEXIST, -ELOOP, -ELOOP };
	struct weir_listener *l;
	mode_t mode;

	put(_i, lock_path);
	mode = mode_of(lock_path);
	if (errors[_i] == 0) {
		/* What a killed one left. */
		ck_assert_int_eq(listen_at(path, &l), 0);
		weir_listener_close(l);
		return;
	}
	check_fails(path, errors[_i]);
	ck_assert_int_eq(mode_of(lock_path), mode);
}
END_TEST

START_TEST(lock_that_somebody_holds_is_eaddrinuse)
{
	int fd = open(lock_path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);

	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	check_fails(path, -EADDRINUSE);
	close(fd);
}
END_TEST

static const mode_t umasks[] = { 0000, 0022, 0077, 0777 };

START_TEST(mode_is_as_asked_whatever_the_umask)
{
	static const uint32_t modes[] = { 0, 0600, 0660, 0666, 0200 };
	mode_t old = umask(umasks[_i]);

	for (size_t i = 0; i < ARRAY_LENGTH(modes); i++) {
		struct weir_listen_options options = { .size = sizeof(options), .mode = modes[i] };
		struct weir_listener *l;

		ck_assert_int_eq(weir_listen(&l, path, &options), 0);
		ck_assert_int_eq(mode_of(path) & 07777, modes[i] ? modes[i] : 0600);
		ck_assert_int_eq(mode_of(lock_path) & 077, 0);
		weir_listener_close(l);
	}
	umask(old);
}
END_TEST

static const struct {
	const char *name;
	int error;
} names[] = {
	{ "missing/s", -ENOENT },
	{ "file/s", -ENOTDIR },
	{ "", -EINVAL },
	{ ".", -EINVAL },
	{ "..", -EINVAL },
	{ "folder/", -EINVAL },
	{ "folder/..", -EINVAL },
	{ "folder/../s", 0 },
	{ "./s", 0 },
	{ "folder//s", 0 },
	{ "\xff\xfe s\n\t'", 0 },
};

START_TEST(odd_names_work_or_are_clear_errors)
{
	const char *where = path_in(&folder, names[_i].name);
	struct weir_listener *l;

	put(0, path_in(&folder, "file"));
	put(1, path_in(&folder, "folder"));
	if (names[_i].error != 0) {
		check_fails(where, names[_i].error);
		return;
	}
	ck_assert_int_eq(listen_at(where, &l), 0);
	check_listens(where);
	weir_listener_close(l);
	ck_assert_int_eq(folder_count(&folder), 2);
}
END_TEST

START_TEST(longest_path_works_and_one_more_is_enametoolong)
{
	char longest[ADDRESS_MAX + 2];
	struct weir_listener *l;
	int at = snprintf(longest, sizeof(longest), "%s/", folder.path);

	memset(longest + at, 'x', sizeof(longest) - (size_t)at);
	longest[ADDRESS_MAX + 1] = 0;
	check_fails(longest, -ENAMETOOLONG);
	longest[ADDRESS_MAX] = 0;
	ck_assert_int_eq(listen_at(longest, &l), 0);
	check_listens(longest);
	weir_listener_close(l);
	ck_assert_int_eq(folder_count(&folder), 0);
}
END_TEST

static int listen_as_nobody(void *arg)
{
	struct weir_listener *l;

	child_check(setuid(65534) == 0);
	return listen_at(arg, &l) == -EACCES ? 0 : 1;
}

START_TEST(folder_that_we_may_not_write_is_eacces)
{
	struct child child = child_start(listen_as_nobody, (void *)path);

	child_join_ok(&child);
	ck_assert_int_eq(folder_count(&folder), 0);
	/* One that can be reached, and where the lock file of another is. */
	ck_assert_int_eq(chmod(folder.path, 0777), 0);
	put(0, lock_path);
	child = child_start(listen_as_nobody, (void *)path);
	child_join_ok(&child);
	ck_assert_int_eq(folder_count(&folder), 1);
}
END_TEST

START_TEST(close_leaves_what_somebody_else_has_put_there)
{
	struct weir_listener *l;
	int fd;

	ck_assert_int_eq(listen_at(path, &l), 0);
	ck_assert_int_eq(unlink(path), 0);
	fd = foreign_socket(SOCK_SEQPACKET, true);
	weir_listener_close(l);
	check_listens(path);
	close(fd);
	ck_assert_int_eq(unlink(path), 0);

	ck_assert_int_eq(listen_at(path, &l), 0);
	ck_assert_int_eq(unlink(path), 0);
	put(0, path);
	weir_listener_close(l);
	ck_assert(S_ISREG(mode_of(path)));
	ck_assert_int_eq(unlink(path), 0);

	ck_assert_int_eq(listen_at(path, &l), 0);
	ck_assert_int_eq(unlink(path), 0);
	weir_listener_close(l);
	ck_assert_int_eq(folder_count(&folder), 0);
}
END_TEST

START_TEST(close_finds_its_files_when_the_process_or_the_folder_has_moved)
{
	struct folder moved = folder;
	struct weir_listener *l;
	int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	ck_assert_int_eq(chdir(folder.path), 0);
	ck_assert_int_eq(listen_at("s", &l), 0);
	ck_assert_int_eq(fchdir(here), 0);
	close(here);
	moved.path[strlen(moved.path) - 1] ^= 1;
	ck_assert_int_eq(rename(folder.path, moved.path), 0);
	ck_assert_int_eq(folder_count(&moved), 2);
	weir_listener_close(l);
	ck_assert_int_eq(folder_count(&moved), 0);
	ck_assert_int_eq(rename(moved.path, folder.path), 0);
}
END_TEST

static int close_copy(void *arg)
{
	weir_listener_close(arg);
	return 0;
}

START_TEST(close_in_a_forked_child_removes_nothing)
{
	struct weir_listener *l;
	struct child child;

	ck_assert_int_eq(listen_at(path, &l), 0);
	child = child_start(close_copy, l);
	child_join_ok(&child);
	ck_assert_int_eq(folder_count(&folder), 2);
	check_listens(path);
	weir_listener_close(l);
	ck_assert_int_eq(folder_count(&folder), 0);
}
END_TEST

START_TEST(abstract_name_is_one_listeners_and_leaves_no_file)
{
	const char *name = abstract_name();
	char longer[80];
	struct weir_listener *l, *other;

	ck_assert_int_eq(listen_at(name, &l), 0);
	check_fails(name, -EADDRINUSE);
	/* The same with one byte more, or less, is another name. */
	snprintf(longer, sizeof(longer), "%s.", name);
	ck_assert_int_eq(raw_connect(longer), -ECONNREFUSED);
	ck_assert_int_eq(listen_at(longer, &other), 0);
	check_listens(longer);
	weir_listener_close(other);
	check_listens(name);
	weir_listener_close(l);
	ck_assert_int_eq(raw_connect(name), -ECONNREFUSED);
	ck_assert_int_eq(folder_count(&folder), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("socket-file");
	TCase *tcase = tcase_create("socket-file");
	const char *not_root = geteuid() == 0 ? NULL : "it takes root to become another user";

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, close_removes_the_socket_and_its_lock);
	tcase_add_test(tcase, second_listener_is_eaddrinuse_and_the_first_goes_on);
	tcase_add_test(tcase, socket_of_a_killed_listener_is_replaced);
	tcase_add_test(tcase, stale_socket_of_a_stranger_is_replaced);
	tcase_add_loop_test(tcase, living_socket_of_a_stranger_is_eaddrinuse, 0,
			    (int)ARRAY_LENGTH(types));
	tcase_add_loop_test(tcase, what_is_no_socket_is_eexist_and_stays, 0, KINDS);
	tcase_add_loop_test(tcase, lock_that_is_no_file_is_an_error_and_stays, 0, KINDS);
	tcase_add_test(tcase, lock_that_somebody_holds_is_eaddrinuse);
	tcase_add_loop_test(tcase, mode_is_as_asked_whatever_the_umask, 0,
			    (int)ARRAY_LENGTH(umasks));
	tcase_add_loop_test(tcase, odd_names_work_or_are_clear_errors, 0,
			    (int)ARRAY_LENGTH(names));
	tcase_add_test(tcase, longest_path_works_and_one_more_is_enametoolong);
	test_add_unless(tcase, not_root, folder_that_we_may_not_write_is_eacces);
	tcase_add_test(tcase, close_leaves_what_somebody_else_has_put_there);
	tcase_add_test(tcase, close_finds_its_files_when_the_process_or_the_folder_has_moved);
	test_add_unless(tcase, kernel_unavailable(), close_in_a_forked_child_removes_nothing);
	tcase_add_test(tcase, abstract_name_is_one_listeners_and_leaves_no_file);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
