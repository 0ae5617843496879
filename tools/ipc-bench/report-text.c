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
		    plan->skip[i].size == skip->size)
			return true;
	return false;
}

void report_skipped(const struct plan *plan, FILE *out)
{
	char size[TEXT_MAX];

	for (size_t i = 0; i < plan->skips; i++) {
		const struct skip *skip = &plan->skip[i];

		if (said(plan, i))
			continue;
		fprintf(out, "skipped: %s, %s %s, %s: %s", skip->mechanism,
			format_size(skip->size, size), workload_names[skip->workload],
			format_wait(skip->wait), skip->reason);
		if (skip->package)
			fprintf(out, " (install %s)", skip->package);
		fputc('\n', out);
	}
}

/* Rows that are not in the table. */
static void print_left_out(const struct row *row, FILE *out)
{
	const struct task *task = &row->config->task;
	char size[TEXT_MAX];
	const char *why = row->config->failure;

	if (rank_counts(row))
		return;
	fprintf(out, "not shown: %s, %s %s, %s: ", mechs[task->mechanism]->name,
		format_size(task->setup.size, size), workload_names[task->workload],
		format_wait(task->setup.wait));
	if (row->config->failed)
		fprintf(out, "INVALID: %s\n", why[0] ? why : "messages were lost or damaged");
	else
		fprintf(out, "%zu repeats during which the CPUs moved\n", row->points);
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
		print_left_out(&run->results.row[i], out);
	json_array_foreach(run->warnings, i, value)
		fprintf(out, "note: %s\n", json_string_value(value));
	print_noise(&run->results, out);
}
