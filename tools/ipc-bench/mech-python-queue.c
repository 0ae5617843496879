/* SPDX-License-Identifier: MIT */
/*
 * multiprocessing.Queue() as it comes: put() and get() of bytes, which are pickled and sent by a
 * thread of the writer. It has no limit, so nobody can find out how much fits.
 */
#include "python.h"

static int queue_create(struct link *link, char why[MECH_WHY])
{
	return python_create(link, "queue", why);
}

const struct mech mech_python_queue = {
	.name = "python-queue",
	.summary = "multiprocessing.Queue() of python3, put() and get() of bytes",
	.package = "python3",
	.label = "used from Python",
	.capabilities = MECH_BOUNDARIES | MECH_ANY_SIZE | MECH_MANY | MECH_COPIES2 | MECH_SYSCALLS,
	.start_ns = PYTHON_START_NS,
	.available = python_available,
	.can = python_can,
	.create = queue_create,
	.open = python_open,
	.close = python_close,
	.remove = python_remove,
	.loops = &python_loops,
};
