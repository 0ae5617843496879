/* SPDX-License-Identifier: MIT */
/*
 * Cleaning up after a seat: one whose process has certainly ended, or our own when we leave.
 *
 * Any number may do it at a time, and each may die on the way: every step says what it expects to
 * find, and the seat stays what it is until all is done. doc/design/queue.md has the order and its
 * reasons.
 */
#include "obj/queue.h"

#include "wait/party.h"

static uint32_t ledger(const uint32_t *place)
{
	/* relaxed: of a dead one, whose end the kernel has told us of; or our own */
	return load_relaxed(place);
}

static int requeue(struct store *s, uint32_t place, uint32_t name, uint64_t word)
{
	return place > 0 ? tape_requeue_frame(s, place - 1, name, word) : 0;
}

static int requeue_all(struct store *s, uint32_t name, uint64_t word)
{
	uint32_t top = store_frame_top(s);
	int count = 0;

	for (uint32_t i = 0; i < top; i++)
		count += requeue(s, i + 1, name, word);
	return count;
}

static int requeue_taken(struct store *s, const struct weir_seat *seat, uint32_t name,
			 uint64_t word)
{
	int count;

	if (ledger(&seat->many))
		return requeue_all(s, name, word);
	count = requeue(s, ledger(&seat->taking), name, word);
	count += requeue(s, ledger(&seat->taking_again), name, word);
	for (uint32_t i = 0; ledger(&seat->leases) > 0 && i < SEAT_FRAMES; i++)
		count += requeue(s, ledger(&seat->lease_frames[i]), name, word);
	return count;
}

static void mend_chunks(struct store *s, const struct weir_seat *seat, uint32_t name,
			uint64_t word)
{
	uint32_t filling = ledger(&seat->filling), row = ledger(&seat->row);
	uint32_t giving = ledger(&seat->giving);

	/* The one that it fills before a row that was once written down over it. */
	if (filling > 0)
		chunk_mend(s, filling - 1, 1, name, word);
	if (row > 0)
		chunk_mend(s, row - 1, ledger(&seat->row_count), name, word);
	if (giving > 0)
		chunk_mend(s, giving - 1, ledger(&seat->giving_count), name, word);
}

static void give_up_watch(struct weir_queue_control *control, uint32_t name)
{
	for (int i = 0; i < QUEUE_WATCHES; i++) {
		uint32_t was = name;

		cas_seq(&control->watch[i], &was, 0);	/* order: WATCH */
	}
}

static void ring_again(uint32_t *bell)
{
	/* The one who was woken last may be the one who has died. */
	bell_heard(bell);
	bell_ring(bell);
}

bool queue_empty_seat(struct weir_queue *q, uint32_t name, uint64_t word)
{
	struct weir_queue_control *control = q->store.control;
	struct weir_seat *seat = store_seat(&q->store, name);
	bool done;
	int count;

	if (!seat)
		return false;
	count = requeue_taken(&q->store, seat, name, word);
	if (ledger(&seat->frame) > 0)
		frame_mend(&q->store, ledger(&seat->frame) - 1, name, word);
	mend_chunks(&q->store, seat, name, word);
	give_up_watch(control, name);
	add_relaxed(&control->returned, (uint64_t)count);	/* relaxed: a counter */
	party_forget_image(&seat->name, word, &seat->image);
	/* Always: one before us may have died between the two. order: AGAIN release */
	add_seq(&control->notice, NOTICE_REQUEUED);
	done = party_free(&seat->name, word);
	ring_again(&control->reader_bell);
	ring_again(&control->writer_bell);
	queue_tell_all(q);
	return done;
}

bool queue_mend(struct weir_queue *q, uint32_t name)
{
	struct weir_seat *seat = store_seat(&q->store, name);
	uint64_t word;

	if (!seat || !party_gone(&seat->name, &seat->image, q->store.control->spaces, &word))
		return false;
	/* Another cleaner may have been faster: it counts. */
	if (queue_empty_seat(q, name, word))
		add_relaxed(&q->store.control->deaths, 1);	/* relaxed: a counter */
	return true;
}

int queue_mend_all(struct weir_queue *q)
{
	uint32_t top = store_seat_top(&q->store);
	int count = 0;

	for (uint32_t name = 1; name <= top && name < q->store.geometry.seats; name++)
		count += queue_mend(q, name);
	return count;
}
