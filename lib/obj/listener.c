/* SPDX-License-Identifier: MIT */
/* Listeners: making them, what concerns a whole one, closing. listener.h says how they work. */
#include "obj/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "obj/pipe.h"
#include "sys/net.h"
#include "sys/sys.h"

#define MODE_DEFAULT	0600
#define BACKLOG_DEFAULT	128
#define GUESTS_DEFAULT	64
#define GUESTS_MAX	4096
#define PER_UID_DEFAULT	16
#define PATIENCE_DEFAULT NS_PER_S

/* ---- options ---- */

static int check_options(const struct weir_listen_options *o)
{
	struct peer_list list = { false, o->uids, o->uid_count, o->gids, o->gid_count };

	if (o->size != sizeof(*o) || (o->flags & ~WEIR_ANYBODY) || (o->mode & ~0777U) ||
	    o->reserved != 0 || o->backlog > INT32_MAX || o->pending > GUESTS_MAX ||
	    o->patience < 0 || o->capacity_max > SEGMENT_CAPACITY_MAX || !peer_list_valid(&list))
		return -EINVAL;
	return o->pipe ? pipe_check_options(o->pipe) : 0;
}

static void apply_options(struct weir_listener *l, const struct weir_listen_options *o)
{
	l->wanted = (struct peer_list){
		.anybody = o->flags & WEIR_ANYBODY,
		.uids = o->uids,
		.uid_count = o->uid_count,
		.gids = o->gids,
		.gid_count = o->gid_count,
	};
	l->guests_max = o->pending ? o->pending : GUESTS_DEFAULT;
	l->guests_per_uid = o->pending_per_uid ? o->pending_per_uid : PER_UID_DEFAULT;
	l->patience = o->patience ? o->patience : PATIENCE_DEFAULT;
	l->pipe = o->pipe ? *o->pipe : (struct weir_pipe_options){ .size = sizeof(l->pipe) };
	if (l->pipe.capacity == 0)
		l->pipe.capacity = WEIR_PIPE_CAPACITY;
	l->capacity_max = o->capacity_max ? o->capacity_max : l->pipe.capacity;
}

/* ---- making ---- */

static void listener_free(struct weir_listener *l)
{
	sys_close(l->socket);
	sys_close(l->epoll);
	sys_close(l->timer);
	sys_close(l->bell);
	if (l->private)
		sys_unmap(l->private, sizeof(*l->private));
	free((void *)l->wanted.uids);
	free(l->guests);
	free(l);
}

/* All but the socket. */
static int open_rest(struct weir_listener *l)
{
	void *private;
	int result = sys_map_wiped(sizeof(*l->private), &private);

	if (result < 0)
		return result;
	l->private = private;
	l->private->ours = true;
	result = sys_have_high(sys_epoll(), &l->epoll);
	if (result == 0)
		result = sys_have_high(net_timer(), &l->timer);
	if (result == 0)
		result = sys_have_high(sys_eventfd(), &l->bell);
	if (result == 0)
		result = net_watch(l->epoll, l->timer, EPOLLIN, WATCH_TIMER);
	if (result == 0)
		result = net_watch(l->epoll, l->bell, EPOLLIN, WATCH_BELL);
	return result;
}

static int create(const struct weir_listen_options *options, struct weir_listener **ret_listener)
{
	static const struct weir_listen_options defaults = { .size = sizeof(defaults) };
	struct weir_listener *l;
	int result;

	if (!options)
		options = &defaults;
	result = check_options(options);
	if (result < 0)
		return result;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->socket = l->epoll = l->timer = l->bell = -1;
	l->file = SOCKET_FILE_NONE;
	l->due = WEIR_FOREVER;
	apply_options(l, options);
	result = peer_list_copy(&l->wanted);
	if (result < 0) {
		free(l);
		return result;
	}
	l->guests = calloc(l->guests_max, sizeof(*l->guests));
	result = l->guests ? open_rest(l) : -ENOMEM;
	if (result < 0) {
		listener_free(l);
		return result;
	}
	*ret_listener = l;
	return 0;
}

static int bind_socket(struct weir_listener *l, const struct address *address, uint32_t mode)
{
	int result = 0;

	/* In this order the file never has a mode that is too wide, whatever the umask. */
	if (!address->abstract)
		result = net_mode(l->socket, mode);
	if (result == 0)
		result = net_bind(l->socket, &address->un, address->length);
	if (result == 0 && !address->abstract)
		result = socket_file_bound(&l->file, mode);
	return result;
}

static int open_socket(struct weir_listener *l, const struct address *address,
		       const struct weir_listen_options *options)
{
	uint32_t mode = options && options->mode ? options->mode : MODE_DEFAULT;
	uint32_t backlog = options && options->backlog ? options->backlog : BACKLOG_DEFAULT;
	int result = sys_have_high(net_socket(), &l->socket);

	if (result == 0 && !address->abstract)
		result = socket_file_prepare(&l->file, address);
	if (result == 0)
		result = bind_socket(l, address, mode);
	if (result < 0)
		return result;
	net_refuse_rights(l->socket);
	result = net_listen(l->socket, (int)backlog);
	if (result == 0)
		result = net_watch(l->epoll, l->socket, EPOLLIN, WATCH_SOCKET);
	return result;
}

int weir_listen(struct weir_listener **ret_listener, const char *text,
		const struct weir_listen_options *options)
{
	struct weir_listener *l;
	struct address address;
	int result;

	if (!ret_listener)
		return -EINVAL;
	result = address_parse(text, &address);
	if (result == 0)
		result = create(options, &l);
	if (result < 0)
		return result;
	result = open_socket(l, &address, options);
	if (result < 0) {
		weir_listener_close(l);
		return result;
	}
	*ret_listener = l;
	return 0;
}

int weir_listen_adopt(struct weir_listener **ret_listener, int fd,
		      const struct weir_listen_options *options)
{
	struct weir_listener *l;
	int result;

	if (!ret_listener)
		return -EINVAL;
	result = net_check_listening(fd);
	if (result == 0)
		result = create(options, &l);
	if (result < 0)
		return result;
	result = net_set_nonblocking(fd);
	if (result == 0)
		result = net_watch(l->epoll, fd, EPOLLIN, WATCH_SOCKET);
	if (result < 0) {
		listener_free(l);
		return result;
	}
	net_refuse_rights(fd);
	l->socket = fd;
	*ret_listener = l;
	return 0;
}

/* ---- what concerns a whole listener ---- */

int weir_listener_fd(struct weir_listener *l)
{
	if (!l)
		return -EINVAL;
	return l->private->ours ? l->epoll : -EBUSY;
}

int weir_listener_shutdown(struct weir_listener *l)
{
	if (!l)
		return -EINVAL;
	if (!l->private->ours)
		return -EBUSY;
	turn_visit(&l->private->turn);
	/* relaxed: the bell, which is rung after it, makes them look */
	store_relaxed(&l->shut, 1);
	sys_event_set(l->bell);
	turn_leave(&l->private->turn);
	return 0;
}

/* ---- closing ---- */

static void nudge(void *arg)
{
	struct weir_listener *l = arg;

	sys_event_set(l->bell);
}

/* A forked child has copies of all that is open, and of the table as it was then. */
static void close_copies(struct weir_listener *l)
{
	for (uint32_t i = 0; i < l->guests_max; i++) {
		if (l->guests[i].state == GUEST_FREE)
			continue;
		sys_close(l->guests[i].socket);
		weir_pipe_close(l->guests[i].end);
	}
}

void weir_listener_close(struct weir_listener *l)
{
	if (!l)
		return;
	watched_end(&l->watched);
	if (l->private->ours) {
		turn_close(&l->private->turn, nudge, l);
		for (uint32_t i = 0; i < l->guests_max; i++)
			listener_drop(l, &l->guests[i]);
	} else {
		close_copies(l);
	}
	socket_file_close(&l->file, l->private->ours);
	listener_free(l);
}
