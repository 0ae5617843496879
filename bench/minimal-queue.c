/* SPDX-License-Identifier: MIT */
/*
 * What it costs that a queue survives its users: the same ring without owners, beside weir_queue().
 *
 * The ring here is the queue's own: slots of two words, put by one 128-bit compare-and-swap, taken
 * by one of 64 bits, released by a store; bytes beside them in chunks; lines fetched ahead; a
 * reader that runs dry waits a few microseconds for several. But no word names anybody, nobody
 * writes down what he has in hand or that he is inside, the slots go round in a fixed circle, and
 * a chunk is free when the last of its messages is: whoever dies in it holds up all others for
 * ever. No sleeping, no limits, nothing is checked.
 *
 * One writer, one reader, messages of 64 bytes, filled and read in words, both polling. Rounds of
 * the two are interleaved, because the processors may move while it runs; figures are medians.
 */
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <weir.h>

#define ROUNDS	9
#define COUNT	UINT64_C(4000000)
#define SIZE	64
#define SLOTS	UINT64_C(16384)		/* as many as are in flight at the most; 1 MiB of bytes */
#define CHUNK	UINT64_C(1024)		/* messages in a chunk */
#define AHEAD	16
#define ENOUGH	256
#define DRY_NS	6000

#define FREE	1U
#define FULL	2U
#define TAKEN	3U

__extension__ typedef unsigned __int128 pair_bits;

struct slot {
	_Alignas(16) uint64_t state;	/* lap << 2 | FREE, FULL, TAKEN */
	uint64_t body;
};

struct shared {
	_Alignas(128) uint64_t met;
	uint64_t sum;
	_Alignas(4096) struct slot slots[SLOTS + AHEAD];
	_Alignas(4096) uint8_t bytes[(SLOTS + AHEAD) * SIZE];
};

static struct shared *shared;
static struct weir_queue *queue;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

/* Have the line here, to be written to. */
static inline void own(const void *line)
{
#if defined(__x86_64__)
	__asm__ volatile("prefetchw %0" : : "m"(*(const char *)line));
#else
	__builtin_prefetch(line, 1);
#endif
}

static void copy(void *to, const void *from)
{
	uint64_t *t = to;
	const uint64_t *f = from;

	for (int i = 0; i < SIZE / 8; i++) {
		t[i] = f[i];
		__asm__("" : : : "memory");
	}
}

/* The functions are not inlined: those of the library are not either. */
static __attribute__((noinline)) int bare_put(uint64_t n, const void *data)
{
	struct slot *slot = &shared->slots[n % SLOTS];
	uint64_t lap = n / SLOTS, place = n % SLOTS * SIZE;
	uint64_t state = lap > 0 ? (lap - 1) << 2 | FREE : 0, last;
	pair_bits was, to;

	/* The chunk that this message begins must be done with to its end. */
	if (n % CHUNK == 0 && lap > 0) {
		last = (n % SLOTS) + CHUNK - 1;
		if (__atomic_load_n(&shared->slots[last].state, __ATOMIC_ACQUIRE) !=
		    ((lap - 1) << 2 | FREE))
			return -1;
	}
	own(&slot[AHEAD]);
	own(shared->bytes + place + AHEAD * SIZE);
	copy(shared->bytes + place, data);
	was = state;
	to = (pair_bits)(place << 17 | SIZE) << 64 | (lap << 2 | FULL);
	return __sync_bool_compare_and_swap((pair_bits *)(void *)slot, was, to) ? 0 : -1;
}

/* Let several come. */
static void dry(uint64_t n)
{
	const struct slot *enough = &shared->slots[(n + ENOUGH) % SLOTS];
	double until = now() + DRY_NS;

	do {
		for (int i = 0; i < 16; i++)
			relax();
	} while (__atomic_load_n(&enough->state, __ATOMIC_RELAXED) !=
			 ((n + ENOUGH) / SLOTS << 2 | FULL) &&
		 now() < until);
}

static __attribute__((noinline)) int bare_get(uint64_t n, void *data)
{
	struct slot *slot = &shared->slots[n % SLOTS];
	uint64_t lap = n / SLOTS, state = __atomic_load_n(&slot->state, __ATOMIC_ACQUIRE);

	if (state != (lap << 2 | FULL)) {
		dry(n);
		return -1;
	}
	own(&slot[AHEAD]);
	__builtin_prefetch(shared->bytes + (slot->body >> 17) + AHEAD * SIZE);
	if (!__atomic_compare_exchange_n(&slot->state, &state, lap << 2 | TAKEN, 0,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return -1;
	copy(data, shared->bytes + (slot->body >> 17));
	slot->body = 0;
	__atomic_store_n(&slot->state, lap << 2 | FREE, __ATOMIC_RELEASE);
	return 0;
}

static int weir_put(uint64_t n, const void *data)
{
	(void)n;
	return weir_queue_put(queue, data, SIZE, 0, 0);
}

static int weir_get(uint64_t n, void *data)
{
	(void)n;
	return weir_queue_get(queue, data, SIZE, 0, 0, NULL);
}

struct ring {
	const char *name;
	int (*put)(uint64_t n, const void *data);
	int (*get)(uint64_t n, void *data);
};

static void meet(void)
{
	__atomic_add_fetch(&shared->met, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&shared->met, __ATOMIC_SEQ_CST) < 2)
		relax();
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		perror("sched_setaffinity");
}

static void write_all(const struct ring *ring)
{
	uint64_t data[SIZE / 8];

	pin(0);
	meet();
	for (uint64_t n = 0; n < COUNT; n++) {
		for (uint64_t i = 0; i < SIZE / 8; i++) {
			data[i] = n + i;
			__asm__("" : : : "memory");
		}
		while (ring->put(n, data) != 0)
			relax();
	}
}

static uint64_t read_all(const struct ring *ring)
{
	uint64_t data[SIZE / 8], sum = 0;

	for (uint64_t n = 0; n < COUNT; n++) {
		while (ring->get(n, data) != 0)
			relax();
		for (int i = 0; i < SIZE / 8; i++)
			sum += data[i];
	}
	return sum;
}

/* Nanoseconds a message. */
static double run(const struct ring *ring)
{
	uint64_t wanted = 0, sum;
	double start;
	pid_t child;
	int status;

	memset(shared, 0, sizeof(*shared));
	if (weir_queue(&queue, NULL) < 0)
		exit(1);
	child = fork();
	if (child < 0)
		exit(1);
	if (child == 0) {
		write_all(ring);
		_exit(0);
	}
	pin(1);
	meet();
	start = now();
	sum = read_all(ring);
	start = (now() - start) / (double)COUNT;
	waitpid(child, &status, 0);
	weir_queue_close(queue);
	for (uint64_t i = 0; i < SIZE / 8; i++)
		wanted += COUNT * (COUNT - 1) / 2 + COUNT * i;
	if (status != 0 || sum != wanted) {
		fprintf(stderr, "%s: messages were lost\n", ring->name);
		exit(1);
	}
	return start;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *values)
{
	qsort(values, ROUNDS, sizeof(*values), compare);
	return values[ROUNDS / 2];
}

int main(void)
{
	static const struct ring rings[2] = {
		{ "without owners", bare_put, bare_get },
		{ "weir_queue", weir_put, weir_get },
	};
	double times[2][ROUNDS], ratios[ROUNDS];

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED || sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		fprintf(stderr, "needs memory and two processors\n");
		return 1;
	}
	for (int i = 0; i < ROUNDS; i++) {
		for (int r = 0; r < 2; r++)
			times[r][i] = run(&rings[r]);
		ratios[i] = times[0][i] / times[1][i];
	}
	for (int r = 0; r < 2; r++)
		printf("%-16s %6.1f M messages/s\n", rings[r].name, 1e3 / median(times[r]));
	printf("price of surviving: %.2f of the rate is left\n", median(ratios));
	return 0;
}
