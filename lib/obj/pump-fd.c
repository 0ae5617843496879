/* SPDX-License-Identifier: MIT */
/*
 * The descriptor of a pump: which calls it takes, and waiting for it.
 *
 * A socket can be used without waiting whatever mode it is in, so its deadline is kept. A pipe can
 * since Linux 6.4; before that, one that is in blocking mode is written in pieces of which the
 * kernel promises that they do not wait once poll(2) has said so. A file never waits, for anything
 * but its medium. A terminal or another device in blocking mode waits as long as it likes.
 */
#include <fcntl.h>
#include <limits.h>

#include "base/clock.h"
#include "obj/pump.h"
#include "sys/sys.h"

static int open_socket(struct pump_fd *io)
{
	int type, result = stream_socket_type(io->fd, &type);

	if (result < 0)
		return result;
	switch (type) {
	case SOCK_STREAM:
		io->kind = PUMP_STREAM;
		return 0;
	case SOCK_SEQPACKET:
	case SOCK_DGRAM:
		io->kind = PUMP_PACKET;
		io->datagrams = type == SOCK_DGRAM;
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

int pump_open(struct pump_fd *io, int fd, uint32_t direction)
{
	int access = direction == WEIR_PUMP_OUT ? O_WRONLY : O_RDONLY;
	int mode = sys_get_file_flags(fd), result;
	struct stat file;

	if (mode < 0)
		return mode;
	if ((mode & O_PATH) || ((mode & O_ACCMODE) != O_RDWR && (mode & O_ACCMODE) != access))
		return -EBADF;
	result = sys_stat(fd, &file);
	if (result < 0)
		return result;
	*io = (struct pump_fd){ .fd = fd, .kind = PUMP_FILE };
	if (S_ISSOCK(file.st_mode))
		return open_socket(io);
	if (S_ISDIR(file.st_mode))
		return -EOPNOTSUPP;
	if (S_ISFIFO(file.st_mode))
		io->kind = PUMP_PIPE;
	io->regular = S_ISREG(file.st_mode) || S_ISBLK(file.st_mode);
	return 0;
}

/* The first of @parts, as much as a pipe takes without waiting when it takes anything. */
static int64_t write_piece(struct pump_fd *io, struct iovec *parts, size_t count)
{
	struct pollfd room = { .fd = io->fd, .events = POLLOUT };
	size_t whole = 0, n = 0;
	int result;

	io->calls++;
	result = sys_poll(&room, 1, 0);
	if (result <= 0)
		return result < 0 ? result : -EAGAIN;
	while (n < count && whole + parts[n].iov_len <= PIPE_BUF)
		whole += parts[n++].iov_len;
	if (n == 0) {
		struct iovec piece = { parts[0].iov_base, PIPE_BUF };

		return stream_write(io->fd, &piece, 1);
	}
	return stream_write(io->fd, parts, n);
}

int64_t pump_write(struct pump_fd *io, struct iovec *parts, size_t count)
{
	int64_t result;

	io->calls++;
	if (io->kind == PUMP_STREAM)
		return stream_send(io->fd, parts, count);
	if (io->kind == PUMP_FILE)
		return stream_write(io->fd, parts, count);
	if (!io->no_nowait) {
		result = stream_write_now(io->fd, parts, count);
		if (result != -EOPNOTSUPP && result != -ENOSYS)
			return result;
		io->no_nowait = true;
		io->calls++;
	}
	return write_piece(io, parts, count);
}

int64_t pump_read(struct pump_fd *io, struct iovec *parts, size_t count)
{
	struct pollfd any = { .fd = io->fd, .events = POLLIN };
	int64_t result;

	io->calls++;
	if (io->kind == PUMP_STREAM || io->kind == PUMP_PACKET)
		return stream_receive(io->fd, parts, count);
	if (io->kind == PUMP_FILE)
		return stream_read(io->fd, parts, count);
	if (!io->no_nowait) {
		result = stream_read_now(io->fd, parts, count);
		if (result != -EOPNOTSUPP && result != -ENOSYS)
			return result;
		io->no_nowait = true;
		io->calls++;
	}
	io->calls++;
	result = sys_poll(&any, 1, 0);
	if (result <= 0)
		return result < 0 ? result : -EAGAIN;
	return stream_read(io->fd, parts, count);
}

int pump_send(struct pump_fd *io, struct mmsghdr *packets, size_t count)
{
	io->calls++;
	return stream_send_packets(io->fd, packets, count);
}

int pump_wait(struct pump_fd *io, uint32_t direction, uint32_t flags, int64_t deadline)
{
	struct pollfd wanted = {
		.fd = io->fd,
		.events = direction == WEIR_PUMP_OUT ? POLLOUT : POLLIN,
	};

	for (;;) {
		int result = pump_late(deadline);

		if (result < 0)
			return result;
		io->calls++;
		result = sys_poll(&wanted, 1, deadline);
		if (result > 0)
			return 0;
		if (result < 0 && (result != -EINTR || (flags & WEIR_INTR)))
			return result;
	}
}

int pump_late(int64_t deadline)
{
	if (deadline == WEIR_FOREVER)
		return 0;
	if (deadline <= 0)
		return -EAGAIN;
	return clock_now() >= deadline ? -ETIMEDOUT : 0;
}
