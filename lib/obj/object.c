/* SPDX-License-Identifier: MIT */
/* Reading objects. */
#include "obj/object.h"

#include <errno.h>
#include <msgpack/sysdep.h>
#include <msgpack/timestamp.h>

#define NS_MAX	999999999

int weir_object_type(const struct weir_object *object)
{
	static const int8_t types[] = {
		[MSGPACK_OBJECT_NIL] = WEIR_OBJECT_NIL,
		[MSGPACK_OBJECT_BOOLEAN] = WEIR_OBJECT_BOOL,
		[MSGPACK_OBJECT_POSITIVE_INTEGER] = WEIR_OBJECT_INT,
		[MSGPACK_OBJECT_NEGATIVE_INTEGER] = WEIR_OBJECT_INT,
		[MSGPACK_OBJECT_FLOAT32] = WEIR_OBJECT_DOUBLE,
		[MSGPACK_OBJECT_FLOAT64] = WEIR_OBJECT_DOUBLE,
		[MSGPACK_OBJECT_STR] = WEIR_OBJECT_STRING,
		[MSGPACK_OBJECT_ARRAY] = WEIR_OBJECT_ARRAY,
		[MSGPACK_OBJECT_MAP] = WEIR_OBJECT_MAP,
		[MSGPACK_OBJECT_BIN] = WEIR_OBJECT_BINARY,
		[MSGPACK_OBJECT_EXT] = WEIR_OBJECT_EXT,
	};

	return object ? types[object->value.type] : -ENOENT;
}

/* 0 if there is an object, of that type, and something to store it in. */
static int is_of_type(const struct weir_object *object, int type, const void *ret)
{
	if (!object)
		return -ENOENT;
	if (!ret)
		return -EINVAL;
	return weir_object_type(object) == type ? 0 : -EPROTO;
}

int weir_object_get_bool(const struct weir_object *object, bool *ret_value)
{
	int result = is_of_type(object, WEIR_OBJECT_BOOL, ret_value);

	if (result < 0)
		return result;
	*ret_value = object->value.via.boolean;
	return 0;
}

/* msgpack-c calls an integer negative only if it is. */
int weir_object_get_int(const struct weir_object *object, int64_t *ret_value)
{
	int result = is_of_type(object, WEIR_OBJECT_INT, ret_value);

	if (result < 0)
		return result;
	if (object->value.type == MSGPACK_OBJECT_POSITIVE_INTEGER &&
	    object->value.via.u64 > INT64_MAX)
		return -ERANGE;
	*ret_value = object->value.via.i64;
	return 0;
}

int weir_object_get_uint(const struct weir_object *object, uint64_t *ret_value)
{
	int result = is_of_type(object, WEIR_OBJECT_INT, ret_value);

	if (result < 0)
		return result;
	if (object->value.type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
		return -ERANGE;
	*ret_value = object->value.via.u64;
	return 0;
}

/* Whether the bits of an integer that are not zeroes to the right are no more than a double has. */
static bool is_exact_in_double(uint64_t magnitude)
{
	return magnitude == 0 || (magnitude >> __builtin_ctzll(magnitude)) < UINT64_C(1) << 53;
}

static int double_of_int(const msgpack_object *value, double *ret_value)
{
	bool negative = value->type == MSGPACK_OBJECT_NEGATIVE_INTEGER;

	if (!is_exact_in_double(negative ? -value->via.u64 : value->via.u64))
		return -ERANGE;
	*ret_value = negative ? (double)value->via.i64 : (double)value->via.u64;
	return 0;
}

int weir_object_get_double(const struct weir_object *object, double *ret_value)
{
	int result;

	if (object && ret_value && weir_object_type(object) == WEIR_OBJECT_INT)
		return double_of_int(&object->value, ret_value);
	result = is_of_type(object, WEIR_OBJECT_DOUBLE, ret_value);
	if (result < 0)
		return result;
	*ret_value = object->value.via.f64;
	return 0;
}

int weir_object_get_string(const struct weir_object *object, const char **ret_text,
			   size_t *ret_size)
{
	int result = is_of_type(object, WEIR_OBJECT_STRING, ret_text);

	if (result < 0)
		return result;
	*ret_text = object->value.via.str.ptr;
	if (ret_size)
		*ret_size = object->value.via.str.size;
	return 0;
}

int weir_object_get_binary(const struct weir_object *object, const void **ret_data,
			   size_t *ret_size)
{
	int result = is_of_type(object, WEIR_OBJECT_BINARY, ret_data);

	if (result < 0)
		return result;
	*ret_data = object->value.via.bin.ptr;
	if (ret_size)
		*ret_size = object->value.via.bin.size;
	return 0;
}

int weir_object_get_ext(const struct weir_object *object, int *ret_number, const void **ret_data,
			size_t *ret_size)
{
	int result = is_of_type(object, WEIR_OBJECT_EXT, ret_number);

	if (result < 0)
		return result;
	*ret_number = object->value.via.ext.type;
	if (ret_data)
		*ret_data = object->value.via.ext.ptr;
	if (ret_size)
		*ret_size = object->value.via.ext.size;
	return 0;
}

int weir_object_get_time(const struct weir_object *object, struct timespec *ret_time)
{
	int result = is_of_type(object, WEIR_OBJECT_EXT, ret_time);
	msgpack_timestamp time;

	if (result < 0)
		return result;
	if (!msgpack_object_to_timestamp(&object->value, &time))
		return -EPROTO;
	if (time.tv_nsec > NS_MAX)
		return -ERANGE;
	*ret_time = (struct timespec){ .tv_sec = time.tv_sec, .tv_nsec = time.tv_nsec };
	return 0;
}

size_t weir_object_count(const struct weir_object *object)
{
	switch (weir_object_type(object)) {
	case WEIR_OBJECT_ARRAY:
		return object->value.via.array.size;
	case WEIR_OBJECT_MAP:
		return object->value.via.map.size;
	default:
		return 0;
	}
}

const struct weir_object *weir_object_at(const struct weir_object *object, size_t index)
{
	if (index >= weir_object_count(object))
		return NULL;
	return object_of(object->value.type == MSGPACK_OBJECT_ARRAY
				 ? &object->value.via.array.ptr[index]
				 : &object->value.via.map.ptr[index].val);
}

const struct weir_object *weir_object_key(const struct weir_object *object, size_t index)
{
	if (weir_object_type(object) != WEIR_OBJECT_MAP || index >= weir_object_count(object))
		return NULL;
	return object_of(&object->value.via.map.ptr[index].key);
}

const struct weir_object *object_find(const struct weir_object *object, const char *key,
				      size_t size)
{
	const msgpack_object_kv *pairs;

	if (weir_object_type(object) != WEIR_OBJECT_MAP)
		return NULL;
	pairs = object->value.via.map.ptr;
	/* From the end: of several with one key the last counts, as where maps are tables. */
	for (size_t i = object->value.via.map.size; i-- > 0;)
		if (pairs[i].key.type == MSGPACK_OBJECT_STR &&
		    pairs[i].key.via.str.size == size &&
		    memcmp(pairs[i].key.via.str.ptr, key, size) == 0)
			return object_of(&pairs[i].val);
	return NULL;
}

const struct weir_object *weir_object_get(const struct weir_object *object, const char *key)
{
	return key ? object_find(object, key, strlen(key)) : NULL;
}
