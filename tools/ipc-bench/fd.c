/* SPDX-License-Identifier: MIT */
#include "fd.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
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

/* Room for one descriptor beside a message of one byte. */
struct parcel {
	struct msghdr header;
	struct iovec part;
	char byte;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
};

static void parcel_init(struct parcel *p)
{
	memset(p, 0, sizeof(*p));
	p->part = (struct iovec){ &p->byte, 1 };
	p->header.msg_iov = &p->part;
	p->header.msg_iovlen = 1;
	p->header.msg_control = p->control;
	p->header.msg_controllen = sizeof(p->control);
}

int fd_pass(struct link *link, int side, int socket)
{
	struct cmsghdr *rights;
	struct parcel p;

	parcel_init(&p);
	rights = CMSG_FIRSTHDR(&p.header);
	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(rights), &link->port[side].out, sizeof(int));
	while (sendmsg(socket, &p.header, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int fd_accept(struct link *link, int side, int socket)
{
	struct cmsghdr *rights;
	struct parcel p;
	ssize_t n;

	parcel_init(&p);
	while ((n = recvmsg(socket, &p.header, MSG_CMSG_CLOEXEC)) < 0)
		if (errno != EINTR)
			return -errno;
	if (n == 0)
		return -EPIPE;
	rights = CMSG_FIRSTHDR(&p.header);
	if (!rights || rights->cmsg_len != CMSG_LEN(sizeof(int)))
		return -EPROTO;
	memcpy(&link->port[side].out, CMSG_DATA(rights), sizeof(int));
	return 0;
}

/*
 * Up to PIPE_BUF bytes are written at once or not at all, and a read takes what is there under the
 * same lock: as long as all are of one size, several on each side get whole messages.
 */
bool fd_pipe_can(const struct setup *setup, char why[MECH_WHY])
{
	if (setup->many && setup->size > PIPE_BUF)
		snprintf(why, MECH_WHY, "several writers keep at most %d bytes together", PIPE_BUF);
	else if (setup->capacity > UINT64_C(1) << 30)
		snprintf(why, MECH_WHY, "it holds at most 1 GiB");
	else
		return true;
	return false;
}

uint64_t fd_pipe_held(const struct link *link)
{
	int bytes = 0;

	if (link->port[1].in < 0 || ioctl(link->port[1].in, FIONREAD, &bytes) < 0)
		return 0;
	return ((uint64_t)bytes + 4095) / 4096 * 4096;
}
