/* SPDX-License-Identifier: MIT */
/*
 * A scene played again and again, its victim killed or stopped at one instruction after the other.
 */
#ifndef WEIR_TESTS_FAULT_STRIKE_H
#define WEIR_TESTS_FAULT_STRIKE_H

#include "fault/lib/scene.h"

struct strike_plan {
	/*
	 * 0: every instruction; beside stores to the shared memory and system calls with each kind
	 * of heir. Otherwise about so many beside stores, beside system calls and elsewhere.
	 */
	uint32_t most;
	int64_t hold_ns;	/* 0: killed; otherwise stopped for so long, then continued */
	bool meanwhile;		/* while it is stopped, the peer does its part, all of it */
};

/* Before the cases run. */
void strike_init(void);
/* Play scene @index by @plan. Fails the case with what was found first. */
void strike_scene(size_t index, const struct strike_plan *plan);
/* Print what all cases together have done. */
void strike_report(void);

#endif
