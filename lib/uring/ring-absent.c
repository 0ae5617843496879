/* SPDX-License-Identifier: MIT */
/* In the place of ring.c where liburing was not there. */
#include <errno.h>

#include "sys/sys.h"
#include "uring/ring.h"

int ring_open(struct ring *r, uint32_t submissions, uint32_t completions, uint32_t flags)
{
	(void)submissions;
	(void)completions;
	(void)flags;
	*r = RING_CLOSED;
	return -ENOSYS;
}

void ring_close(struct ring *r)
{
	r->fd = -1;
}

void ring_abandon(struct ring *r)
{
	r->fd = -1;
}

int ring_features(uint32_t *ret_features)
{
	*ret_features = 0;
	return -ENOSYS;
}

uint32_t ring_operations(struct ring *r)
{
	(void)r;
	return 0;
}

bool ring_has_work(const struct ring *r)
{
	(void)r;
	return false;
}

int ring_enter(struct ring *r, uint32_t wait, int64_t deadline)
{
	(void)r;
	(void)wait;
	(void)deadline;
	return -ENOSYS;
}
