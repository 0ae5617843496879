/* SPDX-License-Identifier: MIT */
/* The one who writes where it should not. */
#include "fault/lib/scribble.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mem/layout.h"

#define FIELD(name) \
	{ \
		offsetof(struct weir_side, name), sizeof(((struct weir_side *)0)->name) \
	}

const struct scribble_field scribble_fields[] = {
	FIELD(position), FIELD(published), FIELD(requests), FIELD(wait), FIELD(events),
	FIELD(cpu), FIELD(fence_ack), FIELD(need), FIELD(bell), FIELD(owner),
	FIELD(partial),
};
const size_t scribble_field_count = ARRAY_LENGTH(scribble_fields);

/* Without events and owner: those end the conversation, and nothing more would be seen. */
static const uint8_t quiet_fields[] = { 0, 1, 2, 3, 5, 6, 7, 8, 10 };

const char *scribble_name(enum scribble kind)
{
	static const char *const names[] = { "controls", "positions", "headers",
					     "everything", "holes", "bells" };

	return names[kind];
}

static uint64_t next(struct scribbler *s)
{
	s->seed ^= s->seed << 13;
	s->seed ^= s->seed >> 7;
	s->seed ^= s->seed << 17;
	return s->seed;
}

static const struct segment *segment_of(const struct scribbler *s)
{
	return &s->ends[0]->core->segment;
}

static uint8_t *any_side(struct scribbler *s)
{
	uint64_t which = next(s) % 4;
	struct weir_lane_control *lane = segment_lane(segment_of(s), which / 2);

	return (uint8_t *)(which % 2 ? &lane->reader : &lane->writer);
}

static void put(uint8_t *at, size_t size, uint64_t value)
{
	if (size == sizeof(uint32_t))
		store_relaxed((uint32_t *)(void *)at, (uint32_t)value);
	else
		store_relaxed((uint64_t *)(void *)at, value);
}

static uint64_t get(const uint8_t *at, size_t size)
{
	if (size == sizeof(uint32_t))
		return load_relaxed((const uint32_t *)(const void *)at);
	return load_relaxed((const uint64_t *)(const void *)at);
}

static uint64_t any_value(struct scribbler *s, uint64_t old)
{
	uint64_t r = next(s);

	switch (r >> 60) {
	case 0:
		return 0;
	case 1:
		return UINT64_MAX;
	case 2:
		return old + 1;
	case 3:
		return old - 1;
	case 4:
		return old + 8;
	case 5:
		return old ^ (UINT64_C(1) << (r % 64));
	case 6:
		return UINT64_C(1) << (r % 64);
	default:
		return r;
	}
}

static void scribble_controls(struct scribbler *s)
{
	const struct scribble_field *f = &scribble_fields[next(s) % scribble_field_count];
	uint8_t *at = any_side(s) + f->offset;

	put(at, f->size, any_value(s, get(at, f->size)));
}

static void scribble_positions(struct scribbler *s)
{
	const struct scribble_field *f;
	uint8_t *at = any_side(s);
	uint64_t r = next(s);

	f = &scribble_fields[quiet_fields[r % ARRAY_LENGTH(quiet_fields)]];
	at += f->offset;
	put(at, f->size, get(at, f->size) + ((r >> 32) % 65 - 32) * 8);
}

static void scribble_headers(struct scribbler *s)
{
	const struct segment *g = segment_of(s);
	uint64_t r = next(s);
	uint8_t *at = g->rings[r & 1] + ((r >> 8) & (g->capacity - 1) & ~UINT64_C(7));

	/* Half of them at the next record to be read. */
	if ((r >> 56) % 2)
		at = g->rings[r & 1] +
		     (get((uint8_t *)&segment_lane(g, r & 1)->reader.position, 8) &
		      (g->capacity - 1) & ~UINT64_C(7));
	switch ((r >> 32) % 6) {
	case 0:
		put(at, 8, 0);
		break;
	case 1:
		put(at, 8, RECORD_MARK | (r >> 40) % (g->capacity + 64));
		break;
	case 2:
		put(at, 8, RECORD_MARK | (uint32_t)next(s));
		break;
	case 3:
		/* A piece, or the end of one: each of a size that could be. */
		put(at + 8, 8, (r >> 60) ? (r >> 36) % (3 * g->capacity) : next(s));
		put(at, 8,
		    RECORD_KIND(1 + (r >> 20) % RECORD_KINDS) | (r >> 40) % (g->capacity / 8));
		break;
	case 4:
		put(at, 8, RECORD_KIND((r >> 20) % (RECORD_KINDS + 2)) | (r >> 40) % 24);
		break;
	default:
		put(at, 8, next(s));
	}
}

static void scribble_all(struct scribbler *s)
{
	const struct segment *g = segment_of(s);
	uint64_t r = next(s);

	if (r % 4 == 0)
		put((uint8_t *)g->front + ((r >> 8) % g->front_size & ~UINT64_C(7)), 8, next(s));
	else if (r % 4 == 1)
		scribble_controls(s);
	else
		scribble_headers(s);
}

static void punch(struct scribbler *s)
{
	const struct segment *g = segment_of(s);
	uint64_t r = next(s), page = (uint64_t)sysconf(_SC_PAGESIZE);

	if (r % 3 == 0)
		fallocate(g->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  (off_t)((r >> 8) % 4 * page), (off_t)page);
	else if (r % 3 == 1)
		madvise(g->front, g->front_size, MADV_REMOVE);
	else
		madvise(g->rings[(r >> 8) & 1], g->capacity, MADV_REMOVE);
}

static void abuse_bells(struct scribbler *s)
{
	const struct pipe_core *core = s->ends[0]->core;
	uint64_t r = next(s), most = UINT64_MAX - 1, count;
	int fd = (r & 1) ? core->bells[(r >> 8) % 4] : core->levels[(r >> 8) % 2];
	uint8_t *bell = any_side(s) + offsetof(struct weir_side, bell);

	switch ((r >> 32) % 4) {
	case 0:
		/* Whatever there is to add. */
		if (write(fd, &most, sizeof(most)) < 0) {
			most = 1;
			(void)!write(fd, &most, sizeof(most));
		}
		break;
	case 1:
		put(bell, 4, get(bell, 4) + 1);
		syscall(SYS_futex, bell, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
		break;
	default:
		(void)!read(fd, &count, sizeof(count));
	}
}

int scribble_forever(void *arg)
{
	static void (*const ways[])(struct scribbler * s) = {
		scribble_controls, scribble_positions, scribble_headers, scribble_all, punch,
		abuse_bells,
	};
	struct scribbler *s = arg;

	s->seed |= 1;
	for (;;)
		ways[s->kind](s);
	return 0;
}
