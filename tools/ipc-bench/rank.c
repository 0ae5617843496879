/* SPDX-License-Identifier: MIT */
#include "rank.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/*
 * The median of a value of the points; below 6 repeats, which have no interval, between the
 * smallest and the largest: enough to tell what overlaps.
 */
static struct stats_median spread(const struct row *row, size_t offset)
{
	struct stats_median m = result_median(row, offset);
	double *values = isnan(m.low) ? result_values(row, offset) : NULL;

	for (size_t i = 0; values && i < row->points; i++) {
		m.low = fmin(m.low, values[i]);
		m.high = fmax(m.high, values[i]);
	}
	free(values);
	return m;
}

#define SPREAD(row, member) spread(row, offsetof(struct point, member))

/* So that less is better. */
static struct stats_median turned(struct stats_median m)
{
	return (struct stats_median){ -m.median, -m.high, -m.low, m.n };
}

struct stats_median merit_speed(const struct row *row)
{
	if (row->config->task.workload == WORKLOAD_ONEWAY)
		return turned(SPREAD(row, p50));
	return SPREAD(row, msgs_per_s);
}

struct stats_median merit_cpu(const struct row *row)
{
	return turned(SPREAD(row, cpu_ns_per_msg));
}

bool rank_counts(const struct row *row)
{
	return row->points > 0 && row->class < CLASS_UNSTABLE && !row->config->failed;
}

/* What nobody competes with. */
static bool is_floor(const struct row *row)
{
	return mechs[row->config->task.mechanism]->capabilities & MECH_FLOOR;
}

/* The best row of the group but @not. */
static const struct row *best_but(const struct results *results, const struct row *row,
				  const struct row * not, merit *by)
{
	const struct row *best = NULL;

	for (size_t i = 0; i < results->rows; i++) {
		const struct row *other = &results->row[i];

		if (other == not || is_floor(other) || !rank_counts(other) ||
		    !result_same_group(other, row))
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

	if (!next || is_floor(row) || !rank_counts(row) || best->points < STATS_CI_MIN)
		return MARK_NONE;
	first = by(best);
	mine = by(row == best ? next : row);
	if (row != best)
		return stats_tie(&first, &mine) ? MARK_TIE : MARK_NONE;
	return stats_tie(&first, &mine) ? MARK_TIE : MARK_BEST;
}

/* The mechanism that others are compared with. */
static const char *base_name(const struct task *task)
{
	static const char *const values[VALUE_OPS] = {
		"python-value",
		"atomic",
		"memcpy",
		"pthread-mutex",
	};

	if (task->workload == WORKLOAD_LOCK)
		return "pthread-robust";
	return task->workload == WORKLOAD_VALUE ? values[task->setup.op] : "pipe";
}

static bool is_base(const struct row *row)
{
	const struct task *task = &row->config->task;

	return strcmp(mechs[task->mechanism]->name, base_name(task)) == 0;
}

const struct row *rank_base(const struct results *results, const struct row *row)
{
	const struct row *first = NULL;
	bool bases = false;

	for (size_t i = 0; i < results->rows; i++) {
		const struct row *other = &results->row[i];

		bases |= is_base(other);
		if (!rank_counts(other) || !result_same_group(other, row))
			continue;
		if (is_base(other))
			return other;
		if (!first)
			first = other;
	}
	return bases || first == row ? NULL : first;
}
