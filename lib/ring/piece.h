/* SPDX-License-Identifier: MIT */
/*
 * Messages that are larger than the ring come in pieces of an eighth of it, so that writer and
 * reader copy at the same time.
 *
 * The writer keeps PIECE_RESERVE bytes free behind each piece: whatever happens, an ABORT or a CUT
 * fits behind a message that has begun.
 */
#ifndef WEIR_RING_PIECE_H
#define WEIR_RING_PIECE_H

#include "ring/lane.h"

/* An ABORT or a CUT; its zero word is the one that stands there already. */
#define PIECE_RESERVE	RECORD_HEADER
/* What the first piece begins with: the size of the message. */
#define PIECE_SIZE_WORD	8

/* Bytes of a piece, without its header. */
static inline uint64_t piece_room(const struct lane *l)
{
	return lane_capacity(l) / 8 - RECORD_HEADER;
}

/* What the writer waits for before it writes a piece. */
static inline uint64_t piece_need(const struct lane *l)
{
	return piece_room(l) + PIECE_RESERVE;
}

/* What the next receive would find. */
enum piece_view {
	PIECE_NOTHING,		/* it would wait */
	PIECE_HALF,		/* the same, for the rest of a message that is of interest */
	PIECE_STUFFED,		/* the same, but it must make room: half a message fills the ring */
	PIECE_SOMETHING		/* a message, or an error that is to be told */
};

/*
 * Look through the records in the ring without taking any. @half: the beginning of a message has
 * been taken already; @drop: it is of no interest.
 */
enum piece_view piece_look(const struct lane_rx *rx, bool half, bool drop);

#endif
