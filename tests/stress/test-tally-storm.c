/* SPDX-License-Identifier: MIT */
/* A storm as in tests/fault, but half a minute of each. */
#define LASTS	(30000 * MS)
#include "fault/test-tally-storm.c"
