/* SPDX-License-Identifier: MIT */
/*
 * Mechanisms of Python: the messages go between Python processes, python-peers.py, one for each
 * worker, which tells it what to do and sleeps until it is done.
 */
#ifndef IPC_BENCH_PYTHON_H
#define IPC_BENCH_PYTHON_H

#include "mech.h"

/* Whether there is a python3 with multiprocessing. */
bool python_available(char why[MECH_WHY]);

/* Strategies: what multiprocessing does is all there is. */
bool python_can(const struct setup *setup, char why[MECH_WHY]);

/* create() for "pipe", "queue", "lock" or "value". */
int python_create(struct link *link, const char *mechanism, char why[MECH_WHY]);

int python_try(struct link *link, const void *message);
int python_open(struct link *link, int side);
void python_close(struct link *link, int side);
void python_remove(struct link *link);

/* How long create() takes. */
#define PYTHON_START_NS INT64_C(100000000)

extern const struct loops python_loops;
extern const struct loops python_lock_loops;
extern const struct loops python_value_loops;

#endif
