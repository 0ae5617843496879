/* SPDX-License-Identifier: MIT */
/*
 * Bytes that lie in place for everybody, are changed by one at a time, and are never half changed:
 * not for who reads meanwhile, and not for who comes after a writer that died.
 *
 * The writer brings the new bytes to the shadow first, and says which they are. Then it makes the
 * version odd: from that store on they count. It copies them to their place, and makes the version
 * even. A reader copies the place, and while the version is odd the bytes of the shadow over it; it
 * has a true copy if the version is the same after as it was before. It writes nothing, and a
 * writer that dies or is stopped, wherever, does not keep it: only one that goes on writing does.
 * The next writer copies what the last one left in the shadow.
 *
 * That one writes at a time is the callers' business. All that is read here is input: a writer
 * that lies gets readers that fail, or read lies, but only bytes that are there.
 */
#ifndef WEIR_RING_REDO_H
#define WEIR_RING_REDO_H

#include <errno.h>
#include <stdbool.h>

#include "mem/array-layout.h"
#include "ring/words.h"

struct redo {
	struct weir_redo *log;
	uint8_t *place;		/* both at a multiple of 8 */
	uint8_t *shadow;
	uint64_t size;		/* bytes of each */
};

/* Who has been told that the version is even is the only writer. */
static ALWAYS_INLINE bool redo_pending(const struct redo *r)
{
	/* order: REDO acquire, from redo_write(), redo_finish() */
	return load_acquire(&r->log->version) & 1;
}

/* The version, to be compared with an earlier one: two are an update. */
static ALWAYS_INLINE uint64_t redo_version(const struct redo *r)
{
	/* order: REDO acquire, from redo_write(), redo_finish() */
	return load_acquire(&r->log->version);
}

/*
 * Have @size bytes from @from on be those of @data. The range is in bounds, nothing is pending, and
 * nobody else writes. If the process dies inside, all of it counts or nothing.
 */
static inline void redo_write(const struct redo *r, uint64_t from, uint64_t size, const void *data)
{
	struct weir_redo *log = r->log;
	uint64_t version = load_relaxed(&log->version);	/* relaxed: the last writer was before us */

	words_store(r->shadow + from, data, size);
	store_release(&log->from, from);		/* order: REDO release */
	store_release(&log->size, size);		/* order: REDO release */
	/* From here on it is so. */
	store_release(&log->version, version + 1);	/* order: REDO release: the shadow */
	words_store(r->place + from, data, size);
	store_release(&log->version, version + 2);	/* order: REDO release: the place */
}

/*
 * If the last writer died with an update that counts and is not in its place, bring it there; only
 * who writes may. 1; 0: there is nothing to be done; -EBADMSG: what it left is nonsense.
 */
int redo_finish(const struct redo *r);

/*
 * A copy of @size bytes from @from on, which is in bounds: 0; -EAGAIN: they were written meanwhile,
 * and @data is worth nothing; -EBADMSG.
 */
int redo_read_pending(const struct redo *r, uint64_t version, uint64_t from, uint64_t size,
		      void *data);

static ALWAYS_INLINE int redo_read(const struct redo *r, uint64_t from, uint64_t size, void *data)
{
	uint64_t version = redo_version(r);

	if (unlikely(version & 1))
		return redo_read_pending(r, version, from, size, data);
	words_load(data, r->place + from, size);
	/* relaxed: after the words, which are loaded with acquire */
	return likely(load_relaxed(&r->log->version) == version) ? 0 : -EAGAIN;
}

#endif
