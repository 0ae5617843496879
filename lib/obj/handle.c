/* SPDX-License-Identifier: MIT */
/*
 * Handles as text, and over sockets.
 *
 * The text is "weir1:KIND:INDEX:FLAGS:FD,FD,...", all numbers decimal without leading zeros. It
 * comes from outside, and so may the numbers in it be anybody's descriptors: one that is not
 * exactly what weir_export() leaves (of the right type, and inherited by exec, which no descriptor
 * of a handle is) is neither changed, read, copied nor closed.
 */
#include "weir/handle.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "obj/parcel.h"
#include "sys/sys.h"

#define PREFIX "weir1:"

/*
 * Text
 */

static char *put_text(char *at, const char *text)
{
	while (*text)
		*at++ = *text++;
	return at;
}

/* Not by stdio, which a signal handler must not use. */
static char *put_number(char *at, uint32_t number, char behind)
{
	char digits[10];
	int count = 0;

	do {
		digits[count++] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	while (count > 0)
		*at++ = digits[--count];
	*at++ = behind;
	return at;
}

_Static_assert(WEIR_EXPORT_SIZE >= sizeof(PREFIX) + (3 + PARCEL_FDS_MAX) * 11, "room");

static int put_parcel(char *text, const struct parcel *p)
{
	char *at = put_text(text, PREFIX);

	at = put_number(at, p->note.kind, ':');
	at = put_number(at, p->note.index, ':');
	at = put_number(at, p->note.flags, ':');
	for (uint32_t i = 0; i < p->note.fd_count; i++)
		at = put_number(at, (uint32_t)p->fds[i], ',');
	*--at = '\0';
	return (int)(at - text);
}

/* One number up to @limit, and @behind; the place after that, or NULL. */
static const char *get_number(const char *at, uint32_t limit, char behind, uint32_t *ret_number)
{
	uint64_t number = 0;
	int digits = 0;

	if (!at)
		return NULL;
	if (at[0] == '0' && at[1] >= '0' && at[1] <= '9')
		return NULL;
	for (; *at >= '0' && *at <= '9'; at++) {
		number = number * 10 + (uint64_t)(*at - '0');
		if (++digits > 10)
			return NULL;
	}
	if (digits == 0 || number > limit || *at != behind)
		return NULL;
	*ret_number = (uint32_t)number;
	return at + 1;
}

static bool is_listed(const struct parcel *p, int fd)
{
	for (uint32_t i = 0; i < p->note.fd_count; i++)
		if (p->fds[i] == fd)
			return true;
	return false;
}

/* The list of descriptors, to the end of the text. */
static bool get_fds(const char *at, struct parcel *p)
{
	for (;;) {
		uint32_t fd;
		const char *next = get_number(at, INT32_MAX, ',', &fd);
		bool last = !next;

		if (last && !get_number(at, INT32_MAX, '\0', &fd))
			return false;
		if (p->note.fd_count == PARCEL_FDS_MAX || is_listed(p, (int)fd))
			return false;
		p->fds[p->note.fd_count++] = (int)fd;
		if (last)
			return true;
		at = next;
	}
}

static int parse(const char *text, struct parcel *p)
{
	size_t size = text ? strnlen(text, WEIR_EXPORT_SIZE) : 0;
	const char *at;

	if (size <= strlen(PREFIX) || size == WEIR_EXPORT_SIZE ||
	    memcmp(text, PREFIX, strlen(PREFIX)) != 0)
		return -EINVAL;
	parcel_begin(p, 0);
	at = get_number(text + strlen(PREFIX), UINT32_MAX, ':', &p->note.kind);
	at = get_number(at, UINT32_MAX, ':', &p->note.index);
	at = get_number(at, UINT32_MAX, ':', &p->note.flags);
	return at && get_fds(at, p) && parcel_note_valid(&p->note) ? 0 : -EINVAL;
}

/* Whether @text names what weir_export() left here: all of @p is, and is nobody's yet. */
static int find_exported(const char *text, struct parcel *p)
{
	int result = parse(text, p);

	for (uint32_t i = 0; result == 0 && i < p->note.fd_count; i++) {
		int flags = sys_get_fd_flags(p->fds[i]);

		if (flags < 0)
			result = flags;
		else if (flags & FD_CLOEXEC)
			result = -EBADF;
	}
	return result == 0 ? parcel_check(p) : result;
}

/*
 * Export, import
 */

int weir_export(const void *handle, char *text, size_t size)
{
	struct parcel p;
	int result = parcel_of(handle, &p);

	if (result < 0 || !text)
		return -EINVAL;
	if (size < WEIR_EXPORT_SIZE)
		return -EMSGSIZE;
	/* The memfd, which is the first, comes last: to close a copy of it would drop its locks. */
	for (uint32_t i = p.note.fd_count; i-- > 0;) {
		int copy = sys_dup_inheritable(p.fds[i]);

		if (copy < 0) {
			while (++i < p.note.fd_count)
				sys_close(p.fds[i]);
			return copy;
		}
		p.fds[i] = copy;
	}
	return put_parcel(text, &p);
}

int weir_unexport(const char *text)
{
	struct parcel p;
	int result = find_exported(text, &p);

	/* What is damaged is to be closed, too. */
	if (result < 0 && result != -EBADMSG && result != -EPROTO)
		return result;
	parcel_close(&p);
	return 0;
}

/* Copies of the descriptors of @p, close-on-exec. */
static int copy_parcel(const struct parcel *p, struct parcel *copy)
{
	parcel_clear(copy);
	copy->note = p->note;
	for (uint32_t i = 0; i < p->note.fd_count; i++) {
		int fd = sys_dup(p->fds[i]);

		if (fd < 0) {
			parcel_close(copy);
			return fd;
		}
		copy->fds[i] = fd;
	}
	return 0;
}

int weir_import(const char *text, uint32_t kind, void *ret_handle)
{
	struct parcel exported, copy;
	int result;

	if (!parcel_kind_known(kind) || !ret_handle)
		return -EINVAL;
	result = find_exported(text, &exported);
	if (result == 0 && exported.note.kind != kind)
		return -EINVAL;
	if (result == 0)
		result = copy_parcel(&exported, &copy);
	if (result == 0)
		result = parcel_open(&copy, ret_handle);
	if (result == 0)
		parcel_close(&exported);
	return result;
}

/*
 * Sockets
 */

int weir_send_handle(int socket, const void *handle, uint32_t flags, int64_t deadline)
{
	struct parcel p;
	int result = parcel_of(handle, &p);

	return result < 0 ? result : parcel_send(socket, &p, flags, deadline);
}

int weir_recv_handle(int socket, uint32_t kind, uint32_t flags, int64_t deadline, void *ret_handle)
{
	struct parcel p;
	int result;

	if (!parcel_kind_known(kind) || !ret_handle)
		return -EINVAL;
	result = parcel_recv(socket, &p, flags, deadline);
	if (result == 0 && p.note.kind != kind) {
		parcel_close(&p);
		return -EPROTO;
	}
	return result < 0 ? result : parcel_open(&p, ret_handle);
}
