/* SPDX-License-Identifier: MIT */
#include "ring/backlog.h"

#include "base/clock.h"

#define WAIT_NS		(6 * NS_PER_US)
/*
 * Slower streams, in bytes per microsecond, are not worth a trial: about a million messages a
 * second.
 */
#define RATE_MIN	64
/* Windows that a trial takes, and after which a success is measured anew without waiting. */
#define TRIAL_WINDOWS	4
#define ON_WINDOWS	8192
#define PAUSE_MIN	(1 * NS_PER_MS)
#define PAUSE_MAX	(256 * NS_PER_MS)
#define POLL_TURNS	16

static void enter(struct backlog *b, enum backlog_mode mode)
{
	b->mode = mode;
	b->windows = 0;
}

static void give_up(struct backlog *b, int64_t now)
{
	enter(b, BACKLOG_OFF);
	b->trial_time = now + b->trial_pause;
	if (b->trial_pause < PAUSE_MAX)
		b->trial_pause *= 2;
}

/* A window has passed at @rate. */
static void judge(struct backlog *b, uint64_t rate, int64_t now)
{
	bool better = rate > b->base_rate + b->base_rate / 4;

	b->windows++;
	switch (b->mode) {
	case BACKLOG_OFF:
		if (rate >= RATE_MIN && now >= b->trial_time) {
			b->base_rate = rate;
			enter(b, BACKLOG_TRIAL);
		}
		break;
	case BACKLOG_TRIAL:
		if (b->windows < TRIAL_WINDOWS)
			break;
		if (better) {
			enter(b, BACKLOG_ON);
			b->trial_pause = PAUSE_MIN;
		} else {
			give_up(b, now);
		}
		break;
	case BACKLOG_ON:
		if (!better)
			give_up(b, now);
		else if (b->windows >= ON_WINDOWS)
			enter(b, BACKLOG_OFF);
		break;
	case BACKLOG_NEVER:
	case BACKLOG_ALWAYS:
		break;
	}
}

static void close_window(struct backlog *b, const struct lane_rx *rx)
{
	int64_t now = clock_now();
	int64_t spent = now - b->window_time;
	uint64_t got = rx->head - b->window_start;

	if (b->trial_pause == 0)
		b->trial_pause = PAUSE_MIN;
	if (spent > 0)
		judge(b, got * 1000 / (uint64_t)spent, now);
	b->window_start = rx->head;
	b->window_time = now;
}

static void wait_for_backlog(const struct lane_rx *rx)
{
	uint64_t enough = lane_capacity(&rx->lane) / 2;
	int64_t until = clock_now() + WAIT_NS;

	do {
		for (int i = 0; i < POLL_TURNS; i++)
			cpu_relax();
	} while (lane_rx_backlog(rx) < enough && clock_now() < until);
}

bool backlog_dry_slow(struct backlog *b, const struct lane_rx *rx, bool conversing)
{
	if (rx->head - b->window_start >= BACKLOG_WINDOW)
		close_window(b, rx);
	if (conversing || b->mode == BACKLOG_OFF || b->mode == BACKLOG_NEVER ||
	    rx->head == b->waited_at)
		return false;
	wait_for_backlog(rx);
	b->waited_at = rx->head;
	return true;
}
