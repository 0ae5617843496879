/* SPDX-License-Identifier: MIT */
#include "ring/lane.h"

/* Walk from the last known position over the records that were completed but not yet counted. */
static int walk_to_end(struct lane_tx *tx, uint64_t end)
{
	for (;;) {
		/* order: COMMIT acquire: the dead writer's last record is as it left it. */
		uint64_t header = load_acquire(lane_header(&tx->lane, tx->tail));

		if (header == 0)
			return 0;
		if (!lane_header_known(&tx->lane, header) ||
		    lane_record_size((uint32_t)header) > end - tx->tail)
			return -EBADMSG;
		tx->tail += lane_record_size((uint32_t)header);
	}
}

int lane_tx_take_over(struct lane_tx *tx)
{
	/* order: FREE acquire, from lane_rx_publish(). */
	uint64_t head = load_acquire(&tx->lane.reader->published);
	/* order: TAIL acquire, from lane_tx_mark(). */
	uint64_t tail = load_acquire(&tx->lane.writer->position);
	uint64_t end = head + lane_capacity(&tx->lane) - RECORD_HEADER;
	int result;

	/*
	 * The tail may be behind the head: the writer died between the header and its position, and
	 * the reader has been on. The records there are still whole, for nobody wrote since.
	 */
	if ((head & 7) || (tail & 7) || end - tail > 2 * lane_capacity(&tx->lane))
		return -EBADMSG;
	tx->tail = tail;
	result = walk_to_end(tx, end);
	if (result < 0)
		return result;
	if (end - tx->tail > end - head)
		return -EBADMSG;
	tx->pending = false;
	tx->limit = end;
	tx->soft = tx->tail;
	lane_tx_changed(tx);
	lane_tx_mark(tx);
	return 0;
}

int lane_rx_take_over(struct lane_rx *rx)
{
	/* order: HEAD acquire, from lane_rx_settle(). */
	uint64_t head = load_acquire(&rx->lane.reader->position);
	/*
	 * relaxed: written by this side, the one before us; ordered by the same death or hand-
	 * over
	 */
	uint64_t published = load_relaxed(&rx->lane.reader->published);

	if ((head & 7) || (published & 7) || head - published > lane_capacity(&rx->lane))
		return -EBADMSG;
	rx->head = head;
	rx->published = published;
	rx->due = published + lane_capacity(&rx->lane) / 8;
	return 0;
}
