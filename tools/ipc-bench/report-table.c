/* SPDX-License-Identifier: MIT */
/* The table for people: a line per row, in columns as wide as they need to be. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "rank.h"
#include "report.h"

enum column {
	COLUMN_MECHANISM,
	COLUMN_WAIT,
	COLUMN_SIZE,
	COLUMN_WORKLOAD,
	COLUMN_VALUE,
	COLUMN_RATIO,
	COLUMN_CPU,
	COLUMN_SYSCALLS,
	COLUMN_QUEUED,
	COLUMN_PLACEMENT,
	COLUMN_MARK,
	COLUMN_LABEL,
	COLUMNS,
};

struct line {
	const struct row *row;
	char cell[COLUMNS][TEXT_MAX];
};

/* What is done with what is shared, and by how many. */
static size_t put_shared(const struct task *task, char *cell, size_t size)
{
	char hold[TEXT_MAX], think[TEXT_MAX];
	size_t used = 0;

	if (task->workload == WORKLOAD_VALUE)
		used = (size_t)snprintf(cell, size, " %s", op_names[task->setup.op]);
	if (task->workload == WORKLOAD_LOCK || value_counts(task->setup.op))
		used += (size_t)snprintf(cell + used, size - used, " by %u", task_workers(task));
	if (task->hold_ns || task->think_ns)
		used += (size_t)snprintf(cell + used, size - used, " hold %.16s think %.16s",
					 format_ns((double)task->hold_ns, hold),
					 format_ns((double)task->think_ns, think));
	return used;
}

/* The workload with whatever is not as usual. */
static void put_workload(struct line *line)
{
	const struct config *config = line->row->config;
	const struct task *task = &config->task;
	char *cell = line->cell[COLUMN_WORKLOAD];
	char text[TEXT_MAX];
	size_t used;

	used = (size_t)snprintf(cell, TEXT_MAX, "%s", workload_names[task->workload]);
	if (task->workload == WORKLOAD_RECOVER)
		used += (size_t)snprintf(cell + used, TEXT_MAX - used, " for %u", task->consumers);
	if (task->workload == WORKLOAD_FANOUT)
		used += (size_t)snprintf(cell + used, TEXT_MAX - used, " to %u", task->consumers);
	if (task->workload == WORKLOAD_WAITMANY)
		used += (size_t)snprintf(cell + used, TEXT_MAX - used, " %u of %u%s",
					 task->setup.active, task->setup.objects,
					 task->streams ? " busy" : "");
	if (task->workload == WORKLOAD_PUMP)
		used += (size_t)snprintf(cell + used, TEXT_MAX - used, " to %s",
					 target_names[task->setup.target]);
	if (task_has_engine(task))
		used += (size_t)snprintf(cell + used, TEXT_MAX - used, " %s",
					 engine_names[config->ran]);
	if (task->setup.engine == ENGINE_AUTO && task_has_engine(task))
		used += (size_t)snprintf(cell + used, TEXT_MAX - used, " (own)");
	if (task->workload == WORKLOAD_MPMC)
		used += (size_t)snprintf(cell + used, TEXT_MAX - used, " %u to %u", task->producers,
					 task->consumers);
	if (task_shares(task))
		used += put_shared(task, cell + used, TEXT_MAX - used);
	if (task->setup.batch > 1)
		used += (size_t)snprintf(cell + used, TEXT_MAX - used, " batch %u",
					 task->setup.batch);
	if (task->touch != PATTERN_FULL)
		used += (size_t)snprintf(cell + used, TEXT_MAX - used, " %s",
					 touch_names[task->touch]);
	if (task->rate)
		used += (size_t)snprintf(cell + used, TEXT_MAX - used, " %s/s",
					 format_count((double)task->rate, text));
	if (task->setup.capacity)
		snprintf(cell + used, TEXT_MAX - used, " in %s",
			 format_size(task->setup.capacity, text));
}

/* Mean time of a round trip: from the pass without clocks. */
static struct stats_median round_trip(const struct row *row)
{
	struct stats_median rate = RESULT_MEDIAN(row, msgs_per_s);

	return (struct stats_median){ 1e9 / rate.median, 1e9 / rate.high, 1e9 / rate.low, rate.n };
}

/* Rounded up. */
static uint64_t kibibytes(uint64_t bytes)
{
	return (bytes + 1023) / 1024 * 1024;
}

/* Medians of the phases of attach, and the memory of one object. */
static void put_phases(struct line *line)
{
	const struct row *row = line->row;
	char *cell = line->cell[COLUMN_VALUE];
	char text[TEXT_MAX], full[TEXT_MAX];
	size_t used = 0;

	for (int p = 0; p < ATTACH_PHASES; p++) {
		if (row->phase[p].count == 0)
			continue;
		format_ns((double)hist_quantile(&row->phase[p], 0.5), text);
		used += (size_t)snprintf(cell + used, TEXT_MAX - used, "%s%s %.12s",
					 used ? "  " : "", attach_phase_name((enum attach_phase)p),
					 text);
	}
	snprintf(line->cell[COLUMN_QUEUED], TEXT_MAX, "%.20s empty, %.20s full",
		 format_size(kibibytes(row->empty_bytes), text),
		 format_size(kibibytes(row->full_bytes), full));
}

/* Medians of both kinds of deaths, and the worst of all. */
static void put_kills(struct line *line)
{
	const struct row *row = line->row;
	char *cell = line->cell[COLUMN_VALUE];
	char text[TEXT_MAX];
	size_t used = 0;

	for (int k = 0; k < RECOVER_KINDS; k++) {
		if (row->kill[k].count == 0)
			continue;
		format_ns((double)hist_quantile(&row->kill[k], 0.5), text);
		used += (size_t)snprintf(cell + used, TEXT_MAX - used, "%s %.12s  ",
					 recover_kind_name((enum recover_kind)k), text);
	}
	snprintf(cell + used, TEXT_MAX - used, "max %.12s",
		 format_ns((double)row->hist->max, text));
}

/* Issue and latency of fanout; the rate of what is waited for. */
static void put_many(struct line *line)
{
	const struct row *row = line->row;
	char *cell = line->cell[COLUMN_VALUE];
	struct stats_median m = RESULT_MEDIAN(row, issue_p50);
	char text[TEXT_MAX], all[TEXT_MAX];

	if (row->config->task.workload == WORKLOAD_WAITMANY) {
		m = RESULT_MEDIAN(row, msgs_per_s);
		format_rate_ci(&m, cell);
		return;
	}
	format_ns_ci(&m, text);
	if (isnan(m.median))	/* too few in each repeat */
		format_ns((double)hist_quantile(row->issue, 0.5), text);
	m = RESULT_MEDIAN(row, p50);
	format_ns_ci(&m, all);
	if (isnan(m.median))
		format_ns((double)hist_quantile(row->hist, 0.5), all);
	snprintf(cell, TEXT_MAX, "issue %.40s  all %.40s", text, all);
}

/* Of one process the mean time of an act, of several the rate and how fair that was. */
static void put_acts(struct line *line)
{
	const struct row *row = line->row;
	char *cell = line->cell[COLUMN_VALUE];
	bool several = task_workers(&row->config->task) > 1 && !task_watches(&row->config->task);
	struct stats_median m = several ? RESULT_MEDIAN(row, msgs_per_s) : round_trip(row);
	char value[TEXT_MAX], p99[TEXT_MAX] = "?";
	double fairness = RESULT_MEDIAN(row, fairness).median;
	size_t used;

	several ? format_rate_ci(&m, value) : format_ns_ci(&m, value);
	if (hist_supports(row->hist, 0.99))
		format_ns((double)hist_quantile(row->hist, 0.99), p99);
	used = (size_t)snprintf(cell, TEXT_MAX, "%.40s  p99 %.20s", value, p99);
	if (isfinite(fairness))
		snprintf(cell + used, TEXT_MAX - used, "  fair %.2f", fairness);
}

static void put_value(struct line *line)
{
	const struct row *row = line->row;
	char *cell = line->cell[COLUMN_VALUE];
	struct stats_median m;
	char value[TEXT_MAX], p99[TEXT_MAX];

	if (row->phase || row->kill) {
		(row->phase ? put_phases : put_kills)(line);
		return;
	}
	if (row->config->task.workload == WORKLOAD_FANOUT ||
	    row->config->task.workload == WORKLOAD_WAITMANY) {
		put_many(line);
		return;
	}
	if (task_shares(&row->config->task)) {
		put_acts(line);
		return;
	}
	if (task_streams(&row->config->task)) {
		m = RESULT_MEDIAN(row, msgs_per_s);
		format_rate_ci(&m, cell);
		return;
	}
	m = row->config->task.workload == WORKLOAD_RTT ? round_trip(row) : RESULT_MEDIAN(row, p50);
	format_ns_ci(&m, value);
	if (hist_supports(row->hist, 0.99))
		format_ns((double)hist_quantile(row->hist, 0.99), p99);
	else
		snprintf(p99, sizeof(p99), "?");
	snprintf(cell, TEXT_MAX, "%.60s  p99 %.20s", value, p99);
}

/* Of reads what they take longer: a ratio to a copy in one's own memory would say little. */
static void put_more(struct line *line, const struct row *base, double ratio)
{
	double ns = 1e9 / RESULT_MEDIAN(base, msgs_per_s).median, more = ns / ratio - ns;
	char text[TEXT_MAX];

	snprintf(line->cell[COLUMN_RATIO], TEXT_MAX, "%c%.30s %.30s", more < 0 ? '-' : '+',
		 format_ns(fabs(more), text), mechs[base->config->task.mechanism]->name);
}

static void put_ratio(struct line *line, const struct results *results)
{
	const struct row *base = rank_base(results, line->row);
	const struct task *task = &line->row->config->task;
	struct stats_median ratio;
	char text[TEXT_MAX];

	if (!base || !task_moves(task) || task->workload == WORKLOAD_ONEWAY)
		return;
	ratio = result_ratio(line->row, base);
	if (ratio.n > 0 && task->workload == WORKLOAD_VALUE && !value_counts(task->setup.op))
		put_more(line, base, ratio.median);
	else if (ratio.n > 0)
		snprintf(line->cell[COLUMN_RATIO], TEXT_MAX, "%.30s %.30s",
			 format_ratio(ratio.median, text),
			 mechs[base->config->task.mechanism]->name);
}

static void put_costs(struct line *line)
{
	const struct config *config = line->row->config;
	struct stats_median cpu = RESULT_MEDIAN(line->row, cpu_ns_per_msg);
	const char *unit = task_shares(&config->task) ? "op" : "msg";
	char text[TEXT_MAX];

	if (!task_moves(&config->task))
		return;
	snprintf(line->cell[COLUMN_CPU], TEXT_MAX, "CPU %.30s/%s", format_ns(cpu.median, text),
		 unit);
	if (isfinite(config->syscalls_per_msg))
		snprintf(line->cell[COLUMN_SYSCALLS], TEXT_MAX, "%.3f sys/%s",
			 config->syscalls_per_msg, unit);
	else
		snprintf(line->cell[COLUMN_SYSCALLS], TEXT_MAX, "? sys/%s", unit);
	if (isfinite(config->syscalls_per_flush))
		snprintf(line->cell[COLUMN_SYSCALLS], TEXT_MAX, "%.2f sys/flush",
			 config->syscalls_per_flush);
	if (isfinite(config->syscalls_per_wakeup))
		snprintf(line->cell[COLUMN_SYSCALLS], TEXT_MAX, "%.2f sys/wake",
			 config->syscalls_per_wakeup);
	if (!config->capacity_known)
		return;
	if (config->capacity_msgs >= 1000)
		snprintf(line->cell[COLUMN_QUEUED], TEXT_MAX, "%.0f K msgs queued",
			 floor((double)config->capacity_msgs / 1000));
	else
		snprintf(line->cell[COLUMN_QUEUED], TEXT_MAX, "%" PRIu64 " msg%s queued",
			 config->capacity_msgs, config->capacity_msgs == 1 ? "" : "s");
}

static void put_mark(struct line *line, const struct results *results)
{
	static const char *const marks[] = { "", "best", "tie" };

	if (!task_moves(&line->row->config->task))	/* no single figure decides */
		return;
	snprintf(line->cell[COLUMN_MARK], TEXT_MAX, "%s",
		 marks[rank_mark(results, line->row, merit_speed)]);
}

static void put(struct line *line, const struct results *results)
{
	const struct task *task = &line->row->config->task;

	snprintf(line->cell[COLUMN_MECHANISM], TEXT_MAX, "%s", mechs[task->mechanism]->name);
	snprintf(line->cell[COLUMN_WAIT], TEXT_MAX, "%s", format_wait(task->setup.wait));
	format_size(task->setup.size, line->cell[COLUMN_SIZE]);
	put_workload(line);
	put_value(line);
	put_ratio(line, results);
	put_costs(line);
	snprintf(line->cell[COLUMN_PLACEMENT], TEXT_MAX, "%s", result_class_name(line->row->class));
	put_mark(line, results);
	if (mechs[task->mechanism]->label)
		snprintf(line->cell[COLUMN_LABEL], TEXT_MAX, "%s", mechs[task->mechanism]->label);
}

static void print_line(const struct line *line, const int widths[COLUMNS], FILE *out)
{
	char text[COLUMNS * (TEXT_MAX + 2)];
	size_t used = 0;

	for (int i = 0; i < COLUMNS; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 i == COLUMN_SIZE ? "%*s  " : "%-*s  ", widths[i],
					 line->cell[i]);
	while (used > 0 && text[used - 1] == ' ')
		used--;
	fprintf(out, "%.*s\n", (int)used, text);
}

static bool same_paragraph(const struct row *a, const struct row *b)
{
	const struct task *x = &a->config->task, *y = &b->config->task;

	return x->workload == y->workload && x->setup.wait == y->setup.wait &&
	       x->setup.size == y->setup.size &&
	       (!task_shares(x) || a->config->group == b->config->group);
}

static void print_lines(const struct line *lines, size_t count, FILE *out)
{
	int widths[COLUMNS] = { 0 };

	for (size_t i = 0; i < count; i++)
		for (int c = 0; c < COLUMNS; c++)
			if ((int)strlen(lines[i].cell[c]) > widths[c])
				widths[c] = (int)strlen(lines[i].cell[c]);
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && !same_paragraph(lines[i - 1].row, lines[i].row))
			fputc('\n', out);
		print_line(&lines[i], widths, out);
	}
}

void report_table(const struct run *run, FILE *out)
{
	const struct results *results = &run->results;
	struct line *lines = calloc(results->rows + 1, sizeof(*lines));
	size_t count = 0;

	for (size_t i = 0; lines && i < results->rows; i++) {
		if (!rank_counts(&results->row[i]))
			continue;
		lines[count].row = &results->row[i];
		put(&lines[count++], results);
	}
	if (lines)
		print_lines(lines, count, out);
	free(lines);
}

void report_legend(FILE *out)
{
	fprintf(out,
		"near, far: a cache line goes between the two CPUs and back in less than 200 ns, or"
		" not; never compare across\n"
		"CPU: processor time of both ends together, waiting included; sys/msg: system calls"
		" of both ends\n"
		"rtt: there and back, mean [95 %% interval] and the 99th percentile;"
		" stream: messages a second in one direction\n");
}
