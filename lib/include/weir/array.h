/* SPDX-License-Identifier: MIT */
/*
 * An array in memory that processes share: elements of one type, a fixed number of them.
 *
 *	struct weir_array_options options = {
 *		.size = sizeof(options),
 *		.type = WEIR_TYPE_INT32,
 *		.count = 10,
 *	};
 *	weir_array(&array, &options);
 *	if (fork() == 0) {
 *		int32_t number = 42;
 *		WEIR_ARRAY_SET(array, -1, &number, 0, WEIR_FOREVER);
 *		_exit(0);
 *	}
 *	WEIR_ARRAY_GET(array, -1, &number, 0, WEIR_FOREVER);
 *
 * It is changed in three ways.
 *
 *	updates		set, write, edit and commit: under the array's lock, which they take unless
 *			the thread has it. All of what one changes is changed at once: nobody reads
 *			it torn, and when the process dies inside, by SIGKILL at any instruction,
 *			all of it is changed or nothing.
 *	atomic ones	load, store, add and so on, of one element: without the lock. They never
 *			wait.
 *	by pointer	weir_array_data(): as the program does it, and as it is with any memory.
 *
 * Reading, by get and read, is without the lock too, and gives the elements as they were at one
 * moment, between two updates. An array without a lock (WEIR_ARRAY_RAW) has no updates: set and
 * write change it element by element.
 *
 * What is changed in different ways at a time is not protected from itself: an update that lays
 * over an element what it had computed before undoes an addition made meanwhile, as an assignment
 * does.
 *
 * An index may be negative: -1 is the last. Functions that move elements are told their type, as
 * the caller sees it, and return -EPROTO if it is another; 0: whatever it is. The macros in capital
 * letters find the type by the pointers that they are given.
 *
 * A forked child has the array too and need not call anything to use it. Others are given it by
 * weir_export(), weir_send_handle() or over a pipe (weir/handle.h), with its lock.
 *
 * Returning WEIR_OWNER_DIED, which is positive, a call has done what it should; and a process had
 * died that held the lock. What it had changed by updates is whole.
 *
 * No call here is async-signal-safe, and no call is a cancellation point.
 */
#ifndef WEIR_ARRAY_H
#define WEIR_ARRAY_H

#include <weir/base.h>
#include <weir/lock.h>
#include <weir/type.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An array. Opaque; made by weir_array(), freed by weir_array_close(). */
struct weir_array;

/** Of the options: without a lock, and without updates that are whole. */
#define WEIR_ARRAY_RAW		(UINT32_C(1) << 0)

/** How to make an array. Zero all that you do not set. */
struct weir_array_options {
	size_t size;		/**< sizeof(struct weir_array_options) */
	uint32_t flags;		/**< WEIR_ARRAY_RAW */
	uint32_t reserved;	/**< 0 */
	uint64_t type;		/**< of an element: weir/type.h */
	uint64_t count;		/**< how many, at least 1 */
	const void *initial;	/**< count elements; NULL: all zero */
	/**
	 * The lock that protects it; the array does not own it, and it is not to be closed before.
	 * NULL: a recursive one of its own.
	 */
	struct weir_lock *lock;
};

/**
 * Make an array.
 *
 * It belongs to the caller, who frees it with weir_array_close(). Its memory, twice the elements
 * unless it is raw, is had at once: it cannot lack later. Any thread. Does not block.
 *
 * Returns 0, or -EINVAL (options, a type that is none), -EFBIG (more than 2^45 bytes, or
 * RLIMIT_FSIZE), -ENOBUFS (the machine, or the control group, has not got so much memory), -ENOMEM,
 * -EMFILE, -ENFILE, -ENOSPC, -ENOSYS.
 */
WEIR_PUBLIC int weir_array(struct weir_array **ret_array, const struct weir_array_options *options);

/** What there is to know of an array. */
struct weir_array_stat {
	size_t size;		/**< sizeof(struct weir_array_stat), set by the caller */
	uint32_t flags;		/**< as in the options */
	uint32_t reserved;	/**< 0 */
	uint64_t type;
	uint64_t count;
	uint64_t updates;	/**< that were ever made */
};

/** Read it into @ret_stat. Any thread. Returns 0, or -EINVAL (NULL, or the size). */
WEIR_PUBLIC int weir_array_stat(struct weir_array *array, struct weir_array_stat *ret_stat);

/**
 * Whether an array that came from elsewhere has @count elements of @type; 0: any number, or type.
 *
 * Returns 0, or -EPROTO: it has not; -EINVAL. Any thread. Does not block.
 */
WEIR_PUBLIC int weir_array_check(struct weir_array *array, uint64_t type, uint64_t count);

/*
 * The lock
 */

/**
 * Take the array's lock; waits for it until @deadline. What only the holder changes stays as it is
 * until weir_array_release(): as weir_lock_acquire(), whose errors it returns, but an update that
 * the last holder died in is in its place after this.
 *
 * @flags	WEIR_INTR, WEIR_NOSPIN
 * Returns 0 or WEIR_OWNER_DIED, or -EAGAIN, -ETIMEDOUT, -EINTR; -EOPNOTSUPP: it is raw; -EBADMSG;
 * -EUSERS, -ENOMEM, -EINVAL, ...
 */
WEIR_PUBLIC int weir_array_acquire(struct weir_array *array, uint32_t flags, int64_t deadline);

/**
 * Give it back. Returns 0, or -EOPNOTSUPP: it is raw; or an error of weir_lock_release().
 */
WEIR_PUBLIC int weir_array_release(struct weir_array *array);

/**
 * The lock of the array, to ask who has it; NULL: it is raw. It stays the array's, or whose it was,
 * and is not to be closed. One of the array's own cannot be given to a condition or to another
 * array, or be exported: for that make a lock, and give that to all.
 */
WEIR_PUBLIC struct weir_lock *weir_array_lock(struct weir_array *array);

/**
 * Have this handle use @lock, a handle of the same lock, from now on: an array that came from
 * elsewhere brings a handle of its own of the lock that it was made with. So a thread that holds
 * the lock by its handle may update the array. Nobody uses this handle of the array meanwhile.
 *
 * @lock	is not to be closed before the array
 * Returns 0, or -EPROTO: another lock; -EOPNOTSUPP: its lock is its own, or it is raw; -EINVAL.
 */
WEIR_PUBLIC int weir_array_use_lock(struct weir_array *array, struct weir_lock *lock);

/*
 * Reading, and updates
 */

/**
 * Read @count elements from @first on, as they were at one moment.
 *
 * @ret_elements	as many of @type; holds anything if the call fails
 * @flags	WEIR_INTR, WEIR_NOSPIN
 * Takes no lock unless others keep updating the array while it reads; then it waits for it, until
 * @deadline. Any thread.
 *
 * Returns 0, or -ERANGE: there are no such elements; -EPROTO: of another type; -EAGAIN, -ETIMEDOUT,
 * -EINTR; -EBADMSG: damaged; -EINVAL; or another error of weir_array_acquire().
 */
WEIR_PUBLIC int weir_array_read(struct weir_array *array, uint64_t type, int64_t first,
				uint64_t count, void *ret_elements, uint32_t flags,
				int64_t deadline);

/**
 * Have @count elements from @first on be those of @elements: an update.
 *
 * @flags	WEIR_INTR, WEIR_NOSPIN
 * Waits for the lock, until @deadline. Any thread. Of a raw array element by element, and does not
 * wait.
 *
 * Returns 0 or WEIR_OWNER_DIED, or as weir_array_read().
 */
WEIR_PUBLIC int weir_array_write(struct weir_array *array, uint64_t type, int64_t first,
				 uint64_t count, const void *elements, uint32_t flags,
				 int64_t deadline);

/** Read one element: as weir_array_read() of one. */
WEIR_PUBLIC int weir_array_get(struct weir_array *array, uint64_t type, int64_t index,
			       void *ret_element, uint32_t flags, int64_t deadline);

/** Update one element: as weir_array_write() of one. */
WEIR_PUBLIC int weir_array_set(struct weir_array *array, uint64_t type, int64_t index,
			       const void *element, uint32_t flags, int64_t deadline);

/**
 * Begin an update of @count elements from @first on: take the lock, until @deadline, and have a
 * copy of them to change.
 *
 * @ret_elements	the copy, this process's; valid until weir_array_commit() or _cancel()
 * Nobody sees it before weir_array_commit(), and nothing has changed if the process dies before.
 * One at a time; ended by the same thread.
 *
 * Returns 0 or WEIR_OWNER_DIED, or as weir_array_write(); -EBUSY: this thread has begun one;
 * -EOPNOTSUPP: it is raw; -ENOMEM.
 */
WEIR_PUBLIC int weir_array_begin(struct weir_array *array, uint64_t type, int64_t first,
				 uint64_t count, uint32_t flags, int64_t deadline,
				 void **ret_elements);

/**
 * Make the update that was begun, and give the lock back. Returns 0, or -EINVAL: none was, by this
 * thread; -EPERM: somebody has released the lock meanwhile, and the update was not made.
 */
WEIR_PUBLIC int weir_array_commit(struct weir_array *array);

/** Drop the update that was begun, and give the lock back. Returns 0, or -EINVAL: none was. */
WEIR_PUBLIC int weir_array_cancel(struct weir_array *array);

/**
 * Begin, call @edit with the copy, and commit.
 *
 * @edit	gets the elements, how many, and @arg; returns 0, or what the call is to return
 *		instead, changing nothing
 * Returns as weir_array_begin(), or what @edit returned.
 */
WEIR_PUBLIC int weir_array_edit(struct weir_array *array, uint64_t type, int64_t first,
				uint64_t count,
				int (*edit)(void *elements, uint64_t count, void *arg), void *arg,
				uint32_t flags, int64_t deadline);

/*
 * Without a lock: one element of 1, 2, 4 or 8 bytes that lies at a multiple of its size
 *
 * Sequentially consistent, as C's atomic operations. None waits. They return 0, or -ERANGE: there
 * is no such element; -EPROTO: of another type; -EOPNOTSUPP: not for this type; -EBADMSG; -EINVAL.
 */

/** Its value, in @ret_element. */
WEIR_PUBLIC int weir_array_load(struct weir_array *array, uint64_t type, int64_t index,
				void *ret_element);
/** Have it be @element. */
WEIR_PUBLIC int weir_array_store(struct weir_array *array, uint64_t type, int64_t index,
				 const void *element);
/** Have it be @element; @ret_was: what it was. */
WEIR_PUBLIC int weir_array_exchange(struct weir_array *array, uint64_t type, int64_t index,
				    const void *element, void *ret_was);
/**
 * Have it be @element if it is @expected, byte for byte. Otherwise returns -ECANCELED, and
 * @expected is what it is.
 */
WEIR_PUBLIC int weir_array_compare_exchange(struct weir_array *array, uint64_t type, int64_t index,
					    void *expected, const void *element);
/** Add @operand; an integer wraps around. @ret_was: what it was, or NULL. Not of a bool. */
WEIR_PUBLIC int weir_array_add(struct weir_array *array, uint64_t type, int64_t index,
			       const void *operand, void *ret_was);
/** Keep the bits that @operand has, too. @ret_was as above. Integers and bool. */
WEIR_PUBLIC int weir_array_and(struct weir_array *array, uint64_t type, int64_t index,
			       const void *operand, void *ret_was);
/** Set the bits that @operand has. */
WEIR_PUBLIC int weir_array_or(struct weir_array *array, uint64_t type, int64_t index,
			      const void *operand, void *ret_was);
/** Change the bits that @operand has. */
WEIR_PUBLIC int weir_array_xor(struct weir_array *array, uint64_t type, int64_t index,
			       const void *operand, void *ret_was);

/**
 * The elements themselves, at the same address until the array is closed.
 *
 * Who reads them sees updates half made, unless he holds the lock; what he writes is not counted as
 * a change, and not whole if he dies. NULL: @array is.
 */
WEIR_PUBLIC void *weir_array_data(struct weir_array *array);

/*
 * Changes
 */

/**
 * How many changes there have been, by updates and atomic operations, of all processes: a number
 * that grows. From the first call on, of whoever, they are counted.
 *
 * What this handle has seen is not reported by wait sets any more. Any thread. Does not block; the
 * first call of all takes 0.1 ms.
 *
 * Returns 0, or -EINVAL.
 */
WEIR_PUBLIC int weir_array_changes(struct weir_array *array, uint64_t *ret_changes);

/**
 * Wait until there have been other than @seen changes, or @deadline.
 *
 * @seen	of weir_array_changes(), called before the array was looked at
 * @flags	WEIR_INTR, WEIR_NOSPIN
 * @ret_changes	how many there are now; may be NULL
 * A change whose maker dies before it has told is noticed in 100 ms. Any thread.
 *
 * Returns 0, or -EAGAIN, -ETIMEDOUT, -EINTR; -EUSERS, -ENOMEM, -EINVAL.
 */
WEIR_PUBLIC int weir_array_wait(struct weir_array *array, uint64_t seen, uint32_t flags,
				int64_t deadline, uint64_t *ret_changes);

/**
 * Free this process's handle. A lock that this process holds by it is free then, and the next one
 * is told. NULL is allowed.
 *
 * Threads that sleep in other calls get -ESHUTDOWN, and close waits for them to leave; other
 * processes notice nothing.
 */
WEIR_PUBLIC void weir_array_close(struct weir_array *array);

/*
 * The same with the type of what a pointer points to. It is an error, or a warning, of the compiler
 * if that is no number, or if two pointers differ.
 */
#if !defined(__cplusplus) && defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define WEIR_ARRAY_READ(array, first, count, ret, flags, deadline) \
	weir_array_read(array, WEIR_TYPE(*(ret)), first, count, ret, flags, deadline)
#define WEIR_ARRAY_WRITE(array, first, count, elements, flags, deadline) \
	weir_array_write(array, WEIR_TYPE(*(elements)), first, count, elements, flags, deadline)
#define WEIR_ARRAY_GET(array, index, ret, flags, deadline) \
	weir_array_get(array, WEIR_TYPE(*(ret)), index, ret, flags, deadline)
#define WEIR_ARRAY_SET(array, index, element, flags, deadline) \
	weir_array_set(array, WEIR_TYPE(*(element)), index, element, flags, deadline)
#define WEIR_ARRAY_LOAD(array, index, ret) \
	weir_array_load(array, WEIR_TYPE(*(ret)), index, ret)
#define WEIR_ARRAY_STORE(array, index, element) \
	weir_array_store(array, WEIR_TYPE(*(element)), index, element)
#define WEIR_ARRAY_EXCHANGE(array, index, element, ret) \
	weir_array_exchange(array, WEIR_TYPE_BOTH(element, ret), index, element, ret)
#define WEIR_ARRAY_COMPARE_EXCHANGE(array, index, expected, element) \
	weir_array_compare_exchange(array, WEIR_TYPE_BOTH(expected, element), index, expected, \
				    element)
#define WEIR_ARRAY_ADD(array, index, operand, ret) \
	weir_array_add(array, WEIR_TYPE_BOTH(operand, ret), index, operand, ret)
#define WEIR_ARRAY_AND(array, index, operand, ret) \
	weir_array_and(array, WEIR_TYPE_BOTH(operand, ret), index, operand, ret)
#define WEIR_ARRAY_OR(array, index, operand, ret) \
	weir_array_or(array, WEIR_TYPE_BOTH(operand, ret), index, operand, ret)
#define WEIR_ARRAY_XOR(array, index, operand, ret) \
	weir_array_xor(array, WEIR_TYPE_BOTH(operand, ret), index, operand, ret)
#endif

#ifdef __cplusplus
}
#endif

#endif
