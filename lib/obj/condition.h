/* SPDX-License-Identifier: MIT */
#ifndef WEIR_OBJ_CONDITION_H
#define WEIR_OBJ_CONDITION_H

#include "mem/meet-layout.h"
#include "obj/lock.h"
#include "obj/shared.h"
#include "weir/condition.h"

struct weir_condition {
	struct shared shared;	/* with the lock */
};

#endif
