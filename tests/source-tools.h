/* SPDX-License-Identifier: MIT */
/* One who waits for a queue as a wait set does, with nothing but an epoll. */
#ifndef WEIR_TESTS_SOURCE_TOOLS_H
#define WEIR_TESTS_SOURCE_TOOLS_H

#include "support.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "obj/queue.h"
#include "weir.h"

/* A wake-up that is lost shows as a wait that lasts so long. */
#define WAITER_PATIENCE_MS	10000
/* What the set has to look for by itself. */
#define WAITER_BEGIN_NS		200000
#define WAITER_LOOK_MS		4

struct waiter {
	struct weir_queue *queue;
	uint32_t events;
	int epoll;
	int armed;		/* what arming it last said */
	int64_t begun;
	uint64_t looks, edges;
};

/* 0, or an error. */
static inline int waiter_open(struct waiter *w, struct weir_queue *queue, uint32_t events)
{
	int result;

	*w = (struct waiter){ .queue = queue, .events = events };
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	for (int side = 0; side < QUEUE_SIDES; side++) {
		struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET };
		int fd = queue_source_fd(queue, side);

		if (!(events & (side == QUEUE_READER ? WEIR_IN : WEIR_OUT)))
			continue;
		if (epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
			return -errno;
	}
	result = queue_source_begin(queue, events);
	w->begun = test_now();
	return result;
}

static inline void waiter_close(const struct waiter *w)
{
	close(w->epoll);
}

/* Whether there was an edge, within @ms. */
static inline bool waiter_edge(struct waiter *w, int ms)
{
	struct epoll_event events[QUEUE_SIDES];
	bool edge = epoll_wait(w->epoll, events, QUEUE_SIDES, ms) > 0;

	w->edges += edge;
	return edge;
}

/* What is ready, now; 0: it is armed; or an error. */
static inline int waiter_look(struct waiter *w)
{
	uint32_t ready = 0;

	w->looks++;
	w->armed = queue_source_arm(w->queue, w->events, &ready);
	return w->armed < 0 ? w->armed : (int)ready;
}

/* For how long the set would sleep, in ms; -1: until it is told. */
static inline int waiter_nap(const struct waiter *w)
{
	if (test_now() - w->begun < WAITER_BEGIN_NS)
		return 1;
	return w->armed == 1 ? WAITER_LOOK_MS : -1;
}

/* Wait for what is ready; or an error, -ETIMEDOUT: nobody tells. */
static inline int waiter_wait(struct waiter *w)
{
	for (;;) {
		/* Before the look: what it allows for must not end between the two. */
		bool young = test_now() - w->begun < WAITER_BEGIN_NS;
		int ready = waiter_look(w), nap = young ? 1 : waiter_nap(w);

		if (ready != 0)
			return ready;
		if (!waiter_edge(w, nap < 0 ? WAITER_PATIENCE_MS : nap) && nap < 0)
			return -ETIMEDOUT;
	}
}

#endif
