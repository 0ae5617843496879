/* SPDX-License-Identifier: MIT */
/*
 * Several wakes in one system call: futexes and eventfds, as operations of an io_uring. Used by one
 * thread at a time.
 *
 * What cannot be submitted is left for others to make, and never done later: what remains of it in
 * the ring is made to do nothing.
 */
#ifndef WEIR_URING_VOLLEY_H
#define WEIR_URING_VOLLEY_H

#include <stdbool.h>
#include <stdint.h>

#include "uring/ring.h"
#include "wait/wakes.h"

/* As many are one submission. */
#define VOLLEY_SIZE	256U

struct volley {
	struct ring ring;
	bool futexes;		/* the kernel's io_uring knows them */
	uint32_t number;	/* of the submission, in its completions */
	uint64_t made;		/* wakes; how many system calls for them: ring.calls */
};

#define VOLLEY_CLOSED ((struct volley){ .ring = { .fd = -1 } })

static inline bool volley_is_open(const struct volley *v)
{
	return v->ring.fd >= 0;
}

/* One that is VOLLEY_CLOSED, or was closed. Errors as of ring_open(). */
int volley_open(struct volley *v);
void volley_close(struct volley *v);
/* In a forked child, which has no part in what its parent has open. */
void volley_abandon(struct volley *v);
/*
 * Make them, and set `woken` in those that were made: of a bell how many were, of others 1. False:
 * this will not go on working, close it.
 */
bool volley_make(struct volley *v, struct wake *wakes, uint32_t count);

#endif
