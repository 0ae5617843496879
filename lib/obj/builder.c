/* SPDX-License-Identifier: MIT */
/* Building objects value by value. What becomes a head, and how short, is msgpack-c's. */
#include "obj/builder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <msgpack/pack.h>

#include "obj/object.h"
#include "obj/utf8.h"

#define NS_MAX		999999999

static int fail(struct weir_builder *b, int error)
{
	b->error = error;
	return error;
}

static int make_room(struct weir_builder *b, size_t size)
{
	size_t room = b->room;
	char *data;

	if (size <= b->room - b->size)
		return 0;
	if (size > SIZE_MAX / 4 - b->size)
		return fail(b, -ENOMEM);
	while (room - b->size < size)
		room *= 2;
	data = realloc(b->data == b->small ? NULL : b->data, room);
	if (!data)
		return fail(b, -ENOMEM);
	if (b->data == b->small)
		memcpy(data, b->small, b->size);
	b->data = data;
	b->room = room;
	return 0;
}

/* How msgpack-c writes. */
static int append(void *builder, const char *bytes, size_t size)
{
	struct weir_builder *b = builder;

	if (make_room(b, size) < 0)
		return -1;
	if (size > 0)
		memcpy(b->data + b->size, bytes, size);
	b->size += size;
	return 0;
}

static msgpack_packer packer(struct weir_builder *b)
{
	return (msgpack_packer){ .data = b, .callback = append };
}

/* Whether one more value has its place; counts it. */
static int begin_value(struct weir_builder *b)
{
	struct builder_level *level;

	if (!b)
		return -EINVAL;
	if (b->error)
		return b->error;
	level = &b->levels[b->depth];
	if (level->count >= level->expected)
		return fail(b, -EINVAL);
	level->count++;
	return 0;
}

/* Data of @size bytes, if it can be written and there is some. */
static int begin_data(struct weir_builder *b, const void *data, size_t size)
{
	int result = begin_value(b);

	if (result < 0)
		return result;
	if (!data && size > 0)
		return fail(b, -EINVAL);
	return size > UINT32_MAX ? fail(b, -EMSGSIZE) : 0;
}

int weir_builder_nil(struct weir_builder *builder)
{
	int result = begin_value(builder);
	msgpack_packer p = packer(builder);

	if (result < 0)
		return result;
	msgpack_pack_nil(&p);
	return builder->error;
}

int weir_builder_bool(struct weir_builder *builder, bool value)
{
	int result = begin_value(builder);
	msgpack_packer p = packer(builder);

	if (result < 0)
		return result;
	if (value)
		msgpack_pack_true(&p);
	else
		msgpack_pack_false(&p);
	return builder->error;
}

int weir_builder_int(struct weir_builder *builder, int64_t value)
{
	int result = begin_value(builder);
	msgpack_packer p = packer(builder);

	if (result < 0)
		return result;
	msgpack_pack_int64(&p, value);
	return builder->error;
}

int weir_builder_uint(struct weir_builder *builder, uint64_t value)
{
	int result = begin_value(builder);
	msgpack_packer p = packer(builder);

	if (result < 0)
		return result;
	msgpack_pack_uint64(&p, value);
	return builder->error;
}

int weir_builder_double(struct weir_builder *builder, double value)
{
	int result = begin_value(builder);
	msgpack_packer p = packer(builder);

	if (result < 0)
		return result;
	msgpack_pack_double(&p, value);
	return builder->error;
}

int weir_builder_string(struct weir_builder *builder, const char *text, size_t size)
{
	int result = begin_data(builder, text, size);
	msgpack_packer p = packer(builder);

	if (result < 0)
		return result;
	/* Others refuse what is not UTF-8, and would not get the object at all. */
	if (!utf8_valid(text, size))
		return fail(builder, -EILSEQ);
	if (msgpack_pack_str(&p, size) == 0)
		msgpack_pack_str_body(&p, text, size);
	return builder->error;
}

int weir_builder_binary(struct weir_builder *builder, const void *data, size_t size)
{
	int result = begin_data(builder, data, size);
	msgpack_packer p = packer(builder);

	if (result < 0)
		return result;
	if (msgpack_pack_bin(&p, size) == 0)
		msgpack_pack_bin_body(&p, data, size);
	return builder->error;
}

int weir_builder_ext(struct weir_builder *builder, int number, const void *data, size_t size)
{
	int result = begin_data(builder, data, size);
	msgpack_packer p = packer(builder);

	if (result < 0)
		return result;
	if (number < INT8_MIN || number > INT8_MAX)
		return fail(builder, -ERANGE);
	if (msgpack_pack_ext(&p, size, (int8_t)number) == 0)
		msgpack_pack_ext_body(&p, data, size);
	return builder->error;
}

int weir_builder_time(struct weir_builder *builder, const struct timespec *time)
{
	int result = begin_data(builder, time, sizeof(*time));
	msgpack_packer p = packer(builder);
	msgpack_timestamp stamp;

	if (result < 0)
		return result;
	if (time->tv_nsec < 0 || time->tv_nsec > NS_MAX)
		return fail(builder, -ERANGE);
	stamp = (msgpack_timestamp){ .tv_sec = time->tv_sec, .tv_nsec = (uint32_t)time->tv_nsec };
	msgpack_pack_timestamp(&p, &stamp);
	return builder->error;
}

/* How many arrays and maps are inside each other in @value, itself one of them. */
static unsigned int depth_of(const msgpack_object *value)
{
	const struct weir_object *object = object_of(value);
	size_t count = weir_object_count(object);
	unsigned int deepest = 0;

	if (value->type != MSGPACK_OBJECT_ARRAY && value->type != MSGPACK_OBJECT_MAP)
		return 0;
	for (size_t i = 0; i < count; i++) {
		const struct weir_object *key = weir_object_key(object, i);
		unsigned int depth = depth_of(&weir_object_at(object, i)->value);

		deepest = depth > deepest ? depth : deepest;
		depth = key ? depth_of(&key->value) : 0;
		deepest = depth > deepest ? depth : deepest;
	}
	return deepest + 1;
}

int weir_builder_object(struct weir_builder *builder, const struct weir_object *object)
{
	int result = begin_value(builder);
	msgpack_packer p = packer(builder);

	if (result < 0)
		return result;
	if (!object)
		return fail(builder, -EINVAL);
	/* The outermost level of a builder has no limit to check, for the object has one itself. */
	if (builder->depth > 0 &&
	    depth_of(&object->value) > WEIR_OBJECT_DEPTH - builder->depth)
		return fail(builder, -EINVAL);
	msgpack_pack_object(&p, object->value);
	return builder->error;
}

/* What stands before the elements of an array or a map. */
struct head {
	size_t size;
	char bytes[8];
};

static int append_to_head(void *head, const char *bytes, size_t size)
{
	struct head *h = head;

	memcpy(h->bytes + h->size, bytes, size);
	h->size += size;
	return 0;
}

static struct head head_of(bool is_map, size_t count)
{
	struct head head = { 0 };
	msgpack_packer p = { .data = &head, .callback = append_to_head };

	if (is_map)
		msgpack_pack_map(&p, count);
	else
		msgpack_pack_array(&p, count);
	return head;
}

static int begin_container(struct weir_builder *b, bool is_map, size_t count)
{
	bool is_open = count == WEIR_BUILDER_OPEN;
	int result = begin_value(b);
	struct head head;

	if (result < 0)
		return result;
	if (b->depth == WEIR_OBJECT_DEPTH)
		return fail(b, -EINVAL);
	if (!is_open && count > UINT32_MAX)
		return fail(b, -EMSGSIZE);
	b->levels[++b->depth] = (struct builder_level){
		.head = b->size,
		.is_map = is_map,
		.expected = is_open ? WEIR_BUILDER_OPEN : is_map ? 2 * count : count,
	};
	head = head_of(is_map, is_open ? 0 : count);
	append(b, head.bytes, head.size);
	return b->error;
}

int weir_builder_array(struct weir_builder *builder, size_t count)
{
	return begin_container(builder, false, count);
}

int weir_builder_map(struct weir_builder *builder, size_t count)
{
	return begin_container(builder, true, count);
}

/* Now the count is known: put it in its place, and move what is behind that if it needs more. */
static int fill_head(struct weir_builder *b, const struct builder_level *level, size_t count)
{
	struct head head = head_of(level->is_map, count);
	size_t longer = head.size - 1, behind = level->head + 1;

	if (longer > 0) {
		if (make_room(b, longer) < 0)
			return b->error;
		memmove(b->data + behind + longer, b->data + behind, b->size - behind);
		b->size += longer;
	}
	memcpy(b->data + level->head, head.bytes, head.size);
	return 0;
}

int weir_builder_end(struct weir_builder *builder)
{
	struct builder_level *level;
	size_t count;

	if (!builder)
		return -EINVAL;
	if (builder->error)
		return builder->error;
	level = &builder->levels[builder->depth];
	if (builder->depth == 0 || (level->is_map && level->count % 2 != 0))
		return fail(builder, -EINVAL);
	builder->depth--;
	if (level->expected != WEIR_BUILDER_OPEN)
		return level->count == level->expected ? 0 : fail(builder, -EINVAL);
	count = level->is_map ? level->count / 2 : level->count;
	if (count > UINT32_MAX)
		return fail(builder, -EMSGSIZE);
	return fill_head(builder, level, count);
}

int weir_builder_data(const struct weir_builder *builder, const void **ret_data, size_t *ret_size)
{
	if (!builder || !ret_data || !ret_size)
		return -EINVAL;
	if (builder->error)
		return builder->error;
	if (builder->depth > 0 || builder->levels[0].count == 0)
		return -EINVAL;
	*ret_data = builder->data;
	*ret_size = builder->size;
	return 0;
}

int weir_builder_build(const struct weir_builder *builder, struct weir_object **ret_object)
{
	const void *data;
	size_t size;
	int result = weir_builder_data(builder, &data, &size);

	return result < 0 ? result : weir_object_decode(data, size, ret_object);
}

int weir_builder_send(const struct weir_builder *builder, struct weir_end *end, uint32_t flags,
		      int64_t deadline)
{
	const void *data;
	size_t size;
	int result = weir_builder_data(builder, &data, &size);

	return result < 0 ? result : weir_pipe_send(end, data, size, flags, deadline);
}

static void empty(struct weir_builder *b)
{
	b->error = 0;
	b->depth = 0;
	b->size = 0;
	/* Outside of all there is one value. */
	b->levels[0] = (struct builder_level){ .expected = 1 };
}

void builder_init(struct weir_builder *b)
{
	b->data = b->small;
	b->room = BUILDER_SMALL;
	empty(b);
}

void builder_deinit(struct weir_builder *b)
{
	if (b->data != b->small)
		free(b->data);
}

int weir_builder_new(struct weir_builder **ret_builder)
{
	struct weir_builder *b;

	if (!ret_builder)
		return -EINVAL;
	b = malloc(sizeof(*b));
	if (!b)
		return -ENOMEM;
	builder_init(b);
	*ret_builder = b;
	return 0;
}

void weir_builder_free(struct weir_builder *builder)
{
	if (!builder)
		return;
	builder_deinit(builder);
	free(builder);
}

int weir_builder_reset(struct weir_builder *builder)
{
	if (!builder)
		return -EINVAL;
	empty(builder);
	return 0;
}
