/* SPDX-License-Identifier: MIT */
#include "obj/parcel.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "obj/pipe.h"
#include "sys/sys.h"

/*
 * Ends of pipes
 */

#define MEMFD	0
#define EVENTS	1

/* The descriptors of an end with @lanes lanes. */
static uint32_t fds_of_end(uint32_t lanes)
{
	return EVENTS + 3 * lanes + 1;
}

void parcel_of_end(const struct weir_end *end, struct parcel *ret)
{
	const struct pipe_core *core = end->core;
	uint32_t lanes = core->segment.lanes;

	parcel_begin(ret, WEIR_KIND_PIPE_END);
	ret->note.flags = end->flags;
	ret->note.index = end->rx_lane;
	ret->note.fd_count = fds_of_end(lanes);
	ret->fds[MEMFD] = core->segment.fd;
	memcpy(&ret->fds[EVENTS], core->bells, 2 * lanes * sizeof(int));
	memcpy(&ret->fds[EVENTS + 2 * lanes], core->levels, lanes * sizeof(int));
	ret->fds[EVENTS + 3 * lanes] = end->line;
}

static bool end_note_valid(const struct parcel_note *n)
{
	return pipe_flags_valid(n->flags) && n->index <= 1 &&
	       n->fd_count == fds_of_end(n->flags & WEIR_PIPE_ONEWAY ? 1 : 2);
}

/* A socket as the line is made of. */
static int check_line(int fd)
{
	int type, result = sys_unix_type(fd, &type);

	if (result < 0)
		return result;
	if (type != SOCK_SEQPACKET)
		return -EINVAL;
	result = sys_get_file_flags(fd);
	if (result < 0)
		return result;
	return result & O_NONBLOCK ? 0 : -EINVAL;
}

static int check_end(const struct parcel *p)
{
	uint32_t lanes = p->note.flags & WEIR_PIPE_ONEWAY ? 1 : 2;
	struct segment segment;
	int result = 0;

	for (uint32_t i = 0; result == 0 && i < 3 * lanes; i++)
		result = sys_check_event(p->fds[EVENTS + i]);
	if (result == 0)
		result = check_line(p->fds[EVENTS + 3 * lanes]);
	if (result == 0)
		result = segment_examine(p->fds[MEMFD], &segment);
	if (result == 0 && segment.lanes != lanes)
		result = -EBADMSG;
	return result;
}

int parcel_open_end(struct parcel *p, struct weir_end **ret_end)
{
	uint32_t lanes = p->note.flags & WEIR_PIPE_ONEWAY ? 1 : 2;
	struct pipe_core *core = NULL;
	int result = p->note.kind == WEIR_KIND_PIPE_END ? parcel_check(p) : -EPROTO, *line;

	if (result == 0)
		result = pipe_core_attach(lanes, &p->fds[MEMFD], &p->fds[EVENTS], &core);
	if (result == 0) {
		line = &p->fds[p->note.fd_count - 1];
		result = pipe_end_open(core, p->note.index, p->note.flags, *line, ret_end);
		*line = -1;
		pipe_core_release(core);
	}
	parcel_close(p);
	return result;
}

static int open_end(struct parcel *p, void *ret_handle)
{
	return parcel_open_end(p, ret_handle);
}

static void of_end(const void *handle, struct parcel *ret)
{
	parcel_of_end(handle, ret);
}

/*
 * Objects of all kinds
 */

static const struct parcel_kind end_kind = {
	.note_valid = end_note_valid,
	.of = of_end,
	.check = check_end,
	.open = open_end,
};

static const struct parcel_kind *const kinds[] = {
	[WEIR_KIND_PIPE_END] = &end_kind,
	[WEIR_KIND_QUEUE] = &parcel_queue,
	[WEIR_KIND_LOCK] = &parcel_shared,
	[WEIR_KIND_SEMAPHORE] = &parcel_shared,
	[WEIR_KIND_RWLOCK] = &parcel_shared,
	[WEIR_KIND_EVENT] = &parcel_shared,
	[WEIR_KIND_CONDITION] = &parcel_shared,
	[WEIR_KIND_BARRIER] = &parcel_shared,
	[WEIR_KIND_VALUE] = &parcel_shared,
	[WEIR_KIND_ARRAY] = &parcel_shared,
};

static const struct parcel_kind *kind_of(uint32_t kind)
{
	return kind < ARRAY_LENGTH(kinds) ? kinds[kind] : NULL;
}

bool parcel_kind_known(uint32_t kind)
{
	return kind_of(kind);
}

void parcel_clear(struct parcel *p)
{
	memset(p, 0, sizeof(*p));
	memset(p->fds, -1, sizeof(p->fds));
}

void parcel_begin(struct parcel *p, uint32_t kind)
{
	parcel_clear(p);
	p->note.magic = PARCEL_MAGIC;
	p->note.version = PARCEL_VERSION;
	p->note.layout = WEIR_LAYOUT_MAJOR;
	p->note.kind = kind;
}

bool parcel_note_valid(const struct parcel_note *n)
{
	const struct parcel_kind *kind = kind_of(n->kind);

	return n->magic == PARCEL_MAGIC && n->version == PARCEL_VERSION &&
	       n->layout == WEIR_LAYOUT_MAJOR && n->reserved == 0 && kind && kind->note_valid(n);
}

int parcel_of(const void *handle, struct parcel *ret)
{
	/* Every object begins with its kind. */
	const struct parcel_kind *kind = handle ? kind_of(*(const uint32_t *)handle) : NULL;

	if (!kind)
		return -EINVAL;
	kind->of(handle, ret);
	return 0;
}

int parcel_check(const struct parcel *p)
{
	int result = -EPROTO;

	if (parcel_note_valid(&p->note))
		result = kind_of(p->note.kind)->check(p);
	/* As the kernel says of descriptors that are something else, or nothing. */
	return result == -ENOTSOCK || result == -EBADF ? -EINVAL : result;
}

int parcel_open(struct parcel *p, void *ret_handle)
{
	const struct parcel_kind *kind = kind_of(p->note.kind);

	if (kind)
		return kind->open(p, ret_handle);
	parcel_close(p);
	return -EPROTO;
}

void parcel_close(struct parcel *p)
{
	for (int i = 0; i < PARCEL_FDS_MAX; i++) {
		pipe_core_close_fd(p->fds[i]);
		p->fds[i] = -1;
	}
}

/*
 * Over sockets
 */

static int wait_for(int socket, short events, uint32_t flags, int64_t deadline)
{
	struct pollfd p = { .fd = socket, .events = events };
	int result;

	if (deadline <= 0)
		return -EAGAIN;
	result = sys_poll(&p, 1, deadline);
	if (result == -EINTR && !(flags & WEIR_INTR))
		return 0;
	if (result == 0)
		return -ETIMEDOUT;
	return result < 0 ? result : 0;
}

static int check_call(int socket, uint32_t flags, int *ret_type)
{
	int result;

	if (flags & ~WEIR_INTR)
		return -EINVAL;
	result = sys_unix_type(socket, ret_type);
	if (result < 0)
		return result;
	return *ret_type == SOCK_STREAM || *ret_type == SOCK_SEQPACKET || *ret_type == SOCK_DGRAM
		? 0 : -EINVAL;
}

int parcel_send(int socket, const struct parcel *p, uint32_t flags, int64_t deadline)
{
	int type, result = check_call(socket, flags, &type), waited = 0;

	if (result < 0)
		return result;
	for (;;) {
		result = sys_send_fds(socket, &p->note, sizeof(p->note), p->fds, p->note.fd_count);
		if (result != -EAGAIN && (result != -EINTR || (flags & WEIR_INTR)))
			break;
		if (waited < 0)
			return waited;
		waited = wait_for(socket, POLLOUT, flags, deadline);
	}
	/* So few bytes go at once or not at all. */
	return result < 0 ? result : result == sizeof(p->note) ? 0 : -EPROTO;
}

/* Keep what there is room for, close the rest. False if there was too much. */
static bool keep_fds(struct parcel *p, uint32_t *count, const struct sys_received *r)
{
	bool enough = true;

	for (size_t i = 0; i < r->count; i++) {
		if (*count < PARCEL_FDS_MAX) {
			p->fds[(*count)++] = r->fds[i];
		} else {
			pipe_core_close_fd(r->fds[i]);
			enough = false;
		}
	}
	return enough;
}

/* The first piece, which of a packet is all. Its bytes, or an error; then nothing was taken. */
static int recv_first(int socket, struct parcel *p, struct sys_received *r, uint32_t flags,
		      int64_t deadline)
{
	int result, waited = 0;

	for (;;) {
		result = sys_recv_fds(socket, &p->note, sizeof(p->note), r);
		if (result != -EAGAIN && (result != -EINTR || (flags & WEIR_INTR)))
			return result;
		if (waited < 0)
			return waited;
		waited = wait_for(socket, POLLIN, flags, deadline);
	}
}

/* All of a note and its descriptors in @p, or -EPROTO, -EPIPE, ... */
static int recv_note(int socket, int type, struct parcel *p, uint32_t flags, int64_t deadline)
{
	struct sys_received r;
	uint32_t count = 0;
	int size = recv_first(socket, p, &r, flags, deadline), more = 0;
	bool good;

	if (size < 0)
		return size;
	good = keep_fds(p, &count, &r) && !r.cut;
	if (size == 0 && count == 0 && good)
		return type == SOCK_DGRAM ? -EPROTO : -EPIPE;
	/* Ours are sent in one piece: another's may come in several, but not take our time. */
	while (good && type == SOCK_STREAM && size < (int)sizeof(p->note)) {
		more = sys_recv_fds(socket, (char *)&p->note + size, sizeof(p->note) - (size_t)size,
				    &r);
		if (more <= 0)
			break;
		good = keep_fds(p, &count, &r) && !r.cut;
		size += more;
	}
	if (!good || size != sizeof(p->note) || p->note.magic != PARCEL_MAGIC ||
	    p->note.fd_count != count)
		return -EPROTO;
	return 0;
}

int parcel_recv(int socket, struct parcel *ret, uint32_t flags, int64_t deadline)
{
	struct parcel p;
	int type, result = check_call(socket, flags, &type);

	if (result < 0)
		return result;
	parcel_clear(&p);
	result = recv_note(socket, type, &p, flags, deadline);
	if (result < 0) {
		parcel_close(&p);
		return result;
	}
	*ret = p;
	return 0;
}
