/* SPDX-License-Identifier: MIT */
/*
 * Messages larger than the ring, in pieces: see ring/piece.h.
 *
 * A receive takes the pieces out of the ring as they come, into the caller's buffer. One that must
 * return before the last keeps what it has in the end's store, where the next call finds it. The
 * position goes on with each piece, so a message whose receiver dies half-way is gone with it: the
 * next owner finds pieces without their beginning, and is told by -EOWNERDEAD.
 */
#include "obj/pipe.h"

#include <errno.h>
#include <stdlib.h>

/* ---- sending ---- */

static void set_partial(struct pipe_tx *tx, uint64_t partial)
{
	/* order: PARTIAL release, to cut(): behind the last piece, when it is taken back. */
	store_release(&tx->side.park.mine->partial, partial);
}

/* Whether the next piece must wait. What the reader does in between does no harm. */
static bool is_stuffed(struct lane_tx *lane)
{
	return lane_tx_refresh(lane) < 0 || !lane_tx_fits(lane, piece_need(&lane->lane));
}

static void put_piece(struct weir_end *end, uint64_t mark, uint64_t size)
{
	struct pipe_tx *tx = end->tx;

	lane_tx_put_open(&tx->lane, mark, size);
	/* Half a message is news only for those who wait for it inside a receive. */
	if (mark == RECORD_LAST || is_stuffed(&tx->lane))
		pipe_tx_notify(end);
	else
		park_notify(&tx->side.park, tx->lane.fenced);
}

/* The bytes of the next piece, of what is left. Its mark. */
static uint64_t fill_piece(struct lane_tx *lane, struct parts *from, uint64_t total, uint64_t *left,
			   uint64_t *ret_size)
{
	uint8_t *to = lane_tx_open(lane);
	bool first = *left == total;
	uint64_t prefix = first ? PIECE_SIZE_WORD : 0, size = piece_room(&lane->lane) - prefix;

	if (size > *left)
		size = *left;
	if (first)
		memcpy(to, &total, sizeof(total));
	parts_gather(from, to + prefix, size);
	*left -= size;
	*ret_size = prefix + size;
	return first ? RECORD_FIRST : *left > 0 ? RECORD_MIDDLE : RECORD_LAST;
}

/* What has been sent of the message is not to be received. */
static void give_up(struct weir_end *end)
{
	struct pipe_tx *tx = end->tx;

	lane_tx_put_open(&tx->lane, RECORD_ABORT, 0);
	lane_tx_leave(&tx->lane);
	set_partial(tx, 0);
	pipe_tx_notify(end);
}

int pipe_tx_large(struct weir_end *end, struct parts *from, uint64_t size, uint32_t flags,
		  int64_t deadline)
{
	struct pipe_tx *tx = end->tx;
	struct lane_tx *lane = &tx->lane;
	uint64_t left = size, piece, mark;
	int result;

	if (size > UINT32_MAX)
		return -EMSGSIZE;
	pipe_tx_flush(end);
	/* It never fits without somebody who receives meanwhile. */
	if (deadline <= 0) {
		result = park_check(&tx->side.park, PARK_LINE_CALLS);
		return result < 0 ? result : -EAGAIN;
	}
	while (left > 0) {
		result = pipe_tx_prepare(end, piece_need(&lane->lane), flags, deadline);
		if (result < 0) {
			if (left < size)
				give_up(end);
			return result;
		}
		if (left == size)
			set_partial(tx, 1);
		mark = fill_piece(lane, from, size, &left, &piece);
		put_piece(end, mark, piece);
	}
	set_partial(tx, 0);
	return 0;
}

/* ---- receiving ---- */

void pipe_rx_forget(struct weir_end *end)
{
	struct pipe_rx *rx = end->rx;

	rx->large = (struct large){ .mode = LARGE_NONE };
	free(rx->store);
	rx->store = NULL;
	rx->store_room = 0;
}

/* Room for @size bytes in the store, which grows with what has really come. */
static int reserve(struct pipe_rx *rx, uint64_t size)
{
	uint64_t room = rx->store_room ? rx->store_room : 4096, total = rx->large.total;
	uint8_t *store;

	if (size <= rx->store_room)
		return 0;
	while (room < size)
		room *= 2;
	if (room > total)
		room = total;
	store = realloc(rx->store, room);
	if (!store)
		return -ENOMEM;
	rx->store = store;
	rx->store_room = room;
	return 0;
}

static const uint8_t *piece_data(const struct pipe_rx *rx, uint64_t header, uint64_t *ret_size)
{
	uint64_t prefix = (header & RECORD_MARK_MASK) == RECORD_FIRST ? PIECE_SIZE_WORD : 0;

	*ret_size = (uint32_t)header - prefix;
	return (const uint8_t *)lane_rx_message(&rx->lane) + prefix;
}

static void take_out(struct weir_end *end, uint64_t header)
{
	pipe_rx_step(end->rx, (uint32_t)header);
	pipe_rx_settle(end);
}

/* The piece at the head, which belongs here. 0, or -ENOMEM: nothing has changed. */
static int add_piece(struct weir_end *end, uint64_t header, struct parts *to)
{
	struct pipe_rx *rx = end->rx;
	struct large *large = &rx->large;
	uint64_t size;
	const uint8_t *data = piece_data(rx, header, &size);

	if (to) {
		parts_scatter(to, data, size);
	} else {
		int result = reserve(rx, large->got + size);

		if (result < 0)
			return result;
		memcpy(rx->store + large->got, data, size);
		large->saved += size;
	}
	large->got += size;
	take_out(end, header);
	return 0;
}

/* Whether a piece with this header can come next. */
static bool belongs(const struct large *large, uint64_t header)
{
	uint64_t mark = header & RECORD_MARK_MASK, size = (uint32_t)header, end = large->got + size;

	if (mark == RECORD_FIRST)
		return large->got == 0 && end - PIECE_SIZE_WORD < large->total;
	return large->got > 0 && size > 0 &&
	       (mark == RECORD_LAST ? end == large->total : end < large->total);
}

/* A record comes where the next piece should. 0: it is that; 1: the sender gave up; or an error. */
static int check_piece(struct weir_end *end, uint64_t header)
{
	struct pipe_rx *rx = end->rx;

	if (!lane_header_known(&rx->lane.lane, header))
		return pipe_poison(end, &rx->side.park);
	switch (header & RECORD_MARK_MASK) {
	case RECORD_FIRST:
		if (rx->large.got == 0)
			break;
		/* fall through */
	case RECORD_MARK:
	case RECORD_HANDLE:
		pipe_rx_forget(end);
		return -EOWNERDEAD;
	case RECORD_ABORT:
		pipe_rx_forget(end);
		take_out(end, header);
		return 1;
	case RECORD_CUT:
		pipe_rx_forget(end);
		take_out(end, header);
		return -EOWNERDEAD;
	}
	return belongs(&rx->large, header) ? 0 : pipe_poison(end, &rx->side.park);
}

/*
 * The call returns before the message is whole: what the caller's buffer has of it goes to the
 * store. @to: from the beginning of the message.
 */
static int put_by(struct weir_end *end, struct parts to, int result)
{
	struct pipe_rx *rx = end->rx;
	struct large *large = &rx->large;
	uint8_t *bytes;

	if (large->got == large->saved)
		return result;
	if (reserve(rx, large->got) < 0) {
		uint64_t total = large->total;

		pipe_rx_forget(end);
		large->mode = LARGE_DROPPED;
		large->total = total;
		return -ENOMEM;
	}
	for (uint64_t done = 0, n; done < large->saved; done += n)
		n = parts_next(&to, large->saved - done, &bytes);
	parts_gather(&to, rx->store + large->saved, large->got - large->saved);
	large->saved = large->got;
	return result;
}

/* The rest of the pieces. 0, 1, or an error, as pipe_rx_large(). */
static int go_on(struct weir_end *end, uint64_t header, struct parts *to, uint32_t flags,
		 int64_t deadline)
{
	struct large *large = &end->rx->large;
	int result;

	for (;;) {
		result = check_piece(end, header);
		if (result == 0)
			result = add_piece(end, header, to);
		if (result != 0 || large->got == large->total)
			return result;
		result = pipe_rx_next(end, flags, deadline, &header);
		if (result < 0)
			return result;
	}
}

/* The first piece is at the head: 0, or an error that leaves it there but for the limit's. */
static int begin(struct weir_end *end, uint64_t header, const struct parts *to, uint64_t room,
		 size_t *ret_size)
{
	struct pipe_rx *rx = end->rx;
	/* relaxed: written before the header that we have read, or by a hostile hand; checked */
	uint64_t total = load_relaxed((const uint64_t *)lane_rx_message(&rx->lane));

	if ((uint32_t)header <= PIECE_SIZE_WORD || total > UINT32_MAX)
		return pipe_poison(end, &rx->side.park);
	if (total > end->limit) {
		rx->large = (struct large){ .mode = LARGE_DROPPED, .total = total };
		take_out(end, header);
	}
	if (rx->large.mode == LARGE_DROPPED || (to && total > room)) {
		if (ret_size)
			*ret_size = total;
		return -EMSGSIZE;
	}
	/* What is taken keeps the ring from being emptied, and the rest from coming. */
	if (pipe_taken_any(rx))
		return -EBUSY;
	rx->large = (struct large){ .mode = LARGE_COMING, .total = total };
	return 0;
}

/* Some of it has been received by earlier calls. */
static int resume(struct weir_end *end, struct parts *to, uint64_t room, size_t *ret_size)
{
	const struct pipe_rx *rx = end->rx;
	const struct large *large = &rx->large;

	if (!to)
		return 0;
	if (large->total > room) {
		if (ret_size)
			*ret_size = large->total;
		return -EMSGSIZE;
	}
	parts_scatter(to, rx->store, large->saved);
	return 0;
}

int pipe_rx_large(struct weir_end *end, uint64_t header, struct parts *to, uint64_t room,
		  uint32_t flags, int64_t deadline, size_t *ret_size)
{
	struct pipe_rx *rx = end->rx;
	struct parts beginning = to ? *to : (struct parts){ 0 };
	uint64_t total;
	int result;

	if (rx->large.mode == LARGE_COMING)
		result = resume(end, to, room, ret_size);
	else
		result = begin(end, header, to, room, ret_size);
	if (result < 0)
		return result;
	total = rx->large.total;
	result = go_on(end, header, to, flags, deadline);
	if (result == 0) {
		if (to)
			pipe_rx_forget(end);
		if (ret_size)
			*ret_size = total;
		rx->large.mode = LARGE_NONE;
	} else if (to && rx->large.mode == LARGE_COMING) {
		result = put_by(end, beginning, result);
	} else if (to) {
		/* What comes instead goes where this one was to go. */
		*to = beginning;
	}
	return result;
}
