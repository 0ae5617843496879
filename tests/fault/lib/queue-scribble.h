/* SPDX-License-Identifier: MIT */
/*
 * Somebody who writes what he likes into the memory of a queue, and an honest process that goes on
 * calling. It may be given errors and wrong data. It does not crash, reads nothing outside of the
 * queue, and each call ends a second after its deadline at the latest.
 */
#ifndef WEIR_TESTS_FAULT_QUEUE_SCRIBBLE_H
#define WEIR_TESTS_FAULT_QUEUE_SCRIBBLE_H

#include <stdint.h>

/* Each word that matters, set to each value that might; one of so many of both. */
void qscribble_words(uint32_t one_of);
/* Queue after queue, each with somebody who scribbles at full speed. */
void qscribble_live(int64_t duration_ns);

#endif
