/* SPDX-License-Identifier: MIT */
/* The client's part of the hand-shake, against servers that are only messages. */
#include "listener-tools.h"

#include "obj/connect.h"
#include "obj/parcel.h"

static int client, server;
static struct resources before;

static void setup(void)
{
	int fds[2];

	before = resources_begin();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds),
			 0);
	client = fds[0];
	server = fds[1];
}

static void teardown(void)
{
	close(client);
	if (server >= 0)
		close(server);
	resources_check(&before);
}

static int shake_hands(int64_t deadline)
{
	struct weir_end *const nothing = (void *)&before, *end = nothing;
	int result = connect_shake_hands(client, 0, 0, deadline, &end);

	if (result < 0)
		ck_assert_ptr_eq(end, nothing);
	else
		weir_pipe_close(end);
	return result;
}

static void say(const void *data, size_t size)
{
	ck_assert_int_eq(raw_send(server, data, size), 0);
}

static void say_status(uint32_t status)
{
	struct handshake_welcome welcome = handshake_welcome(status);

	say(&welcome, sizeof(welcome));
}

static void hang_up(void)
{
	close(server);
	server = -1;
}

START_TEST(says_hello_with_its_wish_and_then_waits)
{
	struct handshake_hello hello;
	struct weir_end *end;
	char message[HANDSHAKE_MAX];
	int64_t began = test_now();

	ck_assert_int_eq(connect_shake_hands(client, 12345, 0, weir_after(5 * MS), &end),
			 -ETIMEDOUT);
	ck_assert_int_ge(test_now() - began, 5 * MS);
	ck_assert_int_eq(raw_recv(server, message, sizeof(message)), sizeof(hello));
	ck_assert_int_eq(handshake_read_hello(message, sizeof(hello), &hello), 0);
	ck_assert_uint_eq(hello.capacity, 12345);
	ck_assert_int_eq(shake_hands(0), -EAGAIN);
	/* Nor does the half of an answer make it go on. */
	say_status(WELCOME_OK);
	ck_assert_int_eq(shake_hands(0), -EAGAIN);
}
END_TEST

START_TEST(each_status_has_its_error)
{
	static const struct {
		uint32_t status;
		int error;
	} answers[] = {
		{ WELCOME_DENIED, -EACCES },
		{ WELCOME_VERSION, -EPROTO },
		{ WELCOME_BUSY, CONNECT_BUSY },
		{ 4, -EPROTO },
		{ UINT32_MAX, -EPROTO },
	};

	for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
		say_status(answers[i].status);
		ck_assert_int_eq(shake_hands(0), answers[i].error);
	}
}
END_TEST

START_TEST(garbage_for_an_answer_is_eproto)
{
	uint8_t bytes[HANDSHAKE_MAX + 1];

	for (size_t size = 1; size <= sizeof(bytes); size++) {
		for (size_t i = 0; i < size; i++)
			bytes[i] = (uint8_t)test_random();
		say(bytes, size);
		ck_assert_int_eq(shake_hands(0), -EPROTO);
	}
}
END_TEST

START_TEST(another_message_for_an_answer_is_eproto)
{
	struct handshake_hello hello = handshake_hello(0);
	struct handshake_ready ready = handshake_ready();
	struct handshake_welcome welcome = handshake_welcome(WELCOME_OK);

	say(&hello, sizeof(hello));
	ck_assert_int_eq(shake_hands(0), -EPROTO);
	say(&ready, sizeof(ready));
	ck_assert_int_eq(shake_hands(0), -EPROTO);
	welcome.head.version = 2;
	say(&welcome, sizeof(welcome));
	ck_assert_int_eq(shake_hands(0), -EPROTO);
}
END_TEST

START_TEST(something_else_for_the_end_is_eproto)
{
	struct parcel_note note = { .magic = PARCEL_MAGIC, .version = PARCEL_VERSION };

	say_status(WELCOME_OK);
	say("garbage", 7);
	ck_assert_int_eq(shake_hands(0), -EPROTO);
	say_status(WELCOME_OK);
	say_status(WELCOME_OK);
	ck_assert_int_eq(shake_hands(0), -EPROTO);
	say_status(WELCOME_OK);
	say(&note, sizeof(note));
	ck_assert_int_eq(shake_hands(0), -EPROTO);
}
END_TEST

START_TEST(server_that_closes_at_any_time_is_econnreset)
{
	if (_i >= 1)
		say_status(WELCOME_OK);
	hang_up();
	ck_assert_int_eq(shake_hands(soon()), -ECONNRESET);
}
END_TEST

START_TEST(answer_of_a_server_that_has_closed_is_read)
{
	char unread = 1;

	/* Closing with something unread is an error that comes first. */
	ck_assert_int_eq(raw_send(client, &unread, 1), 0);
	say_status(WELCOME_DENIED);
	hang_up();
	ck_assert_int_eq(shake_hands(soon()), -EACCES);
}
END_TEST

static int send_end_over(int fd)
{
	struct weir_end *ends[2];
	struct parcel parcel;
	int result = pipe_make(ends, 0, 4096);

	if (result < 0)
		return result;
	parcel_of_end(ends[1], &parcel);
	result = parcel_send(fd, &parcel, 0, 0);
	pipe_close_both(ends);
	return result;
}

START_TEST(end_that_comes_is_opened_and_said_to_be)
{
	char message[HANDSHAKE_MAX];
	int size;

	say_status(WELCOME_OK);
	ck_assert_int_eq(send_end_over(server), 0);
	ck_assert_int_eq(shake_hands(0), 0);
	size = raw_recv(server, message, sizeof(message));
	ck_assert_int_eq(size, sizeof(struct handshake_hello));
	size = raw_recv(server, message, sizeof(message));
	ck_assert_int_eq(handshake_read_ready(message, (size_t)size), 0);
}
END_TEST

START_TEST(end_is_closed_when_nobody_hears_that_it_has_come)
{
	say_status(WELCOME_OK);
	ck_assert_int_eq(send_end_over(server), 0);
	hang_up();
	ck_assert_int_eq(shake_hands(0), -ECONNRESET);
}
END_TEST

START_TEST(mistakes_of_the_caller_are_einval)
{
	struct weir_connect_options options = { .size = sizeof(options) };
	struct weir_end *const nothing = (void *)&before, *end = nothing;
	const char *name = abstract_name();
	uint32_t uid = 0;

	ck_assert_int_eq(weir_connect(name, NULL, 0, 0, NULL), -EINVAL);
	ck_assert_int_eq(weir_connect(NULL, NULL, 0, 0, &end), -EINVAL);
	ck_assert_int_eq(weir_connect("", NULL, 0, 0, &end), -EINVAL);
	ck_assert_int_eq(weir_connect(name, NULL, WEIR_MORE, 0, &end), -EINVAL);
	options.size--;
	ck_assert_int_eq(weir_connect(name, &options, 0, 0, &end), -EINVAL);
	options = (struct weir_connect_options){ .size = sizeof(options), .flags = 2 };
	ck_assert_int_eq(weir_connect(name, &options, 0, 0, &end), -EINVAL);
	options = (struct weir_connect_options){ .size = sizeof(options), .reserved = 1 };
	ck_assert_int_eq(weir_connect(name, &options, 0, 0, &end), -EINVAL);
	options = (struct weir_connect_options){ .size = sizeof(options), .uid_count = 1 };
	ck_assert_int_eq(weir_connect(name, &options, 0, 0, &end), -EINVAL);
	options.uids = &uid;
	ck_assert_int_eq(weir_connect(name, &options, 0, 0, &end), -ECONNREFUSED);
	options.uid_count = PEER_LIST_MAX + 1;
	ck_assert_int_eq(weir_connect(name, &options, 0, 0, &end), -EINVAL);
	ck_assert_ptr_eq(end, nothing);
}
END_TEST

START_TEST(nobody_there_is_a_clear_error_at_once)
{
	struct folder folder = folder_make();
	char longest[200];
	struct weir_end *end;
	int fd;

	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = 0;
	ck_assert_int_eq(weir_connect(abstract_name(), NULL, 0, soon(), &end), -ECONNREFUSED);
	ck_assert_int_eq(weir_connect(path_in(&folder, "s"), NULL, 0, soon(), &end), -ENOENT);
	ck_assert_int_eq(weir_connect(longest, NULL, 0, soon(), &end), -ENAMETOOLONG);
	fd = open(path_in(&folder, "file"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_eq(weir_connect(path_in(&folder, "file"), NULL, 0, soon(), &end),
			 -ECONNREFUSED);
	ck_assert_int_eq(weir_connect(path_in(&folder, "file/s"), NULL, 0, soon(), &end), -ENOTDIR);
	close(fd);
	folder_remove(&folder);
}
END_TEST

START_TEST(socket_of_another_kind_is_eprototype)
{
	struct folder folder = folder_make();
	const char *path = path_in(&folder, "s");
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct address address;
	struct weir_end *end;

	ck_assert_int_eq(address_parse(path, &address), 0);
	ck_assert_int_eq(bind(fd, (void *)&address.un, address.length), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(weir_connect(path, NULL, 0, soon(), &end), -EPROTOTYPE);
	close(fd);
	folder_remove(&folder);
}
END_TEST

START_TEST(full_queue_is_waited_for_until_the_deadline)
{
	struct weir_listen_options options = { .size = sizeof(options), .backlog = 1 };
	const char *name = abstract_name();
	struct weir_listener *l;
	struct weir_end *end;
	int fds[2];
	int64_t began;

	ck_assert_int_eq(weir_listen(&l, name, &options), 0);
	fds[0] = raw_connect(name);
	fds[1] = raw_connect(name);
	ck_assert_int_eq(raw_connect(name), -EAGAIN);
	ck_assert_int_eq(weir_connect(name, NULL, 0, 0, &end), -EAGAIN);
	began = test_now();
	ck_assert_int_eq(weir_connect(name, NULL, 0, weir_after(30 * MS), &end), -ETIMEDOUT);
	ck_assert_int_ge(test_now() - began, 30 * MS);
	ck_assert_int_lt(test_now() - began, 5000 * MS);
	close(fds[0]);
	close(fds[1]);
	weir_listener_close(l);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("connect");
	TCase *tcase = tcase_create("connect");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, says_hello_with_its_wish_and_then_waits);
	tcase_add_test(tcase, each_status_has_its_error);
	tcase_add_test(tcase, garbage_for_an_answer_is_eproto);
	tcase_add_test(tcase, another_message_for_an_answer_is_eproto);
	tcase_add_test(tcase, something_else_for_the_end_is_eproto);
	tcase_add_loop_test(tcase, server_that_closes_at_any_time_is_econnreset, 0, 2);
	tcase_add_test(tcase, answer_of_a_server_that_has_closed_is_read);
	tcase_add_test(tcase, end_that_comes_is_opened_and_said_to_be);
	tcase_add_test(tcase, end_is_closed_when_nobody_hears_that_it_has_come);
	tcase_add_test(tcase, mistakes_of_the_caller_are_einval);
	tcase_add_test(tcase, nobody_there_is_a_clear_error_at_once);
	tcase_add_test(tcase, socket_of_another_kind_is_eprototype);
	tcase_add_test(tcase, full_queue_is_waited_for_until_the_deadline);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
