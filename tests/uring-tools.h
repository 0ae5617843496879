/* SPDX-License-Identifier: MIT */
/* What the tests of io_uring share. */
#ifndef WEIR_TESTS_URING_TOOLS_H
#define WEIR_TESTS_URING_TOOLS_H

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/cc.h"
#include "support.h"
#include "sys/sys.h"
#include "uring/ring.h"
#include "weir/engine.h"

/* Why there is no io_uring here, in a text for test_skip_all(); or NULL. Tries it. */
static inline const char *uring_unavailable(void)
{
	struct weir_engine_report report = { .size = sizeof(report) };

	return weir_engine(&report) == 0 && report.error == 0 ? NULL : report.reason;
}

#if WEIR_URING

static inline struct io_uring_sqe *request(struct ring *r, uint64_t number)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&r->raw);

	if (sqe) {
		io_uring_prep_nop(sqe);
		sqe->user_data = number;
	}
	return sqe;
}

/* As the wait set has them of eventfds. */
static inline void request_poll(struct ring *r, int fd, uint64_t number)
{
	struct io_uring_sqe *sqe = request(r, number);

	io_uring_prep_poll_multishot(sqe, fd, POLLIN | POLLOUT);
	sqe->user_data = number;
}

/* That never happens as long as nobody writes to the eventfd @fd. */
static inline void request_nothing(struct ring *r, int fd, uint64_t number)
{
	struct io_uring_sqe *sqe = request(r, number);

	io_uring_prep_poll_add(sqe, fd, POLLIN);
	sqe->user_data = number;
}

struct completion {
	uint64_t number;
	int result;
	bool more;
};

/* The next one; false if there is none yet. liburing's own would enter the kernel to look. */
static inline bool next_completion(struct ring *r, struct completion *ret)
{
	const struct io_uring_cq *cq = &r->raw.cq;
	const struct io_uring_cqe *cqe = &cq->cqes[*cq->khead & cq->ring_mask];

	if (io_uring_cq_ready(&r->raw) == 0)
		return false;
	*ret = (struct completion){
		.number = cqe->user_data,
		.result = cqe->res,
		.more = cqe->flags & IORING_CQE_F_MORE,
	};
	io_uring_cq_advance(&r->raw, 1);
	return true;
}

/* Wait for the next; false if there is none soon. */
static inline bool await_completion(struct ring *r, struct completion *ret)
{
	int64_t deadline = soon();

	while (!next_completion(r, ret)) {
		int result = ring_enter(r, 1, deadline);

		if (result < 0 && result != -EINTR)
			return false;
	}
	return true;
}

/* Whether there is none, whatever the kernel still had to do. */
static inline bool is_quiet(struct ring *r)
{
	ring_enter(r, 0, 0);
	return io_uring_cq_ready(&r->raw) == 0;
}

/* Calls that are made to fail; teardown has to set sys_fault to NULL. */
static enum sys_call faulty;
static int fault_result;
static uint32_t faults_left;

static inline int fail_as_told(enum sys_call call)
{
	if (call != faulty || faults_left == 0)
		return 0;
	faults_left--;
	return fault_result;
}

static inline void fail_calls(enum sys_call call, int result, uint32_t times)
{
	faulty = call;
	fault_result = result;
	faults_left = times;
	sys_fault = fail_as_told;
}

static inline struct ring opened(uint32_t flags)
{
	struct ring r;

	ck_assert_int_eq(ring_open(&r, 8, 0, flags), 0);
	return r;
}

static inline void check_works(struct ring *r)
{
	struct completion c;

	ck_assert_ptr_nonnull(request(r, 42));
	ck_assert_int_eq(ring_enter(r, 1, soon()), 1);
	ck_assert(next_completion(r, &c));
	ck_assert_uint_eq(c.number, 42);
	ck_assert_int_eq(c.result, 0);
	ck_assert(!next_completion(r, &c));
}

#endif
#endif
