/* SPDX-License-Identifier: MIT */
/*
 * An end as something that a wait set waits for.
 *
 * For messages the reader arms its eventfd, as for an exported descriptor, but nobody reads it: the
 * set takes each write for an edge. For room the writer announces itself as a deep sleeper and does
 * not sleep: the reader answers on the bell, once.
 */
#include <errno.h>

#include "obj/pipe.h"
#include "wait/live.h"

int pipe_source_bell(const struct weir_end *end, uint32_t event)
{
	if (event == WEIR_IN)
		return end->core->levels[end->rx_lane];
	return pipe_parking(end, ROLE_WRITER).my_bell;
}

static int begin_rx(struct weir_end *end)
{
	bool locked;
	int result = pipe_enter_rx(end, 0, 0, &locked);

	if (result < 0)
		return result;
	pipe_rx_arm(end);
	turn_give(&end->rx->side.turn, locked);
	return 0;
}

static int begin_tx(struct weir_end *end)
{
	bool locked;
	int result = pipe_enter_tx(end, 0, 0, &locked);

	if (result < 0)
		return result;
	turn_give(&end->tx->side.turn, locked);
	return 0;
}

int pipe_source_begin(struct weir_end *end, uint32_t events)
{
	int result = 0;

	if (((events & WEIR_IN) && !end->rx) || ((events & WEIR_OUT) && !end->tx))
		return -EOPNOTSUPP;
	if (events & WEIR_IN)
		result = begin_rx(end);
	/* A thread of ours is inside: then it is ours. */
	if (result == -EAGAIN)
		result = 0;
	if (result == 0 && (events & WEIR_OUT))
		result = begin_tx(end);
	return result == -EAGAIN ? 0 : result;
}

void pipe_source_watch(struct weir_end *end, uint32_t watch)
{
	/* relaxed: stands for itself */
	if (end->rx)
		store_relaxed(&end->rx->side.park.watch, watch);
	if (end->tx)
		store_relaxed(&end->tx->side.park.watch, watch);	/* relaxed: as above */
}

/* What has ended shows as ready, since a call returns at once. */
static uint32_t ended(struct parking *park, bool hung_up, uint32_t event)
{
	int result;

	park->hung_up = park->hung_up || hung_up;
	result = park_check(park, PARK_LINE_CALLS);
	if (park->hung_up)
		return event | WEIR_HUP;
	return result < 0 ? event : 0;
}

static uint32_t look_in(struct weir_end *end, bool hung_up)
{
	struct pipe_rx *rx = end->rx;
	uint32_t events = pipe_rx_ready(rx) ? WEIR_IN : 0;

	return events | ended(&rx->side.park, hung_up, WEIR_IN);
}

static uint32_t look_out(struct weir_end *end, bool hung_up)
{
	struct pipe_tx *tx = end->tx;
	uint32_t events = 0;

	if (lane_tx_refresh(&tx->lane) < 0 || lane_tx_fits(&tx->lane, PIPE_POLL_ROOM))
		events = WEIR_OUT;
	return events | ended(&tx->side.park, hung_up, WEIR_OUT);
}

/* 0, or SOURCE_*: the rest of half a message may never come, and nobody would tell. */
static int arm_in(struct weir_end *end, bool hung_up, uint32_t *ret_ready)
{
	struct pipe_rx *rx = end->rx;
	int soon;

	/* relaxed: another thread may release what is taken */
	if (rx->lane.head != load_relaxed(&rx->lane.published))
		pipe_rx_publish(end);
	soon = pipe_rx_arm(end) ? 0 : SOURCE_SOON;
	*ret_ready = look_in(end, hung_up);
	if (*ret_ready || pipe_rx_view(rx) != PIECE_HALF)
		return soon;
	if (park_owner_gone(&rx->side.park) && pipe_rx_view(rx) == PIECE_HALF)
		*ret_ready = WEIR_IN;
	return SOURCE_LATER | soon;
}

static int arm_out(struct weir_end *end, bool hung_up, uint32_t *ret_ready)
{
	struct pipe_tx *tx = end->tx;

	/* The reader counts the room from here. */
	lane_tx_mark(&tx->lane);
	/* relaxed: read by a reader that has seen the announcement, which is stored after it */
	store_relaxed(&tx->side.park.mine->need, lane_record_size(PIPE_POLL_ROOM));
	park_announce(&tx->side.park, WAIT_DEEP);
	tx->side.park.standing = true;
	*ret_ready = look_out(end, hung_up);
	return 0;
}

/* Not to be had: by a thread of ours inside, which the set looks for again; or else, ready. */
static int refused(int error, uint32_t event, uint32_t *ret_ready)
{
	if (error == -EAGAIN || error == -ESHUTDOWN)
		return SOURCE_LATER;
	*ret_ready |= event;
	return 0;
}

static int look_rx(struct weir_end *end, bool hung_up, bool arm, uint32_t *ret_ready)
{
	uint32_t ready;
	bool locked;
	int result = pipe_enter_rx(end, 0, 0, &locked);

	if (result < 0)
		return refused(result, WEIR_IN, ret_ready);
	ready = look_in(end, hung_up);
	if (!ready && arm)
		result = arm_in(end, hung_up, &ready);
	turn_give(&end->rx->side.turn, locked);
	*ret_ready |= ready;
	return result;
}

static int look_tx(struct weir_end *end, bool hung_up, bool arm, uint32_t *ret_ready)
{
	uint32_t ready;
	bool locked;
	int result = pipe_enter_tx(end, 0, 0, &locked);

	if (result < 0)
		return refused(result, WEIR_OUT, ret_ready);
	ready = look_out(end, hung_up);
	if (!ready && arm)
		result = arm_out(end, hung_up, &ready);
	turn_give(&end->tx->side.turn, locked);
	*ret_ready |= ready;
	return result;
}

int pipe_source_look(struct weir_end *end, uint32_t events, bool hung_up, bool arm,
		     uint32_t *ret_ready)
{
	int later = 0;

	*ret_ready = hung_up ? WEIR_HUP : 0;
	if (events & WEIR_IN)
		later |= look_rx(end, hung_up, arm, ret_ready);
	if (events & WEIR_OUT)
		later |= look_tx(end, hung_up, arm, ret_ready);
	return later;
}
