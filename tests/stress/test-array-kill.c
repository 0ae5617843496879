/* SPDX-License-Identifier: MIT */
/* Arrays, and a process that is killed or stopped in the middle: at each instruction. */
#include "fault/lib/array-strike.h"

int main(void)
{
	return test_main(array_strike_suite("array-kill", 1));
}
