/* SPDX-License-Identifier: MIT */
/*
 * What the tests of wait sets share. Each case is played with both engines: where io_uring is not
 * to be had it is epoll twice.
 *
 * Nothing here asserts, so children may use all of it.
 */
#ifndef WEIR_TESTS_WAITSET_TOOLS_H
#define WEIR_TESTS_WAITSET_TOOLS_H

#include <errno.h>

#include "base/cc.h"
#include "pipe-tools.h"
#include "queue-tools.h"
#include "weir.h"

#define BOTH	(WEIR_IN | WEIR_OUT)

static const uint32_t engines[] = { WEIR_ENGINE_EPOLL, WEIR_ENGINE_URING };

#define ENGINES ((int)(sizeof(engines) / sizeof(engines[0])))

static inline struct weir_waitset *waitset_new(uint32_t engine)
{
	struct weir_waitset_options options = { .size = sizeof(options), .engine = engine };
	struct weir_waitset *set = NULL;

	return weir_waitset(&set, &options) == 0 ? set : NULL;
}

/* The events of the only source that is reported, as @ret says; or an error. */
static inline int wait_one(struct weir_waitset *set, int64_t deadline, struct weir_event *ret)
{
	struct weir_event events[2] = { 0 };
	int n = weir_waitset_wait(set, events, 2, 0, deadline);

	*ret = events[0];
	if (n == 2)
		return -E2BIG;
	return n == 1 ? (int)events[0].events : n;
}

/* The same without waiting, and of which source does not matter. */
static inline int events_now(struct weir_waitset *set)
{
	struct weir_event event;

	return wait_one(set, 0, &event);
}

static inline int events_soon(struct weir_waitset *set)
{
	struct weir_event event;

	return wait_one(set, soon(), &event);
}

static inline uint64_t source_of_pipe(struct weir_waitset *set, struct weir_end *end,
				      uint32_t events)
{
	uint64_t source = 0;

	return weir_waitset_add_pipe(set, end, events, end, &source) == 0 ? source : 0;
}

static inline uint64_t source_of_queue(struct weir_waitset *set, struct weir_queue *q,
				       uint32_t events)
{
	uint64_t source = 0;

	return weir_waitset_add_queue(set, q, events, q, &source) == 0 ? source : 0;
}

static inline uint64_t source_of_fd(struct weir_waitset *set, int fd, uint32_t events)
{
	uint64_t source = 0;

	return weir_waitset_add_fd(set, fd, events, NULL, &source) == 0 ? source : 0;
}

static inline struct weir_waitset_stat waitset_stat(struct weir_waitset *set)
{
	struct weir_waitset_stat st = { .size = sizeof(st) };

	if (weir_waitset_stat(set, &st) < 0)
		memset(&st, 0xff, sizeof(st));
	return st;
}

/* What a process makes once, and keeps, is made: before resources_begin(). */
static inline void waitset_warm_up(void)
{
	struct weir_waitset *set = waitset_new(WEIR_ENGINE_AUTO);
	struct weir_queue *q = queue_new(0, 0, 0);
	struct weir_event event;

	if (set && q && source_of_queue(set, q, WEIR_IN) != 0)
		wait_one(set, 0, &event);
	weir_waitset_close(set);
	weir_queue_close(q);
}

/* Add @t to @s once for each engine: @engine is set before its fixtures run. */
#define WAITSET_CASES(s, add) \
	do { \
		for (int engine_ = 0; engine_ < ENGINES; engine_++) \
			suite_add_tcase(s, add(engine_)); \
	} while (0)

#endif
