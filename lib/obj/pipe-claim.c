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
	tx->claimed = size + 1;
	/* No send is to go the fast way. */
	tx->lane.fast = tx->lane.tail;
	return lane_tx_open(&tx->lane);
}

static ALWAYS_INLINE void end_claim(struct pipe_tx *tx)
{
	tx->claimed = 0;
	lane_tx_changed(&tx->lane);
}

/* For who has threads. */
static void keep_turn(struct pipe_tx *tx, bool locked)
{
	if (locked)
		/* relaxed: other threads only ask whether it is they */
		store_relaxed(&tx->claimant, pipe_thread());
}

static void give_turn(struct pipe_tx *tx)
{
	bool locked = load_relaxed(&tx->claimant) != 0;	/* relaxed: ours */

	store_relaxed(&tx->claimant, 0);	/* relaxed: as above */
	turn_give(&tx->side.turn, locked);
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
	*ret_data = begin_claim(end->tx, size);
	keep_turn(end->tx, locked);
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
	struct pipe_tx *tx;

	if (!end || (flags & ~COMMIT_FLAGS))
		return -EINVAL;
	tx = end->tx;
	if (!tx)
		return -EOPNOTSUPP;
	if (size >= tx->claimed)
		return -EINVAL;
	pipe_tx_put_open(end, size, flags);
	pipe_set_conversing();
	end_claim(tx);
	give_turn(tx);
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
	pipe_set_conversing();
	tx->claimed = 0;
	tx->lane.fast = tx->lane.soft;
	if (unlikely(pipe_tx_is_waited_for(tx)))
		return notify_slow(end);
	return 0;
}

int weir_pipe_abort(struct weir_end *end)
{
	if (!end)
		return -EINVAL;
	if (!end->tx)
		return -EOPNOTSUPP;
	if (!end->tx->claimed)
		return -EINVAL;
	end_claim(end->tx);
	give_turn(end->tx);
	return 0;
}
