/* SPDX-License-Identifier: MIT */
/* socketpair(2) of AF_UNIX: one object carries both directions. */
#ifndef IPC_BENCH_UNIX_H
#define IPC_BENCH_UNIX_H

#include "mech.h"

/* create() for a socket of @type. */
int unix_create(struct link *link, int type, char why[MECH_WHY]);

/* make() for one, and held(): the buffers of what is queued. */
int unix_make(struct link *link, int type);
uint64_t unix_held(const struct link *link);

#endif
