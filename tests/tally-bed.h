/* SPDX-License-Identifier: MIT */
/* A tally in memory that children share, and what must hold in it at any time. */
#ifndef WEIR_TESTS_TALLY_BED_H
#define WEIR_TESTS_TALLY_BED_H

#include "support.h"

#include <string.h>

#include "wait/tally.h"

#define TALLY_BED_PARTIES	8

struct tally_bed {
	struct weir_tally state __attribute__((aligned(64)));
	struct weir_party parties[TALLY_BED_PARTIES] __attribute__((aligned(64)));
};

static struct tally_bed *tally_bed;
static struct tally tally;

/* Names as of generation @party; the first is nobody's. */
static inline uint64_t tally_bed_name(uint32_t party)
{
	return (uint64_t)party << PARTY_GENERATION_SHIFT | PARTY_USED;
}

static inline void tally_bed_open(uint32_t limit)
{
	if (!tally_bed)
		tally_bed = shared_alloc(sizeof(*tally_bed));
	memset(tally_bed, 0, sizeof(*tally_bed));
	for (uint32_t i = 1; i < TALLY_BED_PARTIES; i++)
		tally_bed->parties[i].name.low = tally_bed_name(i);
	tally = (struct tally){
		.shared = &tally_bed->state,
		.parties = tally_bed->parties,
		.limit = limit,
	};
}

/* Nobody may be inside. */
static inline bool tally_bed_adds_up(void)
{
	uint32_t sum = 0;

	for (uint32_t i = 1; i < TALLY_BED_PARTIES; i++)
		sum += tally_held(&tally, i);
	return sum == tally_taken(&tally) && sum <= tally.limit;
}

#endif
