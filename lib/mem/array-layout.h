/* SPDX-License-Identifier: MIT */
/*
 * What of a value or an array lives in shared memory besides what all of its kind have
 * (mem/commons-layout.h). Its geometry is: flags ARRAY_RAW, the type's code, how many elements, the
 * bytes of one, and their alignment as limit. Its body is the elements, and behind them, unless it
 * is raw, the shadow: as many bytes, in which an update is complete before it begins.
 */
#ifndef WEIR_MEM_ARRAY_LAYOUT_H
#define WEIR_MEM_ARRAY_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "base/cc.h"

/* An update that is being made: ring/redo.h. */
struct weir_redo {
	uint64_t version;	/* odd: these bytes of the shadow are what counts */
	uint64_t from;
	uint64_t size;
};

/* Flags of the state. None is taken back but ARRAY_UNTOLD. */
#define ARRAY_WATCHED	1U	/* somebody waits for changes, or did */
#define ARRAY_UNTOLD	2U	/* an owner has died, and who found it out could not say so */

struct weir_array_state {
	/* Read with each call; a reader or an atomic operation does not write it. */
	uint32_t flags;
	uint32_t unused;
	struct weir_redo redo;
	uint8_t apart[CACHE_APART - 32];
	/* Only if it is watched. */
	uint64_t counted;	/* changes that were no updates: those are in the version */
	uint32_t bell;
	uint32_t watch;		/* party that looks often whether somebody has died */
};

_Static_assert(offsetof(struct weir_array_state, counted) == CACHE_APART, "layout");

#endif
