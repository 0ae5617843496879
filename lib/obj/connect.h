/* SPDX-License-Identifier: MIT */
/* The client's part of the hand-shake, on a socket that is connected. */
#ifndef WEIR_OBJ_CONNECT_H
#define WEIR_OBJ_CONNECT_H

#include <stdint.h>

#include "obj/peer.h"

/* The server is well, but has no place for us just now. Not a result of a public call. */
#define CONNECT_BUSY (-4096)

/* 0 and an end; CONNECT_BUSY, or an error of weir_connect(). */
int connect_shake_hands(int fd, uint64_t capacity, uint32_t flags, int64_t deadline,
			struct weir_end **ret_end);

#endif
