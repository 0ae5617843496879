/* SPDX-License-Identifier: MIT */
/*
 * Arrays, and a process that is killed or stopped in the middle: at some of the instructions.
 * tests/stress/test-array-kill.c does it at each.
 */
#include "fault/lib/array-strike.h"

#define EVERY 31

int main(void)
{
	return test_main(array_strike_suite("array-kill", EVERY));
}
