/* SPDX-License-Identifier: MIT */
/* Handles as text: what is written, what is refused, and that a refusal touches nothing. */
#include "parcel-tools.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sys/sys.h"

static char text[WEIR_EXPORT_SIZE];

/* The descriptors that a text of a duplex end names. */
static void named_fds(const char *from, int fds[8])
{
	unsigned kind, index, flags;
	int used = 0;

	ck_assert_int_eq(sscanf(from, "weir1:%u:%u:%u:%n", &kind, &index, &flags, &used), 3);
	ck_assert_int_eq(sscanf(from + used, "%d,%d,%d,%d,%d,%d,%d,%d", &fds[0], &fds[1], &fds[2],
				&fds[3], &fds[4], &fds[5], &fds[6], &fds[7]),
			 8);
}

/* Write the text again with other descriptors. */
static void name_fds(int index, const int fds[8])
{
	snprintf(text, sizeof(text), "weir1:1:%d:0:%d,%d,%d,%d,%d,%d,%d,%d", index, fds[0], fds[1],
		 fds[2], fds[3], fds[4], fds[5], fds[6], fds[7]);
}

static void export(int index)
{
	int length = weir_export(ends[index], text, sizeof(text));

	ck_assert_int_gt(length, 0);
	ck_assert_int_eq(length, (int)strlen(text));
}

static int import(struct weir_end **ret_end)
{
	return weir_import(text, WEIR_KIND_PIPE_END, ret_end);
}

static void expect_text_refused(int error)
{
	struct weir_end *const nothing = (void *)text, *end = nothing;

	ck_assert_msg(import(&end) == error, "%s: not %d", text, error);
	ck_assert_ptr_eq(end, nothing);
}

/*
 * There and back
 */

START_TEST(exported_descriptors_survive_exec_and_are_high)
{
	int fds[8];

	export(1);
	named_fds(text, fds);
	for (int i = 0; i < 8; i++) {
		ck_assert_int_ge(fds[i], 512);
		ck_assert_int_eq(fcntl(fds[i], F_GETFD), 0);
	}
	for (const char *c = text; *c; c++)
		ck_assert(strchr("0123456789:,weir", *c));
	ck_assert_int_eq(weir_unexport(text), 0);
}
END_TEST

START_TEST(imported_end_is_as_the_exported)
{
	struct weir_end *end;

	for (int i = 0; i < 2; i++) {
		export(i);
		ck_assert_int_eq(import(&end), 0);
		ck_assert_int_eq(send_number(end, 3, 0), 0);
		ck_assert_int_eq(recv_number(ends[1 - i], 0), 3);
		ck_assert_int_eq(send_number(ends[1 - i], 4, 0), 0);
		ck_assert_int_eq(recv_number(end, 0), 4);
		weir_pipe_close(end);
		weir_pipe_handover(ends[1 - i]);
	}
}
END_TEST

START_TEST(oneway_end_is_exported_with_its_options)
{
	struct weir_end *oneway[2], *end;

	ck_assert_int_eq(pipe_make(oneway, WEIR_PIPE_ONEWAY | WEIR_PIPE_THROUGHPUT, CAPACITY), 0);
	ck_assert_int_gt(weir_export(oneway[0], text, sizeof(text)), 0);
	ck_assert_int_eq(import(&end), 0);
	ck_assert_uint_eq(end->flags, WEIR_PIPE_ONEWAY | WEIR_PIPE_THROUGHPUT);
	ck_assert_int_eq(send_number(end, 1, 0), -EOPNOTSUPP);
	weir_pipe_close(end);
	pipe_close_both(oneway);
}
END_TEST

START_TEST(exported_copy_keeps_the_end_open)
{
	export(1);
	weir_pipe_close(ends[1]);
	ck_assert_int_eq(recv_number(ends[0], test_now() + 25 * MS), -ETIMEDOUT);
	ck_assert_int_eq(weir_unexport(text), 0);
	ck_assert_int_eq(recv_number(ends[0], soon()), -EPIPE);
	weir_pipe_close(ends[0]);
	setup();
}
END_TEST

static int all_sides_are_locked(void *arg)
{
	for (int i = 0; i < 4; i++)
		child_check(sys_lock(((struct weir_end *)arg)->core->segment.fd,
				     LOCK_OFFSET + (uint64_t)i) == -EAGAIN);
	return 0;
}

static void expect_locked(void)
{
	struct child child = child_start(all_sides_are_locked, ends[0]);

	child_join_ok(&child);
}

START_TEST(export_and_import_keep_the_locks)
{
	struct weir_end *end;

	own_all();
	export(1);
	ck_assert_int_eq(weir_unexport(text), 0);
	expect_locked();
	export(1);
	ck_assert_int_eq(import(&end), 0);
	expect_locked();
	weir_pipe_close(end);
	expect_locked();
	text[0] = 0;
	ck_assert_int_eq(weir_export(ends[1], text, 10), -EMSGSIZE);
	expect_locked();
}
END_TEST

/*
 * Refused exports
 */

START_TEST(export_without_room_leaves_nothing)
{
	for (size_t size = 0; size < WEIR_EXPORT_SIZE; size++) {
		memset(text, 'x', sizeof(text));
		ck_assert_int_eq(weir_export(ends[0], text, size), -EMSGSIZE);
		ck_assert_int_eq(text[0], 'x');
	}
}
END_TEST

START_TEST(export_of_what_is_no_handle_is_einval)
{
	uint64_t other[64] = { 7777 };

	ck_assert_int_eq(weir_export(NULL, text, sizeof(text)), -EINVAL);
	ck_assert_int_eq(weir_export(other, text, sizeof(text)), -EINVAL);
	other[0] = 0;
	ck_assert_int_eq(weir_export(other, text, sizeof(text)), -EINVAL);
	ck_assert_int_eq(weir_export(ends[0], NULL, sizeof(text)), -EINVAL);
	ck_assert_int_eq(weir_send_handle(0, other, 0, 0), -EINVAL);
	ck_assert_int_eq(weir_send_handle(0, NULL, 0, 0), -EINVAL);
}
END_TEST

START_TEST(export_without_descriptors_left_is_emfile)
{
	struct rlimit old, low;
	int lowest = dup(0), refused = 0, result;

	close(lowest);
	own_all();
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	do {
		low = old;
		low.rlim_cur = (rlim_t)(lowest + refused);
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
		result = weir_export(ends[0], text, sizeof(text));
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
		if (result > 0)
			break;
		ck_assert_int_eq(result, -EMFILE);
		resources_check(&before);
		expect_locked();
	} while (refused++ < 64);
	ck_assert_int_ge(refused, 8);
	/* With just enough room they are low ones. */
	ck_assert_int_eq(weir_unexport(text), 0);
}
END_TEST

/*
 * Refused texts
 */

START_TEST(garbage_is_einval)
{
	static const char *const garbage[] = {
		"", "weir", "weir1", "weir1:", "weir1:1", "weir1:1:0", "weir1:1:0:0",
		"weir1:1:0:0:",
		"weir1:1:0:0:0", "weir1:1:0:0:0,1,2", "weir1:1:0:0:0,1,2,3,4,5,6",
		"weir1:1:0:0:0,1,2,3,4,5,6,", "weir1:1:0:0:0,1,2,3,4,5,6,7,8",
		"weir1:1:0:0:0,1,2,3,4,5,6,7,", "weir1:1:0:0:0,1,2,3,4,5,6,7 ",
		"weir1:1:0:0:0,1,2,3,4,5,6,7\n", " weir1:1:0:0:0,1,2,3,4,5,6,7",
		"weir2:1:0:0:0,1,2,3,4,5,6,7", "Weir1:1:0:0:0,1,2,3,4,5,6,7",
		"weir1:0:0:0:0,1,2,3,4,5,6,7", "weir1:2:0:0:0,1,2,3,4,5,6,7",
		"weir1:1:2:0:0,1,2,3,4,5,6,7", "weir1:1:0:6:0,1,2,3,4,5,6,7",
		"weir1:1:0:8:0,1,2,3,4,5,6,7", "weir1:1:0:1:0,1,2,3,4,5,6,7",
		"weir1:1:0:0:0,1,2,3,4", "weir1:1:0:1:0,1,2,3",
		"weir1:01:0:0:0,1,2,3,4,5,6,7", "weir1:1:00:0:0,1,2,3,4,5,6,7",
		"weir1:1:0:0:00,1,2,3,4,5,6,7", "weir1:1:0:0:0,1,2,3,4,5,6,07",
		"weir1:-1:0:0:0,1,2,3,4,5,6,7", "weir1:+1:0:0:0,1,2,3,4,5,6,7",
		"weir1:1:0:0:-1,1,2,3,4,5,6,7", "weir1:1:0:0:0, 1,2,3,4,5,6,7",
		"weir1:1:0:0:0,,1,2,3,4,5,6,7", "weir1:1::0:0,1,2,3,4,5,6,7",
		"weir1:1:0:0:0,1,2,3,4,5,6,6", "weir1:1:0:0:0,0,0,0,0,0,0,0",
		"weir1:4294967297:0:0:0,1,2,3,4,5,6,7", "weir1:1:0:4294967296:0,1,2,3,4,5,6,7",
		"weir1:1:0:0:2147483648,1,2,3,4,5,6,7", "weir1:1:0:0:4294967296,1,2,3,4,5,6,7",
		"weir1:1:0:0:18446744073709551616,1,2,3,4,5,6,7",
		"weir1:1:0:0:99999999999999999999,1,2,3,4,5,6,7",
		"weir1:1:0:0:0x0,1,2,3,4,5,6,7", "weir1:1:0:0:0,1,2,3;4,5,6,7",
		"weir1:1:0:0:0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16",
	};

	for (size_t i = 0; i < ARRAY_LENGTH(garbage); i++) {
		snprintf(text, sizeof(text), "%s", garbage[i]);
		expect_text_refused(-EINVAL);
		ck_assert_int_eq(weir_unexport(text), -EINVAL);
	}
	ck_assert_int_eq(weir_unexport(NULL), -EINVAL);
}
END_TEST

START_TEST(text_without_end_is_read_no_further)
{
	struct weir_end *end;
	char *long_text = malloc(WEIR_EXPORT_SIZE);

	memset(long_text, '1', WEIR_EXPORT_SIZE);
	memcpy(long_text, "weir1:", 6);
	ck_assert_int_eq(weir_import(long_text, WEIR_KIND_PIPE_END, &end), -EINVAL);
	free(long_text);
}
END_TEST

START_TEST(wrong_arguments_are_einval)
{
	struct weir_end *end;

	export(0);
	ck_assert_int_eq(weir_import(NULL, WEIR_KIND_PIPE_END, &end), -EINVAL);
	ck_assert_int_eq(weir_import(text, 0, &end), -EINVAL);
	ck_assert_int_eq(weir_import(text, 2, &end), -EINVAL);
	ck_assert_int_eq(weir_import(text, WEIR_KIND_PIPE_END, NULL), -EINVAL);
	ck_assert_int_eq(weir_recv_handle(0, 0, 0, 0, &end), -EINVAL);
	ck_assert_int_eq(weir_recv_handle(0, WEIR_KIND_PIPE_END, 0, 0, NULL), -EINVAL);
	ck_assert_int_eq(import(&end), 0);
	weir_pipe_close(end);
}
END_TEST

START_TEST(damaged_text_changes_nothing)
{
	static const char letters[] = "0123456789:,weir-\n ";
	char good[WEIR_EXPORT_SIZE];
	struct weir_end *end;
	size_t length;

	export(1);
	memcpy(good, text, sizeof(good));
	length = strlen(good);
	for (int round = 0; round < 4000; round++) {
		int result;

		memcpy(text, good, sizeof(text));
		for (uint64_t i = test_random_below(3) + 1; i > 0; i--)
			text[test_random_below(length + 1)] = letters[test_random_below(19)];
		text[sizeof(text) - 1] = '\0';
		if (strcmp(text, good) == 0)
			continue;
		result = import(&end);
		/* The other end, of the same descriptors, is as good. */
		if (result == 0) {
			weir_pipe_close(end);
			export(1);
			memcpy(good, text, sizeof(good));
			length = strlen(good);
		}
	}
	memcpy(text, good, sizeof(text));
	ck_assert_int_eq(import(&end), 0);
	weir_pipe_close(end);
}
END_TEST

/*
 * Well-formed, and somebody else's descriptors
 */

START_TEST(standard_streams_are_not_touched)
{
	int flags[3];

	for (int i = 0; i < 3; i++)
		flags[i] = fcntl(i, F_GETFL);
	snprintf(text, sizeof(text), "weir1:1:0:0:0,1,2,3,4,5,6,7");
	ck_assert(import(&(struct weir_end *){ NULL }) < 0);
	ck_assert(weir_unexport(text) < 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(fcntl(i, F_GETFL), flags[i]);
}
END_TEST

/* In each place: a pipe full of bytes, a file with a lock, a socket of somebody. */
START_TEST(descriptors_of_others_are_not_touched)
{
	int fds[8], good[8], foreign[4], pair[2];
	char bytes[16];

	ck_assert_int_eq(pipe(foreign), 0);
	ck_assert_int_eq(write(foreign[1], "0123456789", 10), 10);
	foreign[2] = memfd_create("mine", 0);
	ck_assert_int_eq(sys_lock(foreign[2], 0), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	foreign[3] = pair[0];
	ck_assert_int_eq(write(pair[1], "abc", 3), 3);
	export(1);
	named_fds(text, good);
	for (int place = 0; place < 8; place++) {
		for (int which = 0; which < 4; which++) {
			memcpy(fds, good, sizeof(fds));
			fds[place] = foreign[which];
			name_fds(1, fds);
			expect_text_refused(-EINVAL);
			ck_assert_int_eq(weir_unexport(text), -EINVAL);
		}
	}
	ck_assert_int_eq(read(foreign[0], bytes, sizeof(bytes)), 10);
	ck_assert_int_eq(read(pair[0], bytes, sizeof(bytes)), 3);
	ck_assert_int_eq(fcntl(pair[0], F_GETFL) & O_NONBLOCK, 0);
	name_fds(1, good);
	ck_assert_int_eq(weir_unexport(text), 0);
	for (int i = 0; i < 3; i++)
		close(foreign[i]);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

START_TEST(descriptors_in_another_order_are_refused)
{
	int good[8], fds[8];

	export(0);
	named_fds(text, good);
	for (int i = 0; i < 8; i++) {
		for (int k = i + 1; k < 8; k++) {
			memcpy(fds, good, sizeof(fds));
			fds[i] = good[k];
			fds[k] = good[i];
			name_fds(0, fds);
			/* One bell is like another; who changes them has a pipe that wakes late. */
			if (i >= 1 && k <= 6)
				continue;
			expect_text_refused(-EINVAL);
		}
	}
	name_fds(0, good);
	ck_assert_int_eq(weir_unexport(text), 0);
}
END_TEST

START_TEST(closed_descriptors_are_ebadf)
{
	struct weir_end *end;
	int fds[8];

	export(0);
	named_fds(text, fds);
	ck_assert_int_eq(weir_unexport(text), 0);
	expect_text_refused(-EBADF);
	ck_assert_int_eq(weir_unexport(text), -EBADF);
	/* A text serves once. */
	export(0);
	ck_assert_int_eq(import(&end), 0);
	expect_text_refused(-EBADF);
	ck_assert_int_eq(weir_unexport(text), -EBADF);
	weir_pipe_close(end);
}
END_TEST

START_TEST(descriptors_of_a_handle_are_ebadf)
{
	struct parcel p;

	own_all();
	parcel_of_end(ends[0], &p);
	name_fds(0, p.fds);
	expect_text_refused(-EBADF);
	ck_assert_int_eq(weir_unexport(text), -EBADF);
	own_all();
}
END_TEST

START_TEST(damaged_segment_is_refused_and_can_be_unexported)
{
	struct weir_segment_header *h = ends[0]->core->segment.front, good = *h;

	export(0);
	h->magic++;
	expect_text_refused(-EBADMSG);
	ck_assert_int_eq(weir_unexport(text), 0);
	*h = good;
	export(0);
	h->layout_major++;
	expect_text_refused(-EPROTO);
	ck_assert_int_eq(weir_unexport(text), 0);
	*h = good;
}
END_TEST

/*
 * Sockets, from the outside; tests/unit/test-parcel.c has the rest
 */

START_TEST(handle_goes_over_a_socket)
{
	struct weir_end *end;
	int sockets[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	ck_assert_int_eq(weir_recv_handle(sockets[1], WEIR_KIND_PIPE_END, 0, 0, &end), -EAGAIN);
	ck_assert_int_eq(weir_send_handle(sockets[0], ends[1], 0, 0), 0);
	ck_assert_int_eq(weir_recv_handle(sockets[1], WEIR_KIND_PIPE_END, 0, 0, &end), 0);
	ck_assert_int_eq(send_number(end, 9, 0), 0);
	ck_assert_int_eq(recv_number(ends[0], 0), 9);
	weir_pipe_close(end);
	close(sockets[0]);
	ck_assert_int_eq(weir_recv_handle(sockets[1], WEIR_KIND_PIPE_END, 0, soon(), &end), -EPIPE);
	close(sockets[1]);
}
END_TEST

static int interrupt_parent(void *arg)
{
	pid_t parent = getppid();

	(void)arg;
	child_check(child_wait_asleep(parent));
	kill(parent, SIGUSR1);
	return 0;
}

static void ignore(int signal)
{
	(void)signal;
}

START_TEST(signal_ends_a_wait_if_asked_for)
{
	struct sigaction action = { .sa_handler = ignore };
	struct weir_end *end;
	struct child child;
	int sockets[2];

	sigaction(SIGUSR1, &action, NULL);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	child = child_start(interrupt_parent, NULL);
	ck_assert_int_eq(weir_recv_handle(sockets[1], WEIR_KIND_PIPE_END, WEIR_INTR, soon(), &end),
			 -EINTR);
	child_join_ok(&child);
	child = child_start(interrupt_parent, NULL);
	ck_assert_int_eq(weir_recv_handle(sockets[1], WEIR_KIND_PIPE_END, 0, test_now() + 50 * MS,
					  &end),
			 -ETIMEDOUT);
	child_join(&child);
	close(sockets[0]);
	close(sockets[1]);
}
END_TEST

START_TEST(no_call_writes_errno)
{
	struct weir_end *end;

	errno = 4711;
	export(0);
	ck_assert_int_eq(import(&end), 0);
	weir_pipe_close(end);
	weir_import("weir1:1:0:0:900,901,902,903,904,905,906,907", WEIR_KIND_PIPE_END, &end);
	weir_unexport("weir1");
	weir_send_handle(-1, ends[0], 0, 0);
	weir_recv_handle(-1, WEIR_KIND_PIPE_END, 0, 0, &end);
	weir_recv_handle(0, WEIR_KIND_PIPE_END, 0, 0, &end);
	ck_assert_int_eq(errno, 4711);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("handle");
	TCase *back = tcase_create("there and back"), *exports = tcase_create("exports");
	TCase *texts = tcase_create("texts"), *others = tcase_create("others");
	TCase *sockets = tcase_create("sockets");

	tcase_add_checked_fixture(back, setup, teardown);
	tcase_add_test(back, exported_descriptors_survive_exec_and_are_high);
	tcase_add_test(back, imported_end_is_as_the_exported);
	tcase_add_test(back, oneway_end_is_exported_with_its_options);
	tcase_add_test(back, exported_copy_keeps_the_end_open);
	test_add_unless(back, kernel_unavailable(), export_and_import_keep_the_locks);
	suite_add_tcase(suite, back);

	tcase_add_checked_fixture(exports, setup, teardown);
	tcase_add_test(exports, export_without_room_leaves_nothing);
	tcase_add_test(exports, export_of_what_is_no_handle_is_einval);
	test_add_unless(exports, kernel_unavailable(), export_without_descriptors_left_is_emfile);
	suite_add_tcase(suite, exports);

	tcase_add_checked_fixture(texts, setup, teardown);
	tcase_add_test(texts, garbage_is_einval);
	tcase_add_test(texts, text_without_end_is_read_no_further);
	tcase_add_test(texts, wrong_arguments_are_einval);
	tcase_add_test(texts, damaged_text_changes_nothing);
	suite_add_tcase(suite, texts);

	tcase_add_checked_fixture(others, setup, teardown);
	tcase_add_test(others, standard_streams_are_not_touched);
	tcase_add_test(others, descriptors_of_others_are_not_touched);
	tcase_add_test(others, descriptors_in_another_order_are_refused);
	tcase_add_test(others, closed_descriptors_are_ebadf);
	tcase_add_test(others, descriptors_of_a_handle_are_ebadf);
	tcase_add_test(others, damaged_segment_is_refused_and_can_be_unexported);
	suite_add_tcase(suite, others);

	tcase_add_checked_fixture(sockets, setup, teardown);
	tcase_add_test(sockets, handle_goes_over_a_socket);
	test_add_unless(sockets, kernel_unavailable(), signal_ends_a_wait_if_asked_for);
	tcase_add_test(sockets, no_call_writes_errno);
	suite_add_tcase(suite, sockets);
	return test_main(suite);
}
