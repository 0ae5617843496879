/* SPDX-License-Identifier: MIT */
/*
 * Batches: sending without waking, and waking together.
 *
 * A send through a batch is the usual one, tried without waiting, while the thread collects: see
 * wait/wakes.h. If it would have to wait, the batch is flushed, and it is done again without
 * collecting: who sleeps there is to be woken by nobody but us, and perhaps makes the room.
 */
#include "weir/batch.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cc.h"
#include "sys/sys.h"
#include "uring/choice.h"
#include "uring/volley.h"
#include "wait/wakes.h"

/*
 * From as many futex wakes on, one submission is not slower than a loop. By bench/minimal-wake.c:
 * with sleepers on another processor 0.96 to 1.07 times as long at 16, 0.97 to 1.03 at 32, 0.96 to
 * 1.01 at 64; on the waker's own 0.97, 0.79 and 0.86; and by ipc-bench fanout 0.68 to 0.99 at 16,
 * 0.71 at 32, 1.00 at 8. Eventfds are never faster across processors, and count for nothing here;
 * they go along.
 */
#define BREAK_EVEN 16U

/* Zeroed by fork. */
struct batch_private {
	struct wakes wakes;
	bool opened;		/* the ring is this process's */
	uint64_t flushes;
};

struct weir_batch {
	struct batch_private *private;
	struct volley volley;
	uint32_t from;		/* as many futex wakes go together; 0: never */
	bool refused;		/* there is no ring to be had */
};

/*
 * Making
 */

static int check_options(const struct weir_batch_options *o)
{
	return o->size == sizeof(*o) && o->flags == 0 && choice_valid(o->engine) ? 0 : -EINVAL;
}

static uint32_t from_of(uint32_t engine)
{
	switch (choice_wanted(engine)) {
	case WEIR_ENGINE_EPOLL:
		return 0;
	case WEIR_ENGINE_URING:
		return 1;
	default:
		return BREAK_EVEN;
	}
}

int weir_batch(struct weir_batch **ret_batch, const struct weir_batch_options *options)
{
	static const struct weir_batch_options defaults = { .size = sizeof(defaults) };
	struct weir_batch *b;
	void *private;
	int result;

	if (!ret_batch || (options && check_options(options) < 0))
		return -EINVAL;
	b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	result = sys_map_wiped(sizeof(*b->private), &private);
	if (result < 0) {
		free(b);
		return result;
	}
	b->private = private;
	b->volley = VOLLEY_CLOSED;
	b->from = from_of(options ? options->engine : defaults.engine);
	*ret_batch = b;
	return 0;
}

/*
 * Waking
 */

/* The parent's is not ours. */
static void forget_ring_of_parent(struct weir_batch *b)
{
	if (!volley_is_open(&b->volley) || b->private->opened)
		return;
	volley_abandon(&b->volley);
	b->volley = VOLLEY_CLOSED;
	b->refused = false;
}

static void lose_ring(struct weir_batch *b)
{
	volley_close(&b->volley);
	b->private->opened = false;
	b->refused = true;
}

static bool have_ring(struct weir_batch *b)
{
	forget_ring_of_parent(b);
	if (!volley_is_open(&b->volley) && !b->refused) {
		b->refused = volley_open(&b->volley) < 0;
		b->private->opened = !b->refused;
		/* Without futexes it is for those alone who insist. */
		if (!b->refused && !b->volley.futexes && b->from > 1)
			lose_ring(b);
	}
	return volley_is_open(&b->volley);
}

/* Whether it is worth it: at @from 1, always. */
static bool are_enough(const struct wake *wakes, uint32_t count, uint32_t from)
{
	uint32_t futexes = 0;

	for (uint32_t i = 0; i < count; i++)
		futexes += from == 1 || wakes[i].kind != WAKE_EVENT;
	return futexes >= from;
}

static void make_together(void *arg, struct wake *wakes, uint32_t count)
{
	struct weir_batch *b = arg;

	if (are_enough(wakes, count, b->from) && have_ring(b) &&
	    !volley_make(&b->volley, wakes, count))
		lose_ring(b);
}

static int flush(struct weir_batch *b)
{
	const struct wakes_way way = { .make = make_together, .arg = b, .from = b->from };
	uint32_t made;

	if (b->private->wakes.count == 0)
		return 0;
	made = wakes_flush(&b->private->wakes, b->from > 0 ? &way : NULL);
	b->private->flushes += made > 0;
	return (int)made;
}

int weir_batch_flush(struct weir_batch *batch)
{
	return batch ? flush(batch) : -EINVAL;
}

void weir_batch_close(struct weir_batch *batch)
{
	if (!batch)
		return;
	flush(batch);
	wakes_destroy(&batch->private->wakes);
	forget_ring_of_parent(batch);
	volley_close(&batch->volley);
	sys_unmap(batch->private, sizeof(*batch->private));
	free(batch);
}

/*
 * Sending
 */

int weir_batch_send(struct weir_batch *batch, struct weir_end *end, const void *data, size_t size,
		    uint32_t flags, int64_t deadline)
{
	int result;

	if (unlikely(!batch))
		return -EINVAL;
	/* Without a collector it wakes at once. */
	wakes_begin(&batch->private->wakes);
	result = weir_pipe_send(end, data, size, flags, 0);
	wakes_end();
	if (likely(result != -EAGAIN) || deadline <= 0)
		return result;
	flush(batch);
	return weir_pipe_send(end, data, size, flags, deadline);
}

int weir_batch_put(struct weir_batch *batch, struct weir_queue *queue, const void *data,
		   size_t size, uint32_t flags, int64_t deadline)
{
	int result;

	if (unlikely(!batch))
		return -EINVAL;
	/* Without a collector it wakes at once. */
	wakes_begin(&batch->private->wakes);
	result = weir_queue_put(queue, data, size, flags, 0);
	wakes_end();
	if (likely(result != -EAGAIN) || deadline <= 0)
		return result;
	flush(batch);
	return weir_queue_put(queue, data, size, flags, deadline);
}

/*
 * Counting
 */

int weir_batch_stat(struct weir_batch *batch, struct weir_batch_stat *ret_stat)
{
	struct weir_batch_stat s = { .size = sizeof(s) };
	bool ours;

	if (!batch || !ret_stat || ret_stat->size != sizeof(*ret_stat))
		return -EINVAL;
	forget_ring_of_parent(batch);
	ours = volley_is_open(&batch->volley);
	s.engine = ours ? WEIR_ENGINE_URING : WEIR_ENGINE_EPOLL;
	s.break_even = batch->refused ? 0 : batch->from;
	s.flushes = batch->private->flushes;
	s.submitted = batch->volley.made;
	s.submissions = batch->volley.ring.calls;
	wakes_counts(&batch->private->wakes, &s.wakes, &s.calls);
	s.calls += s.submissions;
	*ret_stat = s;
	return 0;
}
