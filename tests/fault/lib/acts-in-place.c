/* SPDX-License-Identifier: MIT */
/* As acts.c: messages written and read where they lie, and such as are larger than the ring. */
#include "fault/lib/scene.h"

#include <errno.h>
#include <string.h>

#define SHORT_NS INT64_C(1500000)
/* Longer than one ring, shorter than two: its sender sleeps once if nobody receives meanwhile. */
#define LARGE	6000

/*
 * Claim, commit, abort
 */

static uint8_t *claim(struct world *w, size_t size)
{
	void *data;

	child_check(weir_pipe_claim(w->ends[1], size, WEIR_NOSPIN, FOREVER, &data) == 0);
	return data;
}

static void commit_next(struct world *w, uint32_t i, size_t claimed, uint32_t flags)
{
	const struct weir_msg *m = &w->messages[i];

	say(&w->ledger->attempted, w->ledger->attempted + 1);
	memcpy(claim(w, claimed), m->data, m->size);
	child_check(weir_pipe_commit(w->ends[1], m->size, flags) == 0);
	if (!(flags & WEIR_MORE))
		say(&w->ledger->completed, w->ledger->attempted);
}

static void run_commit(struct world *w)
{
	commit_next(w, 0, w->scene->act->size, 0);
}

static void run_commit_less(struct world *w)
{
	commit_next(w, 0, w->scene->act->size + 500, 0);
}

static void run_commit_three(struct world *w)
{
	for (uint32_t i = 0; i < 3; i++)
		commit_next(w, i, w->scene->act->size, 0);
}

static void run_commit_more(struct world *w)
{
	commit_next(w, 0, w->scene->act->size, WEIR_MORE);
	commit_next(w, 1, w->scene->act->size + 100, WEIR_MORE);
	commit_next(w, 2, w->scene->act->size, 0);
}

/* What would be taken for records, if anybody looked. */
static void write_rubbish(uint8_t *at, size_t size)
{
	uint64_t record = RECORD_MARK | 8;

	for (size_t i = 0; i + sizeof(record) <= size; i += sizeof(record))
		memcpy(at + i, &record, sizeof(record));
}

static void run_abort(struct world *w)
{
	write_rubbish(claim(w, 400), 400);
	child_check(weir_pipe_abort(w->ends[1]) == 0);
	commit_next(w, 0, w->scene->act->size, 0);
}

static void run_claim_close(struct world *w)
{
	write_rubbish(claim(w, 400), 400);
	weir_pipe_close(w->ends[1]);
	w->closed = true;
	say(&w->ledger->completed, w->ledger->attempted);
}

/*
 * Take, release. Until the oldest is released nothing has been received.
 */

#define TAKEN_MAX 3

static void take(struct world *w, uint32_t i, const void **ret_data)
{
	size_t size;

	child_check(weir_pipe_take(w->ends[0], WEIR_NOSPIN, FOREVER, ret_data, &size) == 0);
	child_check(size == w->scene->act->size);
	child_check(*(const uint32_t *)*ret_data == w->ledger->reported + i);
}

/* The oldest, behind which @count are done with when it is released. */
static void release_oldest(struct world *w, const void *data, uint32_t count)
{
	say(&w->ledger->wanted, count);
	child_check(weir_pipe_release(w->ends[0], data) == 0);
	say(&w->ledger->reported, w->ledger->reported + count);
	say(&w->ledger->wanted, 0);
}

static void run_take(struct world *w)
{
	const void *data;

	take(w, 0, &data);
	release_oldest(w, data, 1);
}

static void run_take_in_order(struct world *w)
{
	const void *data[TAKEN_MAX];

	for (uint32_t i = 0; i < TAKEN_MAX; i++)
		take(w, i, &data[i]);
	for (uint32_t i = 0; i < TAKEN_MAX; i++)
		release_oldest(w, data[i], 1);
}

static void run_take_backwards(struct world *w)
{
	const void *data[TAKEN_MAX];

	for (uint32_t i = 0; i < TAKEN_MAX; i++)
		take(w, i, &data[i]);
	for (uint32_t i = TAKEN_MAX - 1; i > 0; i--)
		child_check(weir_pipe_release(w->ends[0], data[i]) == 0);
	release_oldest(w, data[0], TAKEN_MAX);
}

static void run_take_batch(struct world *w)
{
	struct weir_msg m[12];
	int got = weir_pipe_take_batch(w->ends[0], m, w->scene->act->count, WEIR_NOSPIN, FOREVER);

	child_check(got > 0);
	release_oldest(w, NULL, (uint32_t)got);
}

/* One is copied out behind one that is taken. */
static void run_take_recv(struct world *w)
{
	uint8_t buffer[64];
	const void *data;

	take(w, 0, &data);
	child_check(weir_pipe_recv(w->ends[0], buffer, sizeof(buffer), 0, FOREVER, NULL) == 0);
	release_oldest(w, data, 2);
}

static void run_take_until_dry(struct world *w)
{
	const void *data;
	size_t size;
	int result;

	do {
		result = weir_pipe_take(w->ends[0], 0, 0, &data, &size);
		if (result == 0)
			release_oldest(w, data, 1);
	} while (result == 0);
	/* The latter if it was stopped meanwhile. */
	child_check(result == -EAGAIN || result == -EPIPE);
}

static void run_take_close(struct world *w)
{
	const void *data;

	take(w, 0, &data);
	weir_pipe_close(w->ends[0]);
	w->closed = true;
}

/*
 * Larger than the ring
 */

static void run_send_large(struct world *w)
{
	const struct weir_msg *m = &w->messages[0];

	say(&w->ledger->attempted, w->ledger->attempted + 1);
	child_check(weir_pipe_send(w->ends[1], m->data, m->size, WEIR_NOSPIN, FOREVER) == 0);
	say(&w->ledger->completed, w->ledger->attempted);
}

/* Nobody receives; what has been sent of it is not to be, and what comes then is. */
static void run_give_up_large(struct world *w)
{
	const struct weir_msg *m = &w->messages[0];
	struct weir_msg next = w->messages[0];
	uint8_t small[24];
	int result;

	say(&w->ledger->attempted, w->ledger->attempted + 1);
	result = weir_pipe_send(w->ends[1], m->data, m->size, WEIR_NOSPIN, test_now() + SHORT_NS);
	child_check(result == -ETIMEDOUT || result == 0);
	if (result == -ETIMEDOUT) {
		scene_fill(small, w->ledger->attempted - 1, sizeof(small));
		next = (struct weir_msg){ small, sizeof(small), 0 };
		child_check(weir_pipe_send(w->ends[1], next.data, next.size, WEIR_NOSPIN,
					   FOREVER) == 0);
	}
	say(&w->ledger->completed, w->ledger->attempted);
}

/* From its first piece on it is this process's, and goes down with it. */
static void run_recv_large(struct world *w)
{
	struct weir_msg *m = &w->messages[0];

	say(&w->ledger->wanted, 1);
	child_check(weir_pipe_recv(w->ends[0], m->data, m->room, WEIR_NOSPIN, FOREVER, &m->size) ==
		    0);
	w->last = m;
	child_check(*(const uint32_t *)m->data == w->ledger->reported);
	say(&w->ledger->reported, w->ledger->reported + 1);
	say(&w->ledger->wanted, 0);
}

/* In calls that return half-way. */
static void run_recv_large_by_and_by(struct world *w)
{
	struct weir_msg *m = &w->messages[0];
	int result;

	say(&w->ledger->wanted, 1);
	do {
		result = weir_pipe_recv(w->ends[0], m->data, m->room, 0, 0, &m->size);
		child_check(result == 0 || result == -EAGAIN);
	} while (result == -EAGAIN);
	w->last = m;
	say(&w->ledger->reported, w->ledger->reported + 1);
	say(&w->ledger->wanted, 0);
}

static void run_take_large(struct world *w)
{
	const void *data;

	say(&w->ledger->wanted, 1);
	take(w, 0, &data);
	child_check(weir_pipe_release(w->ends[0], data) == 0);
	say(&w->ledger->reported, w->ledger->reported + 1);
	say(&w->ledger->wanted, 0);
}

static const struct state empty = { .name = "empty" };
static const struct state one = { .name = "one", .fill = 1 };
static const struct state three = { .name = "three", .fill = 3 };
static const struct state almost = { .name = "almost full", .fill = FILL_ALMOST };
static const struct state full = { .name = "full", .fill = FILL_FULL };
static const struct state full_wrapped = { .name = "full, wrapped",
					   .fill = FILL_FULL,
					   .wrapped = true };
static const struct state wrapped = { .name = "wrapped", .fill = 3, .wrapped = true };
static const struct state wrapped_empty = { .name = "wrapped, empty", .wrapped = true };
static const struct state shallow = { .name = "peer on the futex", .peer = PEER_SHALLOW };
static const struct state deep = { .name = "peer in ppoll", .peer = PEER_DEEP };
static const struct state polls = { .name = "peer polls", .peer = PEER_POLLS };
static const struct state loops = { .name = "peer in an event loop", .peer = PEER_LOOPS };
static const struct state laps = { .name = "after some laps, peer in ppoll",
				   .peer = PEER_DEEP,
				   .laps = true };
static const struct state pending = { .name = "half a batch", .pending = true };
static const struct state pending_deep = { .name = "half a batch, peer in ppoll",
					   .pending = true,
					   .peer = PEER_DEEP };
static const struct state armed = { .name = "armed", .armed = true };
static const struct state armed_three = { .name = "armed, three", .armed = true, .fill = 3 };
static const struct state orphaned = { .name = "owner before killed", .fill = 3, .orphaned = true };

static const struct act commit = { "commit", run_commit, .count = 1, .size = 24 };
static const struct act commit_700 = { "commit of 700", run_commit, .count = 1, .size = 700 };
static const struct act commit_less = { "commit of less", run_commit_less, .count = 1, .size = 24 };
static const struct act commit_three = { "commit of 3", run_commit_three, .count = 3, .size = 24 };
static const struct act commit_more = { "commit more", run_commit_more, .whole = true, .count = 3,
					.size = 24 };
static const struct act first_commit = { "first commit", run_commit, .first_use = true, .count = 1,
					 .size = 24 };
static const struct act commit_sleeps = { "claim that sleeps", run_commit, .count = 1, .size = 24,
					  .woken = WAIT_SHALLOW };
static const struct act abort_act = { "abort", run_abort, .count = 1, .size = 24 };
static const struct act claim_close = { "close with a claim", run_claim_close, .whole = true,
					.gives_up = true, .size = 24 };
static const struct act take_act = { "take", run_take, .reads = true, .count = 1, .size = 24 };
static const struct act take_700 = { "take of 700", run_take, .reads = true, .count = 1,
				     .size = 700 };
static const struct act first_take = { "first take", run_take, .reads = true, .first_use = true,
				       .count = 1, .size = 24 };
static const struct act take_2044 = { "take of 2044", run_take, .reads = true, .first_use = true,
				      .count = 1, .size = 2044 };
static const struct act take_sleeps = { "take that sleeps", run_take, .reads = true, .count = 1,
					.size = 24, .woken = WAIT_SHALLOW };
static const struct act take_in_order = { "take of 3", run_take_in_order, .reads = true, .count = 3,
					  .size = 24 };
static const struct act take_backwards = { "take of 3, released backwards", run_take_backwards,
					   .reads = true, .whole = true, .count = 3, .size = 24 };
static const struct act take_batch = { "take batch", run_take_batch, .reads = true, .whole = true,
				       .count = 12, .size = 24 };
static const struct act take_recv = { "take, recv", run_take_recv, .reads = true, .whole = true,
				      .count = 2, .size = 24 };
static const struct act take_dry = { "take until dry", run_take_until_dry, .reads = true,
				     .count = 1, .size = 24 };
static const struct act take_close = { "close with a message taken", run_take_close, .reads = true,
				       .gives_up = true, .size = 24 };
static const struct act large = { "large send", run_send_large, .large = true, .count = 1,
				  .size = LARGE, .woken = WAIT_SHALLOW };
static const struct act large_deep = { "large send that sleeps deep", run_send_large, .large = true,
				       .count = 1, .size = LARGE, .woken = WAIT_DEEP };
static const struct act large_to_peer = { "large send to a process", run_send_large,
					  .helped = true, .large = true, .count = 1,
					  .size = LARGE };
static const struct act give_up_large = { "large send that gives up", run_give_up_large,
					  .large = true, .count = 1, .size = LARGE };
static const struct act recv_large = { "large recv", run_recv_large, .reads = true,
				       .first_use = true, .large = true, .count = 1,
				       .size = LARGE };
static const struct act recv_large_by_and_by = {
	"large recv by and by", run_recv_large_by_and_by, .reads = true, .first_use = true,
	.large = true, .count = 1, .size = LARGE
};
static const struct act take_large = { "large take", run_take_large, .reads = true,
				       .first_use = true, .large = true, .count = 1,
				       .size = LARGE };

const struct scene scenes_in_place[] = {
	{ .act = &commit, .state = &empty },
	{ .act = &commit, .state = &almost },
	{ .act = &commit, .state = &wrapped },
	{ .act = &commit, .state = &shallow },
	{ .act = &commit, .state = &deep },
	{ .act = &commit, .state = &polls },
	{ .act = &commit, .state = &loops },
	{ .act = &commit, .state = &laps },
	{ .act = &commit, .state = &pending },
	{ .act = &commit, .state = &armed },
	{ .act = &commit_700, .state = &wrapped },
	{ .act = &commit_less, .state = &one },
	{ .act = &commit_less, .state = &deep },
	{ .act = &commit_three, .state = &wrapped },
	{ .act = &commit_three, .state = &armed_three },
	{ .act = &commit_more, .state = &empty },
	{ .act = &commit_more, .state = &wrapped },
	{ .act = &commit_more, .state = &pending },
	{ .act = &commit_more, .state = &deep },
	{ .act = &first_commit, .state = &one },
	{ .act = &first_commit, .state = &orphaned },
	{ .act = &commit_sleeps, .state = &full },
	{ .act = &commit_sleeps, .state = &full_wrapped },
	{ .act = &abort_act, .state = &empty },
	{ .act = &abort_act, .state = &wrapped },
	{ .act = &abort_act, .state = &pending },
	{ .act = &abort_act, .state = &deep },
	{ .act = &claim_close, .state = &one },
	{ .act = &claim_close, .state = &pending_deep },
	{ .act = &take_act, .state = &one },
	{ .act = &take_act, .state = &three },
	{ .act = &take_act, .state = &full },
	{ .act = &take_act, .state = &wrapped },
	{ .act = &take_act, .state = &shallow },
	{ .act = &take_act, .state = &deep },
	{ .act = &take_act, .state = &polls },
	{ .act = &take_act, .state = &armed_three },
	{ .act = &take_700, .state = &full_wrapped },
	{ .act = &first_take, .state = &one },
	{ .act = &first_take, .state = &orphaned },
	{ .act = &take_2044, .state = &shallow },
	{ .act = &take_2044, .state = &deep },
	{ .act = &take_2044, .state = &polls },
	{ .act = &take_sleeps, .state = &empty },
	{ .act = &take_sleeps, .state = &wrapped_empty },
	{ .act = &take_in_order, .state = &three },
	{ .act = &take_in_order, .state = &full_wrapped },
	{ .act = &take_in_order, .state = &deep },
	{ .act = &take_backwards, .state = &three },
	{ .act = &take_backwards, .state = &full_wrapped },
	{ .act = &take_backwards, .state = &shallow },
	{ .act = &take_backwards, .state = &deep },
	{ .act = &take_batch, .state = &one },
	{ .act = &take_batch, .state = &full_wrapped },
	{ .act = &take_batch, .state = &shallow },
	{ .act = &take_batch, .state = &deep },
	{ .act = &take_recv, .state = &three },
	{ .act = &take_recv, .state = &full },
	{ .act = &take_recv, .state = &deep },
	{ .act = &take_dry, .state = &one },
	{ .act = &take_dry, .state = &armed_three },
	{ .act = &take_close, .state = &three },
	{ .act = &take_close, .state = &deep },
	{ .act = &large, .state = &empty },
	{ .act = &large, .state = &wrapped_empty },
	{ .act = &large, .state = &pending },
	{ .act = &large, .state = &armed },
	{ .act = &large_deep, .state = &empty },
	{ .act = &large_to_peer, .state = &deep },
	{ .act = &large_to_peer, .state = &loops },
	{ .act = &give_up_large, .state = &empty },
	{ .act = &give_up_large, .state = &armed },
	{ .act = &recv_large, .state = &shallow },
	{ .act = &recv_large, .state = &deep },
	{ .act = &recv_large_by_and_by, .state = &deep },
	{ .act = &take_large, .state = &deep },
	{ .act = &take_large, .state = &polls },
};
const size_t scenes_in_place_count = ARRAY_LENGTH(scenes_in_place);
