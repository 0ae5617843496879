/* SPDX-License-Identifier: MIT */
/* Bytes become objects: measured first, then taken over by msgpack-c. */
#include "obj/object.h"

#include <errno.h>
#include <msgpack/unpack.h>
#include <stdlib.h>

/* What a value is made of, by its first byte, for 0xc0 to 0xdf; the others are in read_head(). */
static const struct shape {
	uint8_t width;		/* bytes of the number that follows: a length, or the value */
	uint8_t fixed;		/* bytes that follow besides */
	uint8_t values;		/* values that follow for each of the number */
	bool is_length;		/* the number says how many bytes follow */
	bool is_none;		/* no value begins so */
} shapes[32] = {
	[0x01] = { .is_none = true },
	[0x04] = { .width = 1, .is_length = true },	/* binary */
	[0x05] = { .width = 2, .is_length = true },
	[0x06] = { .width = 4, .is_length = true },
	[0x07] = { .width = 1, .is_length = true, .fixed = 1 },	/* extensions */
	[0x08] = { .width = 2, .is_length = true, .fixed = 1 },
	[0x09] = { .width = 4, .is_length = true, .fixed = 1 },
	[0x0a] = { .fixed = 4 },	/* float, double */
	[0x0b] = { .fixed = 8 },
	[0x0c] = { .fixed = 1 },	/* without a sign, with one */
	[0x0d] = { .fixed = 2 },
	[0x0e] = { .fixed = 4 },
	[0x0f] = { .fixed = 8 },
	[0x10] = { .fixed = 1 },
	[0x11] = { .fixed = 2 },
	[0x12] = { .fixed = 4 },
	[0x13] = { .fixed = 8 },
	[0x14] = { .fixed = 1 + 1 },	/* extensions of a fixed length */
	[0x15] = { .fixed = 1 + 2 },
	[0x16] = { .fixed = 1 + 4 },
	[0x17] = { .fixed = 1 + 8 },
	[0x18] = { .fixed = 1 + 16 },
	[0x19] = { .width = 1, .is_length = true },	/* strings */
	[0x1a] = { .width = 2, .is_length = true },
	[0x1b] = { .width = 4, .is_length = true },
	[0x1c] = { .width = 2, .values = 1 },	/* arrays */
	[0x1d] = { .width = 4, .values = 1 },
	[0x1e] = { .width = 2, .values = 2 },	/* maps */
	[0x1f] = { .width = 4, .values = 2 },
};

struct bytes {
	const uint8_t *at;
	const uint8_t *end;
};

static size_t left(const struct bytes *b)
{
	return (size_t)(b->end - b->at);
}

static uint64_t read_number(struct bytes *b, size_t width)
{
	uint64_t number = 0;

	while (width-- > 0)
		number = number << 8 | *b->at++;
	return number;
}

/* What the head of a value says. */
struct head {
	uint64_t skip;		/* bytes behind it that belong to it */
	uint64_t values;	/* values inside of it */
	bool is_container;
};

/* First bytes other than 0xc0 to 0xdf are the whole head. */
static struct head short_head(uint8_t first)
{
	switch (first >> 4) {
	case 0x8:
		return (struct head){ .values = 2 * (first & 0x0f), .is_container = true };
	case 0x9:
		return (struct head){ .values = first & 0x0f, .is_container = true };
	case 0xa:
	case 0xb:
		return (struct head){ .skip = first & 0x1f };
	default:
		return (struct head){ 0 };
	}
}

static int long_head(struct bytes *b, uint8_t first, struct head *ret_head)
{
	const struct shape *shape = &shapes[first & 0x1f];
	uint64_t number;

	if (shape->is_none || shape->width > left(b))
		return -EPROTO;
	number = read_number(b, shape->width);
	*ret_head = (struct head){
		.skip = shape->fixed + (shape->is_length ? number : 0),
		.values = shape->values * number,
		.is_container = shape->values > 0,
	};
	return 0;
}

/* Step over one value, but not over those inside of it. */
static int step(struct bytes *b, struct head *ret_head)
{
	uint8_t first;

	if (left(b) == 0)
		return -EPROTO;
	first = *b->at++;
	if (first < 0xc0 || first > 0xdf)
		*ret_head = short_head(first);
	else if (long_head(b, first, ret_head) < 0)
		return -EPROTO;
	if (ret_head->skip > left(b))
		return -EPROTO;
	b->at += ret_head->skip;
	/* Each takes one byte at least: so many cannot be there. */
	return ret_head->values <= left(b) ? 0 : -EPROTO;
}

int object_measure(const void *data, size_t size, size_t *ret_values)
{
	struct bytes b = { .at = data, .end = (const uint8_t *)data + size };
	/* How many values are still to come at each depth; of the outermost there is one. */
	uint64_t missing[WEIR_OBJECT_DEPTH + 1] = { 1 };
	size_t depth = 0, all = 0;
	struct head head;

	while (missing[0] > 0 || depth > 0) {
		if (missing[depth] == 0) {
			depth--;
			continue;
		}
		missing[depth]--;
		/* Empty ones count, as in msgpack-c, whose limit is the same. */
		if (step(&b, &head) < 0 || (head.is_container && depth == WEIR_OBJECT_DEPTH))
			return -EPROTO;
		all += head.values;
		if (head.values > 0)
			missing[++depth] = head.values;
	}
	if (left(&b) > 0)
		return -EPROTO;
	*ret_values = all;
	return 0;
}

static void end_text(struct object_whole *whole, const char **text, uint32_t size)
{
	/* Where msgpack-c lets the pointer of an empty one point is its own affair. */
	if (size == 0)
		*text = "";
	else
		whole->bytes[*text - whole->bytes + size] = '\0';
}

/* Put a NUL behind each string and the like. As deep as object_measure() has allowed. */
static void end_texts(struct object_whole *whole, msgpack_object *value)
{
	switch (value->type) {
	case MSGPACK_OBJECT_STR:
		end_text(whole, &value->via.str.ptr, value->via.str.size);
		break;
	case MSGPACK_OBJECT_BIN:
		end_text(whole, &value->via.bin.ptr, value->via.bin.size);
		break;
	case MSGPACK_OBJECT_EXT:
		end_text(whole, &value->via.ext.ptr, value->via.ext.size);
		break;
	case MSGPACK_OBJECT_ARRAY:
		for (uint32_t i = 0; i < value->via.array.size; i++)
			end_texts(whole, &value->via.array.ptr[i]);
		break;
	case MSGPACK_OBJECT_MAP:
		for (uint32_t i = 0; i < value->via.map.size; i++) {
			end_texts(whole, &value->via.map.ptr[i].key);
			end_texts(whole, &value->via.map.ptr[i].val);
		}
		break;
	default:
		break;
	}
}

struct object_whole *object_new(size_t size)
{
	if (size >= SIZE_MAX - sizeof(struct object_whole))
		return NULL;
	return malloc(sizeof(struct object_whole) + size + 1);
}

static int grow(struct object_whole *whole, size_t size)
{
	size_t values, offset = 0;
	int result = object_measure(whole->bytes, size, &values);

	if (result < 0)
		return result;
	/* For a scalar too: without a zone, msgpack-c would make one and forget it. */
	if (!msgpack_zone_init(&whole->zone, (values + 1) * sizeof(msgpack_object)))
		return -ENOMEM;
	switch (msgpack_unpack(whole->bytes, size, &offset, &whole->zone, &whole->object.value)) {
	case MSGPACK_UNPACK_SUCCESS:
		return 0;
	case MSGPACK_UNPACK_NOMEM_ERROR:
		result = -ENOMEM;
		break;
	default:
		result = -EPROTO;
		break;
	}
	msgpack_zone_destroy(&whole->zone);
	return result;
}

int object_grow(struct object_whole *whole, size_t size, struct weir_object **ret_object)
{
	int result = grow(whole, size);

	if (result < 0) {
		free(whole);
		return result;
	}
	end_texts(whole, &whole->object.value);
	*ret_object = &whole->object;
	return 0;
}

int weir_object_decode(const void *data, size_t size, struct weir_object **ret_object)
{
	struct object_whole *whole;

	if ((!data && size > 0) || !ret_object)
		return -EINVAL;
	whole = object_new(size);
	if (!whole)
		return -ENOMEM;
	if (size > 0)
		memcpy(whole->bytes, data, size);
	return object_grow(whole, size, ret_object);
}

void weir_object_free(struct weir_object *object)
{
	struct object_whole *whole = (struct object_whole *)object;

	if (!whole)
		return;
	msgpack_zone_destroy(&whole->zone);
	free(whole);
}
