/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "report.h"

/* The limit on the whole run. Without a duration the time is not known beforehand. */
static void set_deadline(struct run *run, const struct options *options)
{
	double limit = options->max_time;

	if (limit == 0 && options->messages)
		return;
	if (limit == 0)
		limit = 2 * run_nominal(run) + 5;
	run->deadline = run->begin + (int64_t)(limit * 1e9);
	run->again_until = run->deadline;
}

static void print_results(const struct run *run, FILE *out)
{
	report_table(run, out);
	report_skipped(&run->plan, stderr);
	report_warnings(run, stderr);
}

static int report(const struct run *run, const struct options *options)
{
	int code = run_verdict(run);
	json_t *json;
	int r;

	if (!options->json || strcmp(options->json, "-") != 0)
		print_results(run, stdout);
	else
		print_results(run, stderr);
	if (!options->json)
		return code;
	json = report_json(run);
	r = json ? report_write(json, options->json) : -1;
	json_decref(json);
	return r < 0 && code == EXIT_GOOD ? EXIT_INVALID : code;
}

static int measure(struct run *run, const struct options *options)
{
	int code;

	if (plan_all(&run->plan, options) < 0)
		return EXIT_INVALID;
	set_deadline(run, options);
	code = run_blocks(run);
	return code ? code : report(run, options);
}

int command_run(const struct options *options)
{
	struct run run;
	int code;

	if (options->json && report_writable(options->json) < 0)
		return EXIT_USAGE;
	code = run_begin(&run, options);
	if (code == 0)
		code = measure(&run, options);
	if (code == EXIT_NOTHING)
		fprintf(stderr, "ipc-bench: nothing ran\n");
	run_end(&run);
	return code;
}
