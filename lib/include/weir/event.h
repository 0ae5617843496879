/* SPDX-License-Identifier: MIT */
/*
 * An event: it is set or it is not, and any process waits until it is.
 *
 *	struct weir_event_flag *ready;
 *	weir_event(&ready, NULL);
 *	if (fork() == 0) {
 *		weir_event_wait(ready, 0, WEIR_FOREVER);
 *		...
 *	}
 *	weir_event_set(ready);
 *
 * A forked child has the event too and need not call anything to use it. Others are given it by
 * weir_export(), weir_send_handle() or over a pipe (weir/handle.h). It can be in wait sets.
 *
 * Nobody holds an event, so there is nothing to be given back when somebody dies. Who dies inside
 * weir_event_set() has set it or has not; if it is set but nobody was woken any more, those who
 * wait find it within a second.
 *
 * No call here is a cancellation point.
 */
#ifndef WEIR_EVENT_H
#define WEIR_EVENT_H

#include <weir/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An event. Opaque; made by weir_event(), freed by weir_event_close(). */
struct weir_event_flag;

/* Flags of struct weir_event_options. */

/** It is set when it is made. */
#define WEIR_EVENT_SET		(UINT32_C(1) << 0)

/** How to make an event. Zero all that you do not set; NULL options are all zeros. */
struct weir_event_options {
	size_t size;		/**< sizeof(struct weir_event_options) */
	uint32_t flags;		/**< WEIR_EVENT_* */
	uint32_t reserved;	/**< 0 */
};

/**
 * Make an event, which is not set. It belongs to the caller, who frees it with weir_event_close().
 *
 * @options	NULL for none
 * Costs 2 descriptors. Any thread. Does not block.
 *
 * Returns 0, or -EINVAL (options), -ENOMEM, -ENOBUFS, -EMFILE, -ENFILE, -EFBIG, -ENOSYS.
 */
WEIR_PUBLIC int weir_event(struct weir_event_flag **ret_event,
			   const struct weir_event_options *options);

/**
 * Set it: all who wait return, also if it is cleared again at once.
 *
 * Any thread; does not block. Returns 0, also if it was set; -EINVAL.
 */
WEIR_PUBLIC int weir_event_set(struct weir_event_flag *event);

/** Clear it. Any thread; does not block. Returns 0, also if it was not set; -EINVAL. */
WEIR_PUBLIC int weir_event_clear(struct weir_event_flag *event);

/** Whether it is set: 1 or 0, or -EINVAL. Any thread; does not block. */
WEIR_PUBLIC int weir_event_is_set(struct weir_event_flag *event);

/**
 * Wait until it is set, or has been since the call began, or @deadline.
 *
 * @flags	WEIR_INTR, WEIR_NOSPIN
 * Any thread. Returns 0, or -EAGAIN, -ETIMEDOUT, -EINTR: it is not set; -ESHUTDOWN: this handle is
 * being closed; -EINVAL.
 */
WEIR_PUBLIC int weir_event_wait(struct weir_event_flag *event, uint32_t flags, int64_t deadline);

/**
 * Free this process's handle. NULL is allowed.
 *
 * Waits for threads inside weir_event_wait(), which return -ESHUTDOWN; other processes notice
 * nothing.
 */
WEIR_PUBLIC void weir_event_close(struct weir_event_flag *event);

#ifdef __cplusplus
}
#endif

#endif
