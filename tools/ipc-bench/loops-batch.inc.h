/* SPDX-License-Identifier: MIT */
/*
 * The stream with several messages per call; included by loops.inc.h for files that define
 *
 *	static void port_batch(struct worker *worker);
 *		before the first call: message i of a batch lies at i * stride
 *	static inline int port_send_many(struct port *port, size_t count);
 *		send messages 0..count-1 of worker->out; 0 or a negative errno
 *	static inline int port_recv_many(struct port *port);
 *		receive at least one and at most port->batch messages into worker->in; how many
 *
 * or, in place,
 *
 *	static inline int port_claim_many(struct port *port, size_t count);
 *		begin at least one and at most @count messages; how many
 *	static inline void *port_place(size_t i);
 *		where to write the i-th of them
 *	static inline int port_commit_many(struct port *port, size_t count);
 *		send the first @count of them
 *	static inline int port_take_many(struct port *port);
 *		receive at least one and at most port->batch messages; how many
 *	static inline const void *port_taken(size_t i);
 *		where the i-th of them is
 *	static inline int port_release_many(struct port *port);
 *		be done with them
 */
#ifndef IPC_BENCH_LOOPS_BATCH_INC_H
#define IPC_BENCH_LOOPS_BATCH_INC_H

#ifdef LOOPS_IN_PLACE
static ALWAYS_INLINE void batch_begin(struct worker *w)
{
	(void)w;
}

static ALWAYS_INLINE int batch_claim(struct worker *w, size_t count)
{
	return port_claim_many(&w->port, count);
}

static ALWAYS_INLINE void *batch_out(const struct worker *w, size_t i)
{
	(void)w;
	return port_place(i);
}

static ALWAYS_INLINE int batch_put(struct worker *w, size_t count)
{
	return port_commit_many(&w->port, count);
}

static ALWAYS_INLINE int batch_get(struct worker *w)
{
	return port_take_many(&w->port);
}

static ALWAYS_INLINE const void *batch_in(const struct worker *w, size_t i)
{
	(void)w;
	return port_taken(i);
}

static ALWAYS_INLINE int batch_over(struct worker *w)
{
	return port_release_many(&w->port);
}
#else
static ALWAYS_INLINE void batch_begin(struct worker *w)
{
	port_batch(w);
}

static ALWAYS_INLINE int batch_claim(struct worker *w, size_t count)
{
	(void)w;
	return (int)count;
}

static ALWAYS_INLINE void *batch_out(const struct worker *w, size_t i)
{
	return w->out + i * w->stride;
}

static ALWAYS_INLINE int batch_put(struct worker *w, size_t count)
{
	return port_send_many(&w->port, count);
}

static ALWAYS_INLINE int batch_get(struct worker *w)
{
	return port_recv_many(&w->port);
}

static ALWAYS_INLINE const void *batch_in(const struct worker *w, size_t i)
{
	return w->in + i * w->stride;
}

static ALWAYS_INLINE int batch_over(struct worker *w)
{
	(void)w;
	return 0;
}
#endif

/* Fill a batch; adds what is in it to @sent. */
static ALWAYS_INLINE void batch_fill(struct worker *w, const struct pattern_shape *shape,
				     struct pattern_sent *sent, unsigned int producer, size_t count)
{
	uint64_t header;

	for (size_t i = 0; i < count; i++) {
		header = pattern_header(producer, sent->count);
		sent->sum += pattern_write(shape, batch_out(w, i), header);
		if (sent->count % WORKER_STAMP_EVERY == 0)
			loop_stamp(w, header);
		sent->count++;
	}
}

static ALWAYS_INLINE int send_batches_body(struct worker *w, enum pattern_touch touch,
					   unsigned int producer)
{
	struct pattern_shape shape = w->shape;
	struct pattern_sent sent = w->sent;
	uint64_t done, count;
	int r = 0;

	shape.touch = touch;
	batch_begin(w);
	for (done = 0; worker_goes_on(w, done); done += count) {
		count = w->limit - done < w->port.batch ? w->limit - done : w->port.batch;
		r = batch_claim(w, count);
		if (r < 0)
			break;
		count = (uint64_t)r;
		batch_fill(w, &shape, &sent, producer, count);
		r = batch_put(w, count);
		if (r < 0)
			break;
	}
	w->done = done;
	w->sent = sent;
	return r;
}

static ALWAYS_INLINE int batch_send_body(struct worker *w, enum pattern_touch touch)
{
	int r = send_batches_body(w, touch, 0);

	return r < 0 ? r : loop_end(w);
}

/* Read a batch; returns how many of its messages came before the end marker. */
static ALWAYS_INLINE size_t batch_read(struct worker *w, const struct pattern_shape *shape,
				       struct tally *tally, size_t count)
{
	uint64_t header, sum;

	for (size_t i = 0; i < count; i++) {
		sum = pattern_read(shape, batch_in(w, i), &header);
		if (!loop_take(tally, shape, header, sum))
			return i;
		if (header % WORKER_STAMP_EVERY == 0)
			loop_transit(w, header);
	}
	return count;
}

static ALWAYS_INLINE int batch_recv_body(struct worker *w, enum pattern_touch touch)
{
	struct pattern_shape shape = w->shape;
	uint64_t done = 0;
	struct tally tally;
	size_t read;
	int r = 0;

	shape.touch = touch;
	batch_begin(w);
	tally_begin(&tally, w->check, 0);
	while (done < w->expected) {
		int got = batch_get(w);

		if (got < 0) {
			r = got;
			break;
		}
		read = batch_read(w, &shape, &tally, (size_t)got);
		done += read;
		r = batch_over(w);
		if (r < 0 || read < (size_t)got)
			break;
	}
	w->end = bench_now();
	tally_end(&tally);
	w->done = done;
	return r;
}

#endif
