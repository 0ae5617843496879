/* SPDX-License-Identifier: MIT */
/*
 * Frames: the memory in which the segments of a tape lie, from being hung in behind the last
 * segment to being given back. doc/design/queue.md has the states and the order of the steps.
 */
#ifndef WEIR_RING_FRAME_H
#define WEIR_RING_FRAME_H

#include "ring/tape.h"

/*
 * Hang a frame in behind the segment of the put cursor, which is full. 0: there is one now, ours or
 * another's; -ENOENT: no frame is free; -ENOBUFS, -ENOMEM.
 */
int frame_hang_in(struct tape *t);

/* Be done with the segment @number in @frame, if all its messages are; whether it was. */
bool frame_retire(struct tape *t, uint32_t frame, uint64_t number);
/* Do that with all segments that nobody reads any more. */
void frame_sweep(struct tape *t);

/* Empty what is free beyond a measure. */
void frame_trim(struct tape *t);

/* Clean up the frame that seat @name, which is gone, held. */
void frame_mend(struct store *s, uint32_t frame, uint32_t name, uint64_t seat_word);

#endif
