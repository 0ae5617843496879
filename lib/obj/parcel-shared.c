/* SPDX-License-Identifier: MIT */
/*
 * What of locks, values and their kind travels: the memory, an eventfd where wait sets may wait
 * for it, and the memory of the lock that belongs to it.
 */
#include "obj/parcel.h"

#include <errno.h>
#include <fcntl.h>

#include "obj/array.h"
#include "obj/lock.h"
#include "obj/rwlock.h"
#include "obj/semaphore.h"
#include "obj/shared.h"
#include "sys/sys.h"

static const struct shared_kind *const kinds[] = {
	[WEIR_KIND_LOCK] = &shared_kind_lock,
	[WEIR_KIND_SEMAPHORE] = &shared_kind_semaphore,
	[WEIR_KIND_RWLOCK] = &shared_kind_rwlock,
	[WEIR_KIND_EVENT] = &shared_kind_event,
	[WEIR_KIND_CONDITION] = &shared_kind_condition,
	[WEIR_KIND_BARRIER] = &shared_kind_barrier,
	[WEIR_KIND_VALUE] = &shared_kind_value,
	[WEIR_KIND_ARRAY] = &shared_kind_array,
};

static const struct shared_kind *kind_of(const struct parcel_note *n)
{
	return n->kind < ARRAY_LENGTH(kinds) ? kinds[n->kind] : NULL;
}

/* The index says whether there is a lock with it. */
static bool note_valid(const struct parcel_note *n)
{
	const struct shared_kind *is = kind_of(n);

	return is && n->flags == 0 && n->index <= 1 &&
	       n->fd_count == shared_fd_count(is, n->index);
}

static void of_shared(const void *handle, struct parcel *ret)
{
	const struct shared *s = handle;

	parcel_begin(ret, s->kind);
	ret->note.index = s->with != NULL;
	ret->note.fd_count = shared_fd_count(s->is, s->with != NULL);
	shared_fds(s, ret->fds);
}

/* Who may only read cannot be a user. */
static int check_writable(int fd)
{
	int flags = sys_get_file_flags(fd);

	if (flags < 0)
		return flags;
	return (flags & O_ACCMODE) == O_RDWR ? 0 : -EINVAL;
}

static int check_shared(const struct parcel *p)
{
	int result = shared_check(kind_of(&p->note), p->fds, p->note.index);

	if (result == 0)
		result = check_writable(p->fds[0]);
	if (result == 0 && p->note.index)
		result = check_writable(p->fds[p->note.fd_count - 1]);
	return result;
}

static int open_shared(struct parcel *p, void *ret_handle)
{
	int result = parcel_check(p);

	if (result == 0) {
		p->fds[0] = sys_move_high(p->fds[0]);
		result = shared_attach(kind_of(&p->note), p->fds, p->note.index, ret_handle);
	}
	parcel_close(p);
	return result;
}

const struct parcel_kind parcel_shared = {
	.note_valid = note_valid,
	.of = of_shared,
	.check = check_shared,
	.open = open_shared,
};
