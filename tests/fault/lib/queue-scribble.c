/* SPDX-License-Identifier: MIT */
#include "fault/lib/queue-scribble.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fault/lib/scene.h"
#include "queue-tools.h"

#define LATE_NS		INT64_C(1000000000)
#define NAP_NS		INT64_C(200000)
#define ROOM		((size_t)64 << 10)
#define ROW		9000
#define VALUES		9
/* How much of each table is scribbled on: what a small queue uses. */
#define SEATS		4U
#define FRAMES		4U
#define CHUNKS		24U
#define AREAS		6

static uint8_t *buffer;
static int64_t worst_ns;
static uint64_t calls, queues, poisoned;

/* Somewhere in the memory, in words of 8 bytes. */
struct area {
	const char *name;
	uint64_t *words;
	size_t count;
};

static void find_areas(struct weir_queue *q, struct area areas[AREAS])
{
	struct store *s = &q->store;

	areas[0] = (struct area){ "control", (uint64_t *)(void *)s->control,
				  sizeof(*s->control) / 8 };
	areas[1] = (struct area){ "seat", (uint64_t *)(void *)store_seat(s, 1),
				  (SEATS - 1) * sizeof(struct weir_seat) / 8 };
	areas[2] = (struct area){ "frame", (uint64_t *)(void *)store_frame(s, 0),
				  FRAMES * sizeof(struct weir_frame) / 8 };
	areas[3] = (struct area){ "chunk", (uint64_t *)(void *)store_chunk(s, 0),
				  CHUNKS * sizeof(struct weir_chunk) / 8 };
	areas[4] = (struct area){ "slot", (uint64_t *)(void *)store_slots(s, 0), 96 };
	areas[5] = (struct area){ "slot at the end",
				  (uint64_t *)(void *)(store_slots(s, 0) + QUEUE_SLOTS - 4), 16 };
}

/*
 * The honest one
 */

static int64_t begin_ns, begin_starved;

static void begin_call(void)
{
	begin_ns = test_now();
	begin_starved = child_starved(getpid());
	calls++;
}

static void end_call(int64_t nap, const char *what)
{
	int64_t took = test_now() - begin_ns - nap;

	if (took > LATE_NS)
		took -= child_starved(getpid()) - begin_starved;
	if (took > worst_ns)
		worst_ns = took;
	if (took > LATE_NS)
		scene_fail("%s ends %" PRId64 " ms late", what, took / 1000000);
}

#define call(nap, expression) \
	({ begin_call(); last = (expression); end_call(nap, #expression); last; })

static void take_some(struct weir_queue *q)
{
	struct weir_taken t[3];
	int last, n = 0;

	while (n < 3 && call(0, weir_queue_take(q, 0, 0, &t[n])) == 0) {
		/* All of it can be read. */
		for (size_t i = 0; i < t[n].size; i += 4096)
			buffer[0] ^= ((const uint8_t *)t[n].data)[i];
		n++;
	}
	for (int i = 0; i < n; i++)
		if (i == 1)
			call(0, weir_queue_return(q, &t[i]));
		else
			call(0, weir_queue_release(q, &t[i]));
}

static void put_some(struct weir_queue *q)
{
	struct weir_msg m[3] = { { .data = buffer, .size = 100 }, { .data = buffer, .size = 0 },
				 { .data = buffer, .size = 3000 } };
	void *data;
	int last;

	call(0, weir_queue_put(q, buffer, 64, 0, 0));
	call(0, weir_queue_put(q, buffer, ROW, 0, 0));
	call(0, weir_queue_put_batch(q, m, 3, 0, 0));
	if (call(0, weir_queue_claim(q, 500, 0, 0, &data)) == 0) {
		memset(data, 1, 500);
		call(0, weir_queue_commit(q, 400, 0, 0));
		call(0, weir_queue_abort(q));
	}
	if (call(0, weir_queue_claim(q, ROW, 0, 0, &data)) == 0) {
		memset(data, 1, ROW);
		call(0, weir_queue_abort(q));
	}
}

static void get_some(struct weir_queue *q)
{
	struct weir_msg m[3];
	size_t size;
	int last;

	for (size_t i = 0; i < 3; i++)
		m[i] = (struct weir_msg){ .data = buffer + i * (ROOM / 4), .room = ROOM / 4 };
	call(0, weir_queue_peek(q, &size));
	call(0, weir_queue_get(q, buffer, ROOM, 0, 0, &size));
	call(0, weir_queue_get_batch(q, m, 3, 0, 0));
	call(NAP_NS, weir_queue_get(q, buffer, ROOM, 0, test_now() + NAP_NS, &size));
}

/* All calls there are but the shutdown. False: it is poisoned. */
static bool call_all(struct weir_queue *q)
{
	struct weir_queue_stat stat = { .size = sizeof(stat) };
	size_t size;
	int last;

	put_some(q);
	take_some(q);
	get_some(q);
	call(0, weir_queue_stat(q, &stat));
	call(0, weir_queue_task_done(q));
	call(NAP_NS, weir_queue_join(q, 0, test_now() + NAP_NS));
	call(NAP_NS, weir_queue_put(q, buffer, 64, 0, test_now() + NAP_NS));
	call(0, queue_mend_all(q));
	return call(0, weir_queue_peek(q, &size)) != -EBADMSG;
}

static struct weir_queue *open_used(uint32_t kind)
{
	struct weir_queue *q = queue_new(kind % 2 ? 20 : 0, UINT64_C(2) << 20,
					 kind % 4 == 3 ? WEIR_QUEUE_DROP : 0);

	if (!q)
		scene_fail("no queue");
	/* Some of them go over the end of a segment. */
	for (uint32_t i = 0; kind % 3 == 0 && i < QUEUE_SLOTS - 6; i++) {
		weir_queue_put(q, buffer, 16, 0, 0);
		weir_queue_get(q, buffer, ROOM, 0, 0, NULL);
	}
	call_all(q);
	for (int i = 0; i < 5; i++)
		weir_queue_put(q, buffer, 1000, 0, 0);
	weir_queue_put(q, buffer, ROW, 0, 0);
	queues++;
	return q;
}

static void close_it(struct weir_queue *q)
{
	struct weir_queue_stat stat = { .size = sizeof(stat) };
	int last;

	call(0, weir_queue_shutdown(q, WEIR_QUEUE_NOW));
	call(0, weir_queue_stat(q, &stat));
	begin_call();
	weir_queue_close(q);
	end_call(0, "weir_queue_close()");
}

/*
 * Word by word
 */

static uint64_t value_of(const uint64_t *word, int which)
{
	const uint64_t values[VALUES] = {
		0, UINT64_MAX, test_random(), word[1], *word + 1, *word - 1,
		*word ^ (UINT64_C(1) << 63), *word + NUMBER_ONE,
		*word ^ (UINT64_C(1) << test_random_below(64)),
	};

	return values[which];
}

static void try_word(int area, size_t index, int which)
{
	struct weir_queue *q = open_used((uint32_t)test_random_below(12));
	struct area areas[AREAS];
	uint64_t value;

	find_areas(q, areas);
	value = value_of(&areas[area].words[index], which);
	snprintf(scene_where, sizeof(scene_where), "queue: word %zu of %s = %#" PRIx64, index,
		 areas[area].name, value);
	areas[area].words[index] = value;
	poisoned += !call_all(q);
	call_all(q);
	close_it(q);
}

static void report(const char *what)
{
	printf("# %s: %" PRIu64 " queues, %" PRIu64 " calls, %" PRIu64
	       " poisoned, the latest %" PRId64 " us behind its deadline\n",
	       what, queues, calls, poisoned, worst_ns / 1000);
	fflush(stdout);
}

static void begin(void)
{
	buffer = calloc(1, ROOM);
	calls = queues = poisoned = 0;
	worst_ns = 0;
}

void qscribble_words(uint32_t one_of)
{
	struct area areas[AREAS];
	struct weir_queue *q;

	begin();
	q = open_used(0);
	find_areas(q, areas);
	weir_queue_close(q);
	for (int area = 0; area < AREAS; area++)
		for (size_t i = 0; i < areas[area].count; i++)
			for (int which = 0; which < VALUES; which++)
				if (test_random_below(one_of) == 0)
					try_word(area, i, which);
	report("word by word");
	free(buffer);
}

/*
 * At full speed
 */

static int scribble(void *arg)
{
	struct weir_queue *q = arg;
	struct area areas[AREAS];

	find_areas(q, areas);
	for (;;) {
		struct area *a = &areas[test_random_below(AREAS)];
		uint64_t *word = &a->words[test_random_below(a->count - 1)];

		store_relaxed(word, value_of(word, (int)test_random_below(VALUES)));
		/* Sometimes it is quiet for long enough to go far. */
		if (test_random_below(64) == 0)
			nanosleep(&(struct timespec){ .tv_nsec = (long)test_random_below(200000) },
				  NULL);
	}
	return 0;
}

void qscribble_live(int64_t duration_ns)
{
	int64_t until = test_now() + duration_ns;
	struct resources before;

	begin();
	before = resources_begin();
	while (test_now() < until) {
		struct weir_queue *q = open_used((uint32_t)test_random_below(12));
		struct child child = child_start(scribble, q);

		snprintf(scene_where, sizeof(scene_where), "queue: scribbled on at full speed");
		for (int i = 0; i < 20 && call_all(q); i++)
			;
		child_kill(&child);
		close_it(q);
		test_random();
	}
	resources_check(&before);
	report("at full speed");
	free(buffer);
}
