/* SPDX-License-Identifier: MIT */
#include "weir-locks.h"

#include "weir-files.h"

int weir_locks_create(struct link *link, uint32_t flags, char why[MECH_WHY])
{
	struct weir_lock_options options = { .size = sizeof(options), .flags = flags };
	struct weir_lock *lock;
	uint64_t before = weir_files(false);
	int r = weir_lock(&lock, flags ? &options : NULL);

	if (r < 0)
		return mech_fail(why, "weir_lock", r);
	link->port[0].sink = link->port[1].sink = lock;
	link->memory_bytes = weir_files(false) - before;
	return 0;
}

void weir_locks_leave(struct link *link, int side)
{
	(void)link;
	(void)side;
}

void weir_locks_remove(struct link *link)
{
	weir_lock_close(link->port[0].sink);
}
