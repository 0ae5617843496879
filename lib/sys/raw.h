/* SPDX-License-Identifier: MIT */
/* The one way into the kernel, for the files of this folder. */
#ifndef WEIR_SYS_RAW_H
#define WEIR_SYS_RAW_H

#include "sys/sys.h"

/* What the kernel says, or the test that interposes: a negative errno instead of errno. */
long raw(enum sys_call which, long number, long a, long b, long c, long d, long e, long f);

#endif
