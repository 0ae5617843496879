/* SPDX-License-Identifier: MIT */
/*
 * Random objects that are the same wherever the same seed is: one function builds one, one writes
 * its bytes without the library, in any of the forms that MessagePack allows, and one says whether
 * an object is it. All three draw their numbers in the same order.
 *
 * Nothing here asserts, so children may use all of it.
 */
#ifndef WEIR_TESTS_OBJECT_MODEL_H
#define WEIR_TESTS_OBJECT_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "weir.h"

#define MODEL_TEXT_MAX	300

struct model {
	uint64_t state;
};

enum model_type {
	MODEL_NIL,
	MODEL_BOOL,
	MODEL_INT,
	MODEL_UINT,
	MODEL_DOUBLE,
	MODEL_STRING,
	MODEL_BINARY,
	MODEL_EXT,
	MODEL_ARRAY,
	MODEL_MAP,
	MODEL_TYPES
};

static inline uint64_t model_draw(struct model *m)
{
	uint64_t z = m->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* A number of any magnitude. */
static inline uint64_t model_number(struct model *m)
{
	unsigned int bits = (unsigned int)(model_draw(m) % 64);

	return model_draw(m) >> bits;
}

/* Mostly short, and around the lengths at which heads change. */
static inline size_t model_length(struct model *m)
{
	static const size_t lengths[] = { 0, 1, 2, 4, 8, 15, 16, 17, 31, 32, 255, 256, 299 };
	uint64_t draw = model_draw(m);

	return draw % 4 ? draw / 4 % 12 : lengths[draw / 4 % (sizeof(lengths) / sizeof(*lengths))];
}

static inline enum model_type model_type(struct model *m, unsigned int depth)
{
	/* What is outermost is seldom a scalar, what is deep is one. */
	if (depth == 0 && model_draw(m) % 8)
		return model_draw(m) % 2 ? MODEL_ARRAY : MODEL_MAP;
	return (enum model_type)(model_draw(m) % (depth < 5 ? MODEL_TYPES : MODEL_ARRAY));
}

static inline size_t model_count(struct model *m, unsigned int depth)
{
	size_t length = model_length(m);

	return depth < 2 ? length % 40 : length % 4;
}

/* Bytes that are UTF-8, too. */
static inline void model_fill(struct model *m, char *text, size_t size)
{
	uint64_t draw = model_draw(m);

	for (size_t i = 0; i < size; i++)
		text[i] = (char)((draw + i * 7) % 128);
}

static inline double model_double(struct model *m)
{
	uint64_t bits = model_draw(m);
	double value;

	/* No NaN, which is not equal to itself. */
	if ((bits >> 52 & 0x7ff) == 0x7ff)
		bits ^= UINT64_C(1) << 52;
	memcpy(&value, &bits, sizeof(value));
	return value;
}

/*
 * With the library
 */

static inline void model_build(struct model *m, struct weir_builder *b, unsigned int depth)
{
	enum model_type type = model_type(m, depth);
	char text[MODEL_TEXT_MAX];
	size_t count;
	bool open;

	switch (type) {
	case MODEL_NIL:
		weir_builder_nil(b);
		break;
	case MODEL_BOOL:
		weir_builder_bool(b, model_draw(m) % 2);
		break;
	case MODEL_INT:
		weir_builder_int(b, -1 - (int64_t)(model_number(m) >> 1));
		break;
	case MODEL_UINT:
		weir_builder_uint(b, model_number(m));
		break;
	case MODEL_DOUBLE:
		weir_builder_double(b, model_double(m));
		break;
	case MODEL_STRING:
	case MODEL_BINARY:
	case MODEL_EXT:
		count = model_length(m);
		model_fill(m, text, count);
		if (type == MODEL_STRING)
			weir_builder_string(b, text, count);
		else if (type == MODEL_BINARY)
			weir_builder_binary(b, text, count);
		else
			weir_builder_ext(b, (int8_t)model_draw(m), text, count);
		break;
	default:
		count = model_count(m, depth);
		open = model_draw(m) % 2;
		if (type == MODEL_ARRAY)
			weir_builder_array(b, open ? WEIR_BUILDER_OPEN : count);
		else
			weir_builder_map(b, open ? WEIR_BUILDER_OPEN : count);
		for (size_t i = 0; i < (type == MODEL_MAP ? 2 * count : count); i++)
			model_build(m, b, depth + 1);
		weir_builder_end(b);
	}
}

static inline bool model_is_data(struct model *m, enum model_type type,
				 const struct weir_object *o)
{
	size_t wanted = model_length(m), size = SIZE_MAX;
	char text[MODEL_TEXT_MAX + 1];
	const char *string = NULL;
	const void *data = NULL;
	int number = 0, result;

	model_fill(m, text, wanted);
	text[wanted] = '\0';
	if (type == MODEL_STRING) {
		result = weir_object_get_string(o, &string, &size);
		data = string;
	} else if (type == MODEL_BINARY) {
		result = weir_object_get_binary(o, &data, &size);
	} else {
		result = weir_object_get_ext(o, &number, &data, &size);
		if (number != (int8_t)model_draw(m))
			return false;
	}
	return result == 0 && size == wanted && memcmp(data, text, wanted + 1) == 0;
}

static inline bool model_is(struct model *m, const struct weir_object *o, unsigned int depth)
{
	enum model_type type = model_type(m, depth);
	uint64_t number;
	int64_t value;
	double real;
	size_t count;
	bool truth;

	switch (type) {
	case MODEL_NIL:
		return weir_object_type(o) == WEIR_OBJECT_NIL;
	case MODEL_BOOL:
		return weir_object_get_bool(o, &truth) == 0 && truth == model_draw(m) % 2;
	case MODEL_INT:
		return weir_object_get_int(o, &value) == 0 &&
		       value == -1 - (int64_t)(model_number(m) >> 1);
	case MODEL_UINT:
		return weir_object_get_uint(o, &number) == 0 && number == model_number(m);
	case MODEL_DOUBLE:
		return weir_object_get_double(o, &real) == 0 && real == model_double(m);
	case MODEL_STRING:
	case MODEL_BINARY:
	case MODEL_EXT:
		return model_is_data(m, type, o);
	default:
		count = model_count(m, depth);
		model_draw(m);
		if (weir_object_type(o) !=
		    (type == MODEL_ARRAY ? WEIR_OBJECT_ARRAY : WEIR_OBJECT_MAP) ||
		    weir_object_count(o) != count)
			return false;
		for (size_t i = 0; i < count; i++)
			if ((type == MODEL_MAP && !model_is(m, weir_object_key(o, i), depth + 1)) ||
			    !model_is(m, weir_object_at(o, i), depth + 1))
				return false;
		return true;
	}
}

/*
 * Without the library
 */

struct model_bytes {
	uint8_t *data;
	size_t size;
	size_t room;		/* what does not fit is left out, and size is more than room then */
	struct model choices;	/* of forms */
};

static inline void model_put(struct model_bytes *out, const void *data, size_t size)
{
	if (out->size + size <= out->room && size > 0)
		memcpy(out->data + out->size, data, size);
	out->size += size;
}

/* A first byte, and @width bytes of a number. */
static inline void model_put_head(struct model_bytes *out, uint8_t first, uint64_t number,
				  unsigned int width)
{
	uint8_t bytes[9] = { first };

	for (unsigned int i = 0; i < width; i++)
		bytes[1 + i] = (uint8_t)(number >> 8 * (width - 1 - i));
	model_put(out, bytes, 1 + width);
}

/* One of 1, 2, 4, 8 bytes (as a power of two), of which @least are needed, @most may be taken. */
static inline unsigned int model_width(struct model_bytes *out, unsigned int least,
				       unsigned int most)
{
	return least + (unsigned int)(model_draw(&out->choices) % (most - least + 1));
}

static inline unsigned int model_least_width(uint64_t number)
{
	return number <= UINT8_MAX ? 0 : number <= UINT16_MAX ? 1 : number <= UINT32_MAX ? 2 : 3;
}

static inline void model_put_uint(struct model_bytes *out, uint64_t number)
{
	unsigned int width = model_width(out, model_least_width(number), 3);

	if (number < 128 && model_draw(&out->choices) % 2)
		model_put_head(out, (uint8_t)number, 0, 0);
	else if (number <= (uint64_t)INT64_MAX >> (64 - (8 << width)) &&
		 model_draw(&out->choices) % 2)
		model_put_head(out, (uint8_t)(0xd0 + width), number, 1U << width);
	else
		model_put_head(out, (uint8_t)(0xcc + width), number, 1U << width);
}

static inline void model_put_negative(struct model_bytes *out, int64_t number)
{
	/* As wide as its opposite less one, with the bit for the sign. */
	unsigned int width = model_width(out, model_least_width((uint64_t)~number << 1), 3);

	if (number >= -32 && model_draw(&out->choices) % 2)
		model_put_head(out, (uint8_t)number, 0, 0);
	else
		model_put_head(out, (uint8_t)(0xd0 + width), (uint64_t)number, 1U << width);
}

/* The head of a string, binary data, or an array or map, whose count may be in the first byte. */
static inline void model_put_count(struct model_bytes *out, enum model_type type, size_t count)
{
	/* 0: there is no such form. By type from MODEL_STRING on. */
	static const uint8_t inside[] = { 0xa0, 0, 0, 0x90, 0x80 };
	static const uint8_t most[] = { 31, 0, 0, 15, 15 };
	static const uint8_t first[] = { 0xd9, 0xc4, 0xc7, 0xdc - 1, 0xde - 1 };
	unsigned int i = type - MODEL_STRING;
	unsigned int least = model_least_width(count), width;

	if (type >= MODEL_ARRAY && least == 0)
		least = 1;
	width = model_width(out, least, 2);
	if (count <= most[i] && inside[i] && model_draw(&out->choices) % 2)
		model_put_head(out, (uint8_t)(inside[i] | count), 0, 0);
	else
		model_put_head(out, (uint8_t)(first[i] + width), count, 1U << width);
}

static inline void model_put_ext(struct model_bytes *out, const char *text, size_t size,
				 int8_t type)
{
	static const uint8_t fixed[17] = { [1] = 0xd4, [2] = 0xd5, [4] = 0xd6, [8] = 0xd7,
					   [16] = 0xd8 };

	if (size <= 16 && fixed[size] && model_draw(&out->choices) % 2)
		model_put_head(out, fixed[size], 0, 0);
	else
		model_put_count(out, MODEL_EXT, size);
	model_put(out, &type, 1);
	model_put(out, text, size);
}

static inline void model_put_double(struct model_bytes *out, double value)
{
	float narrow = (float)value;
	uint64_t bits = 0;

	if ((double)narrow == value && model_draw(&out->choices) % 2) {
		memcpy(&bits, &narrow, sizeof(narrow));
		model_put_head(out, 0xca, bits, 4);
		return;
	}
	memcpy(&bits, &value, sizeof(value));
	model_put_head(out, 0xcb, bits, 8);
}

static inline void model_encode(struct model *m, struct model_bytes *out, unsigned int depth)
{
	enum model_type type = model_type(m, depth);
	char text[MODEL_TEXT_MAX];
	size_t count;

	switch (type) {
	case MODEL_NIL:
		model_put_head(out, 0xc0, 0, 0);
		break;
	case MODEL_BOOL:
		model_put_head(out, (uint8_t)(0xc2 + model_draw(m) % 2), 0, 0);
		break;
	case MODEL_INT:
		model_put_negative(out, -1 - (int64_t)(model_number(m) >> 1));
		break;
	case MODEL_UINT:
		model_put_uint(out, model_number(m));
		break;
	case MODEL_DOUBLE:
		model_put_double(out, model_double(m));
		break;
	case MODEL_STRING:
	case MODEL_BINARY:
		count = model_length(m);
		model_fill(m, text, count);
		model_put_count(out, type, count);
		model_put(out, text, count);
		break;
	case MODEL_EXT:
		count = model_length(m);
		model_fill(m, text, count);
		model_put_ext(out, text, count, (int8_t)model_draw(m));
		break;
	default:
		count = model_count(m, depth);
		model_draw(m);
		model_put_count(out, type, count);
		for (size_t i = 0; i < (type == MODEL_MAP ? 2 * count : count); i++)
			model_encode(m, out, depth + 1);
	}
}

#endif
