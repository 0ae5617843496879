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

	if (result < 0)
		return result;
	result = io_uring_queue_init_params(submissions, &r->raw, &p);
	if (result < 0)
		return result;
	if ((p.features & FEATURES_NEEDED) != FEATURES_NEEDED) {
		io_uring_queue_exit(&r->raw);
		return -EOPNOTSUPP;
	}
	return 0;
}

int ring_open(struct ring *r, uint32_t submissions, uint32_t completions, uint32_t flags)
{
	bool one = flags & RING_ONE_THREAD;
	int result = -EINVAL;

	*r = RING_CLOSED;
	if (one)
		result = try_open(r, submissions, completions, FLAGS_ONE_THREAD);
	/* Before 6.1 the flags are not known; then it may as well be any thread's. */
	if (result == -EINVAL) {
		one = false;
		result = try_open(r, submissions, completions, 0);
	}
	if (result == 0)
		result = io_uring_ring_dontfork(&r->raw);
	if (result < 0) {
		if (r->raw.ring_fd > 0)
			io_uring_queue_exit(&r->raw);
		*r = RING_CLOSED;
		return result;
	}
	r->fd = sys_move_high(r->raw.ring_fd);
	r->raw.ring_fd = r->raw.enter_ring_fd = r->fd;
	r->thread = one ? sys_thread() : 0;
	return 0;
}

void ring_close(struct ring *r)
{
	if (r->fd >= 0)
		io_uring_queue_exit(&r->raw);
	r->fd = -1;
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

int ring_enter(struct ring *r, uint32_t wait, int64_t deadline)
{
	int64_t left = deadline == WEIR_FOREVER ? 0 : deadline - clock_now();
	struct __kernel_timespec timeout;
	struct io_uring_cqe *cqe;
	int result = sys_ask(SYS_CALL_URING_ENTER);

	if (result < 0)
		return result;
	r->calls++;
	if (wait == 0 || left < 0)
		return io_uring_submit_and_get_events(&r->raw);
	timeout.tv_sec = left / NS_PER_S;
	timeout.tv_nsec = left % NS_PER_S;
	result = io_uring_submit_and_wait_timeout(&r->raw, &cqe, wait,
						  deadline == WEIR_FOREVER ? NULL : &timeout, NULL);
	return result == -ETIME ? -ETIMEDOUT : result;
}

/*
 * Features
 */

static uint32_t probe_operations(struct ring *r)
{
	struct io_uring_probe *p = io_uring_get_probe_ring(&r->raw);
	uint32_t features = 0;

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
	*ret_features = WEIR_URING_POLL_MULTISHOT | probe_operations(&r);
	if (r.thread != 0)
		*ret_features |= WEIR_URING_DEFER_TASKRUN;
	ring_close(&r);
	return 0;
}
