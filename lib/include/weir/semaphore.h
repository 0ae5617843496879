/* SPDX-License-Identifier: MIT */
/*
 * Semaphores between processes.
 *
 *	struct weir_semaphore *places;
 *	const struct weir_semaphore_options bounded = {
 *		.size = sizeof(bounded), .flags = WEIR_SEMAPHORE_BOUNDED,
 *	};
 *
 *	weir_semaphore(&places, 4, &bounded);
 *	...
 *	weir_semaphore_acquire(places, 0, WEIR_FOREVER);
 *	use_one_of_four();
 *	weir_semaphore_release(places, 1);
 *
 * A semaphore is a number of units, of which each call acquires one and any process releases some.
 * There are two kinds:
 *
 * A plain one is a signal. Its units belong to nobody: who releases need not have acquired, the
 * number may grow, and whoever dies changes nothing.
 *
 * Those of a bounded one are so many things. A unit belongs to the process that has acquired it. If
 * a process ends that has units, by whatever signal at whatever instruction or by exit(3), or
 * closes its handle, they are given back, and the next one to acquire is told, once: he has his
 * unit, and what the dead one did with his may be half done. Nobody looks for the dead as long as
 * there are units. There are never more than at the beginning: to release what nobody has is an
 * error that changes nothing.
 *
 * Also a unit of a bounded one may be released by another process than the one it belongs to, as
 * when a parent acquires and a child releases. A process that releases more than it has itself
 * releases those of one other process, of those that have as many the one that has not acquired or
 * released for longest. So where several processes have units and others release them, it may be
 * taken from the wrong one, which only matters if that one dies: its unit is not given back then,
 * or its release is an error. The number of units is right in any case.
 *
 * A forked child uses the handle that it inherits without any call; it does not inherit what its
 * parent has. Other programs get one by weir/handle.h, of WEIR_KIND_SEMAPHORE. Any number of
 * threads use a handle at once, and 4095 processes a bounded semaphore. Who is given a semaphore
 * can write all of its memory, and so acquire or release anything; it cannot make others crash.
 */
#ifndef WEIR_SEMAPHORE_H
#define WEIR_SEMAPHORE_H

#include <weir/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir_semaphore;

/** So many units and never more, each of them its holder's. */
#define WEIR_SEMAPHORE_BOUNDED	(UINT32_C(1) << 0)

/** How a semaphore is to be. All zero but the size, or NULL, is a plain one. */
struct weir_semaphore_options {
	size_t size;		/**< sizeof(struct weir_semaphore_options) */
	uint32_t flags;		/**< WEIR_SEMAPHORE_BOUNDED */
	uint32_t reserved;	/**< 0 */
};

/**
 * Make a semaphore of @value units, INT32_MAX at most. The handle belongs to the caller, who ends
 * it with weir_semaphore_close().
 *
 * Any thread. Does not block. Returns 0, or -EINVAL; -ENOMEM, -EMFILE, -ENFILE, -ENOBUFS (the
 * machine, or the control group, has no memory left).
 */
WEIR_PUBLIC int weir_semaphore(struct weir_semaphore **ret_semaphore, uint32_t value,
			       const struct weir_semaphore_options *options);

/**
 * Acquire a unit of @semaphore; waits for one until @deadline.
 *
 * @flags	WEIR_INTR, WEIR_NOSPIN
 * There is no order among those who wait. That a holder has died is seen after 4 ms by those who
 * wait, later if they have waited long already: a sixteenth of that time, 100 ms at most. Any
 * thread.
 *
 * Returns 0, or WEIR_OWNER_DIED: the caller has a unit, of a bounded one, and is the first since
 * somebody died who had some. Otherwise the caller has none: -EAGAIN, -ETIMEDOUT, -EINTR;
 * -ESHUTDOWN: another thread closes the handle; -EUSERS: 4095 processes use it; -EBADMSG; -EINVAL;
 * -ENOMEM.
 */
WEIR_PUBLIC int weir_semaphore_acquire(struct weir_semaphore *semaphore, uint32_t flags,
				       int64_t deadline);

/**
 * Release @count units of @semaphore at once.
 *
 * Any thread of any process. Does not block. Returns 0, or nothing is released: -EOVERFLOW: there
 * would be more than INT32_MAX, or than a bounded one had; -EPERM: there are so many of a bounded
 * one, but no process has them all; -EINVAL: @count is 0; -EUSERS, -EBADMSG, -ENOMEM.
 */
WEIR_PUBLIC int weir_semaphore_release(struct weir_semaphore *semaphore, uint32_t count);

/**
 * How many units could be acquired now; -EINVAL: it is NULL; -EBADMSG. Any thread. Does not block.
 */
WEIR_PUBLIC int weir_semaphore_value(struct weir_semaphore *semaphore);

/**
 * Close the handle; NULL is none. What this process has of a bounded one is given back, as if it
 * had died. Threads that wait in a call on this handle return -ESHUTDOWN first; none may begin one.
 */
WEIR_PUBLIC void weir_semaphore_close(struct weir_semaphore *semaphore);

#ifdef __cplusplus
}
#endif

#endif
