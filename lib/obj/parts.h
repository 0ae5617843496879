/* SPDX-License-Identifier: MIT */
/* The parts of a message that lies in several places of its program's memory. */
#ifndef WEIR_OBJ_PARTS_H
#define WEIR_OBJ_PARTS_H

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#include "base/cc.h"

/* As many as the kernel takes in one call. */
#define PARTS_MAX 1024

/* What is left of them. */
struct parts {
	const struct iovec *at;
	size_t offset;	/* how much of *at is done */
};

/* The bytes of all parts together: 0, or -EINVAL for what cannot be. */
static inline int parts_size(const struct iovec *parts, size_t count, uint64_t *ret_size)
{
	uint64_t size = 0;

	if ((!parts && count > 0) || count > PARTS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		if ((!parts[i].iov_base && parts[i].iov_len > 0) ||
		    parts[i].iov_len > (uint64_t)INT64_MAX - size)
			return -EINVAL;
		size += parts[i].iov_len;
	}
	*ret_size = size;
	return 0;
}

/* The next bytes that lie together, @size at most; how many. */
static inline size_t parts_next(struct parts *p, size_t size, uint8_t **ret_bytes)
{
	size_t left;

	while (p->at->iov_len == p->offset) {
		p->at++;
		p->offset = 0;
	}
	left = p->at->iov_len - p->offset;
	*ret_bytes = (uint8_t *)p->at->iov_base + p->offset;
	size = left < size ? left : size;
	p->offset += size;
	return size;
}

/* The next @size bytes of the parts, into @to. There are as many. */
static inline void parts_gather(struct parts *p, uint8_t *to, size_t size)
{
	uint8_t *bytes;
	size_t n;

	for (; size > 0; size -= n, to += n) {
		n = parts_next(p, size, &bytes);
		memcpy(to, bytes, n);
	}
}

/* @from into the next @size bytes of the parts. There are as many. */
static inline void parts_scatter(struct parts *p, const uint8_t *from, size_t size)
{
	uint8_t *bytes;
	size_t n;

	for (; size > 0; size -= n, from += n) {
		n = parts_next(p, size, &bytes);
		memcpy(bytes, from, n);
	}
}

#endif
