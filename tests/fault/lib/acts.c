/* SPDX-License-Identifier: MIT */
/* What the victims do, in which states. */
#include "fault/lib/scene.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>

/*
 * Sending. What is attempted is said before the call, what is completed after it.
 */

static void send_next(struct world *w, uint32_t i, uint32_t flags)
{
	const struct weir_msg *m = &w->messages[i];

	say(&w->ledger->attempted, w->ledger->attempted + 1);
	child_check(weir_pipe_send(w->ends[1], m->data, m->size, flags, FOREVER) == 0);
	if (!(flags & WEIR_MORE))
		say(&w->ledger->completed, w->ledger->attempted);
}

static void run_send(struct world *w)
{
	send_next(w, 0, WEIR_NOSPIN);
}

static void run_send_spinning(struct world *w)
{
	send_next(w, 0, 0);
}

static void run_send_three(struct world *w)
{
	for (uint32_t i = 0; i < 3; i++)
		send_next(w, i, 0);
}

static void run_more_flush(struct world *w)
{
	for (uint32_t i = 0; i < 3; i++)
		send_next(w, i, WEIR_MORE);
	child_check(weir_pipe_flush(w->ends[1]) == 0);
	say(&w->ledger->completed, w->ledger->attempted);
}

static void run_more_send(struct world *w)
{
	send_next(w, 0, WEIR_MORE);
	send_next(w, 1, WEIR_MORE);
	send_next(w, 2, 0);
}

static void run_batch(struct world *w)
{
	uint32_t count = w->scene->act->count;

	say(&w->ledger->attempted, w->ledger->attempted + count);
	child_check(weir_pipe_send_batch(w->ends[1], w->messages, count, WEIR_NOSPIN, FOREVER) ==
		    (int)count);
	say(&w->ledger->completed, w->ledger->attempted);
}

static void run_flush(struct world *w)
{
	child_check(weir_pipe_flush(w->ends[1]) == 0);
	say(&w->ledger->completed, w->ledger->attempted);
}

/* Unless it has become another's meanwhile. */
static void run_contend_tx(struct world *w)
{
	const struct weir_msg *m = &w->messages[0];
	int result;

	say(&w->ledger->attempted, w->ledger->attempted + 1);
	result = weir_pipe_send(w->ends[1], m->data, m->size, 0, FOREVER);
	child_check(result == 0 || result == -EBUSY);
	if (result == -EBUSY) {
		say(&w->ledger->attempted, w->ledger->attempted - 1);
		say(&w->ledger->refused, 1);
	}
	say(&w->ledger->completed, w->ledger->attempted);
}

static void run_poll_out(struct world *w)
{
	uint32_t events = 0;

	child_check(weir_pipe_poll(w->ends[1], WEIR_OUT, WEIR_NOSPIN, FOREVER, &events) == 0);
	child_check(events == WEIR_OUT);
}

/*
 * Receiving. What is asked for is said before the call, what has been got after it.
 */

static void receive_next(struct world *w)
{
	struct weir_msg *m = &w->messages[0];
	const uint32_t *number = m->data;

	say(&w->ledger->wanted, 1);
	child_check(weir_pipe_recv(w->ends[0], m->data, m->room, WEIR_NOSPIN, FOREVER, &m->size) ==
		    0);
	child_check(*number == w->ledger->reported);
	say(&w->ledger->reported, *number + 1);
	say(&w->ledger->wanted, 0);
}

static void run_recv(struct world *w)
{
	receive_next(w);
}

static void run_contend_rx(struct world *w)
{
	struct weir_msg *m = &w->messages[0];
	int result;

	say(&w->ledger->wanted, 1);
	result = weir_pipe_recv(w->ends[0], m->data, m->room, 0, FOREVER, &m->size);
	child_check(result == 0 || result == -EBUSY);
	if (result == -EBUSY)
		say(&w->ledger->refused, 1);
	else
		say(&w->ledger->reported, w->ledger->reported + 1);
	say(&w->ledger->wanted, 0);
}

static void run_recv_three(struct world *w)
{
	for (int i = 0; i < 3; i++)
		receive_next(w);
}

static void run_recv_batch(struct world *w)
{
	uint32_t count = w->scene->act->count;
	int got;

	say(&w->ledger->wanted, count);
	got = weir_pipe_recv_batch(w->ends[0], w->messages, count, WEIR_NOSPIN, FOREVER);
	child_check(got > 0);
	say(&w->ledger->reported, w->ledger->reported + (uint32_t)got);
	say(&w->ledger->wanted, 0);
}

static void run_recv_until_dry(struct world *w)
{
	struct weir_msg *m = &w->messages[0];
	int result;

	do {
		say(&w->ledger->wanted, 1);
		result = weir_pipe_recv(w->ends[0], m->data, m->room, 0, 0, &m->size);
		if (result == 0)
			say(&w->ledger->reported, w->ledger->reported + 1);
		say(&w->ledger->wanted, 0);
	} while (result == 0);
	/* The latter if it was stopped meanwhile. */
	child_check(result == -EAGAIN || result == -EPIPE);
}

static void run_fd(struct world *w)
{
	struct pollfd p = { .fd = weir_pipe_fd(w->ends[0]), .events = POLLIN };

	child_check(p.fd >= 0);
	child_check(poll(&p, 1, 1000) == 1);
	run_recv_until_dry(w);
}

/* An event loop, until it has got a message. */
static void run_loop(struct world *w)
{
	struct pollfd p = { .fd = weir_pipe_fd(w->ends[0]), .events = POLLIN };
	uint32_t until = w->ledger->reported + w->scene->act->count;

	do {
		/* It is the judge who says what is too late. */
		child_check(poll(&p, 1, 8000) == 1);
		run_recv_until_dry(w);
	} while (w->ledger->reported < until);
}

static void run_poll_in(struct world *w)
{
	uint32_t events = 0;

	child_check(weir_pipe_poll(w->ends[0], WEIR_IN, WEIR_NOSPIN, FOREVER, &events) == 0);
	child_check(events == WEIR_IN);
}

/*
 * Either
 */

static void run_close(struct world *w)
{
	weir_pipe_close(w->ends[scene_victim_end(w->scene)]);
	w->closed = true;
	say(&w->ledger->completed, w->ledger->attempted);
}

static void run_handover(struct world *w)
{
	child_check(weir_pipe_handover(w->ends[scene_victim_end(w->scene)]) == 0);
	say(&w->ledger->completed, w->ledger->attempted);
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
static const struct state rested = { .name = "rested", .fill = 3, .rested = true };
static const struct state shallow = { .name = "peer on the futex", .peer = PEER_SHALLOW };
static const struct state deep = { .name = "peer in ppoll", .peer = PEER_DEEP };
static const struct state polls = { .name = "peer polls", .peer = PEER_POLLS };
static const struct state deep_wrapped = { .name = "peer in ppoll, wrapped",
					   .peer = PEER_DEEP,
					   .wrapped = true };
static const struct state loops = { .name = "peer in an event loop", .peer = PEER_LOOPS };
static const struct state loops_pending = { .name = "half a batch, peer in an event loop",
					    .pending = true,
					    .peer = PEER_LOOPS };
static const struct state pending = { .name = "half a batch", .pending = true };
static const struct state pending_one = { .name = "one and half a batch",
					  .fill = 1,
					  .pending = true };
static const struct state pending_shallow = { .name = "half a batch, peer on the futex",
					      .pending = true,
					      .peer = PEER_SHALLOW };
static const struct state pending_deep = { .name = "half a batch, peer in ppoll",
					   .pending = true,
					   .peer = PEER_DEEP };
static const struct state laps = { .name = "after some laps, peer in ppoll",
				   .peer = PEER_DEEP,
				   .laps = true };
static const struct state fenced = { .name = "fenced", .fenced = true };
static const struct state armed = { .name = "armed", .armed = true };
static const struct state armed_three = { .name = "armed, three", .armed = true, .fill = 3 };
static const struct state orphaned = { .name = "owner before killed", .fill = 3, .orphaned = true };
static const struct state orphaned_deep = { .name = "owner before killed, peer in ppoll",
					    .orphaned = true,
					    .peer = PEER_DEEP };
static const struct state orphaned_wrapped = {
	.name = "owner before killed, wrapped", .fill = 3, .orphaned = true, .wrapped = true
};

static const struct act send_act = { "send", run_send, .count = 1, .size = 24 };
static const struct act send_large = { "send of 700", run_send, .count = 1, .size = 700 };
static const struct act send_largest = { "send of 4080", run_send, .helped = true, .count = 1,
					 .size = 4080 };
static const struct act send_three = { "send of 3", run_send_three, .count = 3, .size = 24 };
static const struct act more_flush = { "more, flush", run_more_flush, .whole = true, .count = 3,
				       .size = 24 };
static const struct act more_send = { "more, send", run_more_send, .whole = true, .count = 3,
				      .size = 24 };
static const struct act batch = { "batch", run_batch, .whole = true, .count = 4, .size = 40 };
static const struct act batch_sleeps = { "batch that sleeps", run_batch, .count = 5, .size = 1000,
					 .woken = WAIT_SHALLOW };
static const struct act batch_sleeps_deep = { "batch that sleeps deep", run_batch, .count = 5,
					      .size = 1000, .woken = WAIT_DEEP };
static const struct act send_sleeps = { "send that sleeps", run_send, .count = 1, .size = 24,
					.woken = WAIT_SHALLOW };
static const struct act send_sleeps_deep = { "send that sleeps deep", run_send, .count = 1,
					     .size = 24, .woken = WAIT_DEEP };
static const struct act send_spins = { "send that spins", run_send_spinning, .count = 1, .size = 24,
				       .woken = WAIT_SHALLOW };
static const struct act poll_out = { "poll out", run_poll_out, .size = 24 };
static const struct act poll_out_sleeps = { "poll out that sleeps", run_poll_out, .size = 24,
					    .woken = WAIT_DEEP };
static const struct act close_tx = { "close of a writer", run_close, .whole = true,
				     .gives_up = true, .size = 24 };
static const struct act handover_tx = { "handover of a writer", run_handover, .whole = true,
					.gives_up = true, .size = 24 };
static const struct act first_send = { "first send", run_send, .first_use = true, .count = 1,
				       .size = 24 };
static const struct act contend_tx = { "first send of two", run_contend_tx, .first_use = true,
				       .contends = true,    .count = 1,	    .size = 24 };
static const struct act contend_rx = { "first recv of two", run_contend_rx,   .reads = true,
				       .first_use = true,   .contends = true, .count = 1,
				       .size = 24 };
static const struct act first_flush = { "first flush", run_flush, .first_use = true, .size = 24 };
static const struct act first_poll_out = { "first poll out", run_poll_out, .first_use = true,
					   .gives_up = true, .size = 24 };
static const struct act recv_act = { "recv", run_recv, .reads = true, .count = 1, .size = 24 };
static const struct act recv_large = { "recv of 2044",	  run_recv,   .reads = true,
				       .first_use = true, .count = 1, .size = 2044 };
static const struct act recv_700 = { "recv of 700", run_recv, .reads = true, .count = 1,
				     .size = 700 };
static const struct act recv_three = { "recv of 3", run_recv_three, .reads = true, .count = 3,
				       .size = 24 };
static const struct act recv_batch = { "recv batch",  run_recv_batch, .reads = true,
				       .whole = true, .count = 3,     .size = 24 };
static const struct act recv_batch_long = { "recv batch of 40", run_recv_batch, .reads = true,
					    .whole = true, .count = 40, .size = 24 };
static const struct act recv_sleeps = { "recv that sleeps", run_recv,	.reads = true,
					.count = 1,	    .size = 24, .woken = WAIT_SHALLOW };
static const struct act recv_sleeps_deep = {
	"recv that sleeps deep", run_recv, .reads = true, .count = 1, .size = 24, .woken = WAIT_DEEP
};
static const struct act recv_dry = { "recv until dry", run_recv_until_dry, .reads = true,
				     .count = 1, .size = 24 };
static const struct act fd_act = {
	"fd", run_fd, .reads = true, .arms = true, .count = 1, .size = 24
};
static const struct act loop = { "event loop", run_loop,   .reads = true,	   .arms = true,
				 .count = 1,   .size = 24, .woken = WAIT_ELSEWHERE };
static const struct act poll_in = { "poll in", run_poll_in, .reads = true, .size = 24 };
static const struct act poll_in_sleeps = { "poll in that sleeps", run_poll_in, .reads = true,
					   .size = 24, .woken = WAIT_DEEP };
static const struct act close_rx = { "close of a reader", run_close, .reads = true,
				     .gives_up = true, .size = 24 };
static const struct act handover_rx = { "handover of a reader", run_handover, .reads = true,
					.gives_up = true, .size = 24 };
static const struct act first_recv = { "first recv",	  run_recv,   .reads = true,
				       .first_use = true, .count = 1, .size = 24 };
static const struct act first_poll_in = { "first poll in", run_poll_in, .reads = true,
					  .first_use = true, .gives_up = true, .size = 24 };

static const struct {
	const struct act *act;
	const struct state *state;
} scenes[] = {
	{ &send_act, &empty },
	{ &send_act, &one },
	{ &send_act, &almost },
	{ &send_act, &wrapped },
	{ &send_act, &rested },
	{ &send_act, &shallow },
	{ &send_act, &deep },
	{ &send_act, &deep_wrapped },
	{ &send_act, &polls },
	{ &send_act, &loops },
	{ &send_act, &laps },
	{ &send_act, &pending },
	{ &send_act, &pending_deep },
	{ &send_act, &armed },
	{ &send_three, &armed_three },
	{ &send_three, &wrapped },
	{ &send_three, &loops },
	{ &send_large, &empty },
	{ &send_large, &wrapped },
	{ &send_large, &deep },
	{ &send_largest, &shallow },
	{ &send_largest, &deep },
	{ &send_largest, &loops },
	{ &more_flush, &empty },
	{ &more_flush, &laps },
	{ &more_flush, &wrapped },
	{ &more_flush, &shallow },
	{ &more_flush, &deep },
	{ &more_flush, &armed },
	{ &more_send, &one },
	{ &more_send, &pending_one },
	{ &more_send, &pending_deep },
	{ &batch, &empty },
	{ &batch, &one },
	{ &batch, &almost },
	{ &batch, &wrapped },
	{ &batch, &shallow },
	{ &batch, &deep },
	{ &batch, &polls },
	{ &batch, &loops },
	{ &batch, &pending },
	{ &batch, &armed },
	{ &batch_sleeps, &empty },
	{ &batch_sleeps, &wrapped },
	{ &batch_sleeps, &pending },
	{ &batch_sleeps_deep, &empty },
	{ &send_sleeps, &full },
	{ &send_sleeps, &full_wrapped },
	{ &send_sleeps_deep, &full },
	{ &send_spins, &full },
	{ &poll_out, &one },
	{ &poll_out, &pending },
	{ &poll_out_sleeps, &full },
	{ &close_tx, &one },
	{ &close_tx, &shallow },
	{ &close_tx, &deep },
	{ &close_tx, &pending_one },
	{ &close_tx, &pending_shallow },
	{ &close_tx, &pending_deep },
	{ &close_tx, &loops_pending },
	{ &close_tx, &armed },
	{ &handover_tx, &one },
	{ &handover_tx, &pending_one },
	{ &handover_tx, &pending_deep },
	{ &first_send, &empty },
	{ &first_send, &one },
	{ &first_send, &wrapped },
	{ &first_send, &deep },
	{ &first_send, &armed },
	{ &first_send, &loops },
	{ &first_send, &orphaned },
	{ &first_send, &orphaned_deep },
	{ &first_send, &orphaned_wrapped },
	{ &contend_tx, &one },
	{ &contend_tx, &orphaned },
	{ &contend_rx, &three },
	{ &contend_rx, &orphaned },
	{ &first_flush, &one },
	{ &first_flush, &orphaned },
	{ &first_poll_out, &one },
	{ &first_poll_out, &orphaned },
	{ &recv_act, &one },
	{ &recv_act, &three },
	{ &recv_act, &full },
	{ &recv_act, &wrapped },
	{ &recv_act, &rested },
	{ &recv_act, &shallow },
	{ &recv_act, &deep },
	{ &recv_act, &polls },
	{ &recv_act, &armed_three },
	{ &recv_700, &one },
	{ &recv_700, &full_wrapped },
	{ &recv_large, &shallow },
	{ &recv_large, &deep },
	{ &recv_large, &polls },
	{ &recv_three, &three },
	{ &recv_three, &full_wrapped },
	{ &recv_batch, &one },
	{ &recv_batch, &three },
	{ &recv_batch, &full_wrapped },
	{ &recv_batch_long, &shallow },
	{ &recv_batch_long, &deep },
	{ &recv_batch_long, &polls },
	{ &recv_sleeps, &empty },
	{ &recv_sleeps, &wrapped_empty },
	{ &recv_sleeps, &armed },
	{ &recv_sleeps, &fenced },
	{ &recv_sleeps_deep, &empty },
	{ &recv_sleeps_deep, &fenced },
	{ &recv_dry, &one },
	{ &recv_dry, &armed },
	{ &recv_dry, &armed_three },
	{ &fd_act, &empty },
	{ &fd_act, &three },
	{ &fd_act, &armed_three },
	{ &loop, &empty },
	{ &loop, &armed },
	{ &poll_in, &one },
	{ &poll_in_sleeps, &empty },
	{ &poll_in_sleeps, &armed },
	{ &poll_in_sleeps, &fenced },
	{ &close_rx, &one },
	{ &close_rx, &shallow },
	{ &close_rx, &deep },
	{ &close_rx, &armed_three },
	{ &handover_rx, &three },
	{ &handover_rx, &deep },
	{ &first_recv, &one },
	{ &first_recv, &wrapped },
	{ &first_recv, &deep },
	{ &first_recv, &armed_three },
	{ &first_recv, &orphaned },
	{ &first_recv, &orphaned_deep },
	{ &first_recv, &orphaned_wrapped },
	{ &first_poll_in, &one },
	{ &first_poll_in, &orphaned },
};

size_t scene_count(void)
{
	return ARRAY_LENGTH(scenes) + scenes_in_place_count;
}

struct scene scene_at(size_t index)
{
	if (index >= ARRAY_LENGTH(scenes))
		return scenes_in_place[index - ARRAY_LENGTH(scenes)];
	return (struct scene){ .act = scenes[index].act, .state = scenes[index].state };
}

const char *scene_name(const struct scene *scene)
{
	static char name[128];

	snprintf(name, sizeof(name), "%s, %s", scene->act->name, scene->state->name);
	return name;
}
