/* SPDX-License-Identifier: MIT */
/*
 * The limits of memory, system calls and wakes on this machine.
 *
 * All are the best of several short runs: a limit is what the machine can do, not what it did
 * while something else was running. The wake is a median, since its cost is what users get.
 */
#include "bench/floor.h"
#include "bench/floor-pair.h"

#include <errno.h>
#include <linux/futex.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/clock.h"
#include "bench/pattern.h"
#include "bench/stats.h"

const size_t floor_sizes[FLOOR_SIZES] = { 8, 64, 256, 1024, 4096, 65536, 1048576 };

enum {
	RUNS = 3,
	RUN_NS = 2000000,	  /* one run of a memory loop */
	CHUNK = 256 << 10,	  /* bytes between two looks at the clock */
	COPY_BLOCK = 64 << 10,	  /* memcpy: one block from a hot source */
	HAND_BLOCK = 32 << 10,	  /* crosscore: one block per index update */
	HAND_BYTES = 64 << 20,	  /* crosscore: one run */
	HAND_RUNS = 6,		  /* crosscore: it swings between two modes, see hand_over() */
	HAND_NS = 1000000000,	  /* crosscore: give up */
	WAKES = 200,
	WAKE_PAUSE_NS = 60000,	  /* so that the sleeper really sleeps */
	WAKE_NS = 1000000000,	  /* give up */
	SYSCALLS = 5000,
};

/* ---- one core ---- */

/* What a run works on; a message buffer of its own and a ring that a peer could map. */
struct arena {
	unsigned char *ring;
	unsigned char *msg;
	size_t size;
	struct pattern_shape shape;
	uint64_t seq;
	size_t at;
};

/* Put @bytes through the ring; the empty asm makes the compiler assume that memory is read. */
typedef void (*arena_fn)(struct arena *a, size_t messages);

static unsigned char *next_slot(struct arena *a)
{
	unsigned char *p = a->ring + a->at;

	a->at += a->size;
	if (a->at + a->size > FLOOR_RING_BYTES)
		a->at = 0;
	return p;
}

static void copy_only(struct arena *a, size_t messages)
{
	while (messages--) {
		memcpy(next_slot(a), a->msg, a->size);
		__asm__ volatile("" ::: "memory");
	}
}

static void fill_only(struct arena *a, size_t messages)
{
	while (messages--) {
		pattern_write_full(&a->shape, next_slot(a), a->seq++);
		__asm__ volatile("" ::: "memory");
	}
}

static void fill_copy(struct arena *a, size_t messages)
{
	while (messages--) {
		pattern_write_full(&a->shape, a->msg, a->seq++);
		memcpy(next_slot(a), a->msg, a->size);
		__asm__ volatile("" ::: "memory");
	}
}

static double best_rate(struct arena *a, arena_fn fn)
{
	size_t messages = a->size < CHUNK ? CHUNK / a->size : 1;
	double best = 0;
	int i;

	fn(a, FLOOR_RING_BYTES / a->size); /* the whole ring once, to warm up */
	for (i = 0; i < RUNS; i++) {
		int64_t start = bench_now(), t;
		size_t done = 0;
		double rate;

		do {
			fn(a, messages);
			done += messages;
			t = bench_now();
		} while (t - start < RUN_NS);
		rate = (double)(done * a->size) * 1e9 / (double)(t - start);
		if (rate > best)
			best = rate;
	}
	return best;
}

static double arena_rate(size_t size, arena_fn fn)
{
	struct arena a = { .size = size };
	double rate = NAN;

	if (size > FLOOR_RING_BYTES || pattern_shape_init(&a.shape, size, PATTERN_FULL))
		return NAN;
	a.ring = floor_pair_alloc(FLOOR_RING_BYTES);
	a.msg = aligned_alloc(64, (size + 63) & ~(size_t)63);
	if (a.ring && a.msg) {
		memset(a.msg, 1, size);
		rate = best_rate(&a, fn);
	}
	free(a.msg);
	floor_pair_free(a.ring, FLOOR_RING_BYTES);
	return rate;
}

double floor_memcpy_bytes_per_s(void)
{
	return arena_rate(COPY_BLOCK, copy_only);
}

double floor_fill_bytes_per_s(size_t size, bool with_copy)
{
	return arena_rate(size, with_copy ? fill_copy : fill_only);
}

double floor_null_syscall_ns(void)
{
	int64_t best = INT64_MAX;
	int i, k;

	for (i = 0; i < RUNS + 2; i++) {
		int64_t start = bench_now(), t;

		for (k = 0; k < SYSCALLS; k++)
			syscall(SYS_getppid);
		t = bench_now() - start;
		if (t < best)
			best = t;
	}
	return (double)best / SYSCALLS;
}

/* ---- two cores: memory ---- */

struct handover {
	_Alignas(128) uint64_t written; /* blocks; the writer's */
	_Alignas(128) uint64_t taken;	/* the reader's */
	_Alignas(128) uint64_t sum;
	double best;
	_Alignas(4096) unsigned char ring[FLOOR_RING_BYTES];
};

enum {
	HAND_SLOTS = FLOOR_RING_BYTES / HAND_BLOCK,
	HAND_COUNT = HAND_BYTES / HAND_BLOCK
};

/* Wait until *word >= want; H1 and H2 pair with the stores in hand_write() and hand_read(). */
static bool at_least(const uint64_t *word, uint64_t want, int64_t deadline)
{
	int n = 0;

	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) < want) {
		bench_pause();
		if (++n % 4096 == 0 && bench_now() > deadline)
			return false;
	}
	return true;
}

static bool hand_write(struct handover *h, uint64_t first, int64_t deadline)
{
	uint64_t i;

	for (i = first; i < first + HAND_COUNT; i++) {
		unsigned char *block = h->ring + i % HAND_SLOTS * HAND_BLOCK;

		if (i >= HAND_SLOTS && !at_least(&h->taken, i - HAND_SLOTS + 1, deadline))
			return false;
		pattern_fill_words(block, HAND_BLOCK / 8, i);
		__atomic_store_n(&h->written, i + 1, __ATOMIC_RELEASE);
	}
	return at_least(&h->taken, first + HAND_COUNT, deadline);
}

static bool hand_read(struct handover *h, uint64_t first, int64_t deadline)
{
	uint64_t i, sum = 0;

	for (i = first; i < first + HAND_COUNT; i++) {
		const unsigned char *block = h->ring + i % HAND_SLOTS * HAND_BLOCK;

		if (!at_least(&h->written, i + 1, deadline))
			return false;
		sum += pattern_sum_words(block, HAND_BLOCK / 8);
		__atomic_store_n(&h->taken, i + 1, __ATOMIC_RELEASE);
	}
	h->sum += sum; /* or the reading could be left out */
	return true;
}

/*
 * The reader may happen to follow closely or at a distance, and takes the blocks out of the other
 * core's cache or out of the shared one: rates two or three times apart. More runs than elsewhere
 * give both a chance; no distance is the better one on every machine.
 */
static bool hand_over(void *shared, int side)
{
	struct handover *h = shared;
	int64_t deadline = bench_now() + 2 * (int64_t)HAND_NS;
	uint64_t run;

	for (run = 0; run <= HAND_RUNS; run++) {
		int64_t start = bench_now();
		double rate;

		if (side ? !hand_read(h, run * HAND_COUNT, deadline)
			 : !hand_write(h, run * HAND_COUNT, deadline))
			return false;
		rate = (double)HAND_BYTES * 1e9 / (double)(bench_now() - start);
		if (side == 0 && run && rate > h->best) /* the first warms up */
			h->best = rate;
	}
	return true;
}

double floor_crosscore_bytes_per_s(int cpu_a, int cpu_b)
{
	struct handover *h;
	double rate = NAN;

	if (cpu_a == cpu_b && cpu_a >= 0)
		return NAN;
	pattern_wide_bytes();
	h = floor_pair_alloc(sizeof(*h));
	if (h && !floor_pair_run(cpu_a, cpu_b, hand_over, h))
		rate = h->best;
	floor_pair_free(h, sizeof(*h));
	return rate;
}

/* ---- two cores: wake ---- */

struct wake {
	_Alignas(128) uint32_t word; /* what the sleeper waits for */
	_Alignas(128) uint32_t asleep;
	int64_t sent_ns;
	int samples;
	double ns[WAKES];
};

static bool yield_until(const uint32_t *word, uint32_t want, int64_t deadline)
{
	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != want) {
		if (bench_now() > deadline)
			return false;
		sched_yield();
	}
	return true;
}

static bool waker(struct wake *w, int64_t deadline)
{
	uint32_t i;

	for (i = 1; i <= WAKES; i++) {
		int64_t until;

		if (!yield_until(&w->asleep, i, deadline))
			return false;
		until = bench_now() + WAKE_PAUSE_NS;
		while (bench_now() < until)
			bench_pause();
		w->sent_ns = bench_now();
		__atomic_store_n(&w->word, i, __ATOMIC_RELEASE);
		syscall(SYS_futex, &w->word, FUTEX_WAKE, 1, NULL, NULL, 0);
	}
	return yield_until(&w->asleep, WAKES + 1, deadline);
}

static bool sleeper(struct wake *w, int64_t deadline)
{
	const struct timespec limit = { .tv_sec = 1 };
	uint32_t i;

	for (i = 1; i <= WAKES; i++) {
		bool slept = false;

		__atomic_store_n(&w->asleep, i, __ATOMIC_RELEASE);
		while (__atomic_load_n(&w->word, __ATOMIC_ACQUIRE) != i) {
			slept = !syscall(SYS_futex, &w->word, FUTEX_WAIT, i - 1, &limit, NULL, 0);
			if (bench_now() > deadline)
				return false;
		}
		if (slept)
			w->ns[w->samples++] = (double)(bench_now() - w->sent_ns);
	}
	__atomic_store_n(&w->asleep, WAKES + 1, __ATOMIC_RELEASE);
	return true;
}

static bool wake_side(void *shared, int side)
{
	int64_t deadline = bench_now() + 2 * (int64_t)WAKE_NS;

	return side ? sleeper(shared, deadline) : waker(shared, deadline);
}

double floor_wake_ns(int cpu_a, int cpu_b)
{
	struct wake *w = floor_pair_alloc(sizeof(*w));
	double ns = NAN;

	if (w && !floor_pair_run(cpu_a, cpu_b, wake_side, w) && w->samples >= WAKES / 4)
		ns = stats_median(w->ns, (size_t)w->samples);
	floor_pair_free(w, sizeof(*w));
	return ns;
}

/* ---- all of it ---- */

int floor_measure(int cpu_a, int cpu_b, struct floor_limits *ret)
{
	cpu_set_t old;
	int i, rc;

	if (sched_getaffinity(0, sizeof(old), &old))
		return -errno;
	rc = bench_pin(cpu_a);
	if (rc)
		return rc;
	ret->cpu[0] = cpu_a;
	ret->cpu[1] = cpu_b;
	ret->cacheline_rtt_ns = floor_cacheline_rtt_ns(cpu_a, cpu_b);
	ret->crosscore_bytes_per_s = floor_crosscore_bytes_per_s(cpu_a, cpu_b);
	ret->wake_ns = floor_wake_ns(cpu_a, cpu_b);
	ret->memcpy_bytes_per_s = floor_memcpy_bytes_per_s();
	for (i = 0; i < FLOOR_SIZES; i++) {
		ret->fill_copy_bytes_per_s[i] = floor_fill_bytes_per_s(floor_sizes[i], true);
		ret->fill_bytes_per_s[i] = floor_fill_bytes_per_s(floor_sizes[i], false);
	}
	ret->null_syscall_ns = floor_null_syscall_ns();
	ret->timer_ns = bench_timer_ns();
	sched_setaffinity(0, sizeof(old), &old);
	return 0;
}
