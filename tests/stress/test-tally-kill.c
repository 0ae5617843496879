/* SPDX-License-Identifier: MIT */
/* As in tests/fault, but at each instruction of what does not sleep, and many of what does. */
#define POINTS	300
#define EACH	1
#include "fault/test-tally-kill.c"
