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

static ALWAYS_INLINE struct taken *entry(const struct pipe_ledger *l, uint32_t i)
{
	return &l->taken[(l->first + i) & (l->room - 1)];
}

static COLD int grow(struct pipe_ledger *l)
{
	uint32_t room = l->room ? 2 * l->room : ROOM_FIRST;
	struct taken *bigger = room > l->count ? calloc(room, sizeof(*bigger)) : NULL;

	if (!bigger)
		return -ENOMEM;
	for (uint32_t i = 0; i < l->count; i++)
		bigger[i] = *entry(l, i);
	free(l->taken);
	l->taken = bigger;
	l->room = room;
	l->first = 0;
	return 0;
}

int pipe_taken_reserve(struct pipe_rx *rx)
{
	bool locked = pipe_ledger_take(rx);
	int result = rx->ledger.count < rx->ledger.room ? 0 : grow(&rx->ledger);

	pipe_ledger_give(rx, locked);
	return result;
}

static ALWAYS_INLINE void add(struct pipe_rx *rx, void *own)
{
	struct pipe_ledger *l = &rx->ledger;

	*entry(l, l->count++) = (struct taken){ .begin = rx->lane.head, .own = own };
}

/* In one step for those who release: between the two, all before the head would count as free. */
static ALWAYS_INLINE void add_and_step(struct pipe_rx *rx, uint64_t size)
{
	add(rx, NULL);
	lane_rx_step(&rx->lane, size);
}

void pipe_taken_step(struct pipe_rx *rx, uint64_t size)
{
	bool locked = pipe_ledger_take(rx);

	add_and_step(rx, size);
	pipe_ledger_give(rx, locked);
}

void pipe_taken_add(struct pipe_rx *rx, void *own)
{
	bool locked = pipe_ledger_take(rx);

	add(rx, own);
	pipe_ledger_give(rx, locked);
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

void pipe_taken_forget(struct pipe_rx *rx)
{
	struct pipe_ledger *l = &rx->ledger;

	for (uint32_t i = 0; i < l->count; i++)
		drop(entry(l, i));
	l->first = l->count = 0;
}

/* Whether @t lies in the ring at @data, and is not released. */
static ALWAYS_INLINE bool is_at(const struct pipe_rx *rx, const struct taken *t, const void *data)
{
	return !t->own && !(t->begin & TAKEN_RELEASED) &&
	       lane_header(&rx->lane.lane, t->begin) + 1 == data;
}

/* The entry that has @data, or NULL. Entries are in the order of their positions. */
static struct taken *find(const struct pipe_rx *rx, const void *data)
{
	const struct pipe_ledger *l = &rx->ledger;
	uint64_t offset = (uint64_t)((uintptr_t)data - (uintptr_t)rx->lane.lane.ring) -
			  RECORD_HEADER;
	uint64_t ahead = (offset - pipe_rx_done(rx)) & rx->lane.lane.mask;
	uint64_t begin = pipe_rx_done(rx) + ahead;
	uint32_t low = 0, high = l->count;

	/* What was too large for the ring lies somewhere else; there is one at most, the oldest. */
	if (l->count > 0 && entry(l, 0)->own) {
		if (entry(l, 0)->own == data)
			return entry(l, 0);
		low = 1;
	}
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if ((entry(l, middle)->begin & ~TAKEN_RELEASED) < begin)
			low = middle + 1;
		else
			high = middle;
	}
	return low < l->count && is_at(rx, entry(l, low), data) ? entry(l, low) : NULL;
}

/* ---- taking ---- */

/* The whole message at the head. */
static int take_whole(struct weir_end *end, uint64_t header, const void **ret_data,
		      size_t *ret_size)
{
	struct pipe_rx *rx = end->rx;
	int result = pipe_taken_reserve(rx);

	if (result < 0)
		return result;
	*ret_data = lane_rx_message(&rx->lane);
	*ret_size = (uint32_t)header;
	pipe_taken_step(rx, (uint32_t)header);
	return 0;
}

/* One that was too large for the ring, put together. */
static int take_large(struct weir_end *end, uint64_t header, uint32_t flags, int64_t deadline,
		      const void **ret_data, size_t *ret_size)
{
	struct pipe_rx *rx = end->rx;
	size_t size;
	int result = pipe_taken_reserve(rx);

	if (result < 0)
		return result;
	result = pipe_rx_large(end, header, NULL, 0, flags, deadline, &size);
	if (result == -EMSGSIZE)
		*ret_size = size;
	if (result != 0)
		return result;
	pipe_taken_add(rx, rx->store);
	*ret_data = rx->store;
	*ret_size = size;
	rx->store = NULL;
	rx->store_room = 0;
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
	pipe_rx_step(rx, (uint32_t)header);
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
	if (unlikely(rx->take_below == 0 || pipe_rx_is_waited_for(rx)))
		return false;
	size = lane_rx_look(&rx->lane) ^ RECORD_MARK;
	/* With any other mark, or none, what is left is no small number. */
	if (unlikely(size >= rx->take_below || rx->ledger.count == rx->ledger.room))
		return false;
	*ret_data = lane_rx_message(&rx->lane);
	add_and_step(rx, size);
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

/*
 * How many: the first is waited for, then what is there, up to anything that is more than to be
 * taken: it is the next call's, which can tell of it.
 */
static int take_all(struct weir_end *end, struct weir_msg *messages, size_t count, uint32_t flags,
		    int64_t deadline)
{
	const struct lane_rx *lane = &end->rx->lane;
	const void *data;
	int result = take_one(end, flags, deadline, &data, &messages[0].size);
	size_t i;

	if (result < 0)
		return result;
	messages[0].data = (void *)(uintptr_t)data;
	for (i = 1; i < count; i++) {
		uint64_t header = lane_rx_look(lane);

		if (!lane_header_valid(&lane->lane, header) || (uint32_t)header > end->limit ||
		    take_whole(end, header, &data, &messages[i].size) < 0)
			break;
		messages[i].data = (void *)(uintptr_t)data;
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
static ALWAYS_INLINE void settle(struct pipe_rx *rx)
{
	struct pipe_ledger *l = &rx->ledger;

	while (l->count > 0 && (entry(l, 0)->begin & TAKEN_RELEASED)) {
		l->first++;
		l->count--;
	}
	pipe_rx_settle_at(rx, pipe_rx_done(rx));
}

static int release(struct pipe_rx *rx, const void *data)
{
	struct pipe_ledger *l = &rx->ledger;
	struct taken *t;

	if (l->count == 0)
		return data ? -EINVAL : 0;
	if (!data) {
		for (uint32_t i = 0; i < l->count; i++)
			drop(entry(l, i));
	} else {
		t = find(rx, data);
		if (!t)
			return -EINVAL;
		drop(t);
	}
	settle(rx);
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
	result = release(rx, data);
	/* With threads the next receive does that, for it may be half-way through a message. */
	if (!locked)
		pipe_rx_changed(end);
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
	if (unlikely(!is_at(rx, entry(&rx->ledger, 0), data) || rx->take_below <= COPY_SMALL_MAX))
		return release_slow(end, data);
	rx->ledger.first++;
	rx->ledger.count = 0;
	rx->plain = true;
	return pipe_rx_settle_at(rx, rx->lane.head);
}
