/* SPDX-License-Identifier: MIT */
/*
 * Reading and writing by an io_uring, one request after the other: each is submitted, and its
 * completion waited for, with one system call. Nothing is ever in flight outside of a call, so
 * what was written from can be given free, and a deadline needs no cancellation.
 */
#ifndef WEIR_URING_TRANSFER_H
#define WEIR_URING_TRANSFER_H

#include <sys/uio.h>

#include "uring/ring.h"

struct transfer {
	struct ring ring;
	const uint8_t *memory;	/* that is registered; NULL: none is */
	size_t size;
	bool scattered;		/* several parts of it go in one write */
};

enum transfer_what {
	TRANSFER_READ,
	TRANSFER_READ_NOW,	/* without waiting; -EOPNOTSUPP where that cannot be promised */
	TRANSFER_RECEIVE,	/* from a socket, without waiting */
	TRANSFER_WRITE,
	TRANSFER_WRITE_NOW,
	TRANSFER_SEND
};

/* 0, or an error of ring_open(). */
int transfer_open(struct transfer *t);
/*
 * Have the kernel keep hold of @memory, which it then need not look up with each write out of it.
 * That has all of it populated, and its pages stay the same whatever becomes of the mapping: only
 * for memory that is populated anyway, and of which nothing is ever given back. 0, -ENOMEM (too
 * much for RLIMIT_MEMLOCK), ...: then it works without.
 */
int transfer_register(struct transfer *t, const void *memory, size_t size);
void transfer_close(struct transfer *t);
/* The same in a forked child. */
void transfer_abandon(struct transfer *t);

/*
 * 0, and in @ret_result what the system call would have returned; or an error of the io_uring:
 * nothing was done, and it is closed.
 */
int transfer_do(struct transfer *t, enum transfer_what what, int fd, const struct iovec *parts,
		size_t count, int64_t *ret_result);

#endif
