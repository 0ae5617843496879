/* SPDX-License-Identifier: MIT */
/*
 * A tally: a number of units of which parties take some and give them back, and who holds how many.
 * What a party holds is known exactly at whatever instruction it dies or stops.
 *
 * One word says how many are taken; and which party has last taken or given, and how many that one
 * holds now. For all others this is in their records. Whoever exchanges the word for one of his own
 * has first written into the record of that party what the word says of it: so the word is ahead of
 * one record at most, its own party's, and a party that takes and gives without others writes no
 * record at all.
 *
 * Late writers: a record is exchanged, from what it was while the word said this of its party. The
 * word does not go over to another party before the record says the last that the word did, by
 * whomever; then its number is a newer one, and the exchange of one who comes late fails. The
 * numbers have 50 bits: a process would have to stand between two instructions while 2^50
 * operations are done, a year at 30 ns each, and go on at the very one that has the same number.
 */
#ifndef WEIR_WAIT_TALLY_H
#define WEIR_WAIT_TALLY_H

#include <stdbool.h>

#include "base/cc.h"
#include "mem/tally-layout.h"
#include "weir/base.h"

struct tally {
	struct weir_tally *shared;
	struct weir_party *parties;
	uint32_t limit;		/* of units */
};

/*
 * Take @units for @party if @spare are left then. @keep: those who come after are told, too. 0;
 * WEIR_OWNER_DIED: somebody has died with units, and nobody was told yet; -EAGAIN; -EBADMSG.
 */
int tally_take(const struct tally *t, uint32_t party, uint32_t units, uint32_t spare, bool keep);

/* Give back @units that @party holds, whoever calls. 0; -EPERM: it does not hold so many. */
int tally_give(const struct tally *t, uint32_t party, uint32_t units);

/* Of those up to @top who hold at least @units, the one that has not taken or given longest; 0. */
uint32_t tally_oldest(const struct tally *t, uint32_t top, uint32_t units);

/*
 * Give back all that @party holds, which has died, or takes no more, as long as @name is the low
 * word of its name; if these are at least @telling, the next is to be told. How many units.
 */
uint32_t tally_settle(const struct tally *t, uint32_t party, uint64_t name, uint32_t telling);

/* How many @party holds. */
uint32_t tally_held(const struct tally *t, uint32_t party);

/* How many are taken. */
static inline uint32_t tally_taken(const struct tally *t)
{
	/* order: TALLY, SLEEP: after bell_listen() */
	return TALLY_TAKEN(load_seq(&t->shared->word.high));
}

#endif
