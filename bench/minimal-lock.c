/* SPDX-License-Identifier: MIT */
/*
 * What taking a lock and giving it back costs at the least, in one process and between two.
 *
 * Uses nothing of weir. With the lock a number in shared memory is incremented, as by the workload
 * lock of ipc-bench, and it must add up.
 *
 *	exchange, store		the least: one atomic exchange to take it; giving back is a plain
 *				store, after which nobody can be woken who has gone to sleep
 *	exchange, exchange	the least with sleepers: giving back is ordered before the look
 *				whether somebody sleeps
 *	mutex, robust mutex	of pthreads, which processes share
 *
 *	alone		nanoseconds for a pair of calls of one process
 *	two		million pairs a second of two processes together, on two processors (default
 *			0 and 1), for ever at it; those who wait for the first two locks spin
 *	turns		how many pairs in a row the lock was with one process: a lock that often
 *			changes sides is a slow one, whatever its calls cost
 *
 * Rounds of all locks are interleaved, because the processors may move while it runs; figures are
 * medians.
 */
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS	11
#define COUNT	1000000

enum way {
	STORE,
	EXCHANGE,
	MUTEX,
	ROBUST,
	WAYS,
};

static const char *const names[WAYS] = {
	"exchange, store",
	"exchange, exchange",
	"mutex",
	"robust mutex",
};

static struct shared {
	_Alignas(128) uint32_t word;
	_Alignas(128) pthread_mutex_t mutex;
	_Alignas(128) pthread_mutex_t robust;
	_Alignas(128) uint64_t counter;
	uint64_t last;		/* who had it before, */
	uint64_t changes;	/* and how often that was the other one */
	_Alignas(128) uint32_t met;
} *shared;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		perror("minimal-lock: cannot pin");
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield" ::: "memory");
#endif
}

static void make_mutex(pthread_mutex_t *mutex, int robust)
{
	pthread_mutexattr_t attributes;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attributes, robust);
	if (pthread_mutex_init(mutex, &attributes) != 0)
		exit(1);
}

static inline void take(enum way way)
{
	uint32_t nobody = 0;

	if (way == MUTEX) {
		pthread_mutex_lock(&shared->mutex);
		return;
	}
	if (way == ROBUST) {
		pthread_mutex_lock(&shared->robust);
		return;
	}
	while (!__atomic_compare_exchange_n(&shared->word, &nobody, 1, false, __ATOMIC_ACQUIRE,
					    __ATOMIC_RELAXED)) {
		while (__atomic_load_n(&shared->word, __ATOMIC_RELAXED) != 0)
			relax();
		nobody = 0;
	}
}

static inline void give(enum way way)
{
	if (way == MUTEX)
		pthread_mutex_unlock(&shared->mutex);
	else if (way == ROBUST)
		pthread_mutex_unlock(&shared->robust);
	else if (way == EXCHANGE)
		__atomic_exchange_n(&shared->word, 0, __ATOMIC_SEQ_CST);
	else
		__atomic_store_n(&shared->word, 0, __ATOMIC_RELEASE);
}

/* Compiled anew for each way. */
__attribute__((always_inline)) static inline void work_by(enum way way)
{
	volatile uint64_t *counter = &shared->counter;

	for (int i = 0; i < COUNT; i++) {
		take(way);
		*counter = *counter + 1;
		give(way);
	}
}

__attribute__((always_inline)) static inline void watch_by(enum way way, uint64_t me)
{
	for (int i = 0; i < COUNT; i++) {
		take(way);
		shared->counter++;
		shared->changes += shared->last != me;
		shared->last = me;
		give(way);
	}
}

static void work(enum way way)
{
	switch (way) {
	case STORE:
		work_by(STORE);
		break;
	case EXCHANGE:
		work_by(EXCHANGE);
		break;
	case MUTEX:
		work_by(MUTEX);
		break;
	default:
		work_by(ROBUST);
	}
}

static void watch(enum way way, uint64_t me)
{
	switch (way) {
	case STORE:
		watch_by(STORE, me);
		break;
	case EXCHANGE:
		watch_by(EXCHANGE, me);
		break;
	case MUTEX:
		watch_by(MUTEX, me);
		break;
	default:
		watch_by(ROBUST, me);
	}
}

static void check(uint64_t wanted, enum way way)
{
	if (shared->counter != wanted) {
		fprintf(stderr, "%s: %llu instead of %llu\n", names[way],
			(unsigned long long)shared->counter, (unsigned long long)wanted);
		exit(1);
	}
}

static double alone(enum way way)
{
	double start;

	shared->counter = 0;
	start = now();
	work(way);
	start = now() - start;
	check(COUNT, way);
	return start / COUNT;
}

static void meet(void)
{
	__atomic_add_fetch(&shared->met, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&shared->met, __ATOMIC_ACQUIRE) % 2 != 0)
		relax();
}

/* Pairs a nanosecond; with @watched only how many in a row. */
static double two(enum way way, const int cpus[2], bool watched)
{
	double start;
	pid_t child;
	int status;

	shared->counter = shared->changes = 0;
	child = fork();
	if (child < 0)
		exit(1);
	pin(cpus[child == 0]);
	meet();
	start = now();
	watched ? watch(way, child == 0) : work(way);
	if (child == 0)
		_exit(0);
	waitpid(child, &status, 0);
	start = now() - start;
	check(2 * (uint64_t)COUNT, way);
	if (watched)
		return 2.0 * COUNT / (double)(shared->changes + 1);
	return 2.0 * COUNT / start;
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

int main(int argc, char **argv)
{
	static double times[WAYS][ROUNDS], rates[WAYS][ROUNDS], turns[WAYS][ROUNDS];
	int cpus[2] = { argc > 2 ? atoi(argv[1]) : 0, argc > 2 ? atoi(argv[2]) : 1 };

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED || sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		fprintf(stderr, "needs memory and two processors\n");
		return 1;
	}
	make_mutex(&shared->mutex, PTHREAD_MUTEX_STALLED);
	make_mutex(&shared->robust, PTHREAD_MUTEX_ROBUST);
	pin(cpus[0]);
	for (int i = 0; i < ROUNDS; i++)
		for (int w = 0; w < WAYS; w++) {
			times[w][i] = alone((enum way)w);
			rates[w][i] = two((enum way)w, cpus, false);
			turns[w][i] = two((enum way)w, cpus, true);
		}
	printf("%-20s %10s %10s %10s\n", "", "alone ns", "two M/s", "turns");
	for (int w = 0; w < WAYS; w++)
		printf("%-20s %10.1f %10.1f %10.1f\n", names[w], median(times[w]),
		       1e3 * median(rates[w]), median(turns[w]));
	return 0;
}
