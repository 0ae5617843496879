/* SPDX-License-Identifier: MIT */
/* The command line: one table says what each command takes, and prints the help. */
#ifndef IPC_BENCH_OPTIONS_H
#define IPC_BENCH_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "parse.h"

enum exit_code {
	EXIT_GOOD = 0,
	EXIT_REGRESSION = 1,
	EXIT_USAGE = 2,
	EXIT_INVALID = 3,	/* integrity failed, hung or crashed */
	EXIT_NOISY = 4,		/* with --strict */
	EXIT_NOTHING = 5,	/* nothing ran */
};

/* Commands as bits, for the table. */
#define FOR_QUICK	(1u << 0)
#define FOR_RUN		(1u << 1)
#define FOR_LIST	(1u << 2)
#define FOR_FLOOR	(1u << 3)
#define FOR_ENV		(1u << 4)
#define FOR_SELFTEST	(1u << 5)

struct options {
	struct list mechanisms;		/* positions in mechs[] */
	struct list workloads;		/* enum workload */
	struct list waits;		/* enum wait */
	struct list sizes;
	struct list batches;
	struct list touches;		/* enum pattern_touch */
	struct list engines;		/* enum engine */
	struct list capacities;		/* 0: as it comes */
	struct list objects;		/* waitmany */
	struct list active;		/* waitmany; 0: all */
	struct list targets;		/* pump: enum target */
	struct list processes;		/* lock, value */
	struct list ops;		/* value: enum value_op */
	uint64_t hold;			/* lock: ns */
	uint64_t think;
	struct list rates;
	struct list arrivals;		/* 0 fixed, 1 poisson */
	struct list cpus;
	bool unpinned;			/* --cpus none */
	bool mechanisms_chosen;		/* --mechanism was given, and not "all" */
	uint64_t producers;
	uint64_t consumers;
	double duration;
	uint64_t messages;		/* 0: by duration */
	double warmup;
	uint64_t repeat;
	double max_time;		/* 0: from the nominal time */
	uint64_t seed;
	bool seed_chosen;
	bool force;
	bool strict;
	const char *json;		/* file, "-" is standard output; NULL: none */
	bool json_flag;			/* list --json */
	const char *out;		/* folder */
	char *const *command;		/* the words of the command line */
	int command_words;
};

extern const char *const workload_names[];
extern const char *const wait_names[];
extern const char *const touch_names[];
extern const char *const engine_names[];
extern const char *const target_names[];
extern const char *const op_names[];

void options_default(struct options *options);

/* Parse the options of one command (a FOR_ bit), argv[0] being its name. Returns 0; -EINVAL after
 * a message to stderr; 1 when --help was asked for and printed. */
int options_parse(struct options *options, unsigned int command, int argc, char **argv);

/* The options of a command, one per line. */
void options_help(unsigned int command, FILE *out);

#endif
