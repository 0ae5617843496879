/* SPDX-License-Identifier: MIT */
/*
 * The way of an operation through a stepped child, and how to get to any instruction of it again.
 *
 * Stepping is done once, to write the way down: each instruction, whether it changed shared memory,
 * whether it is a system call and whether it slept there. Later children that start from the same
 * state take the same way; they are brought to an instruction by a breakpoint, at full speed, so
 * the cost of a point does not depend on how far along it lies.
 *
 * The child must have been brought to stepper_mark_begin() with stepper_run_to_begin(). All waiting
 * for it is bounded.
 */
#ifndef WEIR_TESTS_FAULT_WAY_H
#define WEIR_TESTS_FAULT_WAY_H

#include "support.h"

struct way_point {
	uint64_t at;		/* address of the instruction that comes next */
	uint32_t nth;		/* how often the way has been there before */
	uint64_t image;		/* of what is watched */
	bool changed;		/* the instruction before it has changed what is watched */
	bool called;		/* the instruction before it was a system call */
	bool slept;		/* the instruction that comes next is a call that slept */
};

struct way {
	size_t count;		/* of points: one more than instructions */
	struct way_point *points;
};

/*
 * Called again and again while the child sleeps in a system call; may wake it. What it does must
 * be a way of others to wake it, and be the same each time.
 */
typedef void way_asleep(void *arg);

struct way_record {
	const void *memory;	/* that the child shares with us: a change is an effect */
	size_t size;
	uint64_t (*image)(const void *arg);	/* what of it is the same in each performance */
	way_asleep *asleep;
	void *arg;
	size_t most;		/* instructions; what comes after them is left out; 0: no limit */
};

/* Step the child to its stepper_mark_end() and write down the way. */
struct way way_walk(struct stepper *stepper, const struct way_record *record);
void way_free(struct way *way);

enum arrival {
	ARRIVED,	/* before the instruction, or asleep in it if that was asked for */
	PASSED,		/* took another way, and is in stepper_mark_end() */
	ENDED,		/* has exited: stepper->status */
};

/* On the way to a point. */
struct trip {
	struct stepper *stepper;
	struct way_point point;
	bool into_sleep;	/* kill it not before the instruction, but while it sleeps in it */
	way_asleep *asleep;
	void *arg;
	enum {
		TRIP_RUNS,	/* at full speed, with the breakpoint in its way */
		TRIP_STEPS,	/* over the address, without */
		TRIP_STANDS	/* at the address */
	} mode;
	uint32_t passes;	/* of the address so far */
	long text;		/* what the breakpoint stands on */
};

/* Let the child run towards the point; several children can be on their way at once. */
void trip_begin(struct trip *trip);
/* Wait until it is there. */
enum arrival trip_end(struct trip *trip);

/* Leave the child where it is, no longer traced and stopped as by SIGSTOP. */
struct child trip_stop(struct trip *trip);

#endif
