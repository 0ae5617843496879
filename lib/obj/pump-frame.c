/* SPDX-License-Identifier: MIT */
#include "obj/pump-frame.h"

#include <string.h>

#include "base/crc32c.h"

static uint32_t check_of(const struct pump_frame *frame)
{
	return crc32c(0, &frame->size, sizeof(*frame) - offsetof(struct pump_frame, size));
}

void pump_frame_make(struct pump_frame *frame, const void *message, uint32_t size, uint64_t number,
		     uint64_t origin)
{
	*frame = (struct pump_frame){
		.mark = PUMP_FRAME_MARK,
		.size = size,
		.check_message = crc32c(0, message, size),
		.number = number,
		.origin = origin,
	};
	frame->check = check_of(frame);
}

bool pump_frame_valid(const struct pump_frame *frame)
{
	return frame->mark == PUMP_FRAME_MARK && frame->check == check_of(frame);
}

bool pump_frame_may_begin(const struct pump_frame *frame, size_t size)
{
	const uint32_t mark = PUMP_FRAME_MARK;

	return memcmp(frame, &mark, size < sizeof(mark) ? size : sizeof(mark)) == 0;
}

bool pump_frame_has(const struct pump_frame *frame, const void *message)
{
	return crc32c(0, message, frame->size) == frame->check_message;
}
