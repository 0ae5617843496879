/* SPDX-License-Identifier: MIT */
/*
 * Putting: the bytes into a chunk of ours, then one compare-and-swap that makes them a message.
 */
#include "obj/queue.h"

#include <sched.h>
#include <string.h>

#include "ring/copy.h"
#include "sys/sys.h"

/* How far ahead of itself a seat asks for the lines that it will write. */
#define PUT_AHEAD 1024
/* Messages between a writer and the readers that are many. */
#define DEPTH_FAR 8192
#define LOOK_AT_SEATS 64
/* How often nothing to drop is found in a full queue, which stands still, before it is damaged. */
#define DROP_TRIES 4096
/* A high that is no higher by so many is not looked into. */
#define DEPTH_STEP 256
/* Messages of a batch whose bytes are written together. */
#define PUT_SEVERAL 16

static uint64_t depth_at(const struct cursor *c, uint64_t head)
{
	uint64_t n = (tape_position(c) - head) & TAPE_POSITION_MASK;

	/* The readers may be ahead of a cursor that was left behind. */
	return n > TAPE_POSITION_MASK / 2 ? 0 : n;
}

/* How many messages there are between @head and the cursor. */
static uint64_t depth(const struct queue_seat *s, uint64_t head)
{
	return depth_at(&s->tape.put, head);
}

/* Where the readers are; at least. */
static int see_head(struct queue_seat *s)
{
	int result = tape_find_first(s->tape.store, &s->first);

	if (result == 0)
		s->head_seen = tape_position(&s->first);
	return result;
}

/* The highest number of items is noticed by those who put; exact as long as it rises slowly. */
static void note_depth(struct queue_seat *s, uint64_t n)
{
	uint64_t *most = &queue_control(s)->most_items;
	uint64_t was = load_relaxed(most);	/* relaxed: a counter */

	while (n > was && !cas_seq(most, &was, n))	/* order: COUNT */
		;
}

/* How full it is, as far as matters for @limit: the real depth, or one below the limit. */
static int look_at_depth(struct queue_seat *s, uint64_t limit, uint64_t *ret_depth)
{
	int result = 0;

	*ret_depth = depth(s, s->head_seen);
	if (likely(*ret_depth < limit))
		return 0;
	result = see_head(s);
	*ret_depth = depth(s, s->head_seen);
	if (result == 0)
		note_depth(s, *ret_depth < limit ? *ret_depth + 1 : *ret_depth);
	return result;
}

bool queue_has_room(struct queue_seat *s, const struct queue_want *want)
{
	uint64_t max = s->tape.store->geometry.max_items, n;
	uint64_t body;
	uint8_t *bytes;

	if (s->ended)
		return true;
	if (want->items)
		return look_at_depth(s, max, &n) < 0 || n < max;
	/* What it gets it gets again when it puts. */
	if (chunk_room(&s->tape, &s->purse, want->size, &bytes, &body) == -ENOENT)
		return false;
	chunk_row_undo(&s->tape);
	return true;
}

/* Our cursor is where we have put something last. */
bool queue_has_place(struct queue_seat *s)
{
	const struct weir_queue_geometry *g = &s->tape.store->geometry;
	struct cursor last;

	if (g->max_items == 0 || (g->flags & WEIR_QUEUE_DROP))
		return true;
	if (tape_find_last(s->tape.store, &last) < 0)
		return true;
	tape_put_skip(&last);
	return depth_at(&last, s->head_seen) < g->max_items || see_head(s) < 0 ||
	       depth_at(&last, s->head_seen) < g->max_items;
}

/*
 * Drop the oldest, wherever it is: 0; -EAGAIN: there is none. What was given back may not have been
 * told yet.
 */
static int drop_oldest(struct queue_seat *s)
{
	int result = queue_drop(s);

	if (result == -EAGAIN) {
		s->tape.again_seen = s->tape.again_now - 1;
		result = queue_drop(s);
	}
	/* To take one was to say that we bring something else than a message. */
	if (unlikely(s->polled & (1U << QUEUE_READER)))
		queue_bring(s, QUEUE_READER);
	return result;
}

/*
 * It was full, and there was nothing to drop: somebody has taken it, or the memory is damaged. Then
 * that stays so.
 */
static int look_again(struct queue_seat *s, uint64_t before, uint32_t *tries)
{
	if (s->head_seen != before)
		*tries = 0;
	return ++*tries < DROP_TRIES ? 0 : queue_poison(s->queue);
}

/* Room for one more item: 0, or an error. */
static int find_item(struct queue_seat *s, uint32_t flags, int64_t deadline)
{
	const struct weir_queue_geometry *g = &s->tape.store->geometry;
	struct queue_want want = { .side = QUEUE_WRITER, .items = true };
	uint64_t n, before;
	uint32_t tries = 0;
	int result;

	for (;;) {
		/* A full queue that was shut down is shut down. */
		if (s->ended)
			return -EPIPE;
		before = s->head_seen;
		result = look_at_depth(s, g->max_items, &n);
		if (result < 0)
			return result;
		if (likely(n < g->max_items))
			return 0;
		if (!(g->flags & WEIR_QUEUE_DROP))
			result = queue_wait(s, &want, flags, deadline);
		else if ((result = drop_oldest(s)) == -EAGAIN)
			result = look_again(s, before, &tries);
		if (result < 0)
			return result;
	}
}

static int find_memory_slow(struct queue_seat *s, uint64_t size, uint32_t flags, int64_t deadline,
			    uint8_t **ret_bytes, uint64_t *ret_body)
{
	const struct weir_queue_geometry *g = &s->tape.store->geometry;
	struct queue_want want = { .side = QUEUE_WRITER, .size = size };
	int result = -ENOENT;

	while (result == -ENOENT) {
		if (s->ended)
			return -EPIPE;
		if (g->max_items == 0)
			return -ENOBUFS;
		if (g->flags & WEIR_QUEUE_DROP)
			result = drop_oldest(s);
		/* What takes the memory is not there to be dropped. */
		if (result == -ENOENT || result == -EAGAIN)
			result = queue_wait(s, &want, flags, deadline);
		if (result < 0)
			return result;
		result = chunk_room(&s->tape, &s->purse, size, ret_bytes, ret_body);
	}
	return result;
}

/* Whether somebody who reads, and is not asleep, was last seen on this processor. */
static bool reader_is_here(const struct queue_seat *s)
{
	struct store *store = s->tape.store;
	uint32_t top = store_seat_top(store);
	uint32_t here = (uint32_t)sched_getcpu() + 1;

	for (uint32_t name = 1; name <= top && name <= LOOK_AT_SEATS; name++) {
		struct weir_seat *seat = store_seat(store, name);

		/* relaxed: hints */
		if (seat && seat != s->shared && load_relaxed(&seat->reading_on) == here &&
		    load_relaxed(&seat->inside) != SEAT_ASLEEP)	/* relaxed: as above */
			return true;
	}
	return false;
}

/*
 * A writer that is far ahead fills memory that has long left the processor's cache when it is read.
 * If it is because it keeps a reader from running, let that run.
 */
static NOINLINE void let_readers_run(struct queue_seat *s)
{
	if (see_head(s) == 0 && depth(s, s->head_seen) > DEPTH_FAR && reader_is_here(s))
		sys_yield();
}

static ALWAYS_INLINE int find_memory(struct queue_seat *s, uint64_t size, uint32_t flags,
				     int64_t deadline, uint8_t **ret_bytes, uint64_t *ret_body)
{
	int result = chunk_room(&s->tape, &s->purse, size, ret_bytes, ret_body);

	if (unlikely(result == -ENOENT))
		return find_memory_slow(s, size, flags, deadline, ret_bytes, ret_body);
	/* At the beginning of a chunk. */
	if (unlikely(s->purse.place == 0 && deadline > 0))
		let_readers_run(s);
	return result;
}

/* It seems to be a new high. */
static NOINLINE void count_depth(struct queue_seat *s)
{
	uint64_t n;

	look_at_depth(s, 0, &n);
	/* relaxed: a counter */
	s->depth_noted = load_relaxed(&queue_control(s)->most_items) + DEPTH_STEP;
}

/*
 * As tape_put(), in a queue with a limit: the limit holds for the slot that it comes into, so that
 * is the only one it may come into.
 */
static int put_within_limit(struct queue_seat *s, uint64_t body, uint32_t flags, int64_t deadline)
{
	int result;

	do {
		result = find_item(s, flags, deadline);
		if (result == 0)
			result = tape_put(&s->tape, SLOT_FULL, body, true);
		else if (result == -EAGAIN)
			return result;
	} while (result == -EAGAIN);
	return result;
}

/* No slot left: as no memory. */
static int wait_for_slot(struct queue_seat *s, uint64_t body, uint32_t flags, int64_t deadline)
{
	struct queue_want want = { .side = QUEUE_WRITER, .items = true };
	int result = -ENOENT;

	if (s->tape.store->geometry.max_items == 0)
		return -ENOBUFS;
	while (result == -ENOENT) {
		result = queue_wait(s, &want, flags, deadline);
		if (result == 0)
			result = put_within_limit(s, body, flags, deadline);
	}
	return result;
}

/* Put what is in place: 0, or an error. */
static ALWAYS_INLINE int put(struct queue_seat *s, uint64_t body, uint32_t flags, int64_t deadline)
{
	int result;

	if (unlikely(s->polled & (1U << QUEUE_READER)))
		queue_bring(s, QUEUE_READER);
	if (unlikely(s->tape.store->geometry.max_items > 0))
		result = put_within_limit(s, body, flags, deadline);
	else
		result = tape_put(&s->tape, SLOT_FULL, body, false);
	if (unlikely(result == -ENOENT))
		result = wait_for_slot(s, body, flags, deadline);
	if (unlikely(result < 0))
		return result;
	chunk_used(&s->tape, &s->purse, body);
	if (unlikely(depth(s, s->head_seen) > s->depth_noted))
		count_depth(s);
	return 0;
}

static ALWAYS_INLINE int put_bytes(struct queue_seat *s, const void *data, size_t size,
				   uint32_t flags, int64_t deadline)
{
	uint64_t body;
	uint8_t *bytes;
	int result = find_memory(s, size, flags, deadline, &bytes, &body);

	if (unlikely(result < 0))
		return result;
	prefetch_to_write(s->tape.put.slot);
	prefetch_to_write(bytes + PUT_AHEAD);
	copy_in(bytes, data, size);
	result = put(s, body, flags, deadline);
	if (unlikely(result < 0 && (body & BODY_LARGE)))
		chunk_row_undo(&s->tape);
	return result;
}

int weir_queue_put(struct weir_queue *queue, const void *data, size_t size, uint32_t flags,
		   int64_t deadline)
{
	struct queue_seat *s;
	int result;

	if (unlikely(!queue || (!data && size > 0) || (flags & ~QUEUE_CALL_FLAGS)))
		return -EINVAL;
	result = queue_sit(queue, &s);
	if (unlikely(result < 0))
		return result;
	result = unlikely(s->claimed) ? -EBUSY : put_bytes(s, data, size, flags, deadline);
	if (likely(result == 0))
		queue_ring(s, QUEUE_READER);
	conversing_set();
	queue_rise(s);
	return result;
}

/*
 * Up to PUT_SEVERAL messages that fit into the chunk: first all bytes, then one exchange each. An
 * exchange waits for the stores before it; so they are under way together.
 */
static int put_several(struct queue_seat *s, const struct weir_msg *messages, size_t count)
{
	struct purse *p = &s->purse;
	uint64_t bodies[PUT_SEVERAL], place = p->place;
	size_t n = 0, done = 0;
	int result = 0;

	while (n < count && n < PUT_SEVERAL) {
		const struct weir_msg *m = &messages[n];

		if (m->size == 0 || place + m->size > s->tape.store->chunk_size)
			break;
		prefetch_to_write(p->bytes + place + PUT_AHEAD);
		copy_in(p->bytes + place, m->data, m->size);
		bodies[n++] = (uint64_t)p->chunk << BODY_CHUNK_SHIFT |
			      place / 8 << BODY_PLACE_SHIFT | m->size;
		place = (place + m->size + 7) & ~UINT64_C(7);
	}
	for (; result == 0 && done < n; done += result == 0)
		result = put(s, bodies[done], 0, 0);
	return (int)done;
}

static int put_all(struct queue_seat *s, const struct weir_msg *messages, size_t count,
		   uint32_t flags, int64_t deadline)
{
	size_t done = 0;
	int result = 0;

	while (done < count) {
		const struct weir_msg *m = &messages[done];

		result = put_several(s, m, count - done);
		if (result > 0) {
			done += (size_t)result;
			continue;
		}
		/* Without waiting as long as there is room: who sleeps is to be woken first. */
		result = put_bytes(s, m->data, m->size, flags, 0);
		if (unlikely(result == -EAGAIN)) {
			queue_ring(s, QUEUE_READER);
			result = put_bytes(s, m->data, m->size, flags, deadline);
		}
		if (unlikely(result < 0))
			break;
		done++;
	}
	return done > 0 ? (int)done : result;
}

int weir_queue_put_batch(struct weir_queue *queue, const struct weir_msg *messages, size_t count,
			 uint32_t flags, int64_t deadline)
{
	struct queue_seat *s;
	int result;

	if (!queue || !messages || count == 0 || count > INT32_MAX || (flags & ~QUEUE_CALL_FLAGS))
		return -EINVAL;
	for (size_t i = 0; i < count; i++)
		if (!messages[i].data && messages[i].size > 0)
			return -EINVAL;
	result = queue_sit(queue, &s);
	if (result < 0)
		return result;
	result = s->claimed ? -EBUSY : put_all(s, messages, count, flags, deadline);
	if (result > 0)
		queue_ring(s, QUEUE_READER);
	conversing_set();
	queue_rise(s);
	return result;
}

/*
 * In place
 */

int weir_queue_claim(struct weir_queue *queue, size_t size, uint32_t flags, int64_t deadline,
		     void **ret_data)
{
	struct queue_seat *s;
	int result;

	if (!queue || !ret_data || (flags & ~QUEUE_CALL_FLAGS))
		return -EINVAL;
	result = queue_sit(queue, &s);
	if (result < 0)
		return result;
	result = s->claimed ? -EBUSY : find_memory(s, size, flags, deadline, &s->claim_bytes,
						   &s->claim_body);
	if (result == 0) {
		prefetch_to_write(s->claim_bytes + PUT_AHEAD);
		s->claimed = true;
		s->claim_size = size;
		*ret_data = s->claim_bytes;
	}
	queue_rise(s);
	return result;
}

/* The body of a claim of which @size bytes are used. */
static uint64_t cut_body(const struct queue_seat *s, uint64_t size)
{
	if (s->claim_body & BODY_LARGE)
		return s->claim_body - s->claim_size + size;
	return size == 0 ? BODY_NOWHERE : s->claim_body - s->claim_size + size;
}

int weir_queue_commit(struct weir_queue *queue, size_t size, uint32_t flags, int64_t deadline)
{
	struct queue_seat *s;
	int result;

	if (!queue || (flags & ~QUEUE_CALL_FLAGS))
		return -EINVAL;
	result = queue_sit(queue, &s);
	if (result < 0)
		return result;
	if (!s->claimed || size > s->claim_size) {
		queue_rise(s);
		return -EINVAL;
	}
	result = put(s, cut_body(s, size), flags, deadline);
	if (result == 0) {
		s->claimed = false;
		queue_ring(s, QUEUE_READER);
	}
	conversing_set();
	queue_rise(s);
	return result;
}

int weir_queue_abort(struct weir_queue *queue)
{
	struct queue_seat *s;
	int result;

	if (!queue)
		return -EINVAL;
	result = queue_sit(queue, &s);
	if (result < 0)
		return result;
	result = s->claimed ? 0 : -EINVAL;
	if (s->claimed)
		chunk_row_undo(&s->tape);
	s->claimed = false;
	queue_rise(s);
	return result;
}
