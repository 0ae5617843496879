/* SPDX-License-Identifier: MIT */
/*
 * A segment: a sealed memfd with a header, lane controls and rings, and this process's mapping.
 *
 * The memory is allocated before the segment is given out: what can fail fails in segment_create(),
 * not as a SIGBUS at the first touch. Sealed against shrinking, growing and further seals.
 *
 * A descriptor that came from somewhere else is input, and so is what the file holds: both are
 * examined before anything is mapped.
 */
#ifndef WEIR_MEM_SEGMENT_H
#define WEIR_MEM_SEGMENT_H

#include <stdint.h>

#include "mem/layout.h"

#define SEGMENT_LANES_MAX	2
/* Bytes of a ring. */
#define SEGMENT_CAPACITY_MAX	(UINT64_C(1) << 40)

struct segment {
	int fd;
	uint32_t lanes;
	uint64_t capacity;	/* of each ring; private copy, as all geometry */
	void *front;		/* header and lane controls */
	size_t front_size;
	uint8_t *rings[SEGMENT_LANES_MAX];	/* each mapped twice: 2 * capacity bytes */
	uint64_t device;	/* which file it is */
	uint64_t inode;
};

/*
 * A new segment for a pipe of @lanes lanes. @capacity is a power of two and a multiple of the
 * page.
 */
int segment_create(struct segment *s, uint32_t lanes, uint64_t capacity);

/*
 * What the memory of all kinds of objects has in common: what @fd is, whether it is sealed as ours
 * are (-EINVAL), and a header that fits the file: -EPROTO, -EBADMSG as below.
 */
int segment_identify(int fd, uint64_t *ret_size, uint64_t *ret_device, uint64_t *ret_inode);
int segment_check_seals(int fd);
int segment_read_header(int fd, uint64_t size, struct weir_segment_header *ret_header);

/*
 * What @fd holds, without mapping it: 0 and the geometry in @ret_segment, which has no descriptor;
 * -EINVAL: it is no memfd sealed as ours are; -EPROTO: a segment of another layout, page size or
 * with unknown features; -EBADMSG: damaged.
 */
int segment_examine(int fd, struct segment *ret_segment);

/*
 * The segment that @fd holds. On success @fd belongs to it, otherwise still to the caller.
 */
int segment_attach(struct segment *s, int fd);

/* Undo. Harmless on a segment whose creation failed. */
void segment_destroy(struct segment *s);

struct weir_lane_control *segment_lane(const struct segment *s, uint32_t lane);

#endif
