/* SPDX-License-Identifier: MIT */
#include "uring/transfer.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cc.h"
#include "sys/sys.h"
#include "weir/base.h"
#include "weir/engine.h"

#define SUBMISSIONS 2
/* At the file's own position. */
#define HERE UINT64_MAX

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif

int transfer_open(struct transfer *t)
{
	*t = (struct transfer){ .ring = RING_CLOSED };
	/* By whichever thread has the pump. */
	return ring_open(&t->ring, SUBMISSIONS, 0, 0);
}

int transfer_register(struct transfer *t, const void *memory, size_t size)
{
	struct iovec all = { (void *)(uintptr_t)memory, size };
	int result = sys_ask(SYS_CALL_URING_REGISTER);

	if (result == 0)
		result = io_uring_register_buffers(&t->ring.raw, &all, 1);
	if (result < 0)
		return result;
	t->memory = memory;
	t->size = size;
	t->scattered = ring_operations(&t->ring) & WEIR_URING_WRITEV_FIXED;
	return 0;
}

void transfer_close(struct transfer *t)
{
	ring_close(&t->ring);
}

void transfer_abandon(struct transfer *t)
{
	ring_abandon(&t->ring);
}

static bool lies_in(const struct transfer *t, const struct iovec *parts, size_t count)
{
	if (!t->memory || (count > 1 && !t->scattered))
		return false;
	for (size_t i = 0; i < count; i++) {
		const uint8_t *at = parts[i].iov_base;

		if (at < t->memory || at + parts[i].iov_len > t->memory + t->size)
			return false;
	}
	return true;
}

static void prepare_write(const struct transfer *t, struct io_uring_sqe *sqe, int fd,
			  const struct iovec *parts, size_t count)
{
	if (!lies_in(t, parts, count)) {
		io_uring_prep_writev(sqe, fd, parts, (unsigned int)count, HERE);
	} else if (count == 1) {
		io_uring_prep_write_fixed(sqe, fd, parts->iov_base, (unsigned int)parts->iov_len,
					  HERE, 0);
	} else {
		io_uring_prep_rw(RING_OP_WRITEV_FIXED, sqe, fd, parts, (unsigned int)count, HERE);
		sqe->buf_index = 0;
	}
}

static void prepare(const struct transfer *t, struct io_uring_sqe *sqe, enum transfer_what what,
		    int fd, const struct iovec *parts, size_t count, struct msghdr *m)
{
	*m = (struct msghdr){ .msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = count };
	switch (what) {
	case TRANSFER_RECEIVE:
		io_uring_prep_recvmsg(sqe, fd, m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		break;
	case TRANSFER_SEND:
		io_uring_prep_sendmsg(sqe, fd, m, MSG_DONTWAIT | MSG_NOSIGNAL);
		break;
	case TRANSFER_READ:
	case TRANSFER_READ_NOW:
		io_uring_prep_readv(sqe, fd, parts, (unsigned int)count, HERE);
		break;
	case TRANSFER_WRITE:
	case TRANSFER_WRITE_NOW:
		prepare_write(t, sqe, fd, parts, count);
		break;
	}
	if (what == TRANSFER_READ_NOW || what == TRANSFER_WRITE_NOW)
		sqe->rw_flags = RWF_NOWAIT;
}

/* The call that this stands for, so that tests can make that fail. */
static enum sys_call call_of(enum transfer_what what)
{
	switch (what) {
	case TRANSFER_RECEIVE:
		return SYS_CALL_RECVMSG;
	case TRANSFER_SEND:
		return SYS_CALL_SENDMSG;
	case TRANSFER_READ:
	case TRANSFER_READ_NOW:
		return SYS_CALL_READ_PARTS;
	default:
		return SYS_CALL_WRITE_PARTS;
	}
}

int transfer_do(struct transfer *t, enum transfer_what what, int fd, const struct iovec *parts,
		size_t count, int64_t *ret_result)
{
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	struct msghdr m;
	int result = sys_ask(call_of(what));
	bool submitted = false;

	*ret_result = result;
	if (result < 0)
		return 0;
	/* There is always one, for nothing is ever left behind. */
	sqe = io_uring_get_sqe(&t->ring.raw);
	prepare(t, sqe, what, fd, parts, count, &m);
	while (io_uring_cq_ready(&t->ring.raw) == 0) {
		result = ring_enter(&t->ring, 1, WEIR_FOREVER);
		submitted |= result > 0 || result == -EINTR;
		/* Once it is submitted it is waited for: it uses memory of the caller's. */
		if (result < 0 && !submitted) {
			ring_close(&t->ring);
			return result;
		}
	}
	io_uring_peek_cqe(&t->ring.raw, &cqe);
	*ret_result = cqe->res;
	io_uring_cqe_seen(&t->ring.raw, cqe);
	return 0;
}
