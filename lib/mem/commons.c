/* SPDX-License-Identifier: MIT */
#include "mem/commons.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "mem/headroom.h"
#include "mem/segment.h"
#include "sys/sys.h"

/* Below this nobody is asked whether there is room. */
#define SMALL (UINT64_C(1) << 20)

static uint64_t page_size(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t body_offset(void)
{
	return align_up(WEIR_COMMONS_PARTIES_OFFSET + COMMONS_PARTIES * sizeof(struct weir_party),
			page_size());
}

/* Where the pieces are, and how large all of it is. */
static void lay_out(struct commons *c)
{
	c->size = body_offset() + align_up(c->body_size, page_size());
}

static int map(struct commons *c)
{
	void *base;
	int result = sys_reserve(c->size, &base);

	if (result < 0)
		return result;
	c->control = (void *)((uint8_t *)base + WEIR_COMMONS_CONTROL_OFFSET);
	c->state = (uint8_t *)base + WEIR_COMMONS_STATE_OFFSET;
	c->parties = (void *)((uint8_t *)base + WEIR_COMMONS_PARTIES_OFFSET);
	c->body = c->body_size > 0 ? (uint8_t *)base + body_offset() : NULL;
	return sys_map_at(base, c->size, c->fd, 0, false);
}

static uint8_t *base_of(const struct commons *c)
{
	return (uint8_t *)c->control - WEIR_COMMONS_CONTROL_OFFSET;
}

static void fill_header(struct commons *c)
{
	struct weir_segment_header *h = (void *)base_of(c);

	*h = (struct weir_segment_header){
		.magic = WEIR_SEGMENT_MAGIC,
		.layout_major = WEIR_LAYOUT_MAJOR,
		.page_size = (uint32_t)page_size(),
		.size = c->size,
		.object_count = 1,
	};
	h->objects[0] = (struct weir_object_entry){
		.kind = c->kind,
		.control_offset = WEIR_COMMONS_CONTROL_OFFSET,
		.ring_offset = body_offset(),
		.ring_capacity = c->body_size,
	};
	memcpy(base_of(c) + WEIR_COMMONS_GEOMETRY_OFFSET, &c->geometry, sizeof(c->geometry));
}

/* Touched now, so that it cannot fail later: the first pages, and all of the body. */
static int populate(struct commons *c)
{
	int result = sys_populate(base_of(c), WEIR_COMMONS_PARTIES_OFFSET + page_size());

	if (result == 0 && c->body)
		result = sys_populate(c->body, align_up(c->body_size, page_size()));
	return result < 0 ? -ENOBUFS : 0;
}

static int create(struct commons *c)
{
	uint64_t found;
	int result;

	c->fd = sys_memfd("weir-commons");
	if (c->fd < 0)
		return c->fd;
	c->fd = sys_move_high(c->fd);
	result = sys_truncate(c->fd, c->size);
	if (result == 0)
		result = segment_identify(c->fd, &found, &c->device, &c->inode);
	if (result == 0)
		result = map(c);
	if (result == 0)
		result = populate(c);
	if (result == 0) {
		fill_header(c);
		result = sys_seal(c->fd);
	}
	return result;
}

int commons_create(struct commons *c, uint32_t kind, const struct weir_commons_geometry *geometry,
		   uint64_t body_size)
{
	int result;

	*c = (struct commons){
		.fd = -1,
		.kind = kind,
		.geometry = *geometry,
		.body_size = body_size,
	};
	if (body_size > COMMONS_BODY_MAX)
		return -EFBIG;
	/* Where there is none left the kernel does not refuse, it kills. */
	if (body_size > SMALL && headroom() < body_size)
		return -ENOBUFS;
	lay_out(c);
	result = create(c);
	if (result < 0)
		commons_destroy(c);
	return result;
}

static int read_geometry(int fd, struct weir_commons_geometry *ret)
{
	int result = sys_pread(fd, ret, sizeof(*ret), WEIR_COMMONS_GEOMETRY_OFFSET);

	if (result < 0)
		return result;
	return result == sizeof(*ret) ? 0 : -EBADMSG;
}

int commons_examine(int fd, uint32_t kind, struct commons *ret_commons)
{
	struct commons c = { .fd = -1, .kind = kind };
	struct weir_segment_header h;
	uint64_t size;
	int result = segment_check_seals(fd);

	if (result == 0)
		result = segment_identify(fd, &size, &c.device, &c.inode);
	if (result == 0)
		result = segment_read_header(fd, size, &h);
	if (result == 0 && h.objects[0].kind != kind)
		result = -EPROTO;
	if (result == 0)
		result = read_geometry(fd, &c.geometry);
	if (result < 0)
		return result;
	c.body_size = h.objects[0].ring_capacity;
	if (c.body_size > COMMONS_BODY_MAX)
		return -EBADMSG;
	lay_out(&c);
	if (c.size != size || h.objects[0].control_offset != WEIR_COMMONS_CONTROL_OFFSET ||
	    h.objects[0].ring_offset != body_offset())
		return -EBADMSG;
	*ret_commons = c;
	return 0;
}

int commons_attach(struct commons *c, int fd, uint32_t kind)
{
	int result = commons_examine(fd, kind, c);

	if (result < 0)
		return result;
	c->fd = fd;
	result = map(c);
	if (result < 0) {
		c->fd = -1;
		commons_destroy(c);
	}
	return result;
}

void commons_destroy(struct commons *c)
{
	if (c->control)
		sys_unmap(base_of(c), c->size);
	if (c->fd >= 0)
		sys_close(c->fd);
	memset(c, 0, sizeof(*c));
	c->fd = -1;
}
