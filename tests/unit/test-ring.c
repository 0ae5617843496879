/* SPDX-License-Identifier: MIT */
#include "uring/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cc.h"
#include "support.h"
#include "sys/sys.h"
#include "uring-tools.h"
#include "weir/engine.h"

#if WEIR_URING

#define MARK	4711	/* an errno that nothing sets */
#define HIGH_FD	512

static void setup(void)
{
	errno = MARK;
}

static void teardown(void)
{
	sys_fault = NULL;
}

/*
 * What liburing is asked for, and what it found; the rest of it is as it is.
 */

static uint32_t features_hidden;
static uint32_t rings_made, rings_left;

int __real_io_uring_queue_init_params(unsigned int entries, struct io_uring *ring,
				      struct io_uring_params *p);
int __wrap_io_uring_queue_init_params(unsigned int entries, struct io_uring *ring,
				      struct io_uring_params *p);
void __real_io_uring_queue_exit(struct io_uring *ring);
void __wrap_io_uring_queue_exit(struct io_uring *ring);

int __wrap_io_uring_queue_init_params(unsigned int entries, struct io_uring *ring,
				      struct io_uring_params *p)
{
	int result = __real_io_uring_queue_init_params(entries, ring, p);

	rings_made += result == 0;
	p->features &= ~features_hidden;
	return result;
}

void __wrap_io_uring_queue_exit(struct io_uring *ring)
{
	rings_left++;
	__real_io_uring_queue_exit(ring);
}

/*
 * Opening and closing
 */

START_TEST(opened_ring_works)
{
	static const uint32_t flags[] = { 0, RING_ONE_THREAD };

	for (size_t i = 0; i < ARRAY_LENGTH(flags); i++) {
		struct ring r = opened(flags[i]);

		check_works(&r);
		ring_close(&r);
	}
	ck_assert_int_eq(errno, MARK);
}
END_TEST

START_TEST(open_of_one_thread_says_which)
{
	struct ring r = opened(RING_ONE_THREAD);
	uint32_t features;

	ck_assert_int_eq(ring_features(&features), 0);
	if (features & WEIR_URING_DEFER_TASKRUN)
		ck_assert_uint_eq(r.thread, (uint32_t)gettid());
	else
		ck_assert_uint_eq(r.thread, 0);
	ring_close(&r);
	r = opened(0);
	ck_assert_uint_eq(r.thread, 0);
	ring_close(&r);
}
END_TEST

START_TEST(open_makes_as_much_room_as_was_asked_for)
{
	struct ring r;

	ck_assert_int_eq(ring_open(&r, 16, 128, 0), 0);
	ck_assert_uint_eq(r.raw.sq.ring_entries, 16);
	ck_assert_uint_eq(r.raw.cq.ring_entries, 128);
	ring_close(&r);
	ck_assert_int_eq(ring_open(&r, 16, 0, 0), 0);
	ck_assert_uint_eq(r.raw.cq.ring_entries, 32);
	for (uint64_t i = 0; i < 16; i++)
		ck_assert_ptr_nonnull(request(&r, i));
	ck_assert_ptr_null(request(&r, 16));
	ring_close(&r);
}
END_TEST

START_TEST(descriptor_is_high_and_close_on_exec)
{
	struct ring r = opened(RING_ONE_THREAD);

	ck_assert_int_ge(r.fd, HIGH_FD);
	ck_assert_int_eq(fcntl(r.fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(r.raw.ring_fd, r.fd);
	ring_close(&r);
}
END_TEST

START_TEST(open_without_room_for_a_high_descriptor_works)
{
	struct rlimit limit;
	struct ring r;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = 256;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	r = opened(RING_ONE_THREAD);
	ck_assert_int_lt(r.fd, 256);
	check_works(&r);
	ring_close(&r);
	ck_assert_int_eq(r.fd, -1);
}
END_TEST

/* Then the kernel's first choice is 0, which is not "none". */
static int open_without_standard_streams(void *arg)
{
	struct ring r;

	(void)arg;
	for (int fd = 0; fd < 3; fd++)
		close(fd);
	child_check(ring_open(&r, 8, 0, 0) == 0);
	child_check(r.fd > 2);
	ring_close(&r);
	/* It is closed again also where it cannot be kept, or copied. */
	fail_calls(SYS_CALL_MADVISE, -ENOMEM, 1);
	child_check(ring_open(&r, 8, 0, 0) == -ENOMEM);
	fail_calls(SYS_CALL_DUP, -EMFILE, 1);
	child_check(ring_open(&r, 8, 0, 0) == 0);
	child_check(r.fd == 0);
	ring_close(&r);
	child_check(fcntl(0, F_GETFD) == -1);
	return 0;
}

START_TEST(open_without_standard_streams_works)
{
	struct child child = child_start(open_without_standard_streams, NULL);

	child_join_ok(&child);
}
END_TEST

START_TEST(rings_leave_nothing_behind)
{
	struct resources before;

	ring_close(&(struct ring){ .fd = -1 });
	before = resources_begin();
	for (int i = 0; i < 20; i++) {
		struct ring r = opened(i % 2 ? RING_ONE_THREAD : 0);

		check_works(&r);
		ring_close(&r);
		ring_close(&r);
	}
	resources_check(&before);
}
END_TEST

START_TEST(open_that_is_refused_returns_what_the_kernel_says)
{
	static const int errors[] = { ENOSYS, EPERM, EACCES, ENOMEM, EMFILE, ENFILE };
	struct resources before = resources_begin();
	struct ring r;

	for (size_t i = 0; i < ARRAY_LENGTH(errors); i++) {
		fail_calls(SYS_CALL_URING_SETUP, -errors[i], 1);
		ck_assert_int_eq(ring_open(&r, 8, 0, RING_ONE_THREAD), -errors[i]);
		ck_assert_int_eq(r.fd, -1);
		ring_close(&r);
	}
	ck_assert_int_eq(errno, MARK);
	resources_check(&before);
}
END_TEST

START_TEST(open_where_flags_are_not_known_makes_a_ring_of_any_thread)
{
	struct ring r;

	fail_calls(SYS_CALL_URING_SETUP, -EINVAL, 1);
	ck_assert_int_eq(ring_open(&r, 8, 0, RING_ONE_THREAD), 0);
	ck_assert_uint_eq(r.thread, 0);
	ck_assert(!(r.raw.flags & (IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN)));
	check_works(&r);
	ring_close(&r);
}
END_TEST

START_TEST(open_where_nothing_is_known_returns_eopnotsupp)
{
	struct resources before = resources_begin();
	struct ring r;

	fail_calls(SYS_CALL_URING_SETUP, -EINVAL, UINT32_MAX);
	ck_assert_int_eq(ring_open(&r, 8, 0, RING_ONE_THREAD), -EOPNOTSUPP);
	ck_assert_int_eq(ring_open(&r, 8, 0, 0), -EOPNOTSUPP);
	ck_assert_int_eq(r.fd, -1);
	resources_check(&before);
}
END_TEST

START_TEST(open_where_a_feature_is_missing_returns_eopnotsupp_and_closes_once)
{
	static const uint32_t needed[] = { IORING_FEAT_NODROP, IORING_FEAT_EXT_ARG,
					   IORING_FEAT_CQE_SKIP };
	struct resources before = resources_begin();
	struct ring r;

	for (size_t i = 0; i < ARRAY_LENGTH(needed); i++) {
		rings_made = rings_left = 0;
		features_hidden = needed[i];
		ck_assert_int_eq(ring_open(&r, 8, 0, RING_ONE_THREAD), -EOPNOTSUPP);
		ck_assert_uint_eq(rings_made, 1);
		ck_assert_uint_eq(rings_left, 1);
		ring_close(&r);
	}
	features_hidden = 0;
	resources_check(&before);
}
END_TEST

START_TEST(open_of_what_children_would_inherit_fails_and_closes_once)
{
	struct resources before = resources_begin();
	struct ring r;

	rings_made = rings_left = 0;
	fail_calls(SYS_CALL_MADVISE, -ENOMEM, 1);
	ck_assert_int_eq(ring_open(&r, 8, 0, RING_ONE_THREAD), -ENOMEM);
	ck_assert_uint_eq(rings_made, 1);
	ck_assert_uint_eq(rings_left, 1);
	ck_assert_int_eq(r.fd, -1);
	resources_check(&before);
}
END_TEST

START_TEST(open_at_the_limit_of_descriptors_returns_emfile)
{
	int fd = dup(0);
	struct rlimit limit, old;
	struct ring r;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	limit = old;
	limit.rlim_cur = (rlim_t)fd;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_int_eq(ring_open(&r, 8, 0, RING_ONE_THREAD), -EMFILE);
	ck_assert_int_eq(errno, MARK);
	ck_assert_int_eq(r.fd, -1);
	/* A sanitizer looks for leaks at the end. */
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	close(fd);
}
END_TEST

START_TEST(close_ends_what_is_in_flight)
{
	struct pollfd peer = { .events = POLLIN };
	struct ring r = opened(RING_ONE_THREAD);
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	request_poll(&r, fds[0], 1);
	ck_assert_int_eq(ring_enter(&r, 0, 0), 1);
	close(fds[0]);
	ring_close(&r);
	peer.fd = fds[1];
	ck_assert_int_eq(sys_poll(&peer, 1, soon()), 1);
	ck_assert(peer.revents & POLLHUP);
	close(fds[1]);
}
END_TEST

/*
 * Threads
 */

static void *enter_once(void *arg)
{
	struct ring *r = arg;

	return (void *)(intptr_t)ring_enter(r, 0, 0);
}

static int in_another_thread(struct ring *r)
{
	pthread_t thread;
	void *result;

	ck_assert_int_eq(pthread_create(&thread, NULL, enter_once, r), 0);
	ck_assert_int_eq(pthread_join(thread, &result), 0);
	return (int)(intptr_t)result;
}

START_TEST(ring_of_one_thread_refuses_others)
{
	struct ring r = opened(RING_ONE_THREAD);

	if (r.thread != 0) {
		ck_assert_int_eq(in_another_thread(&r), -EEXIST);
		request(&r, 1);
		ck_assert_int_eq(in_another_thread(&r), -EEXIST);
		ck_assert_uint_eq(io_uring_sq_ready(&r.raw), 1);
		ck_assert_int_eq(ring_enter(&r, 1, soon()), 1);
	}
	ring_close(&r);
}
END_TEST

START_TEST(ring_of_any_thread_serves_others)
{
	struct ring r = opened(0);

	request(&r, 1);
	ck_assert_int_eq(in_another_thread(&r), 1);
	request(&r, 2);
	ck_assert_int_eq(ring_enter(&r, 2, soon()), 1);
	ck_assert_uint_eq(io_uring_cq_ready(&r.raw), 2);
	ring_close(&r);
}
END_TEST

/*
 * Forked children
 */

static bool is_mapped(void *address)
{
	unsigned char vector[1];
	uintptr_t page = (uintptr_t)address & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);

	return mincore((void *)page, 1, vector) == 0;
}

static int have_no_mapping(void *arg)
{
	struct ring *r = arg;

	child_check(!is_mapped(r->raw.sq.ring_ptr));
	child_check(!is_mapped(r->raw.cq.ring_ptr));
	child_check(!is_mapped(r->raw.sq.sqes));
	return 0;
}

START_TEST(child_has_no_mapping)
{
	struct ring r = opened(RING_ONE_THREAD);
	struct child child = child_start(have_no_mapping, &r);

	child_join_ok(&child);
	ck_assert(is_mapped(r.raw.sq.ring_ptr));
	ck_assert(is_mapped(r.raw.cq.ring_ptr));
	ck_assert(is_mapped(r.raw.sq.sqes));
	ring_close(&r);
}
END_TEST

static int abandon(void *arg)
{
	struct ring *r = arg, own;
	int fd = r->fd;

	errno = MARK;
	ring_abandon(r);
	child_check(errno == MARK);
	child_check(r->fd == -1);
	child_check(fcntl(fd, F_GETFD) == -1);
	ring_abandon(r);
	child_check(ring_open(&own, 8, 0, RING_ONE_THREAD) == 0);
	request(&own, 1);
	child_check(ring_enter(&own, 1, soon()) == 1);
	ring_close(&own);
	return 0;
}

START_TEST(child_that_abandons_leaves_the_parents_ring_well)
{
	static const uint32_t flags[] = { 0, RING_ONE_THREAD };
	int fd = sys_eventfd();

	for (size_t i = 0; i < ARRAY_LENGTH(flags); i++) {
		struct ring r = opened(flags[i]);
		struct completion c;
		struct child child;

		request_poll(&r, fd, 7);
		ck_assert(await_completion(&r, &c));
		child = child_start(abandon, &r);
		child_join_ok(&child);
		sys_event_set(fd);
		ck_assert(await_completion(&r, &c));
		ck_assert_uint_eq(c.number, 7);
		ck_assert(c.more);
		check_works(&r);
		ring_close(&r);
	}
	sys_close(fd);
}
END_TEST

/*
 * Features
 */

START_TEST(features_are_those_of_this_kernel)
{
	struct resources before;
	uint32_t features = 0;
	struct ring r;

	ck_assert_int_eq(ring_features(&features), 0);
	before = resources_begin();
	ck_assert_int_eq(ring_features(&features), 0);
	resources_check(&before);
	ck_assert(features & WEIR_URING_POLL_MULTISHOT);
	r = opened(RING_ONE_THREAD);
	ck_assert_uint_eq(!!(features & WEIR_URING_DEFER_TASKRUN), r.thread != 0);
	ck_assert_uint_eq(features & (WEIR_URING_FUTEX | WEIR_URING_WRITEV_FIXED),
			  ring_operations(&r));
	if (features & WEIR_URING_FUTEX) {
		uint32_t word = 0;
		struct io_uring_sqe *sqe = request(&r, 1);
		struct completion c;

		io_uring_prep_rw(RING_OP_FUTEX_WAKE, sqe, RING_FUTEX_U32, &word, 0, 1);
		sqe->addr3 = UINT32_MAX;
		ck_assert(await_completion(&r, &c));
		ck_assert_int_eq(c.result, 0);
	}
	ring_close(&r);
	ck_assert_int_eq(errno, MARK);
}
END_TEST

START_TEST(features_without_a_ring_are_none)
{
	uint32_t features = 7;

	fail_calls(SYS_CALL_URING_SETUP, -EPERM, UINT32_MAX);
	ck_assert_int_eq(ring_features(&features), -EPERM);
	ck_assert_uint_eq(features, 0);
}
END_TEST

START_TEST(features_of_an_older_kernel_are_fewer)
{
	uint32_t features;

	fail_calls(SYS_CALL_URING_SETUP, -EINVAL, 1);
	ck_assert_int_eq(ring_features(&features), 0);
	ck_assert(features & WEIR_URING_POLL_MULTISHOT);
	ck_assert(!(features & WEIR_URING_DEFER_TASKRUN));
	fail_calls(SYS_CALL_URING_REGISTER, -EINVAL, 1);
	ck_assert_int_eq(ring_features(&features), 0);
	ck_assert(!(features & (WEIR_URING_FUTEX | WEIR_URING_WRITEV_FIXED)));
}
END_TEST

static TCase *add(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, setup, teardown);
	suite_add_tcase(suite, tcase);
	return tcase;
}

static void add_opening(Suite *suite)
{
	TCase *opening = add(suite, "opening");

	tcase_add_test(opening, opened_ring_works);
	tcase_add_test(opening, open_of_one_thread_says_which);
	tcase_add_test(opening, open_makes_as_much_room_as_was_asked_for);
	tcase_add_test(opening, descriptor_is_high_and_close_on_exec);
	tcase_add_test(opening, open_without_room_for_a_high_descriptor_works);
	tcase_add_test(opening, open_without_standard_streams_works);
	tcase_add_test(opening, rings_leave_nothing_behind);
	tcase_add_test(opening, open_that_is_refused_returns_what_the_kernel_says);
	tcase_add_test(opening, open_where_flags_are_not_known_makes_a_ring_of_any_thread);
	tcase_add_test(opening, open_where_nothing_is_known_returns_eopnotsupp);
	tcase_add_test(opening, open_where_a_feature_is_missing_returns_eopnotsupp_and_closes_once);
	tcase_add_test(opening, open_of_what_children_would_inherit_fails_and_closes_once);
	tcase_add_test(opening, open_at_the_limit_of_descriptors_returns_emfile);
	tcase_add_test(opening, close_ends_what_is_in_flight);
}

int main(void)
{
	Suite *suite = suite_create("ring");
	const char *unavailable = uring_unavailable();
	TCase *threads, *children, *features;

	if (unavailable)
		test_skip_all(unavailable);
	add_opening(suite);
	threads = add(suite, "threads");
	tcase_add_test(threads, ring_of_one_thread_refuses_others);
	tcase_add_test(threads, ring_of_any_thread_serves_others);
	children = add(suite, "children");
	tcase_add_test(children, child_has_no_mapping);
	tcase_add_test(children, child_that_abandons_leaves_the_parents_ring_well);
	features = add(suite, "features");
	tcase_add_test(features, features_are_those_of_this_kernel);
	tcase_add_test(features, features_without_a_ring_are_none);
	tcase_add_test(features, features_of_an_older_kernel_are_fewer);
	return test_main(suite);
}

#else

int main(void)
{
	test_skip_all("built without liburing");
}

#endif
