/* SPDX-License-Identifier: MIT */
#ifndef WEIR_OBJ_SEMAPHORE_H
#define WEIR_OBJ_SEMAPHORE_H

#include "obj/tally-wait.h"
#include "weir/semaphore.h"

struct weir_semaphore {
	struct tally_object tally;	/* its limit is 0 if it is a plain one */
};

extern const struct shared_kind shared_kind_semaphore;

static inline bool semaphore_is_bounded(const struct weir_semaphore *s)
{
	return s->tally.shared.commons.geometry.flags & WEIR_SEMAPHORE_BOUNDED;
}

#endif
