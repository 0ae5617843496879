/* SPDX-License-Identifier: MIT */
#include "run.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "repeat.h"

#define OVERHEAD_NS	(30 * BENCH_NS / 1000)	/* of a repeat: exec, fork, brackets */
#define PER_MESSAGE_NS	100000			/* nothing that works is slower, */
#define PER_OBJECT_NS	500000			/* made, forked and closed */
#define PER_SLEEPER_NS	4000000			/* forked, scheduled and looked at */
#define PER_BYTE_NS	4			/* not even on fresh pages, on a slow host */
#define PATIENCE_NS	(10 * BENCH_NS)		/* a busy machine takes seconds to start a repeat */
#define WAKE_NS		50000			/* when the floor cannot tell */
/* How often an unstable repeat is run again later. */
#define AGAIN		2

/* A repeat that was unstable and is owed to its block. */
struct owed {
	size_t config;
	int block;
};

static uint64_t next_random(struct run *run)
{
	run->random ^= run->random << 13;
	run->random ^= run->random >> 7;
	run->random ^= run->random << 17;
	return run->random;
}

static void shuffle(struct run *run, size_t *order, size_t count)
{
	for (size_t i = count; i > 1; i--) {
		size_t j = next_random(run) % i;
		size_t other = order[j];

		order[j] = order[i - 1];
		order[i - 1] = other;
	}
}

static int say_no_memory(void)
{
	fprintf(stderr, "ipc-bench: out of memory\n");
	return EXIT_INVALID;
}

/* Between the CPUs of the run, or, when it is not pinned, those that it would get. */
static int measure_floor(struct run *run)
{
	int cpu[2] = { run->plan.cpu[0], run->plan.cpu[1] };
	int r = 0;

	if (cpu[0] < 0)
		r = bench_default_pair(cpu);
	if (r >= 0)
		r = floor_measure(cpu[0], cpu[1], &run->floor);
	if (r < 0)
		fprintf(stderr, "ipc-bench: floor: %s\n", strerror(-r));
	run->plan.wake_ns = isnan(run->floor.wake_ns) ? WAKE_NS : (int64_t)run->floor.wake_ns;
	return r;
}

/* Of a repeat, at the most. */
static int processes(const struct options *options)
{
	uint64_t most = 2;

	for (size_t i = 0; i < options->workloads.count; i++)
		if (options->workloads.item[i] == WORKLOAD_LOCK ||
		    options->workloads.item[i] == WORKLOAD_VALUE)
			for (size_t n = 0; n < options->processes.count; n++)
				if (options->processes.item[n] > most)
					most = options->processes.item[n];
	for (size_t i = 0; i < options->workloads.count; i++)
		if (options->workloads.item[i] == WORKLOAD_MPMC ||
		    options->workloads.item[i] == WORKLOAD_RECOVER)
			if (options->producers + options->consumers > most)
				most = options->producers + options->consumers;
	return (int)most;
}

int run_begin(struct run *run, const struct options *options)
{
	int r;

	*run = (struct run){ .options = options, .control_fd = -1 };
	run->deadline = run->again_until = run->hard_stop = INT64_MAX;
	run->begin = bench_now();
	run->seed = options->seed_chosen ? options->seed : (uint64_t)run->begin;
	run->random = run->seed * 2 + 1;
	run->warnings = json_array();
	if (plan_place(&run->plan, options) < 0)
		return EXIT_USAGE;
	noise_preflight(processes(options), run->warnings);
	r = measure_floor(run);
	if (r < 0)
		return EXIT_INVALID;
	run->control = control_create(&run->control_fd);
	if (!run->control)
		return say_no_memory();
	repeat_catch_signals();
	return 0;
}

static int64_t message_ns(const struct task *task)
{
	if (task->workload == WORKLOAD_RECOVER)
		return RECOVER_NS;
	return PER_MESSAGE_NS + (int64_t)task->setup.size * PER_BYTE_NS;
}

/* How long the passes of a repeat take. */
static int64_t passes_ns(const struct task *task)
{
	int64_t each = task->duration_ns;

	if (task->messages)
		each = (int64_t)task->messages *
		       (task->rate ? BENCH_NS / (int64_t)task->rate + 1 : message_ns(task));
	return mechs[task->mechanism]->start_ns + task->warmup_ns +
	       task->setup.objects * PER_OBJECT_NS +
	       (task->workload == WORKLOAD_FANOUT ? task->consumers * PER_SLEEPER_NS : 0) +
	       each * (task_clocks(task) ? 2 : 1);
}

double run_nominal(const struct run *run)
{
	double ns = 0;

	for (size_t i = 0; i < run->plan.configs; i++)
		ns += (double)(passes_ns(&run->plan.config[i].task) + OVERHEAD_NS);
	return ns * (double)run->options->repeat / 1e9;
}

static void progress(const struct run *run, const struct config *config)
{
	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r%zu/%zu %s %s %s\033[K", run->made + 1, run->wanted,
		mechs[config->task.mechanism]->name, wait_names[config->task.setup.wait],
		workload_names[config->task.workload]);
}

static void progress_end(void)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
}

/* Keep what only the first repeat finds out. */
static void explore(struct config *config, const struct control *c)
{
	uint64_t counted = control_done(c, PASS_COUNTED);
	int64_t faults = 0;

	config->explored = true;
	config->ran = (enum engine)c->engine;
	config->capacity_bytes = c->capacity_bytes;
	config->capacity_msgs = c->capacity_msgs;
	config->capacity_known = c->capacity_known;
	config->memory_bytes = c->memory_bytes;
	memcpy(config->syscalls_source, c->syscalls_source, SOURCE_BYTES);
	memcpy(config->syscalls_reason, c->syscalls_reason, MECH_WHY);
	for (unsigned int i = 0; i < task_workers(&config->task); i++)
		faults += c->worker[i].pass[PASS_COUNTED].cost.faults_minor +
			  c->worker[i].pass[PASS_COUNTED].cost.faults_major;
	if (!task_moves(&config->task))
		snprintf(config->syscalls_reason, MECH_WHY, "%s has no pass for it",
			 workload_names[config->task.workload]);
	if (counted == 0)
		return;
	if (c->syscalls_source[0]) {
		const struct worker_result *first = &c->worker[config->task.producers];
		uint64_t mine = c->syscalls_of[0] - c->worker[0].pass[PASS_COUNTED].aside;

		if (config->task.workload == WORKLOAD_FANOUT)
			config->syscalls_per_flush =
				(double)mine / (double)first->pass[PASS_COUNTED].done;
		if (config->task.workload == WORKLOAD_WAITMANY)
			config->syscalls_per_wakeup = (double)c->syscalls_of[1] /
						      (double)first->pass[PASS_COUNTED].wakeups;
	}
	/* End markers are messages, too, and here there is one for each consumer. */
	if (config->task.workload == WORKLOAD_MPMC)
		counted += config->task.consumers;
	config->faults_per_msg = (double)faults / (double)counted;
	if (c->syscalls_source[0])
		config->syscalls_per_msg = (double)control_syscalls(c) / (double)counted;
}

static int fail_config(struct run *run, struct config *config, const char *why)
{
	progress_end();
	fprintf(stderr, "ipc-bench: %s %s %s %zu B: %s\n", mechs[config->task.mechanism]->name,
		workload_names[config->task.workload], wait_names[config->task.setup.wait],
		config->task.setup.size, why);
	snprintf(config->failure, sizeof(config->failure), "%s", why);
	config->failed = true;
	config->dropped = true;
	run->failed = true;
	return result_add_failed(&run->results, config);
}

/* A repeat that ended well. Returns its class or a negative errno. */
static int keep(struct run *run, struct config *config, int block)
{
	const struct control *c = run->control;

	if (!config->explored)
		explore(config, c);
	run->made++;
	if (!pattern_result_ok(&c->integrity)) {
		run->failed = true;
		config->failed = true;
	}
	return result_add(&run->results, config, block, c);
}

/* What a repeat that ended by itself has to say. */
static int judge(struct run *run, struct config *config, int block)
{
	const struct control *c = run->control;

	switch (c->status) {
	case REPEAT_OK:
		return keep(run, config, block);
	case REPEAT_SKIPPED:
		return config->explored ? fail_config(run, config, c->why)
					: plan_skip(&run->plan, config, c->why);
	case REPEAT_FAILED:
		return fail_config(run, config, c->why);
	default:
		return fail_config(run, config, "the repeat process crashed");
	}
}

/* Killed: because it hung, or because the time of the run is over. */
static int killed(struct run *run, struct config *config, int64_t patience)
{
	if (bench_now() >= patience)
		return fail_config(run, config, "hung, and was killed");
	run->stopped = true;
	return 0;
}

/* After how long a repeat hangs. The memory of a large object is filled with pages first. */
static int64_t patience_ns(const struct task *task)
{
	int64_t pages = (int64_t)task->setup.capacity * PER_BYTE_NS;

	return 2 * passes_ns(task) + PATIENCE_NS + pages;
}

/* One repeat. Returns its class (CLASS_UNSTABLE: do it again), or a negative errno. */
static int one_repeat(struct run *run, struct config *config, int block)
{
	int64_t patience = bench_now() + patience_ns(&config->task);
	int64_t deadline = patience < run->hard_stop ? patience : run->hard_stop;

	progress(run, config);
	control_clear(run->control);
	run->control->task = config->task;
	run->control->task.seed = next_random(run);
	run->control->task.probe = !config->explored;
	run->control->task.count = !config->explored && task_moves(&config->task);
	switch (repeat_execute(run->control, run->control_fd, deadline)) {
	case OUTCOME_DONE:
		return judge(run, config, block);
	case OUTCOME_HUNG:
		return killed(run, config, patience);
	case OUTCOME_INTERRUPTED:
		return -EINTR;
	default:
		return -EAGAIN;
	}
}

static bool ends_before(const struct config *config, int64_t deadline)
{
	return deadline == INT64_MAX ||
	       bench_now() + passes_ns(&config->task) + OVERHEAD_NS <= deadline;
}

static bool time_for(struct run *run, const struct config *config)
{
	if (ends_before(config, run->deadline))
		return true;
	run->stopped = true;
	return false;
}

/* Until when a block may run repeats again without taking time from the blocks after it. */
static int64_t share_of_time(const struct run *run, int block)
{
	double part = (double)(block + 1) / (double)run->options->repeat;

	if (run->again_until == INT64_MAX)
		return INT64_MAX;
	return run->begin + (int64_t)((double)(run->again_until - run->begin) * part);
}

/*
 * Repeat those in @owed once, unless that would end after @until; those that are unstable again
 * stay in it.
 */
static int pay(struct run *run, struct owed *owed, size_t *count, int64_t until)
{
	size_t kept = 0;
	int r = 0;

	for (size_t i = 0; i < *count; i++) {
		struct config *config = &run->plan.config[owed[i].config];

		if (config->dropped)
			continue;
		if (r >= 0 && ends_before(config, until)) {
			r = one_repeat(run, config, owed[i].block);
			if (r >= 0 && r != CLASS_UNSTABLE)
				continue;
		}
		owed[kept++] = owed[i];
	}
	*count = kept;
	return r < 0 ? r : 0;
}

/* Every configuration once. Appends what is owed. */
static int run_block(struct run *run, int block, size_t *order, struct owed *owed, size_t *owing)
{
	size_t before = *owing, mine;
	int r;

	shuffle(run, order, run->plan.configs);
	for (size_t i = 0; i < run->plan.configs; i++) {
		struct config *config = &run->plan.config[order[i]];

		if (config->dropped)
			continue;
		if (!time_for(run, config))
			break;
		r = one_repeat(run, config, block);
		if (r < 0)
			return r;
		if (r == CLASS_UNSTABLE)
			owed[(*owing)++] = (struct owed){ order[i], block };
	}
	mine = *owing - before;
	r = pay(run, owed + before, &mine, share_of_time(run, block));
	*owing = before + mine;
	return r;
}

static int all_blocks(struct run *run, size_t *order, struct owed *owed)
{
	size_t owing = 0;
	int r = 0;

	for (size_t i = 0; i < run->plan.configs; i++)
		order[i] = i;
	for (int block = 0; block < (int)run->options->repeat && r == 0 && !run->stopped; block++)
		r = run_block(run, block, order, owed, &owing);
	for (int i = 0; i < AGAIN && owing && r == 0; i++)
		r = pay(run, owed, &owing, run->again_until);
	run->unstable = owing;
	return r;
}

static void warn_stopped(struct run *run)
{
	char sentence[200];

	if (!run->stopped)
		return;
	snprintf(sentence, sizeof(sentence),
		 "stopped after %.1f s by the time limit, with %zu repeats made and %zu planned",
		 (double)(bench_now() - run->begin) / 1e9, run->made, run->wanted);
	json_array_append_new(run->warnings, json_string(sentence));
}

/* A signal ends the tool as it would have without a handler, after all is cleaned up. */
static void die(void)
{
	sigset_t all;

	signal(repeat_signal(), SIG_DFL);
	sigfillset(&all);
	sigprocmask(SIG_UNBLOCK, &all, NULL);
	raise(repeat_signal());
}

int run_blocks(struct run *run)
{
	size_t *order = calloc(run->plan.configs + 1, sizeof(*order));
	struct owed *owed = calloc(run->plan.configs * run->options->repeat + 1, sizeof(*owed));
	int r = -ENOMEM;

	run->wanted = run->plan.configs * run->options->repeat;
	if (order && owed)
		r = all_blocks(run, order, owed);
	free(order);
	free(owed);
	progress_end();
	if (r == -EINTR)
		die();
	if (r < 0) {
		fprintf(stderr, "ipc-bench: %s\n", strerror(-r));
		return EXIT_INVALID;
	}
	warn_stopped(run);
	result_sort(&run->results);
	return 0;
}

int run_verdict(const struct run *run)
{
	bool noisy = run->unstable > 0;

	if (run->failed)
		return EXIT_INVALID;
	if (run->made == 0)
		return EXIT_NOTHING;
	for (size_t i = 0; i < run->results.rows; i++)
		noisy |= result_noisy(&run->results.row[i]);
	return noisy && run->options->strict ? EXIT_NOISY : EXIT_GOOD;
}

void run_end(struct run *run)
{
	result_free(&run->results);
	plan_free(&run->plan);
	json_decref(run->warnings);
}
