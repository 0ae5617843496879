/* SPDX-License-Identifier: MIT */
/*
 * Sockets from a service manager, as sd_listen_fds(3) describes: LISTEN_PID is the process that
 * they are for, LISTEN_FDS how many there are, from descriptor 3 on, and LISTEN_FDNAMES their names
 * with colons between them.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "weir/listener.h"

#define FIRST_FD	3
#define FDS_MAX		65536

/* A number of digits and nothing else, at least 1. */
static bool parse_number(const char *text, long max, long *ret_number)
{
	long number = 0;

	if (*text < '1' || *text > '9')
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		number = number * 10 + (*text - '0');
		if (number > max)
			return false;
	}
	*ret_number = number;
	return true;
}

/* How many descriptors are for us; 0 if none; -EBADMSG. */
static int count_fds(void)
{
	const char *pid_text = secure_getenv("LISTEN_PID"), *fds_text = secure_getenv("LISTEN_FDS");
	long pid, fds;

	if (!pid_text || !fds_text)
		return 0;
	if (!parse_number(pid_text, INT32_MAX, &pid) || !parse_number(fds_text, FDS_MAX, &fds))
		return -EBADMSG;
	return pid == getpid() ? (int)fds : 0;
}

/* The one of @count that is called @name. */
static int find_name(const char *names, int count, const char *name)
{
	size_t length = strlen(name);
	int found = -1, index = 0;

	for (;; index++) {
		size_t end = strcspn(names, ":");

		if (end == length && memcmp(names, name, end) == 0) {
			if (found >= 0)
				return -ENOTUNIQ;
			found = index;
		}
		names += end;
		if (*names++ == 0)
			break;
	}
	if (index + 1 != count)
		return -EBADMSG;
	return found >= 0 ? found : -ENOENT;
}

static int find_fd(const char *name)
{
	const char *names = secure_getenv("LISTEN_FDNAMES");
	int count = count_fds(), index;

	if (count < 0)
		return count;
	if (count == 0)
		return -ENOENT;
	if (!name)
		return count == 1 ? FIRST_FD : -ENOTUNIQ;
	/* Without names each is called "unknown", as systemd has it. */
	if (!names)
		return -ENOENT;
	index = find_name(names, count, name);
	return index < 0 ? index : FIRST_FD + index;
}

int weir_listen_activated(struct weir_listener **ret_listener, const char *name,
			  const struct weir_listen_options *options)
{
	int fd = find_fd(name);

	return fd < 0 ? fd : weir_listen_adopt(ret_listener, fd, options);
}
