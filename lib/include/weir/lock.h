/* SPDX-License-Identifier: MIT */
/*
 * Locks between processes.
 *
 *	struct weir_lock *lock;
 *
 *	weir_lock(&lock, NULL);
 *	if (fork() == 0) {
 *		if (weir_lock_acquire(lock, 0, WEIR_FOREVER) == WEIR_OWNER_DIED)
 *			repair_what_it_protects();
 *		...
 *		weir_lock_release(lock);
 *	}
 *
 * A lock is one process's at a time. A plain one may be released by anybody; a recursive one is a
 * thread's, which may acquire it any number of times and has to release it as often.
 *
 * If a process ends that has a lock, by whatever signal at whatever instruction or by exit(3), or
 * closes its handle, the lock becomes free, and the next one who acquires it is told: it has the
 * lock, and what that protects may be half changed. It is told once; if it dies, too, the next is
 * told again. A thread that ends with a lock does not release it, and neither does exec(3): the
 * lock is free when the new program acquires it, or has ended.
 *
 * A forked child uses the handle that it inherits without any call; it does not inherit what its
 * parent holds. Other programs get one by weir/handle.h, of WEIR_KIND_LOCK. Any number of threads
 * use a handle at once, and 4095 processes a lock.
 *
 * Who is given a lock can write all of its memory: it can make others believe that they have it. It
 * cannot make them crash.
 */
#ifndef WEIR_LOCK_H
#define WEIR_LOCK_H

#include <stdbool.h>

#include <weir/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir_lock;

/** A thread's, which may acquire it again. */
#define WEIR_LOCK_RECURSIVE	(UINT32_C(1) << 0)

/** How a lock is to be. All zero but the size, or NULL, is a plain one. */
struct weir_lock_options {
	size_t size;		/**< sizeof(struct weir_lock_options) */
	uint32_t flags;		/**< WEIR_LOCK_RECURSIVE */
	uint32_t reserved;	/**< 0 */
};

/**
 * Make a lock, which is free. The handle belongs to the caller, who ends it with weir_lock_close().
 *
 * Any thread. Does not block. Returns 0, or -EINVAL; -ENOMEM, -EMFILE, -ENFILE, -ENOBUFS (the
 * machine, or the control group, has no memory left).
 */
WEIR_PUBLIC int weir_lock(struct weir_lock **ret_lock, const struct weir_lock_options *options);

/**
 * Acquire @lock; waits for it until @deadline.
 *
 * @flags	WEIR_INTR, WEIR_NOSPIN
 * Who wakes first has it: there is no order among those who wait. That the holder has died is seen
 * after 4 ms by those who wait, later if they have waited long already: a sixteenth of that time,
 * 100 ms at most. Any thread.
 *
 * Returns 0, or WEIR_OWNER_DIED: the caller has it, and is the first since its holder died.
 * Otherwise the caller does not have it: -EAGAIN, -ETIMEDOUT, -EINTR; -ESHUTDOWN: another thread
 * closes the handle; -EOVERFLOW: it has been acquired UINT32_MAX times; -EUSERS: 4095 processes use
 * it; -EINVAL; -ENOMEM.
 */
WEIR_PUBLIC int weir_lock_acquire(struct weir_lock *lock, uint32_t flags, int64_t deadline);

/**
 * Release @lock, once.
 *
 * Any thread of any process; of a recursive one its own. Does not block. Returns 0, or -EINVAL:
 * nobody has it; -EPERM: a recursive one is not this thread's; -EUSERS, -ENOMEM.
 */
WEIR_PUBLIC int weir_lock_release(struct weir_lock *lock);

/** Whether anybody has it, alive or dead. Any thread. Does not block. */
WEIR_PUBLIC bool weir_lock_is_locked(struct weir_lock *lock);

/** Whether this thread has it. Any thread. Does not block. */
WEIR_PUBLIC bool weir_lock_is_mine(struct weir_lock *lock);

/**
 * Close the handle; NULL is none. If this process has the lock, the next one is told so as if it
 * had died. Threads that wait in a call on this handle return -ESHUTDOWN first; none may begin one.
 */
WEIR_PUBLIC void weir_lock_close(struct weir_lock *lock);

#ifdef __cplusplus
}
#endif

#endif
