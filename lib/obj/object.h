/* SPDX-License-Identifier: MIT */
/*
 * The inside of objects: msgpack-c's tree over a copy of the bytes.
 *
 * What msgpack-c 4 reads, it trusts: a head of five bytes that promises 2^28 elements makes it ask
 * for six gigabytes. So object_measure() walks over the bytes first, without allocating, and says
 * how many elements there really are; the tree then is one block of just that size. Strings are not
 * copied: they stay among the bytes, and the NUL behind each overwrites the head of the next value,
 * which is not needed any more once there is a tree.
 */
#ifndef WEIR_OBJ_OBJECT_H
#define WEIR_OBJ_OBJECT_H

/* Before those of msgpack-c, which use it on some processors and do not say so. */
#include <string.h>

#include <msgpack/object.h>
#include <msgpack/zone.h>

#include "base/cc.h"
#include "weir/object.h"

/* A value, the whole one or one inside of it. */
struct weir_object {
	msgpack_object value;
};

/* The whole: what weir_object_free() gets is its first member. */
struct object_whole {
	struct weir_object object;
	msgpack_zone zone;	/* the tree, without its root */
	char bytes[];
};

static inline const struct weir_object *object_of(const msgpack_object *value)
{
	return (const struct weir_object *)value;
}

/* Room for @size bytes, and a NUL behind them; NULL if there is no memory. Freed by free(). */
struct object_whole *object_new(size_t size);

/* Make the tree over the first @size bytes. 0; or -EPROTO, -ENOMEM, and then @whole is freed. */
int object_grow(struct object_whole *whole, size_t size, struct weir_object **ret_object);

/*
 * Whether the bytes are one object and no more; how many elements, keys and values are in it. 0 or
 * -EPROTO. Reads each byte at most once, and makes no more steps than there are bytes.
 */
int object_measure(const void *data, size_t size, size_t *ret_values);

/* The value of the string @key, of @size bytes, in the map @object; or NULL. */
const struct weir_object *object_find(const struct weir_object *object, const char *key,
				      size_t size);

#endif
