/* SPDX-License-Identifier: MIT */
/*
 * What of a lock, a semaphore, a value and their kind lives in shared memory: all that its users
 * write alike. Behind the segment's header (mem/layout.h), which has the geometry on its page:
 *
 *	struct weir_commons_control	who uses it, and a lock
 *	state				a page; what it is, the kind says
 *	struct weir_party[parties]	the first is nobody's
 *	body				page aligned; the kind's, too
 *
 * A fresh one is all zeroes but for the header. All words are written by everybody.
 */
#ifndef WEIR_MEM_COMMONS_LAYOUT_H
#define WEIR_MEM_COMMONS_LAYOUT_H

#include "base/atomic.h"
#include "mem/layout.h"
#include "mem/party-layout.h"

#define COMMONS_PARTIES		4096U

#define WEIR_COMMONS_GEOMETRY_OFFSET	UINT64_C(2048)
#define WEIR_COMMONS_CONTROL_OFFSET	UINT64_C(4096)
#define WEIR_COMMONS_STATE_OFFSET	UINT64_C(8192)
#define WEIR_COMMONS_PARTIES_OFFSET	UINT64_C(12288)
#define WEIR_COMMONS_STATE_SIZE		4096U

/* Copied to private memory when attached, never read again; each kind checks it. */
struct weir_commons_geometry {
	uint32_t flags;
	uint32_t type;
	uint64_t count;
	uint64_t element_size;
	uint64_t limit;
};

_Static_assert(sizeof(struct weir_segment_header) <= WEIR_COMMONS_GEOMETRY_OFFSET, "layout");

/*
 * A lock's word: thread:32 | generation:18 | told:1 | party:13, from the highest bit on. Without a
 * party it is free. A thread is not what dies: it only says whose a recursive lock is.
 */
#define LOCK_PARTY_BITS		13
#define LOCK_PARTY_MASK		((UINT64_C(1) << LOCK_PARTY_BITS) - 1)
#define LOCK_PARTY(word)	((uint32_t)((word) & LOCK_PARTY_MASK))
/* Free, and whoever takes it is to be told that the one before has died. */
#define LOCK_DIED		(UINT64_C(1) << LOCK_PARTY_BITS)
#define LOCK_GENERATION_SHIFT	14
#define LOCK_GENERATION_MASK	(((UINT64_C(1) << 18) - 1) << LOCK_GENERATION_SHIFT)
#define LOCK_THREAD_SHIFT	32
#define LOCK_HOLDER_MASK	(LOCK_PARTY_MASK | LOCK_GENERATION_MASK)

_Static_assert(COMMONS_PARTIES <= LOCK_PARTY_MASK, "a party fits");

struct weir_lock_state {
	uint64_t word;
	uint32_t bell;		/* wait/bell.h */
	uint32_t depth;		/* how often a recursive one was taken besides; the holder's */
	uint32_t watch;		/* party that looks often whether the holder has died */
	uint32_t unused;
	uint64_t deaths;	/* of holders */
	uint8_t apart[CACHE_APART - 32];
};

struct weir_party {
	struct pair name;	/* wait/party.h */
	uint64_t image;		/* which program of its process; (the party) */
	uint64_t held;		/* the kind's: what it has */
	uint64_t of_kind[4];
};

_Static_assert(sizeof(struct weir_party) == 64, "layout");

struct weir_commons_control {
	uint32_t party_top;	/* parties above were never used */
	uint32_t unused;
	uint64_t deaths;	/* of parties */
	uint8_t apart0[CACHE_APART - 16];
	struct weir_lock_state lock;
	uint64_t spaces[PARTY_SPACES];	/* PID namespaces; the first is none */
};

_Static_assert(sizeof(struct weir_lock_state) == CACHE_APART, "layout");
_Static_assert(sizeof(struct weir_commons_control) <= 4096, "one page");

#endif
