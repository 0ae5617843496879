/* SPDX-License-Identifier: MIT */
#include "unix.h"

#include <limits.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "fd.h"

static int set_capacity(int fd, uint64_t bytes)
{
	/* The kernel doubles what it is given, for its own bookkeeping. */
	int half = (int)(bytes / 2);

	return setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &half, sizeof(half)) < 0 ? -errno : 0;
}

static uint64_t get_capacity(int fd)
{
	socklen_t length = sizeof(int);
	int bytes = 0;

	getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, &length);
	return (uint64_t)bytes;
}

int unix_create(struct link *link, int type, char why[MECH_WHY])
{
	uint64_t wanted = link->setup.capacity;
	int pair[2];
	int r;

	if (wanted > INT_MAX) {
		snprintf(why, MECH_WHY, "a socket holds less than 2 GiB");
		return -E2BIG;
	}
	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) < 0)
		return mech_fail(why, "socketpair", errno);
	for (int side = 0; side < 2; side++)
		link->port[side].in = link->port[side].out = pair[side];
	for (int side = 0; side < 2 && wanted; side++) {
		r = set_capacity(pair[side], wanted);
		if (r < 0)
			return mech_fail(why, "SO_SNDBUF", r);
	}
	link->capacity_bytes = get_capacity(pair[0]);
	link->memory_bytes = 2 * link->capacity_bytes;
	if (link->capacity_bytes < wanted) {
		snprintf(why, MECH_WHY, "net.core.wmem_max allows only %llu bytes",
			 (unsigned long long)link->capacity_bytes);
		return -EPERM;
	}
	return fd_mode(link, why);
}

int unix_make(struct link *link, int type)
{
	int pair[2];

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	for (int side = 0; side < 2; side++)
		link->port[side].in = link->port[side].out = pair[side];
	return 0;
}

uint64_t unix_held(const struct link *link)
{
	uint32_t info[SK_MEMINFO_VARS];
	socklen_t length;
	uint64_t sum = 0;

	for (int side = 0; side < 2; side++) {
		length = sizeof(info);
		memset(info, 0, sizeof(info));
		if (link->port[side].in >= 0 &&
		    getsockopt(link->port[side].in, SOL_SOCKET, SO_MEMINFO, info, &length) == 0)
			sum += info[SK_MEMINFO_WMEM_ALLOC];
	}
	return sum;
}
