/* SPDX-License-Identifier: MIT */
/*
 * A process that pumps is killed at its instructions, and another one pumps on: what the file holds
 * then, and what the object, is all that was sent, once and in order, but for some at the seam.
 */
#ifndef WEIR_TESTS_FAULT_PUMP_STRIKE_H
#define WEIR_TESTS_FAULT_PUMP_STRIKE_H

#include <stddef.h>
#include <stdint.h>

/* How many acts there are; and how many of them, the first, are short. */
extern const size_t pump_act_count;
extern const size_t pump_acts_short;

/* Kill in act @act beside each system call, and at about @most other instructions; 0: at each. */
void pump_strike(size_t act, uint32_t most);

#endif
