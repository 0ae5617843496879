/* SPDX-License-Identifier: MIT */
#include "result.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *result_class_name(int class)
{
	if (class == CLASS_UNKNOWN)
		return NULL;
	return class == CLASS_UNSTABLE ? "unstable" : floor_class_name((enum floor_class) class);
}

static struct row *find_row(struct results *results, struct config *config, int class)
{
	struct row *rows;

	for (size_t i = 0; i < results->rows; i++)
		if (results->row[i].config == config && results->row[i].class == class)
			return &results->row[i];
	rows = realloc(results->row, (results->rows + 1) * sizeof(*rows));
	if (!rows)
		return NULL;
	results->row = rows;
	rows += results->rows++;
	*rows = (struct row){ .config = config, .class = class };
	return rows;
}

static int add_point(struct row *row, const struct point *point)
{
	struct point *points = realloc(row->point, (row->points + 1) * sizeof(*points));

	if (!points)
		return -ENOMEM;
	row->point = points;
	row->point[row->points++] = *point;
	return 0;
}

static int add_hist(struct hist **sum, const struct hist *hist)
{
	if (!*sum)
		*sum = calloc(1, sizeof(**sum));
	if (!*sum)
		return -ENOMEM;
	hist_merge(*sum, hist);
	return 0;
}

static int add_attach(struct row *row, const struct attach *a)
{
	if (!row->phase)
		row->phase = calloc(ATTACH_PHASES, sizeof(*row->phase));
	if (!row->phase)
		return -ENOMEM;
	for (int p = 0; p < ATTACH_PHASES; p++)
		for (uint32_t i = 0; i < a->count[p] && i < ATTACH_ROUNDS; i++)
			hist_record(&row->phase[p], a->ns[p][i]);
	row->empty_bytes = a->empty_bytes;
	row->full_bytes = a->full_bytes;
	row->descriptors = a->descriptors;
	return 0;
}

static int add_recover(struct row *row, const struct recover *rc)
{
	if (!row->kill)
		row->kill = calloc(RECOVER_KINDS, sizeof(*row->kill));
	if (!row->kill)
		return -ENOMEM;
	for (int k = 0; k < RECOVER_KINDS; k++)
		for (uint32_t i = 0; i < rc->count[k] && i < RECOVER_ROUNDS; i++)
			hist_record(&row->kill[k], rc->ns[k][i]);
	return 0;
}

static int class_of(const struct control *control)
{
	int32_t here = control->task.cpu[0], there = task_other_cpu(&control->task);
	const double *bracket = control->worker[0].bracket;

	if (floor_unstable(bracket[0], bracket[1], here, there))
		return CLASS_UNSTABLE;
	return floor_class(bracket[0], bracket[1], here, there);
}

/* All processes together. */
static void add_costs(struct point *point, const struct control *control)
{
	struct cost all = { 0 };
	double messages = (double)point->messages;

	for (unsigned int i = 0; i < task_workers(&control->task); i++)
		cost_add(&all, &control->worker[i].pass[PASS_TIMED].cost);
	point->cpu_ns_per_msg = (double)all.cpu_ns / messages;
	point->ctx_per_msg = (double)(all.ctx_voluntary + all.ctx_involuntary) / messages;
}

static void add_times(struct point *point, const struct control *control)
{
	const struct pass_result *first = &control->worker[0].pass[PASS_TIMED];
	uint32_t consumer = control->task.producers;
	uint64_t wakeups = control->worker[consumer].pass[PASS_TIMED].wakeups;
	double done = (double)control_done(control, PASS_TIMED);
	int64_t busy = first->busy_ns;

	point->messages = control_done(control, PASS_TIMED);
	point->duration_s = (double)control_ns(control, PASS_TIMED) / 1e9;
	/* Of fanout only the time from the first send to the last receipt counts. */
	point->msgs_per_s = done / (busy ? (double)busy / 1e9 : point->duration_s);
	point->late = (double)first->late / done;
	point->msgs_per_wakeup = wakeups ? done / (double)wakeups : NAN;
}

static double quantile(const struct hist *hist, double q)
{
	return hist_supports(hist, q) ? (double)hist_quantile(hist, q) : NAN;
}

static struct point make_point(int block, const struct control *control)
{
	const double *bracket = control->worker[0].bracket;
	struct point point = {
		.block = block,
		.floor_rtt_ns = floor_rtt(bracket[0], bracket[1]),
		.p50 = quantile(&control->hist, 0.5),
		.p99 = quantile(&control->hist, 0.99),
		.fairness = lock_fairness(control),
		.issue_p50 = quantile(&control->fanout.issue, 0.5),
		.issue_p99 = quantile(&control->fanout.issue, 0.99),
	};

	add_times(&point, control);
	add_costs(&point, control);
	return point;
}

int result_add(struct results *results, struct config *config, int block,
	       const struct control *control)
{
	struct point point = make_point(block, control);
	int class = class_of(control);
	struct row *row = find_row(results, config, class);

	if (!row || add_point(row, &point) < 0 || add_hist(&row->hist, &control->hist) < 0)
		return -ENOMEM;
	if (config->task.workload == WORKLOAD_FANOUT &&
	    add_hist(&row->issue, &control->fanout.issue) < 0)
		return -ENOMEM;
	if (config->task.workload == WORKLOAD_ATTACH && add_attach(row, &control->attach) < 0)
		return -ENOMEM;
	if (config->task.workload == WORKLOAD_RECOVER && add_recover(row, &control->recover) < 0)
		return -ENOMEM;
	pattern_result_add(&row->integrity, &control->integrity);
	noise_merge(&row->noise, &control->noise);
	return class;
}

int result_add_failed(struct results *results, struct config *config)
{
	for (size_t i = 0; i < results->rows; i++)
		if (results->row[i].config == config)
			return 0;
	return find_row(results, config, CLASS_UNKNOWN) ? 0 : -ENOMEM;
}

static int compare_rows(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->config->group != y->config->group)
		return x->config->group < y->config->group ? -1 : 1;
	if (x->class != y->class)
		return x->class - y->class;
	/* They lie in the plan's array, in its order. */
	return x->config < y->config ? -1 : x->config > y->config;
}

void result_sort(struct results *results)
{
	if (results->rows)
		qsort(results->row, results->rows, sizeof(*results->row), compare_rows);
}

void result_free(struct results *results)
{
	for (size_t i = 0; i < results->rows; i++) {
		free(results->row[i].point);
		free(results->row[i].hist);
		free(results->row[i].issue);
		free(results->row[i].phase);
		free(results->row[i].kill);
	}
	free(results->row);
	*results = (struct results){ 0 };
}

double *result_values(const struct row *row, size_t offset)
{
	double *values = malloc((row->points + 1) * sizeof(*values));

	for (size_t i = 0; values && i < row->points; i++)
		memcpy(&values[i], (const char *)&row->point[i] + offset, sizeof(*values));
	return values;
}

struct stats_median result_median(const struct row *row, size_t offset)
{
	struct stats_median median = { NAN, NAN, NAN, 0 };
	double *values = result_values(row, offset);

	if (values)
		median = stats_median_ci(values, row->points);
	free(values);
	return median;
}

static struct stats_point *stats_points(const struct row *row)
{
	struct stats_point *points = malloc((row->points + 1) * sizeof(*points));

	for (size_t i = 0; points && i < row->points; i++)
		points[i] = (struct stats_point){
			.value = row->point[i].msgs_per_s,
			.block = row->point[i].block,
			.placement = row->class >= CLASS_UNSTABLE ? -1 : row->class,
		};
	return points;
}

struct stats_median result_ratio(const struct row *row, const struct row *base)
{
	struct stats_median ratio = { NAN, NAN, NAN, 0 };
	struct stats_point *a = stats_points(row);
	struct stats_point *b = stats_points(base);

	if (a && b)
		ratio = stats_ratio(a, row->points, b, base->points);
	free(a);
	free(b);
	return ratio;
}

bool result_same_group(const struct row *a, const struct row *b)
{
	return a->class == b->class && a->config->group == b->config->group;
}
