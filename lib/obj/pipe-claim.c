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
	pipe_set_conversing();
	end_claim(end->tx);
	give_turn(end->tx, locked);
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
