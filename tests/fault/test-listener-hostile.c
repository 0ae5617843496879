/* SPDX-License-Identifier: MIT */
/*
 * Clients that do not keep to the rules: what they send, what they do not send, and how often. The
 * listener drops them, holds nothing of them afterwards, and serves the others meanwhile.
 */
#include "hostile-tools.h"

#include <sched.h>

/*
 * Bytes
 */

START_TEST(garbage_is_dropped)
{
	uint8_t bytes[300];

	for (int i = 0; i < 300; i++) {
		int fd = hostile();

		for (size_t n = 0; n < sizeof(bytes); n++)
			bytes[n] = (uint8_t)test_random();
		ck_assert_int_eq(raw_send(fd, bytes, (size_t)i), 0);
		check_dropped(fd);
	}
}
END_TEST

START_TEST(truncated_and_lengthened_hello_is_dropped)
{
	struct handshake_hello hello = handshake_hello(0);
	uint8_t bytes[300] = { 0 };

	memcpy(bytes, &hello, sizeof(hello));
	for (size_t size = 0; size < sizeof(bytes); size++) {
		int fd;

		if (size == sizeof(hello))
			continue;
		fd = hostile();
		ck_assert_int_eq(raw_send(fd, bytes, size), 0);
		check_dropped(fd);
	}
}
END_TEST

START_TEST(oversized_message_is_dropped)
{
	static uint8_t bytes[100000];
	struct handshake_hello hello = handshake_hello(0);
	int fd = hostile();

	memcpy(bytes, &hello, sizeof(hello));
	ck_assert_int_eq(raw_send(fd, bytes, sizeof(bytes)), 0);
	check_dropped(fd);
}
END_TEST

START_TEST(hello_in_two_pieces_is_dropped)
{
	struct handshake_hello hello = handshake_hello(0);
	int fd = hostile();

	ck_assert_int_eq(raw_send(fd, &hello, 12), 0);
	ck_assert_int_eq(raw_send(fd, (char *)&hello + 12, 12), 0);
	check_dropped(fd);
}
END_TEST

START_TEST(another_version_is_told_so)
{
	struct handshake_hello hello = handshake_hello(0);
	int fd = hostile();

	hello.head.version = 2;
	ck_assert_int_eq(raw_send(fd, &hello, sizeof(hello)), 0);
	step();
	ck_assert_int_eq(raw_status(fd), WELCOME_VERSION);
	check_dropped(fd);
	/* As is one that wants what only a later version has. */
	hello = handshake_hello(0);
	hello.flags = 1;
	fd = hostile();
	ck_assert_int_eq(raw_send(fd, &hello, sizeof(hello)), 0);
	step();
	ck_assert_int_eq(raw_status(fd), WELCOME_VERSION);
	check_dropped(fd);
}
END_TEST

START_TEST(messages_out_of_order_are_dropped)
{
	struct handshake_welcome welcome = handshake_welcome(WELCOME_OK);
	int fd = hostile();

	ck_assert_int_eq(raw_ready(fd), 0);
	check_dropped(fd);
	fd = hostile();
	ck_assert_int_eq(raw_send(fd, &welcome, sizeof(welcome)), 0);
	check_dropped(fd);
}
END_TEST

START_TEST(replayed_hello_is_dropped)
{
	int fd = hostile();

	ck_assert_int_eq(raw_hello(fd, 0), 0);
	step();
	ck_assert_int_eq(raw_welcome(fd), 0);
	ck_assert_int_eq(raw_hello(fd, 0), 0);
	check_dropped(fd);
}
END_TEST

START_TEST(what_follows_ready_is_not_read)
{
	struct weir_end *end;
	int fd = hostile();

	ck_assert_int_eq(raw_hello(fd, 0), 0);
	step();
	ck_assert_int_eq(raw_welcome(fd), 0);
	ck_assert_int_eq(raw_ready(fd), 0);
	ck_assert_int_eq(raw_ready(fd), 0);
	ck_assert_int_eq(raw_send(fd, "garbage", 7), 0);
	ck_assert_int_eq(accept_now(listener, &end), 0);
	/* Nobody has the other end. */
	ck_assert_int_eq((int)recv_number(end, 0), -EPIPE);
	weir_pipe_close(end);
	check_dropped(fd);
}
END_TEST

START_TEST(client_that_leaves_in_any_state_is_forgotten)
{
	int fd = hostile();

	close(fd);
	step();
	fd = hostile();
	step();
	ck_assert_uint_eq(guests_in(listener, GUEST_SILENT), 1);
	close(fd);
	step();
	fd = hostile();
	ck_assert_int_eq(raw_hello(fd, 0), 0);
	close(fd);
	step();
	fd = hostile();
	ck_assert_int_eq(raw_hello(fd, 0), 0);
	step();
	ck_assert_uint_eq(guests_in(listener, GUEST_WELCOME), 1);
	close(fd);
	step();
	fd = hostile();
	ck_assert_int_eq(raw_hello(fd, 0), 0);
	step();
	ck_assert_int_eq(raw_welcome(fd), 0);
	shutdown(fd, SHUT_WR);
	check_dropped(fd);
}
END_TEST

START_TEST(wish_for_memory_is_bounded)
{
	static const uint64_t wishes[] = { 1, 4096, UINT64_MAX, UINT64_C(1) << 63, 1 << 20 };

	for (size_t i = 0; i < ARRAY_LENGTH(wishes); i++) {
		int fd = hostile();

		ck_assert_int_eq(raw_hello(fd, wishes[i]), 0);
		step();
		ck_assert_uint_eq(guests_in(listener, GUEST_WELCOME), 1);
		for (uint32_t g = 0; g < listener->guests_max; g++)
			if (listener->guests[g].state == GUEST_WELCOME)
				ck_assert_uint_le(listener->guests[g].end->core->segment.capacity,
						  WEIR_PIPE_CAPACITY);
		close(fd);
		step();
	}
}
END_TEST

/*
 * Silence
 */

/* Wait for what the descriptor has to say, as an event loop does. */
static void loop_until_free(void)
{
	int64_t deadline = soon();

	while (guests_in(listener, GUEST_FREE) < listener->guests_max) {
		struct pollfd p = { .fd = weir_listener_fd(listener), .events = POLLIN };

		ck_assert_int_lt(test_now(), deadline);
		ck_assert_int_eq(poll(&p, 1, 10000), 1);
		step();
	}
}

START_TEST(silent_client_is_dropped_when_its_time_is_over)
{
	int64_t began = test_now();
	int silent = hostile(), welcome = hostile();

	ck_assert_int_eq(raw_hello(welcome, 0), 0);
	step();
	/* A machine that is very busy may be late already. */
	raw_welcome(welcome);
	if (test_now() - began < PATIENCE)
		ck_assert(!raw_closed(silent) && !raw_closed(welcome));
	loop_until_free();
	ck_assert_int_ge(test_now() - began, PATIENCE);
	ck_assert(raw_closed(silent) && raw_closed(welcome));
	close(silent);
	close(welcome);
	/* The timer is quiet again. */
	ck_assert(!fd_readable(weir_listener_fd(listener)));
}
END_TEST

START_TEST(silent_client_is_dropped_by_a_waiting_accept)
{
	struct weir_end *end;
	int silent = hostile();
	int64_t began = test_now();

	/* Its time begins when it is found. */
	step();
	ck_assert_int_eq(weir_accept(listener, 0, weir_after(2 * PATIENCE), &end, NULL),
			 -ETIMEDOUT);
	ck_assert_int_ge(test_now() - began, PATIENCE);
	ck_assert(raw_closed(silent));
	close(silent);
}
END_TEST

START_TEST(silent_clients_do_not_delay_others)
{
	int silent[8];
	int64_t began;

	for (size_t i = 0; i < ARRAY_LENGTH(silent); i++)
		silent[i] = hostile();
	step();
	ck_assert_uint_eq(guests_in(listener, GUEST_SILENT), ARRAY_LENGTH(silent));
	began = test_now();
	check_serves();
	/* Their minute is not waited for. */
	ck_assert_int_lt(test_now() - began, 10000 * MS);
	for (size_t i = 0; i < ARRAY_LENGTH(silent); i++)
		close(silent[i]);
	step();
}
END_TEST

START_TEST(thousands_of_half_open_clients_are_bounded)
{
	enum { ROUNDS = 40, EACH = 100 };
	int fds[EACH];
	uint32_t most = 0;

	for (int round = 0; round < ROUNDS; round++) {
		for (int i = 0; i < EACH; i++)
			fds[i] = hostile();
		step();
		if (guests_in(listener, GUEST_SILENT) > most)
			most = guests_in(listener, GUEST_SILENT);
		/* The rest were told, and are gone. */
		for (int i = 0; i < EACH; i++) {
			if (raw_closed(fds[i]))
				ck_assert_int_eq(raw_status(fds[i]), WELCOME_BUSY);
			close(fds[i]);
		}
		step();
	}
	ck_assert_uint_eq(most, 16);
}
END_TEST

static int storm(void *arg)
{
	uint32_t *stop = arg;

	while (load_acquire(stop) == 0) {
		int fd = raw_connect(name);

		if (fd >= 0)
			close(fd);
		else
			sched_yield();
	}
	return 0;
}

START_TEST(storm_of_connections_does_not_keep_others_out)
{
	uint32_t *stop = shared_alloc(sizeof(*stop));
	struct child stormers[2] = { child_start(storm, stop), child_start(storm, stop) };
	int64_t began = test_now();
	struct weir_end *end;

	for (int i = 0; i < 20; i++)
		check_serves();
	/* A try ends although there is always somebody at the door. */
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(weir_accept(listener, 0, 0, &end, NULL), -EAGAIN);
	ck_assert_int_lt(test_now() - began, 20000 * MS);
	store_release(stop, 1);
	child_join_ok(&stormers[0]);
	child_join_ok(&stormers[1]);
	step();
}
END_TEST

/*
 * Quotas of users. Each case becomes other users, so it takes root.
 */

/* As user @arg: as many half-open connections as there can be, held until the end. */
struct holder {
	uint32_t uid;
	struct barrier *barrier;
};

static int hold_half_open(void *arg)
{
	struct holder *h = arg;
	int fds[40];

	child_check(setuid(h->uid) == 0);
	for (size_t i = 0; i < ARRAY_LENGTH(fds); i++)
		child_check((fds[i] = raw_connect(name)) >= 0);
	child_check(barrier_wait(h->barrier));
	child_check(barrier_wait(h->barrier));
	return 0;
}

START_TEST(users_that_fill_their_quotas_leave_room_for_others)
{
	struct weir_listen_options options = { .size = sizeof(options), .flags = WEIR_ANYBODY,
					       .patience = 60000 * MS };
	struct holder holders[3];
	struct child children[3];

	weir_listener_close(listener);
	start(&options);
	for (uint32_t i = 0; i < 3; i++) {
		holders[i] = (struct holder){ 20001 + i, barrier_create(2) };
		children[i] = child_start(hold_half_open, &holders[i]);
		ck_assert(barrier_wait(holders[i].barrier));
		step();
		ck_assert_uint_eq(guests_in(listener, GUEST_SILENT), 16 * (i + 1));
	}
	check_serves();
	for (uint32_t i = 0; i < 3; i++) {
		ck_assert(barrier_wait(holders[i].barrier));
		child_join_ok(&children[i]);
	}
	step();
}
END_TEST

START_TEST(nobody_gets_more_than_half_of_what_is_left)
{
	struct weir_listen_options options = { .size = sizeof(options), .flags = WEIR_ANYBODY,
					       .patience = 60000 * MS, .pending = 16,
					       .pending_per_uid = 16 };
	static const uint32_t counts[4] = { 8, 8 + 4, 8 + 4 + 2, 8 + 4 + 2 + 1 };
	struct holder holders[4];
	struct child children[4];

	weir_listener_close(listener);
	start(&options);
	for (uint32_t i = 0; i < 4; i++) {
		holders[i] = (struct holder){ 20001 + i, barrier_create(2) };
		children[i] = child_start(hold_half_open, &holders[i]);
		ck_assert(barrier_wait(holders[i].barrier));
		step();
		ck_assert_uint_eq(guests_in(listener, GUEST_SILENT), counts[i]);
	}
	check_serves();
	for (uint32_t i = 0; i < 4; i++) {
		ck_assert(barrier_wait(holders[i].barrier));
		child_join_ok(&children[i]);
	}
	step();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("listener-hostile");
	TCase *patient = add_case(suite, "patient", setup_patient);
	TCase *impatient = add_case(suite, "impatient", setup_impatient);
	TCase *usual = add_case(suite, "usual", setup);
	const char *not_root = geteuid() == 0 ? NULL : "it takes root to become other users";

	tcase_add_test(patient, garbage_is_dropped);
	tcase_add_test(patient, truncated_and_lengthened_hello_is_dropped);
	tcase_add_test(patient, oversized_message_is_dropped);
	tcase_add_test(patient, hello_in_two_pieces_is_dropped);
	tcase_add_test(patient, another_version_is_told_so);
	tcase_add_test(patient, messages_out_of_order_are_dropped);
	tcase_add_test(patient, replayed_hello_is_dropped);
	tcase_add_test(patient, what_follows_ready_is_not_read);
	tcase_add_test(patient, client_that_leaves_in_any_state_is_forgotten);
	tcase_add_test(patient, wish_for_memory_is_bounded);
	tcase_add_test(impatient, silent_client_is_dropped_when_its_time_is_over);
	tcase_add_test(impatient, silent_client_is_dropped_by_a_waiting_accept);
	tcase_add_test(patient, silent_clients_do_not_delay_others);
	tcase_add_test(patient, thousands_of_half_open_clients_are_bounded);
	tcase_add_test(usual, storm_of_connections_does_not_keep_others_out);
	test_add_unless(patient, not_root, users_that_fill_their_quotas_leave_room_for_others);
	test_add_unless(patient, not_root, nobody_gets_more_than_half_of_what_is_left);
	return test_main(suite);
}
