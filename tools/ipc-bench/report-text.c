/* SPDX-License-Identifier: MIT */
/* What stands below the table: what was left out, and what disturbed the rest. */
#include <string.h>
#include <stdlib.h>

#include "format.h"
#include "rank.h"
#include "report.h"

/* Whether an earlier entry says the same of the same mechanism. */
static bool said(const struct plan *plan, size_t index)
{
	const struct skip *skip = &plan->skip[index];

	for (size_t i = 0; i < index; i++)
		if (strcmp(plan->skip[i].mechanism, skip->mechanism) == 0 &&
		    strcmp(plan->skip[i].reason, skip->reason) == 0 &&
		    plan->skip[i].size == skip->size && plan->skip[i].capacity == skip->capacity)
			return true;
	return false;
}

void report_skipped(const struct plan *plan, FILE *out)
{
	char text[TEXT_MAX];

	for (size_t i = 0; i < plan->skips; i++) {
		const struct skip *skip = &plan->skip[i];

		if (said(plan, i))
			continue;
		fprintf(out, "skipped: %s, %s %s", skip->mechanism, format_size(skip->size, text),
			workload_names[skip->workload]);
		if (skip->capacity)
			fprintf(out, " in %s", format_size(skip->capacity, text));
		fprintf(out, ", %s: %s", format_wait(skip->wait), skip->reason);
		if (skip->package)
			fprintf(out, " (install %s)", skip->package);
		fputc('\n', out);
	}
}

/* Whether the table shows a row of this configuration. */
static bool shown(const struct results *results, const struct config *config)
{
	for (size_t i = 0; i < results->rows; i++)
		if (results->row[i].config == config && rank_counts(&results->row[i]))
			return true;
	return false;
}

static void print_name(const char *what, const struct config *config, FILE *out)
{
	const struct task *task = &config->task;
	char size[TEXT_MAX];

	fprintf(out, "%s: %s, %s %s, %s: ", what, mechs[task->mechanism]->name,
		format_size(task->setup.size, size), workload_names[task->workload],
		format_wait(task->setup.wait));
}

/* Configurations of which there is no line, and why. */
static void print_left_out(const struct results *results, const struct row *row, FILE *out)
{
	const char *why = row->config->failure;

	if (row->config->failed) {
		print_name("not shown", row->config, out);
		fprintf(out, "INVALID: %s\n", why[0] ? why : "messages were lost or damaged");
	} else if (!shown(results, row->config)) {
		print_name("not shown", row->config, out);
		fprintf(out, "the CPUs moved during every repeat\n");
	}
}

static void print_remarks(const struct row *row, FILE *out)
{
	json_t *remarks = result_remarks(row);
	json_t *remark;
	size_t i;

	json_array_foreach(remarks, i, remark)
	{
		if (!rank_counts(row))
			break;
		print_name("note", row->config, out);
		fprintf(out, "%s\n", json_string_value(remark));
	}
	json_decref(remarks);
}

static void print_unstable(const struct results *results, FILE *out)
{
	size_t unstable = 0;

	for (size_t i = 0; i < results->rows; i++)
		if (results->row[i].class == CLASS_UNSTABLE)
			unstable += results->row[i].points;
	if (unstable)
		fprintf(out,
			"note: %zu repeats do not count: the line between the CPUs took a"
			" different time before and after them\n",
			unstable);
}

/* What the machine did during all repeats together; the JSON tells it of each row. */
static void print_noise(const struct results *results, FILE *out)
{
	json_t *warnings = json_array();
	struct noise sum = { 0 };
	json_t *sentence;
	size_t i;

	for (i = 0; i < results->rows; i++)
		noise_merge(&sum, &results->row[i].noise);
	noise_warn(&sum, warnings);
	json_array_foreach(warnings, i, sentence)
		fprintf(out, "note: %s\n", json_string_value(sentence));
	json_decref(warnings);
}

void report_warnings(const struct run *run, FILE *out)
{
	json_t *value;
	size_t i;

	for (i = 0; i < run->results.rows; i++)
		print_left_out(&run->results, &run->results.row[i], out);
	for (i = 0; i < run->results.rows; i++)
		print_remarks(&run->results.row[i], out);
	print_unstable(&run->results, out);
	json_array_foreach(run->warnings, i, value)
		fprintf(out, "note: %s\n", json_string_value(value));
	print_noise(&run->results, out);
}
