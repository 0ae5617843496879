/* SPDX-License-Identifier: MIT */
#include "uring/ring.h"

#include <errno.h>
#include <string.h>

#include "base/atomic.h"
#include "base/cc.h"
#include "base/clock.h"
#include "sys/sys.h"
#include "weir/base.h"
#include "weir/engine.h"

/*
 * From liburing we have the queues and the preparing of requests. Entering the kernel is our own:
 * liburing waits again, and longer, when a wait was interrupted or ran out in the call that also
 * submitted something, and writes errno on some processors.
 */

/* No completion is lost; a wait has a time-out (5.11); a completion can be left out (5.17). */
#define FEATURES_NEEDED	(IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_CQE_SKIP)
#define FLAGS_ONE_THREAD \
	(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG)

static int try_open(struct ring *r, uint32_t submissions, uint32_t completions, uint32_t flags)
{
	struct io_uring_params p = {
		.flags = flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
		.cq_entries = completions ? completions : 2 * submissions,
	};
	int result = sys_ask(SYS_CALL_URING_SETUP);

	if (result == 0)
		result = io_uring_queue_init_params(submissions, &r->raw, &p);
	if (result < 0)
		return result;
	if ((p.features & FEATURES_NEEDED) != FEATURES_NEEDED)
		result = -EOPNOTSUPP;
	if (result == 0)
		result = sys_ask(SYS_CALL_MADVISE);
	if (result == 0)
		result = io_uring_ring_dontfork(&r->raw);
	if (result < 0)
		io_uring_queue_exit(&r->raw);
	return result;
}

int ring_open(struct ring *r, uint32_t submissions, uint32_t completions, uint32_t flags)
{
	bool one = flags & RING_ONE_THREAD;
	int saved = errno, result = -EINVAL;

	*r = RING_CLOSED;
	if (one)
		result = try_open(r, submissions, completions, FLAGS_ONE_THREAD);
	/* Before 6.1 the flags are not known; then it may as well be any thread's. */
	if (result == -EINVAL) {
		one = false;
		result = try_open(r, submissions, completions, 0);
	}
	errno = saved;
	if (result < 0) {
		*r = RING_CLOSED;
		return result == -EINVAL ? -EOPNOTSUPP : result;
	}
	r->fd = sys_move_high(r->raw.ring_fd);
	r->raw.ring_fd = r->raw.enter_ring_fd = r->fd;
	r->thread = one ? sys_thread() : 0;
	return 0;
}

void ring_close(struct ring *r)
{
	int saved = errno;

	if (r->fd >= 0)
		io_uring_queue_exit(&r->raw);
	r->fd = -1;
	errno = saved;
}

void ring_abandon(struct ring *r)
{
	sys_close(r->fd);
	r->fd = -1;
}

bool ring_has_work(const struct ring *r)
{
	/* relaxed: a hint of the kernel's; entering orders what it has done */
	return load_relaxed(r->raw.sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW);
}

/* What was prepared is the kernel's to take; how many it has not taken yet. */
static uint32_t publish(struct ring *r)
{
	struct io_uring_sq *sq = &r->raw.sq;

	sq->sqe_head = sq->sqe_tail;
	/* relaxed: the kernel reads the one, and writes the other, when this thread enters it */
	store_relaxed(sq->ktail, sq->sqe_tail);
	return sq->sqe_tail - load_relaxed(sq->khead);
}

static int enter(struct ring *r, uint32_t submit, uint32_t wait, const int64_t *left)
{
	struct __kernel_timespec timeout = { 0, 0 };
	struct io_uring_getevents_arg arg = { 0 };
	uint32_t flags = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG;

	/* Who waits for others does not wait for a disk. */
	if (r->raw.features & IORING_FEAT_NO_IOWAIT)
		flags |= IORING_ENTER_NO_IOWAIT;
	if (left) {
		timeout.tv_sec = *left / NS_PER_S;
		timeout.tv_nsec = *left % NS_PER_S;
		arg.ts = (uintptr_t)&timeout;
	}
	store_relaxed(&r->calls, r->calls + 1);	/* relaxed: others only report it */
	return sys_uring_enter(r->fd, submit, wait, flags, &arg, sizeof(arg));
}

int ring_enter(struct ring *r, uint32_t wait, int64_t deadline)
{
	int64_t left = deadline <= 0 ? 0 : deadline - clock_now();
	uint32_t submit = publish(r);
	int result;

	if (left > 0)
		result = enter(r, submit, wait, deadline == WEIR_FOREVER ? NULL : &left);
	else
		result = enter(r, submit, 0, NULL);
	if (result == -ETIME)
		return -ETIMEDOUT;
	if (result < 0 || (uint32_t)result < submit || io_uring_cq_ready(&r->raw) >= wait)
		return result;
	/* Of what it has submitted the kernel says how much, and not how the wait has ended. */
	if (left > 0 && (deadline == WEIR_FOREVER || clock_now() < deadline))
		return -EINTR;
	return -ETIMEDOUT;
}

/*
 * Features
 */

uint32_t ring_operations(struct ring *r)
{
	int saved = errno;
	struct io_uring_probe *p = NULL;
	uint32_t features = 0;

	if (sys_ask(SYS_CALL_URING_REGISTER) == 0)
		p = io_uring_get_probe_ring(&r->raw);
	errno = saved;
	if (!p)
		return 0;
	if (io_uring_opcode_supported(p, RING_OP_FUTEX_WAKE))
		features |= WEIR_URING_FUTEX;
	if (io_uring_opcode_supported(p, RING_OP_WRITEV_FIXED))
		features |= WEIR_URING_WRITEV_FIXED;
	io_uring_free_probe(p);
	return features;
}

int ring_features(uint32_t *ret_features)
{
	struct ring r;
	int result = ring_open(&r, 2, 0, RING_ONE_THREAD);

	*ret_features = 0;
	if (result < 0)
		return result;
	*ret_features = WEIR_URING_POLL_MULTISHOT | ring_operations(&r);
	if (r.thread != 0)
		*ret_features |= WEIR_URING_DEFER_TASKRUN;
	ring_close(&r);
	return 0;
}
