/* SPDX-License-Identifier: MIT */
/*
 * Getting: one compare-and-swap makes a message ours, then it is copied out and released.
 */
#include "obj/queue.h"

#include <sched.h>
#include <string.h>

#include "base/clock.h"
#include "ring/copy.h"

/* Messages that are enough of a backlog. */
#define BACKLOG_ENOUGH	256
#define BACKLOG_TURNS	16
#define DRY_POLLS	4096
#define DRY_NS		(100 * NS_PER_MS)
/*
 * How far ahead of itself a seat asks for the bytes that it will read: the exchange that takes a
 * message lets no load overtake it.
 */
#define GET_AHEAD	1024
/* Messages of a batch that are taken together. */
#define GET_SEVERAL	16
/* Messages in a row that are a stream. */
#define STREAM_STREAK	16

/*
 * Finding
 */

/* What was given back. 1, 0, or an error. */
static int find_again(struct queue_seat *s, struct queue_found *ret)
{
	uint32_t now = s->tape.again_now;
	int result = tape_find_again(&s->tape, &ret->slot, &ret->state, &ret->body);

	if (result == 1)
		ret->again = true;
	if (result == 0)
		s->tape.again_seen = now;
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

int queue_find_unusual(struct queue_seat *s, struct queue_found *ret)
{
	int result = 0;

	if (s->now) {
		result = drop_all(s);
		return result == -EAGAIN ? -EPIPE : result;
	}
	if (s->tape.again_seen != s->tape.again_now)
		result = find_again(s, ret);
	return result;
}

int queue_find_at_end(struct queue_seat *s, int error, struct queue_found *ret)
{
	int result;

	if (error == -EBADMSG)
		return queue_poison(s->queue);
	/* On the way here it may have been left behind: in what it left out something may lie. */
	if (error != -EPIPE || s->tape.again_seen == s->tape.again_now)
		return error;
	result = queue_find_unusual(s, ret);
	return result == 0 ? error : result;
}

static ALWAYS_INLINE void release(struct queue_seat *s, const struct queue_found *f)
{
	tape_release(f->slot, f->state & NUMBER_MASK);
	if (unlikely(f->again))
		store_relaxed(&s->shared->taking_again, 0);	/* relaxed: LEDGER */
	queue_done_with(s, f->body);
}

void queue_saw_chunk(struct queue_seat *s)
{
	uint32_t here = (uint32_t)sched_getcpu() + 1;

	/* relaxed: a hint */
	if (load_relaxed(&s->shared->reading_on) != here)
		store_relaxed(&s->shared->reading_on, here);	/* relaxed: as above */
	/* Who never sleeps must look, too. */
	queue_look_around(s);
	queue_ring(s, QUEUE_WRITER);
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

	if (likely(!backlog_due(&s->backlog, tape_position(&s->tape.get) * 64, conversing_now)))
		return false;
	until = clock_now() + BACKLOG_WAIT_NS;
	do {
		for (int i = 0; i < BACKLOG_TURNS; i++)
			cpu_relax();
	} while (!has_backlog(s) && clock_now() < until);
	return true;
}

/* A getter who only polls, in vain for long: memory that was needed once is given back. */
static void count_dry(struct queue_seat *s)
{
	uint64_t position = tape_position(&s->tape.get);
	int64_t now;

	if (position != s->dry_at) {
		s->dry_at = position;
		s->dry_polls = 0;
		s->dry_since = 0;
	}
	if (++s->dry_polls % DRY_POLLS != 0)
		return;
	queue_look_around(s);
	now = clock_now();
	if (s->dry_since == 0)
		s->dry_since = now;
	if (now - s->dry_since < DRY_NS)
		return;
	chunk_forget(&s->tape, &s->purse);
	frame_trim(&s->tape);
	chunk_trim(&s->tape);
	s->dry_since = now;
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
		if (deadline <= 0) {
			count_dry(s);
			queue_found_nothing(s, &want);
			return -EAGAIN;
		}
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

/*
 * Ask for the bytes before the exchange, which nothing overtakes; and in a stream for the lines
 * that come later. Right behind the writer that would be to take them from him.
 */
static ALWAYS_INLINE void look_ahead(struct queue_seat *s, const struct queue_found *f)
{
	__builtin_prefetch(f->bytes);
	if (s->streak++ < STREAM_STREAK)
		return;
	__builtin_prefetch(f->bytes + GET_AHEAD);
	prefetch_to_write(f->slot + TAPE_AHEAD);
}

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
			s->streak = 0;
			if (!wait)
				return -EAGAIN;
			result = wait_and_find(s, flags, deadline, &f);
			if (result < 0)
				return result;
		}
		m->size = f.size;
		if (unlikely(f.size > m->room)) {
			/* relaxed: if somebody took it meanwhile the size was nothing */
			if (load_relaxed(&f.slot->state) != f.state)
				continue;
			return -EMSGSIZE;
		}
		look_ahead(s, &f);
	} while (unlikely(!queue_take_found(s, &f, 0)));
	copy_out(m->data, f.bytes, f.size);
	release(s, &f);
	conversing_clear();
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
	queue_rise(s);
	return result;
}

/* Whether a message is right at the cursor, which stays in its segment, and nothing is unusual. */
static ALWAYS_INLINE bool find_next(struct queue_seat *s, struct queue_found *ret)
{
	const struct cursor *c = &s->tape.get;

	if (c->slot == c->end || s->tape.again_seen != s->tape.again_now || s->now)
		return false;
	/* order: PUT acquire, from tape_put(): the message. */
	ret->state = load_acquire(&c->slot->state);
	if (tape_distance(c, ret->state) != 0 || (ret->state & SLOT_WHAT) != SLOT_FULL)
		return false;
	ret->slot = c->slot;
	ret->again = false;
	ret->body = load_relaxed(&c->slot->body);	/* relaxed: as in tape_look() */
	return chunk_find(s->tape.store, ret->body, &ret->bytes, &ret->size);
}

/*
 * Take up to @count messages that are there, in one segment, then copy them out, then release them:
 * an exchange waits for all loads and stores before it, so it is best to have them together.
 */
static int get_several(struct queue_seat *s, struct weir_msg *messages, size_t count)
{
	struct queue_found found[GET_SEVERAL];
	size_t n = 0;

	while (n < count && n < GET_SEVERAL && find_next(s, &found[n])) {
		struct queue_found *f = &found[n];

		if (f->size > messages[n].room)
			break;
		look_ahead(s, f);
		if (queue_take_found(s, f, 0))
			n++;
	}
	for (size_t i = 0; i < n; i++) {
		messages[i].size = found[i].size;
		copy_out(messages[i].data, found[i].bytes, found[i].size);
	}
	for (size_t i = 0; i < n; i++)
		release(s, &found[i]);
	if (n > 0)
		conversing_clear();
	return (int)n;
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
	do {
		done += (size_t)get_several(s, messages + done, count - done);
		if (done == count)
			break;
		/* The end of a segment, something unusual, or nothing. */
		result = get_one(s, &messages[done], flags, deadline, done == 0);
	} while (result == 0 && ++done < count);
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
