/* SPDX-License-Identifier: MIT */
#include "ring/piece.h"

/* Where a look through the records stands. */
struct view {
	uint64_t position;
	bool half;
	bool drop;
};

/* Step over a record with this header. Whether there is something to receive. */
static bool step_finds(struct view *v, uint64_t header)
{
	bool waited_for = v->half && !v->drop, half = v->half;
	uint64_t kind = header & RECORD_MARK_MASK;

	v->position += lane_record_size((uint32_t)header);
	if (kind == RECORD_MARK || kind == RECORD_HANDLE)
		return true;
	if (kind == RECORD_MIDDLE)
		return !half;
	v->half = kind == RECORD_FIRST;
	v->drop = false;
	if (kind == RECORD_LAST)
		return !half || waited_for;
	/* Nobody misses a message whose sender gave it up. */
	return kind != RECORD_ABORT && waited_for;
}

static bool is_stuffed(const struct lane_rx *rx, uint64_t end)
{
	/* relaxed: whoever frees more does so after this look, or tells the writer itself */
	uint64_t used = end - load_relaxed(&rx->published);
	uint64_t capacity = lane_capacity(&rx->lane);

	return capacity - RECORD_HEADER - used < lane_record_size(piece_need(&rx->lane));
}

enum piece_view piece_look(const struct lane_rx *rx, bool half, bool drop)
{
	struct view v = { .position = rx->head, .half = half, .drop = drop };
	uint64_t header = lane_rx_look_again(rx);

	/* What cannot be a record is for the receive to find. */
	while (header != 0 && lane_header_known(&rx->lane, header)) {
		if (step_finds(&v, header))
			return PIECE_SOMETHING;
		if (v.position - rx->head > lane_capacity(&rx->lane))
			return PIECE_SOMETHING;
		/*
		 * order: COMMIT acquire, from lane_tx_release(); order: SLEEP, after the
		 * announcement
		 */
		header = load_seq(lane_header(&rx->lane, v.position));
	}
	if (header != 0)
		return PIECE_SOMETHING;
	if (v.half && is_stuffed(rx, v.position))
		return PIECE_STUFFED;
	return v.half && !v.drop ? PIECE_HALF : PIECE_NOTHING;
}
