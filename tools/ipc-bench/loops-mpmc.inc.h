/* SPDX-License-Identifier: MIT */
/*
 * Several writers and several readers of one object; included by loops.inc.h.
 *
 * The writer that is the last to finish its messages sends one end marker for each reader. What is
 * sent first is received first, so all messages have been received by somebody before the first
 * marker, and each reader goes on until then. A reader of batches may get the markers of others,
 * too: it says so, and the writer sends as many more.
 */
#ifndef IPC_BENCH_LOOPS_MPMC_INC_H
#define IPC_BENCH_LOOPS_MPMC_INC_H

#define MPMC_PAUSES	200	/* until the readers of batches are looked at less often, */
#define MPMC_SLEEP_NS	20000	/* and then how often */

/* Account for a message; stamped ones are timed. */
static ALWAYS_INLINE void mpmc_take(struct worker *w, const struct pattern_shape *shape,
				    uint64_t header, uint64_t sum)
{
	pattern_check_later(w->check, shape, header, sum);
	if (pattern_seq(header) % WORKER_STAMP_EVERY == 0)
		loop_transit(w, header);
}

static ALWAYS_INLINE int mpmc_send_body(struct worker *w, enum pattern_touch touch)
{
	return send_body(w, touch, w->index);
}

static ALWAYS_INLINE int mpmc_recv_body(struct worker *w, enum pattern_touch touch)
{
	struct pattern_shape shape = w->shape;
	uint64_t done, header, sum;
	int r;

	shape.touch = touch;
	for (done = 0;; done++) {
		r = msg_recv(w, &shape, &header, &sum);
		if (r < 0 || __builtin_expect(header == WORKER_END, 0))
			break;
		mpmc_take(w, &shape, header, sum);
	}
	w->end = bench_now();
	w->done = done;
	return r;
}

#ifdef LOOPS_BATCH
static ALWAYS_INLINE int mpmc_send_batches_body(struct worker *w, enum pattern_touch touch)
{
	return send_batches_body(w, touch, w->index);
}

/* Read a batch; returns how many of its messages are no end markers. */
static ALWAYS_INLINE size_t mpmc_read(struct worker *w, const struct pattern_shape *shape,
				      size_t count)
{
	uint64_t header, sum;
	size_t messages = 0;

	for (size_t i = 0; i < count; i++) {
		sum = pattern_read(shape, batch_in(w, i), &header);
		if (__builtin_expect(header == WORKER_END, 0))
			continue;
		mpmc_take(w, shape, header, sum);
		messages++;
	}
	return messages;
}

static ALWAYS_INLINE int mpmc_recv_batches_body(struct worker *w, enum pattern_touch touch)
{
	struct pattern_shape shape = w->shape;
	size_t read, markers = 0;
	uint64_t done = 0;
	int got, r = 0;

	shape.touch = touch;
	batch_begin(w);
	while (markers == 0 && r == 0) {
		got = batch_get(w);
		if (got < 0)
			return got;
		read = mpmc_read(w, &shape, (size_t)got);
		markers = (size_t)got - read;
		done += read;
		r = batch_over(w);
	}
	w->end = bench_now();
	w->done = done;
	if (markers > 1)
		__atomic_add_fetch(&w->control->ending.swallowed, (uint32_t)markers - 1,
				   __ATOMIC_RELAXED);
	return r;
}
#endif

/* Wait for the readers of batches, which may want more end markers. */
static int mpmc_replace(struct worker *w)
{
	const struct ending *ending = &w->control->ending;
	struct pattern_shape shape = w->shape;
	uint32_t readers = w->control->task.consumers, sent = 0;
	uint64_t sum;
	int r = 0;

	for (int i = 0; r == 0; i++) {
		if (__atomic_load_n(&ending->consumers, __ATOMIC_ACQUIRE) == readers)
			return 0;
		if (sent < __atomic_load_n(&ending->swallowed, __ATOMIC_RELAXED)) {
			r = msg_send(w, &shape, WORKER_END, &sum);
			sent++;
		} else if (i < MPMC_PAUSES) {
			bench_pause();
		} else {
			bench_sleep(MPMC_SLEEP_NS);
		}
	}
	return r;
}

static int mpmc_end(struct worker *w)
{
	const struct task *task = &w->control->task;
	struct pattern_shape shape = w->shape;
	uint64_t sum;
	int r = 0;

	if (__atomic_add_fetch(&w->control->ending.producers, 1, __ATOMIC_ACQ_REL) <
	    task->producers)
		return 0;
	for (uint32_t i = 0; i < task->consumers && r == 0; i++)
		r = msg_send(w, &shape, WORKER_END, &sum);
	return r < 0 || w->port.batch == 1 ? r : mpmc_replace(w);
}

LOOP loop_mpmc_send(struct worker *w)
{
	int r;

#ifdef LOOPS_BATCH
	if (w->port.batch > 1)
		r = SPECIALISE(mpmc_send_batches_body, w);
	else
#endif
		r = SPECIALISE(mpmc_send_body, w);
	return r < 0 ? r : mpmc_end(w);
}

LOOP loop_mpmc_recv(struct worker *w)
{
	int r;

#ifdef LOOPS_BATCH
	if (w->port.batch > 1)
		r = SPECIALISE(mpmc_recv_batches_body, w);
	else
#endif
		r = SPECIALISE(mpmc_recv_body, w);
	__atomic_add_fetch(&w->control->ending.consumers, 1, __ATOMIC_RELEASE);
	return r;
}

#endif
