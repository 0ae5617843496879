/* SPDX-License-Identifier: MIT */
/*
 * Letting a backlog build: a reader right behind its writer takes cache lines that are about to be
 * written, and both crawl. A reader that runs dry in a stream therefore waits a few microseconds,
 * so that the two are some distance apart, and the stream is two to four times as fast.
 *
 * Whether it helps is measured, not guessed. The reader counts what it gets in windows; when a
 * quick stream runs dry again and again it tries waiting for some windows, keeps it up if
 * the rate has risen by a quarter, and otherwise leaves it for a time that doubles with each
 * failure. What it has risen above is measured anew now and then. A stream that is not limited by
 * the lane gains nothing and so pays next to nothing.
 *
 * Never in a conversation (the thread has sent something since it last received), never twice
 * without having received something in between, never longer than 6 us.
 */
#ifndef WEIR_RING_BACKLOG_H
#define WEIR_RING_BACKLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cc.h"
#include "ring/lane.h"

enum backlog_mode {
	BACKLOG_OFF,		/* watching the rate */
	BACKLOG_TRIAL,		/* waiting, to see what it gives */
	BACKLOG_ON,		/* waiting, because it gave something */
	BACKLOG_NEVER,		/* the user wants latency */
	BACKLOG_ALWAYS,		/* the user wants throughput */
};

struct backlog {
	enum backlog_mode mode;
	uint32_t windows;	/* measured in this mode */
	uint32_t disappointments;	/* of them, in a success, that were no better */
	uint32_t patience;	/* windows after which a success is measured anew without waiting */
	uint64_t window_start;	/* position where the window began */
	uint64_t waited_at;	/* position at the last wait: no second wait there */
	int64_t window_time;
	int64_t trial_time;	/* no trial before */
	int64_t trial_pause;	/* how long after a failed trial */
	uint64_t base_rate;	/* without waiting, bytes per microsecond: the best window since */
	uint64_t trial_rates;	/* with waiting, sum over the windows of the trial */
};

#define BACKLOG_WINDOW	(UINT64_C(32) << 10)
#define BACKLOG_WAIT_NS	INT64_C(6000)

/*
 * The reader, at @position in bytes, has slept: what it received around that says nothing of the
 * stream's rate.
 */
static inline void backlog_restart_at(struct backlog *b, uint64_t position)
{
	b->window_start = position;
	b->window_time = 0;
}

bool backlog_due_slow(struct backlog *b, uint64_t position, bool conversing);

/*
 * The reader has found nothing at @position: whether it is good to wait now, for BACKLOG_WAIT_NS at
 * most.
 */
static ALWAYS_INLINE bool backlog_due(struct backlog *b, uint64_t position, bool conversing)
{
	if (likely((b->mode == BACKLOG_OFF || position == b->waited_at) &&
		   position - b->window_start < BACKLOG_WINDOW))
		return false;
	return backlog_due_slow(b, position, conversing);
}

/* For a lane. */
static inline void backlog_restart(struct backlog *b, const struct lane_rx *rx)
{
	backlog_restart_at(b, rx->head);
}

void backlog_wait(const struct lane_rx *rx);

/* The same, and wait. True if it has waited, so that a look is due. */
static ALWAYS_INLINE bool backlog_dry(struct backlog *b, const struct lane_rx *rx, bool conversing)
{
	if (likely(!backlog_due(b, rx->head, conversing)))
		return false;
	backlog_wait(rx);
	return true;
}

#endif
