/* SPDX-License-Identifier: MIT */
/*
 * Who is alive. Death is known from the kernel, never guessed from time.
 *
 * A process is named by its number and the low 32 bits of its start time: the number alone is used
 * again. Within one PID namespace.
 */
#ifndef WEIR_WAIT_LIVE_H
#define WEIR_WAIT_LIVE_H

#include <stdbool.h>
#include <stdint.h>

/* This process; never 0. */
uint64_t live_self(void);

/* Whether the process named @identity has certainly ended; a zombie has. */
bool live_gone(uint64_t identity);

/* Whether all copies of the other end are closed or dead: @line is our end of the line. */
bool live_hung_up(int line);

#endif
