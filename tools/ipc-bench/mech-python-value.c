/* SPDX-License-Identifier: MIT */
/*
 * multiprocessing.Value() as its manual shows it: "with v.get_lock(): v.value += 1". Bytes are
 * those of an Array of characters, which has a call that gets all of them with its lock.
 */
#include "lock.h"
#include "python.h"

static int value_create(struct link *link, char why[MECH_WHY])
{
	return python_create(link, "value", why);
}

const struct mech mech_python_value = {
	.name = "python-value",
	.summary = "multiprocessing.Value() of python3; of more than 8 bytes Array()",
	.package = "python3",
	.label = "used from Python",
	.start_ns = PYTHON_START_NS,
	.available = python_available,
	.can = lock_can,
	.create = value_create,
	.open = python_open,
	.close = python_close,
	.remove = python_remove,
	.loops = &python_value_loops,
};
