/* SPDX-License-Identifier: MIT */
/*
 * ipc-bench: measures the ways in which processes of one machine can exchange messages.
 *
 *	main	commands		options, parse	the command line
 *	plan	what will run		run, execute	the controller: blocks, one repeat at a time
 *	repeat	the process of a repeat	worker, loops	the processes that move messages
 *	mech-*	the mechanisms		control, records	the memory that all of them share
 *	attach, recover	those workloads	fd-*, unix, weir-*, python, harm	parts of mechanisms
 *	result	rows and points		report-*, rank	tables and JSON
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "repeat.h"
#include "weir/base.h"

#ifndef IPC_BENCH_VERSION
#define IPC_BENCH_VERSION "unknown"
#endif

static const struct command {
	const char *name;
	unsigned int bit;
	int (*run)(const struct options *options);
	const char *help;
} commands[] = {
	{ "quick", FOR_QUICK, command_quick, "compare all mechanisms in about 30 seconds" },
	{ "run", FOR_RUN, command_run, "measure a selection" },
	{ "list", FOR_LIST, command_list, "mechanisms, and what is missing for the others" },
	{ "floor", FOR_FLOOR, command_floor, "what no mechanism can beat on this machine" },
	{ "env", FOR_ENV, command_env, "the machine, as it is stored with every result" },
	{ "selftest", FOR_SELFTEST, command_selftest,
	  "plant faults, and see that they are caught" },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void usage(FILE *out)
{
	fprintf(out, "usage: ipc-bench COMMAND [options]\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].help);
	fprintf(out,
		"\n'ipc-bench COMMAND --help' tells the options of a command; ipc-bench(1) tells"
		" all.\n");
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* The words as they were typed: parsing moves them. */
static char **copy_words(int argc, char **argv)
{
	char **words = calloc((size_t)argc + 1, sizeof(*words));

	if (words)
		memcpy(words, argv, (size_t)argc * sizeof(*words));
	return words;
}

static int run_command(const struct command *command, int argc, char **argv)
{
	char **words = copy_words(argc, argv);
	struct options options;
	int r;

	options_default(&options);
	options.command = words;
	options.command_words = words ? argc : 0;
	r = options_parse(&options, command->bit, argc - 1, argv + 1);
	if (r == 0)
		r = command->run(&options);
	else
		r = r < 0 ? EXIT_USAGE : EXIT_GOOD;
	free(words);
	return r;
}

int main(int argc, char **argv)
{
	const struct command *command;

	if (argc == 3 && strcmp(argv[1], REPEAT_COMMAND) == 0)
		return repeat_main(argv[2]);
	if (argc < 2) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		usage(stdout);
		return EXIT_GOOD;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("ipc-bench %s, weir %s\n", IPC_BENCH_VERSION, weir_version());
		return EXIT_GOOD;
	}
	command = find(argv[1]);
	if (!command) {
		fprintf(stderr, "ipc-bench: unknown command '%s'\n", argv[1]);
		usage(stderr);
		return EXIT_USAGE;
	}
	return run_command(command, argc, argv);
}
