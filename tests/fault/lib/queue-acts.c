/* SPDX-License-Identifier: MIT */
/* The states in which a queue is found, and what the victim does to it. */
#include "fault/lib/queue-world.h"

#define SMALL		24
#define BATCH		5
#define MANY_SEGMENTS	34
#define SEGMENT		QUEUE_SLOTS
#define LAST_NUMBER	((UINT64_C(1) << NUMBER_BITS) - 1)

const struct qstate qstates[] = {
	{ .name = "fresh" },
	{ .name = "one message", .fill = 1 },
	{ .name = "empty, used", .through = 300 },
	{ .name = "many small", .fill = 200 },
	{ .name = "one slot left", .fill = SEGMENT - 1 },
	{ .name = "a full segment", .fill = SEGMENT },
	{ .name = "a full segment, one left", .fill = SEGMENT, .gotten = SEGMENT - 1 },
	{ .name = "one slot left, empty", .through = SEGMENT - 1 },
	{ .name = "a used segment, empty", .through = SEGMENT },
	{ .name = "several segments", .fill = 2 * SEGMENT + 900 },
	{ .name = "at a boundary in several", .fill = 3 * SEGMENT, .gotten = SEGMENT - 1 },
	{ .name = "frames used again", .through = 4 * SEGMENT + 1000, .fill = 100 },
	{ .name = "many chunks", .fill = 40, .size = 2048 },
	{ .name = "chunk boundary", .fill = 18, .size = 4096 },
	{ .name = "rows", .fill = 1, .rows = 3 },
	{ .name = "a row first", .rows = 2 },
	{ .name = "much memory is free", .max_bytes = UINT64_C(64) << 20, .rows_through = 7,
	  .rows = 3,
	  .slow = true },
	{ .name = "empty ones", .zeros = 3, .fill = 2 },
	{ .name = "a dead taker", .fill = 10, .dead = true },
	{ .name = "given back", .fill = 10, .dead = true, .requeued = true },
	{ .name = "given back, the head far on", .fill = 2 * SEGMENT, .gotten = SEGMENT - 2,
	  .dead = true, .requeued = true },
	{ .name = "we hold some of many segments", .ours = MANY_SEGMENTS, .fill = 3 },
	{ .name = "many frames are free", .fill = 20 * SEGMENT, .gotten = 19 * SEGMENT - 1 },
	{ .name = "bounded", .max_items = 8, .through = 100, .fill = 4 },
	{ .name = "bounded, full", .max_items = 8, .fill = 8 },
	{ .name = "drops, full", .max_items = 8, .flags = WEIR_QUEUE_DROP, .fill = 8 },
	{ .name = "drops, full at a boundary", .max_items = 8, .flags = WEIR_QUEUE_DROP,
	  .through = SEGMENT - 8, .fill = 8 },
	{ .name = "small memory", .max_bytes = UINT64_C(1) << 20, .fill = 100 },
	{ .name = "large chunks", .max_bytes = UINT64_C(64) << 20, .fill = 3, .rows = 2,
	  .slow = true },
	{ .name = "small memory, used up", .max_bytes = UINT64_C(1) << 20, .stuffed = true,
	  .slow = true },
	{ .name = "ended", .through = 10, .ended = true },
	{ .name = "ended, three left", .fill = 3, .ended = true },
	{ .name = "numbers about to wrap", .first = LAST_NUMBER - 1, .through = SEGMENT + 1000,
	  .fill = 23 },
	{ .name = "numbers wrap here", .first = LAST_NUMBER, .fill = SEGMENT },
	{ .name = "numbers have wrapped", .first = LAST_NUMBER, .through = SEGMENT,
	  .fill = SEGMENT },
};

const size_t qstate_count = sizeof(qstates) / sizeof(qstates[0]);

/*
 * Warming up
 */

/* The chunk that it fills is full. */
static void fill_chunk(struct qworld *w)
{
	for (int i = 0; i < 4; i++)
		qworld_put(w, QW_VICTIM, qworld_chunk_size(w) / 4, 0);
}

static void put_two(struct qworld *w)
{
	qworld_put(w, QW_VICTIM, SMALL, 0);
	qworld_put(w, QW_VICTIM, SMALL, 0);
}

/* Up to the last slot of a segment. */
static void put_to_the_end(struct qworld *w)
{
	struct queue_seat *s;

	put_two(w);
	if (queue_sit(w->queue, &s) < 0)
		return;
	queue_rise(s);
	while (s->tape.put.slot != s->tape.put.end && qworld_put(w, QW_VICTIM, SMALL, 0) == 0)
		;
}

static void get_to_the_end(struct qworld *w)
{
	struct queue_seat *s;

	if (queue_sit(w->queue, &s) < 0)
		return;
	queue_rise(s);
	while (s->tape.get.end - s->tape.get.slot > 1 && qworld_get(w, 0) == 0)
		;
}

static void get_some(struct qworld *w)
{
	for (int i = 0; i < 2 * (int)CHUNKS_SEEN && qworld_get(w, 0) == 0; i++)
		;
}

static void hold_two(struct qworld *w)
{
	qworld_hold(w, 0);
	qworld_hold(w, 0);
}

/* More frames than there are places for in a seat. */
static void hold_many(struct qworld *w)
{
	for (int i = 0; i < MANY_SEGMENTS; i++) {
		if (qworld_put(w, QW_VICTIM, SMALL, 0) < 0 || qworld_hold(w, 0) < 0)
			return;
		for (uint32_t k = 0; k < SEGMENT - 1; k++)
			if (qworld_put(w, QW_VICTIM, SMALL, 0) < 0 || qworld_get(w, 0) < 0)
				return;
	}
}

static void claim_one(struct qworld *w)
{
	if (weir_queue_claim(w->queue, SMALL, 0, 0, &w->claim) != 0)
		w->claim = NULL;
}

static void claim_row(struct qworld *w)
{
	put_two(w);
	if (weir_queue_claim(w->queue, qworld_row_size(w), 0, 0, &w->claim) != 0)
		w->claim = NULL;
}

/*
 * Acts
 */

static void put_small(struct qworld *w)
{
	qworld_put(w, QW_VICTIM, SMALL, 0);
}

static void put_three(struct qworld *w)
{
	for (int i = 0; i < 3; i++)
		qworld_put(w, QW_VICTIM, SMALL, 0);
}

static void put_row(struct qworld *w)
{
	qworld_put(w, QW_VICTIM, qworld_row_size(w), 0);
}

static void put_zero(struct qworld *w)
{
	qworld_put(w, QW_VICTIM, 0, 0);
}

static void put_batch(struct qworld *w)
{
	static uint8_t bytes[BATCH][64] __attribute__((aligned(8)));
	struct weir_msg m[BATCH] = { 0 };
	struct qledger *l = w->ledger;
	uint32_t seq = l->tried[QW_VICTIM];
	int result;

	for (uint32_t i = 0; i < BATCH; i++) {
		m[i].data = bytes[i];
		m[i].size = SMALL + 8 * i;
		qworld_fill(w, QW_VICTIM, seq + i, bytes[i], m[i].size);
	}
	l->tried[QW_VICTIM] = seq + BATCH;
	result = weir_queue_put_batch(w->queue, m, BATCH, 0, 0);
	if (result < 0)
		result = 0;
	l->done[QW_VICTIM] = seq + (uint32_t)result;
	l->tried[QW_VICTIM] = seq + (uint32_t)result;
}

static void get_one(struct qworld *w)
{
	qworld_get(w, 0);
}

static void get_three(struct qworld *w)
{
	for (int i = 0; i < 3; i++)
		qworld_get(w, 0);
}

static void get_batch(struct qworld *w)
{
	struct weir_msg m[BATCH] = { 0 };
	size_t room = (size_t)256 << 10;
	int result;

	for (size_t i = 0; i < BATCH; i++) {
		m[i].data = w->buffer + i * room;
		m[i].room = room;
	}
	w->ledger->reading = BATCH;
	result = weir_queue_get_batch(w->queue, m, BATCH, 0, 0);
	for (int i = 0; i < result; i++) {
		const char *wrong = qworld_note(w, m[i].data, m[i].size, QW_NOT_TOLD);

		if (wrong)
			child_fail(__FILE__, __LINE__, wrong);
		w->ledger->reading--;
	}
	w->ledger->reading = 0;
}

static void commit(struct qworld *w)
{
	struct qledger *l = w->ledger;
	uint32_t seq = l->tried[QW_VICTIM];
	int result;

	if (!w->claim)
		return;
	qworld_fill(w, QW_VICTIM, seq, w->claim, SMALL);
	l->tried[QW_VICTIM] = seq + 1;
	result = weir_queue_commit(w->queue, SMALL, 0, 0);
	if (result == 0)
		l->done[QW_VICTIM] = seq + 1;
	else
		l->tried[QW_VICTIM] = seq;
	w->claim = NULL;
}

static void claim_and_commit(struct qworld *w)
{
	claim_one(w);
	commit(w);
}

static void give_up(struct qworld *w)
{
	if (w->claim)
		weir_queue_abort(w->queue);
	w->claim = NULL;
}

static void claim_row_and_abort(struct qworld *w)
{
	if (weir_queue_claim(w->queue, qworld_row_size(w), 0, 0, &w->claim) == 0)
		weir_queue_abort(w->queue);
}

static void take_one(struct qworld *w)
{
	qworld_hold(w, 0);
}

static void release_one(struct qworld *w)
{
	if (w->held_count > 0)
		qworld_let_go(w, false);
}

static void return_one(struct qworld *w)
{
	if (w->held_count > 0)
		qworld_let_go(w, true);
}

static void take_and_release(struct qworld *w)
{
	take_one(w);
	release_one(w);
}

static void shut_down(struct qworld *w)
{
	weir_queue_shutdown(w->queue, 0);
}

static void shut_down_now(struct qworld *w)
{
	weir_queue_shutdown(w->queue, WEIR_QUEUE_NOW);
}

static void close_it(struct qworld *w)
{
	weir_queue_close(w->queue);
}

static void mend(struct qworld *w)
{
	queue_mend_all(w->queue);
}

static void sweep(struct qworld *w)
{
	struct queue_seat *s;

	if (queue_sit(w->queue, &s) < 0)
		return;
	chunk_sweep(&s->tape);
	queue_rise(s);
}

/* The first call of a process. */
static void attach(struct qworld *w)
{
	size_t size;

	weir_queue_peek(w->queue, &size);
}

const struct qact qacts[] = {
	{ .name = "put", .warm = put_two, .run = put_small, .drops = 1 },
	{ .name = "put, first", .run = put_small, .drops = 1 },
	{ .name = "put of a row", .warm = put_two, .run = put_row, .drops = 64 },
	{ .name = "put of nothing", .warm = put_two, .run = put_zero, .drops = 1 },
	{ .name = "put at the end of a segment", .warm = put_to_the_end, .run = put_three,
	  .drops = 1 },
	{ .name = "put at the end of a chunk", .warm = fill_chunk, .run = put_small, .drops = 1 },
	{ .name = "put_batch", .warm = put_two, .run = put_batch, .drops = 1 },
	{ .name = "get", .warm = get_one, .run = get_one },
	{ .name = "get, three", .run = get_three },
	{ .name = "get_batch", .run = get_batch },
	{ .name = "get at the end of a segment", .warm = get_to_the_end, .run = get_three },
	{ .name = "get from another chunk", .warm = get_some, .run = get_three },
	{ .name = "claim and commit", .warm = put_two, .run = claim_and_commit, .drops = 1 },
	{ .name = "commit in a row", .warm = claim_row, .run = commit, .drops = 1 },
	{ .name = "claim of a row and abort", .run = claim_row_and_abort, .drops = 64 },
	{ .name = "abort", .warm = claim_row, .run = give_up },
	{ .name = "take", .run = take_one },
	{ .name = "take and release", .warm = hold_two, .run = take_and_release },
	{ .name = "release", .warm = hold_two, .run = release_one },
	{ .name = "return", .warm = hold_two, .run = return_one },
	{ .name = "take with many", .warm = hold_many, .run = take_one },
	{ .name = "release of one of many", .warm = hold_many, .run = release_one },
	{ .name = "shutdown", .run = shut_down },
	{ .name = "shutdown now", .run = shut_down_now, .lossy = true },
	{ .name = "the first call", .run = attach, .first = true },
	{ .name = "the first call, put", .run = put_small, .first = true, .drops = 1 },
	{ .name = "close", .warm = hold_two, .run = close_it },
	{ .name = "close with many", .warm = hold_many, .run = close_it, .slow = true },
	{ .name = "close with a claim", .warm = claim_row, .run = close_it },
	{ .name = "cleaning up", .run = mend, .needs_dead = true },
	{ .name = "cleaning up with much in hand", .warm = claim_row, .run = mend,
	  .needs_dead = true },
	{ .name = "sweeping", .run = sweep },
};

const size_t qact_count = sizeof(qacts) / sizeof(qacts[0]);
