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

#include "sys/sys.h"

#define TAKE_FLAGS (WEIR_INTR | WEIR_NOSPIN)
#define ROOM_FIRST 64
/* Up to where a batch makes room for all that it may get. */
#define ROOM_MOST 4096

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

void pipe_taken_enter(struct pipe_rx *rx)
{
	/* There is room, and it is the only one: see pipe_rx_changed(). */
	*entry(&rx->ledger, rx->ledger.count++) = (struct taken){ .begin = rx->one };
	store_relaxed(&rx->ease, RX_HARD);	/* relaxed: as in pipe_ledger_take() */
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
		if (unlikely(entry(l, i)->own))
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
	if (low < l->count && is_at(rx, entry(l, low), data))
		return entry(l, low);
	/* By a hostile hand, sizes that reach around the ring: several lie in the same place. */
	for (uint32_t i = 0; i < l->count; i++)
		if (is_at(rx, entry(l, i), data))
			return entry(l, i);
	return NULL;
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
		if (pipe_rx_is_handle(rx, header))
			return -EPROTO;
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

/* The most common case: nothing else is taken. It is not entered, unless more come to it. */
static ALWAYS_INLINE bool take_one_fast(struct pipe_rx *rx, const void **ret_data, size_t *ret_size)
{
	uint64_t head = rx->lane.head, size;
	const uint8_t *at = rx->lane.lane.ring + (head & rx->lane.lane.mask);

	/* order: COMMIT acquire, from lane_tx_release(). */
	size = load_acquire((const uint64_t *)(const void *)at) ^ RECORD_MARK;
	/* With any other mark, or none, what is left is no small number. */
	if (unlikely(size >= rx->take_below || pipe_rx_is_waited_for(rx)))
		return false;
	rx->one = head;
	rx->ease = RX_ONE;
	*ret_data = at + RECORD_HEADER;
	*ret_size = size;
	lane_rx_step(&rx->lane, size);
	conversing_clear();
	return true;
}

/* The common case: a whole message is there, and room in the ledger. */
static ALWAYS_INLINE bool take_fast(struct weir_end *end, const void **ret_data, size_t *ret_size)
{
	struct pipe_rx *rx = end->rx;
	uint64_t size;

	/* Not owned, among others. */
	if (unlikely(rx->take_below == 0 || pipe_rx_is_waited_for(rx)))
		return false;
	if (rx->ease == RX_ONE)
		pipe_taken_enter(rx);
	size = lane_rx_look(&rx->lane) ^ RECORD_MARK;
	/* With any other mark, or none, what is left is no small number. */
	if (unlikely(size >= rx->take_below || rx->ledger.count == rx->ledger.room))
		return false;
	*ret_data = lane_rx_message(&rx->lane);
	add_and_step(rx, size);
	rx->ease = RX_HARD;
	*ret_size = size;
	conversing_clear();
	return true;
}

int weir_pipe_take(struct weir_end *end, uint32_t flags, int64_t deadline, const void **ret_data,
		   size_t *ret_size)
{
	struct pipe_rx *rx;

	if (unlikely(!end || !ret_data || !ret_size || (flags & ~TAKE_FLAGS) || turn_needed()))
		return take_slow(end, flags, deadline, ret_data, ret_size);
	rx = end->rx;
	if (likely(rx && rx->ease == RX_PLAIN) && likely(take_one_fast(rx, ret_data, ret_size)))
		return 0;
	if (rx && take_fast(end, ret_data, ret_size))
		return 0;
	return take_slow(end, flags, deadline, ret_data, ret_size);
}

/*
 * Behind the first: the whole messages that are there, while the ledger has room, up to anything
 * that is more than to be taken: it is the next call's, which can tell of it. How many in all.
 */
static int take_rest(struct weir_end *end, struct weir_msg *messages, uint32_t count)
{
	struct pipe_rx *rx = end->rx;
	struct pipe_ledger *l = &rx->ledger;
	uint64_t head = rx->lane.head, usual = rx->lane.usual, size;
	uint64_t most = lane_message_max(&rx->lane.lane);
	uint32_t i, at = l->first + l->count, mask = l->room - 1;
	struct taken *taken = l->taken;

	if (most > end->limit)
		most = end->limit;
	if (count > 1 + l->room - l->count)
		count = 1 + l->room - l->count;
	for (i = 1; i < count; i++) {
		uint64_t *header = lane_header(&rx->lane.lane, head);

		/* order: COMMIT acquire, from lane_tx_release(). */
		size = load_acquire(header) ^ RECORD_MARK;
		if (size > most)
			break;
		messages[i].data = header + 1;
		messages[i].size = size;
		taken[at++ & mask] = (struct taken){ .begin = head };
		head = lane_behind(head, size, &usual);
	}
	l->count += i - 1;
	rx->lane.head = head;
	return (int)i;
}

static int take_all(struct weir_end *end, struct weir_msg *messages, size_t count, uint32_t flags,
		    int64_t deadline)
{
	struct pipe_ledger *l = &end->rx->ledger;
	const void *data;
	int result = take_one(end, flags, deadline, &data, &messages[0].size);
	bool locked;

	if (result < 0)
		return result;
	messages[0].data = (void *)(uintptr_t)data;
	locked = pipe_ledger_take(end->rx);
	/* Room for a batch, as far as there is memory. */
	while (l->room < ROOM_MOST && l->room - l->count < count)
		if (grow(l) < 0)
			break;
	result = take_rest(end, messages, (uint32_t)count);
	pipe_ledger_give(end->rx, locked);
	return result;
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
		pipe_taken_forget(rx);
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

	if (unlikely(!end || !data || turn_needed()))
		return release_slow(end, data);
	rx = end->rx;
	if (unlikely(!rx || rx->ease != RX_ONE || lane_header(&rx->lane.lane, rx->one) + 1 != data))
		return release_slow(end, data);
	rx->ease = RX_PLAIN;
	return pipe_rx_settle_at(rx, rx->lane.head);
}

/* ---- of a pump ---- */

/* The entry of @data, which is probably the one at *@at. */
static struct taken *find_next(const struct pipe_rx *rx, const void *data, uint32_t *at)
{
	const struct pipe_ledger *l = &rx->ledger;
	struct taken *t = *at < l->count ? entry(l, *at) : NULL;

	++*at;
	return t && is_at(rx, t, data) ? t : find(rx, data);
}

void pipe_taken_positions(struct weir_end *end, const struct weir_msg *messages, size_t count,
			  uint64_t *ret_positions)
{
	bool locked = pipe_ledger_take(end->rx);
	uint32_t at = 0;

	for (size_t i = 0; i < count; i++) {
		const struct taken *t = find_next(end->rx, messages[i].data, &at);

		/* What came in pieces is entered where the next one begins: that is its end. */
		ret_positions[i] = !t ? 0 : t->own ? t->begin - 1 : t->begin;
	}
	pipe_ledger_give(end->rx, locked);
}

void pipe_taken_release(struct weir_end *end, const struct weir_msg *messages, size_t count)
{
	struct pipe_rx *rx = end->rx;
	uint32_t at = 0;
	bool locked;

	turn_visit(&rx->side.turn);
	locked = pipe_ledger_take(rx);
	for (size_t i = 0; i < count; i++) {
		struct taken *t = find_next(rx, messages[i].data, &at);

		if (t)
			drop(t);
	}
	settle(rx);
	if (!locked)
		pipe_rx_changed(end);
	pipe_ledger_give(rx, locked);
	turn_leave(&rx->side.turn);
}

/* Whether the ledger ends with these, one behind the other, and the head stands behind them. */
static bool are_last(const struct pipe_rx *rx, const struct weir_msg *messages, size_t count)
{
	const struct pipe_ledger *l = &rx->ledger;
	uint64_t next = rx->lane.head;

	if (count > l->count || rx->large.mode != LARGE_NONE)
		return false;
	for (size_t i = 0; i < count; i++) {
		const struct taken *t = entry(l, l->count - 1 - (uint32_t)i);
		const struct weir_msg *m = &messages[count - 1 - i];

		next -= lane_record_size(m->size);
		if (!is_at(rx, t, m->data) || t->begin != next)
			return false;
	}
	return true;
}

void pipe_taken_return(struct weir_end *end, const struct weir_msg *messages, size_t count)
{
	struct pipe_rx *rx = end->rx;
	bool locked, ledger;

	if (pipe_enter_rx(end, 0, WEIR_FOREVER, &locked) < 0)
		return;
	ledger = pipe_ledger_take(rx);
	/* Only the first can be one that was too large. */
	if (rx->ledger.count > 0 && entry(&rx->ledger, 0)->own == messages->data) {
		drop(entry(&rx->ledger, 0));
		settle(rx);
		messages++;
		count--;
	}
	if (count > 0 && are_last(rx, messages, count)) {
		rx->ledger.count -= (uint32_t)count;
		for (size_t i = 0; i < count; i++)
			rx->lane.head -= lane_record_size(messages[i].size);
		/* Whoever polls has perhaps been told that there is nothing. */
		if (end->core->levels[end->rx_lane] >= 0)
			sys_event_set(end->core->levels[end->rx_lane]);
	}
	pipe_rx_changed(end);
	pipe_ledger_give(rx, ledger);
	turn_give(&rx->side.turn, locked);
}
