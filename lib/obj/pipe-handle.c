/* SPDX-License-Identifier: MIT */
/*
 * Handles over a pipe. The descriptors go through the line, which is a socket, and a record in the
 * lane has their place among the messages. Both have the same ticket.
 *
 * The sender has room in the lane first, sends the descriptors, then commits the record. Killed
 * between the two it leaves descriptors without a record: a ticket that no record will have, older
 * than that of the next record, or of another process. The receiver closes what it finds before
 * its own. It takes the descriptors, then steps over the record: killed between the two it leaves a
 * record whose descriptors are gone, and the next owner is told so and goes on.
 *
 * A ticket begins with the position of its record, so that one can tell what is older; the rest is
 * of the process, for two of them may commit at one position, the first having been killed before.
 */
#include "obj/pipe.h"

#include <errno.h>
#include <string.h>

#include "obj/parcel.h"
#include "sys/sys.h"
#include "wait/live.h"

#define HANDLE_FLAGS	(WEIR_INTR | WEIR_NOSPIN)
/* How long to wait for room in the line between two looks whether the pipe is still there. */
#define LINE_SLICE_NS	(20 * NS_PER_MS)
/* More than the kernel keeps in a socket: who sends so many while we look is no honest peer. */
#define SKIPPED_MAX	4096

static uint64_t ticket_of(uint64_t position)
{
	uint64_t process = live_self().process;

	return (position / 8) << 32 | (uint32_t)(process ^ process >> 32);
}

/* Whether the record of @ticket comes behind that of @other. */
static bool is_newer(uint64_t ticket, uint64_t other)
{
	return (int32_t)((uint32_t)(ticket >> 32) - (uint32_t)(other >> 32)) > 0;
}

/*
 * Sending
 */

static int send_parcel(struct weir_end *end, const struct parcel *p, uint32_t flags,
		       int64_t deadline)
{
	struct pipe_side *side = &end->tx->side;
	int result;

	for (;;) {
		int64_t until = clock_cap(deadline, clock_now(), LINE_SLICE_NS);

		result = parcel_send(end->line, p, flags & WEIR_INTR, deadline > 0 ? until : 0);
		/* The peer has closed with something unread, which is told once. */
		if (result == -ECONNRESET)
			continue;
		if (result != -ETIMEDOUT || until >= deadline)
			return result;
		if (turn_closing(&side->turn))
			return -ESHUTDOWN;
		result = park_check(&side->park, PARK_LINE_CALLS);
		if (result < 0)
			return result;
	}
}

static int send_handle(struct weir_end *end, struct parcel *p, uint32_t flags, int64_t deadline)
{
	struct lane_tx *lane = &end->tx->lane;
	int result;

	pipe_tx_flush(end);
	p->note.ticket = ticket_of(lane->tail);
	result = pipe_tx_prepare(end, sizeof(p->note.ticket), flags, deadline);
	if (result == 0)
		result = send_parcel(end, p, flags, deadline);
	if (result < 0)
		return result;
	memcpy(lane_tx_open(lane), &p->note.ticket, sizeof(p->note.ticket));
	lane_tx_put_open(lane, RECORD_HANDLE, sizeof(p->note.ticket));
	pipe_tx_notify(end);
	return 0;
}

int weir_pipe_send_handle(struct weir_end *end, const void *handle, uint32_t flags,
			  int64_t deadline)
{
	struct parcel p;
	bool locked;
	int result;

	if (!end || (flags & ~HANDLE_FLAGS) || parcel_of(handle, &p) < 0)
		return -EINVAL;
	result = pipe_enter_tx(end, flags, deadline, &locked);
	if (result < 0)
		return result;
	result = send_handle(end, &p, flags, deadline);
	conversing_set();
	turn_give(&end->tx->side.turn, locked);
	return result;
}

/*
 * Receiving
 */

/*
 * The next parcel of the line, if it is that of @ticket: 0; 1: it was not, and is closed;
 * -EOWNERDEAD: there is none, or only of later records; -EPROTO: it is no @kind, and still there.
 */
static int take_next(struct weir_end *end, uint64_t ticket, uint32_t kind, struct parcel *ret)
{
	struct parcel_note note;
	int result = sys_peek(end->line, &note, sizeof(note));

	if (result == -ECONNRESET || result == -EINTR)
		return 1;
	if (result == -EAGAIN || result == 0)
		return -EOWNERDEAD;
	if (result < 0)
		return result;
	if (result == sizeof(note) && note.magic == PARCEL_MAGIC) {
		if (is_newer(note.ticket, ticket))
			return -EOWNERDEAD;
		if (note.ticket == ticket && note.kind != kind)
			return -EPROTO;
	}
	result = parcel_recv(end->line, ret, 0, 0);
	if (result == -EPROTO || result == -ECONNRESET)
		return 1;
	if (result < 0 || ret->note.ticket == ticket)
		return result;
	parcel_close(ret);
	return 1;
}

static int take_parcel(struct weir_end *end, uint64_t ticket, uint32_t kind, struct parcel *ret)
{
	int result = 1;

	for (int i = 0; result == 1 && i < SKIPPED_MAX; i++)
		result = take_next(end, ticket, kind, ret);
	return result == 1 ? pipe_poison(end, &end->rx->side.park) : result;
}

/* What stands at the head has this header. 0: a parcel; or an error. */
static int recv_parcel(struct weir_end *end, uint64_t header, uint32_t kind, struct parcel *ret)
{
	struct pipe_rx *rx = end->rx;
	uint64_t ticket;
	int result;

	if (!pipe_rx_is_handle(rx, header))
		return -EPROTO;
	if ((uint32_t)header != sizeof(ticket))
		return pipe_poison(end, &rx->side.park);
	/* relaxed: written before the header that we have read, or by a hostile hand */
	ticket = load_relaxed((const uint64_t *)lane_rx_message(&rx->lane));
	result = take_parcel(end, ticket, kind, ret);
	if (result == 0 || result == -EOWNERDEAD)
		pipe_rx_step(rx, sizeof(ticket));
	if (result == -EOWNERDEAD)
		pipe_rx_settle(end);
	return result;
}

int weir_pipe_recv_handle(struct weir_end *end, uint32_t kind, uint32_t flags, int64_t deadline,
			  void *ret_handle)
{
	struct parcel p;
	uint64_t header;
	bool locked;
	int result;

	if (!end || !ret_handle || !parcel_kind_known(kind) || (flags & ~HANDLE_FLAGS))
		return -EINVAL;
	result = pipe_enter_rx(end, flags, deadline, &locked);
	if (result < 0)
		return result;
	result = pipe_rx_next(end, flags, deadline, &header);
	if (result == 0)
		result = recv_parcel(end, header, kind, &p);
	result = pipe_rx_done_with(end, result);
	turn_give(&end->rx->side.turn, locked);
	return result < 0 ? result : parcel_open(&p, ret_handle);
}
