/* SPDX-License-Identifier: MIT */
/*
 * What of a queue travels: its memory and its levels, the descriptors for those who poll. All else
 * about it is in its memory, and its options are checked when it is opened as if they were a
 * caller's.
 */
#include "obj/parcel.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "obj/queue.h"
#include "sys/sys.h"

#define MEMFD		0
#define LEVELS		1
#define FD_COUNT	(LEVELS + QUEUE_SIDES)

static bool note_valid(const struct parcel_note *n)
{
	return n->flags == 0 && n->index == 0 && n->fd_count == FD_COUNT;
}

static void of_queue(const void *handle, struct parcel *ret)
{
	const struct weir_queue *q = handle;

	parcel_begin(ret, WEIR_KIND_QUEUE);
	ret->note.fd_count = FD_COUNT;
	ret->fds[MEMFD] = q->store.fd;
	memcpy(&ret->fds[LEVELS], q->levels, sizeof(q->levels));
}

static int check_queue(const struct parcel *p)
{
	struct store store;
	int result = 0;

	for (int i = 0; result == 0 && i < QUEUE_SIDES; i++)
		result = sys_check_event(p->fds[LEVELS + i]);
	if (result == 0)
		result = store_examine(p->fds[MEMFD], &store);
	if (result == 0)
		result = queue_check_geometry(&store.geometry);
	if (result < 0)
		return result;
	result = sys_get_file_flags(p->fds[MEMFD]);
	if (result < 0)
		return result;
	/* Who may only read cannot be a user. */
	return (result & O_ACCMODE) == O_RDWR ? 0 : -EINVAL;
}

static int open_queue(struct parcel *p, void *ret_handle)
{
	int result = parcel_check(p);

	if (result == 0) {
		p->fds[MEMFD] = sys_move_high(p->fds[MEMFD]);
		result = queue_attach(&p->fds[MEMFD], ret_handle);
	}
	parcel_close(p);
	return result;
}

const struct parcel_kind parcel_queue = {
	.note_valid = note_valid,
	.of = of_queue,
	.check = check_queue,
	.open = open_queue,
};
