/* SPDX-License-Identifier: MIT */
/*
 * Whether this thread is in a conversation: it has sent something, through whatever object, since
 * it last received. Then it does not wait for several answers to come together.
 */
#ifndef WEIR_RING_CONVERSING_H
#define WEIR_RING_CONVERSING_H

#include <stdbool.h>

#include "base/cc.h"

extern _Thread_local bool conversing_now __attribute__((tls_model("initial-exec")));

static ALWAYS_INLINE void conversing_set(void)
{
	/* A load instead of a store: the store buffer is what a stream waits for. */
	if (!conversing_now)
		conversing_now = true;
}

static ALWAYS_INLINE void conversing_clear(void)
{
	if (conversing_now)
		conversing_now = false;
}

#endif
