/* SPDX-License-Identifier: MIT */
/*
 * From a descriptor into an object. What has been read and could not be put, because the object is
 * full or half of it has not come yet, stays in a buffer of the pump for the next run.
 *
 * Small frames are read many at a time and put out of the buffer. A large one is read right into
 * the object's memory, and seen by nobody before its checksum is right; if the rest of it does not
 * come at once, it moves back into the buffer, for a claim would hold up others meanwhile. Memory
 * for what a header promises is had as its bytes come, not before, but for a limit.
 */
#include <stdlib.h>
#include <string.h>

#include "obj/pump.h"

#define BUFFER_FIRST	((size_t)128 << 10)
/* Frames of this size go straight into the object. */
#define DIRECT_LEAST	((size_t)32 << 10)
#define DIRECT_MOST	((size_t)4 << 20)
/* What is kept of the buffer when it is empty. */
#define BUFFER_MOST	((size_t)8 << 20)

static size_t buffered(const struct pump_in *in)
{
	return in->end - in->begin;
}

/* Room for @size bytes from the beginning of what is buffered on. */
static int reserve(struct pump_in *in, size_t size)
{
	uint8_t *bytes;

	if (in->begin > 0 && (in->begin == in->end || in->begin + size > in->room)) {
		memmove(in->bytes, in->bytes + in->begin, buffered(in));
		in->checked = in->checked > in->begin ? in->checked - in->begin : 0;
		in->end -= in->begin;
		in->begin = 0;
	}
	if (in->begin + size <= in->room)
		return 0;
	bytes = realloc(in->bytes, size);
	if (!bytes)
		return -ENOMEM;
	in->bytes = bytes;
	in->room = size;
	return 0;
}

static void consume(struct pump_in *in, size_t size)
{
	in->begin += size;
	if (in->begin < in->end)
		return;
	in->begin = in->end = in->checked = 0;
	/* One that was very large is seldom followed by another. */
	if (in->room > BUFFER_MOST) {
		free(in->bytes);
		in->bytes = NULL;
		in->room = 0;
	}
}

/*
 * Read what is there now, at least a byte: how many; 0: the end; -EAGAIN; or an error. EINTR is for
 * the caller to see only if he wants it.
 */
static int64_t read_now(struct weir_pump *p, struct iovec *parts, size_t count, uint32_t flags)
{
	int64_t result;

	do
		result = pump_read(&p->io, parts, count);
	while (result == -EINTR && !(flags & WEIR_INTR));
	return result;
}

/* The next packet's size, waiting for one: or 0 of a packet socket that has ended, or an error. */
static int64_t await_packet(struct weir_pump *p, uint32_t flags, int64_t deadline)
{
	int64_t result;

	do {
		p->io.calls++;
		result = stream_packet_size(p->io.fd);
		if (result == -EAGAIN)
			result = pump_wait(&p->io, WEIR_PUMP_IN, flags, deadline);
		else if (result >= 0)
			return result;
	} while (result == 0 || (result == -EINTR && !(flags & WEIR_INTR)));
	return result;
}

/*
 * Frames
 */

/* The header at @at in the buffer: 1; 0: not all of it is there; -EBADMSG, -EMSGSIZE. */
static int header_at(const struct weir_pump *p, size_t at, struct pump_frame *f)
{
	const struct pump_in *in = &p->in;
	size_t there = in->end - at;

	memcpy(f, in->bytes + at, there < sizeof(*f) ? there : sizeof(*f));
	if (there < sizeof(*f))
		return pump_frame_may_begin(f, there) ? 0 : -EBADMSG;
	if (!pump_frame_valid(f))
		return -EBADMSG;
	return f->size <= p->options.max_size ? 1 : -EMSGSIZE;
}

/* The whole frames in the buffer, up to @most: how many; or what is wrong with the first. */
static int collect(struct weir_pump *p, uint32_t most, struct weir_msg *messages)
{
	struct pump_in *in = &p->in;
	struct pump_frame f;
	size_t at = in->begin;
	int result = 0;
	uint32_t n = 0;

	while (n < most && at < in->end) {
		result = header_at(p, at, &f);
		if (result <= 0 || in->end - at - sizeof(f) < f.size)
			break;
		messages[n].data = in->bytes + at + sizeof(f);
		messages[n].size = f.size;
		if (at >= in->checked) {
			if (!pump_frame_has(&f, messages[n].data)) {
				result = -EBADMSG;
				break;
			}
			in->checked = at + sizeof(f) + f.size;
		}
		at += sizeof(f) + f.size;
		n++;
	}
	return n == 0 && result < 0 ? result : (int)n;
}

/* Put the whole frames that are in the buffer: how many; or an error. */
static int put_collected(struct weir_pump *p, uint64_t most, uint32_t flags, int64_t deadline)
{
	struct weir_msg messages[PUMP_BATCH];
	int count = collect(p, most < PUMP_BATCH ? (uint32_t)most : PUMP_BATCH, messages);

	if (count <= 0)
		return count;
	count = pump_put(p, messages, (size_t)count, flags, deadline);
	for (int i = 0; i < count; i++) {
		size_t size = sizeof(struct pump_frame) + messages[i].size;

		pump_count(p, messages[i].size, size);
		consume(&p->in, size);
	}
	return count;
}

/* The first @got bytes of the message of @f are at @data: have all that in the buffer. */
static void take_back(struct pump_in *in, const struct pump_frame *f, const uint8_t *data,
		      size_t got)
{
	memcpy(in->bytes, f, sizeof(*f));
	memcpy(in->bytes + sizeof(*f), data, got);
	in->begin = in->checked = 0;
	in->end = sizeof(*f) + got;
}

/* Read what is missing of @size bytes at @data, of which @got are there, and no more: 0 or why. */
static int read_rest(struct weir_pump *p, uint8_t *data, size_t size, size_t *got, uint32_t flags)
{
	while (*got < size) {
		struct iovec part = { data + *got, size - *got };
		int64_t result = read_now(p, &part, 1, flags);

		if (result <= 0)
			return result < 0 ? (int)result : -ENODATA;
		*got += (size_t)result;
	}
	return 0;
}

/*
 * The frame at the beginning of the buffer, which is large, straight into the object: 1: it is
 * there; 0: not this way; or an error. It is in the buffer again then, as far as it has come.
 */
static int read_direct(struct weir_pump *p, uint32_t flags, int64_t deadline)
{
	struct pump_in *in = &p->in;
	struct pump_frame f;
	uint8_t *data;
	size_t got;
	int result = header_at(p, in->begin, &f);

	if (result <= 0 || f.size < DIRECT_LEAST || f.size > DIRECT_MOST ||
	    p->io.kind == PUMP_PACKET)
		return result < 0 ? result : 0;
	/* So that it can come back, whatever happens. */
	result = reserve(in, sizeof(f) + f.size);
	if (result == 0)
		result = pump_claim(p, f.size, flags, deadline, (void **)&data);
	if (result < 0)
		return result == -EMSGSIZE ? 0 : result;
	got = buffered(in) - sizeof(f);
	memcpy(data, in->bytes + in->begin + sizeof(f), got);
	result = read_rest(p, data, f.size, &got, flags);
	if (result == 0 && !pump_frame_has(&f, data))
		result = -EBADMSG;
	if (result == 0)
		result = pump_commit(p, f.size, flags, deadline);
	if (result < 0) {
		take_back(in, &f, data, got);
		pump_abort(p);
		return result == -EAGAIN && got < f.size ? 0 : result;
	}
	consume(in, buffered(in));
	pump_count(p, f.size, sizeof(f) + f.size);
	return 1;
}

/* Room in the buffer for the next packet, once it is there: 1; 0: the end; or an error. */
static int room_for_packet(struct weir_pump *p, uint32_t flags, int64_t deadline)
{
	struct iovec nothing = { NULL, 0 };
	int64_t size = await_packet(p, flags, deadline);
	int result;

	if (size < 0 || (size == 0 && !p->io.datagrams))
		return (int)size;
	if (size == 0) {
		/* That is no frame; and the next one comes behind it. */
		read_now(p, &nothing, 1, flags);
		return -EBADMSG;
	}
	result = reserve(&p->in, (size_t)size);
	return result < 0 ? result : 1;
}

/* More bytes into the buffer, waiting for them: how many; 0: the end; or an error. */
static int64_t fetch(struct weir_pump *p, uint32_t flags, int64_t deadline)
{
	struct pump_in *in = &p->in;
	/* What has come is doubled at the most, however much is promised. */
	size_t room = 2 * buffered(in) > BUFFER_FIRST ? 2 * buffered(in) : BUFFER_FIRST;
	int64_t result;

	result = p->io.kind == PUMP_PACKET ? room_for_packet(p, flags, deadline)
					   : reserve(in, room);
	if (result < 0 || (result == 0 && p->io.kind == PUMP_PACKET))
		return result;
	do {
		struct iovec part = { in->bytes + in->end, in->room - in->end };

		result = read_now(p, &part, 1, flags);
		if (result > 0)
			in->end += (size_t)result;
		if (result != -EAGAIN)
			return result;
		result = pump_wait(&p->io, WEIR_PUMP_IN, flags, deadline);
	} while (result == 0);
	return result;
}

/* Some frames, or the beginning of one: 1; 0: the end; or an error. */
static int move_frames(struct weir_pump *p, uint64_t most, uint32_t flags, int64_t deadline)
{
	struct pump_in *in = &p->in;
	int64_t result = put_collected(p, most, flags, deadline);

	if (result == 0 && buffered(in) >= sizeof(struct pump_frame))
		result = read_direct(p, flags, deadline);
	if (result == 0 && p->io.kind == PUMP_PACKET && buffered(in) > 0)
		result = -EBADMSG;
	if (p->io.kind == PUMP_PACKET && (result == -EBADMSG || result == -EMSGSIZE))
		/* The next one may be right. */
		consume(in, buffered(in));
	if (result != 0)
		return result < 0 ? (int)result : 1;
	result = fetch(p, flags, deadline);
	if (result == 0 && buffered(in) > 0)
		return -ENODATA;
	return result < 0 ? (int)result : result > 0;
}

/*
 * Raw
 */

/* What was read and could not be put: 1 or an error. */
static int put_kept(struct weir_pump *p, uint32_t flags, int64_t deadline)
{
	struct pump_in *in = &p->in;
	struct weir_msg message = { .data = in->bytes + in->begin, .size = buffered(in) };
	int result = pump_put(p, &message, 1, flags, deadline);

	if (result < 0)
		return result;
	pump_count(p, message.size, message.size);
	consume(in, message.size);
	in->kept = false;
	return 1;
}

/* Read a packet that has no room in the object as it is. */
static int keep_packet(struct weir_pump *p, size_t size, uint32_t flags)
{
	struct pump_in *in = &p->in;
	struct iovec part;
	int64_t result = reserve(in, size);

	if (result < 0)
		return (int)result;
	part = (struct iovec){ in->bytes, size };
	result = read_now(p, &part, 1, flags);
	if (result < 0)
		return (int)result;
	in->end = (size_t)result;
	in->kept = true;
	return 0;
}

/* Commit @size bytes of the claim at @data, or keep them: 1 or an error. */
static int commit_or_keep(struct weir_pump *p, const uint8_t *data, size_t size, uint32_t flags,
			  int64_t deadline)
{
	struct pump_in *in = &p->in;
	int result = pump_commit(p, size, flags, deadline);

	if (result == 0) {
		pump_count(p, size, size);
		return 1;
	}
	memcpy(in->bytes, data, size);
	in->begin = 0;
	in->end = size;
	in->kept = true;
	pump_abort(p);
	return result;
}

/* One message of what the descriptor gives at once: 1; 0: the end; or an error. */
static int move_raw(struct weir_pump *p, uint32_t flags, int64_t deadline)
{
	size_t size = p->options.chunk;
	struct iovec part;
	int64_t result;
	void *data;

	if (p->in.kept)
		return put_kept(p, flags, deadline);
	if (p->io.kind == PUMP_PACKET) {
		result = await_packet(p, flags, deadline);
		if (result < 0 || (result == 0 && !p->io.datagrams))
			return (int)result;
		size = (size_t)result;
	}
	result = reserve(&p->in, size);
	if (result == 0)
		result = pump_claim(p, size, flags, deadline, &data);
	if (result == -EMSGSIZE && p->io.kind == PUMP_PACKET) {
		result = keep_packet(p, size, flags);
		return result < 0 ? (int)result : put_kept(p, flags, deadline);
	}
	if (result < 0)
		return (int)result;
	part = (struct iovec){ data, size };
	result = read_now(p, &part, 1, flags);
	if (result > 0 || (result == 0 && p->io.datagrams))
		return commit_or_keep(p, data, (size_t)result, flags, deadline);
	pump_abort(p);
	if (result != -EAGAIN)
		return (int)result;
	result = pump_wait(&p->io, WEIR_PUMP_IN, flags, deadline);
	return result < 0 ? (int)result : 1;
}

int pump_in(struct weir_pump *p, uint64_t count, uint32_t flags, int64_t deadline)
{
	int result;

	for (;;) {
		uint64_t left = count ? count - p->moved : UINT64_MAX;

		if (left == 0)
			return 1;
		result = pump_is_raw(p) ? move_raw(p, flags, deadline)
					: move_frames(p, left, flags, deadline);
		if (result == -EINTR && !(flags & WEIR_INTR))
			continue;
		if (result <= 0)
			return result;
		/* Without a deadline it goes on until there is something, or nothing to be read. */
		if (deadline > 0 || p->moved > 0) {
			result = pump_late(deadline);
			if (result < 0)
				return result;
		}
	}
}

void pump_in_free(struct weir_pump *p)
{
	free(p->in.bytes);
	p->in = (struct pump_in){ .bytes = NULL };
}
