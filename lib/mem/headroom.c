/* SPDX-License-Identifier: MIT */
/*
 * What the machine says is in /proc/meminfo, what a control group says in the files of its folder
 * and of those above it. A process in a container finds its own group there, or the folder of the
 * container's as the root, with the same files; what is not there has no limit.
 */
#include "mem/headroom.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sys/sys.h"

/* What is left to others: so much, or an eighth of all there is. */
#define RESERVE		(UINT64_C(32) << 20)
#define RESERVE_SHARE	8
/* Of all groups of a process; of a file. Small: a thread may have a stack of 16 KiB. */
#define GROUPS_MAX	4096
#define TEXT_MAX	2048
#define FOLDER_MAX	1024

const char *headroom_root = "";

struct version {
	const char *hierarchy;	/* where its groups are */
	const char *limits[2];
	const char *usage;
	/* Of memory.stat: cached files, which the kernel drops before it kills. */
	const char *cached[2];
};

static const struct version version_1 = {
	.hierarchy = "/sys/fs/cgroup/memory",
	.limits = { "memory.limit_in_bytes", "memory.limit_in_bytes" },
	.usage = "memory.usage_in_bytes",
	.cached = { "total_inactive_file ", "total_active_file " },
};

static const struct version version_2 = {
	.hierarchy = "/sys/fs/cgroup",
	/* Beyond the second nobody is killed, but all slow down until they stand still. */
	.limits = { "memory.max", "memory.high" },
	.usage = "memory.current",
	.cached = { "inactive_file ", "active_file " },
};

static bool read_text(const char *folder, const char *file, char *text, size_t room)
{
	char path[FOLDER_MAX + 64];
	int size;

	if (snprintf(path, sizeof(path), "%s%s", folder, file) >= (int)sizeof(path))
		return false;
	size = sys_read_file(path, text, room - 1);
	if (size <= 0)
		return false;
	text[size] = '\0';
	return true;
}

/* The number behind @key at the beginning of a line of @text. */
static uint64_t number_of(const char *text, const char *key, uint64_t otherwise)
{
	size_t length = strlen(key);

	for (const char *at = text; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, key, length) == 0)
			return strtoull(at + length, NULL, 10);
		if (!*at)
			break;
	}
	return otherwise;
}

/* What is left of @all, of which @room is free, when others have been left theirs. */
static uint64_t without_reserve(uint64_t room, uint64_t all)
{
	uint64_t reserve = all / RESERVE_SHARE < RESERVE ? all / RESERVE_SHARE : RESERVE;

	return room > reserve ? room - reserve : 0;
}

static uint64_t machine(void)
{
	char text[TEXT_MAX];
	uint64_t kib;

	if (!read_text(headroom_root, "/proc/meminfo", text, sizeof(text)))
		return UINT64_MAX;
	kib = number_of(text, "MemAvailable:", UINT64_MAX);
	if (kib > UINT64_MAX / 1024)
		return UINT64_MAX;
	return without_reserve(kib * 1024, number_of(text, "MemTotal:", kib) * 1024);
}

/*
 * Control groups
 */

/* UINT64_MAX: none, or nobody tells. Version 1 says that there is none with a very high one. */
static uint64_t read_number(const char *folder, const char *file)
{
	char text[32];

	if (!read_text(folder, file, text, sizeof(text)) || text[0] < '0' || text[0] > '9')
		return UINT64_MAX;
	return strtoull(text, NULL, 10);
}

static uint64_t cached_in(const char *folder, const struct version *v)
{
	char text[TEXT_MAX];

	if (!read_text(folder, "memory.stat", text, sizeof(text)))
		return 0;
	return number_of(text, v->cached[0], 0) + number_of(text, v->cached[1], 0);
}

/* Of the group whose @folder ends in a slash. */
static uint64_t group(const char *folder, const struct version *v)
{
	uint64_t limit = read_number(folder, v->limits[0]);
	uint64_t other = read_number(folder, v->limits[1]), used, cached;

	if (other < limit)
		limit = other;
	if (limit > INT64_MAX / 2)
		return UINT64_MAX;
	used = read_number(folder, v->usage);
	if (used == UINT64_MAX)
		return UINT64_MAX;
	cached = cached_in(folder, v);
	used -= cached < used ? cached : used;
	return without_reserve(limit > used ? limit - used : 0, limit);
}

/* Of the group @path and all above it. */
static uint64_t groups(const char *path, const struct version *v)
{
	char folder[FOLDER_MAX];
	uint64_t room = UINT64_MAX, here;
	size_t root = strlen(headroom_root) + strlen(v->hierarchy);
	size_t length = (size_t)snprintf(folder, sizeof(folder), "%s%s%s/", headroom_root,
					 v->hierarchy, path);

	if (length >= sizeof(folder))
		return UINT64_MAX;
	while (length > root) {
		here = group(folder, v);
		room = here < room ? here : room;
		/* One component less; the slash before it stays. */
		do
			folder[--length] = '\0';
		while (length > root && folder[length - 1] != '/');
	}
	return room;
}

/* Whether the controller of memory is among those in "ID:NAME,NAME:PATH". */
static bool has_memory(const char *names, size_t size)
{
	static const char name[] = "memory";
	const size_t length = sizeof(name) - 1;

	for (size_t at = 0; at + length <= size; at++)
		if ((at == 0 || names[at - 1] == ',') && memcmp(names + at, name, length) == 0 &&
		    (at + length == size || names[at + length] == ','))
			return true;
	return false;
}

/*
 * The path of the process's group for memory, cut out of @text, and of which version it is. Where
 * both versions are mounted, memory is one's alone: the first's, if that has it.
 */
static const char *find_group(char *text, const struct version **ret_version)
{
	char *line = text, *next, *names, *path, *found = NULL;

	for (; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		names = strchr(line, ':');
		path = names ? strchr(++names, ':') : NULL;
		if (!path)
			continue;
		if (has_memory(names, (size_t)(path - names))) {
			*ret_version = &version_1;
			return path + 1;
		}
		if (names == path) {
			*ret_version = &version_2;
			found = path + 1;
		}
	}
	return found;
}

static uint64_t control_groups(void)
{
	const struct version *version;
	const char *path;
	char text[GROUPS_MAX];

	if (!read_text(headroom_root, "/proc/self/cgroup", text, sizeof(text)))
		return UINT64_MAX;
	path = find_group(text, &version);
	if (!path || path[0] != '/')
		return UINT64_MAX;
	/* Not twice the slash of the root. */
	return groups(path[1] ? path : "", version);
}

uint64_t headroom(void)
{
	uint64_t room = machine(), here = control_groups();

	return here < room ? here : room;
}
