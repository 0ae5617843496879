/* SPDX-License-Identifier: MIT */
/*
 * Bytes in and out of files, pipes and sockets of any kind, in parts. As sys.h: a count or a
 * negative errno, errno is not written, and sys_fault is asked before each call.
 *
 * What can be waited for is not waited for here, where the kernel lets us say so: -EAGAIN. Signals
 * that come of writing are the caller's to keep away, see stream_quiet().
 */
#ifndef WEIR_SYS_STREAM_H
#define WEIR_SYS_STREAM_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* readv(2), writev(2); of a pipe or a device they may wait. */
int64_t stream_read(int fd, const struct iovec *parts, size_t count);
int64_t stream_write(int fd, const struct iovec *parts, size_t count);
/* Never wait; -EOPNOTSUPP where the kernel cannot promise that (Linux before 6.4 or so). */
int64_t stream_read_now(int fd, const struct iovec *parts, size_t count);
int64_t stream_write_now(int fd, const struct iovec *parts, size_t count);
int64_t stream_pread(int fd, void *buffer, size_t size, uint64_t offset);

/* SOCK_STREAM and so on. */
int stream_socket_type(int fd, int *ret_type);
/* Of any socket, without waiting. Sending raises no SIGPIPE. */
int64_t stream_send(int fd, const struct iovec *parts, size_t count);
int64_t stream_receive(int fd, const struct iovec *parts, size_t count);
/* Packets, each with its parts: how many were sent. */
int stream_send_packets(int fd, struct mmsghdr *packets, size_t count);
/* The size of the next packet, which stays there. */
int64_t stream_packet_size(int fd);

int stream_sync(int fd);
/* Where a file is read and written next; -ESPIPE. */
int64_t stream_position(int fd);
int64_t stream_seek(int fd, uint64_t position);

/*
 * Keep SIGPIPE and SIGXFSZ of this thread back from here to stream_loud(), which drops those that
 * came since.
 */
struct stream_signals {
	uint64_t mask;		/* of the thread, before */
	uint64_t pending;	/* before */
	bool held;
};

void stream_quiet(struct stream_signals *s);
/* @raised: a write has returned -EPIPE or -EFBIG. */
void stream_loud(struct stream_signals *s, bool raised);

#endif
