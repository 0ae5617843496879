/* SPDX-License-Identifier: MIT */
/*
 * Objects through a pipe.
 *
 * A message is copied out of shared memory once and then parsed, never parsed where it lies: who
 * wrote it may write it again between two looks.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/atomic.h"
#include "obj/builder.h"
#include "obj/object.h"
#include "obj/object-unpack.h"
#include "obj/pipe.h"

/* Room for a message whose size is not known yet. */
#define FIRST_ROOM	512

int weir_pipe_send_object(struct weir_end *end, const struct weir_object *object, uint32_t flags,
			  int64_t deadline)
{
	struct weir_builder builder;
	int result;

	if (!object)
		return -ENOENT;
	builder_init(&builder);
	result = weir_builder_object(&builder, object);
	if (result == 0)
		result = weir_builder_send(&builder, end, flags, deadline);
	builder_deinit(&builder);
	return result;
}

int weir_pipe_vsendf(struct weir_end *end, uint32_t flags, int64_t deadline, const char *format,
		     va_list arguments)
{
	struct weir_builder builder;
	int result;

	builder_init(&builder);
	result = weir_builder_vpack(&builder, format, arguments);
	if (result == 0)
		result = weir_builder_send(&builder, end, flags, deadline);
	builder_deinit(&builder);
	return result;
}

int weir_pipe_sendf(struct weir_end *end, uint32_t flags, int64_t deadline, const char *format, ...)
{
	va_list arguments;
	int result;

	va_start(arguments, format);
	result = weir_pipe_vsendf(end, flags, deadline, format, arguments);
	va_end(arguments);
	return result;
}

/* Receive into a whole with room enough, which nobody knows before a message is there. */
static int recv_whole(struct weir_end *end, size_t limit, uint32_t flags, int64_t deadline,
		      struct object_whole **ret_whole, size_t *ret_size)
{
	size_t room = limit < FIRST_ROOM ? limit : FIRST_ROOM, size;
	int result;

	for (;;) {
		struct object_whole *whole = object_new(room);

		if (!whole)
			return -ENOMEM;
		result = weir_pipe_recv(end, whole->bytes, room, flags, deadline, &size);
		if (result == 0) {
			*ret_whole = whole;
			*ret_size = size;
			return 0;
		}
		free(whole);
		/* A handle stays, what is no object does not: the caller must know which it is. */
		if (result == -EPROTO)
			return -ENOMSG;
		/*
		 * Beyond the limit of the end it has been skipped, and the next is another.
		 * relaxed: whoever changes that limit meanwhile cannot tell which came first
		 */
		if (result != -EMSGSIZE || size > limit || size > load_relaxed(&end->limit))
			return result;
		/* By then another thread may have taken it, and the next be larger: once more. */
		room = size;
	}
}

int weir_pipe_recv_object(struct weir_end *end, size_t limit, uint32_t flags, int64_t deadline,
			  struct weir_object **ret_object)
{
	struct object_whole *whole;
	size_t size;
	int result;

	if (!ret_object)
		return -EINVAL;
	if (limit == 0)
		limit = WEIR_OBJECT_LIMIT;
	result = recv_whole(end, limit, flags, deadline, &whole, &size);
	return result == 0 ? object_grow(whole, size, ret_object) : result;
}

int weir_pipe_vrecvf(struct weir_end *end, uint32_t flags, int64_t deadline,
		     struct weir_object **ret_object, const char *format, va_list arguments)
{
	struct weir_object *object;
	bool needs_object;
	int result = object_format_check(format, &needs_object);

	if (result < 0 || (needs_object && !ret_object))
		return -EINVAL;
	result = weir_pipe_recv_object(end, 0, flags, deadline, &object);
	if (result < 0)
		return result;
	result = weir_object_vunpack(object, format, arguments);
	if (result == 0 && ret_object)
		*ret_object = object;
	else
		weir_object_free(object);
	return result;
}

int weir_pipe_recvf(struct weir_end *end, uint32_t flags, int64_t deadline,
		    struct weir_object **ret_object, const char *format, ...)
{
	va_list arguments;
	int result;

	va_start(arguments, format);
	result = weir_pipe_vrecvf(end, flags, deadline, ret_object, format, arguments);
	va_end(arguments);
	return result;
}
