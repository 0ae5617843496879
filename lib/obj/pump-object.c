/* SPDX-License-Identifier: MIT */
/* The pipe or the queue that a pump takes from or puts into. */
#include "obj/pipe.h"
#include "obj/pump.h"
#include "obj/queue.h"

/*
 * More at once saves nothing any more, and what is written would no longer be in the cache; nor
 * could the sender go on while the ring is full of what is being written.
 */
#define BATCH_BYTES (UINT64_C(64) << 10)

/* How many messages as large as the first @count of out are a batch. */
static uint32_t enough(const struct pump_out *o, uint32_t count)
{
	uint64_t bytes = 0, most;

	for (uint32_t i = 0; i < count; i++)
		bytes += o->messages[i].size;
	most = bytes ? BATCH_BYTES * count / bytes : PUMP_BATCH;
	return most == 0 ? 1 : most < PUMP_BATCH ? (uint32_t)most : PUMP_BATCH;
}

/* ---- pipes ---- */

static int take_of_pipe(struct weir_pump *p, uint32_t most, uint32_t flags, int64_t deadline,
			uint64_t *origins)
{
	struct pump_out *o = &p->out;
	int count = weir_pipe_take_batch(p->end, o->of_pipe, most, flags, deadline);

	if (count < 0)
		return count == -EPIPE ? 0 : count;
	pipe_taken_positions(p->end, o->of_pipe, (size_t)count, origins);
	for (int i = 0; i < count; i++)
		o->messages[i] = (struct pump_message){ o->of_pipe[i].data, o->of_pipe[i].size };
	return count;
}

/* ---- queues ---- */

/* The number of its slot on the tape. */
static uint64_t origin_of(const struct weir_taken *t)
{
	return (t->token >> NUMBER_SHIFT) * QUEUE_SLOTS + t->place % QUEUE_SLOTS;
}

static int take_of_queue(struct weir_pump *p, uint32_t most, uint32_t flags, int64_t deadline,
			 uint64_t *origins)
{
	struct pump_out *o = &p->out;
	uint64_t bytes = 0;
	uint32_t count = 0;
	int result = 0;

	/* It waits for the first only. */
	while (count < most && bytes < BATCH_BYTES) {
		struct weir_taken *t = &o->of_queue[count];

		result = weir_queue_take(p->queue, flags, count ? 0 : deadline, t);
		if (result == 0 && !pump_is_raw(p) && t->size > UINT32_MAX) {
			/* No frame is as large. */
			weir_queue_return(p->queue, t);
			result = -EMSGSIZE;
		}
		if (result < 0)
			break;
		bytes += t->size;
		origins[count] = origin_of(t);
		o->messages[count] = (struct pump_message){ t->data, t->size };
		count++;
	}
	if (count > 0)
		return (int)count;
	return result == -EPIPE ? 0 : result;
}

void pump_begin(struct weir_pump *p)
{
	/*
	 * What a dead one had taken comes first, if it is found before anything is taken; otherwise
	 * as soon as it is found, behind what has been taken meanwhile.
	 */
	if (p->queue && p->direction == WEIR_PUMP_OUT)
		queue_mend_all(p->queue);
}

/* ---- both ---- */

int pump_take(struct weir_pump *p, uint32_t most, uint32_t flags, int64_t deadline)
{
	struct pump_out *o = &p->out;
	uint64_t origins[PUMP_BATCH];
	int count;

	if (most > o->most)
		most = o->most;
	if (p->end)
		count = take_of_pipe(p, most, flags, deadline, origins);
	else
		count = take_of_queue(p, most, flags, deadline, origins);
	if (count <= 0)
		return count;
	o->most = enough(o, (uint32_t)count);
	o->first = 0;
	o->count = (uint32_t)count;
	o->partial = 0;
	for (int i = 0; i < count && !pump_is_raw(p); i++)
		pump_frame_make(&o->frames[i], o->messages[i].data, (uint32_t)o->messages[i].size,
				o->number++, origins[i]);
	return count;
}

void pump_release(struct weir_pump *p, uint32_t count)
{
	struct pump_out *o = &p->out;

	if (p->end)
		pipe_taken_release(p->end, &o->of_pipe[o->first], count);
	else
		for (uint32_t i = 0; i < count; i++)
			weir_queue_release(p->queue, &o->of_queue[o->first + i]);
	o->first += count;
}

void pump_return(struct weir_pump *p)
{
	struct pump_out *o = &p->out;

	if (p->end && o->first < o->count)
		pipe_taken_return(p->end, &o->of_pipe[o->first], o->count - o->first);
	else
		for (; o->first < o->count; o->first++)
			weir_queue_return(p->queue, &o->of_queue[o->first]);
	o->first = o->count = 0;
}

int pump_register(struct weir_pump *p)
{
	const struct segment *s;

	/*
	 * A queue's memory is sparse: registered, it would all be populated, and what is given back
	 * of it later would go on being written as it was. And a frame is in two memories.
	 */
	if (!p->end || !pump_is_raw(p))
		return -EOPNOTSUPP;
	s = &p->end->core->segment;
	return transfer_register(&p->io.transfer, s->rings[p->end->rx_lane],
				 (size_t)(2 * s->capacity));
}

/* ---- into them ---- */

int pump_put(struct weir_pump *p, const struct weir_msg *messages, size_t count, uint32_t flags,
	     int64_t deadline)
{
	if (p->end)
		return weir_pipe_send_batch(p->end, messages, count, flags, deadline);
	return weir_queue_put_batch(p->queue, messages, count, flags, deadline);
}

int pump_claim(struct weir_pump *p, size_t size, uint32_t flags, int64_t deadline, void **ret_data)
{
	if (p->end)
		return weir_pipe_claim(p->end, size, flags, deadline, ret_data);
	return weir_queue_claim(p->queue, size, flags, deadline, ret_data);
}

int pump_commit(struct weir_pump *p, size_t size, uint32_t flags, int64_t deadline)
{
	if (p->end)
		return weir_pipe_commit(p->end, size, 0);
	return weir_queue_commit(p->queue, size, flags, deadline);
}

void pump_abort(struct weir_pump *p)
{
	if (p->end)
		weir_pipe_abort(p->end);
	else
		weir_queue_abort(p->queue);
}

uint64_t pump_claim_max(const struct weir_pump *p)
{
	if (p->end)
		return p->end->core->segment.capacity - 2 * RECORD_HEADER;
	return p->queue->store.geometry.max_bytes;
}
