/* SPDX-License-Identifier: MIT */
#ifndef WEIR_OBJ_RWLOCK_H
#define WEIR_OBJ_RWLOCK_H

#include "obj/tally-wait.h"
#include "weir/rwlock.h"

struct weir_rwlock {
	struct tally_object tally;
};

extern const struct shared_kind shared_kind_rwlock;

#endif
