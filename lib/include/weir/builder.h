/* SPDX-License-Identifier: MIT */
/*
 * A builder makes an object value by value, where its shape is not known beforehand.
 *
 *	weir_builder_new(&builder);
 *	weir_builder_array(builder, WEIR_BUILDER_OPEN);
 *	for (i = 0; i < count; i++)
 *		weir_builder_int(builder, numbers[i]);
 *	weir_builder_end(builder);
 *	result = weir_builder_send(builder, end, 0, WEIR_FOREVER);
 *
 * The first value is the object; if it is an array or a map, the values after it are inside of it
 * until weir_builder_end(). In a map each pair is two values, the key first.
 *
 * The first error stays: every later call returns it, so that one check at the end will do.
 * weir_builder_reset() begins anew. They are -EINVAL: a value too many, a key without a value, an
 * end too many, nested deeper than WEIR_OBJECT_DEPTH, an argument of NULL; -EILSEQ: a string that
 * is not UTF-8; -EMSGSIZE: 4 GiB and more of data or elements; -ENOMEM; -ERANGE, see there.
 *
 * A builder is used by one thread at a time. No call blocks but weir_builder_send().
 */
#ifndef WEIR_BUILDER_H
#define WEIR_BUILDER_H

#include <stdarg.h>
#include <stdbool.h>
#include <time.h>
#include <weir/base.h>
#include <weir/object.h>
#include <weir/pipe.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Which time.h of C99 alone has not. */
struct timespec;

/** An object that is being made. Opaque; freed by weir_builder_free(). */
struct weir_builder;

/** The count of an array or a map that ends when weir_builder_end() says so. */
#define WEIR_BUILDER_OPEN	SIZE_MAX

/** Make a builder; the caller frees it. Returns 0, or -ENOMEM, -EINVAL, -ENOSYS. */
WEIR_PUBLIC int weir_builder_new(struct weir_builder **ret_builder);
/** Free the builder; NULL is allowed. */
WEIR_PUBLIC void weir_builder_free(struct weir_builder *builder);
/** Forget all values, and the error. Returns 0 or -EINVAL. */
WEIR_PUBLIC int weir_builder_reset(struct weir_builder *builder);

/* Add one value. Return 0 or an error; see above. */

WEIR_PUBLIC int weir_builder_nil(struct weir_builder *builder);
WEIR_PUBLIC int weir_builder_bool(struct weir_builder *builder, bool value);
WEIR_PUBLIC int weir_builder_int(struct weir_builder *builder, int64_t value);
WEIR_PUBLIC int weir_builder_uint(struct weir_builder *builder, uint64_t value);
WEIR_PUBLIC int weir_builder_double(struct weir_builder *builder, double value);
/** @size bytes of UTF-8. */
WEIR_PUBLIC int weir_builder_string(struct weir_builder *builder, const char *text, size_t size);
WEIR_PUBLIC int weir_builder_binary(struct weir_builder *builder, const void *data, size_t size);
/** @number	of the extension, -128 to 127, otherwise -ERANGE; 0 to 127 are the program's own */
WEIR_PUBLIC int weir_builder_ext(struct weir_builder *builder, int number, const void *data,
				 size_t size);
/** A point in time since 1970; 0 to 999999999 nanoseconds, otherwise -ERANGE. */
WEIR_PUBLIC int weir_builder_time(struct weir_builder *builder, const struct timespec *time);
/** A copy of @object and of all that is in it. */
WEIR_PUBLIC int weir_builder_object(struct weir_builder *builder,
				    const struct weir_object *object);

/** Begin an array of @count elements, or WEIR_BUILDER_OPEN. */
WEIR_PUBLIC int weir_builder_array(struct weir_builder *builder, size_t count);
/** Begin a map of @count pairs, or WEIR_BUILDER_OPEN. */
WEIR_PUBLIC int weir_builder_map(struct weir_builder *builder, size_t count);
/** End the innermost array or map; -EINVAL also if it has another count than was said. */
WEIR_PUBLIC int weir_builder_end(struct weir_builder *builder);

/**
 * Add the values of a format, none, one or many, as weir_object_pack() takes them. In a map, keys
 * are values: "s i".
 *
 * Returns 0 or an error, also of weir_object_pack(); it stays, as every other.
 */
WEIR_PUBLIC int weir_builder_pack(struct weir_builder *builder, const char *format, ...);
WEIR_PUBLIC int weir_builder_vpack(struct weir_builder *builder, const char *format,
				   va_list arguments);

/**
 * The bytes of the object, in MessagePack, for other ways to send or store them.
 *
 * They are the builder's, and are there until the next call on it that changes something. Returns
 * 0, or -EINVAL: nothing was added, or an array or a map is not ended (which does not stay); or the
 * error that stayed.
 */
WEIR_PUBLIC int weir_builder_data(const struct weir_builder *builder, const void **ret_data,
				  size_t *ret_size);

/** The object, which the caller frees. The builder is left as it is. Errors as above, -ENOMEM. */
WEIR_PUBLIC int weir_builder_build(const struct weir_builder *builder,
				   struct weir_object **ret_object);

/** Send one message that is the object. Errors as above, and those of weir_pipe_send(). */
WEIR_PUBLIC int weir_builder_send(const struct weir_builder *builder, struct weir_end *end,
				  uint32_t flags, int64_t deadline);

#ifdef __cplusplus
}
#endif

#endif
