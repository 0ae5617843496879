/* SPDX-License-Identifier: MIT */
#include "waitmany.h"

#include <unistd.h>

#include "crowd.h"

#define PAUSES 200	/* then yield, where the reader may need this CPU */

/* ---- worker 0 ---- */

static uint32_t order[WAITMANY_OBJECTS];

static uint64_t next_random(struct worker *w)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return w->seed;
}

/* Put @count objects to the front of the order; all of them stay as they are. */
static void choose(struct worker *w, uint32_t objects, uint32_t count)
{
	if (count == objects)
		return;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t j = i + (uint32_t)(next_random(w) % (objects - i));
		uint32_t other = order[j];

		order[j] = order[i];
		order[i] = other;
	}
}

static void prepare(struct worker *w, uint32_t objects)
{
	w->seed |= 1;
	if (order[0] || (objects > 1 && order[1]))
		return;
	for (uint32_t i = 0; i < objects; i++)
		order[i] = i;
}

static int send_to(struct worker *w, uint32_t object, unsigned char *message)
{
	struct pattern_sent *sent = &records_sent()[object];
	uint64_t header = pattern_header(object, sent->count);
	int r;

	sent->sum += pattern_write(&w->shape, message, header);
	r = w->way->out_send(w, object, message);
	if (r < 0)
		return r;
	sent->count++;
	w->sent.count++;
	return 0;
}

static int send_round(struct worker *w, uint32_t count)
{
	uint32_t slots = waitmany_slots(&w->control->task);
	int r = 0;

	for (uint32_t i = 0; i < count && r == 0; i++) {
		if (i && i % slots == 0)
			r = w->way->out_flush(w);
		if (r == 0)
			r = send_to(w, order[i], w->out + i % slots * w->stride);
	}
	return r < 0 ? r : w->way->out_flush(w);
}

static void await(struct worker *w, int64_t begin)
{
	const uint64_t *received = &w->control->waitmany.received;

	for (unsigned int i = 1; __atomic_load_n(received, __ATOMIC_ACQUIRE) < w->sent.count; i++) {
		if (i % PAUSES == 0)
			worker_yield(w);
		bench_pause();
	}
	hist_record(w->hist, bench_now() - begin);
}

static int finish(struct worker *w, uint64_t done)
{
	uint64_t sum;
	int r;

	if (w->expected != UINT64_MAX)
		return 0;
	__atomic_store_n(&w->control->waitmany.total, done, __ATOMIC_RELEASE);
	sum = pattern_write(&w->shape, w->out, WORKER_END);
	(void)sum;
	r = w->way->out_send(w, 0, w->out);
	return r < 0 ? r : w->way->out_flush(w);
}

int waitmany_send(struct worker *w)
{
	const struct setup *setup = &w->control->task.setup;
	/* What a first message makes, pages for one, is not what is measured. */
	uint32_t most = w->warming ? setup->objects : setup->active;
	uint64_t done = 0, count;
	int64_t begin;
	int r = 0;

	prepare(w, setup->objects);
	for (; r == 0 && worker_goes_on(w, done); most = setup->active) {
		count = w->limit - done < most ? w->limit - done : most;
		choose(w, setup->objects, (uint32_t)count);
		begin = bench_now();
		r = send_round(w, (uint32_t)count);
		done += count;
		if (r == 0 && !w->control->task.streams)
			await(w, begin);
	}
	w->done = done;
	return r < 0 ? r : finish(w, done);
}

/* ---- worker 1 ---- */

int waitmany_bytes(struct worker *w, const struct port *port, unsigned char *bytes, size_t count)
{
	size_t whole = (count + port->size - 1) / port->size * port->size;
	ssize_t n;

	while (count < whole) {
		n = read(port->in, bytes + count, whole - count);
		if (n == 0 || (n < 0 && errno != EINTR))
			return n == 0 ? -EPIPE : -errno;
		count += n > 0 ? (size_t)n : 0;
	}
	for (size_t i = 0; i < whole; i += port->size)
		waitmany_take(w, bytes + i);
	return 0;
}

int waitmany_recv(struct worker *w)
{
	struct waitmany *shared = &w->control->waitmany;
	uint64_t total = w->expected, before = w->seen;
	int r = 0;

	w->done = w->wakeups = 0;
	w->ended = false;
	while (r == 0 && w->done < total) {
		r = w->way->in_wait(w);
		w->wakeups++;
		__atomic_store_n(&shared->received, before + w->done, __ATOMIC_RELEASE);
		if (w->ended)
			total = __atomic_load_n(&shared->total, __ATOMIC_ACQUIRE);
	}
	w->end = bench_now();
	w->seen = before + w->done;
	return r;
}

uint32_t waitmany_slots(const struct task *task)
{
	return task->setup.active < WAITMANY_SLOTS ? task->setup.active : WAITMANY_SLOTS;
}
