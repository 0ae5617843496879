/* SPDX-License-Identifier: MIT */
#ifndef WEIR_OBJ_BARRIER_H
#define WEIR_OBJ_BARRIER_H

#include "mem/meet-layout.h"
#include "obj/shared.h"
#include "weir/barrier.h"

struct weir_barrier {
	struct shared shared;
	int (*action)(void *arg);
	void *arg;
};

#endif
