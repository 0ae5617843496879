/* SPDX-License-Identifier: MIT */
/*
 * Senders and receivers on three lanes, some of each on each end, that are killed, stopped and
 * continued at random while they send, receive, sleep, take over and hand over.
 *
 * Each sender numbers its messages from 0. Before a call it says how many it will have tried, after
 * it how many were sent; a receiver says before a call how many it may take, and notes each one
 * after. So it is known of each message whether it must arrive, may arrive, or may have gone down
 * with a receiver; and that none came twice or too early.
 */
#ifndef WEIR_TESTS_FAULT_STORM_H
#define WEIR_TESTS_FAULT_STORM_H

#include "support.h"

/* For so long. Fails the case with what was found; prints what has been done. */
void storm(int64_t duration_ns);

#endif
