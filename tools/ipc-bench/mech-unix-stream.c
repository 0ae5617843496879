/* SPDX-License-Identifier: MIT */
/* Bytes without boundaries: a message is read until it is complete. */
#include <sys/socket.h>

#include "crowd.h"
#include "fd.h"
#include "unix.h"

static int stream_create(struct link *link, char why[MECH_WHY])
{
	return unix_create(link, SOCK_STREAM, why);
}

static int stream_make(struct link *link)
{
	return unix_make(link, SOCK_STREAM);
}

const struct mech mech_unix_stream = {
	.name = "unix-stream",
	.summary = "socketpair(2) of SOCK_STREAM",
	.capabilities = MECH_DUPLEX | MECH_POLL | MECH_ANY_SIZE | MECH_BYTES | MECH_COPIES2 |
			MECH_SYSCALLS,
	.make = stream_make,
	.pass = fd_pass,
	.accept = fd_accept,
	.held = unix_held,
	.create = stream_create,
	.try_send = fd_bytes_try,
	.crowd = &crowd_fds,
	.loops = &fd_bytes_loops,
};
