/* SPDX-License-Identifier: MIT */
/*
 * An object that may be in wait sets: when it is closed it leaves them. Zeroed: it is in none. A
 * forked child's copy is in none, whatever it says.
 */
#ifndef WEIR_OBJ_WATCHED_H
#define WEIR_OBJ_WATCHED_H

#include <stdint.h>

struct source;

/* What a look at an object that is now armed may say besides. */
/* Look again in some milliseconds: somebody may die who is to signal. */
#define SOURCE_LATER	1
/* Look again in SOURCE_SETTLE_NS: somebody may not have seen that it is armed. */
#define SOURCE_SOON	2
/* Look again in a second: somebody may have died who was to signal. */
#define SOURCE_SELDOM	4
#define SOURCE_SETTLE_NS (200 * NS_PER_US)

struct watched {
	struct source *first;	/* its sources, linked by `next_of_object` */
	uint32_t process;	/* whose sets these are */
};

/* The object is being closed: its sources are removed from their sets. */
void watched_end(struct watched *w);

#endif
