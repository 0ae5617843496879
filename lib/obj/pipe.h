/* SPDX-License-Identifier: MIT */
/* The inside of a pipe: one or two lanes in a segment, two ends that share it. */
#ifndef WEIR_OBJ_PIPE_H
#define WEIR_OBJ_PIPE_H

#include <errno.h>
#include <stdbool.h>

#include "mem/segment.h"
#include "obj/parts.h"
#include "obj/watched.h"
#include "ring/backlog.h"
#include "ring/conversing.h"
#include "ring/lane.h"
#include "ring/piece.h"
#include "wait/park.h"
#include "wait/turn.h"
#include "weir/handle.h"
#include "weir/pipe.h"

enum pipe_role {
	ROLE_WRITER,
	ROLE_READER
};

/* What all ends of a pipe in a process use; goes with the last of them. See pipe-core.c. */
struct pipe_core {
	struct segment segment;
	struct pipe_core *next;	/* of all in this process */
	uint32_t references;
	/* which process of our line of forks uses that side: lane * 2 + role; 0: none */
	uint32_t holders[2 * SEGMENT_LANES_MAX];
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
	uint64_t claimed;	/* bytes of the claimed message, plus 1; 0: none is */
	uintptr_t claimant;	/* the thread that keeps the turn because of it */
};

/* A message that comes in pieces, as far as it has been taken out of the ring. */
enum large_mode {
	LARGE_NONE,
	LARGE_COMING,
	LARGE_DROPPED		/* the rest of it is skipped */
};

struct large {
	enum large_mode mode;
	uint64_t total;
	uint64_t got;
	uint64_t saved;		/* how much of that lies in the end's store */
	struct pacer pace;	/* of looks whether its sender lives */
};

/* A message that the program reads in place. */
struct taken {
	uint64_t begin;	/* its position in the lane, and TAKEN_RELEASED */
	void *own;	/* where it is, if that is not in the ring; allocated */
};

#define TAKEN_RELEASED UINT64_C(1)

/*
 * Messages that are taken but not released, oldest first. With threads a lock of its own, held only
 * for moments: who releases cannot wait for a thread that has the turn and sleeps for the next
 * message. While there are any, the reader's head moves only under this lock, too: when the last of
 * them is released, that is up to where all is free.
 */
struct pipe_ledger {
	struct turn turn;
	uint32_t first;
	uint32_t count;
	uint32_t room;		/* of taken[], a power of two */
	struct taken *taken;
};

/* What a receive need not look at. */
#define RX_HARD		0U
#define RX_PLAIN	1U	/* owned, nothing taken, nothing half received, no low limit */
#define RX_ONE		2U	/* it was that, and one message is taken since, not in the ledger */

struct pipe_rx {
	struct pipe_side side;
	uint32_t ease;		/* RX_* */
	uint64_t one;		/* with RX_ONE: the position of the message that is taken */
	uint64_t take_below;	/* messages smaller than this can be taken at once */
	struct lane_rx lane;
	struct pipe_ledger ledger;
	struct large large;
	/* The beginning of a message in pieces that nobody waits for with a buffer of his own. */
	uint8_t *store;
	uint64_t store_room;
	struct backlog backlog;
	uint64_t dry_at;	/* head when there was nothing to receive, and we have told so */
	uint64_t armed_at;	/* head when the exported descriptor was armed last */
	uint64_t slept_at;	/* head when we slept last */
	uint32_t sleeps;	/* how often we have slept */
	bool fencing;		/* we ask the writer for fences */
};

/*
 * What fork wipes, each side on lines of its own. Memory that is allocated for a side is a child's,
 * too, and lost to it: another thread may just have been changing where it is.
 */
struct pipe_private {
	_Alignas(CACHE_APART) struct pipe_tx tx;
	_Alignas(CACHE_APART) struct pipe_rx rx;
};

struct weir_end {
	uint32_t kind;		/* WEIR_KIND_PIPE_END */
	struct pipe_core *core;
	struct pipe_private *private;
	struct pipe_tx *tx;	/* in private; NULL: this end does not send */
	struct pipe_rx *rx;	/* in private; NULL: this end does not receive */
	int line;		/* our end of the socket between the ends */
	int epoll;		/* the exported descriptor */
	uint32_t flags;		/* of the options */
	uint8_t tx_lane;
	uint8_t rx_lane;
	uint64_t limit;		/* larger messages are refused */
	struct watched watched;
};

/* A new segment, its bells and levels; and one reference. */
int pipe_core_create(uint32_t lanes, uint64_t capacity, struct pipe_core **ret_core);
/*
 * The same from descriptors that came from elsewhere, or the one that is here already. Those of
 * @memfd and @events, bells before levels, that are used up are -1 then, also after an error.
 */
int pipe_core_attach(uint32_t lanes, int *memfd, int *events, struct pipe_core **ret_core);
void pipe_core_retain(struct pipe_core *core);
void pipe_core_release(struct pipe_core *core);
/* The side is used by nobody else in this process, and owned by it: 0, -EBUSY, ... */
int pipe_core_take(struct pipe_core *core, uint32_t lane, enum pipe_role role);
void pipe_core_give(struct pipe_core *core, uint32_t lane, enum pipe_role role);
/* Close a descriptor that may be one of a segment's file, and keep the locks on that. */
void pipe_core_close_fd(int fd);

/* End @index of a pipe of @core. Takes @line, also when it fails. */
int pipe_end_open(struct pipe_core *core, uint32_t index, uint32_t flags, int line,
		  struct weir_end **ret_end);
void pipe_end_free(struct weir_end *end);
/* Whether @flags can be those of a pipe's options. */
bool pipe_flags_valid(uint32_t flags);

/* The side of @end in that role, with pointers and descriptors filled in; owned or not. */
struct parking pipe_parking(const struct weir_end *end, enum pipe_role role);

/* 0 or -EINVAL. */
int pipe_check_options(const struct weir_pipe_options *options);

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
/* What has been published may be waited for: see to that. */
void pipe_tx_notify(struct weir_end *end);
/* All that a send looks at beside the ring, and room for @size bytes: 0 or an error. */
int pipe_tx_prepare(struct weir_end *end, uint64_t size, uint32_t flags, int64_t deadline);
/* Send the message whose @size bytes are in place, with WEIR_MORE or without. */
void pipe_tx_put_open(struct weir_end *end, uint64_t size, uint32_t flags);
/* Send @size bytes in pieces. The caller has the turn. */
int pipe_tx_large(struct weir_end *end, struct parts *from, uint64_t size, uint32_t flags,
		  int64_t deadline);

/* Tell the writer all that we have received, and wake it if it waits. */
void pipe_rx_publish(struct weir_end *end);
/* What has been stepped over is received, unless it is taken. */
void pipe_rx_settle(struct weir_end *end);
/* All before @done is received and released, and the writer is to know; 0. */
int pipe_rx_tell(struct pipe_rx *rx, uint64_t done);
/* Step over the next record, of @size bytes, and perhaps over some that are taken. */
void pipe_rx_step(struct pipe_rx *rx, uint64_t size);
/* The end of each receive, of its result @result, which it returns. */
int pipe_rx_done_with(struct weir_end *end, int result);
/* rx->ease again, after a change of what it depends on. The caller has the ledger's turn. */
void pipe_rx_changed(struct weir_end *end);
/*
 * Wait until a record stands at the head: 0 or an error. @half: a message has begun; -EOWNERDEAD
 * if the rest of it cannot come.
 */
int pipe_rx_await(struct weir_end *end, bool half, uint32_t flags, int64_t deadline);
/*
 * Go to the next message, or to the next piece of the one that has begun, and wait for it: 0, its
 * header in @ret_header; or an error.
 */
int pipe_rx_next(struct weir_end *end, uint32_t flags, int64_t deadline, uint64_t *ret_header);
/* Whether @header, or what has been received before it, is not of a whole message. */
static inline bool pipe_rx_in_pieces(const struct pipe_rx *rx, uint64_t header)
{
	return rx->large.mode != LARGE_NONE || (header & RECORD_MARK_MASK) != RECORD_MARK;
}

/* Whether pipe_rx_next() has found a handle. */
static inline bool pipe_rx_is_handle(const struct pipe_rx *rx, uint64_t header)
{
	return rx->large.mode == LARGE_NONE && (header & RECORD_MARK_MASK) == RECORD_HANDLE;
}

/*
 * Receive the message in pieces that pipe_rx_next() has found: into @to, which can take @room
 * bytes, or, where that is NULL, into the end's store. 0: received; 1: it is not to be, go on to
 * the next; or an error.
 */
int pipe_rx_large(struct weir_end *end, uint64_t header, struct parts *to, uint64_t room,
		  uint32_t flags, int64_t deadline, size_t *ret_size);
/* There is to be no more of it. */
void pipe_rx_forget(struct weir_end *end);
/* What a receive would find. */
enum piece_view pipe_rx_view(const struct pipe_rx *rx);
/*
 * Have the writer signal our eventfd once, for what comes from now on. False: it may miss that for
 * a moment, so look again after that.
 */
bool pipe_rx_arm(struct weir_end *end);
/* Whether a receive would not return -EAGAIN, or must be called to make room. */
static inline bool pipe_rx_ready(const struct pipe_rx *rx)
{
	return pipe_rx_view(rx) >= PIECE_STUFFED;
}

/* Have room in the ledger for one more message: 0 or -ENOMEM. */
int pipe_taken_reserve(struct pipe_rx *rx);
/* Step over the record at the head, of @size bytes, and enter it as taken. */
void pipe_taken_step(struct pipe_rx *rx, uint64_t size);
/* Enter what has been put together before the head at @own. */
void pipe_taken_add(struct pipe_rx *rx, void *own);
/* Enter the one that is taken without having been entered. */
void pipe_taken_enter(struct pipe_rx *rx);
bool pipe_taken_any(struct pipe_rx *rx);
/* What is taken is not any more; the next owner receives it again. */
void pipe_taken_forget(struct pipe_rx *rx);
/* Of messages that are taken: which they are, by positions that no others of this lane have. */
void pipe_taken_positions(struct weir_end *end, const struct weir_msg *messages, size_t count,
			  uint64_t *ret_positions);
/* Be done with them, together. */
void pipe_taken_release(struct weir_end *end, const struct weir_msg *messages, size_t count);
/*
 * Have them received again, if they are the last that were received; otherwise the next owner will.
 * What was too large for the ring is released.
 */
void pipe_taken_return(struct weir_end *end, const struct weir_msg *messages, size_t count);
/* Up to where messages are received and released. The caller has the ledger's turn. */
static inline uint64_t pipe_rx_done(const struct pipe_rx *rx)
{
	const struct pipe_ledger *l = &rx->ledger;

	if (l->count == 0)
		return rx->lane.head;
	return l->taken[l->first & (l->room - 1)].begin & ~TAKEN_RELEASED;
}

/*
 * For wait sets, pipe-source.c. The eventfd that is signalled for @event, WEIR_IN or WEIR_OUT, once
 * each time that it was armed.
 */
int pipe_source_bell(const struct weir_end *end, uint32_t event);
/* Own the sides for @events, and have them signal: 0, -EBUSY, -EOPNOTSUPP, -EBADMSG, ... */
int pipe_source_begin(struct weir_end *end, uint32_t events);
/* @watch, as in struct parking, watches the line. */
void pipe_source_watch(struct weir_end *end, uint32_t watch);
/*
 * Which of @events hold, and WEIR_HUP; if none and @arm, all of @events are armed. @hung_up: the
 * line says so. 0, or SOURCE_*.
 */
int pipe_source_look(struct weir_end *end, uint32_t events, bool hung_up, bool arm,
		     uint32_t *ret_ready);
/* WEIR_OUT: room for a message of this size, or for the largest if that is less. */
#define PIPE_POLL_ROOM	64

/* Whether the writer has announced something that is not answered. */
static ALWAYS_INLINE bool pipe_rx_is_waited_for(const struct pipe_rx *rx)
{
	const struct parking *p = &rx->side.park;

	/* relaxed: ordered by the store of the published position, when there is one */
	return load_relaxed(&p->peer->wait) != p->answered;
}

/* Whether the writer should be told of what has been received. */
static ALWAYS_INLINE bool pipe_rx_worth_telling(const struct pipe_rx *rx, uint64_t done)
{
	return (int64_t)(done - rx->lane.due) >= 0 ||
	       pipe_rx_is_waited_for(rx);
}

/* All before @done is received and released. The caller has the ledger's turn. */
static ALWAYS_INLINE int pipe_rx_settle_at(struct pipe_rx *rx, uint64_t done)
{
	lane_rx_settle_at(&rx->lane, done);
	/* If there is nothing to receive, nobody may come by before the writer needs the room. */
	if (unlikely(pipe_rx_worth_telling(rx, done) || rx->dry_at == rx->lane.head))
		return pipe_rx_tell(rx, done);
	return 0;
}

/* Have the ledger, with all that is taken in it. */
static inline bool pipe_ledger_take(struct pipe_rx *rx)
{
	bool locked;

	turn_take(&rx->ledger.turn, 0, WEIR_FOREVER, &locked);
	/* relaxed: as the only thread it was made so, and under this lock it is changed */
	if (unlikely(load_relaxed(&rx->ease) == RX_ONE))
		pipe_taken_enter(rx);
	return locked;
}

static inline void pipe_ledger_give(struct pipe_rx *rx, bool locked)
{
	turn_give(&rx->ledger.turn, locked);
}

/* Whether the reader has announced or asked for something that is not seen to yet. */
static ALWAYS_INLINE bool pipe_tx_is_waited_for(const struct pipe_tx *tx)
{
	/* relaxed: not ordered after the header on purpose, see wait/park.h */
	return load_relaxed(&tx->side.park.peer->wait) != tx->side.park.answered ||
	       /* relaxed: as above */
	       load_relaxed(&tx->side.park.peer->requests) != tx->requests_seen;
}

/* A number for this thread, not 0. */
static ALWAYS_INLINE uintptr_t pipe_thread(void)
{
	return (uintptr_t)&conversing_now;
}

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
	/* relaxed: it is ours or it is not */
	if (unlikely(load_relaxed(&tx->claimant) == pipe_thread()))
		return -EBUSY;
	result = turn_take(&tx->side.turn, flags, deadline, ret_locked);
	if (unlikely(result < 0))
		return result;
	if (likely(tx->side.bound && !tx->claimed))
		return 0;
	/* Claimed without keeping the turn, while there was but one thread. */
	result = tx->claimed ? -EBUSY : pipe_bind_tx(end);
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
