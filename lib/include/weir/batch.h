/* SPDX-License-Identifier: MIT */
/*
 * Batches: messages to many pipes and queues, whose sleepers are woken together.
 *
 *	weir_batch(&batch, NULL);
 *	for (i = 0; i < clients; i++)
 *		weir_batch_send(batch, ends[i], data, size, 0, WEIR_FOREVER);
 *	weir_batch_flush(batch);
 *
 * A message goes into its object at once, and a reader that is awake has it at once. Only waking
 * those who sleep is left for the flush, which does that for all of them: with one system call
 * where that is the faster way, and with none if nobody sleeps.
 *
 * So flush soon. Until then a reader that sleeps may sleep on, with messages: on a queue for about
 * 4 ms, on a pipe for 20 ms or, if it has slept for longer than that, for 8 s. The same holds for
 * what other threads send to that end of a pipe meanwhile, who rely on the wake that is put off.
 * If the process dies before the flush, that is as if it had died a moment later without a batch:
 * no message is lost, and a reader on a pipe is told of the death at once if it sleeps long.
 */
#ifndef WEIR_BATCH_H
#define WEIR_BATCH_H

#include <weir/base.h>
#include <weir/engine.h>
#include <weir/pipe.h>
#include <weir/queue.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A batch. Used by one thread at a time, any. */
struct weir_batch;

struct weir_batch_options {
	size_t size;		/**< sizeof(struct weir_batch_options) */
	uint32_t flags;		/**< 0 */
	/**
	 * WEIR_ENGINE_URING: wakes are always submitted together, how few they may be.
	 * WEIR_ENGINE_EPOLL: always made one by one. WEIR_ENGINE_AUTO: whichever was measured to
	 * be faster for so many.
	 */
	uint32_t engine;
};

/** What a batch has done, in this process. */
struct weir_batch_stat {
	size_t size;		/**< sizeof(struct weir_batch_stat), set by the caller */
	uint32_t engine;	/**< WEIR_ENGINE_URING: it has an io_uring; or WEIR_ENGINE_EPOLL */
	uint32_t break_even;	/**< as many wakes are submitted together; 0: never */
	uint64_t flushes;	/**< flushes that had somebody to wake */
	uint64_t wakes;		/**< wakes made, of whatever way */
	uint64_t submitted;	/**< those of them that were submitted together */
	uint64_t submissions;	/**< system calls made for those */
	uint64_t calls;		/**< all system calls made to wake somebody */
};

/**
 * Make a batch, which is empty. @options: or NULL for the defaults.
 *
 * Any thread; does not block. An io_uring is opened when it is needed first, by the flush; if it
 * cannot be had, the batch does without.
 *
 * Returns 0; -EINVAL (the options), -ENOMEM.
 */
WEIR_PUBLIC int weir_batch(struct weir_batch **ret_batch, const struct weir_batch_options *options);

/**
 * As weir_pipe_send(), but for the wake. Where that would have to wait, for room, for a reader of a
 * message larger than the ring or for another thread, the batch is flushed first, and then waits.
 *
 * @batch is used by no other thread meanwhile; @end as with weir_pipe_send(). Does not keep @end:
 * it may be closed before the flush, and who sleeps is woken then.
 *
 * Returns what weir_pipe_send() returns, for this message alone: the others are not affected.
 * -EINVAL also if @batch is NULL.
 */
WEIR_PUBLIC int weir_batch_send(struct weir_batch *batch, struct weir_end *end, const void *data,
				size_t size, uint32_t flags, int64_t deadline);

/**
 * As weir_queue_put(), but for the wake, in the same way.
 *
 * A queue whose readers have slept for longer than a second keeps its rule: whoever comes first
 * wakes them before it touches anything, and that is not put off. The same goes for those who poll
 * a descriptor of the queue, or have it in a wait set: they are told before the message is there.
 *
 * Returns what weir_queue_put() returns, for this message alone. -EINVAL also if @batch is NULL.
 */
WEIR_PUBLIC int weir_batch_put(struct weir_batch *batch, struct weir_queue *queue, const void *data,
			       size_t size, uint32_t flags, int64_t deadline);

/**
 * Wake all who are to be woken, and have the batch empty again.
 *
 * Does not block. What cannot be submitted is made one by one: no wake is lost.
 *
 * Returns how many wakes that were, one for each object with sleepers; 0: nobody slept, and no
 * system call was made. -EINVAL: @batch is NULL.
 */
WEIR_PUBLIC int weir_batch_flush(struct weir_batch *batch);

/** What it has done so far. Returns 0; -EINVAL (NULL, or the size). Does not block. */
WEIR_PUBLIC int weir_batch_stat(struct weir_batch *batch, struct weir_batch_stat *ret_stat);

/**
 * Flush, and free it. NULL is allowed.
 *
 * In a forked child the batches of its parent are there, and empty: what was put off before the
 * fork the parent flushes. The child may use its own, and closes it for itself.
 */
WEIR_PUBLIC void weir_batch_close(struct weir_batch *batch);

#ifdef __cplusplus
}
#endif

#endif
