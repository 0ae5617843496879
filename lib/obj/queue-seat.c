/* SPDX-License-Identifier: MIT */
/*
 * Seats. A thread finds its own in a cache of its own, or among those of the handle, where it also
 * takes over those of threads that have ended.
 */
#include "obj/queue.h"

#include <string.h>

#include "base/clock.h"
#include "sys/sys.h"
#include "wait/live.h"
#include "wait/park.h"
#include "wait/party.h"

_Thread_local struct queue_cache queue_cache[QUEUE_CACHED]
	__attribute__((tls_model("initial-exec")));

/* Of this thread; 0: not yet. Threads that come later are not taken for those that have ended. */
static _Thread_local uint64_t thread_number __attribute__((tls_model("initial-exec")));
static uint64_t thread_numbers;

static uint64_t number_of_thread(void)
{
	if (thread_number == 0)
		thread_number = add_relaxed(&thread_numbers, 1) + 1;	/* relaxed: a counter */
	return thread_number;
}

/*
 * In the queue
 */

static bool claim(struct weir_queue *q, uint32_t name, uint64_t *ret_word)
{
	struct weir_seat *seat = store_seat(&q->store, name);

	return seat && party_claim(&seat->name, q->store.control->spaces, ret_word);
}

/* A name that was free; 0: there is none. */
static uint32_t claim_any(struct weir_queue *q, uint64_t *ret_word)
{
	struct weir_queue_control *control = q->store.control;
	/* relaxed: rises only */
	uint32_t top = load_relaxed(&control->seat_top);

	for (uint32_t name = 1; name <= top && name < q->store.geometry.seats; name++)
		if (claim(q, name, ret_word))
			return name;
	while (top + 1 < q->store.geometry.seats) {
		/* Not to be counted if it cannot be mapped; the next one could not either. */
		if (!store_seat(&q->store, top + 1))
			return 0;
		/* order: PARTY: those who look at all see it */
		if (!cas_seq(&control->seat_top, &top, top + 1))
			continue;
		if (claim(q, ++top, ret_word))
			return top;
	}
	return 0;
}

static void forget_ledger(struct weir_seat *seat, uint64_t word)
{
	/* relaxed: LEDGER; what stands there from the one before us was cleaned up */
	store_relaxed(&seat->image, party_image(word));
	store_relaxed(&seat->levels, 0);	/* relaxed: as above */
	store_relaxed(&seat->taking, 0);	/* relaxed: as above */
	store_relaxed(&seat->taking_again, 0);	/* relaxed: as above */
	store_relaxed(&seat->frame, 0);		/* relaxed: as above */
	store_relaxed(&seat->filling, 0);	/* relaxed: as above */
	store_relaxed(&seat->row, 0);		/* relaxed: as above */
	store_relaxed(&seat->giving, 0);	/* relaxed: as above */
	store_relaxed(&seat->leases, 0);	/* relaxed: as above */
	store_relaxed(&seat->reading_on, 0);	/* relaxed: as above */
	store_relaxed(&seat->many, 0);		/* relaxed: as above */
	for (uint32_t i = 0; i < SEAT_FRAMES; i++)
		store_relaxed(&seat->lease_frames[i], 0);	/* relaxed: as above */
}

/* Dead ones are in the way of the living when there is no room, and now and then. */
static uint32_t claim_or_mend(struct weir_queue *q, uint64_t *ret_word)
{
	uint32_t name = claim_any(q, ret_word);

	if (name == 0 && queue_mend_all(q) > 0)
		name = claim_any(q, ret_word);
	return name;
}

/*
 * In the handle
 */

static enum backlog_mode backlog_mode(const struct weir_queue *q)
{
	if (q->store.geometry.flags & WEIR_QUEUE_LATENCY)
		return BACKLOG_NEVER;
	return q->store.geometry.flags & WEIR_QUEUE_THROUGHPUT ? BACKLOG_ALWAYS : BACKLOG_OFF;
}

/* Have a seat in the queue for the seat of the handle. */
static int open_seat(struct weir_queue *q, struct queue_seat *s)
{
	size_t rest = offsetof(struct queue_seat, word);
	uint64_t word;
	uint32_t name;
	int result;

	name = claim_or_mend(q, &word);
	if (name == 0)
		return store_seat_top(&q->store) + 1 < q->store.geometry.seats ? -ENOMEM : -EUSERS;
	/* Not the thread, or another one could have it; the name is 0. */
	memset((uint8_t *)s + rest, 0, sizeof(*s) - rest);
	s->queue = q;
	s->word = word;
	s->shared = store_seat(&q->store, name);
	forget_ledger(s->shared, word);
	s->tape = (struct tape){ .store = &q->store, .seat = s->shared, .name = name };
	purse_open(&s->purse);
	s->backlog.mode = backlog_mode(q);
	s->may_spin = park_may_spin();
	s->spin_ns = PARK_SPIN_NS;
	/* Nothing that it could be: the first call looks at all. */
	s->notice_seen = UINT64_MAX;
	result = tape_put_find(&s->tape);
	if (result == 0)
		result = tape_get_find(&s->tape);
	store_release(&s->name, name);	/* order: THREAD release: it can be looked into */
	if (result < 0) {
		queue_leave_seat(s);
		return result;
	}
	return 0;
}

/* Whether @s is now the thread's. One that was somebody's keeps its name. */
static bool have(struct queue_seat *s, uint32_t me)
{
	uint32_t was = load_relaxed(&s->thread);	/* relaxed: the exchange finds out */
	bool free = was == 0 || sys_thread_ended(was);

	if (!free || !cas_acquire(&s->thread, &was, me))	/* order: THREAD acquire */
		return false;
	store_relaxed(&s->number, number_of_thread());	/* relaxed: means something to us alone */
	return true;
}

static bool is_mine(const struct queue_seat *s)
{
	/* relaxed: ours or not; 0 in the memory of a forked child */
	return thread_number != 0 && load_relaxed(&s->number) == thread_number;
}

static struct queue_seat *block_of(struct weir_queue *q, uint32_t index, bool make)
{
	size_t size = QUEUE_BLOCK_SEATS * sizeof(struct queue_seat);

	if (make)
		return sys_wiped_once(&q->blocks[index], size);
	return load_acquire(&q->blocks[index]);	/* order: WIPED acquire */
}

static struct queue_seat *mine(struct weir_queue *q)
{
	/* order: WIPED acquire: one that another thread has made */
	struct queue_seat *last = load_acquire(&q->last);

	if (last && is_mine(last))
		return last;
	for (uint32_t i = 0; i < QUEUE_BLOCKS; i++) {
		struct queue_seat *block = block_of(q, i, false);

		for (uint32_t k = 0; block && k < QUEUE_BLOCK_SEATS; k++)
			if (is_mine(&block[k]))
				return &block[k];
		if (!block)
			break;
	}
	return NULL;
}

static struct queue_seat *another(struct weir_queue *q, uint32_t me)
{
	for (uint32_t i = 0; i < QUEUE_BLOCKS; i++) {
		struct queue_seat *block = block_of(q, i, true);

		for (uint32_t k = 0; block && k < QUEUE_BLOCK_SEATS; k++)
			if (have(&block[k], me))
				return &block[k];
		if (!block)
			break;
	}
	return NULL;
}

struct queue_seat *queue_find_seat(struct weir_queue *q, uint32_t name)
{
	for (uint32_t i = 0; i < QUEUE_BLOCKS; i++) {
		struct queue_seat *block = block_of(q, i, false);

		for (uint32_t k = 0; block && k < QUEUE_BLOCK_SEATS; k++)
			/* order: THREAD acquire, from open_seat() */
			if (load_acquire(&block[k].name) == name)
				return &block[k];
		if (!block)
			break;
	}
	return NULL;
}

/* From a thread that has ended. A claim of it was never put. */
static void take_over(struct queue_seat *s)
{
	/* order: INSIDE acquire, from its last queue_rise(): the seat as it left it */
	(void)load_acquire(&s->shared->inside);
	if (s->claimed)
		chunk_row_undo(&s->tape);
	s->claimed = false;
}

int queue_sit_slow(struct weir_queue *q, struct queue_seat **ret_seat)
{
	struct queue_seat *s = mine(q);
	bool old = s;
	int result = 0;

	if (!s)
		s = another(q, sys_thread());
	if (!s)
		return -ENOMEM;
	/* order: THREAD acquire, from open_seat() by whoever had it before */
	if (load_acquire(&s->name) == 0)
		result = open_seat(q, s);
	else if (!old)
		take_over(s);
	if (result < 0) {
		store_release(&s->thread, 0);	/* order: THREAD release, to have() */
		return result;
	}
	store_release(&q->last, s);	/* order: WIPED release, to mine() */
	queue_cache[q->number % QUEUE_CACHED] = (struct queue_cache){ q->number, s };
	*ret_seat = s;
	return 0;
}

/* Somebody waits for memory: what we only keep at hand is given back. */
static void feed(struct queue_seat *s)
{
	if (!s->claimed)
		chunk_seal(&s->tape, &s->purse);
	if (chunk_forget(&s->tape, &s->purse))
		queue_ring(s, QUEUE_WRITER);
}

int queue_notice(struct queue_seat *s, bool asleep)
{
	struct weir_queue_control *control = queue_control(s);
	/* order: AGAIN acquire: what was given back is there */
	uint64_t notice = load_acquire(&control->notice);

	if (load_relaxed(&s->queue->closing))	/* relaxed: stands for itself */
		return -ESHUTDOWN;
	if (notice & NOTICE_POISONED)
		return -EBADMSG;
	if ((notice & NOTICE_DEEP) && !asleep) {
		queue_rouse(s->queue);
		notice &= ~NOTICE_DEEP;
	}
	if ((notice & NOTICE_HUNGRY) && !asleep)
		feed(s);
	s->tape.again_now = (uint32_t)(notice >> 32);
	s->now = notice & NOTICE_NOW;
	s->polled = (uint8_t)((notice & NOTICE_POLLED) >> NOTICE_POLLED_SHIFT);
	s->ended = notice & NOTICE_ENDED;
	/* These are looked into with each call. */
	s->notice_seen = notice & (NOTICE_HUNGRY | NOTICE_DEEP) ? UINT64_MAX : notice;
	return 0;
}

void queue_leave_seat(struct queue_seat *s)
{
	struct weir_queue *q = s->queue;

	queue_empty_seat(q, s->name, s->word);
	store_relaxed(&s->name, 0);	/* relaxed: the thread's, or all are out */
}
