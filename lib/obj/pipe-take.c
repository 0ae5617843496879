/* SPDX-License-Identifier: MIT */
/*
 * Reading messages in place: the program gets where they lie in the ring, any number of them, and
 * says when it is done with each, in any order. What is behind the oldest that it still has is not
 * free yet, whether it was released, copied out or not.
 *
 * The ledger of what is taken is private. For the next owner the position says where the oldest one
 * begins: if this process dies, that one and all behind it are received again.
 */
#include "obj/pipe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TAKE_FLAGS (WEIR_INTR | WEIR_NOSPIN)
#define ROOM_FIRST 64

/* ---- the ledger ---- */

static ALWAYS_INLINE struct taken *entry(const struct weir_end *end, uint32_t i)
{
	return &end->taken[(end->rx->ledger.first + i) & (end->taken_room - 1)];
}

static COLD int grow(struct weir_end *end)
{
	struct pipe_ledger *l = &end->rx->ledger;
	uint32_t room = end->taken_room ? 2 * end->taken_room : ROOM_FIRST;
	struct taken *bigger = room > l->count ? calloc(room, sizeof(*bigger)) : NULL;

	if (!bigger)
		return -ENOMEM;
	for (uint32_t i = 0; i < l->count; i++)
		bigger[i] = *entry(end, i);
	free(end->taken);
	end->taken = bigger;
	end->taken_room = room;
	l->first = 0;
	return 0;
}

int pipe_taken_reserve(struct weir_end *end)
{
	bool locked = pipe_ledger_take(end->rx);
	int result = end->rx->ledger.count < end->taken_room ? 0 : grow(end);

	pipe_ledger_give(end->rx, locked);
	return result;
}

static ALWAYS_INLINE void add(struct weir_end *end, struct taken t)
{
	*entry(end, end->rx->ledger.count++) = t;
}

void pipe_taken_add(struct weir_end *end, struct taken t)
{
	bool locked = pipe_ledger_take(end->rx);

	if (!(t.begin & TAKEN_RELEASED) || end->rx->ledger.count > 0)
		add(end, t);
	pipe_ledger_give(end->rx, locked);
}

bool pipe_taken_any(struct pipe_rx *rx)
{
	bool locked = pipe_ledger_take(rx), any = rx->ledger.count > 0;

	pipe_ledger_give(rx, locked);
	return any;
}

static void drop(struct taken *t)
{
	free(t->own);
	t->own = NULL;
	t->begin |= TAKEN_RELEASED;
}

void pipe_taken_forget(struct weir_end *end)
{
	struct pipe_ledger *l = &end->rx->ledger;

	for (uint32_t i = 0; i < l->count; i++)
		drop(entry(end, i));
	l->first = l->count = 0;
}

/* Whether @t lies in the ring at @data, and is not released. */
static ALWAYS_INLINE bool is_at(const struct weir_end *end, const struct taken *t, const void *data)
{
	return !t->own && !(t->begin & TAKEN_RELEASED) &&
	       lane_header(&end->rx->lane.lane, t->begin) + 1 == data;
}

/* The entry that has @data, or NULL. Entries are in the order of their positions. */
static struct taken *find(const struct weir_end *end, const void *data)
{
	const struct pipe_rx *rx = end->rx;
	uint64_t offset = (uint64_t)((const uint8_t *)data - rx->lane.lane.ring) - RECORD_HEADER;
	uint64_t ahead = (offset - pipe_rx_done(end)) & rx->lane.lane.mask;
	uint64_t begin = pipe_rx_done(end) + ahead;
	uint32_t low = 0, high = rx->ledger.count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (entry(end, middle)->begin < begin)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < rx->ledger.count && is_at(end, entry(end, low), data))
		return entry(end, low);
	/* What was too large for the ring lies somewhere else, and is rare. */
	for (uint32_t i = 0; i < rx->ledger.count; i++)
		if (entry(end, i)->own == data)
			return entry(end, i);
	return NULL;
}

/* ---- taking ---- */

/* The whole message at the head. */
static int take_whole(struct weir_end *end, uint64_t header, const void **ret_data,
		      size_t *ret_size)
{
	struct pipe_rx *rx = end->rx;
	struct taken t = { .begin = rx->lane.head };
	const void *data = lane_rx_message(&rx->lane);
	int result = pipe_taken_reserve(end);

	if (result < 0)
		return result;
	lane_rx_step(&rx->lane, (uint32_t)header);
	pipe_taken_add(end, t);
	*ret_data = data;
	*ret_size = (uint32_t)header;
	return 0;
}

/* One that was too large for the ring, put together. */
static int take_large(struct weir_end *end, uint64_t header, uint32_t flags, int64_t deadline,
		      const void **ret_data, size_t *ret_size)
{
	size_t size;
	int result = pipe_taken_reserve(end);

	if (result < 0)
		return result;
	result = pipe_rx_large(end, header, NULL, 0, flags, deadline, &size);
	if (result == -EMSGSIZE)
		*ret_size = size;
	if (result != 0)
		return result;
	pipe_taken_add(end, (struct taken){
		.begin = end->rx->lane.head,
		.own = end->store,
	});
	*ret_data = end->store;
	*ret_size = size;
	end->store = NULL;
	end->store_room = 0;
	return 0;
}

static int take_one(struct weir_end *end, uint32_t flags, int64_t deadline, const void **ret_data,
		    size_t *ret_size)
{
	struct pipe_rx *rx = end->rx;
	uint64_t header;
	int result;

	do {
		result = pipe_rx_next(end, flags, deadline, &header);
		if (result < 0)
			return result;
		if (!pipe_rx_in_pieces(rx, header))
			break;
		result = take_large(end, header, flags, deadline, ret_data, ret_size);
		if (result <= 0)
			return result;
	} while (true);
	if ((uint32_t)header <= end->limit)
		return take_whole(end, header, ret_data, ret_size);
	*ret_size = (uint32_t)header;
	lane_rx_step(&rx->lane, (uint32_t)header);
	pipe_rx_settle(end);
	return -EMSGSIZE;
}

static NOINLINE int take_slow(struct weir_end *end, uint32_t flags, int64_t deadline,
			      const void **ret_data, size_t *ret_size)
{
	bool locked;
	int result;

	if (!end || !ret_data || !ret_size || (flags & ~TAKE_FLAGS))
		return -EINVAL;
	result = pipe_enter_rx(end, flags, deadline, &locked);
	if (result < 0)
		return result;
	result = pipe_rx_done_with(end, take_one(end, flags, deadline, ret_data, ret_size));
	turn_give(&end->rx->side.turn, locked);
	return result;
}

/* The common case: a whole message is there, and room in the ledger. */
static ALWAYS_INLINE bool take_fast(struct weir_end *end, const void **ret_data, size_t *ret_size)
{
	struct pipe_rx *rx = end->rx;
	uint64_t size;

	/* Not owned, among others. */
	if (unlikely(rx->take_below == 0))
		return false;
	size = lane_rx_look(&rx->lane) ^ RECORD_MARK;
	/* With any other mark, or none, what is left is no small number. */
	if (unlikely(size >= rx->take_below || rx->ledger.count == end->taken_room))
		return false;
	*ret_data = lane_rx_message(&rx->lane);
	add(end, (struct taken){ .begin = rx->lane.head });
	lane_rx_step(&rx->lane, size);
	rx->plain = false;
	*ret_size = size;
	pipe_clear_conversing();
	return true;
}

int weir_pipe_take(struct weir_end *end, uint32_t flags, int64_t deadline, const void **ret_data,
		   size_t *ret_size)
{
	if (unlikely(!end || !ret_data || !ret_size || (flags & ~TAKE_FLAGS) || turn_needed() ||
		     !end->rx || !take_fast(end, ret_data, ret_size)))
		return take_slow(end, flags, deadline, ret_data, ret_size);
	return 0;
}

/* How many: the first is waited for, then what is there. */
static int take_all(struct weir_end *end, struct weir_msg *messages, size_t count, uint32_t flags,
		    int64_t deadline)
{
	const void *data;
	size_t i;

	for (i = 0; i < count; i++) {
		int result = take_one(end, flags, i == 0 ? deadline : 0, &data, &messages[i].size);

		if (result < 0)
			return i > 0 ? (int)i : result;
		messages[i].data = (void *)(uintptr_t)data;
		/* A lone look: more is not worth a way through the parking. */
		if (lane_rx_look(&end->rx->lane) == 0)
			return (int)i + 1;
	}
	return (int)i;
}

int weir_pipe_take_batch(struct weir_end *end, struct weir_msg *messages, size_t count,
			 uint32_t flags, int64_t deadline)
{
	bool locked;
	int result;

	if (!end || !messages || count == 0 || count > INT32_MAX || (flags & ~TAKE_FLAGS))
		return -EINVAL;
	result = pipe_enter_rx(end, flags, deadline, &locked);
	if (result < 0)
		return result;
	result = pipe_rx_done_with(end, take_all(end, messages, count, flags, deadline));
	turn_give(&end->rx->side.turn, locked);
	return result;
}

/* ---- releasing ---- */

/* Let go of the oldest as far as they are released. The caller has the ledger's turn. */
static ALWAYS_INLINE void settle(struct weir_end *end)
{
	struct pipe_ledger *l = &end->rx->ledger;

	while (l->count > 0 && (entry(end, 0)->begin & TAKEN_RELEASED)) {
		l->first++;
		l->count--;
	}
	pipe_rx_settle_at(end->rx, pipe_rx_done(end));
}

static int release(struct weir_end *end, const void *data)
{
	struct pipe_ledger *l = &end->rx->ledger;
	struct taken *t;

	if (l->count == 0)
		return data ? -EINVAL : 0;
	if (!data) {
		for (uint32_t i = 0; i < l->count; i++)
			drop(entry(end, i));
	} else {
		t = find(end, data);
		if (!t)
			return -EINVAL;
		drop(t);
	}
	settle(end);
	pipe_rx_changed(end);
	return 0;
}

static NOINLINE int release_slow(struct weir_end *end, const void *data)
{
	struct pipe_rx *rx;
	bool locked;
	int result;

	if (!end)
		return -EINVAL;
	rx = end->rx;
	if (!rx)
		return -EOPNOTSUPP;
	turn_visit(&rx->side.turn);
	locked = pipe_ledger_take(rx);
	result = release(end, data);
	pipe_ledger_give(rx, locked);
	turn_leave(&rx->side.turn);
	return result;
}

int weir_pipe_release(struct weir_end *end, const void *data)
{
	struct pipe_rx *rx;

	if (unlikely(!end || !data || turn_needed() || !end->rx || end->rx->ledger.count != 1))
		return release_slow(end, data);
	rx = end->rx;
	/* It is the only one; behind it all is plain, unless a low limit is in the way. */
	if (unlikely(!is_at(end, entry(end, 0), data) || rx->take_below <= COPY_SMALL_MAX))
		return release_slow(end, data);
	rx->ledger.first++;
	rx->ledger.count = 0;
	rx->plain = true;
	return pipe_rx_settle_at(rx, rx->lane.head);
}
