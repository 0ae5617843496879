/* SPDX-License-Identifier: MIT */
/* Staying awake for as long as that has been worth it lately, before one sleeps. */
#ifndef WEIR_WAIT_SPIN_H
#define WEIR_WAIT_SPIN_H

#include <stdbool.h>
#include <stdint.h>

struct spin {
	int64_t ns;	/* how long, from the success it had */
};

void spin_init(struct spin *s);
/*
 * Call @look(@arg) again and again until it returns true, or it is not worth it any more, or
 * @deadline. Whether it did. For those of whom park_may_spin() is true.
 */
bool spin_for(struct spin *s, bool (*look)(void *arg), void *arg, int64_t deadline);

#endif
