/* SPDX-License-Identifier: MIT */
/*
 * Sockets of AF_UNIX that keep messages apart, the files they are bound to, and what it takes to
 * wait for many of them. As sys.h: a non-negative value or a negative errno, errno is not written,
 * and sys_fault is asked before each call. No call here sleeps, but for sys_connect_until().
 */
#ifndef WEIR_SYS_NET_H
#define WEIR_SYS_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/un.h>

/* Credentials of the other side, as the kernel knows them. */
struct net_peer {
	int32_t pid;
	uint32_t uid;
	uint32_t gid;
};

/* A SOCK_SEQPACKET socket; CLOEXEC, O_NONBLOCK, and so is what it accepts. */
int net_socket(void);
int net_bind(int fd, const struct sockaddr_un *address, uint32_t length);
int net_listen(int fd, int backlog);
int net_accept(int fd);
/* -EAGAIN: the other side's queue of connections is full. That cannot be polled for. */
int net_connect(int fd, const struct sockaddr_un *address, uint32_t length);
/* The same, and wait for room until @deadline, which is not 0: then -EAGAIN. Or -EINTR. */
int net_connect_until(int fd, const struct sockaddr_un *address, uint32_t length,
		      int64_t deadline);
/* What the other side sends in the way of descriptors is refused, where the kernel can do that. */
void net_refuse_rights(int fd);
/* 0 if @fd is a listening socket of the kind that net_socket() makes. */
int net_check_listening(int fd);
int net_set_nonblocking(int fd);

/* One message, whole or not at all. */
int net_send(int fd, const void *data, size_t size);
/*
 * One message; its size, 0 at the end. -EBADMSG: it was longer than @size, or came with
 * descriptors, which the kernel has closed; they have never been ours.
 */
int net_receive(int fd, void *buffer, size_t size);
/* Bytes, as the kernel counts them, that the other side has not received yet. */
int net_unread(int fd);
/* Nothing more in either direction, also for copies of @fd in forked children. */
void net_shutdown(int fd);

int net_peer(int fd, struct net_peer *ret_peer);
/* Whether the other side was in @group, as a supplementary group, when it connected. */
bool net_peer_in_group(int fd, uint32_t group);
/* A pidfd of the other side; -1 if it cannot be had. */
int net_peer_pidfd(int fd, int32_t pid);

/* Mode of the file that a socket will have once it is bound, less the umask. */
int net_mode(int fd, uint32_t mode);
int net_open_folder(const char *path);
/* The file @name for a lock, made if it is not there; not through a symbolic link. */
int net_open_lock(int folder, const char *name);
/* Lock @fd for whoever has it or inherits it; -EAGAIN: it is locked. */
int net_lock(int fd);
/* Hold the file @name, whatever it is, without opening it. */
int net_pin(int folder, const char *name);
/* Of @name in @folder, not of what it links to; of @folder itself if @name is empty. */
int net_stat(int folder, const char *name, struct stat *ret_stat);
/* Change the mode of what is pinned. */
int net_chmod_pinned(int pin, uint32_t mode);
int net_unlink(int folder, const char *name);

/* A descriptor that is readable from a point in time on. */
int net_timer(void);
/* At @deadline of CLOCK_MONOTONIC, WEIR_FOREVER for never. */
int net_timer_set(int timer, int64_t deadline);

/* Watch @fd for @events, known as @id. */
int net_watch(int epoll, int fd, uint32_t events, uint64_t id);
int net_watch_change(int epoll, int fd, uint32_t events, uint64_t id);
void net_unwatch(int epoll, int fd);
/* The next that something has happened to: 1, or 0 if there is none. */
int net_next(int epoll, uint64_t *ret_id);

#endif
