/* SPDX-License-Identifier: MIT */
/* What a row's reader must know: sentences, in the order of their weight. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "result.h"

#define LATE_LIMIT 0.01	/* share of late slots */

__attribute__((format(printf, 2, 3))) static void warn(json_t *warnings, const char *format, ...)
{
	char sentence[400];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	json_array_append_new(warnings, json_string(sentence));
}

/* What was wrong, in words of the workload. */
static void warn_shared(const struct row *row, json_t *warnings)
{
	const struct pattern_result *i = &row->integrity;

	if (i->corrupted || i->reordered)
		warn(warnings,
		     "%" PRIu64 " reads of half a value, %" PRIu64 " of an older one than before",
		     i->corrupted, i->reordered);
	if (i->lost || i->duplicated)
		warn(warnings, "%" PRIu64 " increments are missing, %" PRIu64 " are too many",
		     i->lost, i->duplicated);
}

static void warn_integrity(const struct row *row, json_t *warnings)
{
	const struct pattern_result *i = &row->integrity;

	if (row->config->failed && row->config->failure[0])
		warn(warnings, "%s", row->config->failure);
	if (task_shares(&row->config->task))
		warn_shared(row, warnings);
	else if (!pattern_result_ok(i))
		warn(warnings,
		     "lost %" PRIu64 ", duplicated %" PRIu64 ", reordered %" PRIu64
		     ", corrupted %" PRIu64 " messages",
		     i->lost, i->duplicated, i->reordered, i->corrupted);
	if (row->class == CLASS_UNSTABLE)
		warn(warnings, "the placement of the CPUs changed during these repeats");
}

static void warn_label(const struct row *row, json_t *warnings)
{
	const char *label = mechs[row->config->task.mechanism]->label;

	if (label)
		warn(warnings, "%s", label);
}

static void warn_rate(const struct row *row, json_t *warnings)
{
	double worst = 0;

	for (size_t i = 0; i < row->points; i++)
		if (row->point[i].late > worst)
			worst = row->point[i].late;
	if (row->config->task.workload == WORKLOAD_ONEWAY && worst > LATE_LIMIT)
		warn(warnings, "rate not achieved: up to %.0f %% of the slots began late",
		     100 * worst);
}

static void warn_modes(const struct row *row, json_t *warnings)
{
	double *values = RESULT_VALUES(row, msgs_per_s);
	struct stats_modes modes;

	if (!values)
		return;
	modes = stats_modes(values, row->points);
	if (modes.bimodal)
		warn(warnings, "bimodal: %zu repeats around %.4g a second, %zu around %.4g",
		     modes.count[0], modes.centre[0], modes.count[1], modes.centre[1]);
	free(values);
}

static void warn_outliers(const struct row *row, json_t *warnings)
{
	double *values = RESULT_VALUES(row, msgs_per_s);
	size_t outliers = values ? stats_outliers(values, row->points) : 0;

	if (outliers)
		warn(warnings, "%zu of %zu repeats are outliers (all are counted)", outliers,
		     row->points);
	free(values);
}

static void warn_engine(const struct row *row, json_t *warnings)
{
	const struct config *config = row->config;

	if (config->asked != ENGINE_AUTO && config->ran != config->asked)
		warn(warnings, "%s was asked for and %s ran", engine_names[config->asked],
		     engine_names[config->ran]);
}

static void warn_attach(const struct row *row, json_t *warnings)
{
	warn(warnings, "no latency sampled: attach has times of its own");
	for (int p = 0; p < ATTACH_PHASES; p++)
		if (row->phase[p].count == 0)
			warn(warnings, "no %s: %s", attach_phase_name((enum attach_phase)p),
			     p == ATTACH_PASS ? "there is no way for it" : "no object lived");
}

/* Numbers that are null, and why. */
static void warn_missing(const struct row *row, json_t *warnings)
{
	const struct config *config = row->config;
	bool stream = task_streams(&config->task);

	if (row->points == 0)
		return;
	if (isnan(config->syscalls_per_msg))
		warn(warnings, "no system calls counted: %s",
		     config->syscalls_reason[0] ? config->syscalls_reason
						: "no counting pass ended");
	if (row->phase)
		warn_attach(row, warnings);
	else if (row->hist->count == 0 && task_has_engine(&config->task))
		warn(warnings, "no times sampled: %s is about throughput",
		     workload_names[config->task.workload]);
	else if (row->hist->count == 0)
		warn(warnings, "no %s sampled: %s", stream ? "transit" : "latency",
		     stream ? "one message in 4096 is, and there were fewer" : "no messages");
	else if (!hist_supports(row->hist, 0.9999))
		warn(warnings,
		     "percentiles with fewer than 10 of %" PRIu64
		     " samples beyond them are not given",
		     row->hist->count);
	if (row->hist->under)
		warn(warnings, "%" PRIu64 " times were negative: the clocks of the CPUs differ",
		     row->hist->under);
	if (task_shares(&config->task))
		;	/* nothing is queued */
	else if (config->explored && !config->capacity_bytes)
		warn(warnings, "what can be queued has no limit");
	else if (!config->capacity_known)
		warn(warnings, "it was not found out how many messages can be queued");
	if (row->class == FLOOR_SAME_CPU || row->class == FLOOR_UNPINNED)
		warn(warnings, "no floor: it needs two processes that stay on two CPUs");
}

json_t *result_warnings(const struct row *row)
{
	json_t *warnings = json_array();

	warn_integrity(row, warnings);
	warn_label(row, warnings);
	warn_engine(row, warnings);
	warn_rate(row, warnings);
	warn_modes(row, warnings);
	warn_outliers(row, warnings);
	if (row->points)
		noise_warn(&row->noise, warnings);
	warn_missing(row, warnings);
	return warnings;
}

json_t *result_remarks(const struct row *row)
{
	json_t *remarks = json_array();

	warn_rate(row, remarks);
	warn_modes(row, remarks);
	return remarks;
}

bool result_noisy(const struct row *row)
{
	json_t *warnings = json_array();
	bool noisy = row->points && noise_warn(&row->noise, warnings) > 0;

	json_decref(warnings);
	return noisy;
}
