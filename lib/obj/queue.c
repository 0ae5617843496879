/* SPDX-License-Identifier: MIT */
/* Making a queue, ending it, closing a handle. */
#include "obj/queue.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "mem/headroom.h"
#include "sys/sys.h"
#include "wait/wakes.h"
#include "weir/handle.h"

#define BYTES_MIN	(UINT64_C(1) << 20)
#define BYTES_MAX	(UINT64_C(64) << 30)
#define TAKEN_DEFAULT	1024U
/* Chunks that a queue is to have at least, so that many can put into a small one. */
#define CHUNKS_WANTED	1024U
#define FRAMES_MIN	1024U
/* Between two nudges for those who are inside a handle that is being closed. */
#define NUDGE_NS	(100 * NS_PER_US)

/*
 * Making
 */

/* What a limit of the process leaves to one queue; all twice: the slots may be as large. */
static uint64_t within_limit(int resource, uint64_t bytes, uint64_t share)
{
	uint64_t limit = sys_limit(resource);

	return limit == UINT64_MAX || bytes < limit / share ? bytes : limit / share;
}

static uint64_t default_bytes(void)
{
	uint64_t room = headroom(), bytes = room == UINT64_MAX ? BYTES_MAX : room / 4;

	if (bytes > BYTES_MAX)
		bytes = BYTES_MAX;
	bytes = within_limit(RLIMIT_AS, bytes, 8);
	bytes = within_limit(RLIMIT_FSIZE, bytes, 4);
	return bytes < BYTES_MIN ? BYTES_MIN : bytes;
}

static void lay_out(struct weir_queue_geometry *g, const struct weir_queue_options *options)
{
	uint64_t bytes = options->max_bytes ? options->max_bytes : default_bytes();
	uint64_t chunks, frames;
	uint32_t shift = QUEUE_CHUNK_SHIFT_MAX;

	while (shift > QUEUE_CHUNK_SHIFT_MIN && bytes >> shift < CHUNKS_WANTED)
		shift--;
	chunks = (bytes + (UINT64_C(1) << shift) - 1) >> shift;
	frames = bytes / (QUEUE_SLOTS * sizeof(struct weir_slot));
	if (frames < FRAMES_MIN)
		frames = FRAMES_MIN;
	*g = (struct weir_queue_geometry){
		.seats = QUEUE_SEATS_MAX,
		.frames = (uint32_t)frames,
		.chunks = (uint32_t)chunks,
		.chunk_shift = shift,
		.flags = options->flags,
		.max_taken = options->max_taken ? options->max_taken : TAKEN_DEFAULT,
		.max_items = options->max_items,
		.max_bytes = chunks << shift,
		.first_number = 1,
	};
}

static int check_options(const struct weir_queue_options *o)
{
	const uint32_t both = WEIR_QUEUE_LATENCY | WEIR_QUEUE_THROUGHPUT;

	if (o->size != sizeof(*o) || (o->flags & ~QUEUE_OPTION_FLAGS) || (o->flags & both) == both)
		return -EINVAL;
	if ((o->flags & WEIR_QUEUE_DROP) && o->max_items == 0)
		return -EINVAL;
	if (o->max_bytes != 0 && (o->max_bytes < BYTES_MIN || o->max_bytes > BYTES_MAX))
		return -EINVAL;
	return o->max_items > INT64_MAX ? -EINVAL : 0;
}

int queue_check_geometry(const struct weir_queue_geometry *g)
{
	const struct weir_queue_options o = {
		.size = sizeof(o),
		.flags = g->flags,
		.max_items = g->max_items,
	};

	if (check_options(&o) < 0 || g->max_taken == 0)
		return -EBADMSG;
	return g->max_bytes == (uint64_t)g->chunks << g->chunk_shift ? 0 : -EBADMSG;
}

static int open_store(struct store *store, struct weir_queue **ret_queue)
{
	/* Counts on in a forked child: its queues are none of its parent's. */
	static uint64_t numbers;
	struct weir_queue *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->kind = WEIR_KIND_QUEUE;
	q->number = add_relaxed(&numbers, 1) + 1;	/* relaxed: only to be another one */
	q->store = *store;
	memset(q->levels, -1, sizeof(q->levels));
	*ret_queue = q;
	return 0;
}

/* Undo open_store(). */
static void release_queue(struct weir_queue *q)
{
	wakes_settle(q->store.control, sizeof(*q->store.control));
	for (int i = 0; i < QUEUE_SIDES; i++)
		sys_close(q->levels[i]);
	store_destroy(&q->store);
	free(q);
}

static int make_levels(struct weir_queue *q)
{
	for (int i = 0; i < QUEUE_SIDES; i++) {
		int fd = sys_tokens();

		if (fd < 0)
			return fd;
		q->levels[i] = sys_move_high(fd);
	}
	return 0;
}

int queue_attach(int fds[1 + QUEUE_SIDES], struct weir_queue **ret_queue)
{
	struct store store;
	int result = store_attach(&store, fds[0]);

	if (result < 0)
		return result;
	fds[0] = -1;
	/* It may not be what it was when it was examined. */
	result = queue_check_geometry(&store.geometry);
	if (result == 0)
		result = open_store(&store, ret_queue);
	if (result < 0)
		store_destroy(&store);
	for (int i = 0; result == 0 && i < QUEUE_SIDES; i++) {
		(*ret_queue)->levels[i] = sys_move_high(fds[1 + i]);
		fds[1 + i] = -1;
	}
	return result;
}

int weir_queue(struct weir_queue **ret_queue, const struct weir_queue_options *options)
{
	struct weir_queue_options o = { .size = sizeof(o) };
	struct weir_queue_geometry geometry;
	struct weir_queue *q;
	struct store store;
	int result;

	if (!ret_queue)
		return -EINVAL;
	if (options)
		o = *options;
	result = check_options(&o);
	if (result < 0)
		return result;
	lay_out(&geometry, &o);
	result = store_create(&store, &geometry);
	if (result < 0)
		return result;
	result = tape_create(&store, geometry.first_number);
	if (result == 0)
		result = open_store(&store, &q);
	if (result < 0) {
		store_destroy(&store);
		return result;
	}
	result = make_levels(q);
	if (result < 0)
		release_queue(q);
	else
		*ret_queue = q;
	return result;
}

/*
 * The end
 */

int queue_poison(struct weir_queue *q)
{
	/* In front, too, for those who are armed: should we die they have looked for us. */
	queue_tell_all(q);
	or_seq(&q->store.control->notice, NOTICE_POISONED);	/* order: SLEEP: before the bells */
	bell_ring_all(&q->store.control->reader_bell);
	bell_ring_all(&q->store.control->writer_bell);
	bell_ring_all(&q->store.control->join_bell);
	queue_tell_all(q);
	return -EBADMSG;
}

static int end_tape(struct queue_seat *s)
{
	int result;

	s->tape.closing = true;
	result = tape_put(&s->tape, SLOT_END, 0, false);
	s->tape.closing = false;
	/* Nothing of ours comes behind it either. */
	if (result == 0)
		s->tape.put.slot--;
	return result == -EPIPE ? 0 : result;
}

int weir_queue_shutdown(struct weir_queue *queue, uint32_t flags)
{
	struct weir_queue_control *control;
	uint64_t news = NOTICE_ENDED;
	struct queue_seat *s;
	int result;

	if (!queue || (flags & ~WEIR_QUEUE_NOW))
		return -EINVAL;
	result = queue_sit(queue, &s);
	if (result < 0)
		return result;
	control = queue->store.control;
	queue_bring_all(s);
	result = end_tape(s);
	if (result == 0) {
		if (flags & WEIR_QUEUE_NOW)
			news |= NOTICE_NOW;
		or_seq(&control->notice, news);		/* order: SLEEP: before the bells */
		bell_ring_all(&control->reader_bell);
		bell_ring_all(&control->writer_bell);
		queue_bring_all(s);
		if (flags & WEIR_QUEUE_NOW)
			while (queue_drop(s) == 0)
				;
		bell_ring_all(&control->join_bell);
	}
	queue_rise(s);
	return result;
}

/*
 * Closing
 */

static struct queue_seat *seat_at(struct weir_queue *q, uint32_t index)
{
	/* order: WIPED acquire */
	struct queue_seat *block = load_acquire(&q->blocks[index / QUEUE_BLOCK_SEATS]);

	return block ? &block[index % QUEUE_BLOCK_SEATS] : NULL;
}

/* Whether a thread is inside a call. */
static bool anybody_inside(struct weir_queue *q)
{
	struct queue_seat *s;

	for (uint32_t i = 0; i < QUEUE_SEATS_MAX && (s = seat_at(q, i)); i++)
		/* order: INSIDE acquire: it does not touch the handle any more */
		if (load_acquire(&s->name) != 0 &&		/* order: THREAD acquire */
		    load_acquire(&s->shared->inside) != 0)	/* order: INSIDE */
			return true;
	return false;
}

static void turn_out(struct weir_queue *q)
{
	uint32_t nothing = 0;

	store_seq(&q->closing, 1);	/* order: SLEEP: before the bells */
	while (anybody_inside(q)) {
		bell_ring_all(&q->store.control->reader_bell);
		bell_ring_all(&q->store.control->writer_bell);
		bell_ring_all(&q->store.control->join_bell);
		sys_futex_wait(&nothing, 0, clock_now() + NUDGE_NS);
	}
}

void weir_queue_close(struct weir_queue *queue)
{
	size_t size = QUEUE_BLOCK_SEATS * sizeof(struct queue_seat);
	struct queue_seat *s;

	if (!queue)
		return;
	watched_end(&queue->watched);
	turn_out(queue);
	for (uint32_t i = 0; i < QUEUE_SEATS_MAX && (s = seat_at(queue, i)); i++)
		if (s->name != 0)
			queue_leave_seat(s);
	for (uint32_t i = 0; i < QUEUE_BLOCKS && queue->blocks[i]; i++)
		sys_unmap(queue->blocks[i], size);
	release_queue(queue);
}
