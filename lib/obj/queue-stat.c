/* SPDX-License-Identifier: MIT */
/* The counters; and what is counted for weir_queue_join(). */
#include "obj/queue.h"

#include <string.h>

#include "base/clock.h"

/* How long a join sleeps before it looks for itself. */
#define JOIN_NS (20 * NS_PER_MS)

/* How many messages were ever put. */
static int count_puts(struct store *s, uint64_t *ret_puts)
{
	struct cursor last;
	int result = tape_find_last(s, &last);

	if (result < 0)
		return result;
	tape_put_skip(&last);
	*ret_puts = (tape_position(&last) - s->geometry.first_number * QUEUE_SLOTS) &
		    TAPE_POSITION_MASK;
	return 0;
}

/* Add what is in a segment. */
static void count_slots(const struct weir_slot *slots, uint64_t number, struct weir_queue_stat *st)
{
	for (uint32_t i = 0; i < QUEUE_SLOTS; i++) {
		uint64_t state = load_relaxed(&slots[i].state);	/* relaxed: counts only */

		if ((state & NUMBER_MASK) != number)
			continue;
		st->items += (state & SLOT_WHAT) == SLOT_FULL;
		st->taken += (state & SLOT_WHAT) == SLOT_TAKEN;
	}
}

static int count_items(struct store *s, struct weir_queue_stat *st)
{
	struct cursor first = { 0 }, last;
	int result = tape_find_first(s, &first);
	uint32_t top = store_frame_top(s);

	if (result == 0)
		result = tape_find_last(s, &last);
	for (uint32_t i = 0; result == 0 && i < top; i++) {
		struct weir_frame *frame = store_frame(s, i);
		struct weir_slot *slots = store_slots(s, i);
		uint64_t word;

		if (!frame || !slots)
			return -ENOMEM;
		word = load_acquire(&frame->word);	/* order: FRAME acquire */
		st->bytes += word & FRAME_WARM ? QUEUE_SLOTS * sizeof(*slots) : 0;
		if ((word & FRAME_STATE) != FRAME_LIVE || tape_distance(&last, word) > 0)
			continue;
		/* Between the two ends all are full. */
		if (tape_distance(&first, word) > 0 && tape_distance(&last, word) < 0)
			st->items += QUEUE_SLOTS;
		else
			count_slots(slots, PLACE_NUMBER(word), st);
	}
	return result;
}

static void count_seats(struct store *s, struct weir_queue_stat *st)
{
	uint32_t top = store_seat_top(s);

	for (uint32_t name = 1; name <= top; name++) {
		struct weir_seat *seat = store_seat(s, name);

		if (!seat)
			return;
		st->wakes_saved += load_relaxed(&seat->saved);	/* relaxed: counts only */
		/* relaxed: counts only */
		if ((load_relaxed(&seat->name.low) & PARTY_STATE) != PARTY_USED)
			continue;
		st->users++;
		/* relaxed: counts only */
		st->sleepers += load_relaxed(&seat->inside) == SEAT_ASLEEP;
	}
}

static void count_chunks(struct store *s, struct weir_queue_stat *st)
{
	uint32_t top = load_relaxed(&s->control->chunk_top);	/* relaxed: counts only */

	for (uint32_t i = 0; i < top && i < s->geometry.chunks; i++) {
		struct weir_chunk *c = store_chunk(s, i);

		/* relaxed: counts only */
		if (c && (load_relaxed(&c->words.low) & CHUNK_WARM))
			st->bytes += s->chunk_size;
	}
}

static int fill(struct store *s, struct weir_queue_stat *st)
{
	struct weir_queue_control *control = s->control;
	uint64_t away;
	int result = count_items(s, st);

	if (result == 0)
		result = count_puts(s, &st->puts);
	if (result < 0)
		return result;
	count_seats(s, st);
	count_chunks(s, st);
	st->max_items = s->geometry.max_items;
	st->max_bytes = s->geometry.max_bytes;
	st->drops = load_relaxed(&control->drops);	/* relaxed: counts only */
	st->returned = load_relaxed(&control->returned);	/* relaxed: counts only */
	st->deaths = load_relaxed(&control->deaths);	/* relaxed: counts only */
	st->wakes = load_relaxed(&control->wakes);	/* relaxed: counts only */
	st->most_items = load_relaxed(&control->most_items);	/* relaxed: counts only */
	if (st->most_items < st->items)
		st->most_items = st->items;
	away = st->items + st->taken + st->drops;
	st->gets = st->puts > away ? st->puts - away : 0;
	away = st->drops + load_relaxed(&control->done);	/* relaxed: counts only */
	st->unfinished = st->puts > away ? st->puts - away : 0;
	return 0;
}

static int read_stat(struct store *s, struct weir_queue_stat *ret_stat)
{
	struct weir_queue_stat st = { 0 };
	int result;

	st.size = ret_stat->size < sizeof(st) ? ret_stat->size : sizeof(st);
	result = fill(s, &st);
	if (result == 0)
		memcpy(ret_stat, &st, st.size);
	return result;
}

int weir_queue_stat(struct weir_queue *queue, struct weir_queue_stat *ret_stat)
{
	if (!queue || !ret_stat || ret_stat->size < sizeof(size_t))
		return -EINVAL;
	return read_stat(&queue->store, ret_stat);
}

int weir_queue_stat_fd(int fd, struct weir_queue_stat *ret_stat)
{
	struct store store;
	int result;

	if (!ret_stat || ret_stat->size < sizeof(size_t))
		return -EINVAL;
	result = store_look_at(&store, fd);
	if (result < 0)
		return result;
	result = queue_check_geometry(&store.geometry);
	/* What it helps on on its way is helped on in our copy. */
	if (result == 0)
		result = read_stat(&store, ret_stat);
	store_destroy(&store);
	return result;
}

int weir_queue_memory(struct weir_queue *queue)
{
	return queue ? queue->store.fd : -EINVAL;
}

int64_t weir_queue_size(struct weir_queue *queue)
{
	struct weir_queue_stat st = { 0 };
	int result;

	if (!queue)
		return -EINVAL;
	result = count_items(&queue->store, &st);
	return result < 0 ? result : (int64_t)st.items;
}

int weir_queue_empty(struct weir_queue *queue)
{
	int64_t size = weir_queue_size(queue);

	return size < 0 ? (int)size : size == 0;
}

int weir_queue_full(struct weir_queue *queue)
{
	int64_t size = weir_queue_size(queue);
	uint64_t max;

	if (size < 0)
		return (int)size;
	max = queue->store.geometry.max_items;
	return max > 0 && (uint64_t)size >= max;
}

/*
 * Tasks
 */

/* How many are not done yet. */
static int unfinished(struct store *s, uint64_t *ret_done, uint64_t *ret_count)
{
	uint64_t puts, drops = load_relaxed(&s->control->drops);	/* relaxed: a counter */
	int result;

	*ret_done = load_seq(&s->control->done);	/* order: TASK */
	result = count_puts(s, &puts);
	if (result == 0)
		*ret_count = puts > drops + *ret_done ? puts - drops - *ret_done : 0;
	return result;
}

int weir_queue_task_done(struct weir_queue *queue)
{
	struct weir_queue_control *control;
	uint64_t done, left;
	int result;

	if (!queue)
		return -EINVAL;
	control = queue->store.control;
	do {
		result = unfinished(&queue->store, &done, &left);
		if (result < 0)
			return result;
		if (left == 0)
			return -ERANGE;
	} while (!cas_seq(&control->done, &done, done + 1));	/* order: TASK */
	if (left == 1 && bell_state(&control->join_bell) != BELL_QUIET)
		bell_ring_all(&control->join_bell);
	return 0;
}

static int join(struct weir_queue *queue, uint32_t flags, int64_t deadline)
{
	struct weir_queue_control *control = queue->store.control;
	int result = 0;

	for (;;) {
		uint32_t listened = bell_listen(&control->join_bell);
		uint64_t done, left;
		int looked = unfinished(&queue->store, &done, &left);
		int64_t now = clock_now();

		if (looked < 0 || left == 0)
			return looked;
		if (load_relaxed(&queue->closing))	/* relaxed: stands for itself */
			return -ESHUTDOWN;
		/* relaxed: stands for itself */
		if (load_relaxed(&control->notice) & NOTICE_POISONED)
			return -EBADMSG;
		if (result == -EINTR && (flags & WEIR_INTR))
			return -EINTR;
		if (now >= deadline)
			return deadline <= 0 ? -EAGAIN : -ETIMEDOUT;
		result = bell_sleep(&control->join_bell, listened,
				    clock_cap(deadline, now, JOIN_NS));
	}
}

int weir_queue_join(struct weir_queue *queue, uint32_t flags, int64_t deadline)
{
	struct queue_seat *s;
	int result;

	if (!queue || (flags & ~QUEUE_CALL_FLAGS))
		return -EINVAL;
	result = queue_sit(queue, &s);
	if (result < 0)
		return result;
	store_relaxed(&s->shared->inside, SEAT_ASLEEP);	/* relaxed: INSIDE: we hold nothing */
	result = join(queue, flags, deadline);
	queue_rise(s);
	return result;
}
