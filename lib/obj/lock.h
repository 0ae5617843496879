/* SPDX-License-Identifier: MIT */
#ifndef WEIR_OBJ_LOCK_H
#define WEIR_OBJ_LOCK_H

#include "obj/shared.h"
#include "weir/lock.h"

struct weir_lock {
	struct shared shared;
};

static inline bool lock_is_recursive(const struct weir_lock *lock)
{
	return lock->shared.commons.geometry.flags & WEIR_LOCK_RECURSIVE;
}

#endif
