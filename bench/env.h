/* SPDX-License-Identifier: MIT */
/*
 * The machine and the build that a result belongs to, as far as an ordinary user can read them.
 * What cannot be read is null, never left out.
 */
#ifndef BENCH_ENV_H
#define BENCH_ENV_H

#include <jansson.h>
#include <stdio.h>

/* A new reference to the JSON key `environment`; NULL without memory. */
json_t *env_gather(void);

/* The same as text, one fact per line. */
void env_print(const json_t *env, FILE *out);

/* Placed in the key by env_gather(); also for the key `tool`: version control state of the
 * source ("" when not built from a checkout), compiler, flags. Static strings. */
const char *env_git(void);
const char *env_compiler(void);
const char *env_cflags(void);

#endif
