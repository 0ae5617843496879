/* SPDX-License-Identifier: MIT */
/*
 * What of a queue lives in shared memory; doc/design/queue.md says what it means. Behind the
 * segment's header (mem/layout.h):
 *
 *	struct weir_queue_geometry	copied to private memory when attached, never read again
 *	struct weir_queue_control
 *	struct weir_seat[seats]		the first is nobody's
 *	struct weir_frame[frames]
 *	struct weir_chunk[chunks]
 *	struct weir_slot[frames * QUEUE_SLOTS]
 *	chunks				chunks << chunk_shift bytes
 *
 * Each table begins on a page. The file is sparse: what nobody has used takes no memory. All words
 * are written by everybody, by compare-and-swap, unless it says (owner): then only by the thread
 * whose seat it is, or which holds the frame or chunk.
 */
#ifndef WEIR_MEM_QUEUE_LAYOUT_H
#define WEIR_MEM_QUEUE_LAYOUT_H

#include "base/atomic.h"
#include "mem/layout.h"
#include "mem/party-layout.h"

#define QUEUE_SLOTS		1024U
#define QUEUE_SEATS_MAX		(UINT32_C(1) << 14)
#define QUEUE_FRAMES_MAX	(UINT32_C(1) << 22)
#define QUEUE_CHUNKS_MAX	(UINT32_C(1) << 22)
#define QUEUE_CHUNK_SHIFT_MIN	12U
#define QUEUE_CHUNK_SHIFT_MAX	16U

#define WEIR_QUEUE_GEOMETRY_OFFSET	UINT64_C(4096)
#define WEIR_QUEUE_CONTROL_OFFSET	UINT64_C(8192)

struct weir_queue_geometry {
	uint32_t seats;
	uint32_t frames;
	uint32_t chunks;
	uint32_t chunk_shift;
	uint32_t flags;			/* WEIR_QUEUE_* of the options */
	uint32_t max_taken;
	uint64_t max_items;
	uint64_t max_bytes;
	uint64_t first_number;		/* of the first segment */
};

/*
 * Numbers of segments: 36 bits that wrap, compared by their distance. In all words that have one it
 * is in the highest bits, so that the distance of two words is that of their numbers.
 */
#define NUMBER_SHIFT		28
#define NUMBER_ONE		(UINT64_C(1) << NUMBER_SHIFT)
#define NUMBER_MASK		(~(NUMBER_ONE - 1))
#define NUMBER_BITS		36

/* A slot: state and body. */

#define SLOT_CLOSED		UINT64_C(0)
#define SLOT_FREE		UINT64_C(1)
#define SLOT_FULL		UINT64_C(2)
#define SLOT_TAKEN		UINT64_C(3)
#define SLOT_WHAT		UINT64_C(3)
#define SLOT_TURN_ONE		(UINT64_C(1) << 2)
#define SLOT_TURN_MASK		(UINT64_C(0xf) << 2)
#define SLOT_LEASED		(UINT64_C(1) << 6)
#define SLOT_TIMES_SHIFT	7
#define SLOT_TIMES_ONE		(UINT64_C(1) << SLOT_TIMES_SHIFT)
#define SLOT_TIMES_MASK		(UINT64_C(0x7f) << SLOT_TIMES_SHIFT)
#define SLOT_SEAT_SHIFT		14
#define SLOT_SEAT_MASK		(UINT64_C(0x3fff) << SLOT_SEAT_SHIFT)
#define SLOT_SEAT(state)	((uint32_t)(((state) & SLOT_SEAT_MASK) >> SLOT_SEAT_SHIFT))
/* Never zero, not even with the number 0. */
#define SLOT_END		(SLOT_CLOSED | SLOT_SEAT_MASK)

/*
 * Where a message is: in a chunk with others, or alone in a row of chunks.
 * small	0:1 | chunk:22 | place in it, in units of 8 bytes:13 | size:17
 * large	1:1 | chunk:22 | size:41
 */
#define BODY_LARGE		(UINT64_C(1) << 63)
#define BODY_CHUNK_SHIFT	41
#define BODY_CHUNK(body)	((uint32_t)((body) >> BODY_CHUNK_SHIFT) & (QUEUE_CHUNKS_MAX - 1))
#define BODY_PLACE_SHIFT	17
#define BODY_PLACE(body)	((uint32_t)((body) >> BODY_PLACE_SHIFT & 0x1fff) * 8)
/* Of a message without bytes: no chunk has this number. */
#define BODY_NOWHERE		((uint64_t)(QUEUE_CHUNKS_MAX - 1) << BODY_CHUNK_SHIFT)
#define BODY_SIZE(body)		((uint32_t)(body) & 0x1ffff)
#define BODY_LARGE_SIZE(body)	((body) & ((UINT64_C(1) << BODY_CHUNK_SHIFT) - 1))

struct weir_slot {
	uint64_t state;
	uint64_t body;
} __attribute__((aligned(16)));

_Static_assert(sizeof(struct weir_slot) == sizeof(struct pair), "one compare-and-swap");

/* A frame: number:36 | seat:14 | turn:8 | warm:1 | state:2, from the highest bit on. */

#define FRAME_FREE		UINT64_C(0)
#define FRAME_HELD		UINT64_C(1)
#define FRAME_LIVE		UINT64_C(2)
#define FRAME_STATE		UINT64_C(3)
#define FRAME_WARM		(UINT64_C(1) << 2)	/* its slots have numbers */
#define FRAME_TURN_ONE		(UINT64_C(1) << 3)
#define FRAME_TURN_MASK		(UINT64_C(0xff) << 3)
#define FRAME_SEAT_SHIFT	11
#define FRAME_SEAT_MASK		(UINT64_C(0x3fff) << FRAME_SEAT_SHIFT)
#define FRAME_SEAT(word)	((uint32_t)(((word) & FRAME_SEAT_MASK) >> FRAME_SEAT_SHIFT))

/* A place on the tape, as in head, tail and next: number:36 | frame:28 */
#define PLACE_NUMBER(place)	((place) & NUMBER_MASK)
#define PLACE_FRAME(place)	((uint32_t)((place) & (NUMBER_ONE - 1)))

struct weir_frame {
	uint64_t word;
	uint64_t next;		/* the segment after this one, with the number of *this* one */
	uint64_t prev;		/* frame behind which it is to hang (owner) */
	uint64_t unused;
};

/* A chunk: generation:47 | seat:14 | warm:1 | state:2, from the highest bit on; a second word. */

#define CHUNK_FREE		UINT64_C(0)
#define CHUNK_FILLING		UINT64_C(1)
#define CHUNK_SEALED		UINT64_C(2)
#define CHUNK_PART		UINT64_C(3)
#define CHUNK_STATE		UINT64_C(3)
#define CHUNK_WARM		(UINT64_C(1) << 2)	/* has memory, or is about to */
#define CHUNK_SEAT_SHIFT	3
#define CHUNK_SEAT_MASK		(UINT64_C(0x3fff) << CHUNK_SEAT_SHIFT)
#define CHUNK_SEAT(word)	((uint32_t)(((word) & CHUNK_SEAT_MASK) >> CHUNK_SEAT_SHIFT))
#define CHUNK_GENERATION_SHIFT	17
#define CHUNK_GENERATION_ONE	(UINT64_C(1) << CHUNK_GENERATION_SHIFT)

/* FILLING, SEALED: number of the last put:36 | how many chunks the row has:28 */
#define CHUNK_COUNT(second)	((uint32_t)((second) & (NUMBER_ONE - 1)))
/* PART: the low 42 bits of the first's generation | the first:22 */
#define CHUNK_FIRST(second)	((uint32_t)(second) & (QUEUE_CHUNKS_MAX - 1))
#define CHUNK_PART_OF(first, word) \
	((word) >> CHUNK_GENERATION_SHIFT << 22 | (first))

struct weir_chunk {
	struct pair words;
	uint64_t first;		/* number of the segment where its writer began, or older (owner) */
	uint64_t unused;
};

/* A seat is a party, mem/party-layout.h, which is a thread. */

#define SEAT_FRAMES		30

/* In a call; asleep in one, or about to be, and holding nothing. */
#define SEAT_INSIDE		1U
#define SEAT_ASLEEP		2U

struct weir_seat {
	struct pair name;
	uint8_t apart0[CACHE_APART - 16];

	/* What it has in hand, written down before it is taken. All (owner). */
	uint32_t inside;	/* SEAT_INSIDE, SEAT_ASLEEP; 0 outside */
	uint32_t levels;	/* what it may be doing, inside, to those who poll */
	uint32_t taking;	/* frame + 1 at which it reads */
	uint32_t taking_again;	/* frame + 1 of a message that it is given a second time */
	uint32_t frame;		/* frame + 1 that it is about to hang in, or to empty */
	uint32_t filling;	/* chunk + 1 that it fills */
	uint32_t row;		/* chunk + 1 that it is about to fill, or the first of a row */
	uint32_t row_count;
	uint32_t giving;	/* the same, that it is about to give back */
	uint32_t giving_count;
	uint32_t leases;	/* how many it holds */
	uint32_t reading_on;	/* processor + 1 on which it last got something */
	uint32_t many;		/* they are in more frames than there are places for */
	uint32_t lease_frames[SEAT_FRAMES];	/* frame + 1 */
	uint8_t apart1[2 * CACHE_APART - 52 - 4 * SEAT_FRAMES];

	/* Counters. (owner) */
	uint64_t saved;		/* wake-ups not sent because one was on its way */

	/*
	 * Which program of its process: the process stays the same over execve(). 0: not known.
	 * (owner; 0: everybody, while it is cleaned up after)
	 */
	uint64_t image;
	uint8_t apart2[CACHE_APART - 16];
};

_Static_assert(sizeof(struct weir_seat) == 4 * CACHE_APART, "layout");

/* The notice: requeued:32 | what has happened:32. Who finds it changed looks into it. */
#define NOTICE_DEEP		(UINT64_C(1) << 0)	/* somebody sleeps without looking */
#define NOTICE_NOW		(UINT64_C(1) << 1)	/* shut down, and not drained */
#define NOTICE_POISONED		(UINT64_C(1) << 2)
#define NOTICE_HUNGRY		(UINT64_C(1) << 3)	/* somebody waits for memory */
#define NOTICE_ENDED		(UINT64_C(1) << 4)	/* shut down */
#define NOTICE_POLLED_SHIFT	5	/* 1 << side: somebody polls that descriptor */
#define NOTICE_LEVEL_SHIFT	7	/* 1 << side: and not only for edges */
#define NOTICE_POLLED		(UINT64_C(15) << NOTICE_POLLED_SHIFT)
#define NOTICE_REQUEUED		(UINT64_C(1) << 32)

#define QUEUE_WATCHES		2

struct weir_queue_control {
	/* The notice line: read with each call, seldom written. */
	uint64_t notice;
	uint32_t reader_bell;
	uint32_t writer_bell;
	uint8_t apart0[CACHE_APART - 16];

	uint64_t head;			/* places */
	uint8_t apart1[CACHE_APART - 8];
	uint64_t tail;
	uint8_t apart2[CACHE_APART - 8];

	uint64_t low;			/* no live segment has an older number */
	uint32_t frame_top;		/* frames below were used once */
	uint32_t frame_spare;		/* frame + 1 that may be free */
	uint32_t chunk_top;
	uint32_t chunk_spare;		/* chunk + 1 that may be free */
	uint32_t chunks_free;		/* about how many of those are free and have memory */
	uint32_t frames_free;
	uint32_t seat_top;
	uint32_t unused0;
	uint64_t most_items;
	uint8_t apart3[CACHE_APART - 48];

	uint32_t watch[QUEUE_WATCHES];	/* seats */
	uint32_t join_bell;
	uint32_t unused1;
	uint64_t done;			/* weir_queue_task_done() */
	uint64_t drops;
	uint64_t returned;
	uint64_t deaths;
	uint64_t wakes;
	uint8_t apart4[CACHE_APART - 56];

	uint64_t spaces[PARTY_SPACES];	/* PID namespaces; the first is none */
};

_Static_assert(sizeof(struct weir_queue_control) <= 4096, "one page");

#endif
