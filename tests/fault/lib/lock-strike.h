/* SPDX-License-Identifier: MIT */
/*
 * Kill, or stop, a process at its instructions in each act on a lock, with others asleep for it,
 * and judge what is left: the lock can be had; those who are given it are told of a death exactly
 * if the word named the dead one when it died; who sleeps wakes; what is protected is whole;
 * nobody's name is left in the table.
 */
#ifndef WEIR_TESTS_FAULT_LOCK_STRIKE_H
#define WEIR_TESTS_FAULT_LOCK_STRIKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOCK_SLEEPERS_MAX 2

extern const size_t lock_act_count;

/* Before the cases: where all of them count. */
void lock_strike_init(void);
/*
 * One act with each number of sleepers; at most @most points of a kind, 0: at each instruction. To
 * be stopped, where others come and go, and continued, instead of killed.
 */
void lock_strike_act(size_t act, uint32_t most, bool stop);
void lock_strike_report(void);

#endif
