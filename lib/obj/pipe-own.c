/* SPDX-License-Identifier: MIT */
/*
 * Who owns a side of a lane.
 *
 * Positions are private to the process that uses a side, so only one process may. Ownership is a
 * lock of the kernel on a byte of the memfd, which is free again the moment its holder ends; a
 * forked child does not inherit it. The word "owner" in shared memory is written under that lock.
 * A free lock with a living owner's name in the word means that the process closed our descriptor
 * without knowing what it was: it may still be writing, so its side is not taken.
 *
 * A crash between the lock and the word leaves the old name, of a process that is gone, or 0;
 * between the word and the binding, our own name and a free lock. Each is taken over.
 */
#include "obj/pipe.h"

#include <errno.h>

#include "sys/sys.h"
#include "wait/live.h"

struct parking pipe_parking(const struct weir_end *end, enum pipe_role role)
{
	uint32_t lane = role == ROLE_WRITER ? end->tx_lane : end->rx_lane;
	struct weir_lane_control *control = segment_lane(&end->core->segment, lane);
	const int *bells = &end->core->bells[2 * lane];

	return (struct parking){
		.mine = role == ROLE_WRITER ? &control->writer : &control->reader,
		.peer = role == ROLE_WRITER ? &control->reader : &control->writer,
		.my_bell = bells[role],
		.peer_bell = bells[1 - role],
		.line = end->line,
		.owner = -1,
	};
}

static struct lane lane_of(const struct weir_end *end, uint32_t index)
{
	const struct segment *s = &end->core->segment;
	struct weir_lane_control *control = segment_lane(s, index);

	return (struct lane){
		.ring = s->rings[index],
		.mask = s->capacity - 1,
		.writer = &control->writer,
		.reader = &control->reader,
	};
}

/*
 * If the last owner died within a message, say so behind its pieces: a receiver may wait for the
 * rest. It was never without room for this, so where there is none, there are no pieces. Whether
 * it had.
 */
static bool cut(struct weir_end *end)
{
	struct pipe_tx *tx = end->tx;
	uint64_t *partial = &tx->side.park.mine->partial;

	/* order: PARTIAL acquire, from set_partial(). */
	if (load_acquire(partial) == 0)
		return false;
	if (lane_tx_fits(&tx->lane, 0))
		lane_tx_put_open(&tx->lane, RECORD_CUT, 0);
	lane_tx_mark(&tx->lane);
	lane_tx_leave(&tx->lane);
	/* order: PARTIAL release, to the next owner: said once is enough. */
	store_release(partial, 0);
	return true;
}

int pipe_bind_tx(struct weir_end *end)
{
	struct pipe_tx *tx = end->tx;
	struct parking *park = &tx->side.park;
	uint64_t requests;
	bool unread;
	int result;

	*park = pipe_parking(end, ROLE_WRITER);
	result = pipe_core_take(end->core, end->tx_lane, ROLE_WRITER);
	if (result < 0)
		return result;
	park_init(park);
	tx->lane.lane = lane_of(end, end->tx_lane);
	result = lane_tx_take_over(&tx->lane);
	if (result < 0) {
		pipe_core_give(end->core, end->tx_lane, ROLE_WRITER);
		return pipe_poison(end, park);
	}
	/* relaxed: an old position means a wake-up for nothing, no more */
	unread = load_relaxed(&park->peer->position) != tx->lane.tail;
	unread = cut(end) || unread;
	/* relaxed: what is asked later is seen with the next message */
	requests = load_relaxed(&park->peer->requests);
	tx->requests_seen = 0;
	/*
	 * The last owner may have died between storing a message and waking for it. Where none is
	 * left, our first one wakes.
	 */
	pipe_tx_obey(end, unread ? requests : REQUESTS(0, REQUEST_FENCE(requests)));
	/* relaxed: a receiving thread asks, only for a hint */
	store_relaxed(&tx->side.bound, true);
	if (unread)
		park_notify(park, false);
	return 0;
}

int pipe_bind_rx(struct weir_end *end)
{
	struct pipe_rx *rx = end->rx;
	struct parking *park = &rx->side.park;
	int result;

	*park = pipe_parking(end, ROLE_READER);
	result = pipe_core_take(end->core, end->rx_lane, ROLE_READER);
	if (result < 0)
		return result;
	park_init(park);
	rx->lane.lane = lane_of(end, end->rx_lane);
	rx->backlog = (struct backlog){
		.mode = end->flags & WEIR_PIPE_LATENCY ? BACKLOG_NEVER :
			end->flags & WEIR_PIPE_THROUGHPUT ? BACKLOG_ALWAYS : BACKLOG_OFF,
	};
	rx->armed_at = UINT64_MAX;
	/* relaxed: ours since we own the side */
	rx->fencing = REQUEST_FENCE(load_relaxed(&park->mine->requests)) & 1;
	result = lane_rx_take_over(&rx->lane);
	if (result < 0) {
		pipe_core_give(end->core, end->rx_lane, ROLE_READER);
		return pipe_poison(end, park);
	}
	rx->backlog.window_start = rx->backlog.waited_at = rx->slept_at = rx->lane.head;
	rx->side.bound = true;
	rx->large = (struct large){ .mode = LARGE_NONE };
	pipe_rx_changed(end);
	/* The last owner may have died between saying what is free and waking for it. */
	pipe_rx_publish(end);
	return 0;
}

void pipe_release_tx(struct weir_end *end)
{
	struct pipe_tx *tx = end->tx;

	if (!tx->side.bound)
		return;
	pipe_tx_flush(end);
	lane_tx_mark(&tx->lane);
	lane_tx_leave(&tx->lane);
	/* relaxed: as above */
	store_relaxed(&tx->side.bound, false);
	pipe_core_give(end->core, end->tx_lane, ROLE_WRITER);
}

void pipe_release_rx(struct weir_end *end)
{
	struct pipe_rx *rx = end->rx;
	bool locked;

	if (!rx->side.bound)
		return;
	pipe_rx_publish(end);
	locked = pipe_ledger_take(rx);
	pipe_taken_forget(rx);
	pipe_rx_forget(end);
	rx->side.bound = false;
	pipe_rx_changed(end);
	pipe_ledger_give(rx, locked);
	pipe_core_give(end->core, end->rx_lane, ROLE_READER);
}

void pipe_signal_levels(const struct weir_end *end)
{
	for (size_t i = 0; i < ARRAY_LENGTH(end->core->levels); i++)
		if (end->core->levels[i] >= 0)
			sys_event_set(end->core->levels[i]);
}

int pipe_poison(const struct weir_end *end, struct parking *p)
{
	or_relaxed(&p->mine->events, EVENTS_POISONED);	/* relaxed: the bit stands for itself */
	park_wake_peer(p);
	park_wake_own(p);
	pipe_signal_levels(end);
	return -EBADMSG;
}
