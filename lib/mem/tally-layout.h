/* SPDX-License-Identifier: MIT */
/*
 * What of a semaphore or a reader/writer lock lives in shared memory: the state page of a commons
 * (mem/commons-layout.h). All words are written by everybody.
 */
#ifndef WEIR_MEM_TALLY_LAYOUT_H
#define WEIR_MEM_TALLY_LAYOUT_H

#include "mem/commons-layout.h"

/*
 * The word of a tally (wait/tally.h), from the highest bit on. Low: number:50 | told:1 | party:13;
 * high: held:32 | taken:32. The last operation was that of this number, for this party, which holds
 * so many units since then, of so many that are taken in all.
 */
#define TALLY_PARTY_BITS	13
#define TALLY_PARTY(low)	((uint32_t)(low) & ((1U << TALLY_PARTY_BITS) - 1))
/* Somebody died with units; whoever takes some is to be told. */
#define TALLY_DIED		(UINT64_C(1) << TALLY_PARTY_BITS)
#define TALLY_NUMBER_SHIFT	14
#define TALLY_NUMBER_ONE	(UINT64_C(1) << TALLY_NUMBER_SHIFT)
#define TALLY_NUMBER(low)	((low) >> TALLY_NUMBER_SHIFT)
#define TALLY_TAKEN(high)	((uint32_t)(high))
#define TALLY_HELD(high)	((uint32_t)((high) >> 32))
#define TALLY_HIGH(taken, held)	((uint64_t)(held) << 32 | (taken))

/*
 * The record of each other party is in its entry: low: the number of the operation since which it
 * holds as many units as the high one says.
 */
#define TALLY_RECORD		0	/* of of_kind */

_Static_assert(COMMONS_PARTIES <= 1U << TALLY_PARTY_BITS, "a party fits");
_Static_assert(offsetof(struct weir_party, of_kind[TALLY_RECORD]) % 16 == 0, "is a pair");

/* Who is next, wait/gate.h: thread:32 | beat:18 | writer:1 | party:13; 0: nobody in particular. */
#define GATE_PARTY(word)	TALLY_PARTY(word)
#define GATE_WRITER		(UINT64_C(1) << TALLY_PARTY_BITS)
#define GATE_BEAT_SHIFT		14
/* The time in 2^20 ns, as the one who is next reads it: others only see that it changes. */
#define GATE_BEAT_NS_SHIFT	20
#define GATE_BEAT_ONE		(UINT64_C(1) << GATE_BEAT_SHIFT)
#define GATE_THREAD_SHIFT	32
#define GATE_BEAT_MASK		((UINT64_C(1) << GATE_THREAD_SHIFT) - GATE_BEAT_ONE)

struct weir_tally {
	struct pair word;
	uint64_t value;		/* of a semaphore whose units nobody owns, instead of the word */
	uint64_t gate;
	uint32_t bell;		/* wait/bell.h */
	uint32_t watch;		/* party that looks often whether others have died */
};

_Static_assert(sizeof(struct weir_tally) == 48, "layout");

#endif
