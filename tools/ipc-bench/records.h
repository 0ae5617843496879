/* SPDX-License-Identifier: MIT */
/*
 * What the workers of a repeat write down while messages move: when some of them were sent, which
 * ones arrived, how long they took. In memory that they share with the repeat process, and as much
 * as there are workers.
 */
#ifndef IPC_BENCH_RECORDS_H
#define IPC_BENCH_RECORDS_H

#include "control.h"

#define STAMPS 4096	/* of each producer; the last ones are kept */

struct stamp {
	uint64_t header;
	int64_t ns;
};

/* Make them, before the workers are forked. Returns 0 or -ENOMEM. */
int records_create(const struct task *task);

/* The stamps of all producers, STAMPS each. */
struct stamp *records_stamps(void);

/* waitmany: what was sent to each object. */
struct pattern_sent *records_sent(void);

/* What a worker received. */
struct pattern_check *records_check(unsigned int worker);

/* Where a worker puts times: the histogram of the control memory, but consumers behind the first,
 * or processes behind the first where all do the same, have one of their own. */
struct hist *records_hist(struct control *control, unsigned int worker);

/* Add those of their own to that of the control memory. */
void records_merge(struct control *control);

#endif
