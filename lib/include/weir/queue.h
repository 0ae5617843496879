/* SPDX-License-Identifier: MIT */
/*
 * A queue: messages from any number of processes and threads to any number of them.
 *
 *	struct weir_queue *queue;
 *	weir_queue(&queue, NULL);
 *	if (fork() == 0) {
 *		weir_queue_put(queue, "hello", 5, 0, WEIR_FOREVER);
 *		_exit(0);
 *	}
 *	weir_queue_get(queue, buffer, sizeof(buffer), 0, WEIR_FOREVER, &size);
 *
 * Messages have any length, keep their boundaries, and come out in the order in which they were
 * put: those of one thread in its order, those of several in one order that all agree on.
 *
 * What is promised when processes die, by SIGKILL at any instruction:
 *
 *	put	Returned: the message is delivered, or still queued while anybody has the queue.
 *		Died before it returned: the message is in the queue, whole, or it is not.
 *	get	Each message is handed over once. If the getter dies inside, before it has the
 *		message, somebody else gets it.
 *	take	Handed over until it is released. If the taker dies before, it is handed over again,
 *		early, and says how often that has happened: at least once, and never a second time
 *		unless a taker died or gave it back.
 *
 * A process that dies, or is stopped for ever, anywhere, never holds up another one and takes no
 * memory along. Deaths are known from the kernel, not guessed from time; whoever sleeps in a call
 * notices within 10 ms what has to be repaired, or 100 ms if two sleepers that kept watch died too.
 *
 * A forked child has the queue too and need not call anything to use it. Others are given it by
 * weir_export(), weir_send_handle() or over a pipe (weir/handle.h).
 *
 * No call here is async-signal-safe, and no call is a cancellation point.
 */
#ifndef WEIR_QUEUE_H
#define WEIR_QUEUE_H

#include <weir/base.h>
#include <weir/pipe.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A queue. Opaque; made by weir_queue(), freed by weir_queue_close(). */
struct weir_queue;

/* Flags of struct weir_queue_options. */

/** A put on a full queue drops the oldest message instead of waiting. */
#define WEIR_QUEUE_DROP		(UINT32_C(1) << 0)
/** Never wait for a backlog, not even in a stream. */
#define WEIR_QUEUE_LATENCY	(UINT32_C(1) << 1)
/** Wait for a backlog whenever a getter runs dry. */
#define WEIR_QUEUE_THROUGHPUT	(UINT32_C(1) << 2)

/** How to make a queue. Zero all that you do not set; NULL options are all zeros. */
struct weir_queue_options {
	size_t size;		/**< sizeof(struct weir_queue_options) */
	uint32_t flags;		/**< WEIR_QUEUE_* */
	/** How many messages a thread may have taken and not released; 0 is 1024. */
	uint32_t max_taken;
	/** How many messages it holds before a put waits; 0 is no such limit. */
	uint64_t max_items;
	/**
	 * Bytes for messages, at least 1 MiB; 0 is a quarter of the memory that the machine and the
	 * control group have left, at most 64 GiB. It is address space, not memory, until messages
	 * are there.
	 */
	uint64_t max_bytes;
};

/**
 * Make a queue.
 *
 * @options	NULL for no limit of items
 * It belongs to the caller, who frees it with weir_queue_close(). Any thread. Does not block.
 *
 * Returns 0, or -EINVAL (unknown flags, a size out of range), -ENOMEM, -EMFILE, -ENFILE, -ENOSPC,
 * -EFBIG (RLIMIT_FSIZE), -ENOSYS.
 */
WEIR_PUBLIC int weir_queue(struct weir_queue **ret_queue,
			   const struct weir_queue_options *options);

/**
 * Put one message of @size bytes; waits for room until @deadline.
 *
 * @flags	WEIR_INTR, WEIR_NOSPIN
 * When it returns 0 the bytes are in shared memory, and the putter may exit. Any thread.
 *
 * Returns 0, or -EAGAIN, -ETIMEDOUT, -EINTR: full, and the message is not in it; -EPIPE: the queue
 * was shut down; -ENOBUFS: a queue without a limit of items has used up its bytes, or the machine
 * its memory; -EMSGSIZE: larger than the queue's bytes; -EUSERS: more than 16383 threads use the
 * queue; -ENOMEM; -EBADMSG; -EINVAL.
 */
WEIR_PUBLIC int weir_queue_put(struct weir_queue *queue, const void *data, size_t size,
			       uint32_t flags, int64_t deadline);

/**
 * Put the @count messages of @messages, in a row unless others put meanwhile; waits for room until
 * @deadline.
 *
 * Otherwise as weir_queue_put(). Sleepers are woken once. If the process dies inside, the first of
 * them are in the queue.
 *
 * Returns how many were put: all, or fewer if something ended the call after the first; or, if none
 * was put, an error of weir_queue_put().
 */
WEIR_PUBLIC int weir_queue_put_batch(struct weir_queue *queue, const struct weir_msg *messages,
				     size_t count, uint32_t flags, int64_t deadline);

/**
 * Get the oldest message into @buffer, which can take @size bytes; waits for one until @deadline.
 *
 * @flags	WEIR_INTR, WEIR_NOSPIN
 * @ret_size	the size of the message; may be NULL
 * While messages stream in faster than two processors can pass them on one by one, a call that
 * finds none may wait a few microseconds for several, also when @deadline is 0: see
 * WEIR_QUEUE_LATENCY. Any thread.
 *
 * Returns 0, or -EAGAIN, -ETIMEDOUT, -EINTR: nothing there; -EMSGSIZE: the message is larger than
 * @size, @ret_size tells its size, and it is still there; -EPIPE: the queue was shut down and all
 * has been handed out; -EUSERS; -ENOMEM; -EBADMSG; -EINVAL.
 */
WEIR_PUBLIC int weir_queue_get(struct weir_queue *queue, void *buffer, size_t size, uint32_t flags,
			       int64_t deadline, size_t *ret_size);

/**
 * Get up to @count messages; waits for the first until @deadline, then takes what is there.
 *
 * @messages	data and room say where to; size is set
 * A message that does not fit its room ends the batch before it.
 *
 * Returns how many, at least one; or an error of weir_queue_get(), where for -EMSGSIZE
 * messages[0].size tells the size needed.
 */
WEIR_PUBLIC int weir_queue_get_batch(struct weir_queue *queue, struct weir_msg *messages,
				     size_t count, uint32_t flags, int64_t deadline);

/**
 * Begin a message of up to @size bytes in place; waits for memory until @deadline.
 *
 * @flags	WEIR_INTR, WEIR_NOSPIN
 * @ret_data	where to write it, aligned to 8; holds whatever was there
 * It is put by weir_queue_commit() or given up by weir_queue_abort(), by the same thread; until
 * then this thread's other puts are -EBUSY. If the process dies, or forks, nothing was put.
 *
 * Returns 0, or an error of weir_queue_put(); -EBUSY: this thread has a claim already.
 */
WEIR_PUBLIC int weir_queue_claim(struct weir_queue *queue, size_t size, uint32_t flags,
				 int64_t deadline, void **ret_data);

/**
 * Put the claimed message, of which @size bytes, no more than were claimed, have been written;
 * waits for room until @deadline.
 *
 * Returns 0, or -EINVAL: nothing is claimed by this thread, not as many bytes, flags; or an error
 * of weir_queue_put(): the claim is still there, and may be committed again or aborted.
 */
WEIR_PUBLIC int weir_queue_commit(struct weir_queue *queue, size_t size, uint32_t flags,
				  int64_t deadline);

/** Give up the claimed message. Returns 0, or -EINVAL (nothing is claimed by this thread). */
WEIR_PUBLIC int weir_queue_abort(struct weir_queue *queue);

/** A message that was taken. */
struct weir_taken {
	/** Its bytes, aligned to 8, in the queue's memory; not to be written. */
	const void *data;
	size_t size;		/**< how many */
	/**
	 * How often it has been handed over before and not been released, because its taker died or
	 * gave it back; stays at 127.
	 */
	uint32_t times;
	uint32_t place;		/**< for weir_queue_release() */
	uint64_t token;		/**< for weir_queue_release() */
};

/**
 * Take the oldest message in place; waits for one until @deadline.
 *
 * @flags	WEIR_INTR, WEIR_NOSPIN
 * @ret_taken	the message, valid until it is released, or the queue is closed
 * It is owed until weir_queue_release(), which any thread of this process may call. If the process
 * dies, or closes the queue, before, the message is handed over again.
 *
 * The bytes are in memory that every other user of the queue can write, too: who does not trust
 * them copies before looking twice.
 *
 * Returns 0, or an error of weir_queue_get(), without -EMSGSIZE; -EDQUOT: this thread has taken as
 * many as options.max_taken.
 */
WEIR_PUBLIC int weir_queue_take(struct weir_queue *queue, uint32_t flags, int64_t deadline,
				struct weir_taken *ret_taken);

/**
 * Be done with a taken message: it is not handed over again. In any order. Does not block.
 *
 * Returns 0, or -EINVAL (no such message is taken by this process, or it was released).
 */
WEIR_PUBLIC int weir_queue_release(struct weir_queue *queue, const struct weir_taken *taken);

/**
 * Give a taken message back: it is handed over again, early. Otherwise as weir_queue_release().
 */
WEIR_PUBLIC int weir_queue_return(struct weir_queue *queue, const struct weir_taken *taken);

/**
 * The size in bytes of the message that a get would be given now. Does not block.
 *
 * Returns 0, or -EAGAIN: there is none; -EPIPE; -EBADMSG; -EINVAL. Another getter may have it next.
 */
WEIR_PUBLIC int weir_queue_peek(struct weir_queue *queue, size_t *ret_size);

/**
 * How many messages are in the queue, those taken and not released not among them. Exact while
 * nobody uses it. Does not block.
 *
 * Returns the number, or -EBADMSG, -ENOMEM, -EINVAL.
 */
WEIR_PUBLIC int64_t weir_queue_size(struct weir_queue *queue);

/** Whether weir_queue_size() is 0: 1 or 0, or its errors. */
WEIR_PUBLIC int weir_queue_empty(struct weir_queue *queue);

/** Whether it holds as many as options.max_items: 1 or 0, or the errors of weir_queue_size(). */
WEIR_PUBLIC int weir_queue_full(struct weir_queue *queue);

/**
 * A descriptor that is readable (POLLIN) while there is something to do, for poll(2) and the like.
 *
 * @events	WEIR_IN: a get would not return -EAGAIN; WEIR_OUT: a put would not
 * It belongs to the queue: watch it in any way, in several event loops, level- or edge-triggered,
 * but do not read, write or close it. It is the same each time, and in all processes: one message
 * makes it readable for all who watch, and who comes late finds nothing.
 *
 * After -EAGAIN, and not before, it tells anew. It may be readable with nothing there, so get with
 * a deadline of 0. A user who died can make it so for some milliseconds; and what a dead one had
 * taken is found by calls, so an event loop with such users gets now and then without having been
 * told. WEIR_OUT tells of room for one more item; without max_items it is always readable. Once
 * the queue is shut down both are. Any thread. Does not block; the first time it may take a
 * millisecond.
 *
 * Returns the descriptor, or -EINVAL; -EUSERS, -ENOMEM, -EBADMSG.
 */
WEIR_PUBLIC int weir_queue_fd(struct weir_queue *queue, uint32_t events);

/** What there is to know of a queue. Exact while nobody uses it. */
struct weir_queue_stat {
	size_t size;		/**< sizeof(struct weir_queue_stat), set by the caller */
	uint64_t items;		/**< messages in it, those taken and not released not among them */
	uint64_t taken;		/**< messages taken and not released */
	uint64_t max_items;	/**< 0: no limit */
	uint64_t max_bytes;
	uint64_t bytes;		/**< of memory for messages that is in use or kept for use */
	uint64_t puts;		/**< messages that were ever put */
	uint64_t gets;		/**< messages that were ever gotten, or taken and released */
	uint64_t drops;		/**< messages dropped to make room, or by a shutdown */
	uint64_t most_items;	/**< the highest number of items seen */
	uint64_t users;		/**< threads that have used it and may again */
	uint64_t sleepers;	/**< threads asleep in a call */
	uint64_t wakes;		/**< wake-ups sent */
	uint64_t wakes_saved;	/**< wake-ups not sent because one was on its way */
	uint64_t deaths;	/**< dead users cleaned up after */
	uint64_t returned;	/**< messages given back, by their takers or their takers' deaths */
	uint64_t unfinished;	/**< puts without weir_queue_task_done(), without drops */
};

/** Read the counters into @ret_stat. Any thread. Returns 0, or -EBADMSG, -EINVAL. */
WEIR_PUBLIC int weir_queue_stat(struct weir_queue *queue, struct weir_queue_stat *ret_stat);

/**
 * The same, of the queue whose memory @fd is: without becoming a user, or changing anything.
 *
 * @fd	a copy of weir_queue_memory(), or /proc/PID/fd/N opened, also if only for reading
 * Any thread. Returns 0, or -EBADF; -EINVAL: no memory of ours; -EPROTO: of another kind or
 * version; -EBADMSG; -ENOMEM, -EMFILE.
 */
WEIR_PUBLIC int weir_queue_stat_fd(int fd, struct weir_queue_stat *ret_stat);

/**
 * The descriptor of the queue's memory, to be passed to a program that counts. It stays the queue's
 * and is not to be closed.
 *
 * Whoever is given it can write all of the memory; who opens it in /proc for reading cannot.
 * Returns the descriptor, or -EINVAL.
 */
WEIR_PUBLIC int weir_queue_memory(struct weir_queue *queue);

/**
 * Say that the work that a message stood for is done; once for each. Does not block.
 *
 * Returns 0, or -ERANGE: that was said for all messages already; -EBADMSG; -EINVAL.
 */
WEIR_PUBLIC int weir_queue_task_done(struct weir_queue *queue);

/**
 * Wait until @deadline for weir_queue_task_done() to have been called for each message that was put
 * (and not dropped).
 *
 * @flags	WEIR_INTR, WEIR_NOSPIN
 * Returns 0, or -EAGAIN, -ETIMEDOUT, -EINTR; -EBADMSG; -EINVAL.
 */
WEIR_PUBLIC int weir_queue_join(struct weir_queue *queue, uint32_t flags, int64_t deadline);

/** Of weir_queue_shutdown(): drop what is in the queue, too. */
#define WEIR_QUEUE_NOW		(UINT32_C(1) << 3)

/**
 * End the queue for all who have it: puts are -EPIPE from now on, gets once all is handed out.
 *
 * @flags	0 or WEIR_QUEUE_NOW
 * No message is put behind the end, none before it is lost. Returns 0, also if it was shut down
 * before; -EBADMSG; -EINVAL. Any thread. Does not block.
 */
WEIR_PUBLIC int weir_queue_shutdown(struct weir_queue *queue, uint32_t flags);

/**
 * Free this process's handle. What this process has taken is handed over again, what it has
 * claimed was never put. NULL is allowed.
 *
 * Waits for threads inside other calls, which return -ESHUTDOWN; other processes notice nothing.
 */
WEIR_PUBLIC void weir_queue_close(struct weir_queue *queue);

#ifdef __cplusplus
}
#endif

#endif
