/* SPDX-License-Identifier: MIT */
/*
 * The tool checks itself: a mechanism with a known fault must be found out, and one without must
 * not. Printed as TAP.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "repeat.h"

#define MESSAGES	2000
#define RATE		100000
#define OBJECTS		8	/* waited for, */
#define ACTIVE		3	/* and those that get messages */
#define HOLDS		60	/* of a lock, */
#define HOLD_NS		(BENCH_NS / 1000)
#define BYTES		4000	/* that are read while they are written */
#define WATCH_NS	(BENCH_NS / 10)
#define HANG_NS		(BENCH_NS / 2)	/* when the watchdog bites */
#define PATIENCE_NS	(10 * BENCH_NS)

struct expected {
	enum repeat_outcome outcome;
	enum repeat_status status;
	struct pattern_result integrity;
};

static const struct test {
	const char *name;
	const char *mechanism;
	enum workload workload;
	enum fault fault;
	struct expected expected;
} tests[] = {
	{ "a sound stream",
	  "selftest",
	  WORKLOAD_STREAM,
	  FAULT_NONE,
	  { OUTCOME_DONE, REPEAT_OK, { .lost = 0 } } },
	{ "a sound ping-pong",
	  "selftest",
	  WORKLOAD_RTT,
	  FAULT_NONE,
	  { OUTCOME_DONE, REPEAT_OK, { .lost = 0 } } },
	{ "a lost message",
	  "selftest",
	  WORKLOAD_STREAM,
	  FAULT_LOSS,
	  { OUTCOME_DONE, REPEAT_OK, { .lost = 1 } } },
	{ "a message that arrives twice",
	  "selftest",
	  WORKLOAD_STREAM,
	  FAULT_DUPLICATE,
	  { OUTCOME_DONE, REPEAT_OK, { .duplicated = 1 } } },
	{ "two messages in the wrong order",
	  "selftest",
	  WORKLOAD_STREAM,
	  FAULT_REORDER,
	  { OUTCOME_DONE, REPEAT_OK, { .reordered = 1 } } },
	{ "a flipped bit in a stream",
	  "selftest",
	  WORKLOAD_STREAM,
	  FAULT_CORRUPT,
	  { OUTCOME_DONE, REPEAT_OK, { .corrupted = 1 } } },
	{ "a flipped bit in a ping-pong",
	  "selftest",
	  WORKLOAD_RTT,
	  FAULT_CORRUPT,
	  { OUTCOME_DONE, REPEAT_OK, { .corrupted = 1 } } },
	{ "a sender that stalls",
	  "selftest",
	  WORKLOAD_STREAM,
	  FAULT_STALL,
	  { OUTCOME_HUNG, REPEAT_RUNNING, { .lost = 0 } } },
	{ "an answer that never comes",
	  "selftest",
	  WORKLOAD_RTT,
	  FAULT_LOSS,
	  { OUTCOME_HUNG, REPEAT_RUNNING, { .lost = 0 } } },
	{ "a sender that crashes",
	  "selftest",
	  WORKLOAD_STREAM,
	  FAULT_CRASH,
	  { OUTCOME_DONE, REPEAT_FAILED, { .lost = 0 } } },
	{ "a sound stream in place",
	  "selftest-zc",
	  WORKLOAD_STREAM,
	  FAULT_NONE,
	  { OUTCOME_DONE, REPEAT_OK, { .lost = 0 } } },
	{ "a lost message in place",
	  "selftest-zc",
	  WORKLOAD_STREAM,
	  FAULT_LOSS,
	  { OUTCOME_DONE, REPEAT_OK, { .lost = 1 } } },
	{ "a flipped bit in a ping-pong in place",
	  "selftest-zc",
	  WORKLOAD_RTT,
	  FAULT_CORRUPT,
	  { OUTCOME_DONE, REPEAT_OK, { .corrupted = 1 } } },
	{ "a flipped bit in an open loop in place",
	  "selftest-zc",
	  WORKLOAD_ONEWAY,
	  FAULT_CORRUPT,
	  { OUTCOME_DONE, REPEAT_OK, { .corrupted = 1 } } },
	{ "four processes, sound",
	  "selftest",
	  WORKLOAD_MPMC,
	  FAULT_NONE,
	  { OUTCOME_DONE, REPEAT_OK, { .lost = 0 } } },
	{ "a message that one of two readers loses",
	  "selftest",
	  WORKLOAD_MPMC,
	  FAULT_LOSS,
	  { OUTCOME_DONE, REPEAT_OK, { .lost = 1 } } },
	{ "a message that one of two readers gets twice",
	  "selftest",
	  WORKLOAD_MPMC,
	  FAULT_DUPLICATE,
	  { OUTCOME_DONE, REPEAT_OK, { .duplicated = 1 } } },
	{ "two messages in the wrong order at one of two readers",
	  "selftest",
	  WORKLOAD_MPMC,
	  FAULT_REORDER,
	  { OUTCOME_DONE, REPEAT_OK, { .reordered = 1 } } },
	{ "one of two readers that crashes",
	  "selftest",
	  WORKLOAD_MPMC,
	  FAULT_CRASH,
	  { OUTCOME_DONE, REPEAT_FAILED, { .lost = 0 } } },
	{ "four processes, sound, in place",
	  "selftest-zc",
	  WORKLOAD_MPMC,
	  FAULT_NONE,
	  { OUTCOME_DONE, REPEAT_OK, { .lost = 0 } } },
	{ "a message that one of two readers loses in place",
	  "selftest-zc",
	  WORKLOAD_MPMC,
	  FAULT_LOSS,
	  { OUTCOME_DONE, REPEAT_OK, { .lost = 1 } } },
	{ "a sound fanout",
	  "selftest",
	  WORKLOAD_FANOUT,
	  FAULT_NONE,
	  { OUTCOME_DONE, REPEAT_OK, { .lost = 0 } } },
	{ "a flipped bit on the way to one of two",
	  "selftest",
	  WORKLOAD_FANOUT,
	  FAULT_CORRUPT,
	  { OUTCOME_DONE, REPEAT_OK, { .corrupted = 1 } } },
	{ "a message twice on the way to one of two",
	  "selftest",
	  WORKLOAD_FANOUT,
	  FAULT_DUPLICATE,
	  { OUTCOME_DONE, REPEAT_OK, { .duplicated = 1 } } },
	{ "a message that one of two never gets",
	  "selftest",
	  WORKLOAD_FANOUT,
	  FAULT_LOSS,
	  { OUTCOME_DONE, REPEAT_FAILED, { .lost = 0 } } },
	{ "a fanout that crashes",
	  "selftest",
	  WORKLOAD_FANOUT,
	  FAULT_CRASH,
	  { OUTCOME_DONE, REPEAT_FAILED, { .lost = 0 } } },
	{ "sound, many waited for",
	  "selftest",
	  WORKLOAD_WAITMANY,
	  FAULT_NONE,
	  { OUTCOME_DONE, REPEAT_OK, { .lost = 0 } } },
	{ "a flipped bit in one of many",
	  "selftest",
	  WORKLOAD_WAITMANY,
	  FAULT_CORRUPT,
	  { OUTCOME_DONE, REPEAT_OK, { .corrupted = 1 } } },
	{ "a message twice in one of many",
	  "selftest",
	  WORKLOAD_WAITMANY,
	  FAULT_DUPLICATE,
	  { OUTCOME_DONE, REPEAT_OK, { .duplicated = 1 } } },
	{ "a message that is waited for and does not come",
	  "selftest",
	  WORKLOAD_WAITMANY,
	  FAULT_LOSS,
	  { OUTCOME_HUNG, REPEAT_RUNNING, { .lost = 0 } } },
	{ "a sender to many that stalls",
	  "selftest",
	  WORKLOAD_WAITMANY,
	  FAULT_STALL,
	  { OUTCOME_HUNG, REPEAT_RUNNING, { .lost = 0 } } },
	{ "a sound pump",
	  "selftest",
	  WORKLOAD_PUMP,
	  FAULT_NONE,
	  { OUTCOME_DONE, REPEAT_OK, { .lost = 0 } } },
	{ "a flipped bit in a file",
	  "selftest",
	  WORKLOAD_PUMP,
	  FAULT_CORRUPT,
	  { OUTCOME_DONE, REPEAT_OK, { .corrupted = 1 } } },
	{ "two messages in the wrong order in a file",
	  "selftest",
	  WORKLOAD_PUMP,
	  FAULT_REORDER,
	  { OUTCOME_DONE, REPEAT_OK, { .reordered = 1 } } },
	{ "a message that the pump never gets",
	  "selftest",
	  WORKLOAD_PUMP,
	  FAULT_LOSS,
	  { OUTCOME_HUNG, REPEAT_RUNNING, { .lost = 0 } } },
	{ "a sound stream in Python",
	  "python-pipe",
	  WORKLOAD_STREAM,
	  FAULT_NONE,
	  { OUTCOME_DONE, REPEAT_OK, { .lost = 0 } } },
	{ "a lost message in Python",
	  "python-pipe",
	  WORKLOAD_STREAM,
	  FAULT_LOSS,
	  { OUTCOME_DONE, REPEAT_OK, { .lost = 1 } } },
	{ "a message that arrives twice in Python",
	  "python-pipe",
	  WORKLOAD_STREAM,
	  FAULT_DUPLICATE,
	  { OUTCOME_DONE, REPEAT_OK, { .duplicated = 1 } } },
	{ "two messages in the wrong order in Python",
	  "python-queue",
	  WORKLOAD_STREAM,
	  FAULT_REORDER,
	  { OUTCOME_DONE, REPEAT_OK, { .reordered = 1 } } },
	{ "a flipped bit in a stream in Python",
	  "python-pipe",
	  WORKLOAD_STREAM,
	  FAULT_CORRUPT,
	  { OUTCOME_DONE, REPEAT_OK, { .corrupted = 1 } } },
	{ "a flipped bit in a ping-pong in Python",
	  "python-queue",
	  WORKLOAD_RTT,
	  FAULT_CORRUPT,
	  { OUTCOME_DONE, REPEAT_OK, { .corrupted = 1 } } },
	{ "four processes in Python, sound",
	  "python-queue",
	  WORKLOAD_MPMC,
	  FAULT_NONE,
	  { OUTCOME_DONE, REPEAT_OK, { .lost = 0 } } },
	{ "a message that one of two senders loses in Python",
	  "python-queue",
	  WORKLOAD_MPMC,
	  FAULT_LOSS,
	  { OUTCOME_DONE, REPEAT_OK, { .lost = 1 } } },
	{ "a flipped bit in a message of one of two senders in Python",
	  "python-queue",
	  WORKLOAD_MPMC,
	  FAULT_CORRUPT,
	  { OUTCOME_DONE, REPEAT_OK, { .corrupted = 1 } } },
	{ "a sender that stalls in Python",
	  "python-queue",
	  WORKLOAD_STREAM,
	  FAULT_STALL,
	  { OUTCOME_HUNG, REPEAT_RUNNING, { .lost = 0 } } },
	{ "a sender that crashes in Python",
	  "python-pipe",
	  WORKLOAD_STREAM,
	  FAULT_CRASH,
	  { OUTCOME_DONE, REPEAT_FAILED, { .lost = 0 } } },
};

/* The same of what processes share. */
static const struct shared_test {
	enum value_op op;
	struct test test;
} shared_tests[] = {
	{ VALUE_INCREMENT,
	  { "a sound lock",
	    "selftest-lock",
	    WORKLOAD_LOCK,
	    FAULT_NONE,
	    { OUTCOME_DONE, REPEAT_OK, { .lost = 0 } } } },
	{ VALUE_INCREMENT,
	  { "a lock that does not lock",
	    "selftest-lock",
	    WORKLOAD_LOCK,
	    FAULT_LOSS,
	    { OUTCOME_DONE, REPEAT_OK, { .lost = 1 } } } },
	{ VALUE_INCREMENT,
	  { "a lock that is never released",
	    "selftest-lock",
	    WORKLOAD_LOCK,
	    FAULT_STALL,
	    { OUTCOME_HUNG, REPEAT_RUNNING, { .lost = 0 } } } },
	{ VALUE_INCREMENT,
	  { "an owner that crashes",
	    "selftest-lock",
	    WORKLOAD_LOCK,
	    FAULT_CRASH,
	    { OUTCOME_DONE, REPEAT_FAILED, { .lost = 0 } } } },
	{ VALUE_INCREMENT,
	  { "a sound counter",
	    "selftest-value",
	    WORKLOAD_VALUE,
	    FAULT_NONE,
	    { OUTCOME_DONE, REPEAT_OK, { .lost = 0 } } } },
	{ VALUE_INCREMENT,
	  { "an increment that is lost",
	    "selftest-value",
	    WORKLOAD_VALUE,
	    FAULT_LOSS,
	    { OUTCOME_DONE, REPEAT_OK, { .lost = 1 } } } },
	{ VALUE_INCREMENT,
	  { "an increment that comes twice",
	    "selftest-value",
	    WORKLOAD_VALUE,
	    FAULT_DUPLICATE,
	    { OUTCOME_DONE, REPEAT_OK, { .duplicated = 1 } } } },
	{ VALUE_READ_WRITE,
	  { "a sound value while it is written",
	    "selftest-value",
	    WORKLOAD_VALUE,
	    FAULT_NONE,
	    { OUTCOME_DONE, REPEAT_OK, { .lost = 0 } } } },
	{ VALUE_READ_WRITE,
	  { "a torn value",
	    "selftest-value",
	    WORKLOAD_VALUE,
	    FAULT_CORRUPT,
	    { OUTCOME_DONE, REPEAT_OK, { .corrupted = 1 } } } },
	{ VALUE_READ_WRITE,
	  { "a value of before",
	    "selftest-value",
	    WORKLOAD_VALUE,
	    FAULT_REORDER,
	    { OUTCOME_DONE, REPEAT_OK, { .reordered = 1 } } } },
	{ VALUE_INCREMENT,
	  { "a sound lock in Python",
	    "python-lock",
	    WORKLOAD_LOCK,
	    FAULT_NONE,
	    { OUTCOME_DONE, REPEAT_OK, { .lost = 0 } } } },
	{ VALUE_INCREMENT,
	  { "a lock that does not lock in Python",
	    "python-lock",
	    WORKLOAD_LOCK,
	    FAULT_LOSS,
	    { OUTCOME_DONE, REPEAT_OK, { .lost = 1 } } } },
	{ VALUE_INCREMENT,
	  { "a sound counter in Python",
	    "python-value",
	    WORKLOAD_VALUE,
	    FAULT_NONE,
	    { OUTCOME_DONE, REPEAT_OK, { .lost = 0 } } } },
	{ VALUE_READ_WRITE,
	  { "a sound value while it is written in Python",
	    "python-value",
	    WORKLOAD_VALUE,
	    FAULT_NONE,
	    { OUTCOME_DONE, REPEAT_OK, { .lost = 0 } } } },
	{ VALUE_READ_WRITE,
	  { "a torn value in Python",
	    "python-value",
	    WORKLOAD_VALUE,
	    FAULT_CORRUPT,
	    { OUTCOME_DONE, REPEAT_OK, { .corrupted = 1 } } } },
};

#define MESSAGE_TESTS (sizeof(tests) / sizeof(tests[0]))
#define SHARED_TESTS (sizeof(shared_tests) / sizeof(shared_tests[0]))
#define TESTS (MESSAGE_TESTS + SHARED_TESTS)

/* What is shared: by two processes, or by one that writes and one that reads. */
static void set_shared(struct task *task, enum value_op op)
{
	bool watches = op == VALUE_READ_WRITE;

	task->setup.op = op;
	task->producers = task->setup.workers[0] = watches ? 1 : 2;
	task->consumers = task->setup.workers[1] = watches;
	task->setup.size = watches ? BYTES : sizeof(uint64_t);
	/* A reader that knows a number may be done before there is a writer. */
	if (watches) {
		task->messages = 0;
		task->duration_ns = WATCH_NS;
	}
	/* Whoever is stopped is stopped with the lock. */
	if (task->workload == WORKLOAD_LOCK) {
		task->messages = HOLDS;
		task->hold_ns = HOLD_NS;
	}
}

static void set_task(struct task *task, const struct test *test)
{
	bool many = test->workload == WORKLOAD_MPMC, out = test->workload == WORKLOAD_FANOUT;
	bool waits = test->workload == WORKLOAD_WAITMANY;

	*task = (struct task) {
		.mechanism = (uint32_t)mech_find(test->mechanism),
		.workload = test->workload,
		.touch = PATTERN_FULL,
		.setup = {
			.size = 64,
			.batch = 1,
			.wait = WAIT_OWN,
			.duplex = test->workload == WORKLOAD_RTT,
			.many = many,
			.workers = { many ? 2 : 1, many ? 2 : 1 },
			.fault = test->fault,
			.objects = waits ? OBJECTS : out ? 2 : 1,
			.active = waits ? ACTIVE : 1,
		},
		.rate = test->workload == WORKLOAD_ONEWAY ? RATE : 0,
		.messages = MESSAGES,
		.producers = many ? 2 : 1,
		.consumers = many || out ? 2 : 1,
	};
	for (int i = 0; i < WORKERS_MAX; i++)
		task->cpu[i] = -1;
}

/* A fault is caught when it is seen at all: corruption may also count as a loss. */
static bool same_kind(const struct pattern_result *want, const struct pattern_result *got)
{
	if (pattern_result_ok(want))
		return pattern_result_ok(got);
	return (want->lost && got->lost) || (want->duplicated && got->duplicated) ||
	       (want->reordered && got->reordered) || (want->corrupted && got->corrupted);
}

static bool as_expected(const struct control *c, enum repeat_outcome outcome,
			const struct expected *expected)
{
	return outcome == expected->outcome && c->status == expected->status &&
	       same_kind(&expected->integrity, &c->integrity);
}

static void explain(const struct control *c, enum repeat_outcome outcome)
{
	const struct pattern_result *i = &c->integrity;

	printf("# outcome %d, status %u %s, lost %" PRIu64 ", duplicated %" PRIu64
	       ", reordered %" PRIu64 ", corrupted %" PRIu64 "\n",
	       outcome, c->status, c->why, i->lost, i->duplicated, i->reordered, i->corrupted);
}

static bool run_test(struct control *control, int fd, size_t index)
{
	const struct shared_test *shared =
		index < MESSAGE_TESTS ? NULL : &shared_tests[index - MESSAGE_TESTS];
	const struct test *test = shared ? &shared->test : &tests[index];
	bool hangs = test->expected.outcome == OUTCOME_HUNG;
	enum repeat_outcome outcome;
	const struct mech *mech;
	char why[MECH_WHY];
	int64_t deadline;
	bool good;

	control_clear(control);
	set_task(&control->task, test);
	if (shared)
		set_shared(&control->task, shared->op);
	mech = mechs[control->task.mechanism];
	if (!mech_available(mech, why)) {
		printf("ok %zu - %s # SKIP %s\n", index + 1, test->name, why);
		return true;
	}
	deadline = bench_now() + mech->start_ns + (hangs ? HANG_NS : PATIENCE_NS);
	outcome = repeat_execute(control, fd, deadline);
	good = as_expected(control, outcome, &test->expected);
	printf("%s %zu - %s: %s\n", good ? "ok" : "not ok", index + 1,
	       test->fault == FAULT_NONE ? "no alarm" : "caught", test->name);
	if (!good)
		explain(control, outcome);
	fflush(stdout);
	return good;
}

int command_selftest(const struct options *options)
{
	struct control *control;
	size_t good = 0;
	int fd;

	(void)options;
	control = control_create(&fd);
	if (!control) {
		fprintf(stderr, "ipc-bench: no memory to share\n");
		return EXIT_INVALID;
	}
	repeat_catch_signals();
	printf("1..%zu\n", TESTS);
	for (size_t i = 0; i < TESTS && !repeat_signal(); i++)
		good += run_test(control, fd, i);
	return good == TESTS ? EXIT_GOOD : EXIT_INVALID;
}
