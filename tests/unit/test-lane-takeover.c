/* SPDX-License-Identifier: MIT */
/*
 * The lane when a side begins with what another left behind: after any store of a writer or a
 * reader that died, and after what no honest one leaves.
 */
#include "lane-bed.h"

#define CAPACITY	BED_CAPACITY
#define MESSAGE_MAX	(CAPACITY - 2 * RECORD_HEADER)
#define SPACE		(CAPACITY - RECORD_HEADER)
#define COUNT		12

static const uint64_t starts[] = {
	0, CAPACITY - 8, 5 * CAPACITY - 200, (UINT64_C(1) << 32) - 64, 0 - UINT64_C(64),
};

/* No bytes, one, a word and its neighbours, and such that run over the end of the ring. */
static size_t size_of(uint64_t number)
{
	static const size_t sizes[] = { 0, 1, 8, 7, 0, 9, 64, 300, 16, 0, 511, 513 };

	return sizes[number % ARRAY_LENGTH(sizes)];
}

static void put_count(struct bed *b, int count)
{
	for (int i = 0; i < count; i++)
		bed_put(b, size_of(b->sent), BED_PUT);
}

static void get_count(struct bed *b, int count)
{
	for (int i = 0; i < count; i++)
		bed_get(b, size_of(b->received));
}

/* All that was sent is there, once, and the lane goes on from there. */
static void check_complete(struct bed *b)
{
	while (b->received < b->sent)
		bed_get(b, size_of(b->received));
	ck_assert(bed_is_dry(b));
	lane_rx_publish(&b->rx);
	put_count(b, COUNT);
	get_count(b, COUNT);
	ck_assert(bed_is_dry(b));
	ck_assert_uint_eq(b->rx.head, b->tx.tail);
}

/*
 * A writer after another
 */

/* COUNT messages were sent, of which the writer had marked @marked and the reader has had @read. */
static void take_over_writer(uint64_t start, int marked, int read)
{
	uint64_t tail, position = start;
	struct bed b;

	bed_open(&b, CAPACITY, start);
	for (int i = 0; i < COUNT; i++) {
		put_count(&b, 1);
		if (i + 1 == marked)
			position = b.tx.tail;
	}
	tail = b.tx.tail;
	b.control->writer.position = position;
	get_count(&b, read);
	if (read % 2)
		lane_rx_publish(&b.rx);
	ck_assert_int_eq(bed_new_writer(&b), 0);
	ck_assert_uint_eq(b.tx.tail, tail);
	ck_assert_uint_eq(b.control->writer.position, tail);
	ck_assert(!b.tx.pending);
	check_complete(&b);
	bed_close(&b);
}

START_TEST(writer_goes_on_whatever_was_marked_and_read)
{
	for (size_t s = 0; s < ARRAY_LENGTH(starts); s++)
		for (int marked = 0; marked <= COUNT; marked++)
			for (int read = 0; read <= COUNT; read++)
				take_over_writer(starts[s], marked, read);
}
END_TEST

START_TEST(writer_goes_on_behind_a_full_ring)
{
	struct bed b;

	for (size_t s = 0; s < ARRAY_LENGTH(starts); s++) {
		bed_open(&b, CAPACITY, starts[s]);
		for (int i = 0; i < SPACE / RECORD_HEADER; i++)
			bed_put(&b, 0, BED_PUT);
		/* Nothing is marked: it walks all the way. */
		ck_assert_int_eq(bed_new_writer(&b), 0);
		ck_assert_uint_eq(b.tx.tail, starts[s] + SPACE);
		ck_assert(!lane_tx_fits(&b.tx, 0));
		for (int i = 0; i < SPACE / RECORD_HEADER; i++)
			bed_get(&b, 0);
		check_complete(&b);
		bed_close(&b);
	}
}
END_TEST

START_TEST(writer_goes_on_behind_the_largest_message)
{
	struct bed b;

	for (size_t s = 0; s < ARRAY_LENGTH(starts); s++) {
		bed_open(&b, CAPACITY, starts[s]);
		bed_put(&b, MESSAGE_MAX, BED_PUT);
		ck_assert_int_eq(bed_new_writer(&b), 0);
		ck_assert(!lane_tx_fits(&b.tx, 0));
		bed_get(&b, MESSAGE_MAX);
		lane_rx_publish(&b.rx);
		/* A lap behind: the mark is where the reader was then. */
		b.control->writer.position = starts[s];
		ck_assert_int_eq(bed_new_writer(&b), 0);
		ck_assert_uint_eq(b.tx.tail, starts[s] + SPACE);
		bed_close(&b);
	}
}
END_TEST

/*
 * A message is written in this order: its bytes, the zero word behind it, its header. Do the first
 * @stores of that, where the bytes count as two stores, the first half and the second.
 */
static void write_partly(struct bed *b, size_t size, int stores)
{
	struct lane *lane = &b->tx.lane;
	uint8_t *message = (uint8_t *)(lane_header(lane, b->tx.tail) + 1);

	if (stores > 0)
		memset(message, 0xff, size / 2);
	if (stores > 1)
		memset(message, 0xff, size);
	if (stores > 2)
		*lane_header(lane, b->tx.tail + lane_record_size(size)) = 0;
}

START_TEST(message_without_its_header_was_never_sent)
{
	struct bed b;

	for (size_t s = 0; s < ARRAY_LENGTH(starts); s++) {
		for (int stores = 0; stores <= 3; stores++) {
			for (size_t size = 0; size < 2000; size += 123) {
				bed_open(&b, CAPACITY, starts[s]);
				put_count(&b, COUNT);
				write_partly(&b, size, stores);
				ck_assert_int_eq(bed_new_writer(&b), 0);
				check_complete(&b);
				bed_close(&b);
			}
		}
	}
}
END_TEST

/* A lap later, when the ring is full of what once were headers. */
START_TEST(half_a_message_over_old_ones_was_never_sent)
{
	struct bed b;

	for (size_t s = 0; s < ARRAY_LENGTH(starts); s++) {
		for (int stores = 0; stores <= 3; stores++) {
			bed_open(&b, CAPACITY, starts[s]);
			for (int i = 0; i < 3 * CAPACITY / RECORD_HEADER; i++) {
				bed_put(&b, 0, BED_PUT);
				bed_get(&b, 0);
				lane_rx_publish(&b.rx);
				lane_tx_mark(&b.tx);
			}
			b.sent = b.received = 0;
			write_partly(&b, 1000, stores);
			ck_assert_int_eq(bed_new_writer(&b), 0);
			check_complete(&b);
			bed_close(&b);
		}
	}
}
END_TEST

/* @whole messages of a batch are written, and @stores of the next, when the writer dies. */
static void die_in_batch(uint64_t start, int before, int whole, int stores)
{
	struct bed b;
	uint64_t sent;

	bed_open(&b, CAPACITY, start);
	put_count(&b, before);
	lane_tx_mark(&b.tx);
	sent = b.sent;
	for (int i = 0; i < whole; i++)
		bed_put_more(&b, size_of(b.sent));
	write_partly(&b, 100, stores);
	lane_tx_mark(&b.tx);
	b.sent = sent;
	ck_assert_int_eq(bed_new_writer(&b), 0);
	check_complete(&b);
	bed_close(&b);
}

START_TEST(batch_without_its_first_header_was_never_sent)
{
	for (size_t s = 0; s < ARRAY_LENGTH(starts); s++)
		for (int before = 0; before < 3; before++)
			for (int whole = 0; whole <= COUNT; whole++)
				for (int stores = 0; stores <= 3; stores++)
					die_in_batch(starts[s], before, whole, stores);
}
END_TEST

START_TEST(batch_with_its_first_header_was_sent)
{
	struct bed b;

	for (size_t s = 0; s < ARRAY_LENGTH(starts); s++) {
		bed_open(&b, CAPACITY, starts[s]);
		put_count(&b, 2);
		for (int i = 0; i < COUNT; i++)
			bed_put_more(&b, size_of(b.sent));
		lane_tx_commit(&b.tx);
		ck_assert_int_eq(bed_new_writer(&b), 0);
		check_complete(&b);
		bed_close(&b);
	}
}
END_TEST

/*
 * A reader after another
 */

START_TEST(reader_goes_on_where_the_last_had_settled)
{
	struct bed b;

	for (size_t s = 0; s < ARRAY_LENGTH(starts); s++) {
		for (int read = 0; read <= COUNT; read++) {
			bed_open(&b, CAPACITY, starts[s]);
			put_count(&b, COUNT);
			get_count(&b, read);
			if (read == 5)
				lane_rx_publish(&b.rx);
			ck_assert_int_eq(bed_new_reader(&b), 0);
			check_complete(&b);
			bed_close(&b);
		}
	}
}
END_TEST

START_TEST(message_copied_but_not_settled_is_received_again)
{
	struct bed b;

	for (size_t s = 0; s < ARRAY_LENGTH(starts); s++) {
		for (int settled = 0; settled < COUNT; settled++) {
			bed_open(&b, CAPACITY, starts[s]);
			put_count(&b, COUNT);
			get_count(&b, settled);
			/* A batch of which nothing is settled yet. */
			for (int i = settled; i < COUNT; i++)
				bed_get_unsettled(&b, size_of(b.received));
			b.received = (uint64_t)settled;
			ck_assert_int_eq(bed_new_reader(&b), 0);
			check_complete(&b);
			bed_close(&b);
		}
	}
}
END_TEST

START_TEST(both_sides_may_be_new_again_and_again)
{
	struct bed b;

	for (size_t s = 0; s < ARRAY_LENGTH(starts); s++) {
		bed_open(&b, CAPACITY, starts[s]);
		for (int i = 0; i < 3000; i++) {
			if (test_random_below(4) == 0)
				ck_assert_int_eq(bed_new_writer(&b), 0);
			if (test_random_below(4) == 0)
				ck_assert_int_eq(bed_new_reader(&b), 0);
			if (b.sent - b.received < 6)
				put_count(&b, 1);
			if (b.sent > b.received && test_random_below(3))
				get_count(&b, 1);
			if (test_random_below(8) == 0)
				lane_rx_publish(&b.rx);
			if (b.tx.limit - b.tx.tail < 1000)
				lane_rx_publish(&b.rx);
			/* As every writer must, lest the next one walk over what is lost. */
			if (b.tx.tail - b.control->writer.position >= CAPACITY / 8)
				lane_tx_mark(&b.tx);
		}
		check_complete(&b);
		bed_close(&b);
	}
}
END_TEST

/*
 * What no honest side leaves
 */

START_TEST(writer_refuses_positions_that_cannot_be)
{
	static const struct {
		uint64_t position, published;
	} bad[] = {
		{ 1, 0 },
		{ 4, 0 },
		{ 7, 0 },
		{ 0, 1 },
		{ 0, 7 },
		{ 12, 12 },
		{ CAPACITY, 0 },	/* one more than fits */
		{ CAPACITY + 8, 0 },
		{ 1 << 30, 0 },
		{ UINT64_C(1) << 63, 0 },
		{ 0 - UINT64_C(8), 0x1000 },	/* further behind than a lap */
		{ 0, CAPACITY + 8 },
		{ 0, 1 << 30 },
		{ 0, UINT64_C(1) << 63 },
		{ 8, 16 },		/* behind the reader, and nothing there to catch up with */
		{ UINT64_MAX, UINT64_MAX },
	};
	struct bed b;

	bed_open(&b, CAPACITY, 0);
	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
		b.control->writer.position = bad[i].position;
		b.control->reader.published = bad[i].published;
		ck_assert_msg(bed_new_writer(&b) == -EBADMSG, "position %#lx, published %#lx",
			      (unsigned long)bad[i].position, (unsigned long)bad[i].published);
		/* It was only looked at. */
		ck_assert_uint_eq(b.control->writer.position, bad[i].position);
	}
	bed_close(&b);
}
END_TEST

START_TEST(reader_refuses_positions_that_cannot_be)
{
	static const struct {
		uint64_t position, published;
	} bad[] = {
		{ 1, 0 },
		{ 4, 0 },
		{ 8, 7 },
		{ UINT64_MAX, 0 },
		{ 0, 8 },			/* the writer was told more than was received */
		{ CAPACITY + 8, 0 },
		{ UINT64_C(1) << 63, 0 },
		{ 0, UINT64_C(1) << 63 },
	};
	struct bed b;

	bed_open(&b, CAPACITY, 0);
	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
		b.control->reader.position = bad[i].position;
		b.control->reader.published = bad[i].published;
		ck_assert_int_eq(bed_new_reader(&b), -EBADMSG);
	}
	bed_close(&b);
}
END_TEST

START_TEST(writer_refuses_a_reader_that_moves_as_it_cannot)
{
	static const uint64_t bad[] = {
		0x1008,
		0x1001,
		0x1fff,
		UINT64_MAX,
		0,
		8,
		0xff8,
		UINT64_C(1) << 63,
		UINT64_C(1) << 32,
		0x1000 + 64 + 8,	/* ahead of what was sent */
		0x1000 + 64 + CAPACITY,
	};
	struct bed b;

	for (size_t i = 1; i < ARRAY_LENGTH(bad); i++) {
		uint64_t limit;

		bed_open(&b, CAPACITY, 0x1000);
		bed_put(&b, 56, BED_PUT);
		limit = b.tx.limit;
		b.control->reader.published = bad[i];
		ck_assert_msg(lane_tx_refresh(&b.tx) == -EBADMSG, "published %#lx",
			      (unsigned long)bad[i]);
		ck_assert_uint_eq(b.tx.limit, limit);
		/* This one can be. */
		b.control->reader.published = bad[0];
		ck_assert_int_eq(lane_tx_refresh(&b.tx), 0);
		bed_close(&b);
	}
}
END_TEST

START_TEST(headers_that_cannot_be_are_invalid)
{
	struct lane lane = { .mask = CAPACITY - 1 }, large = { .mask = (UINT64_C(1) << 40) - 1 };

	ck_assert(lane_header_valid(&lane, RECORD_MARK));
	ck_assert(lane_header_valid(&lane, RECORD_MARK | MESSAGE_MAX));
	ck_assert(!lane_header_valid(&lane, RECORD_MARK | (MESSAGE_MAX + 1)));
	ck_assert(!lane_header_valid(&lane, RECORD_MARK | UINT32_MAX));
	ck_assert(!lane_header_valid(&lane, UINT64_MAX));
	ck_assert(!lane_header_valid(&lane, 8));
	for (int bit = 32; bit < 64; bit++)
		ck_assert(!lane_header_valid(&lane, RECORD_MARK ^ (UINT64_C(1) << bit)));
	ck_assert(lane_header_valid(&large, RECORD_MARK | UINT32_MAX));
	ck_assert_uint_eq(lane_message_max(&large), UINT32_MAX);
}
END_TEST

START_TEST(fast_reader_leaves_headers_that_cannot_be_alone)
{
	static const uint64_t bad[] = {
		UINT64_MAX,
		8,
		1,
		RECORD_MARK ^ 0x100000000,
		RECORD_MARK | 0x80000000,
		RECORD_MARK | (MESSAGE_MAX + 1),
		RECORD_MARK | UINT32_MAX,
	};
	uint8_t buffer[CAPACITY];
	struct bed b;

	bed_open(&b, CAPACITY, 0);
	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
		*lane_header(&b.rx.lane, 0) = bad[i];
		ck_assert_int_eq(lane_rx_get_fast(&b.rx, buffer, sizeof(buffer)), -EAGAIN);
		ck_assert_uint_eq(b.rx.head, 0);
		ck_assert_uint_eq(b.control->reader.position, 0);
	}
	bed_close(&b);
}
END_TEST

START_TEST(writer_refuses_to_walk_over_headers_that_cannot_be)
{
	static const uint64_t bad[] = {
		UINT64_MAX,
		8,
		RECORD_MARK ^ 0x100000000,
		RECORD_MARK | (MESSAGE_MAX + 1),
		RECORD_MARK | UINT32_MAX,
		RECORD_MARK | MESSAGE_MAX,	/* it would end behind the reader's lap */
	};
	struct bed b;

	for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
		bed_open(&b, CAPACITY, 0);
		put_count(&b, 3);
		*lane_header(&b.tx.lane, b.tx.tail) = bad[i];
		ck_assert_int_eq(bed_new_writer(&b), -EBADMSG);
		bed_close(&b);
	}
}
END_TEST

/* Whatever it says, at the end stands a lane within its bounds, or an error. */
static void check_bounds(const struct bed *b)
{
	uint64_t head = b->control->reader.published;

	ck_assert_uint_eq(b->tx.tail & 7, 0);
	ck_assert_uint_le(b->tx.tail - head, SPACE);
	ck_assert_uint_eq(b->tx.limit, head + SPACE);
	ck_assert_uint_eq(*lane_header(&b->tx.lane, b->tx.tail), 0);
}

static void scribble(struct bed *b)
{
	struct lane lane = bed_lane(b);

	for (int i = 0; i < 40; i++) {
		uint64_t offset = test_random_below(CAPACITY / 8) * 8, word = test_random();

		switch (test_random_below(4)) {
		case 0:
			word = RECORD_MARK | test_random_below(CAPACITY);
			break;
		case 1:
			word = 0;
			break;
		case 2:
			word = RECORD_MARK | test_random_below(64);
			break;
		default:
			break;
		}
		*lane_header(&lane, offset) = word;
	}
}

static uint64_t random_position(void)
{
	uint64_t position = test_random();

	switch (test_random_below(4)) {
	case 0:
		return position;
	case 1:
		return position & 0xfff8;
	case 2:
		return test_random_below(2 * CAPACITY) & ~UINT64_C(7);
	default:
		return 0;
	}
}

START_TEST(random_memory_gives_an_error_or_a_lane)
{
	int taken = 0, refused = 0;
	struct bed b;

	bed_open(&b, CAPACITY, 0);
	for (int i = 0; i < 50000; i++) {
		scribble(&b);
		b.control->writer.position = random_position();
		b.control->reader.published = random_position();
		b.control->reader.position = random_position();
		if (bed_new_writer(&b) == 0) {
			check_bounds(&b);
			taken++;
		} else {
			refused++;
		}
		if (bed_new_reader(&b) == 0)
			ck_assert_uint_eq(b.rx.head & 7, 0);
	}
	ck_assert_int_gt(taken, 100);
	ck_assert_int_gt(refused, 100);
	bed_close(&b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lane-takeover");
	TCase *writer = tcase_create("writer");
	TCase *reader = tcase_create("reader");
	TCase *hostile = tcase_create("hostile");

	tcase_add_test(writer, writer_goes_on_whatever_was_marked_and_read);
	tcase_add_test(writer, writer_goes_on_behind_a_full_ring);
	tcase_add_test(writer, writer_goes_on_behind_the_largest_message);
	tcase_add_test(writer, message_without_its_header_was_never_sent);
	tcase_add_test(writer, half_a_message_over_old_ones_was_never_sent);
	tcase_add_test(writer, batch_without_its_first_header_was_never_sent);
	tcase_add_test(writer, batch_with_its_first_header_was_sent);
	suite_add_tcase(suite, writer);

	tcase_add_test(reader, reader_goes_on_where_the_last_had_settled);
	tcase_add_test(reader, message_copied_but_not_settled_is_received_again);
	tcase_add_test(reader, both_sides_may_be_new_again_and_again);
	suite_add_tcase(suite, reader);

	tcase_add_test(hostile, writer_refuses_positions_that_cannot_be);
	tcase_add_test(hostile, reader_refuses_positions_that_cannot_be);
	tcase_add_test(hostile, writer_refuses_a_reader_that_moves_as_it_cannot);
	tcase_add_test(hostile, headers_that_cannot_be_are_invalid);
	tcase_add_test(hostile, fast_reader_leaves_headers_that_cannot_be_alone);
	tcase_add_test(hostile, writer_refuses_to_walk_over_headers_that_cannot_be);
	tcase_add_test(hostile, random_memory_gives_an_error_or_a_lane);
	suite_add_tcase(suite, hostile);
	return test_main(suite);
}
