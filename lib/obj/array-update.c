/* SPDX-License-Identifier: MIT */
/*
 * Reading an array, and updates: changes under its lock that are whole, whoever reads meanwhile and
 * wherever the process dies. How, says ring/redo.h.
 */
#include "obj/array.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* How often to read while others write before it is time to keep them from it. */
#define READ_TRIES	8

/*
 * Reading
 */

/* Others kept writing: with the lock nobody does. */
static int read_alone(struct weir_array *a, uint64_t from, uint64_t size, void *data,
		      uint32_t flags, int64_t deadline)
{
	bool nested;
	int result = array_enter(a, flags, deadline, &nested);

	if (result < 0)
		return result;
	if (result > 0)
		array_tell_next(a);
	words_load(data, a->redo.place + from, size);
	array_leave(a, nested);
	return 0;
}

static COLD int read_again(struct weir_array *a, uint64_t from, uint64_t size, void *data,
			   uint32_t flags, int64_t deadline)
{
	for (int i = 0; i < READ_TRIES; i++) {
		int result;

		cpu_relax();
		result = redo_read(&a->redo, from, size, data);
		if (result != -EAGAIN)
			return result;
	}
	return read_alone(a, from, size, data, flags, deadline);
}

static ALWAYS_INLINE int read_elements(struct weir_array *array, uint64_t type, int64_t first,
				       uint64_t count, void *ret_elements, uint32_t flags,
				       int64_t deadline)
{
	uint64_t from, size;
	int result;

	if (unlikely(!array || !ret_elements || (flags & ~ARRAY_CALL_FLAGS)))
		return -EINVAL;
	result = array_locate(array, type, first, count, &from);
	if (unlikely(result < 0))
		return result;
	size = count * array->element_size;
	/* A raw one's version is always the same. */
	result = redo_read(&array->redo, from, size, ret_elements);
	if (likely(result != -EAGAIN))
		return result;
	return array->holder ? read_again(array, from, size, ret_elements, flags, deadline)
			     : -EBADMSG;
}

int weir_array_read(struct weir_array *array, uint64_t type, int64_t first, uint64_t count,
		    void *ret_elements, uint32_t flags, int64_t deadline)
{
	return read_elements(array, type, first, count, ret_elements, flags, deadline);
}

int weir_array_get(struct weir_array *array, uint64_t type, int64_t index, void *ret_element,
		   uint32_t flags, int64_t deadline)
{
	return read_elements(array, type, index, 1, ret_element, flags, deadline);
}

/*
 * Updates
 */

static int write_raw(struct weir_array *a, uint64_t from, uint64_t size, const void *data)
{
	bool marked = array_is_watched(a) && array_mark(a);

	words_store(a->redo.place + from, data, size);
	array_count_change(a, marked);
	return 0;
}

static ALWAYS_INLINE int write_elements(struct weir_array *array, uint64_t type, int64_t first,
					uint64_t count, const void *elements, uint32_t flags,
					int64_t deadline)
{
	uint64_t from;
	bool nested;
	int result;

	if (unlikely(!array || !elements || (flags & ~ARRAY_CALL_FLAGS)))
		return -EINVAL;
	result = array_locate(array, type, first, count, &from);
	if (unlikely(result < 0))
		return result;
	if (!array->holder)
		return write_raw(array, from, count * array->element_size, elements);
	result = array_enter(array, flags, deadline, &nested);
	if (unlikely(result < 0))
		return result;
	redo_write(&array->redo, from, count * array->element_size, elements);
	array_leave(array, nested);
	array_changed(array);
	return result;
}

int weir_array_write(struct weir_array *array, uint64_t type, int64_t first, uint64_t count,
		     const void *elements, uint32_t flags, int64_t deadline)
{
	return write_elements(array, type, first, count, elements, flags, deadline);
}

int weir_array_set(struct weir_array *array, uint64_t type, int64_t index, const void *element,
		   uint32_t flags, int64_t deadline)
{
	return write_elements(array, type, index, 1, element, flags, deadline);
}

/*
 * Updates in two steps. The copy is this process's: what a caller stores in there, plainly, no
 * reader ever sees, and nobody else can change it before it is stored.
 */

static struct array_draft *new_draft(const struct weir_array *a, uint64_t from, uint64_t size)
{
	uint64_t alignment = WEIR_TYPE_ALIGNMENT(a->type), before;
	struct array_draft *d;

	/* What is before the bytes keeps them aligned. */
	before = align_up(sizeof(*d), alignment);
	if (alignment < _Alignof(struct array_draft))
		alignment = _Alignof(struct array_draft);
	d = aligned_alloc(alignment, align_up(before + size, alignment));
	if (d)
		*d = (struct array_draft){ from, size, (uint8_t *)d + before, false };
	return d;
}

/* Take the lock, and make the copy: as array_enter(), or -EBUSY. */
static int draft(struct weir_array *a, struct array_draft *d, uint32_t flags, int64_t deadline)
{
	uint64_t me;
	int result;

	if (array_is_mine(a, &me) && a->draft && a->drafter == me)
		return -EBUSY;
	result = array_enter(a, flags, deadline, &d->nested);
	if (result < 0)
		return result;
	array_is_mine(a, &me);
	/*
	 * One that is left there is ours if somebody else has released our lock. If it is another
	 * thread's, that one may still be at it.
	 */
	if (a->drafter == me)
		free(a->draft);
	words_load(d->bytes, a->redo.place + d->from, d->size);
	a->draft = d;
	a->drafter = me;
	return result;
}

int weir_array_begin(struct weir_array *array, uint64_t type, int64_t first, uint64_t count,
		     uint32_t flags, int64_t deadline, void **ret_elements)
{
	struct array_draft *d;
	uint64_t from;
	int result;

	if (!array || !ret_elements || (flags & ~ARRAY_CALL_FLAGS))
		return -EINVAL;
	result = array_locate(array, type, first, count, &from);
	if (result == 0 && !array->holder)
		result = -EOPNOTSUPP;
	if (result < 0)
		return result;
	d = new_draft(array, from, count * array->element_size);
	if (!d)
		return -ENOMEM;
	result = draft(array, d, flags, deadline);
	if (result < 0)
		free(d);
	else
		*ret_elements = d->bytes;
	return result;
}

/* What this thread has begun, which is nobody's after this; NULL: nothing. */
static struct array_draft *take_draft(struct weir_array *a, bool *ret_is_mine)
{
	struct array_draft *d;
	uint64_t me = 0;

	if (!a || !a->holder)
		return NULL;
	*ret_is_mine = array_is_mine(a, &me);
	d = a->draft;
	if (!d || a->drafter != me)
		return NULL;
	a->draft = NULL;
	return d;
}

int weir_array_commit(struct weir_array *array)
{
	bool is_mine;
	struct array_draft *d = take_draft(array, &is_mine);

	if (!d)
		return -EINVAL;
	if (is_mine) {
		redo_write(&array->redo, d->from, d->size, d->bytes);
		array_leave(array, d->nested);
		array_changed(array);
	}
	free(d);
	return is_mine ? 0 : -EPERM;
}

int weir_array_cancel(struct weir_array *array)
{
	bool is_mine;
	struct array_draft *d = take_draft(array, &is_mine);

	if (!d)
		return -EINVAL;
	array_leave(array, d->nested);
	free(d);
	return 0;
}

int weir_array_edit(struct weir_array *array, uint64_t type, int64_t first, uint64_t count,
		    int (*edit)(void *elements, uint64_t count, void *arg), void *arg,
		    uint32_t flags, int64_t deadline)
{
	void *elements;
	int result, edited;

	if (!edit)
		return -EINVAL;
	result = weir_array_begin(array, type, first, count, flags, deadline, &elements);
	if (result < 0)
		return result;
	edited = edit(elements, count, arg);
	if (edited != 0) {
		if (result > 0)
			array_tell_next(array);
		weir_array_cancel(array);
		return edited;
	}
	edited = weir_array_commit(array);
	return edited < 0 ? edited : result;
}
