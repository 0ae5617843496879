/* SPDX-License-Identifier: MIT */
/*
 * What it costs to wake many: one system call each, or one submission to an io_uring for all.
 *
 * Uses nothing of weir. Each of N processes sleeps on a word, or an eventfd, of its own, and all
 * are woken: by a loop of futex(FUTEX_WAKE), or of write(2) to the eventfds; or by one
 * io_uring_enter(2) with N operations. That is the choice that weir_batch_flush() has: where the
 * figures of a submission are above those of a loop, no batch can be faster on that machine.
 *
 *	issue	from the first wake to the return of the last, in microseconds; the median
 *	last	from the first wake until the last sleeper runs; the median
 *	ratio	median over the rounds of issue by a submission / issue by a loop, inside a round
 *
 * The waker has the first of the processors given (default 0) to itself, the sleepers the second
 * (default 1). A round counts if each futex wake has found its sleeper. The last table wakes where
 * nobody sleeps: what the ways cost by themselves.
 *
 * On a machine that does other things the figures are noise: take the machine's load into account.
 */
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>
#if HAVE_URING
#include <liburing.h>
#endif

#define ROUNDS		81
#define WARM		5
#define SLEEPERS_MAX	64
/* io_uring's; liburing 2.3 does not know them. */
#define OP_FUTEX_WAKE	52
#define FUTEX_U32	2

enum way {
	FUTEX_LOOP,
	FUTEX_SUBMISSION,
	EVENT_LOOP,
	EVENT_SUBMISSION,
	WAYS
};

static const char *const names[WAYS] = {
	"futex loop", "futex submission", "eventfd loop", "eventfd submission",
};

struct line {
	uint32_t word;
	uint32_t unused[31];
};

static struct shared {
	uint32_t ready;
	uint32_t unused[31];
	uint32_t awake;
	int64_t last;
	struct line lines[WAYS][SLEEPERS_MAX];
} *shared;

static int events[WAYS][SLEEPERS_MAX];
static const uint64_t one = 1;
static bool with_ring;
#if HAVE_URING
static struct io_uring ring;
#endif

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		perror("minimal-wake: cannot pin");
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/*
 * Sleepers
 */

static void sleep_until(enum way way, int i, uint32_t round)
{
	uint32_t *word = &shared->lines[way][i].word;
	struct pollfd p = { .fd = events[way][i], .events = POLLIN };
	uint64_t count;

	while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != round + 1) {
		if (way < EVENT_LOOP)
			syscall(SYS_futex, word, FUTEX_WAIT, round, NULL, NULL, 0);
		else if (poll(&p, 1, -1) > 0 && read(p.fd, &count, sizeof(count)) < 0)
			die("read");
	}
}

static void sleeper(int i, int sleepers, int ways)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (uint32_t round = 0; round < ROUNDS + WARM; round++)
		for (int way = 0; way < ways; way++) {
			__atomic_add_fetch(&shared->ready, 1, __ATOMIC_RELEASE);
			sleep_until((enum way)way, i, round);
			if (__atomic_add_fetch(&shared->awake, 1, __ATOMIC_ACQ_REL) ==
			    (uint32_t)sleepers)
				__atomic_store_n(&shared->last, now(), __ATOMIC_RELEASE);
		}
	_exit(0);
}

/*
 * The waker
 */

static int wake_by_loop(enum way way, int sleepers)
{
	int woken = 0;

	for (int i = 0; i < sleepers; i++) {
		if (way == FUTEX_LOOP)
			woken += (int)syscall(SYS_futex, &shared->lines[way][i].word, FUTEX_WAKE,
					      INT32_MAX, NULL, NULL, 0);
		else
			woken += write(events[way][i], &one, sizeof(one)) == sizeof(one);
	}
	return woken;
}

#if HAVE_URING
/* What went well leaves no completion; what did not is a wake less. */
static int wake_by_submission(enum way way, int sleepers)
{
	struct io_uring_cqe *cqe;
	int woken;

	for (int i = 0; i < sleepers; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

		if (way == FUTEX_SUBMISSION) {
			io_uring_prep_rw(OP_FUTEX_WAKE, sqe, FUTEX_U32, &shared->lines[way][i].word,
					 0, INT32_MAX);
			sqe->addr3 = FUTEX_BITSET_MATCH_ANY;
		} else {
			io_uring_prep_write(sqe, events[way][i], &one, sizeof(one), 0);
		}
		sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	}
	woken = io_uring_submit(&ring);
	while (io_uring_peek_cqe(&ring, &cqe) == 0) {
		fprintf(stderr, "minimal-wake: %s: %d\n", names[way], cqe->res);
		io_uring_cqe_seen(&ring, cqe);
		woken--;
	}
	return woken;
}
#endif

static int wake(enum way way, int sleepers)
{
#if HAVE_URING
	if (way == FUTEX_SUBMISSION || way == EVENT_SUBMISSION)
		return wake_by_submission(way, sleepers);
#endif
	return wake_by_loop(way, sleepers);
}

static void wait_until_all_sleep(int sleepers)
{
	while (__atomic_load_n(&shared->ready, __ATOMIC_ACQUIRE) != (uint32_t)sleepers)
		nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
	/* Ready is just before asleep. */
	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	shared->ready = 0;
	shared->awake = 0;
	shared->last = 0;
}

/* Whether each was found asleep, as far as can be told. */
static bool play(enum way way, int sleepers, uint32_t round, double *ret_issue, double *ret_last)
{
	int64_t start, end, last;
	int woken;

	wait_until_all_sleep(sleepers);
	for (int i = 0; i < sleepers; i++)
		__atomic_store_n(&shared->lines[way][i].word, round + 1, __ATOMIC_RELEASE);
	start = now();
	woken = wake(way, sleepers);
	end = now();
	while ((last = __atomic_load_n(&shared->last, __ATOMIC_ACQUIRE)) == 0)
		nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
	*ret_issue = (double)(end - start) / 1e3;
	*ret_last = (double)(last - start) / 1e3;
	return woken == sleepers;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, int count)
{
	qsort(values, (size_t)count, sizeof(*values), ascending);
	return values[count / 2];
}

static void print_row(const char *name, int n, double issue, double last, double ratio)
{
	printf("%-20s %5d %9.1f us", name, n, issue);
	if (last > 0)
		printf(" %9.1f us", last);
	else
		printf(" %12s", "");
	if (ratio > 0)
		printf(" %7.2f x", ratio);
	printf("\n");
}

static void measure(int sleepers, int ways, int step, int cpus[2])
{
	static double issue[WAYS][ROUNDS], last[WAYS][ROUNDS], ratio[WAYS][ROUNDS];
	int counted = 0;

	for (int i = 0; i < sleepers; i++)
		if (fork() == 0) {
			pin(cpus[1]);
			sleeper(i, sleepers, ways);
		}
	for (uint32_t round = 0; round < ROUNDS + WARM; round++) {
		bool good = round >= WARM;

		for (int way = 0; way < ways; way += step)
			good &= play((enum way)way, sleepers, round, &issue[way][counted],
				     &last[way][counted]);
		if (!good)
			continue;
		for (int way = 1; way < ways; way += 2)
			ratio[way][counted] = issue[way][counted] / issue[way - 1][counted];
		counted++;
	}
	while (wait(NULL) > 0)
		;
	for (int way = 0; way < ways && counted > 0; way += step)
		print_row(names[way], sleepers, median(issue[way], counted),
			  median(last[way], counted), way % 2 ? median(ratio[way], counted) : 0);
	if (counted < ROUNDS / 2)
		printf("(of %d rounds only %d count: others use these processors)\n", ROUNDS,
		       counted);
}

/* Where nobody sleeps. */
static void measure_alone(int words, int ways, int step)
{
	static double issue[WAYS][ROUNDS], ratio[WAYS][ROUNDS];

	for (int round = 0; round < ROUNDS; round++) {
		for (int way = 0; way < ways; way += step) {
			int64_t start = now();

			wake((enum way)way, words);
			issue[way][round] = (double)(now() - start) / 1e3;
		}
		for (int way = 1; way < ways; way += 2)
			ratio[way][round] = issue[way][round] / issue[way - 1][round];
	}
	for (int way = 0; way < ways; way += step)
		print_row(names[way], words, median(issue[way], ROUNDS), 0,
			  way % 2 ? median(ratio[way], ROUNDS) : 0);
}

static bool open_ring(void)
{
#if HAVE_URING
	int result = io_uring_queue_init(SLEEPERS_MAX, &ring, 0);

	if (result == 0) {
		io_uring_ring_dontfork(&ring);
		return true;
	}
	fprintf(stderr, "minimal-wake: no io_uring: error %d\n", -result);
#endif
	return false;
}

int main(int argc, char **argv)
{
	static const int counts[] = { 1, 2, 4, 8, 16, 32, 64 };
	int cpus[2] = { argc > 2 ? atoi(argv[1]) : 0, argc > 2 ? atoi(argv[2]) : 1 };
	int step;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		die("mmap");
	for (int way = EVENT_LOOP; way < WAYS; way++)
		for (int i = 0; i < SLEEPERS_MAX; i++)
			events[way][i] = eventfd(0, EFD_NONBLOCK);
	pin(cpus[0]);
	with_ring = open_ring();
	step = with_ring ? 1 : 2;
	printf("%-20s %5s %12s %12s %9s\n", "asleep", "N", "issue", "last", "ratio");
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		memset(shared, 0, sizeof(*shared));
		measure(counts[i], WAYS, step, cpus);
	}
	printf("\n%-20s %5s %12s %12s %9s\n", "nobody asleep", "N", "issue", "", "ratio");
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		measure_alone(counts[i], WAYS, step);
	return 0;
}
