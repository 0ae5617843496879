/* SPDX-License-Identifier: MIT */
#include "sys/stream.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/raw.h"
#include "sys/sys.h"

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 0x00000008
#endif

/* At the file's own position, for the calls that want one. */
#define HERE (-1L)

int64_t stream_read(int fd, const struct iovec *parts, size_t count)
{
	return raw(SYS_CALL_READ_PARTS, SYS_readv, fd, (long)parts, (long)count, 0, 0, 0);
}

int64_t stream_write(int fd, const struct iovec *parts, size_t count)
{
	return raw(SYS_CALL_WRITE_PARTS, SYS_writev, fd, (long)parts, (long)count, 0, 0, 0);
}

int64_t stream_write_now(int fd, const struct iovec *parts, size_t count)
{
	return raw(SYS_CALL_WRITE_PARTS, SYS_pwritev2, fd, (long)parts, (long)count, HERE, HERE,
		   RWF_NOWAIT);
}

int64_t stream_read_now(int fd, const struct iovec *parts, size_t count)
{
	return raw(SYS_CALL_READ_PARTS, SYS_preadv2, fd, (long)parts, (long)count, HERE, HERE,
		   RWF_NOWAIT);
}

int64_t stream_pread(int fd, void *buffer, size_t size, uint64_t offset)
{
	return raw(SYS_CALL_PREAD, SYS_pread64, fd, (long)buffer, (long)size, (long)offset, 0, 0);
}

int stream_socket_type(int fd, int *ret_type)
{
	socklen_t size = sizeof(*ret_type);

	return raw(SYS_CALL_SOCKET_OPTION, SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, (long)ret_type,
		   (long)&size, 0);
}

int64_t stream_send(int fd, const struct iovec *parts, size_t count)
{
	struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = count };

	return raw(SYS_CALL_SENDMSG, SYS_sendmsg, fd, (long)&m, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0,
		   0);
}

int64_t stream_receive(int fd, const struct iovec *parts, size_t count)
{
	struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)parts, .msg_iovlen = count };

	return raw(SYS_CALL_RECVMSG, SYS_recvmsg, fd, (long)&m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC, 0,
		   0, 0);
}

int stream_send_packets(int fd, struct mmsghdr *packets, size_t count)
{
	return raw(SYS_CALL_SEND_PACKETS, SYS_sendmmsg, fd, (long)packets, (long)count,
		   MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
}

int64_t stream_packet_size(int fd)
{
	char nothing;

	return raw(SYS_CALL_RECEIVE, SYS_recvfrom, fd, (long)&nothing, 0,
		   MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT, 0, 0);
}

int stream_sync(int fd)
{
	return raw(SYS_CALL_SYNC, SYS_fdatasync, fd, 0, 0, 0, 0, 0);
}

int64_t stream_position(int fd)
{
	return raw(SYS_CALL_SEEK, SYS_lseek, fd, 0, SEEK_CUR, 0, 0, 0);
}

int64_t stream_seek(int fd, uint64_t position)
{
	return raw(SYS_CALL_SEEK, SYS_lseek, fd, (long)position, SEEK_SET, 0, 0, 0);
}

/*
 * Signals. By the kernel's masks of 64 bits: the C library's are longer, and its functions would
 * keep some signals for itself.
 */

#define MASK_OF(signal)	(UINT64_C(1) << ((signal) - 1))
#define RAISED_BY_WRITE	(MASK_OF(SIGPIPE) | MASK_OF(SIGXFSZ))

static int set_mask(int how, const uint64_t *mask, uint64_t *ret_old)
{
	return raw(SYS_CALL_SIGNAL_MASK, SYS_rt_sigprocmask, how, (long)mask, (long)ret_old,
		   sizeof(*mask), 0, 0);
}

void stream_quiet(struct stream_signals *s)
{
	const uint64_t ours = RAISED_BY_WRITE;

	*s = (struct stream_signals){ .pending = 0 };
	s->held = set_mask(SIG_BLOCK, &ours, &s->mask) == 0;
	if (s->held)
		raw(SYS_CALL_SIGNAL_MASK, SYS_rt_sigpending, (long)&s->pending, sizeof(s->pending),
		    0, 0, 0, 0);
}

void stream_loud(struct stream_signals *s, bool raised)
{
	uint64_t ours = RAISED_BY_WRITE & ~s->pending;
	struct timespec now = { 0, 0 };

	if (!s->held)
		return;
	while (raised && ours &&
	       raw(SYS_CALL_SIGNAL_MASK, SYS_rt_sigtimedwait, (long)&ours, 0, (long)&now,
		   sizeof(ours), 0, 0) == -EINTR)
		;
	set_mask(SIG_SETMASK, &s->mask, NULL);
	s->held = false;
}
