/* SPDX-License-Identifier: MIT */
#include "ring/redo.h"

/* Which bytes the shadow has. False: none that there are. */
static bool range_of(const struct redo *r, uint64_t *ret_from, uint64_t *ret_size)
{
	/* A later writer's numbers come with his version. */
	uint64_t from = load_acquire(&r->log->from);	/* order: REDO acquire */
	uint64_t size = load_acquire(&r->log->size);	/* order: REDO acquire */

	*ret_from = from;
	*ret_size = size;
	return from <= r->size && size <= r->size - from;
}

int redo_finish(const struct redo *r)
{
	uint64_t version = redo_version(r), from, size;

	if (!(version & 1))
		return 0;
	if (!range_of(r, &from, &size))
		return -EBADMSG;
	words_move(r->place + from, r->shadow + from, size);
	store_release(&r->log->version, version + 1);	/* order: REDO release, as redo_write() */
	return 1;
}

/* What of the shadow's range lies in ours, over our copy. */
static void overlay(const struct redo *r, uint64_t shadow_from, uint64_t shadow_size, uint64_t from,
		    uint64_t size, uint8_t *data)
{
	uint64_t first = shadow_from > from ? shadow_from : from;
	uint64_t end = from + size, shadow_end = shadow_from + shadow_size;

	if (shadow_end < end)
		end = shadow_end;
	if (first < end)
		words_load(data + (first - from), r->shadow + first, end - first);
}

int redo_read_pending(const struct redo *r, uint64_t version, uint64_t from, uint64_t size,
		      void *data)
{
	uint64_t shadow_from, shadow_size;
	bool good = range_of(r, &shadow_from, &shadow_size);

	if (good) {
		words_load(data, r->place + from, size);
		overlay(r, shadow_from, shadow_size, from, size, data);
	}
	/* relaxed: after the words, which are loaded with acquire */
	if (load_relaxed(&r->log->version) != version)
		return -EAGAIN;
	return good ? 0 : -EBADMSG;
}
