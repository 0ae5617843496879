/* SPDX-License-Identifier: MIT */
#include "obj/array.h"

#include <errno.h>
#include <string.h>

#define ALIGNMENT_SHIFT_MAX	12	/* the body begins with a page */

/*
 * Types
 */

static bool type_is_valid(uint64_t type)
{
	uint64_t size = WEIR_TYPE_SIZE(type), shift = type >> 8 & 0xff;

	if (shift > ALIGNMENT_SHIFT_MAX || size == 0 || size % WEIR_TYPE_ALIGNMENT(type) != 0)
		return false;
	switch (WEIR_TYPE_CODE(type)) {
	case WEIR_CODE_STRUCT:
		return true;
	case WEIR_CODE_BOOL:
	case WEIR_CODE_CHAR:
		return size == 1;
	case WEIR_CODE_INT:
	case WEIR_CODE_UINT:
		return size <= 8 && size == WEIR_TYPE_ALIGNMENT(type);
	case WEIR_CODE_FLOAT:
		return size >= 4 && size <= 16 && size == WEIR_TYPE_ALIGNMENT(type);
	default:
		return false;
	}
}

static uint64_t type_of(const struct weir_commons_geometry *g)
{
	return WEIR_TYPE_MAKE(g->type & 0xff, g->element_size, __builtin_ctzll(g->limit | 1 << 30));
}

/* Whether one is a word, for the processor. */
static bool is_atomic(uint64_t type)
{
	uint64_t size = WEIR_TYPE_SIZE(type);

	return size <= WORD && (size & (size - 1)) == 0 && WEIR_TYPE_ALIGNMENT(type) == size;
}

/* Bytes of the elements, a multiple of the words in which they are copied; 0: too many. */
static uint64_t bytes_of(uint64_t count, uint64_t element_size)
{
	uint64_t bytes;

	if (__builtin_mul_overflow(count, element_size, &bytes) || bytes > ARRAY_BYTES_MAX)
		return 0;
	return align_up(bytes, WORD);
}

static uint64_t body_size(uint64_t bytes, uint32_t flags)
{
	return flags & ARRAY_RAW ? bytes : 2 * bytes;
}

/*
 * Handles
 */

static int check(const struct weir_commons_geometry *g, uint64_t size)
{
	uint64_t bytes;

	if (g->flags != 0 && g->flags != ARRAY_OWN_LOCK && g->flags != ARRAY_RAW)
		return -EBADMSG;
	if (g->element_size >> 48 || g->type > 0xff || (g->limit & (g->limit - 1)) != 0 ||
	    !type_is_valid(type_of(g)) || WEIR_TYPE_ALIGNMENT(type_of(g)) != g->limit)
		return -EBADMSG;
	bytes = bytes_of(g->count, g->element_size);
	return bytes == 0 || size != body_size(bytes, g->flags) ? -EBADMSG : 0;
}

static int check_value(const struct weir_commons_geometry *g, uint64_t size)
{
	return g->count == 1 ? check(g, size) : -EBADMSG;
}

static int opened(struct shared *s)
{
	struct weir_array *a = array_of(s);
	const struct weir_commons_geometry *g = &s->commons.geometry;
	uint64_t bytes = bytes_of(g->count, g->element_size);

	/* A lock was given with it, if there is no other, and only then. */
	if ((g->flags & (ARRAY_OWN_LOCK | ARRAY_RAW)) ? s->with != NULL : !s->with)
		return -EBADMSG;
	if (!(g->flags & ARRAY_RAW))
		a->holder = s->with ? s->with : s;
	a->state = s->commons.state;
	a->type = type_of(g);
	a->count = g->count;
	a->element_size = g->element_size;
	a->is_atomic = is_atomic(a->type);
	a->redo = (struct redo){
		.log = &a->state->redo,
		.place = s->commons.body,
		.shadow = s->commons.body + bytes,
		.size = bytes,
	};
	return 0;
}

#define KIND(number, in_memory, handle, function) \
	{ \
		.kind = (number), \
		.object = (in_memory), \
		.handle_size = sizeof(handle), \
		.has_event = true, \
		.check = (function), \
		.opened = opened, \
		.settle = array_settle, \
		.rouse = array_rouse, \
		.ready = array_ready, \
		.bell = array_bell, \
	}

const struct shared_kind shared_kind_array =
	KIND(WEIR_KIND_ARRAY, WEIR_OBJECT_SHARED_ARRAY, struct weir_array, check);
const struct shared_kind shared_kind_value =
	KIND(WEIR_KIND_VALUE, WEIR_OBJECT_SHARED_VALUE, struct weir_value, check_value);

static int check_options(const struct weir_array_options *o)
{
	if (!o || o->size != sizeof(*o) || (o->flags & ~WEIR_ARRAY_RAW) || o->reserved != 0 ||
	    !type_is_valid(o->type) || o->count == 0 ||
	    (o->lock && ((o->flags & WEIR_ARRAY_RAW) || o->lock->shared.kind != WEIR_KIND_LOCK)))
		return -EINVAL;
	return bytes_of(o->count, WEIR_TYPE_SIZE(o->type)) == 0 ? -EFBIG : 0;
}

static uint32_t geometry_flags(const struct weir_array_options *o)
{
	if (o->flags & WEIR_ARRAY_RAW)
		return ARRAY_RAW;
	return o->lock ? 0 : ARRAY_OWN_LOCK;
}

int array_create(const struct shared_kind *is, const struct weir_array_options *o, void *ret_handle)
{
	int result = ret_handle ? check_options(o) : -EINVAL;
	struct weir_commons_geometry g;
	struct weir_array *a;
	uint64_t bytes;

	if (result < 0)
		return result;
	bytes = bytes_of(o->count, WEIR_TYPE_SIZE(o->type));
	g = (struct weir_commons_geometry){
		.flags = geometry_flags(o),
		.type = WEIR_TYPE_CODE(o->type),
		.count = o->count,
		.element_size = WEIR_TYPE_SIZE(o->type),
		.limit = WEIR_TYPE_ALIGNMENT(o->type),
	};
	result = shared_create(is, &g, body_size(bytes, g.flags),
			       o->lock ? &o->lock->shared : NULL, &a);
	if (result < 0)
		return result;
	if (o->initial)
		memcpy(a->redo.place, o->initial, o->count * WEIR_TYPE_SIZE(o->type));
	*(struct weir_array **)ret_handle = a;
	return 0;
}

int weir_array(struct weir_array **ret_array, const struct weir_array_options *options)
{
	return array_create(&shared_kind_array, options, ret_array);
}

int weir_array_stat(struct weir_array *array, struct weir_array_stat *ret_stat)
{
	if (!array || !ret_stat || ret_stat->size != sizeof(*ret_stat))
		return -EINVAL;
	*ret_stat = (struct weir_array_stat){
		.size = sizeof(*ret_stat),
		.flags = array->holder ? 0 : WEIR_ARRAY_RAW,
		.type = array->type,
		.count = array->count,
		.updates = (redo_version(&array->redo) + 1) / 2,
	};
	return 0;
}

int weir_array_check(struct weir_array *array, uint64_t type, uint64_t count)
{
	if (!array)
		return -EINVAL;
	return (type == 0 || type == array->type) && (count == 0 || count == array->count)
		? 0 : -EPROTO;
}

void *weir_array_data(struct weir_array *array)
{
	return array ? array->redo.place : NULL;
}

void weir_array_close(struct weir_array *array)
{
	if (!array)
		return;
	array_drop_draft(array, array->draft);
	shared_close(&array->shared);
}

/*
 * The lock
 */

void array_tell_next(struct weir_array *a)
{
	or_relaxed(&a->state->flags, ARRAY_UNTOLD);	/* relaxed: the lock is ours */
}

int array_clear_up(struct weir_array *a, int result)
{
	int finished = redo_finish(&a->redo);

	if (finished < 0)
		return finished;
	/* relaxed: it is set and cleared under the lock */
	if (load_relaxed(&a->state->flags) & ARRAY_UNTOLD) {
		and_relaxed(&a->state->flags, ~ARRAY_UNTOLD);	/* relaxed: as above */
		return WEIR_OWNER_DIED;
	}
	return finished ? WEIR_OWNER_DIED : result;
}

struct weir_lock *weir_array_lock(struct weir_array *array)
{
	/* That of the array's own commons is used through the array's handle: it begins alike. */
	return array ? (struct weir_lock *)array->holder : NULL;
}

int weir_array_acquire(struct weir_array *array, uint32_t flags, int64_t deadline)
{
	struct weir_lock *lock;
	int result;

	if (unlikely(!array))
		return -EINVAL;
	lock = weir_array_lock(array);
	if (!lock)
		return -EOPNOTSUPP;
	result = weir_lock_acquire(lock, flags, deadline);
	if (unlikely(result >= 0 && !array_is_clear(array))) {
		result = array_clear_up(array, result);
		if (result < 0)
			weir_lock_release(lock);
	}
	return result;
}

int weir_array_release(struct weir_array *array)
{
	if (unlikely(!array))
		return -EINVAL;
	return array->holder ? weir_lock_release(weir_array_lock(array)) : -EOPNOTSUPP;
}

int weir_array_use_lock(struct weir_array *array, struct weir_lock *lock)
{
	struct shared *with;

	if (!array || !lock || lock->shared.kind != WEIR_KIND_LOCK)
		return -EINVAL;
	with = array->shared.with;
	if (!with)
		return -EOPNOTSUPP;
	if (with->commons.device != lock->shared.commons.device ||
	    with->commons.inode != lock->shared.commons.inode)
		return -EPROTO;
	if (with == &lock->shared)
		return 0;
	if (array->shared.owns_with)
		shared_close(with);
	array->shared.owns_with = false;
	array->shared.with = &lock->shared;
	array->holder = &lock->shared;
	return 0;
}
