/* SPDX-License-Identifier: MIT */
#include "wait/live.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/atomic.h"
#include "sys/sys.h"

/*
 * The fields of /proc/PID/stat behind the name, which may hold anything: the start time is the
 * 20th.
 */
#define START_TIME_FIELD 20

static const char *field(const char *text, int index)
{
	for (int i = 1; text && i < index; i++) {
		text = strchr(text, ' ');
		if (text)
			text++;
	}
	return text;
}

/* In clock ticks since boot; 0 where /proc does not tell. */
static uint32_t start_time(int32_t pid)
{
	char path[32], text[1024];
	const char *at;
	int size;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	size = sys_read_file(path, text, sizeof(text) - 1);
	if (size <= 0)
		return 0;
	text[size] = '\0';
	at = strrchr(text, ')');
	at = at ? field(at + 2, START_TIME_FIELD) : NULL;
	return at ? (uint32_t)strtoull(at, NULL, 10) : 0;
}

uint64_t live_self(void)
{
	/* Of the last process that asked: a forked child finds its parent's and looks again. */
	static uint64_t cached;
	int32_t pid = getpid();
	/* relaxed: the word is whole in itself, and whoever finds it old makes the same one anew */
	uint64_t self = load_relaxed(&cached);

	if ((int32_t)(self >> 32) != pid) {
		self = (uint64_t)(uint32_t)pid << 32 | start_time(pid);
		store_relaxed(&cached, self);	/* relaxed: as above */
	}
	return self;
}

static bool has_ended(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return sys_poll(&p, 1, 0) > 0;
}

bool live_gone(uint64_t identity)
{
	int32_t pid = (int32_t)(identity >> 32);
	uint32_t started = (uint32_t)identity, now_there;
	bool gone;
	int pidfd;

	/* Shared memory says who: anything may stand there. */
	if (pid <= 0)
		return true;
	pidfd = sys_pidfd(pid);
	if (pidfd < 0)
		return pidfd == -ESRCH;
	/* With the descriptor open, the number means one process: is it the one that was meant? */
	now_there = start_time(pid);
	gone = has_ended(pidfd) || (started && now_there && started != now_there);
	sys_close(pidfd);
	return gone;
}

bool live_hung_up(int line)
{
	struct pollfd p = { .fd = line, .events = 0 };

	return sys_poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR | POLLNVAL));
}
