/* SPDX-License-Identifier: MIT */
/* In the place of polls.c where liburing was not there. */
#include <errno.h>

#include "base/cc.h"
#include "uring/polls.h"

int polls_open(UNUSED int epoll, UNUSED struct polls **ret_polls)
{
	return -ENOSYS;
}

void polls_close(UNUSED struct polls *p)
{
}

void polls_abandon(UNUSED struct polls *p)
{
}

int polls_watch(UNUSED struct polls *p, UNUSED int fd, UNUSED uint64_t key)
{
	return -ENOSYS;
}

void polls_unwatch(UNUSED struct polls *p, UNUSED int place)
{
}

int polls_wait(UNUSED struct polls *p, UNUSED struct engine_event *ret, UNUSED size_t count,
	       UNUSED bool spin, UNUSED int64_t deadline)
{
	return -ENOSYS;
}

bool polls_have_work(UNUSED const struct polls *p)
{
	return false;
}

void polls_give_up(UNUSED struct polls *p)
{
}

bool polls_are_watched(UNUSED struct polls *p)
{
	return true;
}

uint64_t polls_calls(UNUSED struct polls *p)
{
	return 0;
}

uint64_t polls_sleeps(UNUSED const struct polls *p)
{
	return 0;
}
