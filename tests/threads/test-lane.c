/* SPDX-License-Identifier: MIT */
/*
 * The lane between two threads, by all its ways. A pipe of a process with threads goes only the
 * slow ones, so it is here that ThreadSanitizer sees the fast ones.
 */
#include "lane-bed.h"

#include <pthread.h>
#include <sched.h>

#define COUNT	(UINT64_C(400000) / LESS / LESS)

static struct bed bed;

enum way {
	PUT,
	PUT_FAST,
	PUT_MORE,
	WAYS
};

static size_t size_of(uint64_t number)
{
	uint64_t mixed = number * UINT64_C(0x9e3779b97f4a7c15) >> 32;

	return mixed % 16 ? mixed / 16 % 80 : mixed / 16 % 1000;
}

/* Whether @size bytes fit now. */
static bool make_room(struct lane_tx *tx, size_t size)
{
	if (!lane_tx_fits(tx, size) && (lane_tx_refresh(tx) < 0 || !lane_tx_fits(tx, size)))
		return false;
	tx->soft = tx->limit;
	lane_tx_changed(tx);
	return true;
}

static void put(struct lane_tx *tx, const void *data, size_t size, enum way way)
{
	if (way == PUT_FAST && lane_tx_is_fast(tx, size)) {
		lane_tx_put_fast(tx, data, size);
	} else if (way == PUT_MORE || tx->pending) {
		lane_tx_put_more(tx, data, size);
		if (way != PUT_MORE)
			lane_tx_commit(tx);
	} else {
		lane_tx_put(tx, data, size);
	}
}

static void *write_all(void *arg)
{
	struct lane_tx *tx = &bed.tx;
	uint8_t data[1024];

	(void)arg;
	for (uint64_t n = 0; n < COUNT; n++) {
		size_t size = size_of(n);

		message_fill(data, size, n);
		while (!make_room(tx, size)) {
			if (tx->pending)
				lane_tx_commit(tx);
			sched_yield();
		}
		put(tx, data, size, n + 1 == COUNT ? PUT : (enum way)(n / 7 % WAYS));
		tx->fenced = n / 1000 % 2;
		if (n % 16 == 0)
			lane_tx_mark(tx);
	}
	return NULL;
}

/* The next message into @to; false if there is none yet. */
static bool get(struct lane_rx *rx, uint8_t *to, size_t size, bool fast)
{
	if (fast && size <= COPY_SMALL_MAX)
		return lane_rx_get_fast(rx, to, size) == (int64_t)size;
	if (lane_rx_look(rx) != (RECORD_MARK | size))
		return false;
	copy_out(to, lane_rx_message(rx), size);
	lane_rx_step(rx, size);
	lane_rx_settle(rx);
	return true;
}

static void *read_all(void *arg)
{
	struct lane_rx *rx = &bed.rx;
	uint64_t *wrong = arg;
	uint8_t data[1024];

	for (uint64_t n = 0; n < COUNT; n++) {
		size_t size = size_of(n);

		while (!get(rx, data, size, n / 5 % 2)) {
			lane_rx_publish(rx);
			lane_rx_backlog(rx);
			sched_yield();
		}
		*wrong += !message_is(data, size, n);
		if (rx->head - rx->published > BED_CAPACITY / 8)
			lane_rx_publish(rx);
	}
	return NULL;
}

START_TEST(messages_cross_by_each_pair_of_ways)
{
	static const uint64_t starts[] = { 0, 0 - UINT64_C(100000) };
	uint64_t wrong = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(starts); i++) {
		pthread_t writer, reader;

		bed_open(&bed, BED_CAPACITY, starts[i]);
		ck_assert_int_eq(pthread_create(&reader, NULL, read_all, &wrong), 0);
		ck_assert_int_eq(pthread_create(&writer, NULL, write_all, NULL), 0);
		ck_assert_int_eq(pthread_join(writer, NULL), 0);
		ck_assert_int_eq(pthread_join(reader, NULL), 0);
		ck_assert_uint_eq(wrong, 0);
		ck_assert(bed_is_dry(&bed));
		bed_close(&bed);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lane");
	TCase *ways = tcase_create("ways");

	tcase_add_test(ways, messages_cross_by_each_pair_of_ways);
	suite_add_tcase(suite, ways);
	return test_main(suite);
}
