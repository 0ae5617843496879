/* SPDX-License-Identifier: MIT */
/*
 * What is going to run: every selected configuration once, and what is left out, with the reason.
 */
#ifndef IPC_BENCH_PLAN_H
#define IPC_BENCH_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "control.h"
#include "options.h"

struct config {
	struct task task;
	enum engine asked;		/* --engine; that of the task is what is used */
	size_t group;			/* those that differ in the mechanism only have the same */

	/* Found out by the first repeat that went well. */
	bool explored;
	uint64_t capacity_bytes;
	uint64_t capacity_msgs;
	bool capacity_known;		/* of capacity_msgs */
	uint64_t memory_bytes;
	double syscalls_per_msg;	/* NAN: see the reason */
	double faults_per_msg;		/* NAN */
	double syscalls_per_flush;	/* fanout; NAN */
	double syscalls_per_wakeup;	/* waitmany; NAN */
	enum engine ran;
	char syscalls_source[SOURCE_BYTES];
	char syscalls_reason[MECH_WHY];

	bool dropped;			/* skipped or broken: no more repeats */
	bool failed;			/* a repeat hung, crashed or broke integrity */
	char failure[MECH_WHY];
};

struct skip {
	const char *mechanism;
	enum workload workload;
	enum wait wait;
	size_t size;
	uint64_t capacity;		/* 0: as it comes */
	uint32_t objects;		/* 1, but of fanout and waitmany */
	const char *package;		/* to install; NULL */
	char reason[MECH_WHY];
};

struct plan {
	struct config *config;
	size_t configs;
	struct skip *skip;
	size_t skips;
	size_t groups;
	int cpu[WORKERS_MAX];		/* of the workers in turn; -1: not pinned */
	int64_t wake_ns;		/* of the floor, for adaptive waits */
};

/* Find the CPUs that the options ask for. Returns 0 or a negative errno after a message. */
int plan_place(struct plan *plan, const struct options *options);

/* Every combination of the options. Returns 0 or -ENOMEM. */
int plan_all(struct plan *plan, const struct options *options);

/* All selected mechanisms for one workload, wait and size; the rest as in the options. */
int plan_group(struct plan *plan, const struct options *options, enum workload workload,
	       enum wait wait, size_t size);

/* Take a configuration out, with a reason. */
int plan_skip(struct plan *plan, struct config *config, const char *reason);

void plan_free(struct plan *plan);

#endif
