/* SPDX-License-Identifier: MIT */
/* The commands; each gets its options parsed and returns the exit code. */
#ifndef IPC_BENCH_COMMANDS_H
#define IPC_BENCH_COMMANDS_H

#include "options.h"

int command_quick(const struct options *options);
int command_run(const struct options *options);
int command_list(const struct options *options);
int command_floor(const struct options *options);
int command_env(const struct options *options);
int command_selftest(const struct options *options);

#endif
