/* SPDX-License-Identifier: MIT */
/*
 * What nobody signals is found all the same: a sender may die between its message and its signal,
 * while another process has its end, so that there is no hang-up either.
 */
#include "support.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/atomic.h"
#include "obj/pipe.h"
#include "obj/waitset.h"
#include "weir.h"

#define MS	INT64_C(1000000)
#define SECOND	INT64_C(1000000000)
/* A set of few objects is looked at as a whole before it sleeps, and after. */
#define OTHERS	20

static struct weir_waitset *set;
static struct weir_end *ends[2], *others[OTHERS][2];
static uint64_t pipe_source;
static int busy = -1;

static void setup(void)
{
	const struct weir_pipe_options small = { .size = sizeof(small), .capacity = 4096 };

	ck_assert_int_eq(weir_waitset(&set, NULL), 0);
	ck_assert_int_eq(weir_pipe(ends, NULL), 0);
	/* So that the sending side has an owner. */
	ck_assert_int_eq(weir_pipe_send(ends[1], "x", 1, 0, 0), 0);
	ck_assert_int_eq(weir_waitset_add_pipe(set, ends[0], WEIR_IN, NULL, &pipe_source), 0);
	for (int i = 0; i < OTHERS; i++) {
		ck_assert_int_eq(weir_pipe(others[i], &small), 0);
		ck_assert_int_eq(weir_waitset_add_pipe(set, others[i][0], WEIR_IN, NULL, NULL), 0);
	}
	busy = eventfd(1, EFD_CLOEXEC);
	ck_assert_int_ge(busy, 0);
}

static void teardown(void)
{
	weir_waitset_close(set);
	weir_pipe_close(ends[0]);
	weir_pipe_close(ends[1]);
	for (int i = 0; i < OTHERS; i++) {
		weir_pipe_close(others[i][0]);
		weir_pipe_close(others[i][1]);
	}
	close(busy);
}

static int receive(void)
{
	char byte;

	return weir_pipe_recv(ends[0], &byte, 1, 0, 0, NULL);
}

/* Does not stay awake, so that nothing is found by chance. */
static int wait_for(struct weir_event *events, size_t count, int64_t nanoseconds)
{
	return weir_waitset_wait(set, events, count, WEIR_NOSPIN, weir_after(nanoseconds));
}

/* Armed, and nothing is to be looked at again any more. */
static void settle(void)
{
	struct weir_event event;

	while (receive() == 0)
		continue;
	while (wait_for(&event, 1, 5 * MS) != -ETIMEDOUT)
		ck_assert_int_ne(receive(), 0);
}

/* A message as of one who dies in front of the signal: its sender takes it for done. */
static void send_without_a_signal(void)
{
	const struct pipe_tx *tx = ends[1]->tx;

	ends[1]->tx->requests_seen = load_relaxed(&tx->side.park.peer->requests);
	ck_assert_int_eq(weir_pipe_send(ends[1], "x", 1, 0, 0), 0);
}

static bool is_reported(const struct weir_event *events, int count)
{
	for (int i = 0; i < count; i++)
		if (events[i].source == pipe_source)
			return true;
	return false;
}

START_TEST(message_without_a_signal_is_found_by_a_set_that_is_quiet)
{
	struct weir_event event;
	int result, tries = 20;

	/* On a machine that is busy it may have looked already: that would be no test. */
	do {
		settle();
		send_without_a_signal();
		result = wait_for(&event, 1, MS);
		ck_assert(result == -ETIMEDOUT || receive() == 0);
	} while (result != -ETIMEDOUT && --tries > 0);
	ck_assert_int_eq(result, -ETIMEDOUT);
	ck_assert_int_eq(wait_for(&event, 1, 3 * SECOND), 1);
	ck_assert_uint_eq(event.source, pipe_source);
	ck_assert_int_eq(receive(), 0);
}
END_TEST

START_TEST(message_without_a_signal_is_found_by_a_set_that_is_never_quiet)
{
	struct weir_event events[4];
	int n;

	settle();
	ck_assert_int_eq(weir_waitset_add_fd(set, busy, WEIR_IN, NULL, NULL), 0);
	send_without_a_signal();
	n = wait_for(events, 4, SECOND);
	ck_assert_int_eq(n, 1);
	ck_assert(!is_reported(events, n));
	/* As if eight seconds had passed, in which something came all the time. */
	set->swept_at -= 8 * SECOND;
	n = wait_for(events, 4, SECOND);
	if (!is_reported(events, n))
		n = wait_for(events, 4, SECOND);
	ck_assert(is_reported(events, n));
	/* And that is not done each time. */
	ck_assert_int_gt(set->sweep_at, weir_after(0));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("waitset-sweep");
	TCase *tcase = tcase_create("sweep");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, message_without_a_signal_is_found_by_a_set_that_is_quiet);
	tcase_add_test(tcase, message_without_a_signal_is_found_by_a_set_that_is_never_quiet);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
