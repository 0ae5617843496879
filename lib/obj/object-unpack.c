/* SPDX-License-Identifier: MIT */
/*
 * Objects are taken apart into arguments, as a format says.
 *
 * The format is walked over several times with the same code: without an object, to see whether it
 * is one; with the object, to see whether it matches; and then to store. So nothing is stored
 * unless all can be.
 */
#include <errno.h>

#include "obj/object.h"
#include "obj/object-format.h"
#include "obj/object-unpack.h"

struct unpack {
	struct format format;
	bool has_arguments;
	bool is_final;		/* to be stored */
	bool needs_object;	/* an item was there that points into the object */
	va_list arguments;
};

/* What an item has as arguments; those that it has not are NULL and 0. */
struct argument {
	void *to;
	size_t *ret_size;
	size_t size;
};

static struct argument next_argument(struct unpack *u, char item)
{
	struct argument a = { 0 };

	u->needs_object |= format_item(item)->is_view;
	if (!u->has_arguments || item == 'n' || item == '*')
		return a;
	a.to = va_arg(u->arguments, void *);
	if (item == 'S' || item == 'y')
		a.ret_size = va_arg(u->arguments, size_t *);
	else if (item == 'c')
		a.size = va_arg(u->arguments, size_t);
	return a;
}

/* Store @size bytes at @value, if this is the time. */
static int store(const struct unpack *u, void *to, const void *value, size_t size)
{
	if (u->is_final && to && size > 0)
		memcpy(to, value, size);
	return 0;
}

static int unpack_integer(const struct unpack *u, const struct format_item *integer,
			  const struct weir_object *object, void *to)
{
	int unused = 64 - 8 * integer->width, result;
	uint64_t value;
	int64_t number;

	if (integer->is_signed) {
		result = weir_object_get_int(object, &number);
		if (result == 0 && (number > INT64_MAX >> unused || number < INT64_MIN >> unused))
			result = -ERANGE;
		value = (uint64_t)number;
	} else {
		result = weir_object_get_uint(object, &value);
		if (result == 0 && value > UINT64_MAX >> unused)
			result = -ERANGE;
	}
	/* This is little-endian: the first bytes are the number, if it fits. */
	return result < 0 ? result : store(u, to, &value, integer->width);
}

static int unpack_double(const struct unpack *u, char item, const struct weir_object *object,
			 void *to)
{
	double value;
	float narrow;
	int result = weir_object_get_double(object, &value);

	if (result < 0)
		return result;
	if (item == 'd')
		return store(u, to, &value, sizeof(value));
	/* Digits may go, as when it is assigned; what is finite stays so. */
	if (__builtin_isfinite(value) && (value > __FLT_MAX__ || value < -__FLT_MAX__))
		return -ERANGE;
	narrow = (float)value;
	return store(u, to, &narrow, sizeof(narrow));
}

/* The strings that end with their NUL. */
static int unpack_text(const struct unpack *u, char item, const struct weir_object *object,
		       const struct argument *a)
{
	const char *text = NULL;
	size_t size = 0;
	int result;

	if (item == 'z' && weir_object_type(object) == WEIR_OBJECT_NIL)
		return store(u, a->to, &text, sizeof(text));
	result = weir_object_get_string(object, &text, &size);
	if (result < 0)
		return result;
	if (memchr(text, '\0', size))
		return -EPROTO;
	if (item != 'c')
		return store(u, a->to, &text, sizeof(text));
	if (a->to && size >= a->size)
		return -EMSGSIZE;
	return store(u, a->to, text, size + 1);
}

static int unpack_counted(const struct unpack *u, char item, const struct weir_object *object,
			  const struct argument *a)
{
	const void *data = NULL;
	const char *text = NULL;
	size_t size = 0;
	int result = item == 'S' ? weir_object_get_string(object, &text, &size)
				 : weir_object_get_binary(object, &data, &size);

	if (result < 0)
		return result;
	store(u, a->to, item == 'S' ? (const void *)&text : &data, sizeof(data));
	return store(u, a->ret_size, &size, sizeof(size));
}

static int unpack_bool(const struct unpack *u, const struct weir_object *object, void *to)
{
	bool value;
	int result = weir_object_get_bool(object, &value);

	return result < 0 ? result : store(u, to, &value, sizeof(value));
}

static int unpack_time(const struct unpack *u, const struct weir_object *object, void *to)
{
	struct timespec value;
	int result = weir_object_get_time(object, &value);

	return result < 0 ? result : store(u, to, &value, sizeof(value));
}

static int expect_nil(const struct weir_object *object)
{
	int type = weir_object_type(object);

	return type < 0 ? type : type == WEIR_OBJECT_NIL ? 0 : -EPROTO;
}

static int unpack_scalar(const struct unpack *u, char item, const struct weir_object *object,
			 const struct argument *a)
{
	const struct format_item *kind = format_item(item);

	if (kind->width > 0)
		return unpack_integer(u, kind, object, a->to);
	switch (item) {
	case 'n':
		return expect_nil(object);
	case '?':
		return unpack_bool(u, object, a->to);
	case 'f':
	case 'd':
		return unpack_double(u, item, object, a->to);
	case 's':
	case 'z':
	case 'c':
		return unpack_text(u, item, object, a);
	case 'S':
	case 'y':
		return unpack_counted(u, item, object, a);
	case 't':
		return unpack_time(u, object, a->to);
	case 'o':
		return object ? store(u, a->to, &object, sizeof(object)) : -ENOENT;
	default:
		return object ? 0 : -ENOENT;
	}
}

static int unpack_item(struct unpack *u, const struct weir_object *object, bool missing,
		       unsigned int depth);

/* Behind the [, to behind the ]. */
static int unpack_array(struct unpack *u, const struct weir_object *array, bool missing,
			unsigned int depth)
{
	bool optional = false, rest = false;
	size_t index = 0;

	while (format_peek(&u->format) != ']') {
		const struct weir_object *element = weir_object_at(array, index);
		int result;

		if (rest)
			return -EINVAL;
		if (!optional && format_accept(&u->format, "|")) {
			optional = true;
		} else if (format_accept(&u->format, FORMAT_REST)) {
			rest = true;
		} else {
			result = unpack_item(u, element, missing || (optional && !element), depth);
			if (result < 0)
				return result;
			index++;
		}
	}
	if (!rest && weir_object_count(array) > index)
		return -EPROTO;
	u->format.at++;
	return 0;
}

/* Behind the {, to behind the }. */
static int unpack_map(struct unpack *u, const struct weir_object *map, bool missing,
		      unsigned int depth)
{
	bool optional = false;

	while (format_peek(&u->format) != '}') {
		const struct weir_object *value;
		const char *key, *at = u->format.at;
		size_t size;
		int result;

		if (!optional && format_accept(&u->format, "|")) {
			optional = true;
			continue;
		}
		if (!format_key(&u->format, &key, &size))
			return -EINVAL;
		value = object_find(map, key, size);
		if (!value && !optional && !missing) {
			u->format.at = at;
			return -ENOENT;
		}
		result = unpack_item(u, value, !value, depth);
		if (result < 0)
			return result;
	}
	u->format.at++;
	return 0;
}

static int unpack_container(struct unpack *u, char item, const struct weir_object *object,
			    bool missing, unsigned int depth)
{
	int type = weir_object_type(object);

	if (depth == WEIR_OBJECT_DEPTH)
		return -EINVAL;
	if (!missing && type != (item == '[' ? WEIR_OBJECT_ARRAY : WEIR_OBJECT_MAP))
		return type < 0 ? type : -EPROTO;
	u->format.at++;
	return item == '[' ? unpack_array(u, object, missing, depth + 1)
			   : unpack_map(u, object, missing, depth + 1);
}

/*
 * The next item, for which there is @object; where it is @missing, rightly, the item is stepped
 * over with all its arguments. If it does not match, the format stays in front of what does not.
 */
static int unpack_item(struct unpack *u, const struct weir_object *object, bool missing,
		       unsigned int depth)
{
	char item = format_peek(&u->format);
	struct argument a;
	int result;

	if (item == '[' || item == '{')
		return unpack_container(u, item, object, missing, depth);
	if (!format_item(item)->is_known)
		return -EINVAL;
	a = next_argument(u, item);
	result = missing ? 0 : unpack_scalar(u, item, object, &a);
	if (result == 0)
		u->format.at++;
	return result;
}

/* The whole of a format, which is one item. */
static int unpack_whole(struct unpack *u, const struct weir_object *object, bool missing)
{
	int result = unpack_item(u, object, missing, 0);

	if (result < 0)
		return result;
	return format_peek(&u->format) == '\0' ? 0 : -EINVAL;
}

int object_format_check(const char *format, bool *ret_needs_object)
{
	struct unpack u = { .format = { .at = format } };
	int result;

	if (!format)
		return -EINVAL;
	result = unpack_whole(&u, NULL, true);
	if (result == 0)
		*ret_needs_object = u.needs_object;
	return result;
}

static int unpack(const struct weir_object *object, const char *format, va_list arguments,
		  bool is_final)
{
	struct unpack u = {
		.format = { .at = format },
		.has_arguments = true,
		.is_final = is_final,
	};
	int result;

	va_copy(u.arguments, arguments);
	result = unpack_whole(&u, object, false);
	va_end(u.arguments);
	return result;
}

int weir_object_vunpack(const struct weir_object *object, const char *format, va_list arguments)
{
	bool needs_object;
	int result = object_format_check(format, &needs_object);

	if (result == 0)
		result = unpack(object, format, arguments, false);
	return result < 0 ? result : unpack(object, format, arguments, true);
}

int weir_object_unpack(const struct weir_object *object, const char *format, ...)
{
	va_list arguments;
	int result;

	va_start(arguments, format);
	result = weir_object_vunpack(object, format, arguments);
	va_end(arguments);
	return result;
}

int weir_object_match(const struct weir_object *object, const char *format, size_t *ret_position)
{
	struct unpack u = { .format = { .at = format } };
	int result;

	if (!format)
		return -EINVAL;
	result = unpack_whole(&u, NULL, true);
	if (result == 0 && object) {
		u = (struct unpack){ .format = { .at = format } };
		result = unpack_whole(&u, object, false);
	}
	if (result < 0 && ret_position)
		*ret_position = (size_t)(u.format.at - format);
	return result;
}
