/* SPDX-License-Identifier: MIT */
/* A message larger than the send buffer is refused with EMSGSIZE, never cut. */
#include <sys/socket.h>

#include "crowd.h"
#include "fd.h"
#include "unix.h"

static int seqpacket_create(struct link *link, char why[MECH_WHY])
{
	return unix_create(link, SOCK_SEQPACKET, why);
}

static int seqpacket_make(struct link *link)
{
	return unix_make(link, SOCK_SEQPACKET);
}

const struct mech mech_unix_seqpacket = {
	.name = "unix-seqpacket",
	.summary = "socketpair(2) of SOCK_SEQPACKET",
	.capabilities = MECH_DUPLEX | MECH_POLL | MECH_BOUNDARIES | MECH_MANY | MECH_COPIES2 |
			MECH_SYSCALLS,
	.make = seqpacket_make,
	.pass = fd_pass,
	.accept = fd_accept,
	.held = unix_held,
	.create = seqpacket_create,
	.try_send = fd_packet_try,
	.crowd = &crowd_fds,
	.loops = &fd_packet_loops,
};
