/* SPDX-License-Identifier: MIT */
/*
 * Objects as text. JSON where JSON has a word for it; b"..." with \xNN for what is not text, and
 * ext(number, b"...").
 */
#include "obj/object.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "obj/utf8.h"

/* Where the text goes: to a file, or to a buffer as far as it has room. */
struct sink {
	FILE *file;
	char *buffer;
	size_t room;
	size_t size;	/* of the whole text */
	bool failed;
	bool python;
};

static void put_bytes(struct sink *sink, const char *bytes, size_t size)
{
	size_t fits = sink->size < sink->room ? sink->room - sink->size : 0;

	if (sink->file && fwrite(bytes, 1, size, sink->file) < size)
		sink->failed = true;
	if (fits > 0)
		memcpy(sink->buffer + sink->size, bytes, size < fits ? size : fits);
	sink->size += size;
}

static void put(struct sink *sink, const char *text)
{
	put_bytes(sink, text, strlen(text));
}

/* One of two words. */
static void put_word(struct sink *sink, const char *json, const char *python)
{
	put(sink, sink->python ? python : json);
}

__attribute__((format(printf, 2, 3)))
static void put_number(struct sink *sink, const char *format, ...)
{
	char text[64];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	put(sink, text);
}

/* One byte that cannot stand for itself. */
static void put_escaped(struct sink *sink, unsigned char byte, bool in_text)
{
	static const struct {
		char byte;
		const char *text;
	} known[] = {
		{ '\n', "\\n" }, { '\r', "\\r" }, { '\t', "\\t" },
		{ '"', "\\\"" }, { '\'', "\\'" }, { '\\', "\\\\" },
	};

	for (size_t i = 0; i < ARRAY_LENGTH(known); i++)
		if ((unsigned char)known[i].byte == byte) {
			put(sink, known[i].text);
			return;
		}
	/* JSON has no \x. What is not UTF-8 gets one all the same, so that it can be seen. */
	if (in_text && !sink->python && byte < 0x80)
		put_number(sink, "\\u%04x", byte);
	else
		put_number(sink, "\\x%02x", byte);
}

static bool is_plain(unsigned char byte, char quote)
{
	return byte >= 0x20 && byte < 0x7f && byte != (unsigned char)quote && byte != '\\';
}

/* How many bytes at @text stand for themselves; @is_text: UTF-8 does, too. */
static size_t plain_length(const char *text, size_t size, char quote, bool is_text)
{
	size_t length = 0;

	while (length < size) {
		unsigned char byte = (unsigned char)text[length];
		size_t bytes = is_plain(byte, quote);

		if (byte >= 0x80 && is_text)
			bytes = utf8_length(text + length, size - length);
		if (bytes == 0)
			break;
		length += bytes;
	}
	return length;
}

static void put_quoted(struct sink *sink, const char *text, size_t size, bool is_text)
{
	/* Python takes the other quotes where that saves it a backslash. */
	bool other = memchr(text, '\'', size) && !memchr(text, '"', size);
	bool single = sink->python && !other;
	char quote = single ? '\'' : '"';

	put_bytes(sink, &quote, 1);
	while (size > 0) {
		size_t plain = plain_length(text, size, quote, is_text);

		put_bytes(sink, text, plain);
		text += plain;
		size -= plain;
		if (size > 0) {
			put_escaped(sink, (unsigned char)*text++, is_text);
			size--;
		}
	}
	put_bytes(sink, &quote, 1);
}

static void put_binary(struct sink *sink, const char *bytes, size_t size)
{
	put(sink, "b");
	put_quoted(sink, bytes, size, false);
}

/* A number as printf() wrote it, where the locale may have a point of its own. */
static void put_decimal(struct sink *sink, const char *text)
{
	static const char integer[] = "+-0123456789";
	size_t length = strspn(text, integer);

	put_bytes(sink, text, length);
	text += length;
	if (*text == '\0')
		put(sink, ".0");
	else if (*text != 'e')
		put(sink, ".");
	put(sink, text + strcspn(text, "e0123456789"));
}

/* The shortest that reads back as the same number, and is seen not to be an integer. */
static void put_double(struct sink *sink, double value)
{
	char text[32];

	if (isnan(value)) {
		put_word(sink, "NaN", "nan");
		return;
	}
	if (isinf(value)) {
		put(sink, value < 0 ? "-" : "");
		put_word(sink, "Infinity", "inf");
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	put_decimal(sink, text);
}

static void put_ext(struct sink *sink, const msgpack_object_ext *ext)
{
	put_number(sink, "ext(%d, ", ext->type);
	put_binary(sink, ext->ptr, ext->size);
	put(sink, ")");
}

static void put_value(struct sink *sink, const msgpack_object *value);

static void put_array(struct sink *sink, const msgpack_object_array *array)
{
	put(sink, "[");
	for (uint32_t i = 0; i < array->size; i++) {
		put(sink, i > 0 ? ", " : "");
		put_value(sink, &array->ptr[i]);
	}
	put(sink, "]");
}

static void put_map(struct sink *sink, const msgpack_object_map *map)
{
	put(sink, "{");
	for (uint32_t i = 0; i < map->size; i++) {
		put(sink, i > 0 ? ", " : "");
		put_value(sink, &map->ptr[i].key);
		put(sink, ": ");
		put_value(sink, &map->ptr[i].val);
	}
	put(sink, "}");
}

/* Calls itself for what is inside, WEIR_OBJECT_DEPTH deep at most. */
static void put_value(struct sink *sink, const msgpack_object *value)
{
	switch (value->type) {
	case MSGPACK_OBJECT_NIL:
		put_word(sink, "null", "None");
		break;
	case MSGPACK_OBJECT_BOOLEAN:
		if (value->via.boolean)
			put_word(sink, "true", "True");
		else
			put_word(sink, "false", "False");
		break;
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		put_number(sink, "%" PRIu64, value->via.u64);
		break;
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		put_number(sink, "%" PRId64, value->via.i64);
		break;
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
		put_double(sink, value->via.f64);
		break;
	case MSGPACK_OBJECT_STR:
		put_quoted(sink, value->via.str.ptr, value->via.str.size, true);
		break;
	case MSGPACK_OBJECT_BIN:
		put_binary(sink, value->via.bin.ptr, value->via.bin.size);
		break;
	case MSGPACK_OBJECT_EXT:
		put_ext(sink, &value->via.ext);
		break;
	case MSGPACK_OBJECT_ARRAY:
		put_array(sink, &value->via.array);
		break;
	case MSGPACK_OBJECT_MAP:
		put_map(sink, &value->via.map);
		break;
	}
}

int weir_object_print(const struct weir_object *object, FILE *file, uint32_t flags)
{
	struct sink sink = { .file = file, .python = flags & WEIR_OBJECT_PYTHON };

	if (!file || (flags & ~WEIR_OBJECT_PYTHON))
		return -EINVAL;
	if (!object)
		return -ENOENT;
	put_value(&sink, &object->value);
	return sink.failed ? -EIO : 0;
}

int weir_object_text(const struct weir_object *object, char *buffer, size_t size, uint32_t flags,
		     size_t *ret_size)
{
	/* One byte is for the NUL. */
	struct sink sink = {
		.buffer = buffer,
		.room = size > 0 ? size - 1 : 0,
		.python = flags & WEIR_OBJECT_PYTHON,
	};

	if ((!buffer && size > 0) || (flags & ~WEIR_OBJECT_PYTHON))
		return -EINVAL;
	if (!object)
		return -ENOENT;
	put_value(&sink, &object->value);
	if (size > 0)
		buffer[sink.size < sink.room ? sink.size : sink.room] = '\0';
	if (ret_size)
		*ret_size = sink.size;
	return sink.size < size ? 0 : -EMSGSIZE;
}
