/* SPDX-License-Identifier: MIT */
/* The plain calls, and epoll(7). */
#include "crowd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "waitmany.h"
#include "worker.h"

#define EVENTS 256	/* of one epoll_wait(); fewer would cost calls when more are ready */

static const struct loops *loops_of(const struct worker *w)
{
	return mechs[w->control->task.mechanism]->loops;
}

int crowd_put_open(struct worker *w, char why[MECH_WHY])
{
	(void)w;
	(void)why;
	return 0;
}

int crowd_put(struct worker *w, uint32_t object, const void *message)
{
	return loops_of(w)->put(&w->link[object].port[0], message);
}

int crowd_put_flush(struct worker *w)
{
	(void)w;
	return 0;
}

int crowd_epoll_open(struct worker *w, char why[MECH_WHY])
{
	struct epoll_event event = { .events = EPOLLIN };

	w->waiter = epoll_create1(EPOLL_CLOEXEC);
	if (w->waiter < 0)
		return mech_fail(why, "epoll_create1", errno);
	for (uint32_t i = 0; i < w->control->task.setup.objects; i++) {
		event.data.u32 = i;
		if (epoll_ctl(w->waiter, EPOLL_CTL_ADD, w->link[i].port[1].in, &event) < 0)
			return mech_fail(why, "epoll_ctl", errno);
	}
	return 0;
}

/* Up to a batch of messages with one read(2). */
static int read_many(struct worker *w, struct port *port)
{
	ssize_t n = read(port->in, w->in, port->size * port->batch);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	return n == 0 ? -EPIPE : waitmany_bytes(w, port, w->in, (size_t)n);
}

static int read_one(struct worker *w, struct port *port)
{
	int r = loops_of(w)->get(port, w->in);

	if (r == 0)
		waitmany_take(w, w->in);
	return r;
}

int crowd_epoll_wait(struct worker *w)
{
	struct epoll_event events[EVENTS];
	int n, r = 0;

	do
		n = epoll_wait(w->waiter, events, EVENTS, -1);
	while (n < 0 && errno == EINTR);
	for (int i = 0; i < n && r == 0; i++) {
		struct port *port = &w->link[events[i].data.u32].port[1];

		r = port->batch > 1 ? read_many(w, port) : read_one(w, port);
	}
	return n < 0 ? -errno : r;
}

const struct crowd_way *crowd_way(const struct mech *mech, enum engine engine)
{
	return mech->crowd ? mech->crowd->way[engine] : NULL;
}

static const struct crowd_way plain = {
	.out_open = crowd_put_open,
	.out_send = crowd_put,
	.out_flush = crowd_put_flush,
};

static const struct crowd_way descriptors = {
	.out_open = crowd_put_open,
	.out_send = crowd_put,
	.out_flush = crowd_put_flush,
	.in_open = crowd_epoll_open,
	.in_wait = crowd_epoll_wait,
};

const struct crowd crowd_plain = { { [ENGINE_EPOLL] = &plain } };
const struct crowd crowd_epoll = { { [ENGINE_EPOLL] = &descriptors } };
const struct crowd crowd_fds = { { [ENGINE_EPOLL] = &descriptors, [ENGINE_URING] = &crowd_uring } };
