/* SPDX-License-Identifier: MIT */
/* System calls on sockets, with the descriptors that they carry. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sys/raw.h"
#include "sys/sys.h"

#ifndef SCM_PIDFD
#define SCM_PIDFD 0x04
#endif

static int socket_option(int fd, int option, int *ret_value)
{
	socklen_t size = sizeof(*ret_value);

	return raw(SYS_CALL_SOCKET_OPTION, SYS_getsockopt, fd, SOL_SOCKET, option, (long)ret_value,
		   (long)&size, 0);
}

int sys_unix_type(int fd, int *ret_type)
{
	int domain, result = socket_option(fd, SO_DOMAIN, &domain);

	if (result < 0)
		return result;
	return domain == AF_UNIX ? socket_option(fd, SO_TYPE, ret_type) : -EINVAL;
}

int sys_send_fds(int socket, const void *data, size_t size, const int *fds, size_t count)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(SYS_FDS_MAX * sizeof(int))];
	struct iovec bytes = { .iov_base = (void *)(uintptr_t)data, .iov_len = size };
	struct msghdr m = { .msg_iov = &bytes, .msg_iovlen = 1 };

	if (count > SYS_FDS_MAX)
		return -EINVAL;
	if (count > 0) {
		struct cmsghdr *c = (struct cmsghdr *)(void *)control;

		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(count * sizeof(int));
		memset(control, 0, m.msg_controllen);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(c), fds, count * sizeof(int));
	}
	return raw(SYS_CALL_SENDMSG, SYS_sendmsg, socket, (long)&m, MSG_DONTWAIT | MSG_NOSIGNAL, 0,
		   0, 0);
}

int sys_peek(int socket, void *data, size_t size)
{
	return raw(SYS_CALL_RECVMSG, SYS_recvfrom, socket, (long)data, (long)size,
		   MSG_DONTWAIT | MSG_PEEK, 0, 0);
}

/* Descriptors in one piece of control data. */
static void collect_fds(const struct cmsghdr *c, struct sys_received *r)
{
	size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

	for (size_t i = 0; i < count; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
		/* A socket may have been told to give one of the sender, too. */
		if (c->cmsg_type == SCM_PIDFD || r->count == SYS_FDS_MAX)
			sys_close(fd);
		else
			r->fds[r->count++] = fd;
	}
}

int sys_recv_fds(int socket, void *data, size_t size, struct sys_received *ret_received)
{
	/* Room for what a socket may have been told to add: who sent it, his label, the time. */
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(SYS_FDS_MAX * sizeof(int)) + 512];
	struct iovec bytes = { .iov_base = data, .iov_len = size };
	struct msghdr m = {
		.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	int result = raw(SYS_CALL_RECVMSG, SYS_recvmsg, socket, (long)&m,
			 MSG_DONTWAIT | MSG_CMSG_CLOEXEC, 0, 0, 0);

	ret_received->count = 0;
	if (result < 0)
		return result;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == SOL_SOCKET &&
		    (c->cmsg_type == SCM_RIGHTS || c->cmsg_type == SCM_PIDFD))
			collect_fds(c, ret_received);
	ret_received->cut = m.msg_flags & (MSG_TRUNC | MSG_CTRUNC);
	return result;
}
