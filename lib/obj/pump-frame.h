/* SPDX-License-Identifier: MIT */
/*
 * Frames: how messages are written where their boundaries would be lost. The header has a checksum
 * of its own, so that a size is believed before as many bytes are waited for, and the end of a file
 * in the middle of a frame is told from a frame that is none.
 */
#ifndef WEIR_OBJ_PUMP_FRAME_H
#define WEIR_OBJ_PUMP_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PUMP_FRAME_MARK UINT32_C(0x72696557)

/* As it is written; little-endian as all machines that weir runs on. */
struct pump_frame {
	uint32_t mark;
	uint32_t check;		/* of all behind it in this struct */
	uint32_t size;
	uint32_t check_message;
	uint64_t number;
	uint64_t origin;
};

_Static_assert(sizeof(struct pump_frame) == 32, "written to files");

void pump_frame_make(struct pump_frame *frame, const void *message, uint32_t size, uint64_t number,
		     uint64_t origin);
/* Whether @frame, a private copy, is the header of one. */
bool pump_frame_valid(const struct pump_frame *frame);
/* Whether the first @size bytes of @frame, fewer than it has, can be those of one. */
bool pump_frame_may_begin(const struct pump_frame *frame, size_t size);
/* Whether @message is the one of @frame. */
bool pump_frame_has(const struct pump_frame *frame, const void *message);

#endif
