/* SPDX-License-Identifier: MIT */
/* How much memory there is to be had before the machine, or the control group, suffers. */
#ifndef WEIR_MEM_HEADROOM_H
#define WEIR_MEM_HEADROOM_H

#include <stdint.h>

/*
 * Bytes that this process may begin to use: what the machine has available, and what each control
 * group that it is in has left, whichever is least; less what is kept for others, up to 32 MiB.
 * UINT64_MAX where nobody tells. Reads files: tens of microseconds, a hundred in a group that has
 * limits.
 */
uint64_t headroom(void);

/* For tests: a folder in which /proc and /sys are, instead of the root. */
extern const char *headroom_root;

#endif
