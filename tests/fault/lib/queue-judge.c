/* SPDX-License-Identifier: MIT */
/* What must hold of a queue when somebody has died, or stands still, in the middle of a call. */
#include "fault/lib/queue-world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LOT		700U
#define NOTICE_LIMIT	INT64_C(1000000000)
#define SMALLEST	16U
#define SIZES		23U
#define ROW_EVERY	500U

static void note(struct qworld *w, const struct weir_taken *t)
{
	const char *wrong = qworld_note(w, t->data, t->size, t->times);

	if (wrong)
		scene_fail("%s", wrong);
}

static void release(struct qworld *w, const struct weir_taken *t)
{
	if (weir_queue_release(w->queue, t) != 0)
		scene_fail("what was taken cannot be released");
}

/* One: 0, or what the call says. */
static int take_one(struct qworld *w, int64_t deadline)
{
	struct weir_taken t;
	int result = weir_queue_take(w->queue, WEIR_NOSPIN, deadline, &t);

	if (result < 0)
		return result;
	note(w, &t);
	release(w, &t);
	return 0;
}

/* All there is: -EAGAIN, or -EPIPE if it has ended. */
static int drain(struct qworld *w)
{
	int result;

	do
		result = take_one(w, 0);
	while (result == 0);
	if (result != -EAGAIN && result != -EPIPE)
		scene_fail("a take says %d", result);
	return result;
}

static void release_ours(struct qworld *w)
{
	uint32_t disorder = w->disorder;

	for (uint32_t i = 0; i < w->ours_count; i++) {
		note(w, &w->ours[i]);
		release(w, &w->ours[i]);
	}
	w->ours_count = 0;
	w->disorder = disorder;
}

/*
 * The ledger
 */

/* How many the dead one may have been given, or released, without having said so. */
static uint32_t in_its_hand(const struct qworld *w)
{
	const struct qledger *l = w->ledger;
	uint32_t count = l->reading;

	for (int k = 0; k < QW_COUNT; k++)
		for (uint32_t i = 0; i < l->tried[k]; i++)
			count += (l->fate[k][i] & (Q_ENDING | Q_OUT)) == Q_ENDING;
	return count;
}

static uint32_t missing(const struct qworld *w)
{
	const struct qledger *l = w->ledger;
	uint32_t count = l->zero_done > l->zero_out ? l->zero_done - l->zero_out : 0;

	for (int k = 0; k < QW_COUNT; k++)
		for (uint32_t i = 0; i < l->done[k]; i++)
			count += !(l->fate[k][i] & Q_OUT);
	return count;
}

/* How many may be missing when the dead one's are there. */
static uint32_t may_be_missing(const struct qworld *w)
{
	struct weir_queue_stat stat = { .size = sizeof(stat) };

	if (weir_queue_stat(w->queue, &stat) != 0)
		scene_fail("no counters");
	if (!(w->state->flags & WEIR_QUEUE_DROP))
		return in_its_hand(w);
	return in_its_hand(w) + (uint32_t)stat.drops + w->act->drops;
}

static void look_for_lost(const struct qworld *w)
{
	const struct qledger *l = w->ledger;
	uint32_t lost = missing(w), may = may_be_missing(w);

	if (lost > may && !w->act->lossy)
		scene_fail("%u messages are lost, and may be %u", lost, may);
	/* Of those that were on their way the first came, or none. */
	for (int k = 0; k < QW_COUNT && !w->act->lossy; k++)
		for (uint32_t i = l->done[k] + 1; i < l->tried[k]; i++)
			if ((l->fate[k][i] & Q_OUT) && !(l->fate[k][i - 1] & Q_OUT))
				scene_fail("a message came, and not the one before it");
}

/*
 * Going on
 */

static void cycle(struct qworld *w)
{
	uint64_t max = w->queue->store.geometry.max_items;
	uint32_t lot = max > 0 && max < LOT ? (uint32_t)max : LOT;

	for (uint32_t n = 0; n < QWORLD_CYCLE; n += lot) {
		for (uint32_t i = 0; i < lot; i++) {
			size_t size = (n + i) % ROW_EVERY == 0 ? qworld_row_size(w)
						       : SMALLEST + 8 * ((n + i) % SIZES);
			int result = qworld_put(w, QW_US, size, 0);

			if (result != 0)
				scene_fail("a put into a queue that has room says %d", result);
		}
		if (drain(w) != -EAGAIN)
			scene_fail("it has ended");
	}
}

/*
 * Leaks
 */

static uint32_t seats_used(struct qworld *w)
{
	struct store *s = &w->queue->store;
	uint32_t used = 0;

	for (uint32_t i = 1; i <= s->control->seat_top; i++)
		used += (store_seat(s, i)->name.low & PARTY_STATE) == PARTY_USED;
	return used;
}

static void look_at_frames(struct qworld *w)
{
	struct store *s = &w->queue->store;
	uint32_t live = 0;

	for (uint32_t i = 0; i < s->control->frame_top; i++) {
		uint64_t word = store_frame(s, i)->word;

		if ((word & FRAME_STATE) == FRAME_HELD)
			scene_fail("frame %u is held by seat %u", i, FRAME_SEAT(word));
		live += (word & FRAME_STATE) == FRAME_LIVE;
	}
	if (live != 1)
		scene_fail("%u segments are left", live);
}

static void look_at_chunks(struct qworld *w, const struct queue_seat *s)
{
	static const char *const names[] = { "free", "filling", "sealed", "part" };
	struct store *store = &w->queue->store;

	for (uint32_t i = 0; i < store->control->chunk_top && i < store->geometry.chunks; i++) {
		uint64_t word = store_chunk(store, i)->words.low;

		if ((word & CHUNK_STATE) != CHUNK_FREE && i != s->purse.chunk)
			scene_fail("chunk %u is left %s, by seat %u", i, names[word & CHUNK_STATE],
				   CHUNK_SEAT(word));
	}
}

void qworld_look_for_leaks(struct qworld *w)
{
	struct weir_queue_stat stat = { .size = sizeof(stat) };
	struct queue_seat *s = NULL;

	if (queue_sit(w->queue, &s) != 0 || !s)
		scene_fail("no seat");
	frame_sweep(&s->tape);
	chunk_sweep(&s->tape);
	look_at_frames(w);
	look_at_chunks(w, s);
	queue_rise(s);
	if (seats_used(w) != 1)
		scene_fail("%u seats are used", seats_used(w));
	if (weir_queue_stat(w->queue, &stat) != 0 || stat.items != 0 || stat.taken != 0)
		scene_fail("%" PRIu64 " messages are left and %" PRIu64 " taken", stat.items,
			   stat.taken);
	if (stat.sleepers != 0 || stat.users != 1)
		scene_fail("users that are none");
}

/*
 * The judge
 */

/* Without looking for the dead ourselves: a sleeper does, in time. */
static void wait_for_the_rest(struct qworld *w)
{
	while (missing(w) > may_be_missing(w)) {
		int result = take_one(w, w->died + NOTICE_LIMIT);

		if (result != 0)
			scene_fail("waiting for what the dead one had: %d", result);
		w->noticed_ns = test_now() - w->died;
	}
}

void qworld_judge_dead(struct qworld *w, bool waits)
{
	/* What it was given, or was dropping. */
	bool may_come_late = w->ledger->reading > 0 || w->act->drops > 0;
	int result;

	if (waits) {
		result = drain(w);
		release_ours(w);
		if (result == -EAGAIN && !w->act->lossy)
			wait_for_the_rest(w);
	}
	queue_mend_all(w->queue);
	if (queue_mend_all(w->queue) != 0)
		scene_fail("the dead are still there");
	result = drain(w);
	release_ours(w);
	look_for_lost(w);
	if (w->disorder > (waits && may_come_late ? 1 : 0))
		scene_fail("%u messages out of order", w->disorder);
	if (result == -EAGAIN) {
		cycle(w);
		look_for_lost(w);
	} else {
		result = weir_queue_put(w->queue, "x", 1, 0, 0);
		if (result != -EPIPE)
			scene_fail("a put behind the end says %d", result);
	}
	qworld_look_for_leaks(w);
}

void qworld_judge_meanwhile(struct qworld *w)
{
	uint64_t deaths = w->queue->store.control->deaths;
	uint32_t used = seats_used(w);
	int result = drain(w);

	if (!w->act->needs_dead && !w->state->dead && queue_mend_all(w->queue) != 0)
		scene_fail("one that stands still is taken for dead");
	if (result == -EAGAIN)
		cycle(w);
	if (!w->act->needs_dead && !w->state->dead &&
	    (w->queue->store.control->deaths != deaths || seats_used(w) != used))
		scene_fail("one that stands still is taken for dead");
}
