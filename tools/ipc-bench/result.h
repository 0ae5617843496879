/* SPDX-License-Identifier: MIT */
/*
 * What came out: one row for each configuration and placement class, with a point per repeat.
 *
 * The host of a virtual machine may move the CPUs during a run, which changes everything by up to
 * ten times; so repeats of different classes are never mixed, and repeats during which the class
 * changed are kept apart as unstable.
 */
#ifndef IPC_BENCH_RESULT_H
#define IPC_BENCH_RESULT_H

#include <jansson.h>
#include <stdbool.h>

#include "bench/stats.h"
#include "plan.h"

/* After the classes of bench/floor.h. */
#define CLASS_UNSTABLE	((int)FLOOR_CLASSES)
#define CLASS_UNKNOWN	((int)FLOOR_CLASSES + 1)	/* the repeat did not get that far */

struct point {
	int block;
	double floor_rtt_ns;
	double duration_s;
	double msgs_per_s;
	uint64_t messages;
	double cpu_ns_per_msg;
	double ctx_per_msg;
	double late;			/* oneway: share of late slots */
	double p50;			/* ns; NAN */
	double p99;
	double issue_p50;		/* fanout: ns; NAN */
	double issue_p99;
	double msgs_per_wakeup;		/* waitmany */
	double fairness;		/* lock, value; NAN */
};

struct row {
	struct config *config;
	int class;			/* enum floor_class or CLASS_* */
	struct point *point;
	size_t points;
	struct hist *hist;		/* all repeats: latency, or transit of a stream */
	struct hist *issue;		/* fanout; NULL */
	struct hist *phase;		/* attach: ATTACH_PHASES of them; NULL */
	struct hist *kill;		/* recover: RECOVER_KINDS of them; NULL */
	uint64_t empty_bytes;		/* attach: of one object, the last that was weighed */
	uint64_t full_bytes;
	uint32_t descriptors;
	struct pattern_result integrity;
	struct noise noise;
};

struct results {
	struct row *row;
	size_t rows;
};

/* Add the repeat that @control describes; returns its class, or -ENOMEM. */
int result_add(struct results *results, struct config *config, int block,
	       const struct control *control);

/* A configuration without any row failed: it gets one, so that the failure is in the results. */
int result_add_failed(struct results *results, struct config *config);

/* Rows in the order of the plan, but the classes of a group one after the other. */
void result_sort(struct results *results);

void result_free(struct results *results);

/* "near" ... "unstable"; NULL for CLASS_UNKNOWN. */
const char *result_class_name(int class);

/* One value of every point, in a new array; NULL without memory. */
double *result_values(const struct row *row, size_t offset);
#define RESULT_VALUES(row, member) result_values(row, offsetof(struct point, member))

/* Median and interval of a value of the points. */
struct stats_median result_median(const struct row *row, size_t offset);
#define RESULT_MEDIAN(row, member) result_median(row, offsetof(struct point, member))

/* How many times as fast as @base, by blocks; n is 0 when they never met in one class. */
struct stats_median result_ratio(const struct row *row, const struct row *base);

/* Whether two rows may be compared: same workload, wait, size and so on, same class. */
bool result_same_group(const struct row *a, const struct row *b);

/* What a reader of the row must know, as sentences. A new reference. */
json_t *result_warnings(const struct row *row);

/* Those among them that the table repeats: a rate not achieved, two groups of values. */
json_t *result_remarks(const struct row *row);

/* Whether the machine disturbed the row. */
bool result_noisy(const struct row *row);

#endif
