/* SPDX-License-Identifier: MIT */
/*
 * Hand-shakes: what a listener hears from clients, and a client from a server. Whatever is said, in
 * whatever order, nobody is left among the guests and no descriptor open, and whoever is accepted
 * has an end that works. The first byte says which side, the others are what happens; see below.
 */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cc.h"
#include "obj/address.h"
#include "obj/connect.h"
#include "obj/handshake.h"
#include "obj/listener.h"
#include "obj/parcel.h"
#include "sys/net.h"
#include "sys/sys.h"
#include "weir.h"

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

#define CLIENTS 3

static struct weir_listener *listener;
static struct address address;
static struct weir_end *ends[2];

static void open_once(void)
{
	const struct weir_pipe_options pipe = { .size = sizeof(pipe), .capacity = 4096 };
	const struct weir_listen_options options = { .size = sizeof(options), .pipe = &pipe,
						     .pending = 8 };
	char name[64];
	int yes = 1;

	if (listener)
		return;
	snprintf(name, sizeof(name), "@weir-fuzz-%d", getpid());
	fuzz_check(weir_listen(&listener, name, &options) == 0);
	fuzz_check(address_parse(name, &address) == 0);
	fuzz_check(weir_pipe(ends, &pipe) == 0);
	/* Descriptors are to get as far as the listener. */
	setsockopt(listener->socket, SOL_SOCKET, SO_PASSRIGHTS, &yes, sizeof(yes));
}

static int count_fds(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int count = 0;

	fuzz_check(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

/* What is left of the input. */
struct input {
	const uint8_t *data;
	size_t size;
};

static uint8_t next(struct input *in)
{
	if (in->size == 0)
		return 0;
	in->size--;
	return *in->data++;
}

/* Up to @room bytes, as many as the next one says. */
static size_t next_bytes(struct input *in, uint8_t *to, size_t room)
{
	size_t size = next(in);

	size = size < in->size ? size : in->size;
	size = size < room ? size : room;
	memcpy(to, in->data, size);
	in->data += size;
	in->size -= size;
	return size;
}

/* A message of either side, changed by the input; and longer, or shorter, by it. */
static size_t next_message(struct input *in, const void *good, size_t size, uint8_t *to,
			   size_t room)
{
	uint8_t changes[HANDSHAKE_MAX];
	size_t count = next_bytes(in, changes, sizeof(changes)), longest = size;

	memset(to, 0, room);
	memcpy(to, good, size);
	for (size_t i = 0; i < count; i++)
		to[i] ^= changes[i];
	if (count > longest)
		longest = count;
	return count == 1 ? changes[0] % (size + 1) : longest;
}

/*
 * The listener's side
 */

static int clients[CLIENTS];

static void drain(int fd)
{
	static struct sys_received received;
	char buffer[64];

	for (int i = 0; i < 4 && fd >= 0; i++) {
		if (sys_recv_fds(fd, buffer, sizeof(buffer), &received) <= 0)
			break;
		for (size_t f = 0; f < received.count; f++)
			sys_close(received.fds[f]);
	}
}

static void step(void)
{
	struct weir_end *end;

	for (int i = 0; i < 100; i++) {
		int result = weir_accept(listener, 0, 0, &end, NULL);

		fuzz_check(result == 0 || result == -EAGAIN);
		if (result < 0)
			continue;
		weir_pipe_send(end, "x", 1, 0, 0);
		weir_pipe_close(end);
	}
}

static void time_passes(void)
{
	for (uint32_t i = 0; i < listener->guests_max; i++)
		if (listener->guests[i].state != GUEST_FREE &&
		    listener->guests[i].deadline != WEIR_FOREVER)
			listener->guests[i].deadline = 1;
	listener->due = 1;
}

static void connect_client(int *fd)
{
	sys_close(*fd);
	*fd = net_socket();
	fuzz_check(*fd >= 0);
	if (net_connect(*fd, &address.un, address.length) == 0)
		return;
	sys_close(*fd);
	*fd = -1;
}

/* One thing that client @fd does, or that happens. */
static void act(uint8_t what, int *fd, struct input *in)
{
	struct handshake_hello hello = handshake_hello(4096);
	struct handshake_ready ready = handshake_ready();
	uint8_t message[512];
	int fds[SYS_FDS_MAX] = { 0 };
	size_t size;

	switch (what % 9) {
	case 0:
		connect_client(fd);
		break;
	case 1:
		size = next_message(in, &hello, sizeof(hello), message, sizeof(message));
		net_send(*fd, message, size);
		break;
	case 2:
		drain(*fd);
		break;
	case 3:
		size = next_message(in, &ready, sizeof(ready), message, sizeof(message));
		net_send(*fd, message, size);
		break;
	case 4:
		step();
		break;
	case 5:
		sys_close(*fd);
		*fd = -1;
		break;
	case 6:
		time_passes();
		break;
	case 7:
		size = next_bytes(in, message, sizeof(message));
		sys_send_fds(*fd, message, size, fds, next(in) % (SYS_FDS_MAX + 1));
		break;
	case 8:
		net_shutdown(*fd);
		break;
	}
}

static void try_listener(struct input *in)
{
	int before = count_fds();

	for (int i = 0; i < CLIENTS; i++)
		clients[i] = -1;
	while (in->size > 0) {
		uint8_t what = next(in);

		act(what, &clients[what / 9 % CLIENTS], in);
	}
	for (int i = 0; i < CLIENTS; i++)
		sys_close(clients[i]);
	step();
	for (uint32_t i = 0; i < listener->guests_max; i++)
		fuzz_check(listener->guests[i].state == GUEST_FREE);
	fuzz_check(count_fds() == before);
}

/*
 * The client's side
 */

/* One thing that the server says. */
static void say(uint8_t what, int fd, struct input *in)
{
	struct handshake_welcome welcome = handshake_welcome(WELCOME_OK);
	struct parcel parcel;
	uint8_t message[512];
	size_t size;

	switch (what % 4) {
	case 0:
		size = next_message(in, &welcome, sizeof(welcome), message, sizeof(message));
		net_send(fd, message, size);
		break;
	case 1:
		parcel_of_end(ends[1], &parcel);
		size = next_message(in, &parcel.note, sizeof(parcel.note), message,
				    sizeof(message));
		/* All of its descriptors, or fewer. */
		sys_send_fds(fd, message, size, parcel.fds,
			     parcel.note.fd_count - what / 4 % (parcel.note.fd_count + 1));
		break;
	case 2:
		size = next_bytes(in, message, sizeof(message));
		net_send(fd, message, size);
		break;
	case 3:
		net_shutdown(fd);
		break;
	}
}

static void try_client(struct input *in)
{
	int before = count_fds(), fds[2], result;
	struct weir_end *end = NULL;

	fuzz_check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0);
	while (in->size > 0)
		say(next(in), fds[1], in);
	result = connect_shake_hands(fds[0], 0, 0, 0, &end);
	if (result == 0) {
		weir_pipe_send(end, "x", 1, 0, 0);
		weir_pipe_close(end);
	} else {
		fuzz_check(!end);
		fuzz_check(result == -EAGAIN || result == -EPROTO || result == -EACCES ||
			   result == -ECONNRESET || result == CONNECT_BUSY);
	}
	close(fds[0]);
	close(fds[1]);
	fuzz_check(count_fds() == before);
}

/* What the inputs before have sent would fill the ring. */
static void empty_pipe(void)
{
	char byte;

	while (weir_pipe_recv(ends[0], &byte, 1, 0, 0, NULL) == 0)
		;
}

void fuzz_one(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	open_once();
	if (next(&in) % 2 == 0) {
		try_listener(&in);
	} else {
		try_client(&in);
		empty_pipe();
	}
}
