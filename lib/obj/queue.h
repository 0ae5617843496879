/* SPDX-License-Identifier: MIT */
/*
 * Inside a queue: a handle, and in it a seat for each thread that uses it.
 *
 *	queue.c		making, attaching, closing; the end
 *	queue-seat.c	which seat a thread has, and getting one
 *	queue-put.c, queue-get.c, queue-take.c	the calls
 *	queue-wait.c	sleeping
 *	queue-level.c	descriptors for those who poll
 *	queue-source.c	the same for wait sets
 *	queue-mend.c	cleaning up after the dead
 *	queue-stat.c	the counters
 *
 * doc/design/queue.md has the whole story.
 */
#ifndef WEIR_OBJ_QUEUE_H
#define WEIR_OBJ_QUEUE_H

#include "mem/store.h"
#include "obj/watched.h"
#include "ring/backlog.h"
#include "ring/chunk.h"
#include "ring/conversing.h"
#include "ring/frame.h"
#include "ring/tape.h"
#include "wait/bell.h"
#include "weir/queue.h"

#define QUEUE_CALL_FLAGS	(WEIR_INTR | WEIR_NOSPIN)
#define QUEUE_OPTION_FLAGS	(WEIR_QUEUE_DROP | WEIR_QUEUE_LATENCY | WEIR_QUEUE_THROUGHPUT)

/* A thread's seat. In memory that a forked child sees zeroed: the child's threads get their own. */
struct queue_seat {
	uint32_t thread;	/* whose it is; 0: nobody's */
	uint32_t name;		/* in the queue; 0: not yet */
	uint64_t number;	/* of the thread, of all that this process has had */
	uint64_t word;		/* of the name, with its generation */
	struct weir_seat *shared;
	struct weir_queue *queue;
	struct tape tape;
	struct purse purse;
	struct backlog backlog;
	uint64_t notice_seen;
	bool ended;		/* the queue was shut down */
	bool now;		/* and is to be emptied */
	bool may_spin;
	uint8_t polled;		/* 1 << side: somebody polls; QUEUE_LEVEL(side): not for edges */
	int64_t level_checked;	/* when we last looked whether a descriptor is readable in vain */
	int64_t spin_ns;
	int64_t looked_at;	/* when we last looked after the dead */
	uint32_t streak;	/* messages found since there was none */
	uint32_t dry_polls;	/* in vain, one after the other */
	int64_t dry_since;
	uint64_t dry_at;	/* the position */
	struct cursor first;	/* the readers' place, as we last saw it */
	uint64_t head_seen;	/* its position */
	uint64_t depth_noted;	/* depths up to this are no news */
	/* A claim. */
	bool claimed;
	uint8_t *claim_bytes;
	uint64_t claim_size;
	uint64_t claim_body;
	/* How many leases there are in each of shared->lease_frames; by any thread. */
	uint32_t lease_counts[SEAT_FRAMES];
	uint32_t leases_many;	/* in other frames */
};

#define QUEUE_BLOCK_SEATS	16U
#define QUEUE_BLOCKS		(QUEUE_SEATS_MAX / QUEUE_BLOCK_SEATS)

/* Who waits: for messages, for room. */
enum queue_side {
	QUEUE_READER,
	QUEUE_WRITER,
	QUEUE_SIDES
};

#define QUEUE_LEVEL(side)	(1U << (NOTICE_LEVEL_SHIFT - NOTICE_POLLED_SHIFT + (side)))

struct weir_queue {
	uint32_t kind;		/* WEIR_KIND_QUEUE; first in every object */
	uint32_t closing;
	uint64_t number;	/* of all queues that this process and its parents have had */
	struct store store;
	int levels[QUEUE_SIDES];	/* eventfds: is there a message; is there room */
	uint64_t room;		/* what memory a put that is to be polled has not found; 0: none */
	struct watched watched;
	void *blocks[QUEUE_BLOCKS];	/* struct queue_seat[QUEUE_BLOCK_SEATS] each */
	struct queue_seat *last;	/* that was looked for among them */
};

/* The seats that this thread used last, by the numbers of their queues. */
struct queue_cache {
	uint64_t queue;
	struct queue_seat *seat;
};

#define QUEUE_CACHED 4U

extern _Thread_local struct queue_cache queue_cache[QUEUE_CACHED]
	__attribute__((tls_model("initial-exec")));

/* What a sleeper waits for. */
struct queue_want {
	enum queue_side side;
	uint64_t size;		/* writer: of the message */
	bool items;		/* writer: an item less, not memory */
};

/* queue.c */
/* Whether a queue that came from elsewhere is one that could have been made here: 0, -EBADMSG. */
int queue_check_geometry(const struct weir_queue_geometry *g);
/*
 * A handle of the queue that @fds[0] holds, with its levels behind that; those that are used up are
 * -1 then, also after an error.
 */
int queue_attach(int fds[1 + QUEUE_SIDES], struct weir_queue **ret_queue);
int queue_poison(struct weir_queue *q);

/* queue-seat.c */
int queue_sit_slow(struct weir_queue *q, struct queue_seat **ret_seat);
/* The seat of this process's that has this name in the queue, or NULL. */
struct queue_seat *queue_find_seat(struct weir_queue *q, uint32_t name);
/* Give up the seat, with all that it has. */
void queue_leave_seat(struct queue_seat *s);
/* Look into what has changed: 0; -ESHUTDOWN this handle is being closed; -EBADMSG. */
int queue_notice(struct queue_seat *s, bool asleep);

/* queue-wait.c */
/* Wait until there may be what is wanted: 0; -EAGAIN, -ETIMEDOUT, -EINTR, -ESHUTDOWN, ... */
int queue_wait(struct queue_seat *s, const struct queue_want *want, uint32_t flags,
	       int64_t deadline);
/* Clean up after those who died inside a call or holding something; now and then. */
void queue_look_around(struct queue_seat *s);
/* Wake all who sleep without looking. */
void queue_rouse(struct weir_queue *q);
void queue_ring_slow(struct queue_seat *s, enum queue_side side);

/* queue-level.c */
/*
 * Before bringing what @side waits for, where that is polled; and if it is dark, or armed,
 * afterwards.
 */
void queue_bring(struct queue_seat *s, enum queue_side side);
/* Before bringing something to both. */
void queue_bring_all(struct queue_seat *s);
/* What is wanted is not there: have the descriptor tell when it comes. */
void queue_found_nothing(struct queue_seat *s, const struct queue_want *want);
/* The same, without a seat. */
void queue_tell_all(struct weir_queue *q);
/* Whether there may be what is wanted. */
bool queue_look(struct queue_seat *s, const struct queue_want *want);
/* queue-source.c, for wait sets */
/*
 * Have those who come say what they bring to @events, WEIR_IN, WEIR_OUT: 0, or an error. Who is
 * inside already may not know: what he brings is seen, or he is found inside, 200 us later. Do this
 * any number of times.
 */
int queue_source_begin(struct weir_queue *q, uint32_t events);
/*
 * Which of @events hold: a get, a put, would not return -EAGAIN. If none, arm them: whoever brings
 * something makes an edge on queue_source_fd(), once. 0: so it is; 1: so it is unless somebody who
 * is inside a call, or holds something, dies: look again in 4 ms. -ESHUTDOWN, -EUSERS, -ENOMEM.
 */
int queue_source_arm(struct weir_queue *q, uint32_t events, uint32_t *ret_ready);
/* The same without arming: 0, or an error. */
int queue_source_look(struct weir_queue *q, uint32_t events, uint32_t *ret_ready);
/* An eventfd, to be watched for EPOLLIN | EPOLLOUT | EPOLLET; never read. */
int queue_source_fd(const struct weir_queue *q, enum queue_side side);

/* queue-mend.c */
/* Clean up after seat @name if it is gone; whether it was. */
bool queue_mend(struct weir_queue *q, uint32_t name);
/* After all that are; how many. */
int queue_mend_all(struct weir_queue *q);
/* Give back what seat @name has, which has @word. False: somebody else has freed the seat. */
bool queue_empty_seat(struct weir_queue *q, uint32_t name, uint64_t word);

/* queue-take.c */
/* Write down that we are about to take something in the frame of @slot, to keep. */
int queue_lease_begin(struct queue_seat *s, const struct weir_slot *slot);

/* queue-put.c */
bool queue_has_room(struct queue_seat *s, const struct queue_want *want);
/* Whether there is room for an item, for one who does not put. */
bool queue_has_place(struct queue_seat *s);

/* queue-get.c */
/* A message to take: 1, 0, or an error. Where it is. */
struct queue_found {
	struct weir_slot *slot;
	uint64_t state;
	uint64_t body;
	const uint8_t *bytes;
	uint64_t size;
	bool again;		/* not at the cursor */
};

/* Memory may have become free. */
void queue_saw_chunk(struct queue_seat *s);
/* What was given back, or that nothing is to be had any more. */
int queue_find_unusual(struct queue_seat *s, struct queue_found *ret);
/* The tape said @error: what that comes to, or 1. */
int queue_find_at_end(struct queue_seat *s, int error, struct queue_found *ret);
/* Take and drop the oldest; whether there was one. */
int queue_drop(struct queue_seat *s);

static inline struct weir_queue_control *queue_control(const struct queue_seat *s)
{
	return s->tape.store->control;
}

/* What those of @side sleep on. */
static inline uint32_t *queue_bell(struct weir_queue_control *control, enum queue_side side)
{
	return side == QUEUE_READER ? &control->reader_bell : &control->writer_bell;
}

/* A seat for this thread, inside a call, or as one who is asleep. */
static ALWAYS_INLINE int queue_sit_as(struct weir_queue *q, uint32_t inside,
				      struct queue_seat **ret_seat)
{
	const struct queue_cache *cached = &queue_cache[q->number % QUEUE_CACHED];
	struct queue_seat *s = cached->seat;
	int result;

	if (unlikely(cached->queue != q->number || s->name == 0)) {
		result = queue_sit_slow(q, &s);
		if (unlikely(result < 0))
			return result;
	}
	/*
	 * relaxed: INSIDE: who sleeps without looking has waited until this is seen. LEDGER:
	 * before anything is taken.
	 */
	store_relaxed(&s->shared->inside, inside);
	*ret_seat = s;
	/* relaxed: news, which stand for themselves or are looked into */
	if (unlikely(load_relaxed(&s->tape.store->control->notice) != s->notice_seen)) {
		result = queue_notice(s, inside == SEAT_ASLEEP);
		if (unlikely(result < 0)) {
			store_relaxed(&s->shared->inside, 0);	/* relaxed: INSIDE */
			return result;
		}
	}
	return 0;
}

static ALWAYS_INLINE int queue_sit(struct weir_queue *q, struct queue_seat **ret_seat)
{
	return queue_sit_as(q, SEAT_INSIDE, ret_seat);
}

/* A reader, or a writer, may have something to do. */
static ALWAYS_INLINE void queue_ring(struct queue_seat *s, enum queue_side side)
{
	if (unlikely(bell_stirs(queue_bell(queue_control(s), side))))
		queue_ring_slow(s, side);
}

static ALWAYS_INLINE int queue_find(struct queue_seat *s, struct queue_found *ret)
{
	int result;

	ret->again = false;
	if (unlikely(s->tape.again_seen != s->tape.again_now || s->now)) {
		result = queue_find_unusual(s, ret);
		if (result < 0)
			return result;
	} else {
		result = 0;
	}
	if (likely(result == 0)) {
		result = tape_look(&s->tape, &ret->state, &ret->body);
		if (unlikely(result < 0))
			result = queue_find_at_end(s, result, ret);
		else if (result == 1)
			ret->slot = s->tape.get.slot;
		if (result <= 0)
			return result;
	}
	if (unlikely(!chunk_find(s->tape.store, ret->body, &ret->bytes, &ret->size)))
		return queue_poison(s->queue);
	return 1;
}

/* Take what was found: whether nobody was faster. */
static ALWAYS_INLINE bool queue_take_found(struct queue_seat *s, const struct queue_found *f,
					   uint64_t leased)
{
	if (unlikely(s->polled & (1U << QUEUE_WRITER)))
		queue_bring(s, QUEUE_WRITER);
	if (unlikely(!tape_take(&s->tape, f->slot, f->state, leased)))
		return false;
	if (likely(!f->again))
		s->tape.get.slot = f->slot + 1;
	return true;
}

/* Be done with it: its memory, and the sleepers for room. */
static ALWAYS_INLINE void queue_done_with(struct queue_seat *s, uint64_t body)
{
	if (unlikely(chunk_saw(&s->tape, &s->purse, body)))
		queue_saw_chunk(s);
	else if (unlikely(s->tape.store->geometry.max_items > 0))
		queue_ring(s, QUEUE_WRITER);
}

static ALWAYS_INLINE void queue_rise(struct queue_seat *s)
{
	store_release(&s->shared->inside, 0);	/* order: INSIDE release: all is done */
}

#endif
