/* SPDX-License-Identifier: MIT */
#include "sys/net.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/cc.h"
#include "base/clock.h"
#include "sys/raw.h"
#include "sys/sys.h"
#include "weir/base.h"

/* Newer than the headers of the oldest systems that weir is built on. */
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

#define GROUPS_MAX 65536

int net_socket(void)
{
	return raw(SYS_CALL_SOCKET, SYS_socket, AF_UNIX,
		   SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, 0, 0, 0);
}

int net_bind(int fd, const struct sockaddr_un *address, uint32_t length)
{
	return raw(SYS_CALL_BIND, SYS_bind, fd, (long)address, length, 0, 0, 0);
}

int net_listen(int fd, int backlog)
{
	return raw(SYS_CALL_LISTEN, SYS_listen, fd, backlog, 0, 0, 0, 0);
}

int net_accept(int fd)
{
	return raw(SYS_CALL_ACCEPT, SYS_accept4, fd, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK, 0, 0);
}

int net_connect(int fd, const struct sockaddr_un *address, uint32_t length)
{
	return raw(SYS_CALL_CONNECT, SYS_connect, fd, (long)address, length, 0, 0, 0);
}

static int set_flags(int fd, int flags)
{
	return raw(SYS_CALL_SOCKET_OPTION, SYS_fcntl, fd, F_SETFL, flags, 0, 0, 0);
}

static int set_option(int fd, int option, const void *value, uint32_t size)
{
	return raw(SYS_CALL_SOCKET_OPTION, SYS_setsockopt, fd, SOL_SOCKET, option, (long)value,
		   size, 0);
}

static int get_option(int fd, int option, void *value, uint32_t *size)
{
	return raw(SYS_CALL_SOCKET_OPTION, SYS_getsockopt, fd, SOL_SOCKET, option, (long)value,
		   (long)size, 0);
}

int net_connect_until(int fd, const struct sockaddr_un *address, uint32_t length,
		      int64_t deadline)
{
	int64_t left = deadline == WEIR_FOREVER ? 0 : deadline - clock_now();
	struct timeval limit = { left / NS_PER_S, left % NS_PER_S / NS_PER_US };
	int result;

	if (deadline != WEIR_FOREVER && left <= 0)
		return -EAGAIN;
	/* No time at all would be no limit. */
	if (deadline != WEIR_FOREVER && limit.tv_sec == 0 && limit.tv_usec == 0)
		limit.tv_usec = 1;
	result = set_option(fd, SO_SNDTIMEO, &limit, sizeof(limit));
	if (result == 0)
		result = set_flags(fd, 0);
	if (result < 0)
		return result;
	result = net_connect(fd, address, length);
	set_flags(fd, O_NONBLOCK);
	return result;
}

void net_refuse_rights(int fd)
{
	int no = 0;

	/* From Linux 6.16 on; inherited by what is accepted. */
	set_option(fd, SO_PASSRIGHTS, &no, sizeof(no));
}

static int option_is(int fd, int option, int expected)
{
	uint32_t size = sizeof(int);
	int value, result = get_option(fd, option, &value, &size);

	if (result < 0)
		return result;
	return value == expected ? 0 : -EPROTOTYPE;
}

int net_check_listening(int fd)
{
	int result = option_is(fd, SO_DOMAIN, AF_UNIX);

	if (result == 0)
		result = option_is(fd, SO_TYPE, SOCK_SEQPACKET);
	if (result == 0)
		result = option_is(fd, SO_ACCEPTCONN, 1);
	return result;
}

int net_set_nonblocking(int fd)
{
	int flags = raw(SYS_CALL_SOCKET_OPTION, SYS_fcntl, fd, F_GETFL, 0, 0, 0, 0);
	int result = flags < 0 ? flags : set_flags(fd, flags | O_NONBLOCK);

	if (result == 0)
		result = raw(SYS_CALL_SOCKET_OPTION, SYS_fcntl, fd, F_SETFD, FD_CLOEXEC, 0, 0, 0);
	return result;
}

int net_send(int fd, const void *data, size_t size)
{
	int result = raw(SYS_CALL_SEND, SYS_sendto, fd, (long)data, (long)size,
			 MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);

	return result < 0 ? result : 0;
}

int net_receive(int fd, void *buffer, size_t size)
{
	struct iovec into = { buffer, size };
	/* Without room for control data the kernel closes descriptors and installs none. */
	struct msghdr message = { .msg_iov = &into, .msg_iovlen = 1 };
	int result = raw(SYS_CALL_RECEIVE, SYS_recvmsg, fd, (long)&message,
			 MSG_DONTWAIT | MSG_CMSG_CLOEXEC, 0, 0, 0);

	if (result >= 0 && (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return -EBADMSG;
	return result;
}

int net_unread(int fd)
{
	int bytes = 0;
	int result = raw(SYS_CALL_SOCKET_OPTION, SYS_ioctl, fd, SIOCOUTQ, (long)&bytes, 0, 0, 0);

	return result < 0 ? result : bytes;
}

void net_shutdown(int fd)
{
	raw(SYS_CALL_SOCKET_OPTION, SYS_shutdown, fd, SHUT_RDWR, 0, 0, 0, 0);
}

int net_peer(int fd, struct net_peer *ret_peer)
{
	struct ucred peer;
	uint32_t size = sizeof(peer);
	int result = get_option(fd, SO_PEERCRED, &peer, &size);

	if (result < 0)
		return result;
	*ret_peer = (struct net_peer){ peer.pid, peer.uid, peer.gid };
	return 0;
}

bool net_peer_in_group(int fd, uint32_t group)
{
	uint32_t few[32], *groups = few, *many = NULL, size = sizeof(few);
	int result = get_option(fd, SO_PEERGROUPS, groups, &size);
	bool found = false;

	if (result == -ERANGE && size <= GROUPS_MAX * sizeof(*groups)) {
		groups = many = malloc(size);
		result = many ? get_option(fd, SO_PEERGROUPS, groups, &size) : -ENOMEM;
	}
	for (uint32_t i = 0; result == 0 && i < size / sizeof(*groups); i++)
		found |= groups[i] == group;
	free(many);
	return found;
}

int net_peer_pidfd(int fd, int32_t pid)
{
	uint32_t size = sizeof(int);
	int pidfd = -1, result;

	/* From Linux 6.5 on: of the very process that connected. */
	result = get_option(fd, SO_PEERPIDFD, &pidfd, &size);
	if (result == 0)
		return pidfd;
	if (result != -ENOPROTOOPT || pid <= 0)
		return -1;
	/* Before, the number may by now be another process's. */
	result = sys_pidfd(pid);
	return result < 0 ? -1 : result;
}

int net_mode(int fd, uint32_t mode)
{
	return raw(SYS_CALL_CHMOD, SYS_fchmod, fd, mode, 0, 0, 0, 0);
}

int net_open_folder(const char *path)
{
	return raw(SYS_CALL_OPEN, SYS_openat, AT_FDCWD, (long)path,
		   O_PATH | O_DIRECTORY | O_CLOEXEC, 0, 0, 0);
}

int net_open_lock(int folder, const char *name)
{
	int flags = O_RDONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

	return raw(SYS_CALL_OPEN, SYS_openat, folder, (long)name, flags, 0600, 0, 0);
}

int net_lock(int fd)
{
	return raw(SYS_CALL_LOCK, SYS_flock, fd, LOCK_EX | LOCK_NB, 0, 0, 0, 0);
}

int net_pin(int folder, const char *name)
{
	return raw(SYS_CALL_OPEN, SYS_openat, folder, (long)name, O_PATH | O_NOFOLLOW | O_CLOEXEC,
		   0, 0, 0);
}

int net_stat(int folder, const char *name, struct stat *ret_stat)
{
	return raw(SYS_CALL_STAT, SYS_newfstatat, folder, (long)name, (long)ret_stat,
		   AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, 0, 0);
}

int net_chmod_pinned(int pin, uint32_t mode)
{
	int result = raw(SYS_CALL_CHMOD, SYS_fchmodat2, pin, (long)"", mode, AT_EMPTY_PATH, 0, 0);
	char path[40];

	/* From Linux 6.6 on. Filters that do not know a call may refuse it with EPERM. */
	if (result != -ENOSYS && result != -EPERM)
		return result;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", pin);
	return raw(SYS_CALL_CHMOD, SYS_fchmodat, AT_FDCWD, (long)path, mode, 0, 0, 0);
}

int net_unlink(int folder, const char *name)
{
	return raw(SYS_CALL_UNLINK, SYS_unlinkat, folder, (long)name, 0, 0, 0, 0);
}

int net_timer(void)
{
	return raw(SYS_CALL_TIMER, SYS_timerfd_create, CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK,
		   0, 0, 0, 0);
}

int net_timer_set(int timer, int64_t deadline)
{
	struct itimerspec at = { { 0, 0 }, { 0, 0 } };

	/* All zeroes disarm. */
	if (deadline != WEIR_FOREVER)
		at.it_value = (struct timespec){ deadline / NS_PER_S, deadline % NS_PER_S };
	return raw(SYS_CALL_TIMER, SYS_timerfd_settime, timer, TFD_TIMER_ABSTIME, (long)&at, 0, 0,
		   0);
}

static int control(int epoll, int operation, int fd, uint32_t events, uint64_t id)
{
	struct epoll_event event = { .events = events, .data.u64 = id };

	return raw(SYS_CALL_EPOLL_ADD, SYS_epoll_ctl, epoll, operation, fd, (long)&event, 0, 0);
}

int net_watch(int epoll, int fd, uint32_t events, uint64_t id)
{
	return control(epoll, EPOLL_CTL_ADD, fd, events, id);
}

int net_watch_change(int epoll, int fd, uint32_t events, uint64_t id)
{
	return control(epoll, EPOLL_CTL_MOD, fd, events, id);
}

void net_unwatch(int epoll, int fd)
{
	control(epoll, EPOLL_CTL_DEL, fd, 0, 0);
}

int net_next(int epoll, uint64_t *ret_id)
{
	struct epoll_event event;
	int result = raw(SYS_CALL_EPOLL_WAIT, SYS_epoll_pwait, epoll, (long)&event, 1, 0, 0, 0);

	if (result == 1)
		*ret_id = event.data.u64;
	return result;
}
