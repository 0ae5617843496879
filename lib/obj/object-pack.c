/* SPDX-License-Identifier: MIT */
/* Arguments become objects, as a format says. */
#include <errno.h>

#include "obj/builder.h"
#include "obj/object.h"
#include "obj/object-format.h"

struct pack {
	struct format format;
	struct weir_builder *builder;
	va_list arguments;
};

static int pack_integer(struct pack *p, char letter, const struct format_item *integer)
{
	int value;

	switch (letter) {
	case 'q':
		return weir_builder_int(p->builder, va_arg(p->arguments, int64_t));
	case 'Q':
		return weir_builder_uint(p->builder, va_arg(p->arguments, uint64_t));
	case 'I':
		return weir_builder_uint(p->builder, va_arg(p->arguments, unsigned int));
	}
	/* Those that are narrower come as an int. */
	value = va_arg(p->arguments, int);
	if (integer->width < sizeof(int)) {
		int bits = 8 * integer->width - integer->is_signed;
		int most = (1 << bits) - 1, least = integer->is_signed ? -most - 1 : 0;

		if (value < least || value > most)
			return -ERANGE;
	}
	return weir_builder_int(p->builder, value);
}

static int pack_text(struct pack *p, char item)
{
	const char *text = va_arg(p->arguments, const char *);

	if (!text && item == 'z')
		return weir_builder_nil(p->builder);
	if (!text)
		return -EINVAL;
	return weir_builder_string(p->builder, text, strlen(text));
}

/* The items with a size of their own. */
static int pack_counted(struct pack *p, char item)
{
	const char *data = va_arg(p->arguments, const char *);
	size_t size = va_arg(p->arguments, size_t);

	if (item == 'y')
		return weir_builder_binary(p->builder, data, size);
	if (item == 'c' && data)
		size = strnlen(data, size);
	return weir_builder_string(p->builder, data, size);
}

static int pack_item(struct pack *p);

static int pack_array(struct pack *p)
{
	int result = weir_builder_array(p->builder, WEIR_BUILDER_OPEN);

	while (result == 0 && !format_accept(&p->format, "]"))
		result = pack_item(p);
	return result < 0 ? result : weir_builder_end(p->builder);
}

static int pack_map(struct pack *p)
{
	int result = weir_builder_map(p->builder, WEIR_BUILDER_OPEN);

	while (result == 0 && !format_accept(&p->format, "}")) {
		const char *key;
		size_t size;

		if (!format_key(&p->format, &key, &size))
			return -EINVAL;
		result = weir_builder_string(p->builder, key, size);
		if (result == 0)
			result = pack_item(p);
	}
	return result < 0 ? result : weir_builder_end(p->builder);
}

/* Calls itself for what is in arrays and maps: as deep as the builder allows. */
static int pack_item(struct pack *p)
{
	char item = format_peek(&p->format);
	const struct format_item *kind = format_item(item);

	if (item == '\0')
		return -EINVAL;
	p->format.at++;
	if (kind->width > 0)
		return pack_integer(p, item, kind);
	switch (item) {
	case 'n':
		return weir_builder_nil(p->builder);
	case '?':
		return weir_builder_bool(p->builder, va_arg(p->arguments, int) != 0);
	case 'f':
	case 'd':
		return weir_builder_double(p->builder, va_arg(p->arguments, double));
	case 's':
	case 'z':
		return pack_text(p, item);
	case 'S':
	case 'c':
	case 'y':
		return pack_counted(p, item);
	case 't':
		return weir_builder_time(p->builder, va_arg(p->arguments, struct timespec *));
	case 'o':
		return weir_builder_object(p->builder,
					   va_arg(p->arguments, const struct weir_object *));
	case '[':
		return pack_array(p);
	case '{':
		return pack_map(p);
	default:
		return -EINVAL;
	}
}

int weir_builder_vpack(struct weir_builder *builder, const char *format, va_list arguments)
{
	struct pack p = { .format = { .at = format }, .builder = builder };
	int result = 0;

	if (!builder)
		return -EINVAL;
	if (builder->error)
		return builder->error;
	va_copy(p.arguments, arguments);
	if (!format)
		result = -EINVAL;
	while (result == 0 && format_peek(&p.format) != '\0')
		result = pack_item(&p);
	va_end(p.arguments);
	if (result < 0)
		builder->error = result;
	return result;
}

int weir_builder_pack(struct weir_builder *builder, const char *format, ...)
{
	va_list arguments;
	int result;

	va_start(arguments, format);
	result = weir_builder_vpack(builder, format, arguments);
	va_end(arguments);
	return result;
}

int weir_object_vpack(struct weir_object **ret_object, const char *format, va_list arguments)
{
	struct weir_builder builder;
	int result;

	builder_init(&builder);
	result = weir_builder_vpack(&builder, format, arguments);
	if (result == 0)
		result = weir_builder_build(&builder, ret_object);
	builder_deinit(&builder);
	return result;
}

int weir_object_pack(struct weir_object **ret_object, const char *format, ...)
{
	va_list arguments;
	int result;

	va_start(arguments, format);
	result = weir_object_vpack(ret_object, format, arguments);
	va_end(arguments);
	return result;
}
