/* SPDX-License-Identifier: MIT */
/*
 * The client's part of the hand-shake. What the server says is checked as carefully as the other
 * way round, although its user has been found to be one that we trust.
 *
 * Killed anywhere in here, what has arrived goes with the process; the listener sees it closed.
 */
#include "obj/connect.h"

#include <errno.h>

#include "base/clock.h"
#include "obj/address.h"
#include "obj/handshake.h"
#include "obj/parcel.h"
#include "sys/net.h"
#include "sys/sys.h"

/* Between two attempts at a listener that is busy: first, and at most. */
#define BUSY_FIRST_NS	NS_PER_MS
#define BUSY_MOST_NS	(64 * NS_PER_MS)

static int too_late(int64_t deadline)
{
	return deadline <= 0 ? -EAGAIN : -ETIMEDOUT;
}

static int open_connection(int fd, const struct address *address, uint32_t flags, int64_t deadline)
{
	int result = net_connect(fd, &address->un, address->length);

	/* The listener's queue is full. */
	while (result == -EAGAIN || result == -EINTR) {
		if (result == -EINTR && (flags & WEIR_INTR))
			return -EINTR;
		if (clock_now() >= deadline)
			return too_late(deadline);
		result = net_connect_until(fd, &address->un, address->length, deadline);
	}
	return result;
}

static int check_server(int fd, const struct weir_connect_options *options,
			struct net_peer *ret_peer)
{
	struct peer_list trusted = {
		.anybody = options->flags & WEIR_ANYBODY,
		.uids = options->uids,
		.uid_count = options->uid_count,
	};
	int result = net_peer(fd, ret_peer);

	if (result < 0)
		return result;
	return peer_wanted(&trusted, fd, ret_peer) ? 0 : -EPERM;
}

/* The size of the next message, at least 1. */
static int receive(int fd, void *buffer, size_t size, uint32_t flags, int64_t deadline)
{
	struct pollfd readable = { .fd = fd, .events = POLLIN };
	bool reset = false;

	for (;;) {
		int result = net_receive(fd, buffer, size);

		if (result > 0 || result == -EBADMSG)
			return result;
		/*
		 * The error of a server that closed with something of ours unread comes before what
		 * it had sent.
		 */
		if (result == 0 || (result == -ECONNRESET && reset))
			return -ECONNRESET;
		if (result == -ECONNRESET) {
			reset = true;
			continue;
		}
		if (result != -EAGAIN && result != -EINTR)
			return result;
		if (clock_now() >= deadline)
			return too_late(deadline);
		result = sys_poll(&readable, 1, deadline);
		if (result < 0 && (result != -EINTR || (flags & WEIR_INTR)))
			return result;
	}
}

static int read_answer(int fd, uint32_t flags, int64_t deadline)
{
	struct handshake_welcome answer;
	uint8_t message[HANDSHAKE_MAX];
	int result = receive(fd, message, sizeof(message), flags, deadline);

	if (result < 0)
		return result == -EBADMSG ? -EPROTO : result;
	result = handshake_read_welcome(message, (size_t)result, &answer);
	if (result < 0)
		return -EPROTO;
	result = handshake_error(answer.status);
	/* Not that of a deadline. */
	return result == -EAGAIN ? CONNECT_BUSY : result;
}

static int receive_end(int fd, uint32_t flags, int64_t deadline, struct weir_end **ret_end)
{
	struct handshake_ready ready = handshake_ready();
	struct parcel parcel;
	struct weir_end *end;
	int result = parcel_recv(fd, &parcel, flags, deadline);

	if (result == 0)
		result = parcel_open_end(&parcel, &end);
	if (result == -EPIPE)
		return -ECONNRESET;
	/* What has come is no end of a pipe. */
	if (result == -EBADMSG || result == -EINVAL)
		return -EPROTO;
	if (result < 0)
		return result;
	result = net_send(fd, &ready, sizeof(ready));
	if (result < 0) {
		weir_pipe_close(end);
		return result == -EPIPE ? -ECONNRESET : result;
	}
	*ret_end = end;
	return 0;
}

int connect_shake_hands(int fd, uint64_t capacity, uint32_t flags, int64_t deadline,
			struct weir_end **ret_end)
{
	struct handshake_hello hello = handshake_hello(capacity);
	int result = net_send(fd, &hello, sizeof(hello));

	/* A server that refuses does so without waiting for us to speak, and has closed then. */
	if (result == 0 || result == -EPIPE || result == -ECONNRESET)
		result = read_answer(fd, flags, deadline);
	if (result == 0)
		result = receive_end(fd, flags, deadline, ret_end);
	return result;
}

static int attempt(const struct address *address, const struct weir_connect_options *options,
		   uint32_t flags, int64_t deadline, struct weir_end **ret_end)
{
	struct net_peer server;
	int fd = net_socket(), result;

	if (fd < 0)
		return fd;
	fd = sys_move_high(fd);
	result = open_connection(fd, address, flags, deadline);
	if (result == 0)
		result = check_server(fd, options, &server);
	if (result == 0)
		result = connect_shake_hands(fd, options->capacity, flags, deadline, ret_end);
	if (result == 0 && options->ret_peer)
		*options->ret_peer = peer_describe(fd, &server);
	sys_close(fd);
	return result;
}

static int sleep_until(int64_t deadline, uint32_t flags)
{
	uint32_t nothing = 0;
	int result = sys_futex_wait(&nothing, 0, deadline);

	return result == -EINTR && (flags & WEIR_INTR) ? -EINTR : 0;
}

static int check_options(const struct weir_connect_options *o)
{
	struct peer_list list = { .uids = o->uids, .uid_count = o->uid_count };

	if (o->size != sizeof(*o) || (o->flags & ~WEIR_ANYBODY) || o->reserved != 0 ||
	    !peer_list_valid(&list))
		return -EINVAL;
	return 0;
}

int weir_connect(const char *text, const struct weir_connect_options *options, uint32_t flags,
		 int64_t deadline, struct weir_end **ret_end)
{
	static const struct weir_connect_options defaults = { .size = sizeof(defaults) };
	int64_t pause = BUSY_FIRST_NS;
	struct address address;
	int result;

	if (!options)
		options = &defaults;
	if (!ret_end || (flags & ~WEIR_INTR))
		return -EINVAL;
	result = check_options(options);
	if (result == 0)
		result = address_parse(text, &address);
	if (result < 0)
		return result;
	for (;;) {
		int64_t now;

		result = attempt(&address, options, flags, deadline, ret_end);
		if (result != CONNECT_BUSY)
			return result;
		now = clock_now();
		if (now >= deadline)
			return too_late(deadline);
		/* Some less, so that those who came together do not come again together. */
		result = sleep_until(clock_cap(deadline, now, pause - now % (pause / 2)), flags);
		if (result < 0)
			return result;
		pause = pause * 2 < BUSY_MOST_NS ? pause * 2 : BUSY_MOST_NS;
	}
}
