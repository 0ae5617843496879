/* SPDX-License-Identifier: MIT */
/*
 * From an object to a descriptor. Messages are taken, written where they lie, and released when all
 * of them has been written: a process that dies in between leaves them to be handed over again.
 *
 * A write that ends in the middle of a frame is gone on with by the next one, by this run or
 * another: the messages stay taken, and the frames as they were made.
 */
#include "obj/pump.h"

static uint64_t header_size(const struct weir_pump *p)
{
	return pump_is_raw(p) ? 0 : sizeof(struct pump_frame);
}

/* Add what is left of @size bytes at @data behind @skip of them, which is used up. */
static size_t add_part(struct iovec *parts, size_t n, const void *data, uint64_t size,
		       uint64_t *skip)
{
	uint64_t passed = *skip < size ? *skip : size;

	*skip -= passed;
	if (passed == size)
		return n;
	parts[n].iov_base = (uint8_t *)(uintptr_t)data + passed;
	parts[n].iov_len = size - passed;
	return n + 1;
}

/* The parts of message @i, behind @skip bytes of its frame. */
static size_t add_message(struct weir_pump *p, size_t n, uint32_t i, uint64_t *skip)
{
	struct pump_out *o = &p->out;

	n = add_part(o->parts, n, &o->frames[i], header_size(p), skip);
	return add_part(o->parts, n, o->messages[i].data, o->messages[i].size, skip);
}

/* The oldest @count messages are written: count them, let go of them. */
static int finish(struct weir_pump *p, uint32_t count)
{
	struct pump_out *o = &p->out;

	for (uint32_t i = o->first; i < o->first + count; i++)
		pump_count(p, o->messages[i].size, header_size(p) + o->messages[i].size);
	pump_release(p, count);
	if (p->options.sync_bytes == 0 || o->unsynced < p->options.sync_bytes)
		return 0;
	return pump_sync(p);
}

/* @bytes more are written, of the first @count messages at the most. */
static int advance(struct weir_pump *p, uint64_t bytes, uint32_t count)
{
	struct pump_out *o = &p->out;
	uint32_t whole = 0;

	o->unsynced += bytes;
	bytes += o->partial;
	while (whole < count) {
		uint64_t size = header_size(p) + o->messages[o->first + whole].size;

		if (bytes < size)
			break;
		bytes -= size;
		whole++;
	}
	o->partial = bytes;
	return finish(p, whole);
}

/* Once, the first @count messages or some of them: 0 or an error. */
static int write_stream(struct weir_pump *p, uint32_t count)
{
	struct pump_out *o = &p->out;
	uint64_t skip = o->partial;
	int64_t result = 0;
	size_t n = 0;

	for (uint32_t i = 0; i < count; i++)
		n = add_message(p, n, o->first + i, &skip);
	if (n > 0) {
		result = pump_write(&p->io, o->parts, n);
		if (result <= 0)
			/* Nothing was written, and no reason given: not to be tried for ever. */
			return result < 0 ? (int)result : -EIO;
	}
	return advance(p, (uint64_t)result, count);
}

static int write_packets(struct weir_pump *p, uint32_t count)
{
	struct pump_out *o = &p->out;
	int result;

	for (uint32_t i = 0; i < count; i++) {
		struct iovec *parts = &o->parts[2 * i];
		uint64_t skip = 0;
		size_t n = add_part(parts, 0, &o->frames[o->first + i], header_size(p), &skip);
		const struct pump_message *m = &o->messages[o->first + i];

		n = add_part(parts, n, m->data, m->size, &skip);
		o->packets[i].msg_hdr = (struct msghdr){ .msg_iov = parts, .msg_iovlen = n };
	}
	result = pump_send(&p->io, o->packets, count);
	if (result <= 0)
		return result < 0 ? result : -EIO;
	return finish(p, (uint32_t)result);
}

/* All of what is taken, but for no more than @count: 0 or an error. */
static int write_taken(struct weir_pump *p, uint64_t count, uint32_t flags, int64_t deadline)
{
	struct pump_out *o = &p->out;
	uint64_t until = p->moved + count;

	while (o->first < o->count && p->moved < until) {
		uint64_t left = until - p->moved, there = o->count - o->first;
		uint32_t n = (uint32_t)(left < there ? left : there);
		int result = p->io.kind == PUMP_PACKET ? write_packets(p, n) : write_stream(p, n);

		if (result == -EAGAIN)
			result = pump_wait(&p->io, WEIR_PUMP_OUT, flags, deadline);
		if (result < 0 && (result != -EINTR || (flags & WEIR_INTR)))
			return result;
	}
	return 0;
}

int pump_out(struct weir_pump *p, uint64_t count, uint32_t flags, int64_t deadline)
{
	struct pump_out *o = &p->out;
	int result = 0;

	for (;;) {
		uint64_t left = count ? count - p->moved : UINT64_MAX / 2;

		if (left == 0)
			return 1;
		if (o->first == o->count) {
			uint32_t most = left < PUMP_BATCH ? (uint32_t)left : PUMP_BATCH;

			result = pump_take(p, most, flags, deadline);
			if (result <= 0)
				return result;
		}
		result = write_taken(p, left, flags, deadline);
		if (result == 0)
			result = pump_late(deadline);
		if (result < 0)
			return result;
	}
}
