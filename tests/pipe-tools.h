/* SPDX-License-Identifier: MIT */
/*
 * What the tests of pipes have in common: pipes, messages that say which they are, and times.
 *
 * Nothing here asserts, so children may use all of it.
 */
#ifndef WEIR_TESTS_PIPE_TOOLS_H
#define WEIR_TESTS_PIPE_TOOLS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/atomic.h"
#include "obj/pipe.h"
#include "support.h"
#include "weir.h"

/* Sanitizers make all several times slower: less of the same then. */
#if WEIR_TSAN || defined(__SANITIZE_ADDRESS__)
#define LESS	8
#else
#define LESS	1
#endif

#define US	INT64_C(1000)
#define MS	INT64_C(1000000)

static inline int pipe_make(struct weir_end *ret_ends[2], uint32_t flags, uint64_t capacity)
{
	struct weir_pipe_options options = {
		.size = sizeof(options),
		.flags = flags,
		.capacity = capacity,
	};

	return weir_pipe(ret_ends, &options);
}

static inline void pipe_close_both(struct weir_end *ends[2])
{
	weir_pipe_close(ends[0]);
	weir_pipe_close(ends[1]);
	ends[0] = ends[1] = NULL;
}

/* Bytes that no other message has at the same place. */
static inline void message_fill(void *buffer, size_t size, uint64_t number)
{
	uint8_t *bytes = buffer;
	uint8_t first = (uint8_t)(number * 167 + 13);

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(first + i * 7);
}

static inline bool message_is(const void *buffer, size_t size, uint64_t number)
{
	const uint8_t *bytes = buffer;
	uint8_t first = (uint8_t)(number * 167 + 13), wrong = 0;

	for (size_t i = 0; i < size; i++)
		wrong |= bytes[i] ^ (uint8_t)(first + i * 7);
	return wrong == 0;
}

/* Messages that are a number of eight bytes. */
static inline int send_number(struct weir_end *end, uint64_t number, int64_t deadline)
{
	return weir_pipe_send(end, &number, sizeof(number), 0, deadline);
}

/* The number, or a negative errno; -EPROTO if it was no number. */
static inline int64_t recv_number(struct weir_end *end, int64_t deadline)
{
	uint64_t number;
	size_t size = 0;
	int result = weir_pipe_recv(end, &number, sizeof(number), 0, deadline, &size);

	if (result < 0)
		return result;
	return size == sizeof(number) ? (int64_t)number : -71;
}

/* Send the numbers from @first on until no more fit, without waiting. How many. */
static inline uint64_t fill_with_numbers(struct weir_end *end, uint64_t first)
{
	uint64_t sent = 0;

	while (send_number(end, first + sent, 0) == 0)
		sent++;
	return sent;
}

/*
 * Wait until the process or thread @pid sleeps and has announced so in @wait; the stage. WAIT_AWAKE
 * if it does not until soon(). The shallow stage lasts 20 ms, which a busy machine may miss.
 */
static inline uint32_t wait_for_sleeper(pid_t pid, const uint32_t *wait)
{
	int64_t deadline = soon();

	while (test_now() < deadline) {
		uint32_t before = load_acquire(wait);

		if ((before & WAIT_STAGE_MASK) != WAIT_AWAKE && child_state(pid) == 'S' &&
		    load_acquire(wait) == before)
			return before & WAIT_STAGE_MASK;
		nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
	}
	return WAIT_AWAKE;
}

/*
 * What the sides of the lanes of a pipe tell each other, to look at after the end is closed, too.
 * Lane 0 goes from ends[1] to ends[0].
 */
static inline const struct weir_lane_control *pipe_watch(const struct weir_end *end)
{
	const struct segment *s = &end->core->segment;
	uint8_t *front = mmap(NULL, s->front_size, PROT_READ, MAP_SHARED, s->fd, 0);

	return front == MAP_FAILED ? NULL : (const void *)(front + WEIR_CONTROL_OFFSET);
}

/*
 * Wait until @pid sleeps in @stage, as it announces in @wait. False if that has been missed: after
 * the shallow stage comes the deep one.
 */
static inline bool wait_for_stage(pid_t pid, const uint32_t *wait, uint32_t stage)
{
	if (stage == WAIT_DEEP && !child_wait_asleep_in(pid, SYS_ppoll))
		return false;
	return wait_for_sleeper(pid, wait) == stage;
}

static inline int compare_times(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Sorts @times. */
static inline int64_t median(int64_t *times, size_t count)
{
	qsort(times, count, sizeof(*times), compare_times);
	return times[count / 2];
}

/*
 * The times of wake-ups on a machine that does other things, too. What a process that takes part
 * has waited for a processor is no part of it:
 *
 *	starved = -child_starved(child.pid) - child_starved(getpid());
 *	start = test_now();
 *	...
 *	starved += report->starved + child_starved(getpid());
 *	times[i] = report->at - start - starved;
 *
 * And if the median of the times is not below @limit, they are taken once more: something that goes
 * on beside makes some sets of times slow, a wake-up that is lost all of them.
 *
 *	int sets = 0;
 *
 *	do {
 *		for (size_t i = 0; i < ARRAY_LENGTH(times); i++)
 *			times[i] = ...;
 *	} while (take_again(times, ARRAY_LENGTH(times), LIMIT, &sets));
 *	ck_assert_int_lt(median(times, ARRAY_LENGTH(times)), LIMIT);
 */
static inline bool take_again(int64_t *times, size_t count, int64_t limit, int *sets)
{
	return median(times, count) >= limit && ++*sets < 5;
}

/* As child_kill(); for how long it had no processor on its way to its end. */
static inline int64_t child_kill_starved(struct child *child)
{
	int64_t starved = -child_starved(child->pid), deadline = soon();

	kill(child->pid, SIGKILL);
	while (child_state(child->pid) != 'Z' && test_now() < deadline)
		nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
	starved += child_starved(child->pid);
	child_join(child);
	return starved;
}

#endif
