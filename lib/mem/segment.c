/* SPDX-License-Identifier: MIT */
#include "mem/segment.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "sys/sys.h"

/*
 * Up to this size the page tables are filled at once too; beyond, that would dominate the making.
 */
#define POPULATE_MAX (UINT64_C(1) << 20)

static void fill_header(struct segment *s, uint64_t page, uint64_t size)
{
	struct weir_segment_header *h = s->front;

	*h = (struct weir_segment_header){
		.magic = WEIR_SEGMENT_MAGIC,
		.layout_major = WEIR_LAYOUT_MAJOR,
		.page_size = (uint32_t)page,
		.size = size,
		.object_count = 1,
	};
	h->objects[0] = (struct weir_object_entry){
		.kind = WEIR_OBJECT_PIPE,
		.lanes = s->lanes,
		.control_offset = WEIR_CONTROL_OFFSET,
		.ring_offset = s->front_size,
		.ring_capacity = s->capacity,
	};
}

/* The ring twice in a row, so that a record that runs over the end needs no second copy. */
static int map_ring(struct segment *s, uint32_t lane)
{
	uint64_t offset = s->front_size + lane * s->capacity;
	bool populate = s->capacity <= POPULATE_MAX;
	void *ring;
	int result = sys_reserve(2 * s->capacity, &ring);

	if (result < 0)
		return result;
	s->rings[lane] = ring;
	result = sys_map_at(ring, s->capacity, s->fd, offset, populate);
	if (result == 0)
		result = sys_map_at((uint8_t *)ring + s->capacity, s->capacity, s->fd, offset,
				    populate);
	return result;
}

static int map_front(struct segment *s)
{
	int result = sys_reserve(s->front_size, &s->front);

	if (result < 0)
		return result;
	return sys_map_at(s->front, s->front_size, s->fd, 0, true);
}

static int create(struct segment *s, uint64_t page)
{
	uint64_t size = s->front_size + s->lanes * s->capacity;
	int result;

	s->fd = sys_memfd("weir");
	if (s->fd < 0)
		return s->fd;
	s->fd = sys_move_high(s->fd);
	result = sys_truncate(s->fd, size);
	if (result == 0)
		result = sys_allocate(s->fd, size);
	if (result == 0)
		result = map_front(s);
	for (uint32_t i = 0; result == 0 && i < s->lanes; i++)
		result = map_ring(s, i);
	if (result == 0) {
		fill_header(s, page, size);
		result = sys_seal(s->fd);
	}
	return result;
}

int segment_create(struct segment *s, uint32_t lanes, uint64_t capacity)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	size_t control = WEIR_CONTROL_OFFSET + lanes * sizeof(struct weir_lane_control);
	int result;

	*s = (struct segment){
		.fd = -1,
		.lanes = lanes,
		.capacity = capacity,
		.front_size = align_up(control, page),
	};
	result = create(s, page);
	if (result < 0)
		segment_destroy(s);
	return result;
}

void segment_destroy(struct segment *s)
{
	for (uint32_t i = 0; i < s->lanes; i++)
		if (s->rings[i])
			sys_unmap(s->rings[i], 2 * s->capacity);
	if (s->front)
		sys_unmap(s->front, s->front_size);
	if (s->fd >= 0)
		sys_close(s->fd);
	memset(s, 0, sizeof(*s));
	s->fd = -1;
}

struct weir_lane_control *segment_lane(const struct segment *s, uint32_t lane)
{
	uint8_t *controls = (uint8_t *)s->front + WEIR_CONTROL_OFFSET;
	size_t offset = lane * sizeof(struct weir_lane_control);

	return (struct weir_lane_control *)(void *)(controls + offset);
}
