/* SPDX-License-Identifier: MIT */
/* Sending on a pipe. */
#include "obj/pipe.h"

#include <errno.h>

#include "wait/wakes.h"

#define SEND_FLAGS (WEIR_MORE | WEIR_INTR | WEIR_NOSPIN)
/*
 * Bytes of a stream after which a send looks at the line and the clock again: about 64 small
 * messages.
 */
#define PREPARE_STRIDE 4096

void pipe_tx_obey(struct weir_end *end, uint64_t requests)
{
	struct pipe_tx *tx = end->tx;
	struct weir_side *mine = tx->side.park.mine;
	uint32_t armed = REQUEST_ARMED(requests), fence = REQUEST_FENCE(requests);

	/* Whoever waits in a set asks for a fence if it sleeps often, and otherwise looks again. */
	tx->lane.fenced = (armed & REQUEST_EXPORTED) || (fence & 1);
	lane_tx_changed(&tx->lane);
	if (armed != REQUEST_ARMED(tx->requests_seen))
		wakes_event(end->core->levels[end->tx_lane], &mine->bell);
	tx->requests_seen = requests;
	/* order: FENCE release, to unfenced(): from here on we do. */
	store_release(&mine->fence_ack, fence);
}

static ALWAYS_INLINE void notify_reader(struct weir_end *end)
{
	struct pipe_tx *tx = end->tx;
	uint64_t requests;

	park_notify(&tx->side.park, tx->lane.fenced);
	/*
	 * order: SLEEP, after the store of the header, if that was fenced; otherwise it need not
	 * be
	 */
	requests = load_seq(&tx->side.park.peer->requests);
	if (unlikely(requests != tx->requests_seen))
		pipe_tx_obey(end, requests);
}

void pipe_tx_notify(struct weir_end *end)
{
	notify_reader(end);
}

void pipe_tx_flush(struct weir_end *end)
{
	if (!end->tx->lane.pending)
		return;
	lane_tx_commit(&end->tx->lane);
	notify_reader(end);
}

struct room {
	struct pipe_tx *tx;
	uint64_t size;
	int result;
};

static bool there_is_room(void *arg)
{
	struct room *r = arg;

	r->result = lane_tx_refresh(&r->tx->lane);
	return r->result < 0 || lane_tx_fits(&r->tx->lane, r->size);
}

/* Wait until a message of @size bytes fits. */
static int make_room(struct weir_end *end, uint64_t size, uint32_t flags, int64_t deadline)
{
	struct pipe_tx *tx = end->tx;
	struct parking *park = &tx->side.park;
	struct room room = { .tx = tx, .size = size };
	struct park_for what = { .look = there_is_room, .arg = &room, .turn = &tx->side.turn };
	int result;

	if (there_is_room(&room))
		return room.result < 0 ? pipe_poison(end, park) : 0;
	/* The reader cannot free what it cannot see. */
	pipe_tx_flush(end);
	lane_tx_mark(&tx->lane);
	/* relaxed: read by a reader that has seen the announcement, which is stored after it */
	store_relaxed(&park->mine->need, lane_record_size(size));
	result = park_wait(park, &what, flags, deadline);
	if (there_is_room(&room))
		return room.result < 0 ? pipe_poison(end, park) : 0;
	return result;
}

/*
 * Sets the soft limit so that it is asked again after 4 KiB of a stream, but with every message of
 * one who sends rarely.
 */
NOINLINE int pipe_tx_prepare(struct weir_end *end, uint64_t size, uint32_t flags, int64_t deadline)
{
	struct pipe_tx *tx = end->tx;
	struct lane_tx *lane = &tx->lane;
	uint64_t stride, next = lane->tail + lane_record_size(size);
	int result;

	if (size > lane_message_max(&lane->lane))
		return -EMSGSIZE;
	lane->soft = lane->tail;
	lane_tx_changed(lane);
	lane_tx_mark(lane);
	result = park_check(&tx->side.park, 0);
	if (result < 0)
		return result;
	if (!lane_tx_fits(lane, size)) {
		result = make_room(end, size, flags, deadline);
		if (result < 0)
			return result;
	}
	stride = tx->side.park.line_pace.quick ? lane_capacity(&lane->lane) / 8 : 0;
	if (stride > PREPARE_STRIDE)
		stride = PREPARE_STRIDE;
	lane->soft = lane->limit - next < stride ? lane->limit : next + stride;
	lane_tx_changed(lane);
	return 0;
}

static ALWAYS_INLINE bool within_soft_limit(const struct lane_tx *lane, uint64_t size)
{
	/* The first condition keeps the size of the record from running over. */
	return size <= UINT32_MAX && lane_record_size(size) <= lane->soft - lane->tail;
}

static ALWAYS_INLINE bool prepared(const struct pipe_tx *tx, uint64_t size)
{
	return within_soft_limit(&tx->lane, size) && !park_disturbed(&tx->side.park);
}

/* The message whose bytes are in place: publish it, or keep it back with those that are. */
static ALWAYS_INLINE void put_open(struct weir_end *end, uint64_t size, uint32_t flags)
{
	struct lane_tx *lane = &end->tx->lane;

	if (likely(!(flags & WEIR_MORE) && !lane->pending)) {
		lane_tx_put_open(lane, RECORD_MARK, size);
	} else {
		lane_tx_put_open_more(lane, size);
		if ((flags & WEIR_MORE) &&
		    lane->tail - lane->first < lane_capacity(&lane->lane) / 8)
			return;
		lane_tx_commit(lane);
	}
	notify_reader(end);
}

void pipe_tx_put_open(struct weir_end *end, uint64_t size, uint32_t flags)
{
	put_open(end, size, flags);
}

static int send_one(struct weir_end *end, struct parts *from, uint64_t size, uint32_t flags,
		    int64_t deadline)
{
	struct pipe_tx *tx = end->tx;
	uint8_t *to;

	if (unlikely(size > lane_message_max(&tx->lane.lane)))
		return pipe_tx_large(end, from, size, flags, deadline);
	if (unlikely(!prepared(tx, size))) {
		int result = pipe_tx_prepare(end, size, flags, deadline);

		if (result < 0)
			return result;
	}
	to = lane_tx_open(&tx->lane);
	if (likely(from->at->iov_len - from->offset >= size))
		copy_in(to, (const uint8_t *)from->at->iov_base + from->offset, size);
	else
		parts_gather(from, to, size);
	put_open(end, size, flags);
	return 0;
}

static ALWAYS_INLINE void leave(struct weir_end *end, bool locked)
{
	conversing_set();
	turn_give(&end->tx->side.turn, locked);
}

static int send_parts(struct weir_end *end, struct parts from, uint64_t size, uint32_t flags,
		      int64_t deadline)
{
	bool locked;
	int result = pipe_enter_tx(end, flags, deadline, &locked);

	if (result < 0)
		return result;
	result = send_one(end, &from, size, flags, deadline);
	leave(end, locked);
	return result;
}

static NOINLINE int send_slow(struct weir_end *end, const void *data, size_t size, uint32_t flags,
			      int64_t deadline)
{
	struct iovec all = { .iov_base = (void *)(uintptr_t)data, .iov_len = size };

	if (!end || (!data && size > 0) || (flags & ~SEND_FLAGS))
		return -EINVAL;
	return send_parts(end, (struct parts){ .at = &all }, size, flags, deadline);
}

int weir_pipe_sendv(struct weir_end *end, const struct iovec *parts, size_t count, uint32_t flags,
		    int64_t deadline)
{
	static const struct iovec none;
	uint64_t size;
	int result;

	if (!end || (flags & ~SEND_FLAGS))
		return -EINVAL;
	result = parts_size(parts, count, &size);
	if (result < 0)
		return result;
	return send_parts(end, (struct parts){ .at = count ? parts : &none }, size, flags,
			  deadline);
}

static NOINLINE int notify_slow(struct weir_end *end)
{
	notify_reader(end);
	return 0;
}

int weir_pipe_send(struct weir_end *end, const void *data, size_t size, uint32_t flags,
		   int64_t deadline)
{
	struct pipe_tx *tx;

	/* What is left of the way through here calls nothing, so that no register needs saving. */
	if (unlikely(!end || !data || (flags & ~(WEIR_INTR | WEIR_NOSPIN)) || turn_needed()))
		return send_slow(end, data, size, flags, deadline);
	tx = end->tx;
	/* In this order: what is not owned is not fast, and has no peer to ask. */
	if (unlikely(!tx || !lane_tx_is_fast(&tx->lane, size) || park_disturbed(&tx->side.park)))
		return send_slow(end, data, size, flags, deadline);
	lane_tx_put_fast(&tx->lane, data, size);
	conversing_set();
	if (unlikely(pipe_tx_is_waited_for(tx)))
		return notify_slow(end);
	return 0;
}

static COLD int send_part_large(struct weir_end *end, const struct weir_msg *m, uint32_t flags,
				int64_t deadline)
{
	struct iovec all = { .iov_base = m->data, .iov_len = m->size };
	struct parts from = { .at = &all };

	return pipe_tx_large(end, &from, m->size, flags, deadline);
}

/* One message of several, to be published later. */
static ALWAYS_INLINE int send_part(struct weir_end *end, const struct weir_msg *m, uint32_t flags,
				   int64_t deadline)
{
	struct pipe_tx *tx = end->tx;

	if (unlikely(!m->data && m->size > 0))
		return -EINVAL;
	if (unlikely(m->size > lane_message_max(&tx->lane.lane)))
		return send_part_large(end, m, flags, deadline);
	if (unlikely(!within_soft_limit(&tx->lane, m->size))) {
		int result = pipe_tx_prepare(end, m->size, flags, deadline);

		if (result < 0)
			return result;
	}
	lane_tx_put_more(&tx->lane, m->data, m->size);
	return 0;
}

/*
 * Behind a message that is pending: as many small ones of @count as need nothing looked at. The
 * lane is kept in registers: the stores into the ring would have it loaded again and again.
 */
static size_t send_small(struct lane_tx *lane, const struct weir_msg *messages, size_t count)
{
	uint8_t *ring = lane->lane.ring;
	uint64_t mask = lane->lane.mask, tail = lane->tail, soft = lane->soft;
	size_t i;

	for (i = 0; i < count; i++) {
		const struct weir_msg *m = &messages[i];
		uint8_t *at = ring + (tail & mask);

		if (m->size > COPY_SMALL_MAX || lane_record_size(m->size) > soft - tail ||
		    (!m->data && m->size > 0))
			break;
		copy_in_small(at + RECORD_HEADER, m->data, m->size);
		/* relaxed: published by the header of the first record, which is released last */
		store_relaxed((uint64_t *)(void *)at, RECORD_MARK | m->size);
		tail += lane_record_size(m->size);
	}
	lane->tail = tail;
	return i;
}

/* How many were sent; or, if none was, why not. */
static int send_all(struct weir_end *end, const struct weir_msg *messages, size_t count,
		    uint32_t flags, int64_t deadline)
{
	size_t sent = 0;
	int result = 0;

	if (unlikely(!prepared(end->tx, 0))) {
		/* For what is larger than the ring, room is made piece by piece. */
		uint64_t size = messages[0].size, most = lane_message_max(&end->tx->lane.lane);

		result = pipe_tx_prepare(end, size <= most ? size : 0, flags, deadline);
		if (result < 0)
			return result;
	}
	while (sent < count) {
		result = send_part(end, &messages[sent], flags, deadline);
		if (unlikely(result < 0))
			break;
		sent++;
		/* A large one leaves nothing pending that the next would be seen together with. */
		if (likely(end->tx->lane.pending))
			sent += send_small(&end->tx->lane, messages + sent, count - sent);
	}
	if (!(flags & WEIR_MORE) || sent < count ||
	    end->tx->lane.tail - end->tx->lane.first >= lane_capacity(&end->tx->lane.lane) / 8)
		pipe_tx_flush(end);
	return sent > 0 ? (int)sent : result;
}

int weir_pipe_send_batch(struct weir_end *end, const struct weir_msg *messages, size_t count,
			 uint32_t flags, int64_t deadline)
{
	bool locked;
	int result;

	if (unlikely(!end || !messages || count == 0 || count > INT32_MAX || (flags & ~SEND_FLAGS)))
		return -EINVAL;
	result = pipe_enter_tx(end, flags, deadline, &locked);
	if (unlikely(result < 0))
		return result;
	result = send_all(end, messages, count, flags, deadline);
	leave(end, locked);
	return result;
}

int weir_pipe_flush(struct weir_end *end)
{
	bool locked;
	int result;

	if (!end)
		return -EINVAL;
	result = pipe_enter_tx(end, 0, WEIR_FOREVER, &locked);
	if (result < 0)
		return result;
	pipe_tx_flush(end);
	turn_give(&end->tx->side.turn, locked);
	return 0;
}
