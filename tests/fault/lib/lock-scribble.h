/* SPDX-License-Identifier: MIT */
/*
 * Somebody who writes what he likes into the memory of a lock, and honest processes that go on
 * calling. They may have the lock together, or not at all. They do not crash, read nothing outside
 * of it, and each call ends a second after its deadline at the latest.
 */
#ifndef WEIR_TESTS_FAULT_LOCK_SCRIBBLE_H
#define WEIR_TESTS_FAULT_LOCK_SCRIBBLE_H

#include <stdint.h>

/* Each word that matters, set to each value that might. */
void lock_scribble_words(void);
/* Lock after lock, each with somebody who scribbles at full speed, and two who call. */
void lock_scribble_live(int64_t duration_ns);

#endif
