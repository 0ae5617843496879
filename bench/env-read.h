/* SPDX-License-Identifier: MIT */
/*
 * Between the parts of env: reading one fact. Each returns a new reference, json_null() when the
 * fact cannot be had.
 */
#ifndef BENCH_ENV_READ_H
#define BENCH_ENV_READ_H

#include <jansson.h>

#define ENV_FORMAT __attribute__((format(printf, 1, 2)))

/* First line of a file, without the newline. */
json_t *env_text(const char *path, ...) ENV_FORMAT;
/* That line as an integer, when it is nothing else. */
json_t *env_number(const char *path, ...) ENV_FORMAT;
/* The word in brackets of "always [madvise] never". */
json_t *env_choice(const char *path, ...) ENV_FORMAT;
/* Value of a "Key: value" line of a file; the first such line. */
json_t *env_field(const char *path, const char *key);
/* The same when it begins with an integer. */
json_t *env_field_number(const char *path, const char *key);

/* Parts of the result. */
json_t *env_kernel(void);
json_t *env_cpu(void);
json_t *env_topology(void);
json_t *env_caches(void);
json_t *env_mitigations(void);
json_t *env_virtual(void);
json_t *env_clock(void);
json_t *env_memory(void);
json_t *env_cgroup(void);
json_t *env_isolation(void);
json_t *env_rlimits(void);
json_t *env_ipc(void);
json_t *env_security(void);

#endif
