/* SPDX-License-Identifier: MIT */
/*
 * A wait set: one wait for any mix of pipe ends, queues, events, listeners, processes, descriptors
 * and timers.
 *
 *	weir_waitset(&set, NULL);
 *	weir_waitset_add_queue(set, jobs, WEIR_IN, jobs, NULL);
 *	weir_waitset_add_pipe(set, client, WEIR_IN, client, NULL);
 *	n = weir_waitset_wait(set, events, 64, 0, WEIR_FOREVER);
 *	for (int i = 0; i < n; i++)
 *		serve(events[i].cookie, events[i].events);
 *
 * Events are by level: a source is reported by each wait for as long as what was asked for holds,
 * and it does not matter how much of it is taken at a time. Of pipes, queues and events it is
 * looked up in their memory just before, so no wait ends for nothing; but others who use the same
 * object may be quicker, so receive with a deadline of 0. Sources that stay ready take turns.
 *
 * A set belongs to the process that made it; a forked child can do nothing with it but close it.
 * Any thread may add, change and remove sources, while others wait too, and several threads may
 * wait: each event is reported to one of them, and they take turns at sleeping.
 *
 * An object leaves its sets when it is closed. A descriptor that was added by its number must be
 * removed before it is closed.
 *
 * What waits is io_uring or epoll, whichever is to be had: weir/engine.h. As soon as a second
 * thread waits, or the set's descriptor is exported, it is epoll. No call here is
 * async-signal-safe, and no call is a cancellation point.
 */
#ifndef WEIR_WAITSET_H
#define WEIR_WAITSET_H

#include <weir/array.h>
#include <weir/base.h>
#include <weir/engine.h>
#include <weir/event.h>
#include <weir/listener.h>
#include <weir/pipe.h>
#include <weir/queue.h>
#include <weir/semaphore.h>
#include <weir/value.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A wait set. Opaque; made by weir_waitset(), freed by weir_waitset_close(). */
struct weir_waitset;

/** How to make a wait set. Zero all that you do not set; NULL options are all zeros. */
struct weir_waitset_options {
	size_t size;		/**< sizeof(struct weir_waitset_options) */
	uint32_t flags;		/**< 0 */
	uint32_t engine;	/**< WEIR_ENGINE_* */
};

/** What a wait has found. */
struct weir_event {
	uint64_t source;	/**< the number that the source was given when it was added */
	void *cookie;		/**< what the source was added with */
	uint32_t events;	/**< WEIR_IN, WEIR_OUT, WEIR_HUP */
	uint32_t reserved;	/**< 0 */
	uint64_t count;		/**< of a timer: how often it has come due since; otherwise 0 */
};

/**
 * Make a wait set. It belongs to the caller, who frees it with weir_waitset_close().
 *
 * @options	NULL for the engine that is to be had
 * Costs 2 descriptors, 3 with io_uring. Any thread. Does not block.
 *
 * Returns 0, or -EINVAL (options), -ENOMEM, -EMFILE, -ENFILE.
 */
WEIR_PUBLIC int weir_waitset(struct weir_waitset **ret_set,
			     const struct weir_waitset_options *options);

/**
 * Wait for a pipe's end.
 *
 * @events	WEIR_IN, WEIR_OUT or both, as for weir_pipe_poll(); 0 for the hang-up alone, which
 *		is reported in any case
 * @cookie	is reported with the events; the set does nothing with it
 * @ret_source	a number for the other calls, never 0; may be NULL
 * The process becomes the owner of the sides that @events are about, and they are taken again if
 * they were handed over meanwhile. While the set sleeps often for it, the other side's sends cost a
 * full fence each. Any thread; does not block.
 *
 * Returns 0, or -EBUSY (another process owns a side, or this one forked the set's owner), -EEXIST
 * (the end is in the set), -EOPNOTSUPP (no such side), -EBADMSG, -EINVAL, -ENOMEM, -ENOSPC.
 */
WEIR_PUBLIC int weir_waitset_add_pipe(struct weir_waitset *set, struct weir_end *end,
				      uint32_t events, void *cookie, uint64_t *ret_source);

/**
 * Wait for a queue.
 *
 * @events	WEIR_IN: a get would not return -EAGAIN; WEIR_OUT: a put of one more item would not;
 *		0: nothing for now
 * When several processes wait for one queue, a message wakes them all, so that none that is stopped
 * or dead keeps it; the first to get has it. Otherwise as weir_waitset_add_pipe().
 *
 * Returns 0, or -EBUSY, -EEXIST, -EUSERS, -EBADMSG, -EINVAL, -ENOMEM, -ENOSPC.
 */
WEIR_PUBLIC int weir_waitset_add_queue(struct weir_waitset *set, struct weir_queue *queue,
				       uint32_t events, void *cookie, uint64_t *ret_source);

/**
 * Wait for an event to be set: WEIR_IN while it is. Otherwise as weir_waitset_add_pipe(), but
 * without cost to others while the set is awake.
 *
 * If somebody dies inside weir_event_set() it may be found a second later.
 * Returns 0, or -EBUSY (in a forked child), -EEXIST, -EINVAL, -ENOMEM, -ENOSPC.
 */
WEIR_PUBLIC int weir_waitset_add_event(struct weir_waitset *set, struct weir_event_flag *event,
				       void *cookie, uint64_t *ret_source);

/**
 * Wait for changes of an array: WEIR_IN while there are some that this process has not seen by
 * weir_array_changes() or weir_array_wait(), on the same handle. Otherwise as
 * weir_waitset_add_event().
 *
 * The first time that anybody asks for changes of the array it takes 0.1 ms. A change whose maker
 * dies before it has told may be found a second later.
 */
WEIR_PUBLIC int weir_waitset_add_array(struct weir_waitset *set, struct weir_array *array,
				       void *cookie, uint64_t *ret_source);

/** Wait for changes of a value: as weir_waitset_add_array(). */
WEIR_PUBLIC int weir_waitset_add_value(struct weir_waitset *set, struct weir_value *value,
				       void *cookie, uint64_t *ret_source);

/**
 * Wait for a unit of a semaphore: WEIR_IN while there is one. Those who wait for the same are all
 * woken; the first to acquire has it, so acquire with a deadline of 0. Otherwise as
 * weir_waitset_add_event(); that somebody has died who had one may be found a second later, too.
 */
WEIR_PUBLIC int weir_waitset_add_semaphore(struct weir_waitset *set,
					   struct weir_semaphore *semaphore, void *cookie,
					   uint64_t *ret_source);

/**
 * Wait for clients: WEIR_IN while there is something to do for weir_accept(), which has to be
 * called with a deadline of 0, until -EAGAIN. Otherwise as weir_waitset_add_pipe().
 */
WEIR_PUBLIC int weir_waitset_add_listener(struct weir_waitset *set, struct weir_listener *listener,
					  void *cookie, uint64_t *ret_source);

/**
 * Wait for the end of process @pid, a child or not: WEIR_IN from then on. It is not reaped.
 *
 * Costs a descriptor. Returns 0, or -ESRCH (there is no such process), -EBUSY, -EINVAL, -ENOMEM,
 * -EMFILE, -ENFILE, -ENOSPC, -ENOSYS.
 */
WEIR_PUBLIC int weir_waitset_add_process(struct weir_waitset *set, int32_t pid, void *cookie,
					 uint64_t *ret_source);

/**
 * Wait for any descriptor that can be polled.
 *
 * @fd		stays the caller's, and must be removed from the set before it is closed
 * @events	WEIR_IN, WEIR_OUT or both; WEIR_HUP is reported unasked, for POLLHUP and POLLERR
 * Returns 0, or -EPERM (it cannot be polled: a regular file), -EBADF, -EEXIST, -ELOOP, -EBUSY,
 * -EINVAL, -ENOMEM, -ENOSPC.
 */
WEIR_PUBLIC int weir_waitset_add_fd(struct weir_waitset *set, int fd, uint32_t events, void *cookie,
				    uint64_t *ret_source);

/**
 * Wait for a point in time: WEIR_IN, once for each time that it has come due and been missed
 * together, with their number.
 *
 * @first	of CLOCK_MONOTONIC in nanoseconds, as a deadline; WEIR_FOREVER: not now
 * @period	nanoseconds from one to the next; 0: only once
 * Costs no descriptor. Returns 0, or -EBUSY, -EINVAL, -ENOMEM.
 */
WEIR_PUBLIC int weir_waitset_add_timer(struct weir_waitset *set, int64_t first, int64_t period,
				       void *cookie, uint64_t *ret_source);

/**
 * Wait for other events of a source, from now on; not of a timer or a process. With 0 it stays in
 * the set and is silent, but for the hang-up of a pipe or a descriptor: a server that has enough to
 * do tells its listener and its queues so.
 *
 * Returns 0, or -ENOENT (there is no such source, or its object was closed), or an error of the
 * call that adds such a source; then nothing has changed.
 */
WEIR_PUBLIC int weir_waitset_change(struct weir_waitset *set, uint64_t source, uint32_t events);

/** Set a timer anew, as if it were added now. Returns 0, or -ENOENT, -EBUSY, -EINVAL. */
WEIR_PUBLIC int weir_waitset_change_timer(struct weir_waitset *set, uint64_t source, int64_t first,
					  int64_t period);

/**
 * Wait for it no more. Waits that begin later do not report it; one that is just returning in
 * another thread may. Any thread. Does not block.
 *
 * Returns 0, or -ENOENT (there is no such source, or its object was closed), -EBUSY, -EINVAL.
 */
WEIR_PUBLIC int weir_waitset_remove(struct weir_waitset *set, uint64_t source);

/**
 * Wait until at least one source is ready, or @deadline; up to @count that are.
 *
 * @events	is filled in, in the order in which they became ready
 * @flags	WEIR_INTR, WEIR_NOSPIN
 * An empty set waits for its deadline, or for what another thread adds. Any thread; while one waits
 * others wait for their turn.
 *
 * Returns how many, at least one; or -EAGAIN, -ETIMEDOUT, -EINTR; -ESHUTDOWN: the set is being
 * closed; -EBUSY: in a forked child; -EINVAL.
 */
WEIR_PUBLIC int weir_waitset_wait(struct weir_waitset *set, struct weir_event *events, size_t count,
				  uint32_t flags, int64_t deadline);

/**
 * A descriptor that is readable (POLLIN) while a wait would find something, so that the set can be
 * part of another event loop, or of another set.
 *
 * When it is readable, call weir_waitset_wait() with a deadline of 0, again and again until
 * -EAGAIN, or once each time; it may be readable for nothing. Watch it by level. Never read from
 * it, write to it or close it. Costs 3 more descriptors from the first time on, when no thread may
 * wait.
 *
 * Returns the descriptor, or -EBUSY (in a forked child, or a thread waits), -EMFILE, -ENFILE,
 * -ENOMEM, -EINVAL.
 */
WEIR_PUBLIC int weir_waitset_fd(struct weir_waitset *set);

/** What there is to know of a wait set. */
struct weir_waitset_stat {
	size_t size;		/**< sizeof(struct weir_waitset_stat), set by the caller */
	uint32_t engine;	/**< WEIR_ENGINE_EPOLL or WEIR_ENGINE_URING: what waits now */
	uint32_t reserved;	/**< 0 */
	uint64_t sources;	/**< in it now */
	uint64_t waits;		/**< calls of weir_waitset_wait() */
	uint64_t events;	/**< reported */
	uint64_t calls;		/**< system calls made to wait */
	uint64_t sleeps;	/**< of them, those that could sleep */
	uint64_t signals;	/**< that came from the kernel */
	uint64_t in_vain;	/**< of them, those that found nothing */
};

/** Read the counters into @ret_stat. Any thread. Returns 0, or -EBUSY, -EINVAL. */
WEIR_PUBLIC int weir_waitset_stat(struct weir_waitset *set, struct weir_waitset_stat *ret_stat);

/**
 * Free the set; the objects that were in it are not affected. NULL is allowed.
 *
 * Threads inside weir_waitset_wait() get -ESHUTDOWN, and close waits for them to leave; a call that
 * begins after it is a mistake of the caller. In a forked child only its copies are closed.
 */
WEIR_PUBLIC void weir_waitset_close(struct weir_waitset *set);

#ifdef __cplusplus
}
#endif

#endif
