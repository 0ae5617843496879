/* SPDX-License-Identifier: MIT */
/* Who wins inside a group of rows, and by how much. */
#ifndef IPC_BENCH_RANK_H
#define IPC_BENCH_RANK_H

#include "result.h"

enum mark {
	MARK_NONE,
	MARK_BEST,	/* its interval does not overlap that of the next; 6 repeats at least */
	MARK_TIE,	/* it overlaps the best one's */
};

/* The property by which rows are ranked, so that more is better. */
typedef struct stats_median merit(const struct row *row);

merit merit_speed;	/* messages a second; oneway: latency */
merit merit_cpu;	/* CPU time per message */

/* The mark of a row among those of its group. Unstable rows and lonely ones have none. */
enum mark rank_mark(const struct results *results, const struct row *row, merit *by);

/* The best row of @row's group, by median. */
const struct row *rank_best(const struct results *results, const struct row *row, merit *by);

/*
 * What ratios of @row refer to: pipe in its group; in a run without pipe, the group's first row.
 * NULL when there is nothing to compare with.
 */
const struct row *rank_base(const struct results *results, const struct row *row);

/* Whether a row takes part in tables and ranks. */
bool rank_counts(const struct row *row);

#endif
