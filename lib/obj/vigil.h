/* SPDX-License-Identifier: MIT */
/*
 * Keeping watch over the parties of an object while one sleeps there: who is to wake the sleepers
 * may have died.
 *
 * One process of those that sleep has the watch, and looks often: every 4 ms, and when it has
 * waited for long, after a sixteenth of that time, every 100 ms at least. A look at many parties
 * takes long, and is made more seldom then. The others look every 100 ms whether the watch has
 * died, and every second at all: it may stand still.
 */
#ifndef WEIR_OBJ_VIGIL_H
#define WEIR_OBJ_VIGIL_H

#include "obj/shared.h"

struct vigil {
	struct shared *shared;
	uint32_t *watch;	/* in the object's memory: the party that has it; 0: none */
	uint32_t party;		/* ours */
	bool holds;
	int64_t began;
	int64_t look_at;	/* when to look next */
	int64_t swept_at;	/* when we looked at all */
	int64_t cost;		/* of that look */
};

void vigil_begin(struct vigil *v, struct shared *s, uint32_t *watch, uint32_t party);
/* Until when to sleep: @deadline, or earlier to look. */
int64_t vigil_until(struct vigil *v, int64_t deadline);
/* After each sleep: look, if it is time. What has died is settled then. */
void vigil_look(struct vigil *v);
void vigil_end(struct vigil *v);

#endif
