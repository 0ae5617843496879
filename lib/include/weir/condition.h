/* SPDX-License-Identifier: MIT */
/*
 * A condition: processes that share a lock wait until another one says that something has changed.
 *
 *	weir_condition(&changed, NULL, NULL);		lock = weir_condition_lock(changed);
 *
 *	weir_lock_acquire(lock, 0, WEIR_FOREVER);	weir_lock_acquire(lock, 0, WEIR_FOREVER);
 *	while (*shared == 0)				*shared = 1;
 *		weir_condition_wait(changed, 0,		weir_condition_notify(changed, 1);
 *				    WEIR_FOREVER);	weir_lock_release(lock);
 *	weir_lock_release(lock);
 *
 * A notification is for those who wait at that moment, the oldest first: whoever comes later cannot
 * take it. A wait does not return for nothing.
 *
 * Deaths. A process that has waited or notified is a party of the condition until it closes its
 * handle or ends by exit(3) or by returning from main(). If a party dies otherwise, all who wait
 * return WEIR_OWNER_DIED, with the lock: who was to notify them may be the one. They look at what
 * they wait for, and wait again if somebody is left who can bring it. A death that happens while
 * nobody waits is told to those who wait next. It is noticed within some
 * milliseconds, or 0.2 s if all have waited for long.
 *
 * A forked child has the condition too and need not call anything to use it. Others are given it,
 * together with its lock, by weir_export(), weir_send_handle() or over a pipe (weir/handle.h).
 *
 * No call here is async-signal-safe, and no call is a cancellation point.
 */
#ifndef WEIR_CONDITION_H
#define WEIR_CONDITION_H

#include <weir/base.h>
#include <weir/lock.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A condition. Opaque; made by weir_condition(), freed by weir_condition_close(). */
struct weir_condition;

/** How to make a condition. Zero all that you do not set; NULL options are all zeros. */
struct weir_condition_options {
	size_t size;		/**< sizeof(struct weir_condition_options) */
	uint32_t flags;		/**< 0 */
	/** How many threads may wait at a time, at most 65535; 0 is 1000. 32 bytes each. */
	uint32_t max_waiters;
};

/**
 * Make a condition. It belongs to the caller, who frees it with weir_condition_close().
 *
 * @lock	that those who wait and notify hold, plain or recursive; it stays the caller's, who
 *		closes it after the condition. Several conditions may be made on one lock. NULL for
 *		a recursive one of its own
 * @options	NULL for none
 * Costs a descriptor, and what the lock costs. Any thread. Does not block.
 *
 * Returns 0, or -EINVAL (options, a lock that is part of another object), -ENOMEM, -ENOBUFS,
 * -EMFILE, -ENFILE, -EFBIG, -ENOSYS.
 */
WEIR_PUBLIC int weir_condition(struct weir_condition **ret_condition, struct weir_lock *lock,
			       const struct weir_condition_options *options);

/**
 * The lock that belongs to it: the one it was made on; otherwise its own, which is closed with it.
 *
 * A condition that came from elsewhere has brought its lock. Returns NULL for NULL.
 */
WEIR_PUBLIC struct weir_lock *weir_condition_lock(struct weir_condition *condition);

/**
 * Use @lock, a handle of the very same lock, instead of the one that came with the condition, which
 * is closed: for several conditions on one lock that came from elsewhere.
 *
 * Before anybody uses the condition. @lock stays the caller's, who closes it after the condition.
 * Returns 0, or -EINVAL: it is another lock.
 */
WEIR_PUBLIC int weir_condition_use_lock(struct weir_condition *condition, struct weir_lock *lock);

/**
 * Give the lock back, as often as the caller has it, wait until notified or @deadline, and take the
 * lock again as often.
 *
 * @flags	WEIR_INTR, WEIR_NOSPIN
 * The caller has the lock when this returns, whatever it returns; to take it again may take longer
 * than until @deadline. Who was notified in the last moment was notified: 0. Any thread.
 *
 * Returns 0: notified; WEIR_OWNER_DIED: a party of the condition has died, or whoever had the lock;
 * -EAGAIN, -ETIMEDOUT, -EINTR: not notified; -ESHUTDOWN: this handle is being closed; -EPERM: the
 * caller does not have the lock; -EUSERS: as many wait as options.max_waiters, or too many
 * processes use it; -EINVAL; -ENOMEM; -EBADMSG: the memory is damaged. If the lock itself cannot be
 * had again, its error, -ESHUTDOWN or -EBADMSG: only then the caller does not have it, which
 * weir_lock_is_mine() says.
 */
WEIR_PUBLIC int weir_condition_wait(struct weir_condition *condition, uint32_t flags,
				    int64_t deadline);

/**
 * Wait until @predicate(@arg) returns something other than 0, which is looked at now and whenever
 * notified, with the lock.
 *
 * @predicate	is called with the lock held, and leaves it so
 * Otherwise as weir_condition_wait().
 *
 * Returns 0: the predicate holds; WEIR_OWNER_DIED: it did not when it was looked at last, and
 * somebody has died since; or an error of weir_condition_wait(): it did not.
 */
WEIR_PUBLIC int weir_condition_wait_for(struct weir_condition *condition,
					int (*predicate)(void *arg), void *arg, uint32_t flags,
					int64_t deadline);

/**
 * Wake those @count who have waited longest, or all if they are fewer. They return once they have
 * the lock, which the caller has now and should give back.
 *
 * Any thread. Does not block. Returns how many, or -EPERM: the caller does not have the lock;
 * -EINVAL; -EUSERS, -ENOMEM.
 */
WEIR_PUBLIC int weir_condition_notify(struct weir_condition *condition, uint32_t count);

/** Wake all who wait. Otherwise as weir_condition_notify(). */
WEIR_PUBLIC int weir_condition_notify_all(struct weir_condition *condition);

/**
 * Free this process's handle, and the lock if it is the condition's own. NULL is allowed.
 *
 * Waits for threads inside weir_condition_wait(), which return -ESHUTDOWN. What they were notified
 * of is passed on; other processes notice nothing else.
 */
WEIR_PUBLIC void weir_condition_close(struct weir_condition *condition);

#ifdef __cplusplus
}
#endif

#endif
