/* SPDX-License-Identifier: MIT */
/*
 * What a round trip costs at the least, by the number of cache lines that it needs.
 *
 * The floor of ipc-bench is one line that both processes write. A pipe has a line for each
 * direction, because each direction is a ring of its own; and a message of 64 bytes with its header
 * covers two lines. This program measures just that, without any library: no calls, no checks, one
 * loop that stores and one that polls. Where its figures are above a target for weir, the target is
 * out of reach on that machine for any design with two rings.
 *
 *	one line	both write the same line: floor.cacheline_rtt_ns
 *	two lines	a line for each direction, one store of 8 bytes each way
 *	16-byte records	a ring for each direction: header, 8 bytes, and a zero word behind
 *	72-byte records	the same with 64 bytes: two lines each way
 *
 * Rounds are interleaved, because the processors may move while it runs; the ratio is the median
 * over the rounds of the ratio inside a round.
 */
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS		15
#define TRIPS		20000
#define RING		(256 << 10)
#define KINDS		4

static const char *const names[KINDS] = {
	"one line", "two lines", "16-byte records", "72-byte records",
};
static const int words[KINDS] = { 0, 0, 1, 8 };

/* Room for a ring, or a line, for each kind and direction. */
#define PLOT		(RING + 4096)

static uint8_t *area;
static volatile uint64_t heard;	/* so that what was read was read */

static uint64_t *word(int kind, int direction, uint64_t trip)
{
	uint64_t record = 8 + 8 * (uint64_t)words[kind];
	uint8_t *ring = area + (size_t)(2 * kind + direction) * PLOT;

	if (kind == 0)
		return (uint64_t *)(void *)area;
	if (kind == 1)
		return (uint64_t *)(void *)ring;
	return (uint64_t *)(void *)(ring + trip * record % (RING - RING % record));
}

static uint64_t expected(int kind, int direction, uint64_t trip)
{
	return kind == 0 ? 2 * trip + 1 + (uint64_t)direction : trip + 1;
}

static void say(int kind, int direction, uint64_t trip)
{
	uint64_t *at = word(kind, direction, trip);

	for (int i = 1; i <= words[kind]; i++) {
		uint64_t value = trip + (uint64_t)i;

		__asm__("" : "+r"(value));	/* word by word, as a message is */
		at[i] = value;
	}
	if (kind >= 2)
		*word(kind, direction, trip + 1) = 0;
	__atomic_store_n(at, expected(kind, direction, trip), __ATOMIC_RELEASE);
}

static uint64_t hear(int kind, int direction, uint64_t trip)
{
	uint64_t *at = word(kind, direction, trip);
	uint64_t sum = 0;

	while (__atomic_load_n(at, __ATOMIC_ACQUIRE) != expected(kind, direction, trip))
		if (words[kind] > 1)
			__builtin_prefetch((uint8_t *)at + 64);
	for (int i = 1; i <= words[kind]; i++)
		sum += at[i];
	return sum;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		perror("minimal-rtt: cannot pin");
}

static void answer(void)
{
	for (int round = 0; round < ROUNDS; round++)
		for (int kind = 0; kind < KINDS; kind++)
			for (uint64_t i = 0; i < TRIPS; i++) {
				uint64_t trip = (uint64_t)round * TRIPS + i;

				heard = hear(kind, 0, trip);
				say(kind, 1, trip);
			}
}

static double ask(int kind, int round)
{
	struct timespec a, b;
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (uint64_t i = 0; i < TRIPS; i++) {
		uint64_t trip = (uint64_t)round * TRIPS + i;

		say(kind, 0, trip);
		heard = hear(kind, 1, trip);
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	return ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / TRIPS;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values)
{
	qsort(values, ROUNDS, sizeof(*values), ascending);
	return values[ROUNDS / 2];
}

int main(int argc, char **argv)
{
	static double ns[KINDS][ROUNDS], ratios[KINDS][ROUNDS];
	int cpus[2] = { argc > 2 ? atoi(argv[1]) : 0, argc > 2 ? atoi(argv[2]) : 1 };
	pid_t child;

	if (cpus[0] == cpus[1]) {
		fprintf(stderr, "minimal-rtt: two processes that poll need two processors\n");
		return 2;
	}
	area = mmap(NULL, 2 * KINDS * PLOT, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		    0);
	if (area == MAP_FAILED) {
		perror("minimal-rtt");
		return 1;
	}
	child = fork();
	if (child == 0) {
		pin(cpus[1]);
		answer();
		_exit(0);
	}
	pin(cpus[0]);
	for (int round = 0; round < ROUNDS; round++)
		for (int kind = 0; kind < KINDS; kind++) {
			ns[kind][round] = ask(kind, round);
			ratios[kind][round] = ns[kind][round] / ns[0][round];
		}
	waitpid(child, NULL, 0);
	for (int kind = 0; kind < KINDS; kind++)
		printf("%-16s %7.1f ns  %5.2f x\n", names[kind], median(ns[kind]),
		       median(ratios[kind]));
	return 0;
}
