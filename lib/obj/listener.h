/* SPDX-License-Identifier: MIT */
/*
 * The inside of a listener.
 *
 * Whoever has connected and is not accepted yet is a guest, and has a place in a table of fixed
 * length; nothing is allocated on a client's behalf before it is known who it is, and then what a
 * pipe takes. One epoll descriptor watches the socket, the guests, the timer of their deadlines and
 * a bell; it is what weir_listener_fd() gives out. Nothing is done but by weir_accept(), one step
 * at a time, and no step waits.
 *
 *	FREE -> SILENT		connected, and is one whom we want
 *	SILENT -> WELCOME	has said HELLO; our end is in the table, its end in the socket
 *	WELCOME -> FREE		has said READY: accepted
 *	any -> FREE		has closed, said something else, or was too slow
 *	WELCOME -> DEBTOR	the same, but has left its end in the socket: until it closes
 *
 * Descriptors in a socket count against our user's limit until they are received or the client
 * closes; a listener cannot take them back. So a debtor keeps its place, and its user's quota.
 */
#ifndef WEIR_OBJ_LISTENER_H
#define WEIR_OBJ_LISTENER_H

#include <stdbool.h>

#include "obj/peer.h"
#include "obj/socket-file.h"
#include "obj/watched.h"
#include "wait/turn.h"
#include "weir/listener.h"

enum guest_state {
	GUEST_FREE,
	GUEST_SILENT,
	GUEST_WELCOME,
	GUEST_DEBTOR
};

struct guest {
	enum guest_state state;
	int socket;
	struct net_peer peer;
	int64_t deadline;	/* CLOCK_MONOTONIC; WEIR_FOREVER of a debtor */
	struct weir_end *end;	/* ours; of GUEST_WELCOME */
};

/* What the epoll descriptor calls those that are no guests. */
#define WATCH_SOCKET	UINT64_MAX
#define WATCH_TIMER	(UINT64_MAX - 1)
#define WATCH_BELL	(UINT64_MAX - 2)

/* What fork wipes. */
struct listener_private {
	struct turn turn;
	bool ours;		/* this is the process that made it */
};

struct weir_listener {
	struct listener_private *private;
	int socket;
	int epoll;
	int timer;
	int bell;		/* eventfd: threads inside weir_accept() are to look around */
	struct socket_file file;
	struct peer_list wanted;
	uint32_t shut;
	uint32_t guests_max;
	uint32_t guests_per_uid;
	int64_t patience;
	uint64_t capacity_max;
	struct weir_pipe_options pipe;
	int64_t due;		/* the earliest deadline of all; the timer is set to it */
	int64_t paused_until;	/* no new guests until then; 0: not paused */
	struct guest *guests;
	struct watched watched;
};

/* Forget a guest and close what is ours of it. */
void listener_drop(struct weir_listener *listener, struct guest *guest);

#endif
