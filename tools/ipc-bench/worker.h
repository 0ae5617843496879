/* SPDX-License-Identifier: MIT */
/*
 * A worker: one process of a workload, pinned, with everything the loops need at hand.
 *
 * The struct is private to the process; the loops touch nothing in shared memory but the object
 * that is measured and, for one message in 4096, a stamp.
 */
#ifndef IPC_BENCH_WORKER_H
#define IPC_BENCH_WORKER_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#include "bench/clock.h"
#include "bench/hist.h"
#include "bench/pattern.h"
#include "control.h"
#include "mech.h"
#include "records.h"

/* The header that says: no more messages in this pass. No producer has this number. */
#define WORKER_END pattern_header(PATTERN_PRODUCERS - 1, 0)

/* Distance of the messages whose transit is timed; a power of two. */
#define WORKER_STAMP_EVERY 4096

/* Exit code: it cannot have what it needs. */
#define WORKER_LACKS 2

struct worker {
	struct link *link;		/* the first of all objects */
	struct port port;
	struct pattern_shape shape;
	unsigned int side;		/* 0 sends the stream or pings, 1 receives it or answers */
	unsigned int index;		/* among all workers */

	uint32_t stop;			/* set by the timer: end the pass */
	uint64_t limit;			/* messages of this pass at most */
	/* messages that the reader takes; UINT64_MAX: until the end marker */
	uint64_t expected;
	bool clocked;			/* rtt: fill the histogram */
	double interval_ns;		/* oneway: time between messages */
	bool poisson;
	uint64_t seed;
	int64_t duration_ns;		/* of the pass; 0: by number. For those with helpers */

	unsigned char *out;		/* the message that is sent; batch of them */
	unsigned char *in;		/* where messages are received; batch of them */
	size_t stride;			/* from one message of a batch to the next */

	struct pattern_sent sent;	/* over all passes; sent.count is the next sequence */
	struct pattern_check *check;	/* of what this side received, over all passes */
	struct hist *hist;		/* latencies, or transit times */
	struct stamp *stamps;		/* shared: when messages k * 4096 were sent */
	struct control *control;

	uint32_t brackets;		/* how often the line between the CPUs was measured */
	uint64_t done;			/* messages (round trips) of this pass */
	uint64_t late;			/* oneway: slots that began late */
	int64_t start;			/* of this pass, here */
	int64_t end;			/* receipt of its last message */

	/* fanout, waitmany: how it sends, or waits. */
	const struct crowd_way *way;
	int waiter;			/* descriptor to wait at */
	bool yields;			/* others may need this CPU */
	bool warming;			/* this pass is not measured */
	bool ended;			/* waitmany: the end marker was there */
	/* waitmany: received over all passes; value: the last header read or written */
	uint64_t seen;
	uint64_t wakeups;		/* waitmany: waits that ended in this pass */
	uint64_t aside;			/* system calls of this pass that are not to be counted */
	int64_t busy_ns;		/* fanout: this pass without the waiting in between */
	int64_t issued_ns;		/* fanout: the part of it that worker 0 works */
	struct hist *issue;		/* fanout: times of that */

	/* Set by the loops of those with helpers. */
	int64_t began;			/* when the helper did; 0: when the pass did */
	struct cost helper_cost;
};

/* Whether the writer goes on; a relaxed load of a line that nobody writes until the end. */
static inline bool worker_goes_on(const struct worker *w, uint64_t done)
{
	return done < w->limit && !__atomic_load_n(&w->stop, __ATOMIC_RELAXED);
}

/* Let others run, if there may be any on this CPU. */
static inline void worker_yield(struct worker *w)
{
	if (!w->yields)
		return;
	w->aside++;
	sched_yield();
}

/* Be worker @index of the task: never returns. */
void worker_run(struct control *control, struct link *link, unsigned int index)
	__attribute__((noreturn));

#endif
