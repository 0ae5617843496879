/* SPDX-License-Identifier: MIT */
/*
 * A pipe: messages between two ends, through shared memory.
 *
 *	struct weir_end *ends[2];
 *	weir_pipe(ends, NULL);
 *	if (fork() == 0) {
 *		weir_pipe_close(ends[0]);
 *		weir_pipe_send(ends[1], "hello", 5, 0, WEIR_FOREVER);
 *		_exit(0);
 *	}
 *	weir_pipe_close(ends[1]);
 *	weir_pipe_recv(ends[0], buffer, sizeof(buffer), 0, WEIR_FOREVER, &size);
 *
 * Messages keep their boundaries and their order; a message of zero bytes is a message. A message
 * that weir_pipe_send() has accepted is in shared memory: the sender may exit, or be killed, and it
 * is still received.
 *
 * A message that is larger than the ring (its capacity less 16 bytes) streams through it in pieces,
 * up to 4 GiB - 1. It is sent when it has been received but for what the ring holds; if its sender
 * dies half-way, the receiver gets -EOWNERDEAD for it and goes on with the next. If its receiver
 * dies half-way it is gone, and the next one gets -EOWNERDEAD.
 *
 * Smaller ones can be written and read in place, without a copy: weir_pipe_claim() and
 * weir_pipe_commit(), weir_pipe_take() and weir_pipe_release().
 *
 * Each end is one end of a pipe(2) in these respects: a forked child has it too and need not call
 * anything to use it; the other side sees the end closed once the last copy in any process is
 * closed or its holder is dead.
 *
 * An end has one owner for each direction. The first process that sends on it owns its sending
 * side, the first that receives on it owns its receiving side, until that process closes the end,
 * hands it over or is dead. Another process gets -EBUSY meanwhile, and then takes over without a
 * message lost or doubled. The threads of the owner may share the end.
 *
 * No call here is async-signal-safe, and no call is a cancellation point.
 */
#ifndef WEIR_PIPE_H
#define WEIR_PIPE_H

#include <sys/uio.h>

#include <weir/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One end of a pipe. Opaque; made by weir_pipe(), freed by weir_pipe_close(). */
struct weir_end;

/* Flags of struct weir_pipe_options. */

/** ends[0] only receives, ends[1] only sends. */
#define WEIR_PIPE_ONEWAY	(UINT32_C(1) << 0)
/** Never wait for a backlog, not even in a stream. */
#define WEIR_PIPE_LATENCY	(UINT32_C(1) << 1)
/** Wait for a backlog whenever the receiver runs dry. */
#define WEIR_PIPE_THROUGHPUT	(UINT32_C(1) << 2)

/** The bytes of a ring when the options do not say: 256 KiB for each direction. */
#define WEIR_PIPE_CAPACITY	(UINT64_C(256) << 10)

/** How to make a pipe. Zero all that you do not set; NULL options are all zeros. */
struct weir_pipe_options {
	size_t size;		/**< sizeof(struct weir_pipe_options) */
	uint32_t flags;		/**< WEIR_PIPE_* */
	uint32_t reserved;	/**< 0 */
	/**
	 * Bytes of the ring of each direction, rounded up to a power of two and to a page; 0 is
	 * WEIR_PIPE_CAPACITY; at most 1 TiB.
	 */
	uint64_t capacity;
};

/** A message of the batch calls. */
struct weir_msg {
	void *data;	/**< its bytes; a send only reads them */
	size_t size;	/**< sending: how many; receiving: set to the size of the message */
	size_t room;	/**< receiving: how many bytes data can take; ignored by a send */
};

/**
 * Make a pipe; @ret_ends[0] and @ret_ends[1] are its two ends.
 *
 * @options	NULL for a duplex pipe of 256 KiB a direction that adapts itself
 * Each end belongs to the caller, who frees it with weir_pipe_close(). Costs 11 descriptors in
 * the process that makes it, 9 once the other end is closed. Any thread. Does not block.
 *
 * Returns 0, or -EINVAL (unknown flags, both WEIR_PIPE_LATENCY and WEIR_PIPE_THROUGHPUT, a size or
 * capacity out of range), -ENOMEM, -EMFILE, -ENFILE, -ENOSPC, -EFBIG (RLIMIT_FSIZE), -ENOSYS.
 */
WEIR_PUBLIC int weir_pipe(struct weir_end *ret_ends[2], const struct weir_pipe_options *options);

/**
 * Send one message of @size bytes; waits for room until @deadline.
 *
 * @flags	WEIR_MORE, WEIR_INTR, WEIR_NOSPIN
 * With WEIR_MORE the message is accepted but the other side may see it only with the next message
 * sent without it, by weir_pipe_flush() or when an eighth of the ring has been filled; if the
 * sender dies before, it is lost. Any thread of the process that owns the sending side; the first
 * to send becomes the owner.
 *
 * A message larger than the ring needs a receiver while it is sent: with a @deadline of 0 that is
 * -EAGAIN, and WEIR_MORE does not hold it back. If the deadline comes half-way, the receiver never
 * sees any of it.
 *
 * Returns 0, or -EAGAIN, -ETIMEDOUT, -EINTR: not sent; -EPIPE: the other side is closed; noticed
 * at once after weir_pipe_close(), after a kill once 10 ms have passed and up to 4 KiB more have
 * been sent; -ESHUTDOWN; -EBUSY: another process owns this side, or this thread has a claim on it;
 * -EMSGSIZE: larger than 4 GiB - 1; -EOPNOTSUPP; -EBADMSG; -EINVAL.
 */
WEIR_PUBLIC int weir_pipe_send(struct weir_end *end, const void *data, size_t size, uint32_t flags,
			       int64_t deadline);

/**
 * Send one message that lies in @count @parts, one after the other; otherwise as weir_pipe_send().
 *
 * At most 1024 parts; 0 parts are a message of zero bytes. Returns as weir_pipe_send().
 */
WEIR_PUBLIC int weir_pipe_sendv(struct weir_end *end, const struct iovec *parts, size_t count,
				uint32_t flags, int64_t deadline);

/**
 * Send the @count messages of @messages, published together; waits for room until @deadline.
 *
 * @flags	WEIR_MORE, WEIR_INTR, WEIR_NOSPIN
 * Otherwise as weir_pipe_send(). When all do not fit, those that do are published and the call
 * waits for room for the rest.
 *
 * Returns how many were sent: all, or fewer if something ended the call after the first; or, if
 * none was sent, an error of weir_pipe_send().
 */
WEIR_PUBLIC int weir_pipe_send_batch(struct weir_end *end, const struct weir_msg *messages,
				     size_t count, uint32_t flags, int64_t deadline);

/**
 * Begin a message of up to @size bytes in place; waits for room until @deadline.
 *
 * @flags	WEIR_INTR, WEIR_NOSPIN
 * @ret_data	where to write it, aligned to 8; holds whatever was there
 * It is sent by weir_pipe_commit() or given up by weir_pipe_abort(), and until then this thread's
 * other sends on the end are -EBUSY and those of other threads wait; a thread that is started in
 * between may get -EBUSY, too. Nobody sees it before the
 * commit; if the process dies, or forks, for the other side (or the child) there was no claim.
 *
 * Returns 0, or an error of weir_pipe_send(), where -EMSGSIZE means larger than the ring.
 */
WEIR_PUBLIC int weir_pipe_claim(struct weir_end *end, size_t size, uint32_t flags, int64_t deadline,
				void **ret_data);

/**
 * Send the claimed message, of which @size bytes, no more than were claimed, have been written.
 *
 * @flags	WEIR_MORE
 * The memory of the claim is not the caller's any more. Does not block. By the thread that claimed.
 *
 * Returns 0, or -EINVAL (nothing is claimed by this thread, not as many bytes, flags),
 * -EOPNOTSUPP, -ESHUTDOWN (the end is being closed).
 */
WEIR_PUBLIC int weir_pipe_commit(struct weir_end *end, size_t size, uint32_t flags);

/**
 * Begin up to @count messages in place at once; waits for room for the first until @deadline.
 *
 * @messages	size says how many bytes each is to have; data is set
 * Otherwise as weir_pipe_claim(). They are sent by weir_pipe_commit_batch().
 *
 * Returns how many were claimed: at least one, and fewer than @count where there is no room for
 * more, or they would take more than an eighth of the ring; or an error of weir_pipe_claim().
 */
WEIR_PUBLIC int weir_pipe_claim_batch(struct weir_end *end, struct weir_msg *messages, size_t count,
				      uint32_t flags, int64_t deadline);

/**
 * Send the first @count of the claimed messages, published together; the others are given up.
 *
 * @messages	as weir_pipe_claim_batch() left them; the last of the @count may have a smaller size
 * @flags	WEIR_MORE
 * As weir_pipe_commit(). Returns 0, or -EINVAL (they are not what was claimed, more than were
 * claimed, flags), -EOPNOTSUPP.
 */
WEIR_PUBLIC int weir_pipe_commit_batch(struct weir_end *end, const struct weir_msg *messages,
				       size_t count, uint32_t flags);

/**
 * Give up the claimed message: it was never begun. Does not block. By the thread that claimed.
 *
 * Returns 0, or -EINVAL (nothing is claimed by this thread), -EOPNOTSUPP, -ESHUTDOWN (the end is
 * being closed).
 */
WEIR_PUBLIC int weir_pipe_abort(struct weir_end *end);

/**
 * Publish what was sent with WEIR_MORE. Does not block, unless another thread is sending: then
 * until that call ends. Makes its caller the owner of the sending side, as a send does.
 *
 * Returns 0 (also if there was nothing), or -ESHUTDOWN (the end is being closed), -EBUSY,
 * -EOPNOTSUPP, -EBADMSG, -EINVAL.
 */
WEIR_PUBLIC int weir_pipe_flush(struct weir_end *end);

/**
 * Receive one message into @buffer, which can take @size bytes; waits for one until @deadline.
 *
 * @flags	WEIR_INTR, WEIR_NOSPIN
 * @ret_size	the size of the message; may be NULL
 * While messages stream in faster than the two processors can pass them on one by one, a call that
 * finds none may wait a few microseconds for several, also when @deadline is 0: see
 * WEIR_PIPE_LATENCY. Any thread of the process that owns the receiving side; the first to receive
 * becomes the owner.
 *
 * Of a message larger than the ring, a call that must return half-way keeps what has come, for the
 * next one; then what is in @buffer means nothing.
 *
 * Returns 0, or -EAGAIN, -ETIMEDOUT, -EINTR: nothing there, or not yet all of it; -EMSGSIZE: the
 * message is larger than @size and @ret_size tells its size; it is still there, unless it is
 * beyond the limit of weir_pipe_limit(); -EPROTO: a handle comes next, and is still there;
 * -EOWNERDEAD: a message is lost because its sender, or a receiver before this one, died half-way;
 * those behind it come next; -EPIPE: all has been received and the other side is closed or dead,
 * noticed as by weir_pipe_send(); -ESHUTDOWN: all has been received and the pipe was shut down;
 * -EBUSY: another process owns this side, or the message is larger than the ring and others are
 * taken; -ENOMEM: to keep half a message, which is lost; -EOPNOTSUPP; -EBADMSG; -EINVAL.
 */
WEIR_PUBLIC int weir_pipe_recv(struct weir_end *end, void *buffer, size_t size, uint32_t flags,
			       int64_t deadline, size_t *ret_size);

/**
 * Receive one message into @count @parts, filled one after the other; otherwise as
 * weir_pipe_recv(), for a buffer of the size of all parts. At most 1024 parts.
 */
WEIR_PUBLIC int weir_pipe_recvv(struct weir_end *end, const struct iovec *parts, size_t count,
				uint32_t flags, int64_t deadline, size_t *ret_size);

/**
 * Receive up to @count messages; waits for the first until @deadline, then takes what is there.
 *
 * @messages	data and room say where to; size is set
 * @flags	WEIR_INTR, WEIR_NOSPIN
 * A message that does not fit its room ends the batch before it.
 *
 * Returns how many were received, at least one; or an error of weir_pipe_recv(), where for
 * -EMSGSIZE messages[0].size tells the size needed.
 */
WEIR_PUBLIC int weir_pipe_recv_batch(struct weir_end *end, struct weir_msg *messages, size_t count,
				     uint32_t flags, int64_t deadline);

/**
 * Receive one message in place; waits for one until @deadline.
 *
 * @flags	WEIR_INTR, WEIR_NOSPIN
 * @ret_data	its bytes, aligned to 8, valid until weir_pipe_release(), weir_pipe_close() or
 *		weir_pipe_handover() of this process
 * @ret_size	how many
 * Any number of messages can be taken at a time; their space in the ring, and that of all messages
 * behind the oldest of them, is free for the sender once they are released. Should the process die,
 * the next owner receives the oldest that is not released and all behind it again. A message larger
 * than the ring comes in memory of its own, as much as it takes, see weir_pipe_limit(), and does
 * not come again.
 *
 * The bytes are in memory that the sender, too, can write: who does not trust it copies them before
 * looking at them twice. They are not to be written to.
 *
 * Returns 0, or an error of weir_pipe_recv(): -EMSGSIZE is for messages beyond the limit alone;
 * -ENOMEM loses nothing.
 */
WEIR_PUBLIC int weir_pipe_take(struct weir_end *end, uint32_t flags, int64_t deadline,
			       const void **ret_data, size_t *ret_size);

/**
 * Take up to @count messages; waits for the first until @deadline, then takes what is there.
 *
 * @messages	data and size are set
 * Otherwise as weir_pipe_take(). Returns how many, at least one; or an error of weir_pipe_take(),
 * where for -EMSGSIZE messages[0].size tells the size.
 */
WEIR_PUBLIC int weir_pipe_take_batch(struct weir_end *end, struct weir_msg *messages, size_t count,
				     uint32_t flags, int64_t deadline);

/**
 * Be done with the taken message @data, or, if that is NULL, with all that are taken.
 *
 * In any order, and by any thread, also while others wait inside a receive. Does not block.
 *
 * Returns 0, or -EINVAL (no such message is taken), -EOPNOTSUPP.
 */
WEIR_PUBLIC int weir_pipe_release(struct weir_end *end, const void *data);

/**
 * Refuse messages of more than @size bytes from now on: a receive skips them and returns -EMSGSIZE
 * with their size. Without a limit the sender decides how much weir_pipe_take() allocates.
 *
 * Of this process's copy of the end, and of copies it forks later. Does not block, unless another
 * thread is inside a receive: then until that call ends.
 *
 * Returns 0, or -EOPNOTSUPP, -ESHUTDOWN (the end is being closed), -EINVAL.
 */
WEIR_PUBLIC int weir_pipe_limit(struct weir_end *end, uint64_t size);

/**
 * Wait until one of @events holds, without consuming anything.
 *
 * @events	WEIR_IN, WEIR_OUT or both; WEIR_HUP is reported unasked; 0 waits for WEIR_HUP alone
 * @flags	WEIR_INTR, WEIR_NOSPIN
 * @ret_events	which hold
 * An owner stays one, but a process that was none does not become one: another may receive what
 * this call has seen. WEIR_OUT means room for a message of 64 bytes. Half a message is not WEIR_IN,
 * unless it fills the ring: then a receive is to take it in, and may return -EAGAIN.
 *
 * Returns 0, or -EAGAIN, -ETIMEDOUT, -EINTR: none holds; -ESHUTDOWN: the end is being closed;
 * -EBUSY, -EOPNOTSUPP, -EBADMSG, -EINVAL.
 */
WEIR_PUBLIC int weir_pipe_poll(struct weir_end *end, uint32_t events, uint32_t flags,
			       int64_t deadline, uint32_t *ret_events);

/**
 * A descriptor that is readable (POLLIN) while a receive would not return -EAGAIN.
 *
 * For poll(2), select(2), epoll(7) and event loops; never read from it, write to it or close it: it
 * belongs to the end and is closed with it. After it has shown readable, receive until -EAGAIN;
 * from then on the next message, the hang-up and the end give a new edge for EPOLLET, further
 * messages before the next -EAGAIN need not. At most one wake-up in a row is for nothing, and one
 * for each time that a part of a large message has filled the ring: receiving takes that in and
 * makes room for the rest. Asking for the descriptor the first time takes about
 * 0.1 ms, and from then on the other side's sends cost a full fence each.
 *
 * Returns the descriptor, or -EOPNOTSUPP, -EINVAL.
 */
WEIR_PUBLIC int weir_pipe_fd(struct weir_end *end);

/**
 * Give up ownership of both sides of the end, so that another process that has it can take over.
 *
 * What was sent with WEIR_MORE is published first. Does not block, unless another thread is inside
 * a call on this end: then until that call ends.
 *
 * Returns 0, also if this process owned nothing; -EBUSY: a message is claimed, taken or half
 * received, which only this process can bring to its end, and it keeps that side, but not the
 * other; -EINVAL.
 */
WEIR_PUBLIC int weir_pipe_handover(struct weir_end *end);

/**
 * Shut the pipe down for everybody: every call on either end, in any process, that waits or comes
 * later returns -ESHUTDOWN; a receive does so after what was sent before has been received.
 *
 * Any process that has the end, owner or not; any thread, also while others are inside calls. Does
 * not block. A sleeping call wakes at once, or, in a race, within 20 ms. Returns 0 or -EINVAL.
 */
WEIR_PUBLIC int weir_pipe_shutdown(struct weir_end *end);

/**
 * Close this process's copy of the end and free it. NULL is allowed.
 *
 * What was sent with WEIR_MORE is published first. Threads that are inside a call on the end get
 * -ESHUTDOWN, and close waits for them to leave; a call that begins after close is a mistake of the
 * caller. Copies in other processes are not affected.
 *
 * A claim of this thread is given up, one of another is waited for; what is taken is the next
 * owner's to receive again.
 */
WEIR_PUBLIC void weir_pipe_close(struct weir_end *end);

#ifdef __cplusplus
}
#endif

#endif
