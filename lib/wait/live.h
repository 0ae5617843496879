/* SPDX-License-Identifier: MIT */
/*
 * Who is alive. Death is known from the kernel, never guessed from time.
 *
 * A process is named by two words. The first has its number and 32 bits that tell it from others
 * which had the number before: from the kernel's own count of processes, or where that is not to
 * be had, from its start time. The second says in which PID namespace the number means that
 * process, 0 where nobody can tell. In another namespace the name says nothing: its process is
 * never taken for dead.
 */
#ifndef WEIR_WAIT_LIVE_H
#define WEIR_WAIT_LIVE_H

#include <stdbool.h>
#include <stdint.h>

struct live_name {
	uint64_t process;	/* number << 32 | which of those that had it; 0 is nobody */
	uint64_t space;
};

/* This process; never 0. */
struct live_name live_self(void);

/* Whether @name is certainly this process, or one that it was before execve(). */
bool live_is_self(struct live_name name);

/* This program of all that this process has been; 0 where nobody can tell. */
uint64_t live_image(void);

/* Whether the process @name has certainly ended; a zombie has. */
bool live_gone(struct live_name name);

/* Whether all copies of the other end are closed or dead: @line is our end of the line. */
bool live_hung_up(int line);

#endif
