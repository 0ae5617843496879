/* SPDX-License-Identifier: MIT */
/*
 * Guests: what happens to a client from connecting to being accepted. listener.h has the states.
 *
 * Killed anywhere in here, all of it goes with the process, and clients see their sockets closed.
 */
#include "obj/listener.h"

#include <errno.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "obj/handshake.h"
#include "obj/parcel.h"
#include "sys/net.h"
#include "sys/sys.h"

/* How long new clients are left in the queue when we are short of something. */
#define PAUSE_NS	(20 * NS_PER_MS)
/* Steps of a call whose deadline has passed: clients may come faster than they can be served. */
#define STEPS_MAX	16

/* ---- deadlines ---- */

/* The timer is for those who poll the descriptor; weir_accept() looks at the clock itself. */
static void set_due(struct weir_listener *l, int64_t due)
{
	l->due = due;
	net_timer_set(l->timer, due);
}

static void expect(struct weir_listener *l, int64_t deadline)
{
	if (deadline < l->due)
		set_due(l, deadline);
}

/* Look at no new clients for a while: they wait in the queue, and nobody is woken for them. */
static void pause_socket(struct weir_listener *l)
{
	if (l->paused_until != 0 || net_watch_change(l->epoll, l->socket, 0, WATCH_SOCKET) < 0)
		return;
	l->paused_until = clock_now() + PAUSE_NS;
	expect(l, l->paused_until);
}

static void resume_socket(struct weir_listener *l, int64_t now)
{
	if (l->paused_until == 0 || now < l->paused_until)
		return;
	l->paused_until = 0;
	if (net_watch_change(l->epoll, l->socket, EPOLLIN, WATCH_SOCKET) < 0)
		l->paused_until = now + PAUSE_NS;
}

/* ---- leaving ---- */

void listener_drop(struct weir_listener *l, struct guest *g)
{
	if (g->state == GUEST_FREE)
		return;
	/* A forked child may hold a copy, which would keep it watched, and the client waiting. */
	net_unwatch(l->epoll, g->socket);
	net_shutdown(g->socket);
	sys_close(g->socket);
	weir_pipe_close(g->end);
	*g = (struct guest){ .state = GUEST_FREE };
}

/* @g has not kept to the rules, or to the time. */
static void throw_out(struct weir_listener *l, struct guest *g)
{
	if (g->state != GUEST_WELCOME || net_unread(g->socket) <= 0) {
		listener_drop(l, g);
		return;
	}
	/* That it closes is reported unasked. */
	if (net_watch_change(l->epoll, g->socket, 0, (uint64_t)(g - l->guests)) < 0) {
		listener_drop(l, g);
		return;
	}
	weir_pipe_close(g->end);
	g->end = NULL;
	g->state = GUEST_DEBTOR;
	g->deadline = WEIR_FOREVER;
}

static void expire(struct weir_listener *l, int64_t now)
{
	int64_t due = WEIR_FOREVER;

	resume_socket(l, now);
	if (l->paused_until != 0)
		due = l->paused_until;
	for (uint32_t i = 0; i < l->guests_max; i++) {
		struct guest *g = &l->guests[i];

		if (g->state == GUEST_FREE)
			continue;
		if (now >= g->deadline)
			throw_out(l, g);
		if (g->state != GUEST_FREE && g->deadline < due)
			due = g->deadline;
	}
	set_due(l, due);
}

/* An answer for one who is not to be a guest, or no longer. */
static void refuse(int socket, enum welcome_status status)
{
	struct handshake_welcome answer = handshake_welcome(status);
	uint8_t unread[HANDSHAKE_MAX];

	/* Closing with something unread would be an error for the client, before our answer. */
	net_receive(socket, unread, sizeof(unread));
	net_send(socket, &answer, sizeof(answer));
}

/* ---- coming in ---- */

/*
 * A place for a client of @uid; NULL: there is none for it. Nobody gets more than the half of what
 * the others have left, so that a few users cannot keep out all others.
 */
static struct guest *find_place(struct weir_listener *l, uint32_t uid)
{
	struct guest *place = NULL;
	uint32_t same = 0, free_places = 0;

	for (uint32_t i = 0; i < l->guests_max; i++) {
		struct guest *g = &l->guests[i];

		if (g->state == GUEST_FREE) {
			free_places++;
			place = g;
		} else if (g->peer.uid == uid) {
			same++;
		}
	}
	return same < l->guests_per_uid && same < free_places ? place : NULL;
}

static uint64_t granted(const struct weir_listener *l, uint64_t wanted)
{
	if (wanted == 0)
		return l->pipe.capacity;
	return wanted < l->capacity_max ? wanted : l->capacity_max;
}

/* Whether it is our trouble and not the client's. */
static bool is_shortage(int result)
{
	switch (result) {
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM:
	case -ENOBUFS:
	case -ENOSPC:
	case -ETOOMANYREFS:
		return true;
	default:
		return false;
	}
}

static int send_end(int socket, const struct weir_end *end)
{
	struct handshake_welcome answer = handshake_welcome(WELCOME_OK);
	struct parcel parcel;
	int result = net_send(socket, &answer, sizeof(answer));

	parcel_of_end(end, &parcel);
	if (result == 0)
		result = parcel_send(socket, &parcel, 0, 0);
	return result;
}

/* @g has said what it wants: make the pipe, and send it its end. */
static int welcome(struct weir_listener *l, struct guest *g, const struct handshake_hello *hello)
{
	struct weir_pipe_options options = l->pipe;
	struct weir_end *ends[2];
	int result;

	options.capacity = granted(l, hello->capacity);
	result = weir_pipe(ends, &options);
	if (result < 0) {
		refuse(g->socket, WELCOME_BUSY);
		listener_drop(l, g);
		pause_socket(l);
		return result;
	}
	g->end = ends[0];
	g->state = GUEST_WELCOME;
	result = send_end(g->socket, ends[1]);
	weir_pipe_close(ends[1]);
	if (result < 0)
		listener_drop(l, g);
	if (!is_shortage(result))
		return 0;
	pause_socket(l);
	return result;
}

static int hear_hello(struct weir_listener *l, struct guest *g)
{
	uint8_t message[HANDSHAKE_MAX];
	struct handshake_hello hello;
	int result = net_receive(g->socket, message, sizeof(message));

	if (result == -EAGAIN || result == -EINTR)
		return 0;
	if (result >= 0)
		result = handshake_read_hello(message, (size_t)result, &hello);
	if (result == 0)
		return welcome(l, g, &hello);
	if (result == -EPROTO)
		refuse(g->socket, WELCOME_VERSION);
	throw_out(l, g);
	return 0;
}

/* 1 if it has its end, and has said so. */
static int hear_ready(struct weir_listener *l, struct guest *g)
{
	uint8_t message[HANDSHAKE_MAX];
	int result = net_receive(g->socket, message, sizeof(message));

	if (result == -EAGAIN || result == -EINTR)
		return 0;
	if (result >= 0)
		result = handshake_read_ready(message, (size_t)result);
	/* Who says it before it has received is lying. */
	if (result == 0 && net_unread(g->socket) == 0)
		return 1;
	throw_out(l, g);
	return 0;
}

/* Something has happened to @g. 1: it can be accepted; 0, or a shortage. */
static int hear(struct weir_listener *l, struct guest *g)
{
	switch (g->state) {
	case GUEST_SILENT:
		return hear_hello(l, g);
	case GUEST_WELCOME:
		return hear_ready(l, g);
	case GUEST_DEBTOR:
		listener_drop(l, g);
		return 0;
	default:
		return 0;
	}
}

static int let_in(struct weir_listener *l, int socket, const struct net_peer *peer)
{
	struct guest *g = find_place(l, peer->uid);
	int result;

	if (!g) {
		refuse(socket, WELCOME_BUSY);
		sys_close(socket);
		return 0;
	}
	result = net_watch(l->epoll, socket, EPOLLIN | EPOLLRDHUP, (uint64_t)(g - l->guests));
	if (result < 0) {
		refuse(socket, WELCOME_BUSY);
		sys_close(socket);
		pause_socket(l);
		return result;
	}
	*g = (struct guest){
		.state = GUEST_SILENT,
		.socket = socket,
		.peer = *peer,
		.deadline = clock_cap(WEIR_FOREVER, clock_now(), l->patience),
	};
	expect(l, g->deadline);
	/* It has most likely spoken already. */
	return hear_hello(l, g);
}

/* Somebody is at the door. */
static int answer_door(struct weir_listener *l)
{
	struct net_peer peer;
	int socket = net_accept(l->socket);

	if (socket < 0) {
		if (socket == -EAGAIN || socket == -EINTR || socket == -ECONNABORTED)
			return 0;
		/* It stays in the queue, and would be reported again at once. */
		pause_socket(l);
		return socket;
	}
	socket = sys_move_high(socket);
	if (net_peer(socket, &peer) == 0 && peer_wanted(&l->wanted, socket, &peer))
		return let_in(l, socket, &peer);
	refuse(socket, WELCOME_DENIED);
	sys_close(socket);
	return 0;
}

/* ---- weir_accept ---- */

static bool is_shut(const struct weir_listener *l)
{
	/* relaxed: nothing else is read because of it */
	return load_relaxed(&l->shut) != 0 || turn_closing(&l->private->turn);
}

/* The next step, if there is one: 1 and a guest to accept; 0; -EAGAIN: there is none; an error. */
static int take_step(struct weir_listener *l, struct guest **ret_guest)
{
	uint64_t id;
	int result = net_next(l->epoll, &id);

	if (result <= 0)
		return result == 0 || result == -EINTR ? -EAGAIN : result;
	if (id == WATCH_SOCKET)
		return answer_door(l);
	if (id == WATCH_TIMER || id == WATCH_BELL) {
		sys_event_clear(id == WATCH_TIMER ? l->timer : l->bell);
		/* That it is shut down is shown for ever. */
		if (is_shut(l))
			sys_event_set(l->bell);
		return 0;
	}
	*ret_guest = &l->guests[id];
	return hear(l, *ret_guest);
}

static int wait_for_step(struct weir_listener *l, uint32_t flags, int64_t deadline)
{
	struct pollfd fd = { .fd = l->epoll, .events = POLLIN };
	int result = sys_poll(&fd, 1, deadline < l->due ? deadline : l->due);

	if (result == -EINTR)
		return flags & WEIR_INTR ? -EINTR : 0;
	return result < 0 ? result : 0;
}

static int serve(struct weir_listener *l, uint32_t flags, int64_t deadline,
		 struct guest **ret_guest)
{
	for (uint32_t steps = 0;; steps++) {
		int64_t now = clock_now();
		int result;

		if (is_shut(l))
			return -ESHUTDOWN;
		if (now >= l->due)
			expire(l, now);
		result = take_step(l, ret_guest);
		if (result != 0 && result != -EAGAIN)
			return result;
		if (now >= deadline && (result == -EAGAIN || steps >= STEPS_MAX))
			return deadline <= 0 ? -EAGAIN : -ETIMEDOUT;
		if (result == -EAGAIN)
			result = wait_for_step(l, flags, deadline);
		if (result < 0)
			return result;
	}
}

static int accept_one(struct weir_listener *l, uint32_t flags, int64_t deadline,
		      struct weir_end **ret_end, struct weir_peer *ret_peer)
{
	struct guest *g;
	int result = serve(l, flags, deadline, &g);

	if (result < 0)
		return result;
	if (ret_peer)
		*ret_peer = peer_describe(g->socket, &g->peer);
	*ret_end = g->end;
	g->end = NULL;
	listener_drop(l, g);
	return 0;
}

int weir_accept(struct weir_listener *l, uint32_t flags, int64_t deadline,
		struct weir_end **ret_end, struct weir_peer *ret_peer)
{
	bool locked;
	int result;

	if (!l || !ret_end || (flags & ~WEIR_INTR))
		return -EINVAL;
	if (!l->private->ours)
		return -EBUSY;
	result = turn_take(&l->private->turn, flags, deadline, &locked);
	if (result < 0)
		return result;
	result = accept_one(l, flags, deadline, ret_end, ret_peer);
	turn_give(&l->private->turn, locked);
	return result;
}
