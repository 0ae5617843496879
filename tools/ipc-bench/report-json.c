/* SPDX-License-Identifier: MIT */
/* The JSON that scripts read. Keys are documented in ipc-bench(1); a test compares the two. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/env.h"
#include "report.h"
#include "weir/base.h"
#include "weir/engine.h"

#ifndef IPC_BENCH_VERSION
#define IPC_BENCH_VERSION "unknown"
#endif

static json_t *number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static json_t *text(const char *value)
{
	return value && value[0] ? json_string(value) : json_null();
}

static json_t *integer(uint64_t value)
{
	return json_integer((json_int_t)value);
}

json_t *report_tool(void)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "name", "ipc-bench", "version",
			 IPC_BENCH_VERSION, "weir_version", weir_version(), "git", env_git(),
			 "compiler", env_compiler(), "cflags", env_cflags());
}

json_t *report_environment(void)
{
	struct weir_engine_report report = { .size = sizeof(report) };
	json_t *json = env_gather();

	if (!json || weir_engine(&report) < 0)
		return json;
	json_object_set_new(json, "weir_engine",
			    json_pack("{s:s, s:s, s:s}", "engine", weir_engine_name(report.engine),
				      "wanted", weir_engine_name(report.wanted), "reason",
				      report.reason));
	return json;
}

static json_t *numbers(const double *values, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; values && i < count; i++)
		json_array_append_new(array, number(values[i]));
	return array;
}

/* {"median","ci95_low","ci95_high","values"} of values of the points, times @factor. */
static json_t *rate_of(const struct row *row, double factor)
{
	double *values = RESULT_VALUES(row, msgs_per_s);
	struct stats_median m;
	json_t *json;

	if (!values)
		return json_null();
	for (size_t i = 0; i < row->points; i++)
		values[i] *= factor;
	m = stats_median_ci(values, row->points);
	json = json_pack("{s:o, s:o, s:o, s:o}", "median", number(m.median), "ci95_low",
			 number(m.low), "ci95_high", number(m.high), "values",
			 numbers(values, row->points));
	free(values);
	return json;
}

static json_t *quantile(const struct hist *hist, double q)
{
	return hist_supports(hist, q) ? integer(hist_quantile(hist, q)) : json_null();
}

static json_t *repeats_of(const struct row *row, size_t offset)
{
	double *values = result_values(row, offset);
	json_t *json = numbers(values, row->points);

	free(values);
	return json;
}

/* Times, or null. */
static json_t *times(const struct hist *h)
{
	if (!h || h->count == 0)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "min", integer(h->min),
			 "p50", integer(hist_quantile(h, 0.5)), "p90", quantile(h, 0.9), "p99",
			 quantile(h, 0.99), "p99_9", quantile(h, 0.999), "p99_99",
			 quantile(h, 0.9999), "max", integer(h->max), "mean", number(hist_mean(h)),
			 "samples", integer(h->count));
}

/* The distribution over all repeats with values of each, or null. */
static json_t *distribution_of(const struct row *row, const struct hist *hist, size_t p50,
			       size_t p99)
{
	json_t *json = times(hist);

	if (json_is_null(json))
		return json;
	json_object_set_new(json, "p50_values", repeats_of(row, p50));
	json_object_set_new(json, "p99_values", repeats_of(row, p99));
	return json;
}

static json_t *distribution(const struct row *row)
{
	return distribution_of(row, row->hist, offsetof(struct point, p50),
			       offsetof(struct point, p99));
}

static json_t *issue(const struct row *row)
{
	return distribution_of(row, row->issue, offsetof(struct point, issue_p50),
			       offsetof(struct point, issue_p99));
}

static json_t *cpus(const struct task *task)
{
	json_t *array = json_array();

	for (unsigned int i = 0; i < task_workers(task); i++)
		json_array_append_new(array,
				      task->cpu[i] < 0 ? json_null() : json_integer(task->cpu[i]));
	return array;
}

static json_t *blocks(const struct row *row)
{
	json_t *array = json_array();

	for (size_t i = 0; i < row->points; i++)
		json_array_append_new(array, json_integer(row->point[i].block));
	return array;
}

/* Of lock and value, otherwise null. */
static void add_shared(json_t *json, const struct task *task)
{
	bool lock = task->workload == WORKLOAD_LOCK, value = task->workload == WORKLOAD_VALUE;

	json_object_set_new(json, "processes",
			    lock || value ? integer(task_workers(task)) : json_null());
	json_object_set_new(json, "op", value ? text(op_names[task->setup.op]) : json_null());
	json_object_set_new(json, "hold_ns", lock ? json_integer(task->hold_ns) : json_null());
	json_object_set_new(json, "think_ns", lock ? json_integer(task->think_ns) : json_null());
}

/* What was asked for. */
static void add_config(json_t *json, const struct row *row)
{
	const struct config *config = row->config;
	const struct task *task = &config->task;
	bool waits = task->workload == WORKLOAD_WAITMANY, pumps = task->workload == WORKLOAD_PUMP;

	json_object_set_new(json, "mechanism", text(mechs[task->mechanism]->name));
	json_object_set_new(json, "workload", text(workload_names[task->workload]));
	json_object_set_new(json, "wait", text(wait_names[task->setup.wait]));
	json_object_set_new(json, "engine", text(engine_names[config->ran]));
	json_object_set_new(json, "engine_asked", text(engine_names[config->asked]));
	json_object_set_new(json, "size_bytes", integer(task->setup.size));
	json_object_set_new(json, "producers", integer(task->producers));
	json_object_set_new(json, "consumers", integer(task->consumers));
	json_object_set_new(json, "cpus", cpus(task));
	json_object_set_new(json, "batch", integer(task->setup.batch));
	json_object_set_new(json, "capacity_bytes",
			    config->capacity_bytes ? integer(config->capacity_bytes) : json_null());
	json_object_set_new(json, "capacity_msgs",
			    config->capacity_known ? integer(config->capacity_msgs) : json_null());
	json_object_set_new(json, "touch", text(touch_names[task->touch]));
	json_object_set_new(json, "rate", task->rate ? integer(task->rate) : json_null());
	json_object_set_new(json, "arrivals",
			    task->rate ? text(task->poisson ? "poisson" : "fixed") : json_null());
	json_object_set_new(json, "objects", waits ? integer(task->setup.objects) : json_null());
	json_object_set_new(json, "active", waits ? integer(task->setup.active) : json_null());
	json_object_set_new(json, "streaming", json_boolean(task->streams));
	json_object_set_new(json, "to",
			    pumps ? text(target_names[task->setup.target]) : json_null());
	add_shared(json, task);
	json_object_set_new(json, "placement", text(result_class_name(row->class)));
}

static uint64_t messages_of(const struct row *row)
{
	uint64_t messages = 0;

	for (size_t i = 0; i < row->points; i++)
		messages += row->point[i].messages;
	return messages;
}

/* Times of the phases of attach and the memory of an object, or null. */
static json_t *attach(const struct row *row)
{
	json_t *json;
	char key[32];

	if (!row->phase)
		return json_null();
	json = json_pack("{s:I, s:I, s:I}", "memory_empty_bytes", (json_int_t)row->empty_bytes,
			 "memory_full_bytes", (json_int_t)row->full_bytes, "descriptors",
			 (json_int_t)row->descriptors);
	for (int p = 0; p < ATTACH_PHASES; p++) {
		snprintf(key, sizeof(key), "%s_ns", attach_phase_name((enum attach_phase)p));
		json_object_set_new(json, key, times(&row->phase[p]));
	}
	return json;
}

/* Times of each kind of death, or null. */
static json_t *recover(const struct row *row)
{
	json_t *json;
	char key[32];

	if (!row->kill)
		return json_null();
	json = json_object();
	for (int k = 0; k < RECOVER_KINDS; k++) {
		snprintf(key, sizeof(key), "%s_ns", recover_kind_name((enum recover_kind)k));
		json_object_set_new(json, key, times(&row->kill[k]));
	}
	return json;
}

/* What was measured. */
static void add_measures(json_t *json, const struct row *row)
{
	const struct task *task = &row->config->task;
	bool stream = task_streams(task);

	json_object_set_new(json, "repeats", integer(row->points));
	json_object_set_new(json, "messages", integer(messages_of(row)));
	json_object_set_new(json, "duration_s", number(RESULT_MEDIAN(row, duration_s).median));
	json_object_set_new(json, "block", blocks(row));
	json_object_set_new(json, "floor_rtt_ns",
			    repeats_of(row, offsetof(struct point, floor_rtt_ns)));
	json_object_set_new(json, "msgs_per_s", rate_of(row, 1));
	json_object_set_new(json, "bytes_per_s", rate_of(row, (double)task->setup.size));
	json_object_set_new(json, "latency_ns", stream ? json_null() : distribution(row));
	json_object_set_new(json, "issue_ns", issue(row));
	json_object_set_new(json, "fairness", number(RESULT_MEDIAN(row, fairness).median));
	json_object_set_new(json, "attach", attach(row));
	json_object_set_new(json, "recover", recover(row));
	json_object_set_new(json, "transit_ns", stream ? distribution(row) : json_null());
}

static void add_costs(json_t *json, const struct row *row)
{
	const struct config *config = row->config;

	json_object_set_new(json, "syscalls_per_msg", number(config->syscalls_per_msg));
	json_object_set_new(json, "syscalls_source", text(config->syscalls_source));
	json_object_set_new(json, "syscalls_per_flush", number(config->syscalls_per_flush));
	json_object_set_new(json, "syscalls_per_wakeup", number(config->syscalls_per_wakeup));
	json_object_set_new(json, "msgs_per_wakeup",
			    number(RESULT_MEDIAN(row, msgs_per_wakeup).median));
	json_object_set_new(json, "ctx_switches_per_msg",
			    number(RESULT_MEDIAN(row, ctx_per_msg).median));
	json_object_set_new(json, "cpu_ns_per_msg",
			    number(RESULT_MEDIAN(row, cpu_ns_per_msg).median));
	json_object_set_new(json, "page_faults_per_msg", number(config->faults_per_msg));
	json_object_set_new(json, "memory_bytes",
			    config->explored ? integer(config->memory_bytes) : json_null());
}

static json_t *integrity(const struct pattern_result *i)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "lost", (json_int_t)i->lost, "duplicated",
			 (json_int_t)i->duplicated, "reordered", (json_int_t)i->reordered,
			 "corrupted", (json_int_t)i->corrupted);
}

static json_t *result_json(const struct row *row)
{
	json_t *json = json_object();

	add_config(json, row);
	add_measures(json, row);
	add_costs(json, row);
	json_object_set_new(json, "integrity", integrity(&row->integrity));
	json_object_set_new(json, "valid", json_boolean(!row->config->failed));
	json_object_set_new(json, "warnings", result_warnings(row));
	return json;
}

static json_t *skipped(const struct plan *plan)
{
	json_t *array = json_array();

	for (size_t i = 0; i < plan->skips; i++) {
		const struct skip *skip = &plan->skip[i];
		json_t *one = json_pack("{s:s, s:s, s:s, s:I, s:s}", "mechanism", skip->mechanism,
					"workload", workload_names[skip->workload], "wait",
					wait_names[skip->wait], "size_bytes",
					(json_int_t)skip->size, "reason", skip->reason);

		json_object_set_new(one, "package", text(skip->package));
		json_array_append_new(array, one);
	}
	return array;
}

static json_t *command(const struct options *options)
{
	json_t *array = json_array();

	for (int i = 0; i < options->command_words; i++)
		json_array_append_new(array, json_string(options->command[i]));
	return array;
}

json_t *report_json(const struct run *run)
{
	json_t *json = json_object();
	json_t *results = json_array();

	json_object_set_new(json, "schema", json_string("ipc-bench/1"));
	json_object_set_new(json, "tool", report_tool());
	json_object_set_new(json, "environment", report_environment());
	json_object_set_new(json, "command", command(run->options));
	json_object_set_new(json, "seed", integer(run->seed));
	json_object_set_new(json, "elapsed_s", number((double)(bench_now() - run->begin) / 1e9));
	json_object_set(json, "warnings", run->warnings);
	json_object_set_new(json, "floor", floor_json(&run->floor));
	json_object_set_new(json, "skipped", skipped(&run->plan));
	for (size_t i = 0; i < run->results.rows; i++)
		json_array_append_new(results, result_json(&run->results.row[i]));
	json_object_set_new(json, "results", results);
	return json;
}

int report_writable(const char *path)
{
	char folder[4096];
	char *slash;

	if (strcmp(path, "-") == 0 || access(path, W_OK) == 0)
		return 0;
	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder] = '\0';
	if (errno == ENOENT && access(slash ? folder : ".", W_OK) == 0)
		return 0;
	fprintf(stderr, "ipc-bench: %s: %s\n", path, strerror(errno));
	return -errno;
}

int report_write(const json_t *json, const char *path)
{
	FILE *out = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
	int r = 0;

	if (!out || json_dumpf(json, out, JSON_INDENT(2)) < 0 || fputc('\n', out) == EOF ||
	    fflush(out) == EOF)
		r = errno ? -errno : -EIO;
	if (out && out != stdout && fclose(out) == EOF && r == 0)
		r = -errno;
	if (r < 0)
		fprintf(stderr, "ipc-bench: %s: %s\n", path, strerror(-r));
	return r;
}
