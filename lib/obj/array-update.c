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
 *
 * A small one is in the handle. The lock does not say that it is free: somebody may have released
 * it, and whose it was is still at his copy.
 */

/* Of this thread, or of a process that has forked us: nobody is at what it has begun. */
static bool is_over(uint64_t drafter, uint64_t me)
{
	return drafter == me || LOCK_PARTY(drafter) != LOCK_PARTY(me);
}

static ALWAYS_INLINE struct array_draft *spare_draft(struct weir_array *a, uint64_t me)
{
	/* order: DRAFT acquire: who had it has done with it */
	uint64_t taker = load_acquire(&a->spare_taker);

	if (unlikely(taker != 0 && !is_over(taker, me)))
		return NULL;
	store_relaxed(&a->spare_taker, me);	/* relaxed: under the lock */
	a->spare.bytes = a->spare_bytes;
	return &a->spare;
}

static struct array_draft *allocate_draft(const struct weir_array *a, uint64_t size)
{
	uint64_t alignment = WEIR_TYPE_ALIGNMENT(a->type), before;
	struct array_draft *d;

	/* What is before the bytes keeps them aligned. */
	before = align_up(sizeof(*d), alignment);
	if (alignment < _Alignof(struct array_draft))
		alignment = _Alignof(struct array_draft);
	d = aligned_alloc(alignment, align_up(before + size, alignment));
	if (d)
		d->bytes = (uint8_t *)d + before;
	return d;
}

static ALWAYS_INLINE struct array_draft *new_draft(struct weir_array *a, uint64_t me,
						   uint64_t size)
{
	struct array_draft *d = NULL;

	if (size <= ARRAY_SPARE_SIZE && WEIR_TYPE_ALIGNMENT(a->type) <= _Alignof(max_align_t))
		d = spare_draft(a, me);
	return d ? d : allocate_draft(a, size);
}

static ALWAYS_INLINE void drop_draft(struct weir_array *a, struct array_draft *d)
{
	if (d == &a->spare)
		/* order: DRAFT release: no more of it */
		store_release(&a->spare_taker, 0);
	else
		free(d);
}

void array_drop_draft(struct weir_array *a, struct array_draft *d)
{
	drop_draft(a, d);
}

/* Somebody has released the lock under which it was begun. Another thread may still be at it. */
static void drop_left(struct weir_array *a, uint64_t me)
{
	/* relaxed: under the lock */
	if (is_over(load_relaxed(&a->drafter), me))
		drop_draft(a, a->draft);
	a->draft = NULL;
	store_relaxed(&a->drafter, 0);	/* relaxed: as above */
}

/* The lock is ours: make the copy. */
static ALWAYS_INLINE struct array_draft *draft(struct weir_array *a, uint64_t me, uint64_t from,
					       uint64_t size)
{
	struct array_draft *d;

	if (unlikely(a->draft))
		drop_left(a, me);
	d = new_draft(a, me, size);
	if (unlikely(!d))
		return NULL;
	d->from = from;
	d->size = size;
	words_load(d->bytes, a->redo.place + from, size);
	a->draft = d;
	/* relaxed: who has begun nothing may look at it, and finds that it is not he */
	store_relaxed(&a->drafter, me);
	return d;
}

static ALWAYS_INLINE int begin(struct weir_array *array, uint64_t type, int64_t first,
			       uint64_t count, uint32_t flags, int64_t deadline,
			       void **ret_elements)
{
	struct array_draft *d;
	uint64_t from, me;
	bool nested;
	int result;

	if (unlikely(!array || !ret_elements || (flags & ~ARRAY_CALL_FLAGS)))
		return -EINVAL;
	result = array_locate(array, type, first, count, &from);
	if (unlikely(result < 0))
		return result;
	if (unlikely(!array->holder))
		return -EOPNOTSUPP;
	result = shared_sit(array->holder, &me);
	if (unlikely(result < 0))
		return result;
	/* relaxed: only this thread stores this */
	if (unlikely(load_relaxed(&array->drafter) == me &&
		     lock_is_mine(&array->holder->lock, me)))
		return -EBUSY;
	result = array_enter_as(array, me, flags, deadline, &nested);
	if (unlikely(result < 0))
		return result;
	d = draft(array, me, from, count * array->element_size);
	if (unlikely(!d)) {
		if (result > 0)
			array_tell_next(array);
		array_leave_as(array, me, nested);
		return -ENOMEM;
	}
	d->nested = nested;
	*ret_elements = d->bytes;
	return result;
}

int weir_array_begin(struct weir_array *array, uint64_t type, int64_t first, uint64_t count,
		     uint32_t flags, int64_t deadline, void **ret_elements)
{
	return begin(array, type, first, count, flags, deadline, ret_elements);
}

/*
 * What this thread, @ret_me, has begun, which is nobody's after this; NULL: nothing. Whether the
 * lock is ours still is to be asked.
 */
static ALWAYS_INLINE struct array_draft *take_draft(struct weir_array *a, uint64_t *ret_me)
{
	struct array_draft *d;

	if (unlikely(!a || !a->holder || shared_sit(a->holder, ret_me) < 0))
		return NULL;
	/* relaxed: only this thread stores this */
	if (unlikely(load_relaxed(&a->drafter) != *ret_me))
		return NULL;
	d = a->draft;
	a->draft = NULL;
	store_relaxed(&a->drafter, 0);	/* relaxed: under the lock */
	return d;
}

/* Whether this thread had begun one, and another has since, because somebody released the lock. */
static COLD bool has_lost(struct weir_array *a)
{
	uint64_t me;

	if (!a || !a->holder || shared_sit(a->holder, &me) < 0)
		return false;
	/* relaxed: only this thread stores this */
	if (load_relaxed(&a->spare_taker) != me)
		return false;
	drop_draft(a, &a->spare);
	return true;
}

static ALWAYS_INLINE int commit(struct weir_array *array)
{
	uint64_t me;
	struct array_draft *d = take_draft(array, &me);
	bool nested;

	if (unlikely(!d))
		return has_lost(array) ? -EPERM : -EINVAL;
	if (unlikely(!lock_is_mine(&array->holder->lock, me))) {
		drop_draft(array, d);
		return -EPERM;
	}
	nested = d->nested;
	redo_write(&array->redo, d->from, d->size, d->bytes);
	drop_draft(array, d);
	array_leave_as(array, me, nested);
	array_changed(array);
	return 0;
}

int weir_array_commit(struct weir_array *array)
{
	return commit(array);
}

int weir_array_cancel(struct weir_array *array)
{
	uint64_t me;
	struct array_draft *d = take_draft(array, &me);
	bool nested;

	if (!d)
		return has_lost(array) ? 0 : -EINVAL;
	nested = d->nested;
	drop_draft(array, d);
	array_leave_as(array, me, nested);
	return 0;
}

int weir_array_edit(struct weir_array *array, uint64_t type, int64_t first, uint64_t count,
		    int (*edit)(void *elements, uint64_t count, void *arg), void *arg,
		    uint32_t flags, int64_t deadline)
{
	void *elements;
	int result, edited;

	if (unlikely(!edit))
		return -EINVAL;
	result = begin(array, type, first, count, flags, deadline, &elements);
	if (unlikely(result < 0))
		return result;
	edited = edit(elements, count, arg);
	if (edited != 0) {
		if (result > 0)
			array_tell_next(array);
		weir_array_cancel(array);
		return edited;
	}
	edited = commit(array);
	return edited < 0 ? edited : result;
}
