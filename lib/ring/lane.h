/* SPDX-License-Identifier: MIT */
/*
 * The lane: a byte ring with one writer and one reader. No system calls, no allocation.
 *
 * The source of the idea that the record's own header says "complete" is the frame length of
 * Aeron's log buffers; zeroing the next header instead of a lap number is due to the reader's need
 * of a single word that says "nothing yet" whatever was there before.
 *
 * States of the ring between the reader's position h and the writer's position t (both count bytes
 * since the beginning, free-running; t - h <= capacity - 8):
 *
 *	[h, t)		complete records
 *	t		a zero word, always
 *	behind it	left over bytes of the last lap, and whatever the writer is just writing
 *
 * Sending writes message, zero word behind, and then the header, last, with release (COMMIT). A
 * batch writes all its records but for the first header, and then that: the reader, who stands
 * before it, sees all or none.
 *
 * What a crash leaves. Before the header's store: nothing, the zero word still stands at t and
 * the next writer begins there. After it: the record; the writer's position in shared memory may
 * be some records behind, but the next writer walks over them to the zero word. A reader's
 * position is exact and moves when it has copied the message out: until then the next reader
 * finds it again.
 *
 * word			written by	read by
 * record header	writer		reader (polled), next writer
 * writer.position	writer		next writer; reader, rarely, to see how far ahead it is
 * writer.partial	writer		next writer
 * reader.position	reader		next reader
 * reader.published	reader		writer, when it knows of no room
 *
 * Everything that is read from shared memory is read once and checked: headers against the space
 * that can hold a record, positions against each other. What fails is -EBADMSG.
 */
#ifndef WEIR_RING_LANE_H
#define WEIR_RING_LANE_H

#include <errno.h>
#include <stdbool.h>

#include "base/atomic.h"
#include "mem/layout.h"
#include "ring/copy.h"

/* The part of a lane that never changes, in private memory: a process's view of one ring. */
struct lane {
	uint8_t *ring;
	uint64_t mask;		/* capacity - 1 */
	struct weir_side *writer;
	struct weir_side *reader;
};

/* How far ahead a writer asks for lines. */
#define LANE_AHEAD 1024

/* The writer's private state. */
struct lane_tx {
	struct lane lane;
	uint64_t tail;		/* where the next record begins */
	/* soft, or no more than tail while pending, fenced or not even owned */
	uint64_t fast;
	uint64_t soft;		/* up to where nothing but the ring need be looked at; <= limit */
	uint64_t limit;		/* where it must end at the latest, as far as known */
	uint64_t first;		/* if pending: where the first unpublished record begins */
	uint64_t first_header;	/* if pending: its header, kept back */
	bool pending;		/* there are complete records that the reader cannot see */
	/* the reader wants headers stored before its announcements are read */
	bool fenced;
};

/* The reader's private state. */
struct lane_rx {
	struct lane lane;
	uint64_t head;		/* where the next record begins */
	uint64_t published;	/* what the writer was told last */
	uint64_t due;		/* when it is to be told again: an eighth of the ring later */
	uint64_t usual;		/* bytes of the last record, and likely of the next */
};

static ALWAYS_INLINE uint64_t lane_capacity(const struct lane *l)
{
	return l->mask + 1;
}

/* The largest message: its header and the zero word behind it take 16 bytes. */
static ALWAYS_INLINE uint64_t lane_message_max(const struct lane *l)
{
	uint64_t most = lane_capacity(l) - 2 * RECORD_HEADER;

	return most < UINT32_MAX ? most : UINT32_MAX;
}

static ALWAYS_INLINE uint64_t *lane_header(const struct lane *l, uint64_t position)
{
	return (uint64_t *)(void *)(l->ring + (position & l->mask));
}

static ALWAYS_INLINE uint64_t lane_record_size(uint64_t message_size)
{
	return RECORD_HEADER + ((message_size + 7) & ~UINT64_C(7));
}

/* Whether @header, a private copy, can be that of a whole message. */
static ALWAYS_INLINE bool lane_header_valid(const struct lane *l, uint64_t header)
{
	return (header & RECORD_MARK_MASK) == RECORD_MARK &&
	       (uint32_t)header <= lane_message_max(l);
}

/* Whether @header, a private copy, can be that of a record of any kind. */
static inline bool lane_header_known(const struct lane *l, uint64_t header)
{
	uint64_t kind = (header >> 32) - (RECORD_KIND(0) >> 32);

	return kind >= 1 && kind <= RECORD_KINDS && (uint32_t)header <= lane_message_max(l);
}

/* ---- writing ---- */

static ALWAYS_INLINE bool lane_tx_fits(const struct lane_tx *tx, uint64_t message_size)
{
	return lane_record_size(message_size) <= tx->limit - tx->tail;
}

/* Where the first record begins that the reader cannot see yet. */
static ALWAYS_INLINE uint64_t lane_tx_visible(const struct lane_tx *tx)
{
	return tx->pending ? tx->first : tx->tail;
}

/*
 * Say for the next writer how far we are. Need not be exact, since that one walks on over complete
 * records; but what lies between must not have been overwritten, so it is said at least every
 * eighth of the ring.
 */
static inline void lane_tx_mark(struct lane_tx *tx)
{
	/*
	 * order: TAIL release, to lane_tx_take_over(): the headers before the position behind
	 * them.
	 */
	store_release(&tx->lane.writer->position, lane_tx_visible(tx));
}

/* Learn how far the reader is. -EBADMSG if that is nowhere it can be. */
static inline int lane_tx_refresh(struct lane_tx *tx)
{
	uint64_t capacity = lane_capacity(&tx->lane);
	/*
	 * order: FREE acquire, from lane_rx_publish(): the reader is done with what we overwrite.
	 * order: ROOM, after the announcement of a wait for room.
	 */
	uint64_t head = load_seq(&tx->lane.reader->published);
	uint64_t limit = head + capacity - RECORD_HEADER;

	if (unlikely((head & 7) || lane_tx_visible(tx) - head > capacity ||
		     limit - tx->limit > capacity))
		return -EBADMSG;
	tx->limit = limit;
	return 0;
}

/* The zero word behind the last record, before that becomes visible. */
static ALWAYS_INLINE void lane_tx_close(struct lane_tx *tx)
{
	/* relaxed: the reader gets here only through the header that is released after it */
	store_relaxed(lane_header(&tx->lane, tx->tail), 0);
}

static ALWAYS_INLINE void lane_tx_release(struct lane_tx *tx, uint64_t position, uint64_t header)
{
	uint64_t *at = lane_header(&tx->lane, position);

	if (unlikely(tx->fenced))
		/*
		 * order: COMMIT release, to lane_rx_look(); order: SLEEP, before the
		 * announcements are read
		 */
		store_seq(at, header);
	else
		/* order: COMMIT release, to lane_rx_look(): the messages before their header. */
		store_release(at, header);
}

/* To be called after each change of soft, pending or fenced. */
static ALWAYS_INLINE void lane_tx_changed(struct lane_tx *tx)
{
	tx->fast = tx->pending || tx->fenced ? tx->tail : tx->soft;
}

/* Make what is pending visible. */
static ALWAYS_INLINE void lane_tx_commit(struct lane_tx *tx)
{
	tx->pending = false;
	lane_tx_changed(tx);
	lane_tx_close(tx);
	lane_tx_release(tx, tx->first, tx->first_header);
}

/*
 * Have the lines behind a message of @position here by the time that they are written: stores to
 * lines that are still with the reader wait for them in order, and a program fills a message with
 * many small ones. Of what is free, unless the ring is nearly full.
 */
static ALWAYS_INLINE void lane_tx_ahead(const struct lane_tx *tx, uint64_t position)
{
	prefetch_to_write(tx->lane.ring + ((position + LANE_AHEAD) & tx->lane.mask));
}

/* Where the bytes of the next record are to be put: as many as have been found to fit. */
static ALWAYS_INLINE uint8_t *lane_tx_open(const struct lane_tx *tx)
{
	return (uint8_t *)(lane_header(&tx->lane, tx->tail) + 1);
}

/*
 * Send the records up to @next, of which all but the first header are in place, and that one,
 * @header. Nothing is pending.
 */
static ALWAYS_INLINE void lane_tx_put_up_to(struct lane_tx *tx, uint64_t next, uint64_t header)
{
	uint64_t at = tx->tail;

	tx->tail = next;
	lane_tx_close(tx);
	lane_tx_release(tx, at, header);
}

/* Send a record whose @size bytes are in place. Nothing is pending. */
static ALWAYS_INLINE void lane_tx_put_open(struct lane_tx *tx, uint64_t mark, uint64_t size)
{
	lane_tx_put_up_to(tx, tx->tail + lane_record_size(size), mark | size);
}

/* The same for a message, while nothing is fenced either. */
static ALWAYS_INLINE void lane_tx_put_open_fast(struct lane_tx *tx, uint64_t size)
{
	uint64_t tail = tx->tail, mask = tx->lane.mask;
	uint64_t next = tail + lane_record_size(size);
	uint8_t *ring = tx->lane.ring;

	lane_tx_ahead(tx, next);
	/* relaxed: the reader gets here only through the header that is released after it */
	store_relaxed((uint64_t *)(void *)(ring + (next & mask)), 0);
	tx->tail = next;
	/* order: COMMIT release, to lane_rx_look(): the message before its header. */
	store_release((uint64_t *)(void *)(ring + (tail & mask)), RECORD_MARK | size);
}

/* Send a message that fits. Nothing is pending. */
static ALWAYS_INLINE void lane_tx_put(struct lane_tx *tx, const void *data, size_t size)
{
	copy_in(lane_tx_open(tx), data, size);
	lane_tx_put_open(tx, RECORD_MARK, size);
}

/* Send a message whose @size bytes are in place, to be seen with the next lane_tx_commit(). */
static ALWAYS_INLINE void lane_tx_put_open_more(struct lane_tx *tx, uint64_t size)
{
	uint64_t at = tx->tail;

	tx->tail = at + lane_record_size(size);
	if (tx->pending) {
		/* relaxed: published by the header of the first record, which is released last */
		store_relaxed(lane_header(&tx->lane, at), RECORD_MARK | size);
		return;
	}
	tx->pending = true;
	tx->first = at;
	tx->first_header = RECORD_MARK | size;
	lane_tx_changed(tx);
}

/* Send a message that fits, to be seen with the next lane_tx_commit(). */
static ALWAYS_INLINE void lane_tx_put_more(struct lane_tx *tx, const void *data, size_t size)
{
	copy_in(lane_tx_open(tx), data, size);
	lane_tx_put_open_more(tx, size);
}

/*
 * Whether it is the common case: a small message that fits, while nothing is pending, fenced, or to
 * be looked at. Then lane_tx_put_fast() sends it, which calls nothing and stores little.
 */
static ALWAYS_INLINE bool lane_tx_is_fast(const struct lane_tx *tx, size_t size)
{
	uint64_t next = tx->tail + lane_record_size(size);

	return size <= COPY_SMALL_MAX && (int64_t)(tx->fast - next) >= 0;
}

/* The same for a message of any size. */
static ALWAYS_INLINE bool lane_tx_is_near(const struct lane_tx *tx, size_t size)
{
	return size <= UINT32_MAX && (int64_t)(tx->fast - tx->tail - lane_record_size(size)) >= 0;
}

static ALWAYS_INLINE void lane_tx_put_fast(struct lane_tx *tx, const void *data, size_t size)
{
	uint64_t tail = tx->tail, mask = tx->lane.mask;
	uint64_t next = tail + lane_record_size(size);
	uint8_t *ring = tx->lane.ring;
	uint8_t *at = ring + (tail & mask);

	lane_tx_ahead(tx, next);
	copy_in_small(at + RECORD_HEADER, data, size);
	/* relaxed: the reader gets here only through the header that is released after it */
	store_relaxed((uint64_t *)(void *)(ring + (next & mask)), 0);
	tx->tail = next;
	/* order: COMMIT release, to lane_rx_look(): the message before its header. */
	store_release((uint64_t *)(void *)at, RECORD_MARK | size);
}

/* Nothing goes the fast way any more until the next lane_tx_take_over(). */
static inline void lane_tx_leave(struct lane_tx *tx)
{
	tx->soft = tx->tail;
	lane_tx_changed(tx);
}

/* Begin where the last writer ended. -EBADMSG if the positions cannot be. */
int lane_tx_take_over(struct lane_tx *tx);

/* ---- reading ---- */

/* The header of the next record, or 0: there is none yet. Not checked. */
static ALWAYS_INLINE uint64_t lane_rx_look(const struct lane_rx *rx)
{
	/* order: COMMIT acquire, from lane_tx_release(). */
	return load_acquire(lane_header(&rx->lane, rx->head));
}

/* The same after an announcement that the writer may answer. */
static ALWAYS_INLINE uint64_t lane_rx_look_again(const struct lane_rx *rx)
{
	/* order: COMMIT acquire, from lane_tx_release(); order: SLEEP, after the announcement */
	return load_seq(lane_header(&rx->lane, rx->head));
}

/* Where the message of the next record is. */
static ALWAYS_INLINE const void *lane_rx_message(const struct lane_rx *rx)
{
	return lane_header(&rx->lane, rx->head) + 1;
}

/* The line behind the one that the next record begins in. */
static ALWAYS_INLINE const void *lane_rx_next_line(const struct lane_rx *rx)
{
	return rx->lane.ring + (rx->head & rx->lane.mask) + 64;
}

/*
 * Where the record behind the one of @size bytes at @head begins. If it is as large as the last,
 * which was *@usual, that is guessed: the processor goes on to the next header before it has this
 * one, which otherwise it waits for, each from another processor's cache, one after the other.
 */
static ALWAYS_INLINE uint64_t lane_behind(uint64_t head, uint64_t size, uint64_t *usual)
{
	uint64_t record = lane_record_size(size), guess = *usual, next = head + guess;

	/* A branch, and not what the compiler finds to come to the same where the two are equal. */
	__asm__("" : "+r"(next));
	if (likely(record == guess)) {
		__asm__ volatile("");
		return next;
	}
	*usual = record;
	return head + record;
}

/* Step over the next record of @size bytes in this process's view only. */
static ALWAYS_INLINE void lane_rx_step(struct lane_rx *rx, uint64_t size)
{
	rx->head = lane_behind(rx->head, size, &rx->usual);
}

/* Say that all before @position has been received. */
static ALWAYS_INLINE void lane_rx_settle_at(struct lane_rx *rx, uint64_t position)
{
	/* order: HEAD release, to lane_rx_take_over(): the message is copied out before. */
	store_release(&rx->lane.reader->position, position);
}

/* Say that all that this process has stepped over has been received. */
static ALWAYS_INLINE void lane_rx_settle(struct lane_rx *rx)
{
	lane_rx_settle_at(rx, rx->head);
}

/* Tell the writer that all before @position, which is settled, is free. */
static ALWAYS_INLINE void lane_rx_publish_at(struct lane_rx *rx, uint64_t position)
{
	/*
	 * order: FREE release, to lane_tx_refresh(): our reads of the space before it is free.
	 * order: ROOM, before the writer's announcement is read.
	 */
	store_seq(&rx->lane.reader->published, position);
	/* relaxed: another thread may ask while we release what it does not know of */
	store_relaxed(&rx->published, position);
	rx->due = position + lane_capacity(&rx->lane) / 8;
}

static ALWAYS_INLINE void lane_rx_publish(struct lane_rx *rx)
{
	lane_rx_publish_at(rx, rx->head);
}

/*
 * The common case: a small message is there and fits into @room bytes. It is copied out and
 * settled. -EAGAIN if it is not that case.
 */
static ALWAYS_INLINE int64_t lane_rx_get_fast(struct lane_rx *rx, void *buffer, size_t room)
{
	uint64_t head = rx->head;
	const uint8_t *at = rx->lane.ring + (head & rx->lane.mask);
	/* order: COMMIT acquire, from lane_tx_release(). */
	uint64_t header = load_acquire((const uint64_t *)(const void *)at);
	uint64_t size = header ^ RECORD_MARK;

	/* With any other mark, or none, what is left is no small number. */
	if (unlikely(size > COPY_SMALL_MAX || size > room))
		return -EAGAIN;
	copy_out_small(buffer, at + RECORD_HEADER, size);
	head = lane_behind(head, size, &rx->usual);
	rx->head = head;
	/* order: HEAD release, to lane_rx_take_over(): the message is copied out before. */
	store_release(&rx->lane.reader->position, head);
	return (int64_t)size;
}

/* How many bytes the writer was ahead when it last said; an estimate, since it goes on writing. */
static inline uint64_t lane_rx_backlog(const struct lane_rx *rx)
{
	/* relaxed: only a hint how long to wait; nothing is read because of it */
	uint64_t ahead = load_relaxed(&rx->lane.writer->position) - rx->head;

	return ahead <= lane_capacity(&rx->lane) ? ahead : 0;
}

/*
 * How many bytes of the ring the writer has not been told are free, whether to be received or
 * received and still in use; an estimate, too.
 */
static inline uint64_t lane_rx_unfreed(const struct lane_rx *rx)
{
	/* relaxed: as above */
	uint64_t used = load_relaxed(&rx->lane.writer->position) - rx->published;

	return used <= lane_capacity(&rx->lane) - RECORD_HEADER ? used : 0;
}

/* Begin where the last reader ended. -EBADMSG if the positions cannot be. */
int lane_rx_take_over(struct lane_rx *rx);

#endif
