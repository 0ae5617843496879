/* SPDX-License-Identifier: MIT */
/* Sending on a pipe. */
#include "obj/pipe.h"

#include <errno.h>

#include "sys/sys.h"

#define SEND_FLAGS (WEIR_MORE | WEIR_INTR | WEIR_NOSPIN)

_Thread_local uint64_t pipe_sends __attribute__((tls_model("initial-exec")));

/* The reader has armed its exported descriptor: signal it, once. */
static COLD void signal_armed(struct weir_end *end, uint32_t armed)
{
	end->tx->armed_seen = armed;
	sys_event_set(end->core->levels[end->tx_lane]);
}

/* What has been committed may be waited for. */
static ALWAYS_INLINE void notify_reader(struct weir_end *end)
{
	struct pipe_tx *tx = end->tx;
	uint32_t armed;

	park_notify(&tx->side.park);
	/* order: ARMED, after the store of the header; unless it never asked, when the order does not matter */
	armed = load_seq(&tx->side.park.peer->armed);
	if (unlikely(armed != tx->armed_seen))
		signal_armed(end, armed);
}

static void commit_pending(struct weir_end *end)
{
	struct pipe_tx *tx = end->tx;

	if (tx->lane.first == tx->lane.tail)
		return;
	lane_tx_commit(&tx->lane, tx->lane.first_header, tx->armed_seen != 0);
	notify_reader(end);
}

void pipe_tx_flush(struct weir_end *end)
{
	commit_pending(end);
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
static COLD int make_room(struct weir_end *end, uint64_t size, uint32_t flags, int64_t deadline)
{
	struct pipe_tx *tx = end->tx;
	struct parking *park = &tx->side.park;
	struct room room = { .tx = tx, .size = size };
	struct park_for what = { .look = there_is_room, .arg = &room, .turn = &tx->side.turn };
	int result;

	if (size > lane_message_max(&tx->lane.lane))
		return -EMSGSIZE;
	if (there_is_room(&room))
		return room.result < 0 ? pipe_poison(park) : 0;
	/* The reader cannot free what it cannot see. */
	commit_pending(end);
	/* relaxed: read by a reader that has seen the announcement, which is stored after it */
	store_relaxed(&park->mine->need, lane_record_size(size));
	result = park_wait(park, &what, flags, deadline);
	if (there_is_room(&room))
		return room.result < 0 ? pipe_poison(park) : 0;
	return result;
}

/* What a send looks at beside the ring. */
static ALWAYS_INLINE int check(struct pipe_tx *tx)
{
	struct parking *p = &tx->side.park;

	if (likely(!park_disturbed(p) && !p->hung_up && p->line_pace.skip > 0)) {
		p->line_pace.skip--;
		return 0;
	}
	return park_check(p);
}

/* One message; the caller has the turn. */
static ALWAYS_INLINE int send_one(struct weir_end *end, const void *data, size_t size, uint32_t flags,
				  int64_t deadline)
{
	struct pipe_tx *tx = end->tx;
	bool more = flags & WEIR_MORE;
	int result;

	if (unlikely(!lane_tx_fits(&tx->lane, size))) {
		result = make_room(end, size, flags, deadline);
		if (result < 0)
			return result;
	}
	if (unlikely(more) && tx->lane.tail - tx->lane.first > lane_capacity(&tx->lane.lane) / 8)
		more = false;
	lane_tx_put(&tx->lane, data, size, more, tx->armed_seen != 0);
	if (likely(!more))
		notify_reader(end);
	return 0;
}

int weir_pipe_send(struct weir_end *end, const void *data, size_t size, uint32_t flags,
		   int64_t deadline)
{
	bool locked;
	int result;

	if (unlikely(!end || (!data && size > 0) || (flags & ~SEND_FLAGS)))
		return -EINVAL;
	result = pipe_enter_tx(end, flags, deadline, &locked);
	if (unlikely(result < 0))
		return result;
	result = check(end->tx);
	if (likely(result == 0))
		result = send_one(end, data, size, flags, deadline);
	pipe_sends++;
	turn_give(&end->tx->side.turn, locked);
	return result;
}

/* How many were sent; or, if none was, why not. */
static int send_all(struct weir_end *end, const struct weir_msg *messages, size_t count, uint32_t flags,
		    int64_t deadline)
{
	for (size_t i = 0; i < count; i++) {
		bool last = i + 1 == count;
		int result;

		if (unlikely(!messages[i].data && messages[i].size > 0))
			result = -EINVAL;
		else
			result = send_one(end, messages[i].data, messages[i].size,
					  last ? flags : flags | WEIR_MORE, deadline);
		if (unlikely(result < 0)) {
			commit_pending(end);
			return i > 0 ? (int)i : result;
		}
	}
	return (int)count;
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
	result = check(end->tx);
	if (likely(result == 0))
		result = send_all(end, messages, count, flags, deadline);
	pipe_sends++;
	turn_give(&end->tx->side.turn, locked);
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
	commit_pending(end);
	turn_give(&end->tx->side.turn, locked);
	return 0;
}
