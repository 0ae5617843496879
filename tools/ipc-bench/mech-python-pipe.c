/* SPDX-License-Identifier: MIT */
/* multiprocessing.Pipe() as it comes: a Unix socket, send_bytes() and recv_bytes(). */
#include "python.h"

static int pipe_create(struct link *link, char why[MECH_WHY])
{
	return python_create(link, "pipe", why);
}

const struct mech mech_python_pipe = {
	.name = "python-pipe",
	.summary = "multiprocessing.Pipe() of python3, send_bytes() and recv_bytes()",
	.package = "python3",
	.label = "used from Python",
	.capabilities = MECH_BOUNDARIES | MECH_DUPLEX | MECH_POLL | MECH_ANY_SIZE | MECH_COPIES2 |
			MECH_SYSCALLS,
	.start_ns = PYTHON_START_NS,
	.available = python_available,
	.can = python_can,
	.create = pipe_create,
	.try_send = python_try,
	.open = python_open,
	.close = python_close,
	.remove = python_remove,
	.loops = &python_loops,
};
