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
	io->placed = io->regular && (direction == WEIR_PUMP_IN || !(mode & O_APPEND));
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

int pump_open_uring(struct pump_fd *io)
{
	int result = transfer_open(&io->transfer);

	io->uring = result == 0;
	return result;
}

int pump_come_back(struct pump_fd *io)
{
	int64_t result;

	if (!io->astray)
		return 0;
	io->calls++;
	result = stream_seek(io->fd, (uint64_t)io->position);
	if (result < 0)
		return (int)result;
	io->astray = false;
	return 0;
}

int pump_find_position(struct pump_fd *io)
{
	int result = pump_come_back(io);

	if (result == 0)
		io->position = io->uring && io->placed ? stream_position(io->fd) : -1;
	return result;
}

/*
 * An io_uring that has moved a part of what was asked for, and met an error at the rest, as with a
 * disk that is full, says how much, but leaves the file's position where it was: seen on Linux
 * 6.18. What is appended does not need it.
 */
static void keep_position(struct pump_fd *io, const struct iovec *parts, size_t count,
			  int64_t moved)
{
	uint64_t asked = 0;

	if (!io->placed || moved <= 0)
		return;
	for (size_t i = 0; i < count; i++)
		asked += parts[i].iov_len;
	io->position += moved;
	io->astray = (uint64_t)moved < asked;
}

/*
 * By the io_uring: whether that was possible. What it refuses goes by plain calls, and if it is the
 * io_uring itself that fails, all that comes later, too.
 */
static bool by_uring(struct pump_fd *io, enum transfer_what what, const struct iovec *parts,
		     size_t count, int64_t *ret_result)
{
	if (!io->uring || (io->placed && io->position < 0))
		return false;
	if (io->no_nowait && (what == TRANSFER_READ_NOW || what == TRANSFER_WRITE_NOW))
		return false;
	io->calls++;
	if (transfer_do(&io->transfer, what, io->fd, parts, count, ret_result) < 0) {
		io->uring = false;
		return false;
	}
	/* Where a pipe cannot be used without waiting the plain way finds out. */
	if (*ret_result == -EOPNOTSUPP || *ret_result == -EINVAL) {
		/* And moves a file's position. */
		io->position = -1;
		return false;
	}
	keep_position(io, parts, count, *ret_result);
	return true;
}

int64_t pump_write(struct pump_fd *io, struct iovec *parts, size_t count)
{
	static const enum transfer_what what[] = {
		[PUMP_FILE] = TRANSFER_WRITE,
		[PUMP_PIPE] = TRANSFER_WRITE_NOW,
		[PUMP_STREAM] = TRANSFER_SEND,
		[PUMP_PACKET] = TRANSFER_SEND,
	};
	int64_t result = pump_come_back(io);

	if (result < 0)
		return result;
	if (by_uring(io, what[io->kind], parts, count, &result))
		return result;
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
	static const enum transfer_what what[] = {
		[PUMP_FILE] = TRANSFER_READ,
		[PUMP_PIPE] = TRANSFER_READ_NOW,
		[PUMP_STREAM] = TRANSFER_RECEIVE,
		[PUMP_PACKET] = TRANSFER_RECEIVE,
	};
	struct pollfd any = { .fd = io->fd, .events = POLLIN };
	int64_t result = pump_come_back(io);

	if (result < 0)
		return result;
	if (by_uring(io, what[io->kind], parts, count, &result))
		return result;
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
