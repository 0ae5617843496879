/* SPDX-License-Identifier: MIT */
/*
 * The ends of a weir_pipe(): without --capacity exactly what NULL options give, a duplex pipe, of
 * which the stream uses one direction.
 *
 * Waiting is a matter of the flags and the deadline that every call takes, so there is one loop:
 * with a deadline -EAGAIN does not come.
 */
#ifndef IPC_BENCH_WEIR_ENDS_H
#define IPC_BENCH_WEIR_ENDS_H

#include "mech.h"

/* Messages of a batch at the most. */
#define WEIR_ENDS_BATCH 4096

/* Whether messages of that size can be sent as it is to be waited, and so many at a time. */
bool weir_ends_can(const struct setup *setup, char why[MECH_WHY]);

int weir_ends_create(struct link *link, char why[MECH_WHY]);
int weir_ends_make(struct link *link);
int weir_ends_pass(struct link *link, int side, int socket);
int weir_ends_accept(struct link *link, int side, int socket);
uint64_t weir_ends_held(const struct link *link);
int weir_ends_try(struct link *link, const void *message);
void weir_ends_leave(struct link *link, int side);

#endif
