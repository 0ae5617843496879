/* SPDX-License-Identifier: MIT */
/*
 * Killing one of two that are making a connection, at an instruction of weir_listen(),
 * weir_accept() or weir_connect(). The other one is the test itself: it gets an error and not a
 * hang, holds nothing afterwards, and the next client is served.
 */
#ifndef WEIR_TESTS_FAULT_DEAL_H
#define WEIR_TESTS_FAULT_DEAL_H

#include <stddef.h>
#include <stdint.h>

enum deal {
	DEAL_LISTEN,
	DEAL_ACCEPT,
	DEAL_CONNECT,
	DEAL_COUNT
};

/*
 * Kill behind each system call, and at about @most of the other instructions: those of slice @slice
 * of @slices, which all have their share of the way. Fails the case, or prints how often it was
 * killed.
 */
void deal_strike(enum deal deal, size_t most, size_t slice, size_t slices);

#endif
