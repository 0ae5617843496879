/* SPDX-License-Identifier: MIT */
/*
 * Writing a message in place: the program gets the bytes of the ring behind the last message. The
 * zero word where the header will be stands until the commit, so a claim that is given up, or whose
 * process dies, has never been.
 *
 * In a program with threads a claim keeps the turn from one call to the next: the others wait. One
 * that was made while there was no other thread keeps nothing, for speed; threads started before it
 * ends get -EBUSY.
 */
#include "obj/pipe.h"

#include <errno.h>

#define CLAIM_FLAGS (WEIR_INTR | WEIR_NOSPIN)
#define COMMIT_FLAGS WEIR_MORE

static ALWAYS_INLINE void *begin_claim(struct pipe_tx *tx, uint64_t size)
{
	/* relaxed: read without the turn only by who commits without a claim */
	store_relaxed(&tx->claimed, size + 1);
	/* No send is to go the fast way. */
	tx->lane.fast = tx->lane.tail;
	return lane_tx_open(&tx->lane);
}

static ALWAYS_INLINE void end_claim(struct pipe_tx *tx)
{
	store_relaxed(&tx->claimed, 0);		/* relaxed: as above */
	lane_tx_changed(&tx->lane);
}

/* For who has threads. */
static void keep_turn(struct pipe_tx *tx, bool locked)
{
	if (locked)
		/* relaxed: other threads only ask whether it is they */
		store_relaxed(&tx->claimant, pipe_thread());
}

static void give_turn(struct pipe_tx *tx, bool locked)
{
	store_relaxed(&tx->claimant, 0);	/* relaxed: as above */
	turn_give(&tx->side.turn, locked);
}

/*
 * Have the turn with the claim of this thread: 0, or an error. It was kept, or is free for who made
 * the claim as the only thread: all others leave with -EBUSY at once.
 */
static int resume_claim(struct weir_end *end, bool *ret_locked)
{
	struct pipe_tx *tx = end->tx;
	uintptr_t claimant;
	int result;

	if (!tx)
		return -EOPNOTSUPP;
	/* relaxed: it is ours or it is not */
	claimant = load_relaxed(&tx->claimant);
	*ret_locked = true;
	if (claimant != 0)
		return claimant == pipe_thread() ? 0 : -EINVAL;
	if (load_relaxed(&tx->claimed) == 0)	/* relaxed: as above */
		return -EINVAL;
	result = turn_take(&tx->side.turn, 0, WEIR_FOREVER, ret_locked);
	if (result == 0 && tx->claimed == 0) {
		turn_give(&tx->side.turn, *ret_locked);
		result = -EINVAL;
	}
	return result;
}

static NOINLINE int claim_slow(struct weir_end *end, size_t size, uint32_t flags, int64_t deadline,
			       void **ret_data)
{
	bool locked;
	int result;

	if (!end || !ret_data || (flags & ~CLAIM_FLAGS))
		return -EINVAL;
	result = pipe_enter_tx(end, flags, deadline, &locked);
	if (result < 0)
		return result;
	result = pipe_tx_prepare(end, size, flags, deadline);
	if (result < 0) {
		turn_give(&end->tx->side.turn, locked);
		return result;
	}
	keep_turn(end->tx, locked);
	*ret_data = begin_claim(end->tx, size);
	return 0;
}

int weir_pipe_claim(struct weir_end *end, size_t size, uint32_t flags, int64_t deadline,
		    void **ret_data)
{
	struct pipe_tx *tx;

	if (unlikely(!end || !ret_data || (flags & ~CLAIM_FLAGS) || turn_needed()))
		return claim_slow(end, size, flags, deadline, ret_data);
	tx = end->tx;
	if (unlikely(!tx || !lane_tx_is_near(&tx->lane, size) || park_disturbed(&tx->side.park)))
		return claim_slow(end, size, flags, deadline, ret_data);
	*ret_data = begin_claim(tx, size);
	return 0;
}

static NOINLINE int commit_slow(struct weir_end *end, size_t size, uint32_t flags)
{
	uintptr_t kept;
	bool locked;
	int result;

	if (!end || (flags & ~COMMIT_FLAGS))
		return -EINVAL;
	result = resume_claim(end, &locked);
	if (result < 0)
		return result;
	kept = load_relaxed(&end->tx->claimant);	/* relaxed: ours */
	if (size >= end->tx->claimed) {
		turn_give(&end->tx->side.turn, locked && !kept);
		return -EINVAL;
	}
	pipe_tx_put_open(end, size, flags);
	conversing_set();
	end_claim(end->tx);
	give_turn(end->tx, locked);
	return 0;
}

/*
 * As many of @count messages as there is room for, and no more than an eighth of the ring, since a
 * position must be told that often. How many; their span in the ring in @ret_span.
 */
static size_t lay_out(const struct lane_tx *lane, struct weir_msg *messages, size_t count,
		      uint64_t *ret_span)
{
	uint64_t tail = lane->tail, most = lane->limit - tail, span = 0;
	uint8_t *ring = lane->lane.ring;
	size_t i;

	if (most > lane_capacity(&lane->lane) / 8)
		most = lane_capacity(&lane->lane) / 8;
	for (i = 0; i < count; i++) {
		uint64_t size = messages[i].size, record = lane_record_size(size);

		if (i > 0 && (size > UINT32_MAX || record > most - span))
			break;
		messages[i].data = ring + ((tail + span) & lane->lane.mask) + RECORD_HEADER;
		lane_tx_ahead(lane, tail + span);
		span += record;
		/* The first may be larger than that. */
		if (span >= most) {
			i++;
			break;
		}
	}
	*ret_span = span;
	return i;
}

int weir_pipe_claim_batch(struct weir_end *end, struct weir_msg *messages, size_t count,
			  uint32_t flags, int64_t deadline)
{
	struct pipe_tx *tx;
	uint64_t span;
	bool locked;
	int result;

	if (!end || !messages || count == 0 || count > INT32_MAX || (flags & ~CLAIM_FLAGS))
		return -EINVAL;
	result = pipe_enter_tx(end, flags, deadline, &locked);
	if (result < 0)
		return result;
	tx = end->tx;
	result = pipe_tx_prepare(end, messages[0].size, flags, deadline);
	if (result < 0) {
		turn_give(&tx->side.turn, locked);
		return result;
	}
	result = (int)lay_out(&tx->lane, messages, count, &span);
	if (tx->lane.soft - tx->lane.tail < span)
		tx->lane.soft = tx->lane.tail + span;
	keep_turn(tx, locked);
	begin_claim(tx, span - RECORD_HEADER);
	return result;
}

/* The headers of all but the first. Their span, or 0: they are not what was claimed. */
static uint64_t put_headers(const struct pipe_tx *tx, const struct weir_msg *messages, size_t count)
{
	const struct lane *l = &tx->lane.lane;
	uint64_t tail = tx->lane.tail, span = tx->claimed - 1 + RECORD_HEADER, done = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t *at = lane_header(l, tail + done), size = messages[i].size;

		if (messages[i].data != at + 1 || size > UINT32_MAX ||
		    lane_record_size(size) > span - done)
			return 0;
		if (i > 0)
			/* relaxed: published by the header of the first, which is released last */
			store_relaxed(at, RECORD_MARK | size);
		done += lane_record_size(size);
	}
	return done;
}

/* Behind others that are pending, or to be kept back themselves: one by one. */
static COLD void put_more(struct weir_end *end, const struct weir_msg *messages, size_t count,
			  uint32_t flags)
{
	for (size_t i = 0; i < count; i++)
		lane_tx_put_open_more(&end->tx->lane, messages[i].size);
	if (!(flags & WEIR_MORE) || end->tx->lane.tail - end->tx->lane.first >=
				    lane_capacity(&end->tx->lane.lane) / 8)
		pipe_tx_flush(end);
}

int weir_pipe_commit_batch(struct weir_end *end, const struct weir_msg *messages, size_t count,
			   uint32_t flags)
{
	struct pipe_tx *tx;
	uintptr_t kept;
	uint64_t span;
	bool locked;
	int result;

	if (!end || !messages || count == 0 || count > INT32_MAX || (flags & ~COMMIT_FLAGS))
		return -EINVAL;
	result = resume_claim(end, &locked);
	if (result < 0)
		return result;
	tx = end->tx;
	kept = load_relaxed(&tx->claimant);	/* relaxed: ours */
	span = put_headers(tx, messages, count);
	if (span == 0) {
		turn_give(&tx->side.turn, locked && !kept);
		return -EINVAL;
	}
	if (flags || tx->lane.pending) {
		put_more(end, messages, count, flags);
	} else {
		lane_tx_put_up_to(&tx->lane, tx->lane.tail + span,
				  RECORD_MARK | messages[0].size);
		pipe_tx_notify(end);
	}
	conversing_set();
	end_claim(tx);
	give_turn(tx, locked);
	return 0;
}

static NOINLINE int notify_slow(struct weir_end *end)
{
	pipe_tx_notify(end);
	return 0;
}

int weir_pipe_commit(struct weir_end *end, size_t size, uint32_t flags)
{
	struct pipe_tx *tx;

	if (unlikely(!end || flags || turn_needed()))
		return commit_slow(end, size, flags);
	tx = end->tx;
	if (unlikely(!tx || size >= tx->claimed || tx->claimant || tx->lane.pending ||
		     tx->lane.fenced))
		return commit_slow(end, size, flags);
	lane_tx_put_open_fast(&tx->lane, size);
	conversing_set();
	tx->claimed = 0;
	tx->lane.fast = tx->lane.soft;
	if (unlikely(pipe_tx_is_waited_for(tx)))
		return notify_slow(end);
	return 0;
}

int weir_pipe_abort(struct weir_end *end)
{
	bool locked;
	int result;

	if (!end)
		return -EINVAL;
	result = resume_claim(end, &locked);
	if (result < 0)
		return result;
	end_claim(end->tx);
	give_turn(end->tx, locked);
	return 0;
}
