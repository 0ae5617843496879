/* SPDX-License-Identifier: MIT */
/*
 * What the tests of listeners have in common: a folder for sockets, names that nobody else has, and
 * clients that say what they please.
 *
 * Nothing here asserts, so children may use all of it.
 */
#ifndef WEIR_TESTS_LISTENER_TOOLS_H
#define WEIR_TESTS_LISTENER_TOOLS_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "obj/address.h"
#include "obj/handshake.h"
#include "obj/listener.h"
#include "pipe-tools.h"

#define FOLDER_ROOM	64
#define PATH_ROOM	256

/* A new folder, in which @format, ... makes paths; removed with all in it by folder_remove(). */
struct folder {
	char path[FOLDER_ROOM];
};

static inline struct folder folder_make(void)
{
	struct folder f;

	snprintf(f.path, sizeof(f.path), "/tmp/weir-test-XX" "XXXX");
	if (!mkdtemp(f.path))
		f.path[0] = 0;
	return f;
}

/* In one of a few buffers that are used in turn. */
static inline const char *path_in(const struct folder *f, const char *name)
{
	static char paths[8][PATH_ROOM];
	static unsigned int next;
	char *path = paths[next++ % 8];

	snprintf(path, PATH_ROOM, "%s/%s", f->path, name);
	return path;
}

static inline int folder_count(const struct folder *f)
{
	DIR *dir = opendir(f->path);
	int count = -2;

	if (!dir)
		return -1;
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static inline void folder_remove(const struct folder *f)
{
	DIR *dir = opendir(f->path);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			if (unlinkat(dirfd(dir), entry->d_name, 0) < 0)
				unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
	closedir(dir);
	rmdir(f->path);
}

/* An abstract address that no other test has. */
static inline const char *abstract_name(void)
{
	static char name[64];
	static unsigned int count;

	snprintf(name, sizeof(name), "@weir-test-%d-%u", getpid(), count++);
	return name;
}

/*
 * Clients by hand
 */

static inline int raw_socket(void)
{
	return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* A connected socket that does not block, or a negative errno. */
static inline int raw_connect(const char *text)
{
	struct address address;
	int fd, result = address_parse(text, &address);

	if (result < 0)
		return result;
	fd = raw_socket();
	if (fd < 0)
		return -errno;
	if (connect(fd, (void *)&address.un, address.length) < 0) {
		result = -errno;
		close(fd);
		return result;
	}
	return fd;
}

static inline int raw_send(int fd, const void *data, size_t size)
{
	return send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

static inline int raw_hello(int fd, uint64_t capacity)
{
	struct handshake_hello hello = handshake_hello(capacity);

	return raw_send(fd, &hello, sizeof(hello));
}

static inline int raw_ready(int fd)
{
	struct handshake_ready ready = handshake_ready();

	return raw_send(fd, &ready, sizeof(ready));
}

/* Receive a message with all descriptors that come with it, and close those; its size. */
static inline int raw_recv(int fd, void *buffer, size_t size)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(253 * sizeof(int))];
	struct iovec into = { buffer, size };
	struct msghdr m = { .msg_iov = &into, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	int result = (int)recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (result < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		int received;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < count; i++) {
			memcpy(&received, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			close(received);
		}
	}
	return result;
}

/* The status of a WELCOME that is there; -errno, or -EPROTO for anything else. */
static inline int raw_status(int fd)
{
	struct handshake_welcome welcome;
	char buffer[HANDSHAKE_MAX];
	int result = raw_recv(fd, buffer, sizeof(buffer));

	/* What the listener has not read makes an error that comes before its answer. */
	if (result == -ECONNRESET)
		result = raw_recv(fd, buffer, sizeof(buffer));
	if (result < 0)
		return result;
	if (result == 0)
		return -ECONNRESET;
	return handshake_read_welcome(buffer, (size_t)result, &welcome) < 0 ?
		       -EPROTO : (int)welcome.status;
}

/* Receive WELCOME and all of the parcel, without opening it. 0 if there was one. */
static inline int raw_welcome(int fd)
{
	char parcel[65536];
	int result = raw_status(fd), count = 0;

	if (result != WELCOME_OK)
		return result < 0 ? result : -EACCES;
	/* The listener may be about to send the rest. */
	poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 1000);
	while (raw_recv(fd, parcel, sizeof(parcel)) > 0)
		count++;
	return count > 0 ? 0 : -ENOMSG;
}

/* Whether the other side has closed, all of what it sent being received or not. */
static inline bool raw_closed(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLRDHUP | POLLHUP));
}

static inline bool fd_readable(int fd)
{
	return poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 0) == 1;
}

/* weir_accept() with a deadline of 0, until it has nothing to do any more. */
static inline int accept_now(struct weir_listener *l, struct weir_end **ret_end)
{
	int result;

	do
		result = weir_accept(l, 0, 0, ret_end, NULL);
	while (result == -EAGAIN && fd_readable(weir_listener_fd(l)));
	return result;
}

static inline uint32_t guests_in(const struct weir_listener *l, enum guest_state state)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < l->guests_max; i++)
		count += l->guests[i].state == state;
	return count;
}

/* A client that knows the rules: connect, send a number, receive it plus one. 0 or an error. */
static inline int client_asks(const char *address, uint64_t number, int64_t deadline)
{
	struct weir_end *end;
	int64_t answer;
	int result = weir_connect(address, NULL, 0, deadline, &end);

	if (result < 0)
		return result;
	result = send_number(end, number, deadline);
	answer = result < 0 ? result : recv_number(end, deadline);
	weir_pipe_close(end);
	if (answer < 0)
		return (int)answer;
	return answer == (int64_t)number + 1 ? 0 : -EPROTO;
}

/* The other side of client_asks(). */
static inline int answer_one(struct weir_end *end, int64_t deadline)
{
	int64_t number = recv_number(end, deadline);

	return number < 0 ? (int)number : send_number(end, (uint64_t)number + 1, deadline);
}

#endif
