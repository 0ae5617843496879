/* SPDX-License-Identifier: MIT */
/*
 * A barrier: processes wait for each other, until as many are there as it was made for.
 *
 *	weir_barrier(&barrier, 4, NULL);
 *	for (int i = 0; i < 4; i++)
 *		if (fork() == 0) {
 *			first_half();
 *			weir_barrier_wait(barrier, 0, WEIR_FOREVER, NULL);
 *			second_half();
 *			exit(0);
 *		}
 *
 * It is used again and again. It breaks when one of those who wait gives up, when somebody aborts
 * it, and when a party dies: then all waits return an error, those of now and those to come, until
 * weir_barrier_reset().
 *
 * Deaths. A process that has called weir_barrier_wait() is a party until it closes its handle or
 * ends by exit(3) or by returning from main(). If one dies otherwise, inside the call or later, the
 * barrier breaks: the others would wait for one who does not come. It is noticed within some
 * milliseconds, or 0.2 s if all have waited for long; if nobody waits, by those who wait next. One
 * death breaks a barrier once. A process that has never waited is not known to the barrier. Who
 * leaves while a thread of his still waits breaks it as well.
 *
 * A process that is stopped, wherever, holds up only those who wait for it to come.
 *
 * A forked child has the barrier too and need not call anything to use it. Others are given it by
 * weir_export(), weir_send_handle() or over a pipe (weir/handle.h).
 *
 * No call here is async-signal-safe, and no call is a cancellation point.
 */
#ifndef WEIR_BARRIER_H
#define WEIR_BARRIER_H

#include <weir/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A barrier. Opaque; made by weir_barrier(), freed by weir_barrier_close(). */
struct weir_barrier;

/** How to make a barrier. Zero all that you do not set; NULL options are all zeros. */
struct weir_barrier_options {
	size_t size;		/**< sizeof(struct weir_barrier_options) */
	uint32_t flags;		/**< 0 */
	uint32_t reserved;	/**< 0 */
	/** How long a wait with WEIR_FOREVER waits at most, in nanoseconds; 0 is without end. */
	int64_t timeout;
	/**
	 * Called by the last one who comes, before any goes on; NULL for nothing. It returns 0, or
	 * a negative errno, and then the barrier breaks.
	 */
	int (*action)(void *arg);
	void *arg;		/**< for it */
};

/**
 * Make a barrier for @parties, 1 to 16384. It belongs to the caller, who frees it with
 * weir_barrier_close().
 *
 * @options	NULL for none. The action is this handle's, and its copies' in forked children; one
 *		that came from elsewhere has none until weir_barrier_set_action()
 * Costs a descriptor. Any thread. Does not block.
 *
 * Returns 0, or -EINVAL (options, @parties), -ENOMEM, -ENOBUFS, -EMFILE, -ENFILE, -EFBIG, -ENOSYS.
 */
WEIR_PUBLIC int weir_barrier(struct weir_barrier **ret_barrier, uint32_t parties,
			     const struct weir_barrier_options *options);

/**
 * What this handle is to do when one of its threads comes last. Before anybody waits with it.
 *
 * Returns 0, or -EINVAL.
 */
WEIR_PUBLIC int weir_barrier_set_action(struct weir_barrier *barrier, int (*action)(void *arg),
					void *arg);

/**
 * Wait for the others until @deadline; whoever comes last runs the action, then all go on.
 *
 * @flags	WEIR_INTR, WEIR_NOSPIN
 * @deadline	0: only if all others are there, without sleeping. Otherwise, a time in the past,
 *		too: if it passes, the barrier breaks. The action is not cut short
 * @ret_index	in which order they came: 0 to parties - 1, each once; may be NULL
 * Any thread.
 *
 * Returns 0, or -EAGAIN: the others are not there, and it is as if nobody had come; -ETIMEDOUT,
 * -EINTR: and the barrier is broken; -ECANCELED: it is broken, by one who gave up, by an action, by
 * weir_barrier_abort() or weir_barrier_reset(); -EOWNERDEAD: it is broken because a party died; the
 * action's error; -ESHUTDOWN: this handle is being closed; -EINVAL; -EUSERS: too many processes use
 * it; -ENOMEM; -EBADMSG.
 */
WEIR_PUBLIC int weir_barrier_wait(struct weir_barrier *barrier, uint32_t flags, int64_t deadline,
				  uint32_t *ret_index);

/**
 * Break it: all waits are -ECANCELED, those of now and those to come.
 *
 * Any thread; does not block. Returns 0, also if it was broken; -EINVAL.
 */
WEIR_PUBLIC int weir_barrier_abort(struct weir_barrier *barrier);

/**
 * Begin anew: those who wait get -ECANCELED, those who come are the first.
 *
 * Deaths until now are done with. Any thread; does not block. Returns 0; -EINVAL.
 */
WEIR_PUBLIC int weir_barrier_reset(struct weir_barrier *barrier);

/** Whether it is broken: 1 or 0, or -EINVAL. Any thread; does not block. */
WEIR_PUBLIC int weir_barrier_broken(struct weir_barrier *barrier);

/** How many wait for the others now; of a broken one none. Or -EINVAL. */
WEIR_PUBLIC int weir_barrier_waiting(struct weir_barrier *barrier);

/** For how many it was made, or -EINVAL. */
WEIR_PUBLIC int weir_barrier_parties(struct weir_barrier *barrier);

/**
 * Free this process's handle. NULL is allowed.
 *
 * Waits for threads inside weir_barrier_wait(), which return -ESHUTDOWN; the barrier is broken for
 * the others then. If there are none, other processes notice nothing.
 */
WEIR_PUBLIC void weir_barrier_close(struct weir_barrier *barrier);

#ifdef __cplusplus
}
#endif

#endif
