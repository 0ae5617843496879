/* SPDX-License-Identifier: MIT */
/*
 * The engine: how wait sets, batches and pumps talk to the kernel. It is io_uring, or epoll(7) and
 * plain system calls; what they do is the same.
 *
 * Which one is chosen when an object is made: by its options; if they leave it open, by the
 * environment variable WEIR_ENGINE, "uring" or "epoll"; if that is not set, by what was measured to
 * be faster for that kind of object. Where io_uring is not to be had, because the kernel is too
 * old, a container or a sysctl forbids it or it takes too much memory, the other engine takes its
 * place, also where io_uring was asked for: that is never an error.
 */
#ifndef WEIR_ENGINE_H
#define WEIR_ENGINE_H

#include <weir/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Engines. */

/** Whichever is faster. */
#define WEIR_ENGINE_AUTO	UINT32_C(0)
/** epoll and plain system calls. */
#define WEIR_ENGINE_EPOLL	UINT32_C(1)
/** io_uring. */
#define WEIR_ENGINE_URING	UINT32_C(2)

/* What the io_uring of this machine can do, of what weir uses. */

/** Polling that goes on until it is ended. */
#define WEIR_URING_POLL_MULTISHOT	(UINT32_C(1) << 0)
/** Work is put off until the thread asks for it: Linux 6.1. */
#define WEIR_URING_DEFER_TASKRUN	(UINT32_C(1) << 1)
/** Futexes: Linux 6.7. */
#define WEIR_URING_FUTEX		(UINT32_C(1) << 2)
/** Scattered parts of a registered buffer in one write: Linux 6.15. */
#define WEIR_URING_WRITEV_FIXED		(UINT32_C(1) << 3)

/** Which engine there is. */
struct weir_engine_report {
	size_t size;		/**< sizeof(struct weir_engine_report), set by the caller */
	uint32_t engine;	/**< WEIR_ENGINE_URING or WEIR_ENGINE_EPOLL: the one to be had */
	uint32_t features;	/**< WEIR_URING_*; 0 without io_uring */
	int32_t error;		/**< why there is no io_uring: a negative errno; 0: there is one */
	uint32_t wanted;	/**< what WEIR_ENGINE says; WEIR_ENGINE_AUTO if it is not set */
	const char *reason;	/**< all that in words; constant text */
};

/**
 * Find out which engine a wait set that is made now would get, and why, by trying.
 *
 * What is so now may be otherwise later: each object asks its kernel for itself. Any thread that
 * does not run while another changes the environment. Does not block.
 *
 * Returns 0, or -EINVAL (the size).
 */
WEIR_PUBLIC int weir_engine(struct weir_engine_report *ret_report);

/** "epoll", "uring" or "auto"; constant text; NULL for another number. */
WEIR_PUBLIC const char *weir_engine_name(uint32_t engine);

#ifdef __cplusplus
}
#endif

#endif
