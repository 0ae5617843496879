/* SPDX-License-Identifier: MIT */
/*
 * An object that may be in wait sets: when it is closed it leaves them. Zeroed: it is in none. A
 * forked child's copy is in none, whatever it says.
 */
#ifndef WEIR_OBJ_WATCHED_H
#define WEIR_OBJ_WATCHED_H

#include <stdint.h>

struct source;

struct watched {
	struct source *first;	/* its sources, linked by `next_of_object` */
	uint32_t process;	/* whose sets these are */
};

/* The object is being closed: its sources are removed from their sets. */
void watched_end(struct watched *w);

#endif
