/* SPDX-License-Identifier: MIT */
/*
 * Each system call of listening, accepting, connecting and closing made to fail, on either side of
 * the hand-shake. The call ends with that error, or does without; nothing leaks, no client and no
 * server waits for ever, and without failures it works again.
 */
#include "failures.h"
#include "listener-tools.h"

static const int errors[] = {
	EMFILE, EAGAIN, EINTR, ENOMEM, EPERM, ENOSYS, EINVAL, ETOOMANYREFS,
};

/* Small ones are made sooner. */
static const struct weir_pipe_options small = { .size = sizeof(small), .capacity = 4096 };
static const struct weir_listen_options plain = { .size = sizeof(plain), .pipe = &small,
						  .patience = 60000 * MS };

static struct resources before;
static struct folder folder;
static const char *address;
static struct weir_listener *listener;
static struct weir_end *end;

/* A whole hand-shake with @l, by one process. */
static void check_serves(struct weir_listener *l)
{
	int fd = raw_connect(address);

	check(fd >= 0);
	check(raw_hello(fd, 0) == 0);
	check(accept_now(l, &end) == -EAGAIN);
	check(raw_welcome(fd) == 0);
	check(raw_ready(fd) == 0);
	check(accept_now(l, &end) == 0);
	close(fd);
	weir_pipe_close(end);
}

/*
 * Listening
 */

static void listen_once(void)
{
	struct weir_listener *const nothing = (void *)&plan, *l = nothing;
	int result;

	failures_begin();
	result = weir_listen(&l, address, &plain);
	failures_end("weir_listen");
	if (result < 0) {
		/* A lock that is held is reported as what it means. */
		check(result == plan.error || result == -EADDRINUSE);
		check(l == nothing);
		resources_check(&before);
		check(weir_listen(&l, address, &plain) == 0);
	}
	check_serves(l);
	weir_listener_close(l);
	resources_check(&before);
	/* A lock file that was made before the failure goes with the next listener. */
	check(folder_count(&folder) == 0);
}

static void use_path(void)
{
	static char path[PATH_ROOM];

	folder = folder_make();
	snprintf(path, sizeof(path), "%s/s", folder.path);
	address = path;
}

START_TEST(listen_with_a_failing_call_is_an_error_and_leaves_nothing)
{
	use_path();
	before = resources_begin();
	with_each_call(errors[_i], listen_once);
	folder_remove(&folder);
}
END_TEST

static void leave_stale_socket(void)
{
	struct address a;
	int fd = raw_socket();

	check(address_parse(address, &a) == 0);
	check(bind(fd, (void *)&a.un, a.length) == 0);
	close(fd);
}

static void replace_once(void)
{
	leave_stale_socket();
	listen_once();
}

START_TEST(stale_path_with_a_failing_call_is_replaced_or_an_error)
{
	use_path();
	before = resources_begin();
	with_each_call(errors[_i], replace_once);
	folder_remove(&folder);
}
END_TEST

static void listen_wide_once(void)
{
	struct weir_listen_options options = { .size = sizeof(options), .mode = 0666 };
	struct weir_listener *l;
	struct stat st;
	int result;

	failures_begin();
	result = weir_listen(&l, address, &options);
	failures_end("weir_listen");
	check(result == 0 || result == plan.error || result == -EADDRINUSE);
	/* Never another mode than asked for. */
	if (result == 0) {
		check(lstat(address, &st) == 0 && (st.st_mode & 0777) == 0666);
		weir_listener_close(l);
	}
	check(weir_listen(&l, address, &plain) == 0);
	check(lstat(address, &st) == 0 && (st.st_mode & 0777) == 0600);
	weir_listener_close(l);
	resources_check(&before);
}

START_TEST(mode_is_as_asked_or_there_is_an_error)
{
	mode_t old = umask(0077);

	use_path();
	before = resources_begin();
	with_each_call(errors[_i], listen_wide_once);
	umask(old);
	folder_remove(&folder);
}
END_TEST

static void adopt_once(void)
{
	struct weir_listener *const nothing = (void *)&plan, *l = nothing;
	struct address a;
	int fd = raw_socket(), result;

	check(address_parse(address, &a) == 0);
	check(bind(fd, (void *)&a.un, a.length) == 0 && listen(fd, 8) == 0);
	failures_begin();
	result = weir_listen_adopt(&l, fd, &plain);
	failures_end("weir_listen_adopt");
	if (result < 0) {
		check(result == plan.error && l == nothing);
		check(weir_listen_adopt(&l, fd, &plain) == 0);
	}
	check_serves(l);
	weir_listener_close(l);
	resources_check(&before);
}

START_TEST(adopt_with_a_failing_call_leaves_the_socket)
{
	address = abstract_name();
	before = resources_begin();
	with_each_call(errors[_i], adopt_once);
}
END_TEST

static void close_once(void)
{
	struct weir_listener *l;
	int fds[3];

	check(weir_listen(&l, address, &plain) == 0);
	for (int i = 0; i < 3; i++) {
		fds[i] = raw_connect(address);
		check(fds[i] >= 0 && (i == 0 || raw_hello(fds[i], 0) == 0));
	}
	check(raw_ready(fds[2]) == 0);
	check(accept_now(l, &end) == -EAGAIN);
	failures_begin();
	weir_listener_close(l);
	failures_end("weir_listener_close");
	for (int i = 0; i < 3; i++) {
		check(raw_closed(fds[i]));
		close(fds[i]);
	}
	resources_check(&before);
	/* What could not be removed is stale. */
	check(weir_listen(&l, address, &plain) == 0);
	weir_listener_close(l);
	check(folder_count(&folder) == 0);
}

START_TEST(close_with_failing_calls_leaves_nothing_that_is_in_the_way)
{
	use_path();
	before = resources_begin();
	with_each_call(errors[_i], close_once);
	folder_remove(&folder);
}
END_TEST

/*
 * The listener's side
 */

/* What accept may say besides the error itself. */
static bool documented(int result)
{
	return result == 0 || result == plan.error || result == -EAGAIN || result == -EINTR;
}

/* A few steps with failures; whether somebody was accepted. */
static bool accept_with_failures(void)
{
	bool accepted = false;

	failures_continue();
	for (int i = 0; i < 4 && !accepted; i++) {
		int result = weir_accept(listener, 0, 0, &end, NULL);

		if (!documented(result)) {
			failures_end("weir_accept");
			check(documented(result));
		}
		accepted = result == 0;
	}
	failures_end("weir_accept");
	return accepted;
}

/* The time of all who are there is over. */
static void time_passes(void)
{
	for (uint32_t i = 0; i < listener->guests_max; i++)
		if (listener->guests[i].state != GUEST_FREE &&
		    listener->guests[i].deadline != WEIR_FOREVER)
			listener->guests[i].deadline = 1;
	listener->due = 1;
}

/* It is forgotten in the end, whatever has failed: at the latest when its time is over. */
static void loop_until_free(void)
{
	int64_t deadline = soon();

	/* Twenty milliseconds each time would be most of the time here. */
	if (listener->paused_until != 0)
		listener->paused_until = 1;
	time_passes();
	while (guests_in(listener, GUEST_FREE) < listener->guests_max ||
	       listener->paused_until != 0) {
		int result = weir_accept(listener, 0, weir_after(MS), &end, NULL);

		check(test_now() < deadline);
		check(result == -ETIMEDOUT || result == 0);
		/* One who had been waiting to be accepted. */
		if (result == 0)
			weir_pipe_close(end);
		time_passes();
	}
}

static void accept_once(void)
{
	int fd = raw_connect(address), welcome;
	bool accepted;

	check(fd >= 0 && raw_hello(fd, 0) == 0);
	failures_begin();
	accepted = accept_with_failures();
	check(!accepted);
	welcome = raw_welcome(fd);
	/* Greeted, told to come again, dropped, or not looked at yet. */
	check(welcome == 0 || welcome == -EACCES || welcome == -ECONNRESET ||
	      welcome == -EAGAIN || welcome == -ENOMSG);
	if (welcome == 0 && raw_ready(fd) == 0)
		accepted = accept_with_failures();
	if (accepted) {
		/* Nobody has opened the other end. */
		check((int)recv_number(end, 0) == -EPIPE);
		weir_pipe_close(end);
	}
	close(fd);
	loop_until_free();
	check_serves(listener);
	resources_check(&before);
}

START_TEST(accept_with_a_failing_call_serves_the_next)
{
	address = abstract_name();
	ck_assert_int_eq(weir_listen(&listener, address, &plain), 0);
	before = resources_begin();
	with_each_call(errors[_i], accept_once);
	weir_listener_close(listener);
}
END_TEST

/* With somebody to drop, and the timer to be set. */
static void expire_once(void)
{
	int silent = raw_connect(address), debtor = raw_connect(address);

	check(raw_hello(debtor, 0) == 0 && raw_ready(debtor) == 0);
	failures_begin();
	accept_with_failures();
	time_passes();
	accept_with_failures();
	close(debtor);
	accept_with_failures();
	loop_until_free();
	check(raw_closed(silent) || guests_in(listener, GUEST_FREE) == listener->guests_max);
	close(silent);
	check_serves(listener);
	resources_check(&before);
}

START_TEST(dropping_with_a_failing_call_leaves_nothing)
{
	address = abstract_name();
	ck_assert_int_eq(weir_listen(&listener, address, &plain), 0);
	before = resources_begin();
	with_each_call(errors[_i], expire_once);
	weir_listener_close(listener);
}
END_TEST

static void wait_once(void)
{
	int64_t began = test_now();
	int result;

	failures_begin();
	result = weir_accept(listener, 0, weir_after(2 * MS), &end, NULL);
	failures_end("weir_accept");
	check(documented(result) || result == -ETIMEDOUT);
	check(result != -ETIMEDOUT || test_now() - began >= 2 * MS);
	check(test_now() - began < 5000 * MS);
}

START_TEST(waiting_with_a_failing_call_ends_in_time)
{
	address = abstract_name();
	ck_assert_int_eq(weir_listen(&listener, address, &plain), 0);
	before = resources_begin();
	with_each_call(errors[_i], wait_once);
	resources_check(&before);
	check_serves(listener);
	weir_listener_close(listener);
}
END_TEST

/*
 * The client's side
 */

static int serve_until_killed(void *arg)
{
	(void)arg;
	for (;;) {
		if (weir_accept(listener, 0, WEIR_FOREVER, &end, NULL) == 0) {
			answer_one(end, weir_after(1000 * MS));
			weir_pipe_close(end);
		}
	}
	return 0;
}

static int listen_and_serve(void *arg)
{
	child_check(weir_listen(&listener, address, &plain) == 0);
	child_check(barrier_wait(arg));
	return serve_until_killed(NULL);
}

static void connect_once(void)
{
	struct weir_end *const nothing = (void *)&plan;
	struct weir_peer peer = { .pidfd = -1 };
	struct weir_connect_options options = { .size = sizeof(options), .ret_peer = &peer };
	int result;

	end = nothing;
	failures_begin();
	result = weir_connect(address, &options, 0, weir_after(500 * MS), &end);
	failures_end("weir_connect");
	if (result == 0) {
		check(send_number(end, 5, soon()) == 0);
		check(recv_number(end, soon()) == 6);
		weir_pipe_close(end);
		if (peer.pidfd >= 0)
			close(peer.pidfd);
	} else {
		check(end == nothing);
		/* A descriptor that cannot be checked is not what it should be. */
		if (result != plan.error && result != -EAGAIN && result != -EINTR &&
		    result != -ETIMEDOUT && result != -EPROTO)
			ck_abort_msg("connect: %d (error %d, calls %u to %u of kind %d)", result,
				     plan.error, plan.first, plan.last, plan.kind);
	}
	resources_check(&before);
	check(client_asks(address, 1, soon()) == 0);
}

START_TEST(connect_with_a_failing_call_is_an_error_and_leaves_nothing)
{
	struct barrier *barrier = barrier_create(2);
	struct child server;

	address = abstract_name();
	/* A queue that stays full. */
	may_last = EAGAIN;
	server = child_start(listen_and_serve, barrier);
	ck_assert(barrier_wait(barrier));
	ck_assert_int_eq(client_asks(address, 1, soon()), 0);
	before = resources_begin();
	with_each_call(errors[_i], connect_once);
	child_kill(&server);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("listener-syscalls");
	TCase *tcase = tcase_create("listener-syscalls");
	int count = LESS > 1 ? 3 : (int)ARRAY_LENGTH(errors);

	tcase_add_loop_test(tcase, listen_with_a_failing_call_is_an_error_and_leaves_nothing, 0,
			    count);
	tcase_add_loop_test(tcase, stale_path_with_a_failing_call_is_replaced_or_an_error, 0,
			    count);
	tcase_add_loop_test(tcase, mode_is_as_asked_or_there_is_an_error, 0, count);
	tcase_add_loop_test(tcase, adopt_with_a_failing_call_leaves_the_socket, 0, count);
	tcase_add_loop_test(tcase, close_with_failing_calls_leaves_nothing_that_is_in_the_way, 0,
			    count);
	tcase_add_loop_test(tcase, accept_with_a_failing_call_serves_the_next, 0, count);
	tcase_add_loop_test(tcase, dropping_with_a_failing_call_leaves_nothing, 0, count);
	tcase_add_loop_test(tcase, waiting_with_a_failing_call_ends_in_time, 0, count);
	tcase_add_loop_test(tcase, connect_with_a_failing_call_is_an_error_and_leaves_nothing, 0,
			    count);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
