/* SPDX-License-Identifier: MIT */
/*
 * The environment of a result: readers of single facts, and the whole.
 */
#include "bench/env.h"
#include "bench/env-read.h"

#include <ctype.h>
#include <gnu/libc-version.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/clock.h"
#include "bench/git.h"

#ifndef BENCH_BUILD
#define BENCH_BUILD ""
#endif

/* First line of a file into buf; false when there is none. */
static bool first_line(char *buf, size_t size, const char *path, va_list ap)
{
	char name[256];
	bool ok = false;
	FILE *f;

	vsnprintf(name, sizeof(name), path, ap);
	f = fopen(name, "re");
	if (f) {
		ok = fgets(buf, (int)size, f) != NULL;
		fclose(f);
	}
	if (ok)
		buf[strcspn(buf, "\n")] = 0;
	return ok;
}

/* json_string() refuses what is not UTF-8, and a sysfs file may hold anything. */
static json_t *string(const char *s)
{
	json_t *v = json_string(s);

	return v ? v : json_null();
}

json_t *env_text(const char *path, ...)
{
	char buf[4096];
	va_list ap;
	bool ok;

	va_start(ap, path);
	ok = first_line(buf, sizeof(buf), path, ap);
	va_end(ap);
	return ok ? string(buf) : json_null();
}

json_t *env_number(const char *path, ...)
{
	char buf[64], *end;
	long long v;
	va_list ap;
	bool ok;

	va_start(ap, path);
	ok = first_line(buf, sizeof(buf), path, ap);
	va_end(ap);
	if (!ok)
		return json_null();
	v = strtoll(buf, &end, 10);
	return end != buf && *end == 0 ? json_integer(v) : json_null();
}

json_t *env_choice(const char *path, ...)
{
	char buf[256], *from, *to;
	va_list ap;
	bool ok;

	va_start(ap, path);
	ok = first_line(buf, sizeof(buf), path, ap);
	va_end(ap);
	if (!ok)
		return json_null();
	from = strchr(buf, '[');
	to = from ? strchr(from, ']') : NULL;
	if (!to)
		return string(buf);
	*to = 0;
	return string(from + 1);
}

/* The value behind "key" and a colon in a line, or NULL. */
static char *value_of(char *line, const char *key)
{
	size_t n = strlen(key);
	char *p = line + n;

	if (strncmp(line, key, n))
		return NULL;
	while (*p == ' ' || *p == '\t')
		p++;
	if (*p++ != ':')
		return NULL;
	while (isspace((unsigned char)*p))
		p++;
	p[strcspn(p, "\n")] = 0;
	return p;
}

json_t *env_field(const char *path, const char *key)
{
	FILE *f = fopen(path, "re");
	char line[8192], *v = NULL;

	while (f && !v && fgets(line, sizeof(line), f))
		v = value_of(line, key);
	if (f)
		fclose(f);
	return v ? string(v) : json_null();
}

json_t *env_field_number(const char *path, const char *key)
{
	json_t *text = env_field(path, key), *ret = json_null();
	const char *s = json_string_value(text);

	if (s && isdigit((unsigned char)*s))
		ret = json_integer(strtoll(s, NULL, 10));
	json_decref(text);
	return ret;
}

const char *env_git(void)
{
	return BENCH_GIT;
}

const char *env_compiler(void)
{
#if defined(__clang__)
	return "clang " __clang_version__;
#else
	return "gcc " __VERSION__;
#endif
}

const char *env_cflags(void)
{
	return BENCH_BUILD;
}

static json_t *build(void)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "git", env_git(), "compiler", env_compiler(),
			 "flags", env_cflags(), "libc", gnu_get_libc_version(), "jansson",
			 JANSSON_VERSION);
}

static json_t *now(void)
{
	time_t t = time(NULL);
	struct tm tm;
	char buf[32];

	gmtime_r(&t, &tm);
	strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(buf);
}

json_t *env_gather(void)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, "
			 "s:o}",
			 "time", now(), "kernel", env_kernel(), "cpu", env_cpu(), "topology",
			 env_topology(), "caches", env_caches(), "mitigations", env_mitigations(),
			 "virtualization", env_virtual(), "clock", env_clock(), "memory",
			 env_memory(), "cgroup", env_cgroup(), "isolation", env_isolation(),
			 "rlimits", env_rlimits(), "ipc_limits", env_ipc(), "security",
			 env_security(), "build", build());
}
