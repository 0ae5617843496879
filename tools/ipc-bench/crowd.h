/* SPDX-License-Identifier: MIT */
/*
 * Several objects of one process: sent to together, waited for together.
 *
 * A worker has all of them in worker->link[]. It opens the side that it needs once, and what it
 * then has, an epoll, a ring, a batch, a wait set, stays until it ends.
 */
#ifndef IPC_BENCH_CROWD_H
#define IPC_BENCH_CROWD_H

#include <stdint.h>

#include "mech.h"

struct worker;

/* Each returns 0 or a negative errno. */
struct crowd_way {
	/* With a reason in @why; such a failure is no fault of the mechanism: it is left out. */
	int (*out_open)(struct worker *w, char why[MECH_WHY]);
	/* The message stays as it is until out_flush(), when it has been sent at the latest. */
	int (*out_send)(struct worker *w, uint32_t object, const void *message);
	int (*out_flush)(struct worker *w);
	/* At the end of a pass of fanout: say which engine it was. NULL: the one asked for. */
	void (*out_over)(struct worker *w);

	/* NULL: nothing waits for several of these. */
	int (*in_open)(struct worker *w, char why[MECH_WHY]);
	/* Wait once, then waitmany_take() what there is, at least one message. */
	int (*in_wait)(struct worker *w);
};

/* NULL: it has not that engine. */
struct crowd {
	const struct crowd_way *way[ENGINES];
};

/* For those that have descriptors: one call for each message, behind one epoll_wait(2) for all to
 * receive; with io_uring one submission. In that a read is in flight for each object, rather than a
 * poll, since then what comes is there without a call of its own. */
extern const struct crowd crowd_fds;
/* The same without io_uring, which cannot do their calls. */
extern const struct crowd crowd_epoll;
/* For those that have none. */
extern const struct crowd crowd_plain;

/* Send by the plain call. */
int crowd_put(struct worker *w, uint32_t object, const void *message);
int crowd_put_open(struct worker *w, char why[MECH_WHY]);
int crowd_put_flush(struct worker *w);

/* Wait with epoll(7). */
int crowd_epoll_open(struct worker *w, char why[MECH_WHY]);
int crowd_epoll_wait(struct worker *w);

extern const struct crowd_way crowd_uring;

/* What a worker's engine is in this repeat; NULL: the mechanism has not got it. */
const struct crowd_way *crowd_way(const struct mech *mech, enum engine engine);

#endif
