/* SPDX-License-Identifier: MIT */
/*
 * What a stream of messages of 64 bytes, written and read in place, can reach at the most.
 *
 * The floor of ipc-bench fills messages with a processor that has the memory to itself. In a stream
 * each line is fetched from the other processor by the writer, and by the reader after it. This
 * program does that and nothing else, without any library: records of 72 bytes, of which the
 * header says "complete"; no calls, no checks, sizes known beforehand. The reader says how far it
 * is every eighth of the ring. Where its figures are below a target for weir, the target is out of
 * reach on that machine for any ring whose messages say themselves that they are complete.
 *
 *	fill		a processor alone fills messages in 4 MiB
 *	apart		writer and reader by turns, half a ring each: what each of them takes
 *	together	both at a time
 *
 * Rounds are interleaved, because the processors may move while it runs; figures are medians.
 */
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS	9
#define RECORDS	58240			/* a ring of 4 MiB less a little, a multiple of 8 */
#define RECORD	9			/* words */
#define HALF	(RECORDS / 2)
#define TURNS	20			/* halves of a round by turns */
#define COUNT	(UINT64_C(40) * RECORDS)	/* messages of a round together */
#define DRY_NS	6000

struct shared {
	_Alignas(128) uint64_t turn;	/* halves written and read */
	_Alignas(128) uint64_t taken;	/* messages, told every eighth of the ring */
	_Alignas(128) uint64_t met;
	double read_ns[2];		/* what the reader measured */
	_Alignas(4096) uint64_t ring[RECORDS * RECORD];
};

static struct shared *shared;
static volatile uint64_t heard;	/* so that what was read was read */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Message @n, where slot @at begins; its header last. 0 is no header. */
static inline void put(uint64_t *at, uint64_t n)
{
	for (int i = 1; i < RECORD; i++) {
		uint64_t value = n + (uint64_t)i;

		__asm__("" : "+r"(value));	/* word by word, as a program fills a struct */
		at[i] = value;
	}
	__atomic_store_n(at, n + 1, __ATOMIC_RELEASE);
}

/* The sum of message @n, or false: it is not there. */
static inline bool get(const uint64_t *at, uint64_t n, uint64_t *sum)
{
	if (__atomic_load_n(at, __ATOMIC_ACQUIRE) != n + 1)
		return false;
	for (int i = 1; i < RECORD; i++)
		*sum += at[i];
	return true;
}

static double fill(void)
{
	uint64_t n = 0;
	double start = 0;

	for (int lap = 0; lap < 6; lap++) {
		if (lap == 1)
			start = now();
		for (uint64_t slot = 0; slot < RECORDS; slot++)
			put(&shared->ring[slot * RECORD], n++);
	}
	return (now() - start) / (5 * RECORDS);
}

/* Both come here. */
static void meet(void)
{
	uint64_t until = (__atomic_fetch_add(&shared->met, 1, __ATOMIC_ACQ_REL) | 1) + 1;

	while (__atomic_load_n(&shared->met, __ATOMIC_ACQUIRE) < until)
		;
}

static void wait_for_turn(uint64_t turn)
{
	while (__atomic_load_n(&shared->turn, __ATOMIC_ACQUIRE) != turn)
		;
}

static void end_turn(uint64_t turn)
{
	__atomic_store_n(&shared->turn, turn + 1, __ATOMIC_RELEASE);
}

/* Writer and reader by turns, from @turn on. Nanoseconds for a message. */
static double write_apart(uint64_t turn)
{
	double spent = 0, start;

	for (uint64_t i = 0; i < TURNS; i++) {
		wait_for_turn(turn + 2 * i);
		start = now();
		for (uint64_t n = i * HALF; n < (i + 1) * HALF; n++)
			put(&shared->ring[n % RECORDS * RECORD], n);
		spent += now() - start;
		end_turn(turn + 2 * i);
	}
	return spent / (TURNS * HALF);
}

static double read_apart(uint64_t turn)
{
	double spent = 0, start;
	uint64_t sum = 0;

	for (uint64_t i = 0; i < TURNS; i++) {
		wait_for_turn(turn + 2 * i + 1);
		start = now();
		for (uint64_t n = i * HALF; n < (i + 1) * HALF; n++)
			get(&shared->ring[n % RECORDS * RECORD], n, &sum);
		spent += now() - start;
		end_turn(turn + 2 * i + 1);
	}
	heard = sum;
	return spent / (TURNS * HALF);
}

static void write_together(uint64_t first)
{
	uint64_t taken = first, slot = 0;

	for (uint64_t n = first; n < first + COUNT; n++) {
		while (n - taken >= RECORDS - 1)
			taken = __atomic_load_n(&shared->taken, __ATOMIC_ACQUIRE);
		put(&shared->ring[slot * RECORD], n);
		slot = slot + 1 < RECORDS ? slot + 1 : 0;
	}
}

static double read_together(uint64_t first)
{
	uint64_t sum = 0, slot = 0;
	double start = 0, dry;

	for (uint64_t n = first; n < first + COUNT; n++) {
		while (!get(&shared->ring[slot * RECORD], n, &sum)) {
			/* Let a backlog build: a reader at the writer's heels makes both slow. */
			__atomic_store_n(&shared->taken, n, __ATOMIC_RELEASE);
			for (dry = now(); now() - dry < DRY_NS;)
				;
		}
		if (n == first)
			start = now();
		slot = slot + 1 < RECORDS ? slot + 1 : 0;
		if (n % (RECORDS / 8) == 0)
			__atomic_store_n(&shared->taken, n, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&shared->taken, first + COUNT, __ATOMIC_RELEASE);
	heard = sum;
	return (now() - start) / COUNT;
}

/* Messages are numbered anew in each round, so that what an old one left is never the next. */
#define FIRST_MESSAGE(round)	(UINT64_C(1) << 32 | (uint64_t)(round) << 40)

static void reader(void)
{
	double apart;

	for (int round = 0; round < ROUNDS; round++) {
		meet();
		apart = read_apart(2 * TURNS * (uint64_t)round);
		shared->taken = FIRST_MESSAGE(round);
		shared->read_ns[0] = apart;
		meet();
		shared->read_ns[1] = read_together(FIRST_MESSAGE(round));
		meet();
	}
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print(const char *what, double *ns, const double *fills)
{
	double ratios[ROUNDS];

	for (int i = 0; i < ROUNDS; i++)
		ratios[i] = fills[i] / ns[i];
	qsort(ns, ROUNDS, sizeof(*ns), ascending);
	qsort(ratios, ROUNDS, sizeof(*ratios), ascending);
	printf("%-16s %6.2f ns  %6.1f M/s  %5.2f of fill\n", what, ns[ROUNDS / 2],
	       1e3 / ns[ROUNDS / 2], ratios[ROUNDS / 2]);
}

static void writer(void)
{
	double fills[ROUNDS], writes[ROUNDS], reads[ROUNDS], streams[ROUNDS];

	for (int round = 0; round < ROUNDS; round++) {
		fills[round] = fill();
		meet();
		writes[round] = write_apart(2 * TURNS * (uint64_t)round);
		meet();
		write_together(FIRST_MESSAGE(round));
		meet();
		reads[round] = shared->read_ns[0];
		streams[round] = shared->read_ns[1];
	}
	print("write, apart", writes, fills);
	print("read, apart", reads, fills);
	print("together", streams, fills);
	print("fill", fills, fills);
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		perror("minimal-stream: cannot pin");
}

int main(int argc, char **argv)
{
	int cpus[2] = { argc > 2 ? atoi(argv[1]) : 0, argc > 2 ? atoi(argv[2]) : 1 };
	pid_t child;

	if (cpus[0] == cpus[1]) {
		fprintf(stderr, "minimal-stream: two processes that poll need two processors\n");
		return 2;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED) {
		perror("minimal-stream");
		return 1;
	}
	child = fork();
	if (child == 0) {
		pin(cpus[1]);
		reader();
		_exit(0);
	}
	pin(cpus[0]);
	writer();
	waitpid(child, NULL, 0);
	return 0;
}
