/* SPDX-License-Identifier: MIT */
#include "obj/socket-file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sys/net.h"
#include "sys/sys.h"

#define LOCK_TRIES 16

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static int open_folder(struct socket_file *file, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char folder[ADDRESS_MAX + 1];
	int fd;

	if (*name == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -EINVAL;
	if (!slash)
		strcpy(folder, ".");
	else
		snprintf(folder, sizeof(folder), "%.*s", slash == path ? 1 : (int)(slash - path),
			 path);
	fd = net_open_folder(folder);
	if (fd < 0)
		return fd;
	file->folder = sys_move_high(fd);
	snprintf(file->name, sizeof(file->name), "%s", name);
	snprintf(file->lock_name, sizeof(file->lock_name), "%s.lock", name);
	return 0;
}

/* 1: it was removed meanwhile, by the one who had the lock. */
static int lock_once(struct socket_file *file)
{
	struct stat ours, there;
	int result = net_open_lock(file->folder, file->lock_name);

	if (result < 0)
		return result;
	file->lock = sys_move_high(result);
	result = net_stat(file->lock, "", &ours);
	if (result == 0 && !S_ISREG(ours.st_mode))
		result = -EEXIST;
	if (result == 0) {
		result = net_lock(file->lock);
		if (result == -EAGAIN)
			return -EADDRINUSE;
	}
	if (result == 0)
		result = net_stat(file->folder, file->lock_name, &there);
	if (result == -ENOENT || (result == 0 && !same_file(&ours, &there))) {
		sys_close(file->lock);
		file->lock = -1;
		return 1;
	}
	return result;
}

static int take_lock(struct socket_file *file)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		int result = lock_once(file);

		if (result <= 0)
			return result;
	}
	return -EADDRINUSE;
}

/* Whether nobody has the socket any more: 0; -EADDRINUSE. */
static int probe(const struct address *address)
{
	int fd = net_socket(), result;

	if (fd < 0)
		return fd;
	result = net_connect(fd, &address->un, address->length);
	sys_close(fd);
	switch (result) {
	case -ECONNREFUSED:
	case -ENOENT:
		return 0;
	case 0:
	case -EAGAIN:
	case -EACCES:
	case -EPERM:
	case -EPROTOTYPE:
		return -EADDRINUSE;
	default:
		return result;
	}
}

static int remove_stale(struct socket_file *file, const struct address *address)
{
	struct stat there;
	int result = net_stat(file->folder, file->name, &there);

	if (result == -ENOENT)
		return 0;
	if (result == 0)
		result = S_ISSOCK(there.st_mode) ? probe(address) : -EEXIST;
	if (result == 0)
		result = net_unlink(file->folder, file->name);
	return result == -ENOENT ? 0 : result;
}

int socket_file_prepare(struct socket_file *file, const struct address *address)
{
	int result = open_folder(file, address->un.sun_path);

	if (result == 0)
		result = take_lock(file);
	/* The lock file of somebody else is not to be removed. */
	if (result < 0) {
		socket_file_close(file, false);
		return result;
	}
	result = remove_stale(file, address);
	if (result < 0)
		socket_file_close(file, true);
	return result;
}

int socket_file_bound(struct socket_file *file, uint32_t mode)
{
	struct stat ours;
	int result;

	file->bound = true;
	result = net_pin(file->folder, file->name);
	if (result < 0)
		return result;
	file->pin = sys_move_high(result);
	result = net_stat(file->pin, "", &ours);
	if (result < 0)
		return result;
	if (!S_ISSOCK(ours.st_mode))
		return -EEXIST;
	/* The umask only takes away; what it has left cannot be too much meanwhile. */
	return (ours.st_mode & 0777) == mode ? 0 : net_chmod_pinned(file->pin, mode);
}

static bool is_ours(const struct socket_file *file)
{
	struct stat ours, there;

	if (!file->bound || net_stat(file->folder, file->name, &there) < 0 ||
	    !S_ISSOCK(there.st_mode))
		return false;
	/* Not pinned: just bound, and under our lock. */
	return file->pin < 0 ||
	       (net_stat(file->pin, "", &ours) == 0 && same_file(&ours, &there));
}

void socket_file_close(struct socket_file *file, bool owner)
{
	if (owner && is_ours(file))
		net_unlink(file->folder, file->name);
	/* Under the lock: who opens it just now looks again once he has the lock. */
	if (owner && file->lock >= 0)
		net_unlink(file->folder, file->lock_name);
	sys_close(file->pin);
	sys_close(file->lock);
	sys_close(file->folder);
	*file = SOCKET_FILE_NONE;
}
