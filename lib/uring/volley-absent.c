/* SPDX-License-Identifier: MIT */
/* Without liburing. */
#include "uring/volley.h"

#include <errno.h>

int volley_open(struct volley *v)
{
	(void)v;
	return -ENOSYS;
}

void volley_close(struct volley *v)
{
	(void)v;
}

void volley_abandon(struct volley *v)
{
	(void)v;
}

bool volley_make(struct volley *v, struct wake *wakes, uint32_t count)
{
	(void)v;
	(void)wakes;
	(void)count;
	return false;
}
