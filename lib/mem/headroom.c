/* SPDX-License-Identifier: MIT */
#include "mem/headroom.h"

#include <stdlib.h>
#include <string.h>

#include "sys/sys.h"

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

static uint64_t machine(void)
{
	char text[4096];
	int size = sys_read_file("/proc/meminfo", text, sizeof(text) - 1);
	uint64_t kib;

	if (size <= 0)
		return UINT64_MAX;
	text[size] = '\0';
	kib = number_of(text, "MemAvailable:", UINT64_MAX);
	return kib == UINT64_MAX ? kib : kib * 1024;
}

uint64_t headroom(void)
{
	return machine();
}
