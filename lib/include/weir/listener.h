/* SPDX-License-Identifier: MIT */
/*
 * A listener: pipes between programs that have nothing in common but a name.
 *
 *	weir_listen(&listener, "/run/user/1000/clock", NULL);
 *	weir_accept(listener, 0, WEIR_FOREVER, &end, NULL);		one program
 *
 *	weir_connect("/run/user/1000/clock", NULL, 0, weir_after(1000000000), &end);	another
 *
 * Each has an end of a new duplex pipe then (weir/pipe.h) and needs the listener no more.
 *
 * An address is the path of a socket file, or "@" and an abstract name, which has no file and no
 * permissions; either has at most 107 bytes. The path of a file that begins with "@" is "./@...".
 *
 * A path is guarded by a lock file beside it, PATH.lock: a second listener gets -EADDRINUSE, and a
 * socket that a killed one has left is replaced. The folder should be writable only for those who
 * may listen there: others could replace the socket by their own.
 *
 * The listener looks at the user of each client, as the kernel knows it. Clients get as far as they
 * are let: what they send is checked, and what they do not send is waited for without keeping
 * others waiting, for a second at most.
 *
 * No call here is async-signal-safe, and no call is a cancellation point.
 */
#ifndef WEIR_LISTENER_H
#define WEIR_LISTENER_H

#include <weir/base.h>
#include <weir/pipe.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What clients connect to. Opaque; made by weir_listen(), freed by weir_listener_close(). */
struct weir_listener;

/** Who is on the other side, as the kernel knows it. */
struct weir_peer {
	int32_t pid;	/**< 0: in a PID namespace that we do not see */
	uint32_t uid;	/**< effective user, when it connected or began to listen */
	uint32_t gid;	/**< effective group, likewise */
	int pidfd;	/**< of the process; the caller's to close; -1: cannot be had */
};

/* Flags of the options. */

/** Any user may connect, or be the server. */
#define WEIR_ANYBODY	(UINT32_C(1) << 0)

/** How to listen. Zero all that you do not set; NULL options are all zeros. */
struct weir_listen_options {
	size_t size;			/**< sizeof(struct weir_listen_options) */
	uint32_t flags;			/**< WEIR_ANYBODY */
	uint32_t mode;			/**< of the socket file; 0 is 0600; the umask is ignored */
	const uint32_t *uids;		/**< who may connect besides our own user and root */
	size_t uid_count;		/**< at most 65536 */
	const uint32_t *gids;		/**< and whose groups, supplementary ones too, may */
	size_t gid_count;		/**< at most 65536 */
	uint32_t backlog;		/**< connections that wait for weir_accept(); 0 is 128 */
	uint32_t pending;		/**< hand-shakes at a time; 0 is 64, at most 4096 */
	uint32_t pending_per_uid;	/**< and of one user; 0 is 16 */
	uint32_t reserved;		/**< 0 */
	int64_t patience;		/**< nanoseconds for a hand-shake; 0 is a second */
	/**
	 * The largest ring that a client gets if it asks; 0: that of the pipe options.
	 */
	uint64_t capacity_max;
	const struct weir_pipe_options *pipe;	/**< for the pipes; NULL as in weir_pipe() */
};

/** How to connect. Zero all that you do not set; NULL options are all zeros. */
struct weir_connect_options {
	size_t size;			/**< sizeof(struct weir_connect_options) */
	uint32_t flags;			/**< WEIR_ANYBODY */
	uint32_t reserved;		/**< 0 */
	const uint32_t *uids;		/**< who may be the server besides our own user and root */
	size_t uid_count;		/**< at most 65536 */
	uint64_t capacity;		/**< wanted, of each ring; the server may give less */
	struct weir_peer *ret_peer;	/**< where to store who the server is; may be NULL */
};

/**
 * Listen at @address. The listener belongs to the caller, who frees it with weir_listener_close(),
 * and to this process: a forked child can do nothing with it but close it.
 *
 * @options	copied; NULL for none
 * Costs 4 descriptors, 7 with a path, and 10 for each hand-shake. Any thread. Does not block.
 *
 * Returns 0, or -EADDRINUSE (somebody listens there), -EEXIST (there is something that is no
 * socket), -EINVAL (no name, or one that can be no file; options out of range), -ENAMETOOLONG,
 * -ENOENT, -ENOTDIR, -EACCES, -EROFS, -ELOOP and -EISDIR (the lock file is a link, or a folder),
 * -ENOMEM, -EMFILE, -ENFILE.
 */
WEIR_PUBLIC int weir_listen(struct weir_listener **ret_listener, const char *address,
			    const struct weir_listen_options *options);

/**
 * Listen on the socket @fd, which somebody has bound and made listening: of AF_UNIX and
 * SOCK_SEQPACKET. On success it belongs to the listener, which makes it O_NONBLOCK and
 * close-on-exec and closes it, but removes no file; on failure to the caller, as it was.
 *
 * Several processes may each adopt a copy of the same socket; each client is then one process's.
 * Any thread. Does not block.
 *
 * Returns 0, or -EPROTOTYPE (another kind of socket, or not listening), -ENOTSOCK, -EBADF, -EINVAL,
 * -ENOMEM, -EMFILE, -ENFILE.
 */
WEIR_PUBLIC int weir_listen_adopt(struct weir_listener **ret_listener, int fd,
				  const struct weir_listen_options *options);

/**
 * Listen on a socket that the service manager has passed to this process, as sd_listen_fds(3) has
 * it: LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES. They are read and not removed.
 *
 * @name	which, if several were passed; NULL: there must be exactly one
 * Otherwise as weir_listen_adopt(). Must not run while another thread changes the environment.
 *
 * Returns 0, or -ENOENT (nothing was passed to this process, or nothing of that name), -ENOTUNIQ
 * (several, and it is not clear which), -EBADMSG (the variables are not as they should be), or an
 * error of weir_listen_adopt().
 */
WEIR_PUBLIC int weir_listen_activated(struct weir_listener **ret_listener, const char *name,
				      const struct weir_listen_options *options);

/**
 * Wait until @deadline for a client that has done its part, and take our end of the pipe to it.
 *
 * @flags	WEIR_INTR
 * @ret_end	belongs to the caller, who frees it with weir_pipe_close()
 * @ret_peer	who it is; may be NULL; its pidfd belongs to the caller
 * All hand-shakes go on in here, side by side; nobody else does anything for them. Any thread of
 * the process that made the listener; several take turns. With WEIR_PIPE_ONEWAY in the pipe options
 * @ret_end receives.
 *
 * Returns 0, or -EAGAIN, -ETIMEDOUT, -EINTR: nobody; -ESHUTDOWN; -EMFILE, -ENFILE, -ENOMEM,
 * -ENOBUFS, -ENOSPC, -ETOOMANYREFS: a client cannot be served for want of that, and is told to try
 * again or waits; the listener is well, and does not look at new clients for 20 ms; -EBUSY: in a
 * forked child; -EINVAL.
 */
WEIR_PUBLIC int weir_accept(struct weir_listener *listener, uint32_t flags, int64_t deadline,
			    struct weir_end **ret_end, struct weir_peer *ret_peer);

/**
 * A descriptor that is readable (POLLIN) while there is something to do for weir_accept(); call it
 * with a deadline of 0 then, until -EAGAIN.
 *
 * For poll(2), epoll(7) (level triggered) and event loops; never read from it, write to it or
 * close it: it belongs to the listener. It is readable more often than somebody is accepted: a
 * hand-shake has several steps. Returns the descriptor, or -EBUSY (in a forked child), -EINVAL.
 */
WEIR_PUBLIC int weir_listener_fd(struct weir_listener *listener);

/**
 * Every weir_accept() that waits or comes later returns -ESHUTDOWN.
 *
 * Any thread, also while others are inside calls. Does not block. There is no way back. Clients
 * wait until the listener is closed. Returns 0, or -EBUSY (in a forked child), -EINVAL.
 */
WEIR_PUBLIC int weir_listener_shutdown(struct weir_listener *listener);

/**
 * Stop listening, drop those who are not accepted yet, remove the socket file if it is still ours,
 * and free the listener. NULL is allowed. Pipes that were accepted are not affected.
 *
 * Threads that are inside weir_accept() get -ESHUTDOWN, and close waits for them to leave; a call
 * that begins after it is a mistake of the caller. In a forked child only its copies are closed.
 */
WEIR_PUBLIC void weir_listener_close(struct weir_listener *listener);

/**
 * Connect to the listener at @address; @ret_end is our end of a new pipe.
 *
 * @options	NULL for none
 * @flags	WEIR_INTR
 * @ret_end	belongs to the caller, who frees it with weir_pipe_close()
 * Waits until @deadline: for room in the listener's queue, for its answer, and, if it is busy, to
 * try again. It must run to answer, so a deadline of 0 always ends in -EAGAIN at best. Nobody
 * listening is not waited for. Any thread.
 *
 * Returns 0, or -EAGAIN, -ETIMEDOUT, -EINTR; -ENOENT: no such path; -ECONNREFUSED: nobody listens
 * there; -EACCES: we may not write to the socket file, or the server does not want us; -EPERM: the
 * server's user is none that we trust; -EPROTO: it speaks another version, or something else
 * altogether; -EPROTOTYPE: the socket is of another kind; -ECONNRESET: the server ended while we
 * were at it, or lost its patience; -ENAMETOOLONG, -ENOTDIR, -ELOOP, -EINVAL, -ENOMEM, -EMFILE,
 * -ENFILE.
 */
WEIR_PUBLIC int weir_connect(const char *address, const struct weir_connect_options *options,
			     uint32_t flags, int64_t deadline, struct weir_end **ret_end);

#ifdef __cplusplus
}
#endif

#endif
