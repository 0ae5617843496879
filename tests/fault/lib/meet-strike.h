/* SPDX-License-Identifier: MIT */
/*
 * Kill a process at the instructions of its calls on an event, a condition or a barrier, while
 * others wait there: nobody hangs, and all that return have a reason.
 */
#ifndef WEIR_TESTS_FAULT_MEET_STRIKE_H
#define WEIR_TESTS_FAULT_MEET_STRIKE_H

#include <stddef.h>

size_t mstrike_count(void);
/* Play scene @index, its victim killed at up to @points instructions; 0: at each. */
void mstrike_scene(size_t index, unsigned int points);

#endif
