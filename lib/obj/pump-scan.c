/* SPDX-License-Identifier: MIT */
/*
 * What a file of frames holds. Read through a window, not mapped: a file that is cut off under a
 * mapping is a SIGBUS. A frame's header is believed once its checksum is right, and its message
 * is checked in pieces, so a size takes no memory.
 */
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "obj/pump.h"
#include "sys/sys.h"

#define WINDOW		((size_t)256 << 10)
#define SCAN_FLAGS	(WEIR_PUMP_CUT | WEIR_PUMP_CUT_DAMAGED)

struct window {
	int fd;
	uint64_t size;		/* of the file */
	uint64_t begin;		/* of what is in it */
	size_t there;
	uint8_t *bytes;
};

/* Have the bytes from @at on, up to @most of them: how many; 0: the file has got shorter. */
static int64_t look(struct window *w, uint64_t at, uint64_t most, const uint8_t **ret_bytes)
{
	uint64_t passed = at - w->begin;
	int64_t result;

	if (passed >= w->there) {
		do
			result = stream_pread(w->fd, w->bytes, WINDOW, at);
		while (result == -EINTR);
		if (result <= 0)
			return result;
		w->begin = at;
		w->there = (size_t)result;
		passed = 0;
	}
	*ret_bytes = w->bytes + passed;
	return (int64_t)(w->there - passed < most ? w->there - passed : most);
}

static int copy(struct window *w, uint64_t at, void *to, size_t size)
{
	const uint8_t *bytes;

	for (size_t got = 0; got < size;) {
		int64_t n = look(w, at + got, size - got, &bytes);

		if (n <= 0)
			return n < 0 ? (int)n : -ENODATA;
		memcpy((uint8_t *)to + got, bytes, (size_t)n);
		got += (size_t)n;
	}
	return 0;
}

static int check_message(struct window *w, uint64_t at, const struct pump_frame *f)
{
	const uint8_t *bytes;
	uint32_t check = 0;

	for (uint64_t got = 0; got < f->size;) {
		int64_t n = look(w, at + got, f->size - got, &bytes);

		if (n <= 0)
			return n < 0 ? (int)n : -ENODATA;
		check = crc32c(check, bytes, (size_t)n);
		got += (uint64_t)n;
	}
	return check == f->check_message ? 0 : -EBADMSG;
}

/* The frame at @at: 0; -ENODATA, -EBADMSG; or an error of reading. */
static int read_frame(struct window *w, uint64_t at, struct pump_frame *f)
{
	uint64_t left = w->size - at;
	int result;

	if (left < sizeof(*f)) {
		result = copy(w, at, f, left);
		if (result < 0)
			return result;
		return pump_frame_may_begin(f, left) ? -ENODATA : -EBADMSG;
	}
	result = copy(w, at, f, sizeof(*f));
	if (result < 0)
		return result;
	if (!pump_frame_valid(f))
		return -EBADMSG;
	if (left - sizeof(*f) < f->size)
		return -ENODATA;
	return check_message(w, at + sizeof(*f), f);
}

static int scan(struct window *w, struct weir_pump_scan *s)
{
	struct pump_frame f;
	int result = 0;

	while (result == 0 && s->end < w->size) {
		result = read_frame(w, s->end, &f);
		if (result < 0)
			break;
		s->frames++;
		s->payload += f.size;
		s->end += sizeof(f) + f.size;
		s->number = f.number + 1;
		s->origin = f.origin;
	}
	if (result != 0 && result != -ENODATA && result != -EBADMSG)
		return result;
	s->error = result;
	s->rest = w->size - s->end;
	return 0;
}

static int cut(int fd, uint32_t flags, const struct weir_pump_scan *s)
{
	int64_t result;

	if (s->error == -ENODATA || (s->error == -EBADMSG && (flags & WEIR_PUMP_CUT_DAMAGED))) {
		result = sys_truncate(fd, s->end);
		if (result < 0)
			return (int)result;
	} else if (s->error < 0) {
		return 0;
	}
	result = stream_seek(fd, s->end);
	return result < 0 ? (int)result : 0;
}

int weir_pump_scan(int fd, uint32_t flags, struct weir_pump_scan *ret_scan)
{
	struct weir_pump_scan s = { .size = sizeof(s) };
	struct window w = { .fd = fd };
	struct stat file;
	int result;

	if (!ret_scan || ret_scan->size != sizeof(s) || (flags & ~SCAN_FLAGS))
		return -EINVAL;
	if (!crc32c_there())
		return -ENOSYS;
	result = sys_stat(fd, &file);
	if (result < 0)
		return result;
	if (!S_ISREG(file.st_mode))
		return -ESPIPE;
	w.size = (uint64_t)file.st_size;
	w.bytes = malloc(WINDOW);
	if (!w.bytes)
		return -ENOMEM;
	result = scan(&w, &s);
	free(w.bytes);
	if (result == 0 && flags)
		result = cut(fd, flags, &s);
	if (result == 0)
		*ret_scan = s;
	return result;
}
