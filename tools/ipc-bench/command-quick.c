/* SPDX-License-Identifier: MIT */
/*
 * The answer to "which one should I use here", in half a minute: three groups, because a mechanism
 * that polls and one that sleeps are not competitors.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "commands.h"
#include "format.h"
#include "rank.h"
#include "report.h"

#define BLOCKS		6
#define REPEAT_NS	(100 * BENCH_NS / 1000)	/* a repeat with its warm-up */
#define WARMUP_NS	(10 * BENCH_NS / 1000)
#define OVERHEAD_NS	(18 * BENCH_NS / 1000)	/* exec, fork, brackets */
#define COUNTING_NS	(15 * BENCH_NS / 1000)	/* once per configuration */
#define SHORTEST_NS	(15 * BENCH_NS / 1000)
#define TARGET_NS	(31 * BENCH_NS)
#define AGAIN_NS	(33 * BENCH_NS)
#define LAST_START_NS	(375 * BENCH_NS / 10)
#define HARD_STOP_NS	(393 * BENCH_NS / 10)	/* all is written after 40 s */

static const struct group {
	enum wait wait;
	enum workload workload;
	size_t size;
} groups[] = {
	{ WAIT_OWN, WORKLOAD_RTT, 64 },	      { WAIT_OWN, WORKLOAD_STREAM, 64 },
	{ WAIT_OWN, WORKLOAD_STREAM, 65536 }, { WAIT_SPIN, WORKLOAD_RTT, 64 },
	{ WAIT_SPIN, WORKLOAD_STREAM, 64 },   { WAIT_BLOCK, WORKLOAD_RTT, 64 },
};

#define GROUPS (sizeof(groups) / sizeof(groups[0]))

/* What it takes to start those that take long. */
static int64_t starts_ns(const struct plan *plan)
{
	int64_t sum = 0;

	for (size_t i = 0; i < plan->configs; i++)
		sum += mechs[plan->config[i].task.mechanism]->start_ns;
	return sum * (BLOCKS + 1);	/* one more to see how many messages fit */
}

/* As long as the contract says, or as short as it takes to be done in time. */
static void set_durations(struct run *run)
{
	int64_t left = TARGET_NS - (bench_now() - run->begin) - starts_ns(&run->plan);
	int64_t configs = (int64_t)run->plan.configs;
	int64_t each;

	if (configs == 0)
		return;
	each = (left / configs - COUNTING_NS) / BLOCKS - OVERHEAD_NS;
	if (each > REPEAT_NS)
		each = REPEAT_NS;
	each -= WARMUP_NS;
	if (each < SHORTEST_NS)
		each = SHORTEST_NS;
	for (size_t i = 0; i < run->plan.configs; i++) {
		struct task *task = &run->plan.config[i].task;

		task->warmup_ns = WARMUP_NS;
		task->duration_ns = task->workload == WORKLOAD_RTT ? each / 2 : each;
	}
}

static bool of_group(const struct config *config, const struct group *group)
{
	const struct task *task = &config->task;

	return task->setup.wait == group->wait && task->workload == group->workload &&
	       task->setup.size == group->size;
}

/* A row of the class in which most of a group's mechanisms were measured; NULL without any. */
static const struct row *row_of_group(const struct results *results, const struct group *group)
{
	size_t mechanisms[FLOOR_CLASSES] = { 0 };
	const struct row *found = NULL;

	for (size_t i = 0; i < results->rows; i++) {
		const struct row *row = &results->row[i];

		if (!rank_counts(row) || !of_group(row->config, group))
			continue;
		mechanisms[row->class]++;
		if (!found || mechanisms[row->class] > mechanisms[found->class])
			found = row;
	}
	return found;
}

/* Those of the group that were not measured in the class of @any, and so were not compared. */
static void print_absent(const struct run *run, const struct group *group, const struct row *any)
{
	const char *before = "; not compared: ";

	for (size_t i = 0; i < run->plan.configs; i++) {
		const struct config *config = &run->plan.config[i];
		bool there = false;

		for (size_t j = 0; j < run->results.rows; j++)
			there |= run->results.row[j].config == config &&
				 rank_counts(&run->results.row[j]) &&
				 run->results.row[j].class == any->class;
		if (there || !of_group(config, group))
			continue;
		printf("%s%s", before, mechs[config->task.mechanism]->name);
		before = ", ";
	}
}

/* "weir-pipe", or "pipe and fifo (a tie)". */
static void name_winners(const struct results *results, const struct row *best, merit *by,
			 char text[TEXT_MAX * 2])
{
	const char *name = mechs[best->config->task.mechanism]->name;
	size_t used = (size_t)snprintf(text, TEXT_MAX * 2, "%s", name);

	if (rank_mark(results, best, by) != MARK_TIE)
		return;
	for (size_t i = 0; i < results->rows; i++) {
		const struct row *row = &results->row[i];

		if (row == best || !result_same_group(row, best) ||
		    rank_mark(results, row, by) != MARK_TIE)
			continue;
		used += (size_t)snprintf(text + used, TEXT_MAX * 2 - used, ", %s",
					 mechs[row->config->task.mechanism]->name);
		if (used >= TEXT_MAX * 2)
			return;
	}
	snprintf(text + used, TEXT_MAX * 2 - used, " (tie)");
}

static void describe(const struct row *best, merit *by, char text[TEXT_MAX])
{
	double value = fabs(by(best).median);
	char number[TEXT_MAX];

	if (by == merit_cpu)
		snprintf(text, TEXT_MAX, "%.40s a message, both ends together",
			 format_ns(value, number));
	else if (best->config->task.workload == WORKLOAD_RTT)
		snprintf(text, TEXT_MAX, "%.40s there and back", format_ns(1e9 / value, number));
	else
		snprintf(text, TEXT_MAX, "%.40s a second", format_count(value, number));
}

static void answer(const struct run *run, const char *question, const struct group *group,
		   merit *by)
{
	const struct results *results = &run->results;
	const struct row *any = row_of_group(results, group);
	const struct row *best = any ? rank_best(results, any, by) : NULL;
	char names[TEXT_MAX * 2], value[TEXT_MAX], size[TEXT_MAX];

	if (!best) {
		printf("%s: nothing to tell\n", question);
		return;
	}
	name_winners(results, best, by, names);
	describe(best, by, value);
	printf("%s: %s, %s (%s, as it comes, %s)", question, names, value,
	       format_size(group->size, size), result_class_name(best->class));
	print_absent(run, group, any);
	putchar('\n');
}

/* One sentence per question. */
static void answers(const struct run *run)
{
	answer(run, "fastest answer", &groups[0], merit_speed);
	answer(run, "most messages", &groups[1], merit_speed);
	answer(run, "least CPU", &groups[1], merit_cpu);
	putchar('\n');
}

static void print_command(const struct run *run)
{
	const struct options *options = run->options;

	printf("again: ipc-bench");
	for (int i = 1; i < options->command_words; i++)
		printf(" %s", options->command[i]);
	if (!options->seed_chosen)
		printf(" --seed %llu", (unsigned long long)run->seed);
	putchar('\n');
}

static void print_all(const struct run *run)
{
	answers(run);
	report_table(run, stdout);
	putchar('\n');
	report_legend(stdout);
	putchar('\n');
	report_skipped(&run->plan, stdout);
	report_warnings(run, stdout);
	print_command(run);
}

static void name_file(const struct options *options, char path[4096])
{
	const char *folder = options->out ? options->out : ".";
	time_t now = time(NULL);
	char date[32];
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(date, sizeof(date), "%Y%m%d-%H%M%S", &tm);
	if (strcmp(folder, ".") == 0)
		snprintf(path, 4096, "ipc-bench-%s.json", date);
	else
		snprintf(path, 4096, "%s/ipc-bench-%s.json", folder, date);
}

static int save(const struct run *run, const char *path)
{
	json_t *json = report_json(run);
	int r = json ? report_write(json, path) : -ENOMEM;

	json_decref(json);
	if (r == 0)
		printf("%s\n", path);
	return r;
}

static int plan_groups(struct run *run)
{
	int r = 0;

	for (size_t i = 0; i < GROUPS && r == 0; i++)
		r = plan_group(&run->plan, run->options, groups[i].workload, groups[i].wait,
			       groups[i].size);
	return r;
}

static int measure(struct run *run, const char *path)
{
	int code;

	if (plan_groups(run) < 0)
		return EXIT_INVALID;
	set_durations(run);
	run->deadline = run->begin + LAST_START_NS;
	run->again_until = run->begin + AGAIN_NS;
	run->hard_stop = run->begin + HARD_STOP_NS;
	code = run_blocks(run);
	if (code)
		return code;
	print_all(run);
	code = run_verdict(run);
	return save(run, path) < 0 && code == EXIT_GOOD ? EXIT_INVALID : code;
}

int command_quick(const struct options *given)
{
	struct options options = *given;
	char path[4096];
	struct run run;
	int code;

	options.repeat = BLOCKS;
	name_file(&options, path);
	if (report_writable(path) < 0)
		return EXIT_USAGE;
	code = run_begin(&run, &options);
	if (code == 0)
		code = measure(&run, path);
	run_end(&run);
	return code;
}
