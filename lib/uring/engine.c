/* SPDX-License-Identifier: MIT */
#include "uring/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "sys/net.h"
#include "sys/sys.h"
#include "uring/choice.h"
#include "uring/polls.h"
#include "weir/engine.h"

#define KEY_KICK	UINT64_MAX
#define KEY_EPOLL	(UINT64_MAX - 1)
#define EPOLL_AT_ONCE	64
#define TRY_AGAIN_NS	(10 * NS_PER_MS)

struct engine {
	int epoll;
	int kick;		/* eventfd */
	bool epoll_ready;	/* with a ring: there may be something in the epoll */
	bool given_up;		/* the ring is not used any more */
	uint64_t calls;		/* for the epoll */
	uint64_t sleeps;
	struct polls *polls;	/* in the ring; NULL: there is none */
};

static bool has_ring(const struct engine *e)
{
	return e->polls && !load_relaxed(&e->given_up);	/* relaxed: set by who waits */
}

static int open_ring(struct engine *e)
{
	int result;

	/* Without a ring there is the epoll alone. */
	if (polls_open(e->epoll, &e->polls) < 0)
		return 0;
	result = polls_watch(e->polls, e->epoll, KEY_EPOLL);
	return result < 0 ? result : 0;
}

int engine_open(uint32_t wanted, struct engine **ret_engine)
{
	struct engine *e = calloc(1, sizeof(*e));
	int result;

	if (!e)
		return -ENOMEM;
	e->epoll = e->kick = -1;
	result = sys_have_high(sys_epoll(), &e->epoll);
	if (result == 0)
		result = sys_have_high(sys_eventfd(), &e->kick);
	if (result == 0 && choice_wanted(wanted) != WEIR_ENGINE_EPOLL)
		result = open_ring(e);
	if (result == 0)
		result = engine_watch_bell(e, e->kick, KEY_KICK);
	if (result < 0) {
		engine_close(e);
		return result;
	}
	*ret_engine = e;
	return 0;
}

static void free_engine(struct engine *e)
{
	sys_close(e->epoll);
	sys_close(e->kick);
	free(e);
}

void engine_close(struct engine *e)
{
	if (e->polls)
		polls_close(e->polls);
	free_engine(e);
}

void engine_abandon(struct engine *e)
{
	if (e->polls)
		polls_abandon(e->polls);
	free_engine(e);
}

uint32_t engine_kind(const struct engine *e)
{
	return has_ring(e) ? WEIR_ENGINE_URING : WEIR_ENGINE_EPOLL;
}

uint64_t engine_calls(const struct engine *e)
{
	/* relaxed: to be reported */
	return load_relaxed(&e->calls) + (e->polls ? polls_calls(e->polls) : 0);
}

uint64_t engine_sleeps(const struct engine *e)
{
	/* relaxed: to be reported */
	return load_relaxed(&e->sleeps) + (e->polls ? polls_sleeps(e->polls) : 0);
}

/*
 * What is watched
 */

int engine_watch_bell(struct engine *e, int fd, uint64_t key)
{
	int result;

	if (e->polls)
		return polls_watch(e->polls, fd, key);
	result = net_watch(e->epoll, fd, ENGINE_BELL_EVENTS, key);
	return result < 0 ? result : fd;
}

void engine_unwatch_bell(struct engine *e, int place)
{
	if (e->polls)
		polls_unwatch(e->polls, place);
	else
		net_unwatch(e->epoll, place);
}

int engine_watch(struct engine *e, int fd, uint32_t events, uint64_t key)
{
	return net_watch(e->epoll, fd, events, key);
}

int engine_watch_change(struct engine *e, int fd, uint32_t events, uint64_t key)
{
	return net_watch_change(e->epoll, fd, events, key);
}

void engine_unwatch(struct engine *e, int fd)
{
	net_unwatch(e->epoll, fd);
}

/* Go on with the epoll alone. */
static void give_up(struct engine *e)
{
	polls_give_up(e->polls);
	store_relaxed(&e->given_up, true);	/* relaxed: others only report it */
}

void engine_kick(struct engine *e)
{
	sys_event_set(e->kick);
}

/*
 * Waiting
 */

/* Without those that are ours; how many are left. */
static int sift(struct engine *e, struct engine_event *events, int count)
{
	int n = 0;

	for (int i = 0; i < count; i++) {
		if (events[i].key == KEY_EPOLL)
			e->epoll_ready = true;
		else if (events[i].key != KEY_KICK)
			events[n++] = events[i];
	}
	return n;
}

static int wait_in_epoll(struct engine *e, struct engine_event *ret, size_t count,
			 int64_t deadline)
{
	struct epoll_event events[EPOLL_AT_ONCE];
	int max = count < EPOLL_AT_ONCE ? (int)count : EPOLL_AT_ONCE, n;

	/* relaxed: only we write them, others only report them */
	store_relaxed(&e->calls, e->calls + 1);
	if (deadline > 0)
		store_relaxed(&e->sleeps, e->sleeps + 1);	/* relaxed: as above */
	n = sys_epoll_wait(e->epoll, events, max, deadline);
	if (n >= 0)
		e->epoll_ready = n > 0;
	for (int i = 0; i < n; i++)
		ret[i] = (struct engine_event){ events[i].data.u64, events[i].events };
	return n < 0 ? n : sift(e, ret, n);
}

static int wait_in_ring(struct engine *e, struct engine_event *ret, size_t count, bool spin,
			int64_t deadline)
{
	int n = 0, result;

	/* By level: as long as there was something, there may be. */
	if (e->epoll_ready)
		n = wait_in_epoll(e, ret, count, 0);
	n = n < 0 ? 0 : n;
	if ((size_t)n == count)
		return n;
	result = polls_wait(e->polls, ret + n, count - (size_t)n, spin,
			    n > 0 ? 0 : deadline);
	if (result < 0 && result != -EINTR) {
		give_up(e);
		return n;
	}
	if (result > 0)
		n += sift(e, ret + n, result);
	if (n == 0 && e->epoll_ready)
		n = wait_in_epoll(e, ret, count, 0);
	return n == 0 && result == -EINTR ? result : n;
}

bool engine_has_work(const struct engine *e)
{
	return e->epoll_ready || (has_ring(e) && polls_have_work(e->polls));
}

int engine_wait(struct engine *e, struct engine_event *ret_events, size_t count, bool spin,
		int64_t deadline)
{
	if (has_ring(e))
		return wait_in_ring(e, ret_events, count, spin, deadline);
	/* There was no room in the epoll for what was in the ring: it is tried again, soon. */
	if (e->polls && !polls_are_watched(e->polls))
		deadline = clock_cap(deadline, clock_now(), TRY_AGAIN_NS);
	return wait_in_epoll(e, ret_events, count, deadline);
}

int engine_share(struct engine *e)
{
	/* Of a ring that nobody enters nothing comes, and one that needs no entering interrupts. */
	if (has_ring(e))
		give_up(e);
	return e->epoll;
}
