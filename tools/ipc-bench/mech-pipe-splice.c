/* SPDX-License-Identifier: MIT */
/* pipe(2) whose pages are moved on by splice(2). */
#include <stdio.h>

#include "fd.h"
#include "pump.h"

extern const struct mech mech_pipe;

static int splice_create(struct link *link, char why[MECH_WHY])
{
	return mech_pipe.create(link, why);
}

const struct mech mech_pipe_splice = {
	.name = "pipe-splice",
	.summary = "pipe(2), emptied by splice(2); pump only",
	.capabilities = MECH_POLL | MECH_ANY_SIZE | MECH_COPIES1 | MECH_SYSCALLS | MECH_PUMP_ONLY,
	.can = fd_pipe_can,
	.create = splice_create,
	.try_send = fd_bytes_try,
	.pump = &pump_splice,
	.loops = &fd_bytes_loops,
};
