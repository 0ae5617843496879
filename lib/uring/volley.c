/* SPDX-License-Identifier: MIT */
#include "uring/volley.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/uio.h>

#include "base/cc.h"
#include "weir/engine.h"

/* What an eventfd gets. */
static const uint64_t one = 1;

int volley_open(struct volley *v)
{
	uint64_t calls = v->ring.calls;
	/* Not for one thread: a batch may go from thread to thread. */
	int result = ring_open(&v->ring, VOLLEY_SIZE, 0, 0);

	v->ring.calls += calls;
	if (result == 0)
		v->futexes = ring_operations(&v->ring) & WEIR_URING_FUTEX;
	return result;
}

void volley_close(struct volley *v)
{
	ring_close(&v->ring);
}

void volley_abandon(struct volley *v)
{
	ring_abandon(&v->ring);
}

static bool goes(const struct volley *v, const struct wake *k)
{
	return k->kind == WAKE_EVENT || v->futexes;
}

/*
 * Only of a bell it matters how many were woken; of the others there is no completion unless they
 * fail.
 */
static void fill(struct io_uring_sqe *sqe, const struct wake *k)
{
	if (k->kind == WAKE_EVENT) {
		io_uring_prep_write(sqe, k->fd, &one, sizeof(one), 0);
		/*
		 * Of one that is full the kernel would wait until it is not, and write then; one
		 * that somebody has made blocking would go to a thread. Both are refused so.
		 */
		sqe->rw_flags = RWF_NOWAIT;
	} else {
		io_uring_prep_rw(RING_OP_FUTEX_WAKE, sqe, RING_FUTEX_U32, k->word, 0,
				 k->kind == WAKE_BELL ? 1 : INT32_MAX);
		sqe->addr3 = FUTEX_BITSET_MATCH_ANY;
	}
	if (k->kind != WAKE_BELL)
		sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

static uint64_t tag(const struct volley *v, uint32_t index)
{
	return (uint64_t)v->number << 32 | index;
}

/* Prepare as many as there is room for of those from @begin on; where the next begin. */
static uint32_t prepare(struct volley *v, const struct wake *wakes, uint32_t begin, uint32_t count,
			uint32_t *ret_prepared)
{
	uint32_t i;

	*ret_prepared = 0;
	for (i = begin; i < count; i++) {
		struct io_uring_sqe *sqe;

		if (!goes(v, &wakes[i]))
			continue;
		sqe = io_uring_get_sqe(&v->ring.raw);
		if (!sqe)
			break;
		fill(sqe, &wakes[i]);
		sqe->user_data = tag(v, i);
		++*ret_prepared;
	}
	return i;
}

/* The last @count that were prepared are not to be done any more. */
static void call_off(struct volley *v, uint32_t count)
{
	struct io_uring_sq *sq = &v->ring.raw.sq;

	for (uint32_t i = 1; i <= count; i++) {
		struct io_uring_sqe *sqe = &sq->sqes[(sq->sqe_tail - i) & *sq->kring_mask];

		io_uring_prep_nop(sqe);
		sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
		sqe->user_data = 0;
	}
}

/* Submit what is prepared: 0, or an error; then some of it may be left. */
static int submit(struct volley *v)
{
	int result;

	/* An operation that the kernel does not like ends a submission behind it. */
	while (io_uring_sq_ready(&v->ring.raw) > 0) {
		result = ring_enter(&v->ring, 0, 0);
		if (result <= 0)
			return result < 0 ? result : -EAGAIN;
	}
	return 0;
}

/* The first @submitted that go, from @begin on, are on their way. */
static void mark(const struct volley *v, struct wake *wakes, uint32_t begin, uint32_t submitted)
{
	for (uint32_t i = begin; submitted > 0; i++)
		if (goes(v, &wakes[i])) {
			wakes[i].woken = 1;
			submitted--;
		}
}

/* What the kernel says: to a bell, or because it went wrong. */
static void hear(struct volley *v, struct wake *wakes, uint32_t count)
{
	struct io_uring_cqe *cqe;

	while (io_uring_peek_cqe(&v->ring.raw, &cqe) == 0) {
		uint32_t i = (uint32_t)cqe->user_data;

		/* One of an earlier time is late, and nobody waits for it. */
		if (i < count && cqe->user_data == tag(v, i))
			wakes[i].woken = cqe->res >= 0 ? cqe->res : WAKE_OPEN;
		io_uring_cqe_seen(&v->ring.raw, cqe);
	}
}

/* Whether another time may go better. */
static bool may_pass(int error)
{
	return error == 0 || error == -EAGAIN || error == -EBUSY || error == -EINTR ||
	       error == -ENOMEM;
}

/* One submission, of those from @begin on; where the next is to begin. */
static int make_some(struct volley *v, struct wake *wakes, uint32_t count, uint32_t *begin)
{
	uint32_t prepared, left, next = prepare(v, wakes, *begin, count, &prepared);
	int error = prepared > 0 ? submit(v) : 0;

	left = io_uring_sq_ready(&v->ring.raw);
	call_off(v, left);
	mark(v, wakes, *begin, prepared - left);
	hear(v, wakes, count);
	*begin = next;
	return error;
}

bool volley_make(struct volley *v, struct wake *wakes, uint32_t count)
{
	uint32_t begin = 0;
	/* First what was called off, if there is any: it takes up room. */
	int error = submit(v);

	v->number++;
	while (begin < count && error == 0)
		error = make_some(v, wakes, count, &begin);
	for (uint32_t i = 0; i < count; i++)
		v->made += wakes[i].woken != WAKE_OPEN;
	/* Somebody has closed what he did not know. What has the number now is not ours. */
	if (error == -EBADF || error == -EOPNOTSUPP)
		v->ring.raw.ring_fd = -1;
	return may_pass(error);
}
