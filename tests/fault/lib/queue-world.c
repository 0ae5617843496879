/* SPDX-License-Identifier: MIT */
#include "fault/lib/queue-world.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUFFER_SIZE	((size_t)3 << 20)
#define ROW_BIG		((size_t)1 << 20)
#define NORMAL		24
#define DEAD_TAKES	3
#define SEATS_SEEN	3
#define LEDGER_SIZE	(sizeof(struct weir_seat) - offsetof(struct weir_seat, inside))

/*
 * Messages: who, which, how long, and bytes that follow from these.
 */

struct head {
	uint32_t writer;
	uint32_t seq;
	uint64_t size;
};

static uint64_t pattern(const struct head *h, size_t at)
{
	return (h->seq + 1) * UINT64_C(0x9e3779b97f4a7c15) + h->writer + at * 0x100001;
}

void qworld_fill(struct qworld *w, enum qwriter writer, uint32_t seq, void *data, size_t size)
{
	struct head h = { writer, seq, size };
	uint64_t *words = (uint64_t *)(void *)((uint8_t *)data + sizeof(h));

	(void)w;
	memcpy(data, &h, sizeof(h));
	for (size_t i = 0; i < (size - sizeof(h)) / 8; i++)
		words[i] = pattern(&h, i);
}

static bool whole(const struct head *h, const void *data)
{
	const void *behind = (const uint8_t *)data + sizeof(*h);
	const uint64_t *words = behind;

	for (size_t i = 0; i < (h->size - sizeof(*h)) / 8; i++)
		if (words[i] != pattern(h, i))
			return false;
	return true;
}

size_t qworld_chunk_size(const struct qworld *w)
{
	return w->queue->store.chunk_size;
}

size_t qworld_row_size(const struct qworld *w)
{
	return 2 * qworld_chunk_size(w) + 800;
}

static int put_zero(struct qworld *w, int64_t deadline)
{
	struct qledger *l = w->ledger;
	int result;

	l->zero_tried++;
	result = weir_queue_put(w->queue, NULL, 0, 0, deadline);
	if (result == 0)
		l->zero_done++;
	else
		l->zero_tried--;
	return result;
}

int qworld_put(struct qworld *w, enum qwriter writer, size_t size, int64_t deadline)
{
	struct qledger *l = w->ledger;
	uint32_t seq = l->tried[writer];
	int result;

	if (size == 0)
		return put_zero(w, deadline);
	qworld_fill(w, writer, seq, w->buffer, size);
	store_release(&l->tried[writer], seq + 1);
	result = weir_queue_put(w->queue, w->buffer, size, 0, deadline);
	if (result == 0)
		store_release(&l->done[writer], seq + 1);
	else
		store_release(&l->tried[writer], seq);
	return result;
}

const char *qworld_note(struct qworld *w, const void *data, size_t size, uint32_t times)
{
	static char text[128];
	struct qledger *l = w->ledger;
	struct head h;
	uint8_t *fate;

	if (size == 0)
		return ++l->zero_out > l->zero_tried ? "an empty message too many" : NULL;
	if (size < sizeof(h))
		return "a message is too short";
	memcpy(&h, data, sizeof(h));
	if (h.writer >= QW_COUNT || h.seq >= l->tried[h.writer] || h.size != size)
		return "a message that nobody put";
	if (!whole(&h, data))
		return "a message is torn";
	fate = &l->fate[h.writer][h.seq];
	snprintf(text, sizeof(text), "message %u of %u, times %u, fate %u, ", h.seq, h.writer,
		 times, *fate);
	if (*fate & Q_OUT)
		return strcat(text, "comes twice");
	if ((*fate & Q_HELD) && times == 0)
		return strcat(text, "does not say that it comes again");
	*fate |= Q_OUT;
	if (times == 0 && h.seq < w->next[h.writer])
		w->disorder++;
	if (times == 0)
		w->next[h.writer] = h.seq + 1;
	return NULL;
}

int qworld_get(struct qworld *w, int64_t deadline)
{
	size_t size = 0;
	int result;

	w->ledger->reading = 1;
	result = weir_queue_get(w->queue, w->buffer, BUFFER_SIZE, 0, deadline, &size);
	if (result == 0) {
		const char *wrong = qworld_note(w, w->buffer, size, QW_NOT_TOLD);

		if (wrong)
			child_fail(__FILE__, __LINE__, wrong);
	}
	w->ledger->reading = 0;
	return result;
}

static uint8_t *fate_of(struct qworld *w, const struct weir_taken *t)
{
	const struct head *h = t->data;

	return t->size == 0 ? NULL : &w->ledger->fate[h->writer][h->seq];
}

int qworld_hold(struct qworld *w, int64_t deadline)
{
	struct weir_taken *t = &w->held[w->held_count];
	int result = weir_queue_take(w->queue, 0, deadline, t);

	if (result < 0)
		return result;
	w->held_count++;
	if (fate_of(w, t))
		*fate_of(w, t) |= Q_HELD;
	return 0;
}

void qworld_let_go(struct qworld *w, bool back)
{
	struct weir_taken t = w->held[0];
	uint8_t *fate = fate_of(w, &t);
	int result;

	if (fate && !back)
		*fate |= Q_ENDING;
	if (!fate && !back)
		w->ledger->reading = 1;
	result = back ? weir_queue_return(w->queue, &t) : weir_queue_release(w->queue, &t);
	child_check(result == 0);
	if (fate && !back)
		*fate = Q_OUT;
	if (!fate && !back) {
		w->ledger->zero_out++;
		w->ledger->reading = 0;
	}
	w->held_count--;
	memmove(w->held, w->held + 1, w->held_count * sizeof(t));
}

/*
 * States
 */

#define must(condition) \
	do { \
		if (!(condition)) \
			scene_fail("setting up: %s", #condition); \
	} while (0)

/* Somebody who is given some, begins a message, and dies. */
static int die(void *arg)
{
	struct qworld *w = arg;
	void *data;

	qworld_put(w, QW_DEAD, NORMAL, 0);
	qworld_put(w, QW_DEAD, NORMAL, 0);
	for (int i = 0; i < DEAD_TAKES; i++)
		qworld_hold(w, 0);
	weir_queue_claim(w->queue, qworld_row_size(w), 0, 0, &data);
	kill(getpid(), SIGKILL);
	return 0;
}

static void somebody_dies(struct qworld *w)
{
	struct child child = child_start(die, w);
	int status = child_join(&child);

	must(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void go_through(struct qworld *w, uint32_t count, size_t size)
{
	const char *wrong;
	size_t got;

	for (uint32_t i = 0; i < count; i++) {
		must(qworld_put(w, QW_US, size, 0) == 0);
		must(weir_queue_get(w->queue, w->buffer, BUFFER_SIZE, 0, 0, &got) == 0);
		wrong = qworld_note(w, w->buffer, got, 0);
		if (wrong)
			scene_fail("setting up: %s", wrong);
	}
}

static void hold_ours(struct qworld *w, uint32_t segments)
{
	for (uint32_t i = 0; i < segments; i++) {
		must(qworld_put(w, QW_US, NORMAL, 0) == 0);
		must(weir_queue_take(w->queue, 0, 0, &w->ours[w->ours_count++]) == 0);
		go_through(w, QUEUE_SLOTS - 1, NORMAL);
	}
}

static void make_state(struct qworld *w)
{
	const struct qstate *s = w->state;
	size_t size = s->size ? s->size : NORMAL, got;

	hold_ours(w, s->ours);
	go_through(w, s->through, NORMAL);
	for (uint32_t i = 0; i < s->rows_through; i++)
		must(qworld_put(w, QW_US, ROW_BIG, 0) == 0);
	for (uint32_t i = 0; i < s->rows_through; i++)
		must(qworld_get(w, 0) == 0);
	for (uint32_t i = 0; i < s->fill; i++)
		must(qworld_put(w, QW_US, size, 0) == 0);
	for (uint32_t i = 0; i < s->gotten; i++) {
		must(weir_queue_get(w->queue, w->buffer, BUFFER_SIZE, 0, 0, &got) == 0);
		must(!qworld_note(w, w->buffer, got, 0));
	}
	for (uint32_t i = 0; i < s->rows; i++)
		must(qworld_put(w, QW_US, qworld_row_size(w), 0) == 0);
	for (uint32_t i = 0; i < s->zeros; i++)
		must(qworld_put(w, QW_US, 0, 0) == 0);
	while (s->stuffed && qworld_put(w, QW_US, qworld_chunk_size(w) / 2, 0) == 0)
		;
	if (s->dead || w->act->needs_dead)
		somebody_dies(w);
	if (s->requeued)
		queue_mend_all(w->queue);
	if (s->ended)
		must(weir_queue_shutdown(w->queue, 0) == 0);
}

static void clear_ledger(struct qledger *l)
{
	for (int i = 0; i < QW_COUNT; i++)
		memset(l->fate[i], 0, l->tried[i]);
	memset(l, 0, offsetof(struct qledger, fate));
}

static void begin_at(struct weir_queue *q, uint64_t number)
{
	must(tape_create(&q->store, number) == 0);
	q->store.geometry.first_number = number;
}

void qworld_open(struct qworld *w, const struct qact *act, const struct qstate *state)
{
	struct weir_queue_options options = {
		.size = sizeof(options),
		.flags = state->flags,
		.max_items = state->max_items,
		.max_bytes = state->max_bytes ? state->max_bytes : UINT64_C(4) << 20,
	};
	static struct qledger *ledger;
	static uint8_t *buffer;
	size_t size;

	if (!ledger) {
		ledger = shared_alloc(sizeof(*ledger));
		buffer = calloc(1, BUFFER_SIZE);	/* to each his own */
	}
	*w = (struct qworld){ .act = act, .state = state, .ledger = ledger, .buffer = buffer,
			      .noticed_ns = -1 };
	clear_ledger(ledger);
	must(weir_queue(&w->queue, &options) == 0);
	if (state->first)
		begin_at(w->queue, state->first);
	must(weir_queue_peek(w->queue, &size) == -EAGAIN);
	make_state(w);
}

void qworld_close(struct qworld *w)
{
	stepper_kill(&w->victim);
	weir_queue_close(w->queue);
	w->queue = NULL;
}

/*
 * The victim
 */

int qworld_victim(void *arg)
{
	struct qworld *w = arg;
	size_t size;

	/* Of one who has died, and of ours: none of the victim's. */
	w->held_count = 0;
	memset(w->next, 0, sizeof(w->next));
	if (!w->act->first)
		weir_queue_peek(w->queue, &size);
	if (w->act->warm)
		w->act->warm(w);
	stepper_mark_begin();
	w->act->run(w);
	stepper_mark_end();
	store_release(&w->ledger->acted, 1);
	return 0;
}

static uint64_t mix(uint64_t hash, const void *data, size_t size)
{
	const uint64_t *words = data;

	for (size_t i = 0; i < size / 8; i++)
		hash = (hash ^ words[i]) * UINT64_C(0x100000001b3) + (hash >> 29);
	return hash;
}

uint64_t qworld_image(const void *arg)
{
	struct qworld *w = (struct qworld *)(uintptr_t)arg;
	struct store *s = &w->queue->store;
	uint32_t tail = PLACE_FRAME(s->control->tail), head = PLACE_FRAME(s->control->head);
	uint64_t hash = mix(1, s->control, offsetof(struct weir_queue_control, spaces));

	/* Not their names, which are of another process each time. */
	for (uint32_t i = 1; i <= SEATS_SEEN; i++)
		hash = mix(hash, &store_seat(s, i)->inside, LEDGER_SIZE);
	hash = mix(hash, store_frame(s, 0), 48 * sizeof(struct weir_frame));
	hash = mix(hash, store_chunk(s, 0), 64 * sizeof(struct weir_chunk));
	hash = mix(hash, store_slots(s, tail), QUEUE_SLOTS * sizeof(struct weir_slot));
	if (head != tail)
		hash = mix(hash, store_slots(s, head), QUEUE_SLOTS * sizeof(struct weir_slot));
	return hash;
}
