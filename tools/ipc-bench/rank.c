/* SPDX-License-Identifier: MIT */
#include "rank.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

/* So that less is better. */
static struct stats_median turned(struct stats_median m)
{
	return (struct stats_median){ -m.median, -m.high, -m.low, m.n };
}

struct stats_median merit_speed(const struct row *row)
{
	if (row->config->task.workload == WORKLOAD_ONEWAY)
		return turned(RESULT_MEDIAN(row, p50));
	return RESULT_MEDIAN(row, msgs_per_s);
}

struct stats_median merit_cpu(const struct row *row)
{
	return turned(RESULT_MEDIAN(row, cpu_ns_per_msg));
}

bool rank_counts(const struct row *row)
{
	return row->points > 0 && row->class < CLASS_UNSTABLE && !row->config->failed;
}

/* The best row of the group but @not. */
static const struct row *best_but(const struct results *results, const struct row *row,
				  const struct row * not, merit *by)
{
	const struct row *best = NULL;

	for (size_t i = 0; i < results->rows; i++) {
		const struct row *other = &results->row[i];

		if (other == not || !rank_counts(other) || !result_same_group(other, row))
			continue;
		if (!best || by(other).median > by(best).median)
			best = other;
	}
	return best;
}

const struct row *rank_best(const struct results *results, const struct row *row, merit *by)
{
	return best_but(results, row, NULL, by);
}

enum mark rank_mark(const struct results *results, const struct row *row, merit *by)
{
	const struct row *best = rank_best(results, row, by);
	const struct row *next = best ? best_but(results, row, best, by) : NULL;
	struct stats_median first, mine;

	if (!next || !rank_counts(row))
		return MARK_NONE;
	first = by(best);
	mine = by(row);
	if (isnan(first.low) || isnan(mine.low))
		return MARK_NONE;
	if (row != best)
		return stats_tie(&first, &mine) ? MARK_TIE : MARK_NONE;
	mine = by(next);
	return stats_tie(&first, &mine) ? MARK_TIE : MARK_BEST;
}

const struct row *rank_base(const struct results *results, const struct row *row)
{
	const struct row *first = NULL;

	for (size_t i = 0; i < results->rows; i++) {
		const struct row *other = &results->row[i];

		if (!rank_counts(other) || !result_same_group(other, row))
			continue;
		if (strcmp(mechs[other->config->task.mechanism]->name, "pipe") == 0)
			return other;
		if (!first)
			first = other;
	}
	return first != row ? first : NULL;
}
