/* SPDX-License-Identifier: MIT */
/* Parking by itself, for its tests: two threads that stand for the two sides of a lane. */
#ifndef WEIR_TESTS_PARK_BED_H
#define WEIR_TESTS_PARK_BED_H

#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pipe-tools.h"
#include "sys/sys.h"
#include "wait/live.h"
#include "wait/park.h"

static struct weir_lane_control control;
static struct parking sleeper, waker;
static struct parking another;	/* of the sleeper's side, in a process that does not own it */
static struct turn turn;
static int line[2];		/* the sleeper reads, the waker's side holds the other */
static uint32_t it;		/* what the sleeper waits for */
static struct resources resources;

static inline void setup(void)
{
	resources = resources_begin();
	resources.anonymous = false;	/* stacks of threads that have ended */
	memset(&control, 0, sizeof(control));
	turn = (struct turn){ 0 };
	it = 0;
	ck_assert_int_eq(pipe(line), 0);
	sleeper = (struct parking){
		.mine = &control.reader,
		.peer = &control.writer,
		.my_bell = sys_eventfd(),
		.peer_bell = sys_eventfd(),
		.line = line[0],
		.owner = -1,
	};
	another = sleeper;
	waker = (struct parking){
		.mine = &control.writer,
		.peer = &control.reader,
		.my_bell = sleeper.peer_bell,
		.peer_bell = sleeper.my_bell,
		.line = line[0],
		.owner = -1,
	};
	park_init(&sleeper);
	park_init(&waker);
}

static inline void hang_up(void)
{
	close(line[1]);
	line[1] = -1;
}

static inline void teardown(void)
{
	sys_fault = NULL;
	close(line[0]);
	if (line[1] >= 0)
		close(line[1]);
	close(sleeper.my_bell);
	close(sleeper.peer_bell);
	resources_check(&resources);
}

static inline bool has_come(void *arg)
{
	return load_acquire((uint32_t *)arg) != 0;
}

/*
 * A thread that waits for it.
 */

struct waiter {
	pthread_t thread;
	uint32_t flags;
	int64_t deadline;
	bool (*lie_down)(void *arg);
	pid_t tid;
	int result;
};

static inline void *wait_for_it(void *arg)
{
	struct waiter *w = arg;
	struct park_for what = {
		.look = has_come,
		.lie_down = w->lie_down,
		.arg = &it,
		.turn = &turn,
	};

	store_release(&w->tid, (pid_t)syscall(SYS_gettid));
	errno = 4711;
	w->result = park_wait(&sleeper, &what, w->flags, w->deadline);
	if (errno != 4711)
		w->result = -1000;
	return NULL;
}

/* Have it sleep in @stage; false if the moment was missed, and then it is awake again. */
static inline bool try_asleep(struct waiter *w, uint32_t stage)
{
	int64_t deadline = soon();

	store_release(&it, 0);
	store_release(&w->tid, 0);
	w->deadline = WEIR_FOREVER;
	ck_assert_int_eq(pthread_create(&w->thread, NULL, wait_for_it, w), 0);
	while (load_acquire(&w->tid) == 0)
		ck_assert(test_now() < deadline);
	if (stage == WAIT_DEEP) {
		while ((load_acquire(&control.reader.wait) & WAIT_STAGE_MASK) != WAIT_DEEP)
			ck_assert(test_now() < deadline);
		ck_assert(child_wait_asleep_in(w->tid, SYS_ppoll));
	}
	if (wait_for_sleeper(w->tid, &control.reader.wait) == stage)
		return true;
	store_release(&it, 1);
	park_notify(&waker, true);
	pthread_join(w->thread, NULL);
	return false;
}

static inline void put_to_sleep(struct waiter *w, uint32_t stage)
{
	for (int i = 0; i < 100; i++)
		if (try_asleep(w, stage))
			return;
	ck_abort_msg("never seen asleep in stage %u", stage);
}

static inline int join(struct waiter *w)
{
	ck_assert_int_eq(pthread_join(w->thread, NULL), 0);
	ck_assert_uint_eq(control.reader.wait & WAIT_STAGE_MASK, WAIT_AWAKE);
	return w->result;
}

static const uint32_t stages[] = { WAIT_SHALLOW, WAIT_DEEP };

/* In this thread. */
static inline int wait_until(int64_t deadline)
{
	struct park_for what = { .look = has_come, .arg = &it, .turn = &turn };

	return park_wait(&sleeper, &what, 0, deadline);
}

static inline TCase *add(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, setup, teardown);
	suite_add_tcase(suite, tcase);
	return tcase;
}

#endif
