/* SPDX-License-Identifier: MIT */
/* A pipe and a queue to be pumped, and messages of different sizes that say which they are. */
#ifndef WEIR_TESTS_PUMP_BED_H
#define WEIR_TESTS_PUMP_BED_H

#include "pump-tools.h"

#define ROUNDS	2	/* each test for a pipe and for a queue */
#define OF_QUEUE (_i == 1)

static struct weir_end *ends[2];
static struct weir_queue *queue;
static struct resources before;
static uint8_t buffer[1 << 20];

static inline void setup(void)
{
	before = resources_begin();
	ck_assert_int_eq(weir_pipe(ends, NULL), 0);
	ck_assert_int_eq(weir_queue(&queue, NULL), 0);
}

static inline void teardown(void)
{
	pipe_close_both(ends);
	weir_queue_close(queue);
	resources_check(&before);
}

static inline int put(bool of_queue, const void *data, size_t size)
{
	if (of_queue)
		return weir_queue_put(queue, data, size, 0, 0);
	return weir_pipe_send(ends[1], data, size, 0, 0);
}

/* The next message: its size, or an error. */
static inline int64_t get(bool of_queue)
{
	size_t size;
	int result = of_queue ? weir_queue_get(queue, buffer, sizeof(buffer), 0, 0, &size)
			      : weir_pipe_recv(ends[0], buffer, sizeof(buffer), 0, 0, &size);

	return result < 0 ? result : (int64_t)size;
}

static inline void end_source(bool of_queue)
{
	if (of_queue) {
		ck_assert_int_eq(weir_queue_shutdown(queue, 0), 0);
	} else {
		weir_pipe_close(ends[1]);
		ends[1] = NULL;
	}
}

static inline struct weir_pump *pump_new(bool of_queue, int fd,
					 const struct weir_pump_options *options)
{
	struct weir_pump *pump = NULL;
	int result = of_queue ? weir_pump_queue(&pump, queue, fd, WEIR_PUMP_OUT, options)
			      : weir_pump_pipe(&pump, ends[0], fd, WEIR_PUMP_OUT, options);

	ck_assert_int_eq(result, 0);
	return pump;
}

static inline struct weir_pump *raw_new(bool of_queue, int fd)
{
	struct weir_pump_options options = { .size = sizeof(options), .flags = WEIR_PUMP_RAW };

	return pump_new(of_queue, fd, &options);
}

static inline size_t size_of(uint64_t number)
{
	static const size_t sizes[] = { 0, 1, 7, 8, 100, 4096, 5000, 20000 };

	return sizes[number % (sizeof(sizes) / sizeof(sizes[0]))];
}

/* Messages with the numbers from @first on, of different sizes. */
static inline void put_some(bool of_queue, uint64_t first, uint64_t count)
{
	for (uint64_t i = first; i < first + count; i++) {
		message_fill(buffer, size_of(i), i);
		ck_assert_int_eq(put(of_queue, buffer, size_of(i)), 0);
	}
}

static inline void check_frames(int fd, uint64_t count)
{
	uint64_t offset = 0, origin = 0;

	for (uint64_t i = 0; i < count; i++) {
		struct pump_frame f;

		ck_assert(pump_read_frame(fd, &offset, &f, buffer, sizeof(buffer)));
		ck_assert_uint_eq(f.number, i);
		ck_assert_uint_eq(f.size, size_of(i));
		ck_assert(message_is(buffer, f.size, i));
		ck_assert(i == 0 || f.origin > origin);
		origin = f.origin;
	}
	ck_assert_uint_eq(offset, pump_file_size(fd));
}

static inline void check_message(bool of_queue, uint64_t number)
{
	ck_assert_int_eq(get(of_queue), (int64_t)size_of(number));
	ck_assert(message_is(buffer, size_of(number), number));
}

/* A way for bytes of each kind: from fds[1] to fds[0]. */
#define PAIRS 4

static inline int stream_pair(int kind, int fds[2])
{
	int nonblock = kind & 1, result;

	if (kind < 2)
		return pipe2(fds, O_CLOEXEC | (nonblock ? O_NONBLOCK : 0));
	result = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (nonblock ? SOCK_NONBLOCK : 0),
			    0, fds);
	return result;
}

/* Bytes that the queue has for messages. */
static inline uint64_t queue_memory_of(bool of_queue)
{
	struct weir_queue_stat s = { .size = sizeof(s) };

	return of_queue && weir_queue_stat(queue, &s) == 0 ? s.bytes : 0;
}

#endif
