/* SPDX-License-Identifier: MIT */
/*
 * A weir_queue(), or, for both directions, two: without --capacity exactly what NULL options give,
 * a queue without a limit of messages. With it, as many as fit into so many bytes.
 *
 * Waiting is a matter of the flags and the deadline that every call takes, so there is one loop:
 * with a deadline -EAGAIN does not come.
 */
#ifndef IPC_BENCH_WEIR_QUEUES_H
#define IPC_BENCH_WEIR_QUEUES_H

#include <errno.h>

#include "bench/clock.h"
#include "mech.h"

/* Messages of a batch at the most. */
#define WEIR_QUEUES_BATCH 4096

bool weir_queues_can(const struct setup *setup, char why[MECH_WHY]);
int weir_queues_create(struct link *link, char why[MECH_WHY]);
int weir_queues_make(struct link *link);
int weir_queues_pass(struct link *link, int side, int socket);
int weir_queues_accept(struct link *link, int side, int socket);
uint64_t weir_queues_held(const struct link *link);
int weir_queues_hold(struct link *link);
void weir_queues_leave(struct link *link, int side);

/*
 * Whether to try again: there is nothing, or no room. A queue without a limit says so at once when
 * its memory is used up, since its user may have to get something out himself; here others do.
 */
static inline bool weir_queues_again(int r)
{
	if (__builtin_expect(r != -EAGAIN && r != -ENOBUFS, 1))
		return false;
	bench_pause();
	return true;
}

#endif
