/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <string.h>

#include "control.h"
#include "mech.h"

const char *const workload_names[] = {
	"rtt",	   "stream", "oneway", "attach", "mpmc", "recover", "fanout", "waitmany", "pump",
	"lock",	   "value",  NULL,
};
const char *const wait_names[] = { "own", "spin", "block", "adaptive", NULL };
const char *const touch_names[] = { "full", "wide", "line", "none", NULL };
const char *const engine_names[] = { "epoll", "uring", "auto", NULL };
const char *const target_names[] = { "file", "socket", NULL };
const char *const op_names[] = { "increment", "atomic", "read", "read-write", NULL };
static const char *const arrival_names[] = { "fixed", "poisson", NULL };

enum kind {
	KIND_MECHANISMS,	/* struct list, words of the registry */
	KIND_WORDS,		/* struct list */
	KIND_SIZES,		/* struct list */
	KIND_RATES,		/* struct list */
	KIND_COUNTS,		/* struct list */
	KIND_ACTIVE,		/* struct list; "all" is 0 */
	KIND_CPUS,
	KIND_COUNT,		/* uint64_t */
	KIND_NS,		/* uint64_t */
	KIND_SEED,
	KIND_SECONDS,		/* double */
	KIND_TEXT,		/* const char * */
	KIND_FLAG,		/* bool */
	KIND_HELP,
};

struct row {
	const char *name;
	enum kind kind;
	unsigned int commands;
	size_t offset;
	const char *argument;	/* its name in the help; NULL: takes none */
	const char *help;
	const char *const *words;
};

/* What no run needs, and no sum of a run overflows with. */
#define REPEAT_MAX	1000000
#define MESSAGES_MAX	UINT64_C(1000000000000)
#define BATCH_MAX	65536

#define MEASURES (FOR_RUN | FOR_QUICK)
#define AT(member) offsetof(struct options, member)

static const struct row rows[] = {
	{ "mechanism", KIND_MECHANISMS, MEASURES, AT(mechanisms), "LIST",
	  "what to measure; all that are found", NULL },
	{ "workload", KIND_WORDS, FOR_RUN, AT(workloads), "LIST",
	  "rtt (ping-pong), stream (throughput), oneway (open loop at --rate), attach (make,"
	  " connect, pass and drop an object), mpmc (--producers to --consumers), recover"
	  " (--consumers survive others that are killed), fanout (one to --consumers that sleep),"
	  " waitmany (one waits for --objects), pump (to a file or a socket), lock (--processes"
	  " take one in turn), value (--processes share one); rtt,stream",
	  workload_names },
	{ "wait", KIND_WORDS, FOR_RUN, AT(waits), "LIST",
	  "own (as it comes), spin, block, adaptive; own", wait_names },
	{ "size", KIND_SIZES, FOR_RUN, AT(sizes), "LIST", "bytes of a message; 64", NULL },
	{ "batch", KIND_COUNTS, FOR_RUN, AT(batches), "LIST", "messages per call; 1", NULL },
	{ "touch", KIND_WORDS, FOR_RUN, AT(touches), "LIST",
	  "how messages are filled and read: full, wide, line, none; full", touch_names },
	{ "engine", KIND_WORDS, FOR_RUN, AT(engines), "LIST",
	  "of fanout, waitmany, pump: epoll, uring, auto; auto", engine_names },
	{ "objects", KIND_COUNTS, FOR_RUN, AT(objects), "LIST", "of waitmany; 256", NULL },
	{ "active", KIND_ACTIVE, FOR_RUN, AT(active), "LIST",
	  "objects of waitmany that get a message in each round, or all; 16", NULL },
	{ "to", KIND_WORDS, FOR_RUN, AT(targets), "LIST", "of pump: file, socket; both",
	  target_names },
	{ "capacity", KIND_SIZES, FOR_RUN, AT(capacities), "LIST",
	  "bytes that may be queued; as each comes", NULL },
	{ "rate", KIND_RATES, FOR_RUN, AT(rates), "LIST", "messages a second of oneway; 10K",
	  NULL },
	{ "arrivals", KIND_WORDS, FOR_RUN, AT(arrivals), "WORD", "of oneway: fixed, poisson; fixed",
	  arrival_names },
	{ "producers", KIND_COUNT, FOR_RUN, AT(producers), "N", "writing processes of mpmc; 1",
	  NULL },
	{ "consumers", KIND_COUNT, FOR_RUN, AT(consumers), "N",
	  "reading processes of mpmc, recover, fanout; 1", NULL },
	{ "processes", KIND_COUNTS, FOR_RUN, AT(processes), "LIST",
	  "of lock, and that increment in value; 1,2,4", NULL },
	{ "op", KIND_WORDS, FOR_RUN, AT(ops), "LIST",
	  "of value: increment (with its lock), atomic (increment without), read (--size bytes),"
	  " read-write (the same while another process writes); all",
	  op_names },
	{ "hold", KIND_NS, FOR_RUN, AT(hold), "NS", "how long a lock is held, spinning; 0", NULL },
	{ "think", KIND_NS, FOR_RUN, AT(think), "NS",
	  "between two acquisitions of a lock, spinning; 0", NULL },
	{ "cpus", KIND_CPUS, MEASURES | FOR_FLOOR, AT(cpus), "LIST|none",
	  "CPUs of the processes in turn; two on different cores", NULL },
	{ "duration", KIND_SECONDS, FOR_RUN, AT(duration), "SEC", "of a timed pass; 0.2", NULL },
	{ "messages", KIND_COUNT, FOR_RUN, AT(messages), "N",
	  "messages of a timed pass, instead of a duration", NULL },
	{ "warmup", KIND_SECONDS, FOR_RUN, AT(warmup), "SEC", "before each repeat; 0.1", NULL },
	{ "repeat", KIND_COUNT, FOR_RUN, AT(repeat), "N", "repeats, each a new process; 10", NULL },
	{ "max-time", KIND_SECONDS, FOR_RUN, AT(max_time), "SEC",
	  "start no repeat that would end later; 2 x nominal + 5", NULL },
	{ "seed", KIND_SEED, MEASURES, AT(seed), "N", "of the random order and of arrivals", NULL },
	{ "force", KIND_FLAG, FOR_RUN, AT(force), NULL, "spin even with more processes than CPUs",
	  NULL },
	{ "strict", KIND_FLAG, MEASURES, AT(strict), NULL, "exit 4 when the machine is too noisy",
	  NULL },
	{ "json", KIND_TEXT, FOR_RUN | FOR_FLOOR | FOR_ENV, AT(json), "FILE",
	  "write JSON there; - is standard output", NULL },
	{ "json", KIND_FLAG, FOR_LIST, AT(json_flag), NULL, "JSON instead of text", NULL },
	{ "out", KIND_TEXT, FOR_QUICK, AT(out), "DIR", "folder for the result files; .", NULL },
	{ "help", KIND_HELP, ~0u, 0, NULL, "print this", NULL },
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

void options_default(struct options *options)
{
	*options = (struct options){
		.producers = 1,
		.consumers = 1,
		.duration = 0.2,
		.warmup = 0.1,
		.repeat = 10,
	};
	for (size_t i = 0; i < mech_count; i++)
		options->mechanisms.item[options->mechanisms.count++] = i;
	options->workloads.count = 2;
	options->workloads.item[0] = WORKLOAD_RTT;
	options->workloads.item[1] = WORKLOAD_STREAM;
	list_set(&options->waits, WAIT_OWN);
	list_set(&options->sizes, 64);
	list_set(&options->batches, 1);
	list_set(&options->touches, PATTERN_FULL);
	list_set(&options->engines, ENGINE_AUTO);
	list_set(&options->objects, 256);
	list_set(&options->active, 16);
	options->targets.count = TARGETS;
	for (int i = 0; i < TARGETS; i++)
		options->targets.item[i] = (uint64_t)i;
	options->processes = (struct list){ 3, { 1, 2, 4 } };
	options->ops.count = VALUE_OPS;
	for (int i = 0; i < VALUE_OPS; i++)
		options->ops.item[i] = (uint64_t)i;
	list_set(&options->capacities, 0);
	list_set(&options->rates, 10000);
	list_set(&options->arrivals, 0);
}

static int parse_cpu_option(struct options *options, const char *text, char *why)
{
	options->unpinned = strcmp(text, "none") == 0;
	options->cpus.count = 0;
	return options->unpinned ? 0 : parse_cpus(text, &options->cpus, why);
}

static int store(const struct row *row, struct options *options, const char *text, char *why)
{
	void *place = (char *)options + row->offset;

	switch (row->kind) {
	case KIND_MECHANISMS:
		options->mechanisms_chosen = strcmp(text, "all") != 0;
		return parse_words(text, mech_names(), place, why);
	case KIND_WORDS:
		return parse_words(text, row->words, place, why);
	case KIND_SIZES:
		return parse_list(text, parse_size, place, why);
	case KIND_RATES:
		return parse_list(text, parse_rate, place, why);
	case KIND_COUNTS:
		return parse_list(text, parse_count, place, why);
	case KIND_ACTIVE:
		return parse_list(text, parse_active, place, why);
	case KIND_CPUS:
		return parse_cpu_option(options, text, why);
	case KIND_COUNT:
		return parse_count(text, place, why);
	case KIND_NS:
		return parse_ns(text, place, why);
	case KIND_SEED:
		options->seed_chosen = true;
		return parse_number(text, place, why);
	case KIND_SECONDS:
		return parse_seconds(text, place, why);
	case KIND_TEXT:
		*(const char **)place = text;
		return 0;
	default:
		*(bool *)place = true;
		return 0;
	}
}

/* The rows of a command as getopt_long() wants them; val is the position in rows[]. */
static void long_options(unsigned int command, struct option longs[ROWS + 1])
{
	size_t n = 0;

	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].commands & command)
			longs[n++] = (struct option){
				.name = rows[i].name,
				.has_arg = rows[i].argument ? required_argument : no_argument,
				.val = (int)i,
			};
	longs[n] = (struct option){ 0 };
}

static int complain(const char *command, const char *message)
{
	fprintf(stderr, "ipc-bench: %s; 'ipc-bench %s --help' tells more\n", message, command);
	return -EINVAL;
}

/* getopt_long() has printed what was wrong with an option, but not where to read on. */
static int take(const struct row *row, struct options *options, const char *text)
{
	char why[PARSE_WHY] = "";
	int r = store(row, options, text, why);

	if (r < 0)
		fprintf(stderr, "ipc-bench: --%s: %s\n", row->name, why);
	return r;
}

/* What no single option shows. */
static int check(const struct options *options, const char *command)
{
	if (options->arrivals.count != 1)
		return complain(command, "--arrivals takes one word");
	if (options->duration <= 0)
		return complain(command, "--duration must be more than 0");
	if (options->repeat > REPEAT_MAX || options->messages > MESSAGES_MAX)
		return complain(command, "at most a million repeats of 10^12 messages");
	for (size_t i = 0; i < options->batches.count; i++)
		if (options->batches.item[i] > BATCH_MAX)
			return complain(command, "--batch is at most 65536");
	for (size_t i = 0; i < options->objects.count; i++)
		if (options->objects.item[i] > WAITMANY_OBJECTS)
			return complain(command, "--objects is at most 4096");
	for (size_t i = 0; i < options->processes.count; i++)
		if (options->processes.item[i] > SIDE_MAX)
			return complain(command, "--processes is at most 64");
	if (options->producers > SIDE_MAX || options->consumers > SIDE_MAX)
		return complain(command, "at most 64 producers and 64 consumers");
	return 0;
}

int options_parse(struct options *options, unsigned int command, int argc, char **argv)
{
	struct option longs[ROWS + 1];
	char name[64];
	int row, r;

	long_options(command, longs);
	snprintf(name, sizeof(name), "%s", argv[0]);
	argv[0] = (char[]){ "ipc-bench" };
	optind = 1;
	while ((row = getopt_long(argc, argv, "+", longs, NULL)) != -1) {
		if (row == '?')
			return complain(name, "wrong option");
		if (rows[row].kind == KIND_HELP) {
			printf("usage: ipc-bench %s [options]\n\n", name);
			options_help(command, stdout);
			return 1;
		}
		r = take(&rows[row], options, optarg);
		if (r < 0)
			return r;
	}
	if (optind < argc) {
		fprintf(stderr, "ipc-bench: unexpected argument '%s'\n", argv[optind]);
		return -EINVAL;
	}
	return check(options, name);
}

void options_help(unsigned int command, FILE *out)
{
	char left[40];

	for (size_t i = 0; i < ROWS; i++) {
		if (!(rows[i].commands & command))
			continue;
		snprintf(left, sizeof(left), "--%s %s", rows[i].name,
			 rows[i].argument ? rows[i].argument : "");
		fprintf(out, "  %-20s %s\n", left, rows[i].help);
	}
}
