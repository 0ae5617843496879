/* SPDX-License-Identifier: MIT */
/* A value is an array of one element. */
#include "weir/value.h"

#include <errno.h>

#include "obj/array.h"

static struct weir_array *of(struct weir_value *value)
{
	return value ? &value->array : NULL;
}

int weir_value(struct weir_value **ret_value, const struct weir_value_options *options)
{
	struct weir_array_options o;

	if (!options || options->size != sizeof(*options))
		return -EINVAL;
	o = (struct weir_array_options){
		.size = sizeof(o),
		.flags = options->flags,
		.reserved = options->reserved,
		.type = options->type,
		.count = 1,
		.initial = options->initial,
		.lock = options->lock,
	};
	return array_create(&shared_kind_value, &o, ret_value);
}

int weir_value_check(struct weir_value *value, uint64_t type)
{
	return weir_array_check(of(value), type, 1);
}

uint64_t weir_value_type(struct weir_value *value)
{
	return value ? value->array.type : 0;
}

int weir_value_acquire(struct weir_value *value, uint32_t flags, int64_t deadline)
{
	return weir_array_acquire(of(value), flags, deadline);
}

int weir_value_release(struct weir_value *value)
{
	return weir_array_release(of(value));
}

struct weir_lock *weir_value_lock(struct weir_value *value)
{
	return weir_array_lock(of(value));
}

int weir_value_use_lock(struct weir_value *value, struct weir_lock *lock)
{
	return weir_array_use_lock(of(value), lock);
}

int weir_value_get(struct weir_value *value, uint64_t type, void *ret_data, uint32_t flags,
		   int64_t deadline)
{
	return weir_array_get(of(value), type, 0, ret_data, flags, deadline);
}

int weir_value_set(struct weir_value *value, uint64_t type, const void *data, uint32_t flags,
		   int64_t deadline)
{
	return weir_array_set(of(value), type, 0, data, flags, deadline);
}

int weir_value_begin(struct weir_value *value, uint64_t type, uint32_t flags, int64_t deadline,
		     void **ret_data)
{
	return weir_array_begin(of(value), type, 0, 1, flags, deadline, ret_data);
}

int weir_value_commit(struct weir_value *value)
{
	return weir_array_commit(of(value));
}

int weir_value_cancel(struct weir_value *value)
{
	return weir_array_cancel(of(value));
}

int weir_value_edit(struct weir_value *value, uint64_t type,
		    int (*edit)(void *data, uint64_t count, void *arg), void *arg, uint32_t flags,
		    int64_t deadline)
{
	return weir_array_edit(of(value), type, 0, 1, edit, arg, flags, deadline);
}

int weir_value_load(struct weir_value *value, uint64_t type, void *ret_data)
{
	return weir_array_load(of(value), type, 0, ret_data);
}

int weir_value_store(struct weir_value *value, uint64_t type, const void *data)
{
	return weir_array_store(of(value), type, 0, data);
}

int weir_value_exchange(struct weir_value *value, uint64_t type, const void *data, void *ret_was)
{
	return weir_array_exchange(of(value), type, 0, data, ret_was);
}

int weir_value_compare_exchange(struct weir_value *value, uint64_t type, void *expected,
				const void *data)
{
	return weir_array_compare_exchange(of(value), type, 0, expected, data);
}

int weir_value_add(struct weir_value *value, uint64_t type, const void *operand, void *ret_was)
{
	return weir_array_add(of(value), type, 0, operand, ret_was);
}

int weir_value_and(struct weir_value *value, uint64_t type, const void *operand, void *ret_was)
{
	return weir_array_and(of(value), type, 0, operand, ret_was);
}

int weir_value_or(struct weir_value *value, uint64_t type, const void *operand, void *ret_was)
{
	return weir_array_or(of(value), type, 0, operand, ret_was);
}

int weir_value_xor(struct weir_value *value, uint64_t type, const void *operand, void *ret_was)
{
	return weir_array_xor(of(value), type, 0, operand, ret_was);
}

void *weir_value_data(struct weir_value *value)
{
	return weir_array_data(of(value));
}

int weir_value_changes(struct weir_value *value, uint64_t *ret_changes)
{
	return weir_array_changes(of(value), ret_changes);
}

int weir_value_wait(struct weir_value *value, uint64_t seen, uint32_t flags, int64_t deadline,
		    uint64_t *ret_changes)
{
	return weir_array_wait(of(value), seen, flags, deadline, ret_changes);
}

void weir_value_close(struct weir_value *value)
{
	weir_array_close(of(value));
}
