/* SPDX-License-Identifier: MIT */
/* A lane by itself, for its tests: a segment, a writer and a reader, and messages with numbers. */
#ifndef WEIR_TESTS_LANE_BED_H
#define WEIR_TESTS_LANE_BED_H

#include "mem/segment.h"
#include "pipe-tools.h"
#include "ring/lane.h"

#define BED_CAPACITY	4096

struct bed {
	struct segment segment;
	struct weir_lane_control *control;
	struct lane_tx tx;
	struct lane_rx rx;
	uint64_t sent;		/* the number of the next message */
	uint64_t received;
};

static inline struct lane bed_lane(const struct bed *b)
{
	return (struct lane){
		.ring = b->segment.rings[0],
		.mask = b->segment.capacity - 1,
		.writer = &b->control->writer,
		.reader = &b->control->reader,
	};
}

/* A writer, or a reader, that knows nothing but what is in shared memory. */
static inline int bed_new_writer(struct bed *b)
{
	memset(&b->tx, 0x5a, sizeof(b->tx));
	b->tx = (struct lane_tx){ .lane = bed_lane(b) };
	return lane_tx_take_over(&b->tx);
}

static inline int bed_new_reader(struct bed *b)
{
	b->rx = (struct lane_rx){ .lane = bed_lane(b) };
	return lane_rx_take_over(&b->rx);
}

/* Both sides at @start, the lane empty, whatever it held. */
static inline void bed_restart(struct bed *b, uint64_t start)
{
	struct lane lane = bed_lane(b);

	*lane_header(&lane, start) = 0;
	b->control->writer.position = start;
	b->control->reader.position = start;
	b->control->reader.published = start;
	b->sent = b->received = 0;
	ck_assert_int_eq(bed_new_writer(b), 0);
	ck_assert_int_eq(bed_new_reader(b), 0);
}

static inline void bed_open(struct bed *b, uint64_t capacity, uint64_t start)
{
	memset(b, 0, sizeof(*b));
	ck_assert_int_eq(segment_create(&b->segment, 1, capacity), 0);
	b->control = segment_lane(&b->segment, 0);
	bed_restart(b, start);
}

static inline void bed_close(struct bed *b)
{
	segment_destroy(&b->segment);
}

/* Send the next message, by one of the ways, which all are to come to the same. */
enum bed_way {
	BED_PUT,
	BED_PUT_FAST,
	BED_PUT_MORE,
	BED_WAYS
};

static inline void bed_put(struct bed *b, size_t size, enum bed_way way)
{
	static uint8_t buffer[(1 << 20) + 8];
	uint8_t *data = buffer + (b->sent & 7);
	struct lane_tx *tx = &b->tx;

	ck_assert_uint_le(size, sizeof(buffer) - 8);
	ck_assert_int_eq(lane_tx_refresh(tx), 0);
	ck_assert_msg(lane_tx_fits(tx, size), "%zu bytes do not fit", size);
	message_fill(data, size, b->sent++);
	tx->soft = tx->limit;
	lane_tx_changed(tx);
	if (way == BED_PUT_FAST && lane_tx_is_fast(tx, size)) {
		lane_tx_put_fast(tx, data, size);
	} else if (way == BED_PUT_MORE) {
		lane_tx_put_more(tx, data, size);
		lane_tx_commit(tx);
	} else {
		lane_tx_put(tx, data, size);
	}
	/* What was handed over is the caller's again. */
	memset(data, 0xee, size);
}

/* Add the next message to those that are pending. */
static inline void bed_put_more(struct bed *b, size_t size)
{
	static uint8_t buffer[1 << 20];

	ck_assert_int_eq(lane_tx_refresh(&b->tx), 0);
	ck_assert(lane_tx_fits(&b->tx, size));
	message_fill(buffer, size, b->sent++);
	lane_tx_put_more(&b->tx, buffer, size);
	memset(buffer, 0xee, size);
}

/* The reader has no message to see. */
static inline bool bed_is_dry(const struct bed *b)
{
	return lane_rx_look(&b->rx) == 0 && lane_rx_look_again(&b->rx) == 0;
}

/* Receive the next message, of @size bytes, the slow way; the position stays as it is. */
static inline void bed_get_unsettled(struct bed *b, size_t size)
{
	static uint8_t buffer[(1 << 20) + 64];
	uint8_t *to = buffer + 16 + (b->received & 7);
	uint64_t header = lane_rx_look(&b->rx);

	ck_assert_msg(header != 0, "no message %lu", (unsigned long)b->received);
	ck_assert(lane_header_valid(&b->rx.lane, header));
	ck_assert_uint_eq((uint32_t)header, size);
	memset(buffer, 0xa5, size + 64);
	copy_out(to, lane_rx_message(&b->rx), size);
	ck_assert_msg(message_is(to, size, b->received), "message %lu of %zu bytes is another",
		      (unsigned long)b->received, size);
	ck_assert(to[-1] == 0xa5 && to[size] == 0xa5);
	lane_rx_step(&b->rx, size);
	b->received++;
}

static inline void bed_get_fast(struct bed *b, size_t size)
{
	uint8_t buffer[COPY_SMALL_MAX + 2];

	memset(buffer, 0xa5, size + 2);
	ck_assert_int_eq(lane_rx_get_fast(&b->rx, buffer + 1, size), (int64_t)size);
	ck_assert(message_is(buffer + 1, size, b->received));
	ck_assert(buffer[0] == 0xa5 && buffer[size + 1] == 0xa5);
	b->received++;
}

static inline void bed_get(struct bed *b, size_t size)
{
	if (size <= COPY_SMALL_MAX && (b->received & 1)) {
		bed_get_fast(b, size);
	} else {
		bed_get_unsettled(b, size);
		lane_rx_settle(&b->rx);
	}
}

#endif
