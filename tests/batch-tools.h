/* SPDX-License-Identifier: MIT */
/* What the tests of batches share: readers, threads of this process, that sleep. */
#ifndef WEIR_TESTS_BATCH_TOOLS_H
#define WEIR_TESTS_BATCH_TOOLS_H

#include "pipe-tools.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "sys/sys.h"

/* An object with a reader of one message. */
struct reader {
	struct weir_end *ends[2];	/* of a pipe, read from [0]; or NULL */
	struct weir_queue *queue;	/* or a queue */
	pthread_t thread;
	pid_t tid;
	int64_t got;			/* the number, or an error */
	uint32_t done;
};

static const uint32_t batch_engines[] = {
	WEIR_ENGINE_AUTO, WEIR_ENGINE_EPOLL, WEIR_ENGINE_URING,
};

#define BATCH_ENGINES	3

static inline struct weir_batch *batch_new(uint32_t engine)
{
	struct weir_batch_options options = { .size = sizeof(options), .engine = engine };
	struct weir_batch *b = NULL;

	return weir_batch(&b, &options) == 0 ? b : NULL;
}

static inline struct weir_batch_stat batch_stat(struct weir_batch *b)
{
	struct weir_batch_stat st = { .size = sizeof(st) };

	if (weir_batch_stat(b, &st) < 0)
		memset(&st, 0xff, sizeof(st));
	return st;
}

/* Small, as there are many of them. */
static inline bool reader_open(struct reader *r, bool queue)
{
	struct weir_queue_options options = {
		.size = sizeof(options),
		.max_items = 16,
		.max_bytes = UINT64_C(1) << 20,
	};

	*r = (struct reader){ 0 };
	return (queue ? weir_queue(&r->queue, &options)
		      : pipe_make(r->ends, WEIR_PIPE_ONEWAY, 4096)) == 0;
}

static inline void reader_close(struct reader *r)
{
	pipe_close_both(r->ends);
	weir_queue_close(r->queue);
	r->queue = NULL;
}

static inline int64_t reader_read(struct reader *r, int64_t deadline)
{
	uint64_t number = 0;
	size_t size = 0;
	int result = r->queue ? weir_queue_get(r->queue, &number, sizeof(number), WEIR_NOSPIN,
					       deadline, &size)
			      : weir_pipe_recv(r->ends[0], &number, sizeof(number), WEIR_NOSPIN,
					       deadline, &size);

	return result < 0 ? result : size == sizeof(number) ? (int64_t)number : -EILSEQ;
}

static inline int reader_send(struct reader *r, struct weir_batch *b, uint64_t number,
			      int64_t deadline)
{
	return r->queue ? weir_batch_put(b, r->queue, &number, sizeof(number), 0, deadline)
			: weir_batch_send(b, r->ends[1], &number, sizeof(number), 0, deadline);
}

static inline void *reader_main(void *arg)
{
	struct reader *r = arg;

	__atomic_store_n(&r->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	r->got = reader_read(r, soon());
	store_release(&r->done, 1);
	return NULL;
}

static inline void reader_start(struct reader *r)
{
	r->tid = 0;
	store_release(&r->done, 0);
	ck_assert_int_eq(pthread_create(&r->thread, NULL, reader_main, r), 0);
}

/* It has announced that it sleeps. */
static inline void reader_wait_asleep(struct reader *r)
{
	while (!__atomic_load_n(&r->tid, __ATOMIC_ACQUIRE))
		sched_yield();
	ck_assert(child_wait_asleep(r->tid));
}

/* What it got. */
static inline int64_t reader_join(struct reader *r)
{
	ck_assert_int_eq(pthread_join(r->thread, NULL), 0);
	return r->got;
}

/* System calls that wake, of a thread that counts them. */
static _Thread_local bool wakes_count;
static _Thread_local uint32_t wake_calls;

static inline int count_wake_calls(enum sys_call call)
{
	wake_calls += wakes_count && (call == SYS_CALL_FUTEX_WAKE || call == SYS_CALL_EVENT_WRITE ||
				      call == SYS_CALL_URING_ENTER);
	return 0;
}

#endif
