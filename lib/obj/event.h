/* SPDX-License-Identifier: MIT */
#ifndef WEIR_OBJ_EVENT_H
#define WEIR_OBJ_EVENT_H

#include "mem/meet-layout.h"
#include "obj/shared.h"
#include "weir/event.h"

struct weir_event_flag {
	struct shared shared;
};

#endif
