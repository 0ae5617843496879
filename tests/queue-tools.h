/* SPDX-License-Identifier: MIT */
/* What the tests of queues share. */
#ifndef WEIR_TESTS_QUEUE_TOOLS_H
#define WEIR_TESTS_QUEUE_TOOLS_H

#include "support.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "obj/queue.h"
#include "sys/sys.h"
#include "weir.h"

/* Bytes that differ with @number and with their place. */
static inline void queue_fill(uint8_t *data, size_t size, uint64_t number)
{
	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)((number * 31 + i) ^ (i >> 8));
}

static inline bool queue_is_filled(const uint8_t *data, size_t size, uint64_t number)
{
	for (size_t i = 0; i < size; i++)
		if (data[i] != (uint8_t)((number * 31 + i) ^ (i >> 8)))
			return false;
	return true;
}

static inline struct weir_queue *queue_new(uint64_t max_items, uint64_t max_bytes, uint32_t flags)
{
	struct weir_queue_options options = {
		.size = sizeof(options),
		.max_items = max_items,
		.max_bytes = max_bytes,
		.flags = flags,
	};
	struct weir_queue *q = NULL;

	return weir_queue(&q, &options) == 0 ? q : NULL;
}

/* A queue of @bytes of chunks, the number of whose first segment is @first. */
/* A handle of what is in @fds, which belong to it, or are closed. */
static inline struct weir_queue *queue_of_fds(int fds[1 + QUEUE_SIDES])
{
	struct weir_queue *q = NULL;

	queue_attach(fds, &q);
	for (int i = 0; i <= QUEUE_SIDES; i++)
		sys_close(fds[i]);
	return q;
}

static inline struct weir_queue *queue_new_at(uint64_t first, uint64_t max_items, uint32_t frames,
					      uint64_t bytes)
{
	struct weir_queue_geometry geometry = {
		.seats = 256,
		.frames = frames,
		.chunk_shift = QUEUE_CHUNK_SHIFT_MIN,
		.chunks = (uint32_t)(bytes >> QUEUE_CHUNK_SHIFT_MIN),
		.max_taken = 1024,
		.max_items = max_items,
		.max_bytes = bytes,
		.first_number = first,
	};
	int fds[1 + QUEUE_SIDES] = { -1, sys_tokens(), sys_tokens() };
	struct store store;

	if (store_create(&store, &geometry) < 0)
		return NULL;
	if (tape_create(&store, first) == 0)
		fds[0] = dup(store.fd);
	store_destroy(&store);
	return queue_of_fds(fds);
}

/* A second handle of the same queue, as another process would have it. */
static inline struct weir_queue *queue_second(const struct weir_queue *queue)
{
	int fds[1 + QUEUE_SIDES] = { dup(queue->store.fd) };

	for (int i = 0; i < QUEUE_SIDES; i++)
		fds[1 + i] = dup(queue->levels[i]);
	return queue_of_fds(fds);
}

static inline struct weir_queue_stat queue_stat(struct weir_queue *q)
{
	struct weir_queue_stat st = { .size = sizeof(st) };

	if (weir_queue_stat(q, &st) < 0)
		memset(&st, 0xff, sizeof(st));
	return st;
}

/* Memory of the queue that the kernel has given, in bytes. */
static inline uint64_t queue_blocks(const struct weir_queue *q)
{
	struct stat st;

	return fstat(q->store.fd, &st) == 0 ? (uint64_t)st.st_blocks * 512 : UINT64_MAX;
}

static inline int queue_put_number(struct weir_queue *q, uint64_t number, int64_t deadline)
{
	return weir_queue_put(q, &number, sizeof(number), 0, deadline);
}

/* The number that was put, or an error. */
static inline int64_t queue_get_number(struct weir_queue *q, int64_t deadline)
{
	uint64_t number;
	size_t size = 0;
	int result = weir_queue_get(q, &number, sizeof(number), 0, deadline, &size);

	if (result < 0)
		return result;
	return size == sizeof(number) ? (int64_t)number : -EILSEQ;
}

/*
 * Get all that is there: true; or, while others put faster than we get, what is there until @until:
 * false.
 */
static inline bool queue_drain_until(struct weir_queue *q, int64_t until)
{
	for (uint64_t n = 1; queue_get_number(q, 0) >= 0; n++)
		if (n % 64 == 0 && test_now() >= until)
			return false;
	return true;
}

#endif
