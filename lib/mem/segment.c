/* SPDX-License-Identifier: MIT */
#include "mem/segment.h"

#include <errno.h>
#include <fcntl.h>
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

static int map_all(struct segment *s)
{
	int result = map_front(s);

	for (uint32_t i = 0; result == 0 && i < s->lanes; i++)
		result = map_ring(s, i);
	return result;
}

int segment_identify(int fd, uint64_t *ret_size, uint64_t *ret_device, uint64_t *ret_inode)
{
	struct stat file;
	int result = sys_stat(fd, &file);

	if (result < 0)
		return result;
	*ret_device = file.st_dev;
	*ret_inode = file.st_ino;
	*ret_size = (uint64_t)file.st_size;
	return S_ISREG(file.st_mode) && file.st_size > 0 ? 0 : -EINVAL;
}

static int create(struct segment *s, uint64_t page)
{
	uint64_t found, size = s->front_size + s->lanes * s->capacity;
	int result;

	s->fd = sys_memfd("weir");
	if (s->fd < 0)
		return s->fd;
	s->fd = sys_move_high(s->fd);
	result = sys_truncate(s->fd, size);
	if (result == 0)
		result = sys_allocate(s->fd, size);
	if (result == 0)
		result = segment_identify(s->fd, &found, &s->device, &s->inode);
	if (result == 0)
		result = map_all(s);
	if (result == 0) {
		fill_header(s, page, size);
		result = sys_seal(s->fd);
	}
	return result;
}

static size_t front_size(uint32_t lanes, uint64_t page)
{
	return align_up(WEIR_CONTROL_OFFSET + lanes * sizeof(struct weir_lane_control), page);
}

int segment_create(struct segment *s, uint32_t lanes, uint64_t capacity)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	int result;

	*s = (struct segment){
		.fd = -1,
		.lanes = lanes,
		.capacity = capacity,
		.front_size = front_size(lanes, page),
	};
	result = create(s, page);
	if (result < 0)
		segment_destroy(s);
	return result;
}

/* Sealed as ours are, and not so that it could not be written. */
int segment_check_seals(int fd)
{
	int seals = sys_get_seals(fd), wanted = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

	if (seals < 0)
		return seals;
	if ((seals & wanted) != wanted || (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)))
		return -EINVAL;
	return 0;
}

/* @h is a copy. */
static int check_header(const struct weir_segment_header *h, uint64_t page, uint64_t size)
{
	if (h->magic != WEIR_SEGMENT_MAGIC)
		return -EBADMSG;
	if (h->layout_major != WEIR_LAYOUT_MAJOR || h->page_size != page ||
	    h->features_incompatible != 0)
		return -EPROTO;
	if (h->size != size || h->object_count != 1)
		return -EBADMSG;
	return 0;
}

static int check_object(const struct weir_object_entry *o, uint64_t page, uint64_t size)
{
	if (o->kind != WEIR_OBJECT_PIPE)
		return -EPROTO;
	if (o->lanes < 1 || o->lanes > SEGMENT_LANES_MAX ||
	    o->control_offset != WEIR_CONTROL_OFFSET ||
	    o->ring_offset != front_size(o->lanes, page))
		return -EBADMSG;
	if (o->ring_capacity < page || o->ring_capacity > SEGMENT_CAPACITY_MAX ||
	    (o->ring_capacity & (o->ring_capacity - 1)))
		return -EBADMSG;
	return size == o->ring_offset + o->lanes * o->ring_capacity ? 0 : -EBADMSG;
}

int segment_read_header(int fd, uint64_t size, struct weir_segment_header *ret_header)
{
	int result = sys_pread(fd, ret_header, sizeof(*ret_header), 0);

	if (result < 0)
		return result;
	if (result != sizeof(*ret_header))
		return -EINVAL;
	return check_header(ret_header, (uint64_t)sysconf(_SC_PAGESIZE), size);
}

int segment_examine(int fd, struct segment *ret_segment)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), size;
	struct segment s = { .fd = -1 };
	struct weir_segment_header h;
	int result = segment_check_seals(fd);

	if (result == 0)
		result = segment_identify(fd, &size, &s.device, &s.inode);
	if (result == 0)
		result = segment_read_header(fd, size, &h);
	if (result == 0)
		result = check_object(&h.objects[0], page, size);
	if (result < 0)
		return result;
	s.lanes = h.objects[0].lanes;
	s.capacity = h.objects[0].ring_capacity;
	s.front_size = h.objects[0].ring_offset;
	*ret_segment = s;
	return 0;
}

int segment_attach(struct segment *s, int fd)
{
	int result = segment_examine(fd, s);

	if (result < 0)
		return result;
	s->fd = fd;
	result = map_all(s);
	if (result < 0) {
		s->fd = -1;
		segment_destroy(s);
	}
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
