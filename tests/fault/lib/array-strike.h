/* SPDX-License-Identifier: MIT */
/*
 * A process killed at each instruction of an update, of taking the lock and of what follows: the
 * elements are the old ones or the new ones, all of them, for readers at once and for whoever comes
 * next; that one is told if the dead one had the lock; nobody waits for anything; and who waits for
 * a change gets to know of it if there was one. And stopped at each: readers do not wait.
 */
#ifndef WEIR_TESTS_ARRAY_STRIKE_H
#define WEIR_TESTS_ARRAY_STRIKE_H

#include "support.h"

/* All of that as a suite, at one of @every instructions, from a random one on; 1: at each. */
Suite *array_strike_suite(const char *name, uint64_t every);

#endif
