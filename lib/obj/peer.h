/* SPDX-License-Identifier: MIT */
/* Who is on the other side of a socket, and whether that is somebody we want. */
#ifndef WEIR_OBJ_PEER_H
#define WEIR_OBJ_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys/net.h"
#include "weir/listener.h"

#define PEER_LIST_MAX 65536

/* Who is wanted besides our own user and root. */
struct peer_list {
	bool anybody;
	const uint32_t *uids;
	size_t uid_count;
	const uint32_t *gids;
	size_t gid_count;
};

/* Whether the counts go with the pointers. */
bool peer_list_valid(const struct peer_list *list);

/* The lists copied, in one piece of memory at @list->uids. -ENOMEM. */
int peer_list_copy(struct peer_list *list);

/* @socket is asked for supplementary groups, if they matter. */
bool peer_wanted(const struct peer_list *list, int socket, const struct net_peer *peer);

/* For the caller of a public function: with a pidfd, which becomes his. */
struct weir_peer peer_describe(int socket, const struct net_peer *peer);

#endif
