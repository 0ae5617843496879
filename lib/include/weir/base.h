/* SPDX-License-Identifier: MIT */
/*
 * What all weir objects share: deadlines, flags, errors.
 *
 * Errors. A call returns 0 or a count, or a negative errno value; errno itself is never written.
 * weir_strerror() explains each of them in weir's terms.
 *
 *	-EAGAIN		would have to wait, and the deadline is 0
 *	-ETIMEDOUT	the deadline passed
 *	-EINTR		a signal handler ran, and WEIR_INTR was given
 *	-EPIPE		the other side is closed (receiving: and all it sent has been received)
 *	-ESHUTDOWN	somebody shut the object down
 *	-EBUSY		another process owns this end, or a message is claimed or taken
 *	-EOWNERDEAD	a process died in the middle: that message is lost, the object is fine
 *	-EMSGSIZE	the message does not fit: the buffer, or the ring
 *	-EBADMSG	the shared memory holds what no honest peer writes; the object is poisoned
 *	-EPROTO		what came is not what was expected: a layout that this library does not
 *			know, a message that is no object, an object of another type
 *	-ECANCELED	the barrier is broken: somebody gave up, or wanted it so
 *	-EUSERS		no more processes, or threads, can use the object
 *	-EPERM		it is not the caller's to release
 *	-EOVERFLOW	a count would become larger than it may
 *	-EOPNOTSUPP	this end does not go in that direction
 *	-ENOENT		there is no such element, key or name
 *	-EINVAL		the caller's mistake
 *	-ENOMEM, -EMFILE, -ENFILE, -EFBIG, ...	the kernel's, passed on
 *
 * Deadlines. Every call that can wait ends in a deadline: a point in time in nanoseconds of
 * CLOCK_MONOTONIC. 0 (as any time in the past) tries and does not sleep, WEIR_FOREVER waits
 * without end. weir_after() makes one from a duration.
 */
#ifndef WEIR_BASE_H
#define WEIR_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEIR_PUBLIC __attribute__((visibility("default")))

/** A deadline that never comes. */
#define WEIR_FOREVER INT64_MAX

/** What acquiring returns: done, and whoever had it before has died having it. */
#define WEIR_OWNER_DIED 1

/* Flags of calls; a call names those that it takes, any other bit is -EINVAL. */

/** More follows at once: publish later, together. */
#define WEIR_MORE	(UINT32_C(1) << 0)
/** Return -EINTR when a signal handler has run. */
#define WEIR_INTR	(UINT32_C(1) << 1)
/** When waiting, sleep at once instead of spinning first. */
#define WEIR_NOSPIN	(UINT32_C(1) << 2)

/* Events of the poll calls. */

/** A receive would return something other than -EAGAIN. */
#define WEIR_IN		(UINT32_C(1) << 0)
/** A small send would return something other than -EAGAIN. */
#define WEIR_OUT	(UINT32_C(1) << 1)
/** The other side is closed; reported unasked. */
#define WEIR_HUP	(UINT32_C(1) << 2)

/**
 * The deadline that lies @nanoseconds from now.
 *
 * Saturates: a duration that is too long gives WEIR_FOREVER, a negative or zero one gives 0.
 * Any thread; async-signal-safe; does not block.
 */
WEIR_PUBLIC int64_t weir_after(int64_t nanoseconds);

/**
 * A short English text for @error, which may be negative (as returned) or positive.
 *
 * The text is constant and must not be freed. Any thread; async-signal-safe; does not block.
 */
WEIR_PUBLIC const char *weir_strerror(int error);

/**
 * The version of the library that runs, as "MAJOR.MINOR.PATCH"; weir/version.h has the one
 * compiled against.
 */
WEIR_PUBLIC const char *weir_version(void);

#ifdef __cplusplus
}
#endif

#endif
