/* SPDX-License-Identifier: MIT */
/*
 * All that lives in shared memory. Fixed-width fields, offsets instead of pointers, sizes and
 * offsets asserted; whoever changes something here makes a new layout version.
 *
 * A segment is a header page, a page of lane controls and the rings:
 *
 *	struct weir_segment_header	page 0: what the segment is; copied to private memory when
 *					attached and never read again
 *	struct weir_lane_control[n]	from WEIR_CONTROL_OFFSET
 *	ring 0, ring 1			page aligned; each is mapped twice in a row
 *
 * Who writes what: each word has one writing side. The side of an end is written by processes that
 * hold that end, never by those that hold only the other one. Within a side, the fields marked
 * (owner) are written by the owner of the side alone, those marked (holder) by any process that
 * has the end, with atomic read-modify-writes.
 */
#ifndef WEIR_MEM_LAYOUT_H
#define WEIR_MEM_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "base/cc.h"

#define WEIR_SEGMENT_MAGIC	UINT64_C(0x31746e656d726977)	/* "wirment1" */
#define WEIR_LAYOUT_MAJOR	4
#define WEIR_OBJECTS_MAX	16
#define WEIR_CONTROL_OFFSET	4096

enum weir_object_kind {
	WEIR_OBJECT_NONE,
	WEIR_OBJECT_PIPE,
	WEIR_OBJECT_QUEUE,	/* mem/queue-layout.h; the ring is all its chunks */
	/* mem/commons-layout.h; the ring is the body */
	WEIR_OBJECT_LOCK,
	WEIR_OBJECT_SEMAPHORE,
	WEIR_OBJECT_RWLOCK,
	WEIR_OBJECT_EVENT,
	WEIR_OBJECT_CONDITION,
	WEIR_OBJECT_BARRIER,
	WEIR_OBJECT_SHARED_VALUE,
	WEIR_OBJECT_SHARED_ARRAY
};

/* Where an object of the segment is. A handle is (segment, index), also while there is only one. */
struct weir_object_entry {
	uint32_t kind;			/* enum weir_object_kind */
	uint32_t lanes;			/* how many */
	uint64_t control_offset;	/* of its first struct weir_lane_control */
	uint64_t ring_offset;		/* of its first ring; the next follows directly */
	uint64_t ring_capacity;		/* bytes of each, a power of two */
};

struct weir_segment_header {
	uint64_t magic;
	uint32_t layout_major;
	uint32_t page_size;		/* of the maker: offsets are multiples of it */
	uint64_t features_compatible;	/* whoever does not know a bit here may go on */
	uint64_t features_incompatible;	/* whoever does not know a bit here must not */
	uint64_t size;			/* of the whole segment */
	uint32_t object_count;
	uint32_t reserved;
	struct weir_object_entry objects[WEIR_OBJECTS_MAX];
};

_Static_assert(sizeof(struct weir_segment_header) <= WEIR_CONTROL_OFFSET, "header page");
_Static_assert(offsetof(struct weir_segment_header, objects) == 48, "layout");

/*
 * What one side of a lane, the writing or the reading one, tells the other. Fields that change at
 * different rates stand apart, so that the busy ones do not take the quiet line from the peer, who
 * reads it with every message.
 */
struct weir_side {
	/* The exact position, for take-over after a death. Nobody polls it. (owner) */
	uint64_t position;
	/* writer: 1 from before the first piece of a message until behind the last (owner) */
	uint64_t partial;
	uint8_t apart0[CACHE_APART - 16];

	/*
	 * The reader's position as the writer is told it: every eighth of the ring, and when dry.
	 * (owner)
	 */
	uint64_t published;
	uint8_t apart1[CACHE_APART - 8];

	/* The quiet line: announcements. */
	/* reader: REQUEST_ARMED | REQUEST_FENCE (owner; armed first by any holder) */
	uint64_t requests;
	uint32_t wait;		/* number of the wait << WAIT_SHIFT | stage (owner) */
	uint32_t events;	/* counts closes; EVENTS_SHUT, EVENTS_POISONED (holder) */
	uint32_t cpu;		/* where this side runs, when it starts to wait: cpu + 1 (owner) */
	uint32_t fence_ack;	/* writer: the fence request that it obeys (owner) */
	uint64_t need;		/* writer: free bytes it waits for (owner) */
	uint8_t apart2[CACHE_APART - 32];

	/* The futex word on which the *peer* sleeps; raised before it is woken. (holder) */
	uint32_t bell;
	uint8_t apart3[CACHE_APART - 4];

	/*
	 * Who owns this side: a name as in wait/live.h, or 0. Under the lock of the side; the
	 * namespace is stored while the other is 0.
	 */
	uint64_t owner;
	uint64_t owner_space;
	uint8_t apart4[CACHE_APART - 16];
};

#define WAIT_SHIFT		2
#define WAIT_STAGE_MASK		3U
#define WAIT_AWAKE		0U
#define WAIT_SHALLOW		1U	/* on the futex, for 20 ms at most */
#define WAIT_DEEP		2U	/* in ppoll() on the eventfd and the line */

/*
 * What a reader asks of the writer. Low half: number of the arming of its eventfd, 0 as long as
 * nobody asked for one, and a bit that says that the descriptor was exported: then the eventfd is
 * to be as readable as the lane is; for a wait set it need only be written to. High half: odd while
 * the reader asks for a fence between the header of a record and the look at its announcements,
 * because it sleeps often; each asking has its own number.
 */
#define REQUEST_ARMED(r)	((uint32_t)(r))
#define REQUEST_FENCE(r)	((uint32_t)((r) >> 32))
#define REQUEST_EXPORTED	(UINT32_C(1) << 31)
#define REQUESTS(armed, fence)	((uint64_t)(fence) << 32 | (armed))

#define EVENTS_SHUT		(UINT32_C(1) << 31)
#define EVENTS_POISONED		(UINT32_C(1) << 30)

struct weir_lane_control {
	struct weir_side writer;
	struct weir_side reader;
};

_Static_assert(sizeof(struct weir_side) == 5 * CACHE_APART, "layout");
_Static_assert(offsetof(struct weir_side, published) == 1 * CACHE_APART, "layout");
_Static_assert(offsetof(struct weir_side, requests) == 2 * CACHE_APART, "layout");
_Static_assert(offsetof(struct weir_side, bell) == 3 * CACHE_APART, "layout");
_Static_assert(offsetof(struct weir_side, owner) == 4 * CACHE_APART, "layout");
_Static_assert(sizeof(struct weir_lane_control) == 1280, "layout");

/*
 * A record in a ring: this header, aligned to 8, then its bytes, then padding to 8. The header is a
 * mark and the number of bytes. The word is 0 until the record is complete, and the word after the
 * last record is 0: so all-zero memory, as a hole punched into the file leaves it, is an empty
 * ring.
 *
 * Most records are a message. One that is larger than the ring comes in pieces, FIRST MIDDLE* LAST;
 * the first begins with 8 bytes that say how large it is. A sender that gives up half-way puts
 * ABORT behind its pieces: the message is not to be. The next owner of a sender that died half-way
 * puts CUT: somebody waits for the rest. Both hold no bytes, and mean nothing where no message has
 * begun.
 *
 * HANDLE stands for descriptors that go through the line, and has the 8 bytes of their ticket.
 */
#define RECORD_KIND(n)		((UINT64_C(0x8e1d0000) + (n)) << 32)
#define RECORD_MARK		RECORD_KIND(1)	/* a message */
#define RECORD_FIRST		RECORD_KIND(2)
#define RECORD_MIDDLE		RECORD_KIND(3)
#define RECORD_LAST		RECORD_KIND(4)
#define RECORD_ABORT		RECORD_KIND(5)
#define RECORD_CUT		RECORD_KIND(6)
#define RECORD_HANDLE		RECORD_KIND(7)
#define RECORD_KINDS		7
#define RECORD_MARK_MASK	(UINT64_C(0xffffffff) << 32)
#define RECORD_HEADER		8

/* Byte offsets of the owners' locks, far behind the contents: lane * 2 + (0 writer, 1 reader). */
#define LOCK_OFFSET		(UINT64_C(1) << 60)

#endif
