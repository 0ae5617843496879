/* SPDX-License-Identifier: MIT */
#include "mem/store.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "mem/headroom.h"
#include "mem/segment.h"
#include "sys/sys.h"

/* Mapped at least at a time: page tables are cheap, system calls are not. */
#define REACH_STEP	(UINT64_C(1) << 20)
#define BLOCK		(UINT64_C(64) << 10)
/* Asked for at a time, beyond what is needed, as long as that is little of what there is. */
#define GRANT		(UINT64_C(4) << 20)
#define GRANT_SHARE	16

static uint64_t page_size(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Where everything is follows from how much there is of it. */
static void lay_out(struct store *s)
{
	const struct weir_queue_geometry *g = &s->geometry;
	const uint64_t sizes[STORE_SPANS] = {
		[STORE_FRONT] = WEIR_QUEUE_CONTROL_OFFSET + sizeof(struct weir_queue_control),
		[STORE_SEATS] = g->seats * sizeof(struct weir_seat),
		[STORE_FRAMES] = g->frames * sizeof(struct weir_frame),
		[STORE_CHUNKS] = g->chunks * sizeof(struct weir_chunk),
		[STORE_SLOTS] = (uint64_t)g->frames * QUEUE_SLOTS * sizeof(struct weir_slot),
		[STORE_BYTES] = (uint64_t)g->chunks << g->chunk_shift,
	};
	uint64_t at = 0;

	for (int i = 0; i < STORE_SPANS; i++) {
		/* Readers have as many pages mapped at a time as lie in one aligned block. */
		if (i >= STORE_SLOTS)
			at = align_up(at, BLOCK);
		s->offsets[i] = at;
		at += align_up(sizes[i], page_size());
	}
	s->offsets[STORE_SPANS] = at;
	s->size = at;
	s->chunk_size = UINT32_C(1) << g->chunk_shift;
}

static bool geometry_valid(const struct weir_queue_geometry *g)
{
	return g->seats >= 2 && g->seats <= QUEUE_SEATS_MAX && g->frames >= 2 &&
	       g->frames <= QUEUE_FRAMES_MAX && g->chunks >= 1 && g->chunks < QUEUE_CHUNKS_MAX &&
	       g->chunk_shift >= QUEUE_CHUNK_SHIFT_MIN && g->chunk_shift <= QUEUE_CHUNK_SHIFT_MAX;
}

static void raise_reach(struct store *s, enum store_span span, uint64_t to)
{
	/* relaxed: the exchange finds out */
	uint64_t was = load_relaxed(&s->reach[span]);

	/* order: REACH release, to store_reach() in other threads: it is mapped. */
	while (was < to && !cas_release(&s->reach[span], &was, to))
		;
}

int store_reach_slow(struct store *s, enum store_span span, uint64_t size)
{
	uint64_t all = s->offsets[span + 1] - s->offsets[span];
	/* order: REACH acquire, as in store_reach() */
	uint64_t from = load_acquire(&s->reach[span]), to;
	int result;

	if (size > all)
		return -EBADMSG;
	if (size <= from)
		return 0;
	/*
	 * Another thread, or the child that it has just forked, may do the same: each maps the
	 * same bytes to the same place.
	 */
	to = align_up(size, page_size());
	if (to < 2 * from)
		to = 2 * from;
	if (to < REACH_STEP)
		to = REACH_STEP;
	if (to > all)
		to = all;
	if (s->copy)
		result = sys_map_copy_at(s->base + s->offsets[span] + from, to - from, s->fd,
					 s->offsets[span] + from);
	else
		result = sys_map_at(s->base + s->offsets[span] + from, to - from, s->fd,
				    s->offsets[span] + from, false);
	if (result < 0)
		return -ENOMEM;
	raise_reach(s, span, to);
	return 0;
}

static int map_front(struct store *s)
{
	int result = sys_reserve(s->size + BLOCK, &s->reserved);

	if (result < 0)
		return result;
	s->base = (uint8_t *)align_up((uintptr_t)s->reserved, BLOCK);
	s->slots = (struct weir_slot *)(void *)(s->base + s->offsets[STORE_SLOTS]);
	s->bytes = s->base + s->offsets[STORE_BYTES];
	s->control = (struct weir_queue_control *)(void *)(s->base + WEIR_QUEUE_CONTROL_OFFSET);
	return store_reach(s, STORE_FRONT, s->offsets[STORE_FRONT + 1]);
}

static void fill_front(struct store *s)
{
	struct weir_segment_header *h = (struct weir_segment_header *)(void *)s->base;

	*h = (struct weir_segment_header){
		.magic = WEIR_SEGMENT_MAGIC,
		.layout_major = WEIR_LAYOUT_MAJOR,
		.page_size = (uint32_t)page_size(),
		.size = s->size,
		.object_count = 1,
	};
	h->objects[0] = (struct weir_object_entry){
		.kind = WEIR_OBJECT_QUEUE,
		.control_offset = WEIR_QUEUE_CONTROL_OFFSET,
		.ring_offset = s->offsets[STORE_BYTES],
		.ring_capacity = s->offsets[STORE_SPANS] - s->offsets[STORE_BYTES],
	};
	memcpy(s->base + WEIR_QUEUE_GEOMETRY_OFFSET, &s->geometry, sizeof(s->geometry));
}

static int create(struct store *s)
{
	uint64_t found;
	int result;

	s->fd = sys_memfd("weir-queue");
	if (s->fd < 0)
		return s->fd;
	s->fd = sys_move_high(s->fd);
	result = sys_truncate(s->fd, s->size);
	if (result == 0)
		result = segment_identify(s->fd, &found, &s->device, &s->inode);
	if (result == 0)
		result = sys_allocate(s->fd, s->offsets[STORE_FRONT + 1]);
	if (result == 0)
		result = map_front(s);
	if (result == 0) {
		fill_front(s);
		result = sys_seal(s->fd);
	}
	return result;
}

int store_create(struct store *s, const struct weir_queue_geometry *geometry)
{
	int result;

	*s = (struct store){ .fd = -1, .geometry = *geometry };
	if (!geometry_valid(geometry))
		return -EINVAL;
	lay_out(s);
	result = create(s);
	if (result < 0)
		store_destroy(s);
	return result;
}

static int read_geometry(int fd, struct store *s)
{
	int result = sys_pread(fd, &s->geometry, sizeof(s->geometry), WEIR_QUEUE_GEOMETRY_OFFSET);

	if (result < 0)
		return result;
	return result == sizeof(s->geometry) && geometry_valid(&s->geometry) ? 0 : -EBADMSG;
}

int store_examine(int fd, struct store *ret_store)
{
	struct weir_segment_header h;
	struct store s = { .fd = -1 };
	uint64_t size;
	int result = segment_check_seals(fd);

	if (result == 0)
		result = segment_identify(fd, &size, &s.device, &s.inode);
	if (result == 0)
		result = segment_read_header(fd, size, &h);
	if (result == 0 && h.objects[0].kind != WEIR_OBJECT_QUEUE)
		result = -EPROTO;
	if (result == 0)
		result = read_geometry(fd, &s);
	if (result < 0)
		return result;
	lay_out(&s);
	if (s.size != size || h.objects[0].control_offset != WEIR_QUEUE_CONTROL_OFFSET ||
	    h.objects[0].ring_offset != s.offsets[STORE_BYTES])
		return -EBADMSG;
	*ret_store = s;
	return 0;
}

static int attach(struct store *s, int fd, bool copy)
{
	int result = store_examine(fd, s);

	if (result < 0)
		return result;
	s->fd = fd;
	s->copy = copy;
	result = map_front(s);
	if (result < 0) {
		s->fd = -1;
		store_destroy(s);
	}
	return result;
}

int store_attach(struct store *s, int fd)
{
	return attach(s, fd, false);
}

int store_look_at(struct store *s, int fd)
{
	int mine = sys_dup(fd), result;

	if (mine < 0)
		return mine;
	result = attach(s, mine, true);
	if (result < 0)
		sys_close(mine);
	return result;
}

void store_destroy(struct store *s)
{
	if (s->reserved)
		sys_unmap(s->reserved, s->size + BLOCK);
	if (s->fd >= 0)
		sys_close(s->fd);
	memset(s, 0, sizeof(*s));
	s->fd = -1;
}

/* Whether the machine has @size bytes to spare. */
static int grant(struct store *s, uint64_t size)
{
	uint64_t room, more;

	/* relaxed: about how much; two threads may look at the same time */
	if (load_relaxed(&s->granted) < (int64_t)size) {
		room = headroom();
		if (room < size)
			return -ENOBUFS;
		more = (room - size) / GRANT_SHARE;
		more = size + (more < GRANT ? more : GRANT);
		add_relaxed(&s->granted, (int64_t)more);	/* relaxed: as above */
	}
	add_relaxed(&s->granted, -(int64_t)size);	/* relaxed: as above */
	return 0;
}

static int populate(struct store *s, uint8_t *at, uint64_t size)
{
	int result = grant(s, size);

	if (result == 0)
		result = sys_populate(at, size);
	return result < 0 ? -ENOBUFS : 0;
}

int store_populate_chunks(struct store *s, uint32_t chunk, uint32_t count)
{
	uint64_t size = (uint64_t)count << s->geometry.chunk_shift;
	uint8_t *at = store_bytes(s, chunk, 0, size);

	return at ? populate(s, at, size) : -ENOMEM;
}

int store_populate_frame(struct store *s, uint32_t frame)
{
	struct weir_slot *slots = store_slots(s, frame);

	return slots ? populate(s, (uint8_t *)slots, QUEUE_SLOTS * sizeof(*slots)) : -ENOMEM;
}

void store_empty_chunks(struct store *s, uint32_t chunk, uint32_t count)
{
	uint64_t offset = s->offsets[STORE_BYTES] + ((uint64_t)chunk << s->geometry.chunk_shift);

	sys_punch(s->fd, offset, (uint64_t)count << s->geometry.chunk_shift);
}

void store_empty_frame(struct store *s, uint32_t frame)
{
	uint64_t size = QUEUE_SLOTS * sizeof(struct weir_slot);

	sys_punch(s->fd, s->offsets[STORE_SLOTS] + frame * size, size);
}
