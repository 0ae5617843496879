/* SPDX-License-Identifier: MIT */
#include "ring/backlog.h"

#include "base/clock.h"
#include "ring/conversing.h"

/*
 * Slower streams, in bytes per microsecond, are not worth a trial: about a million messages a
 * second.
 */
#define RATE_MIN	64
/* Windows that are measured without waiting, and then with. */
#define BASE_WINDOWS	4
#define TRIAL_WINDOWS	4
/* Windows of a success that may be no better before it is given up: one can be a hiccup. */
#define DISAPPOINTMENTS_MAX 4
#define PATIENCE_MIN	256
#define PATIENCE_MAX	16384
#define PAUSE_MIN	(1 * NS_PER_MS)
#define PAUSE_MAX	(256 * NS_PER_MS)
#define POLL_TURNS	16

_Thread_local bool conversing_now __attribute__((tls_model("initial-exec")));

static void enter(struct backlog *b, enum backlog_mode mode)
{
	b->mode = mode;
	b->windows = 0;
	b->trial_rates = 0;
	b->disappointments = 0;
	if (mode == BACKLOG_OFF)
		b->base_rate = 0;
}

static void give_up(struct backlog *b, int64_t now)
{
	enter(b, BACKLOG_OFF);
	b->patience = PATIENCE_MIN;
	b->trial_time = now + b->trial_pause;
	if (b->trial_pause < PAUSE_MAX)
		b->trial_pause *= 2;
}

/* Measure without waiting, and if that is still worse, go on for longer. */
static void measure_anew(struct backlog *b)
{
	enter(b, BACKLOG_OFF);
	if (b->patience < PATIENCE_MAX)
		b->patience *= 2;
}

static bool better(const struct backlog *b, uint64_t rate)
{
	return rate > b->base_rate + b->base_rate / 4;
}

/* Without waiting: once enough is known of the rate, and it is a quick one, try with. */
static void judge_off(struct backlog *b, uint64_t rate, int64_t now)
{
	if (rate > b->base_rate)
		b->base_rate = rate;
	if (b->windows < BASE_WINDOWS)
		return;
	if (b->base_rate >= RATE_MIN && now >= b->trial_time)
		enter(b, BACKLOG_TRIAL);
	else
		enter(b, BACKLOG_OFF);
}

static void judge_trial(struct backlog *b, uint64_t rate, int64_t now)
{
	b->trial_rates += rate;
	if (b->windows < TRIAL_WINDOWS)
		return;
	if (!better(b, b->trial_rates / TRIAL_WINDOWS)) {
		give_up(b, now);
		return;
	}
	enter(b, BACKLOG_ON);
	b->trial_pause = PAUSE_MIN;
}

static void judge_on(struct backlog *b, uint64_t rate, int64_t now)
{
	if (!better(b, rate) && ++b->disappointments >= DISAPPOINTMENTS_MAX)
		give_up(b, now);
	else if (b->windows >= b->patience)
		measure_anew(b);
}

/* A window has passed at @rate. */
static void judge(struct backlog *b, uint64_t rate, int64_t now)
{
	b->windows++;
	switch (b->mode) {
	case BACKLOG_OFF:
		judge_off(b, rate, now);
		break;
	case BACKLOG_TRIAL:
		judge_trial(b, rate, now);
		break;
	case BACKLOG_ON:
		judge_on(b, rate, now);
		break;
	case BACKLOG_NEVER:
	case BACKLOG_ALWAYS:
		break;
	}
}

static void close_window(struct backlog *b, uint64_t position)
{
	int64_t now = clock_now();
	int64_t spent = now - b->window_time;
	uint64_t got = position - b->window_start;

	if (b->trial_pause == 0) {
		b->trial_pause = PAUSE_MIN;
		b->patience = PATIENCE_MIN;
	}
	if (spent > 0 && b->window_time != 0)
		judge(b, got * 1000 / (uint64_t)spent, now);
	b->window_start = position;
	b->window_time = now;
}

bool backlog_due_slow(struct backlog *b, uint64_t position, bool conversing)
{
	if (position - b->window_start >= BACKLOG_WINDOW)
		close_window(b, position);
	if (conversing || b->mode == BACKLOG_OFF || b->mode == BACKLOG_NEVER ||
	    position == b->waited_at)
		return false;
	b->waited_at = position;
	return true;
}

void backlog_wait(const struct lane_rx *rx)
{
	uint64_t enough = lane_capacity(&rx->lane) / 2;
	int64_t until = clock_now() + BACKLOG_WAIT_NS;

	do {
		for (int i = 0; i < POLL_TURNS; i++)
			cpu_relax();
	} while (lane_rx_backlog(rx) < enough && clock_now() < until);
}
