/* SPDX-License-Identifier: MIT */
/* The inside of a pipe: one or two lanes in a segment, two ends that share it. */
#ifndef WEIR_OBJ_PIPE_H
#define WEIR_OBJ_PIPE_H

#include <stdbool.h>

#include "mem/segment.h"
#include "ring/lane.h"
#include "ring/backlog.h"
#include "wait/park.h"
#include "wait/turn.h"
#include "weir/pipe.h"

enum pipe_role {
	ROLE_WRITER,
	ROLE_READER
};

/* What both ends of a process use; goes with the last of them. */
struct pipe_core {
	struct segment segment;
	uint32_t references;
	/* eventfds that wake deep sleepers: lane * 2 + role */
	int bells[2 * SEGMENT_LANES_MAX];
	/* eventfds behind the exported descriptors, by lane */
	int levels[SEGMENT_LANES_MAX];
};

/* One side of a lane as this process uses it. In memory that a forked child sees as zeroes. */
struct pipe_side {
	bool bound;		/* we own it, and the rest is valid */
	struct turn turn;
	struct parking park;
};

struct pipe_tx {
	struct pipe_side side;
	struct lane_tx lane;
	uint64_t requests_seen;	/* the reader's requests that we know and obey */
};

struct pipe_rx {
	struct pipe_side side;
	struct lane_rx lane;
	struct backlog backlog;
	uint64_t armed_at;	/* head when the exported descriptor was armed last */
	uint64_t slept_at;	/* head when we slept last */
	uint32_t sleeps;	/* how often we have slept */
	bool fencing;		/* we ask the writer for fences */
};

/* What fork wipes, each side on lines of its own. */
struct pipe_private {
	_Alignas(CACHE_APART) struct pipe_tx tx;
	_Alignas(CACHE_APART) struct pipe_rx rx;
};

struct weir_end {
	struct pipe_core *core;
	struct pipe_private *private;
	struct pipe_tx *tx;	/* in private; NULL: this end does not send */
	struct pipe_rx *rx;	/* in private; NULL: this end does not receive */
	int line;		/* our end of the socket between the ends */
	int epoll;		/* the exported descriptor */
	uint32_t flags;		/* of the options */
	uint8_t tx_lane;
	uint8_t rx_lane;
};

/* This thread has sent on a pipe, any pipe, since it last received: it is in a conversation. */
extern _Thread_local bool pipe_conversing __attribute__((tls_model("initial-exec")));

/* The side of @end in that role, with pointers and descriptors filled in; owned or not. */
struct parking pipe_parking(const struct weir_end *end, enum pipe_role role);

/* Become the owner: 0, -EBUSY, -EBADMSG, or what the lock returned. The caller has the turn. */
int pipe_bind_tx(struct weir_end *end);
int pipe_bind_rx(struct weir_end *end);
/* Stop being the owner, if we are. The caller has the turn. */
void pipe_release_tx(struct weir_end *end);
void pipe_release_rx(struct weir_end *end);

/* Publish what is pending and wake the reader. */
void pipe_tx_flush(struct weir_end *end);
/* Do what the reader asks for from now on. */
void pipe_tx_obey(struct weir_end *end, uint64_t requests);
/* Tell the writer all that we have received, and wake it if it waits. */
void pipe_rx_publish(struct pipe_rx *rx);

/* Whoever polls an exported descriptor is to look what has happened. */
void pipe_signal_levels(const struct weir_end *end);
/* Mark the object damaged for everybody; returns -EBADMSG. */
int pipe_poison(const struct weir_end *end, struct parking *p);

/* Take the turn and own the side: 0 or an error, then without the turn. */
static ALWAYS_INLINE int pipe_enter_tx(struct weir_end *end, uint32_t flags, int64_t deadline,
				       bool *ret_locked)
{
	struct pipe_tx *tx = end->tx;
	int result;

	if (unlikely(!tx))
		return -EOPNOTSUPP;
	result = turn_take(&tx->side.turn, flags, deadline, ret_locked);
	if (unlikely(result < 0))
		return result;
	if (likely(tx->side.bound))
		return 0;
	result = pipe_bind_tx(end);
	if (result < 0)
		turn_give(&tx->side.turn, *ret_locked);
	return result;
}

static ALWAYS_INLINE int pipe_enter_rx(struct weir_end *end, uint32_t flags, int64_t deadline,
				       bool *ret_locked)
{
	struct pipe_rx *rx = end->rx;
	int result;

	if (unlikely(!rx))
		return -EOPNOTSUPP;
	result = turn_take(&rx->side.turn, flags, deadline, ret_locked);
	if (unlikely(result < 0))
		return result;
	if (likely(rx->side.bound))
		return 0;
	result = pipe_bind_rx(end);
	if (result < 0)
		turn_give(&rx->side.turn, *ret_locked);
	return result;
}

#endif
