/* SPDX-License-Identifier: MIT */
/*
 * Handles for other programs: over exec, and over sockets.
 *
 * What a forked child has without a call, any other program can be given: an exec'ed one by a short
 * text, in its environment or arguments, any that has a Unix socket in common by a message.
 *
 *	char text[WEIR_EXPORT_SIZE];			struct weir_end *end;
 *	if (fork() == 0) {				weir_import(getenv("END"),
 *		weir_export(end, text, sizeof(text));			WEIR_KIND_PIPE_END, &end);
 *		setenv("END", text, 1);
 *		execl("./other", "other", NULL);
 *	}
 *
 * What travels is a copy, as fork makes one: the sender keeps its own, and closes it if the other
 * is to have the only one. A copy on its way counts as one. Ownership does not travel: who owns a
 * side of an end hands it over or closes it, and until then the other program gets -EBUSY. A queue
 * has no owner: all who have a handle of it, and several handles in one process, use it at once.
 *
 * Who is given a handle can write all of its memory: see the section CAVEATS of weir(7).
 */
#ifndef WEIR_HANDLE_H
#define WEIR_HANDLE_H

#include <weir/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Kinds of handles. */

/** A struct weir_end. */
#define WEIR_KIND_PIPE_END	UINT32_C(1)
/** A struct weir_queue. */
#define WEIR_KIND_QUEUE		UINT32_C(2)
/** A struct weir_lock. */
#define WEIR_KIND_LOCK		UINT32_C(3)
/** A struct weir_semaphore. */
#define WEIR_KIND_SEMAPHORE	UINT32_C(4)
/** A struct weir_rwlock. */
#define WEIR_KIND_RWLOCK	UINT32_C(5)
/** A struct weir_event_flag. */
#define WEIR_KIND_EVENT		UINT32_C(6)
/** A struct weir_condition. */
#define WEIR_KIND_CONDITION	UINT32_C(7)
/** A struct weir_barrier. */
#define WEIR_KIND_BARRIER	UINT32_C(8)
/** A struct weir_value. */
#define WEIR_KIND_VALUE		UINT32_C(9)
/** A struct weir_array. */
#define WEIR_KIND_ARRAY		UINT32_C(10)

/** Room for any text of weir_export(), with its end. */
#define WEIR_EXPORT_SIZE	256

/**
 * Make copies of the descriptors of @handle that exec leaves open, and write their names to @text.
 *
 * @size	the room there, at least WEIR_EXPORT_SIZE
 * The text has no blanks and ends in a zero byte; it serves one program, once. In a child between
 * fork and exec nobody else inherits the copies; otherwise each program that is started meanwhile
 * does, and weir_unexport() closes them here. Any thread; async-signal-safe; does not block.
 *
 * Returns the length of the text, or -EMSGSIZE (no room), -EINVAL (not a handle), -EMFILE.
 */
WEIR_PUBLIC int weir_export(const void *handle, char *text, size_t size);

/**
 * Close the copies that weir_export() made in this process, or that it inherited and does not want.
 *
 * Any thread. Does not block. Returns 0, or -EINVAL (no such text, or its descriptors are something
 * else), -EBADF (they are closed, or in use by a handle): nothing is closed then.
 */
WEIR_PUBLIC int weir_unexport(const char *text);

/**
 * Make a handle of the descriptors that @text names.
 *
 * @text	of weir_export(); anything else is refused and closes nothing
 * @kind	WEIR_KIND_*, what it must be
 * @ret_handle	points to a pointer of that kind; the handle belongs to the caller
 * On success the named descriptors are closed, the handle has others, which exec closes. On
 * failure they are left as they were; weir_unexport() closes them. Any thread. Does not block.
 *
 * Returns 0, or -EINVAL (not such a text, another kind, or the descriptors are something else),
 * -EBADF (they are closed, or in use by a handle), -EPROTO (made by a version of the library that
 * is too different), -EBADMSG (damaged), -ENOMEM, -EMFILE, ...
 */
WEIR_PUBLIC int weir_import(const char *text, uint32_t kind, void *ret_handle);

/**
 * Send a copy of @handle over @socket; waits until @deadline for room.
 *
 * @socket	AF_UNIX: a stream, seqpacket or connected datagram socket, blocking or not
 * @flags	WEIR_INTR
 * Of a stream it takes 40 bytes, so both sides must know where in theirs. Once sent, the sender may
 * close its handle and exit. Any thread.
 *
 * Returns 0, or -EAGAIN, -ETIMEDOUT, -EINTR: not sent; -EPIPE: the other side is closed; -EINVAL,
 * -ENOTSOCK, -EBADF; -ETOOMANYREFS: too many descriptors on their way; other errors of sendmsg(2).
 */
WEIR_PUBLIC int weir_send_handle(int socket, const void *handle, uint32_t flags, int64_t deadline);

/**
 * Receive a handle that weir_send_handle() has sent; waits for one until @deadline.
 *
 * @kind	WEIR_KIND_*, what it must be
 * @flags	WEIR_INTR
 * @ret_handle	points to a pointer of that kind; the handle belongs to the caller
 * Whatever comes that is not one is taken and closed. Any thread.
 *
 * Returns 0, or -EAGAIN, -ETIMEDOUT, -EINTR: nothing there; -EPIPE: and nothing will come; -EPROTO:
 * something else came, or another kind, or from a version of the library that is too different, or
 * there was no room for its descriptors; a stream is best closed then; -EBADMSG: damaged; -EINVAL:
 * the caller's mistake, or descriptors that are something else; -ENOTSOCK, -EBADF; -ENOMEM,
 * -EMFILE, ...
 */
WEIR_PUBLIC int weir_recv_handle(int socket, uint32_t kind, uint32_t flags, int64_t deadline,
				 void *ret_handle);

struct weir_end;

/**
 * Send a copy of @handle over a pipe, among the messages; waits for room until @deadline.
 *
 * @end		what it is sent over; @handle may be any, also this end
 * @flags	WEIR_INTR, WEIR_NOSPIN
 * What was sent with WEIR_MORE is published first. Ownership of the sending side is as for
 * weir_pipe_send(), and so are the errors. Any thread.
 *
 * Returns 0, or an error of weir_pipe_send(); -EINVAL: not a handle; -ETOOMANYREFS: too many
 * descriptors on their way.
 */
WEIR_PUBLIC int weir_pipe_send_handle(struct weir_end *end, const void *handle, uint32_t flags,
				      int64_t deadline);

/**
 * Receive the handle that comes next on a pipe; waits until @deadline.
 *
 * @kind	WEIR_KIND_*, what it must be
 * @flags	WEIR_INTR, WEIR_NOSPIN
 * @ret_handle	points to a pointer of that kind; the handle belongs to the caller
 * The other receives return -EPROTO where a handle comes next, those of objects -ENOMSG, and this
 * one -EPROTO where a message does, or a handle of another kind; it is still there. Any thread.
 *
 * Returns 0, or an error of weir_pipe_recv(); -EPROTO: as said; -EOWNERDEAD: the descriptors of
 * this one went with a receiver that died while it took them; the next can be received; -EINVAL,
 * -EBADMSG, -ENOMEM, -EMFILE, ...: nothing can be made of it, and it is gone.
 */
WEIR_PUBLIC int weir_pipe_recv_handle(struct weir_end *end, uint32_t kind, uint32_t flags,
				      int64_t deadline, void *ret_handle);

#ifdef __cplusplus
}
#endif

#endif
