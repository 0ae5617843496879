/* SPDX-License-Identifier: MIT */
/*
 * Reader/writer locks between processes: any number read, or one writes.
 *
 *	struct weir_rwlock *lock;
 *
 *	weir_rwlock(&lock);
 *	...
 *	weir_rwlock_read(lock, 0, WEIR_FOREVER);	weir_rwlock_write(lock, 0, WEIR_FOREVER);
 *	look_something_up();				change_it();
 *	weir_rwlock_release(lock);			weir_rwlock_release(lock);
 *
 * What a process has is counted: its threads may read several times, and release each time; it may
 * write once. Threads of a process are told apart no further, so one may release what another one
 * has acquired; another process may not. There is no way from reading to writing but to release,
 * because of two that wait for that each would wait for the other; from writing to reading there
 * is. A process that writes and asks to read waits for itself.
 *
 * While somebody waits to write, nobody else begins to read, but for a process that reads already;
 * when a writer releases, those who wait to read come before the next writer. So neither kind
 * waits for ever for the other. Only a process that reads all the time, in one thread or another,
 * keeps writers waiting. One who is next and stands still loses its turn after a quarter of a
 * second.
 *
 * If a process ends that writes, by whatever signal at whatever instruction or by exit(3), or
 * closes its handle, the lock becomes free, and those who acquire it are told: they have it, and
 * what it protects may be half changed. All are told who read, until the first has acquired it to
 * write, who is told, too, and may repair it. What readers have is given back without a word.
 *
 * A forked child uses the handle that it inherits without any call; it does not inherit what its
 * parent has. Other programs get one by weir/handle.h, of WEIR_KIND_RWLOCK. Any number of threads
 * use a handle at once, and 4095 processes a lock. Who is given a lock can write all of its memory:
 * it can make others believe that they have it. It cannot make them crash.
 */
#ifndef WEIR_RWLOCK_H
#define WEIR_RWLOCK_H

#include <weir/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir_rwlock;

/**
 * Make a lock, which is free. The handle belongs to the caller, who ends it with
 * weir_rwlock_close().
 *
 * Any thread. Does not block. Returns 0, or -EINVAL; -ENOMEM, -EMFILE, -ENFILE, -ENOBUFS (the
 * machine, or the control group, has no memory left).
 */
WEIR_PUBLIC int weir_rwlock(struct weir_rwlock **ret_lock);

/**
 * Acquire @lock to read; waits until @deadline.
 *
 * @flags	WEIR_INTR, WEIR_NOSPIN
 * That a writer has died is seen after 4 ms by those who wait, later if they have waited long
 * already: a sixteenth of that time, 100 ms at most. Any thread.
 *
 * Returns 0, or WEIR_OWNER_DIED: the caller has it, a writer has died, and none has acquired it
 * since. Otherwise the caller does not have it: -EAGAIN, -ETIMEDOUT, -EINTR; -ESHUTDOWN: another
 * thread closes the handle; -EUSERS: 4095 processes use it; -EBADMSG; -EINVAL; -ENOMEM.
 */
WEIR_PUBLIC int weir_rwlock_read(struct weir_rwlock *lock, uint32_t flags, int64_t deadline);

/**
 * Acquire @lock to write; waits until @deadline. Arguments and results as weir_rwlock_read(); that
 * one who read has died is seen in the same time.
 */
WEIR_PUBLIC int weir_rwlock_write(struct weir_rwlock *lock, uint32_t flags, int64_t deadline);

/**
 * Release what this process has: that it writes, or once that it reads.
 *
 * Any thread. Does not block. Returns 0, or -EPERM: this process has nothing; -EINVAL, -EUSERS,
 * -EBADMSG, -ENOMEM.
 */
WEIR_PUBLIC int weir_rwlock_release(struct weir_rwlock *lock);

/**
 * Go on reading, having written, without anybody else writing in between.
 *
 * Any thread. Does not block. Returns 0, or -EPERM: this process does not write; -EINVAL, -EUSERS,
 * -EBADMSG, -ENOMEM.
 */
WEIR_PUBLIC int weir_rwlock_downgrade(struct weir_rwlock *lock);

/**
 * How often it is held to read now, by anybody alive or dead; -EBUSY: somebody writes; -EINVAL: it
 * is NULL. Any thread. Does not block.
 */
WEIR_PUBLIC int weir_rwlock_readers(struct weir_rwlock *lock);

/**
 * Close the handle; NULL is none. What this process has is given back as if it had died. Threads
 * that wait in a call on this handle return -ESHUTDOWN first; none may begin one.
 */
WEIR_PUBLIC void weir_rwlock_close(struct weir_rwlock *lock);

#ifdef __cplusplus
}
#endif

#endif
