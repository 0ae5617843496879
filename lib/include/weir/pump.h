/* SPDX-License-Identifier: MIT */
/*
 * A pump: moves messages from a pipe or a queue to a descriptor, straight out of shared memory, or
 * from a descriptor into a pipe or a queue.
 *
 *	weir_pump_queue(&pump, queue, file, WEIR_PUMP_OUT, NULL);
 *	while ((moved = weir_pump_run(pump, 0, 0, WEIR_FOREVER)) > 0)
 *		...
 *	weir_pump_close(pump);
 *
 * The descriptor is a file, a pipe or fifo, or a socket. Each message is written as a frame: 32
 * bytes, little-endian, and behind them the bytes of the message:
 *
 *	0	uint32	0x72696557, the bytes "Weir"
 *	4	uint32	CRC-32C of the bytes 8 to 31
 *	8	uint32	the size of the message
 *	12	uint32	CRC-32C of the message
 *	16	uint64	the number of the frame: one more than that of the one before
 *	24	uint64	which message it is: no other of the same pipe or queue has this number
 *
 * or, with WEIR_PUMP_RAW, as nothing but its bytes.
 *
 * What was taken out of the object is given free there only after it has been written. If the
 * process is killed, whatever it was doing, what it has written are all messages up to some one, of
 * which perhaps a part; weir_pump_scan() finds the end of the last whole frame. Those that were not
 * written, or not known to be, are handed over again by the object: a few at the seam may be
 * written twice, and have the same number of their own, at 24, then.
 *
 * A pump is used by one thread at a time, in the process that made it.
 *
 * No call here is async-signal-safe, and no call is a cancellation point.
 */
#ifndef WEIR_PUMP_H
#define WEIR_PUMP_H

#include <weir/engine.h>
#include <weir/pipe.h>
#include <weir/queue.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A pump. Opaque; made by weir_pump_pipe() or weir_pump_queue(), freed by weir_pump_close(). */
struct weir_pump;

/* Directions. */

/** From the object to the descriptor. */
#define WEIR_PUMP_OUT		UINT32_C(1)
/** From the descriptor into the object. */
#define WEIR_PUMP_IN		UINT32_C(2)

/* Flags of struct weir_pump_options. */

/** The bytes of the messages, one after the other; a packet of a packet socket is a message. */
#define WEIR_PUMP_RAW		(UINT32_C(1) << 0)
/** Have the file on its medium at the end of each run: fdatasync(2). */
#define WEIR_PUMP_SYNC		(UINT32_C(1) << 1)

/** How to make a pump. Zero all that you do not set; NULL options are all zeros. */
struct weir_pump_options {
	size_t size;		/**< sizeof(struct weir_pump_options) */
	uint32_t flags;		/**< WEIR_PUMP_RAW, WEIR_PUMP_SYNC */
	uint32_t engine;	/**< WEIR_ENGINE_* */
	uint64_t number;	/**< out: of the first frame */
	uint64_t sync_bytes;	/**< out: sync each time that so many bytes are written; 0: not */
	uint64_t max_size;	/**< in: refuse frames of larger messages; 0: 4 GiB - 1 */
	/** in, raw, from what is no packet socket: the most bytes of a message; 0 is 64 KiB. */
	uint64_t chunk;
};

/**
 * Make a pump between @end and @fd.
 *
 * @direction	WEIR_PUMP_OUT or WEIR_PUMP_IN
 * @options	NULL for frames, no syncing, and the faster engine
 * It belongs to the caller, who frees it with weir_pump_close(). @end and @fd stay the caller's and
 * must be open as long as the pump. Any thread. Does not block.
 *
 * Returns 0, or -EINVAL: no such direction, flags, sizes out of range, or syncing what is no file;
 * -EOPNOTSUPP: the end does not go in that direction, or @fd is a directory or a socket of an
 * unusual type; -EBADF: @fd is not open for that; -ENOMEM; -ENOSYS: frames, and the
 * library was built without ISA-L.
 */
WEIR_PUBLIC int weir_pump_pipe(struct weir_pump **ret_pump, struct weir_end *end, int fd,
			       uint32_t direction, const struct weir_pump_options *options);

/** The same between @queue and @fd. */
WEIR_PUBLIC int weir_pump_queue(struct weir_pump **ret_pump, struct weir_queue *queue, int fd,
				uint32_t direction, const struct weir_pump_options *options);

/**
 * Move messages until @count are moved, the source has ended, or @deadline.
 *
 * @count	0: no limit
 * @flags	WEIR_INTR, WEIR_NOSPIN
 * Out, a message is moved when all of it has been written; in, when it is in the object. With a
 * @deadline of 0, or in the past, it moves some of what is there, and is to be called until it
 * returns -EAGAIN. Whatever ends it, the next call goes on where it ended, also in the middle of a
 * message: none is lost or written twice.
 *
 * It waits for the descriptor whether that is in non-blocking mode or not. No SIGPIPE and no
 * SIGXFSZ is raised.
 *
 * Returns how many were moved, if any were; then an error that ended it is returned by the next
 * call, unless it has gone meanwhile. Otherwise 0: the source has ended, and all is moved: the
 * other side of the pipe is closed, or the queue was shut down; in: the descriptor is at its end.
 * Or -EAGAIN, -ETIMEDOUT, -EINTR: none yet; -EBUSY: another thread is inside, or this is a forked
 * child. Out: -ENOSPC, -EDQUOT, -EFBIG, -EIO and what else write(2) says; -EPIPE, -ECONNRESET:
 * nobody reads the descriptor any more; -EMSGSIZE: too large for a packet; or an error of
 * weir_pipe_take() or weir_queue_take(). In: -ENODATA: the descriptor ends in the middle of a
 * frame; -EBADMSG: what comes next is no frame; -EMSGSIZE: or one that is too large; -EPIPE and
 * other errors of weir_pipe_send() or weir_queue_put(); -ENOMEM.
 */
WEIR_PUBLIC int64_t weir_pump_run(struct weir_pump *pump, uint64_t count, uint32_t flags,
				  int64_t deadline);

/** What there is to know of a pump. */
struct weir_pump_stat {
	size_t size;		/**< sizeof(struct weir_pump_stat), set by the caller */
	uint32_t engine;	/**< WEIR_ENGINE_EPOLL (plain system calls) or WEIR_ENGINE_URING */
	int32_t engine_error;	/**< io_uring was wanted: why it is not used; otherwise 0 */
	uint32_t registered;	/**< 1: the object's memory is registered with io_uring */
	int32_t register_error;	/**< with io_uring: why it is not; otherwise 0 */
	uint64_t messages;	/**< moved */
	uint64_t payload;	/**< bytes of these */
	/** Bytes of the descriptor up to behind the last message moved, from where it began. */
	uint64_t bytes;
	uint64_t number;	/**< out: of the next frame */
	uint64_t held;		/**< out: messages taken and not written; in: bytes read ahead */
	uint64_t partial;	/**< out: bytes written of the frame that is not yet whole */
	uint64_t calls;		/**< system calls that read, wrote, or waited for the descriptor */
	uint64_t syncs;		/**< calls of fdatasync(2) */
};

/** Read the counters into @ret_stat. Returns 0, or -EBUSY as weir_pump_run(), -EINVAL. */
WEIR_PUBLIC int weir_pump_stat(struct weir_pump *pump, struct weir_pump_stat *ret_stat);

/**
 * Free the pump. What it had taken and not written goes back: it is handed over again, first, of a
 * pipe to this process or the next owner. What it had read ahead is lost: weir_pump_stat() tells
 * whether there is any. NULL is allowed.
 *
 * A part of a frame that was written stays: see weir_pump_scan(). A message larger than the pipe's
 * ring cannot go back; it is lost unless it was written.
 */
WEIR_PUBLIC void weir_pump_close(struct weir_pump *pump);

/* Flags of weir_pump_scan(). */

/** Cut off a last frame of which a part is missing. */
#define WEIR_PUMP_CUT		(UINT32_C(1) << 0)
/** Cut off what is behind the last whole frame, whatever it is. */
#define WEIR_PUMP_CUT_DAMAGED	(UINT32_C(1) << 1)

/** What is in a file of frames. */
struct weir_pump_scan {
	size_t size;		/**< sizeof(struct weir_pump_scan), set by the caller */
	uint64_t frames;	/**< whole ones, from the beginning of the file */
	uint64_t payload;	/**< bytes of their messages */
	uint64_t end;		/**< where the last of them ends */
	uint64_t number;	/**< for the next frame: one more than the last one's, or 0 */
	uint64_t origin;	/**< which message of its pipe or queue the last one is, or 0 */
	uint64_t rest;		/**< bytes behind the end */
	/** What they are: 0: none; -ENODATA: a part of a frame; -EBADMSG: no frame. */
	int32_t error;
	uint32_t reserved;	/**< 0 */
};

/**
 * Find out how many whole frames the file @fd has, by reading all of it.
 *
 * @flags	WEIR_PUMP_CUT, WEIR_PUMP_CUT_DAMAGED; with one of them the file's position is then
 *		the end of the last frame, where a pump goes on
 * Nobody should be writing it meanwhile. Any thread. Waits for nothing but the file.
 *
 * Returns 0, also if there are no frames; or -EINVAL; -ESPIPE: no file; an error of read(2),
 * ftruncate(2); -ENOMEM; -ENOSYS, as of weir_pump_pipe().
 */
WEIR_PUBLIC int weir_pump_scan(int fd, uint32_t flags, struct weir_pump_scan *ret_scan);

#ifdef __cplusplus
}
#endif

#endif
