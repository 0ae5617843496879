/* SPDX-License-Identifier: MIT */
/* The lane by itself: sizes, alignments, the end of the ring, batches, counters that run over. */
#include "lane-bed.h"

#define CAPACITY	BED_CAPACITY
#define MESSAGE_MAX	(CAPACITY - 2 * RECORD_HEADER)
/* The bytes that records can take: one header is always the zero word. */
#define SPACE		(CAPACITY - RECORD_HEADER)

/* Where lanes begin: at the beginning, and shortly before a counter of 32 or 64 bits runs over. */
static const uint64_t starts[] = {
	0,
	(UINT64_C(1) << 32) - CAPACITY / 2,
	(UINT64_C(1) << 63) - CAPACITY / 2,
	0 - (uint64_t)CAPACITY / 2,
};

/*
 * Sizes and alignments
 */

static void pass_one(struct bed *b, size_t size, enum bed_way way)
{
	bed_put(b, size, way);
	bed_get(b, size);
	ck_assert(bed_is_dry(b));
	ck_assert_uint_eq(b->rx.head, b->tx.tail);
	lane_rx_publish(&b->rx);
}

START_TEST(each_small_size_at_each_offset_arrives)
{
	struct bed b;

	bed_open(&b, CAPACITY, 0);
	for (uint64_t offset = 0; offset < CAPACITY; offset += 8) {
		for (size_t size = offset / 8 % 6; size <= 600; size += 6 * LESS) {
			bed_restart(&b, 7 * CAPACITY + offset);
			pass_one(&b, size, (size + offset / 8) % BED_WAYS);
			/* The next one begins where this one ended. */
			pass_one(&b, 600 - size, size % BED_WAYS);
		}
	}
	bed_close(&b);
}
END_TEST

START_TEST(each_small_size_over_the_end_of_the_ring_arrives)
{
	struct bed b;

	bed_open(&b, CAPACITY, 0);
	for (size_t size = 0; size <= 600; size++) {
		uint64_t record = lane_record_size(size);

		for (uint64_t back = size % LESS * 8; back <= record + 8; back += 8 * LESS) {
			bed_restart(&b, 3 * CAPACITY - back);
			pass_one(&b, size, (size + back / 8) % BED_WAYS);
		}
	}
	bed_close(&b);
}
END_TEST

START_TEST(large_sizes_at_each_offset_arrive)
{
	static const size_t sizes[] = {
		601,
		1023,
		1024,
		1025,
		2047,
		2048,
		2049,
		MESSAGE_MAX - 9,
		MESSAGE_MAX - 8,
		MESSAGE_MAX - 7,
		MESSAGE_MAX - 1,
		MESSAGE_MAX,
	};
	struct bed b;

	bed_open(&b, CAPACITY, 0);
	for (uint64_t offset = 0; offset < CAPACITY; offset += 8 * LESS) {
		for (size_t i = offset / 8 % 2; i < ARRAY_LENGTH(sizes); i += 2) {
			bed_restart(&b, CAPACITY + offset);
			pass_one(&b, sizes[i], offset / 16 % 2 ? BED_PUT : BED_PUT_MORE);
		}
	}
	bed_close(&b);
}
END_TEST

START_TEST(largest_message_of_a_large_ring_arrives)
{
	struct bed b;
	uint64_t capacity = UINT64_C(1) << 20;

	bed_open(&b, capacity, 5 * capacity - 4096);
	ck_assert_uint_eq(lane_message_max(&b.tx.lane), capacity - 16);
	for (size_t size = capacity - 24; size <= capacity - 16; size++)
		pass_one(&b, size, BED_PUT);
	bed_close(&b);
}
END_TEST

START_TEST(messages_of_no_bytes_are_messages)
{
	struct bed b;

	bed_open(&b, CAPACITY, 0);
	for (int lap = 0; lap < 3; lap++) {
		for (int i = 0; i < SPACE / RECORD_HEADER; i++)
			bed_put(&b, 0, (enum bed_way)(i % BED_WAYS));
		ck_assert(!lane_tx_fits(&b.tx, 0));
		for (int i = 0; i < SPACE / RECORD_HEADER; i++)
			bed_get(&b, 0);
		ck_assert(bed_is_dry(&b));
		lane_rx_publish(&b.rx);
	}
	ck_assert_uint_eq(b.sent, 3 * SPACE / RECORD_HEADER);
	bed_close(&b);
}
END_TEST

START_TEST(message_that_does_not_fit_the_buffer_stays)
{
	uint8_t buffer[300] = { 0 };
	struct bed b;

	bed_open(&b, CAPACITY, 0);
	bed_put(&b, 300, BED_PUT);
	ck_assert_int_eq(lane_rx_get_fast(&b.rx, buffer, 299), -EAGAIN);
	ck_assert_int_eq(lane_rx_get_fast(&b.rx, buffer, 0), -EAGAIN);
	ck_assert_uint_eq(b.rx.head, 0);
	ck_assert_uint_eq(buffer[0], 0);
	bed_get(&b, 300);
	ck_assert_int_eq(lane_rx_get_fast(&b.rx, buffer, 300), -EAGAIN);
	bed_close(&b);
}
END_TEST

START_TEST(fast_ways_leave_large_messages_to_the_others)
{
	uint8_t buffer[COPY_SMALL_MAX + 1];
	struct bed b;

	bed_open(&b, CAPACITY, 0);
	bed_put(&b, COPY_SMALL_MAX + 1, BED_PUT);
	b.tx.soft = b.tx.limit;
	lane_tx_changed(&b.tx);
	ck_assert(lane_tx_is_fast(&b.tx, COPY_SMALL_MAX));
	ck_assert(!lane_tx_is_fast(&b.tx, COPY_SMALL_MAX + 1));
	ck_assert(!lane_tx_is_fast(&b.tx, SIZE_MAX));
	ck_assert_int_eq(lane_rx_get_fast(&b.rx, buffer, sizeof(buffer)), -EAGAIN);
	bed_get_unsettled(&b, sizeof(buffer));
	bed_close(&b);
}
END_TEST

/*
 * Room
 */

/* Fill the ring to the last byte with messages of @size and one that takes the rest. */
static void fill_exactly(struct bed *b, size_t size)
{
	uint64_t end = b->rx.head + SPACE, record = lane_record_size(size);

	while (end - b->tx.tail >= record)
		bed_put(b, size, BED_PUT);
	if (b->tx.tail != end)
		bed_put(b, end - b->tx.tail - RECORD_HEADER, BED_PUT);
	ck_assert_uint_eq(b->tx.tail, end);
}

static void empty_exactly(struct bed *b, size_t size)
{
	uint64_t end = b->rx.head + SPACE, record = lane_record_size(size);

	while (end - b->rx.head >= record)
		bed_get(b, size);
	if (b->rx.head != end)
		bed_get(b, end - b->rx.head - RECORD_HEADER);
	ck_assert(bed_is_dry(b));
}

START_TEST(ring_can_be_filled_to_the_last_byte)
{
	struct bed b;

	for (size_t s = 0; s < ARRAY_LENGTH(starts); s++) {
		bed_open(&b, CAPACITY, starts[s]);
		for (size_t size = 0; size <= MESSAGE_MAX; size += size < 64 ? 1 : 61) {
			fill_exactly(&b, size);
			ck_assert_int_eq(lane_tx_refresh(&b.tx), 0);
			ck_assert(!lane_tx_fits(&b.tx, 0));
			empty_exactly(&b, size);
			lane_rx_publish(&b.rx);
		}
		bed_close(&b);
	}
}
END_TEST

START_TEST(room_is_there_once_the_reader_says_so)
{
	struct bed b;

	for (size_t s = 0; s < ARRAY_LENGTH(starts); s++) {
		bed_open(&b, CAPACITY, starts[s]);
		fill_exactly(&b, 56);
		bed_get(&b, 56);
		ck_assert_int_eq(lane_tx_refresh(&b.tx), 0);
		ck_assert(!lane_tx_fits(&b.tx, 0));
		lane_rx_publish(&b.rx);
		ck_assert(!lane_tx_fits(&b.tx, 0));
		ck_assert_int_eq(lane_tx_refresh(&b.tx), 0);
		ck_assert(lane_tx_fits(&b.tx, 56));
		ck_assert(!lane_tx_fits(&b.tx, 57));
		bed_put(&b, 56, BED_PUT_FAST);
		ck_assert(!lane_tx_fits(&b.tx, 0));
		bed_close(&b);
	}
}
END_TEST

START_TEST(fast_way_ends_at_the_soft_limit)
{
	struct bed b;

	for (size_t s = 0; s < ARRAY_LENGTH(starts); s++) {
		bed_open(&b, CAPACITY, starts[s]);
		ck_assert(!lane_tx_is_fast(&b.tx, 0));
		b.tx.soft = b.tx.tail + 64;
		lane_tx_changed(&b.tx);
		ck_assert(lane_tx_is_fast(&b.tx, 56));
		ck_assert(!lane_tx_is_fast(&b.tx, 57));
		b.tx.fenced = true;
		lane_tx_changed(&b.tx);
		ck_assert(!lane_tx_is_fast(&b.tx, 0));
		b.tx.fenced = false;
		lane_tx_changed(&b.tx);
		lane_tx_put_more(&b.tx, "x", 1);
		ck_assert(!lane_tx_is_fast(&b.tx, 0));
		lane_tx_commit(&b.tx);
		ck_assert(lane_tx_is_fast(&b.tx, 40));
		ck_assert(!lane_tx_is_fast(&b.tx, 41));
		bed_close(&b);
	}
}
END_TEST

START_TEST(lane_that_has_been_left_has_no_fast_way)
{
	struct bed b;

	for (size_t s = 0; s < ARRAY_LENGTH(starts); s++) {
		bed_open(&b, CAPACITY, starts[s]);
		bed_put(&b, 8, BED_PUT_FAST);
		ck_assert(lane_tx_is_fast(&b.tx, 8));
		lane_tx_leave(&b.tx);
		ck_assert(!lane_tx_is_fast(&b.tx, 0));
		bed_close(&b);
	}
}
END_TEST

START_TEST(writer_that_knows_nothing_has_no_fast_way)
{
	/* As a forked child finds its private memory. */
	struct lane_tx tx = { .tail = 0 };

	for (size_t size = 0; size <= COPY_SMALL_MAX; size++)
		ck_assert(!lane_tx_is_fast(&tx, size));
}
END_TEST

START_TEST(backlog_is_what_the_writer_has_said)
{
	struct bed b;

	for (size_t s = 0; s < ARRAY_LENGTH(starts); s++) {
		bed_open(&b, CAPACITY, starts[s]);
		bed_put(&b, 56, BED_PUT);
		ck_assert_uint_eq(lane_rx_backlog(&b.rx), 0);
		lane_tx_mark(&b.tx);
		ck_assert_uint_eq(lane_rx_backlog(&b.rx), 64);
		bed_get(&b, 56);
		ck_assert_uint_eq(lane_rx_backlog(&b.rx), 0);
		/* The mark is behind the reader. */
		bed_put(&b, 56, BED_PUT);
		bed_get(&b, 56);
		ck_assert_uint_eq(lane_rx_backlog(&b.rx), 0);
		bed_close(&b);
	}
}
END_TEST

/*
 * Batches
 */

START_TEST(batch_is_seen_as_a_whole_or_not_at_all)
{
	struct bed b;

	for (size_t s = 0; s < ARRAY_LENGTH(starts); s++) {
		bed_open(&b, CAPACITY, starts[s]);
		for (size_t size = 0; size < 100; size++)
			bed_put_more(&b, size / 3);
		ck_assert(bed_is_dry(&b));
		ck_assert_uint_eq(lane_tx_visible(&b.tx), starts[s]);
		lane_tx_mark(&b.tx);
		ck_assert_uint_eq(b.control->writer.position, starts[s]);
		lane_tx_commit(&b.tx);
		ck_assert_uint_eq(lane_tx_visible(&b.tx), b.tx.tail);
		for (size_t size = 0; size < 100; size++)
			bed_get(&b, size / 3);
		ck_assert(bed_is_dry(&b));
		bed_close(&b);
	}
}
END_TEST

START_TEST(batch_may_fill_the_ring)
{
	struct bed b;

	for (size_t s = 0; s < ARRAY_LENGTH(starts); s++) {
		bed_open(&b, CAPACITY, starts[s]);
		for (int i = 0; i < SPACE / RECORD_HEADER; i++)
			bed_put_more(&b, 0);
		ck_assert(!lane_tx_fits(&b.tx, 0));
		ck_assert_int_eq(lane_tx_refresh(&b.tx), 0);
		ck_assert(bed_is_dry(&b));
		lane_tx_commit(&b.tx);
		for (int i = 0; i < SPACE / RECORD_HEADER; i++)
			bed_get(&b, 0);
		ck_assert(bed_is_dry(&b));
		bed_close(&b);
	}
}
END_TEST

/*
 * All of it at random, against a list
 */

#define MODEL_MAX 1024

struct model {
	struct bed bed;
	size_t sizes[MODEL_MAX];	/* of message number % MODEL_MAX */
	uint64_t visible;		/* the number of the first message that is not */
};

static size_t random_size(void)
{
	switch (test_random_below(8)) {
	case 0:
		return 0;
	case 1:
		return test_random_below(MESSAGE_MAX + 1);
	case 2:
		return test_random_below(COPY_SMALL_MAX + 100);
	default:
		return test_random_below(100);
	}
}

static void model_put(struct model *m)
{
	struct lane_tx *tx = &m->bed.tx;
	size_t size = random_size();

	ck_assert_int_eq(lane_tx_refresh(tx), 0);
	if (!lane_tx_fits(tx, size))
		return;
	m->sizes[m->bed.sent % MODEL_MAX] = size;
	if (test_random_below(3) == 0) {
		bed_put_more(&m->bed, size);
		return;
	}
	if (tx->pending) {
		bed_put_more(&m->bed, size);
		lane_tx_commit(tx);
	} else {
		bed_put(&m->bed, size, (enum bed_way)test_random_below(BED_WAYS));
	}
	m->visible = m->bed.sent;
}

static void model_get(struct model *m)
{
	if (m->bed.received == m->visible)
		ck_assert(bed_is_dry(&m->bed));
	else
		bed_get(&m->bed, m->sizes[m->bed.received % MODEL_MAX]);
}

static void model_step(struct model *m)
{
	switch (test_random_below(16)) {
	case 0:
		lane_rx_publish(&m->bed.rx);
		break;
	case 1:
		lane_tx_mark(&m->bed.tx);
		break;
	case 2:
		if (m->bed.tx.pending)
			lane_tx_commit(&m->bed.tx);
		m->visible = m->bed.sent;
		break;
	case 3:
	case 4:
	case 5:
	case 6:
	case 7:
	case 8:
		model_put(m);
		break;
	default:
		model_get(m);
	}
}

static void run_model(uint64_t start)
{
	struct model *m = calloc(1, sizeof(*m));

	bed_open(&m->bed, CAPACITY, start);
	for (int i = 0; i < 100000 / LESS; i++) {
		model_step(m);
		ck_assert_uint_le(m->bed.tx.tail - m->bed.rx.published, SPACE);
	}
	ck_assert_uint_gt(m->bed.received, 1000 / LESS);
	bed_close(&m->bed);
	free(m);
}

START_TEST(random_steps_keep_all_messages_in_order)
{
	run_model(0);
}
END_TEST

START_TEST(counters_of_32_bits_may_run_over)
{
	run_model((UINT64_C(1) << 32) - 10 * CAPACITY);
}
END_TEST

START_TEST(counters_of_64_bits_may_run_over)
{
	run_model(0 - (uint64_t)10 * CAPACITY);
	run_model((UINT64_C(1) << 63) - 10 * CAPACITY);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lane");
	TCase *sizes = tcase_create("sizes");
	TCase *room = tcase_create("room");
	TCase *batches = tcase_create("batches");
	TCase *model = tcase_create("model");

	tcase_add_test(sizes, each_small_size_at_each_offset_arrives);
	tcase_add_test(sizes, each_small_size_over_the_end_of_the_ring_arrives);
	tcase_add_test(sizes, large_sizes_at_each_offset_arrive);
	tcase_add_test(sizes, largest_message_of_a_large_ring_arrives);
	tcase_add_test(sizes, messages_of_no_bytes_are_messages);
	tcase_add_test(sizes, message_that_does_not_fit_the_buffer_stays);
	tcase_add_test(sizes, fast_ways_leave_large_messages_to_the_others);
	suite_add_tcase(suite, sizes);

	tcase_add_test(room, ring_can_be_filled_to_the_last_byte);
	tcase_add_test(room, room_is_there_once_the_reader_says_so);
	tcase_add_test(room, fast_way_ends_at_the_soft_limit);
	tcase_add_test(room, lane_that_has_been_left_has_no_fast_way);
	tcase_add_test(room, writer_that_knows_nothing_has_no_fast_way);
	tcase_add_test(room, backlog_is_what_the_writer_has_said);
	suite_add_tcase(suite, room);

	tcase_add_test(batches, batch_is_seen_as_a_whole_or_not_at_all);
	tcase_add_test(batches, batch_may_fill_the_ring);
	suite_add_tcase(suite, batches);

	tcase_add_test(model, random_steps_keep_all_messages_in_order);
	tcase_add_test(model, counters_of_32_bits_may_run_over);
	tcase_add_test(model, counters_of_64_bits_may_run_over);
	suite_add_tcase(suite, model);
	return test_main(suite);
}
