/* SPDX-License-Identifier: MIT */
#ifndef IPC_BENCH_REPORT_H
#define IPC_BENCH_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "run.h"

/* The whole result as doc/man/ipc-bench.1 describes it; a new reference, NULL without memory. */
json_t *report_json(const struct run *run);

/* The machine, and what weir has on it; a new reference, NULL without memory. */
json_t *report_environment(void);

/* The same in a file, "-" being standard output. Returns 0 or a negative errno after a message. */
int report_write(const json_t *json, const char *path);

/* Whether a file can be written there, before it takes half a minute to have its contents.
 * Returns 0 or a negative errno after a message. */
int report_writable(const char *path);

/* {"name", "version", ...}: which program made a result. A new reference. */
json_t *report_tool(void);

/* The table: one line per row, groups apart. */
void report_table(const struct run *run, FILE *out);

/* What was left out and why, one line per mechanism and reason. */
void report_skipped(const struct plan *plan, FILE *out);

/* What the machine did, unstable repeats, failures. */
void report_warnings(const struct run *run, FILE *out);

/* What near and far mean, and the like. */
void report_legend(FILE *out);

#endif
