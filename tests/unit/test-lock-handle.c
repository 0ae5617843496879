/* SPDX-License-Identifier: MIT */
/* Locks that leave a process and come to one: as text, over sockets and pipes; and what is none. */
#include "lock-tools.h"

#include <stdio.h>
#include <sys/socket.h>

#include "obj/parcel.h"
#include "obj/pipe.h"

static struct weir_lock *lock;
static struct resources before;
static char text[WEIR_EXPORT_SIZE];

static void setup(void)
{
	before = resources_begin();
	lock = lock_new(0);
	ck_assert_ptr_nonnull(lock);
}

static void teardown(void)
{
	weir_lock_close(lock);
	resources_check(&before);
}

static struct weir_lock *import(const struct weir_lock *l)
{
	struct weir_lock *other = NULL;

	ck_assert_int_eq(weir_export(l, text, sizeof(text)), (int)strlen(text));
	ck_assert_int_eq(weir_import(text, WEIR_KIND_LOCK, &other), 0);
	return other;
}

static void expect_same(struct weir_lock *other)
{
	ck_assert_int_eq(weir_lock_acquire(lock, 0, 0), 0);
	ck_assert(weir_lock_is_locked(other));
	ck_assert_int_eq(weir_lock_acquire(other, 0, 0), -EAGAIN);
	ck_assert_int_eq(weir_lock_release(lock), 0);
	ck_assert_int_eq(weir_lock_acquire(other, 0, 0), 0);
	ck_assert_int_eq(weir_lock_release(other), 0);
	weir_lock_close(other);
}

START_TEST(imported_lock_is_the_same_lock)
{
	expect_same(import(lock));
}
END_TEST

START_TEST(import_keeps_what_it_is)
{
	struct weir_lock *deep = lock_new(WEIR_LOCK_RECURSIVE), *other = import(deep);

	ck_assert_int_eq(weir_lock_acquire(other, 0, 0), 0);
	ck_assert_int_eq(weir_lock_acquire(other, 0, 0), 0);
	ck_assert_int_eq(weir_lock_release(deep), -EPERM);
	weir_lock_close(deep);
	weir_lock_close(other);
}
END_TEST

START_TEST(lock_lives_as_long_as_anybody_has_it)
{
	struct weir_lock *other = import(lock);

	ck_assert_int_eq(weir_lock_acquire(other, 0, 0), 0);
	weir_lock_close(lock);
	lock = import(other);
	ck_assert_int_eq(weir_lock_acquire(lock, 0, 0), -EAGAIN);
	weir_lock_close(other);
	ck_assert_int_eq(weir_lock_acquire(lock, 0, 0), WEIR_OWNER_DIED);
}
END_TEST

START_TEST(lock_goes_over_each_type_of_socket)
{
	static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM };
	struct weir_queue *queue;
	struct weir_lock *other;
	int sockets[2];

	ck_assert_int_eq(socketpair(AF_UNIX, types[_i] | SOCK_CLOEXEC, 0, sockets), 0);
	ck_assert_int_eq(weir_send_handle(sockets[0], lock, 0, 0), 0);
	ck_assert_int_eq(weir_recv_handle(sockets[1], WEIR_KIND_LOCK, 0, 0, &other), 0);
	expect_same(other);
	ck_assert_int_eq(weir_send_handle(sockets[0], lock, 0, 0), 0);
	ck_assert_int_eq(weir_recv_handle(sockets[1], WEIR_KIND_QUEUE, 0, 0, &queue), -EPROTO);
	close(sockets[0]);
	close(sockets[1]);
}
END_TEST

START_TEST(lock_goes_over_a_pipe)
{
	struct weir_end *ends[2];
	struct weir_queue *queue;
	struct weir_lock *other;

	ck_assert_int_eq(weir_pipe(ends, NULL), 0);
	ck_assert_int_eq(weir_pipe_send_handle(ends[0], lock, 0, 0), 0);
	ck_assert_int_eq(weir_pipe_recv_handle(ends[1], WEIR_KIND_QUEUE, 0, 0, &queue), -EPROTO);
	ck_assert_int_eq(weir_pipe_recv_handle(ends[1], WEIR_KIND_LOCK, 0, 0, &other), 0);
	expect_same(other);
	weir_pipe_close(ends[0]);
	weir_pipe_close(ends[1]);
}
END_TEST

START_TEST(text_of_another_kind_is_refused)
{
	struct weir_queue *queue;
	struct weir_lock *other;

	ck_assert_int_gt(weir_export(lock, text, sizeof(text)), 0);
	ck_assert_int_eq(weir_import(text, WEIR_KIND_QUEUE, &queue), -EINVAL);
	ck_assert_int_eq(weir_import(text, 0, &other), -EINVAL);
	ck_assert_int_eq(weir_import(text, UINT32_MAX, &other), -EINVAL);
	ck_assert_int_eq(weir_unexport(text), 0);
	ck_assert_int_eq(weir_import(text, WEIR_KIND_LOCK, &other), -EBADF);
}
END_TEST

/* kind, index, flags, descriptors */
START_TEST(texts_that_no_lock_has_are_refused)
{
	static const char *const formats[] = {
		"weir1:3:1:0:%d", "weir1:3:2:0:%d", "weir1:3:0:1:%d", "weir1:3:0:0:%d,%d",
		"weir1:2:0:0:%d", "weir1:99:0:0:%d", "weir1:3:1:0:%d,%d", "weir1:3:0:0:",
	};
	struct weir_lock *other;
	int fd;

	fd = fcntl(lock->shared.commons.fd, F_DUPFD, 600);
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		int result;

		snprintf(text, sizeof(text), formats[i], fd, fd);
		result = weir_import(text, WEIR_KIND_LOCK, &other);
		ck_assert_msg(result == -EINVAL || result == -EBADMSG, "%s: %d", text, result);
	}
	ck_assert_int_ge(fcntl(fd, F_GETFD), 0);
	close(fd);
}
END_TEST

/*
 * Memory that is no lock's
 */

static void expect_refused(int fd, int error)
{
	struct weir_lock *const nothing = (void *)text, *other = nothing;
	struct parcel p;
	int result;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(parcel_of(lock, &p), 0);
	ck_assert_uint_eq(p.note.fd_count, 1);
	p.fds[0] = fd;
	result = parcel_open(&p, &other);
	ck_assert_msg(result == error, "%d, not %d", result, error);
	ck_assert_ptr_eq(other, nothing);
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
}

static void expect_commons_refused(uint32_t kind, uint32_t flags, uint64_t body, int error)
{
	const struct weir_commons_geometry g = { .flags = flags };
	struct commons c;

	ck_assert_int_eq(commons_create(&c, kind, &g, body), 0);
	expect_refused(fcntl(c.fd, F_DUPFD_CLOEXEC, 3), error);
	commons_destroy(&c);
}

START_TEST(commons_of_another_kind_or_geometry_are_refused)
{
	for (uint32_t kind = 0; kind < 12; kind++)
		if (kind != WEIR_OBJECT_LOCK)
			expect_commons_refused(kind, 0, 0, -EPROTO);
	for (int bit = 1; bit < 32; bit++)
		expect_commons_refused(WEIR_OBJECT_LOCK, UINT32_C(1) << bit, 0, -EBADMSG);
	expect_commons_refused(WEIR_OBJECT_LOCK, 0, 1, -EBADMSG);
	expect_commons_refused(WEIR_OBJECT_LOCK, WEIR_LOCK_RECURSIVE, 100000, -EBADMSG);
}
END_TEST

START_TEST(memory_of_others_is_refused)
{
	struct weir_end *ends[2];
	char path[64];

	ck_assert_int_eq(weir_pipe(ends, NULL), 0);
	expect_refused(fcntl(ends[0]->core->segment.fd, F_DUPFD_CLOEXEC, 3),
		       -EPROTO);
	weir_pipe_close(ends[0]);
	weir_pipe_close(ends[1]);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", lock->shared.commons.fd);
	expect_refused(open(path, O_RDONLY | O_CLOEXEC), -EINVAL);
	expect_refused(open("/dev/null", O_RDWR | O_CLOEXEC), -EINVAL);
}
END_TEST

/* One whose memory lies from the first byte of its control on is a lock all the same. */
START_TEST(lock_full_of_lies_can_be_attached_and_closed)
{
	struct weir_lock *other;

	memset(lock->shared.commons.control, 0xff, sizeof(*lock->shared.commons.control));
	memset(lock->shared.commons.parties, 0xff, 100 * sizeof(struct weir_party));
	other = lock_second(lock);
	ck_assert_ptr_nonnull(other);
	ck_assert_int_eq(weir_lock_acquire(other, 0, test_now() + 20 * MS), WEIR_OWNER_DIED);
	weir_lock_close(other);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lock-handle");
	TCase *tcase = tcase_create("handle");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, imported_lock_is_the_same_lock);
	tcase_add_test(tcase, import_keeps_what_it_is);
	tcase_add_test(tcase, lock_lives_as_long_as_anybody_has_it);
	tcase_add_loop_test(tcase, lock_goes_over_each_type_of_socket, 0, 3);
	tcase_add_test(tcase, lock_goes_over_a_pipe);
	tcase_add_test(tcase, text_of_another_kind_is_refused);
	tcase_add_test(tcase, texts_that_no_lock_has_are_refused);
	tcase_add_test(tcase, commons_of_another_kind_or_geometry_are_refused);
	tcase_add_test(tcase, memory_of_others_is_refused);
	tcase_add_test(tcase, lock_full_of_lies_can_be_attached_and_closed);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
