/* SPDX-License-Identifier: MIT */
/*
 * The memory that controller, repeat process and workers share: the task, and what came of it.
 *
 * A memfd of the controller, handed on by number through exec; all three are the same program, so
 * the layout needs no version. One repeat uses it at a time; control_clear() makes it new.
 */
#ifndef IPC_BENCH_CONTROL_H
#define IPC_BENCH_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attach.h"
#include "bench/cost.h"
#include "bench/floor.h"
#include "bench/hist.h"
#include "bench/noise.h"
#include "bench/pattern.h"
#include "fanout.h"
#include "lock.h"
#include "mech.h"
#include "pump.h"
#include "recover.h"
#include "value.h"

#define SOURCE_BYTES	16

enum workload {
	WORKLOAD_RTT,
	WORKLOAD_STREAM,
	WORKLOAD_ONEWAY,
	WORKLOAD_ATTACH,
	WORKLOAD_MPMC,
	WORKLOAD_RECOVER,
	WORKLOAD_FANOUT,
	WORKLOAD_WAITMANY,
	WORKLOAD_PUMP,
	WORKLOAD_LOCK,
	WORKLOAD_VALUE,
	WORKLOADS,
};

/* What the self-test plants. */
enum fault {
	FAULT_NONE,
	FAULT_LOSS,
	FAULT_DUPLICATE,
	FAULT_REORDER,
	FAULT_CORRUPT,
	FAULT_STALL,
	FAULT_CRASH,
	FAULTS,
};

/* The parts of a repeat, in this order. */
enum pass {
	PASS_WARMUP,
	PASS_TIMED,	/* the rates come from here */
	PASS_CLOCKED,	/* rtt, lock, value: the latencies */
	PASS_COUNTED,	/* system calls and page faults */
	PASSES,
};

struct task {
	uint32_t mechanism;		/* position in mechs[] */
	enum workload workload;
	enum pattern_touch touch;
	struct setup setup;
	uint64_t rate;			/* oneway: messages a second */
	bool poisson;
	uint64_t seed;
	uint64_t messages;		/* of the timed pass at most; 0: no limit */
	int64_t duration_ns;
	int64_t warmup_ns;
	/* Worker 0 is the first producer; the consumers come behind the producers. */
	uint32_t producers;
	uint32_t consumers;
	int32_t cpu[WORKERS_MAX];	/* -1: not pinned */
	bool streams;			/* waitmany: all objects are busy */
	int64_t hold_ns;		/* lock: with it, */
	int64_t think_ns;		/* and between two acquisitions */
	bool probe;			/* first try out how many messages fit */
	bool count;			/* add the counting pass */
};

enum repeat_status {
	REPEAT_RUNNING,			/* or died before it could tell */
	REPEAT_OK,
	REPEAT_SKIPPED,			/* the mechanism cannot do this: why */
	REPEAT_FAILED,			/* why */
};

/* What one worker found in one pass. */
struct pass_result {
	int64_t start;
	int64_t end;
	uint64_t done;
	uint64_t late;
	int64_t busy_ns;		/* fanout: the part of it that counts */
	uint64_t aside;			/* system calls that are not part of what is measured */
	uint64_t wakeups;		/* waitmany: waits that ended */
	struct cost cost;
};

struct worker_result {
	_Alignas(128) struct pass_result pass[PASSES];
	struct noise_self noise;
	struct pattern_sent sent;
	double bracket[2];		/* before, after; NAN */
	char error[MECH_WHY];
};

/* Of mpmc: how a pass comes to its end, see loops-mpmc.inc.h. */
struct ending {
	uint32_t producers;	/* that have sent all of their messages */
	uint32_t consumers;	/* that have got an end marker */
	uint32_t swallowed;	/* end markers that they got beyond that */
};

#define WAITMANY_OBJECTS 4096	/* at most */

/* Of waitmany, between its two workers. */
struct waitmany {
	_Alignas(128) uint64_t received;	/* messages, over all passes */
	_Alignas(128) uint64_t total;		/* of the pass, set before its end marker is sent */
};

struct control {
	struct task task;

	uint32_t status;		/* enum repeat_status */
	char why[MECH_WHY];
	struct leftovers leftovers[2];	/* of the repeat; of worker 0 of attach */
	int32_t repeat_pid;
	int32_t notify;			/* descriptor: the counting pass is about to begin */
	uint64_t capacity_bytes;
	uint64_t capacity_msgs;
	bool capacity_known;		/* of capacity_msgs */
	uint64_t memory_bytes;
	struct pattern_result integrity;
	uint32_t engine;		/* enum engine, as it ran */
	uint64_t syscalls;		/* of the counting pass, valid with a source; */
	uint64_t syscalls_of[2];	/* of worker 0, and of the first consumer */
	char syscalls_source[SOURCE_BYTES];
	char syscalls_reason[MECH_WHY];
	struct noise noise;

	_Alignas(128) uint32_t arrived;	/* barrier: workers that came, over all barriers */
	_Alignas(128) struct ending ending;
	_Alignas(128) struct syscount_gate gate;
	struct floor_line line;
	double bracket;			/* between the CPUs of the workers, */
	uint32_t brackets;		/* how often it was taken */
	struct worker_result worker[WORKERS_MAX];
	struct attach attach;
	struct recover recover;
	struct fanout fanout;
	struct waitmany waitmany;
	struct pump pump;
	struct lock lock;
	struct value value;
	struct hist hist;
};

/* Of a task: how many workers, and the side of one, 0 or 1. */
static inline unsigned int task_workers(const struct task *task)
{
	return task->producers + task->consumers;
}

static inline unsigned int task_side(const struct task *task, unsigned int worker)
{
	return worker >= task->producers;
}

/* The object that a consumer has: of fanout one each. */
static inline unsigned int task_object(const struct task *task, unsigned int worker)
{
	return task->workload == WORKLOAD_FANOUT ? worker - task->producers : 0;
}

/* Whether messages go in one direction as fast as they can. */
static inline bool task_streams(const struct task *task)
{
	return task->workload == WORKLOAD_STREAM || task->workload == WORKLOAD_MPMC ||
	       task->workload == WORKLOAD_PUMP || task->streams;
}

/* Whether there are no messages, but something that all processes share. */
static inline bool task_shares(const struct task *task)
{
	return task->workload == WORKLOAD_LOCK || task->workload == WORKLOAD_VALUE;
}

/* Whether somebody writes what another one reads. */
static inline bool task_watches(const struct task *task)
{
	return task->workload == WORKLOAD_VALUE && task->setup.op == VALUE_READ_WRITE;
}

/* What a worker is, in messages. */
static inline const char *task_who(const struct task *task, unsigned int worker)
{
	if (task_shares(task) && !task_watches(task))
		return "process";
	return task_side(task, worker) == 0 ? "producer" : "consumer";
}

/* Whether latencies come from a pass of their own. */
static inline bool task_clocks(const struct task *task)
{
	return task->workload == WORKLOAD_RTT || task_shares(task);
}

/* Whether there is a choice of the engine. */
static inline bool task_has_engine(const struct task *task)
{
	return task->workload == WORKLOAD_FANOUT || task->workload == WORKLOAD_WAITMANY ||
	       task->workload == WORKLOAD_PUMP;
}

/* Whether it is about messages or the like; not about what becomes of objects and processes. */
static inline bool task_moves(const struct task *task)
{
	return task->workload != WORKLOAD_ATTACH && task->workload != WORKLOAD_RECOVER;
}

/* The first CPU of the task that is not that of worker 0, or that one when there is no other. */
int32_t task_other_cpu(const struct task *task);

/* Which workers count what was done: from the first to before the last. They receive the messages,
 * or what else there is to do is done by them. */
void task_counters(const struct task *task, unsigned int *ret_first, unsigned int *ret_last);

/* Messages that were received in a pass, or what else was done. */
uint64_t control_done(const struct control *control, enum pass pass);

/* How long a pass took, from its start to the receipt of the last message. */
int64_t control_ns(const struct control *control, enum pass pass);

/* System calls of the counting pass: of what is measured. */
uint64_t control_syscalls(const struct control *control);

/* Create it, with its descriptor; NULL on failure. */
struct control *control_create(int *ret_fd);

/* Map what control_create() made. */
struct control *control_attach(int fd);

/* Ready for the next task; keeps nothing. */
void control_clear(struct control *control);

/* Remove what a repeat process left behind when it could not do so itself. */
void control_sweep(struct control *control);

#endif
