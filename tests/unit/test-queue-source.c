/* SPDX-License-Identifier: MIT */
/*
 * A queue as a wait set uses it, in one process: when it is ready, when there is an edge, and the
 * facts about the kernel that this relies upon.
 */
#include "support.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/cc.h"
#include "obj/queue.h"
#include "sys/sys.h"
#include "uring/ring.h"
#include "weir.h"

#define MS	INT64_C(1000000)
#define BOTH	(WEIR_IN | WEIR_OUT)
/* Larger than half of the smallest queue. */
#define LARGE	(UINT64_C(600) << 10)

static struct weir_queue *queue;
static int edges[QUEUE_SIDES];
static struct resources before;

static int watch_edges(int fd)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	ck_assert_int_ge(epoll, 0);
	ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
	/* That it can be written to. */
	ck_assert_int_eq(epoll_wait(epoll, &event, 1, 0), 1);
	return epoll;
}

static void make_with(const struct weir_queue_options *options)
{
	ck_assert_int_eq(weir_queue(&queue, options), 0);
	for (int side = 0; side < QUEUE_SIDES; side++)
		edges[side] = watch_edges(queue_source_fd(queue, side));
	ck_assert_int_eq(queue_source_begin(queue, BOTH), 0);
}

static void make(uint64_t max_items)
{
	const struct weir_queue_options o = {
		.size = sizeof(o),
		.max_items = max_items,
		.max_bytes = UINT64_C(1) << 20,
	};

	make_with(&o);
}

static void drop(void)
{
	for (int side = 0; side < QUEUE_SIDES; side++)
		close(edges[side]);
	weir_queue_close(queue);
}

static void setup(void)
{
	before = resources_begin();
	make(3);
}

static void teardown(void)
{
	drop();
	resources_check(&before);
}

static int put(void)
{
	return weir_queue_put(queue, "x", 1, 0, 0);
}

static int get(void)
{
	char byte;

	return weir_queue_get(queue, &byte, 1, 0, 0, NULL);
}

/* Since the last time. */
static bool edge(enum queue_side side)
{
	struct epoll_event event;

	return epoll_wait(edges[side], &event, 1, 0) == 1;
}

static uint32_t arm(uint32_t events)
{
	uint32_t ready = UINT32_MAX;

	ck_assert_int_eq(queue_source_arm(queue, events, &ready), 0);
	return ready;
}

static void fill(void)
{
	while (put() == 0)
		;
	edge(QUEUE_READER);
	edge(QUEUE_WRITER);
}

/*
 * The kernel
 */

START_TEST(adding_nothing_is_an_edge_for_epoll_and_no_change)
{
	for (int tokens = 0; tokens < 3; tokens++) {
		int fd = sys_tokens(), epoll;
		uint64_t count;
		struct epoll_event event;
		struct pollfd p = { .fd = fd, .events = POLLIN };

		ck_assert(sys_event_clear(fd));
		for (int i = 0; i < tokens; i++)
			ck_assert_int_eq(sys_token_add(fd), 0);
		epoll = watch_edges(fd);
		for (int i = 0; i < 3; i++) {
			ck_assert_int_eq(epoll_wait(epoll, &event, 1, 0), 0);
			ck_assert_int_eq(sys_event_edge(fd), 0);
			ck_assert_int_eq(epoll_wait(epoll, &event, 1, 0), 1);
			ck_assert_int_eq(poll(&p, 1, 0), tokens > 0);
		}
		/* Another number is one, too. */
		ck_assert_int_eq(sys_token_add(fd), 0);
		ck_assert_int_eq(epoll_wait(epoll, &event, 1, 0), 1);
		for (int i = 0; i < tokens + 1; i++)
			ck_assert_int_eq(read(fd, &count, sizeof(count)), sizeof(count));
		ck_assert_int_lt(read(fd, &count, sizeof(count)), 0);
		close(epoll);
		close(fd);
	}
}
END_TEST

START_TEST(adding_nothing_is_nothing_to_who_waits_for_a_token)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct epoll_event edge_event = { .events = EPOLLIN | EPOLLET };
	int fd = sys_tokens(), level = epoll_create1(0), edge_only = epoll_create1(0);

	ck_assert(sys_event_clear(fd));
	ck_assert_int_eq(epoll_ctl(level, EPOLL_CTL_ADD, fd, &event), 0);
	ck_assert_int_eq(epoll_ctl(edge_only, EPOLL_CTL_ADD, fd, &edge_event), 0);
	ck_assert_int_eq(sys_event_edge(fd), 0);
	ck_assert_int_eq(epoll_wait(level, &event, 1, 0), 0);
	ck_assert_int_eq(epoll_wait(edge_only, &event, 1, 0), 0);
	close(edge_only);
	close(level);
	close(fd);
}
END_TEST

#if WEIR_URING
static bool completed(struct ring *r)
{
	struct io_uring_cqe *cqe;

	if (io_uring_peek_cqe(&r->raw, &cqe) < 0)
		return false;
	ck_assert_int_gt(cqe->res, 0);
	/* It goes on. */
	ck_assert(cqe->flags & IORING_CQE_F_MORE);
	io_uring_cqe_seen(&r->raw, cqe);
	return true;
}

START_TEST(adding_nothing_is_an_edge_for_a_poll_of_many_shots)
{
	struct ring r;
	struct io_uring_sqe *sqe;
	int fd = sys_tokens();

	ck_assert_int_eq(ring_open(&r, 8, 0, 0), 0);
	ck_assert(sys_event_clear(fd));
	sqe = io_uring_get_sqe(&r.raw);
	io_uring_prep_poll_multishot(sqe, fd, POLLIN | POLLOUT);
	ck_assert_int_eq(ring_enter(&r, 1, soon()), 1);
	ck_assert(completed(&r));
	for (int i = 0; i < 6; i++) {
		ring_enter(&r, 0, 0);
		ck_assert(!completed(&r));
		ck_assert_int_eq(sys_event_edge(fd), 0);
		ck_assert_int_ge(ring_enter(&r, 1, soon()), 0);
		ck_assert(completed(&r));
		/* With tokens in it, too. */
		if (i == 3) {
			ck_assert_int_eq(sys_token_add(fd), 0);
			ck_assert_int_ge(ring_enter(&r, 1, soon()), 0);
			ck_assert(completed(&r));
		}
	}
	ring_close(&r);
	close(fd);
}
END_TEST

static const char *uring_unavailable(void)
{
	struct ring r;
	int result = ring_open(&r, 8, 0, 0);

	if (result < 0)
		return strerror(-result);
	ring_close(&r);
	return NULL;
}
#endif

/*
 * Messages
 */

START_TEST(message_is_ready_and_makes_one_edge)
{
	for (int i = 0; i < 20; i++) {
		ck_assert_uint_eq(arm(WEIR_IN), 0);
		ck_assert(!edge(QUEUE_READER));
		ck_assert_int_eq(put(), 0);
		ck_assert(edge(QUEUE_READER));
		/* Signalled once, it is silent. */
		ck_assert_int_eq(put(), 0);
		ck_assert(!edge(QUEUE_READER));
		ck_assert_uint_eq(arm(WEIR_IN), WEIR_IN);
		ck_assert_int_eq(get(), 0);
		ck_assert_uint_eq(arm(WEIR_IN), WEIR_IN);
		ck_assert_int_eq(get(), 0);
	}
}
END_TEST

START_TEST(armed_again_it_is_signalled_again)
{
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(arm(WEIR_IN), 0);
	ck_assert_int_eq(put(), 0);
	ck_assert(edge(QUEUE_READER));
	ck_assert_int_eq(get(), 0);
	ck_assert_uint_eq(arm(WEIR_IN), 0);
	ck_assert_int_eq(put(), 0);
	ck_assert(edge(QUEUE_READER));
}
END_TEST

START_TEST(who_is_not_armed_is_not_signalled)
{
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(put(), 0);
		ck_assert_int_eq(get(), 0);
		ck_assert_int_eq(get(), -EAGAIN);
	}
	ck_assert(!edge(QUEUE_READER));
	ck_assert(!edge(QUEUE_WRITER));
}
END_TEST

/* To find nothing costs those nothing who have no descriptor to be made dark. */
START_TEST(set_alone_takes_no_tokens)
{
	struct pollfd p = { .fd = queue_source_fd(queue, QUEUE_READER), .events = POLLIN };

	for (int i = 0; i < 3; i++) {
		ck_assert_uint_eq(arm(WEIR_IN), 0);
		ck_assert_int_eq(get(), -EAGAIN);
		ck_assert_int_eq(poll(&p, 1, 0), 1);
		ck_assert_int_eq(put(), 0);
		ck_assert_int_eq(get(), 0);
	}
}
END_TEST

START_TEST(each_way_to_put_signals)
{
	char bytes[] = "abc";
	struct weir_msg messages[] = { { &bytes[0], 1, 0 }, { &bytes[1], 1, 0 } };
	struct weir_taken taken;
	void *data;

	for (int way = 0; way < 4; way++) {
		while (weir_queue_get(queue, bytes, sizeof(bytes), 0, 0, NULL) == 0)
			;
		if (way == 3) {
			ck_assert_int_eq(put(), 0);
			ck_assert_int_eq(weir_queue_take(queue, 0, 0, &taken), 0);
		}
		ck_assert_uint_eq(arm(WEIR_IN), 0);
		edge(QUEUE_READER);
		switch (way) {
		case 0: ck_assert_int_eq(weir_queue_put(queue, "", 0, 0, 0), 0); break;
		case 1: ck_assert_int_eq(weir_queue_put_batch(queue, messages, 2, 0, 0), 2); break;
		case 2:
			ck_assert_int_eq(weir_queue_claim(queue, 1, 0, 0, &data), 0);
			memcpy(data, "x", 1);
			ck_assert(!edge(QUEUE_READER));
			ck_assert_int_eq(weir_queue_commit(queue, 1, 0, 0), 0);
			break;
		case 3: ck_assert_int_eq(weir_queue_return(queue, &taken), 0);
		}
		ck_assert_msg(edge(QUEUE_READER), "%d", way);
		ck_assert_msg(arm(WEIR_IN) == WEIR_IN, "%d", way);
	}
}
END_TEST

START_TEST(what_a_closed_handle_had_taken_is_signalled)
{
	char text[WEIR_EXPORT_SIZE];
	struct weir_taken taken;
	struct weir_queue *other;

	ck_assert_int_gt(weir_export(queue, text, sizeof(text)), 0);
	ck_assert_int_eq(weir_import(text, WEIR_KIND_QUEUE, &other), 0);
	ck_assert_int_eq(put(), 0);
	ck_assert_int_eq(weir_queue_take(other, 0, 0, &taken), 0);
	/* It has been looked at whether the descriptor is one. */
	edge(QUEUE_READER);
	/* Our own process: who is to tell would not be there to be told. */
	ck_assert_uint_eq(arm(WEIR_IN), 0);
	ck_assert(!edge(QUEUE_READER));
	weir_queue_close(other);
	ck_assert(edge(QUEUE_READER));
	ck_assert_uint_eq(arm(WEIR_IN), WEIR_IN);
}
END_TEST

/*
 * Room
 */

START_TEST(room_is_ready_and_makes_one_edge)
{
	for (int i = 0; i < 20; i++) {
		struct weir_taken taken;

		ck_assert_uint_eq(arm(WEIR_OUT), WEIR_OUT);
		fill();
		ck_assert_uint_eq(arm(WEIR_OUT), 0);
		ck_assert(!edge(QUEUE_WRITER));
		if (i % 2) {
			ck_assert_int_eq(get(), 0);
		} else {
			ck_assert_int_eq(weir_queue_take(queue, 0, 0, &taken), 0);
			ck_assert_int_eq(weir_queue_release(queue, &taken), 0);
		}
		ck_assert(edge(QUEUE_WRITER));
		ck_assert_int_eq(get(), 0);
		ck_assert(!edge(QUEUE_WRITER));
	}
}
END_TEST

static int put_all_but(void *arg)
{
	(void)arg;
	for (int i = 0; i < 5000; i++) {
		child_check(put() == 0);
		child_check(get() == 0);
	}
	for (int i = 0; i < 3; i++)
		child_check(put() == 0);
	return 0;
}

/* Its own place to put is where it was last. */
START_TEST(who_never_puts_sees_whether_there_is_room)
{
	struct child child;

	ck_assert_uint_eq(arm(WEIR_OUT), WEIR_OUT);
	child = child_start(put_all_but, NULL);
	child_join_ok(&child);
	ck_assert_uint_eq(arm(WEIR_OUT), 0);
	ck_assert_int_eq(get(), 0);
	ck_assert(edge(QUEUE_WRITER));
	ck_assert_uint_eq(arm(WEIR_OUT), WEIR_OUT);
}
END_TEST

START_TEST(without_a_limit_there_is_always_room)
{
	drop();
	make(0);
	for (int i = 0; i < 10; i++) {
		ck_assert_uint_eq(arm(WEIR_OUT), WEIR_OUT);
		ck_assert_uint_eq(arm(BOTH) & WEIR_OUT, WEIR_OUT);
		ck_assert_int_eq(put(), 0);
	}
}
END_TEST

START_TEST(queue_that_drops_has_always_room)
{
	const struct weir_queue_options o = {
		.size = sizeof(o),
		.flags = WEIR_QUEUE_DROP,
		.max_items = 2,
	};

	drop();
	make_with(&o);
	for (int i = 0; i < 5; i++) {
		ck_assert_uint_eq(arm(WEIR_OUT), WEIR_OUT);
		ck_assert_int_eq(put(), 0);
	}
	ck_assert_int_eq(get(), 0);
	ck_assert_int_eq(get(), 0);
	/* To drop one and put one is seen by who waits for one. */
	ck_assert_uint_eq(arm(WEIR_IN), 0);
	edge(QUEUE_READER);
	ck_assert_int_eq(put(), 0);
	ck_assert(edge(QUEUE_READER));
}
END_TEST

/* A put that found no memory is told when there is some, and not before. */
START_TEST(room_is_memory_too)
{
	static char large[LARGE];
	int put_large, i;

	drop();
	make(1000);
	for (i = 0; (put_large = weir_queue_put(queue, large, LARGE, 0, 0)) == 0; i++)
		ck_assert_int_lt(i, 10);
	ck_assert_int_eq(put_large, -EAGAIN);
	ck_assert_uint_eq(arm(WEIR_OUT), 0);
	edge(QUEUE_WRITER);
	while (weir_queue_get(queue, large, LARGE, 0, 0, NULL) == 0)
		;
	ck_assert(edge(QUEUE_WRITER));
	ck_assert_uint_eq(arm(WEIR_OUT), WEIR_OUT);
	ck_assert_int_eq(weir_queue_put(queue, large, LARGE, 0, 0), 0);
}
END_TEST

START_TEST(both_sides_are_told_apart)
{
	ck_assert_uint_eq(arm(BOTH), WEIR_OUT);
	ck_assert_int_eq(put(), 0);
	ck_assert_uint_eq(arm(BOTH), BOTH);
	fill();
	ck_assert_uint_eq(arm(BOTH), WEIR_IN);
	ck_assert_uint_eq(arm(WEIR_OUT), 0);
	ck_assert_int_eq(get(), 0);
	ck_assert(edge(QUEUE_WRITER));
	ck_assert(!edge(QUEUE_READER));
}
END_TEST

/*
 * The end
 */

START_TEST(shutdown_signals_both_and_is_ready)
{
	uint32_t flags = _i ? WEIR_QUEUE_NOW : 0;

	ck_assert_uint_eq(arm(WEIR_IN), 0);
	ck_assert_int_eq(weir_queue_shutdown(queue, flags), 0);
	ck_assert(edge(QUEUE_READER));
	ck_assert_uint_eq(arm(BOTH), BOTH);
	drop();
	make(3);
	fill();
	ck_assert_uint_eq(arm(WEIR_OUT), 0);
	ck_assert_int_eq(weir_queue_shutdown(queue, flags), 0);
	ck_assert(edge(QUEUE_WRITER));
	ck_assert_uint_eq(arm(BOTH), BOTH);
	while (get() == 0)
		;
	ck_assert_uint_eq(arm(BOTH), BOTH);
}
END_TEST

START_TEST(poison_signals_both_and_is_ready)
{
	ck_assert_uint_eq(arm(WEIR_IN), 0);
	queue_poison(queue);
	ck_assert(edge(QUEUE_READER));
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(arm(BOTH), BOTH);
	drop();
	make(3);
	fill();
	ck_assert_uint_eq(arm(WEIR_OUT), 0);
	queue_poison(queue);
	ck_assert(edge(QUEUE_WRITER));
	ck_assert_uint_eq(arm(WEIR_OUT), WEIR_OUT);
}
END_TEST

/*
 * Several
 */

START_TEST(one_edge_is_for_all_sets)
{
	int another = watch_edges(queue_source_fd(queue, QUEUE_READER));
	struct epoll_event event;

	ck_assert_uint_eq(arm(WEIR_IN), 0);
	ck_assert_uint_eq(arm(WEIR_IN), 0);
	ck_assert_int_eq(put(), 0);
	ck_assert(edge(QUEUE_READER));
	ck_assert_int_eq(epoll_wait(another, &event, 1, 0), 1);
	close(another);
}
END_TEST

/* One who takes the descriptor for its level, and a set. */
START_TEST(level_and_edge_live_side_by_side)
{
	struct pollfd p = { .fd = weir_queue_fd(queue, WEIR_IN), .events = POLLIN };

	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(get(), -EAGAIN);
		ck_assert_int_eq(poll(&p, 1, 0), 0);
		ck_assert_uint_eq(arm(WEIR_IN), 0);
		edge(QUEUE_READER);
		ck_assert_int_eq(poll(&p, 1, 0), 0);
		ck_assert_int_eq(put(), 0);
		ck_assert_int_eq(poll(&p, 1, 0), 1);
		ck_assert(edge(QUEUE_READER));
		ck_assert_int_eq(get(), 0);
	}
}
END_TEST

START_TEST(closing_another_handle_leaves_it_armed_or_signals)
{
	char text[WEIR_EXPORT_SIZE];
	struct weir_queue *other;
	char byte;

	ck_assert_int_gt(weir_export(queue, text, sizeof(text)), 0);
	ck_assert_int_eq(weir_import(text, WEIR_KIND_QUEUE, &other), 0);
	ck_assert_int_eq(weir_queue_get(other, &byte, 1, 0, 0, NULL), -EAGAIN);
	ck_assert_uint_eq(arm(WEIR_IN), 0);
	weir_queue_close(other);
	if (edge(QUEUE_READER))
		ck_assert_uint_eq(arm(WEIR_IN), 0);
	ck_assert_int_eq(put(), 0);
	ck_assert(edge(QUEUE_READER));
}
END_TEST

static int take_and_stay(void *arg)
{
	struct barrier *barrier = arg;
	struct weir_taken taken;

	child_check(weir_queue_take(queue, 0, 0, &taken) == 0);
	child_check(barrier_wait(barrier));
	child_check(barrier_wait(barrier));
	return 0;
}

/* Its death is what would bring the message, and nobody tells of that. */
START_TEST(who_holds_a_lease_is_to_be_looked_after)
{
	struct barrier *barrier = barrier_create(2);
	int64_t deadline = soon();
	struct child child;
	uint32_t ready = 0;

	ck_assert_int_eq(put(), 0);
	child = child_start(take_and_stay, barrier);
	ck_assert(barrier_wait(barrier));
	ck_assert_int_eq(queue_source_arm(queue, WEIR_IN, &ready), 1);
	ck_assert_uint_eq(ready, 0);
	child_kill(&child);
	while (ready == 0) {
		ck_assert(test_now() < deadline);
		ck_assert_int_ge(queue_source_arm(queue, WEIR_IN, &ready), 0);
	}
	ck_assert_uint_eq(ready, WEIR_IN);
	ck_assert_int_eq(get(), 0);
	ck_assert_uint_eq(arm(WEIR_IN), 0);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("queue-source");
	TCase *kernel = tcase_create("kernel"), *t = tcase_create("source");

	tcase_add_test(kernel, adding_nothing_is_an_edge_for_epoll_and_no_change);
	tcase_add_test(kernel, adding_nothing_is_nothing_to_who_waits_for_a_token);
#if WEIR_URING
	test_add_unless(kernel, uring_unavailable(),
			adding_nothing_is_an_edge_for_a_poll_of_many_shots);
#endif
	suite_add_tcase(s, kernel);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, message_is_ready_and_makes_one_edge);
	tcase_add_test(t, armed_again_it_is_signalled_again);
	tcase_add_test(t, who_is_not_armed_is_not_signalled);
	tcase_add_test(t, set_alone_takes_no_tokens);
	tcase_add_test(t, each_way_to_put_signals);
	tcase_add_test(t, what_a_closed_handle_had_taken_is_signalled);
	tcase_add_test(t, room_is_ready_and_makes_one_edge);
	tcase_add_test(t, who_never_puts_sees_whether_there_is_room);
	tcase_add_test(t, without_a_limit_there_is_always_room);
	tcase_add_test(t, queue_that_drops_has_always_room);
	tcase_add_test(t, room_is_memory_too);
	tcase_add_test(t, both_sides_are_told_apart);
	tcase_add_loop_test(t, shutdown_signals_both_and_is_ready, 0, 2);
	tcase_add_test(t, poison_signals_both_and_is_ready);
	tcase_add_test(t, one_edge_is_for_all_sets);
	tcase_add_test(t, level_and_edge_live_side_by_side);
	tcase_add_test(t, closing_another_handle_leaves_it_armed_or_signals);
	/* An emulator does not pass on that memory is to be wiped: the child is taken for us. */
	test_add_unless(t, kernel_unavailable(), who_holds_a_lease_is_to_be_looked_after);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	return test_main(suite());
}
