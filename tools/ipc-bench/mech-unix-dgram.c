/* SPDX-License-Identifier: MIT */
/* A message larger than the send buffer is refused with EMSGSIZE, never cut. */
#include <sys/socket.h>

#include "crowd.h"
#include "fd.h"
#include "unix.h"

static int dgram_create(struct link *link, char why[MECH_WHY])
{
	return unix_create(link, SOCK_DGRAM, why);
}

static int dgram_make(struct link *link)
{
	return unix_make(link, SOCK_DGRAM);
}

const struct mech mech_unix_dgram = {
	.name = "unix-dgram",
	.summary = "socketpair(2) of SOCK_DGRAM",
	.capabilities = MECH_DUPLEX | MECH_POLL | MECH_BOUNDARIES | MECH_MANY | MECH_COPIES2 |
			MECH_SYSCALLS,
	.make = dgram_make,
	.pass = fd_pass,
	.accept = fd_accept,
	.held = unix_held,
	.create = dgram_create,
	.try_send = fd_packet_try,
	.crowd = &crowd_fds,
	.loops = &fd_packet_loops,
};
