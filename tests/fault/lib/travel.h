/* SPDX-License-Identifier: MIT */
/* A process killed while an end leaves it or comes to it. */
#ifndef WEIR_TESTS_FAULT_TRAVEL_H
#define WEIR_TESTS_FAULT_TRAVEL_H

#include <stddef.h>
#include <stdint.h>

/* Exporting, importing, ... */
size_t travel_count(void);

/* Play act @index again and again, killed before one system call after the other. */
void travel_kill_at_calls(size_t index);

/*
 * Play act @index again and again, killed at one instruction after the other; at about @most of
 * them, 0 for each. Fails the case with what was found first.
 */
void travel_kill(size_t index, uint32_t most);

#endif
