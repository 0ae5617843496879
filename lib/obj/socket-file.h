/* SPDX-License-Identifier: MIT */
/*
 * The file that a listener's socket is bound to, and the lock file beside it.
 *
 * A socket file outlives its socket. Whether one that is there is stale cannot be told without a
 * race by looking at it, so whoever wants to bind to PATH first locks PATH.lock, and only who has
 * that lock may remove a socket that refuses connections. The lock is the open file's (flock): a
 * forked child has it too, as it has the socket, and the kernel frees it with the last of them.
 *
 * Nothing but a socket is ever removed, and at the end only the very one that was made here: it is
 * held open, so that its inode is nobody else's. Killed anywhere, what is left is a stale socket
 * and a lock file that nobody holds, which the next one takes over.
 */
#ifndef WEIR_OBJ_SOCKET_FILE_H
#define WEIR_OBJ_SOCKET_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "obj/address.h"

struct socket_file {
	int folder;		/* -1: there is no file, and the rest is not valid */
	int lock;
	int pin;		/* the socket's file, held and not opened */
	bool bound;
	char name[ADDRESS_MAX + 1];		/* in folder */
	char lock_name[ADDRESS_MAX + 1 + 8];
};

#define SOCKET_FILE_NONE	((struct socket_file){ .folder = -1, .lock = -1, .pin = -1 })

/*
 * Before bind(2): have the lock and nothing in the way. -EADDRINUSE: somebody listens there, or is
 * about to; -EEXIST: there is something that is no socket; -EINVAL: that can be no file.
 */
int socket_file_prepare(struct socket_file *file, const struct address *address);

/* After bind(2): remember which one it is, and give it @mode whatever the umask has taken. */
int socket_file_bound(struct socket_file *file, uint32_t mode);

/* Remove it if @owner says that it is this process's to remove, and let go. */
void socket_file_close(struct socket_file *file, bool owner);

#endif
