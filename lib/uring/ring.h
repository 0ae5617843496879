/* SPDX-License-Identifier: MIT */
/*
 * An io_uring of one object, and what the kernel's can do. Where liburing was not there when weir
 * was built, none can be opened, and the rest of the library does without, as where the kernel
 * refuses one.
 *
 * A forked child has no mapping of it, only the descriptor: it must not touch a ring but by
 * ring_abandon().
 */
#ifndef WEIR_URING_RING_H
#define WEIR_URING_RING_H

#include <stdbool.h>
#include <stdint.h>

#if WEIR_URING
#include <liburing.h>

/* What liburing 2.3 has not, with the kernel's numbers. */
#define RING_OP_FUTEX_WAKE	52	/* Linux 6.7 */
#define RING_OP_WRITEV_FIXED	61	/* Linux 6.15 */
#define RING_FUTEX_U32		2	/* FUTEX2_SIZE_U32, not private */

/* Linux 6.15: who waits is not counted as waiting for a disk. */
#ifndef IORING_FEAT_NO_IOWAIT
#define IORING_FEAT_NO_IOWAIT	(1U << 17)
#define IORING_ENTER_NO_IOWAIT	(1U << 7)
#endif
#endif

struct ring {
#if WEIR_URING
	struct io_uring raw;
#endif
	int fd;			/* -1: not open */
	uint32_t thread;	/* the only one that may use it; 0: any, one at a time */
	uint64_t calls;		/* system calls made */
};

#define RING_CLOSED ((struct ring){ .fd = -1 })

/* Only the thread that opens it uses it, and the kernel works when that asks it to. */
#define RING_ONE_THREAD		(UINT32_C(1) << 0)

/*
 * Open one with room for @submissions and @completions (0: twice as many). 0; -ENOSYS: no io_uring;
 * -EPERM: refused; -EOPNOTSUPP: too old, before Linux 5.17; -ENOMEM, -EMFILE, -ENFILE. On failure
 * *@r is as if closed.
 */
int ring_open(struct ring *r, uint32_t submissions, uint32_t completions, uint32_t flags);
/* In the process that opened it. What is in flight is cancelled, soon. */
void ring_close(struct ring *r);
/* The same in a forked child. */
void ring_abandon(struct ring *r);

/* What the kernel's can do, WEIR_URING_*, found by trying: 0, or an error of ring_open(). */
int ring_features(uint32_t *ret_features);
/* Those of them that are operations, of one that is open. */
uint32_t ring_operations(struct ring *r);

/* What goes on in the kernel only when the thread asks for it waits to be done. Costs nothing. */
bool ring_has_work(const struct ring *r);
/*
 * Submit what was prepared and wait until @wait completions are there, or @deadline; one system
 * call. How many were submitted; if that is fewer than were prepared it has not waited. -ETIMEDOUT,
 * -EINTR: all were submitted, but there are fewer completions. -EAGAIN, -EBUSY, -ENOMEM, ...:
 * nothing was, and what was prepared goes with the next call. -EEXIST: it is another thread's.
 */
int ring_enter(struct ring *r, uint32_t wait, int64_t deadline);

#endif
