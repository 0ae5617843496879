/* SPDX-License-Identifier: MIT */
/*
 * Getting: one compare-and-swap makes a message ours, then it is copied out and released.
 */
#include "obj/queue.h"

#include <string.h>

#include "base/clock.h"
#include "ring/copy.h"

/* Messages that are enough of a backlog. */
#define BACKLOG_ENOUGH	256
#define BACKLOG_TURNS	16

/*
 * Finding
 */

/* What was given back. 1, 0, or an error. */
static int find_again(struct queue_seat *s, struct queue_found *ret)
{
	uint32_t now = s->again_now;
	int result = tape_find_again(&s->tape, &ret->slot, &ret->state, &ret->body);

	ret->again = true;
	if (result == 0)
		s->again_seen = now;
	return result;
}

static int drop_all(struct queue_seat *s)
{
	int result;

	s->now = false;
	do
		result = queue_drop(s);
	while (result == 0);
	s->now = true;
	return result;
}

static NOINLINE int find_unusual(struct queue_seat *s, struct queue_found *ret)
{
	int result = 0;

	if (s->now) {
		result = drop_all(s);
		return result == -EAGAIN ? -EPIPE : result;
	}
	if (s->again_seen != s->again_now)
		result = find_again(s, ret);
	return result;
}

int queue_find(struct queue_seat *s, struct queue_found *ret)
{
	int result;

	if (unlikely(s->again_seen != s->again_now || s->now)) {
		result = find_unusual(s, ret);
		if (result < 0)
			return result;
		if (result == 1)
			goto found;
	}
	result = tape_look(&s->tape, &ret->state, &ret->body);
	if (result <= 0)
		return result == -EBADMSG ? queue_poison(s->queue) : result;
	ret->slot = s->tape.get.slot;
	ret->again = false;
found:
	if (unlikely(!chunk_find(s->tape.store, ret->body, &ret->bytes, &ret->size)))
		return queue_poison(s->queue);
	return 1;
}

bool queue_take_found(struct queue_seat *s, const struct queue_found *f, uint64_t leased)
{
	if (!tape_take(&s->tape, f->slot, f->state, leased))
		return false;
	if (likely(!f->again))
		s->tape.get.slot = f->slot + 1;
	return true;
}

void queue_done_with(struct queue_seat *s, uint64_t body)
{
	if (unlikely(chunk_saw(&s->tape, &s->purse, body)))
		queue_ring(s, QUEUE_WRITER);
	else if (unlikely(s->tape.store->geometry.max_items > 0))
		queue_ring(s, QUEUE_WRITER);
}

static ALWAYS_INLINE void release(struct queue_seat *s, const struct queue_found *f)
{
	tape_release(f->slot, f->state & NUMBER_MASK);
	if (unlikely(f->again))
		store_relaxed(&s->shared->taking_again, 0);	/* relaxed: LEDGER */
	queue_done_with(s, f->body);
}

int queue_drop(struct queue_seat *s)
{
	struct queue_found f;
	int result;

	do {
		result = queue_find(s, &f);
		if (result <= 0)
			return result == 0 ? -EAGAIN : result;
	} while (!queue_take_found(s, &f, 0));
	release(s, &f);
	add_relaxed(&queue_control(s)->drops, 1);	/* relaxed: a counter */
	return 0;
}

/*
 * Waiting for several
 */

/* Whether there are @count messages in this segment. */
static bool has_backlog(const struct queue_seat *s)
{
	const struct cursor *c = &s->tape.get;
	uint64_t state;

	if (!c->end || c->end - c->slot <= BACKLOG_ENOUGH)
		return false;
	state = load_relaxed(&c->slot[BACKLOG_ENOUGH].state);	/* relaxed: a hint */
	return tape_distance(c, state) >= 0;
}

/* Found nothing: whether it has waited, so that a look is due. */
static bool let_it_build(struct queue_seat *s)
{
	int64_t until;

	if (likely(!backlog_due(&s->backlog, tape_position(&s->tape.get) * 64, s->conversing)))
		return false;
	until = clock_now() + BACKLOG_WAIT_NS;
	do {
		for (int i = 0; i < BACKLOG_TURNS; i++)
			cpu_relax();
	} while (!has_backlog(s) && clock_now() < until);
	return true;
}

/* Like queue_find(), waiting: 1, or an error. */
static NOINLINE int wait_and_find(struct queue_seat *s, uint32_t flags, int64_t deadline,
				  struct queue_found *ret)
{
	struct queue_want want = { .side = QUEUE_READER };
	int result;

	if (let_it_build(s)) {
		result = queue_find(s, ret);
		if (result != 0)
			return result;
	}
	for (;;) {
		if (deadline <= 0)
			return -EAGAIN;
		result = queue_wait(s, &want, flags, deadline);
		/* It may have come in the last moment. */
		if (result < 0 && result != -ETIMEDOUT && result != -EINTR)
			return result;
		int found = queue_find(s, ret);

		if (found != 0)
			return found;
		if (result < 0)
			return result;
	}
}

/*
 * The calls
 */

static ALWAYS_INLINE int get_one(struct queue_seat *s, struct weir_msg *m, uint32_t flags,
				 int64_t deadline, bool wait)
{
	struct queue_found f;
	int result;

	do {
		result = queue_find(s, &f);
		if (unlikely(result <= 0)) {
			if (result < 0)
				return result;
			if (!wait)
				return -EAGAIN;
			result = wait_and_find(s, flags, deadline, &f);
			if (result < 0)
				return result;
		}
		m->size = f.size;
		if (unlikely(f.size > m->room))
			return -EMSGSIZE;
	} while (unlikely(!queue_take_found(s, &f, 0)));
	copy_out(m->data, f.bytes, f.size);
	release(s, &f);
	return 0;
}

int weir_queue_get(struct weir_queue *queue, void *buffer, size_t size, uint32_t flags,
		   int64_t deadline, size_t *ret_size)
{
	struct weir_msg m = { .data = buffer, .room = size };
	struct queue_seat *s;
	int result;

	if (unlikely(!queue || (!buffer && size > 0) || (flags & ~QUEUE_CALL_FLAGS)))
		return -EINVAL;
	result = queue_sit(queue, &s);
	if (unlikely(result < 0))
		return result;
	result = get_one(s, &m, flags, deadline, true);
	if (ret_size && (result == 0 || result == -EMSGSIZE))
		*ret_size = m.size;
	s->conversing = false;
	queue_rise(s);
	return result;
}

int weir_queue_get_batch(struct weir_queue *queue, struct weir_msg *messages, size_t count,
			 uint32_t flags, int64_t deadline)
{
	struct queue_seat *s;
	size_t done = 0;
	int result;

	if (!queue || !messages || count == 0 || count > INT32_MAX || (flags & ~QUEUE_CALL_FLAGS))
		return -EINVAL;
	for (size_t i = 0; i < count; i++)
		if (!messages[i].data && messages[i].room > 0)
			return -EINVAL;
	result = queue_sit(queue, &s);
	if (result < 0)
		return result;
	do
		result = get_one(s, &messages[done], flags, deadline, done == 0);
	while (result == 0 && ++done < count);
	s->conversing = false;
	queue_rise(s);
	return done > 0 ? (int)done : result;
}

int weir_queue_peek(struct weir_queue *queue, size_t *ret_size)
{
	struct queue_found f;
	struct queue_seat *s;
	int result;

	if (!queue || !ret_size)
		return -EINVAL;
	result = queue_sit(queue, &s);
	if (result < 0)
		return result;
	result = queue_find(s, &f);
	if (result == 1) {
		*ret_size = f.size;
		/* Only looked at. */
		store_relaxed(&s->shared->taking_again, 0);	/* relaxed: LEDGER */
	}
	queue_rise(s);
	return result == 1 ? 0 : result == 0 ? -EAGAIN : result;
}
