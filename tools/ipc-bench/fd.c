/* SPDX-License-Identifier: MIT */
#include "fd.h"

#include <fcntl.h>
#include <unistd.h>

void fd_way(struct link *link, int from, const int way[2])
{
	link->port[from].out = way[1];
	link->port[!from].in = way[0];
}

static int set_nonblocking(int fd)
{
	int flags;

	if (fd < 0)
		return 0;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

int fd_mode(struct link *link, char why[MECH_WHY])
{
	int r = 0;

	if (!fd_nonblocking(link->setup.wait))
		return 0;
	for (int side = 0; side < 2 && r == 0; side++) {
		r = set_nonblocking(link->port[side].in);
		if (r == 0)
			r = set_nonblocking(link->port[side].out);
	}
	return r < 0 ? mech_fail(why, "O_NONBLOCK", r) : 0;
}
