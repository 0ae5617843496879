/* SPDX-License-Identifier: MIT */
/*
 * Threads that put, get, and wait for it as wait sets do, or otherwise, over one mapping. Whoever
 * puts waits now and then until all of it was got: so a wake-up that is lost is not made good by
 * the next message, and shows as a wait that does not end.
 */
#include "source-tools.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>

#include "base/cc.h"
#include "queue-tools.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LESS 5
#else
#define LESS 1
#endif
#define EACH	(700 / LESS)
#define PUTTERS	2
#define GETTERS	3

/* How somebody waits for messages. */
enum way {
	NOBODY,
	BY_SET,
	BY_LEVEL,
	ASLEEP,
};

struct worker {
	pthread_t thread;
	uint64_t index;
	enum way way;
	struct weir_queue *queue;
	uint64_t random;
	int result;		/* the line that failed; 0 */
};

static struct weir_queue *queue;
static struct worker putters[PUTTERS], getters[GETTERS];
static uint64_t got[PUTTERS];

#define CHECK(condition) \
	do { \
		if (!(condition)) \
			return __LINE__; \
	} while (0)

static uint64_t random_below(struct worker *w, uint64_t limit)
{
	w->random = w->random * 6364136223846793005 + 1442695040888963407;
	return (w->random >> 33) % limit;
}

/* All that this one has put was got. */
static bool all_got(const struct worker *w, uint64_t count)
{
	int64_t deadline = soon();

	while (load_acquire(&got[w->index]) < count) {
		if (test_now() > deadline)
			return false;
		sched_yield();
	}
	return true;
}

static int put_number(struct worker *w, struct waiter *waiter)
{
	int result;

	while ((result = queue_put_number(w->queue, w->index, 0)) == -EAGAIN) {
		int ready = waiter_wait(waiter);

		if (ready != WEIR_OUT)
			return ready < 0 ? ready : -EILSEQ;
	}
	return result;
}

static int put_bursts(struct worker *w)
{
	struct waiter waiter;
	uint64_t n = 0;

	CHECK(waiter_open(&waiter, w->queue, WEIR_OUT) == 0);
	while (n < EACH) {
		uint64_t burst = random_below(w, 4) ? 1 : 1 + random_below(w, 10);

		for (; burst > 0 && n < EACH; burst--, n++)
			CHECK(put_number(w, &waiter) == 0);
		if (random_below(w, 3))
			CHECK(all_got(w, n));
	}
	CHECK(all_got(w, n));
	waiter_close(&waiter);
	return 0;
}

/* What there is: -EAGAIN, or -EPIPE, or another error. */
static int64_t get_all(struct worker *w)
{
	int64_t number;

	while ((number = queue_get_number(w->queue, 0)) >= 0) {
		if (number >= PUTTERS)
			return -EILSEQ;
		add_seq(&got[number], 1);
	}
	return number;
}

static int get_by_set(struct worker *w)
{
	struct waiter waiter;
	int64_t result;

	CHECK(waiter_open(&waiter, w->queue, WEIR_IN) == 0);
	do {
		CHECK(waiter_wait(&waiter) == WEIR_IN);
		result = get_all(w);
	} while (result == -EAGAIN);
	waiter_close(&waiter);
	CHECK(result == -EPIPE);
	return 0;
}

static int get_by_level(struct worker *w)
{
	struct pollfd p = { .fd = weir_queue_fd(w->queue, WEIR_IN), .events = POLLIN };
	int64_t result;

	do {
		CHECK(poll(&p, 1, WAITER_PATIENCE_MS) == 1);
		result = get_all(w);
	} while (result == -EAGAIN);
	CHECK(result == -EPIPE);
	return 0;
}

static int get_asleep(struct worker *w)
{
	int64_t number;

	while ((number = queue_get_number(w->queue, soon())) >= 0) {
		CHECK(number < PUTTERS);
		add_seq(&got[number], 1);
	}
	CHECK(number == -EPIPE);
	return 0;
}

static int (*const gets[])(struct worker *w) = {
	[BY_SET] = get_by_set,
	[BY_LEVEL] = get_by_level,
	[ASLEEP] = get_asleep,
};

static void *work(void *arg)
{
	struct worker *w = arg;

	w->result = w->way == NOBODY ? put_bursts(w) : gets[w->way](w);
	return NULL;
}

static void start(struct worker *w, uint64_t index, enum way way, bool second)
{
	*w = (struct worker){ .index = index, .way = way, .random = test_random() };
	w->queue = second ? queue_second(queue) : queue;
	ck_assert_ptr_nonnull(w->queue);
	ck_assert_int_eq(pthread_create(&w->thread, NULL, work, w), 0);
}

static void join(struct worker *w)
{
	ck_assert_int_eq(pthread_join(w->thread, NULL), 0);
	if (w->queue != queue)
		weir_queue_close(w->queue);
	ck_assert_msg(w->result == 0, "line %d", w->result);
}

static const struct deal {
	uint64_t max_items;
	enum way ways[GETTERS];
	bool second;		/* the getters have handles of their own */
} deals[] = {
	{ .max_items = 0, .ways = { BY_SET } },
	{ .max_items = 0, .ways = { BY_SET, BY_SET, BY_SET }, .second = true },
	{ .max_items = 0, .ways = { BY_SET, BY_LEVEL } },
	{ .max_items = 0, .ways = { BY_SET, ASLEEP } },
	{ .max_items = 1, .ways = { BY_SET } },
	{ .max_items = 2, .ways = { BY_SET, BY_SET }, .second = true },
	{ .max_items = 2, .ways = { BY_LEVEL } },
	{ .max_items = 2, .ways = { ASLEEP, BY_SET, BY_LEVEL } },
};
#define DEALS ((int)(sizeof(deals) / sizeof(deals[0])))

/* Over one mapping: a second handle has another one, and what it does TSan does not see. */
#if defined(__SANITIZE_THREAD__)
#define SECOND(deal) ((void)(deal)->second, false)
#else
#define SECOND(deal) ((deal)->second)
#endif

START_TEST(nobody_waits_for_what_is_there)
{
	const struct deal *deal = &deals[_i];

	queue = queue_new(deal->max_items, UINT64_C(1) << 20, 0);
	ck_assert_ptr_nonnull(queue);
	memset(got, 0, sizeof(got));
	for (uint64_t i = 0; i < GETTERS; i++)
		if (deal->ways[i] != NOBODY)
			start(&getters[i], i, deal->ways[i], SECOND(deal));
	for (uint64_t i = 0; i < PUTTERS; i++)
		start(&putters[i], i, NOBODY, false);
	for (int i = 0; i < PUTTERS; i++)
		join(&putters[i]);
	ck_assert_int_eq(weir_queue_shutdown(queue, 0), 0);
	for (int i = 0; i < GETTERS; i++)
		if (deal->ways[i] != NOBODY)
			join(&getters[i]);
	for (int i = 0; i < PUTTERS; i++)
		ck_assert_uint_eq(got[i], EACH);
	weir_queue_close(queue);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("queue-source");
	TCase *tcase = tcase_create("storm");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, nobody_waits_for_what_is_there, 0, DEALS);
	suite_add_tcase(suite, tcase);
	return test_main(suite);
}
