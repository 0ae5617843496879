/* SPDX-License-Identifier: MIT */
#include "plan.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crowd.h"

/* The CPUs to go round on: those of the options, or a pair on different cores. Returns how many,
 * or a negative errno after a message. */
static int find_cpus(const struct options *options, int cpu[LIST_MAX])
{
	int r = 0;

	if (options->cpus.count == 0) {
		r = bench_default_pair(cpu);
		if (r < 0)
			fprintf(stderr, "ipc-bench: no CPUs: %s\n", strerror(-r));
		return r < 0 ? r : 2;
	}
	for (size_t i = 0; i < options->cpus.count && r == 0; i++) {
		cpu[i] = (int)options->cpus.item[i];
		r = bench_pin(cpu[i]);
		bench_pin(-1);
		if (r < 0)
			fprintf(stderr, "ipc-bench: --cpus: CPU %d is not allowed here\n", cpu[i]);
	}
	return r < 0 ? -EINVAL : (int)options->cpus.count;
}

int plan_place(struct plan *plan, const struct options *options)
{
	int cpu[LIST_MAX] = { -1 };
	int count = options->unpinned ? 1 : find_cpus(options, cpu);

	if (count < 0)
		return count;
	for (int i = 0; i < WORKERS_MAX; i++)
		plan->cpu[i] = cpu[i % count];
	return 0;
}

/* Make room for one more of @size in a growing array; the counts are powers of two. */
static void *grow(void *array, size_t count, size_t size)
{
	if (count & (count - 1))
		return array;
	return realloc(array, (count ? 2 * count : 1) * size);
}

static int add_skip(struct plan *plan, const struct config *config, const char *package,
		    const char *reason)
{
	struct skip *skip = grow(plan->skip, plan->skips, sizeof(*skip));

	if (!skip)
		return -ENOMEM;
	plan->skip = skip;
	skip += plan->skips++;
	*skip = (struct skip){
		.mechanism = mechs[config->task.mechanism]->name,
		.workload = config->task.workload,
		.wait = config->task.setup.wait,
		.size = config->task.setup.size,
		.capacity = config->task.setup.capacity,
		.objects = config->task.setup.objects,
		.package = package,
	};
	snprintf(skip->reason, sizeof(skip->reason), "%s", reason);
	return 0;
}

int plan_skip(struct plan *plan, struct config *config, const char *reason)
{
	config->dropped = true;
	return add_skip(plan, config, NULL, reason);
}

/* Whether each worker has a CPU of its own. */
static bool enough_cpus(const struct task *task)
{
	int workers = (int)task_workers(task), cpus[1];

	if (task->cpu[0] < 0)
		return bench_cpus_allowed(cpus, 1) >= workers;
	for (int i = 1; i < workers; i++)
		for (int j = 0; j < i; j++)
			if (task->cpu[i] == task->cpu[j])
				return false;
	return true;
}

/* The same of workloads with several objects, or with a descriptor behind them. */
static const char *misfit_many(const struct config *config)
{
	const struct task *task = &config->task;
	const struct mech *mech = mechs[task->mechanism];
	const struct crowd_way *way = crowd_way(mech, task->setup.engine);
	/* A pipe is moved on by plain calls. */
	bool uring = task->workload == WORKLOAD_PUMP ? crowd_way(mech, ENGINE_AUTO) != NULL
						     : way != NULL;
	bool sleeps = task->setup.wait == WAIT_OWN || task->setup.wait == WAIT_BLOCK;

	if (task->workload == WORKLOAD_PUMP && !mech->pump)
		return "nothing moves it to a descriptor";
	if (task->workload != WORKLOAD_PUMP && (mech->capabilities & MECH_PUMP_ONLY))
		return "differs in pump alone";
	if (task_has_engine(task) && task->workload != WORKLOAD_PUMP && !mech->crowd)
		return "one object for each process";
	if (task->setup.engine == ENGINE_URING && !(task_has_engine(task) && uring))
		return "no part of this mechanism uses io_uring";
	if (task->workload == WORKLOAD_WAITMANY && !way->in_open)
		return "nothing waits for several of these at once";
	if ((task->workload == WORKLOAD_WAITMANY || task->workload == WORKLOAD_PUMP) && !sleeps)
		return "this workload is about processes that sleep";
	return NULL;
}

/* The same of what all processes share. */
static const char *misfit_shared(const struct options *options, const struct config *config)
{
	const struct task *task = &config->task;
	const struct loops *loops = mechs[task->mechanism]->loops;
	bool lock = task->workload == WORKLOAD_LOCK;

	if (lock ? !loops->lock : !mech_has_value(mechs[task->mechanism]))
		return lock ? "is no lock" : "is no value";
	if (options->producers != 1 || options->consumers != 1)
		return "--processes tells how many there are";
	if (task->setup.batch > 1 || task->setup.capacity)
		return "nothing is sent, and nothing queued";
	if (task->setup.engine == ENGINE_URING)
		return "no part of this mechanism uses io_uring";
	if (!lock && !loops->value[task->setup.op])
		return value_lack(task->setup.op);
	return NULL;
}

/* What the workload asks for; NULL when it is all right. */
static const char *misfit(const struct options *options, const struct config *config)
{
	const struct task *task = &config->task;

	if (task_shares(task))
		return misfit_shared(options, config);
	if (!mech_sends(mechs[task->mechanism]))
		return "carries no messages";
	if (task->consumers != options->consumers && task->workload != WORKLOAD_PUMP)
		return "this workload has one producer and one consumer";
	if (task->producers != options->producers)
		return "this workload has one producer";
	if (task->setup.batch > 1 && task->workload != WORKLOAD_WAITMANY &&
	    (!task_streams(task) || task->workload == WORKLOAD_PUMP))
		return "this workload sends one message at a time";
	if (task->workload == WORKLOAD_ATTACH && !mechs[task->mechanism]->make)
		return "attach does not know how to make one";
	if (task->workload == WORKLOAD_RECOVER && !mechs[task->mechanism]->hold)
		return "what a process has received dies with it";
	if (task->workload == WORKLOAD_ATTACH &&
	    (task->setup.wait != WAIT_OWN || task->setup.capacity))
		return "attach makes objects as they come";
	if (task->workload == WORKLOAD_RECOVER && task->setup.wait == WAIT_SPIN)
		return "recover is about processes that sleep";
	if (task->setup.wait == WAIT_SPIN && !options->force && !enough_cpus(task))
		return "spinning needs a CPU for each process (or --force)";
	return misfit_many(config);
}

/* Whether it is about the workload at all. */
static bool concerns(const struct mech *mech, const struct task *task)
{
	if (task->workload == WORKLOAD_LOCK)
		return mech->loops->lock;
	if (task->workload == WORKLOAD_VALUE)
		return mech->loops->value[task->setup.op];
	return mech_sends(mech) &&
	       (!(mech->capabilities & MECH_PUMP_ONLY) || task->workload == WORKLOAD_PUMP);
}

static int add(struct plan *plan, const struct options *options, const struct config *config)
{
	const struct mech *mech = mechs[config->task.mechanism];
	const char *reason = misfit(options, config);
	char why[MECH_WHY] = "";
	struct config *array;

	if (!options->mechanisms_chosen && !concerns(mech, &config->task))
		return 0;
	if (!mech_available(mech, why))
		return add_skip(plan, config, mech->package, why);
	if (reason)
		return add_skip(plan, config, NULL, reason);
	if (!mech_can(mech, &config->task.setup, why))
		return add_skip(plan, config, NULL, why);
	array = grow(plan->config, plan->configs, sizeof(*array));
	if (!array)
		return -ENOMEM;
	plan->config = array;
	plan->config[plan->configs++] = *config;
	return 0;
}

/* What all configurations of a run have in common. */
static struct config common(const struct plan *plan, const struct options *options)
{
	struct config config = {
		.task = {
			.seed = options->seed,
			.producers = 1,
			.consumers = 1,
			.setup = { .objects = 1, .active = 1 },
			.poisson = options->arrivals.item[0] == 1,
			.messages = options->messages,
			.duration_ns = (int64_t)(options->duration * 1e9),
			.warmup_ns = (int64_t)(options->warmup * 1e9),
		},
		.syscalls_per_msg = NAN,
		.faults_per_msg = NAN,
		.syscalls_per_flush = NAN,
		.syscalls_per_wakeup = NAN,
	};

	for (int i = 0; i < WORKERS_MAX; i++)
		config.task.cpu[i] = plan->cpu[i];
	config.task.setup.wake_ns = plan->wake_ns;
	return config;
}

/*
 * What is used of a mechanism when an engine is asked for. Only weir chooses for itself; the others
 * have plain calls then, but not twice.
 */
static bool set_engine(const struct options *o, struct config *config, enum engine asked)
{
	const struct mech *mech = mechs[config->task.mechanism];
	bool chooses = task_has_engine(&config->task) && crowd_way(mech, ENGINE_AUTO);

	config->asked = asked;
	config->task.setup.engine = asked == ENGINE_AUTO && !chooses ? ENGINE_EPOLL : asked;
	config->ran = asked == ENGINE_AUTO ? ENGINE_EPOLL : asked;
	return asked != ENGINE_AUTO || chooses || o->engines.count == 1;
}

/* Engines are compared like mechanisms: they are in one group. */
static int all_mechanisms(struct plan *plan, const struct options *o, struct config *config)
{
	int r = 0;

	config->group = plan->groups++;
	for (size_t i = 0; i < o->mechanisms.count; i++) {
		config->task.mechanism = (uint32_t)o->mechanisms.item[i];
		for (size_t e = 0; e < o->engines.count && r == 0; e++)
			if (set_engine(o, config, (enum engine)o->engines.item[e]))
				r = add(plan, o, config);
	}
	return r;
}

/* Only waitmany has objects that get no message for a while. */
static int all_active(struct plan *plan, const struct options *o, struct config *config)
{
	struct task *task = &config->task;
	int r = 0;

	for (size_t n = 0; n < o->objects.count; n++)
		for (size_t i = 0; i < o->active.count && r == 0; i++) {
			uint64_t objects = o->objects.item[n], active = o->active.item[i];

			task->streams = active == 0;
			task->setup.objects = (uint32_t)objects;
			task->setup.active =
				(uint32_t)(active && active < objects ? active : objects);
			r = all_mechanisms(plan, o, config);
		}
	return r;
}

/* A lock is one for any number of processes. */
static int all_processes(struct plan *plan, const struct options *o, struct config *config)
{
	struct task *task = &config->task;
	int r = 0;

	for (size_t i = 0; i < o->processes.count && r == 0; i++) {
		task->producers = task->setup.workers[0] = (uint32_t)o->processes.item[i];
		r = all_mechanisms(plan, o, config);
	}
	return r;
}

/* Sizes and contents are of what is read; one process reads. */
static int all_ops(struct plan *plan, const struct options *o, struct config *config)
{
	struct task *task = &config->task;
	bool first = task->setup.size == o->sizes.item[0] && task->touch == o->touches.item[0];
	struct config one;
	int r = 0;

	for (size_t i = 0; i < o->ops.count && r == 0; i++) {
		one = *config;
		one.task.setup.op = (enum value_op)o->ops.item[i];
		one.task.consumers = one.task.setup.workers[1] = task_watches(&one.task);
		if (!value_counts(one.task.setup.op)) {
			r = all_mechanisms(plan, o, &one);
		} else if (first) {
			one.task.setup.size = sizeof(uint64_t);
			r = all_processes(plan, o, &one);
		}
	}
	return r;
}

static int all_shared(struct plan *plan, const struct options *o, struct config *config)
{
	struct task *task = &config->task;

	task->consumers = task->setup.workers[1] = 0;
	if (task->workload == WORKLOAD_VALUE)
		return all_ops(plan, o, config);
	if (task->setup.size != o->sizes.item[0] || task->touch != o->touches.item[0])
		return 0;
	task->setup.size = sizeof(uint64_t);
	task->hold_ns = (int64_t)o->hold;
	task->think_ns = (int64_t)o->think;
	return all_processes(plan, o, config);
}

/* Only pump has something behind it; from a socket somebody must receive. */
static int all_targets(struct plan *plan, const struct options *o, struct config *config)
{
	int r = 0;

	if (task_shares(&config->task))
		return all_shared(plan, o, config);
	if (config->task.workload == WORKLOAD_WAITMANY)
		return all_active(plan, o, config);
	if (config->task.workload != WORKLOAD_PUMP)
		return all_mechanisms(plan, o, config);
	for (size_t i = 0; i < o->targets.count && r == 0; i++) {
		config->task.setup.target = (enum target)o->targets.item[i];
		config->task.consumers = config->task.setup.target == TARGET_SOCKET ? 2 : 1;
		r = all_mechanisms(plan, o, config);
	}
	return r;
}

/* Only oneway has rates. */
static int all_rates(struct plan *plan, const struct options *o, struct config *config)
{
	int r = 0;

	if (config->task.workload != WORKLOAD_ONEWAY) {
		config->task.rate = 0;
		return all_targets(plan, o, config);
	}
	for (size_t i = 0; i < o->rates.count && r == 0; i++) {
		config->task.rate = o->rates.item[i];
		r = all_mechanisms(plan, o, config);
	}
	return r;
}

static int all_capacities(struct plan *plan, const struct options *o, struct config *config)
{
	int r = 0;

	for (size_t i = 0; i < o->capacities.count && r == 0; i++) {
		config->task.setup.capacity = o->capacities.item[i];
		r = all_rates(plan, o, config);
	}
	return r;
}

static int all_touches(struct plan *plan, const struct options *o, struct config *config)
{
	int r = 0;

	for (size_t b = 0; b < o->batches.count; b++)
		for (size_t i = 0; i < o->touches.count && r == 0; i++) {
			config->task.setup.batch = (uint32_t)o->batches.item[b];
			config->task.touch = (enum pattern_touch)o->touches.item[i];
			config->task.setup.touch = (uint32_t)o->touches.item[i];
			r = all_capacities(plan, o, config);
		}
	return r;
}

/* Worker 0 has its CPU to itself, if there is another. */
static void keep_first_cpu(struct task *task)
{
	int32_t others[WORKERS_MAX], count = 0;

	for (int i = 1; i < WORKERS_MAX; i++)
		if (task->cpu[i] != task->cpu[0])
			others[count++] = task->cpu[i];
	for (int i = 1; i < WORKERS_MAX && count; i++)
		task->cpu[i] = others[(i - 1) % count];
}

int plan_group(struct plan *plan, const struct options *options, enum workload workload,
	       enum wait wait, size_t size)
{
	struct config config = common(plan, options);

	config.task.workload = workload;
	config.task.setup.wait = wait;
	config.task.setup.size = size;
	config.task.setup.duplex = workload == WORKLOAD_RTT;
	config.task.setup.many = workload == WORKLOAD_MPMC || workload == WORKLOAD_RECOVER;
	if (workload == WORKLOAD_MPMC)
		config.task.producers = (uint32_t)options->producers;
	if (config.task.setup.many || workload == WORKLOAD_FANOUT)
		config.task.consumers = (uint32_t)options->consumers;
	if (workload == WORKLOAD_FANOUT)
		config.task.setup.objects = config.task.consumers;
	if (workload == WORKLOAD_FANOUT)
		keep_first_cpu(&config.task);
	config.task.setup.workers[0] = config.task.producers;
	config.task.setup.workers[1] = config.task.consumers;
	return all_touches(plan, options, &config);
}

int plan_all(struct plan *plan, const struct options *o)
{
	int r = 0;

	for (size_t i = 0; i < o->waits.count; i++)
		for (size_t j = 0; j < o->workloads.count; j++)
			for (size_t k = 0; k < o->sizes.count && r == 0; k++)
				r = plan_group(plan, o, (enum workload)o->workloads.item[j],
					       (enum wait)o->waits.item[i], o->sizes.item[k]);
	return r;
}

void plan_free(struct plan *plan)
{
	free(plan->config);
	free(plan->skip);
	*plan = (struct plan){ 0 };
}
