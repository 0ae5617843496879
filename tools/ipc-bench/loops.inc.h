/* SPDX-License-Identifier: MIT */
/*
 * The workloads' loops, as a template: a file includes this once, after it has defined
 *
 *	static inline int port_send(struct port *port, const void *message);
 *	static inline int port_recv(struct port *port, void *message);
 *
 * which move one message of port->size bytes, wait as port->wait says, and return 0 or a negative
 * errno; or, with LOOPS_IN_PLACE defined, for messages that are written and read where they lie,
 *
 *	static inline int port_claim(struct port *port, void **ret_message);
 *	static inline int port_commit(struct port *port);
 *	static inline void port_abort(struct port *port);
 *	static inline int port_take(struct port *port, const void **ret_message);
 *	static inline int port_release(struct port *port, const void *message);
 *
 * It gets LOOPS, which initialises a struct loops. A template, because a message can take
 * as little as 5 ns: a call through a pointer, a clock read or a shared counter per message would
 * be most of it. With LOOPS_BATCH defined, also the functions that loops-batch.inc.h names.
 *
 * A pass ends with a message whose header is WORKER_END, which is not counted; or, when the number
 * of messages is known beforehand, after as many.
 */
#ifndef IPC_BENCH_LOOPS_INC_H
#define IPC_BENCH_LOOPS_INC_H

#include "oneway.h"
#include "tally.h"
#include "worker.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* Most runs touch messages in full; the constant lets the compiler drop the other ways. */
#define SPECIALISE(body, w) \
	((w)->shape.touch == PATTERN_FULL ? body(w, PATTERN_FULL) : body(w, (w)->shape.touch))

/* The outermost functions of the template: everything that is called in them is inlined. */
#define LOOP static __attribute__((flatten)) int

/*
 * A message on its way: msg_out() says where to write it and msg_put() sends it, or msg_undo() does
 * not; msg_get() receives one and msg_over() is called when it has been read.
 */
#ifdef LOOPS_IN_PLACE
static ALWAYS_INLINE int msg_out(struct worker *w, void **ret_message)
{
	return port_claim(&w->port, ret_message);
}

static ALWAYS_INLINE int msg_put(struct worker *w)
{
	return port_commit(&w->port);
}

static ALWAYS_INLINE void msg_undo(struct worker *w)
{
	port_abort(&w->port);
}

static ALWAYS_INLINE int msg_get(struct worker *w, const void **ret_message)
{
	return port_take(&w->port, ret_message);
}

static ALWAYS_INLINE int msg_over(struct worker *w, const void *message)
{
	return port_release(&w->port, message);
}
#else
static ALWAYS_INLINE int msg_out(struct worker *w, void **ret_message)
{
	*ret_message = w->out;
	return 0;
}

static ALWAYS_INLINE int msg_put(struct worker *w)
{
	return port_send(&w->port, w->out);
}

static ALWAYS_INLINE void msg_undo(struct worker *w)
{
	(void)w;
}

static ALWAYS_INLINE int msg_get(struct worker *w, const void **ret_message)
{
	*ret_message = w->in;
	return port_recv(&w->port, w->in);
}

static ALWAYS_INLINE int msg_over(struct worker *w, const void *message)
{
	(void)w;
	(void)message;
	return 0;
}
#endif

/* Write and send one message. */
static ALWAYS_INLINE int msg_send(struct worker *w, const struct pattern_shape *shape,
				  uint64_t header, uint64_t *ret_sum)
{
	void *message;
	int r;

	r = msg_out(w, &message);
	if (r < 0)
		return r;
	*ret_sum = pattern_write(shape, message, header);
	return msg_put(w);
}

/* Receive and read one message. */
static ALWAYS_INLINE int msg_recv(struct worker *w, const struct pattern_shape *shape,
				  uint64_t *ret_header, uint64_t *ret_sum)
{
	const void *message;
	int r;

	r = msg_get(w, &message);
	if (r < 0)
		return r;
	*ret_sum = pattern_read(shape, message, ret_header);
	return msg_over(w, message);
}

static int loop_end(struct worker *w)
{
	struct pattern_shape shape = w->shape;
	uint64_t sum;

	if (w->expected != UINT64_MAX)
		return 0;
	return msg_send(w, &shape, WORKER_END, &sum);
}

static inline struct stamp *loop_stamp_of(const struct worker *w, uint64_t header)
{
	return &w->stamps[(size_t)pattern_producer(header) * STAMPS +
			  pattern_seq(header) / WORKER_STAMP_EVERY % STAMPS];
}

/* Stamp one message in 4096 before it is sent. The reader sees the stamp because it sees the
 * message, which is ordered behind it by whatever orders messages. */
static __attribute__((noinline)) void loop_stamp(struct worker *w, uint64_t header)
{
	struct stamp *stamp = loop_stamp_of(w, header);

	__atomic_store_n(&stamp->header, header, __ATOMIC_RELAXED);
	__atomic_store_n(&stamp->ns, bench_now(), __ATOMIC_RELEASE);
}

static __attribute__((noinline)) void loop_transit(struct worker *w, uint64_t header)
{
	const struct stamp *stamp = loop_stamp_of(w, header);
	int64_t sent;

	if (pattern_producer(header) >= w->check->producers) /* it was damaged on its way */
		return;
	sent = __atomic_load_n(&stamp->ns, __ATOMIC_ACQUIRE);
	if (__atomic_load_n(&stamp->header, __ATOMIC_RELAXED) == header)
		hist_record(w->hist, bench_now() - sent);
}

static ALWAYS_INLINE int send_body(struct worker *w, enum pattern_touch touch,
				   unsigned int producer)
{
	struct pattern_shape shape = w->shape;
	struct pattern_sent sent = w->sent;
	uint64_t done, header, sum;
	void *message;
	int r = 0;

	shape.touch = touch;
	for (done = 0; worker_goes_on(w, done); done++) {
		r = msg_out(w, &message);
		if (r < 0)
			break;
		header = pattern_header(producer, sent.count);
		sum = pattern_write(&shape, message, header);
		if (sent.count % WORKER_STAMP_EVERY == 0)
			loop_stamp(w, header);
		r = msg_put(w);
		if (r < 0)
			break;
		sent.count++;
		sent.sum += sum;
	}
	w->done = done;
	w->sent = sent;
	return r;
}

static ALWAYS_INLINE int stream_send_body(struct worker *w, enum pattern_touch touch)
{
	int r = send_body(w, touch, 0);

	return r < 0 ? r : loop_end(w);
}

/* A message that is not simply the next one; returns whether it is the end. */
static __attribute__((noinline)) bool
loop_odd(struct tally *tally, const struct pattern_shape *shape, uint64_t header, uint64_t sum)
{
	if (header == WORKER_END)
		return true;
	tally_odd(tally, shape, header, sum);
	return false;
}

/* Account for a message; returns false when it is the end. */
static ALWAYS_INLINE bool loop_take(struct tally *tally, const struct pattern_shape *shape,
				    uint64_t header, uint64_t sum)
{
	struct tally copy;
	bool end;

	if (tally_next(tally, shape, header, sum)) {
		tally_add(tally, sum);
		return true;
	}
	copy = *tally; /* its address leaves here: not that of the one in registers */
	end = loop_odd(&copy, shape, header, sum);
	*tally = copy;
	return !end;
}

static ALWAYS_INLINE int stream_recv_body(struct worker *w, enum pattern_touch touch)
{
	struct pattern_shape shape = w->shape;
	uint64_t done, header, sum;
	struct tally tally;
	int r = 0;

	shape.touch = touch;
	tally_begin(&tally, w->check, 0);
	for (done = 0; done < w->expected; done++) {
		r = msg_recv(w, &shape, &header, &sum);
		if (r < 0)
			break;
		if (!loop_take(&tally, &shape, header, sum))
			break;
		if (header % WORKER_STAMP_EVERY == 0)
			loop_transit(w, header);
	}
	w->end = bench_now();
	tally_end(&tally);
	w->done = done;
	return r;
}

#ifdef LOOPS_BATCH
#include "loops-batch.inc.h"
#endif
#include "loops-mpmc.inc.h"

LOOP loop_stream_send(struct worker *w)
{
#ifdef LOOPS_BATCH
	if (w->port.batch > 1)
		return SPECIALISE(batch_send_body, w);
#endif
	return SPECIALISE(stream_send_body, w);
}

LOOP loop_stream_recv(struct worker *w)
{
#ifdef LOOPS_BATCH
	if (w->port.batch > 1)
		return SPECIALISE(batch_recv_body, w);
#endif
	return SPECIALISE(stream_recv_body, w);
}

/* One clock read per round trip: the end of one is the beginning of the next. */
static inline int64_t loop_lap(struct worker *w, int64_t last)
{
	int64_t now = bench_now();

	hist_record(w->hist, now - last);
	return now;
}

static ALWAYS_INLINE int rtt_ping_body(struct worker *w, enum pattern_touch touch)
{
	struct pattern_shape shape = w->shape;
	int64_t last = bench_now();
	uint64_t done, header, sum;
	int r = 0;

	shape.touch = touch;
	for (done = 0; worker_goes_on(w, done); done++) {
		r = msg_send(w, &shape, pattern_header(0, w->sent.count), &sum);
		if (r < 0)
			break;
		w->sent.count++;
		w->sent.sum += sum;
		r = msg_recv(w, &shape, &header, &sum);
		if (r < 0)
			break;
		pattern_check_add(w->check, &shape, header, sum);
		if (w->clocked)
			last = loop_lap(w, last);
	}
	w->end = bench_now();
	w->done = done;
	return r < 0 ? r : loop_end(w);
}

static ALWAYS_INLINE int rtt_pong_body(struct worker *w, enum pattern_touch touch)
{
	struct pattern_shape shape = w->shape;
	uint64_t done, header, sum;
	int r = 0;

	shape.touch = touch;
	for (done = 0; done < w->expected; done++) {
		r = msg_recv(w, &shape, &header, &sum);
		if (r < 0 || __builtin_expect(header == WORKER_END, 0))
			break;
		pattern_check_add(w->check, &shape, header, sum);
		r = msg_send(w, &shape, pattern_header(1, w->sent.count), &sum);
		if (r < 0)
			break;
		w->sent.count++;
		w->sent.sum += sum;
	}
	w->end = bench_now();
	w->done = done;
	return r;
}

LOOP loop_rtt_ping(struct worker *w)
{
	return SPECIALISE(rtt_ping_body, w);
}

LOOP loop_rtt_pong(struct worker *w)
{
	return SPECIALISE(rtt_pong_body, w);
}

LOOP loop_oneway_send(struct worker *w)
{
	struct pattern_shape shape = w->shape;
	struct schedule schedule;
	uint64_t done, sum;
	void *message;
	int64_t due;
	int r = 0;

	schedule_begin(&schedule, w);
	for (done = 0; worker_goes_on(w, done); done++) {
		r = msg_out(w, &message);
		if (r < 0)
			break;
		sum = pattern_write(&shape, message, pattern_header(0, w->sent.count));
		due = schedule_next(&schedule);
		if (!schedule_spin(&schedule, w, due)) {
			msg_undo(w);
			break;
		}
		r = msg_put(w);
		if (r < 0)
			break;
		w->sent.count++;
		w->sent.sum += sum;
	}
	w->late = schedule.late;
	w->done = done;
	return r < 0 ? r : loop_end(w);
}

LOOP loop_oneway_recv(struct worker *w)
{
	struct pattern_shape shape = w->shape;
	struct schedule schedule;
	uint64_t done, header, sum;
	int r = 0;

	schedule_begin(&schedule, w);
	for (done = 0; done < w->expected; done++) {
		r = msg_recv(w, &shape, &header, &sum);
		if (r < 0 || __builtin_expect(header == WORKER_END, 0))
			break;
		w->end = bench_now();
		hist_record(w->hist, w->end - schedule_next(&schedule));
		pattern_check_add(w->check, &shape, header, sum);
	}
	w->done = done;
	return r;
}

LOOP loop_one_send(struct worker *w, uint64_t header)
{
	struct pattern_shape shape = w->shape;
	uint64_t sum;

	return msg_send(w, &shape, header, &sum);
}

LOOP loop_one_recv(struct worker *w, uint64_t *ret_header, uint64_t *ret_sum)
{
	struct pattern_shape shape = w->shape;

	return msg_recv(w, &shape, ret_header, ret_sum);
}

#ifdef LOOPS_IN_PLACE
#define LOOP_CALLS .put = NULL, .get = NULL
#else
static int loop_put(struct port *port, const void *message)
{
	return port_send(port, message);
}

static int loop_get(struct port *port, void *message)
{
	return port_recv(port, message);
}

#define LOOP_CALLS .put = loop_put, .get = loop_get
#endif

#define LOOPS \
	{ \
		LOOP_CALLS, \
		.stream_send = loop_stream_send, .stream_recv = loop_stream_recv, \
		.rtt_ping = loop_rtt_ping, .rtt_pong = loop_rtt_pong, \
		.oneway_send = loop_oneway_send, .oneway_recv = loop_oneway_recv, \
		.mpmc_send = loop_mpmc_send, .mpmc_recv = loop_mpmc_recv, \
		.one_send = loop_one_send, .one_recv = loop_one_recv, \
	}

#endif
