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
 */
#ifndef IPC_BENCH_LOOPS_BATCH_INC_H
#define IPC_BENCH_LOOPS_BATCH_INC_H

/* Fill a batch; adds what is in it to @sent. */
static ALWAYS_INLINE void batch_fill(struct worker *w, const struct pattern_shape *shape,
				     struct pattern_sent *sent, size_t count)
{
	unsigned char *message = w->out;

	for (size_t i = 0; i < count; i++, message += w->stride) {
		sent->sum += pattern_write(shape, message, pattern_header(0, sent->count));
		if (sent->count % WORKER_STAMP_EVERY == 0)
			loop_stamp(w, sent->count);
		sent->count++;
	}
}

static ALWAYS_INLINE int batch_send_body(struct worker *w, enum pattern_touch touch)
{
	struct pattern_shape shape = w->shape;
	struct pattern_sent sent = w->sent;
	uint64_t done, count;
	int r = 0;

	shape.touch = touch;
	port_batch(w);
	for (done = 0; worker_goes_on(w, done); done += count) {
		count = w->limit - done < w->port.batch ? w->limit - done : w->port.batch;
		batch_fill(w, &shape, &sent, count);
		r = port_send_many(&w->port, count);
		if (r < 0)
			break;
	}
	w->done = done;
	w->sent = sent;
	return r < 0 ? r : loop_end(w);
}

/* Read a batch; returns how many of its messages came before the end marker. */
static ALWAYS_INLINE size_t batch_read(struct worker *w, const struct pattern_shape *shape,
				       struct tally *tally, size_t count)
{
	const unsigned char *message = w->in;
	uint64_t header, sum;

	for (size_t i = 0; i < count; i++, message += w->stride) {
		sum = pattern_read(shape, message, &header);
		if (!loop_take(tally, shape, header, sum))
			return i;
		if (header % WORKER_STAMP_EVERY == 0)
			loop_transit(w, pattern_seq(header));
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
	port_batch(w);
	tally_begin(&tally, w->check, 0);
	while (done < w->expected) {
		r = port_recv_many(&w->port);
		if (r < 0)
			break;
		read = batch_read(w, &shape, &tally, (size_t)r);
		done += read;
		if (read < (size_t)r)
			break;
	}
	w->end = bench_now();
	tally_end(&tally);
	w->done = done;
	return r < 0 ? r : 0;
}

#endif
