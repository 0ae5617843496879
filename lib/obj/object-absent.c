/* SPDX-License-Identifier: MIT */
/*
 * Objects where the library is built without MessagePack: the same functions, so that a program
 * links and can ask. There is no object and no builder, so those that need one are given none.
 */
#include <errno.h>

#include "weir/builder.h"
#include "weir/object.h"

#define ABSENT(name, ...)	int name(__VA_ARGS__) { return -ENOSYS; }

#pragma GCC diagnostic ignored "-Wunused-parameter"

ABSENT(weir_object_decode, const void *data, size_t size, struct weir_object **ret_object)
ABSENT(weir_object_type, const struct weir_object *object)
ABSENT(weir_object_get_bool, const struct weir_object *object, bool *ret_value)
ABSENT(weir_object_get_int, const struct weir_object *object, int64_t *ret_value)
ABSENT(weir_object_get_uint, const struct weir_object *object, uint64_t *ret_value)
ABSENT(weir_object_get_double, const struct weir_object *object, double *ret_value)
ABSENT(weir_object_get_string, const struct weir_object *object, const char **ret_text,
       size_t *ret_size)
ABSENT(weir_object_get_binary, const struct weir_object *object, const void **ret_data,
       size_t *ret_size)
ABSENT(weir_object_get_ext, const struct weir_object *object, int *ret_number,
       const void **ret_data, size_t *ret_size)
ABSENT(weir_object_get_time, const struct weir_object *object, struct timespec *ret_time)
ABSENT(weir_object_pack, struct weir_object **ret_object, const char *format, ...)
ABSENT(weir_object_vpack, struct weir_object **ret_object, const char *format, va_list arguments)
ABSENT(weir_object_unpack, const struct weir_object *object, const char *format, ...)
ABSENT(weir_object_vunpack, const struct weir_object *object, const char *format,
       va_list arguments)
ABSENT(weir_object_match, const struct weir_object *object, const char *format,
       size_t *ret_position)
ABSENT(weir_object_print, const struct weir_object *object, FILE *file, uint32_t flags)
ABSENT(weir_object_text, const struct weir_object *object, char *buffer, size_t size,
       uint32_t flags, size_t *ret_size)

ABSENT(weir_pipe_send_object, struct weir_end *end, const struct weir_object *object,
       uint32_t flags, int64_t deadline)
ABSENT(weir_pipe_recv_object, struct weir_end *end, size_t limit, uint32_t flags,
       int64_t deadline, struct weir_object **ret_object)
ABSENT(weir_pipe_sendf, struct weir_end *end, uint32_t flags, int64_t deadline,
       const char *format, ...)
ABSENT(weir_pipe_vsendf, struct weir_end *end, uint32_t flags, int64_t deadline,
       const char *format, va_list arguments)
ABSENT(weir_pipe_recvf, struct weir_end *end, uint32_t flags, int64_t deadline,
       struct weir_object **ret_object, const char *format, ...)
ABSENT(weir_pipe_vrecvf, struct weir_end *end, uint32_t flags, int64_t deadline,
       struct weir_object **ret_object, const char *format, va_list arguments)

ABSENT(weir_builder_new, struct weir_builder **ret_builder)
ABSENT(weir_builder_reset, struct weir_builder *builder)
ABSENT(weir_builder_nil, struct weir_builder *builder)
ABSENT(weir_builder_bool, struct weir_builder *builder, bool value)
ABSENT(weir_builder_int, struct weir_builder *builder, int64_t value)
ABSENT(weir_builder_uint, struct weir_builder *builder, uint64_t value)
ABSENT(weir_builder_double, struct weir_builder *builder, double value)
ABSENT(weir_builder_string, struct weir_builder *builder, const char *text, size_t size)
ABSENT(weir_builder_binary, struct weir_builder *builder, const void *data, size_t size)
ABSENT(weir_builder_ext, struct weir_builder *builder, int number, const void *data, size_t size)
ABSENT(weir_builder_time, struct weir_builder *builder, const struct timespec *time)
ABSENT(weir_builder_object, struct weir_builder *builder, const struct weir_object *object)
ABSENT(weir_builder_array, struct weir_builder *builder, size_t count)
ABSENT(weir_builder_map, struct weir_builder *builder, size_t count)
ABSENT(weir_builder_end, struct weir_builder *builder)
ABSENT(weir_builder_pack, struct weir_builder *builder, const char *format, ...)
ABSENT(weir_builder_vpack, struct weir_builder *builder, const char *format, va_list arguments)
ABSENT(weir_builder_data, const struct weir_builder *builder, const void **ret_data,
       size_t *ret_size)
ABSENT(weir_builder_build, const struct weir_builder *builder, struct weir_object **ret_object)
ABSENT(weir_builder_send, const struct weir_builder *builder, struct weir_end *end,
       uint32_t flags, int64_t deadline)

void weir_object_free(struct weir_object *object)
{
}

void weir_builder_free(struct weir_builder *builder)
{
}

size_t weir_object_count(const struct weir_object *object)
{
	return 0;
}

const struct weir_object *weir_object_at(const struct weir_object *object, size_t index)
{
	return NULL;
}

const struct weir_object *weir_object_key(const struct weir_object *object, size_t index)
{
	return NULL;
}

const struct weir_object *weir_object_get(const struct weir_object *object, const char *key)
{
	return NULL;
}
