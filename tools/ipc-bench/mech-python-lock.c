/* SPDX-License-Identifier: MIT */
/*
 * multiprocessing.Lock() as it comes, by acquire() and release(), which is the fastest way; the
 * counter is an item of a memoryview.
 */
#include "lock.h"
#include "python.h"

static int python_lock_create(struct link *link, char why[MECH_WHY])
{
	return python_create(link, "lock", why);
}

const struct mech mech_python_lock = {
	.name = "python-lock",
	.summary = "multiprocessing.Lock() of python3, acquire() and release()",
	.package = "python3",
	.label = "used from Python",
	.start_ns = PYTHON_START_NS,
	.available = python_available,
	.can = lock_can,
	.create = python_lock_create,
	.open = python_open,
	.close = python_close,
	.remove = python_remove,
	.loops = &python_lock_loops,
};
