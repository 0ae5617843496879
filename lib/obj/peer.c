/* SPDX-License-Identifier: MIT */
#include "obj/peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/sys.h"

bool peer_list_valid(const struct peer_list *list)
{
	return list->uid_count <= PEER_LIST_MAX && list->gid_count <= PEER_LIST_MAX &&
	       (list->uids || list->uid_count == 0) && (list->gids || list->gid_count == 0);
}

int peer_list_copy(struct peer_list *list)
{
	uint32_t *copy = malloc((list->uid_count + list->gid_count + 1) * sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	if (list->uid_count > 0)
		memcpy(copy, list->uids, list->uid_count * sizeof(*copy));
	if (list->gid_count > 0)
		memcpy(copy + list->uid_count, list->gids, list->gid_count * sizeof(*copy));
	list->uids = copy;
	list->gids = copy + list->uid_count;
	return 0;
}

static bool is_in(uint32_t id, const uint32_t *ids, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (ids[i] == id)
			return true;
	return false;
}

bool peer_wanted(const struct peer_list *list, int socket, const struct net_peer *peer)
{
	if (list->anybody || peer->uid == 0 || peer->uid == geteuid() ||
	    is_in(peer->uid, list->uids, list->uid_count) ||
	    is_in(peer->gid, list->gids, list->gid_count))
		return true;
	for (size_t i = 0; i < list->gid_count; i++)
		if (net_peer_in_group(socket, list->gids[i]))
			return true;
	return false;
}

struct weir_peer peer_describe(int socket, const struct net_peer *peer)
{
	int pidfd = net_peer_pidfd(socket, peer->pid);

	return (struct weir_peer){
		.pid = peer->pid,
		.uid = peer->uid,
		.gid = peer->gid,
		.pidfd = pidfd < 0 ? -1 : sys_move_high(pidfd),
	};
}
